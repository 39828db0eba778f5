//! The names that filters and templates may use, what each holds and how it is read.

use std::{collections::HashMap, sync::LazyLock};

use super::Event;

/// The value of a field, as filters and templates see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text; empty where the event has none.
    Str(&'a str),
    /// Text that had to be made.
    String(String),
    /// A number; 0 where the event has none.
    Int(i64),
    /// A condition.
    Bool(bool),
    /// Several texts.
    List(Vec<&'a str>),
    /// Named texts.
    Map(Vec<(&'a str, &'a str)>),
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// [`Value::Str`] or [`Value::String`].
    Text,
    /// [`Value::Int`].
    Number,
    /// [`Value::Bool`].
    Condition,
    /// [`Value::List`].
    List,
    /// [`Value::Map`].
    Map,
}

/// A name that filters and templates may use.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name, as people write it.
    pub name: &'static str,
    /// What it means, in one line.
    pub help: &'static str,
    read: Read,
}

/// How it is read.
#[derive(Debug, Clone, Copy)]
enum Read {
    Text(for<'e> fn(&'e Event<'_>) -> &'e str),
    Made(fn(&Event<'_>) -> String),
    Number(fn(&Event<'_>) -> i64),
    Condition(fn(&Event<'_>) -> bool),
    List(for<'e> fn(&'e Event<'_>) -> Vec<&'e str>),
    Map(for<'e> fn(&'e Event<'_>) -> Pairs<'e>),
}

type Pairs<'e> = Vec<(&'e str, &'e str)>;

impl Field {
    /// The field of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        static BY_NAME: LazyLock<HashMap<&str, &Field>> =
            LazyLock::new(|| FIELDS.iter().map(|field| (field.name, field)).collect());
        BY_NAME.get(name).copied()
    }

    /// Whether it is one of KubeArmor's own or of a gap record, rather than derived.
    pub fn is_own(&self) -> bool {
        self.name.starts_with(|c: char| c.is_ascii_uppercase())
    }

    /// What it holds.
    pub fn kind(&self) -> FieldKind {
        match self.read {
            Read::Text(_) | Read::Made(_) => FieldKind::Text,
            Read::Number(_) => FieldKind::Number,
            Read::Condition(_) => FieldKind::Condition,
            Read::List(_) => FieldKind::List,
            Read::Map(_) => FieldKind::Map,
        }
    }

    /// What it is for this event.
    pub fn of<'e>(&self, event: &'e Event<'_>) -> Value<'e> {
        match self.read {
            Read::Text(read) => Value::Str(read(event)),
            Read::Made(make) => Value::String(make(event)),
            Read::Number(read) => Value::Int(read(event)),
            Read::Condition(read) => Value::Bool(read(event)),
            Read::List(read) => Value::List(read(event)),
            Read::Map(read) => Value::Map(read(event)),
        }
    }
}

impl Event<'_> {
    /// The value of a field of [`FIELDS`]; nothing for any other name.
    pub fn field(&self, name: &str) -> Option<Value<'_>> {
        Field::named(name).map(|field| field.of(self))
    }
}

/// Every name that filters and templates may use: KubeArmor's own, then the derived ones. Each
/// is there for every event; what an event does not have is empty or 0.
#[rustfmt::skip]
pub const FIELDS: &[Field] = &[
    number("Timestamp", |event| event.view.Timestamp, "when it happened, in whole seconds since 1970"),
    text("UpdatedTime", |event| event.updated_time(), "when it happened, RFC 3339 with microseconds, UTC"),
    text("ClusterName", |event| event.view.ClusterName, "the cluster, as configured where the agent only says \"default\""),
    text("HostName", |event| event.view.HostName, "the node"),
    text("HostIP", |event| event.host_ip(), "the node's address (messages)"),
    text("NamespaceName", |event| event.view.NamespaceName, "the pod's namespace"),
    map("Owner", owner_parts, "what the pod belongs to: Ref (its kind), Name, Namespace"),
    text("PodName", |event| event.view.PodName, "the pod"),
    text("Labels", |event| event.view.Labels, "the pod's labels, as k=v,k=v"),
    text("ContainerID", |event| event.view.ContainerID, "the container's id"),
    text("ContainerName", |event| event.view.ContainerName, "the container"),
    text("ContainerImage", |event| event.view.ContainerImage, "the container's image"),
    number("HostPPID", |event| event.view.HostPPID.into(), "the parent process' id on the node"),
    number("HostPID", |event| event.view.HostPID.into(), "the process' id on the node"),
    number("PPID", |event| event.view.PPID.into(), "the parent process' id in the container"),
    number("PID", |event| event.view.PID.into(), "the process' id in the container"),
    number("UID", |event| event.view.UID.into(), "the user's id"),
    text("UserName", |event| event.view.UserName, "the user's name (hosts)"),
    text("ParentProcessName", |event| event.view.ParentProcessName, "the parent process' path"),
    text("ProcessName", |event| event.view.ProcessName, "the process' path"),
    text("PolicyName", |event| event.view.PolicyName, "the policy that matched; DefaultPosture where none did (alerts)"),
    text("Severity", |event| event.view.Severity, "the policy's severity, \"1\" to \"10\" (alerts)"),
    text("Tags", |event| event.view.Tags, "the policy's tags, with commas (alerts)"),
    list("ATags", |event| event.view.ATags.to_vec(), "the policy's tags, as a list (alerts)"),
    text("Message", |event| event.view.Message, "the policy's message (alerts), or the agent's (messages)"),
    text("Type", |event| event.view.Type, "MatchedPolicy, MatchedHostPolicy, SystemEvent, ContainerLog, HostLog, ..."),
    text("Level", |event| event.level(), "INFO, DEBUG, WARN or ERROR (messages)"),
    text("Source", |event| event.view.Source, "the acting process' command line"),
    text("Operation", |event| event.view.Operation, "Process, File, Network, Syscall, Capabilities, Device, ..."),
    text("Resource", |event| event.view.Resource, "what was acted upon: a path, a command line, a socket"),
    text("Data", |event| event.view.Data, "the call and its arguments, as the agent writes them"),
    map("EventData", data_in_order, "the call and its arguments, as pairs"),
    text("Enforcer", |event| event.view.Enforcer, "who saw or stopped it: BPFLSM, AppArmor, eBPF Monitor, ... (alerts)"),
    text("Action", |event| event.view.Action, "Block, Audit or Audit (Block) (alerts)"),
    text("Result", |event| event.view.Result, "Passed, or why it did not"),
    text("Cwd", |event| event.view.Cwd, "the process' working directory"),
    text("TTY", |event| event.view.TTY, "the process' terminal"),
    number("MaxAlertsPerSec", |event| event.view.MaxAlertsPerSec.into(), "the limit a container went over (throttle notices)"),
    number("DroppingAlertsInterval", |event| event.view.DroppingAlertsInterval.into(), "seconds its alerts are dropped for (throttle notices)"),
    map("ExecEvent", exec_parts, "the execution it belongs to: ExecID, ExecutableName"),
    text("KubeArmorVersion", |event| event.view.KubeArmorVersion, "the agent's version, where it says so"),
    text("NodeID", |event| event.view.NodeID, "the node's id"),
    text("ProcessHash", |event| event.view.ProcessHash, "the process' file's hash"),
    text("ParentHash", |event| event.view.ParentHash, "the parent process' file's hash"),
    text("ResourceHash", |event| event.view.ResourceHash, "the resource's hash"),
    text("HashAlgo", |event| event.view.HashAlgo, "how the hashes were made"),
    text("From", |event| event.gap().map_or("", |gap| &gap.from), "the last moment known to be whole (gap records)"),
    text("To", |event| event.gap().map_or("", |gap| &gap.to), "whole again from here (gap records)"),
    text("Reason", |event| event.gap().map_or("", |gap| gap.reason), "why events may have been missed (gap records)"),
    number("Lost", |event| count(event.gap().map_or(0, |gap| gap.lost)), "events known to be lost (gap records)"),
    text("stream", |event| event.stream().name(), "alert, message or log"),
    number("severity", |event| event.severity().unwrap_or_default().into(), "Severity as a number from 1 to 10; 0 where there is none"),
    condition("blocked", |event| event.blocked(), "whether KubeArmor stopped it (Action is Block)"),
    list("tags", |event| event.tags(), "ATags, or Tags cut at its commas"),
    list("mitre", |event| event.mitre(), "the MITRE ATT&CK techniques among the tags, as T1036 or T1552.001"),
    map("labels", |event| event.labels(), "Labels, as pairs"),
    map("event_data", |event| event.event_data(), "EventData, completed from Data and Resource"),
    text("cluster", |event| event.view.ClusterName, "ClusterName"),
    text("host", |event| event.view.HostName, "HostName"),
    text("namespace", |event| event.view.NamespaceName, "NamespaceName (templates only: CEL keeps the word for itself)"),
    text("pod", |event| event.view.PodName, "PodName"),
    text("container", |event| event.view.ContainerName, "ContainerName"),
    text("image", |event| event.view.ContainerImage, "ContainerImage"),
    made("owner", owner_name, "the owner, as Deployment/checkout"),
    text("gravity", |event| event.gravity().name(), "how grave it is, by [severity]: info, low, medium, high or critical"),
    text("workload", |event| event.workload(), "the name of the owner, else of the pod, the container or the host"),
    text("policy", |event| event.view.PolicyName, "PolicyName"),
    text("action", |event| event.view.Action, "Action"),
    text("operation", |event| event.view.Operation, "Operation"),
    text("process", |event| event.view.ProcessName, "ProcessName"),
    text("parent", |event| event.view.ParentProcessName, "ParentProcessName"),
    text("source", |event| event.view.Source, "Source"),
    text("resource", |event| event.view.Resource, "Resource"),
    text("result", |event| event.view.Result, "Result"),
    text("user", |event| event.view.UserName, "UserName"),
    text("syscall", |event| event.syscall(), "the system call, as SYS_EXECVE"),
    text("dns_name", |event| event.dns_name(), "the name a DNS query asked for"),
    text("protocol", |event| event.network().map_or("", |network| network.protocol), "TCP, UDP, ICMP or a number (network)"),
    text("remote_ip", |event| event.network().map_or("", |network| network.remote().address), "the other end's address (network)"),
    number("remote_port", remote_port, "the other end's port (network)"),
    text("remote_host", |event| event.network().map_or("", |network| network.remote_host), "the other end as pod/NAMESPACE/NAME or svc/NAMESPACE/NAME (logs)"),
    condition("throttled", |event| event.is_throttle_notice(), "whether it says that the agent now drops a container's alerts"),
    condition("gap", |event| event.is_gap(), "whether it is Sidearm's note that events may have been missed"),
    made("incident", |event| event.incident_key(), "a text that events of one incident share"),
    made("id", |event| event.shown_id().to_string(), "the event's id, of many that of the one shown; the same on every replica"),
    number("time_us", |event| event.time_us(), "when it happened, in microseconds since 1970"),
    made("day", |event| event.day(), "the day it happened on, in UTC, as 2026-09-20: for names of indexes and topics"),
    number("received_us", |event| count(event.received_us()), "when it was received, in microseconds since 1970"),
    number("sequence", |event| count(event.sequence()), "its place in its stream's journal"),
    text("telling", |event| event.digest().map_or("", |digest| digest.telling.name()), "what a message tells beside the event: repeats, quiet or held; else empty"),
    number("count", |event| count(event.digest().map_or(1, |digest| digest.events)), "events that a message stands for; 1 where it tells of its event alone"),
    number("first_us", |event| event.digest().map_or(event.time_us(), |all| all.first_us), "when the first of them happened, in microseconds since 1970"),
    number("last_us", |event| event.digest().map_or(event.time_us(), |all| all.last_us), "when the last of them happened, in microseconds since 1970"),
];

const fn text(
    name: &'static str,
    read: for<'e> fn(&'e Event<'_>) -> &'e str,
    help: &'static str,
) -> Field {
    Field { name, help, read: Read::Text(read) }
}

const fn made(name: &'static str, make: fn(&Event<'_>) -> String, help: &'static str) -> Field {
    Field { name, help, read: Read::Made(make) }
}

const fn number(name: &'static str, read: fn(&Event<'_>) -> i64, help: &'static str) -> Field {
    Field { name, help, read: Read::Number(read) }
}

const fn condition(name: &'static str, read: fn(&Event<'_>) -> bool, help: &'static str) -> Field {
    Field { name, help, read: Read::Condition(read) }
}

const fn list(
    name: &'static str,
    read: for<'e> fn(&'e Event<'_>) -> Vec<&'e str>,
    help: &'static str,
) -> Field {
    Field { name, help, read: Read::List(read) }
}

const fn map(
    name: &'static str,
    read: for<'e> fn(&'e Event<'_>) -> Pairs<'e>,
    help: &'static str,
) -> Field {
    Field { name, help, read: Read::Map(read) }
}

fn owner_parts<'e>(event: &'e Event<'_>) -> Pairs<'e> {
    event.view.Owner.as_option().map_or_else(Vec::new, |owner| {
        vec![("Ref", owner.Ref), ("Name", owner.Name), ("Namespace", owner.Namespace)]
    })
}

fn exec_parts<'e>(event: &'e Event<'_>) -> Pairs<'e> {
    event.view.ExecEvent.as_option().map_or_else(Vec::new, |exec| {
        vec![("ExecID", exec.ExecID), ("ExecutableName", exec.ExecutableName)]
    })
}

/// Agents write a map in random order; an event reads the same however it came.
fn data_in_order<'e>(event: &'e Event<'_>) -> Pairs<'e> {
    let mut pairs: Vec<_> = event.view.EventData.iter_unique().copied().collect();
    pairs.sort_unstable();
    pairs
}

fn owner_name(event: &Event<'_>) -> String {
    event.owner().map_or_else(String::new, |owner| format!("{}/{}", owner.kind, owner.name))
}

fn remote_port(event: &Event<'_>) -> i64 {
    let port = event.network().and_then(|network| network.remote().port);
    port.unwrap_or_default().into()
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Arrival, Kind, Overrides, Stream};

    #[test]
    fn the_emptiest_event_has_every_field_and_nothing_else() {
        for stream in Stream::ALL {
            let arrival = Arrival { stream, sequence: 0, received_us: 0 };
            let event = Event::decode(Kind::Event, arrival, b"", Overrides::none())
                .expect("no field at all");
            for field in FIELDS {
                assert_eq!(event.field(field.name), Some(field.of(&event)), "{}", field.name);
            }
            assert_eq!(event.field("Podname"), None);
        }
    }

    #[test]
    fn no_name_is_listed_twice() {
        let mut names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FIELDS.len());
    }
}
