//! The Open Cybersecurity Schema Framework, version 1.4.0: `ocsf` is the activity that was seen,
//! `ocsf_finding` a Detection Finding of it, for consumers that read findings alone.
//!
//! | what KubeArmor saw | class | activity |
//! |---|---|---|
//! | Process | 1007 Process Activity | Launch |
//! | File | 1001 File System Activity | Open, Create, Update, Delete, Rename, Set Security, … |
//! | Network, NetworkFirewall | 4001 Network Activity | Open, Refuse, Fail, Listen |
//! | Network with a name asked for | 4003 DNS Activity | Query |
//! | Syscall, Capabilities | 1003 Kernel Activity | Invoke |
//! | Device | 1010 Peripheral Activity, of version 1.7.0: 1.4 has none | Connect |
//! | throttle notices, agents' messages, gap records, others | 0 Base Event | Other, by its name |
//!
//! | of an event | in the object |
//! |---|---|
//! | `UpdatedTime`, else `Timestamp` | `time`, `metadata.original_time` |
//! | how grave it is, by `[severity]` | `severity_id` |
//! | `Action`: Block, Audit; logs | `action_id` Denied, Observed; `disposition_id` Blocked, Alert, Logged |
//! | `Result` | `status_id` Success or Failure, `status_detail`; of a finding `status_id` is New |
//! | `PolicyName`; tags, those of MITRE ATT&CK | `policy`; `metadata.labels`, `attacks` |
//! | `HostName`, `NodeID`, `HostIP` | `device` |
//! | the new process and its parent | `process`, `actor.process` |
//! | any other process, its parent and user | `actor.process` with `parent_process`, `actor.user` |
//! | container, image, labels | `container` of the process, else of the device |
//! | `Resource` | `file`, `kernel`, `peripheral_device`, `query`, or the endpoints' |
//! | a digest | `count`, `start_time`, `end_time` |
//! | everything else | `unmapped`, under KubeArmor's own names |
//!
//! Every value of an enumeration has its caption beside it. What a class requires and KubeArmor
//! did not say reads `unknown`, a process number 0. `raw_data` is left out: it would double the
//! size, and nothing is missing. <https://schema.ocsf.io/1.4.0/>

mod class;
mod control;
mod finding;
mod observables;
mod unmapped;
mod what;
mod who;

use twox_hash::XxHash3_128;

use self::{
    class::Class,
    control::{is_alert, pair},
};
use super::{
    deed::Deed,
    object::{self, Object},
    seen::Seen,
    time,
};
use crate::contract::{Event, EventId, Stream};

/// Appends an event as the activity it tells of, without a line end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let seen = Seen::of(event);
    let class = class::of_activity(&seen);
    object::write(out, |into| {
        head(&seen, &class, into);
        metadata(&seen, &class, false, into);
        control::status(&seen, into);
        control::write(&seen, into);
        who::device(&seen, into);
        if class.category.0 == 1 || who::shows_process(&seen) {
            who::actor(&seen, into);
        }
        what::write(&seen, into);
        observables::write(&seen, false, into);
        unmapped::write(&seen, false, into);
    });
}

/// Appends an event as a Detection Finding, without a line end.
pub fn write_finding(event: &Event<'_>, out: &mut Vec<u8>) {
    let seen = Seen::of(event);
    let class = class::of_finding(&seen);
    object::write(out, |into| {
        head(&seen, &class, into);
        metadata(&seen, &class, true, into);
        let status = if class.activity.0 == 3 { (4, "Resolved") } else { (1, "New") };
        pair(into, ("status_id", "status"), status);
        control::write(&seen, into);
        who::device(&seen, into);
        finding::write(&seen, into);
        observables::write(&seen, true, into);
        unmapped::write(&seen, true, into);
    });
}

fn head(seen: &Seen<'_>, class: &Class<'_>, into: &mut Object<'_>) {
    pair(into, ("category_uid", "category_name"), class.category);
    pair(into, ("class_uid", "class_name"), class.class);
    pair(into, ("activity_id", "activity_name"), class.activity);
    into.number("type_uid", class.type_uid());
    let known = if class.activity.0 == 99 { "Other" } else { class.activity.1 };
    into.joined("type_name", &[class.class.1, ": ", known]);
    into.number("time", seen.moment.ms());
    if let Some(digest) = seen.event.digest() {
        let events = i32::try_from(digest.events).unwrap_or(i32::MAX);
        into.some_number("count", events);
        into.number("start_time", time::ms(digest.first_us));
        into.number("end_time", time::ms(digest.last_us));
    } else if let Some(gap) = seen.event.gap() {
        into.number("start_time", time::ms(gap.from_us));
        into.number("end_time", time::ms(gap.to_us));
    }
    match seen.event.gap() {
        Some(gap) => into.joined("message", &["Events may be missing: ", gap.reason]),
        None => into.text("message", seen.event.message()),
    }
}

fn metadata(seen: &Seen<'_>, class: &Class<'_>, finding: bool, into: &mut Object<'_>) {
    let event = seen.event;
    into.object("metadata", |meta| {
        meta.text("version", class.version);
        meta.plain("uid", |out| event.id().write_hex(out));
        meta.object("product", |product| {
            product.text("name", "KubeArmor");
            product.text("vendor_name", "KubeArmor");
            product.text("version", event.view.KubeArmorVersion);
        });
        meta.texts("profiles", ["container", "host", "security_control"]);
        let name = match event.stream() {
            Stream::Alert => "kubearmor.alerts",
            Stream::Message => "kubearmor.messages",
            Stream::Log => "kubearmor.logs",
        };
        meta.text("log_name", name);
        let provider = if seen.deed == Deed::Gap { "Sidearm" } else { event.enforcer() };
        meta.text("log_provider", provider);
        meta.text("log_level", event.level());
        meta.text("original_time", event.updated_time());
        let received_us = i64::try_from(event.received_us()).unwrap_or(i64::MAX);
        meta.number("logged_time", time::ms(received_us));
        meta.texts("labels", seen.tags.iter().copied());
        if finding && is_alert(seen) {
            let incident = XxHash3_128::oneshot(event.incident_key().as_bytes());
            meta.plain("correlation_uid", |out| EventId(incident).write_hex(out));
        }
    });
}

#[cfg(test)]
mod tests;
