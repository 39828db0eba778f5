//! Sample events: one of every operation and type, in KubeArmor's own JSON.
//!
//! They lie in `tests/events/`, each as the relay would print it. Filters and templates are tried
//! on them by `check`, every sink's golden tests show them.

/// Each sample's name and its one line of JSON, without a line end.
pub fn samples() -> &'static [(&'static str, &'static str)] {
    SAMPLES
}

const SAMPLES: &[(&str, &str)] = &[
    (
        "alert-capabilities-block",
        line(include_str!("../../tests/events/alert-capabilities-block.json")),
    ),
    ("alert-default-posture", line(include_str!("../../tests/events/alert-default-posture.json"))),
    ("alert-device-block", line(include_str!("../../tests/events/alert-device-block.json"))),
    ("alert-dns-block", line(include_str!("../../tests/events/alert-dns-block.json"))),
    ("alert-file-audit", line(include_str!("../../tests/events/alert-file-audit.json"))),
    ("alert-file-block", line(include_str!("../../tests/events/alert-file-block.json"))),
    (
        "alert-host-default-posture",
        line(include_str!("../../tests/events/alert-host-default-posture.json")),
    ),
    (
        "alert-host-policy-block",
        line(include_str!("../../tests/events/alert-host-policy-block.json")),
    ),
    ("alert-nasty-text", line(include_str!("../../tests/events/alert-nasty-text.json"))),
    ("alert-network-audit", line(include_str!("../../tests/events/alert-network-audit.json"))),
    ("alert-network-block", line(include_str!("../../tests/events/alert-network-block.json"))),
    (
        "alert-network-firewall",
        line(include_str!("../../tests/events/alert-network-firewall.json")),
    ),
    ("alert-old-agent", line(include_str!("../../tests/events/alert-old-agent.json"))),
    ("alert-preset-fileless", line(include_str!("../../tests/events/alert-preset-fileless.json"))),
    (
        "alert-process-audit-block",
        line(include_str!("../../tests/events/alert-process-audit-block.json")),
    ),
    ("alert-process-block", line(include_str!("../../tests/events/alert-process-block.json"))),
    ("alert-sparse", line(include_str!("../../tests/events/alert-sparse.json"))),
    ("alert-syscall-audit", line(include_str!("../../tests/events/alert-syscall-audit.json"))),
    ("alert-throttle-notice", line(include_str!("../../tests/events/alert-throttle-notice.json"))),
    (
        "alert-throttle-notice-rewritten",
        line(include_str!("../../tests/events/alert-throttle-notice-rewritten.json")),
    ),
    ("log-dns", line(include_str!("../../tests/events/log-dns.json"))),
    ("log-dns-commas", line(include_str!("../../tests/events/log-dns-commas.json"))),
    ("log-file-failed", line(include_str!("../../tests/events/log-file-failed.json"))),
    ("log-host", line(include_str!("../../tests/events/log-host.json"))),
    ("log-network-accept", line(include_str!("../../tests/events/log-network-accept.json"))),
    ("log-network-connect", line(include_str!("../../tests/events/log-network-connect.json"))),
    ("log-process", line(include_str!("../../tests/events/log-process.json"))),
    ("log-syscall", line(include_str!("../../tests/events/log-syscall.json"))),
    ("message", line(include_str!("../../tests/events/message.json"))),
];

const fn line(file: &str) -> &str {
    file.trim_ascii_end()
}

/// Shows a sample to a test, as it would come out of the journal.
#[cfg(test)]
pub(crate) fn with_sample<T>(name: &str, test: impl FnOnce(&super::Event<'_>) -> T) -> T {
    let (_, line) = samples().iter().find(|(found, _)| *found == name).expect(name);
    let (stream, message) = super::from_json::read(line).expect(name);
    let arrival = super::Arrival { stream, sequence: 1, received_us: 1 };
    test(
        &super::Event::decode(super::Kind::Event, arrival, &message, super::Overrides::none())
            .expect(name),
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::contract::{Arrival, Event, Kind, Overrides, from_json, json};

    #[test]
    fn every_sample_comes_back_byte_for_byte() {
        for (name, line) in samples() {
            let (stream, message) = from_json::read(line).expect(name);
            let arrival = Arrival { stream, sequence: 1, received_us: 1 };
            let event =
                Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect(name);
            let mut out = b"before".to_vec();
            json::write(&event, &mut out);
            assert_eq!(String::from_utf8(out).expect(name), format!("before{line}"), "{name}");
        }
    }

    #[test]
    fn every_file_is_a_sample() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/events");
        let mut files: Vec<_> = fs::read_dir(folder)
            .expect("the samples' folder")
            .map(|entry| entry.expect("readable").path())
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        files.sort();
        let names: Vec<_> = samples().iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(files, names);
    }
}
