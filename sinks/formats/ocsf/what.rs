//! What it was done to: a file, the kernel, a device, a connection, a name.

use std::net::IpAddr;

use super::{
    super::{
        deed::{Deed, NetworkDeed, detail, has_file},
        names::ip,
        object::Object,
        seen::Seen,
    },
    control::pair,
    who::{hashes, named_file, own_process},
};
use crate::contract::{Direction, Endpoint, Network};

/// What the class of an activity requires beside device and actor.
pub(super) fn write(seen: &Seen<'_>, into: &mut Object<'_>) {
    match seen.deed {
        Deed::Process | Deed::File(_) | Deed::Network(_) | Deed::Dns | Deed::Firewall => {
            evidence(seen, into);
        }
        Deed::Syscall | Deed::Capability => {
            into.object("kernel", |resource| kernel(seen, resource))
        }
        Deed::Device => into.object("peripheral_device", |device| peripheral(seen, device)),
        Deed::Throttle | Deed::Message | Deed::Gap | Deed::Other => {}
    }
}

/// That of it which findings know, too.
pub(super) fn evidence(seen: &Seen<'_>, into: &mut Object<'_>) {
    match seen.deed {
        Deed::Process => into.object("process", |process| own_process(seen, process)),
        Deed::File(_) => into.object("file", |target| file(seen, target)),
        Deed::Network(_) | Deed::Dns | Deed::Firewall => {
            if let Some(known) = &seen.network {
                network(seen, known, into);
            }
        }
        _ => {}
    }
    if seen.deed == Deed::Dns {
        into.object("query", |query| {
            query.text("hostname", seen.event.dns_name());
            query.text("type", detail(&seen.details, "Qtype"));
        });
    }
}

fn file(seen: &Seen<'_>, file: &mut Object<'_>) {
    let path = seen.event.resource();
    let folder = path.ends_with('/') || detail(&seen.details, "Flags").contains("O_DIRECTORY");
    named_file(path, if folder { (2, "Folder") } else { (0, "Unknown") }, file);
    hashes(seen, seen.event.view.ResourceHash, file);
}

/// A call, or the capability that was asked for. A name is required.
fn kernel(seen: &Seen<'_>, kernel: &mut Object<'_>) {
    let resource = if seen.deed == Deed::Capability { seen.event.resource() } else { "" };
    let names = [resource, seen.call.name, seen.event.operation()];
    kernel.text("name", names.into_iter().find(|name| !name.is_empty()).unwrap_or("unknown"));
    if seen.deed == Deed::Capability {
        pair(kernel, ("type_id", "type"), (99, "Capability"));
    } else {
        pair(kernel, ("type_id", "type"), (2, "System Call"));
        kernel.text("system_call", seen.call.name);
    }
    if has_file(seen.event) {
        kernel.text("path", seen.event.resource());
    }
}

/// A name is required.
fn peripheral(seen: &Seen<'_>, device: &mut Object<'_>) {
    let name = seen.event.resource();
    device.text("name", if name.is_empty() { "unknown" } else { name });
    device.text("uid", detail(&seen.details, "SysPath"));
    device.text("class", detail(&seen.details, "Class"));
    let storage = name.contains("STORAGE");
    let kind = if storage { (1, "External Storage") } else { (0, "Unknown") };
    pair(device, ("type_id", "type"), kind);
}

/// One end is the workload's own, and always there: sockets have no other.
fn network(seen: &Seen<'_>, network: &Network<'_>, into: &mut Object<'_>) {
    let inward = network.direction == Direction::In;
    let (own, other) =
        if inward { ("dst_endpoint", "src_endpoint") } else { ("src_endpoint", "dst_endpoint") };
    let here = if inward { network.destination } else { network.source };
    into.object(own, |end| {
        address(here, end);
        let event = seen.event;
        let names = [event.pod(), event.host(), "unknown"];
        let name = names.into_iter().find(|name| !name.is_empty());
        end.text("name", name.unwrap_or_default());
    });
    let there = network.remote();
    if !there.address.is_empty() || !network.remote_host.is_empty() {
        into.object(other, |end| {
            address(there, end);
            if ip(there.address).is_none() {
                end.text("name", there.address);
            }
            end.text("svc_name", network.remote_host);
        });
    }
    let known = matches!(seen.deed, Deed::Network(NetworkDeed::Socket));
    let direction = match network.direction {
        _ if known => (0, "Unknown"),
        Direction::In => (1, "Inbound"),
        Direction::Out => (2, "Outbound"),
    };
    into.object("connection_info", |info| {
        pair(info, ("direction_id", "direction"), direction);
        protocol(network.protocol, info);
        match ip(there.address).or_else(|| ip(here.address)) {
            Some(IpAddr::V4(_)) => {
                let caption = "Internet Protocol version 4 (IPv4)";
                pair(info, ("protocol_ver_id", "protocol_ver"), (4, caption));
            }
            Some(IpAddr::V6(_)) => {
                let caption = "Internet Protocol version 6 (IPv6)";
                pair(info, ("protocol_ver_id", "protocol_ver"), (6, caption));
            }
            None => {}
        }
    });
}

fn address(endpoint: Endpoint<'_>, end: &mut Object<'_>) {
    if ip(endpoint.address).is_some() {
        end.text("ip", endpoint.address);
    }
    if let Some(port) = endpoint.port {
        end.number("port", port.into());
    }
}

/// Its name, and its number by IANA where we know it.
fn protocol(protocol: &str, info: &mut Object<'_>) {
    let number = match protocol {
        "TCP" => Some(6),
        "UDP" => Some(17),
        "ICMP" => Some(1),
        other => other.parse::<u8>().ok(),
    };
    if let Some(number) = number {
        info.number("protocol_num", number.into());
    }
    if protocol.parse::<u8>().is_err() {
        info.lower("protocol_name", protocol);
    }
}
