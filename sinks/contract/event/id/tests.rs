//! What an id depends on, and what not.

use std::collections::HashSet;

use proptest::{prelude::*, sample::subsequence};
use serde_json::{Map, Value, json};

use super::*;
use crate::contract::{Arrival, Event, from_json, samples};

fn id(stream: Stream, message: &[u8]) -> EventId {
    of(Kind::Event, stream, message)
}

fn id_of_json(line: &str) -> EventId {
    let (stream, message) = from_json::read(line).expect(line);
    id(stream, &message)
}

/// A field of the wire that holds text. Numbers below 2048, lengths below 128.
fn field(number: u32, text: &str) -> Vec<u8> {
    let tag = number << 3 | 2;
    let mut bytes = match tag {
        0..0x80 => vec![tag as u8],
        _ => vec![tag as u8 | 0x80, (tag >> 7) as u8],
    };
    bytes.push(u8::try_from(text.len()).ok().filter(|length| *length < 0x80).expect("short"));
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

fn labels(pairs: &[String]) -> Vec<u8> {
    field(29, &pairs.join(","))
}

fn socket(tokens: &[String]) -> Vec<u8> {
    field(20, &tokens.join(" "))
}

fn entries(pairs: &[String]) -> Vec<Vec<u8>> {
    pairs.iter().map(|pair| field(43, pair)).collect()
}

/// An alert with fields no version knows yet, and the same with all that is random shuffled.
fn twins() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let texts = |prefix: &'static str, count: usize| {
        let all: Vec<_> = (0..count).map(|index| format!("{prefix}{index}=v{index}")).collect();
        subsequence(all, 0..=count)
            .prop_flat_map(|some| (Just(some.clone()), Just(some).prop_shuffle()))
    };
    let tokens: Vec<_> =
        ["sa_family=AF_INET", "sin_port=53", "sin_addr=10.0.0.10"].map(str::to_owned).into();
    let plain = prop::collection::btree_map(44_u32..200, "[a-z ä]{0,40}", 0..12);
    (texts("l", 6), texts("d", 9), Just(tokens.clone()).prop_shuffle(), plain).prop_flat_map(
        move |(label, datum, shuffled_tokens, plain)| {
            let plain: Vec<_> = plain.iter().map(|(number, text)| field(*number, text)).collect();
            let build = |label: &[String], datum: &[String], tokens: &[String]| {
                let mut parts = vec![field(2, "2026-03-01T08:00:00.000001Z")];
                parts.extend([labels(label), socket(tokens)]);
                parts.extend(entries(datum));
                parts.extend(plain.iter().cloned());
                parts
            };
            let twin = build(&label.1, &datum.1, &shuffled_tokens);
            let one = build(&label.0, &datum.0, &tokens).concat();
            (Just(one), Just(twin).prop_shuffle().prop_map(|parts| parts.concat()))
        },
    )
}

proptest! {
    #[test]
    fn no_order_that_is_random_counts((one, twin) in twins()) {
        prop_assert_eq!(id(Stream::Alert, &one), id(Stream::Alert, &twin));
        prop_assert_ne!(id(Stream::Alert, &one), id(Stream::Log, &one));
    }

    #[test]
    fn any_bytes_have_an_id(bytes: Vec<u8>) {
        for stream in Stream::ALL {
            let _ = id(stream, &bytes);
        }
    }
}

#[test]
fn every_field_counts() {
    for (name, line) in samples() {
        let object: Map<String, Value> = serde_json::from_str(line).expect(name);
        let mut ids = HashSet::from([id_of_json(line)]);
        let changeable = object.iter().filter(|(key, _)| *key != "Type");
        for (key, value) in changeable {
            let mut changed = object.clone();
            changed.insert(key.clone(), other_than(value));
            let line = Value::Object(changed).to_string();
            assert!(ids.insert(id_of_json(&line)), "{name}: {key} does not count");
        }
    }
}

fn other_than(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_i64().expect("whole") + 1),
        Value::String(text) => json!(format!("{text}.")),
        Value::Array(texts) => json!(texts.iter().rev().chain(texts).collect::<Vec<_>>()),
        Value::Object(members) if members.contains_key("Ref") => json!({"Name": "other"}),
        Value::Object(members) if members.is_empty() || members.contains_key("ExecID") => {
            json!({"ExecID": "other"})
        }
        _ => json!({"Syscall": "SYS_OTHER"}),
    }
}

#[test]
fn place_time_of_receipt_and_configured_cluster_do_not_count() {
    let (_, line) = samples()[0];
    let (stream, message) = from_json::read(line).expect(line);
    let seen = |sequence, received_us, cluster| {
        let arrival = Arrival { stream, sequence, received_us };
        let overrides = crate::contract::Overrides::of_cluster(cluster);
        Event::decode(Kind::Event, arrival, &message, &overrides).expect("an event").id()
    };
    assert_eq!(seen(1, 2, ""), seen(3, 4, "elsewhere"));
}

/// A new version that gave events other ids would send everything it still holds twice.
#[test]
fn ids_are_those_of_earlier_versions() {
    let known: Vec<_> = samples()
        .iter()
        .filter(|(name, _)| {
            matches!(*name, "alert-process-block" | "log-network-accept" | "message")
        })
        .map(|(_, line)| id_of_json(line).to_string())
        .collect();
    assert_eq!(
        known,
        [
            "96aff78f6a955a13b0995b5b8e59f98c",
            "974e8fe5b10afd5ed103de169130880b",
            "2cf402a74c61862ad81e7ac8ef0ba8c0"
        ]
    );
}
