//! The settings of `event_hubs` that have rules of their own.

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::contract::Secret;

/// `Endpoint=sb://NAMESPACE/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=HUB`
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-get-connection-string>).
#[derive(Debug, Clone)]
pub(super) struct ConnectionString {
    /// As it was given.
    pub(super) whole: Secret,
    /// The host, and the port where one is named.
    pub(super) namespace: Namespace,
    /// The hub, where it names one.
    pub(super) hub: Option<Hub>,
    pub(super) access: Access,
    /// Whether it leads to the emulator, which speaks without TLS.
    pub(super) emulator: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Access {
    Key { name: String, key: Secret },
    Token(Secret),
}

impl ConnectionString {
    /// Reads one. Nothing of it is shown: any part may be the secret, put in the wrong place.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let mut parts = Parts::default();
        for pair in text.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').ok_or(EXPECTED)?;
            parts.take(name.trim(), value.trim())?;
        }
        let endpoint = parts.endpoint.ok_or("expected an Endpoint in the connection string")?;
        let host = endpoint.split_once("://").ok_or(EXPECTED)?.1;
        let namespace = Namespace::parse(host.trim_end_matches('/'))?;
        let access = match (parts.name, parts.key, parts.signature) {
            (Some(name), Some(key), None) if is_line(name) && !key.is_empty() => {
                Access::Key { name: name.to_owned(), key: Secret::new(key) }
            }
            (None, None, Some(token)) if is_line(token) => {
                if !token.starts_with("SharedAccessSignature ") {
                    return Err("expected SharedAccessSignature=SharedAccessSignature sr=…");
                }
                Access::Token(Secret::new(token))
            }
            _ => {
                return Err("expected SharedAccessKeyName and SharedAccessKey in the connection \
                            string, or SharedAccessSignature alone");
            }
        };
        let hub = parts.hub.map(Hub::parse).transpose()?;
        let whole = Secret::new(text.trim());
        Ok(Self { whole, namespace, hub, access, emulator: parts.emulator })
    }
}

const EXPECTED: &str = "expected a connection string such as \"Endpoint=sb://NAMESPACE.servicebus.\
                        windows.net/;SharedAccessKeyName=…;SharedAccessKey=…\"";

#[derive(Default)]
struct Parts<'t> {
    endpoint: Option<&'t str>,
    name: Option<&'t str>,
    key: Option<&'t str>,
    signature: Option<&'t str>,
    hub: Option<&'t str>,
    emulator: bool,
}

impl<'t> Parts<'t> {
    fn take(&mut self, name: &str, value: &'t str) -> Result<(), &'static str> {
        let place = match name.to_ascii_lowercase().as_str() {
            "endpoint" => &mut self.endpoint,
            "sharedaccesskeyname" => &mut self.name,
            "sharedaccesskey" => &mut self.key,
            "sharedaccesssignature" => &mut self.signature,
            "entitypath" => &mut self.hub,
            "usedevelopmentemulator" => {
                self.emulator = value.eq_ignore_ascii_case("true");
                return Ok(());
            }
            // Transport type, time-outs: other programs' settings.
            _ => return Ok(()),
        };
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err("expected each part of the connection string once"),
        }
    }
}

fn is_line(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() || c == ' ')
}

impl<'de> Deserialize<'de> for ConnectionString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Secret::deserialize(deserializer)?;
        Self::parse(text.reveal()).map_err(D::Error::custom)
    }
}

/// A namespace's host, and perhaps a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Namespace {
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Namespace {
    fn parse(text: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str = "expected the namespace's host, such as \
                                \"NAMESPACE.servicebus.windows.net\"";
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| EXPECTED)?)),
            None => (text, None),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
        let is_host = host == "localhost" || host.contains('.');
        if !is_host || !host.chars().all(is_name) {
            return Err(EXPECTED);
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// The host, and the port where one was named.
    pub(super) fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// An event hub's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hub(pub(super) String);

impl Hub {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if (1..=256).contains(&text.len()) && text.chars().all(allowed) {
            return Ok(Self(text.to_owned()));
        }
        Err("expected an event hub's name: letters, digits, \".\", \"-\" and \"_\", at most 256")
    }
}

impl<'de> Deserialize<'de> for Hub {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_says_where_and_who() {
        let text = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;\
                    SharedAccessKey=a+b/c=;EntityPath=kubearmor;";
        let parsed = ConnectionString::parse(text).expect("a connection string");
        assert_eq!(parsed.namespace.authority(), "ns.servicebus.windows.net");
        assert_eq!(parsed.hub, Some(Hub("kubearmor".to_owned())));
        assert!(!parsed.emulator);
        let Access::Key { name, key } = parsed.access else { panic!("a key") };
        assert_eq!((name.as_str(), key.reveal()), ("send", "a+b/c="));

        let text = "Endpoint=sb://localhost:5672;SharedAccessSignature=SharedAccessSignature \
                    sr=a&sig=b&se=1&skn=c;UseDevelopmentEmulator=true";
        let parsed = ConnectionString::parse(text).expect("a connection string");
        assert_eq!(parsed.namespace.port, Some(5672));
        assert!(parsed.emulator && parsed.hub.is_none());
        assert!(matches!(parsed.access, Access::Token(_)));
    }

    #[test]
    fn a_broken_one_is_refused_unseen() {
        for text in [
            "",
            "hunter2",
            "Endpoint=hunter2",
            "Endpoint=sb://hunter2/;SharedAccessKeyName=a;SharedAccessKey=b",
            "Endpoint=sb://n.net;SharedAccessKey=hunter2",
            "Endpoint=sb://n.net;SharedAccessKeyName=a;SharedAccessKey=hunter2;SharedAccessKey=b",
            "Endpoint=sb://n.net;SharedAccessSignature=hunter2",
            "Endpoint=sb://n.net;SharedAccessKeyName=a;SharedAccessKey=b;EntityPath=hunter2/x",
            "SharedAccessKeyName=a;SharedAccessKey=hunter2",
        ] {
            let error = ConnectionString::parse(text).map(drop).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_namespace_is_a_host() {
        assert!(Namespace::parse("ns.servicebus.windows.net").is_ok());
        for text in ["ns", "https://ns.net", "ns.net/hub", "ns.net:x", "ns.net:5671:1", ""] {
            assert!(Namespace::parse(text).is_err(), "{text}");
        }
    }
}
