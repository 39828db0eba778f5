//! The names that filters and templates may use, and what each holds.

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
    /// What it holds.
    pub kind: FieldKind,
    /// What it means, in one line.
    pub help: &'static str,
}

const fn text(name: &'static str, help: &'static str) -> Field {
    Field { name, kind: FieldKind::Text, help }
}

const fn number(name: &'static str, help: &'static str) -> Field {
    Field { name, kind: FieldKind::Number, help }
}

const fn condition(name: &'static str, help: &'static str) -> Field {
    Field { name, kind: FieldKind::Condition, help }
}

const fn list(name: &'static str, help: &'static str) -> Field {
    Field { name, kind: FieldKind::List, help }
}

const fn map(name: &'static str, help: &'static str) -> Field {
    Field { name, kind: FieldKind::Map, help }
}

/// Every name that filters and templates may use: KubeArmor's own, then the derived ones. Each
/// is there for every event; what an event does not have is empty or 0.
pub const FIELDS: &[Field] = &[
    number("Timestamp", "when it happened, in whole seconds since 1970"),
    text("UpdatedTime", "when it happened, RFC 3339 with microseconds, UTC"),
    text("ClusterName", "the cluster, as configured where the agent only says \"default\""),
    text("HostName", "the node"),
    text("HostIP", "the node's address (messages)"),
    text("NamespaceName", "the pod's namespace"),
    map("Owner", "what the pod belongs to: Ref (its kind), Name, Namespace"),
    text("PodName", "the pod"),
    text("Labels", "the pod's labels, as k=v,k=v"),
    text("ContainerID", "the container's id"),
    text("ContainerName", "the container"),
    text("ContainerImage", "the container's image"),
    number("HostPPID", "the parent process' id on the node"),
    number("HostPID", "the process' id on the node"),
    number("PPID", "the parent process' id in the container"),
    number("PID", "the process' id in the container"),
    number("UID", "the user's id"),
    text("UserName", "the user's name (hosts)"),
    text("ParentProcessName", "the parent process' path"),
    text("ProcessName", "the process' path"),
    text("PolicyName", "the policy that matched; DefaultPosture where none did (alerts)"),
    text("Severity", "the policy's severity, \"1\" to \"10\" (alerts)"),
    text("Tags", "the policy's tags, with commas (alerts)"),
    list("ATags", "the policy's tags, as a list (alerts)"),
    text("Message", "the policy's message (alerts), or the agent's (messages)"),
    text("Type", "MatchedPolicy, MatchedHostPolicy, SystemEvent, ContainerLog, HostLog, ..."),
    text("Level", "INFO, DEBUG, WARN or ERROR (messages)"),
    text("Source", "the acting process' command line"),
    text("Operation", "Process, File, Network, Syscall, Capabilities, Device, ..."),
    text("Resource", "what was acted upon: a path, a command line, a socket"),
    text("Data", "the call and its arguments, as the agent writes them"),
    map("EventData", "the call and its arguments, as pairs"),
    text("Enforcer", "who saw or stopped it: BPFLSM, AppArmor, eBPF Monitor, ... (alerts)"),
    text("Action", "Block, Audit or Audit (Block) (alerts)"),
    text("Result", "Passed, or why it did not"),
    text("Cwd", "the process' working directory"),
    text("TTY", "the process' terminal"),
    number("MaxAlertsPerSec", "the limit a container went over (throttle notices)"),
    number("DroppingAlertsInterval", "seconds its alerts are dropped for (throttle notices)"),
    map("ExecEvent", "the execution it belongs to: ExecID, ExecutableName"),
    text("KubeArmorVersion", "the agent's version, where it says so"),
    text("NodeID", "the node's id"),
    text("ProcessHash", "the process' file's hash"),
    text("ParentHash", "the parent process' file's hash"),
    text("ResourceHash", "the resource's hash"),
    text("HashAlgo", "how the hashes were made"),
    text("From", "the last moment known to be whole (gap records)"),
    text("To", "whole again from here (gap records)"),
    text("Reason", "why events may have been missed (gap records)"),
    number("Lost", "events known to be lost (gap records)"),
    text("stream", "alert, message or log"),
    number("severity", "Severity as a number from 1 to 10; 0 where there is none"),
    condition("blocked", "whether KubeArmor stopped it (Action is Block)"),
    list("tags", "ATags, or Tags cut at its commas"),
    list("mitre", "the MITRE ATT&CK techniques among the tags, as T1036 or T1552.001"),
    map("labels", "Labels, as pairs"),
    map("event_data", "EventData, completed from Data and Resource"),
    text("cluster", "ClusterName"),
    text("host", "HostName"),
    text("namespace", "NamespaceName (templates only: CEL keeps the word for itself)"),
    text("pod", "PodName"),
    text("container", "ContainerName"),
    text("image", "ContainerImage"),
    text("owner", "the owner, as Deployment/checkout"),
    text("gravity", "how grave it is, by [severity]: info, low, medium, high or critical"),
    text("workload", "the name of the owner, else of the pod, the container or the host"),
    text("policy", "PolicyName"),
    text("action", "Action"),
    text("operation", "Operation"),
    text("process", "ProcessName"),
    text("parent", "ParentProcessName"),
    text("source", "Source"),
    text("resource", "Resource"),
    text("result", "Result"),
    text("user", "UserName"),
    text("syscall", "the system call, as SYS_EXECVE"),
    text("dns_name", "the name a DNS query asked for"),
    text("protocol", "TCP, UDP, ICMP or a number (network)"),
    text("remote_ip", "the other end's address (network)"),
    number("remote_port", "the other end's port (network)"),
    text("remote_host", "the other end as pod/NAMESPACE/NAME or svc/NAMESPACE/NAME (logs)"),
    condition("throttled", "whether it says that the agent now drops a container's alerts"),
    condition("gap", "whether it is Sidearm's note that events may have been missed"),
    text("incident", "a text that events of one incident share"),
    text("id", "the event's id, of many that of the one shown; the same on every replica"),
    number("time_us", "when it happened, in microseconds since 1970"),
    text("day", "the day it happened on, in UTC, as 2026-09-20: for names of indexes and topics"),
    number("received_us", "when it was received, in microseconds since 1970"),
    number("sequence", "its place in its stream's journal"),
    text("telling", "what a message tells beside the event: repeats, quiet or held; else empty"),
    number("count", "events that a message stands for; 1 where it tells of its event alone"),
    number("first_us", "when the first of them happened, in microseconds since 1970"),
    number("last_us", "when the last of them happened, in microseconds since 1970"),
];

impl Event<'_> {
    /// The value of a field of [`FIELDS`]; nothing for any other name.
    pub fn field(&self, name: &str) -> Option<Value<'_>> {
        self.own_field(name).or_else(|| self.derived_field(name))
    }

    fn own_field(&self, name: &str) -> Option<Value<'_>> {
        let view = &*self.view;
        let number = |number: i32| Value::Int(number.into());
        Some(match name {
            "Timestamp" => Value::Int(view.Timestamp),
            "UpdatedTime" => Value::Str(self.updated_time()),
            "ClusterName" | "cluster" => Value::Str(view.ClusterName),
            "HostName" | "host" => Value::Str(view.HostName),
            "HostIP" => Value::Str(self.host_ip()),
            "NamespaceName" | "namespace" => Value::Str(view.NamespaceName),
            "Owner" => Value::Map(view.Owner.as_option().map_or_else(Vec::new, |owner| {
                vec![("Ref", owner.Ref), ("Name", owner.Name), ("Namespace", owner.Namespace)]
            })),
            "PodName" | "pod" => Value::Str(view.PodName),
            "Labels" => Value::Str(view.Labels),
            "ContainerID" => Value::Str(view.ContainerID),
            "ContainerName" | "container" => Value::Str(view.ContainerName),
            "ContainerImage" | "image" => Value::Str(view.ContainerImage),
            "HostPPID" => number(view.HostPPID),
            "HostPID" => number(view.HostPID),
            "PPID" => number(view.PPID),
            "PID" => number(view.PID),
            "UID" => number(view.UID),
            "UserName" | "user" => Value::Str(view.UserName),
            "ParentProcessName" | "parent" => Value::Str(view.ParentProcessName),
            "ProcessName" | "process" => Value::Str(view.ProcessName),
            "PolicyName" | "policy" => Value::Str(view.PolicyName),
            "Severity" => Value::Str(view.Severity),
            "Tags" => Value::Str(view.Tags),
            "ATags" => Value::List(view.ATags.to_vec()),
            "Message" => Value::Str(view.Message),
            "Type" => Value::Str(view.Type),
            "Level" => Value::Str(self.level()),
            "Source" | "source" => Value::Str(view.Source),
            "Operation" | "operation" => Value::Str(view.Operation),
            "Resource" | "resource" => Value::Str(view.Resource),
            "Data" => Value::Str(view.Data),
            "EventData" => {
                // Agents write a map in random order; an event reads the same however it came.
                let mut pairs: Vec<_> = view.EventData.iter_unique().copied().collect();
                pairs.sort_unstable();
                Value::Map(pairs)
            }
            "Enforcer" => Value::Str(view.Enforcer),
            "Action" | "action" => Value::Str(view.Action),
            "Result" | "result" => Value::Str(view.Result),
            "Cwd" => Value::Str(view.Cwd),
            "TTY" => Value::Str(view.TTY),
            "MaxAlertsPerSec" => number(view.MaxAlertsPerSec),
            "DroppingAlertsInterval" => number(view.DroppingAlertsInterval),
            "ExecEvent" => Value::Map(view.ExecEvent.as_option().map_or_else(Vec::new, |exec| {
                vec![("ExecID", exec.ExecID), ("ExecutableName", exec.ExecutableName)]
            })),
            "KubeArmorVersion" => Value::Str(view.KubeArmorVersion),
            "NodeID" => Value::Str(view.NodeID),
            "ProcessHash" => Value::Str(view.ProcessHash),
            "ParentHash" => Value::Str(view.ParentHash),
            "ResourceHash" => Value::Str(view.ResourceHash),
            "HashAlgo" => Value::Str(view.HashAlgo),
            "From" => Value::Str(self.gap().map_or("", |gap| &gap.from)),
            "To" => Value::Str(self.gap().map_or("", |gap| &gap.to)),
            "Reason" => Value::Str(self.gap().map_or("", |gap| gap.reason)),
            "Lost" => count(self.gap().map_or(0, |gap| gap.lost)),
            _ => return None,
        })
    }

    fn derived_field(&self, name: &str) -> Option<Value<'_>> {
        Some(match name {
            "stream" => Value::Str(self.stream().name()),
            "severity" => Value::Int(self.severity().unwrap_or_default().into()),
            "blocked" => Value::Bool(self.blocked()),
            "tags" => Value::List(self.tags()),
            "mitre" => Value::List(self.mitre()),
            "labels" => Value::Map(self.labels()),
            "event_data" => Value::Map(self.event_data()),
            "owner" => self.owner().map_or(Value::Str(""), |owner| {
                Value::String(format!("{}/{}", owner.kind, owner.name))
            }),
            "workload" => Value::Str(self.workload()),
            "syscall" => Value::Str(self.syscall()),
            "dns_name" => Value::Str(self.dns_name()),
            "protocol" => Value::Str(self.network().map_or("", |network| network.protocol)),
            "remote_ip" => Value::Str(self.network().map_or("", |net| net.remote().address)),
            "remote_port" => {
                let port = self.network().and_then(|network| network.remote().port);
                Value::Int(port.unwrap_or_default().into())
            }
            "remote_host" => Value::Str(self.network().map_or("", |net| net.remote_host)),
            "throttled" => Value::Bool(self.is_throttle_notice()),
            "gap" => Value::Bool(self.is_gap()),
            "incident" => Value::String(self.incident_key()),
            "id" => Value::String(self.shown_id().to_string()),
            "time_us" => Value::Int(self.time_us()),
            "day" => Value::String(self.day()),
            "received_us" => count(self.received_us()),
            "sequence" => count(self.sequence()),
            "gravity" => Value::Str(self.gravity().name()),
            "telling" => Value::Str(self.digest().map_or("", |digest| digest.telling.name())),
            "count" => count(self.digest().map_or(1, |digest| digest.events)),
            "first_us" => Value::Int(self.digest().map_or(self.time_us(), |all| all.first_us)),
            "last_us" => Value::Int(self.digest().map_or(self.time_us(), |all| all.last_us)),
            _ => return None,
        })
    }
}

fn count(count: u64) -> Value<'static> {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{Arrival, Kind, Overrides, Stream};

    #[test]
    fn every_name_has_a_value_of_its_kind_for_the_emptiest_event() {
        for stream in Stream::ALL {
            let arrival = Arrival { stream, sequence: 0, received_us: 0 };
            let event = Event::decode(Kind::Event, arrival, b"", Overrides::none())
                .expect("no field at all");
            for field in FIELDS {
                let value = event.field(field.name).expect(field.name);
                let kind = match value {
                    Value::Str(_) | Value::String(_) => FieldKind::Text,
                    Value::Int(_) => FieldKind::Number,
                    Value::Bool(_) => FieldKind::Condition,
                    Value::List(_) => FieldKind::List,
                    Value::Map(_) => FieldKind::Map,
                };
                assert_eq!(kind, field.kind, "{}", field.name);
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
