//! The columns of one schema, beside those that all have.

use std::{fmt::Write as _, net::IpAddr};

use super::{
    super::{
        deed::{Deed, FileDeed, NetworkDeed, detail, has_file},
        names::{Attack, Path, ip},
        object::Object,
        seen::Seen,
    },
    common::first,
};
use crate::contract::{Direction, Network, Stream, Telling};

/// Which of ASIM's schemas a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    Alert,
    Process,
    File,
    Network,
    Dns,
    Audit,
}

impl Schema {
    pub(super) fn of(seen: &Seen<'_>) -> Self {
        match seen.deed {
            _ if seen.event.stream() == Stream::Alert => Self::Alert,
            Deed::Process => Self::Process,
            Deed::File(_) => Self::File,
            Deed::Network(_) | Deed::Firewall => Self::Network,
            Deed::Dns => Self::Dns,
            _ => Self::Audit,
        }
    }

    /// `EventSchema`
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alert => "AlertEvent",
            Self::Process => "ProcessEvent",
            Self::File => "FileEvent",
            Self::Network => "NetworkSession",
            Self::Dns => "Dns",
            Self::Audit => "AuditEvent",
        }
    }

    /// `EventSchemaVersion`
    pub(super) fn version(self) -> &'static str {
        match self {
            Self::Alert => "0.1",
            Self::Process => "0.1.4",
            Self::File => "0.2.2",
            Self::Network => "0.2.7",
            Self::Dns => "0.1.7",
            Self::Audit => "0.1.2",
        }
    }
}

pub(super) fn write(seen: &Seen<'_>, schema: Schema, row: &mut Object<'_>) {
    match schema {
        Schema::Alert => alert(seen, row),
        Schema::Process => process(seen, row),
        Schema::File => file(seen, row),
        Schema::Network => network_session(seen, row),
        Schema::Dns => dns(seen, row),
        Schema::Audit => audit(seen, row),
    }
}

/// <https://learn.microsoft.com/azure/sentinel/normalization-schema-alert>
fn alert(seen: &Seen<'_>, row: &mut Object<'_>) {
    let (event, view) = (seen.event, &*seen.event.view);
    row.text("EventType", "Alert");
    row.plain("AlertId", |out| event.id().write_hex(out));
    let name = match seen.deed {
        Deed::Gap => "Events may be missing",
        Deed::Throttle => "Alerts of a container are being dropped",
        _ => first([event.policy(), event.operation(), event.event_type(), "KubeArmor"]),
    };
    row.text("AlertName", name);
    row.text("AlertDescription", event.gap().map_or(event.message(), |gap| gap.reason));
    let closed = event.digest().is_some_and(|digest| digest.telling == Telling::Quiet);
    row.text("AlertStatus", if closed { "Closed" } else { "Active" });
    if !matches!(seen.deed, Deed::Gap | Deed::Throttle) {
        row.text("EventSubType", "Suspicious Activity");
        row.text("DetectionMethod", "EDR");
        row.text("ThreatCategory", "Security Policy Violation");
    }
    row.text("RuleName", event.policy());
    attacks(seen, row);
    let indicator = match seen.deed {
        Deed::File(_) => "File",
        Deed::Network(_) | Deed::Dns | Deed::Firewall => "Ip",
        Deed::Device | Deed::Gap | Deed::Throttle => "Host",
        _ => "Process",
    };
    row.text("IndicatorType", indicator);
    text_number("ProcessId", view.HostPID, row);
    row.text("ProcessName", view.ProcessName);
    row.text("ProcessCommandLine", seen.event.command());
    if has_file(event) {
        row.text("FilePath", event.resource());
        row.text("FileName", Path::of(event.resource()).name);
        hash(seen, ("FileMD5", "FileSHA1", "FileSHA256"), view.ResourceHash, row);
    }
    if seen.event.has_user() {
        row.digits("UserId", event.uid().into());
        row.text("UserIdType", "Other");
    }
    if !event.user().is_empty() {
        row.text("Username", event.user());
        row.text("UsernameType", "Simple");
    }
}

/// As the schema prefers them: `name (ID), name (ID)`.
fn attacks(seen: &Seen<'_>, row: &mut Object<'_>) {
    let (mut tactics, mut techniques) = (String::new(), String::new());
    for attack in seen.attacks() {
        let (list, id, name) = match attack {
            Attack::Tactic { id, name } => (&mut tactics, id, name),
            Attack::Technique { id, name } => (&mut techniques, id, name),
        };
        let comma = if list.is_empty() { "" } else { ", " };
        match name {
            "" => write!(list, "{comma}{id}"),
            name => write!(list, "{comma}{name} ({id})"),
        }
        .expect("a string takes every write");
    }
    row.text("AttackTactics", &tactics);
    row.text("AttackTechniques", &techniques);
}

/// <https://learn.microsoft.com/azure/sentinel/normalization-schema-process-event>
fn process(seen: &Seen<'_>, row: &mut Object<'_>) {
    let view = &*seen.event.view;
    row.text("EventType", "ProcessCreated");
    row.digits("ActingProcessId", view.HostPPID.into());
    row.text("ActingProcessName", view.ParentProcessName);
    row.text("ActingProcessCommandLine", seen.event.parent_command());
    let names = ("ActingProcessMD5", "ActingProcessSHA1", "ActingProcessSHA256");
    hash(seen, names, view.ParentHash, row);
    row.digits("TargetProcessId", view.HostPID.into());
    row.text("TargetProcessName", first([view.ProcessName, "unknown"]));
    row.text(
        "TargetProcessCommandLine",
        first([seen.event.command(), view.ProcessName, "unknown"]),
    );
    row.text("TargetProcessCurrentDirectory", view.Cwd);
    let names = ("TargetProcessMD5", "TargetProcessSHA1", "TargetProcessSHA256");
    hash(seen, names, view.ProcessHash, row);
    user(seen, &ACTOR, row);
    user(seen, &TARGET, row);
}

/// <https://learn.microsoft.com/azure/sentinel/normalization-schema-file-event>
fn file(seen: &Seen<'_>, row: &mut Object<'_>) {
    let (event, view) = (seen.event, &*seen.event.view);
    let kind = match seen.deed {
        Deed::File(FileDeed::Create) => "FileCreated",
        Deed::File(FileDeed::Update | FileDeed::SetSecurity) => "FileModified",
        Deed::File(FileDeed::Delete) => "FileDeleted",
        Deed::File(FileDeed::Rename) => "FileRenamed",
        Deed::File(FileDeed::Mount | FileDeed::Unmount) => "FolderModified",
        _ => "FileAccessed",
    };
    row.text("EventType", kind);
    let path = Path::of(event.resource());
    row.text("TargetFilePath", first([event.resource(), "unknown"]));
    row.text("TargetFilePathType", "Unix");
    row.text("TargetFileName", path.name);
    row.text("TargetFileDirectory", path.directory);
    row.text("TargetFileExtension", path.extension());
    let names = ("TargetFileMD5", "TargetFileSHA1", "TargetFileSHA256");
    hash(seen, names, view.ResourceHash, row);
    text_number("ActingProcessId", view.HostPID, row);
    row.text("ActingProcessName", view.ProcessName);
    row.text("ActingProcessCommandLine", view.Source);
    user(seen, &ACTOR, row);
}

/// The workload is the one end, and the process that opened the connection, or waited for it, is
/// that end's. <https://learn.microsoft.com/azure/sentinel/normalization-schema-network>
fn network_session(seen: &Seen<'_>, row: &mut Object<'_>) {
    row.text("EventType", "EndpointNetworkSession");
    if let Deed::Network(NetworkDeed::Connect | NetworkDeed::Accept) = seen.deed {
        row.text("EventSubType", "Start");
    }
    let Some(network) = &seen.network else { return };
    ends(seen, network, row);
    let direction = match (seen.deed, network.direction) {
        (Deed::Network(NetworkDeed::Listen), _) => "Listen",
        (Deed::Network(NetworkDeed::Socket), _) => "Unknown",
        (_, Direction::In) => "Inbound",
        (_, Direction::Out) => "Outbound",
    };
    row.text("NetworkDirection", direction);
    row.text("NetworkProtocol", network.protocol);
    row.text("NetworkRuleName", seen.event.policy());
    let (app, kind, own) = match network.direction {
        Direction::Out => ("SrcAppName", "SrcAppType", &SOURCE),
        Direction::In => ("DstAppName", "DstAppType", &DESTINATION),
    };
    if !seen.event.process().is_empty() {
        row.text(app, seen.event.process());
        row.text(kind, "Process");
    }
    user(seen, own, row);
}

/// <https://learn.microsoft.com/azure/sentinel/normalization-schema-dns>
fn dns(seen: &Seen<'_>, row: &mut Object<'_>) {
    row.text("EventType", "Query");
    row.text("EventSubType", "request");
    row.text("EventResultDetails", "NA");
    row.text("DnsQuery", seen.event.dns_name());
    row.text("DnsQueryTypeName", detail(&seen.details, "Qtype"));
    row.text("DnsResponseCodeName", "NA");
    if let Some(network) = &seen.network {
        ends(seen, network, row);
        let udp = seen.call.name.get(..3).is_some_and(|call| call.eq_ignore_ascii_case("udp"));
        row.text("NetworkProtocol", if udp { "UDP" } else { "" });
    }
    row.text("SrcProcessName", seen.event.process());
    text_number("SrcProcessId", seen.event.host_pid(), row);
    user(seen, &SOURCE, row);
}

/// What no other schema is of.
/// <https://learn.microsoft.com/azure/sentinel/normalization-schema-audit>
fn audit(seen: &Seen<'_>, row: &mut Object<'_>) {
    let event = seen.event;
    let executes = matches!(seen.deed, Deed::Syscall | Deed::Capability);
    row.text("EventType", if executes { "Execute" } else { "Other" });
    let names = [seen.call.name, event.operation(), event.event_type(), "unknown"];
    row.text("Operation", first(names));
    row.text("Object", first([event.resource(), event.process(), event.host(), "unknown"]));
    row.text("ObjectType", "Other");
    if !event.process().is_empty() {
        row.text("ActingAppName", event.process());
        row.text("ActingAppType", "Process");
    }
    user(seen, &ACTOR, row);
}

fn ends(seen: &Seen<'_>, network: &Network<'_>, row: &mut Object<'_>) {
    let event = seen.event;
    let here = first([event.pod(), event.host()]);
    let there = if ip(network.remote().address).is_some() { "" } else { network.remote().address };
    let there = first([network.remote_host, there]);
    let (source_name, destination_name) = match network.direction {
        Direction::Out => (here, there),
        Direction::In => (there, here),
    };
    let (source, destination) = (network.source, network.destination);
    row.text("Src", first([source.address, source_name, "unknown"]));
    row.text("Dst", first([destination.address, destination_name, "unknown"]));
    row.text("SrcHostname", source_name);
    row.text("DstHostname", destination_name);
    for (address, column) in [(source.address, "SrcIpAddr"), (destination.address, "DstIpAddr")] {
        if ip(address).is_some() {
            row.text(column, address);
        }
    }
    row.some_number("SrcPortNumber", source.port.unwrap_or_default());
    row.some_number("DstPortNumber", destination.port.unwrap_or_default());
    match [destination.address, source.address].into_iter().find_map(ip) {
        Some(IpAddr::V4(_)) => row.text("NetworkProtocolVersion", "IPv4"),
        Some(IpAddr::V6(_)) => row.text("NetworkProtocolVersion", "IPv6"),
        None => {}
    }
}

/// The columns of a user: number, its type, name, its type.
struct UserColumns([&'static str; 4]);

const ACTOR: UserColumns =
    UserColumns(["ActorUserId", "ActorUserIdType", "ActorUsername", "ActorUsernameType"]);
const TARGET: UserColumns =
    UserColumns(["TargetUserId", "TargetUserIdType", "TargetUsername", "TargetUsernameType"]);
const SOURCE: UserColumns =
    UserColumns(["SrcUserId", "SrcUserIdType", "SrcUsername", "SrcUsernameType"]);
const DESTINATION: UserColumns =
    UserColumns(["DstUserId", "DstUserIdType", "DstUsername", "DstUsernameType"]);

/// A name is demanded of actors and targets: without one they go by their number.
fn user(seen: &Seen<'_>, columns: &UserColumns, row: &mut Object<'_>) {
    let [id, id_type, name, name_type] = columns.0;
    if seen.event.has_user() {
        row.digits(id, seen.event.uid().into());
        row.text(id_type, "UID");
    }
    match seen.event.user() {
        "" if seen.event.has_user() => row.digits(name, seen.event.uid().into()),
        user => row.text(name, first([user, "unknown"])),
    }
    row.text(name_type, "Simple");
}

/// A hash in the column of how it was made.
fn hash(
    seen: &Seen<'_>,
    (md5, sha1, sha256): (&'static str, &'static str, &'static str),
    hash: &str,
    row: &mut Object<'_>,
) {
    match hash_column(seen) {
        Some(HashColumn::Md5) => row.text(md5, hash),
        Some(HashColumn::Sha1) => row.text(sha1, hash),
        Some(HashColumn::Sha256) => row.text(sha256, hash),
        None => {}
    }
}

pub(super) enum HashColumn {
    Md5,
    Sha1,
    Sha256,
}

pub(super) fn hash_column(seen: &Seen<'_>) -> Option<HashColumn> {
    let is = |name: &str| seen.event.view.HashAlgo.eq_ignore_ascii_case(name);
    match () {
        () if is("md5") => Some(HashColumn::Md5),
        () if is("sha1") => Some(HashColumn::Sha1),
        () if is("sha256") => Some(HashColumn::Sha256),
        () => None,
    }
}

/// Process numbers are texts in ASIM.
fn text_number(name: &'static str, number: i32, row: &mut Object<'_>) {
    if number != 0 {
        row.digits(name, number.into());
    }
}
