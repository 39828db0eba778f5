//! Values that must never be shown.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

/// Stands where a secret would be printed.
const HIDDEN: &str = "***";

/// A secret from the configuration. It shows itself only where [`Secret::reveal`] is called.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a secret that did not come from a configuration.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for the request that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// An absolute `http://` or `https://` address. What may be a credential is hidden when it is
/// shown: user information, every query value, and every path segment where the whole path is one.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl {
    whole: String,
    scheme: String,
    authority: String,
}

impl SecretUrl {
    /// Reads an address; the error says what one looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        // The text itself is not shown: half an address may be a whole credential.
        let expected = || "expected an address such as \"https://host:8088/path\"".to_owned();
        let uri: http::Uri = text.parse().map_err(|_| expected())?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"));
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        match (scheme, authority) {
            (Some(scheme), Some(authority)) => Ok(Self {
                whole: text.to_owned(),
                scheme: scheme.to_owned(),
                authority: authority.as_str().rsplit('@').next().unwrap_or_default().to_owned(),
            }),
            _ => Err(expected()),
        }
    }

    /// The whole address, for the request that needs it.
    pub fn reveal(&self) -> &str {
        &self.whole
    }

    /// The address with another path and query behind what it has, for destinations whose path
    /// is ours to choose. A slash between them is neither doubled nor lost.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{}", self.whole.trim_end_matches('/'), path.trim_start_matches('/'))
    }

    /// Scheme, host and port, which are no secret.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// True for `https`.
    pub fn is_tls(&self) -> bool {
        self.scheme == "https"
    }

    /// Whether the address has a path of its own, beyond `/`.
    pub fn has_path(&self) -> bool {
        self.whole.parse::<http::Uri>().is_ok_and(|uri| !matches!(uri.path(), "" | "/"))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/{HIDDEN}", self.scheme, self.authority)
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
