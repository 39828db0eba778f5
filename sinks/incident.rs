//! An event as destinations that keep incidents are told of it: its incident's key, a line for its
//! title, and its details by name.
//!
//! All of it is on one line with each character visible: event text reaches a pager or the rules
//! of a router. What is longer than anybody reads is cut; the whole event is with the SIEM.

use sha2::{Digest as _, Sha256};

use crate::{
    card::{Card, fitted},
    contract::{Digest, Event, FIELDS, Telling, Value, acts, push_visible, write_json_string},
};

/// A detail is cut here, in characters.
const MAX_DETAIL_CHARS: usize = 2_048;
/// A detail of several parts ends after so many.
const MAX_PARTS: usize = 64;
/// A part's name is cut here, in characters.
const MAX_PART_NAME_CHARS: usize = 128;
/// A part's value is cut here, in characters.
const MAX_PART_CHARS: usize = 512;

/// One line with each character visible, cut to `most` characters; blanks and line ends become one
/// space.
pub(crate) fn plain_line(text: &str, most: usize) -> String {
    let words: Vec<_> = text.split_whitespace().collect();
    fitted(&words.join(" "), most, push_visible)
}

/// What stays the same for events of one incident, as a text of at most `max_bytes`. What is
/// longer, or holds characters a destination might alter, becomes a hash of it.
pub(crate) fn key(event: &Event<'_>, max_bytes: usize) -> String {
    let key = whole_key(event);
    if key.len() <= max_bytes && !key.chars().any(acts) {
        return key;
    }
    format!("sha256:{}", hexadecimal(&Sha256::digest(key.as_bytes())))
}

/// A short hash of the incident's key: 16 hexadecimal digits.
pub(crate) fn short_key(event: &Event<'_>) -> String {
    hexadecimal(&Sha256::digest(whole_key(event).as_bytes())[..8])
}

/// A message of held events stands for several incidents, so it is of none of them.
fn whole_key(event: &Event<'_>) -> String {
    match telling(event) {
        Some(Telling::Held) => format!("sidearm|{}|held back", event.cluster()),
        // What is told when all is quiet must be of the incident that was told before.
        _ => event.incident_key(),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What kind of message it is, where it is not the event's own.
pub(crate) fn telling(event: &Event<'_>) -> Option<Telling> {
    event.digest().map(|digest| digest.telling)
}

/// Whether the incident is over, as far as a quiet time tells.
pub(crate) fn is_quiet(event: &Event<'_>) -> bool {
    telling(event) == Some(Telling::Quiet)
}

/// When the first event it tells of happened, in microseconds since 1970, by clocks that are not
/// ahead of ours.
pub(crate) fn start_us(event: &Event<'_>) -> i64 {
    let first_us = event.digest().map_or(event.time_us(), |digest| digest.first_us);
    first_us.min(i64::try_from(event.received_us()).unwrap_or(i64::MAX))
}

/// When the last event it tells of happened, in microseconds since 1970; never before the first.
pub(crate) fn end_us(event: &Event<'_>) -> i64 {
    let last_us = event.digest().map_or(event.time_us(), |digest| digest.last_us);
    last_us.max(start_us(event))
}

/// A moment as RFC 3339 in UTC with microseconds, in the years 1970 to 9999.
pub(crate) fn rfc3339(micros: i64) -> String {
    let moment = jiff::Timestamp::from_microsecond(micros.max(0)).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// A line that says what happened, where, and why it matters.
pub(crate) fn headline(event: &Event<'_>, most: usize) -> String {
    let Card { title, text, .. } = Card::of(event);
    let parts: Vec<_> = [title, text].into_iter().filter(|part| !part.is_empty()).collect();
    plain_line(&parts.join(" | "), most)
}

/// A detail's value, as plain text or parts of it.
#[derive(Debug, PartialEq)]
pub(crate) enum Detail {
    Text(String),
    Number(i64),
    Several(Vec<String>),
    Named(Vec<(String, String)>),
}

impl Detail {
    /// On one line.
    pub(crate) fn line(&self, max_chars: usize) -> String {
        let joined = match self {
            Self::Text(text) => return plain_line(text, max_chars),
            Self::Number(number) => return number.to_string(),
            Self::Several(parts) => parts.join(", "),
            Self::Named(parts) => {
                let parts = parts.iter().map(|(name, value)| format!("{name}={value}"));
                parts.collect::<Vec<_>>().join(", ")
            }
        };
        plain_line(&joined, max_chars)
    }

    fn is_nothing(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Number(number) => *number == 0,
            Self::Several(parts) => parts.is_empty(),
            Self::Named(parts) => parts.is_empty(),
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_json_string(text, out),
            Self::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Several(parts) => {
                list(b"[]", parts, out, |part, out| write_json_string(part, out));
            }
            Self::Named(parts) => list(b"{}", parts, out, |(name, value), out| {
                write_json_string(name, out);
                out.push(b':');
                write_json_string(value, out);
            }),
        }
    }
}

fn list<T>(brackets: &[u8; 2], parts: &[T], out: &mut Vec<u8>, write: fn(&T, &mut Vec<u8>)) {
    out.push(brackets[0]);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(part, out);
    }
    out.push(brackets[1]);
}

/// What is known of the event, by name: the shown event's id and what a digest counts, then KubeArmor's
/// own fields, then what follows from them. Nothing empty is among it.
pub(crate) fn details(event: &Event<'_>) -> Vec<(&'static str, Detail)> {
    let mut details = vec![
        ("event_id", Detail::Text(event.shown_id().to_string())),
        ("stream", Detail::Text(event.stream().name().to_owned())),
        ("gravity", Detail::Text(event.gravity().name().to_owned())),
    ];
    details.extend(event.digest().into_iter().flat_map(digest_details));
    let own =
        FIELDS.iter().filter(|field| field.name.starts_with(|c: char| c.is_ascii_uppercase()));
    const DERIVED: [&str; 7] =
        ["mitre", "workload", "dns_name", "protocol", "remote_ip", "remote_port", "remote_host"];
    for name in own.map(|field| field.name).chain(DERIVED) {
        let Some(detail) = event.field(name).map(detail) else { continue };
        // 0 is root, where there is a process at all.
        let is_root = name == "UID" && event.host_pid() != 0;
        if is_root || !detail.is_nothing() {
            details.push((name, detail));
        }
    }
    details
}

fn digest_details(digest: &Digest) -> Vec<(&'static str, Detail)> {
    let count = |number: u64| Detail::Number(i64::try_from(number).unwrap_or(i64::MAX));
    let named = |counts: &[(String, u64)]| {
        let counts = counts.iter().map(|(name, number)| (name.as_str(), number.to_string()));
        parts(counts)
    };
    vec![
        ("telling", Detail::Text(digest.telling.name().to_owned())),
        ("count", count(digest.events)),
        ("incidents", count(digest.incidents)),
        ("first", Detail::Text(rfc3339(digest.first_us))),
        ("last", Detail::Text(rfc3339(digest.last_us))),
        ("pods", named(&digest.pods)),
        ("processes", named(&digest.processes)),
    ]
}

fn detail(value: Value<'_>) -> Detail {
    match value {
        Value::Str(text) => Detail::Text(plain_line(text, MAX_DETAIL_CHARS)),
        Value::String(text) => Detail::Text(plain_line(&text, MAX_DETAIL_CHARS)),
        Value::Int(number) => Detail::Number(number),
        Value::Bool(condition) => Detail::Text(condition.to_string()),
        Value::List(texts) => {
            let texts = texts.iter().take(MAX_PARTS);
            Detail::Several(texts.map(|text| plain_line(text, MAX_PART_CHARS)).collect())
        }
        Value::Map(pairs) => parts(pairs.into_iter().map(|(name, value)| (name, value.to_owned()))),
    }
}

/// Parts in the order of their names, for agents write them in any.
fn parts<'a>(pairs: impl Iterator<Item = (&'a str, String)>) -> Detail {
    let mut parts: Vec<_> = pairs
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            (plain_line(name, MAX_PART_NAME_CHARS), plain_line(&value, MAX_PART_CHARS))
        })
        .collect();
    parts.sort_unstable();
    parts.dedup_by(|next, kept| next.0 == kept.0);
    parts.truncate(MAX_PARTS);
    Detail::Named(parts)
}

/// Appends the details as one JSON object of at most `max_bytes`. What finds no room is counted
/// in `left_out`.
pub(crate) fn write_json(details: &[(&'static str, Detail)], max_bytes: usize, out: &mut Vec<u8>) {
    const ROOM_FOR_LEFT_OUT: usize = 32;
    let start = out.len();
    out.push(b'{');
    let mut left_out = 0;
    for (name, detail) in details {
        let before = out.len();
        write_json_string(name, out);
        out.push(b':');
        detail.write_json(out);
        out.push(b',');
        if out.len() - start + ROOM_FOR_LEFT_OUT > max_bytes {
            out.truncate(before);
            left_out += 1;
        }
    }
    if left_out > 0 {
        out.extend_from_slice(format!("\"left_out\":{left_out}").as_bytes());
    } else if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contract::testing::{arbitrary_event, with_event};

    const EVENT: &str = r#"{"UpdatedTime":"2026-09-20T10:11:12.000678Z","ClusterName":"c","HostName":"n1","NamespaceName":"shop","PodName":"web-0","HostPID":4,"PolicyName":"p","Severity":"8","Message":"m","Type":"MatchedPolicy","Operation":"File","Resource":"/etc/\u202epasswd","EventData":{"b":"2","a":"1"},"Action":"Block","UID":0,"PPID":0}"#;

    fn told(telling: Telling) -> Digest {
        Digest {
            telling,
            events: 12,
            incidents: 3,
            first_us: 1_000_000,
            last_us: 2_000_000,
            pods: vec![("web-0".to_owned(), 12)],
            processes: Vec::new(),
        }
    }

    #[test]
    fn a_headline_says_what_happened_and_where() {
        with_event(EVENT, |event| {
            let line = headline(&event, 200);
            assert_eq!(line, "Blocked: file /etc/\\u{202e}passwd in shop/web-0 | m");
            let digest = told(Telling::Held);
            assert_eq!(key(&event.telling(&digest), 255), "sidearm|c|held back");
        });
    }

    #[test]
    fn a_key_that_is_too_long_or_not_plain_is_hashed() {
        with_event(EVENT, |event| {
            assert!(key(&event, 255).starts_with("sha256:"), "a mark of direction");
            assert_eq!(key(&event, 255).len(), 71);
        });
        with_event(&EVENT.replace("\\u202e", ""), |event| {
            assert_eq!(key(&event, 255), "c|shop|web-0|p|File|Block|/etc/passwd");
            assert!(key(&event, 20).starts_with("sha256:"));
            assert_eq!(short_key(&event).len(), 16);
        });
    }

    #[test]
    fn details_are_sorted_plain_and_within_their_room() {
        with_event(EVENT, |event| {
            let details = details(&event);
            let find = |name| details.iter().find(|(found, _)| *found == name).map(|(_, d)| d);
            assert_eq!(find("UID"), Some(&Detail::Number(0)));
            assert_eq!(find("PPID"), None);
            assert_eq!(find("EventData").expect("parts").line(99), "a=1, b=2");
            let mut small = Vec::new();
            write_json(&details, 150, &mut small);
            assert!(small.len() <= 150);
            let small: serde_json::Value = serde_json::from_slice(&small).expect("JSON");
            assert_eq!(small["stream"], "alert");
            assert!(small["left_out"].as_u64() > Some(3));
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]
        #[test]
        fn whatever_an_event_holds_it_is_told_plainly(owned in arbitrary_event()) {
            let event = owned.event();
            let line = headline(&event, 1_000);
            prop_assert!(!line.is_empty() && line.chars().count() <= 1_000);
            prop_assert!(!line.chars().any(acts));
            prop_assert!(key(&event, 255).len() <= 255);
            let mut out = Vec::new();
            write_json(&details(&event), 100_000, &mut out);
            prop_assert!(out.len() <= 100_000);
            let value: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
            let id = event.shown_id().to_string();
            prop_assert_eq!(value["event_id"].as_str(), Some(id.as_str()));
            let start: jiff::Timestamp = rfc3339(start_us(&event)).parse().expect("a moment");
            prop_assert!(start >= jiff::Timestamp::UNIX_EPOCH);
            prop_assert!(end_us(&event) >= start_us(&event));
        }
    }
}
