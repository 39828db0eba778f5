//! What no schema has a field for: KubeArmor's own fields, under names of a schema's choice.

use super::{object::Object, time::Moment};
use crate::contract::{Event, known_key};

/// The details of a call: a member for each key that agents write, named by `key`; pairs with
/// other keys as `k=v` in the list `others`, for text of an event must not name a field.
pub(super) fn details(
    event: &Event<'_>,
    details: &[(&str, &str)],
    others: &'static str,
    into: &mut Object<'_>,
) {
    for (key, value) in details {
        if let Some(name) = known_key(key) {
            into.text(name, value);
        }
    }
    into.list(others, |list| {
        for (key, value) in details {
            if known_key(key).is_none() {
                list.joined(&[key, "=", value]);
            }
        }
        // What was sent but told otherwise: a pair that an agent mangled.
        for (key, value) in event.view.EventData.iter_unique() {
            let told = details.iter().any(|(known, told)| known == key && told == value);
            if !told && *value != event.data() {
                list.joined(&[key, "=", value]);
            }
        }
    });
}

/// `Timestamp` where it says other than `UpdatedTime`; 0 where there is nothing to add.
pub(super) fn timestamp(event: &Event<'_>, moment: &Moment<'_>) -> i64 {
    match event.view.Timestamp {
        seconds if seconds == moment.seconds() => 0,
        seconds => seconds,
    }
}

/// `UpdatedTime` where the moment is written otherwise; empty where there is nothing to add.
pub(super) fn updated_time<'e>(event: &'e Event<'_>, moment: &Moment<'_>) -> &'e str {
    if moment.is_as_written() || event.is_gap() { "" } else { event.updated_time() }
}

/// `Tags` where they are other than the list of them says; empty where there is nothing to add.
pub(super) fn tags<'e>(event: &'e Event<'_>) -> &'e str {
    let tags = event.view.Tags;
    let same = tags.split(',').eq(event.tags());
    if same { "" } else { tags }
}

/// `Severity` where it is no number of 1 to 10; empty where there is nothing to add.
pub(super) fn severity<'e>(event: &'e Event<'_>) -> &'e str {
    if event.severity().is_some() { "" } else { event.view.Severity }
}

/// What the pod belongs to, under KubeArmor's own names.
pub(super) fn owner(event: &Event<'_>, own: &mut Object<'_>) {
    if let Some(owner) = event.view.Owner.as_option() {
        own.object("Owner", |into| {
            into.text("Ref", owner.Ref);
            into.text("Name", owner.Name);
            into.text("Namespace", owner.Namespace);
        });
    }
}

/// What a gap record says.
pub(super) fn gap(event: &Event<'_>, own: &mut Object<'_>) {
    if let Some(gap) = event.gap() {
        own.text("Stream", event.stream().name());
        own.text("Reason", gap.reason);
        own.text("From", &gap.from);
        own.text("To", &gap.to);
        own.some_number("Lost", i64::try_from(gap.lost).unwrap_or(i64::MAX));
    }
}

/// What a message that stands for many events tells beside their number and times, for which
/// schemas have fields.
pub(super) fn digest(event: &Event<'_>, own: &mut Object<'_>) {
    if let Some(digest) = event.digest() {
        own.object("Digest", |told| {
            told.text("Telling", digest.telling.name());
            told.number("Incidents", i64::try_from(digest.incidents).unwrap_or(i64::MAX));
            told.texts("Pods", digest.pods.iter().map(|(pod, _)| &**pod));
            told.texts("Processes", digest.processes.iter().map(|(process, _)| &**process));
        });
    }
}
