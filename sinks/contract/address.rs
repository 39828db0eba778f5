//! An HTTP address that holds no secret, so that it may be shown whole.

use std::fmt;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::SecretUrl;

/// `https://host:port/path` without user, query and fragment. Credentials are settings of their
/// own beside it. No slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// Reads an address; the error says what one looks like, and never shows the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = SecretUrl::parse(text)?;
        let uri: http::Uri = url.reveal().parse().map_err(|_| "expected an address".to_owned())?;
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_user || uri.query().is_some() || text.contains('#') {
            return Err("expected an address without user, query or fragment: credentials are \
                        settings of their own"
                .to_owned());
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The address with `path`, which begins with a slash, behind it, unless it ends with it.
    pub fn with_path(&self, path: &str) -> String {
        let base = self.0.strip_suffix(path).unwrap_or(&self.0);
        format!("{base}{path}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_whole_and_without_secrets() {
        for (text, whole) in [
            ("https://am:9093", "https://am:9093/api/v2/alerts"),
            ("https://am:9093/", "https://am:9093/api/v2/alerts"),
            ("http://gate/am/", "http://gate/am/api/v2/alerts"),
            ("http://am/api/v2/alerts", "http://am/api/v2/alerts"),
        ] {
            let address = Address::parse(text).expect(text);
            assert_eq!(address.with_path("/api/v2/alerts"), whole, "{text}");
        }
        for text in [
            "am:9093",
            "ftp://am",
            "https://u:hunter2@am",
            "https://am?key=hunter2",
            "https://am/#hunter2",
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
