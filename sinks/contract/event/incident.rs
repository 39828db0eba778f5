//! Which events tell of the same incident.

use super::Event;

impl Event<'_> {
    /// The same for events of one incident: policy, workload, operation, action and resource,
    /// without what changes from one event to the next (process ids, the client's ports, random
    /// names, the order of a socket's parts).
    pub fn incident_key(&self) -> String {
        let mut key = String::with_capacity(128);
        for part in [
            self.cluster(),
            self.namespace(),
            self.workload(),
            self.policy(),
            self.operation(),
            self.action(),
        ] {
            key.push_str(part);
            key.push('|');
        }
        if self.operation() == "Network" {
            push_tokens(&mut key, self.resource());
        } else {
            push_steady(&mut key, self.resource());
        }
        key
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
    use crate::contract::samples::with_sample;

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
}
