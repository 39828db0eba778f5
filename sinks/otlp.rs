//! OpenTelemetry: log records to a collector or a backend, by gRPC or HTTP.
//!
//! A record is what sent it and what happened, apart; a request gathers those of one sender. What
//! an answer means follows the OTLP specification to the letter
//! (<https://opentelemetry.io/docs/specs/otlp/>), in `otlp/answer.rs`. The format decides the body
//! of a record: a line for people (`native`), KubeArmor's own fields as its receiver for
//! OpenTelemetry had them (`json`), or the text of any other format.

mod answer;
mod proto;
mod shown;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;

use crate::{
    contract::{
        Batch, Body, Destination, Encoding, Entry, Event, Facts, Format, Grpc, GrpcConnection,
        GrpcReply, GrpcRequest, Http, HttpConnection, HttpReply, HttpRequest, Limits, Secret,
        SecretUrl, Setting, SettingError, Sink, TIMEOUT, Timeout, Tls, Value, Verdict, headers,
        read,
    },
    formats::otlp,
};
use proto::KeyValues;

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `otlp` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Otlp {
    url: SecretUrl,
    #[serde(default)]
    protocol: By,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default = "Encoding::fastest_gzip")]
    compression: Encoding,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
    /// `headers`, checked.
    #[serde(skip)]
    checked_headers: HeaderMap,
}

/// How the messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum By {
    /// By gRPC, port 4317.
    #[default]
    Grpc,
    /// By HTTP as protobuf, port 4318.
    Http,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: Otlp = read(table)?;
    sink.checked_headers = headers(&sink.headers)?;
    match sink.protocol {
        By::Http => Ok(Destination::Http(Box::new(sink))),
        By::Grpc if sink.url.has_path() => Err(SettingError::at(
            "url",
            "found a path, expected none: gRPC knows its own. For HTTP set protocol = \"http\"",
        )),
        By::Grpc if !sink.compression.is_fastest() => Err(SettingError::at(
            "compression",
            "found a level, expected none: gRPC has levels of its own",
        )),
        By::Grpc => Ok(Destination::Grpc(Box::new(sink))),
    }
}

fn facts() -> Facts {
    Facts {
        name: "otlp",
        summary: "OpenTelemetry log records, by gRPC or HTTP",
        format: Format::Native,
        native: true,
        limits: Limits {
            events: 1_000,
            // gRPC servers take 4 MiB unless told otherwise; a request is smaller than its records
            // together, each of which names its sender, but for some bytes of each record's own.
            bytes: 2_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://opentelemetry.io/docs/specs/otlp/",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "url = \"https://collector:4317\"\nheaders = { authorization = \"Bearer ${env:OTLP_TOKEN}\" }\n",
        sample_secrets: &[("OTLP_TOKEN", "sample-token-of-otlp")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "url",
        help: "the collector: \"https://collector:4317\" for gRPC, \"https://collector:4318\" for \
               HTTP, to which /v1/logs is added unless it is there; http:// is plain text",
    },
    Setting { key: "protocol", help: "\"grpc\" or \"http\" (protobuf). Default: \"grpc\"" },
    Setting {
        key: "headers",
        help: "a table of further headers (metadata, by gRPC); their values are kept secret",
    },
    Setting {
        key: "compression",
        help: "\"none\", \"gzip\" or \"zstd\", by HTTP also with a level: \"gzip:<1 to 9>\", \
               \"zstd:<1 to 19>\". Default: \"gzip\"",
    },
    TIMEOUT,
];

/// A record in a batch: the length of its resource, the resource, the log record.
const HEAD_BYTES: usize = 4;

fn write_record(event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
    let start = record.len();
    record.extend_from_slice(&[0; HEAD_BYTES]);
    otlp::resource(event, &mut KeyValues { out: record, field: 1 });
    let length = u32::try_from(record.len() - start - HEAD_BYTES).expect("less than an event");
    record[start..start + HEAD_BYTES].copy_from_slice(&length.to_le_bytes());
    let (severity, text) = otlp::severity(event);
    proto::fixed64(record, 1, otlp::nanos(event.time_us()));
    proto::number(record, 2, severity.into());
    proto::bytes(record, 3, text.as_bytes());
    proto::message(record, 5, |out| write_body(event, body, out));
    otlp::attributes(event, &mut KeyValues { out: record, field: 6 });
    proto::fixed64(record, 11, event.received_us().saturating_mul(1_000));
    proto::bytes(record, 12, otlp::event_name(event).as_bytes());
}

fn write_body(event: &Event<'_>, body: Body<'_>, out: &mut Vec<u8>) {
    match (body.format, body.bytes) {
        (Format::Native, _) => proto::any_value(out, &Value::String(otlp::summary(event))),
        (Format::Json, json) => match serde_json::from_slice(json) {
            Ok(serde_json::Value::Object(mut fields)) => {
                fields.remove("Timestamp");
                proto::any_json(out, &fields.into());
            }
            _ => proto::bytes(out, 1, json),
        },
        (_, text) => proto::bytes(out, 1, String::from_utf8_lossy(text).as_bytes()),
    }
}

/// The whole `ExportLogsServiceRequest`: records of one resource under one head, in the order in
/// which resources first appear.
fn write_request(batch: &Batch) -> Bytes {
    let mut order: Vec<&[u8]> = Vec::new();
    let mut groups: std::collections::HashMap<&[u8], Vec<&[u8]>> = Default::default();
    for record in batch.records() {
        let (resource, log) = parts(record.bytes);
        groups.entry(resource).or_insert_with(|| {
            order.push(resource);
            Vec::new()
        });
        groups.get_mut(resource).expect("just put there").push(log);
    }
    let mut out = Vec::with_capacity(batch.bytes().len() + 64 * order.len());
    for resource in order {
        proto::message(&mut out, 1, |out| {
            proto::bytes(out, 1, resource);
            proto::message(out, 2, |out| {
                proto::message(out, 1, |out| proto::bytes(out, 1, b"sidearm"));
                groups[resource].iter().for_each(|log| proto::bytes(out, 2, log));
            });
        });
    }
    out.into()
}

fn parts(record: &[u8]) -> (&[u8], &[u8]) {
    let (head, rest) = record.split_first_chunk::<HEAD_BYTES>().expect("a record has a head");
    rest.split_at(u32::from_le_bytes(*head) as usize)
}

impl Sink<Grpc> for Otlp {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        write_record(event, body, record);
    }

    fn request(&self, batch: &Batch) -> GrpcRequest {
        GrpcRequest {
            path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            metadata: self.checked_headers.clone(),
            message: write_request(batch),
            encoding: self.compression,
        }
    }

    fn verdict(&self, batch: &Batch, reply: &GrpcReply) -> Verdict<Grpc> {
        answer::of_grpc(batch.len(), reply)
    }

    fn readable(&self, batch: &Batch) -> Option<Bytes> {
        Some(shown::json(&write_request(batch)))
    }

    fn connection(&self) -> GrpcConnection {
        GrpcConnection { url: self.url.clone(), tls: self.tls.clone(), timeout: self.timeout.0 }
    }
}

impl Sink<Http> for Otlp {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        write_record(event, body, record);
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        const PATH: &str = "/v1/logs";
        let url = match self.url.reveal().ends_with(PATH) {
            true => self.url.reveal().to_owned(),
            false => self.url.join(PATH),
        };
        let mut headers = self.checked_headers.clone();
        let protobuf = HeaderValue::from_static("application/x-protobuf");
        headers.insert(header::CONTENT_TYPE, protobuf);
        HttpRequest {
            method: Method::POST,
            url,
            shown_url: self.url.to_string(),
            headers,
            body: write_request(batch),
            encoding: self.compression,
            message_id: String::new(),
        }
    }

    fn verdict(&self, batch: &Batch, reply: &HttpReply) -> Verdict<Http> {
        answer::of_http(batch.len(), reply)
    }

    fn readable(&self, batch: &Batch) -> Option<Bytes> {
        Some(shown::json(&write_request(batch)))
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

#[cfg(test)]
pub(crate) mod tests;
