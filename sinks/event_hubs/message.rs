//! One event as one message: its body, its partition key, and how both stand in a record.

use crate::contract::{Body, Event, Prefixed};

/// A partition key is at most this long, in characters
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas>).
const MAX_KEY_CHARS: usize = 128;

/// The key that keeps events of one thing in order, in one partition; empty where there is none.
pub(super) fn key(template: Option<&Prefixed>, event: &Event<'_>) -> String {
    let Some(template) = template else { return String::new() };
    let whole = template.complete(event, in_a_key);
    // What the configuration itself says is only kept from breaking out of a header.
    let clean = |c: char| match c {
        '"' | '\\' => '_',
        ' '..='~' => c,
        _ => '_',
    };
    whole.chars().map(clean).take(MAX_KEY_CHARS).collect()
}

fn in_a_key(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '/' | '@')
}

/// Appends a message's body: the event as it was rendered, or as Azure's own services wrap theirs.
pub(super) fn write_body(body: Body<'_>, envelope: bool, out: &mut Vec<u8>) {
    if !envelope {
        return out.extend_from_slice(body.bytes);
    }
    out.extend_from_slice(b"{\"records\":[");
    body.write_json(out);
    out.extend_from_slice(b"]}");
}

/// Appends a record of key and body. A key has no line end, so the first one parts them.
pub(super) fn write_keyed(key: &str, body: Body<'_>, envelope: bool, out: &mut Vec<u8>) {
    out.extend_from_slice(key.as_bytes());
    out.push(b'\n');
    write_body(body, envelope, out);
}

/// Takes such a record apart: the key, and how many bytes of the record stand before the body.
pub(super) fn split(record: &[u8]) -> (&str, usize) {
    let end = record.iter().position(|byte| *byte == b'\n').expect("every record has a key's end");
    (std::str::from_utf8(&record[..end]).expect("a key is visible ASCII"), end + 1)
}
