//! `AdditionalFields`, the dynamic column: what a schema has no column for, under KubeArmor's own
//! names.

use super::{
    super::{
        deed::{Deed, has_file},
        names::ip,
        object::Object,
        rest,
        seen::Seen,
    },
    schemas::{Schema, hash_column},
};

pub(super) fn write(seen: &Seen<'_>, schema: Schema, row: &mut Object<'_>) {
    row.object("AdditionalFields", |own| {
        let event = seen.event;
        own.text("Enforcer", event.enforcer());
        own.texts("ATags", seen.tags.iter().copied());
        own.text("Tags", rest::tags(event));
        place(seen, own);
        own.text("Resource", resource(seen, schema));
        own.text("Data", event.data());
        own.object("EventData", |details| rest::details(event, &seen.details, "Others", details));
        process(seen, schema, own);
        hashes(seen, schema, own);
        if schema != Schema::Alert {
            own.text("PolicyName", event.policy());
        }
        own.some_number("MaxAlertsPerSec", event.view.MaxAlertsPerSec);
        own.some_number("DroppingAlertsInterval", event.view.DroppingAlertsInterval);
        own.some_number("Timestamp", rest::timestamp(event, &seen.moment));
        own.text("UpdatedTime", rest::updated_time(event, &seen.moment));
        own.text("Level", event.level());
        rest::gap(event, own);
        rest::digest(event, own);
    });
}

fn place(seen: &Seen<'_>, own: &mut Object<'_>) {
    let (event, view) = (seen.event, &*seen.event.view);
    own.text("ClusterName", event.cluster());
    own.text("NamespaceName", event.namespace());
    own.text("PodName", event.pod());
    own.text("Labels", view.Labels);
    rest::owner(event, own);
    own.text("ContainerID", event.container_id());
    own.text("ContainerName", event.container());
    own.text("ContainerImage", event.image());
    if ip(event.host_ip()).is_none() {
        own.text("HostIP", event.host_ip());
    }
}

/// `Resource` where no column holds it whole.
fn resource<'e>(seen: &Seen<'e>, schema: Schema) -> &'e str {
    let known = match schema {
        Schema::Alert => seen.event.starts_program() || has_file(seen.event),
        Schema::Process => seen.event.starts_program(),
        Schema::File | Schema::Audit => true,
        Schema::Network | Schema::Dns => false,
    };
    if known { "" } else { seen.event.resource() }
}

/// What the schema's columns leave out of the process and its parent.
fn process(seen: &Seen<'_>, schema: Schema, own: &mut Object<'_>) {
    let view = &*seen.event.view;
    let both = schema == Schema::Process;
    let command = matches!(schema, Schema::Process | Schema::Alert | Schema::File);
    // Of a new process an alert shows the command line, but not its parent's.
    if !command || (schema == Schema::Alert && seen.event.starts_program()) {
        own.text("Source", view.Source);
    }
    if !both {
        own.text("ParentProcessName", view.ParentProcessName);
        own.some_number("HostPPID", view.HostPPID);
        own.text("Cwd", view.Cwd);
    }
    if matches!(schema, Schema::Network | Schema::Audit) {
        own.some_number("HostPID", view.HostPID);
    }
    own.some_number("PID", view.PID);
    own.some_number("PPID", view.PPID);
    own.text("TTY", view.TTY);
    if let Some(execution) = view.ExecEvent.as_option() {
        own.object("ExecEvent", |into| {
            into.text("ExecID", execution.ExecID);
            into.text("ExecutableName", execution.ExecutableName);
        });
    }
    if let Some(network) = &seen.network {
        let remote = network.remote();
        if schema == Schema::Alert {
            own.text("RemoteAddress", remote.address);
            own.some_number("RemotePort", remote.port.unwrap_or_default());
            own.text("RemoteHost", network.remote_host);
        }
    }
    if schema == Schema::Alert && seen.deed == Deed::Dns {
        own.text("DnsQuery", seen.event.dns_name());
    }
}

/// Those without a column.
fn hashes(seen: &Seen<'_>, schema: Schema, own: &mut Object<'_>) {
    let view = &*seen.event.view;
    let column = hash_column(seen).is_some();
    let of_process = column && schema == Schema::Process;
    let of_file = match schema {
        Schema::File => column,
        Schema::Alert => column && has_file(seen.event),
        _ => false,
    };
    if !of_process {
        own.text("ProcessHash", view.ProcessHash);
        own.text("ParentHash", view.ParentHash);
    }
    if !of_file {
        own.text("ResourceHash", view.ResourceHash);
    }
    own.text("HashAlgo", view.HashAlgo);
}
