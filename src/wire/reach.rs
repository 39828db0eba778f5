//! Which wire a destination's protocol needs, and who opens it: the world, or a test's script.

use sidearm_sinks::contract::{
    Append, AppendConnection, Destination, Http, HttpConnection, HttpReply, Protocol, Sink, Written,
};

use super::{AppendWire, HttpWire, Wire, WireError};

/// Opens wires: the real ones, or a test's script.
pub trait Wires: Send + Sync {
    /// A wire for an HTTP destination; `sink` is the sink's name.
    fn http(
        &self,
        sink: &str,
        connection: &HttpConnection,
    ) -> Result<Box<dyn Wire<Http>>, WireError>;

    /// A wire for a file or standard output; `sink` is the sink's name.
    fn append(
        &self,
        sink: &str,
        connection: &AppendConnection,
    ) -> Result<Box<dyn Wire<Append>>, WireError>;
}

/// A protocol the engine can speak: how its wire is opened and its sinks are told apart.
pub trait Reach: Protocol {
    /// Opens the wire.
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &Self::Connection,
    ) -> Result<Box<dyn Wire<Self>>, WireError>;

    /// The sink of a destination, where it is of this protocol.
    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>>;

    /// An answer, for people.
    fn words(reply: &Self::Reply) -> String;
}

impl Reach for Http {
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &HttpConnection,
    ) -> Result<Box<dyn Wire<Self>>, WireError> {
        wires.http(sink, connection)
    }

    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>> {
        match destination {
            Destination::Http(sink) => Some(sink),
            _ => None,
        }
    }

    fn words(reply: &HttpReply) -> String {
        reply.summary()
    }
}

impl Reach for Append {
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &AppendConnection,
    ) -> Result<Box<dyn Wire<Self>>, WireError> {
        wires.append(sink, connection)
    }

    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>> {
        match destination {
            Destination::Append(sink) => Some(sink),
            _ => None,
        }
    }

    fn words(Written: &Written) -> String {
        "written".to_owned()
    }
}

/// The world.
#[derive(Debug, Clone, Copy)]
pub struct RealWires;

impl Wires for RealWires {
    fn http(&self, _: &str, connection: &HttpConnection) -> Result<Box<dyn Wire<Http>>, WireError> {
        Ok(Box::new(HttpWire::new(connection)?))
    }

    fn append(
        &self,
        _: &str,
        connection: &AppendConnection,
    ) -> Result<Box<dyn Wire<Append>>, WireError> {
        Ok(Box::new(AppendWire::new(connection)?))
    }
}
