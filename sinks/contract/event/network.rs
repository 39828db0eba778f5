//! The two ends of a connection and the name that was asked for, from the many forms in which
//! agents tell them.

use super::{
    Event,
    data::{detail, pairs},
};

/// What is known of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// `TCP`, `UDP`, `ICMP`, a protocol's number, or empty.
    pub protocol: &'a str,
    /// The end that opened it.
    pub source: Endpoint<'a>,
    /// The end it was opened to.
    pub destination: Endpoint<'a>,
    /// `pod/NAMESPACE/NAME` or `svc/NAMESPACE/NAME` of the other end, where the relay knew.
    pub remote_host: &'a str,
}

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Endpoint<'a> {
    /// The address, or the path of a Unix socket; empty where it is not known.
    pub address: &'a str,
    /// The port, if known.
    pub port: Option<u16>,
}

/// Which way a connection goes, seen from the workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The workload opens it; also what a socket is taken for of which no more is known.
    Out,
    /// The workload is connected to, or waits for it.
    In,
}

impl<'a> Network<'a> {
    /// The end that is not the workload's.
    pub fn remote(&self) -> Endpoint<'a> {
        match self.direction {
            Direction::Out => self.destination,
            Direction::In => self.source,
        }
    }
}

impl Event<'_> {
    /// What is known of the connection; nothing where the event is not about one.
    pub fn network(&self) -> Option<Network<'_>> {
        match self.view.Operation {
            "Network" | "NetworkFirewall" => self.network_of(&self.event_data()),
            _ => None,
        }
    }

    /// The same, of details that are known already: finding them is the dear part.
    pub(crate) fn network_of<'s>(&'s self, details: &[(&'s str, &'s str)]) -> Option<Network<'s>> {
        match self.view.Operation {
            "Network" => Some(connection(details)),
            "NetworkFirewall" => Some(self.packet(details)),
            _ => None,
        }
    }

    /// The name that was asked for in a DNS query; empty where the event is none.
    pub fn dns_name(&self) -> &str {
        if self.view.Operation != "Network" {
            return "";
        }
        // `Domain` is also an address family: of the socket, in either place.
        let named = |name: &&str| !name.is_empty() && !name.starts_with("AF_");
        let written = pairs(self.view.Data).find_map(|(key, value)| {
            Some(value).filter(|value| key.eq_ignore_ascii_case("domain") && named(value))
        });
        let sent = || self.view.EventData.get("Domain").copied().filter(named);
        written.or_else(sent).unwrap_or_default()
    }

    fn packet<'s>(&'s self, details: &[(&'s str, &'s str)]) -> Network<'s> {
        let end = |address, port| Endpoint {
            address: detail(details, address).unwrap_or_default(),
            port: detail(details, port).and_then(|port| port.parse().ok()),
        };
        let inward = self.view.Resource == "INGRESS";
        Network {
            direction: if inward { Direction::In } else { Direction::Out },
            protocol: detail(details, "Protocol").unwrap_or_default(),
            source: end("SourceIP", "SourcePort"),
            destination: end("DestinationIP", "DestinationPort"),
            remote_host: "",
        }
    }
}

fn connection<'s>(details: &[(&'s str, &'s str)]) -> Network<'s> {
    let address = ["Remoteip", "Sin_addr", "Daddr", "Sun_path"]
        .into_iter()
        .find_map(|key| detail(details, key))
        .unwrap_or_default();
    let port = detail(details, "Port").or_else(|| detail(details, "Sin_port"));
    let told = Endpoint { address, port: port.and_then(|port| port.parse().ok()) };
    let none = Endpoint::default();
    let (direction, source, destination) = match call(details) {
        call if ends_with(call, "accept") => (Direction::In, told, none),
        call if ends_with(call, "bind") || ends_with(call, "listen") => (Direction::In, none, told),
        _ => (Direction::Out, none, told),
    };
    Network {
        direction,
        protocol: detail(details, "Protocol").unwrap_or_default(),
        source,
        destination,
        remote_host: detail(details, "Remotehost").unwrap_or_default(),
    }
}

/// The call in the kernel, whatever it was seen by, without the 4 of `accept4`.
fn call<'s>(details: &[(&'s str, &'s str)]) -> &'s str {
    let seen =
        ["Syscall", "Kprobe", "Kfunc", "Lsm"].into_iter().find_map(|key| detail(details, key));
    seen.unwrap_or_default().trim_end_matches('4')
}

fn ends_with(call: &str, end: &str) -> bool {
    let from = call.len().checked_sub(end.len());
    from.is_some_and(|from| call.as_bytes()[from..].eq_ignore_ascii_case(end.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::samples::with_sample;

    fn remote(sample: &str) -> (Direction, String, Option<u16>, String) {
        with_sample(sample, |event| {
            let network = event.network().expect(sample);
            let remote = network.remote();
            let protocol = network.protocol.to_owned();
            (network.direction, remote.address.to_owned(), remote.port, protocol)
        })
    }

    #[test]
    fn the_other_end_is_found_in_every_form() {
        for (sample, direction, address, port, protocol) in [
            ("alert-network-audit", Direction::Out, "203.0.113.40", Some(443), "TCP"),
            ("alert-network-block", Direction::Out, "", None, "ICMP"),
            ("alert-network-firewall", Direction::Out, "198.51.100.7", Some(443), "TCP"),
            ("log-network-connect", Direction::Out, "10.43.12.80", Some(6379), "TCP"),
            ("log-network-accept", Direction::In, "10.42.3.17", Some(47712), ""),
            ("log-dns", Direction::Out, "10.43.0.10", Some(53), ""),
            ("log-host", Direction::Out, "/run/systemd/journal/dev-log", None, ""),
        ] {
            let expected = (direction, address.to_owned(), port, protocol.to_owned());
            assert_eq!(remote(sample), expected, "{sample}");
        }
        with_sample("log-network-connect", |event| {
            assert_eq!(event.network().expect("a connection").remote_host, "svc/shop/cart");
        });
        with_sample("alert-network-firewall", |event| {
            let source = Endpoint { address: "10.42.3.17", port: Some(51544) };
            assert_eq!(event.network().expect("a packet").source, source);
        });
        assert!(with_sample("alert-device-block", |event| event.network().is_none()));
    }

    #[test]
    fn a_name_is_not_an_address_family() {
        for (sample, name) in [
            ("alert-dns-block", "4111-1111.drop.example"),
            ("log-dns", "cart.shop.svc.cluster.local"),
            ("log-dns-commas", "rates.example"),
            ("log-network-connect", ""),
            ("alert-network-block", ""),
            ("log-file-failed", ""),
        ] {
            with_sample(sample, |event| assert_eq!(event.dns_name(), name, "{sample}"));
        }
    }
}
