//! A Detection Finding, 2004: for consumers that read findings and nothing else.

use super::{
    super::{deed::Deed, object::Object, seen::Seen, time},
    control::attacks,
    what::evidence,
    who::{actor, shows_process},
};

/// `finding_info`, `evidences` and `resources`.
pub(super) fn write(seen: &Seen<'_>, into: &mut Object<'_>) {
    into.object("finding_info", |info| about(seen, info));
    into.list("evidences", |list| {
        list.object(|into| {
            evidence(seen, into);
            if shows_process(seen) {
                actor(seen, into);
            }
        });
    });
    let event = seen.event;
    if !event.pod().is_empty() {
        into.list("resources", |list| {
            list.object(|pod| {
                pod.text("type", "Pod");
                pod.text("name", event.pod());
                pod.text("namespace", event.namespace());
                pod.texts("labels", event.view.Labels.split(',').map(str::trim));
            });
        });
    }
}

fn about(seen: &Seen<'_>, info: &mut Object<'_>) {
    let event = seen.event;
    info.plain("uid", |out| event.id().write_hex(out));
    let names = [event.operation(), event.event_type()];
    let what = names.into_iter().find(|name| !name.is_empty()).unwrap_or("KubeArmor");
    match (event.policy(), seen.deed) {
        (_, Deed::Gap) => info.text("title", "Events may be missing"),
        (_, Deed::Throttle) => info.text("title", "Alerts of a container are being dropped"),
        ("", _) => info.text("title", what),
        (policy, _) => info.joined("title", &[policy, ": ", what]),
    }
    info.text("desc", event.gap().map_or(event.message(), |gap| gap.reason));
    info.texts("types", [what]);
    info.number("created_time", seen.moment.ms());
    if let Some(digest) = event.digest() {
        info.number("first_seen_time", time::ms(digest.first_us));
        info.number("last_seen_time", time::ms(digest.last_us));
    }
    info.object("analytic", |analytic| {
        if !event.policy().is_empty() {
            analytic.text("name", event.policy());
            analytic.number("type_id", 1);
            analytic.text("type", "Rule");
        }
    });
    info.list("attacks", |list| attacks(seen, list));
}
