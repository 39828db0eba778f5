//! Grafana Loki, by its JSON push API: few labels, the rest as structured metadata.
//!
//! An entry's time is the event's own and its text comes of the event alone, so an entry that is
//! sent again is the same entry, and Loki keeps one of it. Records carry their labels; they meet in
//! streams where a batch becomes a request. Event text never names a label, and what may differ
//! from event to event is refused as one.

mod answer;
mod settings;
#[cfg(test)]
pub(crate) mod tests;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;

use crate::{
    contract::{
        Batch, Body, ByteSize, COMPRESSION, Destination, Encoding, Entry, Event, Facts, Format,
        HEADERS, Http, HttpConnection, HttpReply, HttpRequest, Limits, Secret, SecretUrl, Setting,
        SettingError, Sink, TIMEOUT, Timeout, Tls, Verdict, headers, read, write_json_string,
    },
    formats::cut,
};
use settings::{Label, LabelName};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `loki` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Loki {
    url: SecretUrl,
    tenant: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    token: Option<Secret>,
    #[serde(default = "settings::few")]
    labels: Vec<Label>,
    #[serde(default = "settings::job")]
    static_labels: BTreeMap<LabelName, String>,
    #[serde(default = "yes")]
    structured_metadata: bool,
    #[serde(default = "as_loki_takes")]
    max_line: ByteSize,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default = "Encoding::fastest_gzip", deserialize_with = "Encoding::gzip_only")]
    compression: Encoding,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
    /// `headers`, the tenant and the credentials, checked.
    #[serde(skip)]
    checked_headers: HeaderMap,
}

fn yes() -> bool {
    true
}

/// `max_line_size` of a Loki that nobody has configured.
fn as_loki_takes() -> ByteSize {
    ByteSize(256 * 1024)
}

/// `max_label_names_per_series` of a Loki that nobody has configured.
const MOST_LABELS: usize = 15;
/// Shorter lines would say nothing.
const LEAST_LINE_BYTES: u64 = 256;
/// As much of a value as becomes a label or metadata: no name in Kubernetes is longer.
const MAX_VALUE_BYTES: usize = 253;

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: Loki = read(table)?;
    let names: Vec<_> = sink.labels.iter().map(|label| label.name()).collect();
    if sink.static_labels.is_empty() {
        let why = "expected at least one: an entry without a label belongs to no stream";
        return Err(SettingError::at("static_labels", why));
    }
    if names.len() + sink.static_labels.len() > MOST_LABELS {
        let why = format!("found more than the {MOST_LABELS} labels that Loki takes");
        return Err(SettingError::at("labels", why));
    }
    let twice = |name: &&str| {
        names.iter().filter(|other| other == &name).count() > 1
            || sink.static_labels.keys().any(|other| other.0 == **name)
    };
    if let Some(name) = names.iter().find(|name| twice(name)) {
        return Err(SettingError::at("labels", format!("found the label \"{name}\" twice")));
    }
    if sink.max_line.0 < LEAST_LINE_BYTES {
        let why = format!("expected {LEAST_LINE_BYTES} bytes or more");
        return Err(SettingError::at("max_line", why));
    }
    sink.checked_headers = settings::headers_of(&sink)?;
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "loki",
        summary: "Grafana Loki, by its push API",
        format: Format::Json,
        native: false,
        limits: Limits {
            events: 400,
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://grafana.com/docs/loki/latest/reference/loki-http-api/#ingest-logs",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "url = \"https://loki.example.com\"\ntenant = \"security\"\ntoken = \"${env:LOKI_TOKEN}\"\n",
        sample_secrets: &[("LOKI_TOKEN", "glc_sample-token-for-the-preview")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "url",
        help: "Loki or its gateway, as \"https://loki:3100\"; the path is ours unless one is given",
    },
    Setting { key: "tenant", help: "the tenant (X-Scope-OrgID). Default: none" },
    Setting { key: "username", help: "the user of a gateway, beside `password`" },
    Setting { key: "password", help: "its password" },
    Setting { key: "token", help: "or a bearer token" },
    Setting {
        key: "labels",
        help: "which of cluster, namespace, stream, action, operation, gravity, type, enforcer, \
               level, host and policy are labels; each value makes streams of its own. Default: \
               cluster, namespace, stream, action",
    },
    Setting {
        key: "static_labels",
        help: "a table of labels that are always the same. Default: { job = \"kubearmor\" }",
    },
    Setting {
        key: "structured_metadata",
        help: "whether event id, pod, policy and the like go beside each line (Loki 3, or 2.9 that \
               allows it). Default: true",
    },
    Setting {
        key: "max_line",
        help: "longer lines lose their end, and say so by the metadata `cut`. Default: \"256 KiB\"",
    },
    HEADERS,
    COMPRESSION,
    TIMEOUT,
];

/// Between a record's labels and its entry, and at its end: JSON on a line has none inside.
const SEPARATOR: u8 = b'\n';

impl Sink<Http> for Loki {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        self.write_labels(event, record);
        record.push(SEPARATOR);
        let text = body.text();
        let text = text.trim_end_matches(['\n', '\r']);
        let line = cut(text, usize::try_from(self.max_line.0).unwrap_or(usize::MAX));
        record.extend_from_slice(format!("[\"{}\",", nanoseconds(event)).as_bytes());
        write_json_string(&line, record);
        if self.structured_metadata {
            self.write_metadata(event, line.len() < text.len(), record);
        }
        record.push(b']');
        record.push(SEPARATOR);
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        HttpRequest {
            method: Method::POST,
            url: self.push(),
            shown_url: self.url.to_string(),
            headers: self.checked_headers.clone(),
            body: body_of(batch),
            encoding: self.compression,
            message_id: String::new(),
        }
    }

    fn verdict(&self, batch: &Batch, reply: &HttpReply) -> Verdict<Http> {
        answer::verdict(batch, reply)
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

impl Loki {
    fn push(&self) -> String {
        match self.url.has_path() {
            true => self.url.reveal().to_owned(),
            false => self.url.join("/loki/api/v1/push"),
        }
    }

    fn write_labels(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        for (name, value) in &self.static_labels {
            object.member(&name.0, value);
        }
        for label in &self.labels {
            object.member(label.name(), &label.value(event));
        }
        object.end();
    }

    fn write_metadata(&self, event: &Event<'_>, is_cut: bool, out: &mut Vec<u8>) {
        let is_label = |name: &str| self.labels.iter().any(|label| label.name() == name);
        out.push(b',');
        let mut object = Object::begin(out);
        object.member("event_id", &event.id().to_string());
        for label in settings::ALL.iter().filter(|label| !is_label(label.name())) {
            object.member(label.name(), &label.value(event));
        }
        object.member("pod", event.pod());
        object.member("container", event.container());
        object.member("workload", event.workload());
        object.member("process", event.process());
        object.member("severity", &event.severity().map(|it| it.to_string()).unwrap_or_default());
        object.member("techniques", &event.mitre().join(","));
        object.member("cut", if is_cut { "true" } else { "" });
        object.end();
    }
}

/// An entry's time, the same for each attempt: the event's, else that of its arrival, which the
/// journal keeps.
fn nanoseconds(event: &Event<'_>) -> i64 {
    let told = event.time_us().checked_mul(1_000).filter(|time| *time > 0);
    let received = || i64::try_from(event.received_us()).ok()?.checked_mul(1_000);
    told.or_else(received).unwrap_or(i64::MAX)
}

/// A JSON object of texts, under way.
struct Object<'o> {
    out: &'o mut Vec<u8>,
    is_empty: bool,
}

impl<'o> Object<'o> {
    fn begin(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Adds a text, cut where it is long; one that is empty is left out.
    fn member(&mut self, name: &str, value: &str) {
        if value.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
        write_json_string(name, self.out);
        self.out.push(b':');
        write_json_string(&cut(value, MAX_VALUE_BYTES), self.out);
    }

    fn end(self) {
        self.out.push(b'}');
    }
}

/// Entries of the same labels meet in one stream, in their order.
fn body_of(batch: &Batch) -> Bytes {
    let mut streams: Vec<(&[u8], Vec<&[u8]>)> = Vec::new();
    let mut places: BTreeMap<&[u8], usize> = BTreeMap::new();
    let mut bytes = 64;
    for record in batch.records() {
        let (labels, entry) = parts(record.bytes);
        let place = *places.entry(labels).or_insert_with(|| {
            streams.push((labels, Vec::new()));
            streams.len() - 1
        });
        streams[place].1.push(entry);
        bytes += entry.len() + 1;
    }
    let mut body = Vec::with_capacity(bytes + streams.len() * 256);
    body.extend_from_slice(b"{\"streams\":[");
    for (index, (labels, entries)) in streams.iter().enumerate() {
        body.extend_from_slice(if index == 0 { b"{\"stream\":" } else { b",{\"stream\":" });
        body.extend_from_slice(labels);
        body.extend_from_slice(b",\"values\":[");
        body.extend_from_slice(&entries.join(&b','));
        body.extend_from_slice(b"]}");
    }
    body.extend_from_slice(b"]}");
    body.into()
}

/// A record's labels and its entry.
fn parts(record: &[u8]) -> (&[u8], &[u8]) {
    let end = record.iter().position(|byte| *byte == SEPARATOR).unwrap_or(record.len());
    let (labels, entry) = record.split_at(end);
    (labels, entry.trim_ascii())
}
