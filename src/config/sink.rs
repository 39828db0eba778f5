//! `[sinks.NAME]`: the lane's own keys, and the one table that names the destination.

use sidearm_sinks::{CATALOGUE, contract::Entry};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    checks,
    lane::{self, Leads},
    load::Source,
    place::join,
    reader::Reader,
    rebuild::{self, Build},
    shape::{LaneTable, SinkConfig},
    wording::any_of,
};
use sidearm_sinks::contract::did_you_mean;

/// A sink's name is at most this long, in characters.
const MAX_NAME_CHARS: usize = 64;

/// The keys of a sink that are its lane's.
const LANE_KEYS: [&str; 7] =
    ["streams", "when", "format", "template", "batch", "rate_per_second", "digest"];

/// Reads one sink. Its mistakes are written down; nothing is answered where too little is left.
pub(super) fn read(
    reader: &mut Reader<'_>,
    source: &Source,
    name: &str,
    table: DeTable<'_>,
) -> Option<SinkConfig> {
    let path = join("sinks", name);
    check_name(reader, &path, name);
    let parts = split(reader, &path, table);
    let table = reader
        .section(&path, parts.lane, &|table| sidearm_sinks::contract::read::<LaneTable>(table));
    let Some(chosen) = parts.destination else {
        lane::check(reader, &path, name, table?, None);
        return None;
    };
    let facts = (chosen.entry.facts)();
    let path_of_kind = join(&path, facts.name);
    let build = Build { sink: name.to_owned(), kind: facts.name, build: chosen.entry.build };
    let filled = chosen.table.clone();
    let destination =
        reader.section(&path_of_kind, chosen.table, &|table| (chosen.entry.build)(table));
    if let Some(tls) = destination.as_ref().and_then(|destination| destination.any().tls()) {
        checks::tls(reader, &source.environment, &join(&path_of_kind, "tls"), &tls);
    }
    let leads = Leads { facts, to: destination.as_ref() };
    let lane = lane::check(reader, &path, name, table?, Some(leads))?;
    let rebuild = rebuild::closure(source.clone(), build, &filled);
    Some(SinkConfig { lane, destination: destination?, rebuild })
}

/// What sinks cannot share: standard output, and a file.
pub(super) fn check_shared(reader: &mut Reader<'_>, sinks: &[SinkConfig]) {
    let targets: Vec<Option<String>> =
        sinks.iter().map(|sink| sink.destination.any().exclusive()).collect();
    for (index, target) in targets.iter().enumerate() {
        let Some(target) = target else { continue };
        if let Some(first) =
            targets[..index].iter().position(|other| other.as_ref() == Some(target))
        {
            let lane = &sinks[index].lane;
            let path = join(&join("sinks", &lane.name), lane.facts.name);
            let first = &sinks[first].lane.name;
            reader.problem(&path, None, format!(
                "{target} belongs to sinks.{first} already, expected one of its own: lines of two \
                 sinks must not mix"
            ));
        }
    }
}

fn check_name(reader: &mut Reader<'_>, path: &str, name: &str) {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let length = name.chars().count();
    if !(1..=MAX_NAME_CHARS).contains(&length) || !name.chars().all(allowed) {
        reader.problem(
            path,
            None,
            format!(
                "found the name \"{name}\", expected letters, digits, \"-\" and \"_\", at most \
             {MAX_NAME_CHARS}: it names cursors, metrics and files"
            ),
        );
    }
}

/// A sink's table, taken apart.
struct Parts<'i> {
    lane: DeTable<'i>,
    destination: Option<Chosen<'i>>,
}

/// The destination's table, and who can read it.
struct Chosen<'i> {
    entry: &'static Entry,
    table: DeTable<'i>,
}

fn split<'i>(reader: &mut Reader<'_>, path: &str, table: DeTable<'i>) -> Parts<'i> {
    let mut lane = DeTable::new();
    let mut chosen: Vec<(&'static Entry, Spanned<DeValue<'i>>)> = Vec::new();
    let mut unknown = false;
    let mut in_order: Vec<_> = table.into_iter().collect();
    in_order.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in in_order {
        let name = key.get_ref().as_ref();
        if LANE_KEYS.contains(&name) {
            lane.insert(key, value);
        } else if let Some(entry) = CATALOGUE.iter().find(|entry| (entry.facts)().name == name) {
            chosen.push((entry, value));
        } else {
            unknown |= value.get_ref().is_table();
            let message = unknown_key(name, value.get_ref().is_table());
            reader.problem(&join(path, name), Some(key.span()), message);
        }
    }
    Parts { lane, destination: the_one(reader, path, chosen, unknown) }
}

/// Exactly one destination. Where a table of an unknown name stands, that one was meant.
fn the_one<'i>(
    reader: &mut Reader<'_>,
    path: &str,
    chosen: Vec<(&'static Entry, Spanned<DeValue<'i>>)>,
    unknown: bool,
) -> Option<Chosen<'i>> {
    let mut chosen = chosen.into_iter();
    let Some((entry, value)) = chosen.next() else {
        if !unknown {
            let kinds = any_of(&kinds());
            reader.missing(path, format!("no destination found, expected exactly one of {kinds}"));
        }
        return None;
    };
    let kind = (entry.facts)().name;
    for (second, _) in chosen {
        let second = (second.facts)().name;
        reader.problem(
            &join(path, second),
            None,
            format!(
                "a second destination beside {kind}, expected one: give each a sink of its own"
            ),
        );
    }
    match value.into_inner() {
        DeValue::Table(table) => Some(Chosen { entry, table }),
        other => {
            let found = other.type_str();
            let message = format!("found a value ({found}), expected a table: {kind}.KEY = …");
            reader.problem(&join(path, kind), None, message);
            None
        }
    }
}

fn unknown_key(name: &str, is_table: bool) -> String {
    let kinds = kinds();
    let known = || LANE_KEYS.into_iter().chain(kinds.iter().copied());
    let near = did_you_mean(name, known());
    let near = if near.is_empty() { "," } else { &near };
    if is_table {
        format!("unknown kind of sink{near} expected {}", any_of(&kinds))
    } else {
        format!(
            "unknown key{near} expected {}, or the table of a destination ({})",
            any_of(&LANE_KEYS),
            any_of(&kinds)
        )
    }
}

fn kinds() -> Vec<&'static str> {
    CATALOGUE.iter().map(|entry| (entry.facts)().name).collect()
}
