//! The sink against a double of Loki that is as strict as the real one's documentation.

#[path = "../../tests/faults/doubles/loki.rs"]
mod double;

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::{
    contract::{
        BatchBuilder, Stream,
        testing::{OwnedEvent, answered, asked, reply, sink, table},
    },
    formats,
};
use double::Loki as Double;

const TOKEN: &str = "glc_token";

fn loki(more: &str) -> Loki {
    let mut sink: Loki = sink(&format!("url = \"https://loki:3100\"\n{more}")).expect("a table");
    sink.checked_headers = settings::headers_of(&sink).expect("headers");
    sink
}

/// One that the double's gateway lets in.
fn known(more: &str) -> Loki {
    loki(&format!("token = \"{TOKEN}\"\ntenant = \"security\"\n{more}"))
}

fn batch(sink: &Loki, events: &[OwnedEvent]) -> Batch {
    let mut batch = BatchBuilder::new(Stream::Alert);
    for (sequence, owned) in (0..).zip(events) {
        let event = owned.event();
        let mut body = Vec::new();
        formats::writer(Format::Json).expect("JSON")(&event, &mut body);
        let body = Body::new(Format::Json, &body);
        batch.push(event.id(), sequence, 0, |out| sink.record(&event, body, out));
    }
    batch.finish().expect("events")
}

/// The ids of the entries that a Loki of its defaults stores of a request; an error where it leaves
/// any out.
pub(crate) fn ids(request: &HttpRequest) -> Result<BTreeSet<String>, String> {
    let mut double = Double::new(TOKEN);
    let answer = double.answer(&asked(request));
    if answer.status() != 204 {
        return Err(format!("{}: {}", answer.status(), answer.body()));
    }
    let id = |(_, _, entry): &double::Stored| {
        let entry: Value = serde_json::from_str(entry).expect("it was read already");
        entry[1]["event_id"].as_str().unwrap_or_default().to_owned()
    };
    Ok(double.stored.iter().map(id).collect())
}

/// Delivers as the engine does: halves, single records, the rest again. Answers how many died.
fn deliver(sink: &Loki, double: &mut Double, batch: Batch) -> usize {
    let (mut parts, mut dead) = (vec![batch], 0);
    while let Some(part) = parts.pop() {
        let answer = double.answer(&asked(&sink.request(&part)));
        match sink.verdict(&part, &answered(&answer)) {
            Verdict::Accepted => {}
            Verdict::Never(_) => match part.halves() {
                Some((first, second)) => parts.extend([second, first]),
                None => dead += 1,
            },
            Verdict::Each(each) => {
                for (index, verdict) in each.into_iter().enumerate() {
                    match verdict {
                        Verdict::Never(_) => dead += 1,
                        _ => parts.push(part.cut(index..index + 1)),
                    }
                }
            }
            other => panic!("{other:?}"),
        }
    }
    dead
}

#[test]
fn every_sample_is_stored_once_however_often_it_comes() {
    let sink = known("");
    let events: Vec<_> = OwnedEvent::samples().collect();
    let mut double = Double::new(TOKEN);
    for _ in 0..3 {
        assert_eq!(deliver(&sink, &mut double, batch(&sink, &events)), 0);
    }
    // Told by a digest or alone, an event has one line; the first of each pair differs in nothing.
    let ids: BTreeSet<_> = events.iter().map(|owned| owned.event().id().to_string()).collect();
    assert_eq!(double.stored.len(), ids.len());
}

#[test]
fn a_record_says_labels_time_and_metadata() {
    let sink = loki("");
    let body = sink.request(&batch(&sink, &[OwnedEvent::sample("alert-process-block")])).body;
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    let stream = &body["streams"][0];
    let expected = serde_json::json!({
        "job": "kubearmor", "cluster": "harbour-eu", "namespace": "shop", "stream": "alert",
        "action": "Block",
    });
    assert_eq!(stream["stream"], expected);
    assert_eq!(stream["values"][0][0], "1772442850523092000");
    let metadata = &stream["values"][0][2];
    assert_eq!(metadata["event_id"].as_str().map(str::len), Some(32));
    assert_eq!(metadata["pod"], "checkout-6c9d7f5b88-k2xqv");
    assert_eq!(metadata["policy"], "shop-no-package-managers");
    assert_eq!(metadata["namespace"], Value::Null, "a label already");
}

#[test]
fn one_entry_that_is_refused_takes_no_neighbour_with_it() {
    let sink = known("");
    let names = ["alert-process-block", "log-dns", "alert-syscall-audit", "message", "log-host"];
    let events = names.map(OwnedEvent::sample);
    // Named by its time: set aside at once.
    let mut double = Double::new(TOKEN);
    double.oldest = 1_772_442_850_523_092_001;
    assert_eq!(deliver(&sink, &mut double, batch(&sink, &events)), 1);
    assert_eq!(double.stored.len(), 4);
    // Not named: found by halves, and what came twice is kept once.
    let sink = known("max_line = \"1 MiB\"");
    let long = "x".repeat(300 * 1024);
    let line = format!(r#"{{"Type":"HostLog","PPID":0,"UID":0,"Data":"{long}"}}"#);
    let (_, message) = crate::contract::from_json::read(&line).expect("an event");
    let mut events = events.to_vec();
    events.insert(2, OwnedEvent::of_message(Stream::Log, message));
    let mut double = Double::new(TOKEN);
    assert_eq!(deliver(&sink, &mut double, batch(&sink, &events)), 1);
    assert_eq!(double.stored.len(), 5);
    // The default cuts it, and says so.
    let sink = known("");
    assert_eq!(deliver(&sink, &mut double, batch(&sink, &events)), 0);
    assert!(double.stored.iter().any(|(.., entry)| entry.contains("\"cut\":\"true\"")));
}

#[test]
fn every_answer_has_its_verdict() {
    let sink = loki("");
    let batch = batch(&sink, &[OwnedEvent::sample("log-dns"), OwnedEvent::sample("message")]);
    for (status, body, expected) in [
        (204, "", "accepted"),
        (200, "", "accepted"),
        (200, "<html>please log in</html>", "blocked"),
        (400, "<html>plain HTTP to an HTTPS port</html>", "blocked"),
        (260, "ingestion blocked for user x until '2026-12-01'", "later"),
        (400, "Client sent an HTTP request to an HTTPS server.", "blocked"),
        (400, "Max entry size '262144' bytes exceeded", "never"),
        (400, "entry for stream '{}' has timestamp too old: 2019-10-11T12:30:38Z", "never"),
        (400, "entry for stream '{}' has 20 label names; limit 15", "blocked"),
        (
            400,
            "stream '{}' includes structured metadata, but this feature is disallowed.",
            "blocked",
        ),
        (
            400,
            "entry with timestamp 2026-03-02 09:17:35.434848 +0000 UTC ignored, reason: 'entry too \
             far behind, entry timestamp is: ...',\nuser 'x', total ignored: 1 out of 2",
            "each",
        ),
        (401, "no org id", "blocked"),
        (404, "", "blocked"),
        (413, "request body too large", "smaller"),
        (429, "Ingestion rate limit exceeded", "later"),
        (500, "", "later"),
        (503, "", "later"),
    ] {
        let verdict = sink.verdict(&batch, &reply(status, body));
        assert_eq!(verdict.name(), expected, "{status} {body}");
        if let Verdict::Each(each) = verdict {
            let names: Vec<_> = each.iter().map(Verdict::name).collect();
            assert_eq!(names, ["later", "never"]);
        }
    }
}

#[test]
fn mistakes_are_told_with_their_key() {
    for (more, path) in [
        ("labels = [\"pod\"]", "labels[0]"),
        ("labels = [\"stream\", \"stream\"]", "labels"),
        ("static_labels = {}", "static_labels"),
        ("static_labels = { stream = \"x\" }", "labels"),
        ("static_labels = { \"a-b\" = \"x\" }", "static_labels"),
        ("username = \"x\"", "username"),
        ("token = \"a\"\nusername = \"x\"\npassword = \"y\"", "token"),
        ("tenant = \"\"", "tenant"),
        ("max_line = 10", "max_line"),
    ] {
        let lines = format!("url = \"https://loki:3100\"\n{more}");
        let Err(error) = build(table(&lines)) else { panic!("{more}") };
        assert!(error.path.starts_with(path), "{more}: {} {}", error.path, error.message);
    }
}

#[test]
fn who_asks_is_told_and_not_shown() {
    let request = |more| loki(more).request(&batch(&loki(""), &[OwnedEvent::sample("message")]));
    let basic = request("username = \"me\"\npassword = \"hunter2\"\ntenant = \"sec\"");
    assert_eq!(basic.headers["authorization"], "Basic bWU6aHVudGVyMg==");
    assert_eq!(basic.headers["x-scope-orgid"], "sec");
    assert!(!format!("{basic:?}").contains("aHVudGVyMg"));
    assert_eq!(request("token = \"t\"").headers["authorization"], "Bearer t");
}
