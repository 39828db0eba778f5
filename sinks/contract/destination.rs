//! A destination of any protocol, and what can be asked of it without knowing which.

use bytes::Bytes;

use super::{
    Amqp, Append, Batch, Body, Concern, Event, Grpc, Http, Kafka, LaneView, Limits, Mail, Protocol,
    Sink, Socket, Tls,
};

/// A destination of any protocol, as the catalogue builds it from its table.
pub enum Destination {
    /// Spoken to by HTTP.
    Http(Box<dyn Sink<Http>>),
    /// Sent to by AMQP.
    Amqp(Box<dyn Sink<Amqp>>),
    /// Appended to: a file, or standard output.
    Append(Box<dyn Sink<Append>>),
    /// Called by gRPC.
    Grpc(Box<dyn Sink<Grpc>>),
    /// Records to Kafka's topics.
    Kafka(Box<dyn Sink<Kafka>>),
    /// Written to: a datagram or stream socket.
    Socket(Box<dyn Sink<Socket>>),
    /// Mails by SMTP.
    Mail(Box<dyn Sink<Mail>>),
}

impl Destination {
    /// What can be asked of it whatever its protocol.
    pub fn any(&self) -> &dyn AnySink {
        match self {
            Self::Http(sink) => sink,
            Self::Amqp(sink) => sink,
            Self::Append(sink) => sink,
            Self::Grpc(sink) => sink,
            Self::Kafka(sink) => sink,
            Self::Socket(sink) => sink,
            Self::Mail(sink) => sink,
        }
    }
}

/// A sink of any protocol.
pub trait AnySink {
    /// See [`Sink::record`].
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>);

    /// See [`Sink::limits`].
    fn limits(&self, limits: Limits) -> Limits;

    /// See [`Sink::concerns`].
    fn concerns(&self, lane: &LaneView) -> Vec<Concern>;

    /// The request that a batch becomes, as people may see it.
    fn shown(&self, batch: &Batch) -> Shown;

    /// The size of the request's body as it is sent, uncompressed, in bytes.
    fn body_bytes(&self, batch: &Batch) -> usize;

    /// Request and connection as a log would show them, which must be without secrets.
    fn debugged(&self, batch: &Batch) -> String;

    /// See [`Protocol::tls`].
    fn tls(&self) -> Option<Tls>;

    /// See [`Protocol::exclusive`].
    fn exclusive(&self) -> Option<String>;
}

impl<P: Protocol> AnySink for Box<dyn Sink<P>> {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        (**self).record(event, body, record);
    }

    fn limits(&self, limits: Limits) -> Limits {
        (**self).limits(limits)
    }

    fn concerns(&self, lane: &LaneView) -> Vec<Concern> {
        (**self).concerns(lane)
    }

    fn shown(&self, batch: &Batch) -> Shown {
        let shown = P::shown(&self.request(batch), &self.connection());
        match self.readable(batch) {
            Some(body) => Shown { body, ..shown },
            None => shown,
        }
    }

    fn body_bytes(&self, batch: &Batch) -> usize {
        P::shown(&self.request(batch), &self.connection()).body.len()
    }

    fn debugged(&self, batch: &Batch) -> String {
        format!("{:?} {:?}", self.connection(), self.request(batch))
    }

    fn tls(&self) -> Option<Tls> {
        P::tls(&self.connection()).cloned()
    }

    fn exclusive(&self) -> Option<String> {
        P::exclusive(&self.connection())
    }
}

/// A request as people may see it: without secrets.
#[derive(Debug, Clone)]
pub struct Shown {
    /// What is done: `POST`, `APPEND`, `PRODUCE`.
    pub method: String,
    /// Where.
    pub address: String,
    /// Headers, or whatever the protocol sends beside the body.
    pub headers: Vec<(String, String)>,
    /// The body before compression.
    pub body: Bytes,
}
