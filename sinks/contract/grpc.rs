//! gRPC as the catalogue speaks it: one message there, one message back.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::{Encoding, Protocol, SecretUrl, Shown, Tls, Verdict};

/// The protocol of destinations that take protobuf messages by unary calls.
#[derive(Debug)]
pub struct Grpc;

/// One attempt.
#[derive(Clone)]
pub struct GrpcRequest {
    /// The call, as `/package.Service/Method`.
    pub path: &'static str,
    /// What is sent beside the message; values that carry a secret are marked sensitive.
    pub metadata: HeaderMap,
    /// The message before compression.
    pub message: Bytes,
    /// How the wire compresses it; gRPC knows no levels.
    pub encoding: Encoding,
}

/// Without what is secret, and without the message, which is long.
impl std::fmt::Debug for GrpcRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcRequest")
            .field("path", &self.path)
            .field("metadata", &self.metadata)
            .field("message_bytes", &self.message.len())
            .finish_non_exhaustive()
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct GrpcReply {
    /// The status code, 0 to 16 (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
    pub code: i32,
    /// What the server says of it.
    pub reason: String,
    /// `google.rpc.Status` with its details, where the server sent one; empty otherwise.
    pub details: Bytes,
    /// The answer's message; empty unless the code is 0.
    pub message: Bytes,
}

impl GrpcReply {
    /// Code and reason, on one line, for people.
    pub fn summary(&self) -> String {
        const SHOWN_CHARS: usize = 200;
        let reason: String = self.reason.split_whitespace().collect::<Vec<_>>().join(" ");
        let reason: String = reason.chars().take(SHOWN_CHARS).collect();
        let name = usize::try_from(self.code).ok().and_then(|code| CODES.get(code));
        match (name, reason.is_empty()) {
            (Some(name), true) => format!("gRPC {name}"),
            (Some(name), false) => format!("gRPC {name}: {reason}"),
            (None, _) => format!("gRPC {}: {reason}", self.code),
        }
    }
}

/// The codes' names, in order.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

/// How a gRPC destination is reached.
#[derive(Debug, Clone)]
pub struct GrpcConnection {
    /// `https://host:port`, or `http://` for plain text; its path is not used.
    pub url: SecretUrl,
    /// Trust and identity.
    pub tls: Tls,
    /// How long one attempt may take from connecting to the end of the answer.
    pub timeout: Duration,
}

impl Default for GrpcConnection {
    fn default() -> Self {
        let url = SecretUrl::parse("http://127.0.0.1:4317").expect("an address");
        Self { url, tls: Tls::default(), timeout: Duration::from_secs(30) }
    }
}

impl Protocol for Grpc {
    type Request = GrpcRequest;
    type Reply = GrpcReply;
    type Connection = GrpcConnection;

    fn verdict(reply: &GrpcReply) -> Verdict<Self> {
        let why = reply.summary();
        match reply.code {
            0 => Verdict::Accepted,
            // Cancelled, deadline exceeded, aborted, out of range, unavailable, data loss.
            1 | 4 | 10 | 11 | 14 | 15 => Verdict::Later(None, why),
            // What a server says of a message above its limit.
            8 => Verdict::Smaller(why),
            // Permission denied, unimplemented, unauthenticated.
            7 | 12 | 16 => Verdict::Blocked(why),
            _ => Verdict::Never(why),
        }
    }

    fn shown(request: &GrpcRequest, connection: &GrpcConnection) -> Shown {
        Shown {
            method: "CALL".to_owned(),
            address: format!("{}{}", connection.url.origin(), request.path),
            headers: super::http::shown_headers(&request.metadata),
            body: request.message.clone(),
        }
    }

    fn tls(connection: &GrpcConnection) -> Option<&Tls> {
        Some(&connection.tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_specification_says() {
        let verdict = |code| {
            let empty = Bytes::new();
            let reply =
                GrpcReply { code, reason: "no".into(), details: empty.clone(), message: empty };
            Grpc::verdict(&reply).name()
        };
        let names: Vec<_> = (0..=17).map(verdict).collect();
        assert_eq!(
            names,
            [
                "accepted", "later", "never", "never", "later", "never", "never", "blocked",
                "smaller", "never", "later", "later", "blocked", "never", "later", "later",
                "blocked", "never"
            ]
        );
    }
}
