//! Building a destination again once its secrets may have changed.
//!
//! The text of the file is kept as it was when the program started: a rebuild reads secrets
//! afresh, never the configuration.

use sidearm_sinks::contract::{Destination, SettingError};
use toml::de::{DeTable, ValueDeserializer};

use super::{
    load::Source,
    place::{each_string, join},
    problem::Problems,
    reader::Reader,
    shape::Rebuild,
};

/// Whose destination is built, and how.
pub(super) struct Build {
    pub(super) sink: String,
    pub(super) kind: &'static str,
    pub(super) build: fn(ValueDeserializer<'_>) -> Result<Destination, SettingError>,
}

/// The closure a parked lane calls before a probe. `built_from` is the table of the destination
/// that the lane has now, references in place.
pub(super) fn closure(source: Source, build: Build, built_from: &DeTable<'_>) -> Rebuild {
    let mut last = strings(built_from);
    Box::new(move || {
        let told = |problems: Problems| problems.to_string();
        let (values, destination) = again(&source, &build, &last).map_err(told)?;
        last = values;
        Ok(destination)
    })
}

fn again(
    source: &Source,
    build: &Build,
    last: &[String],
) -> Result<(Vec<String>, Option<Destination>), Problems> {
    let mut reader = Reader::parse("secrets read again", &source.text);
    let path = join(&join("sinks", &build.sink), build.kind);
    let keys = ["sinks", &build.sink, build.kind];
    let Some(table) = reader.filled_table(&keys, &source.environment) else {
        return reader.finish(None);
    };
    let values = strings(&table);
    let destination = if values == last {
        None
    } else {
        reader.section(&path, table, &|table| (build.build)(table))
    };
    reader.finish(Some((values, destination)))
}

/// Every string of a table, in the table's order.
fn strings(table: &DeTable<'_>) -> Vec<String> {
    let mut strings = Vec::new();
    each_string(&mut table.clone(), "", &mut |_, _, text| strings.push(text.to_string()));
    strings
}
