//! Custom events of Sysdig Monitor: an event's headline, its scope, its details as tags.

use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::post;
use crate::{
    card::{Card, fitted},
    contract::{
        Address, Batch, Body, Destination, DigestDefaults, Entry, Event, Facts, Format, Gravity,
        Http, HttpConnection, HttpRequest, Limits, Secret, Setting, SettingError, Sink, TIMEOUT,
        Timeout, Tls, bearer, read,
    },
    incident::{self, plain_line},
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The path of the API.
const PATH: &str = "/api/v2/events";
/// The name is cut here, in characters. Sysdig publishes no limits; these are ours.
const MAX_NAME_CHARS: usize = 200;
/// The description is cut here, in characters.
const MAX_DESCRIPTION_CHARS: usize = 4_000;
/// Tag of when it happened: the API documents no time for an event, and takes that of its arrival.
const TIME: &str = "time";
/// A tag's value and a name in the scope are cut here, in characters.
const MAX_TAG_CHARS: usize = 256;
/// Details that become tags.
const TAGS: [&str; 12] = [
    "event_id",
    "gravity",
    "count",
    "incidents",
    "ClusterName",
    "NamespaceName",
    "workload",
    "PolicyName",
    "Operation",
    "Action",
    "ProcessName",
    "mitre",
];

/// The table `sysdig_events` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SysdigEvents {
    url: Address,
    token: Secret,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
    /// The token, as it is sent.
    #[serde(skip)]
    authorization: HeaderMap,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: SysdigEvents = read(table)?;
    sink.authorization.insert(header::AUTHORIZATION, bearer(&sink.token)?);
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "sysdig_events",
        summary: "Sysdig Monitor's custom events",
        format: Format::Native,
        native: true,
        limits: Limits {
            events: 1,
            bytes: 100_000,
            wait: std::time::Duration::ZERO,
            in_flight: 2,
            source: "https://docs.sysdig.com/en/docs/sysdig-monitor/events/custom-events/",
        },
        rate_per_second: Some(1.0),
        digest: Some(DigestDefaults {
            every: std::time::Duration::from_secs(10 * 60),
            per_hour: 120,
            resolves: false,
        }),
        settings: SETTINGS,
        tls: true,
        example: "url = \"https://app.sysdigcloud.com\"\ntoken = \"${env:SYSDIG_TOKEN}\"\n",
        sample_secrets: &[("SYSDIG_TOKEN", "6f1d3c52-sample-of-a-token")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "url",
        help: "your region's Sysdig Monitor, as \"https://app.sysdigcloud.com\" or \
               \"https://eu1.app.sysdig.com\"",
    },
    Setting { key: "token", help: "an API token of Sysdig Monitor" },
    TIMEOUT,
];

impl Sink<Http> for SysdigEvents {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let card = match body.format {
            Format::Native => Card::of(event),
            _ => Card::of_text(event, &body.text(), body.counts),
        };
        let names = [&*card.title, &*card.text].map(|name| plain_line(name, MAX_NAME_CHARS));
        let name = names.into_iter().find(|name| !name.is_empty());
        let custom = json!({ "event": {
            // A template may write nothing.
            "name": name.unwrap_or_else(|| incident::headline(event, MAX_NAME_CHARS)),
            "description": description(&card),
            "severity": severity(event.gravity()),
            "scope": scope(event),
            "tags": tags(event, &card),
        }});
        serde_json::to_writer(record, &custom)
            .expect("a vector takes every write, and its keys are texts");
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        post(self.url.with_path(PATH), &self.authorization, batch)
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

/// The card's plain lines, cut, and the event's id whatever was cut. Its lines end where ours do:
/// event text has none of its own.
fn description(card: &Card) -> String {
    let footer = card.footer();
    let plain = card.plain();
    let above = plain.strip_suffix(&footer).unwrap_or(&plain);
    let above = fitted(above, MAX_DESCRIPTION_CHARS - footer.len() - 1, |c, out| out.push(c));
    format!("{}\n{footer}", above.trim_end())
}

/// As syslog counts: 0 the gravest, 7 the least.
fn severity(gravity: Gravity) -> u8 {
    match gravity {
        Gravity::Critical => 1,
        Gravity::High => 3,
        Gravity::Medium => 4,
        Gravity::Low => 6,
        Gravity::Info => 7,
    }
}

/// What the event is shown beside, in Sysdig's own words for it. A name that could end its quotes
/// is left out.
fn scope(event: &Event<'_>) -> String {
    let terms = [
        ("kubernetes.cluster.name", event.cluster()),
        ("kubernetes.namespace.name", event.namespace()),
        ("kubernetes.pod.name", event.pod()),
        ("host.hostName", if event.pod().is_empty() { event.host() } else { "" }),
    ];
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/');
    let terms = terms.into_iter().filter(|(_, name)| {
        !name.is_empty() && name.len() <= MAX_TAG_CHARS && name.chars().all(is_name)
    });
    terms.map(|(key, name)| format!("{key} = '{name}'")).collect::<Vec<_>>().join(" and ")
}

fn tags(event: &Event<'_>, card: &Card) -> Map<String, Value> {
    let mut tags = Map::new();
    tags.insert("source".to_owned(), "kubearmor".into());
    tags.insert(TIME.to_owned(), incident::rfc3339(card.time_us).into());
    for (name, detail) in incident::details(event) {
        if TAGS.contains(&name) {
            tags.insert(name.to_owned(), detail.line(MAX_TAG_CHARS).into());
        }
    }
    tags
}

#[cfg(test)]
#[path = "../../tests/faults/doubles/sysdig_events.rs"]
mod double;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::testing::{
        arbitrary_event, asked, batch, batch_of, reply, table, with_event, written,
    };

    const EVENT: &str = r#"{"UpdatedTime":"2026-09-20T10:11:12.000678Z","ClusterName":"c","HostName":"n1","NamespaceName":"sh'op","PodName":"web-0","PolicyName":"no-apt","Severity":"9","Type":"MatchedPolicy","Operation":"Process","Resource":"/usr/bin/apt","Action":"Block","UID":1000,"PPID":0}"#;

    fn sysdig(more: &str) -> Result<Box<dyn Sink<Http>>, SettingError> {
        let lines = format!("url = \"https://eu1.app.sysdig.com\"\n{more}");
        match build(table(&lines))? {
            Destination::Http(sink) => Ok(sink),
            _ => panic!("spoken to by HTTP"),
        }
    }

    #[test]
    fn an_event_is_a_custom_event() {
        let sink = sysdig("token = \"hunter2\"").expect("a table");
        with_event(EVENT, |event| {
            let record = written(&*sink, &event, Format::Native, b"");
            let request = sink.request(&batch_of(&event, record.as_bytes()));
            assert_eq!(request.url, "https://eu1.app.sysdig.com/api/v2/events");
            assert!(request.headers[header::AUTHORIZATION].is_sensitive());
            let body: Value = serde_json::from_slice(&request.body).expect("JSON");
            let custom = &body["event"];
            assert_eq!(custom["severity"], 1);
            assert_eq!(
                custom["scope"],
                "kubernetes.cluster.name = 'c' and kubernetes.pod.name = 'web-0'"
            );
            assert_eq!(custom["tags"]["PolicyName"], "no-apt");
            assert_eq!(custom["tags"]["time"], "2026-09-20T10:11:12.000678Z");
            let record = written(&*sink, &event, Format::Template, b"web was hit");
            assert!(record.contains("\"name\":\"web was hit\""), "{record}");
            let record = written(&*sink, &event, Format::Template, &[b'x'; 9_000]);
            let body: Value = serde_json::from_str(&record).expect("JSON");
            let end = format!("x…\nevent {}", event.id());
            let description = body["event"]["description"].as_str().expect("text");
            assert!(
                description.ends_with(&end),
                "a cut is marked, and the id stays: {description}"
            );
        });
    }

    #[test]
    fn answers_and_mistakes() {
        let sink = sysdig("token = \"t\"").expect("a table");
        for (status, body, expected) in [
            (200, "{}", "accepted"),
            (201, "{\"event\":{}}", "accepted"),
            (200, "<html>please log in</html>", "blocked"),
            (400, "{\"errors\":[]}", "never"),
            (401, "", "blocked"),
            (422, "", "never"),
            (429, "", "later"),
            (500, "", "later"),
        ] {
            let verdict = sink.verdict(&batch(1, 1), &reply(status, body));
            assert_eq!(verdict.name(), expected, "{status}");
        }
        for (more, path) in
            [("", ""), ("token = \"hunter2\\n\"", "token"), ("token = \" \"", "token")]
        {
            let error = sysdig(more).err().expect(more);
            assert_eq!(error.path, path);
            assert!(!error.message.contains("hunter2"));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn monitor_takes_whatever_an_event_holds(owned in arbitrary_event()) {
            let event = owned.event();
            let sink = sysdig("token = \"t\"").expect("a table");
            let record = written(&*sink, &event, Format::Native, b"");
            prop_assert!(record.len() < 100_000);
            let body: Value = serde_json::from_str(&record).expect("JSON");
            let name = body["event"]["name"].as_str().expect("text");
            prop_assert!(!name.is_empty() && name.chars().count() <= MAX_NAME_CHARS);
            let description = body["event"]["description"].as_str().expect("text");
            prop_assert!(description.chars().count() <= MAX_DESCRIPTION_CHARS);
            prop_assert!(description.ends_with(&event.shown_id().to_string()));
            let mut vendor = double::Monitor::new("t");
            let answer = vendor.answer(&asked(&sink.request(&batch_of(&event, record.as_bytes()))));
            prop_assert_eq!(answer.status(), 201, "{} {}", answer.body(), record);
            prop_assert!(vendor.taken == [event.shown_id().to_string()] && vendor.poison.is_none());
        }
    }
}
