//! Settings that most tables have, read and told alike.

use std::{collections::BTreeMap, time::Duration};

use http::HeaderMap;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::{HttpConnection, Secret, Setting, SettingError, Span, Tls};

/// How long one attempt may take; above zero. So many seconds where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout<const SECONDS: u64 = 30>(pub Duration);

impl<const SECONDS: u64> Default for Timeout<SECONDS> {
    fn default() -> Self {
        Self(Duration::from_secs(SECONDS))
    }
}

impl<'de, const SECONDS: u64> Deserialize<'de> for Timeout<SECONDS> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Span(time) = Span::deserialize(deserializer)?;
        if time.is_zero() {
            return Err(D::Error::custom("found no time at all, expected one above zero"));
        }
        Ok(Self(time))
    }
}

/// The setting of a [`Timeout`] of 30 seconds.
pub(crate) const TIMEOUT: Setting =
    Setting { key: "timeout", help: "how long one attempt may take. Default: \"30s\"" };
/// The setting of [`headers`].
pub(crate) const HEADERS: Setting =
    Setting { key: "headers", help: "a table of further headers; their values are kept secret" };

/// The table `headers`: names and values checked, values marked sensitive.
pub(crate) fn headers(table: &BTreeMap<String, Secret>) -> Result<HeaderMap, SettingError> {
    let mut headers = HeaderMap::with_capacity(table.len());
    for (name, value) in table {
        let wrong = |why: &str| SettingError::at(format!("headers.{name}"), why);
        let key: http::HeaderName =
            name.parse().map_err(|_| wrong("expected the name of an HTTP header"))?;
        let mut value = http::HeaderValue::from_str(value.reveal())
            .map_err(|_| wrong("expected a value of visible characters without line ends"))?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

/// Whether Prometheus and what labels as it does (Alertmanager, Loki) take it as a label's name.
/// Two underscores at its beginning are theirs.
pub(crate) fn is_label_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !name.starts_with("__")
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

impl HttpConnection {
    /// One that needs no more than trust and patience.
    pub(crate) fn of<const SECONDS: u64>(tls: &Tls, timeout: Timeout<SECONDS>) -> Self {
        Self { tls: tls.clone(), timeout: timeout.0, ..Self::default() }
    }
}
