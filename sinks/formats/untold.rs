//! What a schema has no place for: KubeArmor's own fields that were not told yet.

use crate::contract::{Event, FIELDS, Value};

/// A field's name, and behind it that of the part where it has parts: `Owner` and `Ref`. Both are
/// needed, for `ExecEvent` has an `ExecID`.
pub(super) type Name<'n> = [&'n str; 2];

/// Hands `write` each of the event's own fields that is not empty and not among `told`, by its
/// name in KubeArmor's JSON. The parts of `Owner` and `ExecEvent` go one by one, lists and free
/// pairs as JSON.
pub(super) fn each(event: &Event<'_>, told: &[&str], mut write: impl FnMut(Name<'_>, &str)) {
    for field in FIELDS.iter().filter(|field| field.is_own()) {
        let (name, value) = (field.name, field.of(event));
        let whole = [name, ""];
        // What costs least is asked first: most fields are empty.
        if is_empty(&value) || told.contains(&name) {
            continue;
        }
        match value {
            Value::Str(text) => write(whole, text),
            Value::String(text) => write(whole, &text),
            Value::Int(number) => write(whole, &number.to_string()),
            Value::Bool(condition) => write(whole, &condition.to_string()),
            Value::List(items) => write(whole, &list(&items)),
            Value::Map(pairs) if matches!(name, "Owner" | "ExecEvent") => {
                for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
                    write([name, key], value);
                }
            }
            Value::Map(pairs) => write(whole, &object(pairs)),
        }
    }
}

fn is_empty(value: &Value<'_>) -> bool {
    match value {
        Value::Str(text) => text.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Int(number) => *number == 0,
        Value::Bool(condition) => !condition,
        Value::List(items) => items.is_empty(),
        Value::Map(pairs) => pairs.is_empty(),
    }
}

fn list(items: &[&str]) -> String {
    serde_json::to_string(items).expect("texts are JSON")
}

fn object(mut pairs: Vec<(&str, &str)>) -> String {
    pairs.sort_unstable();
    let text = |text: &str| serde_json::to_string(text).expect("text is JSON");
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| format!("{}:{}", text(key), text(value))).collect();
    format!("{{{}}}", pairs.join(","))
}
