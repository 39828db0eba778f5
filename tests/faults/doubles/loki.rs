//! Grafana Loki's push API in JSON, with the limits of a Loki that nobody has configured.
//!
//! By `docs/sources/reference/loki-http-api.md`, `pkg/loghttp/push/push.go` and
//! `pkg/validation/{limits,validate}.go` of <https://github.com/grafana/loki>. Entries that are right
//! are stored though others of the request are not: the answer is then 400 and names those. An
//! entry of the same labels, time and text is one entry. Loki knows tenants; the gateway before it
//! knows tokens.

use std::collections::BTreeSet;

use http::{Method, Request, Response, header};
use serde_json::{Map, Value};

/// `max_label_names_per_series`.
const MAX_LABELS: usize = 15;
/// `max_label_name_length`, in bytes.
const MAX_LABEL_NAME_BYTES: usize = 1024;
/// `max_label_value_length`, in bytes.
const MAX_LABEL_VALUE_BYTES: usize = 2048;
/// `max_line_size`.
const MAX_LINE_BYTES: usize = 256 * 1024;
/// `max_structured_metadata_size`.
const MAX_METADATA_BYTES: usize = 64 * 1024;
/// `max_structured_metadata_entries_count`.
const MAX_METADATA: usize = 128;

type Texts = Map<String, Value>;

/// What makes an entry itself: its labels, its time in nanoseconds, its line and metadata.
pub(crate) type Stored = (String, i64, String);

/// A Loki of many tenants, behind a gateway with one token.
pub(crate) struct Loki {
    token: &'static str,
    /// Entries before this time, in nanoseconds, are too far behind.
    pub(crate) oldest: i64,
    /// An entry that holds this text is too far behind as well.
    pub(crate) poison: Option<String>,
    pub(crate) stored: BTreeSet<Stored>,
}

impl Loki {
    pub(crate) fn new(token: &'static str) -> Self {
        Self { token, oldest: 0, poison: None, stored: BTreeSet::new() }
    }

    /// What it says to a request whose compression is undone.
    pub(crate) fn answer(&mut self, request: &Request<Vec<u8>>) -> Response<String> {
        let header = |name: &str| request.headers().get(name).map(|value| value.as_bytes());
        let authorization = format!("Bearer {}", self.token);
        if header(header::AUTHORIZATION.as_str()) != Some(authorization.as_bytes()) {
            return response(401, "<html><h1>401 Authorization Required</h1></html>");
        }
        if header("x-scope-orgid").is_none_or(<[u8]>::is_empty) {
            return response(401, "no org id");
        }
        if request.uri().path() != "/loki/api/v1/push" {
            return response(404, "404 page not found");
        }
        if request.method() != Method::POST {
            return response(405, "");
        }
        if !matches!(header("content-encoding"), None | Some(b"gzip")) {
            return response(400, "Content-Encoding not supported");
        }
        if header(header::CONTENT_TYPE.as_str()) != Some(b"application/json") {
            // All else is taken for protobuf.
            return response(400, "snappy: corrupt input");
        }
        let streams = match parsed(request.body()) {
            Ok(streams) => streams,
            Err(why) => return response(400, &why),
        };
        if streams.is_empty() {
            return response(422, "error at least one valid stream is required for ingestion");
        }
        let mut ignored = Vec::new();
        for (labels, entries) in &streams {
            match label_fault(labels) {
                Some(fault) => ignored.push(fault),
                None => entries.iter().for_each(|entry| ignored.extend(self.take(labels, entry))),
            }
        }
        match ignored.is_empty() {
            true => response(204, ""),
            false => response(400, &ignored.join("\n")),
        }
    }

    /// Stores an entry, or says why it is ignored.
    fn take(&mut self, labels: &Texts, entry: &Entry) -> Option<String> {
        let (stream, bytes) = (named(labels), entry.line.len());
        if bytes > MAX_LINE_BYTES {
            return Some(format!(
                "Max entry size '{MAX_LINE_BYTES}' bytes exceeded for stream '{stream}' while \
                 adding an entry with length '{bytes}' bytes"
            ));
        }
        let metadata_bytes: usize =
            entry.metadata.iter().map(|(name, value)| name.len() + length(value)).sum();
        if metadata_bytes > MAX_METADATA_BYTES {
            return Some(format!(
                "stream '{stream}' has structured metadata too large: '{metadata_bytes}' bytes, \
                 limit: '{MAX_METADATA_BYTES}' bytes."
            ));
        }
        if entry.metadata.len() > MAX_METADATA {
            return Some(format!("stream '{stream}' has too many structured metadata labels"));
        }
        let text = entry.text();
        let is_poison = self.poison.as_ref().is_some_and(|poison| text.contains(poison));
        if entry.time < self.oldest || is_poison {
            let moment = jiff::Timestamp::from_nanosecond(entry.time.into()).expect("64 bits");
            let moment = moment.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC");
            return Some(format!(
                "entry with timestamp {moment} ignored, reason: 'entry too far behind',\n\
                 user 'us', total ignored: 1 out of 1 for stream: {stream}"
            ));
        }
        self.stored.insert((stream, entry.time, text));
        None
    }
}

struct Entry {
    time: i64,
    line: String,
    metadata: Texts,
}

impl Entry {
    fn text(&self) -> String {
        Value::from(vec![self.line.clone().into(), Value::Object(self.metadata.clone())])
            .to_string()
    }
}

fn response(status: u16, body: &str) -> Response<String> {
    Response::builder().status(status).body(body.to_owned()).expect("a response")
}

fn parsed(body: &[u8]) -> Result<Vec<(Texts, Vec<Entry>)>, String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let streams = body["streams"].as_array().ok_or("loghttp.PushRequest.Streams: expected [")?;
    streams
        .iter()
        .map(|stream| {
            let labels =
                texts(&stream["stream"]).ok_or("Value looks like object, but can't find")?;
            let values = stream["values"].as_array().ok_or("values: expected [")?;
            Ok((labels, values.iter().map(entry).collect::<Result<_, String>>()?))
        })
        .collect()
}

/// `["<nanoseconds>", "<line>"]`, and an object of texts where there is metadata.
fn entry(value: &Value) -> Result<Entry, String> {
    let (time, line, metadata) = match value.as_array().map(Vec::as_slice) {
        Some([time, line]) => (time, line, Some(Texts::new())),
        Some([time, line, metadata]) => (time, line, texts(metadata)),
        _ => return Err("values: expected a time and a line".to_owned()),
    };
    let time = time.as_str().ok_or("Value is not a string, but a number")?;
    Ok(Entry {
        time: time.parse().map_err(|_| format!("strconv.ParseInt: parsing \"{time}\""))?,
        line: line.as_str().ok_or("Value is not a string")?.to_owned(),
        metadata: metadata.ok_or("structured metadata: expected an object of strings")?,
    })
}

fn texts(value: &Value) -> Option<Texts> {
    value.as_object().filter(|all| all.values().all(Value::is_string)).cloned()
}

fn length(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}

/// A stream's labels as Loki writes them, in the order of their names.
fn named(labels: &Texts) -> String {
    let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{{{}}}", labels.join(", "))
}

/// What is wrong with a stream's labels, for which all of its entries are ignored.
fn label_fault(labels: &Texts) -> Option<String> {
    let stream = named(labels);
    if labels.is_empty() {
        return Some("error at least one label pair is required per stream".to_owned());
    }
    if labels.len() > MAX_LABELS {
        let found = labels.len();
        return Some(format!(
            "entry for stream '{stream}' has {found} label names; limit {MAX_LABELS}"
        ));
    }
    labels.iter().find_map(|(name, value)| {
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name {
            Some(format!("Error parsing labels '{stream}' with error: unexpected identifier"))
        } else if name.len() > MAX_LABEL_NAME_BYTES {
            Some(format!("stream '{stream}' has label name too long: '{name}'"))
        } else if length(value) > MAX_LABEL_VALUE_BYTES {
            Some(format!("stream '{stream}' has label value too long: {value}"))
        } else {
            None
        }
    })
}
