use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::contract::{
    Digest, acts,
    testing::{
        arbitrary_event, asked, batch, batch_of, reply, table, with_event, with_sample, written,
    },
};

const EVENT: &str = r#"{"Timestamp":1789899072,"UpdatedTime":"2026-09-20T10:11:12.000678Z","ClusterName":"c","HostName":"n1","NamespaceName":"shop","Owner":{"Ref":"Deployment","Name":"web","Namespace":"shop"},"PodName":"web-0","PolicyName":"no-apt","Severity":"8","Message":"apt ran","Type":"MatchedPolicy","Operation":"Process","Resource":"/usr/bin/apt","Action":"Block","PID":4711,"UID":0,"PPID":0}"#;

fn alertmanager(more: &str) -> Result<Box<dyn Sink<Http>>, SettingError> {
    match build(table(&format!("url = \"http://am:9093/\"\n{more}")))? {
        Destination::Http(sink) => Ok(sink),
        _ => panic!("spoken to by HTTP"),
    }
}

fn sent(sink: &dyn Sink<Http>, event: &Event<'_>, format: Format, text: &str) -> Value {
    let record = written(sink, event, format, text.as_bytes());
    let request = sink.request(&batch_of(event, record.as_bytes()));
    let alerts: Vec<Value> = serde_json::from_slice(&request.body).expect("an array");
    alerts.into_iter().next().expect("one alert")
}

fn digest(telling: Telling) -> Digest {
    Digest {
        telling,
        events: 5,
        incidents: 1,
        first_us: 1_789_899_000_000_000,
        last_us: 1_789_899_060_000_000,
        pods: vec![("web-0".to_owned(), 5)],
        processes: Vec::new(),
    }
}

#[test]
fn labels_are_of_the_incident_and_stay() {
    let sink = alertmanager("labels = { team = \"platform\" }").expect("a table");
    let first = with_event(EVENT, |event| sent(&*sink, &event, Format::Native, ""));
    let later = EVENT.replace("4711", "12").replace("web-0", "web-1").replace("000678", "9");
    let second = with_event(&later, |event| sent(&*sink, &event, Format::Native, ""));
    assert_eq!(first["labels"], second["labels"]);
    assert_ne!(first["annotations"]["event_id"], second["annotations"]["event_id"]);
    let labels = first["labels"].as_object().expect("labels");
    assert_eq!(labels["alertname"], "KubeArmorAlert");
    assert_eq!(labels["severity"], "warning");
    assert_eq!(first["annotations"]["gravity"], "high");
    assert_eq!(labels["workload"], "web");
    assert_eq!(labels["team"], "platform");
    assert_eq!(labels["incident"].as_str().map(str::len), Some(16));
    assert_eq!(first["annotations"]["description"], "apt ran");
    assert_eq!(first["startsAt"], "2026-09-20T10:11:12.000678Z");
    assert_eq!(first["endsAt"], Value::Null);
    let other = EVENT.replace("/usr/bin/apt", "/usr/bin/dpkg");
    let other = with_event(&other, |event| sent(&*sink, &event, Format::Text, "a\nb"));
    assert_ne!(other["labels"]["incident"], first["labels"]["incident"]);
    assert_eq!(other["annotations"]["description"], "a b");
}

#[test]
fn a_quiet_incident_ends_and_a_repeated_one_lasts() {
    let sink = alertmanager("").expect("a table");
    let alone = with_event(EVENT, |event| sent(&*sink, &event, Format::Native, ""));
    let (repeats, quiet, held) =
        (digest(Telling::Repeats), digest(Telling::Quiet), digest(Telling::Held));
    let told = |digest: &Digest| {
        with_event(EVENT, |event| sent(&*sink, &event.telling(digest), Format::Native, ""))
    };
    let (repeats, quiet, held) = (told(&repeats), told(&quiet), told(&held));
    assert_eq!(repeats["labels"], alone["labels"]);
    assert_eq!(repeats["annotations"]["count"], "5");
    assert_eq!(repeats["startsAt"], "2026-09-20T10:10:00.000000Z");
    assert_eq!(quiet["labels"], alone["labels"]);
    assert_eq!(quiet["startsAt"], "2026-09-20T10:10:00.000000Z");
    assert_eq!(quiet["endsAt"], "2026-09-20T10:11:00.000000Z");
    assert_eq!(held["labels"]["alertname"], "SidearmHeldBack");
    assert_eq!(held["labels"]["policy"], Value::Null);
}

#[test]
fn what_became_graver_ends_with_all_it_was() {
    let sink = alertmanager("").expect("a table");
    let quiet = digest(Telling::Quiet);
    for (severity, expected) in
        [("9", &["critical", "warning", "info"][..]), ("5", &["warning", "info"]), ("1", &["info"])]
    {
        let line = EVENT.replace("\"Severity\":\"8\"", &format!("\"Severity\":\"{severity}\""));
        with_event(&line, |event| {
            let alone = sent(&*sink, &event, Format::Native, "");
            assert_eq!(alone["labels"]["severity"], expected[0]);
            let event = event.telling(&quiet);
            let record = written(&*sink, &event, Format::Native, b"");
            let request = sink.request(&batch_of(&event, record.as_bytes()));
            let alerts: Vec<Value> = serde_json::from_slice(&request.body).expect("an array");
            let ended: Vec<_> = alerts.iter().map(|alert| &alert["labels"]["severity"]).collect();
            assert_eq!(ended, expected);
            assert_eq!(alerts[0]["labels"], alone["labels"]);
            assert!(alerts.iter().all(|alert| alert["endsAt"].is_string()));
        });
    }
}

#[test]
fn notices_of_a_workload_are_one_alert_whatever_they_stand_for() {
    let sink = alertmanager("").expect("a table");
    let labels =
        |name| with_sample(name, |event| sent(&*sink, event, Format::Native, "")["labels"].clone());
    let labels = ["alert-throttle-notice", "alert-throttle-notice-rewritten"].map(labels);
    assert_eq!(labels[0]["incident"], labels[1]["incident"]);
    assert_eq!((&labels[0]["policy"], &labels[1]["policy"]), (&Value::Null, &Value::Null));
}

#[test]
fn a_clock_ahead_of_ours_starts_no_alert_in_the_future() {
    let ahead = EVENT.replace("2026-09-20", "2036-09-20");
    let sink = alertmanager("").expect("a table");
    let alert = with_event(&ahead, |event| sent(&*sink, &event, Format::Native, ""));
    assert_eq!(alert["startsAt"], "2027-01-15T08:00:00.000000Z");
}

#[test]
fn credentials_are_sent_and_never_shown() {
    for (more, value) in [
        ("username = \"u\"\npassword = \"hunter2\"", "Basic dTpodW50ZXIy"),
        ("token = \"hunter2\"", "Bearer hunter2"),
    ] {
        let sink = alertmanager(more).expect("a table");
        let request = sink.request(&batch(1, 3));
        assert_eq!(request.headers[header::AUTHORIZATION], value);
        assert!(request.headers[header::AUTHORIZATION].is_sensitive());
        assert_eq!(request.url, "http://am:9093/api/v2/alerts");
    }
}

#[test]
fn a_link_is_completed_and_its_host_is_not() {
    let sink =
        alertmanager("link = \"https://siem/?id={{ id }}&ns={{ namespace }}\"").expect("a table");
    let event = EVENT.replace("\"shop\",\"Owner", "\"a&b/ c\",\"Owner");
    let alert = with_event(&event, |event| sent(&*sink, &event, Format::Native, ""));
    let link = alert["generatorURL"].as_str().expect("a link");
    assert!(link.starts_with("https://siem/?id=") && link.ends_with("&ns=a_b__c"), "{link}");
}

#[test]
fn mistakes_are_told_with_their_key() {
    for (more, path) in [
        ("username = \"u\"", "username"),
        ("password = \"p\"", "password"),
        ("username = \"u:v\"\npassword = \"p\"", "username"),
        ("username = \"u\"\npassword = \"p\"\ntoken = \"t\"", "token"),
        ("token = \"a\\nb\"", "token"),
        ("labels = { \"a-b\" = \"c\" }", "labels"),
        ("labels = { policy = \"c\" }", "labels"),
        ("labels = { __name = \"c\" }", "labels"),
        ("labels = { team = \"\" }", "labels"),
        ("link = \"https://{{ HostName }}/\"", "link"),
        ("link = \"https://siem{{ HostName }}/\"", "link"),
        ("link = \"javascript:alert(1)\"", "link"),
        ("headers = { \"a b\" = \"c\" }", "headers.a b"),
        ("timeout = \"0s\"", "timeout"),
        ("resolve_timeout = \"0s\"", "resolve_timeout"),
    ] {
        let error = alertmanager(more).err().expect(more);
        assert_eq!(error.path, path, "{more}: {}", error.message);
    }
}

#[test]
fn answers_have_their_verdict() {
    let sink = alertmanager("").expect("a table");
    for (status, body, expected) in [
        (200, "", "accepted"),
        (200, "<html>please log in</html>", "blocked"),
        (400, "\"start time must be before end time\"", "never"),
        (400, "<html>plain HTTP to an HTTPS port</html>", "blocked"),
        (401, "", "blocked"),
        (404, "", "blocked"),
        (413, "", "smaller"),
        (422, "{\"code\":601,\"message\":\"labels is required\"}", "never"),
        (429, "", "later"),
        (500, "", "later"),
        (503, "", "later"),
    ] {
        let verdict = sink.verdict(&batch(2, 1), &reply(status, body));
        assert_eq!(verdict.name(), expected, "{status} {body}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn alertmanager_takes_whatever_an_event_holds(owned in arbitrary_event()) {
        const LARGEST_ALERT_BYTES: usize = 64 * 1024;
        let event = owned.event();
        let sink = alertmanager("token = \"t\"").expect("a table");
        let record = written(&*sink, &event, Format::Native, b"");
        prop_assert!(record.len() < LARGEST_ALERT_BYTES);
        let received = i64::try_from(event.received_us()).unwrap_or(i64::MAX);
        // The engine tells of nothing that ends in the future.
        let now = received.max(incident::end_us(&event));
        let now = incident::rfc3339(now).parse().expect("a moment");
        let mut vendor = double::Alertmanager::new("t", now);
        let answer = vendor.answer(&asked(&sink.request(&batch_of(&event, record.as_bytes()))));
        prop_assert_eq!(answer.status(), 200, "{} {}", answer.body(), record);
        // One for each severity that it may have had is ended.
        let most = if incident::is_quiet(&event) { SEVERITIES.len() } else { 1 };
        prop_assert!((1..=most).contains(&vendor.taken.len()) && vendor.poison.is_none());
        prop_assert_eq!(vendor.firing.is_empty(), incident::is_quiet(&event));
        let alert = sent(&*sink, &event, Format::Native, "");
        for (kind, max) in [("labels", MAX_LABEL_CHARS), ("annotations", MAX_ANNOTATION_CHARS)] {
            for value in alert[kind].as_object().expect("an object").values() {
                let value = value.as_str().expect("text");
                prop_assert!(!value.is_empty() && !value.chars().any(acts));
                prop_assert!(value.chars().count() <= max);
            }
        }
        for name in alert["labels"].as_object().expect("labels").keys() {
            prop_assert!(OWN_LABELS.contains(&name.as_str()));
        }
        let start: jiff::Timestamp =
            alert["startsAt"].as_str().expect("text").parse().expect("a moment");
        prop_assert!(start <= now);
    }
}
