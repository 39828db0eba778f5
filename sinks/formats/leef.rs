//! Log Event Extended Format 2.0, for IBM QRadar.
//!
//! `LEEF:2.0|KubeArmor|KubeArmor|version|event id|^|key=value^key=value`
//! (<https://www.ibm.com/docs/en/dsm?topic=leef-overview>). QRadar knows an event by its id and
//! `cat`, so both come of small fixed sets. The format has no escapes: a delimiter or a control
//! character in a value is written out (`\x5e`, `\n`), which no longer tells it from its spelling.
//! Keys of our own are `ka` and the field's name, so none is ever one of QRadar's.

#[cfg(test)]
mod tests;

use std::{borrow::Cow, net::IpAddr};

use super::{
    line::{deed, keep_fitting, names, severity},
    text::{self, cut},
    time::Moment,
    untold,
};
use crate::contract::{Endpoint, Event, Value};

/// Not a tab: syslog relays write tabs out, and nothing could then be read.
const DELIMITER: char = '^';
/// The prefix of keys of our own.
const OWN: &str = "ka";
/// The length of names of users and hosts, in characters; bytes here, which is never more.
const MAX_NAME: usize = 255;
/// As long as anybody's version is.
const MAX_VERSION: usize = 64;
/// The form of `devTime`, in the words of Java's `SimpleDateFormat`.
const TIME_FORMAT: &str = "MMM dd yyyy HH:mm:ss.SSS z";

/// Appends the event as one line without its end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut line = Line { told: Vec::with_capacity(24), out };
    line.header(event);
    line.what(event);
    line.network(event);
    line.digest(event);
    let told = std::mem::take(&mut line.told);
    untold::each(event, &told, |[name, part], value| {
        line.pair(&[OWN, name, part], &clean(value));
    });
}

/// As much of a line of ours as fits into so many bytes, and still a line of ours: attributes that
/// find no room are left out whole, for half a number is another number, and a last one says so.
pub fn shortened(line: &str, max_bytes: usize) -> String {
    let head = line.match_indices('|').nth(5).map_or(line.len(), |(at, _)| at + 1);
    keep_fitting(&line[..head], "^", line[head..].split(DELIMITER), "kaCut=true", max_bytes)
}

/// The id of QRadar's map, one for each operation.
fn event_id(event: &Event<'_>) -> &'static str {
    const OPERATIONS: [&str; 8] = [
        "Process",
        "File",
        "Network",
        "Syscall",
        "Capabilities",
        "Device",
        "NetworkFirewall",
        "AlertThreshold",
    ];
    if event.is_gap() {
        return "Gap";
    }
    if event.stream() == crate::contract::Stream::Message {
        return "Message";
    }
    OPERATIONS.into_iter().find(|known| *known == event.operation()).unwrap_or("Other")
}

struct Line<'w> {
    /// KubeArmor's fields that are told whole.
    told: Vec<&'static str>,
    out: &'w mut Vec<u8>,
}

impl Line<'_> {
    fn header(&mut self, event: &Event<'_>) {
        let version = match event.field("KubeArmorVersion") {
            Some(Value::Str(version)) if is_plain_version(version) => {
                self.told.push("KubeArmorVersion");
                version
            }
            _ => "unknown",
        };
        let id = event_id(event);
        let head = format!("LEEF:2.0|KubeArmor|KubeArmor|{version}|{id}|{DELIMITER}|");
        self.out.extend_from_slice(head.as_bytes());
        self.out.extend_from_slice(format!("cat={}", deed(event)).as_bytes());
    }

    fn what(&mut self, event: &Event<'_>) {
        if event.time_us() >= 0 {
            self.pair(&["devTime"], &device_time(event));
            self.pair(&["devTimeFormat"], TIME_FORMAT);
        }
        self.pair(&["sev"], &severity(event).to_string());
        self.own("EventId", &event.id().to_string());
        self.own("Stream", event.stream().name());
        self.own("Gravity", event.gravity().name());
        self.field("usrName", MAX_NAME, "UserName", event.user());
        // QRadar's words: the computer's name, and the policy that applies.
        self.field("resource", usize::MAX, "HostName", event.host());
        self.field("policy", usize::MAX, "PolicyName", event.policy());
        if event.host_ip().parse::<IpAddr>().is_ok() {
            // The name of an identity is read only beside its address.
            self.field("identSrc", MAX_NAME, "HostIP", event.host_ip());
            self.pair(&["identHostName"], &cut(&clean(event.host()), MAX_NAME));
        }
        self.own("Workload", event.workload());
        self.own("Techniques", &event.mitre().join(","));
    }

    fn network(&mut self, event: &Event<'_>) {
        self.own("DnsName", event.dns_name());
        let Some(network) = event.network() else { return };
        // A keyword of IANA's or a number.
        let is_keyword = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if network.protocol.chars().all(is_keyword) {
            self.pair(&["proto"], network.protocol);
        }
        self.endpoint(["src", "srcPort"], network.source);
        self.endpoint(["dst", "dstPort"], network.destination);
    }

    fn endpoint(&mut self, [address, port]: [&str; 2], end: Endpoint<'_>) {
        if end.address.parse::<IpAddr>().is_ok() {
            self.pair(&[address], end.address);
        }
        if let Some(found) = end.port {
            self.pair(&[port], &found.to_string());
        }
    }

    fn digest(&mut self, event: &Event<'_>) {
        let Some(digest) = event.digest() else { return };
        self.own("Telling", digest.telling.name());
        self.own("Count", &digest.events.to_string());
        self.own("Incidents", &digest.incidents.to_string());
        self.own("Pods", &names(&digest.pods));
        self.own("Processes", &names(&digest.processes));
        self.own("FirstMicros", &digest.first_us.to_string());
        self.own("LastMicros", &digest.last_us.to_string());
    }

    /// A field of KubeArmor's under a key that takes so many bytes of it.
    fn field(&mut self, key: &str, max: usize, field: &'static str, value: &str) {
        let value = clean(value);
        self.pair(&[key], &cut(&value, max));
        if value.len() <= max {
            self.told.push(field);
        }
    }

    fn own(&mut self, name: &str, value: &str) {
        self.pair(&[OWN, name], &clean(value));
    }

    /// Appends a value that is clean.
    fn pair(&mut self, key: &[&str], value: &str) {
        if value.is_empty() {
            return;
        }
        self.out.push(DELIMITER as u8);
        key.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
        self.out.push(b'=');
        self.out.extend_from_slice(value.as_bytes());
    }
}

/// Without what would end the value or the line, for there is no escape.
fn clean(value: &str) -> Cow<'_, str> {
    match text::visible(value) {
        visible if visible.contains(DELIMITER) => Cow::Owned(visible.replace(DELIMITER, "\\x5e")),
        visible => visible,
    }
}

/// `Mar 01 2026 08:00:00.000 GMT`, out of `2026-03-01T08:00:00.000001Z`.
fn device_time(event: &Event<'_>) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let mut written = Vec::with_capacity(27);
    Moment::of(event).write(&mut written);
    let part = |from, to| std::str::from_utf8(&written[from..to]).expect("digits and marks");
    let month: usize = part(5, 7).parse().expect("two digits");
    format!("{} {} {} {} GMT", MONTHS[month - 1], part(8, 10), part(0, 4), part(11, 23))
}

fn is_plain_version(version: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && c != '|';
    (1..=MAX_VERSION).contains(&version.len()) && version.chars().all(plain)
}
