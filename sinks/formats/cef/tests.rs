use proptest::prelude::*;

use super::{
    super::{text, untold},
    grammar::{self, Line},
    shortened, write,
};
use crate::contract::{
    Event,
    testing::{OwnedEvent, arbitrary_event},
};

fn line(event: &Event<'_>) -> String {
    let mut out = Vec::new();
    write(event, &mut out);
    String::from_utf8(out).expect("CEF is UTF-8")
}

fn read(event: &Event<'_>) -> Line {
    let line = line(event);
    grammar::read(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn sample(name: &str) -> Line {
    read(&OwnedEvent::sample(name).event())
}

/// Every own field of the event stands whole in some value, controls written out.
fn is_whole(event: &Event<'_>, line: &str) -> Result<(), String> {
    let read = grammar::read(line)?;
    let plain =
        |value: &str| text::visible_where(value, |c| !matches!(c, '\n' | '\r')).into_owned();
    let mut missing = Vec::new();
    untold::each(event, &[], |[name, part], value| {
        let expected = plain(value);
        let told = read.extension.values().any(|found| *found == expected)
            || read
                .header
                .iter()
                .any(|field| *field == expected.replace('\n', "\\n").replace('\r', "\\r"));
        // Told by a number of another unit, or by a text of the same parts.
        let told = told || matches!(name, "Timestamp" | "ATags");
        // The space at the end of the last value is lost to any reader; ours never is last.
        if !told {
            missing.push(format!("{name}{part}={value:?}"));
        }
    });
    if missing.is_empty() { Ok(()) } else { Err(missing.join(", ")) }
}

#[test]
fn every_sample_keeps_to_the_standard_and_is_whole() {
    for owned in OwnedEvent::samples() {
        let event = owned.event();
        is_whole(&event, &line(&event)).unwrap_or_else(|error| panic!("{error}: {}", line(&event)));
        read(&event);
    }
}

#[test]
fn a_block_is_told_by_the_dictionary_s_keys() {
    let Line { header, extension } = sample("alert-process-block");
    let expected =
        ["KubeArmor", "KubeArmor", "v1.7.4", "shop-no-package-managers", "Process blocked", "8"];
    assert_eq!(header, expected);
    for (key, value) in [
        ("rt", "1772442850523"),
        ("act", "Block"),
        ("outcome", "Permission denied"),
        ("cat", "Process"),
        ("dvchost", "pool-blue-7f4c"),
        ("sproc", "/usr/bin/bash"),
        ("spid", "418211"),
        ("dproc", "/usr/bin/apt"),
        ("dpid", "418290"),
        ("suid", "0"),
        ("cs2Label", "namespace"),
        ("cs2", "shop"),
        ("flexString2Label", "commandLine"),
        ("flexString2", "/usr/bin/apt install -y netcat"),
        ("KubeArmorOwnerRef", "Deployment"),
        ("KubeArmorUpdatedTime", "2026-03-02T09:14:10.523092Z"),
        ("KubeArmorEventData", r#"{"Lsm":"SECURITY_BPRM_CHECK"}"#),
        ("KubeArmorTechniques", "T1072"),
    ] {
        assert_eq!(extension.get(key).map(String::as_str), Some(value), "{key}");
    }
    assert_eq!(extension["externalId"].len(), 32);
    assert_eq!(extension.get("KubeArmorPolicyName"), None, "told by the header");
}

#[test]
fn connections_have_addresses_and_ports() {
    let packet = sample("alert-network-firewall").extension;
    for (key, value) in [
        ("src", "10.42.3.17"),
        ("spt", "51544"),
        ("dst", "198.51.100.7"),
        ("dpt", "443"),
        ("proto", "TCP"),
        ("deviceDirection", "1"),
    ] {
        assert_eq!(packet[key], value, "{key}");
    }
    assert_eq!(sample("log-dns").extension["dhost"], "cart.shop.svc.cluster.local");
    let socket = sample("log-host").extension;
    assert!(!socket.contains_key("dst"), "a socket's path is no address");
}

#[test]
fn what_is_no_policy_match_has_a_class_and_a_severity() {
    let class = |name: &str| sample(name).header[3..].to_vec();
    assert_eq!(class("log-dns"), ["Network", "Network observed", "1"]);
    assert_eq!(class("message"), ["Message", "Agent message", "5"]);
    assert_eq!(
        class("alert-throttle-notice"),
        ["AlertThreshold", "Alerts of a container throttled", "5"]
    );
    let gap = read(&OwnedEvent::sample_gap().event());
    assert_eq!(gap.header[3..], ["SidearmGap", "Events may be missing", "5"]);
    assert_eq!(gap.extension["reason"], "the relay ended the stream");
    assert_eq!(gap.extension["start"], "1789899000000");
    assert_eq!(gap.extension["KubeArmorLost"], "3");
}

#[test]
fn a_digest_is_an_aggregated_event() {
    let told = read(&OwnedEvent::sample("alert-process-block").told().event()).extension;
    assert_eq!((&*told["cnt"], &*told["type"]), ("137", "1"));
    assert_eq!((&*told["start"], &*told["end"]), ("1772442850523", "1772443450523"));
}

#[test]
fn the_grammar_refuses_what_the_standard_refuses() {
    for (line, why) in [
        ("CEF:0|a|b|c|d|e|11|act=x", "the severity"),
        ("CEF:0|a|b|c|d|5|act=x", "too few"),
        ("CEF:0|a|b|c|d\\n|e|5|act=x", "escaped in the header"),
        ("CEF:0|a|b|c|d|e|5|act=x act=y", "act twice"),
        ("CEF:0|a|b|c|d|e|5|spt=70000", "spt"),
        ("CEF:0|a|b|c|d|e|5|cs1=x", "cs1 without its label"),
        ("CEF:0|a|b|c|d|e|5|pod=x", "the key pod"),
        ("CEF:0|a|b|c|d|e|5|msg=a\\x", "escaped in the extension"),
        ("CEF:0|a|b|c|d|e|5|msg=a\nb", "control"),
    ] {
        let error = grammar::read(line).expect_err(line);
        assert!(error.contains(why), "{line}: {error}");
    }
}

const LARGE_BYTES: usize = 8 * 1024;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn no_event_breaks_the_line(owned in arbitrary_event(), max in 1_500_usize..9_000) {
        let event = owned.event();
        let line = line(&event);
        // Of the largest, some are enough: reading them costs the most by far.
        if line.len() < LARGE_BYTES || max % 64 == 0 {
            prop_assert_eq!(is_whole(&event, &line), Ok(()), "{}", &line);
        }
        let short = shortened(&line, max);
        prop_assert!(short.len() <= max);
        prop_assert!(grammar::read(&short).is_ok(), "{:?}: {}", grammar::read(&short), &short);
    }
}
