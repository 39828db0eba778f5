//! What a schema has no place for: KubeArmor's own fields that were not told yet.

use crate::contract::{Event, FIELDS, Value};

/// Hands `write` each of the event's own fields that is not empty and not among `told`, by its
/// name in KubeArmor's JSON. The parts of `Owner` and `ExecEvent` go one by one (`OwnerName`),
/// lists and free pairs as JSON.
pub(super) fn each(event: &Event<'_>, told: &[&str], mut write: impl FnMut(&str, &str)) {
    let own = FIELDS.iter().map(|field| field.name).filter(|name| is_own(name));
    for name in own.filter(|name| !told.contains(name)) {
        match event.field(name) {
            Some(Value::Str(text)) if !text.is_empty() => write(name, text),
            Some(Value::String(text)) if !text.is_empty() => write(name, &text),
            Some(Value::Int(number)) if number != 0 => write(name, &number.to_string()),
            Some(Value::List(items)) if !items.is_empty() => write(name, &list(&items)),
            Some(Value::Map(pairs)) if matches!(name, "Owner" | "ExecEvent") => {
                for (key, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
                    // `ExecEvent` has an `ExecID`.
                    write(&format!("{name}{key}"), value);
                }
            }
            Some(Value::Map(pairs)) if !pairs.is_empty() => write(name, &object(pairs)),
            _ => {}
        }
    }
}

/// KubeArmor's fields begin with a capital, derived ones do not.
fn is_own(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
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
