//! The settings of `azure_logs` that have rules of their own.

use http::Uri;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::contract::{SecretUrl, Stream};

/// Where logs are taken, without a path.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// Without a slash at its end.
    pub(super) base: String,
    pub(super) host: String,
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "expected an address of a host alone, such as \
                                \"https://NAME.REGION-1.ingest.monitor.azure.com\": the path is ours";
        let text = String::deserialize(deserializer)?;
        SecretUrl::parse(&text).map_err(D::Error::custom)?;
        let uri: Uri = text.parse().map_err(|_| D::Error::custom(EXPECTED))?;
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        let has_path = !matches!(uri.path(), "" | "/") || uri.query().is_some();
        if has_user || has_path || text.contains('#') {
            return Err(D::Error::custom(EXPECTED));
        }
        let host = uri.host().unwrap_or_default().to_owned();
        Ok(Self { base: text.trim_end_matches('/').to_owned(), host })
    }
}

/// The immutable id of a data collection rule.
#[derive(Debug, Clone)]
pub(super) struct Rule(pub(super) String);

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let id = text.strip_prefix("dcr-").unwrap_or_default();
        if !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(
            "expected the rule's immutableId, \"dcr-\" and letters and digits; its name and its \
             resource id are others",
        ))
    }
}

/// The rule's stream for each stream of events.
#[derive(Debug, Clone)]
pub(super) struct Streams([Name; 3]);

#[derive(Debug, Clone)]
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let name = text.strip_prefix("Custom-").or_else(|| text.strip_prefix("Microsoft-"));
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        };
        if name.is_some_and(is_name) {
            return Ok(Self(text));
        }
        Err(D::Error::custom(
            "expected a stream of the rule, such as \"Custom-KubeArmorAlerts\" or \
             \"Microsoft-ASimProcessEventLogs\"",
        ))
    }
}

impl Streams {
    pub(super) fn of(&self, stream: Stream) -> &str {
        &self.0[stream.index()].0
    }
}

impl Default for Streams {
    fn default() -> Self {
        Self(Stream::ALL.map(default_of))
    }
}

fn default_of(stream: Stream) -> Name {
    Name(match stream {
        Stream::Alert => "Custom-KubeArmorAlerts".to_owned(),
        Stream::Message | Stream::Log => "Custom-KubeArmorLogs".to_owned(),
    })
}

impl<'de> Deserialize<'de> for Streams {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            alert: Option<Name>,
            message: Option<Name>,
            log: Option<Name>,
        }
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Streams;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a stream of the rule, or a table of them: alert, log, message")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Streams, E> {
                let name = Name::deserialize(serde::de::value::StrDeserializer::<E>::new(text))?;
                Ok(Streams([name.clone(), name.clone(), name]))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(self, map: A) -> Result<Streams, A::Error> {
                let table = Table::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let given = [table.alert, table.message, table.log];
                let mut streams = Stream::ALL.into_iter().zip(given);
                Ok(Streams(std::array::from_fn(|_| {
                    let (stream, name) = streams.next().expect("one a stream");
                    name.unwrap_or_else(|| default_of(stream))
                })))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What a token is for.
#[derive(Debug, Clone)]
pub(super) struct Scope(pub(super) String);

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.starts_with("https://") && text.ends_with("/.default") {
            return Ok(Self(text));
        }
        Err(D::Error::custom(
            "expected an audience and \"/.default\", such as \"https://monitor.azure.com/.default\"",
        ))
    }
}
