//! The settings of `syslog` that have rules of their own.

use serde::{Deserialize, Deserializer, de::Error as _};

use super::message::is_header_text;

/// Where the receiver listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Address {
    fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
            }
            // More than one colon is an address of version 6 without a port.
            None => match text.split_once(':') {
                Some((_, rest)) if rest.contains(':') => {
                    text.parse::<std::net::Ipv6Addr>().ok()?;
                    (text, None)
                }
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        let port = match port {
            Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
            None => None,
        };
        (!host.is_empty() && host.chars().all(is_plain))
            .then(|| Self { host: host.to_owned(), port })
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "expected a host and a port, as \"siem.example.com:6514\", found \"{text}\""
            ))
        })
    }
}

/// How a stream tells one message from the next (RFC 6587, 3.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Framing {
    /// Each behind its length in bytes and a space.
    #[default]
    OctetCounting,
    /// A line each.
    Newline,
}

/// The facility's number (RFC 5424, table 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facility(pub(super) u8);

impl Default for Facility {
    fn default() -> Self {
        Self(16)
    }
}

impl<'de> Deserialize<'de> for Facility {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const NAMES: [&str; 24] = [
            "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron",
            "authpriv", "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2",
            "local3", "local4", "local5", "local6", "local7",
        ];
        let text = String::deserialize(deserializer)?;
        let number = (0..).zip(NAMES).find(|(_, name)| *name == text);
        number.map(|(number, _)| Self(number)).ok_or_else(|| {
            let known = NAMES.join(", ");
            D::Error::custom(format!("expected one of {known}, found \"{text}\""))
        })
    }
}

/// APP-NAME.
#[derive(Debug, Clone)]
pub(super) struct AppName(pub(super) String);

impl Default for AppName {
    fn default() -> Self {
        Self("kubearmor".to_owned())
    }
}

impl<'de> Deserialize<'de> for AppName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const MAX_CHARS: usize = 48;
        let text = String::deserialize(deserializer)?;
        if (1..=MAX_CHARS).contains(&text.len()) && text.chars().all(is_header_text) {
            return Ok(Self(text));
        }
        Err(D::Error::custom("expected 1 to 48 visible ASCII characters without a space"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_perhaps_a_port() {
        for (text, host, port) in [
            ("siem:6514", "siem", Some(6514)),
            ("siem.example.com", "siem.example.com", None),
            ("10.0.0.1:514", "10.0.0.1", Some(514)),
            ("[2001:db8::1]:6514", "2001:db8::1", Some(6514)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("2001:db8::1", "2001:db8::1", None),
        ] {
            let expected = Address { host: host.to_owned(), port };
            assert_eq!(Address::parse(text), Some(expected), "{text}");
        }
        for text in
            ["", ":6514", "siem:", "siem:0", "siem:65536", "tls://siem:6514", "[x]:1", "a b:1"]
        {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
