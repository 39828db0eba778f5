//! One message of RFC 5424, never longer than it may be: the body gives way, the header does not.

use std::{borrow::Cow, io::Write as _};

use super::{Framing, Syslog};
use crate::{
    contract::{Body, Event, Format, Gravity, Stream},
    formats::{Moment, WRITABLE_US, cef, cut, leef, shortened_json, visible, write_escaped},
};

/// HOSTNAME at most.
const MAX_HOSTNAME_BYTES: usize = 255;
/// As much of a value as stands in the structured element: no name in Kubernetes is longer.
const MAX_VALUE_BYTES: usize = 253;
/// What is left for the body at least, where the structured element must give way.
const LEAST_BODY_BYTES: usize = 64;
const BOM: &str = "\u{feff}";

/// PRINTUSASCII
pub(super) fn is_header_text(c: char) -> bool {
    c.is_ascii_graphic()
}

impl Syslog {
    pub(super) fn write_message(&self, event: &Event<'_>, body: Body<'_>, out: &mut Vec<u8>) {
        let max = self.max_message();
        self.write_header(event, out);
        let header = out.len();
        self.write_structured(event, PARAMS, out);
        if self.structured_data && out.len() + LEAST_BODY_BYTES > max {
            out.truncate(header);
            self.write_structured(event, &PARAMS[..1], out);
        }
        out.push(b' ');
        if self.bom {
            out.extend_from_slice(BOM.as_bytes());
        }
        let room = max.saturating_sub(out.len());
        let body = self.body(event, body);
        match body.1 {
            _ if body.0.len() <= room => out.extend_from_slice(body.0.as_bytes()),
            Format::Cef => extend_within(out, max, &cef::shortened(&body.0, room)),
            Format::Leef => extend_within(out, max, &leef::shortened(&body.0, room)),
            // Half of an object could not be read; where even a shorter one is too long, people at
            // least are told.
            format if format.is_json() => {
                let shorter = shortened_json(&body.0, room).unwrap_or_else(|| line(event));
                extend_within(out, max, &shorter);
            }
            _ => extend_within(out, max, &cut(&body.0, room)),
        }
    }

    fn write_header(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let hostname = match &self.hostname {
            Some(hostname) => Cow::Owned(hostname.complete(event, is_header_text)),
            None => Cow::Borrowed(event.host()),
        };
        let hostname = header_text(&hostname);
        let priority = u16::from(self.facility.0) * 8 + severity(event.gravity());
        let app = &self.app_name.0;
        let kind = match event.stream() {
            _ if event.is_gap() => "gap",
            Stream::Alert => "alert",
            Stream::Log => "log",
            Stream::Message => "message",
        };
        write!(out, "<{priority}>1 ").expect("a vector takes every write");
        write_time(event, out);
        write!(out, " {hostname} {app} - {kind} ").expect("a vector takes every write");
    }

    fn write_structured(&self, event: &Event<'_>, params: &[Param], out: &mut Vec<u8>) {
        if !self.structured_data {
            out.push(b'-');
            return;
        }
        write!(out, "[kubearmor@{}", self.enterprise_id).expect("a vector takes every write");
        for (name, value) in params {
            let value = value(event);
            if !value.is_empty() {
                out.push(b' ');
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"=\"");
                write_value(&cut(&visible(&value), MAX_VALUE_BYTES), out);
                out.push(b'"');
            }
        }
        out.push(b']');
    }

    /// The body as it goes into a frame, and the format by which it may be shortened.
    fn body<'b>(&self, event: &Event<'_>, body: Body<'b>) -> (Cow<'b, str>, Format) {
        let text = match body.format {
            Format::Native => Cow::Owned(line(event)),
            _ => body.text(),
        };
        let ends = ['\n', '\r', '\0'];
        let text = match self.framing() {
            Some(Framing::Newline) if text.contains(ends) => {
                Cow::Owned(visible(text.trim_end_matches(ends)).into_owned())
            }
            _ => text,
        };
        (text, body.format)
    }
}

/// Without a character too many, whatever the shortest form of a body is.
fn extend_within(out: &mut Vec<u8>, max: usize, text: &str) {
    let room = max.saturating_sub(out.len());
    out.extend_from_slice(cut(text, room).as_bytes());
}

/// A name of the structured element, and its value.
type Param = (&'static str, for<'e> fn(&'e Event<'_>) -> Cow<'e, str>);

const PARAMS: &[Param] = &[
    ("event_id", |event| event.id().to_string().into()),
    ("stream", |event| event.stream().name().into()),
    ("policy", |event| event.policy().into()),
    ("namespace", |event| event.namespace().into()),
    ("pod", |event| event.pod().into()),
    ("action", |event| event.action().into()),
    ("operation", |event| event.operation().into()),
    ("severity", |event| event.severity().map(|it| it.to_string()).unwrap_or_default().into()),
];

/// RFC 5424, 6.3.3: three characters are escaped.
fn write_value(value: &str, out: &mut Vec<u8>) {
    write_escaped(value, out, |byte| match byte {
        b'"' => Some("\\\""),
        b'\\' => Some("\\\\"),
        b']' => Some("\\]"),
        _ => None,
    });
}

fn severity(gravity: Gravity) -> u16 {
    match gravity {
        Gravity::Critical => 2,
        Gravity::High => 3,
        Gravity::Medium => 4,
        Gravity::Low => 5,
        Gravity::Info => 6,
    }
}

/// A text as it may stand in the header; `-` for none.
fn header_text(text: &str) -> Cow<'_, str> {
    if text.is_empty() {
        return Cow::Borrowed("-");
    }
    if text.len() <= MAX_HOSTNAME_BYTES && text.chars().all(is_header_text) {
        return Cow::Borrowed(text);
    }
    let graphic = text.chars().map(|c| if is_header_text(c) { c } else { '_' });
    graphic.take(MAX_HOSTNAME_BYTES).collect()
}

/// RFC 3339 with microseconds; nothing known where that cannot be written.
fn write_time(event: &Event<'_>, out: &mut Vec<u8>) {
    match WRITABLE_US.contains(&event.time_us()) {
        true => Moment::of(event).write(out),
        false => out.push(b'-'),
    }
}

/// What happened, in one line for people: the body of the format `native`.
fn line(event: &Event<'_>) -> String {
    let mut line = String::with_capacity(256);
    let mut part = |before: &str, text: &str| {
        if !text.is_empty() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(before);
            line.push_str(&visible(text));
        }
    };
    if let Some(gap) = event.gap() {
        part("", "events may be missing");
        part("from ", &gap.from);
        part("to ", &gap.to);
        part("because ", gap.reason);
        return line;
    }
    let place: Vec<_> = [event.namespace(), event.pod(), event.container()]
        .into_iter()
        .filter(|name| !name.is_empty())
        .collect();
    part("", event.level());
    part("", event.action());
    part("", event.operation());
    part("", event.resource());
    part("by ", event.process());
    part("from ", event.parent_process());
    part("in ", &place.join("/"));
    part("policy ", event.policy());
    part("result ", event.result());
    part("- ", event.message());
    if line.is_empty() {
        line.push_str("activity");
    }
    line
}
