use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::contract::{
    Digest, acts,
    testing::{arbitrary_event, asked, batch, batch_of, reply, sink, with_event, written},
};

const KEY: &str = "0123456789abcdef0123456789ABCDEF";
const EVENT: &str = r#"{"Timestamp":1789899072,"UpdatedTime":"2026-09-20T10:11:12.000678Z","ClusterName":"c","HostName":"n1","NamespaceName":"shop","PodName":"web-0","PolicyName":"no-apt","Severity":"8","Type":"MatchedPolicy","Operation":"Process","Resource":"/usr/bin/apt","Action":"Block","UID":0,"PPID":0}"#;

fn pagerduty(more: &str) -> PagerDuty {
    sink(&format!("routing_key = \"{KEY}\"\n{more}")).expect("a table")
}

fn sent(event: &Event<'_>, format: Format, text: &str) -> Value {
    let sink = pagerduty("");
    let record = written(&sink, event, format, text.as_bytes());
    assert!(!record.contains(KEY), "a dead letter would hold it");
    let request = sink.request(&batch_of(event, record.as_bytes()));
    serde_json::from_slice(&request.body).expect("JSON")
}

#[test]
fn an_event_triggers_an_alert_of_its_incident() {
    with_event(EVENT, |event| {
        let body = sent(&event, Format::Native, "");
        assert_eq!(body["routing_key"], KEY);
        assert_eq!(body["event_action"], "trigger");
        assert_eq!(body["dedup_key"], "c|shop|web-0|no-apt|Process|Block|/usr/bin/apt");
        assert_eq!(body["payload"]["source"], "c/shop/web-0");
        assert_eq!(body["payload"]["severity"], "error");
        assert_eq!(body["payload"]["timestamp"], "2026-09-20T10:11:12.000678Z");
        assert_eq!(body["payload"]["class"], "no-apt");
        let id = event.id().to_string();
        assert_eq!(body["payload"]["custom_details"]["event_id"], id.as_str());
        let body = sent(&event, Format::Template, "web\n was hit");
        assert_eq!(body["payload"]["summary"], "web was hit");
        let digest = Digest {
            telling: Telling::Repeats,
            events: 137,
            incidents: 1,
            first_us: 0,
            last_us: 600_000_000,
            pods: Vec::new(),
            processes: Vec::new(),
        };
        let body = sent(&event.telling(&digest), Format::Template, "web was hit");
        assert_eq!(body["payload"]["summary"], "137 more in 10 min: web was hit");
    });
}

#[test]
fn a_link_leads_to_the_event() {
    let sink = pagerduty("link = \"https://siem/?id={{ id }}\"");
    with_event(EVENT, |event| {
        let record = written(&sink, &event, Format::Native, b"");
        let request = sink.request(&batch_of(&event, record.as_bytes()));
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        assert_eq!(body["client_url"], format!("https://siem/?id={}", event.id()));
    });
}

#[test]
fn a_quiet_incident_is_resolved_by_the_same_key() {
    let digest = Digest {
        telling: Telling::Quiet,
        events: 0,
        incidents: 1,
        first_us: 0,
        last_us: 0,
        pods: Vec::new(),
        processes: Vec::new(),
    };
    with_event(EVENT, |event| {
        let key = incident::key(&event, 255);
        let body = sent(&event.telling(&digest), Format::Native, "");
        let expected = serde_json::json!({
            "routing_key": KEY, "event_action": "resolve", "dedup_key": key,
        });
        assert_eq!(body, expected);
    });
}

#[test]
fn what_was_held_back_is_a_change_and_pages_nobody() {
    let digest = Digest {
        telling: Telling::Held,
        events: 42,
        incidents: 5,
        first_us: 1_789_899_000_000_000,
        last_us: 1_789_899_060_000_000,
        pods: Vec::new(),
        processes: Vec::new(),
    };
    for (more, url) in [
        ("", "https://events.pagerduty.com/v2/change/enqueue"),
        ("url = \"http://proxy/pd/v2/enqueue\"", "http://proxy/pd/v2/change/enqueue"),
    ] {
        let sink = pagerduty(more);
        with_event(EVENT, |event| {
            let id = event.id().to_string();
            let event = event.telling(&digest);
            let record = written(&sink, &event, Format::Native, b"");
            let request = sink.request(&batch_of(&event, record.as_bytes()));
            assert_eq!(request.url, url);
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            assert_eq!(body["routing_key"], KEY);
            assert_eq!((&body["event_action"], &body["dedup_key"]), (&Value::Null, &Value::Null));
            let summary = body["payload"]["summary"].as_str().expect("a text");
            assert!(summary.starts_with("42 events of 5 incidents held back"), "{summary}");
            assert_eq!(body["payload"]["timestamp"], "2026-09-20T10:11:00.000000Z");
            assert_eq!(body["payload"]["custom_details"]["count"], 42);
            assert_eq!(body["payload"]["custom_details"]["event_id"], id.as_str());
        });
    }
}

#[test]
fn the_key_is_never_shown() {
    let sink = pagerduty("");
    let request = sink.request(&batch(1, 3));
    let shown = sink.readable(&batch(1, 3)).expect("a body");
    assert_eq!(shown, "{\"routing_key\":\"***\"   ");
    let debugged = format!("{sink:?} {request:?} {:?}", sink.connection());
    assert!(!debugged.contains(KEY), "{debugged}");
}

#[test]
fn answers_have_their_verdict() {
    let invalid = |what: &str| {
        format!(
            "{{\"status\":\"invalid event\",\"message\":\"Event object is invalid\",\
             \"errors\":[\"{what}\"]}}"
        )
    };
    let success = "{\"status\":\"success\",\"message\":\"Event processed\",\"dedup_key\":\"k\"}";
    for (status, body, expected) in [
        (202, success, "accepted"),
        (200, "<html>please log in</html>", "blocked"),
        (400, &invalid("'summary' is too long (maiximum is 1024 characters)"), "never"),
        (
            400,
            &invalid("Length of 'routing_key' is incorrect (should be 32 characters)"),
            "blocked",
        ),
        (400, "{\"status\":\"invalid key\",\"message\":\"Invalid routing key\"}", "blocked"),
        (400, "Bad Request, Invalid routing key", "blocked"),
        (400, "<html>plain HTTP to an HTTPS port</html>", "blocked"),
        (403, "", "blocked"),
        (404, "", "blocked"),
        (413, "", "smaller"),
        (429, "", "later"),
        (500, "", "later"),
        (503, "", "later"),
    ] {
        let verdict = pagerduty("").verdict(&batch(1, 1), &reply(status, body));
        assert_eq!(verdict.name(), expected, "{status} {body}");
    }
}

#[test]
fn accounts_of_the_eu_have_their_own_host() {
    for (more, url) in [
        ("", "https://events.pagerduty.com/v2/enqueue"),
        ("url = \"https://events.eu.pagerduty.com\"", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("url = \"http://proxy/pd/v2/enqueue\"", "http://proxy/pd/v2/enqueue"),
    ] {
        let request = pagerduty(more).request(&batch(1, 1));
        assert_eq!((request.url.as_str(), request.shown_url.as_str()), (url, url));
    }
}

#[test]
fn mistakes_are_told_with_their_key_and_without_the_secret() {
    let key = format!("routing_key = \"{KEY}\"\n");
    for (lines, path) in [
        ("routing_key = \"hunter2\"", "routing_key"),
        ("routing_key = \"hunter2 456789abcdef0123456789AB\\n\"", "routing_key"),
        (&format!("{key}url = \"https://hunter2@x\""), "url"),
        (&format!("{key}timeout = \"0s\""), "timeout"),
    ] {
        let error = build(crate::contract::testing::table(lines)).err().expect(lines);
        assert_eq!(error.path, path, "{}", error.message);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn pagerduty_takes_whatever_an_event_holds(owned in arbitrary_event()) {
        let event = owned.event();
        let sink = pagerduty("");
        let record = written(&sink, &event, Format::Native, b"");
        let request = sink.request(&batch_of(&event, record.as_bytes()));
        let mut vendor = double::PagerDuty::new(KEY);
        let answer = vendor.answer(&asked(&request));
        prop_assert_eq!(answer.status(), 202, "{} {}", answer.body(), record);
        prop_assert!(vendor.open.len() == vendor.taken.len() && vendor.poison.is_none());
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let summary = body["payload"]["summary"].as_str().unwrap_or_default();
        prop_assert!(!summary.chars().any(acts));
    }
}
