//! The only outgoing connections: HTTP, gRPC, AMQP, Kafka, SMTP, sockets, files, standard output.
//!
//! A wire makes one attempt and tells what happened. Whether to try again is `deliver.rs`'s.

mod amqp;
mod append;
mod entra;
mod grpc;
mod http;
mod kafka;
mod mail;
mod proxy;
mod reach;
mod shared_access;
mod signing;
mod sigv4;
mod socket;
mod tls;

pub use amqp::AmqpWire;
pub use append::AppendWire;
pub use grpc::GrpcWire;
pub use http::HttpWire;
pub(crate) use http::headers_of;
pub use kafka::KafkaWire;
pub use mail::MailWire;
pub use reach::{Reach, RealWires, Wires};
pub use socket::SocketWire;
pub(crate) use tls::wrong_files;

use std::{fmt, future::Future, pin::Pin};

use sidearm_sinks::contract::Protocol;

/// One attempt at a time, towards one destination.
pub trait Wire<P: Protocol>: Send + Sync {
    /// Sends one request and waits for the answer, within the connection's own time-out.
    fn call(&self, request: P::Request) -> Attempt<'_, P>;

    /// What it counts of itself, for metrics.
    fn figures(&self) -> Vec<Figure> {
        Vec::new()
    }
}

/// A figure that a wire tells of itself.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Its name in metrics.
    pub name: &'static str,
    /// What it says, in words.
    pub help: &'static str,
    /// Whether it only ever grows.
    pub is_counter: bool,
    /// The value.
    pub value: f64,
}

/// An attempt under way.
pub type Attempt<'a, P> =
    Pin<Box<dyn Future<Output = Result<<P as Protocol>::Reply, WireError>> + Send + 'a>>;

/// An attempt without an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireError {
    /// Nothing was taken: refused, no such host, no handshake. Trying again cannot duplicate.
    NotSent(String),
    /// The request may have arrived, its answer did not. Trying again may duplicate.
    ReplyLost(String),
    /// Our side cannot even try (an unreadable client key, a folder that may not be written):
    /// a person must act, so the lane is parked.
    Unusable(String),
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSent(why) => write!(f, "nothing was sent: {why}"),
            Self::ReplyLost(why) => write!(f, "sent, but the answer was lost: {why}"),
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for WireError {}
