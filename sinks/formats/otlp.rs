//! An event as an OpenTelemetry log record: which fact stands under which name.
//!
//! Names are those of the semantic conventions 1.37 (<https://opentelemetry.io/docs/specs/semconv/>);
//! what they have no name for stands under `kubearmor.`, so that nothing is lost. The format
//! `otlp` writes one record as OTLP's JSON on a line; the sink `otlp` writes protobuf from the
//! same names.

use std::fmt::Write as _;

use super::{
    deed::has_file,
    names::{Image, Path},
};
use crate::contract::{Event, Gravity, Stream, Value, json::write_text};

/// Where the resource's and the record's attributes are put, one after the other.
pub(crate) trait Attributes {
    /// One attribute. An empty text is none.
    fn put(&mut self, key: &str, value: Value<'_>);

    /// One attribute of text.
    fn text(&mut self, key: &str, value: &str) {
        if !value.is_empty() {
            self.put(key, Value::Str(value));
        }
    }

    /// One attribute of a number that is 0 where it is not known.
    fn number(&mut self, key: &str, value: i64) {
        if value != 0 {
            self.put(key, Value::Int(value));
        }
    }
}

/// Kinds of owners that have a name of their own among Kubernetes' resources.
const OWNERS: [(&str, &str); 6] = [
    ("Deployment", "k8s.deployment.name"),
    ("StatefulSet", "k8s.statefulset.name"),
    ("DaemonSet", "k8s.daemonset.name"),
    ("ReplicaSet", "k8s.replicaset.name"),
    ("Job", "k8s.job.name"),
    ("CronJob", "k8s.cronjob.name"),
];

/// What sent the event: the same for all events of a container.
pub(crate) fn resource(event: &Event<'_>, to: &mut impl Attributes) {
    to.text("service.name", "kubearmor");
    to.text("service.version", event.agent_version());
    to.text("k8s.cluster.name", event.cluster());
    to.text("k8s.node.name", event.host());
    to.text("host.name", event.host());
    to.text("host.id", event.node_id());
    if !event.host_ip().is_empty() {
        to.put("host.ip", Value::List(vec![event.host_ip()]));
    }
    to.text("k8s.namespace.name", event.namespace());
    to.text("k8s.pod.name", event.pod());
    to.text("k8s.container.name", event.container());
    to.text("container.id", event.container_id());
    let image = Image::of(event.image());
    to.text("container.image.name", image.name);
    if !image.tag.is_empty() {
        to.put("container.image.tags", Value::List(vec![image.tag]));
    }
    if !image.digest.is_empty() {
        let whole = format!("{}@{}", image.name, image.digest);
        to.put("container.image.repo_digests", Value::List(vec![&whole]));
    }
    owner(event, to);
    labels(event, to);
}

/// Each attribute stands once, so a label that an agent sends twice is a list.
fn labels(event: &Event<'_>, to: &mut impl Attributes) {
    // The agent's order is random; a resource is told from another by its bytes.
    let mut labels = event.labels();
    labels.sort_unstable();
    for same in labels.chunk_by(|(key, _), (next, _)| key == next) {
        let value = match same {
            [(_, value)] => Value::Str(value),
            several => Value::List(several.iter().map(|(_, value)| *value).collect()),
        };
        to.put(&format!("k8s.pod.label.{}", same[0].0), value);
    }
}

fn owner(event: &Event<'_>, to: &mut impl Attributes) {
    let Some(owner) = event.view.Owner.as_option() else { return };
    match OWNERS.iter().find(|(kind, _)| *kind == owner.Ref) {
        Some((_, key)) if !owner.Name.is_empty() => to.text(key, owner.Name),
        _ => {
            to.text("kubearmor.owner.kind", owner.Ref);
            to.text("kubearmor.owner.name", owner.Name);
        }
    }
    if owner.Namespace != event.namespace() {
        to.text("kubearmor.owner.namespace", owner.Namespace);
    }
}

/// What happened: everything of the event that is not the resource's.
pub(crate) fn attributes(event: &Event<'_>, to: &mut impl Attributes) {
    to.put("log.record.uid", Value::String(event.id().to_string()));
    policy(event, to);
    process(event, to);
    deed(event, to);
    circumstances(event, to);
    told(event, to);
}

fn policy(event: &Event<'_>, to: &mut impl Attributes) {
    to.text("security_rule.name", event.policy());
    to.text("security_rule.ruleset.name", event.event_type());
    let tags = event.tags();
    if let Some(first) = tags.first() {
        to.text("security_rule.category", first);
        to.put("kubearmor.tags", Value::List(tags));
    }
    let techniques = event.mitre();
    if !techniques.is_empty() {
        to.put("kubearmor.mitre", Value::List(techniques));
    }
    field(event, to, "kubearmor.severity", "Severity");
    to.text("kubearmor.message", event.message());
    to.text("kubearmor.level", event.level());
    to.text("kubearmor.action", event.action());
    to.text("kubearmor.enforcer", event.enforcer());
    to.text("kubearmor.result", event.result());
    field(event, to, "kubearmor.max_alerts_per_second", "MaxAlertsPerSec");
    field(event, to, "kubearmor.dropping_interval_seconds", "DroppingAlertsInterval");
}

fn process(event: &Event<'_>, to: &mut impl Attributes) {
    to.number("process.pid", event.host_pid().into());
    to.number("process.vpid", event.pid().into());
    field(event, to, "process.parent_pid", "HostPPID");
    field(event, to, "kubearmor.process.parent_vpid", "PPID");
    to.text("process.executable.path", event.process());
    to.text("process.executable.name", Path::of(event.process()).name);
    to.text("process.command_line", event.command());
    field(event, to, "process.working_directory", "Cwd");
    to.text("kubearmor.process.parent_path", event.parent_process());
    to.text("kubearmor.process.parent_command_line", event.parent_command());
    if !event.process().is_empty() {
        to.put("user.id", Value::String(event.uid().to_string()));
    }
    to.text("user.name", event.user());
    field(event, to, "kubearmor.process.tty", "TTY");
    field(event, to, "kubearmor.process.hash", "ProcessHash");
    field(event, to, "kubearmor.process.parent_hash", "ParentHash");
    field(event, to, "kubearmor.resource_hash", "ResourceHash");
    field(event, to, "kubearmor.hash_algorithm", "HashAlgo");
    field(event, to, "kubearmor.exec_event", "ExecEvent");
}

fn deed(event: &Event<'_>, to: &mut impl Attributes) {
    to.text("kubearmor.operation", event.operation());
    to.text("kubearmor.resource", event.resource());
    if has_file(event) {
        let file = Path::of(event.resource());
        to.text("file.path", event.resource());
        to.text("file.name", file.name);
        to.text("file.directory", file.directory);
    }
    if let Some(network) = event.network() {
        let remote = network.remote();
        to.text("network.transport", &network.protocol.to_ascii_lowercase());
        to.text("network.peer.address", remote.address);
        to.number("network.peer.port", remote.port.unwrap_or_default().into());
        to.text("kubearmor.remote_host", network.remote_host);
    }
    to.text("dns.question.name", event.dns_name());
    to.text("kubearmor.data", event.data());
    field(event, to, "kubearmor.event_data", "EventData");
}

fn circumstances(event: &Event<'_>, to: &mut impl Attributes) {
    to.text("kubearmor.time", event.updated_time());
    field(event, to, "kubearmor.timestamp", "Timestamp");
    field(event, to, "kubearmor.gap.from", "From");
    field(event, to, "kubearmor.gap.to", "To");
    field(event, to, "kubearmor.gap.reason", "Reason");
    field(event, to, "kubearmor.gap.lost", "Lost");
}

fn told(event: &Event<'_>, to: &mut impl Attributes) {
    if let Some(digest) = event.digest() {
        to.text("kubearmor.digest.telling", digest.telling.name());
        to.number("kubearmor.digest.events", i64::try_from(digest.events).unwrap_or(i64::MAX));
        to.number(
            "kubearmor.digest.incidents",
            i64::try_from(digest.incidents).unwrap_or(i64::MAX),
        );
        for (key, counted) in [
            ("kubearmor.digest.pods", &digest.pods),
            ("kubearmor.digest.processes", &digest.processes),
        ] {
            if !counted.is_empty() {
                to.put(key, Value::List(counted.iter().map(|(name, _)| &**name).collect()));
            }
        }
        to.number("kubearmor.digest.first_us", digest.first_us);
        to.number("kubearmor.digest.last_us", digest.last_us);
    }
}

/// A field of KubeArmor's own, where the event has it.
fn field(event: &Event<'_>, to: &mut impl Attributes, key: &str, name: &str) {
    match event.field(name).expect("a field of every event") {
        Value::Str("") | Value::Int(0) => {}
        Value::List(items) if items.is_empty() => {}
        Value::Map(pairs) if pairs.is_empty() => {}
        value => to.put(key, value),
    }
}

/// The severity number of OpenTelemetry's data model, and the source's own word for it.
pub(crate) fn severity<'a>(event: &'a Event<'_>) -> (u8, &'a str) {
    let number = match event.gravity() {
        Gravity::Info => 9,
        Gravity::Low => 10,
        Gravity::Medium => 13,
        Gravity::High => 17,
        Gravity::Critical => 21,
    };
    let text = match event.field("Severity") {
        Some(Value::Str(text)) if !text.is_empty() => text,
        _ if !event.level().is_empty() => event.level(),
        _ => event.gravity().name(),
    };
    (number, text)
}

/// The class of the record.
pub(crate) fn event_name(event: &Event<'_>) -> &'static str {
    match event.stream() {
        _ if event.is_gap() => "sidearm.gap",
        Stream::Alert => "kubearmor.alert",
        Stream::Log => "kubearmor.log",
        Stream::Message => "kubearmor.message",
    }
}

/// The event in one line, for a body.
pub(crate) fn summary(event: &Event<'_>) -> String {
    if let Some(gap) = event.gap() {
        return format!("events from {} to {} may be missing: {}", gap.from, gap.to, gap.reason);
    }
    if !event.message().is_empty() {
        return event.message().to_owned();
    }
    let mut line = String::with_capacity(128);
    for part in [event.action(), event.operation(), event.resource()] {
        if !part.is_empty() {
            let blank = if line.is_empty() { "" } else { " " };
            write!(line, "{blank}{part}").expect("a string takes every write");
        }
    }
    line
}

/// Nanoseconds since 1970; 0 for times before.
pub(crate) fn nanos(micros: i64) -> u64 {
    u64::try_from(micros).unwrap_or(0).saturating_mul(1_000)
}

/// Appends the event as OTLP's JSON: one `LogsData` with one record, without a line end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"resourceLogs\":[{\"resource\":{\"attributes\":[");
    list(out, |to| resource(event, to));
    out.extend_from_slice(b"]},\"scopeLogs\":[{\"scope\":{\"name\":\"sidearm\"},\"logRecords\":[{");
    let (number, text) = severity(event);
    let observed = event.received_us().saturating_mul(1_000);
    append(out, format_args!("\"timeUnixNano\":\"{}\",", nanos(event.time_us())));
    append(out, format_args!("\"observedTimeUnixNano\":\"{observed}\","));
    append(out, format_args!("\"severityNumber\":{number},\"severityText\":"));
    write_text(text, out);
    out.extend_from_slice(b",\"body\":{\"stringValue\":");
    write_text(&summary(event), out);
    out.extend_from_slice(b"},\"attributes\":[");
    list(out, |to| attributes(event, to));
    append(out, format_args!("],\"eventName\":\"{}\"}}]}}]}}]}}", event_name(event)));
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    std::io::Write::write_fmt(out, text).expect("a vector takes every write");
}

/// Attributes as JSON objects with commas between them.
struct Json<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

fn list(out: &mut Vec<u8>, write: impl FnOnce(&mut Json<'_>)) {
    write(&mut Json { out, first: true });
}

impl Attributes for Json<'_> {
    fn put(&mut self, key: &str, value: Value<'_>) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(b"{\"key\":");
        write_text(key, self.out);
        self.out.extend_from_slice(b",\"value\":");
        json_value(&value, self.out);
        self.out.push(b'}');
    }
}

fn json_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => json_text(text, out),
        Value::String(text) => json_text(text, out),
        Value::Int(number) => append(out, format_args!("{{\"intValue\":\"{number}\"}}")),
        Value::Bool(is) => append(out, format_args!("{{\"boolValue\":{is}}}")),
        Value::List(items) => {
            out.extend_from_slice(b"{\"arrayValue\":{\"values\":[");
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                json_text(item, out);
            }
            out.extend_from_slice(b"]}}");
        }
        Value::Map(pairs) => {
            out.extend_from_slice(b"{\"kvlistValue\":{\"values\":[");
            list(out, |to| pairs.iter().for_each(|(key, value)| to.put(key, Value::Str(value))));
            out.extend_from_slice(b"]}}");
        }
    }
}

fn json_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"stringValue\":");
    write_text(text, out);
    out.push(b'}');
}
