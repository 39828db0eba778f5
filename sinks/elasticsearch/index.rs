//! Which index or data stream an event goes to.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::contract::{Event, Prefixed, SettingError, Stream};

/// Elasticsearch's limit for names of indexes. What it puts before the name of a data stream, and
/// behind it, is its own.
const MAX_NAME_BYTES: usize = 255;

/// The setting `index`, known to name indexes only.
#[derive(Debug, Clone)]
pub(super) struct IndexName(Prefixed);

impl<'de> Deserialize<'de> for IndexName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Prefixed::deserialize(deserializer)?;
        let is_good = name.literals().all(|text| text.chars().all(in_a_name))
            && name.prefix().starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.literals().map(str::len).sum::<usize>() <= MAX_NAME_BYTES;
        if is_good {
            return Ok(Self(name));
        }
        Err(D::Error::custom(
            "expected a name that begins with a small letter or a digit and goes on with small \
             letters, digits, '-', '_' and '.', such as \"kubearmor-{{ day }}\"",
        ))
    }
}

/// Where events go.
#[derive(Debug, Clone)]
pub(super) enum Index {
    /// A data stream for each of the relay's streams.
    Streams,
    /// What the configuration names.
    Named { name: Prefixed, is_data_stream: bool },
}

impl Index {
    pub(super) fn of(
        name: Option<IndexName>,
        data_stream: Option<bool>,
    ) -> Result<Self, SettingError> {
        match name {
            Some(IndexName(name)) => {
                Ok(Self::Named { name, is_data_stream: data_stream.unwrap_or(false) })
            }
            None if data_stream == Some(false) => {
                let expected = "found false without an `index`, expected `index` beside it: events \
                                go to data streams unless an index is named";
                Err(SettingError::at("data_stream", expected))
            }
            None => Ok(Self::Streams),
        }
    }

    pub(super) fn is_data_stream(&self) -> bool {
        match self {
            Self::Streams => true,
            Self::Named { is_data_stream, .. } => *is_data_stream,
        }
    }

    /// As [`Prefixed::is_ours`].
    pub(super) fn is_ours(&self) -> bool {
        match self {
            Self::Streams => true,
            Self::Named { name, .. } => name.is_ours(),
        }
    }

    /// The one place of all events of a stream; none where each event has its own.
    pub(super) fn of_stream(&self, stream: Stream) -> Option<&str> {
        match self {
            Self::Streams => Some(data_stream(stream)),
            Self::Named { name, .. } => name.is_constant().then(|| name.prefix()),
        }
    }

    /// The event's own place, where it has one.
    pub(super) fn of_event(&self, event: &Event<'_>) -> Option<Cow<'_, str>> {
        let Self::Named { name, .. } = self else { return None };
        if name.is_constant() {
            return None;
        }
        let mut whole = name.complete(event, in_a_name);
        // All of it is ASCII, so any place is one to cut at.
        whole.truncate(MAX_NAME_BYTES);
        Some(whole.into())
    }
}

pub(super) fn data_stream(stream: Stream) -> &'static str {
    match stream {
        Stream::Alert => "logs-kubearmor.alerts-default",
        Stream::Message => "logs-kubearmor.messages-default",
        Stream::Log => "logs-kubearmor.logs-default",
    }
}

/// What both products take anywhere in a name.
fn in_a_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.')
}
