//! What Splunk takes of a body, and what it refuses; pure.
//!
//! Splunk indexes as it reads: of a body with a bad object, those before it are taken already.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{
    Answer, Code, EVENT_BLANK, EVENT_REQUIRED, INCORRECT_INDEX, INDEXED_FIELDS, INVALID_FORMAT,
    NO_DATA, SUCCESS,
};

/// Splunk Cloud's limit, uncompressed; it answers a larger body as if its first object were bad.
pub(super) const BODY_BYTES_MAX: usize = 5 * 1024 * 1024;

/// An event that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seen {
    /// The indexed field `event_id`; empty where there was none.
    pub id: String,
    /// KubeArmor's `ExecEvent.ExecID`, by which the built-in relay numbers its events.
    pub number: Option<u64>,
}

type Object<'a> = BTreeMap<String, &'a RawValue>;

/// What becomes of one object.
enum Judged {
    Taken(Seen),
    Refused(Code),
    /// An unknown key ends the reading, and is no error.
    Ended,
}

/// Reads a body, already decompressed: the events taken, and the answer.
pub(super) fn read(body: &[u8], indexes: &[String]) -> (Vec<Seen>, Answer) {
    if body.len() > BODY_BYTES_MAX {
        return (Vec::new(), refusal(INVALID_FORMAT, 0));
    }
    if body.trim_ascii().is_empty() {
        return (Vec::new(), NO_DATA.into());
    }
    let mut taken = Vec::new();
    for object in objects(body) {
        match object.map_or(Judged::Refused(INVALID_FORMAT), |object| judge(&object, indexes)) {
            Judged::Taken(seen) => taken.push(seen),
            Judged::Refused(code) => {
                // Of a wrong index alone Splunk names the object after it.
                let event = taken.len() + usize::from(code == INCORRECT_INDEX);
                return (taken, refusal(code, event));
            }
            Judged::Ended => break,
        }
    }
    (taken, SUCCESS.into())
}

fn refusal(code: Code, event: usize) -> Answer {
    Answer { event: Some(event), ..code.into() }
}

/// The objects of a body, one behind the other or in an array; none in place of what is no object,
/// which is always the last.
fn objects(body: &[u8]) -> Vec<Option<Object<'_>>> {
    if body.trim_ascii_start().starts_with(b"[") {
        return match serde_json::from_slice::<Vec<Object<'_>>>(body) {
            Ok(objects) => objects.into_iter().map(Some).collect(),
            Err(_) => vec![None],
        };
    }
    let mut sound = true;
    serde_json::Deserializer::from_slice(body)
        .into_iter()
        .map(Result::ok)
        .take_while(|object| std::mem::replace(&mut sound, object.is_some()))
        .collect()
}

fn judge(object: &Object<'_>, indexes: &[String]) -> Judged {
    for (key, value) in object {
        let fault = match key.as_str() {
            "time" => (!is_plain_decimal(value)).then_some(INDEXED_FIELDS),
            "fields" => (!is_flat(value)).then_some(INDEXED_FIELDS),
            "host" | "source" | "sourcetype" => text(value).is_none().then_some(INVALID_FORMAT),
            "index" => match text(value) {
                None => Some(INVALID_FORMAT),
                Some(index) => {
                    let allowed = indexes.is_empty() || indexes.contains(&index);
                    (!allowed).then_some(INCORRECT_INDEX)
                }
            },
            "event" => event_fault(value),
            _ => return Judged::Ended,
        };
        if let Some(code) = fault {
            return Judged::Refused(code);
        }
    }
    match object.contains_key("event") {
        true => Judged::Taken(seen(object)),
        false => Judged::Refused(EVENT_REQUIRED),
    }
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

fn event_fault(event: &RawValue) -> Option<Code> {
    match event.get() {
        "null" => Some(EVENT_REQUIRED),
        _ => text(event).is_some_and(|text| text.trim().is_empty()).then_some(EVENT_BLANK),
    }
}

/// Seconds such as `1779770817.355927`, as a number or a string; never with an exponent.
fn is_plain_decimal(value: &RawValue) -> bool {
    let written = value.get();
    let written = written.strip_prefix('"').and_then(|w| w.strip_suffix('"')).unwrap_or(written);
    let (whole, fraction) = written.split_once('.').unwrap_or((written, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole) && digits(fraction)
}

/// An object of scalars and of arrays of scalars.
fn is_flat(value: &RawValue) -> bool {
    use serde_json::Value;
    let scalar = |value: &Value| !value.is_object() && !value.is_array();
    match serde_json::from_str(value.get()) {
        Ok(Value::Object(fields)) => fields.values().all(|value| match value {
            Value::Array(values) => values.iter().all(scalar),
            value => scalar(value),
        }),
        _ => false,
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Fields {
    event_id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(rename = "ExecEvent")]
    exec_event: ExecEvent,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ExecEvent {
    #[serde(rename = "ExecID")]
    exec_id: String,
}

fn seen(object: &Object<'_>) -> Seen {
    fn part<T: Default + serde::de::DeserializeOwned>(object: &Object<'_>, key: &str) -> T {
        let value = object.get(key);
        value.and_then(|value| serde_json::from_str(value.get()).ok()).unwrap_or_default()
    }
    let fields: Fields = part(object, "fields");
    let event: Event = part(object, "event");
    Seen { id: fields.event_id, number: event.exec_event.exec_id.parse().ok() }
}
