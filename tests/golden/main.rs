//! What every sink of the catalogue sends for every sample event, as reviewed snapshots.
//!
//! The catalogue is the list: a sink without a snapshot fails here, and so does a snapshot without
//! a sink. Nothing is sent; requests are pure.

mod example;
mod formats;
mod samples;
mod sentinel;
mod siem;
mod subject;

use std::{collections::BTreeSet, fs, path::Path};

use sidearm_sinks::{CATALOGUE, contract::Stream};

use subject::Subject;

const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/snapshots");

#[test]
fn every_sink_sends_what_was_reviewed() {
    let samples = samples::all();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(SNAPSHOTS);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for entry in CATALOGUE {
            let subject = Subject::of_example(entry);
            let shown: String = samples
                .iter()
                .map(|sample| format!("=== {}\n{}\n", sample.name, subject.shown(&[sample])))
                .collect();
            insta::assert_snapshot!(subject.facts.name, shown);
        }
    });
}

#[test]
fn every_snapshot_is_of_a_sink() {
    let names: BTreeSet<_> =
        CATALOGUE.iter().map(|entry| format!("{}.snap", (entry.facts)().name)).collect();
    let files: BTreeSet<_> = fs::read_dir(Path::new(SNAPSHOTS))
        .expect("the snapshots' folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".snap"))
        .collect();
    assert_eq!(files, names);
}

#[test]
fn the_largest_batch_of_the_largest_events_stays_inside_the_limits() {
    let largest = samples::largest();
    for subject in CATALOGUE.iter().map(Subject::of_example).chain(subject::variants()) {
        let limits = subject.limits();
        for sample in [&largest, &samples::all()[0]] {
            let one = subject.record(sample).len();
            let fitting = (limits.bytes / one).clamp(1, limits.events);
            let bytes = subject.body_bytes(&vec![sample; fitting]);
            let name = subject.facts.name;
            assert!(bytes <= limits.bytes, "{name}: {bytes} bytes");
            assert!(fitting == limits.events || bytes + one > limits.bytes, "{name}: not full");
        }
    }
}

#[test]
fn no_secret_is_shown() {
    let samples = samples::all();
    let alert = samples.iter().find(|sample| sample.stream == Stream::Alert).expect("an alert");
    for subject in CATALOGUE.iter().map(Subject::of_example).chain(subject::variants()) {
        let shown = subject.shown(&[alert]) + &subject.debugged(&[alert]);
        for secret in &subject.secrets {
            assert!(!shown.contains(secret), "{}: {secret} in {shown}", subject.facts.name);
        }
    }
}
