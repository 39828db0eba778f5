//! One event in words: what happened, to what, where, and what follows from it.

use super::{Card, TEXT_CHARS_MAX, TITLE_CHARS_MAX, VALUE_CHARS_MAX, fit, moment};
use crate::contract::{Event, Gap, Gravity, Stream, Value};

/// Names of Kubernetes: a label has 63 characters, a name 253.
const NAME_CHARS_MAX: usize = 256;
/// What was acted upon, in a title.
const OBJECT_CHARS_MAX: usize = 72;
/// Where it happened, in a title.
const PLACE_CHARS_MAX: usize = 52;
/// The policy KubeArmor names where an allow-list has no rule for what happened.
const NO_RULE: &str = "DefaultPosture";

/// The card of an event that stands for itself.
pub(super) fn card(event: &Event<'_>) -> Card {
    let mut card = Card {
        title: String::new(),
        subject: super::subject(event),
        text: String::new(),
        gravity: event.gravity(),
        facts: Vec::with_capacity(16),
        id: event.shown_id().to_string(),
        time_us: event.time_us(),
        link: None,
    };
    match event.gap() {
        Some(gap) => missing(event, gap, &mut card),
        None if event.is_throttle_notice() => throttled(event, &mut card),
        None if event.stream() == Stream::Message => message(event, &mut card),
        None => deed(event, &mut card),
    }
    card.title = fit::visible(&card.title, TITLE_CHARS_MAX);
    card.text = fit::visible(&card.text, TEXT_CHARS_MAX);
    card
}

/// An alert or a log.
fn deed(event: &Event<'_>, card: &mut Card) {
    let is_alert = event.stream() == Stream::Alert;
    let word = match event.action() {
        "Block" => "Blocked",
        "Audit (Block)" => "Not blocked",
        action if action.starts_with("Audit") => "Only audited",
        _ if is_alert => "Alert",
        _ => "Seen",
    };
    card.title = format!("{word}: {}", what(event));
    push_place(event, &mut card.title);
    card.text = match (event.message(), event.policy()) {
        ("", NO_RULE) => "No rule of the workload's policies allows it.".to_owned(),
        (message, _) => message.to_owned(),
    };
    card.literal("Policy", event.policy(), NAME_CHARS_MAX);
    if is_alert {
        card.words("Severity", &severity(event));
    }
    card.words("Outcome", &outcome(event));
    workload(event, card);
    card.literal("Process", event.process(), 300);
    let starts = event.starts_program();
    card.literal("Command", event.command(), VALUE_CHARS_MAX);
    if event.parent_command() != event.parent_process() {
        card.literal("Started by", event.parent_command(), VALUE_CHARS_MAX);
    }
    card.literal("Parent", event.parent_process(), 300);
    card.literal("User", event.user(), NAME_CHARS_MAX);
    if !starts {
        card.literal("Resource", event.resource(), VALUE_CHARS_MAX);
    }
    card.literal("Asked for", event.dns_name(), NAME_CHARS_MAX);
    card.words("MITRE", &event.mitre().join(", "));
    card.words("Time", &moment(event.time_us()));
}

/// What was done, and to what, short enough for a title.
fn what(event: &Event<'_>) -> String {
    let resource = event.resource();
    let (word, object) = match event.operation() {
        "Process" if resource.is_empty() => ("process", event.process().to_owned()),
        "Process" => ("process", resource.to_owned()),
        "File" => ("file", resource.to_owned()),
        "Network" | "NetworkFirewall" => connection(event),
        "Capabilities" => ("capability", resource.to_owned()),
        "Device" => ("device", resource.to_owned()),
        "Syscall" => ("system call", format!("{} {resource}", event.syscall())),
        "" => ("event", resource.to_owned()),
        operation => (operation, resource.to_owned()),
    };
    let object = fit::visible(&object, OBJECT_CHARS_MAX);
    format!("{} {object}", fit::visible(word, OBJECT_CHARS_MAX / 2)).trim_end().to_owned()
}

fn connection<'e>(event: &'e Event<'_>) -> (&'e str, String) {
    use crate::contract::Direction;
    if !event.dns_name().is_empty() {
        return ("DNS query for", event.dns_name().to_owned());
    }
    let Some(network) = event.network() else { return ("network", event.resource().to_owned()) };
    let remote = network.remote();
    match (remote.address, remote.port, network.direction) {
        ("", _, _) if network.protocol.is_empty() => ("network", event.resource().to_owned()),
        ("", _, _) => ("network, protocol", network.protocol.to_owned()),
        (address, port, direction) => {
            let word = match direction {
                Direction::Out => "connection to",
                Direction::In => "connection from",
            };
            (word, port.map_or_else(|| address.to_owned(), |port| format!("{address} port {port}")))
        }
    }
}

/// Where it happened, short enough for a title: `in namespace/workload`, or `on host`.
fn push_place(event: &Event<'_>, title: &mut String) {
    let (word, place) = match (event.namespace(), event.workload()) {
        ("", "") => return,
        ("", workload) => ("on", workload.to_owned()),
        (namespace, workload) => ("in", format!("{namespace}/{workload}")),
    };
    title.push_str(&format!(" {word} {}", fit::visible(&place, PLACE_CHARS_MAX)));
}

fn severity(event: &Event<'_>) -> String {
    let gravity = event.gravity().name();
    match event.severity() {
        Some(severity) => format!("{gravity} ({severity} of 10)"),
        None if event.policy().is_empty() => gravity.to_owned(),
        None => format!("{gravity} (its policy gives none)"),
    }
}

/// What became of the deed, in words.
fn outcome(event: &Event<'_>) -> String {
    const PASSED: &str = "Passed";
    let (action, result) = (event.action(), event.result());
    let said = match action {
        "Block" => "blocked",
        "Audit (Block)" => "its policy blocks it, yet it was only audited",
        action if action.starts_with("Audit") => "only audited",
        _ => "",
    };
    match (said, result) {
        ("", result) => result.to_owned(),
        ("blocked", "" | PASSED) => said.to_owned(),
        ("blocked", result) => format!("{said}: {result}"),
        (said, "") => said.to_owned(),
        (said, PASSED) => format!("{said}: it went ahead"),
        (said, result) => format!("{said}: it failed by itself, {result}"),
    }
}

/// Where it happened, from the steadiest name to the node.
fn workload(event: &Event<'_>, card: &mut Card) {
    if let Some(owner) = event.owner() {
        card.literal("Workload", &format!("{}/{}", owner.kind, owner.name), NAME_CHARS_MAX);
    }
    card.literal("Namespace", event.namespace(), NAME_CHARS_MAX);
    card.literal("Pod", event.pod(), NAME_CHARS_MAX);
    card.literal("Container", event.container(), NAME_CHARS_MAX);
    card.literal("Image", event.image(), NAME_CHARS_MAX);
    card.literal("Node", event.host(), NAME_CHARS_MAX);
    card.literal("Cluster", event.cluster(), NAME_CHARS_MAX);
}

/// KubeArmor's notice that it now drops alerts.
fn throttled(event: &Event<'_>, card: &mut Card) {
    let number = |field| match event.field(field) {
        Some(Value::Int(number)) => number,
        _ => 0,
    };
    let (most, seconds) = (number("MaxAlertsPerSec"), number("DroppingAlertsInterval"));
    card.title = format!("Blind for {seconds} s: KubeArmor drops alerts");
    push_place(event, &mut card.title);
    card.text = format!(
        "More than {most} alerts came within a second. What follows for {seconds} s is dropped \
         by the agent and counted nowhere."
    );
    card.words("Severity", &severity(event));
    workload(event, card);
    card.literal("Policy", event.policy(), NAME_CHARS_MAX);
    card.literal("Process", event.process(), 300);
    card.literal("Resource", event.resource(), VALUE_CHARS_MAX);
    card.words("Time", &moment(event.time_us()));
}

/// An agent's own message.
fn message(event: &Event<'_>, card: &mut Card) {
    let level = if event.level().is_empty() { "Message" } else { event.level() };
    card.title = format!("{} from KubeArmor", fit::visible(level, 16));
    push_place(event, &mut card.title);
    card.text = event.message().to_owned();
    card.literal("Node", event.host(), NAME_CHARS_MAX);
    card.literal("Address", event.host_ip(), NAME_CHARS_MAX);
    card.literal("Cluster", event.cluster(), NAME_CHARS_MAX);
    card.words("Time", &moment(event.time_us()));
}

/// Our own note that events may have been missed.
fn missing(event: &Event<'_>, gap: &Gap<'_>, card: &mut Card) {
    let kind = event.stream().name();
    let span = super::telling::span(gap.from_us, gap.to_us);
    (card.title, card.text) = match (event.digest(), gap.lost) {
        // The times and numbers of one gap would be taken for those of all.
        (Some(_), _) => (
            format!("Gap: {kind}s may be missing"),
            "The times of each are in the destinations that keep every event.".to_owned(),
        ),
        (None, lost) => (
            format!("Gap: {kind}s of {span} may be missing"),
            match lost {
                0 => format!("How many {kind}s came meanwhile is not known."),
                1 => format!("At least 1 {kind} was lost."),
                lost => format!("At least {lost} {kind}s were lost."),
            },
        ),
    };
    if card.gravity > Gravity::Info {
        card.words("Severity", card.gravity.name());
    }
    card.words("From", &moment(gap.from_us));
    card.words("To", &moment(gap.to_us));
    card.literal("Reason", gap.reason, VALUE_CHARS_MAX);
    card.literal("Cluster", event.cluster(), NAME_CHARS_MAX);
}
