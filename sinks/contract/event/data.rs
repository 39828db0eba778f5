//! `Data`, `Resource` and `EventData`: the details of a call, as pairs.
//!
//! Agents since v1.6.4 send `EventData`, parsed from the other two; for older ones we parse. Some
//! agents write a DNS query with commas and so send it as a single, mangled pair: parsed again.

use super::Event;

/// `EventData`'s spelling of the keys that `Data` and `Resource` use.
const KEYS: [&str; 40] = [
    "Syscall",
    "Fd",
    "Flags",
    "Flag",
    "Userid",
    "Group",
    "Mode",
    "Source",
    "Target",
    "Filesystem",
    "Mountflag",
    "Data",
    "Request",
    "Pid",
    "Process",
    "Kprobe",
    "Kfunc",
    "Lsm",
    "Domain",
    "Type",
    "Protocol",
    "Remoteip",
    "Port",
    "Remotehost",
    "Sa_family",
    "Sin_port",
    "Sin_addr",
    "Sun_path",
    "Daddr",
    "Qtype",
    "Class",
    "SubClass",
    "Level",
    "SysPath",
    "SourceIP",
    "SourcePort",
    "DestinationIP",
    "DestinationPort",
    "QuotaLevel",
    "QuotaLimit",
];

impl Event<'_> {
    /// The details of the call, sorted by key: the agent's `EventData`, completed from `Data`
    /// and, for the network, `Resource`.
    pub fn event_data(&self) -> Vec<(&str, &str)> {
        let sent = self.view.EventData.iter_unique().copied();
        let mut data: Vec<_> = sent.filter(|(key, value)| !is_mangled(key, value)).collect();
        for (key, value) in pairs(self.view.Data).chain(pairs(self.network_resource())) {
            let key = spelling(key);
            if !data.iter().any(|(known, _)| *known == key) {
                data.push((key, value));
            }
        }
        data.sort_unstable();
        data
    }

    /// One detail of the call; `key` as `EventData` spells it.
    pub(super) fn datum(&self, key: &str) -> Option<&str> {
        let sent = self.view.EventData.get(key).copied();
        let written = || {
            pairs(self.view.Data)
                .chain(pairs(self.network_resource()))
                .find_map(|(found, value)| (spelling(found) == key).then_some(value))
        };
        sent.filter(|value| !is_mangled(key, value)).or_else(written)
    }

    fn network_resource(&self) -> &str {
        if self.view.Operation == "Network" { self.view.Resource } else { "" }
    }
}

/// `k=v` pairs between blanks; after `kfunc=` also between commas. Bare words are left out.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let commas = text.starts_with("kfunc=");
    text.split(move |c: char| c.is_whitespace() || (commas && c == ','))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| !key.is_empty())
}

/// One of the details that [`Event::event_data`] found.
pub(super) fn detail<'d>(details: &[(&'d str, &'d str)], key: &str) -> Option<&'d str> {
    details.iter().find_map(|(found, value)| (*found == key).then_some(*value))
}

/// The key as a constant, if it is one that agents write, in the spelling of `EventData`.
pub(crate) fn known_key(key: &str) -> Option<&'static str> {
    KEYS.into_iter().find(|known| *known == key)
}

fn is_mangled(key: &str, value: &str) -> bool {
    key == "Kfunc" && value.contains(',')
}

/// A key nobody knows keeps the spelling it came with.
fn spelling(key: &str) -> &str {
    let Some((first, rest)) = key.as_bytes().split_first() else { return key };
    let known = KEYS
        .iter()
        .find(|known| known.as_bytes().split_first() == Some((&first.to_ascii_uppercase(), rest)));
    known.copied().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::samples::with_sample;

    #[test]
    fn what_an_old_agent_leaves_out_is_parsed() {
        with_sample("alert-old-agent", |event| {
            let expected = [
                ("Data", ""),
                ("Filesystem", "proc"),
                ("Mountflag", "0"),
                ("Source", "none"),
                ("Syscall", "SYS_MOUNT"),
                ("Target", "/mnt"),
            ];
            assert_eq!(event.event_data(), expected);
            assert_eq!(event.syscall(), "SYS_MOUNT");
        });
    }

    #[test]
    fn a_query_with_commas_is_taken_apart() {
        with_sample("log-dns-commas", |event| {
            let expected = [
                ("Daddr", "10.43.0.10"),
                ("Domain", "rates.example"),
                ("Kfunc", "UDP_SENDMSG"),
                ("Qtype", "AAAA"),
                ("Sa_family", "AF_INET"),
                ("Sin_port", "53"),
            ];
            assert_eq!(event.event_data(), expected);
        });
    }

    #[test]
    fn any_text_is_taken_apart_without_harm() {
        for text in ["", "=", "=x", "ä=1 ß=2", "kfunc=,,=,", "a\u{a0}b=c"] {
            let _ = pairs(text).map(|(key, _)| spelling(key).len()).sum::<usize>();
        }
        assert_eq!(spelling("syscall"), "Syscall");
        assert_eq!(spelling("sourceIP"), "SourceIP");
        assert_eq!(spelling("odd"), "odd");
    }
}
