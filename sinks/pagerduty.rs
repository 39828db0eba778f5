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
mod tests;
