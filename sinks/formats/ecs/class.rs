//! What kind of thing an event is, in the few words that ECS allows for it.
//!
//! Alerts are of `intrusion_detection` besides, which is what allows `allowed` and `denied`.
//! <https://www.elastic.co/guide/en/ecs/8.17/ecs-category-field-values-reference.html>

use super::super::deed::{Call, Deed, FileDeed, NetworkDeed};
use crate::contract::{Event, Stream};

/// `event.kind`, `.category`, `.type`, `.action` and `.outcome`; empty where there is none.
pub(super) struct Class<'e> {
    pub(super) kind: &'static str,
    pub(super) categories: [&'static str; 2],
    pub(super) types: [&'static str; 3],
    pub(super) action: &'e str,
    pub(super) outcome: &'static str,
}

pub(super) fn of<'e>(event: &'e Event<'_>, deed: Deed, call: Call<'e>) -> Class<'e> {
    let policy = event.stream() == Stream::Alert && !matches!(deed, Deed::Throttle | Deed::Gap);
    let (category, [first, second]) = category(event, deed, call);
    let (intrusion, verdict) = match policy {
        false => ("", ""),
        true if event.blocked() => ("intrusion_detection", "denied"),
        true if event.result() == "Passed" => ("intrusion_detection", "allowed"),
        true => ("intrusion_detection", ""),
    };
    let categories = if category == intrusion { [category, ""] } else { [category, intrusion] };
    let outcome = match event.result() {
        "" if event.blocked() => "failure",
        "" => "",
        "Passed" => "success",
        _ => "failure",
    };
    let action = match deed {
        Deed::Gap => "gap",
        Deed::Message => "agent_message",
        Deed::Throttle => event.operation(),
        _ if call.name.is_empty() => event.operation(),
        _ => call.name,
    };
    let kind = if policy { "alert" } else { "event" };
    Class { kind, categories, types: [first, second, verdict], action, outcome }
}

/// The category of the deed itself, and the types it has there.
fn category(event: &Event<'_>, deed: Deed, call: Call<'_>) -> (&'static str, [&'static str; 2]) {
    match deed {
        Deed::Process => ("process", ["start", ""]),
        Deed::File(file) => ("file", [of_file(file), ""]),
        Deed::Network(NetworkDeed::Connect | NetworkDeed::Accept) => {
            ("network", ["connection", "start"])
        }
        Deed::Network(NetworkDeed::Listen | NetworkDeed::Socket) => ("network", ["info", ""]),
        Deed::Dns => ("network", ["protocol", "info"]),
        Deed::Firewall => ("network", ["connection", ""]),
        Deed::Syscall if call.name == "PTRACE" => ("process", ["access", ""]),
        Deed::Syscall if call.name.contains("SETUID") || call.name.contains("SETGID") => {
            ("process", ["change", ""])
        }
        Deed::Syscall | Deed::Capability => ("process", ["info", ""]),
        Deed::Device => ("host", ["change", ""]),
        Deed::Throttle | Deed::Gap => ("intrusion_detection", ["info", ""]),
        Deed::Message if event.level() == "ERROR" => ("", ["error", ""]),
        Deed::Message => ("", ["info", ""]),
        Deed::Other if event.stream() == Stream::Alert => ("intrusion_detection", ["info", ""]),
        Deed::Other => ("", ["info", ""]),
    }
}

fn of_file(deed: FileDeed) -> &'static str {
    match deed {
        FileDeed::Open => "access",
        FileDeed::Create => "creation",
        FileDeed::Delete => "deletion",
        FileDeed::Update
        | FileDeed::Rename
        | FileDeed::SetSecurity
        | FileDeed::Mount
        | FileDeed::Unmount => "change",
    }
}
