//! An address to connect to instead of the namespace's own: a gateway, a private link, an emulator.

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::contract::SettingError;

/// Scheme, host and perhaps a port; which schemes fit, the protocol says.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    scheme: String,
    authority: String,
}

impl Endpoint {
    /// The address, where its scheme is one of these.
    pub(super) fn of_scheme(&self, schemes: &[&str]) -> Result<String, SettingError> {
        if schemes.contains(&self.scheme.as_str()) {
            return Ok(format!("{}://{}", self.scheme, self.authority));
        }
        let expected = schemes.join(" or ");
        let why =
            format!("expected an address of {expected} for this protocol, found {}", self.scheme);
        Err(SettingError::at("endpoint", why))
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text itself is not shown: it may hold a password.
        let expected = || {
            D::Error::custom("expected an address of a host alone, such as \"amqps://host:5671\"")
        };
        let (scheme, authority) = text.split_once("://").ok_or_else(expected)?;
        let authority = authority.trim_end_matches('/');
        let is_known = ["amqp", "amqps", "http", "https"].contains(&scheme);
        let uri: http::uri::Authority = authority.parse().map_err(|_| expected())?;
        if !is_known || authority.contains('@') || uri.host().is_empty() {
            return Err(expected());
        }
        Ok(Self { scheme: scheme.to_owned(), authority: authority.to_owned() })
    }
}
