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

/// All of it is with the operating system, and the connection stayed whole for a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sent;

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

    fn verdict(_: &Sent) -> Verdict<Self> {
        Verdict::Accepted
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
