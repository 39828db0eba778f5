//! An event as a Kubernetes audit event, for the agent's `k8s_audit` endpoint.
//!
//! Verbs are KubeArmor's operations, which no API server has, so that a rule written for API calls
//! never takes a process for one. The details stand in annotations.

use std::collections::BTreeMap;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::post;
use crate::{
    contract::{
        Address, Batch, Body, Destination, Entry, Event, Facts, Format, HEADERS, Http,
        HttpConnection, HttpReply, HttpRequest, Limits, Protocol as _, Secret, Setting,
        SettingError, Sink, TIMEOUT, Timeout, Tls, Verdict, headers, read, uuid,
    },
    incident::{self, plain_line},
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The path of the agent's endpoint.
const PATH: &str = "/k8s_audit";
/// What endpoints of this kind answer to an event, as Falco's do: a page, and nobody's sign-in.
const OK: &[u8] = b"<html><body>Ok</body></html>";
/// A name within the event is cut here, in characters: longer than any of Kubernetes'.
const MAX_NAME_CHARS: usize = 253;
/// An annotation is cut here, in characters.
const MAX_ANNOTATION_CHARS: usize = 2_048;

/// The table `sysdig` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sysdig {
    #[serde(default = "agent")]
    url: Address,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
    /// `headers`, checked.
    #[serde(skip)]
    checked_headers: HeaderMap,
}

fn agent() -> Address {
    Address::parse("http://sysdig-agent.sysdig-agent.svc.cluster.local:7765").expect("an address")
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: Sysdig = read(table)?;
    sink.checked_headers = headers(&sink.headers)?;
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "sysdig",
        summary: "the Sysdig agent's k8s_audit endpoint: each event as a Kubernetes audit event",
        format: Format::Native,
        native: true,
        limits: Limits {
            events: 1,
            bytes: 1_000_000,
            wait: std::time::Duration::ZERO,
            in_flight: 4,
            source: "https://github.com/sysdiglabs/aks-audit-log",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "url = \"http://sysdig-agent.sysdig-agent.svc.cluster.local:7765/k8s_audit\"\n",
        sample_secrets: &[],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "url",
        help: "the agent's endpoint. Default: \
               \"http://sysdig-agent.sysdig-agent.svc.cluster.local:7765/k8s_audit\"",
    },
    HEADERS,
    TIMEOUT,
];

impl Sink<Http> for Sysdig {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        serde_json::to_writer(record, &audit_event(event, body))
            .expect("a vector takes every write, and its keys are texts");
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        post(self.url.with_path(PATH), &self.checked_headers, batch)
    }

    fn verdict(&self, _: &Batch, reply: &HttpReply) -> Verdict<Http> {
        match (reply.status, reply.body.trim_ascii()) {
            (200, OK) => Verdict::Accepted,
            _ => Http::verdict(reply),
        }
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

fn audit_event(event: &Event<'_>, body: Body<'_>) -> Value {
    let time = incident::rfc3339(event.time_us());
    let blocked = event.blocked();
    let source_ip = event.network().map(|network| network.source.address);
    let mut audit = json!({
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "Metadata",
        "auditID": uuid(event.id().0),
        "stage": "ResponseComplete",
        "requestURI": request_uri(event),
        "verb": verb(event),
        "user": user(event),
        "userAgent": concat!("sidearm/", env!("CARGO_PKG_VERSION")),
        "responseStatus": {
            "metadata": {},
            "status": if blocked { "Failure" } else { "Success" },
            "code": if blocked { 403 } else { 200 },
        },
        "requestReceivedTimestamp": time,
        "stageTimestamp": time,
        "annotations": annotations(event, body),
    });
    if blocked {
        audit["responseStatus"]["reason"] = "Forbidden".into();
        audit["responseStatus"]["message"] = plain_line(event.result(), MAX_NAME_CHARS).into();
    }
    if let Some(object) = object(event) {
        audit["objectRef"] = object;
    }
    // The agent reads addresses alone; a Unix socket's path is none.
    if let Some(ip) = source_ip.and_then(|ip| ip.parse::<std::net::IpAddr>().ok()) {
        audit["sourceIPs"] = json!([ip.to_string()]);
    }
    audit
}

/// KubeArmor's operation in lower case, of letters alone.
fn verb(event: &Event<'_>) -> String {
    let letters = event.operation().chars().filter(char::is_ascii_alphabetic);
    let verb: String = letters.take(MAX_NAME_CHARS).collect::<String>().to_ascii_lowercase();
    match (verb.as_str(), event.is_gap()) {
        (_, true) => "gap".to_owned(),
        ("", false) => event.stream().name().to_owned(),
        // What an API server does is told by its own verbs alone.
        ("create" | "get" | "list" | "watch" | "update" | "patch" | "delete", false) => {
            format!("kubearmor{verb}")
        }
        _ => verb,
    }
}

/// Whose process it was; KubeArmor itself where there was none, and never root for want of one.
fn user(event: &Event<'_>) -> Value {
    let user = plain_line(event.user(), MAX_NAME_CHARS);
    let uid = event.has_user().then(|| event.uid().to_string());
    match (user.as_str(), uid) {
        ("", Some(uid)) => json!({ "username": format!("uid:{uid}"), "uid": uid }),
        ("", None) => json!({ "username": "kubearmor" }),
        (user, Some(uid)) => json!({ "username": user, "uid": uid }),
        (user, None) => json!({ "username": user }),
    }
}

/// The pod, else the node; nothing where it is of neither, as a gap is.
fn object(event: &Event<'_>) -> Option<Value> {
    let name = |text: &str| plain_line(text, MAX_NAME_CHARS);
    match (event.pod(), event.host()) {
        ("", "") => None,
        ("", host) => Some(json!({ "resource": "nodes", "name": name(host), "apiVersion": "v1" })),
        (pod, _) => Some(json!({
            "resource": "pods",
            "namespace": name(event.namespace()),
            "name": name(pod),
            "apiVersion": "v1",
        })),
    }
}

/// The object's own path, its names made safe for one; without an object, a path that no API
/// server has.
fn request_uri(event: &Event<'_>) -> String {
    let name = |text: &str| -> String {
        let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        text.chars().take(MAX_NAME_CHARS).map(|c| if safe(c) { c } else { '_' }).collect()
    };
    match (event.pod(), event.host()) {
        ("", "") => format!("/kubearmor/{}", verb(event)),
        ("", host) => format!("/api/v1/nodes/{}", name(host)),
        (pod, _) => format!("/api/v1/namespaces/{}/pods/{}", name(event.namespace()), name(pod)),
    }
}

/// The details by name, each a text, for audit annotations hold nothing else.
fn annotations(event: &Event<'_>, body: Body<'_>) -> Map<String, Value> {
    let details = incident::details(event).into_iter().map(|(name, detail)| {
        (format!("kubearmor.io/{name}"), detail.line(MAX_ANNOTATION_CHARS).into())
    });
    let mut annotations: Map<_, _> = details.collect();
    if body.format != Format::Native {
        let text = plain_line(&body.text(), MAX_ANNOTATION_CHARS);
        annotations.insert("kubearmor.io/text".to_owned(), text.into());
    }
    annotations
}

#[cfg(test)]
#[path = "../../tests/faults/doubles/sysdig.rs"]
mod double;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::testing::{
        OwnedEvent, arbitrary_event, asked, batch, batch_of, reply, sink, table, with_event,
        written,
    };

    const EVENT: &str = r#"{"UpdatedTime":"2026-09-20T10:11:12.000678Z","HostName":"n1","NamespaceName":"shop","PodName":"web-0","PolicyName":"no-apt","Severity":"8","Type":"MatchedPolicy","Operation":"Process","Resource":"/usr/bin/apt","Action":"Block","Result":"Permission denied","UID":1000,"PPID":0}"#;

    fn sent(event: &Event<'_>, format: Format, text: &str) -> Value {
        let sink: Sysdig = sink("").expect("a table");
        let record = written(&sink, event, format, text.as_bytes());
        let request = sink.request(&batch_of(event, record.as_bytes()));
        assert_eq!(
            request.url,
            "http://sysdig-agent.sysdig-agent.svc.cluster.local:7765/k8s_audit"
        );
        serde_json::from_slice(&request.body).expect("JSON")
    }

    #[test]
    fn an_event_is_an_audit_event() {
        with_event(EVENT, |event| {
            let audit = sent(&event, Format::Text, "a line");
            assert_eq!(audit["kind"], "Event");
            assert_eq!(audit["verb"], "process");
            assert_eq!(audit["user"], json!({ "username": "uid:1000", "uid": "1000" }));
            assert_eq!(audit["requestURI"], "/api/v1/namespaces/shop/pods/web-0");
            assert_eq!(audit["objectRef"]["resource"], "pods");
            assert_eq!(audit["responseStatus"]["code"], 403);
            assert_eq!(audit["stageTimestamp"], "2026-09-20T10:11:12.000678Z");
            assert_eq!(audit["annotations"]["kubearmor.io/PolicyName"], "no-apt");
            assert_eq!(audit["annotations"]["kubearmor.io/text"], "a line");
        });
        let audited = EVENT.replace("\"Block\"", "\"Audit (Block)\"");
        with_event(&audited, |event| {
            let audit = sent(&event, Format::Native, "");
            assert_eq!(audit["responseStatus"]["status"], "Success");
        });
    }

    #[test]
    fn without_a_process_nobody_is_booked_for_it() {
        let kubearmor = json!({ "username": "kubearmor" });
        for name in ["message", "alert-throttle-notice"] {
            let audit = sent(&OwnedEvent::sample(name).event(), Format::Native, "");
            assert_eq!(audit["user"], kubearmor, "{name}");
        }
        let gap = sent(&OwnedEvent::sample_gap().event(), Format::Native, "");
        assert_eq!((&gap["user"], gap.get("objectRef")), (&kubearmor, None));
        assert_eq!(gap["requestURI"], "/kubearmor/gap");
        with_event(r#"{"HostName":"n1","PID":7,"Type":"HostLog","UID":0}"#, |event| {
            let audit = sent(&event, Format::Native, "");
            assert_eq!(audit["user"], json!({ "username": "uid:0", "uid": "0" }));
            assert_eq!(audit["requestURI"], "/api/v1/nodes/n1");
        });
    }

    #[test]
    fn a_verb_of_the_api_is_never_claimed() {
        for (operation, verb) in [("Create", "kubearmorcreate"), ("D e-lete", "kubearmordelete")] {
            let event = EVENT.replace("\"Process\"", &format!("\"{operation}\""));
            with_event(&event, |event| assert_eq!(super::verb(&event), verb));
        }
    }

    #[test]
    fn answers_and_mistakes() {
        let sysdig: Sysdig = sink("").expect("a table");
        for (status, expected) in [
            (200, "accepted"),
            (201, "accepted"),
            (400, "never"),
            (401, "blocked"),
            (404, "blocked"),
            (413, "smaller"),
            (429, "later"),
            (503, "later"),
        ] {
            let verdict = sysdig.verdict(&batch(1, 1), &reply(status, ""));
            assert_eq!(verdict.name(), expected, "{status}");
        }
        for status in [200, 400] {
            let verdict = sysdig.verdict(&batch(1, 1), &reply(status, "<html>a gateway</html>"));
            assert_eq!(verdict.name(), "blocked", "{status}");
        }
        for (lines, path) in [
            ("url = \"agent\"", "url"),
            ("timeout = \"0s\"", "timeout"),
            ("token = \"t\"", "token"),
        ] {
            assert_eq!(build(table(lines)).err().expect(lines).path, path);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn the_agent_takes_whatever_an_event_holds(owned in arbitrary_event()) {
            let event = owned.event();
            let sink: Sysdig = sink("").expect("a table");
            let record = written(&sink, &event, Format::Native, b"");
            prop_assert!(record.len() < 1_000_000);
            let mut agent = double::Agent::default();
            let answer = agent.answer(&asked(&sink.request(&batch_of(&event, record.as_bytes()))));
            prop_assert_eq!(answer.status(), 200, "{} {}", answer.body(), record);
            prop_assert!(agent.taken == [event.shown_id().to_string()] && agent.poison.is_none());
            let audit: Value = serde_json::from_str(&record).expect("JSON");
            prop_assert!(audit["requestURI"].as_str().expect("text").is_ascii());
        }
    }
}
