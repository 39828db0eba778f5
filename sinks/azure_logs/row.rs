//! One event as one row: its own members as columns, after the two that every table of ours has.

use std::collections::{HashMap, HashSet};

use serde::de::IgnoredAny;

use crate::{
    contract::{Body, Event, Format, json, write_json_string},
    formats::Moment,
};

/// `Type` is Log Analytics' own column, which says the table's name.
const TYPE: &[u8] = b"\"Type\":";
/// So KubeArmor's goes by this name.
const EVENT_TYPE: &[u8] = b"\"EventType\":";

/// Appends the row, an object on one line. What is no object becomes the column `Message`.
pub(super) fn write(event: &Event<'_>, body: Body<'_>, out: &mut Vec<u8>) {
    let mut json = Vec::new();
    let known = members(event, body, &mut json);
    out.push(b'{');
    let mut first = true;
    let mut member = |name: &str, value: &str, out: &mut Vec<u8>| {
        if !known.contains(name) {
            let comma = if std::mem::take(&mut first) { "" } else { "," };
            out.extend_from_slice(format!("{comma}\"{name}\":").as_bytes());
            write_json_string(value, out);
        }
    };
    member("TimeGenerated", &time(event), out);
    member("EventId", &event.id().to_string(), out);
    match json.strip_prefix(b"{") {
        Some(rest) => {
            if !first && !rest.trim_ascii_start().starts_with(b"}") {
                out.push(b',');
            }
            out.extend_from_slice(rest);
        }
        None => {
            member("Message", &body.text(), out);
            out.push(b'}');
        }
    }
}

/// Writes the body as an object where it is one, and answers which members it has, as far as they
/// could be ours. What is no object leaves `json` empty.
fn members(event: &Event<'_>, body: Body<'_>, json: &mut Vec<u8>) -> HashSet<String> {
    match body.format {
        Format::Json => with_event_type(event, body.bytes, json),
        Format::Native => {
            let mut bytes = Vec::new();
            json::write(event, &mut bytes);
            with_event_type(event, &bytes, json);
        }
        _ => {
            body.write_json(json);
            let members = serde_json::from_slice::<HashMap<String, IgnoredAny>>(json);
            return members.map(|members| members.into_keys().collect()).unwrap_or_else(|_| {
                json.clear();
                HashSet::new()
            });
        }
    }
    HashSet::new()
}

/// KubeArmor's own JSON with `Type` under its other name. Text of an event cannot be mistaken for
/// it: a quote in text has a backslash before it, a comma or brace never. Nor can a nested member:
/// `Type` stands before the maps whose keys an event decides.
fn with_event_type(event: &Event<'_>, body: &[u8], out: &mut Vec<u8>) {
    if event.event_type().is_empty() {
        return out.extend_from_slice(body);
    }
    let is_member = |at: usize| at > 0 && matches!(body[at - 1], b',' | b'{');
    let quotes = body.iter().enumerate().filter(|(_, byte)| **byte == b'"').map(|(at, _)| at);
    let at = { quotes }.find(|at| body[*at..].starts_with(TYPE) && is_member(*at));
    let at = at.expect("a type that is not empty is written");
    out.extend_from_slice(&body[..at]);
    out.extend_from_slice(EVENT_TYPE);
    out.extend_from_slice(&body[at + TYPE.len()..]);
}

/// When it happened, as RFC 3339 with microseconds.
fn time(event: &Event<'_>) -> String {
    let mut out = Vec::with_capacity(27);
    Moment::of(event).write(&mut out);
    String::from_utf8(out).expect("digits and marks")
}
