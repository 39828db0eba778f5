//! Who did it and where: device, actor, process, container, user, files with their hashes.

use super::{
    super::{
        deed::Deed,
        names::{Image, Path, ip},
        object::Object,
        seen::Seen,
    },
    control::pair,
};

/// The node. It is required, and so is one name of it.
pub(super) fn device(seen: &Seen<'_>, into: &mut Object<'_>) {
    let event = seen.event;
    into.object("device", |device| {
        device.text("hostname", event.host());
        device.text("uid", event.node_id());
        if ip(event.host_ip()).is_some() {
            device.text("ip", event.host_ip());
        } else if event.host().is_empty() && event.node_id().is_empty() {
            device.text("name", "unknown");
        }
        pair(device, ("type_id", "type"), (0, "Unknown"));
        if !shows_process(seen) {
            container(seen, device);
        }
    });
}

/// Whether a process is written: what is known of one then stands there.
pub(super) fn shows_process(seen: &Seen<'_>) -> bool {
    let base = matches!(seen.deed, Deed::Throttle | Deed::Message | Deed::Gap | Deed::Other);
    seen.deed == Deed::Process || (seen.event.has_process() && !base)
}

/// Who acted: of a new process its parent, else the process itself. It is required.
pub(super) fn actor(seen: &Seen<'_>, into: &mut Object<'_>) {
    into.object("actor", |actor| {
        if seen.deed == Deed::Process {
            actor.object("process", |process| parent_process(seen, process));
        } else if shows_process(seen) {
            actor.object("process", |process| own_process(seen, process));
            user(seen, actor);
        } else {
            actor.object("user", |user| {
                user.text("name", "unknown");
                pair(user, ("type_id", "type"), (0, "Unknown"));
            });
        }
    });
}

/// The process that was to be started, or that acted. A process number of 0 is one that KubeArmor
/// did not know; OCSF wants one.
pub(super) fn own_process(seen: &Seen<'_>, process: &mut Object<'_>) {
    let view = &*seen.event.view;
    let known = if view.HostPID == 0 { view.PID } else { view.HostPID };
    process.number("pid", known.into());
    process.some_number("namespace_pid", view.PID);
    process.text("name", Path::of(view.ProcessName).name);
    process.text("cmd_line", seen.event.command());
    process.text("working_directory", view.Cwd);
    program(seen, view.ProcessName, view.ProcessHash, process);
    user(seen, process);
    container(seen, process);
    let has_parent = view.HostPPID != 0 || view.PPID != 0 || !view.ParentProcessName.is_empty();
    if seen.deed != Deed::Process && has_parent {
        process.object("parent_process", |parent| parent_process(seen, parent));
    }
}

fn parent_process(seen: &Seen<'_>, parent: &mut Object<'_>) {
    let view = &*seen.event.view;
    let known = if view.HostPPID == 0 { view.PPID } else { view.HostPPID };
    parent.number("pid", known.into());
    parent.some_number("namespace_pid", view.PPID);
    parent.text("name", Path::of(view.ParentProcessName).name);
    parent.text("cmd_line", seen.event.parent_command());
    program(seen, view.ParentProcessName, view.ParentHash, parent);
}

/// The file that a process was started from.
fn program(seen: &Seen<'_>, path: &str, hash: &str, process: &mut Object<'_>) {
    if !path.is_empty() {
        process.object("file", |file| {
            named_file(path, (1, "Regular File"), file);
            hashes(seen, hash, file);
        });
    }
}

/// A file by its path; a name is required.
pub(super) fn named_file(path: &str, kind: (i64, &'static str), file: &mut Object<'_>) {
    let parts = Path::of(path);
    let name = [parts.name, path, "unknown"].into_iter().find(|name| !name.is_empty());
    file.text("name", name.expect("the last of them is not empty"));
    file.text("path", path);
    file.text("parent_folder", parts.directory);
    pair(file, ("type_id", "type"), kind);
}

/// A hash where it is one.
pub(super) fn hashes(seen: &Seen<'_>, hash: &str, file: &mut Object<'_>) {
    if !is_hash(hash) {
        return;
    }
    let named = seen.event.view.HashAlgo;
    let algorithm = match named {
        _ if named.eq_ignore_ascii_case("sha256") => (3, "SHA-256"),
        _ if named.eq_ignore_ascii_case("sha512") => (4, "SHA-512"),
        _ if named.eq_ignore_ascii_case("sha1") => (2, "SHA-1"),
        _ if named.eq_ignore_ascii_case("md5") => (1, "MD5"),
        "" => (0, "Unknown"),
        named => (99, named),
    };
    file.list("hashes", |list| {
        list.object(|into| {
            pair(into, ("algorithm_id", "algorithm"), algorithm);
            into.text("value", hash);
        });
    });
}

/// OCSF's hashes are hexadecimal.
pub(super) fn is_hash(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether there is a container that labels can be said of.
pub(super) fn has_container(seen: &Seen<'_>) -> bool {
    !seen.event.container_id().is_empty() || !seen.event.container().is_empty()
}

fn container(seen: &Seen<'_>, into: &mut Object<'_>) {
    if !has_container(seen) {
        return;
    }
    let event = seen.event;
    into.object("container", |container| {
        container.text("uid", event.container_id());
        container.text("name", event.container());
        if !event.image().is_empty() {
            container.object("image", |image| {
                image.text("uid", event.image());
                image.text("name", Image::of(event.image()).name);
            });
        }
        if !event.pod().is_empty() {
            container.text("orchestrator", "Kubernetes");
        }
        let labels = event.view.Labels.split(',').map(str::trim);
        container.texts("labels", labels);
    });
}

fn user(seen: &Seen<'_>, into: &mut Object<'_>) {
    if !seen.event.has_user() && seen.event.user().is_empty() {
        return;
    }
    into.object("user", |user| {
        user.text("name", seen.event.user());
        user.digits("uid", seen.event.uid().into());
    });
}
