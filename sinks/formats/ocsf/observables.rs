//! `observables`: what an analyst pivots on, each with the attribute it stands in.

use super::{
    super::{
        deed::Deed,
        names::{Path, ip},
        object::{List, Object},
        seen::Seen,
    },
    who::{is_hash, shows_process},
};
use crate::contract::Direction;

/// Kinds of observables, with their captions.
const HOSTNAME: (i64, &str) = (1, "Hostname");
const IP_ADDRESS: (i64, &str) = (2, "IP Address");
const USER_NAME: (i64, &str) = (4, "User Name");
const FILE_NAME: (i64, &str) = (7, "File Name");
const HASH: (i64, &str) = (8, "Hash");
const PROCESS_NAME: (i64, &str) = (9, "Process Name");

/// `prefix` is where the attributes stand that a finding has among its evidences.
pub(super) fn write(seen: &Seen<'_>, finding: bool, into: &mut Object<'_>) {
    let prefix = if finding { "evidences[0]." } else { "" };
    into.list("observables", |list| {
        let mut add = |prefix: &str, name: &str, kind, value: &str| {
            observable(list, (prefix, name), kind, value);
        };
        let (event, view) = (seen.event, &*seen.event.view);
        add("", "device.hostname", HOSTNAME, event.host());
        if shows_process(seen) {
            let (process, user, hash) = match seen.deed {
                Deed::Process => ("process.name", "process.user.name", "process.file.hashes.value"),
                _ => ("actor.process.name", "actor.user.name", "actor.process.file.hashes.value"),
            };
            add(prefix, process, PROCESS_NAME, Path::of(view.ProcessName).name);
            add(prefix, user, USER_NAME, event.user());
            if is_hash(view.ProcessHash) && !view.ProcessName.is_empty() {
                add(prefix, hash, HASH, view.ProcessHash);
            }
        }
        if let Deed::File(_) = seen.deed {
            add(prefix, "file.name", FILE_NAME, Path::of(view.Resource).name);
            if is_hash(view.ResourceHash) {
                add(prefix, "file.hashes.value", HASH, view.ResourceHash);
            }
        }
        if let Some(network) = &seen.network {
            let name = match network.direction {
                Direction::In => "src_endpoint.ip",
                Direction::Out => "dst_endpoint.ip",
            };
            let address = network.remote().address;
            if ip(address).is_some() {
                add(prefix, name, IP_ADDRESS, address);
            }
        }
        if seen.deed == Deed::Dns {
            add(prefix, "query.hostname", HOSTNAME, event.dns_name());
        }
    });
}

fn observable(
    list: &mut List<'_>,
    (prefix, name): (&str, &str),
    (kind, caption): (i64, &str),
    value: &str,
) {
    if value.is_empty() {
        return;
    }
    list.object(|into| {
        into.joined("name", &[prefix, name]);
        into.number("type_id", kind);
        into.text("type", caption);
        into.text("value", value);
    });
}
