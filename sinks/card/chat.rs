//! What all chats share: how a card or a template becomes a request that fits, and how it is posted.
//!
//! One event is one message is one request. A chat says how it writes a card ([`Product`]); here
//! it is shortened until it fits, and here `body = "whole"` lets a template write the request.
//! A chat that needs an address and no more is a [`super::hook::Hook`].

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Card, VALUE_CHARS_MAX};
use crate::contract::{
    Batch, Body, Concern, DigestDefaults, Encoding, Event, Format, HttpRequest, LaneView, Limits,
    Link, Setting,
};

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// How one chat writes a message.
pub(crate) trait Product {
    /// The request's body for a card.
    fn write(&self, card: &Card) -> Object;

    /// Adds what no body may lack, even one that a template wrote.
    fn complete(&self, body: &mut Object) {
        let _ = body;
    }

    /// Whether the product takes a body of this size, measured as it measures.
    fn fits(&self, body: &Object) -> bool;

    /// What a template's whole body lacks that the product would not tell of.
    fn lacks(&self, body: &Object) -> Option<&'static str> {
        let _ = body;
        None
    }
}

/// What a template's output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    /// The text of our message.
    #[default]
    Text,
    /// The whole body of the request.
    Whole,
}

/// Told with each chat.
pub(crate) const BODY: Setting = Setting {
    key: "body",
    help: "what a `template` writes. \"text\": the message's text; \"whole\": the whole body of \
           the request, a JSON object, which says how many events it stands for only where it \
           names `count`; what is none, or is too large, is sent as text. Default: \"text\"",
};
/// How chats tell like events unless told otherwise.
pub(crate) const DIGEST: DigestDefaults =
    DigestDefaults { every: Duration::from_secs(600), per_hour: 60, resolves: false };

/// The largest body of a request: more than any chat takes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A message a request, one after the other, so that they are read in order.
pub(crate) const fn limits(source: &'static str) -> Limits {
    Limits { events: 1, bytes: BODY_BYTES_MAX, wait: Duration::ZERO, in_flight: 1, source }
}

/// The body of the request that tells of an event.
pub(crate) fn message(
    product: &impl Product,
    form: Form,
    link: Option<&Link>,
    event: &Event<'_>,
    body: Body<'_>,
) -> Object {
    let text = body.text();
    let told = |card: Card| shortened(product, &card.linked(link.map(|link| link.of(event))));
    // What was to be a whole body and cannot be one is told all the same, and why it looks so.
    let noted = |why: &str| {
        let text = format!("(What the template wrote {why}, so it is shown as text.)\n{text}");
        told(Card::of_text(event, &text, body.counts))
    };
    let mut written = match (body.format, form) {
        (Format::Native, _) => told(Card::of(event)),
        (_, Form::Text) => told(Card::of_text(event, &text, body.counts)),
        (_, Form::Whole) => match serde_json::from_str::<Object>(&text) {
            Err(_) => noted("is no JSON object"),
            Ok(whole) if !product.fits(&whole) => noted("is too large"),
            Ok(whole) => match product.lacks(&whole) {
                Some(what) => noted(what),
                None => whole,
            },
        },
    };
    product.complete(&mut written);
    written
}

/// What a chat has to say of its lane.
pub(crate) fn concerns(form: Form, lane: &LaneView) -> Vec<Concern> {
    let is_silent = form == Form::Whole && lane.format == Format::Template && !lane.counts;
    let why = "the body it writes does not name `count`: a message that stands for many events \
               (`digest`) reads like one of them";
    let is_doubtful = is_silent && lane.digest.is_some();
    is_doubtful.then(|| Concern::doubt("template", why)).into_iter().collect()
}

/// The card with its texts as long as the product takes them.
fn shortened(product: &impl Product, card: &Card) -> Object {
    /// Below this there is nothing left to cut that could help.
    const SHORTEST_CHARS: usize = 8;
    let mut body = product.write(card);
    let mut most = card.text.len().max(VALUE_CHARS_MAX);
    while !product.fits(&body) && most > SHORTEST_CHARS {
        most /= 2;
        body = product.write(&card.within(most));
    }
    body
}

/// Appends a body as a record.
pub(crate) fn push(body: &Object, record: &mut Vec<u8>) {
    serde_json::to_writer(record, body).expect("a vector takes every write, and a body is JSON");
}

/// A body as JSON.
pub(crate) fn json(body: &Object) -> String {
    serde_json::to_string(body).expect("a body is JSON")
}

/// The same text where an address in it is no link: `https[:]//`, `www[.]`, as people who handle
/// such write it.
pub(crate) fn defanged(text: &str) -> String {
    text.replace("://", "[:]//").replace("www.", "www[.]")
}

/// The request that posts a batch, of which there is one record.
pub(crate) fn post(
    url: &str,
    shown_url: String,
    headers: &HeaderMap,
    batch: &Batch,
) -> HttpRequest {
    let mut all = HeaderMap::with_capacity(headers.len() + 2);
    // Some chats count a body without a charset in a wider encoding.
    all.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    all.extend(headers.clone());
    let body: Bytes = batch.bytes();
    HttpRequest {
        method: Method::POST,
        url: url.to_owned(),
        shown_url,
        headers: all,
        body,
        // No chat documents compressed requests.
        encoding: Encoding::Identity,
        message_id: String::new(),
    }
}
