//! HTTP as the catalogue speaks it.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Deserialize;

use super::{Entra, Protocol, Secret, SharedAccess, Shown, Verdict};

/// The protocol of most destinations.
#[derive(Debug)]
pub struct Http;

/// One attempt.
#[derive(Clone)]
pub struct HttpRequest {
    /// The method.
    pub method: Method,
    /// The whole address, secrets and all.
    pub url: String,
    /// The address as people may see it.
    pub shown_url: String,
    /// Headers; those that carry a secret are marked sensitive and never shown.
    pub headers: HeaderMap,
    /// The body before compression.
    pub body: Bytes,
    /// Whether and how the wire compresses the body. It then sets `content-encoding`.
    pub gzip: Gzip,
    /// The id a signature covers (`webhook-id`): the same for each attempt, restarts included.
    pub message_id: String,
}

/// Without what is secret, and without the body, which is long.
impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.shown_url)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gzip {
    /// As it is.
    #[default]
    Off,
    /// gzip at this level, 1 (fastest) to 9.
    Level(u8),
}

impl<'de> Deserialize<'de> for Gzip {
    /// `true` (level 1), `false`, or a level from 1 to 9.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected true, false, or a gzip level from 1 to 9")]
        enum Setting {
            Switch(bool),
            Level(u8),
        }
        match Setting::deserialize(deserializer)? {
            Setting::Switch(true) => Ok(Self::Level(1)),
            Setting::Switch(false) => Ok(Self::Off),
            Setting::Level(level @ 1..=9) => Ok(Self::Level(level)),
            Setting::Level(_) => {
                Err(serde::de::Error::custom("expected true, false, or a gzip level from 1 to 9"))
            }
        }
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct HttpReply {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// `Retry-After`, already turned into a time from now.
    pub retry_after: Option<Duration>,
    /// The body, cut at [`HttpConnection::reply_bytes`].
    pub body: Bytes,
}

impl HttpReply {
    /// Status and the start of the body, on one line, for people.
    pub fn summary(&self) -> String {
        const SHOWN_CHARS: usize = 200;
        const READ_BYTES: usize = 4 * 1024;
        let start = &self.body[..self.body.len().min(READ_BYTES)];
        let text = String::from_utf8_lossy(start);
        let line: String = text
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .take(SHOWN_CHARS)
            .collect();
        if line.is_empty() {
            format!("HTTP {}", self.status)
        } else {
            format!("HTTP {}: {line}", self.status)
        }
    }
}

/// How an HTTP destination is reached.
#[derive(Debug, Clone)]
pub struct HttpConnection {
    /// Trust and identity.
    pub tls: Tls,
    /// How long one attempt may take from connecting to the last byte of the answer.
    pub timeout: Duration,
    /// What is added to each attempt to prove who we are, beyond a header that stays the same.
    pub proof: Option<Proof>,
    /// As much of an answer as is read; more where it speaks of each record.
    pub reply_bytes: usize,
}

/// As much of an answer as is read of a destination whose answers are short.
const SHORT_REPLY_BYTES: usize = 64 * 1024;

impl Default for HttpConnection {
    fn default() -> Self {
        Self {
            tls: Tls::default(),
            timeout: Duration::from_secs(30),
            proof: None,
            reply_bytes: SHORT_REPLY_BYTES,
        }
    }
}

/// Trust and identity towards a destination. Files are read again at each new connection.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(try_from = "TlsTable")]
pub struct Tls {
    /// A PEM file of the authorities to trust instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with the client certificate, and its chain.
    pub cert: Option<PathBuf>,
    /// A PEM file with the client certificate's key.
    pub key: Option<PathBuf>,
    /// The name to look for in the destination's certificate, where it is not that of its address.
    pub server_name: Option<String>,
    /// Whether to take any certificate at all. Warned about aloud at start.
    pub insecure: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TlsTable {
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    server_name: Option<String>,
    insecure: bool,
}

impl TryFrom<TlsTable> for Tls {
    type Error = &'static str;

    fn try_from(table: TlsTable) -> Result<Self, Self::Error> {
        let TlsTable { ca, cert, key, server_name, insecure } = table;
        match (&cert, &key) {
            (Some(_), None) => Err("expected `key` beside `cert`"),
            (None, Some(_)) => Err("expected `cert` beside `key`"),
            _ => Ok(Self { ca, cert, key, server_name, insecure }),
        }
    }
}

/// A proof of identity that needs the time of the attempt, or a token that is fetched.
#[derive(Debug, Clone)]
pub enum Proof {
    /// Signatures of Standard Webhooks.
    Webhooks(Signing),
    /// AWS's Signature Version 4, over the body as it is sent.
    SigV4(SigV4),
    /// A bearer token of Microsoft Entra, fetched and kept.
    Entra(Entra),
    /// A shared access signature of Azure, good for an hour from the attempt.
    SharedAccess(SharedAccess),
}

/// AWS's Signature Version 4
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>).
#[derive(Debug, Clone)]
pub struct SigV4 {
    /// The region the request is for.
    pub region: String,
    /// The service's name in signatures: `es`, `aoss`.
    pub service: String,
    /// The keys to sign with; none where they are found as AWS's own tools find them.
    pub keys: Option<AwsKeys>,
}

/// Keys of AWS.
#[derive(Debug, Clone)]
pub struct AwsKeys {
    /// The access key's id.
    pub id: Secret,
    /// The secret access key.
    pub secret: Secret,
    /// The session's token, where the key is a temporary one.
    pub session_token: Option<Secret>,
}

/// Standard Webhooks 1.0 (<https://www.standardwebhooks.com>): `webhook-id`, `webhook-timestamp`
/// (of the attempt) and `webhook-signature`.
#[derive(Debug, Clone)]
pub struct Signing {
    /// The keys, newest first; each signs, so that a receiver may change over.
    pub keys: Vec<Secret>,
}

/// Headers as people may see them.
pub(super) fn shown_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let shown = |value: &http::HeaderValue| match value.is_sensitive() {
        true => "***".to_owned(),
        false => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    };
    headers.iter().map(|(name, value)| (name.to_string(), shown(value))).collect()
}

/// Headers from a configuration: names and values checked, values marked sensitive.
pub fn headers(table: &BTreeMap<String, Secret>) -> Result<HeaderMap, (String, String)> {
    let mut headers = HeaderMap::new();
    for (name, value) in table {
        let key: http::HeaderName = name
            .parse()
            .map_err(|_| (name.clone(), "expected the name of an HTTP header".to_owned()))?;
        let mut value = http::HeaderValue::from_str(value.reveal()).map_err(|_| {
            (name.clone(), "expected a value of visible characters without line ends".to_owned())
        })?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

impl Protocol for Http {
    type Request = HttpRequest;
    type Reply = HttpReply;
    type Connection = HttpConnection;

    fn shown(request: &HttpRequest, _: &HttpConnection) -> Shown {
        Shown {
            method: request.method.to_string(),
            address: request.shown_url.clone(),
            headers: shown_headers(&request.headers),
            body: request.body.clone(),
        }
    }

    fn tls(connection: &HttpConnection) -> Option<&Tls> {
        Some(&connection.tls)
    }

    fn verdict(reply: &HttpReply) -> Verdict<Self> {
        let why = reply.summary();
        match reply.status {
            200..=299 => Verdict::Accepted,
            408 | 425 | 429 | 500..=599 => Verdict::Later(reply.retry_after, why),
            413 => Verdict::Smaller(why),
            // A redirect is a refusal: credentials are not carried to an address nobody configured.
            300..=399 => Verdict::Blocked(format!("{why}, a redirect, which is never followed")),
            401 | 403 | 404 | 405 | 407 | 410 => Verdict::Blocked(why),
            _ => Verdict::Never(why),
        }
    }
}
