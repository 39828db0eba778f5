//! What a collector's answer means, as the OTLP specification has it.
//!
//! Only what it calls retryable is tried again as it was; all else is final. A partial success is
//! never sent again, though it does not say which records were refused.

use std::time::Duration;

use super::proto::{Field, fields};
use crate::contract::{Grpc, GrpcReply, Http, HttpReply, Protocol, Verdict};

/// The answer to a gRPC call with so many records.
pub(super) fn of_grpc(records: usize, reply: &GrpcReply) -> Verdict<Grpc> {
    match reply.code {
        0 => accepted(records, &reply.message),
        // Servers say so of a message above their limit, and of a quota.
        8 => match retry_delay(&reply.details) {
            Some(delay) => Verdict::Later(Some(delay), reply.summary()),
            None if is_about_size(&reply.reason) => Verdict::Smaller(reply.summary()),
            None => Verdict::Later(None, reply.summary()),
        },
        // Servers of another make say so of a message above their limit.
        11 if is_about_size(&reply.reason) => Verdict::Smaller(reply.summary()),
        14 => Verdict::Later(retry_delay(&reply.details), reply.summary()),
        _ => Grpc::verdict(reply),
    }
}

/// The words for it of grpc-go, grpc-java and tonic.
fn is_about_size(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    ["larger than max", "exceeds maximum size", "too large"]
        .iter()
        .any(|words| reason.contains(words))
}

/// The answer to a POST of so many records.
pub(super) fn of_http(records: usize, reply: &HttpReply) -> Verdict<Http> {
    let why = || in_words(reply);
    match reply.status {
        429 | 502..=504 => Verdict::Later(reply.retry_after, why()),
        _ => match Http::verdict(reply) {
            Verdict::Accepted if is_of_otlp(reply) => accepted(records, &reply.body),
            Verdict::Accepted => {
                Verdict::Blocked(format!("{}, not an answer of OTLP", reply.summary()))
            }
            Verdict::Smaller(_) => Verdict::Smaller(why()),
            Verdict::Blocked(why) => Verdict::Blocked(why),
            _ => Verdict::Never(why()),
        },
    }
}

fn accepted<P: Protocol>(records: usize, response: &[u8]) -> Verdict<P> {
    let Some((refused, why)) = partial_success(response) else { return Verdict::Accepted };
    match (usize::try_from(refused).unwrap_or(usize::MAX), why.is_empty()) {
        (0, true) => Verdict::Accepted,
        (0, false) => Verdict::AcceptedBut(None, why),
        (refused, true) => {
            Verdict::Partly { refused: refused.min(records), why: "no reason was given".to_owned() }
        }
        (refused, false) => Verdict::Partly { refused: refused.min(records), why },
    }
}

/// An answer is of the request's own content type, or says none; a page that a proxy answers with
/// tells nothing of what became of the records.
fn is_of_otlp(reply: &HttpReply) -> bool {
    reply.body.is_empty()
        || is_protobuf(reply)
        || !reply.headers.contains_key(http::header::CONTENT_TYPE)
}

fn is_protobuf(reply: &HttpReply) -> bool {
    let kind = reply.headers.get(http::header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-protobuf"))
}

/// `ExportLogsServiceResponse`: records refused, and why. Nothing where all is well.
fn partial_success(response: &[u8]) -> Option<(u64, String)> {
    let partial = fields(response).find_map(|field| match field {
        (1, Field::Bytes(message)) => Some(message),
        _ => None,
    })?;
    let (mut refused, mut why) = (0, String::new());
    for field in fields(partial) {
        match field {
            (1, Field::Number(number)) => refused = number,
            (2, Field::Bytes(text)) => why = String::from_utf8_lossy(text).into_owned(),
            _ => {}
        }
    }
    Some((refused, why))
}

/// The delay of a `google.rpc.RetryInfo` among the details of a `google.rpc.Status`.
fn retry_delay(status: &[u8]) -> Option<Duration> {
    fields(status).find_map(|field| {
        let (3, Field::Bytes(any)) = field else { return None };
        let (mut kind, mut value) = (&b""[..], &b""[..]);
        for field in fields(any) {
            match field {
                (1, Field::Bytes(url)) => kind = url,
                (2, Field::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        if !kind.ends_with(b"/google.rpc.RetryInfo") {
            return None;
        }
        fields(value).find_map(|field| match field {
            (1, Field::Bytes(duration)) => Some(time(duration)),
            _ => None,
        })
    })
}

fn time(duration: &[u8]) -> Duration {
    let (mut seconds, mut nanos) = (0, 0);
    for field in fields(duration) {
        match field {
            (1, Field::Number(number)) => seconds = number,
            (2, Field::Number(number)) => nanos = number,
            _ => {}
        }
    }
    // Negative ones, which are no delay, have their highest bit set.
    let seconds = if seconds > i64::MAX as u64 { 0 } else { seconds };
    Duration::new(seconds, u32::try_from(nanos).unwrap_or(0).min(999_999_999))
}

/// The status and what the `google.rpc.Status` in the body says of it, if that is what it is.
fn in_words(reply: &HttpReply) -> String {
    let told = fields(&reply.body).find_map(|field| match field {
        (2, Field::Bytes(text)) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    });
    match told.filter(|_| is_protobuf(reply)) {
        Some(told) => format!("HTTP {}: {told}", reply.status),
        None => reply.summary(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{
        contract::testing::reply,
        otlp::proto::{bytes, message, number},
    };

    fn partial(refused: u64, why: &str) -> Vec<u8> {
        let mut out = Vec::new();
        message(&mut out, 1, |out| {
            number(out, 1, refused);
            bytes(out, 2, why.as_bytes());
        });
        out
    }

    fn grpc(code: i32, message: Vec<u8>, details: Vec<u8>) -> Verdict<Grpc> {
        let (message, details) = (Bytes::from(message), Bytes::from(details));
        of_grpc(10, &GrpcReply { code, reason: "because".to_owned(), details, message })
    }

    fn retry_info(seconds: u64) -> Vec<u8> {
        let mut out = Vec::new();
        number(&mut out, 1, 8);
        message(&mut out, 3, |out| {
            bytes(out, 1, b"type.googleapis.com/google.rpc.RetryInfo");
            message(out, 2, |out| {
                message(out, 1, |out| {
                    number(out, 1, seconds);
                    number(out, 2, 500_000_000);
                });
            });
        });
        out
    }

    #[test]
    fn a_partial_success_is_final_and_counted() {
        assert!(matches!(grpc(0, Vec::new(), Vec::new()), Verdict::Accepted));
        assert!(matches!(grpc(0, partial(0, ""), Vec::new()), Verdict::Accepted));
        assert!(matches!(
            grpc(0, partial(0, "slow down"), Vec::new()),
            Verdict::AcceptedBut(None, why) if why == "slow down"
        ));
        assert!(matches!(
            grpc(0, partial(3, "bad body"), Vec::new()),
            Verdict::Partly { refused: 3, why } if why == "bad body"
        ));
        assert!(matches!(
            grpc(0, partial(99, "more than were sent"), Vec::new()),
            Verdict::Partly { refused: 10, .. }
        ));
    }

    #[test]
    fn exhausted_resources_are_a_matter_of_size_or_of_time() {
        for (reason, name) in [
            ("grpc: received message larger than max (5000000 vs. 4194304)", "smaller"),
            ("gRPC message exceeds maximum size 4194304: 5000000", "smaller"),
            ("ingestion rate limit of the tenant exceeded", "later"),
            ("", "later"),
        ] {
            let reply = GrpcReply {
                code: 8,
                reason: reason.to_owned(),
                details: Bytes::new(),
                message: Bytes::new(),
            };
            assert_eq!(of_grpc(10, &reply).name(), name, "{reason}");
        }
        assert!(matches!(
            grpc(8, Vec::new(), retry_info(7)),
            Verdict::Later(Some(delay), _) if delay == Duration::from_millis(7_500)
        ));
        assert!(matches!(grpc(14, Vec::new(), retry_info(7)), Verdict::Later(Some(_), _)));
        assert!(matches!(grpc(14, Vec::new(), Vec::new()), Verdict::Later(None, _)));
    }

    #[test]
    fn http_statuses_mean_what_the_specification_says() {
        for (status, name) in [
            (200, "accepted"),
            (400, "never"),
            (401, "blocked"),
            (403, "blocked"),
            (404, "blocked"),
            (408, "never"),
            (413, "smaller"),
            (429, "later"),
            (500, "never"),
            (501, "never"),
            (502, "later"),
            (503, "later"),
            (504, "later"),
            (307, "blocked"),
        ] {
            assert_eq!(of_http(10, &reply(status, "")).name(), name, "{status}");
        }
    }

    #[test]
    fn what_is_no_answer_of_otlp_accepts_nothing() {
        let name = |kind: &'static str, body: &[u8]| {
            let mut answer = reply(200, "");
            answer.body = Bytes::copy_from_slice(body);
            answer.headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
            of_http(10, &answer).name()
        };
        assert_eq!(name("application/x-protobuf", b""), "accepted");
        assert_eq!(name("application/x-protobuf", &partial(3, "bad body")), "partly");
        assert_eq!(name("text/html", b"<html>Sign in</html>"), "blocked");
        assert_eq!(name("application/json", b"{\"partialSuccess\":{}}"), "blocked");
    }

    #[test]
    fn a_status_message_is_told_in_its_own_words() {
        let mut status = Vec::new();
        number(&mut status, 1, 3);
        bytes(&mut status, 2, b"body too deep");
        let mut answer = reply(400, "");
        answer.body = status.into();
        answer.headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/x-protobuf"),
        );
        assert!(
            matches!(of_http(1, &answer), Verdict::Never(why) if why == "HTTP 400: body too deep")
        );
    }
}
