//! PagerDuty, by its Events API v2: an incident of KubeArmor's is an alert of PagerDuty's.
//!
//! The incident's key is the `dedup_key`, so a retry or a second replica adds nothing, repeats go
//! to the alert that is open, and a quiet time resolves it. What the hour had no room for is of
//! many incidents, whose alert nothing would resolve: it is told as a change event, which pages
//! nobody. The routing key goes into the body when it is sent: no record, and so no dead letter,
//! holds it.

use std::{fmt, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    card::Card,
    contract::{
        Address, Batch, Body, Concern, Destination, DigestDefaults, Encoding, Entry, Event, Facts,
        Format, Gravity, Http, HttpConnection, HttpReply, HttpRequest, LINK, LaneView, Limits,
        Link, Protocol as _, Secret, Setting, SettingError, Sink, TIMEOUT, Telling, Timeout, Tls,
        Verdict, read, write_json_string,
    },
    incident::{self, plain_line},
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The path of the API for alerts.
const ENQUEUE: &str = "/v2/enqueue";
/// The path of the API for change events; the same keys are known there.
const ENQUEUE_CHANGE: &str = "/v2/change/enqueue";
/// What the record of a change event begins with, and no other.
const CHANGE: &[u8] = b",\"payload\":";
/// PagerDuty's limit of a body, in bytes: "512 KB", taken at its smaller meaning.
const MAX_BODY_BYTES: usize = 512_000;
/// PagerDuty's limit of `dedup_key`, in characters.
const MAX_DEDUP_KEY_CHARS: usize = 255;
/// PagerDuty's limit of `payload.summary`, in characters.
const MAX_SUMMARY_CHARS: usize = 1_024;
/// Details take no more than this, in bytes, which leaves room for all else.
const MAX_DETAILS_BYTES: usize = 400_000;
/// Length of a routing key, in characters.
const ROUTING_KEY_CHARS: usize = 32;

/// The table `pagerduty` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PagerDuty {
    routing_key: RoutingKey,
    #[serde(default = "united_states")]
    url: Address,
    link: Option<Link>,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
}

fn united_states() -> Address {
    Address::parse("https://events.pagerduty.com").expect("an address")
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: PagerDuty = read(table)?;
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "pagerduty",
        summary: "PagerDuty, by its Events API v2: one alert an incident, resolved when it is quiet",
        format: Format::Native,
        native: true,
        limits: Limits {
            events: 1,
            bytes: MAX_BODY_BYTES,
            wait: Duration::ZERO,
            in_flight: 2,
            source: "https://developer.pagerduty.com/docs/events-api-v2-overview",
        },
        rate_per_second: Some(2.0),
        digest: Some(DigestDefaults {
            every: Duration::from_secs(10 * 60),
            per_hour: 120,
            resolves: true,
        }),
        settings: SETTINGS,
        tls: true,
        example: "routing_key = \"${env:PAGERDUTY_ROUTING_KEY}\"\n",
        sample_secrets: &[("PAGERDUTY_ROUTING_KEY", "R0UT1NGKEY0000000000000000000042")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "routing_key", help: "the integration key of a service or an orchestration" },
    Setting {
        key: "url",
        help: "the API's host; accounts of the EU have \"https://events.eu.pagerduty.com\". \
               Default: \"https://events.pagerduty.com\"",
    },
    LINK,
    TIMEOUT,
];

impl Sink<Http> for PagerDuty {
    /// All of the event but the routing key, which would stand first.
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        if incident::telling(event) == Some(Telling::Held) {
            return change(event, body, record);
        }
        let mut text = |key: &str, value: &str| {
            record.extend_from_slice(key.as_bytes());
            write_json_string(value, record);
        };
        let is_over = incident::is_quiet(event);
        text(",\"event_action\":", if is_over { "resolve" } else { "trigger" });
        text(",\"dedup_key\":", &incident::key(event, MAX_DEDUP_KEY_CHARS));
        if is_over {
            record.push(b'}');
            return;
        }
        text(",\"client\":", "Sidearm");
        if let Some(link) = &self.link {
            text(",\"client_url\":", &link.of(event));
        }
        text(",\"payload\":{\"summary\":", &summary(event, body));
        text(",\"source\":", &source(event));
        text(",\"severity\":", severity(event.gravity()));
        text(",\"timestamp\":", &incident::rfc3339(event.time_us()));
        for (key, value) in [
            (",\"component\":", event.workload()),
            (",\"group\":", event.namespace()),
            (",\"class\":", event.policy()),
        ] {
            let value = plain_line(value, MAX_DEDUP_KEY_CHARS);
            if !value.is_empty() {
                text(key, &value);
            }
        }
        record.extend_from_slice(b",\"custom_details\":");
        incident::write_json(&incident::details(event), MAX_DETAILS_BYTES, record);
        record.extend_from_slice(b"}}");
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let mut headers = HeaderMap::with_capacity(1);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let record = batch.bytes();
        let url = self.url.with_path(ENQUEUE);
        let url = match record.starts_with(CHANGE) {
            true => format!("{}{ENQUEUE_CHANGE}", url.trim_end_matches(ENQUEUE)),
            false => url,
        };
        HttpRequest {
            method: Method::POST,
            shown_url: url.clone(),
            url,
            headers,
            body: body(self.routing_key.0.reveal(), &record),
            encoding: Encoding::Identity,
            message_id: String::new(),
        }
    }

    /// Without the routing key.
    fn readable(&self, batch: &Batch) -> Option<Bytes> {
        Some(body("***", &batch.bytes()))
    }

    fn verdict(&self, _: &Batch, reply: &HttpReply) -> Verdict<Http> {
        match Http::verdict(reply) {
            // What is wrong with the key costs no event.
            Verdict::Never(why) if is_about_the_key(reply) => Verdict::Blocked(why),
            Verdict::Never(why) if !is_pagerdutys(reply) => {
                Verdict::Blocked(format!("{why}, not an answer of PagerDuty's"))
            }
            Verdict::Accepted if !is_pagerdutys(reply) => {
                Verdict::Blocked(format!("{}, not an answer of PagerDuty's", reply.summary()))
            }
            verdict => verdict,
        }
    }

    fn concerns(&self, lane: &LaneView) -> Vec<Concern> {
        let why = "without a digest nothing says that an incident is over: every alert stays open \
                   until a person resolves it";
        lane.digest.is_none().then(|| Concern::doubt("digest", why)).into_iter().collect()
    }

    fn limits(&self, limits: Limits) -> Limits {
        let head = body(self.routing_key.0.reveal(), b"").len();
        Limits { bytes: limits.bytes.saturating_sub(head), ..limits }
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

fn body(routing_key: &str, record: &[u8]) -> Bytes {
    [b"{\"routing_key\":\"", routing_key.as_bytes(), b"\"", record].concat().into()
}

/// Writes what tells of events that were held back.
fn change(event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
    record.extend_from_slice(CHANGE);
    for (key, value) in [
        ("{\"summary\":", summary(event, body)),
        (",\"source\":", source(event)),
        (",\"timestamp\":", incident::rfc3339(incident::end_us(event))),
    ] {
        record.extend_from_slice(key.as_bytes());
        write_json_string(&value, record);
    }
    record.extend_from_slice(b",\"custom_details\":");
    incident::write_json(&incident::details(event), MAX_DETAILS_BYTES, record);
    record.extend_from_slice(b"}}");
}

/// PagerDuty's own scale.
fn severity(gravity: Gravity) -> &'static str {
    match gravity {
        Gravity::Critical => "critical",
        Gravity::High => "error",
        Gravity::Medium => "warning",
        Gravity::Low | Gravity::Info => "info",
    }
}

/// The message's text where one is given, else the incident's headline.
fn summary(event: &Event<'_>, body: Body<'_>) -> String {
    let given = match body.format {
        Format::Native => String::new(),
        _ => plain_line(&Card::of_text(event, &body.text(), body.counts).text, MAX_SUMMARY_CHARS),
    };
    if given.is_empty() { incident::headline(event, MAX_SUMMARY_CHARS) } else { given }
}

/// The one place of its kind: the pod, else the node, else the cluster.
fn source(event: &Event<'_>) -> String {
    let parts = match event.pod() {
        "" => [event.cluster(), "", event.host()],
        pod => [event.cluster(), event.namespace(), pod],
    };
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let source = plain_line(&parts.join("/"), MAX_DEDUP_KEY_CHARS);
    if source.is_empty() { "kubearmor".to_owned() } else { source }
}

/// PagerDuty's answer, also to what it refuses.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<String>,
}

fn is_pagerdutys(reply: &HttpReply) -> bool {
    reply.body.is_empty() || serde_json::from_slice::<Answer>(&reply.body).is_ok()
}

/// PagerDuty speaks of it as `routing_key` where it is malformed and as "routing key" where it is
/// not known.
fn is_about_the_key(reply: &HttpReply) -> bool {
    let Ok(Answer { status, message, errors }) = serde_json::from_slice(&reply.body) else {
        return String::from_utf8_lossy(&reply.body).to_ascii_lowercase().contains("routing key");
    };
    errors.iter().chain([&status, &message]).any(|text| {
        let text = text.to_ascii_lowercase();
        text.contains("routing_key") || text.contains("routing key")
    })
}

/// The integration key, known to be of the right length and to need no escape in JSON.
#[derive(Clone)]
struct RoutingKey(Secret);

impl fmt::Debug for RoutingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for RoutingKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Secret::deserialize(deserializer)?;
        let is_key = key.reveal().len() == ROUTING_KEY_CHARS
            && key.reveal().bytes().all(|byte| byte.is_ascii_alphanumeric());
        if is_key {
            return Ok(Self(key));
        }
        Err(D::Error::custom("expected an integration key: 32 letters and digits"))
    }
}

#[cfg(test)]
#[path = "../tests/faults/doubles/pagerduty.rs"]
mod double;

#[cfg(test)]
mod tests {
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
                assert_eq!(
                    (&body["event_action"], &body["dedup_key"]),
                    (&Value::Null, &Value::Null)
                );
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
        let success =
            "{\"status\":\"success\",\"message\":\"Event processed\",\"dedup_key\":\"k\"}";
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
            (
                "url = \"https://events.eu.pagerduty.com\"",
                "https://events.eu.pagerduty.com/v2/enqueue",
            ),
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
}
