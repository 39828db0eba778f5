//! Splunk's HTTP Event Collector: a batch is HEC objects, one behind the other.
//!
//! Records come from the lane and leave as one gzip POST to `/services/collector/event`. Which
//! code of Splunk's answer means what stands in `splunk_hec/answer.rs`. Event text never decides
//! where an event is stored: index, source and the like begin with a literal of the configuration.

mod answer;
mod settings;

use std::{io::Write as _, time::Duration};

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;

use crate::contract::{
    Batch, Body, COMPRESSION, Destination, Encoding, Entry, Event, Facts, Format, Http,
    HttpConnection, HttpReply, HttpRequest, Limits, Prefixed, Setting, SettingError, Sink, Stream,
    TIMEOUT, Timeout, Tls, Verdict, read, write_json_string,
};
use settings::{Ack, Channel, Collector, Token};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `splunk_hec` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplunkHec {
    url: Collector,
    token: Token,
    host: Option<Prefixed>,
    source: Option<Prefixed>,
    sourcetype: Option<Prefixed>,
    index: Option<Prefixed>,
    channel: Option<Channel>,
    #[serde(default)]
    ack: Ack,
    #[serde(default = "Encoding::fastest_gzip", deserialize_with = "Encoding::gzip_only")]
    compression: Encoding,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: SplunkHec = read(table)?;
    Ok(Destination::Http(Box::new(sink)))
}

/// Batches under way where the answer itself settles them.
const IN_FLIGHT: usize = 4;
/// Batches under way where indexers take seconds to acknowledge each.
const IN_FLIGHT_WITH_ACK: usize = 16;

fn facts() -> Facts {
    Facts {
        name: "splunk_hec",
        summary: "Splunk Enterprise or Splunk Cloud, by its HTTP Event Collector",
        format: Format::Json,
        native: false,
        limits: Limits {
            events: 1_000,
            // Splunk Cloud refuses 5 MiB; its forwarders stay at 1 MB.
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: IN_FLIGHT_WITH_ACK,
            source: "https://docs.splunk.com/Documentation/Splunk/latest/Data/HECRESTendpoints",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "url = \"https://splunk:8088\"\ntoken = \"${env:SPLUNK_HEC_TOKEN}\"\nindex = \"kubearmor\"\n",
        sample_secrets: &[("SPLUNK_HEC_TOKEN", "5a3b9f62-7c1d-4e08-9b46-d0c2e8f1a735")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "url", help: "the collector, as \"https://splunk:8088\"; the path is ours" },
    Setting { key: "token", help: "the HEC token" },
    Setting {
        key: "host",
        help: "the host of each event; literal text, then fields: \"node-{{ HostName }}\". \
               Default: the event's HostName",
    },
    Setting { key: "source", help: "the source, likewise. Default: \"kubearmor\"" },
    Setting {
        key: "sourcetype",
        help: "the source type, likewise. Default: \"kubearmor:alert\", \"kubearmor:log\" or \
               \"kubearmor:message\"",
    },
    Setting { key: "index", help: "the index, likewise. Default: the token's own" },
    Setting {
        key: "channel",
        help: "the channel's GUID; with `ack` and several replicas, give each its own. Default: \
               one made from the address and the token",
    },
    Setting {
        key: "ack",
        help: "true waits for indexers to acknowledge each batch (up to 16 under way), false does \
               not, \"auto\" does where the token gives acknowledgement ids (up to 4 under way). \
               Default: \"auto\"",
    },
    COMPRESSION,
    TIMEOUT,
];

impl Sink<Http> for SplunkHec {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        // Microseconds as a plain decimal: Splunk refuses an exponent.
        let time_us = event.time_us().max(0);
        write!(record, "{{\"time\":{}.{:06}", time_us / 1_000_000, time_us % 1_000_000)
            .expect("a vector takes every write");
        let mut text = |key: &str, value: &str| {
            record.extend_from_slice(key.as_bytes());
            write_json_string(value, record);
        };
        match &self.host {
            Some(host) => text(",\"host\":", &host.complete(event, in_a_name)),
            // Splunk then puts its own in place of none.
            None if event.host().is_empty() => {}
            None => text(",\"host\":", event.host()),
        }
        match &self.source {
            Some(source) => text(",\"source\":", &source.complete(event, in_a_name)),
            None => text(",\"source\":", "kubearmor"),
        }
        match &self.sourcetype {
            Some(kind) => text(",\"sourcetype\":", &kind.complete(event, in_a_name)),
            None => text(",\"sourcetype\":", sourcetype(event.stream())),
        }
        if let Some(index) = &self.index {
            text(",\"index\":", &index.complete(event, in_an_index));
        }
        record.extend_from_slice(b",\"event\":");
        write_event(body, record);
        writeln!(record, ",\"fields\":{{\"event_id\":\"{}\"}}}}", event.id())
            .expect("a vector takes every write");
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        self.post(self.url.event(), batch.bytes(), self.compression)
    }

    fn verdict(&self, batch: &Batch, reply: &HttpReply) -> Verdict<Http> {
        answer::verdict(self, batch, reply)
    }

    fn answer(&self, _: &Batch, asked: &HttpRequest, reply: &HttpReply) -> Verdict<Http> {
        answer::acknowledged(asked, reply)
    }

    fn limits(&self, limits: Limits) -> Limits {
        match self.ack {
            Ack::Always => limits,
            Ack::Never | Ack::Auto => Limits { in_flight: IN_FLIGHT, ..limits },
        }
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection::of(&self.tls, self.timeout)
    }
}

impl SplunkHec {
    fn post(&self, url: String, body: bytes::Bytes, encoding: Encoding) -> HttpRequest {
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(header::AUTHORIZATION, self.token.header());
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-splunk-request-channel", self.channel().header());
        HttpRequest {
            method: Method::POST,
            shown_url: url.clone(),
            url,
            headers,
            body,
            encoding,
            message_id: String::new(),
        }
    }

    /// Its own, or one that stays the same over restarts. Always sent: Splunk ignores it where it
    /// needs none.
    fn channel(&self) -> Channel {
        self.channel.clone().unwrap_or_else(|| Channel::of(&self.url, &self.token))
    }
}

/// Appends the event as it was rendered. Splunk refuses a blank text, which a template may write:
/// an object without members then stands for it.
fn write_event(body: Body<'_>, record: &mut Vec<u8>) {
    let start = record.len();
    body.write_json(record);
    let is_text = matches!(body.format, Format::Text | Format::Template);
    let written = is_text.then(|| serde_json::from_slice::<Option<String>>(&record[start..]));
    if let Some(Ok(text)) = written
        && text.unwrap_or_default().trim().is_empty()
    {
        record.truncate(start);
        record.extend_from_slice(b"{}");
    }
}

fn sourcetype(stream: Stream) -> &'static str {
    match stream {
        Stream::Alert => "kubearmor:alert",
        Stream::Message => "kubearmor:message",
        Stream::Log => "kubearmor:log",
    }
}

fn in_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '@')
}

/// Splunk's rule for names of indexes.
fn in_an_index(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::{record, sink};

    const EVENT: &str = r#"{"Timestamp":1789899072,"UpdatedTime":"2026-09-20T10:11:12.000678Z","ClusterName":"default","HostName":"node \"1\"","NamespaceName":"shop/../Main","Type":"MatchedPolicy","UID":0,"PPID":0}"#;

    fn hec(more: &str) -> Result<SplunkHec, SettingError> {
        sink(&format!("url = \"https://splunk:8088\"\ntoken = \"t\"\n{more}"))
    }

    fn object(more: &str) -> serde_json::Value {
        let record = record(&hec(more).expect("a table"), EVENT);
        assert!(record.ends_with("}\n"));
        serde_json::from_str(&record).expect("an object")
    }

    #[test]
    fn time_is_a_plain_decimal_with_microseconds() {
        let record = record(&hec("").expect("a table"), EVENT);
        assert!(record.starts_with("{\"time\":1789899072.000678,\"host\":"), "{record}");
    }

    #[test]
    fn an_event_says_where_it_comes_from() {
        let object = object("");
        assert_eq!(object["host"], "node \"1\"");
        assert_eq!(object["source"], "kubearmor");
        assert_eq!(object["sourcetype"], "kubearmor:alert");
        assert_eq!(object["index"], serde_json::Value::Null);
        assert_eq!(object["event"]["NamespaceName"], "shop/../Main");
        assert_eq!(object["fields"]["event_id"].as_str().map(str::len), Some(32));
    }

    #[test]
    fn event_text_stays_behind_the_literal_beginning() {
        let object = object(
            "index = \"ka-{{ NamespaceName }}\"\nhost = \"n-{{ HostName }}\"\nsource = \"s\"",
        );
        assert_eq!(object["index"], "ka-shop_____ain");
        assert_eq!(object["host"], "n-node__1_");
        assert_eq!(object["source"], "s");
    }

    #[test]
    fn an_event_is_never_blank() {
        for (body, event) in
            [("", "{}"), ("\n ", "{}"), ("null", "{}"), ("\" \"", "{}"), ("a", "\"a\""), ("7", "7")]
        {
            let mut record = Vec::new();
            write_event(Body::new(Format::Template, body.as_bytes()), &mut record);
            assert_eq!(String::from_utf8_lossy(&record), event, "{body:?}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_key() {
        for (more, path) in [
            ("index = \"{{ NamespaceName }}\"", "index"),
            ("channel = \"mine\"", "channel"),
            ("ack = \"maybe\"", "ack"),
            ("compression = \"zstd\"", "compression"),
            ("timeout = \"soon\"", "timeout"),
            ("tls.cert = \"c.pem\"", "tls"),
        ] {
            assert_eq!(hec(more).expect_err(more).path, path);
        }
        let error = sink::<SplunkHec>("url = \"https://s\"\ntoken = \"hunter\\n2\"");
        let error = error.expect_err("a token of two lines");
        assert_eq!(error.path, "token");
        assert!(!error.message.contains("hunter"), "{}", error.message);
    }

    #[test]
    fn batches_wait_for_indexers_only_where_that_is_wanted() {
        let limits = |more| hec(more).expect("a table").limits(facts().limits).in_flight;
        assert_eq!((limits(""), limits("ack = false"), limits("ack = true")), (4, 4, 16));
    }
}
