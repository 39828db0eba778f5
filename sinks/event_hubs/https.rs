//! Event Hubs by HTTPS: where neither AMQP nor Kafka may pass a firewall.
//!
//! Without a partition key a batch is one request. With one, each event is a request of its own:
//! a request of several has no place for it
//! (<https://learn.microsoft.com/rest/api/eventhub/send-batch-events>).

use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};

use super::message;
use crate::contract::{
    Batch, Body, Encoding, Event, Http, HttpConnection, HttpRequest, Limits, Prefixed, Proof, Sink,
    Tls, write_json_string,
};

const API_VERSION: &str = "2014-01";

/// A hub as it is spoken to by HTTPS.
#[derive(Debug)]
pub(super) struct ByHttps {
    /// Up to the hub's name.
    pub(super) base: String,
    pub(super) partition_key: Option<Prefixed>,
    pub(super) envelope: bool,
    pub(super) proof: Proof,
    pub(super) timeout: Duration,
    pub(super) tls: Tls,
}

impl Sink<Http> for ByHttps {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        if self.partition_key.is_some() {
            let key = message::key(self.partition_key.as_ref(), event);
            return message::write_keyed(&key, body, self.envelope, record);
        }
        let mut text = Vec::new();
        message::write_body(body, self.envelope, &mut text);
        record.extend_from_slice(b"{\"Body\":");
        write_json_string(&String::from_utf8_lossy(&text), record);
        write!(record, ",\"UserProperties\":{{\"event_id\":\"{}\"}}}},", event.id())
            .expect("a vector takes every write");
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let mut headers = HeaderMap::with_capacity(4);
        // The waiting is ours.
        headers.insert("x-ms-retrypolicy", HeaderValue::from_static("NoRetry"));
        let body = match self.partition_key {
            Some(_) => single(batch, &mut headers),
            None => several(batch, &mut headers),
        };
        let url = format!("{}/messages?timeout=60&api-version={API_VERSION}", self.base);
        HttpRequest {
            method: Method::POST,
            shown_url: url.clone(),
            url,
            headers,
            body,
            encoding: Encoding::Identity,
            message_id: String::new(),
        }
    }

    fn limits(&self, limits: Limits) -> Limits {
        match self.partition_key {
            Some(_) => Limits { events: 1, in_flight: 16, ..limits },
            // Two brackets are added and a comma is taken away.
            None => Limits { bytes: limits.bytes.saturating_sub(1), ..limits },
        }
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection {
            tls: self.tls.clone(),
            timeout: self.timeout,
            proof: Some(self.proof.clone()),
            ..HttpConnection::default()
        }
    }
}

fn several(batch: &Batch, headers: &mut HeaderMap) -> Bytes {
    let kind = HeaderValue::from_static("application/vnd.microsoft.servicebus.json");
    headers.insert(header::CONTENT_TYPE, kind);
    let records = batch.bytes();
    let messages = records.strip_suffix(b",").unwrap_or(&records);
    [b"[", messages, b"]"].concat().into()
}

fn single(batch: &Batch, headers: &mut HeaderMap) -> Bytes {
    let record = batch.record(0);
    let (key, before) = message::split(record.bytes);
    let kind = HeaderValue::from_static("application/atom+xml;type=entry;charset=utf-8");
    headers.insert(header::CONTENT_TYPE, kind);
    let properties = HeaderValue::try_from(format!("{{\"PartitionKey\":\"{key}\"}}"));
    headers.insert("brokerproperties", properties.expect("a key is visible ASCII"));
    let id = HeaderValue::try_from(record.id.to_string()).expect("an id is hexadecimal digits");
    headers.insert("event_id", id);
    batch.cut(0..1).bytes().slice(before..)
}
