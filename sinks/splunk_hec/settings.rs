//! The settings of `splunk_hec` that have rules of their own.

use std::fmt;

use http::{HeaderValue, Uri};
use serde::{Deserialize, Deserializer, de::Error as _};
use sha2::{Digest as _, Sha256};

use crate::contract::{Secret, SecretUrl, uuid};

/// The path of every endpoint of the collector.
const SERVICE: &str = "/services/collector";

/// Where the collector is: `https://splunk:8088`, with or without the path of its endpoint, and
/// perhaps behind a proxy's own path.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    /// Without a slash at its end.
    base: String,
}

impl Collector {
    fn parse(text: &str) -> Result<Self, String> {
        let url = SecretUrl::parse(text)?;
        let uri: Uri = url.reveal().parse().map_err(|_| "expected an address".to_owned())?;
        let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
        if has_user || uri.query().is_some() || text.contains('#') {
            return Err("expected an address without user, query or fragment: the token is a \
                        setting of its own"
                .to_owned());
        }
        let (base, endpoint) = text.split_once(SERVICE).unwrap_or((text, ""));
        match endpoint.trim_end_matches('/') {
            "" | "/event" | "/event/1.0" => {
                Ok(Self { base: base.trim_end_matches('/').to_owned() })
            }
            _ => {
                Err(format!("expected an address that ends with the host, or with {SERVICE}/event"))
            }
        }
    }

    pub(super) fn event(&self) -> String {
        format!("{}{SERVICE}/event", self.base)
    }

    pub(super) fn ack(&self, channel: &Channel) -> String {
        format!("{}{SERVICE}/ack?channel={}", self.base, channel.0)
    }
}

impl<'de> Deserialize<'de> for Collector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The HEC token, known to fit into a header.
#[derive(Clone)]
pub(super) struct Token(Secret);

impl Token {
    pub(super) fn header(&self) -> HeaderValue {
        Self::as_header(&self.0).expect("the token was tried when it was read")
    }

    fn as_header(token: &Secret) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Splunk {}", token.reveal())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de> Deserialize<'de> for Token {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let token = Secret::deserialize(deserializer)?;
        if token.reveal().trim().is_empty() || Self::as_header(&token).is_none() {
            return Err(D::Error::custom("expected a HEC token, without spaces or line ends"));
        }
        Ok(Self(token))
    }
}

/// Names one sender to the collector, which counts acknowledgement ids for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Channel(String);

impl Channel {
    /// The same for the same collector and token, on every replica and restart.
    pub(super) fn of(url: &Collector, token: &Token) -> Self {
        let digest = Sha256::new()
            .chain_update(url.base.as_bytes())
            .chain_update([0])
            .chain_update(token.0.reveal().as_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        Self(uuid(u128::from_be_bytes(bytes)))
    }

    pub(super) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a GUID is hexadecimal digits and hyphens")
    }
}

impl<'de> Deserialize<'de> for Channel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        let is_hex = text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        if groups == [8, 4, 4, 4, 12] && is_hex {
            return Ok(Self(text));
        }
        Err(D::Error::custom("expected a GUID such as \"9f3c2b1a-58d4-4c6e-a7f0-1b2c3d4e5f60\""))
    }
}

/// Whether indexers are asked if they have stored a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Ack {
    /// Always; aloud where the token gives no ids.
    Always,
    /// Never.
    Never,
    /// Where the token gives ids.
    #[default]
    Auto,
}

impl<'de> Deserialize<'de> for Ack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true, false or \"auto\"")]
        enum Setting {
            Switch(bool),
            Word(Word),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Word {
            Auto,
        }
        Ok(match Setting::deserialize(deserializer)? {
            Setting::Switch(true) => Self::Always,
            Setting::Switch(false) => Self::Never,
            Setting::Word(Word::Auto) => Self::Auto,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collector_s_address_may_have_its_path() {
        for (text, base) in [
            ("https://splunk:8088", "https://splunk:8088"),
            ("https://splunk:8088/", "https://splunk:8088"),
            ("https://splunk:8088/services/collector", "https://splunk:8088"),
            ("https://splunk:8088/services/collector/event", "https://splunk:8088"),
            ("https://splunk:8088/services/collector/event/1.0", "https://splunk:8088"),
            ("https://gateway/splunk/", "https://gateway/splunk"),
        ] {
            let collector = Collector::parse(text).expect(text);
            assert_eq!(collector.event(), format!("{base}/services/collector/event"), "{text}");
        }
        for text in [
            "splunk:8088",
            "https://splunk:8088/services/collector/raw",
            "https://splunk:8088?token=t",
            "https://x:hunter2@splunk:8088",
            "https://splunk:8088/#hunter2",
        ] {
            let error = Collector::parse(text).expect_err(text);
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn the_channel_is_a_guid_that_stays() {
        let url = Collector::parse("https://splunk:8088").expect("an address");
        let of = |token: &str| Channel::of(&url, &Token(Secret::new(token)));
        assert_eq!(of("a"), of("a"));
        assert_ne!(of("a"), of("b"));
        let text = of("a").0;
        let groups: Vec<usize> = text.split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12], "{text}");
        assert_eq!(text.as_bytes()[14], b'8', "the version in {text}");
        assert!(b"89ab".contains(&text.as_bytes()[19]), "the variant in {text}");
    }
}
