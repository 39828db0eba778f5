//! Which events tell of the same incident.

use super::{Event, Stream};
use crate::contract::start_of;

/// So much is read of a resource, a message or a reason, in bytes: what keeps an event for later
/// may cut them there.
pub const INCIDENT_TEXT_BYTES: usize = 1_024;

impl Event<'_> {
    /// The same for events of one incident: policy, workload, operation, action and resource,
    /// without what changes from one event to the next (process ids, the client's ports, random
    /// names, the order of a socket's parts). A throttle notice may stand in the place of any
    /// alert, so none of that alert's parts count; of an agent's message level and words count, of
    /// a gap record stream and reason.
    pub fn incident_key(&self) -> String {
        let (cluster, namespace, workload) = (self.cluster(), self.namespace(), self.workload());
        let (stream, operation) = (self.stream().name(), self.operation());
        let (parts, text, push): ([&str; 6], &str, fn(&mut String, &str)) = match self.gap() {
            Some(gap) => ([cluster, "", "", "", "gap", stream], gap.reason, push_words),
            None if self.is_throttle_notice() => {
                ([cluster, namespace, workload, "", operation, ""], "", push_steady)
            }
            None if self.stream() == Stream::Message => {
                let parts = [cluster, namespace, workload, "", stream, self.level()];
                (parts, self.message(), push_words)
            }
            None => {
                let parts = [cluster, namespace, workload, self.policy(), operation, self.action()];
                let push = if operation == "Network" { push_tokens } else { push_steady };
                (parts, self.resource(), push)
            }
        };
        let mut key = String::with_capacity(128);
        for part in parts {
            key.push_str(part);
            key.push('|');
        }
        push(&mut key, start_of(text, INCIDENT_TEXT_BYTES));
        key
    }
}

/// Words with numbers in them (times, sizes, addresses) say the same whatever the numbers are.
fn push_words(key: &mut String, text: &str) {
    let mut steady = String::with_capacity(text.len());
    push_steady(&mut steady, text);
    let mut in_number = false;
    for c in steady.chars() {
        match c.is_ascii_digit() {
            false => key.push(c),
            true if !in_number => key.push('*'),
            true => {}
        }
        in_number = c.is_ascii_digit();
    }
}

/// A socket's parts come in random order; a port from here on is the kernel's choice
/// (`net.ipv4.ip_local_port_range`).
fn push_tokens(key: &mut String, resource: &str) {
    const FIRST_EPHEMERAL_PORT: u16 = 32_768;
    let mut tokens: Vec<_> = resource.split_whitespace().collect();
    tokens.sort_unstable();
    for token in tokens {
        match token.split_once('=') {
            Some((name @ ("port" | "sin_port"), port))
                if port.parse::<u16>().is_ok_and(|port| port >= FIRST_EPHEMERAL_PORT) =>
            {
                key.push_str(name);
                key.push_str("=*");
            }
            _ => push_steady(key, token),
        }
        key.push(' ');
    }
}

/// `/proc/4711/maps` becomes `/proc/*/maps`; ids in hexadecimal become `*`.
fn push_steady(key: &mut String, text: &str) {
    const SHORTEST_ID: usize = 8;
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let (before, from) = rest.split_at(start);
        let end = from.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(from.len());
        let (run, after) = from.split_at(end);
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        key.push_str(before);
        let process = key.ends_with("/proc/") && digits == run.len();
        key.push_str(if process || (run.len() >= SHORTEST_ID && digits > 0) { "*" } else { run });
        rest = after;
    }
    key.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::{
        samples::with_sample,
        testing::{OwnedEvent, with_event},
    };

    #[test]
    fn what_changes_from_event_to_event_does_not_count() {
        let steady = |resource| {
            let mut key = String::new();
            push_steady(&mut key, resource);
            key
        };
        assert_eq!(steady("/proc/4711/maps"), steady("/proc/8/maps"));
        assert_eq!(steady("/tmp/0f3c9a7712/x"), "/tmp/*/x");
        assert_eq!(steady("/usr/bin/apt install -y net2"), "/usr/bin/apt install -y net2");
        assert_eq!(steady("/srv/facade/ää"), "/srv/facade/ää");
        let tokens = |resource| {
            let mut key = String::new();
            push_tokens(&mut key, resource);
            key
        };
        assert_eq!(
            tokens("sin_port=47712 sa_family=AF_INET sin_addr=10.0.0.1"),
            tokens("sa_family=AF_INET sin_addr=10.0.0.1 sin_port=51000"),
        );
        assert_ne!(tokens("remoteip=10.0.0.1 port=53"), tokens("remoteip=10.0.0.1 port=443"));
    }

    #[test]
    fn a_key_tells_policy_place_deed_and_resource() {
        assert_eq!(
            with_sample("alert-process-block", |event| event.incident_key()),
            "harbour-eu|shop|checkout|shop-no-package-managers|Process|Block|\
             /usr/bin/apt install -y netcat"
        );
    }

    #[test]
    fn an_agents_message_is_told_by_level_and_words() {
        let key = |level: &str, words: &str| {
            let line = format!(
                "{{\"ClusterName\":\"c\",\"HostName\":\"n1\",\"Type\":\"Message\",\
                 \"Level\":\"{level}\",\"Message\":\"{words}\"}}"
            );
            with_event(&line, |event| event.incident_key())
        };
        assert_eq!(key("WARN", "low on space: 12 MiB"), "c||n1||message|WARN|low on space: * MiB");
        assert_eq!(key("WARN", "low on space: 12 MiB"), key("WARN", "low on space: 7 MiB"));
        assert_eq!(key("WARN", "lost 0f3c9a77"), key("WARN", "lost 4711bc0de"));
        assert_ne!(key("WARN", "low on space"), key("ERROR", "low on space"));
        assert_ne!(key("WARN", "low on space"), key("WARN", "policy is wrong"));
    }

    #[test]
    fn gaps_differ_by_stream_and_reason() {
        let key = |stream, reason| OwnedEvent::gap_of(stream, reason).event().incident_key();
        let ended = key(Stream::Alert, "the relay ended the stream");
        assert_eq!(ended, "||||gap|alert|the relay ended the stream");
        assert_ne!(ended, key(Stream::Log, "the relay ended the stream"));
        assert_ne!(ended, key(Stream::Alert, "the disk was full"));
    }

    #[test]
    fn a_notice_is_of_its_workload_whatever_alert_it_stands_for() {
        let key = |name| with_sample(name, |event| event.incident_key());
        assert_eq!(key("alert-throttle-notice"), key("alert-throttle-notice-rewritten"));
        assert_eq!(key("alert-throttle-notice"), "harbour-eu|shop|storefront||AlertThreshold||");
    }

    #[test]
    fn what_lies_beyond_the_first_part_of_a_text_does_not_count() {
        let key = |resource: &str| {
            let line = format!(
                "{{\"Type\":\"MatchedPolicy\",\"Operation\":\"File\",\"Resource\":\"{resource}\"}}"
            );
            with_event(&line, |event| event.incident_key())
        };
        let long = format!("/{}", "ä".repeat(INCIDENT_TEXT_BYTES));
        assert_eq!(key(&long), key(&format!("{long}/more")));
        assert_eq!(key(&long), key(start_of(&long, INCIDENT_TEXT_BYTES)));
    }
}
