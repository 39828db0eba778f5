//! The stand-in's paths: events, questions for acknowledgements, health.

use std::{
    io::{self, Read as _},
    sync::atomic::Ordering,
};

use axum::{
    Json, Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Query, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Hec,
    answer::{self, Answer},
    connection::{Door, Scissors},
    rules,
    trouble::Trouble,
};

/// Bytes of a body, as it came, that are read at most.
const WIRE_BYTES_MAX: usize = 64 * 1024 * 1024;
const CHANNEL: &str = "x-splunk-request-channel";

pub(super) async fn serve(
    hec: Hec,
    listener: TcpListener,
    stop: CancellationToken,
) -> io::Result<()> {
    let door = Door { listener, hec: hec.clone() };
    let router = Router::new()
        .route("/services/collector", post(collect))
        .route("/services/collector/event", post(collect))
        .route("/services/collector/event/1.0", post(collect))
        .route("/services/collector/ack", post(acknowledge))
        .route("/services/collector/health", get(health))
        .route("/services/collector/health/1.0", get(health))
        .fallback(not_found)
        .with_state(hec);
    axum::serve(door, router.into_make_service_with_connect_info::<Scissors>())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await
}

#[derive(Deserialize)]
struct Asked {
    channel: Option<String>,
    token: Option<String>,
}

async fn collect(
    State(hec): State<Hec>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    let counters = &hec.inner.counters;
    counters.requests.fetch_add(1, Ordering::Relaxed);
    let trouble = hec.next_trouble();
    if trouble == Some(Trouble::Down) {
        counters.refused.fetch_add(1, Ordering::Relaxed);
        return cut(&scissors);
    }
    let (head, body) = request.into_parts();
    let body = read(body).await;
    counters.bytes.fetch_add(body.as_ref().map_or(0, |body| body.len() as u64), Ordering::Relaxed);
    if let Some(Trouble::Slow(delay)) = trouble {
        tokio::time::sleep(delay).await;
    }
    let response = match trouble {
        Some(Trouble::Busy(retry_after)) => busy(retry_after),
        Some(Trouble::ShuttingDown) => Answer::from(answer::SHUTTING_DOWN).into_response(),
        Some(Trouble::Full) => Answer::from(answer::FULL).into_response(),
        Some(Trouble::Forbidden) => Answer::from(answer::INVALID_TOKEN).into_response(),
        Some(Trouble::Disabled) => Answer::from(answer::TOKEN_DISABLED).into_response(),
        Some(Trouble::Broken) => Answer::from(answer::INTERNAL_ERROR).into_response(),
        _ if hec.settings().discard => Answer::from(answer::SUCCESS).into_response(),
        _ => take(&hec, &head.headers, asked, body, trouble == Some(Trouble::NearlyFull)),
    };
    let lost = trouble == Some(Trouble::LostReply);
    if lost || !response.status().is_success() {
        counters.refused.fetch_add(1, Ordering::Relaxed);
    }
    if lost { cut(&scissors) } else { response }
}

/// The whole body; none where it is larger than anybody sends.
async fn read(body: Body) -> Option<Bytes> {
    to_bytes(body, WIRE_BYTES_MAX).await.ok()
}

/// Takes what the rules allow.
fn take(
    hec: &Hec,
    headers: &HeaderMap,
    asked: Asked,
    body: Option<Bytes>,
    is_nearly_full: bool,
) -> Response {
    let length = body.as_ref().map_or(usize::MAX, Bytes::len);
    if hec.settings().max_content_bytes.is_some_and(|most| length > most) {
        return too_large(length);
    }
    let channel = authorized(hec, headers, &asked).and_then(|()| channel(hec, headers, asked));
    let channel = match channel {
        Ok(channel) => channel,
        Err(code) => return Answer::from(code).into_response(),
    };
    let body = match decompressed(headers, body.unwrap_or_default()) {
        Ok(body) => body,
        Err(response) => return response,
    };
    let (events, mut answer) = rules::read(&body, &hec.settings().indexes);
    let any = !events.is_empty();
    if let Some(channel) = channel {
        let mut memory = hec.memory();
        if !memory.acks.has_room(&channel) {
            return Answer::from(answer::ACK_CHANNEL_FULL).into_response();
        }
        // A refusal carries one too, for the events before the bad one.
        answer.ack = any.then(|| memory.acks.give(&channel));
    }
    hec.take(events);
    if is_nearly_full && answer.code == answer::SUCCESS {
        answer.code = answer::NEARLY_FULL;
    }
    answer.into_response()
}

/// A token in the query is not looked at unless the token's owner allows it, and ours does not.
fn authorized(hec: &Hec, headers: &HeaderMap, asked: &Asked) -> Result<(), answer::Code> {
    let header = headers.get(header::AUTHORIZATION).ok_or(match asked.token {
        Some(_) => answer::QUERY_AUTHORIZATION,
        None => answer::TOKEN_REQUIRED,
    })?;
    let header = header.to_str().map_err(|_| answer::INVALID_AUTHORIZATION)?;
    let given = match header.split_once(' ') {
        Some(("Splunk", token)) => token.trim().to_owned(),
        Some(("Basic", pair)) => password(pair).ok_or(answer::INVALID_AUTHORIZATION)?,
        _ => return Err(answer::INVALID_AUTHORIZATION),
    };
    if given == hec.settings().token { Ok(()) } else { Err(answer::INVALID_TOKEN) }
}

fn password(pair: &str) -> Option<String> {
    let pair = String::from_utf8(BASE64_STANDARD.decode(pair.trim()).ok()?).ok()?;
    Some(pair.split_once(':')?.1.to_owned())
}

/// The channel to acknowledge on; none where the token asks for no acknowledgement, and a channel
/// that is sent all the same is not looked at.
fn channel(hec: &Hec, headers: &HeaderMap, asked: Asked) -> Result<Option<String>, answer::Code> {
    if !hec.settings().acknowledge {
        return Ok(None);
    }
    let header = headers.get(CHANNEL).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let channel = header.or(asked.channel).filter(|channel| !channel.is_empty());
    let channel = channel.ok_or(answer::CHANNEL_MISSING)?;
    if is_guid(&channel) { Ok(Some(channel)) } else { Err(answer::INVALID_CHANNEL) }
}

fn is_guid(text: &str) -> bool {
    let hex = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.split('-').all(hex)
}

#[expect(clippy::result_large_err, reason = "the error is the answer, written once")]
fn decompressed(headers: &HeaderMap, body: Bytes) -> Result<Bytes, Response> {
    match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(body),
        Some(b"gzip") => {
            let mut whole = Vec::new();
            // A byte more than the limit, so that the rules see that it was passed.
            let limit = rules::BODY_BYTES_MAX as u64 + 1;
            flate2::read::MultiGzDecoder::new(&body[..])
                .take(limit)
                .read_to_end(&mut whole)
                .map_err(|_| Answer::from(answer::INVALID_FORMAT).into_response())?;
            Ok(whole.into())
        }
        Some(_) => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response()),
    }
}

#[derive(Deserialize)]
struct Question {
    acks: Vec<u64>,
}

async fn acknowledge(
    State(hec): State<Hec>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Response {
    hec.inner.counters.polls.fetch_add(1, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    if let Err(code) = authorized(&hec, &head.headers, &asked) {
        return Answer::from(code).into_response();
    }
    if !hec.settings().acknowledge {
        return Answer::from(answer::ACK_DISABLED).into_response();
    }
    let channel = match channel(&hec, &head.headers, asked) {
        Ok(channel) => channel.unwrap_or_default(),
        Err(code) => return Answer::from(code).into_response(),
    };
    let body = read(body).await.unwrap_or_default();
    let Ok(question) = serde_json::from_slice::<Question>(&body) else {
        return Answer::from(answer::INVALID_FORMAT).into_response();
    };
    let acks = hec.memory().acks.ask(&channel, &question.acks);
    Json(json!({ "acks": acks })).into_response()
}

async fn health(State(hec): State<Hec>, Query(asked): Query<Asked>, headers: HeaderMap) -> Answer {
    let given = headers.contains_key(header::AUTHORIZATION);
    if given && authorized(&hec, &headers, &asked).is_err() {
        return answer::HEALTH_TOKEN.into();
    }
    match hec.standing_trouble() {
        Some(Trouble::Disabled) if given => answer::HEALTH_TOKEN_DISABLED.into(),
        Some(Trouble::Busy(_)) => answer::UNHEALTHY.into(),
        _ => answer::HEALTHY.into(),
    }
}

async fn not_found() -> Response {
    let text = "The requested URL was not found on this server.";
    (StatusCode::NOT_FOUND, Json(json!({ "text": text, "code": 404 }))).into_response()
}

fn busy(retry_after_seconds: Option<u32>) -> Response {
    let mut response = Answer::from(answer::BUSY).into_response();
    if let Some(seconds) = retry_after_seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// Splunk Enterprise's answer to more than its `max_content_length`: no code of the table.
fn too_large(length: usize) -> Response {
    let text = format!("Content-Length of {length} too large");
    (StatusCode::PAYLOAD_TOO_LARGE, Json(json!({ "text": text, "code": 27 }))).into_response()
}

/// Ends the connection; the response is never written.
fn cut(scissors: &Scissors) -> Response {
    scissors.cut();
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}
