//! A request as OTLP's JSON, for people: what goes out is protobuf.
//!
//! Reads the very bytes that are sent, by a table of the messages we write.

use bytes::Bytes;

use super::proto::{Field, fields};
use crate::contract::json::write_text;

/// What stands in a field.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// A number that JSON writes as text: 64 bits.
    Long,
    Number,
    Bool,
    Double,
    Message(&'static [Known]),
}

/// A field we write: its number, its name in JSON, whether there may be several, what it holds.
struct Known(u64, &'static str, bool, Kind);

static REQUEST: [Known; 1] = [Known(1, "resourceLogs", true, Kind::Message(&RESOURCE_LOGS))];
static RESOURCE_LOGS: [Known; 2] = [
    Known(1, "resource", false, Kind::Message(&RESOURCE)),
    Known(2, "scopeLogs", true, Kind::Message(&SCOPE_LOGS)),
];
static RESOURCE: [Known; 1] = [Known(1, "attributes", true, Kind::Message(&KEY_VALUE))];
static SCOPE_LOGS: [Known; 2] = [
    Known(1, "scope", false, Kind::Message(&SCOPE)),
    Known(2, "logRecords", true, Kind::Message(&LOG_RECORD)),
];
static SCOPE: [Known; 1] = [Known(1, "name", false, Kind::Text)];
static LOG_RECORD: [Known; 7] = [
    Known(1, "timeUnixNano", false, Kind::Long),
    Known(2, "severityNumber", false, Kind::Number),
    Known(3, "severityText", false, Kind::Text),
    Known(5, "body", false, Kind::Message(&ANY_VALUE)),
    Known(6, "attributes", true, Kind::Message(&KEY_VALUE)),
    Known(11, "observedTimeUnixNano", false, Kind::Long),
    Known(12, "eventName", false, Kind::Text),
];
static KEY_VALUE: [Known; 2] =
    [Known(1, "key", false, Kind::Text), Known(2, "value", false, Kind::Message(&ANY_VALUE))];
static ANY_VALUE: [Known; 6] = [
    Known(1, "stringValue", false, Kind::Text),
    Known(2, "boolValue", false, Kind::Bool),
    Known(3, "intValue", false, Kind::Long),
    Known(4, "doubleValue", false, Kind::Double),
    Known(5, "arrayValue", false, Kind::Message(&ARRAY)),
    Known(6, "kvlistValue", false, Kind::Message(&KEY_VALUES)),
];
static ARRAY: [Known; 1] = [Known(1, "values", true, Kind::Message(&ANY_VALUE))];
static KEY_VALUES: [Known; 1] = [Known(1, "values", true, Kind::Message(&KEY_VALUE))];

/// The request as JSON on one line.
pub(super) fn json(request: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(request.len() * 2);
    object(&REQUEST, request, &mut out);
    out.into()
}

fn object(known: &[Known], message: &[u8], out: &mut Vec<u8>) {
    out.push(b'{');
    let start = out.len();
    for Known(number, name, several, kind) in known {
        let mut values = fields(message).filter(|(found, _)| found == number).peekable();
        if values.peek().is_none() {
            continue;
        }
        if out.len() > start {
            out.push(b',');
        }
        write_text(name, out);
        out.push(b':');
        if !several {
            values.for_each(|(_, field)| value(*kind, &field, out));
            continue;
        }
        out.push(b'[');
        for (place, (_, field)) in values.enumerate() {
            if place > 0 {
                out.push(b',');
            }
            value(*kind, &field, out);
        }
        out.push(b']');
    }
    out.push(b'}');
}

fn value(kind: Kind, field: &Field<'_>, out: &mut Vec<u8>) {
    match (kind, field) {
        (Kind::Text, Field::Bytes(text)) => write_text(&String::from_utf8_lossy(text), out),
        (Kind::Message(known), Field::Bytes(message)) => object(known, message, out),
        (Kind::Long, Field::Number(number)) => write_text(&(*number as i64).to_string(), out),
        (Kind::Long, Field::Fixed64(number)) => write_text(&number.to_string(), out),
        (Kind::Number, Field::Number(number)) => out.extend(number.to_string().bytes()),
        (Kind::Bool, Field::Number(is)) => out.extend((*is != 0).to_string().bytes()),
        (Kind::Double, Field::Fixed64(bits)) => {
            out.extend(f64::from_bits(*bits).to_string().bytes());
        }
        _ => out.extend_from_slice(b"null"),
    }
}
