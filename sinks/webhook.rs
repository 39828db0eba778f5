//! Any HTTP receiver: one event a request, a JSON array, or lines of JSON.
//!
//! Signed by Standard Webhooks where secrets are given; the signature needs the time of the
//! attempt and is the wire's. `webhook-id` is the receiver's handle on copies: it comes from the
//! events alone, so it stays over retries and restarts.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};
use twox_hash::XxHash3_128;

use crate::contract::{
    Batch, Body, Destination, Encoding, Entry, Event, Facts, Format, HEADERS, Http, HttpConnection,
    HttpRequest, Limits, Proof, Secret, SecretUrl, Setting, SettingError, Signing, Sink, TIMEOUT,
    Timeout, Tls, headers, read,
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `webhook` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    url: SecretUrl,
    #[serde(default = "post", deserialize_with = "method")]
    method: Method,
    #[serde(default)]
    body: Form,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default, rename = "secret")]
    secrets: Secrets,
    #[serde(default)]
    compression: Encoding,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
    /// `headers`, checked.
    #[serde(skip)]
    checked_headers: HeaderMap,
}

/// What stands in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// One event, as it was rendered.
    #[default]
    Object,
    /// A JSON array of events.
    Array,
    /// One event a line.
    Ndjson,
}

fn post() -> Method {
    Method::POST
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: Webhook = read(table)?;
    sink.checked_headers = headers(&sink.headers)?;
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "webhook",
        summary: "any HTTP receiver, signed by Standard Webhooks where a secret is given",
        format: Format::Json,
        native: false,
        limits: Limits {
            events: 1_000,
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "url = \"https://hooks.example.com/kubearmor\"\nsecret = \"${env:WEBHOOK_SECRET}\"\n",
        sample_secrets: &[("WEBHOOK_SECRET", "whsec_c2FtcGxlIHNlY3JldCBmb3IgdGhlIHByZXZpZXc=")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "url", help: "the whole address" },
    Setting { key: "method", help: "the HTTP method. Default: \"POST\"" },
    Setting {
        key: "body",
        help: "\"object\": one event a request, as it was rendered (text/plain where that is no \
               JSON); \"array\": a JSON array; \"ndjson\": an event a line. Default: \"object\"",
    },
    HEADERS,
    Setting {
        key: "secret",
        help: "signs each request by Standard Webhooks: \"whsec_\" and base64, or a list of such, \
               newest first, while a receiver changes over. Default: no signature",
    },
    Setting {
        key: "compression",
        help: "what the receiver takes: \"none\", \"gzip\" or \"gzip:<1 to 9>\", \"zstd\" or \
               \"zstd:<1 to 19>\". Default: \"none\"",
    },
    TIMEOUT,
];

impl Sink<Http> for Webhook {
    fn record(&self, _: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        match self.body {
            Form::Object => record.extend_from_slice(body.bytes),
            Form::Array => {
                body.write_json(record);
                record.push(b',');
            }
            Form::Ndjson => {
                body.write_json(record);
                record.push(b'\n');
            }
        }
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let message_id = message_id(batch);
        let body = self.whole(batch);
        let mut headers = HeaderMap::with_capacity(self.checked_headers.len() + 2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type(&body)));
        headers.insert(
            "webhook-id",
            HeaderValue::from_str(&message_id).expect("an id is letters, digits and hyphens"),
        );
        headers.extend(self.checked_headers.clone());
        HttpRequest {
            method: self.method.clone(),
            url: self.url.reveal().to_owned(),
            shown_url: self.url.to_string(),
            headers,
            body,
            encoding: self.compression,
            message_id,
        }
    }

    fn limits(&self, limits: Limits) -> Limits {
        match self.body {
            Form::Object => Limits { events: 1, ..limits },
            // Two brackets are added and a comma is taken away.
            Form::Array => Limits { bytes: limits.bytes.saturating_sub(1), ..limits },
            Form::Ndjson => limits,
        }
    }

    fn connection(&self) -> HttpConnection {
        let keys = &self.secrets.0;
        HttpConnection {
            tls: self.tls.clone(),
            timeout: self.timeout.0,
            proof: (!keys.is_empty()).then(|| Proof::Webhooks(Signing { keys: keys.clone() })),
            ..HttpConnection::default()
        }
    }
}

impl Webhook {
    /// An event alone is as it was rendered: a line of CEF, or what a template wrote, may be none.
    fn content_type(&self, body: &[u8]) -> &'static str {
        match self.body {
            Form::Object if serde_json::from_slice::<IgnoredAny>(body).is_err() => {
                "text/plain; charset=utf-8"
            }
            Form::Object | Form::Array => "application/json",
            Form::Ndjson => "application/x-ndjson",
        }
    }

    fn whole(&self, batch: &Batch) -> Bytes {
        let records = batch.bytes();
        match self.body {
            Form::Object | Form::Ndjson => records,
            Form::Array => {
                let elements = records.strip_suffix(b",").unwrap_or(&records);
                [b"[", elements, b"]"].concat().into()
            }
        }
    }
}

/// A single event's own id; of several, a hash of theirs.
fn message_id(batch: &Batch) -> String {
    if batch.len() == 1 {
        return format!("msg_{}", batch.record(0).id);
    }
    let mut hash = XxHash3_128::new();
    batch.records().for_each(|record| hash.write(&record.id.0.to_be_bytes()));
    format!("msg_{:032x}", hash.finish_128())
}

fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Method, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_upper = !text.is_empty() && text.chars().all(|c| c.is_ascii_uppercase());
    text.parse().ok().filter(|_| is_upper).ok_or_else(|| {
        D::Error::custom(format!("expected an HTTP method such as \"POST\", found \"{text}\""))
    })
}

/// Keys of Standard Webhooks, one or several, each known to be whole.
#[derive(Debug, Clone, Default)]
struct Secrets(Vec<Secret>);

impl<'de> Deserialize<'de> for Secrets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a secret, or a list of secrets")]
        enum Setting {
            One(Secret),
            Several(Vec<Secret>),
        }
        let secrets = match Setting::deserialize(deserializer)? {
            Setting::One(secret) => vec![secret],
            Setting::Several(secrets) => secrets,
        };
        if secrets.iter().all(is_key) {
            return Ok(Self(secrets));
        }
        Err(D::Error::custom(
            "expected \"whsec_\" and the base64 of 24 to 64 bytes, as Standard Webhooks has it",
        ))
    }
}

fn is_key(secret: &Secret) -> bool {
    let key = secret.reveal().strip_prefix("whsec_").and_then(|text| BASE64.decode(text).ok());
    key.is_some_and(|key| (24..=64).contains(&key.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{
        Arrival, BatchBuilder, EventId, Kind, Stream, Verdict,
        testing::{batch, reply, sink, table},
    };

    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn webhook(more: &str) -> Box<dyn Sink<Http>> {
        match build(table(&format!("url = \"https://u:p@hook/secret?key=k\"\n{more}"))) {
            Ok(Destination::Http(sink)) => sink,
            Ok(_) => panic!("a webhook is spoken to by HTTP"),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn the_id_stays_and_comes_from_the_events_alone() {
        let (one, three) = (batch(1, 5), batch(3, 5));
        let id = |batch: &Batch| message_id(batch);
        assert_eq!(id(&one), "msg_00000000000000000000000000000001");
        assert_eq!(id(&three), id(&batch(3, 50)));
        assert_eq!(id(&three.cut(0..1)), id(&one));
        assert_ne!(id(&three), id(&three.cut(0..2)));
        let request = webhook("").request(&one);
        assert_eq!(request.headers["webhook-id"], *request.message_id);
    }

    #[test]
    fn a_request_is_an_object_an_array_or_lines() {
        let body = |form: &str| {
            let sink = webhook(&format!("body = \"{form}\""));
            let mut batch = BatchBuilder::new(Stream::Log);
            let arrival = Arrival { stream: Stream::Log, sequence: 1, received_us: 0 };
            let event =
                Event::decode(Kind::Event, arrival, &[], crate::contract::Overrides::none())
                    .expect("an empty message");
            for body in ["{\"a\":1}", "{\"b\":\n2}"] {
                let body = Body::new(Format::Template, body.as_bytes());
                batch.push(EventId(1), 1, 0, |out| {
                    sink.record(&event, body, out);
                });
            }
            let request = sink.request(&batch.finish().expect("two records"));
            let text = String::from_utf8(request.body.to_vec()).expect("UTF-8");
            (text, request.headers[header::CONTENT_TYPE].to_str().expect("text").to_owned())
        };
        let pair = |text: &str, kind: &str| (text.to_owned(), kind.to_owned());
        assert_eq!(body("array"), pair("[{\"a\":1},{\"b\": 2}]", "application/json"));
        assert_eq!(body("ndjson"), pair("{\"a\":1}\n{\"b\": 2}\n", "application/x-ndjson"));
        assert_eq!(webhook("").limits(facts().limits).events, 1);
        assert_eq!(webhook("body = \"array\"").limits(facts().limits).events, 1_000);
    }

    #[test]
    fn what_is_no_json_is_not_sent_as_such() {
        let sink = webhook("");
        for (text, kind) in [
            ("{\"a\":1}", "application/json"),
            ("CEF:0|KubeArmor|KubeArmor|1.6|File|Block|8|", "text/plain; charset=utf-8"),
            ("{\"a\":1} and more", "text/plain; charset=utf-8"),
        ] {
            let mut batch = BatchBuilder::new(Stream::Log);
            batch.push(EventId(1), 1, 0, |out| out.extend_from_slice(text.as_bytes()));
            let request = sink.request(&batch.finish().expect("a record"));
            assert_eq!(request.headers[header::CONTENT_TYPE], kind, "{text}");
        }
    }

    #[test]
    fn method_and_headers_are_the_table_s() {
        let sink = webhook(
            "method = \"PUT\"\nheaders = { content-type = \"text/x\", authorization = \"Bearer b\" }",
        );
        let request = sink.request(&batch(1, 1));
        assert_eq!(request.method, Method::PUT);
        assert_eq!(webhook("").request(&batch(1, 1)).method, Method::POST);
        assert_eq!(request.headers.get_all(header::CONTENT_TYPE).iter().count(), 1);
        assert_eq!(request.headers[header::CONTENT_TYPE], "text/x");
        assert!(request.headers[header::AUTHORIZATION].is_sensitive());
        assert_eq!(request.shown_url, "https://hook/***");
    }

    #[test]
    fn one_key_or_several_sign() {
        let keys = |more: &str| match webhook(more).connection().proof {
            Some(Proof::Webhooks(signing)) => Some(signing.keys.len()),
            _ => None,
        };
        assert_eq!(keys(""), None);
        assert_eq!(keys(&format!("secret = \"{KEY}\"")), Some(1));
        assert_eq!(keys(&format!("secret = [\"{KEY}\", \"{KEY}\"]")), Some(2));
    }

    #[test]
    fn mistakes_are_told_with_their_key_and_without_the_secret() {
        for (more, path) in [
            ("secret = \"hunter2\"", "secret"),
            ("secret = [\"whsec_aHVudGVyMg==\"]", "secret"),
            ("method = \"hunter2\"", "method"),
            ("body = \"lines\"", "body"),
            ("headers = { \"a b\" = \"hunter2\" }", "headers.a b"),
            ("headers = { a = \"hunter2\\n\" }", "headers.a"),
        ] {
            let lines = format!("url = \"https://hook\"\n{more}");
            let error = build(table(&lines)).err().expect(more);
            assert_eq!(error.path, path, "{more}");
            let is_secret = path != "method";
            assert!(!(is_secret && error.message.contains("hunter2")), "{}", error.message);
        }
        assert_eq!(sink::<Webhook>("url = \"hunter2\"").expect_err("no address").path, "url");
    }

    #[test]
    fn answers_mean_what_their_status_says() {
        for (status, expected) in [
            (204, "accepted"),
            (301, "blocked"),
            (400, "never"),
            (401, "blocked"),
            (408, "later"),
            (410, "blocked"),
            (413, "smaller"),
            (422, "never"),
            (429, "later"),
            (502, "later"),
            (504, "later"),
        ] {
            let verdict: Verdict<Http> = webhook("").verdict(&batch(1, 1), &reply(status, ""));
            assert_eq!(verdict.name(), expected, "{status}");
        }
        for status in [200, 400] {
            let page = reply(status, "<html>sign in</html>");
            assert_eq!(webhook("").verdict(&batch(1, 1), &page).name(), "blocked", "{status}");
        }
    }
}
