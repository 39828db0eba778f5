//! The columns that every schema of ASIM has.
//! <https://learn.microsoft.com/azure/sentinel/normalization-common-fields>

use super::{
    super::{deed::Deed, names::ip, object::Object, seen::Seen, time},
    schemas::Schema,
};
use crate::contract::Gravity;

pub(super) fn write(seen: &Seen<'_>, schema: Schema, row: &mut Object<'_>) {
    let event = seen.event;
    row.plain("TimeGenerated", |out| seen.moment.write(out));
    times(seen, row);
    row.text("EventSchema", schema.name());
    row.text("EventSchemaVersion", schema.version());
    row.text("EventVendor", "KubeArmor");
    row.text("EventProduct", "KubeArmor");
    row.text("EventProductVersion", event.view.KubeArmorVersion);
    row.plain("EventUid", |out| event.id().write_hex(out));
    row.text("EventOriginalType", event.event_type());
    row.text("EventOriginalSubType", event.operation());
    let severity = match event.gravity() {
        Gravity::Info => "Informational",
        Gravity::Low => "Low",
        Gravity::Medium => "Medium",
        Gravity::High | Gravity::Critical => "High",
    };
    row.text("EventSeverity", severity);
    row.text("EventOriginalSeverity", event.view.Severity);
    let result = match event.result() {
        "" => "NA",
        "Passed" => "Success",
        _ => "Failure",
    };
    row.text("EventResult", result);
    row.text("EventOriginalResultDetails", event.result());
    match event.gap() {
        Some(gap) => row.joined("EventMessage", &["Events may be missing: ", gap.reason]),
        None => row.text("EventMessage", event.message()),
    }
    device(seen, row);
}

fn times(seen: &Seen<'_>, row: &mut Object<'_>) {
    let between = match (seen.event.digest(), seen.event.gap()) {
        (Some(digest), _) => Some((digest.first_us, digest.last_us)),
        (None, Some(gap)) => Some((gap.from_us, gap.to_us)),
        (None, None) => None,
    };
    let count = seen.event.digest().map_or(1, |digest| digest.events);
    row.number("EventCount", i32::try_from(count).unwrap_or(i32::MAX).into());
    match between {
        Some((from, to)) => {
            row.plain("EventStartTime", |out| time::write(from, out));
            row.plain("EventEndTime", |out| time::write(to, out));
        }
        None => {
            row.plain("EventStartTime", |out| seen.moment.write(out));
            row.plain("EventEndTime", |out| seen.moment.write(out));
        }
    }
}

fn device(seen: &Seen<'_>, row: &mut Object<'_>) {
    let event = seen.event;
    let names = [event.host(), event.node_id(), event.host_ip(), event.cluster(), "unknown"];
    row.text("Dvc", first(names));
    row.text("DvcHostname", event.host());
    if !event.node_id().is_empty() {
        row.text("DvcId", event.node_id());
        row.text("DvcIdType", "Other");
    }
    if ip(event.host_ip()).is_some() {
        row.text("DvcIpAddr", event.host_ip());
    }
    let action = match seen.deed {
        Deed::Throttle | Deed::Gap | Deed::Message => "",
        _ if event.blocked() => "Deny",
        _ if event.action().is_empty() => "",
        _ => "Allow",
    };
    row.text("DvcAction", action);
    row.text("DvcOriginalAction", event.action());
}

/// The first that says something.
pub(super) fn first<const COUNT: usize>(texts: [&str; COUNT]) -> &str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}
