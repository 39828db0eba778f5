use std::{collections::HashMap, net::IpAddr};

use proptest::prelude::*;

use super::{
    super::{text, untold},
    shortened, write,
};
use crate::contract::{
    Event,
    testing::{OwnedEvent, arbitrary_event},
};

/// Version, event id and attributes of a line.
type Read = (String, String, HashMap<String, String>);

/// Reads a line by IBM's description: six pipes, one delimiter, each key once, predefined keys of
/// their types and lengths, the event id and `cat` of fixed sets.
fn parse(line: &str) -> Result<Read, String> {
    const IDS: [&str; 11] = [
        "Process",
        "File",
        "Network",
        "Syscall",
        "Capabilities",
        "Device",
        "NetworkFirewall",
        "AlertThreshold",
        "Message",
        "Gap",
        "Other",
    ];
    const CATEGORIES: [&str; 8] = [
        "missing",
        "throttled",
        "reported",
        "observed",
        "blocked",
        "would be blocked",
        "allowed",
        "audited",
    ];
    if let Some(c) = line.chars().find(|c| c.is_control()) {
        return Err(format!("the control character {c:?}"));
    }
    let fields: Vec<_> = line.splitn(7, '|').collect();
    let [leef, vendor, product, version, id, delimiter, attributes] = fields[..] else {
        return Err("too few pipes".to_owned());
    };
    if (leef, vendor, product, delimiter) != ("LEEF:2.0", "KubeArmor", "KubeArmor", "^") {
        return Err(format!("the header {leef}|{vendor}|{product}|{delimiter}"));
    }
    if version.is_empty() || !IDS.contains(&id) {
        return Err(format!("the version {version} or the id {id}"));
    }
    let mut found = HashMap::new();
    for pair in attributes.split('^') {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("no sign in {pair}"))?;
        let is_right = match key {
            "cat" => CATEGORIES.contains(&value),
            "sev" => value.parse().is_ok_and(|sev: u8| (1..=10).contains(&sev)),
            "devTime" => is_time(value),
            "devTimeFormat" => value == "MMM dd yyyy HH:mm:ss.SSS z",
            "src" | "dst" | "identSrc" => value.parse::<IpAddr>().is_ok(),
            "srcPort" | "dstPort" => value.parse::<u16>().is_ok(),
            "usrName" | "identHostName" => value.chars().count() <= 255,
            "proto" => value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "resource" | "policy" => true,
            key => key.strip_prefix("ka").is_some_and(|name| {
                name.starts_with(|c: char| c.is_ascii_uppercase())
                    && name.chars().all(|c| c.is_ascii_alphanumeric())
            }),
        };
        if !is_right || value.is_empty() {
            return Err(format!("the attribute {pair}"));
        }
        if found.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(format!("{key} twice"));
        }
    }
    if found.contains_key("identHostName") && !found.contains_key("identSrc") {
        return Err("identHostName without identSrc".to_owned());
    }
    Ok((version.to_owned(), id.to_owned(), found))
}

fn is_time(text: &str) -> bool {
    let moment = text.strip_suffix(" GMT").unwrap_or_default();
    jiff::civil::DateTime::strptime("%b %d %Y %H:%M:%S%.f", moment).is_ok()
}

fn line(event: &Event<'_>) -> String {
    let mut out = Vec::new();
    write(event, &mut out);
    String::from_utf8(out).expect("LEEF is UTF-8")
}

fn is_whole(event: &Event<'_>, line: &str) -> Result<(), String> {
    let (version, _, attributes) = parse(line)?;
    let mut missing = Vec::new();
    untold::each(event, &[], |[name, part], value| {
        let plain = text::visible(value).replace('^', "\\x5e");
        if version != plain && !attributes.values().any(|found| *found == plain) {
            missing.push(format!("{name}{part}={value:?}"));
        }
    });
    if missing.is_empty() { Ok(()) } else { Err(missing.join(", ")) }
}

fn sample(name: &str) -> Read {
    parse(&line(&OwnedEvent::sample(name).event())).expect(name)
}

#[test]
fn every_sample_keeps_to_the_format_and_is_whole() {
    for owned in OwnedEvent::samples() {
        let event = owned.event();
        is_whole(&event, &line(&event)).unwrap_or_else(|error| panic!("{error}: {}", line(&event)));
    }
    let told = line(&OwnedEvent::sample("log-dns").told().event());
    let (.., attributes) = parse(&told).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_eq!(attributes["kaCount"], "137");
}

#[test]
fn qradar_knows_an_event_by_its_id_and_category() {
    for (name, id, cat) in [
        ("alert-process-block", "Process", "blocked"),
        ("alert-process-audit-block", "Process", "would be blocked"),
        ("alert-network-audit", "Network", "audited"),
        ("alert-throttle-notice", "AlertThreshold", "throttled"),
        ("log-syscall", "Syscall", "observed"),
        ("message", "Message", "reported"),
    ] {
        let (_, found, attributes) = sample(name);
        assert_eq!((&*found, &*attributes["cat"]), (id, cat), "{name}");
    }
    let (_, id, attributes) = parse(&line(&OwnedEvent::sample_gap().event())).expect("a gap");
    assert_eq!((&*id, &*attributes["cat"]), ("Gap", "missing"));
    assert_eq!(attributes["kaReason"], "the relay ended the stream");
}

#[test]
fn a_block_is_told_by_predefined_keys() {
    let (version, _, attributes) = sample("alert-process-block");
    assert_eq!(version, "v1.7.4");
    for (key, value) in [
        ("devTime", "Mar 02 2026 09:14:10.523 GMT"),
        ("sev", "8"),
        ("resource", "pool-blue-7f4c"),
        ("policy", "shop-no-package-managers"),
        ("kaAction", "Block"),
        ("kaSource", "/usr/bin/bash"),
        ("kaOwnerName", "checkout"),
        ("kaTechniques", "T1072"),
    ] {
        assert_eq!(attributes[key], value, "{key}");
    }
    let (.., message) = sample("message");
    assert_eq!(
        (&*message["identSrc"], &*message["identHostName"]),
        ("192.0.2.14", "pool-blue-7f4c")
    );
}

const LARGE_BYTES: usize = 8 * 1024;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_event_breaks_the_line(owned in arbitrary_event(), max in 400_usize..9_000) {
        let event = owned.event();
        let line = line(&event);
        // Of the largest, some are enough: reading them costs the most by far.
        if line.len() < LARGE_BYTES || max % 64 == 0 {
            prop_assert_eq!(is_whole(&event, &line), Ok(()), "{}", &line);
        }
        let short = shortened(&line, max);
        prop_assert!(short.len() <= max);
        prop_assert!(parse(&short).is_ok(), "{:?}: {}", parse(&short), &short);
    }
}
