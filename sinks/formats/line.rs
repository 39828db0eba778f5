//! What the formats of one line share: how grave an event is, what was done, and how a line that
//! is too long for its way is made shorter.

use serde_json::Value;

use super::text::cut;
use crate::contract::{Event, Gravity, Stream};

/// A JSON object in so many bytes, its longest texts cut and a member `truncated` added that says
/// so; nothing where even that does not do.
pub(crate) fn shortened_json(object: &str, max_bytes: usize) -> Option<String> {
    const LONGEST: usize = 4096;
    const SHORTEST: usize = 32;
    let Value::Object(mut members) = serde_json::from_str(object).ok()? else { return None };
    members.insert("truncated".to_owned(), Value::Bool(true));
    let mut whole = Value::Object(members);
    let mut each = LONGEST;
    while each >= SHORTEST {
        cut_texts(&mut whole, each);
        let text = whole.to_string();
        if text.len() <= max_bytes {
            return Some(text);
        }
        each /= 2;
    }
    None
}

fn cut_texts(value: &mut Value, max_bytes: usize) {
    match value {
        Value::String(text) if text.len() > max_bytes => *text = cut(text, max_bytes).into_owned(),
        Value::Array(items) => items.iter_mut().for_each(|item| cut_texts(item, max_bytes)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| cut_texts(member, max_bytes));
        }
        _ => {}
    }
}

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

/// What a digest counted, the most frequent first.
pub(super) fn names(counted: &[(String, u64)]) -> String {
    counted.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(",")
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_shortened_object_is_one_still_and_says_so() {
        let object = json!({"a": "x".repeat(5_000), "b": {"c": ["y".repeat(300)], "d": 1}});
        let short = shortened_json(&object.to_string(), 1_000).expect("it can be shortened");
        let read: Value = serde_json::from_str(&short).expect("JSON");
        assert!(short.len() <= 1_000);
        assert_eq!((&read["truncated"], &read["b"]["d"]), (&json!(true), &json!(1)));
        assert!(read["a"].as_str().is_some_and(|text| text.ends_with("x…")));
        assert_eq!(shortened_json(&object.to_string(), 50), None);
        assert_eq!(shortened_json("not JSON", 50), None);
    }
}
