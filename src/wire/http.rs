//! HTTP: one request, one answer, within one time-out.
//!
//! Owns the client and its pool, compression, the capped reading of answers, and the line between
//! "nothing was sent" and "the answer was lost". Follows no redirect, and shows neither addresses
//! nor secrets: errors here end in logs. Requests come from `deliver.rs`, which judges the answers.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use bytes::{Bytes, BytesMut};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use reqwest::{Client, Response, redirect};
use sidearm_sinks::contract::{Encoding, Http, HttpConnection, HttpReply, HttpRequest, Proof};
use tokio::task::{spawn_blocking, yield_now};
use zstd::stream::write::Encoder as ZstdEncoder;

use super::{Attempt, Wire, WireError, entra, proxy, shared_access, signing, sigv4::Signer, tls};

/// What destinations know us by.
const USER_AGENT: &str = concat!("sidearm/", env!("CARGO_PKG_VERSION"));
/// As much of an answer as is read at most, whatever a sink asks for.
const MAX_REPLY_BYTES: usize = 8 * 1024 * 1024;
/// No destination may stop itself for longer by `Retry-After`.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Connecting takes no longer, so that the rest of the time-out is for the answer.
const MAX_CONNECT: Duration = Duration::from_secs(10);
/// Connections kept open for the next request, and for how long: shorter than servers do, for a
/// request on a connection that they are closing is a lost answer.
const MAX_IDLE_CONNECTIONS: usize = 4;
const MAX_IDLE: Duration = Duration::from_secs(30);
/// What is compressed of a body before others get their turn: a fraction of a millisecond.
const MAX_BYTES_COMPRESSED_A_TURN: usize = 64 * 1024;

/// The way to one HTTP destination; several attempts may be under way at once.
#[derive(Debug)]
pub struct HttpWire {
    connection: HttpConnection,
    signer: Option<Signer>,
    tokens: Option<entra::Tokens>,
    current: Mutex<Current>,
}

/// The client, and the state in which its files were when it was made.
#[derive(Debug, Clone)]
struct Current {
    client: Client,
    files: tls::Stamp,
}

impl HttpWire {
    /// Reads the connection's certificate files and makes a client; connects to nothing yet.
    ///
    /// # Errors
    /// [`WireError::Unusable`] names the file that cannot be read or used.
    pub fn new(connection: &HttpConnection) -> Result<Self, WireError> {
        let current = Current::make(connection).map_err(WireError::Unusable)?;
        let signer = match &connection.proof {
            Some(Proof::SigV4(for_whom)) => Some(Signer::new(for_whom)),
            _ => None,
        };
        let signer = signer.transpose().map_err(WireError::Unusable)?;
        let tokens = match &connection.proof {
            Some(Proof::Entra(entra)) => Some(entra::Tokens::new(entra, connection.timeout)),
            _ => None,
        };
        Ok(Self { connection: connection.clone(), signer, tokens, current: Mutex::new(current) })
    }

    async fn attempt(&self, request: HttpRequest) -> Result<HttpReply, WireError> {
        let client = self.client().await?;
        let mut headers = headers_of(&request, &self.connection, SystemTime::now())
            .map_err(WireError::Unusable)?;
        if let Some(tokens) = &self.tokens {
            headers.insert(header::AUTHORIZATION, tokens.header().await?);
        }
        let HttpRequest { method, url, shown_url, body, encoding, .. } = request;
        let body = compressed(body, encoding).await;
        if let Some(signer) = &self.signer {
            signer.sign(&method, &url, &mut headers, &body).await?;
        }
        let secrets = secrets_of(&url, &shown_url, &headers);
        let answer = client.request(method, url).headers(headers).body(body).send().await;
        let answer = answer.map_err(|error| self.failed(error))?;
        if let (Some(signer), 401 | 403) = (&self.signer, answer.status().as_u16()) {
            signer.forget().await;
        }
        let reply_bytes = self.connection.reply_bytes.min(MAX_REPLY_BYTES);
        let mut reply = read(answer, reply_bytes).await.map_err(|error| self.failed(error))?;
        reply.body = hide(reply.body, &secrets);
        Ok(reply)
    }

    /// The client, made anew where a certificate file has changed. A change that cannot be used
    /// is told, and the old client goes on: files change one after the other.
    async fn client(&self) -> Result<Client, WireError> {
        let tls = self.connection.tls.clone();
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if !tls::has_files(&tls) {
            return Ok(current.client);
        }
        let connection = self.connection.clone();
        let made = spawn_blocking(move || {
            let files = tls::Stamp::of(&connection.tls);
            (files != current.files).then(|| Current::make(&connection).map_err(|why| (why, files)))
        });
        let made = made.await.map_err(|_| WireError::NotSent("shutting down".to_owned()))?;
        let new = match made {
            None => return Ok(current.client),
            Some(Ok(new)) => new,
            Some(Err((why, files))) => {
                tracing::warn!(error = why, "changed certificate files cannot be used yet");
                Current { client: current.client, files }
            }
        };
        let client = new.client.clone();
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(client)
    }

    fn failed(&self, error: reqwest::Error) -> WireError {
        let is_connect = error.is_connect();
        let is_builder = error.is_builder();
        let why = if error.is_timeout() {
            format!("no answer within {:?}", self.connection.timeout)
        } else {
            in_words(error)
        };
        match (is_connect, is_builder) {
            (true, _) => WireError::NotSent(why),
            (_, true) => WireError::Unusable(format!("the request cannot be made: {why}")),
            _ => WireError::ReplyLost(why),
        }
    }
}

/// What a destination that echoes its request would give away: the path and query where they are
/// hidden, and the values of sensitive headers, whole and without the scheme before them.
fn secrets_of(url: &str, shown_url: &str, headers: &HeaderMap) -> Vec<String> {
    const SHORTEST: usize = 6;
    let mut secrets = Vec::new();
    if url != shown_url
        && let Ok(uri) = url.parse::<http::Uri>()
    {
        secrets.extend(uri.path_and_query().map(|all| all.as_str().to_owned()));
        secrets.push(uri.path().to_owned());
        secrets.extend(uri.query().map(str::to_owned));
    }
    for value in headers.values().filter(|value| value.is_sensitive()) {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        secrets.extend(value.split_once(' ').map(|(_, credentials)| credentials.to_owned()));
        secrets.push(value);
    }
    secrets.retain(|secret| secret.len() >= SHORTEST);
    // The longest first: a part of it that went before would leave the rest.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets
}

/// The answer without the secrets of its request, since answers are shown to people.
fn hide(body: Bytes, secrets: &[String]) -> Bytes {
    let text = String::from_utf8_lossy(&body);
    if !secrets.iter().any(|secret| text.contains(secret)) {
        return body;
    }
    let hidden = secrets.iter().fold(text.into_owned(), |text, secret| text.replace(secret, "***"));
    hidden.into()
}

impl Wire<Http> for HttpWire {
    fn call(&self, request: HttpRequest) -> Attempt<'_, Http> {
        Box::pin(self.attempt(request))
    }
}

impl Current {
    fn make(connection: &HttpConnection) -> Result<Self, String> {
        // Before the files are read: a change in between is then seen at the next request.
        let files = tls::Stamp::of(&connection.tls);
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(connection.timeout)
            .connect_timeout(MAX_CONNECT.min(connection.timeout / 2))
            .pool_max_idle_per_host(MAX_IDLE_CONNECTIONS)
            .pool_idle_timeout(MAX_IDLE);
        let builder = proxy::apply(builder, |name| std::env::var(name).ok())?;
        let client = tls::apply(&connection.tls, builder)?
            .build()
            .map_err(|error| format!("preparing TLS: {}", in_words(error)))?;
        Ok(Self { client, files })
    }
}

/// The headers an attempt is sent with: the sink's own, whose program it is, the signature of this
/// moment (but for AWS's, which needs the body as it is sent), and the compression of the body.
///
/// # Errors
/// The request cannot be signed.
pub(crate) fn headers_of(
    request: &HttpRequest,
    connection: &HttpConnection,
    now: SystemTime,
) -> Result<HeaderMap, String> {
    let mut headers = request.headers.clone();
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    match &connection.proof {
        // What is signed last is the wire's.
        None | Some(Proof::SigV4(_)) => {}
        Some(Proof::Webhooks(keys)) => {
            signing::sign(keys, &request.message_id, now, &request.body, &mut headers)?;
        }
        Some(Proof::SharedAccess(access)) => {
            let token = HeaderValue::try_from(shared_access::token(access, now))
                .map_err(|_| "signing a request: the token cannot stand in a header".to_owned())?;
            headers.insert(header::AUTHORIZATION, hidden(token));
        }
        // The attempt puts the token in its place.
        Some(Proof::Entra(_)) => {
            let token = HeaderValue::from_static("Bearer");
            headers.insert(header::AUTHORIZATION, hidden(token));
        }
    }
    let coding = match request.encoding {
        Encoding::Identity => return Ok(headers),
        Encoding::Gzip(_) => "gzip",
        Encoding::Zstd(_) => "zstd",
    };
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
    Ok(headers)
}

fn hidden(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Status, headers and as much of the body as anybody reads. A body that breaks off is a lost
/// answer: it may have carried the verdict.
async fn read(mut response: Response, max_bytes: usize) -> Result<HttpReply, reqwest::Error> {
    let status = response.status().as_u16();
    let headers = std::mem::take(response.headers_mut());
    let retry_after = retry_after(&headers, SystemTime::now());
    let mut body = BytesMut::new();
    while body.len() < max_bytes {
        let Some(chunk) = response.chunk().await? else { break };
        let room = max_bytes - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
    }
    Ok(HttpReply { status, headers, retry_after, body: body.freeze() })
}

/// `Retry-After`, in seconds or as a date, as a time from now. None at all where it says "at
/// once": our own backoff then keeps a destination in trouble from being asked without pause.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default(),
    };
    (!after.is_zero()).then(|| after.min(MAX_RETRY_AFTER))
}

/// Compresses in pieces and gives others their turn after each, rather than on a thread for such
/// work: memory then comes from, and goes back to, the few threads that everything else runs on.
async fn compressed(body: Bytes, encoding: Encoding) -> Bytes {
    // A power of two: the memory that one body gives back then fits the next.
    let room = || Vec::with_capacity((body.len() / 4).next_power_of_two());
    let small = match encoding {
        Encoding::Identity => return body,
        Encoding::Gzip(level) => {
            let mut gzip = GzEncoder::new(room(), Compression::new(level.into()));
            write_in_turns(&mut gzip, &body).await;
            gzip.finish()
        }
        Encoding::Zstd(level) => {
            let mut zstd = ZstdEncoder::new(room(), level.into()).expect("a level that there is");
            write_in_turns(&mut zstd, &body).await;
            zstd.finish()
        }
    };
    small.expect("a vector takes every write").into()
}

async fn write_in_turns(encoder: &mut impl Write, body: &[u8]) {
    for piece in body.chunks(MAX_BYTES_COMPRESSED_A_TURN) {
        encoder.write_all(piece).expect("a vector takes every write");
        yield_now().await;
    }
}

/// The causes of an error, outermost first, without the address: it may hold a secret.
fn in_words(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}

/// An error and its causes, outermost first.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    // Many layers repeat what is below them.
    causes.dedup_by(|inner, outer| outer.contains(inner.as_str()));
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_echoes_its_request_gives_no_secret_away() {
        let mut headers = HeaderMap::new();
        let mut token = HeaderValue::from_static("Splunk 0f6c-token");
        token.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, token);
        let request = HttpRequest {
            method: http::Method::POST,
            url: "https://hooks.example.org/T01/SECRET?key=abcdef".to_owned(),
            shown_url: "https://hooks.example.org/***".to_owned(),
            headers,
            body: Bytes::new(),
            encoding: Encoding::Identity,
            message_id: String::new(),
        };
        let echo = "Cannot POST /T01/SECRET?key=abcdef (/T01/SECRET) with 0f6c-token";
        let secrets = secrets_of(&request.url, &request.shown_url, &request.headers);
        assert_eq!(hide(echo.into(), &secrets), "Cannot POST *** (***) with ***");
        assert_eq!(hide("ok".into(), &secrets), "ok");
    }

    fn after(text: &str) -> Option<Duration> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let value = HeaderValue::from_str(text).expect("a header's text");
        retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, value)]), now)
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        assert_eq!(after("120"), Some(Duration::from_secs(120)));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), None, "in the past");
        assert_eq!(after("0"), None);
        assert_eq!(after("99999999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(after("soon"), None);
        assert_eq!(after("-1"), None);
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::now()), None);
    }

    #[tokio::test]
    async fn a_compressed_body_is_the_body() {
        use std::io::Read as _;
        let body = Bytes::from(b"{\"a\":1}".repeat(20_000));
        for encoding in [1, 6, 9].map(Encoding::Gzip) {
            let small = compressed(body.clone(), encoding).await;
            assert!(small.len() < body.len() / 10);
            let mut whole = Vec::new();
            flate2::read::GzDecoder::new(&small[..]).read_to_end(&mut whole).expect("gzip");
            assert_eq!(whole, body);
        }
        for encoding in [1, 3, 19].map(Encoding::Zstd) {
            let small = compressed(body.clone(), encoding).await;
            assert!(small.len() < body.len() / 10);
            assert_eq!(zstd::decode_all(&small[..]).expect("zstd"), body);
        }
    }
}
