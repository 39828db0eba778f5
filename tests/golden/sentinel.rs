//! What Microsoft Sentinel is set up with fits what is sent: a column for each field, of its type.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::Value;
use sidearm_sinks::contract::{FIELDS, FieldKind};

use crate::{samples, subject::Subject};

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/siem/sentinel");
    fs::read_to_string(folder.join(name)).expect(name)
}

/// The columns that rows may have: KubeArmor's own fields, and what is added.
fn expected() -> BTreeMap<String, &'static str> {
    let own = FIELDS.iter().filter(|field| field.name.starts_with(char::is_uppercase));
    let own = own.map(|field| {
        let name = if field.name == "Type" { "EventType" } else { field.name };
        let kind = match (field.kind(), name) {
            (FieldKind::Number, "Timestamp" | "Lost") => "long",
            (FieldKind::Number, _) => "int",
            (FieldKind::Text, _) => "string",
            (FieldKind::List | FieldKind::Map, _) => "dynamic",
            (FieldKind::Condition, _) => "boolean",
        };
        (name.to_owned(), kind)
    });
    let added = [("TimeGenerated", "datetime"), ("EventId", "string"), ("Stream", "string")];
    own.chain(added.map(|(name, kind)| (name.to_owned(), kind))).collect()
}

#[test]
fn the_tables_have_a_column_for_every_field() {
    let template: Value = serde_json::from_str(&file("kubearmor.json")).expect("JSON");
    let columns = template["variables"]["columns"].as_array().expect("columns");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let by_arm: BTreeMap<_, _> =
        columns.iter().map(|column| (text(&column["name"]), text(&column["type"]))).collect();
    assert_eq!(by_arm.len(), columns.len(), "each once");
    let expected: BTreeMap<_, _> =
        expected().into_iter().map(|(name, kind)| (name, kind.to_owned())).collect();
    assert_eq!(by_arm, expected);

    let bicep = file("kubearmor.bicep");
    let columns = bicep.lines().filter_map(|line| {
        let line = line.trim().strip_prefix("{ name: '")?;
        let (name, line) = line.split_once("', type: '")?;
        Some((name.to_owned(), line.strip_suffix("' }")?.to_owned()))
    });
    let by_bicep: Vec<_> = columns.collect();
    assert_eq!(by_bicep.len(), expected.len());
    assert_eq!(by_bicep.into_iter().collect::<BTreeMap<_, _>>(), expected);
}

#[test]
fn every_row_fits_the_tables() {
    let subject = Subject::of_name("azure_logs");
    let expected = expected();
    for sample in samples::all() {
        let record = subject.record(&sample);
        let row = record.strip_suffix(b",").expect("a comma");
        let row: BTreeMap<String, Value> = serde_json::from_slice(row).expect("an object");
        for (name, value) in row {
            let fits = match expected.get(&name) {
                Some(&"int") => value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()),
                Some(&"long") => value.is_i64(),
                Some(&"string") => value.is_string(),
                Some(&"datetime") => {
                    value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
                }
                Some(&"dynamic") => value.is_object() || value.is_array(),
                _ => false,
            };
            assert!(fits, "{}: {name} is {value}", sample.name);
        }
    }
}

#[test]
fn parsers_name_columns_that_are_there() {
    let expected = expected();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/siem/sentinel/parsers");
    let mut parsers = 0;
    for entry in fs::read_dir(folder).expect("the parsers' folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a parser");
        let line = text.lines().find_map(|line| line.strip_prefix("// Columns: "));
        let columns = line.unwrap_or_else(|| panic!("{}: no line of columns", path.display()));
        for column in columns.split(", ") {
            assert!(expected.contains_key(column), "{}: {column}", path.display());
            let uses = text.matches(column).count();
            assert!(uses > 1, "{}: {column} is not used", path.display());
        }
        parsers += 1;
    }
    assert_eq!(parsers, 5);
}
