//! The document of an event: one JSON object on one line, with `@timestamp`.
//!
//! KubeArmor's own document keeps its members and gets `@timestamp` before them, so dashboards
//! made for the relay's documents go on to work. What is no object becomes a `message`.

use serde::{Deserialize, de::IgnoredAny};

use crate::contract::{Body, Event, Format, write_json_string};

/// What a document may have already.
#[derive(Deserialize)]
struct Head {
    #[serde(rename = "@timestamp")]
    timestamp: Option<IgnoredAny>,
}

const TIMESTAMP: &[u8] = b"{\"@timestamp\":\"";

/// Appends the document, without a line end.
pub(super) fn write(event: &Event<'_>, body: Body<'_>, out: &mut Vec<u8>) {
    if body.format == Format::Json {
        return write_with_time(event, body.bytes, out);
    }
    let mut json = Vec::with_capacity(body.bytes.len() + 2);
    body.write_json(&mut json);
    let is_object = json.starts_with(b"{");
    match serde_json::from_slice::<Head>(&json) {
        _ if json.starts_with(TIMESTAMP) => out.extend_from_slice(&json),
        Ok(Head { timestamp: Some(_) }) if is_object => out.extend_from_slice(&json),
        Ok(Head { timestamp: None }) if is_object => write_with_time(event, &json, out),
        // Text, a number, a list; an object that names its time twice.
        _ => {
            write_time(event, out);
            out.extend_from_slice(b",\"message\":");
            match json.starts_with(b"\"") {
                true => out.extend_from_slice(&json),
                false => write_json_string(&String::from_utf8_lossy(&json), out),
            }
            out.push(b'}');
        }
    }
}

/// Appends an object with the event's time before its members.
fn write_with_time(event: &Event<'_>, object: &[u8], out: &mut Vec<u8>) {
    let members = object.trim_ascii_start().strip_prefix(b"{").unwrap_or(b"}").trim_ascii_start();
    write_time(event, out);
    if members != b"}" {
        out.push(b',');
    }
    out.extend_from_slice(members);
}

fn write_time(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(TIMESTAMP);
    out.extend_from_slice(event.time().as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Arrival, Kind, Overrides, from_json};

    const EVENT: &str = r#"{"UpdatedTime":"2026-09-20T10:11:12.000678Z","Type":"MatchedPolicy"}"#;

    fn document(format: Format, body: &str) -> String {
        let (stream, message) = from_json::read(EVENT).expect("an event");
        let arrival = Arrival { stream, sequence: 1, received_us: 0 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none());
        let mut out = Vec::new();
        write(&event.expect("an event"), Body::new(format, body.as_bytes()), &mut out);
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn an_object_gets_its_time_first_and_all_else_becomes_a_message() {
        const TIME: &str = r#""@timestamp":"2026-09-20T10:11:12.000678Z""#;
        for (format, body, expected) in [
            (Format::Json, r#"{"a":1}"#, format!("{{{TIME},\"a\":1}}")),
            (Format::Json, "{}", format!("{{{TIME}}}")),
            (Format::Text, "a \"b\"\nc", format!("{{{TIME},\"message\":\"a \\\"b\\\"\\nc\"}}")),
            (Format::Template, "{\n\"a\":1}\n", format!("{{{TIME},\"a\":1}}")),
            (Format::Template, "{ }", format!("{{{TIME}}}")),
            (Format::Template, r#"{"@timestamp":5}"#, r#"{"@timestamp":5}"#.to_owned()),
            (Format::Template, r#"{"a":1,"@timestamp":5}"#, r#"{"a":1,"@timestamp":5}"#.to_owned()),
            (
                Format::Template,
                r#"{"a":{"@timestamp":5}}"#,
                format!("{{{TIME},\"a\":{{\"@timestamp\":5}}}}"),
            ),
            (
                Format::Template,
                r#"{"b":1,"@timestamp":5,"@timestamp":6}"#,
                format!(
                    "{{{TIME},\"message\":{}}}",
                    r#""{\"b\":1,\"@timestamp\":5,\"@timestamp\":6}""#
                ),
            ),
            (Format::Template, "[1]", format!("{{{TIME},\"message\":\"[1]\"}}")),
            (Format::Template, "7", format!("{{{TIME},\"message\":\"7\"}}")),
            (Format::Template, "words", format!("{{{TIME},\"message\":\"words\"}}")),
            (Format::Native, "", format!("{{{TIME},\"message\":\"\"}}")),
        ] {
            assert_eq!(document(format, body), expected, "{format:?} {body}");
        }
    }
}
