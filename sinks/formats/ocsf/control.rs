//! The profile of security controls, and what every event has: how grave, how it ended.

use super::super::{
    deed::Deed,
    names::Attack,
    object::{List, Object},
    seen::Seen,
};
use crate::contract::{Gravity, Stream};

/// `severity`, `status` and what KubeArmor did about it.
pub(super) fn write(seen: &Seen<'_>, into: &mut Object<'_>) {
    let event = seen.event;
    let (severity, name) = match event.gravity() {
        Gravity::Info => (1, "Informational"),
        Gravity::Low => (2, "Low"),
        Gravity::Medium => (3, "Medium"),
        Gravity::High => (4, "High"),
        Gravity::Critical => (5, "Critical"),
    };
    pair(into, ("severity_id", "severity"), (severity, name));
    into.text("status_detail", event.result());
    if let Some((action, disposition)) = outcome(seen) {
        pair(into, ("action_id", "action"), action);
        pair(into, ("disposition_id", "disposition"), disposition);
    }
    if is_alert(seen) {
        into.condition("is_alert", true);
    }
    into.object("policy", |policy| {
        if !event.policy().is_empty() {
            policy.text("name", event.policy());
            policy.condition("is_applied", event.blocked());
        }
    });
    if seen.deed == Deed::Firewall {
        into.object("firewall_rule", |rule| rule.text("name", event.policy()));
    }
    into.list("attacks", |list| attacks(seen, list));
}

/// How the activity itself ended. Of a finding, `status` tells how far people are with it.
pub(super) fn status(seen: &Seen<'_>, into: &mut Object<'_>) {
    let status = match seen.event.result() {
        "" => return,
        "Passed" => (1, "Success"),
        _ => (2, "Failure"),
    };
    pair(into, ("status_id", "status"), status);
}

/// Techniques and tactics, each as an attack of its own: tags do not say which belong together.
pub(super) fn attacks(seen: &Seen<'_>, list: &mut List<'_>) {
    for attack in seen.attacks() {
        list.object(|into| match attack {
            Attack::Tactic { id, name } => into.object("tactic", |tactic| {
                tactic.text("uid", id);
                tactic.text("name", name);
            }),
            Attack::Technique { id, name } => match id.split_once('.') {
                None => into.object("technique", |technique| {
                    technique.text("uid", id);
                    technique.text("name", name);
                }),
                Some((technique, _)) => {
                    into.object("technique", |into| into.text("uid", technique));
                    into.object("sub_technique", |sub| {
                        sub.text("uid", id);
                        sub.text("name", name);
                    });
                }
            },
        });
    }
}

/// A value and its caption.
pub(super) fn pair(
    into: &mut Object<'_>,
    (id, name): (&'static str, &'static str),
    (value, caption): (i64, &str),
) {
    into.number(id, value);
    into.text(name, caption);
}

/// Whether somebody should look: a policy matched, or alerts are being lost.
pub(super) fn is_alert(seen: &Seen<'_>) -> bool {
    seen.event.stream() == Stream::Alert
}

type Captioned = (i64, &'static str);

/// What the control did, and what became of the activity; nothing where no control was involved.
fn outcome(seen: &Seen<'_>) -> Option<(Captioned, Captioned)> {
    const OBSERVED: Captioned = (3, "Observed");
    match seen.deed {
        Deed::Throttle | Deed::Message | Deed::Gap => None,
        _ if seen.event.blocked() => Some(((2, "Denied"), (2, "Blocked"))),
        _ if is_alert(seen) => Some((OBSERVED, (19, "Alert"))),
        _ => Some((OBSERVED, (17, "Logged"))),
    }
}
