//! The body of an event on its way from the engine, which renders it, to the sink that sends it.

use std::borrow::Cow;

use serde_json::Value;

use super::Format;

/// What the engine rendered of one event.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    /// How it was rendered.
    pub format: Format,
    /// The body itself: UTF-8, no line end of its own.
    pub bytes: &'a [u8],
    /// Whether it says by itself how many events a message stands for.
    pub counts: bool,
}

impl<'a> Body<'a> {
    /// One that speaks of its event alone.
    pub fn new(format: Format, bytes: &'a [u8]) -> Self {
        Self { format, bytes, counts: false }
    }

    /// Whether it is JSON: by its format, or by what a template wrote. A number that no reader can
    /// hold is none, though the grammar allows it.
    pub fn is_json(&self) -> bool {
        match self.format {
            Format::Template => serde_json::from_slice::<Value>(self.bytes).is_ok(),
            format => format.is_json(),
        }
    }

    /// It as text; bytes that are none become marks.
    pub fn text(&self) -> Cow<'a, str> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(self.bytes),
        }
    }

    /// Appends it as one JSON value on one line: as it is where it is JSON, else as a JSON string.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self.format {
            _ if !self.is_json() => write_json_string(&self.text(), out),
            // A line end inside JSON can only stand between its values.
            Format::Template => out.extend(self.bytes.trim_ascii().iter().map(|byte| match byte {
                b'\n' | b'\r' => b' ',
                byte => *byte,
            })),
            _ => out.extend_from_slice(self.bytes),
        }
    }

    /// Appends it as one or more whole lines.
    pub fn write_lines(&self, out: &mut Vec<u8>) {
        let end = self.bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r'));
        out.extend_from_slice(&self.bytes[..end.map_or(0, |last| last + 1)]);
        out.push(b'\n');
    }
}

/// Appends a text as a JSON string, quotes and all.
pub(crate) fn write_json_string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a vector takes every write, and text is JSON");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(format: Format, body: &str) -> String {
        let mut out = Vec::new();
        Body::new(format, body.as_bytes()).write_json(&mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn what_is_json_stays_as_it_is_and_all_else_becomes_a_string() {
        assert_eq!(json(Format::Json, r#"{"a":1}"#), r#"{"a":1}"#);
        assert_eq!(json(Format::Template, "{\"a\":\n 1}\n"), r#"{"a":  1}"#);
        assert_eq!(json(Format::Template, "{\"a\": }"), r#""{\"a\": }""#);
        let number = "1".repeat(400);
        assert_eq!(json(Format::Template, &number), format!("\"{number}\""));
        assert_eq!(json(Format::Text, "a \"b\"\n"), r#""a \"b\"\n""#);
        assert_eq!(json(Format::Template, ""), r#""""#);
    }

    #[test]
    fn lines_end_once() {
        for body in ["a\nb", "a\nb\n", "a\nb\r\n\n"] {
            let mut out = Vec::new();
            Body::new(Format::Template, body.as_bytes()).write_lines(&mut out);
            assert_eq!(out, b"a\nb\n");
        }
    }
}
