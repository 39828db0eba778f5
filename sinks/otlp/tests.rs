use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::contract::{
    Arrival, BatchBuilder, FIELDS, Kind, Overrides, Value, from_json, json as kubearmor, samples,
    testing::{arbitrary_event, sink, table},
};

fn batch_of(lines: &[&str], format: Format) -> Batch {
    let (first, _) = from_json::read(lines[0]).expect("an event");
    let mut batch = BatchBuilder::new(first);
    for (sequence, line) in (0..).zip(lines) {
        let (stream, message) = from_json::read(line).expect("an event");
        let arrival = Arrival { stream, sequence, received_us: 1_789_899_072_000_001 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect("one");
        let mut body = Vec::new();
        match format {
            Format::Json => kubearmor::write(&event, &mut body),
            Format::Text => body.extend_from_slice(b"in words \xff"),
            _ => {}
        }
        batch.push(event.id(), sequence, 0, |out| {
            write_record(&event, Body::new(format, &body), out);
        });
    }
    batch.finish().expect("records")
}

fn request(lines: &[&str], format: Format) -> Json {
    let shown = shown::json(&write_request(&batch_of(lines, format)));
    serde_json::from_slice(&shown).expect("JSON")
}

fn sample(name: &str) -> &'static str {
    samples().iter().find(|(found, _)| *found == name).expect(name).1
}

/// Attributes as a map; values as they stand, without their kind.
fn attributes(of: &Json) -> std::collections::BTreeMap<String, Json> {
    let plain = |value: &Json| value.as_object().and_then(|o| o.values().next()).cloned();
    of["attributes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|pair| {
            let key = pair["key"].as_str().expect("a key").to_owned();
            (key, plain(&pair["value"]).expect("a value"))
        })
        .collect()
}

/// The ids of a request's records, whose attributes each stand once, as the specification asks.
pub(crate) fn ids(message: &[u8]) -> Result<Vec<String>, String> {
    let request: Json = serde_json::from_slice(&shown::json(message)).map_err(|e| e.to_string())?;
    let list = |of: &Json| of.as_array().cloned().unwrap_or_default();
    let mut ids = Vec::new();
    for logs in list(&request["resourceLogs"]) {
        named_once(&logs["resource"])?;
        for record in list(&logs["scopeLogs"][0]["logRecords"]) {
            named_once(&record)?;
            let id = attributes(&record).remove("log.record.uid").ok_or("no log.record.uid")?;
            ids.push(id.as_str().unwrap_or_default().to_owned());
        }
    }
    Ok(ids)
}

fn named_once(of: &Json) -> Result<(), String> {
    let listed = of["attributes"].as_array().map_or(0, Vec::len);
    if attributes(of).len() == listed { Ok(()) } else { Err(format!("an attribute twice: {of}")) }
}

#[test]
fn a_record_says_who_what_and_when() {
    let request = request(&[sample("alert-process-block")], Format::Native);
    let logs = &request["resourceLogs"][0];
    let resource = attributes(&logs["resource"]);
    assert_eq!(resource["service.name"], "kubearmor");
    assert_eq!(resource["k8s.namespace.name"], "shop");
    assert_eq!(resource["k8s.deployment.name"], "checkout");
    assert_eq!(resource["k8s.pod.label.app"], "checkout");
    assert_eq!(resource["container.image.name"], "registry.example/shop/checkout");
    assert_eq!(resource["container.image.tags"]["values"][0]["stringValue"], "4.12.0");
    let record = &logs["scopeLogs"][0]["logRecords"][0];
    assert_eq!(record["timeUnixNano"], "1772442850523092000");
    assert_eq!(record["observedTimeUnixNano"], "1789899072000001000");
    assert_eq!(record["eventName"], "kubearmor.alert");
    let attributes = attributes(record);
    assert_eq!(attributes["security_rule.name"], "shop-no-package-managers");
    assert_eq!(attributes["process.executable.name"], "apt");
    assert_eq!(attributes["kubearmor.action"], "Block");
    assert_eq!(attributes["log.record.uid"].as_str().map(str::len), Some(32));
}

#[test]
fn records_of_one_resource_share_its_head_whatever_stands_between_them() {
    let (one, other) = (sample("alert-process-block"), sample("alert-device-block"));
    let request = request(&[one, other, one], Format::Native);
    let groups = request["resourceLogs"].as_array().expect("groups");
    let sizes: Vec<_> = groups
        .iter()
        .map(|group| group["scopeLogs"][0]["logRecords"].as_array().expect("records").len())
        .collect();
    assert_eq!(sizes, [2, 1]);
}

#[test]
fn the_body_of_the_json_format_is_what_the_kubearmor_receiver_sends() {
    let request = request(&[sample("log-process")], Format::Json);
    let body = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"];
    let mut fields = std::collections::BTreeMap::new();
    for pair in body["kvlistValue"]["values"].as_array().expect("fields") {
        fields.insert(pair["key"].as_str().expect("a key"), &pair["value"]);
    }
    let own: Json = serde_json::from_str(sample("log-process")).expect("JSON");
    let own = own.as_object().expect("an object");
    assert!(!fields.contains_key("Timestamp"));
    assert_eq!(fields.len(), own.len() - 1);
    assert_eq!(fields["HostPID"]["doubleValue"].as_f64(), own["HostPID"].as_f64());
    assert_eq!(fields["Operation"]["stringValue"], own["Operation"]);
}

#[test]
fn any_other_text_is_a_body_of_text() {
    let request = request(&[sample("log-process")], Format::Text);
    let body = &request["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"];
    assert_eq!(body["stringValue"], "in words \u{fffd}");
}

/// Every value of a field of KubeArmor's own stands somewhere in the record or its resource, in
/// both forms, so that nothing is lost on the way.
#[test]
fn nothing_that_was_sent_is_lost() {
    for (name, line) in samples() {
        let (stream, message) = from_json::read(line).expect(name);
        let arrival = Arrival { stream, sequence: 1, received_us: 1 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect(name);
        let mut text = Vec::new();
        otlp::write(&event, &mut text);
        let written: Json = serde_json::from_slice(&text).expect(name);
        let sent = request(&[line], Format::Native);
        for (form, all) in [("format", &written), ("sink", &sent)] {
            let mut values = Vec::new();
            leaves(all, &mut values);
            for field in FIELDS.iter().filter(|field| field.name.starts_with(char::is_uppercase)) {
                for value in texts(field.name, event.field(field.name).expect(field.name)) {
                    assert!(
                        // An owner's kind is part of a name, in lower case.
                        values
                            .iter()
                            .any(|found| found.to_lowercase().contains(&value.to_lowercase())),
                        "{name}, {form}: {} {value:?}",
                        field.name
                    );
                }
            }
        }
    }
}

fn leaves(json: &Json, to: &mut Vec<String>) {
    match json {
        Json::String(text) => to.push(text.clone()),
        Json::Number(number) => to.push(number.to_string()),
        Json::Array(items) => items.iter().for_each(|item| leaves(item, to)),
        Json::Object(pairs) => pairs.iter().for_each(|(key, value)| {
            to.push(key.clone());
            leaves(value, to);
        }),
        Json::Bool(_) | Json::Null => {}
    }
}

fn texts(name: &str, value: Value<'_>) -> Vec<String> {
    match value {
        Value::Str("") | Value::Int(0) | Value::Bool(_) => Vec::new(),
        // Tags and labels are told apart, one by one.
        Value::Str(text) if matches!(name, "Tags" | "Labels") => {
            text.split(',').map(part).collect()
        }
        Value::Str(text) => vec![text.rsplit(':').next().unwrap_or(text).to_owned()],
        Value::String(text) => vec![text],
        Value::Int(number) => vec![number.to_string()],
        Value::List(items) => items.into_iter().map(str::to_owned).collect(),
        Value::Map(pairs) => pairs.into_iter().map(|(_, value)| value.to_owned()).collect(),
    }
}

fn part(text: &str) -> String {
    text.rsplit('=').next().unwrap_or(text).trim().to_owned()
}

#[test]
fn a_label_that_is_sent_twice_is_one_attribute() {
    let twice = r#"{"Type":"HostLog","Labels":"app=b,tier=x,app=a","UID":0,"PPID":0}"#;
    let request = request(&[twice], Format::Native);
    let resource = &request["resourceLogs"][0]["resource"];
    let named = attributes(resource);
    assert_eq!(resource["attributes"].as_array().map(Vec::len), Some(named.len()));
    assert_eq!(named["k8s.pod.label.tier"], "x");
    let both = serde_json::json!([{ "stringValue": "a" }, { "stringValue": "b" }]);
    assert_eq!(named["k8s.pod.label.app"]["values"], both);
}

#[test]
fn mistakes_are_told_with_their_key() {
    for (more, path) in [
        ("url = \"collector:4317\"", "url"),
        ("url = \"https://c:4317/v1/logs\"", "url"),
        ("url = \"https://c\"\nprotocol = \"json\"", "protocol"),
        ("url = \"https://c\"\nheaders = { \"a b\" = \"c\" }", "headers.a b"),
        ("url = \"https://c\"\ntimeout = \"0s\"", "timeout"),
    ] {
        let error = build(table(more)).err().expect(more);
        assert_eq!(error.path, path, "{}", error.message);
    }
}

#[test]
fn the_path_of_http_is_added_once() {
    for (url, whole) in [
        ("https://c:4318", "https://c:4318/v1/logs"),
        ("https://loki/otlp/", "https://loki/otlp/v1/logs"),
        ("https://c:4318/v1/logs", "https://c:4318/v1/logs"),
    ] {
        let otlp: Otlp = sink(&format!("url = \"{url}\"\nprotocol = \"http\"")).expect(url);
        let batch = batch_of(&[sample("message")], Format::Native);
        let request: HttpRequest = Sink::<Http>::request(&otlp, &batch);
        assert_eq!(request.url, whole);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn whatever_stands_in_an_event_is_a_right_request(owned in arbitrary_event()) {
        let event = owned.event();
        let mut batch = BatchBuilder::new(event.stream());
        batch.push(event.id(), 1, 1, |record| {
            write_record(&event, Body::new(Format::Native, b""), record);
        });
        let sent = write_request(&batch.finish().expect("a record"));
        let shown: Json = serde_json::from_slice(&shown::json(&sent)).expect("JSON");
        let logs = &shown["resourceLogs"][0];
        let record = &logs["scopeLogs"][0]["logRecords"][0];
        prop_assert_eq!(&attributes(record)["log.record.uid"], &event.id().to_string());
        prop_assert_eq!(&attributes(&logs["resource"])["service.name"], "kubearmor");
        let mut text = Vec::new();
        otlp::write(&event, &mut text);
        prop_assert!(!text.contains(&b'\n'));
        let written: Json = serde_json::from_slice(&text).expect("JSON");
        prop_assert_eq!(
            attributes(&written["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]),
            attributes(record)
        );
    }
}
