//! The settings of `kafka` that have rules of their own.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::KafkaSink;
use crate::contract::{
    ByteSize, Event, Mechanism, Pattern, Prefixed, Sasl, Secret, SecretUrl, SettingError, Tls,
    did_you_mean,
};

/// The longest name of a topic, in characters.
const MAX_TOPIC_CHARS: usize = 249;

/// Brokers to begin with, each `HOST:PORT`; at least one.
#[derive(Debug)]
pub(super) struct Brokers(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Brokers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a list of brokers, each \"HOST:PORT\"")]
        enum Written {
            One(String),
            Several(Vec<String>),
        }
        let brokers: Vec<String> = match Written::deserialize(deserializer)? {
            Written::One(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
            Written::Several(brokers) => brokers,
        };
        if brokers.is_empty() {
            return Err(D::Error::custom("expected at least one broker, \"HOST:PORT\""));
        }
        match brokers.iter().find(|broker| !is_broker(broker)) {
            Some(broker) => {
                Err(D::Error::custom(format!("expected \"HOST:PORT\", found \"{broker}\"")))
            }
            None => Ok(Self(brokers)),
        }
    }
}

fn is_broker(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).map_or_else(
        || !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c)),
        |ip| ip.parse::<core::net::Ipv6Addr>().is_ok(),
    );
    host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A topic, which an event may complete and never decide.
#[derive(Debug)]
pub(super) struct Topic(Prefixed);

impl Topic {
    /// As [`Prefixed::is_ours`].
    pub(super) fn is_ours(&self) -> bool {
        self.0.is_ours()
    }

    pub(super) fn of(&self, event: &Event<'_>) -> String {
        let mut topic = self.0.complete(event, in_a_topic);
        // All of it is ASCII.
        topic.truncate(MAX_TOPIC_CHARS);
        topic
    }
}

fn in_a_topic(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

impl<'de> Deserialize<'de> for Topic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let topic = Prefixed::deserialize(deserializer)?;
        let text: String = topic.literals().collect();
        let is_name = text.chars().all(in_a_topic) && text.len() <= MAX_TOPIC_CHARS;
        // Two dots alone, or one, is no topic, and what begins so could become it.
        if !is_name || topic.literals().next().is_none_or(|first| matches!(first, "." | "..")) {
            return Err(D::Error::custom(format!(
                "expected a topic of letters, digits, '.', '_' and '-', {MAX_TOPIC_CHARS} \
                 characters at most"
            )));
        }
        Ok(Self(topic))
    }
}

/// What chooses the partition.
#[derive(Debug, Default)]
pub(super) enum Key {
    #[default]
    EventId,
    Pod,
    None,
    Pattern(Pattern),
}

impl Key {
    /// The key of an event; empty for none.
    pub(super) fn of<'e>(&self, event: &'e Event<'_>) -> Cow<'e, str> {
        match self {
            Self::EventId => event.id().to_string().into(),
            // A node's own events belong together too.
            Self::Pod if event.pod().is_empty() => event.host().into(),
            Self::Pod => format!("{}/{}", event.namespace(), event.pod()).into(),
            Self::None => "".into(),
            Self::Pattern(pattern) => pattern.complete(event, |c| !c.is_control()).into(),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "event_id" => Ok(Self::EventId),
            "pod" => Ok(Self::Pod),
            "none" => Ok(Self::None),
            // The same key for every record would be the same partition for all of them.
            text if !text.contains("{{") => Err(D::Error::custom(format!(
                "expected \"event_id\", \"pod\", \"none\", or text with a field such as \"{{{{ \
                 PodName }}}}\", found \"{text}\""
            ))),
            text => Pattern::parse(text).map(Self::Pattern).map_err(D::Error::custom),
        }
    }
}

/// Whether connections are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Security {
    #[default]
    Tls,
    Plaintext,
}

/// The largest record, in bytes.
#[derive(Debug)]
pub(super) struct MaxBytes(pub(super) usize);

impl Default for MaxBytes {
    /// What librdkafka has, a little below the brokers' own default of 1,048,588.
    fn default() -> Self {
        Self(1_000_000)
    }
}

impl<'de> Deserialize<'de> for MaxBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let ByteSize(bytes) = ByteSize::deserialize(deserializer)?;
        match bytes {
            // The bounds of librdkafka's `message.max.bytes`.
            1_000..=1_000_000_000 => Ok(Self(bytes as usize)),
            _ => Err(D::Error::custom("expected a size between 1000 bytes and 1000 MB")),
        }
    }
}

/// The table `sasl`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SaslTable {
    mechanism: MechanismName,
    username: Option<String>,
    password: Option<Secret>,
    token_url: Option<SecretUrl>,
    client_id: Option<String>,
    client_secret: Option<Secret>,
    scope: Option<String>,
    token_ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MechanismName {
    Plain,
    #[serde(rename = "scram-sha-256")]
    ScramSha256,
    #[serde(rename = "scram-sha-512")]
    ScramSha512,
    Oauthbearer,
}

impl SaslTable {
    /// The proof it describes; the error is the key at fault and what is wrong with it.
    pub(super) fn checked(&self) -> Result<Sasl, (&'static str, &'static str)> {
        let mechanism = match self.mechanism {
            MechanismName::Plain => Mechanism::Plain,
            MechanismName::ScramSha256 => Mechanism::ScramSha256,
            MechanismName::ScramSha512 => Mechanism::ScramSha512,
            MechanismName::Oauthbearer => return self.bearer(),
        };
        let strange = [
            ("token_url", self.token_url.is_some()),
            ("client_id", self.client_id.is_some()),
            ("client_secret", self.client_secret.is_some()),
            ("scope", self.scope.is_some()),
            ("token_ca", self.token_ca.is_some()),
        ];
        if let Some((key, _)) = strange.iter().find(|(_, is_set)| *is_set) {
            return Err((key, "goes with the mechanism \"oauthbearer\" alone"));
        }
        let (Some(username), Some(password)) = (&self.username, &self.password) else {
            let missing = if self.username.is_none() { "username" } else { "password" };
            return Err((missing, "is missing, and this mechanism needs it"));
        };
        Ok(Sasl::Password { mechanism, username: username.clone(), password: password.clone() })
    }

    fn bearer(&self) -> Result<Sasl, (&'static str, &'static str)> {
        let strange =
            [("username", self.username.is_some()), ("password", self.password.is_some())];
        if let Some((key, _)) = strange.iter().find(|(_, is_set)| *is_set) {
            return Err((key, "does not go with the mechanism \"oauthbearer\""));
        }
        let missing = |key| (key, "is missing, and the mechanism \"oauthbearer\" needs it");
        Ok(Sasl::Bearer {
            token_url: self.token_url.clone().ok_or_else(|| missing("token_url"))?,
            client_id: self.client_id.clone().ok_or_else(|| missing("client_id"))?,
            client_secret: self.client_secret.clone().ok_or_else(|| missing("client_secret"))?,
            scope: self.scope.clone(),
            tls: Tls { ca: self.token_ca.clone(), ..Tls::default() },
        })
    }
}

/// A value of a further property.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a text, a whole number, true or false")]
pub(super) enum Property {
    Text(String),
    Number(i64),
    Switch(bool),
}

/// The properties as the client library reads them.
pub(super) fn texts(properties: &BTreeMap<String, Property>) -> BTreeMap<String, String> {
    let text = |value: &Property| match value {
        Property::Text(text) => text.clone(),
        Property::Number(number) => number.to_string(),
        Property::Switch(switch) => switch.to_string(),
    };
    properties.iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

/// Properties that change no promise of ours: how connections, metadata and sets are tuned.
const ALLOWED: &[&str] = &[
    "allow.auto.create.topics",
    "batch.num.messages",
    "batch.size",
    "broker.address.family",
    "broker.address.ttl",
    "client.dns.lookup",
    "client.rack",
    "compression.level",
    "connections.max.idle.ms",
    "metadata.max.age.ms",
    "metadata.recovery.strategy",
    "partitioner",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "reconnect.backoff.max.ms",
    "reconnect.backoff.ms",
    "request.timeout.ms",
    "retry.backoff.max.ms",
    "retry.backoff.ms",
    "socket.connection.setup.timeout.ms",
    "socket.keepalive.enable",
    "socket.nagle.disable",
    "socket.receive.buffer.bytes",
    "socket.send.buffer.bytes",
    "socket.timeout.ms",
    "ssl.cipher.suites",
    "ssl.curves.list",
    "ssl.endpoint.identification.algorithm",
    "ssl.sigalgs.list",
    "sticky.partitioning.linger.ms",
    "topic.metadata.propagation.max.ms",
    "topic.metadata.refresh.fast.interval.ms",
    "topic.metadata.refresh.interval.ms",
    "topic.metadata.refresh.sparse",
];

/// Properties that have a setting of their own.
const OURS: &[(&str, &str)] = &[
    ("acks", "acks"),
    ("bootstrap.servers", "brokers"),
    ("client.id", "client_id"),
    ("compression.codec", "compression"),
    ("compression.type", "compression"),
    ("delivery.timeout.ms", "timeout"),
    ("enable.idempotence", "acks"),
    ("enable.ssl.certificate.verification", "tls.insecure"),
    ("linger.ms", "linger"),
    ("message.max.bytes", "max_message_bytes"),
    ("message.timeout.ms", "timeout"),
    ("metadata.broker.list", "brokers"),
    ("queue.buffering.max.ms", "linger"),
    ("request.required.acks", "acks"),
    ("sasl.mechanism", "sasl.mechanism"),
    ("sasl.mechanisms", "sasl.mechanism"),
    ("sasl.password", "sasl.password"),
    ("sasl.username", "sasl.username"),
    ("security.protocol", "security"),
    ("ssl.ca.location", "tls.ca"),
    ("ssl.certificate.location", "tls.cert"),
    ("ssl.key.location", "tls.key"),
];

/// What no single setting can tell of itself.
pub(super) fn check(sink: &KafkaSink) -> Result<(), SettingError> {
    for name in sink.properties.keys() {
        if !ALLOWED.contains(&name.as_str()) {
            return Err(SettingError::at(format!("properties.{name}"), refused(name)));
        }
    }
    if let Some(sasl) = &sink.sasl {
        let wrong = |(key, why): (&str, &str)| SettingError::at(format!("sasl.{key}"), why);
        let sasl = sasl.checked().map_err(wrong)?;
        let is_plain = matches!(sasl, Sasl::Password { mechanism: Mechanism::Plain, .. });
        let is_bearer = matches!(sasl, Sasl::Bearer { .. });
        if sink.security == Security::Plaintext && (is_plain || is_bearer) && !is_local(sink) {
            return Err(SettingError::at(
                "security",
                "expected \"tls\": this mechanism shows the secret itself to whoever listens",
            ));
        }
    }
    let tls = &sink.tls;
    let has_tls = tls.ca.is_some() || tls.cert.is_some() || tls.insecure;
    if sink.security == Security::Plaintext && has_tls {
        return Err(SettingError::at("tls", "goes with security = \"tls\" alone"));
    }
    if tls.server_name.is_some() {
        return Err(SettingError::at(
            "tls.server_name",
            "is not for Kafka: each broker has a name of its own, as it advertises it",
        ));
    }
    if sink.linger.0 >= sink.timeout.0 {
        return Err(SettingError::at("linger", "expected a time below `timeout`"));
    }
    if sink.client_id.is_empty() || sink.client_id.contains(char::is_control) {
        return Err(SettingError::at("client_id", "expected a name without control characters"));
    }
    Ok(())
}

/// Whether all brokers are this machine: what is shown there is heard by nobody else.
fn is_local(sink: &KafkaSink) -> bool {
    let is_local = |broker: &String| {
        let host = broker.rsplit_once(':').map_or("", |(host, _)| host);
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<core::net::IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    };
    sink.brokers.0.iter().all(is_local)
}

fn refused(name: &str) -> String {
    if let Some((_, setting)) = OURS.iter().find(|(property, _)| *property == name) {
        return format!("is not set here: the setting `{setting}` is for it");
    }
    let meant = did_you_mean(name, ALLOWED.iter().copied());
    format!("is not a property that may be set here{meant}; those are {}", ALLOWED.join(", "))
}
