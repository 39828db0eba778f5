//! Which class of OCSF an event is of, and which of its activities.

use super::super::{
    deed::{Deed, FileDeed, NetworkDeed},
    seen::Seen,
};
use crate::contract::Telling;

/// A class, and an activity of it. `type_uid` follows from both.
pub(super) struct Class<'e> {
    pub(super) category: (i64, &'static str),
    pub(super) class: (i64, &'static str),
    pub(super) activity: (i64, &'e str),
    /// The version of OCSF that knows the class, and all we say of it.
    pub(super) version: &'static str,
}

impl Class<'_> {
    pub(super) fn type_uid(&self) -> i64 {
        self.class.0 * 100 + self.activity.0
    }
}

const OTHER: i64 = 99;
const SYSTEM: (i64, &str) = (1, "System Activity");
const NETWORK: (i64, &str) = (4, "Network Activity");

/// The activity itself.
pub(super) fn of_activity<'e>(seen: &Seen<'e>) -> Class<'e> {
    let class = |category, class, activity| Class { category, class, activity, version: "1.4.0" };
    match seen.deed {
        Deed::Process => class(SYSTEM, (1007, "Process Activity"), (1, "Launch")),
        Deed::File(deed) => class(SYSTEM, (1001, "File System Activity"), of_file(deed)),
        Deed::Network(deed) => class(NETWORK, (4001, "Network Activity"), of_network(seen, deed)),
        Deed::Firewall if seen.event.blocked() => {
            class(NETWORK, (4001, "Network Activity"), (5, "Refuse"))
        }
        Deed::Firewall => class(NETWORK, (4001, "Network Activity"), (1, "Open")),
        Deed::Dns => class(NETWORK, (4003, "DNS Activity"), (1, "Query")),
        Deed::Syscall | Deed::Capability => class(SYSTEM, (1003, "Kernel Activity"), (4, "Invoke")),
        // OCSF knows this class from 1.7 on; without it a device would be an event of no kind.
        Deed::Device => Class {
            version: "1.7.0",
            ..class(SYSTEM, (1010, "Peripheral Activity"), (1, "Connect"))
        },
        Deed::Throttle | Deed::Message | Deed::Gap | Deed::Other => {
            let activity = match seen.event.operation() {
                "" => seen.event.event_type(),
                operation => operation,
            };
            let activity = if activity.is_empty() { "Other" } else { activity };
            class((0, "Uncategorized"), (0, "Base Event"), (OTHER, activity))
        }
    }
}

/// The finding that tells of it.
pub(super) fn of_finding<'e>(seen: &Seen<'e>) -> Class<'e> {
    let activity = match seen.event.digest().map(|digest| digest.telling) {
        Some(Telling::Repeats) => (2, "Update"),
        Some(Telling::Quiet) => (3, "Close"),
        Some(Telling::Held) | None => (1, "Create"),
    };
    let class = (2004, "Detection Finding");
    Class { category: (2, "Findings"), class, activity, version: "1.4.0" }
}

fn of_file(deed: FileDeed) -> (i64, &'static str) {
    match deed {
        FileDeed::Create => (1, "Create"),
        FileDeed::Update => (3, "Update"),
        FileDeed::Delete => (4, "Delete"),
        FileDeed::Rename => (5, "Rename"),
        FileDeed::SetSecurity => (7, "Set Security"),
        FileDeed::Mount => (12, "Mount"),
        FileDeed::Unmount => (13, "Unmount"),
        FileDeed::Open => (14, "Open"),
    }
}

fn of_network<'e>(seen: &Seen<'e>, deed: NetworkDeed) -> (i64, &'e str) {
    match deed {
        _ if seen.event.blocked() => (5, "Refuse"),
        NetworkDeed::Connect | NetworkDeed::Accept => match seen.event.result() {
            "" | "Passed" => (1, "Open"),
            _ => (4, "Fail"),
        },
        NetworkDeed::Listen => (7, "Listen"),
        NetworkDeed::Socket if seen.call.name.is_empty() => (OTHER, "Other"),
        NetworkDeed::Socket => (OTHER, seen.call.name),
    }
}
