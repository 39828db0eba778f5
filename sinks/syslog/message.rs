//! One message of RFC 5424, never longer than it may be: the body gives way, the header does not.

use std::{borrow::Cow, io::Write as _};

use super::{Framing, Syslog};
use crate::{
    contract::{Body, Event, Format, Gravity, Stream},
    formats::{cef, cut, leef, visible},
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
            _ => extend_within(out, max, &cut(&body.0, room)),
        }
    }

    fn write_header(&self, event: &Event<'_>, out: &mut Vec<u8>) {
        let hostname = match &self.hostname {
            Some(hostname) => hostname.complete(event, is_header_text),
            None => event.host().to_owned(),
        };
        let hostname: String = hostname
            .chars()
            .map(|c| if is_header_text(c) { c } else { '_' })
            .take(MAX_HOSTNAME_BYTES)
            .collect();
        let hostname = if hostname.is_empty() { "-" } else { &hostname };
        let priority = u16::from(self.facility.0) * 8 + severity(event.gravity());
        let (time, app) = (time(event), &self.app_name.0);
        let kind = match event.stream() {
            _ if event.is_gap() => "gap",
            Stream::Alert => "alert",
            Stream::Log => "log",
            Stream::Message => "message",
        };
        write!(out, "<{priority}>1 {time} {hostname} {app} - {kind} ")
            .expect("a vector takes every write");
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
                write!(out, " {name}=\"").expect("a vector takes every write");
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
            _ => String::from_utf8_lossy(body.bytes),
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
type Param = (&'static str, fn(&Event<'_>) -> String);

const PARAMS: &[Param] = &[
    ("event_id", |event| event.id().to_string()),
    ("stream", |event| event.stream().name().to_owned()),
    ("policy", |event| event.policy().to_owned()),
    ("namespace", |event| event.namespace().to_owned()),
    ("pod", |event| event.pod().to_owned()),
    ("action", |event| event.action().to_owned()),
    ("operation", |event| event.operation().to_owned()),
    ("severity", |event| event.severity().map(|it| it.to_string()).unwrap_or_default()),
];

/// RFC 5424, 6.3.3: three characters are escaped.
fn write_value(value: &str, out: &mut Vec<u8>) {
    for byte in value.bytes() {
        if matches!(byte, b'"' | b'\\' | b']') {
            out.push(b'\\');
        }
        out.push(byte);
    }
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

/// RFC 3339 with microseconds; nothing known where the year has not four digits.
fn time(event: &Event<'_>) -> String {
    let moment = jiff::Timestamp::from_microsecond(event.time_us()).ok();
    let text = moment.map(|moment| moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
    // A year before 0 begins with its sign.
    text.filter(|text| text.len() == "2026-03-02T09:14:10.523092Z".len() && !text.starts_with('-'))
        .unwrap_or_else(|| "-".to_owned())
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
