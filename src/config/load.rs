//! From a file to a checked configuration, or to the list of everything that is wrong with it.

use std::{fs::File, io::Read as _, path::Path, sync::Arc};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    checks,
    environment::Environment,
    problem::Problems,
    reader::Reader,
    shape::{Config, RelayConfig, SinkConfig, TABLES},
    sink,
};
use sidearm_sinks::contract::{Overrides, did_you_mean};

/// A configuration file is at most this large, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// A configuration has at most this many sinks: each is a lane with memory and metrics of its own.
const MAX_SINKS: usize = 256;

/// What is looked at again when a secret may have changed.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) text: Arc<str>,
    pub(super) environment: Environment,
}

/// Reads a file, with the process's own variables.
///
/// # Errors
/// Everything that is wrong with it, in one go.
pub fn load(path: &Path) -> Result<Config, Problems> {
    let name = path.display().to_string();
    let text = text_of(path).map_err(|why| Problems::of_file(&name, why))?;
    read(&text, &name, &Environment::process())
}

/// Reads a configuration's text. `file` is how errors name it.
///
/// # Errors
/// Everything that is wrong with it, in one go.
pub fn read(text: &str, file: &str, environment: &Environment) -> Result<Config, Problems> {
    let source = Source { text: text.into(), environment: environment.clone() };
    let mut reader = Reader::parse(file, text);
    let mut root = reader.filled(environment);
    unknown_tables(&mut reader, &root);
    let mut config = Config {
        overrides: Overrides {
            cluster: cluster(&mut reader, &mut root),
            severity: part(&mut reader, &mut root, "severity"),
        },
        relay: relay(&mut reader, &mut root, environment),
        journal: part(&mut reader, &mut root, "journal"),
        admin: part(&mut reader, &mut root, "admin"),
        shutdown: part(&mut reader, &mut root, "shutdown"),
        log: part(&mut reader, &mut root, "log"),
        sinks: sinks(&mut reader, &mut root, &source),
        doubts: Vec::new(),
    };
    checks::run(&mut reader, environment, &config);
    config.doubts = reader.doubts();
    reader.finish(Some(config))
}

fn text_of(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if read as u64 > MAX_FILE_BYTES {
        return Err(format!(
            "too large for a configuration, expected at most {MAX_FILE_BYTES} bytes"
        ));
    }
    Ok(text)
}

fn unknown_tables(reader: &mut Reader<'_>, root: &DeTable<'_>) {
    for key in root.keys().filter(|key| !TABLES.contains(&key.get_ref().as_ref())) {
        let name = key.get_ref();
        let near = did_you_mean(name, TABLES);
        let near = if near.is_empty() { "," } else { &near };
        let message = format!("unknown key{near} expected {}", super::wording::any_of(&TABLES));
        reader.problem(name, Some(key.span()), message);
    }
}

fn cluster(reader: &mut Reader<'_>, root: &mut DeTable<'_>) -> String {
    match root.remove("cluster").map(Spanned::into_inner) {
        None => String::new(),
        Some(DeValue::String(name)) => name.into_owned(),
        Some(other) => {
            let message = format!("found {}, expected a string", kind(&other));
            reader.problem("cluster", None, message);
            String::new()
        }
    }
}

/// One of the tables at the top; its defaults where it is not there.
fn part<T: DeserializeOwned + Default>(
    reader: &mut Reader<'_>,
    root: &mut DeTable<'_>,
    name: &str,
) -> T {
    let Some(table) = table_of(reader, name, root.remove(name)) else { return T::default() };
    let part = reader.section(name, table, &|table| sidearm_sinks::contract::read::<T>(table));
    part.unwrap_or_default()
}

/// The relay of the file, else of `KUBEARMOR_SERVICE`, else the default.
fn relay(
    reader: &mut Reader<'_>,
    root: &mut DeTable<'_>,
    environment: &Environment,
) -> RelayConfig {
    let named = root.get("relay").is_some_and(|relay| relay.get_ref().get("address").is_some());
    let mut relay: RelayConfig = part(reader, root, "relay");
    let address = environment.variable("KUBEARMOR_SERVICE").filter(|address| !address.is_empty());
    if let (false, Some(address)) = (named, address) {
        relay.address = address;
    }
    relay
}

fn sinks(reader: &mut Reader<'_>, root: &mut DeTable<'_>, source: &Source) -> Vec<SinkConfig> {
    let Some(value) = root.remove("sinks").filter(|value| !is_empty_table(value.get_ref())) else {
        let expected = "no sink found, expected at least one: a table [sinks.NAME]";
        reader.missing("sinks", expected.to_owned());
        return Vec::new();
    };
    let tables = table_of(reader, "sinks", Some(value)).unwrap_or_default();
    if tables.len() > MAX_SINKS {
        let message = format!("found {} sinks, expected at most {MAX_SINKS}", tables.len());
        reader.problem("sinks", None, message);
    }
    let mut in_order: Vec<_> = tables.into_iter().take(MAX_SINKS).collect();
    in_order.sort_by_key(|(key, _)| key.span().start);
    let mut sinks = Vec::new();
    for (key, value) in in_order {
        let name = key.get_ref();
        let path = super::place::join("sinks", name);
        if let Some(table) = table_of(reader, &path, Some(value)) {
            sinks.extend(sink::read(reader, source, name, table));
        }
    }
    sink::check_shared(reader, &sinks);
    sinks
}

fn is_empty_table(value: &DeValue<'_>) -> bool {
    value.as_table().is_some_and(DeTable::is_empty)
}

fn table_of<'i>(
    reader: &mut Reader<'_>,
    path: &str,
    value: Option<Spanned<DeValue<'i>>>,
) -> Option<DeTable<'i>> {
    match value?.into_inner() {
        DeValue::Table(table) => Some(table),
        other => {
            reader.problem(path, None, format!("found {}, expected a table", kind(&other)));
            None
        }
    }
}

fn kind(value: &DeValue<'_>) -> String {
    match value.type_str() {
        "array" => "a list".to_owned(),
        "integer" | "float" => "a number".to_owned(),
        other => format!("a {other}"),
    }
}
