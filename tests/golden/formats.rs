//! What every format of machines makes of every sample event, as reviewed snapshots.
//!
//! Wherever a sink takes a body, it takes any of these; so they are shown without one.

use std::{collections::BTreeSet, fs, path::Path};

use sidearm::render::Renderer;
use sidearm_sinks::contract::Format;

use crate::samples;

const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/snapshots/formats");

/// Those of a schema: KubeArmor's own JSON is what most sinks' snapshots show.
const SCHEMAS: &[Format] = &[
    Format::Ecs,
    Format::Ocsf,
    Format::OcsfFinding,
    Format::Asim,
    Format::Cef,
    Format::Leef,
    Format::Otlp,
];

#[test]
fn every_format_writes_what_was_reviewed() {
    let samples = samples::all();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(SNAPSHOTS);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for format in SCHEMAS {
            let renderer = Renderer::new(*format, None, false)
                .unwrap_or_else(|why| panic!("{}: {why}", format.name()));
            let mut shown = String::new();
            for sample in &samples {
                let mut body = Vec::new();
                renderer.render(&sample.event(), &mut body).expect(sample.name);
                let body = String::from_utf8(body).expect("UTF-8");
                shown += &format!("=== {}\n{body}\n", sample.name);
            }
            insta::assert_snapshot!(format.name(), shown);
        }
    });
}

#[test]
fn every_snapshot_is_of_a_format() {
    let names: BTreeSet<_> =
        SCHEMAS.iter().map(|format| format!("{}.snap", format.name())).collect();
    let files: BTreeSet<_> = fs::read_dir(Path::new(SNAPSHOTS))
        .expect("the snapshots' folder")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"))
        .filter(|name| name.ends_with(".snap"))
        .collect();
    assert_eq!(files, names);
}
