//! Bytes written to a socket: messages that are framed already, without any answer.

use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{Protocol, Shown, Tls, Verdict};

/// The protocol of receivers that only listen: datagrams, or a stream with or without TLS.
#[derive(Debug)]
pub struct Socket;

/// One attempt.
#[derive(Clone)]
pub struct SocketRequest {
    /// All messages, one behind the other, each framed as a stream needs it.
    pub bytes: Bytes,
    /// Where each message ends, for transports that send one at a time.
    pub ends: Vec<usize>,
}

/// Without the messages, which are long.
impl fmt::Debug for SocketRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketRequest")
            .field("bytes", &self.bytes.len())
            .field("messages", &self.ends.len())
            .finish()
    }
}

/// It is with the operating system, and the connection stayed whole for a moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sent {
    /// Of each message, whether it is larger than a datagram on this way may be, and was not sent.
    /// Empty where all were.
    pub too_large: Vec<bool>,
}

/// Why a datagram is never sent.
const TOO_LARGE: &str =
    "the message is larger than a datagram on this way may be; lower max_message";

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// A datagram a message; what is lost on the way is lost.
    Udp,
    /// A stream in the open.
    Tcp,
    /// A stream within TLS.
    #[default]
    Tls,
}

/// Where a receiver listens, and how it is reached.
#[derive(Debug, Clone, Default)]
pub struct SocketConnection {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How bytes travel.
    pub transport: Transport,
    /// Trust and identity, for [`Transport::Tls`].
    pub tls: Tls,
    /// How long connecting and writing may take.
    pub timeout: Duration,
}

impl Protocol for Socket {
    type Request = SocketRequest;
    type Reply = Sent;
    type Connection = SocketConnection;

    fn verdict(Sent { too_large }: &Sent) -> Verdict<Self> {
        let fate = |too_large: &bool| match too_large {
            true => Verdict::Never(TOO_LARGE.to_owned()),
            false => Verdict::Accepted,
        };
        match too_large.is_empty() {
            true => Verdict::Accepted,
            false => Verdict::Each(too_large.iter().map(fate).collect()),
        }
    }

    fn shown(request: &SocketRequest, connection: &SocketConnection) -> Shown {
        let SocketConnection { host, port, transport, .. } = connection;
        let scheme = match transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
        };
        Shown {
            method: "SEND".to_owned(),
            address: format!("{scheme}://{host}:{port}"),
            headers: Vec::new(),
            body: request.bytes.clone(),
        }
    }

    fn tls(connection: &SocketConnection) -> Option<&Tls> {
        (connection.transport == Transport::Tls).then_some(&connection.tls)
    }
}
