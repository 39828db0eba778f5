//! The Elastic Common Schema, version 8.17: one document an event.
//!
//! | of an event | in the document |
//! |---|---|
//! | `UpdatedTime`, else `Timestamp` | `@timestamp`; when it was received: `event.created` |
//! | stream | `event.kind` (alert or event), `event.dataset` (`kubearmor.alerts`, …) |
//! | what it did | `event.category`, `event.type`, `event.action`: `ecs/class.rs` |
//! | `Result`, `Action` | `event.outcome`, `kubearmor.result`, `kubearmor.action` |
//! | `Severity` | `event.severity`; how grave it is by `[severity]`: `kubearmor.gravity` |
//! | `Message` | `message`; of agents also `Level`: `log.level` |
//! | `PolicyName`, `Type`, first tag | `rule.name`, `rule.ruleset`, `rule.category` |
//! | `ATags`, `Tags` | `tags`; those of MITRE ATT&CK also `threat.*` |
//! | `ClusterName`, `NamespaceName`, `PodName`, `Labels`, `Owner.Ref` | `orchestrator.*` |
//! | `ContainerID`, `ContainerName`, `ContainerImage` | `container.*`, the image in parts |
//! | `HostName`, `NodeID`, `HostIP` | `host.*` |
//! | `HostPID`, `PID`, `ProcessName`, `Cwd`, `ProcessHash` | `process.*` |
//! | `HostPPID`, `PPID`, `ParentProcessName`, `ParentHash` | `process.parent.*` |
//! | `Resource` of a new process, else `Source` | `process.command_line` |
//! | `Source` of a new process | `process.parent.command_line` |
//! | `UID`, `UserName` | `user.id`, `user.name` |
//! | `Resource` of a file, `ResourceHash` | `file.*` |
//! | a connection's ends, a name asked for | `source.*`, `destination.*`, `network.*`, `dns.*` |
//! | `Enforcer`, `KubeArmorVersion` | `event.provider`, `observer.version` |
//! | a gap record | `event.start`, `event.end`, `event.reason`, `kubearmor.lost` |
//! | everything else | `kubearmor.*`, in snake case; details of the call: `kubearmor.event_data.*` |
//!
//! Left out on purpose: `event.original`, which would double the size while nothing is missing
//! here; and `process.args`, for KubeArmor joins arguments with blanks, and cutting there would
//! guess. Fields that are addresses hold addresses only; what else a kernel was given for one
//! stands in `destination.address`. <https://www.elastic.co/guide/en/ecs/8.17/ecs-field-reference.html>

mod class;
mod own;
mod parts;

use super::{
    object::{self, Object},
    seen::Seen,
    time,
};
use crate::contract::{Event, Stream};

/// Appends an event as one document, without a line end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let seen = Seen::of(event);
    object::write(out, |document| {
        document.plain("@timestamp", |out| seen.moment.write(out));
        document.object("ecs", |ecs| ecs.text("version", "8.17.0"));
        message(&seen, document);
        document.object("event", |into| about(&seen, into));
        parts::write(&seen, document);
        own::write(&seen, document);
    });
}

fn message(seen: &Seen<'_>, document: &mut Object<'_>) {
    match seen.event.gap() {
        Some(gap) => document.joined("message", &["Events may be missing: ", gap.reason]),
        None => document.text("message", seen.event.message()),
    }
}

/// `event.*`
fn about(seen: &Seen<'_>, into: &mut Object<'_>) {
    let event = seen.event;
    let class = class::of(event, seen.deed, seen.call);
    into.plain("id", |out| event.id().write_hex(out));
    into.text("kind", class.kind);
    into.text("module", "kubearmor");
    let dataset = match event.stream() {
        Stream::Alert => "kubearmor.alerts",
        Stream::Message => "kubearmor.messages",
        Stream::Log => "kubearmor.logs",
    };
    into.text("dataset", dataset);
    into.texts("category", class.categories);
    into.texts("type", class.types);
    into.lower("action", class.action);
    into.text("outcome", class.outcome);
    if let Some(severity) = event.severity() {
        into.number("severity", severity.into());
    }
    into.text("provider", if event.is_gap() { "sidearm" } else { event.enforcer() });
    let received_us = i64::try_from(event.received_us()).unwrap_or(i64::MAX);
    into.plain("created", |out| time::write(received_us, out));
    if let Some(gap) = event.gap() {
        into.plain("start", |out| time::write(gap.from_us, out));
        into.plain("end", |out| time::write(gap.to_us, out));
        into.text("reason", gap.reason);
    }
}

#[cfg(test)]
mod tests;
