//! What the formats of one line share: how grave an event is, what was done, and how a line that
//! is too long for its way is made shorter.

use crate::contract::{Event, Gravity, Stream};

/// How grave an event is from 1 to 10: as its policy says, else by what it is.
pub(super) fn severity(event: &Event<'_>) -> u8 {
    event.severity().unwrap_or(match event.gravity() {
        Gravity::Info => 1,
        Gravity::Low => 3,
        Gravity::Medium => 5,
        Gravity::High => 8,
        Gravity::Critical => 10,
    })
}

/// What was done, in a word of a fixed set.
pub(super) fn deed(event: &Event<'_>) -> &'static str {
    match (event.stream(), event.action()) {
        _ if event.is_gap() => "missing",
        _ if event.is_throttle_notice() => "throttled",
        (Stream::Message, _) => "reported",
        (Stream::Log, _) => "observed",
        (_, "Block") => "blocked",
        (_, "Audit (Block)") => "would be blocked",
        (_, "Allow") => "allowed",
        (_, _) => "audited",
    }
}

/// The head, then of the pairs those that fit into so many bytes, in order, then `mark`.
pub(super) fn keep_fitting<'l>(
    head: &str,
    separator: &str,
    pairs: impl Iterator<Item = &'l str>,
    mark: &str,
    max_bytes: usize,
) -> String {
    let room = max_bytes.saturating_sub(mark.len() + separator.len());
    let mut kept = head.to_owned();
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        if kept.len() + separator.len() + pair.len() <= room {
            if kept.len() > head.len() {
                kept.push_str(separator);
            }
            kept.push_str(pair);
        }
    }
    if kept.len() > head.len() {
        kept.push_str(separator);
    }
    kept.push_str(mark);
    kept
}
