//! HTTP as the catalogue speaks it.

use std::{fmt, path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde::Deserialize;

use super::{Encoding, Entra, Protocol, Secret, SharedAccess, Shown, Verdict};

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
    /// How the wire compresses the body. It then sets `content-encoding`.
    pub encoding: Encoding,
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

    /// What its cookies are, as a later request hands them back: `name=value` each, without when
    /// and where they hold. A load balancer finds by them who gave this answer.
    pub fn cookies(&self) -> Option<http::HeaderValue> {
        let pairs: Vec<&[u8]> = self
            .headers
            .get_all(http::header::SET_COOKIE)
            .iter()
            .filter_map(|cookie| cookie.as_bytes().split(|byte| *byte == b';').next())
            .map(<[u8]>::trim_ascii)
            .filter(|pair| pair.contains(&b'='))
            .collect();
        let mut value = http::HeaderValue::from_bytes(&pairs.join(&b"; "[..])).ok()?;
        value.set_sensitive(true);
        (!pairs.is_empty()).then_some(value)
    }

    /// Whether it is a page for people: a gateway's, a proxy's, a sign-in's. No destination answers
    /// a program with one; some answer with XML, and say so.
    fn is_page(&self) -> bool {
        let kind = self.headers.get(http::header::CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let is_xml = kind.is_some_and(|kind| {
            let kind = kind.to_ascii_lowercase();
            [&b"application/xml"[..], b"text/xml"].iter().any(|xml| kind.starts_with(xml))
        });
        // A message of protobuf, too, may begin as white space and `<` do, but never goes on so.
        let begins = matches!(
            self.body.trim_ascii_start(),
            [b'<', b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..]
        );
        begins && !is_xml
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

/// What a server of Go's answers, with 400, to plain HTTP where it speaks TLS; others' is a page.
const PLAIN_TO_TLS: &[u8] = b"Client sent an HTTP request to an HTTPS server";

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

    /// What something between us and the destination says of the request is no event's fault, and
    /// neither is a status that speaks of how we ask: no event is lost for them.
    fn verdict(reply: &HttpReply) -> Verdict<Self> {
        let why = reply.summary();
        match reply.status {
            408 | 425 | 429 | 500..=599 => Verdict::Later(reply.retry_after, why),
            413 => Verdict::Smaller(why),
            // A redirect is a refusal: credentials are not carried to an address nobody configured.
            300..=399 => Verdict::Blocked(format!("{why}, a redirect, which is never followed")),
            401..=407 | 410 | 411 | 415 | 417 | 421 | 426 | 431 | 451 => Verdict::Blocked(why),
            400 if reply.body.starts_with(PLAIN_TO_TLS) => {
                Verdict::Blocked(format!("{why}, so the address begins with https://"))
            }
            _ if reply.is_page() => Verdict::Blocked(format!(
                "{why}, a page for people: is it the destination's own address, with nothing between?"
            )),
            200..=299 => Verdict::Accepted,
            _ => Verdict::Never(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::reply;

    #[test]
    fn what_is_no_event_s_fault_costs_no_event() {
        const PAGE: &str = "\n <!DOCTYPE html><html>Request blocked by the gateway</html>";
        for (status, body, expected) in [
            (200, "", "accepted"),
            (202, "{}", "accepted"),
            (200, PAGE, "blocked"),
            (200, "\n<\u{8}\u{1}", "accepted"),
            (204, "", "accepted"),
            (302, "", "blocked"),
            (400, "no such field", "never"),
            (400, PAGE, "blocked"),
            (400, "Client sent an HTTP request to an HTTPS server.\n", "blocked"),
            (402, "", "blocked"),
            (404, "", "blocked"),
            (406, "", "blocked"),
            (409, "", "never"),
            (411, "", "blocked"),
            // Also where it is told by a gateway: it counts bytes as anybody does.
            (413, PAGE, "smaller"),
            (415, "", "blocked"),
            (417, "", "blocked"),
            (421, "", "blocked"),
            (422, "", "never"),
            (422, PAGE, "blocked"),
            (426, "", "blocked"),
            (429, PAGE, "later"),
            (431, "", "blocked"),
            (451, "", "blocked"),
            (502, PAGE, "later"),
        ] {
            assert_eq!(Http::verdict(&reply(status, body)).name(), expected, "{status} {body}");
        }
    }

    #[test]
    fn xml_that_says_so_is_an_answer() {
        let mut refused = reply(400, "<Error><Code>400</Code><Detail>...</Detail></Error>");
        for (kind, expected) in [
            ("application/xml; charset=utf-8", "never"),
            ("Text/XML", "never"),
            ("text/html", "blocked"),
            ("application/xhtml+xml", "blocked"),
        ] {
            refused.headers.insert(http::header::CONTENT_TYPE, kind.parse().expect("a header"));
            assert_eq!(Http::verdict(&refused).name(), expected, "{kind}");
        }
    }
}
