//! The HTTP wire against servers that misbehave: what was surely not sent is told apart from what
//! may have arrived, and no error shows an address or a secret.

pub(crate) mod authority;
mod server;
mod tls;

use std::{
    io::Read as _,
    net::TcpListener,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use sidearm::wire::{HttpWire, Wire as _, WireError};
use sidearm_sinks::contract::{
    Encoding, Http, HttpConnection, HttpReply, HttpRequest, Proof, Protocol as _, Secret, Signing,
    Verdict,
};

use server::{Manner, Server};

/// For servers that never answer.
const SHORT: Duration = Duration::from_millis(300);
/// For servers that do, on a busy machine.
const LONG: Duration = Duration::from_secs(30);
/// Stands in every part of every address.
const SECRET: &str = "hunter2";

fn request(base: &str) -> HttpRequest {
    let with_user = base.replace("://", &format!("://{SECRET}:{SECRET}@"));
    HttpRequest {
        method: Method::POST,
        url: format!("{with_user}/{SECRET}?key={SECRET}"),
        shown_url: String::new(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(b"{\"a\":1}\n"),
        encoding: Encoding::Identity,
        message_id: "msg_1".to_owned(),
    }
}

/// One attempt; an error must not show the secret.
async fn attempt(base: &str, connection: &HttpConnection) -> Result<HttpReply, WireError> {
    let wire = HttpWire::new(connection).expect("a connection that can be used");
    let answer = wire.call(request(base)).await;
    if let Err(error) = &answer {
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains(SECRET), "{shown}");
    }
    answer
}

async fn against(manner: Manner, timeout: Duration) -> Result<HttpReply, WireError> {
    let server = Server::start(manner).await;
    attempt(&server.url, &HttpConnection { timeout, ..HttpConnection::default() }).await
}

fn answer(head: &str, body: &str) -> Manner {
    let head = head.replace('\n', "\r\n");
    Manner::Answer(format!("HTTP/1.1 {head}\r\n\r\n{body}").into_bytes())
}

#[tokio::test]
async fn a_refused_connection_and_an_unknown_host_sent_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let gone = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    for base in [gone.as_str(), "http://nothing.invalid"] {
        let error = attempt(base, &HttpConnection { timeout: LONG, ..Default::default() }).await;
        assert!(matches!(error, Err(WireError::NotSent(_))), "{base}: {error:?}");
    }
}

#[tokio::test]
async fn once_bytes_may_have_left_the_answer_is_lost() {
    let half = Manner::Answer(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec());
    for (manner, timeout) in [
        (Manner::Silent, SHORT),
        (Manner::Trickle, SHORT),
        (Manner::Reset, LONG),
        (Manner::ResetUnread, LONG),
        (Manner::Answer(Vec::new()), LONG),
        (Manner::Answer(b"220 mail.example ESMTP\r\n".to_vec()), LONG),
        (half, LONG),
    ] {
        let name = format!("{manner:?}");
        let error = against(manner, timeout).await;
        assert!(matches!(error, Err(WireError::ReplyLost(_))), "{name}: {error:?}");
    }
}

#[tokio::test]
async fn a_time_out_says_how_long_it_was() {
    let Err(WireError::ReplyLost(why)) = against(Manner::Silent, SHORT).await else {
        panic!("an answer from a silent server");
    };
    assert_eq!(why, "no answer within 300ms");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_never_followed() {
    let other = Server::start(answer("200 OK\ncontent-length: 0", "")).await;
    let head = format!("307 Temporary Redirect\nlocation: {}/\ncontent-length: 0", other.url);
    let reply = against(answer(&head, ""), LONG).await.expect("an answer");
    assert_eq!(reply.status, 307);
    assert!(matches!(Http::verdict(&reply), Verdict::Blocked(_)));
    assert_eq!(other.seen().len(), 0);
}

#[tokio::test]
async fn a_huge_answer_is_cut() {
    let body = "x".repeat(10 * 1024 * 1024);
    for head in ["200 OK".to_owned(), format!("200 OK\ncontent-length: {}", body.len())] {
        let reply = against(answer(&head, &body), LONG).await.expect("an answer");
        assert_eq!((reply.status, reply.body.len()), (200, 64 * 1024));
        let server = Server::start(answer(&head, &body)).await;
        for (wanted, read) in [(100_000, 100_000), (usize::MAX, 8 * 1024 * 1024)] {
            let connection = HttpConnection { reply_bytes: wanted, ..Default::default() };
            let reply = attempt(&server.url, &connection).await.expect("an answer");
            assert_eq!(reply.body.len(), read);
        }
    }
}

#[tokio::test]
async fn retry_after_comes_as_a_time_from_now() {
    let after = async |value: &str| {
        let head = format!("503 Busy\nretry-after: {value}\ncontent-length: 0");
        against(answer(&head, ""), LONG).await.expect("an answer").retry_after
    };
    assert_eq!(after("17").await, Some(Duration::from_secs(17)));
    let hour = Duration::from_secs(3600);
    let date = httpdate::fmt_http_date(SystemTime::now() + hour);
    let left = after(&date).await.expect("a date");
    assert!(left <= hour && left > hour / 2, "{left:?}");
    assert_eq!(after("whenever").await, None);
}

#[tokio::test]
async fn a_body_goes_compressed_and_signed() {
    let server = Server::start(answer("200 OK\ncontent-length: 0", "")).await;
    let key = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let connection = HttpConnection {
        proof: Some(Proof::Webhooks(Signing { keys: vec![key] })),
        ..Default::default()
    };
    let wire = HttpWire::new(&connection).expect("a connection");
    // One body is compressed at once, the other on a thread of its own.
    for bytes in [100, 1_000_000] {
        let body = Bytes::from("0123456789".repeat(bytes / 10));
        let sent = HttpRequest {
            body: body.clone(),
            encoding: Encoding::FASTEST_GZIP,
            ..request(&server.url)
        };
        let reply = wire.call(sent).await.expect("an answer");
        assert_eq!(reply.status, 200);
        let seen = server.seen().pop().expect("a request");
        assert!(seen.has("content-encoding: gzip"), "{}", seen.head);
        assert!(seen.has("webhook-id: msg_1"), "{}", seen.head);
        assert!(seen.head.contains("webhook-signature: v1,"), "{}", seen.head);
        let mut whole = Vec::new();
        flate2::read::GzDecoder::new(&seen.body[..]).read_to_end(&mut whole).expect("gzip");
        assert_eq!(whole, body);
    }
}
