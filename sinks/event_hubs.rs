//! Azure Event Hubs, one name for three ways of speaking to it.
//!
//! An event is a message, with its id as a property, since Event Hubs itself knows no copies. Which
//! way is taken, `protocol` says; settings, message and limits are the same. Each way has a file of
//! its own in `event_hubs/`.

mod https;
mod message;
mod settings;

use std::time::Duration;

use serde::Deserialize;

use crate::contract::{
    Cloud, Destination, Entra, Entry, Facts, Format, Identity, Limits, Prefixed, Proof, SecretUrl,
    Setting, SettingError, SharedAccess, Span, Tls, above_zero, read,
};
use https::ByHttps;
use settings::{Access, ConnectionString, Hub, Namespace};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// What a token for Event Hubs is for.
const SCOPE: &str = "https://eventhubs.azure.net/.default";

/// The table `event_hubs` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventHubs {
    #[serde(default)]
    protocol: Way,
    connection_string: Option<ConnectionString>,
    namespace: Option<Namespace>,
    hub: Option<Hub>,
    #[serde(default)]
    identity: Option<Identity>,
    partition_key: Option<Prefixed>,
    #[serde(default)]
    envelope: bool,
    endpoint: Option<SecretUrl>,
    #[serde(default = "half_a_minute")]
    timeout: Span,
    #[serde(default)]
    tls: Tls,
}

/// How the hub is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    #[default]
    Https,
}

fn half_a_minute() -> Span {
    Span(Duration::from_secs(30))
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: EventHubs = read(table)?;
    above_zero("timeout", sink.timeout)?;
    let place = place(&sink)?;
    match sink.protocol {
        Way::Https => Ok(Destination::Http(Box::new(by_https(sink, place)))),
    }
}

/// Which hub, and how we may speak to it.
struct Place {
    namespace: Namespace,
    hub: String,
    emulator: bool,
    access: Option<Access>,
}

/// From a connection string, or from namespace, hub and identity.
fn place(sink: &EventHubs) -> Result<Place, SettingError> {
    let EventHubs { connection_string, namespace, hub, identity, .. } = sink;
    let hub_of = |named: Option<&Hub>| match (named, hub) {
        (Some(named), Some(hub)) if named != hub => Err(SettingError::at(
            "hub",
            format!("found \"{}\", and the connection string is for another: leave one out", hub.0),
        )),
        (Some(hub), _) | (None, Some(hub)) => Ok(hub.0.clone()),
        (None, None) => Err(SettingError::at("hub", "this key is required, and missing")),
    };
    match (connection_string, namespace) {
        (Some(_), Some(_)) => Err(SettingError::at(
            "namespace",
            "expected either this or connection_string, which names it as well",
        )),
        (Some(_), None) if identity.is_some() => Err(SettingError::at(
            "identity",
            "expected either this, with namespace, or connection_string: its key is the proof",
        )),
        (Some(given), None) => Ok(Place {
            namespace: given.namespace.clone(),
            hub: hub_of(given.hub.as_ref())?,
            emulator: given.emulator,
            access: Some(given.access.clone()),
        }),
        (None, Some(namespace)) => Ok(Place {
            namespace: namespace.clone(),
            hub: hub_of(None)?,
            emulator: false,
            access: None,
        }),
        (None, None) => Err(SettingError::at(
            "connection_string",
            "expected this, or namespace for an identity of Microsoft Entra",
        )),
    }
}

impl Place {
    /// The proof for an address of this scheme.
    fn proof(&self, scheme: &str, identity: Option<Identity>) -> Proof {
        match &self.access {
            Some(Access::Key { name, key }) => Proof::SharedAccess(SharedAccess::Key {
                resource: format!("{scheme}://{}/{}", self.namespace.host, self.hub),
                name: name.clone(),
                key: key.clone(),
            }),
            Some(Access::Token(token)) => Proof::SharedAccess(SharedAccess::Token(token.clone())),
            None => Proof::Entra(Entra {
                scope: SCOPE.to_owned(),
                identity: identity.unwrap_or_default(),
                cloud: Cloud::of_host(&self.namespace.host),
            }),
        }
    }
}

fn by_https(sink: EventHubs, place: Place) -> ByHttps {
    let scheme = if place.emulator { "http" } else { "https" };
    let base = match &sink.endpoint {
        Some(endpoint) => endpoint.join(&place.hub),
        None => format!("{scheme}://{}/{}", place.namespace.authority(), place.hub),
    };
    ByHttps {
        base,
        proof: place.proof("https", sink.identity),
        partition_key: sink.partition_key,
        envelope: sink.envelope,
        timeout: sink.timeout.0,
        tls: sink.tls,
    }
}

fn facts() -> Facts {
    Facts {
        name: "event_hubs",
        summary: "Azure Event Hubs, by HTTPS",
        format: Format::Json,
        limits: Limits {
            events: 1_000,
            // 1 MB of one publication; 256 KB on the Basic tier, where batch.bytes says so.
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://learn.microsoft.com/azure/event-hubs/event-hubs-quotas",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        example: "connection_string = \"${env:EVENT_HUBS_CONNECTION_STRING}\"\nhub = \"kubearmor\"\n",
        sample_secrets: &[(
            "EVENT_HUBS_CONNECTION_STRING",
            "Endpoint=sb://example.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2FtcGxlLWtleS1vZi1hLW5hbWVzcGFjZQ==",
        )],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "protocol", help: "\"https\". Default: \"https\"" },
    Setting {
        key: "connection_string",
        help: "of the namespace or the hub, with a key that may send",
    },
    Setting {
        key: "namespace",
        help: "instead of a connection string: the namespace's host, for an identity of Entra",
    },
    Setting { key: "hub", help: "the event hub. Default: the connection string's EntityPath" },
    Setting {
        key: "identity.kind",
        help: "how we prove who we are: \"managed\", \"workload\", \"client_secret\", or \
               \"environment\", as AZURE_… say it. Default: client_secret where that is set, \
               else environment",
    },
    Setting { key: "identity.tenant", help: "the directory's id (workload, client_secret)" },
    Setting { key: "identity.client_id", help: "the application's or the identity's id" },
    Setting { key: "identity.client_secret", help: "the application's secret" },
    Setting {
        key: "identity.authority",
        help: "the token server. Default: that of the cloud which the namespace is in",
    },
    Setting {
        key: "partition_key",
        help: "keeps events of one thing in one partition; literal text, then fields: \
               \"ka-{{ PodName }}\". By https each event is then a request of its own. \
               Default: events go to all partitions in turn",
    },
    Setting {
        key: "envelope",
        help: "whether a message is {\"records\":[event]}, as Azure's own services write it. \
               Default: false",
    },
    Setting { key: "endpoint", help: "an address to reach the namespace at instead of its own" },
    Setting { key: "timeout", help: "how long one attempt may take. Default: \"30s\"" },
    Setting { key: "tls.ca", help: "a PEM file of the authorities to trust (https)" },
    Setting { key: "tls.cert", help: "a PEM file of the client certificate (https)" },
    Setting { key: "tls.key", help: "a PEM file of its key (https)" },
    Setting { key: "tls.insecure", help: "whether to take any certificate. Default: false" },
];

#[cfg(test)]
mod tests;
