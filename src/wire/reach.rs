//! Which wire a destination's protocol needs, and who opens it: the world, or a test's script.

use sidearm_sinks::contract::{
    Amqp, AmqpConnection, AmqpReply, Append, AppendConnection, Destination, Grpc, GrpcConnection,
    GrpcReply, Http, HttpConnection, HttpReply, Kafka, KafkaConnection, KafkaReply, Mail,
    MailConnection, MailReply, Protocol, Sent, Sink, Socket, SocketConnection, Written,
};

use super::{
    AmqpWire, AppendWire, GrpcWire, HttpWire, KafkaWire, MailWire, SocketWire, Wire, WireError,
};

/// Opens wires. Each is the real one unless a test, or the demo, puts its own in that place.
pub trait Wires: Send + Sync {
    /// A wire for an HTTP destination; `sink` is the sink's name.
    fn http(
        &self,
        sink: &str,
        connection: &HttpConnection,
    ) -> Result<Box<dyn Wire<Http>>, WireError> {
        let _ = sink;
        Ok(Box::new(HttpWire::new(connection)?))
    }

    /// A wire for a file or standard output; `sink` is the sink's name.
    fn append(
        &self,
        sink: &str,
        connection: &AppendConnection,
    ) -> Result<Box<dyn Wire<Append>>, WireError> {
        let _ = sink;
        Ok(Box::new(AppendWire::new(connection)?))
    }

    /// A wire for an AMQP destination; `sink` is the sink's name.
    fn amqp(
        &self,
        sink: &str,
        connection: &AmqpConnection,
    ) -> Result<Box<dyn Wire<Amqp>>, WireError> {
        let _ = sink;
        Ok(Box::new(AmqpWire::new(connection)?))
    }

    /// A wire for a gRPC destination; `sink` is the sink's name.
    fn grpc(
        &self,
        sink: &str,
        connection: &GrpcConnection,
    ) -> Result<Box<dyn Wire<Grpc>>, WireError> {
        let _ = sink;
        Ok(Box::new(GrpcWire::new(connection)?))
    }

    /// A wire for Kafka; `sink` is the sink's name.
    fn kafka(
        &self,
        sink: &str,
        connection: &KafkaConnection,
    ) -> Result<Box<dyn Wire<Kafka>>, WireError> {
        Ok(Box::new(KafkaWire::new(sink, connection)?))
    }

    /// A wire for a receiver at a socket; `sink` is the sink's name.
    fn socket(
        &self,
        sink: &str,
        connection: &SocketConnection,
    ) -> Result<Box<dyn Wire<Socket>>, WireError> {
        let _ = sink;
        Ok(Box::new(SocketWire::new(connection)?))
    }

    /// A wire for a mail server; `sink` is the sink's name.
    fn mail(
        &self,
        sink: &str,
        connection: &MailConnection,
    ) -> Result<Box<dyn Wire<Mail>>, WireError> {
        let _ = sink;
        Ok(Box::new(MailWire::new(connection)?))
    }
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

impl Reach for Amqp {
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &AmqpConnection,
    ) -> Result<Box<dyn Wire<Self>>, WireError> {
        wires.amqp(sink, connection)
    }

    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>> {
        match destination {
            Destination::Amqp(sink) => Some(sink),
            _ => None,
        }
    }

    fn words(reply: &AmqpReply) -> String {
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

impl Reach for Grpc {
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &GrpcConnection,
    ) -> Result<Box<dyn Wire<Self>>, WireError> {
        wires.grpc(sink, connection)
    }

    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>> {
        match destination {
            Destination::Grpc(sink) => Some(sink),
            _ => None,
        }
    }

    fn words(reply: &GrpcReply) -> String {
        reply.summary()
    }
}

impl Reach for Mail {
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &MailConnection,
    ) -> Result<Box<dyn Wire<Self>>, WireError> {
        wires.mail(sink, connection)
    }

    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>> {
        match destination {
            Destination::Mail(sink) => Some(sink),
            _ => None,
        }
    }

    fn words(reply: &MailReply) -> String {
        reply.summary()
    }
}

impl Reach for Kafka {
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &KafkaConnection,
    ) -> Result<Box<dyn Wire<Self>>, WireError> {
        wires.kafka(sink, connection)
    }

    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>> {
        match destination {
            Destination::Kafka(sink) => Some(sink),
            _ => None,
        }
    }

    fn words(reply: &KafkaReply) -> String {
        reply.summary()
    }
}

impl Reach for Socket {
    fn open(
        wires: &dyn Wires,
        sink: &str,
        connection: &SocketConnection,
    ) -> Result<Box<dyn Wire<Self>>, WireError> {
        wires.socket(sink, connection)
    }

    fn take(destination: Destination) -> Option<Box<dyn Sink<Self>>> {
        match destination {
            Destination::Socket(sink) => Some(sink),
            _ => None,
        }
    }

    fn words(_: &Sent) -> String {
        "written, and the connection stayed whole".to_owned()
    }
}

/// The world.
#[derive(Debug, Clone, Copy)]
pub struct RealWires;

impl Wires for RealWires {}
