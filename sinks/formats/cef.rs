//! Common Event Format, version 0: ArcSight, Microsoft Sentinel (`CommonSecurityLog`) and most
//! SIEMs read it.
//!
//! `CEF:0|KubeArmor|KubeArmor|version|policy or operation|name|severity|key=value key=value`
//! Keys, types and lengths are those of the standard's dictionary
//! (<https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors-25.1/cef-implementation-standard/>);
//! what it has no key for stands under keys of our own, `KubeArmor` and the field's name. A value
//! too long for its key is cut there and stands whole under ours, so nothing KubeArmor sent is
//! lost but the difference between a control character and its spelling (`\x1b`).

#[cfg(test)]
mod grammar;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, net::IpAddr};

use super::{
    deed::has_file,
    line::{deed, keep_fitting, names, severity},
    text::{self, cut},
    untold,
};
use crate::contract::{Direction, Endpoint, Event, Network, Stream, Value, json::write_int};

/// The prefix of keys of our own. The standard asks for the vendor's and the product's name, and
/// both are this.
const OWN: &str = "KubeArmor";

/// The header's fields, in bytes: the standard allows 1023 and 512 characters for the last two, and
/// no name in Kubernetes needs that. What is left fits into a datagram beside a syslog header.
const MAX_VERSION: usize = 31;
const MAX_CLASS: usize = 255;
const MAX_NAME: usize = 128;
/// The length of most texts of the dictionary, and that of `cs1` to `cs6`.
const MAX_TEXT: usize = 1023;
const MAX_CUSTOM: usize = 4000;

/// Appends the event as one line without its end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let mut told = Vec::with_capacity(32);
    write_header(event, &mut told, out);
    let mut extension = Extension { event, told, out, is_empty: true };
    extension.deed();
    extension.place();
    extension.processes();
    extension.network();
    extension.object();
    extension.times();
    extension.rest();
}

/// As much of a line of ours as fits into so many bytes, and still a line of ours: pairs that find
/// no room are left out whole, for half a number is another number, and a last pair says so.
pub fn shortened(line: &str, max_bytes: usize) -> String {
    let body = header_end(line);
    let mut starts = vec![];
    let mut escaped = false;
    for (at, byte) in line.bytes().enumerate().skip(body) {
        if byte == b'=' && !escaped {
            let start = line[body..at].rfind(' ').map_or(body, |space| body + space + 1);
            // A label and what it labels go together.
            let is_labelled = starts.last().is_some_and(|last| is_label(&line[*last..start]));
            if !is_labelled {
                starts.push(start);
            }
        }
        escaped = byte == b'\\' && !escaped;
    }
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([line.len()]);
    let units = starts.iter().zip(ends).map(|(start, end)| &line[*start..end]);
    keep_fitting(&line[..body], " ", units, CUT, max_bytes)
}

/// Says that pairs were left out.
const CUT: &str = "KubeArmorCut=true";

fn is_label(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(key, _)| key.ends_with("Label"))
}

/// Behind the pipe that ends the header.
fn header_end(line: &str) -> usize {
    let (mut pipes, mut escaped) = (0, false);
    let end = line.bytes().position(|byte| {
        pipes += u8::from(byte == b'|' && !escaped);
        escaped = byte == b'\\' && !escaped;
        pipes == 7
    });
    end.map_or(line.len(), |at| at + 1)
}

fn write_header(event: &Event<'_>, told: &mut Vec<&'static str>, out: &mut Vec<u8>) {
    let version = text_of(event, "KubeArmorVersion");
    let operation = event.operation();
    let (class, is_policy) = match event.policy() {
        "" if operation.is_empty() => (event.event_type(), false),
        "" => (operation, false),
        policy => (policy, true),
    };
    let (version, class) = (visible_or_unknown(version), visible_or_unknown(class));
    out.extend_from_slice(b"CEF:0|KubeArmor|KubeArmor|");
    write_header_text(&cut(&version, MAX_VERSION), out);
    out.push(b'|');
    write_header_text(&cut(&class, MAX_CLASS), out);
    out.push(b'|');
    write_header_text(&cut(&text::visible(&name(event)), MAX_NAME), out);
    out.push(b'|');
    write_int(out, severity(event).into());
    out.push(b'|');
    if version.len() <= MAX_VERSION {
        told.push("KubeArmorVersion");
    }
    if is_policy && class.len() <= MAX_CLASS {
        told.push("PolicyName");
    }
    if event.severity().is_some_and(|number| text_of(event, "Severity") == number.to_string()) {
        told.push("Severity");
    }
}

fn visible_or_unknown(text: &str) -> Cow<'_, str> {
    if text.is_empty() { "unknown".into() } else { text::visible(text) }
}

/// What happened, without what other fields tell: `Process blocked`.
fn name(event: &Event<'_>) -> String {
    match (event.stream(), event.operation()) {
        _ if event.is_gap() => "Events may be missing".to_owned(),
        _ if event.is_throttle_notice() => "Alerts of a container throttled".to_owned(),
        (Stream::Message, _) => "Agent message".to_owned(),
        (_, "") => format!("Activity {}", deed(event)),
        (_, operation) => format!("{operation} {}", deed(event)),
    }
}

fn write_header_text(value: &str, out: &mut Vec<u8>) {
    text::write_escaped(value, out, |byte| match byte {
        b'\\' => Some("\\\\"),
        b'|' => Some("\\|"),
        _ => None,
    });
}

fn text_of<'e>(event: &'e Event<'_>, field: &str) -> &'e str {
    match event.field(field) {
        Some(Value::Str(text)) => text,
        _ => "",
    }
}

/// The keys and values behind the header.
struct Extension<'w> {
    event: &'w Event<'w>,
    /// KubeArmor's fields that are told whole.
    told: Vec<&'static str>,
    out: &'w mut Vec<u8>,
    is_empty: bool,
}

impl Extension<'_> {
    fn deed(&mut self) {
        let event = self.event;
        self.text("externalId", 40, &event.id().to_string());
        if event.time_us() >= 0 {
            self.number("rt", event.time_us() / 1_000);
        }
        if number_of(event, "Timestamp") == event.time_us().div_euclid(1_000_000) {
            self.told.push("Timestamp");
        }
        self.field("act", 63, "Action", event.action());
        self.field("outcome", 63, "Result", event.result());
        self.field("cat", MAX_TEXT, "Operation", event.operation());
        self.field("msg", MAX_TEXT, "Message", event.message());
        self.field("deviceFacility", MAX_TEXT, "Enforcer", event.enforcer());
        if let Some(gap) = event.gap() {
            self.field("reason", MAX_TEXT, "Reason", gap.reason);
        }
    }

    fn place(&mut self) {
        let event = self.event;
        self.field("dvchost", 100, "HostName", event.host());
        self.field("deviceExternalId", 255, "NodeID", event.node_id());
        if let Ok(IpAddr::V4(address)) = event.host_ip().parse() {
            self.field("dvc", 15, "HostIP", &address.to_string());
        }
        self.custom("cs1", "cluster", "ClusterName", event.cluster());
        self.custom("cs2", "namespace", "NamespaceName", event.namespace());
        self.custom("cs3", "pod", "PodName", event.pod());
        self.custom("cs4", "container", "ContainerName", event.container());
        self.custom("cs5", "image", "ContainerImage", event.image());
        let tags = text_of(event, "Tags");
        let list = event.tags();
        let shown = if tags.is_empty() { Cow::Owned(list.join(",")) } else { Cow::Borrowed(tags) };
        self.custom("cs6", "tags", "Tags", &shown);
        // The list says no more than the text.
        if shown.split(',').eq(list) && shown.len() <= MAX_CUSTOM {
            self.told.push("ATags");
        }
    }

    /// The acting process is the destination's, its parent the source's: the one made the other.
    fn processes(&mut self) {
        let event = self.event;
        self.field("sproc", MAX_TEXT, "ParentProcessName", event.parent_process());
        self.process_id("spid", "HostPPID");
        self.field("dproc", MAX_TEXT, "ProcessName", event.process());
        self.process_id("dpid", "HostPID");
        if event.uid() != 0 || !event.process().is_empty() {
            self.field("suid", MAX_TEXT, "UID", &event.uid().to_string());
        }
        self.field("suser", MAX_TEXT, "UserName", event.user());
        self.custom_number("cn1", "containerPID", "PID");
        self.custom_number("cn2", "containerParentPID", "PPID");
        // The command line has no key, and is what an analyst looks for first.
        if !event.command().is_empty() {
            let field = if event.starts_program() { "Resource" } else { "Source" };
            self.label("flexString2", "commandLine");
            self.field("flexString2", MAX_TEXT, field, event.command());
        }
    }

    fn network(&mut self) {
        let event = self.event;
        self.text("dhost", MAX_TEXT, event.dns_name());
        let Some(Network { direction, protocol, source, destination, .. }) = event.network() else {
            return;
        };
        self.number("deviceDirection", (direction == Direction::Out).into());
        self.text("proto", 31, protocol);
        self.endpoint(["src", "spt", "c6a1"], "Source IPv6 Address", source);
        self.endpoint(["dst", "dpt", "c6a3"], "Destination IPv6 Address", destination);
    }

    /// `src` and `dst` are of version 4; the other has keys of its own.
    fn endpoint(&mut self, keys: [&str; 3], label: &str, end: Endpoint<'_>) {
        let [address, port, address6] = keys;
        match end.address.parse() {
            Ok(IpAddr::V4(found)) => {
                self.text(address, 15, &found.to_string());
            }
            Ok(IpAddr::V6(found)) => {
                self.label(address6, label);
                self.text(address6, 45, &found.to_string());
            }
            Err(_) => {}
        }
        if let Some(found) = end.port {
            self.number(port, found.into());
        }
    }

    fn object(&mut self) {
        let event = self.event;
        let resource = event.resource();
        if has_file(event) {
            self.field("filePath", MAX_TEXT, "Resource", resource);
            self.text("fname", MAX_TEXT, resource.rsplit('/').next().unwrap_or_default());
            let hash = text_of(event, "ResourceHash");
            self.field("fileHash", 255, "ResourceHash", hash);
        } else if !resource.is_empty() && !event.starts_program() {
            self.label("flexString1", "resource");
            self.field("flexString1", MAX_TEXT, "Resource", resource);
        }
    }

    /// The times of a gap, or of the events that a message stands for.
    fn times(&mut self) {
        let Some(digest) = self.event.digest() else {
            if let Some(gap) = self.event.gap() {
                self.time("start", gap.from_us);
                self.time("end", gap.to_us);
            }
            return;
        };
        self.number("type", 1);
        self.number("cnt", i32::try_from(digest.events).unwrap_or(i32::MAX).into());
        self.time("start", digest.first_us);
        self.time("end", digest.last_us);
        self.own("Telling", digest.telling.name());
        self.own("Incidents", &digest.incidents.to_string());
        self.own("Pods", &names(&digest.pods));
        self.own("Processes", &names(&digest.processes));
    }

    fn rest(&mut self) {
        self.own("Techniques", &self.event.mitre().join(","));
        let told = std::mem::take(&mut self.told);
        untold::each(self.event, &told, |[name, part], value| {
            self.pair(&[OWN, name, part], &visible(value));
        });
        // Never empty and without a space: a space at the end of the last value would be lost.
        self.own("Stream", self.event.stream().name());
    }

    /// A field of KubeArmor's under a key that takes so many bytes of it.
    fn field(&mut self, key: &str, max: usize, field: &'static str, value: &str) {
        if self.text(key, max, value) {
            self.told.push(field);
        }
    }

    fn custom(&mut self, key: &str, label: &str, field: &'static str, value: &str) {
        if !value.is_empty() {
            self.label(key, label);
        }
        self.field(key, MAX_CUSTOM, field, value);
    }

    fn process_id(&mut self, key: &str, field: &'static str) {
        let number = number_of(self.event, field);
        if number > 0 {
            self.number(key, number);
            self.told.push(field);
        }
    }

    fn custom_number(&mut self, key: &str, label: &str, field: &'static str) {
        let number = number_of(self.event, field);
        if number != 0 {
            self.label(key, label);
            self.number(key, number);
        }
        self.told.push(field);
    }

    fn time(&mut self, key: &str, time_us: i64) {
        if time_us >= 0 {
            self.number(key, time_us / 1_000);
        }
    }

    fn number(&mut self, key: &str, number: i64) {
        self.key(&[key]);
        write_int(self.out, number);
    }

    /// Answers whether all of it found room.
    fn text(&mut self, key: &str, max: usize, value: &str) -> bool {
        let value = visible(value);
        self.pair(&[key], &cut(&value, max));
        value.len() <= max
    }

    /// What a key of several meanings means here.
    fn label(&mut self, key: &str, label: &str) {
        self.pair(&[key, "Label"], label);
    }

    fn own(&mut self, name: &str, value: &str) {
        self.pair(&[OWN, name], &visible(value));
    }

    fn key(&mut self, key: &[&str]) {
        if !std::mem::replace(&mut self.is_empty, false) {
            self.out.push(b' ');
        }
        key.iter().for_each(|part| self.out.extend_from_slice(part.as_bytes()));
        self.out.push(b'=');
    }

    fn pair(&mut self, key: &[&str], value: &str) {
        if value.is_empty() {
            return;
        }
        self.key(key);
        text::write_escaped(value, self.out, |byte| match byte {
            b'\\' => Some("\\\\"),
            b'=' => Some("\\="),
            b'\n' => Some("\\n"),
            b'\r' => Some("\\r"),
            _ => None,
        });
    }
}

/// With the control characters written out that the standard has no escape for.
fn visible(value: &str) -> Cow<'_, str> {
    text::visible_where(value, |c| !matches!(c, '\n' | '\r'))
}

fn number_of(event: &Event<'_>, field: &str) -> i64 {
    match event.field(field) {
        Some(Value::Int(number)) => number,
        _ => 0,
    }
}
