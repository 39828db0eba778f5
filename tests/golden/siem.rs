//! `deploy/siem/`: its page tells of every destination, every configuration it shows is right, and
//! every file of the Splunk app holds together.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use sidearm::config;
use sidearm_sinks::CATALOGUE;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/siem");

#[test]
fn every_configuration_the_page_shows_is_right() {
    let page = fs::read_to_string(Path::new(FOLDER).join("README.md")).expect("the page");
    let mut blocks = 0;
    for block in page.split("```toml\n").skip(1) {
        let (block, _) = block.split_once("```").expect("a block that ends");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sidearm.toml");
        fs::write(&path, with_samples(block, folder.path())).expect("a file");
        if let Err(problems) = config::load(&path) {
            panic!("{problems}\n{block}");
        }
        blocks += 1;
    }
    assert!(blocks >= CATALOGUE.len(), "{blocks} blocks");
}

#[test]
fn the_page_tells_of_every_destination() {
    let page = fs::read_to_string(Path::new(FOLDER).join("README.md")).expect("the page");
    for entry in CATALOGUE {
        let facts = (entry.facts)();
        let name = facts.name;
        let row = format!(" | `{name}` | `{}` | ", facts.format.name());
        assert!(page.contains(&row), "no row of the table has{row}");
        let heading = format!("(`{name}`)\n");
        let sections = page.split("\n## ").skip(1);
        let section = { sections }.find(|section| section.contains(&heading)).expect(&heading);
        for part in ["```toml\n", "**Install there:**", "**Loss and duplicates:**"] {
            assert!(section.contains(part), "{name} has no {part}");
        }
        assert_eq!(section.contains("**Digest:** on"), facts.digest.is_some(), "{name}");
    }
}

/// Variables and files that a page names and a test has not.
fn with_samples(block: &str, folder: &Path) -> String {
    let mut text = block.replace("/var/log/kubearmor", &folder.display().to_string());
    for (name, sample) in CATALOGUE.iter().flat_map(|entry| (entry.facts)().sample_secrets) {
        text = text.replace(&format!("${{env:{name}}}"), sample);
    }
    while let Some(start) = text.find("${env:") {
        let end = start + text[start..].find('}').expect("a variable that ends");
        text.replace_range(start..=end, "c2FtcGxlLWlkOnNhbXBsZS1hcGkta2V5");
    }
    text
}

/// Stanzas of a Splunk configuration file, each with its settings.
type Stanzas = BTreeMap<String, BTreeMap<String, String>>;

fn stanzas(path: &Path) -> Stanzas {
    let text = fs::read_to_string(path).expect("a file of the app");
    let (mut all, mut current) = (Stanzas::new(), None);
    for (number, line) in text.lines().enumerate() {
        let place = format!("{}:{}", path.display(), number + 1);
        assert_eq!(line, line.trim_end(), "{place}: blanks at the end");
        assert!(!line.ends_with('\\'), "{place}: goes on in the next line");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let twice = all.insert(name.to_owned(), BTreeMap::new());
            assert!(twice.is_none(), "{place}: [{name}] is there twice");
            current = Some(name.to_owned());
            continue;
        }
        let (key, value) = line.split_once(" = ").expect(&place);
        let stanza = current.as_ref().and_then(|name| all.get_mut(name)).expect(&place);
        assert!(stanza.insert(key.to_owned(), value.to_owned()).is_none(), "{place}: {key} twice");
        assert!(balanced(value), "{place}: brackets or quotes do not match");
    }
    all
}

/// Whether every bracket and quote outside of a text has its partner.
fn balanced(value: &str) -> bool {
    let (mut open, mut quote) = (Vec::new(), None);
    for c in value.chars() {
        match (quote, c) {
            (Some(end), c) if c == end => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[' | '{') => open.push(c),
            (None, ')') if open.pop() != Some('(') => return false,
            (None, ']') if open.pop() != Some('[') => return false,
            (None, '}') if open.pop() != Some('{') => return false,
            (None, _) => {}
        }
    }
    open.is_empty() && quote.is_none()
}

fn app() -> PathBuf {
    Path::new(FOLDER).join("splunk/sidearm_kubearmor")
}

#[test]
fn the_splunk_app_is_of_the_source_types_that_are_sent() {
    let props = stanzas(&app().join("default/props.conf"));
    let names: Vec<&str> = props.keys().map(String::as_str).collect();
    assert_eq!(names, ["kubearmor:alert", "kubearmor:log", "kubearmor:message"]);
    let snapshot = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/snapshots");
    let sent = fs::read_to_string(snapshot.join("splunk_hec.snap")).expect("what is sent");
    for name in names {
        assert!(sent.contains(&format!("\"sourcetype\":\"{name}\"")), "{name} is never sent");
    }
    for (name, settings) in &props {
        assert_eq!(settings.get("KV_MODE").map(String::as_str), Some("json"), "{name}");
        for key in settings.keys() {
            let known = ["KV_MODE", "TRUNCATE"].contains(&key.as_str())
                || ["EVAL-", "FIELDALIAS-", "LOOKUP-"].iter().any(|kind| key.starts_with(kind));
            assert!(known, "[{name}] {key} is no setting of props.conf that we know");
        }
    }
}

#[test]
fn the_splunk_app_s_files_name_each_other_rightly() {
    let default = app().join("default");
    let types = stanzas(&default.join("eventtypes.conf"));
    for (name, settings) in &types {
        assert_eq!(settings.keys().collect::<Vec<_>>(), ["search"], "{name}");
    }
    for (stanza, tags) in stanzas(&default.join("tags.conf")) {
        let of = stanza.strip_prefix("eventtype=").expect("tags of an event type");
        assert!(types.contains_key(of), "tags of {of}, which is no event type");
        assert!(tags.values().all(|value| value == "enabled"), "{stanza}");
    }
    let transforms = stanzas(&default.join("transforms.conf"));
    for (name, settings) in &transforms {
        let file = &settings["filename"];
        let text = fs::read_to_string(app().join("lookups").join(file)).expect(name);
        let columns: BTreeSet<usize> = text.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(columns, BTreeSet::from([2]), "{file}");
    }
    let props = stanzas(&default.join("props.conf"));
    let lookups = props.values().flatten().filter(|(key, _)| key.starts_with("LOOKUP-"));
    for (key, value) in lookups {
        let table = value.split(' ').next().unwrap_or_default();
        assert!(transforms.contains_key(table), "{key} looks up {table}, which is not there");
    }
    assert!(stanzas(&default.join("app.conf")).contains_key("package"));
    assert!(stanzas(&app().join("metadata/default.meta")).contains_key(""));
}

#[test]
fn every_json_file_is_json() {
    let mut files = 0;
    for folder in ["elasticsearch", "opensearch"] {
        for entry in fs::read_dir(Path::new(FOLDER).join(folder)).expect(folder) {
            let path = entry.expect("an entry").path();
            let text = fs::read_to_string(&path).expect("a file");
            let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            assert!(json.is_object(), "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 8, "{files} files");
}
