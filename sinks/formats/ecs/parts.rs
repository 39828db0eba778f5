//! Who did it, where and to what: the fields of ECS that say so.

use std::{fmt, io::Write as _, net::IpAddr};

use super::super::{
    deed::{Deed, NetworkDeed, detail, has_file},
    names::{Attack, Image, Path, ip},
    object::Object,
    seen::Seen,
};
use crate::contract::{Direction, Endpoint, Event};

/// Hashes that ECS has a field for.
const HASHES: [&str; 5] = ["md5", "sha1", "sha256", "sha384", "sha512"];

pub(super) fn write(seen: &Seen<'_>, document: &mut Object<'_>) {
    let event = seen.event;
    document.object("rule", |rule| {
        if !event.policy().is_empty() {
            rule.text("name", event.policy());
            rule.text("ruleset", event.event_type());
            rule.text("category", seen.tags.first().copied().unwrap_or_default());
        }
    });
    document.texts("tags", seen.tags.iter().copied());
    threat(seen, document);
    document.object("log", |log| log.lower("level", event.level()));
    orchestrator(event, document);
    container(event, document);
    document.object("host", |host| {
        host.text("name", event.host());
        host.text("hostname", event.host());
        host.text("id", event.node_id());
        address(host, "ip", ip(event.host_ip()));
    });
    process(seen, document);
    document.object("user", |user| {
        if seen.event.has_user() {
            user.digits("id", event.uid().into());
        }
        user.text("name", event.user());
    });
    file(seen, document);
    network(seen, document);
    document.object("observer", |observer| {
        observer.text("vendor", "KubeArmor");
        observer.text("product", "KubeArmor");
        observer.text("type", "sensor");
        observer.text("version", event.view.KubeArmorVersion);
    });
    related(seen, document);
}

/// The field of a hash, where ECS has one for how it was made.
pub(super) fn hash_field(algorithm: &str) -> Option<&'static str> {
    HASHES.into_iter().find(|known| known.eq_ignore_ascii_case(algorithm))
}

fn hash(event: &Event<'_>, hash: &str, into: &mut Object<'_>) {
    if let Some(field) = hash_field(event.view.HashAlgo) {
        into.object("hash", |into| into.text(field, hash));
    }
}

fn threat(seen: &Seen<'_>, document: &mut Object<'_>) {
    if seen.attacks().next().is_none() {
        return;
    }
    let attacks = || seen.attacks();
    let tactics = || {
        attacks().filter_map(|attack| match attack {
            Attack::Tactic { id, name } => Some((id, name)),
            Attack::Technique { .. } => None,
        })
    };
    let techniques = |sub: bool| {
        attacks().filter_map(move |attack| match attack {
            Attack::Technique { id, name } if id.contains('.') == sub => Some((id, name)),
            _ => None,
        })
    };
    document.object("threat", |threat| {
        threat.text("framework", "MITRE ATT&CK");
        threat.object("tactic", |tactic| {
            tactic.texts("id", tactics().map(|(id, _)| id));
            tactic.texts("name", tactics().map(|(_, name)| name));
        });
        threat.object("technique", |technique| {
            let parents = techniques(true).filter_map(|(id, _)| id.get(..5));
            technique.texts("id", techniques(false).map(|(id, _)| id).chain(parents));
            technique.texts("name", techniques(false).map(|(_, name)| name));
            technique.object("subtechnique", |sub| {
                sub.texts("id", techniques(true).map(|(id, _)| id));
                sub.texts("name", techniques(true).map(|(_, name)| name));
            });
        });
    });
}

fn orchestrator(event: &Event<'_>, document: &mut Object<'_>) {
    document.object("orchestrator", |orchestrator| {
        if !event.namespace().is_empty() || !event.pod().is_empty() {
            orchestrator.text("type", "kubernetes");
        }
        orchestrator.object("cluster", |cluster| cluster.text("name", event.cluster()));
        orchestrator.text("namespace", event.namespace());
        orchestrator.object("resource", |resource| {
            if !event.pod().is_empty() {
                resource.text("type", "pod");
            }
            resource.text("name", event.pod());
            let labels = event.view.Labels.split(',').map(str::trim);
            resource.texts("label", labels);
            let kind = event.view.Owner.as_option().map_or("", |owner| owner.Ref);
            resource.object("parent", |parent| parent.text("type", kind));
        });
    });
}

fn container(event: &Event<'_>, document: &mut Object<'_>) {
    document.object("container", |container| {
        container.text("id", event.container_id());
        container.text("name", event.container());
        container.object("image", |into| {
            let image = Image::of(event.image());
            into.text("name", image.name);
            into.texts("tag", [image.tag]);
            into.object("hash", |hash| hash.texts("all", [image.digest]));
        });
    });
}

fn process(seen: &Seen<'_>, document: &mut Object<'_>) {
    let event = seen.event;
    let view = &*event.view;
    document.object("process", |process| {
        process.some_number("pid", view.HostPID);
        process.some_number("vpid", view.PID);
        process.text("executable", view.ProcessName);
        process.text("name", Path::of(view.ProcessName).name);
        process.text("command_line", event.command());
        process.text("working_directory", view.Cwd);
        hash(event, view.ProcessHash, process);
        process.object("parent", |parent| {
            parent.some_number("pid", view.HostPPID);
            parent.some_number("vpid", view.PPID);
            parent.text("executable", view.ParentProcessName);
            parent.text("name", Path::of(view.ParentProcessName).name);
            parent.text("command_line", event.parent_command());
            hash(event, view.ParentHash, parent);
        });
    });
}

fn file(seen: &Seen<'_>, document: &mut Object<'_>) {
    let event = seen.event;
    if !has_file(event) {
        return;
    }
    let path = Path::of(event.resource());
    document.object("file", |file| {
        file.text("path", event.resource());
        file.text("name", path.name);
        file.text("directory", path.directory);
        file.text("extension", path.extension());
        hash(event, event.view.ResourceHash, file);
    });
}

fn network(seen: &Seen<'_>, document: &mut Object<'_>) {
    let Some(network) = &seen.network else { return };
    end("source", network.source, document);
    end("destination", network.destination, document);
    let addresses = [network.destination.address, network.source.address];
    let version = match addresses.into_iter().find_map(ip) {
        Some(IpAddr::V4(_)) => "ipv4",
        Some(IpAddr::V6(_)) => "ipv6",
        None => "",
    };
    let transport = match seen.call.name {
        _ if !network.protocol.is_empty() => network.protocol,
        name if name.starts_with("UDP") || name.starts_with("udp") => "udp",
        name if name.starts_with("TCP") || name.starts_with("tcp") => "tcp",
        _ => "",
    };
    let direction = match (seen.deed, network.direction) {
        (Deed::Network(NetworkDeed::Socket), _) => "",
        (_, Direction::In) => "ingress",
        (_, Direction::Out) => "egress",
    };
    document.object("network", |into| {
        into.text("type", version);
        if transport.bytes().all(|byte| byte.is_ascii_digit()) {
            into.text("iana_number", transport);
        } else {
            into.lower("transport", transport);
        }
        into.text("protocol", if seen.deed == Deed::Dns { "dns" } else { "" });
        into.text("direction", direction);
    });
    if seen.deed == Deed::Dns {
        document.object("dns", |dns| {
            dns.text("type", "query");
            dns.object("question", |question| {
                question.text("name", seen.event.dns_name());
                question.text("type", detail(&seen.details, "Qtype"));
            });
        });
    }
}

/// The address as it is, and once more where it is an IP.
fn end(name: &'static str, endpoint: Endpoint<'_>, document: &mut Object<'_>) {
    document.object(name, |end| {
        end.text("address", endpoint.address);
        address(end, "ip", ip(endpoint.address));
        end.some_number("port", endpoint.port.unwrap_or_default());
    });
}

/// Everything that a search for one thing should find.
fn related(seen: &Seen<'_>, document: &mut Object<'_>) {
    let event = seen.event;
    document.object("related", |related| {
        related.texts("hosts", [event.host()]);
        related.texts("user", [event.user()]);
        let ends = seen
            .network
            .map_or(["", ""], |network| [network.source.address, network.destination.address]);
        let addresses = [event.host_ip(), ends[0], ends[1]];
        related.texts("ip", addresses.into_iter().filter(|text| ip(text).is_some()));
        let view = &*event.view;
        related.texts("hash", [view.ProcessHash, view.ParentHash, view.ResourceHash]);
    });
}

fn address(into: &mut Object<'_>, name: &'static str, address: Option<IpAddr>) {
    if let Some(address) = address {
        into.plain(name, |out| display(out, address));
    }
}

fn display(out: &mut Vec<u8>, value: impl fmt::Display) {
    write!(out, "{value}").expect("a vector takes every write");
}
