//! Azure Event Hubs, one name for three ways of speaking to it.
//!
//! An event is a message, with its id as a property, since Event Hubs itself knows no copies. Which
//! way is taken, `protocol` says; settings, message and limits are the same. Each way has a file of
//! its own in `event_hubs/`.

mod amqp;
mod endpoint;
mod https;
mod kafka;
mod message;
mod settings;

use std::time::Duration;

use serde::Deserialize;

use crate::contract::{
    AmqpConnection, Cloud, Compression, Credential, Destination, Entra, Entry, Facts, Format,
    Identity, KafkaConnection, Limits, Mechanism, Prefixed, Sasl, Setting, SettingError,
    SharedAccess, Timeout, Tls, identity, read,
};
use amqp::ByAmqp;
use endpoint::Endpoint;
use https::ByHttps;
use kafka::ByKafka;
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
    endpoint: Option<Endpoint>,
    #[serde(default)]
    websocket: bool,
    timeout: Option<Timeout>,
    #[serde(default)]
    tls: Tls,
}

/// How the hub is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    #[default]
    Amqp,
    Kafka,
    Https,
}

/// How long one attempt may take, where nothing is said.
const PATIENCE: Duration = Duration::from_secs(30);
/// By Kafka, whose client tries again within its time.
const PATIENCE_BY_KAFKA: Duration = Duration::from_secs(120);

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: EventHubs = read(table)?;
    let place = place(&sink)?;
    match sink.protocol {
        Way::Amqp => Ok(Destination::Amqp(Box::new(by_amqp(sink, &place)?))),
        Way::Kafka => Ok(Destination::Kafka(Box::new(by_kafka(sink, &place)?))),
        Way::Https => Ok(Destination::Http(Box::new(by_https(sink, &place)?))),
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
    /// What proves us at an address of this scheme.
    fn credential(&self, scheme: &str, identity: Option<Identity>) -> Credential {
        match &self.access {
            Some(Access::Key { name, key }) => Credential::SharedAccess(SharedAccess::Key {
                resource: format!("{scheme}://{}/{}", self.namespace.host, self.hub),
                name: name.clone(),
                key: key.clone(),
            }),
            Some(Access::Token(token)) => {
                Credential::SharedAccess(SharedAccess::Token(token.clone()))
            }
            None => Credential::Entra(self.entra(identity)),
        }
    }

    fn entra(&self, identity: Option<Identity>) -> Entra {
        Entra {
            scope: SCOPE.to_owned(),
            identity: identity.unwrap_or_default(),
            cloud: Cloud::of_host(&self.namespace.host),
        }
    }
}

fn by_https(sink: EventHubs, place: &Place) -> Result<ByHttps, SettingError> {
    if sink.websocket {
        return Err(SettingError::at(
            "websocket",
            "expected this beside protocol = \"amqp\" alone",
        ));
    }
    let scheme = if place.emulator { "http" } else { "https" };
    let base = match &sink.endpoint {
        Some(endpoint) => endpoint.of_scheme(&["https", "http"])?,
        None => format!("{scheme}://{}", place.namespace.authority()),
    };
    Ok(ByHttps {
        base: format!("{base}/{}", place.hub),
        proof: place.credential("https", sink.identity).into(),
        partition_key: sink.partition_key,
        envelope: sink.envelope,
        timeout: sink.timeout.map_or(PATIENCE, |timeout| timeout.0),
        tls: sink.tls,
    })
}

fn by_amqp(sink: EventHubs, place: &Place) -> Result<ByAmqp, SettingError> {
    let own_port = place.namespace.port.map(|_| {
        let scheme = if place.emulator { "amqp" } else { "amqps" };
        format!("{scheme}://{}", place.namespace.authority())
    });
    let emulator = place.emulator.then(|| format!("amqp://{}:5672", place.namespace.host));
    let endpoint = match &sink.endpoint {
        Some(endpoint) => Some(endpoint.of_scheme(&["amqps", "amqp"])?),
        None => own_port.or(emulator),
    };
    let is_plain = endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("amqp://"));
    let Tls { ca, cert, server_name, insecure, .. } = &sink.tls;
    if is_plain && (ca.is_some() || cert.is_some() || server_name.is_some() || *insecure) {
        return Err(SettingError::at(
            "tls",
            "expected none for an address of amqp://, which goes without TLS; amqps:// goes by it",
        ));
    }
    let connection = AmqpConnection {
        namespace: place.namespace.host.clone(),
        hub: place.hub.clone(),
        endpoint,
        websocket: sink.websocket,
        tls: sink.tls,
        credential: place.credential("amqps", sink.identity),
        timeout: sink.timeout.map_or(PATIENCE, |timeout| timeout.0),
    };
    Ok(ByAmqp { connection, partition_key: sink.partition_key, envelope: sink.envelope })
}

/// The Kafka endpoint knows a connection string as a user's password, and Entra's tokens by
/// OAUTHBEARER (<https://learn.microsoft.com/azure/event-hubs/azure-event-hubs-apache-kafka-overview>).
fn by_kafka(sink: EventHubs, place: &Place) -> Result<ByKafka, SettingError> {
    if sink.websocket {
        return Err(SettingError::at(
            "websocket",
            "expected this beside protocol = \"amqp\" alone",
        ));
    }
    if sink.endpoint.is_some() {
        return Err(SettingError::at(
            "endpoint",
            "expected none beside protocol = \"kafka\"; a port goes behind the namespace's host",
        ));
    }
    if sink.tls.server_name.is_some() {
        return Err(SettingError::at(
            "tls.server_name",
            "expected none beside protocol = \"kafka\": each broker has a name of its own",
        ));
    }
    let sasl = match &sink.connection_string {
        Some(given) => Sasl::Password {
            mechanism: Mechanism::Plain,
            username: "$ConnectionString".to_owned(),
            password: given.whole.clone(),
        },
        None => Sasl::Entra(place.entra(sink.identity)),
    };
    let port = place.namespace.port.unwrap_or(if place.emulator { 9092 } else { 9093 });
    let connection = KafkaConnection {
        brokers: vec![format!("{}:{port}", place.namespace.host)],
        compression: Compression::Gzip,
        tls: (!place.emulator).then(|| sink.tls.clone()),
        sasl: Some(sasl),
        timeout: sink.timeout.map_or(PATIENCE_BY_KAFKA, |timeout| timeout.0),
        max_message_bytes: 1_000_000,
        properties: kafka::properties(),
        ..KafkaConnection::default()
    };
    let (partition_key, envelope) = (sink.partition_key, sink.envelope);
    Ok(ByKafka { hub: place.hub.clone(), connection, partition_key, envelope })
}

fn facts() -> Facts {
    Facts {
        name: "event_hubs",
        summary: "Azure Event Hubs, by AMQP, Kafka or HTTPS",
        format: Format::Json,
        native: false,
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
        tls: true,
        example: "connection_string = \"${env:EVENT_HUBS_CONNECTION_STRING}\"\nhub = \"kubearmor\"\n",
        sample_secrets: &[(
            "EVENT_HUBS_CONNECTION_STRING",
            "Endpoint=sb://example.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=c2FtcGxlLWtleS1vZi1hLW5hbWVzcGFjZQ==",
        )],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "protocol",
        help: "\"amqp\" (port 5671), \"kafka\" (9093; no copies within a session, not on the \
               Basic tier) or \"https\" (443; slower). Default: \"amqp\"",
    },
    Setting {
        key: "connection_string",
        help: "of the namespace or the hub, with a key that may send",
    },
    Setting {
        key: "namespace",
        help: "instead of a connection string: the namespace's host, for an identity of Entra",
    },
    Setting { key: "hub", help: "the event hub. Default: the connection string's EntityPath" },
    identity::KIND,
    identity::TENANT,
    identity::CLIENT_ID,
    identity::CLIENT_SECRET,
    identity::AUTHORITY,
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
    Setting {
        key: "endpoint",
        help: "an address to reach the namespace at instead of its own, as \"amqps://host:5671\" \
               or \"https://host\"",
    },
    Setting {
        key: "websocket",
        help: "whether AMQP goes inside a WebSocket, by port 443 and by a proxy where the \
               environment names one (HTTPS_PROXY). Default: false",
    },
    Setting {
        key: "timeout",
        help: "how long one attempt may take. Default: \"30s\", \"2m\" by kafka",
    },
];

#[cfg(test)]
mod tests;
