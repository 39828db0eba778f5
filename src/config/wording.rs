//! The decoder's complaints in the words of the person who wrote the file.
//!
//! Serde speaks of structs and `usize`; a configuration has tables and whole numbers. Text that was
//! found in the place of something else is not repeated: it may be a secret.

use sidearm_sinks::contract::did_you_mean;

/// One complaint, reworded.
pub(super) fn reword(complaint: &str) -> String {
    if let Some(rest) = complaint.strip_prefix("unknown field ") {
        return unknown_key(rest);
    }
    if let Some(rest) = complaint.strip_prefix("unknown variant ") {
        return unknown_word(rest);
    }
    for start in ["invalid type: ", "invalid value: "] {
        if let Some((found, expected)) =
            complaint.strip_prefix(start).and_then(|rest| rest.rsplit_once(", expected "))
        {
            return format!(
                "found {}, expected {}",
                found_in_words(found),
                kind_in_words(expected)
            );
        }
    }
    match complaint {
        "wanted string or table" => "expected a string".to_owned(),
        other => other.to_owned(),
    }
}

/// The key that a complaint of a missing one names.
pub(super) fn missing_key(complaint: &str) -> Option<&str> {
    complaint.strip_prefix("missing field `")?.strip_suffix('`')
}

fn unknown_key(rest: &str) -> String {
    let (word, known) = words(rest);
    match known.as_slice() {
        [] => "unknown key; expected none here".to_owned(),
        known => format!(
            "unknown key{} expected {}",
            ended(did_you_mean(word, known.iter().copied())),
            any_of(known)
        ),
    }
}

fn unknown_word(rest: &str) -> String {
    let (word, known) = words(rest);
    let near = ended(did_you_mean(word, known.iter().copied()));
    let known: Vec<String> = known.iter().map(|known| format!("\"{known}\"")).collect();
    format!("found \"{word}\"{near} expected {}", any_of(&known))
}

/// A proposal ends its clause by itself; without one a comma has to.
fn ended(proposal: String) -> String {
    if proposal.is_empty() { ",".to_owned() } else { proposal }
}

/// "`x`, expected one of `a`, `b`" as the word and the known ones.
fn words(rest: &str) -> (&str, Vec<&str>) {
    let mut quoted = rest.split('`').skip(1).step_by(2);
    (quoted.next().unwrap_or_default(), quoted.collect())
}

/// "a", "a or b", "a, b or c".
pub(super) fn any_of<S: AsRef<str>>(known: &[S]) -> String {
    let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    match known.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn found_in_words(found: &str) -> String {
    let (kind, value) = found.split_once(' ').unwrap_or((found, ""));
    let value = value.trim_matches('`');
    match kind {
        "string" => "a string".to_owned(),
        "integer" => format!("the number {value}"),
        "floating" => format!("the number {}", value.trim_start_matches("point `")),
        "boolean" => value.to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a table".to_owned(),
        _ => found.to_owned(),
    }
}

fn kind_in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a table",
        "path string" => "a path",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoders_words_become_ours() {
        for (complaint, ours) in [
            (
                "unknown field `tokn`, expected one of `url`, `token`, `index`",
                "unknown key; did you mean \"token\"? expected url, token or index",
            ),
            ("unknown field `x`, there are no fields", "unknown key; expected none here"),
            ("unknown field `q`, expected `max`", "unknown key, expected max"),
            (
                "unknown variant `alerts`, expected one of `alert`, `message`, `log`",
                "found \"alerts\"; did you mean \"alert\"? expected \"alert\", \"message\" or \"log\"",
            ),
            (
                "invalid type: integer `5`, expected a string",
                "found the number 5, expected a string",
            ),
            (
                "invalid type: floating point `0.5`, expected usize",
                "found the number 0.5, expected a whole number",
            ),
            ("invalid type: boolean `true`, expected a map", "found true, expected a table"),
            ("invalid type: sequence, expected struct Table", "found a list, expected a table"),
            ("wanted string or table", "expected a string"),
        ] {
            assert_eq!(reword(complaint), ours);
        }
    }

    #[test]
    fn a_text_in_the_wrong_place_is_not_repeated() {
        let told = reword("invalid type: string \"hunter\\\", expected 2\", expected u64");
        assert_eq!(told, "found a string, expected a whole number");
    }
}
