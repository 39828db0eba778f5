//! Any HTTP receiver: one event a request, a JSON array, or lines of JSON.
//!
//! Signed by Standard Webhooks where secrets are given; the signature needs the time of the
//! attempt and is the wire's. `webhook-id` is the receiver's handle on copies: it comes from the
//! events alone, so it stays over retries and restarts.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::{Deserialize, Deserializer, de::Error as _};
use twox_hash::XxHash3_128;

use crate::contract::{
    Batch, Body, Destination, Entry, Event, Facts, Format, Gzip, Http, HttpConnection, HttpRequest,
    Limits, Secret, SecretUrl, Setting, SettingError, Signing, Sink, Span, Tls, headers, read,
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `webhook` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhook {
    url: SecretUrl,
    #[serde(default, deserialize_with = "method")]
    method: Method,
    #[serde(default)]
    body: Form,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default, rename = "secret")]
    secrets: Secrets,
    #[serde(default)]
    gzip: Gzip,
    #[serde(default = "half_a_minute")]
    timeout: Span,
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

fn half_a_minute() -> Span {
    Span(Duration::from_secs(30))
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let mut sink: Webhook = read(table)?;
    sink.checked_headers = headers(&sink.headers)
        .map_err(|(name, why)| SettingError::at(format!("headers.{name}"), why))?;
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "webhook",
        summary: "any HTTP receiver, signed by Standard Webhooks where a secret is given",
        format: Format::Json,
        limits: Limits {
            events: 1_000,
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
        },
        rate_per_second: None,
        settings: SETTINGS,
        example: "url = \"https://hooks.example.com/kubearmor\"\nsecret = \"${env:WEBHOOK_SECRET}\"\n",
        sample_secrets: &[("WEBHOOK_SECRET", "whsec_c2FtcGxlIHNlY3JldCBmb3IgdGhlIHByZXZpZXc=")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "url", help: "the whole address" },
    Setting { key: "method", help: "the HTTP method. Default: \"POST\"" },
    Setting {
        key: "body",
        help: "\"object\": one event a request, as it was rendered; \"array\": a JSON array; \
               \"ndjson\": an event a line. Default: \"object\"",
    },
    Setting { key: "headers", help: "a table of further headers; their values are kept secret" },
    Setting {
        key: "secret",
        help: "signs each request by Standard Webhooks: \"whsec_\" and base64, or a list of such, \
               newest first, while a receiver changes over. Default: no signature",
    },
    Setting { key: "gzip", help: "true, false, or a level from 1 to 9. Default: false" },
    Setting { key: "timeout", help: "how long one attempt may take. Default: \"30s\"" },
    Setting { key: "tls.ca", help: "a PEM file of the authorities to trust" },
    Setting { key: "tls.cert", help: "a PEM file of the client certificate" },
    Setting { key: "tls.key", help: "a PEM file of its key" },
    Setting { key: "tls.insecure", help: "whether to take any certificate. Default: false" },
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
        let mut headers = HeaderMap::with_capacity(self.checked_headers.len() + 2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type()));
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
            body: self.whole(batch),
            gzip: self.gzip,
            message_id,
        }
    }

    fn limits(&self, limits: Limits) -> Limits {
        match self.body {
            Form::Object => Limits { events: 1, ..limits },
            Form::Array | Form::Ndjson => limits,
        }
    }

    fn connection(&self) -> HttpConnection {
        let keys = &self.secrets.0;
        HttpConnection {
            tls: self.tls.clone(),
            timeout: self.timeout.0,
            signing: (!keys.is_empty()).then(|| Signing { keys: keys.clone() }),
        }
    }
}

impl Webhook {
    fn content_type(&self) -> &'static str {
        match self.body {
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
