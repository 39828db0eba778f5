//! Who we are to the cluster: Basic, an API key, a bearer token, or AWS's signature.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::HeaderValue;
use serde::Deserialize;

use super::Cluster;
use crate::contract::{AwsKeys, Proof, Secret, SettingError, SigV4, authorization, scheme};

/// The settings `aws.*`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Aws {
    region: Option<String>,
    service: Option<AwsService>,
    access_key_id: Option<Secret>,
    secret_access_key: Option<Secret>,
    session_token: Option<Secret>,
}

/// AWS's two services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AwsService {
    Es,
    Aoss,
}

/// What the table says of it.
pub(super) struct Given {
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) api_key: Option<Secret>,
    pub(super) token: Option<Secret>,
    pub(super) aws: Option<Aws>,
}

/// What is shown to the cluster.
#[derive(Debug, Clone)]
pub(super) enum Identity {
    /// Nothing, or a client certificate alone.
    Nobody,
    /// A header that stays the same.
    Header(HeaderValue),
    /// A signature for each attempt.
    Signature(SigV4),
}

impl Given {
    pub(super) fn check(self, cluster: &Cluster) -> Result<Identity, SettingError> {
        let Self { username, password, api_key, token, aws } = self;
        let given = [
            ("username", username.is_some() || password.is_some()),
            ("api_key", api_key.is_some()),
            ("token", token.is_some()),
            ("aws", aws.is_some()),
        ];
        let mut given = given.iter().filter(|(_, is_given)| *is_given).map(|(key, _)| *key);
        if let (Some(first), Some(second)) = (given.next(), given.next()) {
            let message = format!("found beside `{first}`, expected one proof of identity");
            return Err(SettingError::at(second, message));
        }
        if let Some(key) = api_key {
            return self::api_key(&key);
        }
        let header = authorization(username.as_deref(), password.as_ref(), token.as_ref())?;
        if let Some(header) = header {
            return Ok(Identity::Header(header));
        }
        match aws {
            Some(aws) => aws.check(cluster).map(Identity::Signature),
            None => Ok(Identity::Nobody),
        }
    }
}

/// Elasticsearch tells a new key both ways: `id` and `api_key`, or both as base64 (`encoded`).
fn api_key(key: &Secret) -> Result<Identity, SettingError> {
    let key = key.reveal().trim();
    let encoded = match key.contains(':') {
        true => BASE64.encode(key),
        false => key.to_owned(),
    };
    let is_pair = BASE64.decode(&encoded).is_ok_and(|pair| pair.contains(&b':'));
    if !is_pair {
        let expected = "expected a key as Elasticsearch shows it: \"encoded\", or \"id:api_key\"";
        return Err(SettingError::at("api_key", expected));
    }
    scheme("ApiKey", &encoded, "api_key").map(Identity::Header)
}

impl Aws {
    fn check(self, cluster: &Cluster) -> Result<SigV4, SettingError> {
        let by_address = cluster.aws();
        let region = self.region.or_else(|| by_address.map(|(region, _)| region.to_owned()));
        let region = region.filter(|region| !region.trim().is_empty()).ok_or_else(|| {
            SettingError::at(
                "aws.region",
                "expected a region such as \"eu-central-1\": the \
                             address does not tell it",
            )
        })?;
        let service = match (self.service, by_address) {
            (Some(AwsService::Es), _) => "es",
            (Some(AwsService::Aoss), _) | (None, Some((_, "aoss"))) => "aoss",
            (None, _) => "es",
        };
        let keys = match (self.access_key_id, self.secret_access_key, self.session_token) {
            (Some(id), Some(secret), session_token) => Some(AwsKeys { id, secret, session_token }),
            (None, None, None) => None,
            (Some(_), None, _) => {
                let expected = "expected `aws.secret_access_key` beside it";
                return Err(SettingError::at("aws.access_key_id", expected));
            }
            (None, Some(_), _) => {
                let expected = "expected `aws.access_key_id` beside it";
                return Err(SettingError::at("aws.secret_access_key", expected));
            }
            (None, None, Some(_)) => {
                let expected = "expected `aws.access_key_id` and `aws.secret_access_key` beside it";
                return Err(SettingError::at("aws.session_token", expected));
            }
        };
        Ok(SigV4 { region, service: service.to_owned(), keys })
    }
}

impl Identity {
    /// The value of `authorization`, where that stays the same.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        match self {
            Self::Header(value) => Some(value.clone()),
            Self::Nobody | Self::Signature(_) => None,
        }
    }

    pub(super) fn proof(&self) -> Option<Proof> {
        match self {
            Self::Signature(signature) => Some(Proof::SigV4(signature.clone())),
            Self::Nobody | Self::Header(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::sink;

    fn identity(lines: &str) -> Result<Identity, SettingError> {
        of("https://elastic:9200", lines)
    }

    fn of(url: &str, lines: &str) -> Result<Identity, SettingError> {
        let table: super::super::Table = sink(&format!("url = \"{url}\"\n{lines}"))?;
        super::super::Elasticsearch::of(table).map(|sink| sink.identity)
    }

    #[test]
    fn a_header_proves_it_and_is_never_shown() {
        for (lines, expected) in [
            ("username = \"elastic\"\npassword = \"hunter2\"", "Basic ZWxhc3RpYzpodW50ZXIy"),
            ("api_key = \"id:hunter2\"", "ApiKey aWQ6aHVudGVyMg=="),
            ("api_key = \"aWQ6aHVudGVyMg==\"", "ApiKey aWQ6aHVudGVyMg=="),
            ("token = \"hunter2\"", "Bearer hunter2"),
        ] {
            let identity = identity(lines).expect(lines);
            let header = identity.header().expect(lines);
            assert_eq!((header.to_str().ok(), header.is_sensitive()), (Some(expected), true));
            let shown = format!("{identity:?}");
            assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
        }
        assert!(identity("").expect("nobody").header().is_none());
    }

    #[test]
    fn mistakes_are_told_with_their_key_and_without_the_secret() {
        for (lines, path) in [
            ("username = \"u\"", "username"),
            ("password = \"hunter2\"", "password"),
            ("username = \"a:b\"\npassword = \"hunter2\"", "username"),
            ("token = \"hunter2\"\napi_key = \"hunter2\"", "token"),
            ("username = \"u\"\npassword = \"hunter2\"\naws = {}", "aws"),
            ("api_key = \"hunter2\"", "api_key"),
            ("token = \"hunter2\\n\"", "token"),
            ("token = \"\"", "token"),
            ("aws = {}", "aws.region"),
            ("aws = { region = \"r\", access_key_id = \"hunter2\" }", "aws.access_key_id"),
            ("aws = { region = \"r\", secret_access_key = \"hunter2\" }", "aws.secret_access_key"),
            ("aws = { region = \"r\", session_token = \"hunter2\" }", "aws.session_token"),
            ("aws = { region = \"r\", service = \"s3\" }", "aws.service"),
            ("aws = { region = \"r\" }\nflavour = \"elasticsearch\"", "flavour"),
        ] {
            let error = identity(lines).expect_err(lines);
            assert_eq!(error.path, path, "{lines}: {}", error.message);
            assert!(!error.message.contains("hunter2"), "{}", error.message);
        }
    }

    #[test]
    fn aws_signs_for_the_region_and_service_of_the_address_or_the_table() {
        let signed = |url: &str, lines: &str| match of(url, lines) {
            Ok(Identity::Signature(SigV4 { region, service, keys })) => {
                format!("{region} {service} {}", keys.is_some())
            }
            other => panic!("{other:?}"),
        };
        let domain = "https://search-siem-abc.eu-central-1.es.amazonaws.com";
        assert_eq!(signed(domain, "aws = {}"), "eu-central-1 es false");
        assert_eq!(
            signed("https://x.us-east-1.aoss.amazonaws.com", "aws = {}"),
            "us-east-1 aoss false"
        );
        let keys = "aws = { region = \"r\", service = \"aoss\", access_key_id = \"a\", secret_access_key = \"hunter2\" }";
        assert_eq!(signed("https://siem.example.org", keys), "r aoss true");
        assert!(!format!("{:?}", identity(keys)).contains("hunter2"));
    }
}
