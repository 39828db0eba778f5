//! Prometheus Alertmanager: an incident of KubeArmor's is an alert of Alertmanager's.
//!
//! Labels name the incident and nothing that changes from event to event, so repeats, retries and
//! replicas are one alert; what changes is in its annotations. The one label that may rise with an
//! incident is `severity`, for routes match it: what became graver is a further alert, and a quiet
//! time ends all of them. An alert that is told again lasts, else it ends with Alertmanager's own
//! `resolve_timeout`: no event's time decides how long, for what is delivered late would be over
//! before anybody was told. Of a request with a bad alert (400) Alertmanager keeps the good ones;
//! telling those again changes nothing, so the bad one is looked for by halving.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    contract::{
        Address, Batch, Body, Concern, Destination, DigestDefaults, Encoding, Entry, Event, Facts,
        Format, Gravity, HEADERS, Http, HttpConnection, HttpRequest, LINK, LaneView, Limits, Link,
        Secret, Setting, SettingError, Sink, Stream, TIMEOUT, Telling, Timeout, Tls, authorization,
        headers, is_label_name, read, write_json_string,
    },
    incident::{self, plain_line},
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The path of the API.
const ALERTS: &str = "/api/v2/alerts";
/// A label's value is cut here, in characters; Alertmanager itself sets no limit.
const MAX_LABEL_CHARS: usize = 200;
/// An annotation is cut here, in characters; Alertmanager holds all of them in memory.
const MAX_ANNOTATION_CHARS: usize = 512;
/// Labels that are ours to set.
const OWN_LABELS: [&str; 9] = [
    "alertname",
    "severity",
    "cluster",
    "namespace",
    "workload",
    "policy",
    "operation",
    "action",
    "incident",
];
/// The severities that rules and routes of Prometheus know, the gravest first.
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];
/// Details that become annotations beside `summary` and `description`.
const ANNOTATIONS: [&str; 23] = [
    "event_id",
    "gravity",
    "count",
    "incidents",
    "first",
    "last",
    "pods",
    "processes",
    "UpdatedTime",
    "HostName",
    "PodName",
    "ContainerName",
    "ContainerImage",
    "ParentProcessName",
    "ProcessName",
    "UserName",
    "Source",
    "Resource",
    "Data",
    "Enforcer",
    "Result",
    "ATags",
    "mitre",
];

/// The table `alertmanager` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Alertmanager {
    url: Address,
    username: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    #[serde(default)]
    labels: Labels,
    link: Option<Link>,
    /// Alertmanager's own default where nothing is said.
    #[serde(default)]
    resolve_timeout: Timeout<300>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
    /// `headers` and the credentials, checked.
    #[serde(skip)]
    checked_headers: HeaderMap,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: Alertmanager = read(table)?;
    sink.checked_headers = headers(&sink.headers)?;
    let (username, password) = (sink.username.as_deref(), sink.password.as_ref());
    if let Some(value) = authorization(username, password, sink.token.as_ref())? {
        sink.checked_headers.insert(header::AUTHORIZATION, value);
    }
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "alertmanager",
        summary: "Prometheus Alertmanager: one alert an incident, resolved when it is quiet",
        format: Format::Native,
        native: true,
        limits: Limits {
            events: 64,
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: 2,
            source: "https://prometheus.io/docs/alerting/latest/alerts_api/",
        },
        rate_per_second: None,
        // Told again well before Alertmanager's `resolve_timeout` (5 minutes) resolves it.
        digest: Some(DigestDefaults {
            every: Duration::from_secs(4 * 60),
            per_hour: 3_600,
            resolves: true,
        }),
        settings: SETTINGS,
        tls: true,
        example: "url = \"http://alertmanager:9093\"\n",
        sample_secrets: &[],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "url",
        help: "Alertmanager, as \"http://alertmanager:9093\", with a proxy's own path where there \
               is one; /api/v2/alerts is ours",
    },
    Setting { key: "username", help: "for HTTP Basic authentication, beside `password`" },
    Setting { key: "password", help: "its password" },
    Setting { key: "token", help: "a bearer token, instead of a user's name" },
    Setting {
        key: "labels",
        help: "a table of further labels, the same for every alert: { team = \"platform\" }",
    },
    Setting {
        key: "resolve_timeout",
        help: "Alertmanager's own setting of this name: what it does not hear of for so long, it \
               ends. `digest.every` takes at most four fifths of it. Default: \"5m\"",
    },
    LINK,
    HEADERS,
    TIMEOUT,
];

impl Sink<Http> for Alertmanager {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let gravest = severity(event);
        if !incident::is_quiet(event) {
            return self.write_alert(event, body, gravest, record);
        }
        for severity in SEVERITIES.into_iter().skip_while(|severity| *severity != gravest) {
            self.write_alert(event, body, severity, record);
        }
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let mut headers = HeaderMap::with_capacity(self.checked_headers.len() + 1);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.checked_headers.clone());
        let url = self.url.with_path(ALERTS);
        let records = batch.bytes();
        let alerts = records.strip_suffix(b",").unwrap_or(&records);
        HttpRequest {
            method: Method::POST,
            shown_url: url.clone(),
            url,
            headers,
            body: [b"[", alerts, b"]"].concat().into(),
            encoding: Encoding::Identity,
            message_id: String::new(),
        }
    }

    fn concerns(&self, lane: &LaneView) -> Vec<Concern> {
        let Some(DigestDefaults { every, .. }) = lane.digest else { return Vec::new() };
        let most = self.resolve_timeout.0 / 5 * 4;
        let why = format!(
            "found {} s, expected at most {} s, or a longer `resolve_timeout` here and in \
             Alertmanager: it would end alerts before they are told again",
            every.as_secs(),
            most.as_secs()
        );
        (every > most).then(|| Concern::mistake("digest.every", why)).into_iter().collect()
    }

    fn limits(&self, limits: Limits) -> Limits {
        // Two brackets are added and a comma is taken away.
        Limits { bytes: limits.bytes.saturating_sub(1), ..limits }
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

impl Alertmanager {
    fn write_alert(
        &self,
        event: &Event<'_>,
        body: Body<'_>,
        severity: &'static str,
        record: &mut Vec<u8>,
    ) {
        record.extend_from_slice(b"{\"labels\":");
        let further = self.labels.0.iter().map(|(name, value)| (name.as_str(), value.clone()));
        write_object(labels(event, severity).into_iter().chain(further), record);
        record.extend_from_slice(b",\"annotations\":");
        write_object(annotations(event, body).into_iter(), record);
        let mut moment = |name: &str, micros| {
            let moment = incident::rfc3339(micros);
            record.extend_from_slice(format!(",\"{name}\":\"{moment}\"").as_bytes());
        };
        moment("startsAt", incident::start_us(event));
        if incident::is_quiet(event) {
            moment("endsAt", incident::end_us(event));
        }
        if let Some(link) = &self.link {
            record.extend_from_slice(b",\"generatorURL\":");
            write_json_string(&link.of(event), record);
        }
        record.extend_from_slice(b"},");
    }
}

/// How grave it is, on the scale of [`SEVERITIES`].
fn severity(event: &Event<'_>) -> &'static str {
    match event.gravity() {
        Gravity::Critical => "critical",
        Gravity::High | Gravity::Medium => "warning",
        Gravity::Low | Gravity::Info => "info",
    }
}

/// What the incident is, in names that stay: never a pod, a process or an event's id. What its key
/// does not hold is no label either: a throttle notice may come with any policy's.
fn labels(event: &Event<'_>, severity: &'static str) -> Vec<(&'static str, String)> {
    let label = |name, value: &str| (name, plain_line(value, MAX_LABEL_CHARS));
    if incident::telling(event) == Some(Telling::Held) {
        return vec![
            label("alertname", "SidearmHeldBack"),
            label("severity", "warning"),
            label("cluster", event.cluster()),
        ];
    }
    let of_deed = |value| if event.is_throttle_notice() { "" } else { value };
    let alertname = match event.stream() {
        _ if event.is_gap() => "SidearmGap",
        _ if event.is_throttle_notice() => "KubeArmorAlertsDropped",
        Stream::Alert => "KubeArmorAlert",
        Stream::Message => "KubeArmorMessage",
        Stream::Log => "KubeArmorLog",
    };
    vec![
        label("alertname", alertname),
        label("severity", severity),
        label("cluster", event.cluster()),
        label("namespace", event.namespace()),
        label("workload", event.workload()),
        label("policy", of_deed(event.policy())),
        label("operation", event.operation()),
        label("action", of_deed(event.action())),
        label("incident", &incident::short_key(event)),
    ]
}

fn annotations(event: &Event<'_>, body: Body<'_>) -> Vec<(&'static str, String)> {
    let description = match body.format {
        Format::Native => event.message().into(),
        _ => String::from_utf8_lossy(body.bytes),
    };
    let annotation = |name, text: &str| (name, plain_line(text, MAX_ANNOTATION_CHARS));
    let mut annotations = vec![
        ("summary", incident::headline(event, MAX_ANNOTATION_CHARS)),
        annotation("description", &description),
    ];
    let details = incident::details(event);
    for name in ANNOTATIONS {
        if let Some((_, detail)) = details.iter().find(|(found, _)| *found == name) {
            annotations.push((name, detail.line(MAX_ANNOTATION_CHARS)));
        }
    }
    annotations
}

/// Appends an object of texts. Alertmanager drops what is empty; it is left out.
fn write_object<'a>(members: impl Iterator<Item = (&'a str, String)>, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut is_first = true;
    for (name, value) in members.filter(|(_, value)| !value.is_empty()) {
        if !is_first {
            out.push(b',');
        }
        is_first = false;
        write_json_string(name, out);
        out.push(b':');
        write_json_string(&value, out);
    }
    out.push(b'}');
}

/// Further labels, known to be legal and none of ours.
#[derive(Debug, Clone, Default)]
struct Labels(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Labels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let labels = BTreeMap::<String, String>::deserialize(deserializer)?;
        for (name, value) in &labels {
            if !is_label_name(name) {
                return Err(D::Error::custom(format!(
                    "expected a label's name of letters, digits and _, found \"{name}\""
                )));
            }
            if OWN_LABELS.contains(&name.as_str()) {
                return Err(D::Error::custom(format!("the label \"{name}\" is set by Sidearm")));
            }
            if value.is_empty() || plain_line(value, MAX_LABEL_CHARS) != *value {
                return Err(D::Error::custom(format!(
                    "expected 1 to {MAX_LABEL_CHARS} plain characters as the label \"{name}\""
                )));
            }
        }
        Ok(Self(labels))
    }
}

#[cfg(test)]
#[path = "../tests/faults/doubles/alertmanager.rs"]
mod double;

#[cfg(test)]
mod tests;
