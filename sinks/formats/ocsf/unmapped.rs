//! `unmapped`: what OCSF has no attribute for, under KubeArmor's own names.

use super::{
    super::{
        deed::{Deed, has_file},
        names::ip,
        object::Object,
        rest,
        seen::Seen,
    },
    who::{has_container, is_hash, shows_process},
};

/// `finding` says whether it is one: those do not know kernel and peripheral device.
pub(super) fn write(seen: &Seen<'_>, finding: bool, into: &mut Object<'_>) {
    into.object("unmapped", |own| {
        let event = seen.event;
        own.text("Type", event.event_type());
        own.text("Operation", event.operation());
        own.text("Action", event.action());
        own.text("Severity", event.view.Severity);
        own.text("Enforcer", event.enforcer());
        own.text("ClusterName", event.cluster());
        place(seen, own);
        own.text("Resource", resource(seen, finding));
        own.text("Data", event.data());
        own.object("EventData", |details| rest::details(event, &seen.details, "Others", details));
        circumstances(seen, own);
        hashes(seen, own);
        if !shows_process(seen) {
            process(seen, own);
        }
        rest::gap(event, own);
        rest::digest(event, own);
    });
}

fn place(seen: &Seen<'_>, own: &mut Object<'_>) {
    let (event, view) = (seen.event, &*seen.event.view);
    own.text("NamespaceName", event.namespace());
    own.text("PodName", event.pod());
    rest::owner(event, own);
    if !has_container(seen) {
        own.text("Labels", view.Labels);
        own.text("ContainerImage", view.ContainerImage);
    }
    if ip(event.host_ip()).is_none() {
        own.text("HostIP", event.host_ip());
    }
}

/// `Resource` where no attribute holds it whole.
fn resource<'e>(seen: &Seen<'e>, finding: bool) -> &'e str {
    let known = match seen.deed {
        Deed::Process => seen.event.starts_program(),
        Deed::File(_) => true,
        Deed::Syscall => !finding && has_file(seen.event),
        Deed::Capability | Deed::Device => !finding,
        _ => false,
    };
    if known { "" } else { seen.event.resource() }
}

fn circumstances(seen: &Seen<'_>, own: &mut Object<'_>) {
    let view = &*seen.event.view;
    own.text("TTY", view.TTY);
    if let Some(execution) = view.ExecEvent.as_option() {
        own.object("ExecEvent", |into| {
            into.text("ExecID", execution.ExecID);
            into.text("ExecutableName", execution.ExecutableName);
        });
    }
    own.some_number("MaxAlertsPerSec", view.MaxAlertsPerSec);
    own.some_number("DroppingAlertsInterval", view.DroppingAlertsInterval);
    own.some_number("Timestamp", rest::timestamp(seen.event, &seen.moment));
    own.text("Tags", rest::tags(seen.event));
}

/// Those that stand with no file, or are none.
fn hashes(seen: &Seen<'_>, own: &mut Object<'_>) {
    let view = &*seen.event.view;
    let shows = shows_process(seen);
    let of_file = matches!(seen.deed, Deed::File(_));
    let all = [
        ("ProcessHash", view.ProcessHash, shows && !view.ProcessName.is_empty()),
        ("ParentHash", view.ParentHash, shows && !view.ParentProcessName.is_empty()),
        ("ResourceHash", view.ResourceHash, of_file),
    ];
    let mut known = true;
    for (name, hash, has_file) in all {
        if !has_file || !is_hash(hash) {
            own.text(name, hash);
            known &= hash.is_empty();
        }
    }
    let any = all.iter().any(|(_, hash, _)| !hash.is_empty());
    if !known || !any {
        own.text("HashAlgo", view.HashAlgo);
    }
}

/// What is known of a process where the class has none.
fn process(seen: &Seen<'_>, own: &mut Object<'_>) {
    let view = &*seen.event.view;
    own.text("Source", view.Source);
    own.text("ProcessName", view.ProcessName);
    own.text("ParentProcessName", view.ParentProcessName);
    own.some_number("HostPID", view.HostPID);
    own.some_number("HostPPID", view.HostPPID);
    own.some_number("PID", view.PID);
    own.some_number("PPID", view.PPID);
    own.some_number("UID", view.UID);
    own.text("UserName", view.UserName);
    own.text("Cwd", view.Cwd);
}
