//! `kubearmor.*`: what ECS has no field for.

use super::{
    super::{deed::has_file, names::ip, object::Object, rest, seen::Seen, time},
    parts::hash_field,
};
use crate::contract::Digest;

pub(super) fn write(seen: &Seen<'_>, document: &mut Object<'_>) {
    document.object("kubearmor", |own| {
        let event = seen.event;
        own.text("type", event.event_type());
        own.text("operation", event.operation());
        own.text("action", event.action());
        own.text("result", event.result());
        own.text("gravity", event.gravity().name());
        own.text("resource", seen.other_resource());
        own.text("data", event.data());
        own.object("event_data", |into| rest::details(event, &seen.details, "others", into));
        own.text("remote_host", seen.network.map_or("", |network| network.remote_host));
        circumstances(seen, own);
        if let Some(gap) = event.gap() {
            own.text("stream", event.stream().name());
            own.some_number("lost", i64::try_from(gap.lost).unwrap_or(i64::MAX));
        }
        if let Some(digest) = event.digest() {
            own.object("digest", |into| write_digest(digest, into));
        }
    });
}

fn circumstances(seen: &Seen<'_>, own: &mut Object<'_>) {
    let (event, view) = (seen.event, &*seen.event.view);
    if let Some(owner) = view.Owner.as_option() {
        own.object("owner", |into| {
            into.text("name", owner.Name);
            into.text("namespace", owner.Namespace);
        });
    }
    own.text("tty", view.TTY);
    if let Some(execution) = view.ExecEvent.as_option() {
        own.object("exec_event", |into| {
            into.text("id", execution.ExecID);
            into.text("executable_name", execution.ExecutableName);
        });
    }
    own.some_number("max_alerts_per_sec", view.MaxAlertsPerSec);
    own.some_number("dropping_interval", view.DroppingAlertsInterval);
    own.object("hash", |into| {
        let known = hash_field(view.HashAlgo).is_some();
        if !known {
            into.text("algorithm", view.HashAlgo);
            into.text("process", view.ProcessHash);
            into.text("parent", view.ParentHash);
        }
        if !known || !has_file(event) {
            into.text("resource", view.ResourceHash);
        }
    });
    own.some_number("timestamp", rest::timestamp(event, &seen.moment));
    own.text("updated_time", rest::updated_time(event, &seen.moment));
    own.text("tags", rest::tags(event));
    own.text("severity", rest::severity(event));
    if ip(event.host_ip()).is_none() {
        own.text("host_ip", event.host_ip());
    }
}

fn write_digest(digest: &Digest, into: &mut Object<'_>) {
    let count = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    into.text("telling", digest.telling.name());
    into.number("events", count(digest.events));
    into.number("incidents", count(digest.incidents));
    into.plain("start", |out| time::write(digest.first_us, out));
    into.plain("end", |out| time::write(digest.last_us, out));
    into.texts("pods", digest.pods.iter().map(|(pod, _)| &**pod));
    into.texts("processes", digest.processes.iter().map(|(process, _)| &**process));
}
