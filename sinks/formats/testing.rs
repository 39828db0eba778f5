//! What the tests of every format need: events of all kinds, and a schema as a table of facts.

use std::{collections::BTreeMap, net::IpAddr, sync::LazyLock};

use buffa::Message as _;
use serde_json::Value;
use sidearm_proto::sidearm::Gap;

use super::Writer;
use crate::contract::{
    Arrival, Digest, Event, Kind, Overrides, Stream, Telling, from_json, known_key, samples,
    testing::once,
};

/// When the tests' events were received, in microseconds since 1970.
pub(super) const RECEIVED_US: u64 = 1_789_899_072_000_000;

/// Shows a test every sample there is, by name, and a gap record.
pub(super) fn with_every_sample(mut test: impl FnMut(&str, &Event<'_>)) {
    for (name, line) in samples() {
        let (stream, message) = from_json::read(line).expect(name);
        test(name, &event(Kind::Event, stream, &message));
    }
    let gap = Gap {
        FromMicros: 1_789_899_000_000_000,
        ToMicros: 1_789_899_060_000_000,
        Reason: "the relay ended the stream".to_owned(),
        Lost: 12,
    };
    test("gap", &event(Kind::Gap, Stream::Alert, &gap.encode_to_vec()));
}

/// A record of a journal.
pub(super) fn event(kind: Kind, stream: Stream, message: &[u8]) -> Event<'_> {
    let arrival = Arrival { stream, sequence: 7, received_us: RECEIVED_US };
    Event::decode(kind, arrival, message, Overrides::none()).expect("an event")
}

/// What a message tells of a dozen events.
pub(super) fn digest() -> &'static Digest {
    static DIGEST: LazyLock<Digest> = LazyLock::new(|| Digest {
        telling: Telling::Repeats,
        events: 12,
        incidents: 1,
        first_us: 1_772_442_850_000_001,
        last_us: 1_772_442_910_000_002,
        pods: vec![("cart-0".to_owned(), 11), ("cart-1".to_owned(), 1)],
        processes: vec![("/usr/bin/apt".to_owned(), 12)],
    });
    &DIGEST
}

/// A body, which must be one line of JSON that names no member twice.
pub(super) fn written(write: Writer, event: &Event<'_>) -> Value {
    let mut out = b"before".to_vec();
    write(event, &mut out);
    let text = std::str::from_utf8(&out).expect("UTF-8");
    let text = text.strip_prefix("before").expect("appended");
    assert!(!text.contains(['\n', '\r']), "one line: {text}");
    once(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A schema: what each field that we use may hold.
///
/// One line a field: its path (`[]` behind the name of a list), its type, and where only some
/// values are allowed, those, between bars.
pub(super) struct Schema {
    fields: BTreeMap<&'static str, (&'static str, Vec<&'static str>)>,
    /// Where the details of calls stand, a text for each key that agents write.
    details: &'static str,
}

impl Schema {
    pub(super) fn of(lines: &'static str) -> Self {
        Self { fields: BTreeMap::new(), details: "no details" }.and(lines)
    }

    /// And these fields.
    pub(super) fn and(mut self, lines: &'static str) -> Self {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let path = words.next().expect("a path");
            let kind = words.next().unwrap_or_else(|| panic!("a type of {path}"));
            let allowed = words.next().map_or_else(Vec::new, |all| all.split('|').collect());
            let before = self.fields.insert(path, (kind, allowed));
            assert!(before.is_none(), "{path} stands twice");
        }
        self
    }

    pub(super) fn with_details(self, details: &'static str) -> Self {
        Self { details, ..self }
    }

    fn field(&self, path: &str) -> Option<(&'static str, &[&'static str])> {
        let known = |key| known_key(key).is_some();
        match self.fields.get(path) {
            Some((kind, allowed)) => Some((kind, allowed)),
            None => path.strip_prefix(self.details).is_some_and(known).then_some(("text", &[])),
        }
    }

    /// Every field's path and value; a field that is unknown, or of another type or value than
    /// the schema allows, fails.
    pub(super) fn check(&self, name: &str, body: &Value) -> BTreeMap<String, Vec<Value>> {
        let mut found = BTreeMap::new();
        leaves("", body, &mut found);
        for (path, values) in &found {
            let Some((kind, allowed)) = self.field(path) else {
                panic!("{name}: no such field: {path} = {values:?}");
            };
            for value in values {
                let right =
                    is_of(kind, value) && (allowed.is_empty() || allowed.contains(&&*plain(value)));
                assert!(right, "{name}: {path} is no {kind} of {allowed:?}: {value}");
            }
        }
        found
    }

    /// The fields that no sample has ever filled: facts that nothing holds true.
    pub(super) fn unused(&self, used: &BTreeMap<String, Vec<Value>>) -> Vec<&'static str> {
        self.fields.keys().copied().filter(|path| !used.contains_key(*path)).collect()
    }
}

/// A value as a text, without quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn leaves(path: &str, value: &Value, into: &mut BTreeMap<String, Vec<Value>>) {
    match value {
        Value::Object(members) => {
            assert!(!members.is_empty() || path.is_empty(), "an empty object: {path}");
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{dot}{name}"), value, into);
            }
        }
        Value::Array(items) => {
            assert!(!items.is_empty(), "an empty list: {path}");
            items.iter().for_each(|item| leaves(&format!("{path}[]"), item, into));
        }
        value => into.entry(path.to_owned()).or_default().push(value.clone()),
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match kind {
        "text" => !text.is_empty(),
        "number" => value.is_i64() || value.is_u64(),
        "int" => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
        "port" => value.as_u64().is_some_and(|number| (1..=65_535).contains(&number)),
        "bool" => value.is_boolean(),
        "ip" => text.parse::<IpAddr>().is_ok(),
        "date" => {
            text.len() == 27 && text.ends_with('Z') && text.parse::<jiff::Timestamp>().is_ok()
        }
        "digits" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        "signed" => text.parse::<i64>().is_ok(),
        kind => panic!("no such type: {kind}"),
    }
}

/// Holds that every value KubeArmor sent stands somewhere in the body. What was taken apart is
/// found part by part.
pub(super) fn nothing_is_lost(name: &str, event: &Event<'_>, body: &Value) {
    let mut found = BTreeMap::new();
    leaves("", body, &mut found);
    let texts: Vec<String> = found.values().flatten().map(plain).collect();
    let has = |wanted: &str| {
        let known = texts.iter().any(|text| text.eq_ignore_ascii_case(wanted));
        known || found.keys().any(|path| path.ends_with(&format!(".{wanted}")))
    };
    let mut line = Vec::new();
    crate::contract::json::write(event, &mut line);
    let sent: Value = serde_json::from_slice(&line).expect("JSON");
    let mut all = BTreeMap::new();
    leaves_of_event(&sent, &mut all);
    for (field, value) in all {
        let parts: Vec<&str> = match field.as_str() {
            // Algorithms are written with and without a dash.
            "HashAlgo"
                if texts.iter().any(|text| text.replace('-', "").eq_ignore_ascii_case(&value)) =>
            {
                continue;
            }
            // The same moment as UpdatedTime, or told beside it.
            "Timestamp" if event.time_us().div_euclid(1_000_000) == event.view.Timestamp => {
                continue;
            }
            "PPID" | "UID" if value == "0" => continue,
            "Tags" => value.split(',').map(str::trim).collect(),
            "Labels" => value.split(',').collect(),
            "ContainerImage" => value.split(['@', ':']).flat_map(|part| part.split('@')).collect(),
            _ => vec![&value],
        };
        let whole = has(&value);
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let somewhere = || texts.iter().any(|text| text.contains(part));
            let told = whole || has(part) || (field == "ContainerImage" && somewhere());
            let pair = field.strip_prefix("EventData.");
            let paired = || pair.is_some_and(|key| has(&format!("{key}={part}")));
            assert!(told || paired(), "{name}: {field} is lost: {part:?}\n{body:#}");
        }
    }
}

/// Every non-empty value that was sent, by its field.
fn leaves_of_event(sent: &Value, into: &mut BTreeMap<String, String>) {
    for (field, value) in sent.as_object().expect("an object") {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    into.insert(format!("{field}.{key}"), plain(value));
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    into.insert(format!("{field}.{place}"), plain(item));
                }
            }
            value => {
                into.insert(field.clone(), plain(value));
            }
        }
    }
    into.retain(|_, value| !value.is_empty());
}
