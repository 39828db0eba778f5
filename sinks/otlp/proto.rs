//! OTLP's messages on the wire, and no more of protobuf than they need.
//!
//! Field numbers are facts of `opentelemetry/proto/{logs,common,resource}/v1` 1.9. Written
//! straight into the record, with no message in memory in between.

use crate::{contract::Value, formats::otlp::Attributes};

/// A field of a length and that many bytes.
const LENGTH_DELIMITED: u8 = 2;
const FIXED64: u8 = 1;
const VARINT: u8 = 0;

/// Appends a varint.
pub(super) fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn tag(out: &mut Vec<u8>, field: u8, kind: u8) {
    debug_assert!(field < 16, "a tag of one byte");
    out.push(field << 3 | kind);
}

/// Appends a field of bytes or text.
pub(super) fn bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    tag(out, field, LENGTH_DELIMITED);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a field of eight bytes.
pub(super) fn fixed64(out: &mut Vec<u8>, field: u8, number: u64) {
    tag(out, field, FIXED64);
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a field of a number.
pub(super) fn number(out: &mut Vec<u8>, field: u8, number: u64) {
    tag(out, field, VARINT);
    varint(out, number);
}

/// Appends a message. Most are shorter than 128 bytes, so that their length takes the one byte
/// that is kept for it; others are moved by what it takes more.
pub(super) fn message(out: &mut Vec<u8>, field: u8, write: impl FnOnce(&mut Vec<u8>)) {
    tag(out, field, LENGTH_DELIMITED);
    let place = out.len();
    out.push(0);
    write(out);
    let length = out.len() - place - 1;
    let mut head = Vec::with_capacity(5);
    varint(&mut head, length as u64);
    if head.len() > 1 {
        out.resize(out.len() + head.len() - 1, 0);
        out.copy_within(place + 1..place + 1 + length, place + head.len());
    }
    out[place..place + head.len()].copy_from_slice(&head);
}

/// Appends each attribute as a `KeyValue` of field `field`.
pub(super) struct KeyValues<'o> {
    pub(super) out: &'o mut Vec<u8>,
    pub(super) field: u8,
}

impl Attributes for KeyValues<'_> {
    fn put(&mut self, key: &str, value: Value<'_>) {
        message(self.out, self.field, |out| {
            bytes(out, 1, key.as_bytes());
            message(out, 2, |out| any_value(out, &value));
        });
    }
}

/// An `AnyValue`'s own fields.
pub(super) fn any_value(out: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Str(text) => bytes(out, 1, text.as_bytes()),
        Value::String(text) => bytes(out, 1, text.as_bytes()),
        Value::Bool(is) => number(out, 2, (*is).into()),
        Value::Int(integer) => number(out, 3, *integer as u64),
        Value::List(items) => message(out, 5, |out| {
            for item in items {
                message(out, 1, |out| bytes(out, 1, item.as_bytes()));
            }
        }),
        Value::Map(pairs) => message(out, 6, |out| {
            let mut to = KeyValues { out, field: 1 };
            pairs.iter().for_each(|(key, value)| to.put(key, Value::Str(value)));
        }),
    }
}

/// An `AnyValue`'s own fields, of JSON: its numbers are doubles, as a map read from JSON has them
/// in OpenTelemetry's collector.
pub(super) fn any_json(out: &mut Vec<u8>, value: &serde_json::Value) {
    match value {
        serde_json::Value::Null => {}
        serde_json::Value::Bool(is) => number(out, 2, (*is).into()),
        serde_json::Value::Number(double) => {
            fixed64(out, 4, double.as_f64().unwrap_or_default().to_bits());
        }
        serde_json::Value::String(text) => bytes(out, 1, text.as_bytes()),
        serde_json::Value::Array(items) => message(out, 5, |out| {
            items.iter().for_each(|item| message(out, 1, |out| any_json(out, item)));
        }),
        serde_json::Value::Object(pairs) => message(out, 6, |out| {
            for (key, value) in pairs {
                message(out, 1, |out| {
                    bytes(out, 1, key.as_bytes());
                    message(out, 2, |out| any_json(out, value));
                });
            }
        }),
    }
}

/// One field of a message that came back.
pub(super) enum Field<'m> {
    /// A varint.
    Number(u64),
    /// Bytes, text or a message.
    Bytes(&'m [u8]),
    /// Eight bytes, as they lie.
    Fixed64(u64),
    /// Four bytes: nothing we read.
    Fixed32,
}

/// The fields of a message in turn; ends where the bytes are no message any more.
pub(super) fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let tag = take_varint(&mut message)?;
        let field = match tag & 7 {
            0 => Field::Number(take_varint(&mut message)?),
            1 => Field::Fixed64(u64::from_le_bytes(*take::<8>(&mut message)?)),
            2 => {
                let length = usize::try_from(take_varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(length)?;
                message = rest;
                Field::Bytes(bytes)
            }
            5 => take::<4>(&mut message).map(|_| Field::Fixed32)?,
            _ => return None,
        };
        Some((tag >> 3, field))
    })
}

fn take<'m, const LENGTH: usize>(message: &mut &'m [u8]) -> Option<&'m [u8; LENGTH]> {
    let (bytes, rest) = message.split_first_chunk::<LENGTH>()?;
    *message = rest;
    Some(bytes)
}

fn take_varint(message: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_any_length_is_read_back() {
        for length in [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000] {
            let inner = vec![b'x'; length];
            let mut out = b"before".to_vec();
            message(&mut out, 3, |out| bytes(out, 1, &inner));
            number(&mut out, 4, u64::MAX);
            fixed64(&mut out, 5, 7);
            let read: Vec<_> = fields(&out[6..]).collect();
            assert_eq!(read.len(), 3, "{length}");
            let (3, Field::Bytes(outer)) = &read[0] else { panic!("a message first: {length}") };
            let Some((1, Field::Bytes(found))) = fields(outer).next() else {
                panic!("bytes inside: {length}")
            };
            assert!(found == inner, "{length}");
            assert!(matches!(read[1], (4, Field::Number(u64::MAX))));
            assert!(matches!(read[2], (5, Field::Fixed64(7))));
        }
    }

    #[test]
    fn bytes_that_are_no_message_end_it() {
        for broken in
            [&b"\x0a\x05abc"[..], b"\x09\x01", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"]
        {
            assert_eq!(fields(broken).count(), 0);
        }
    }
}
