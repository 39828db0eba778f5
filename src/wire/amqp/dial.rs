//! The connection to a hub: TCP, TLS within it, and a WebSocket within that where one is asked for.

use std::{fmt, future::ready, io, sync::Arc};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, uri::Authority};
use sidearm_sinks::contract::AmqpConnection;
use tokio::{
    io::{AsyncRead, AsyncWrite, join},
    net::TcpStream,
    task::spawn_blocking,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    client_async,
    tungstenite::{self, Message, client::IntoClientRequest as _},
};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use crate::wire::{WireError, tls};

/// Where AMQP is found behind HTTP
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol>).
const PATH: &str = "/$servicebus/websocket/";
/// The name of AMQP 1.0 among WebSocket's protocols.
const PROTOCOL: (&str, HeaderValue) = ("sec-websocket-protocol", HeaderValue::from_static("amqp"));

/// What AMQP is spoken over.
pub(super) type Stream = Box<dyn Io>;

pub(super) trait Io: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Io for T {}

/// Where it goes.
struct Way {
    is_tls: bool,
    authority: Authority,
    port: u16,
}

/// # Errors
/// The address is none, or a certificate file cannot be used.
pub(super) fn check(connection: &AmqpConnection) -> Result<(), String> {
    let way = way(connection)?;
    if way.is_tls {
        if connection.tls.insecure {
            tracing::warn!("a destination's certificate is not checked: tls.insecure is on");
        }
        tls::client_config(&connection.tls, &[])?;
        tls::server_name(&connection.tls, way.authority.host())?;
    }
    Ok(())
}

fn way(connection: &AmqpConnection) -> Result<Way, String> {
    let endpoint = connection.endpoint.as_deref();
    let (is_tls, authority) = match endpoint.and_then(|endpoint| endpoint.split_once("://")) {
        Some((scheme, authority)) => (scheme == "amqps", authority),
        None => (true, connection.namespace.as_str()),
    };
    let authority: Authority = authority
        .parse()
        .map_err(|_| "reading the hub's address: expected a host, and perhaps a port".to_owned())?;
    // As IANA has them.
    let usual = match (connection.websocket, is_tls) {
        (true, true) => 443,
        (true, false) => 80,
        (false, true) => 5671,
        (false, false) => 5672,
    };
    let port = authority.port_u16().unwrap_or(usual);
    Ok(Way { is_tls, authority, port })
}

/// Connects.
pub(super) async fn dial(connection: &AmqpConnection) -> Result<Stream, WireError> {
    let way = way(connection).map_err(WireError::Unusable)?;
    let not_sent =
        |error: io::Error| WireError::NotSent(format!("connecting to {}: {error}", way.authority));
    let host = way.authority.host().trim_start_matches('[').trim_end_matches(']');
    let tcp = TcpStream::connect((host, way.port)).await.map_err(not_sent)?;
    // Outcomes are waited for, one by one.
    tcp.set_nodelay(true).map_err(not_sent)?;
    let stream = match way.is_tls {
        true => within_tls(connection, &way, tcp).await?,
        false => Box::new(tcp),
    };
    match connection.websocket {
        true => within_websocket(&way, stream).await,
        false => Ok(stream),
    }
}

async fn within_tls(
    connection: &AmqpConnection,
    way: &Way,
    tcp: TcpStream,
) -> Result<Stream, WireError> {
    let settings = connection.tls.clone();
    let config = spawn_blocking(move || tls::client_config(&settings, &[])).await;
    let config = config
        .map_err(|_| WireError::NotSent("shutting down".to_owned()))?
        .map_err(WireError::Unusable)?;
    let name = tls::server_name(&connection.tls, way.authority.host());
    let name = name.map_err(WireError::Unusable)?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await;
    let stream = stream.map_err(|error| {
        WireError::NotSent(format!("speaking TLS with {}: {error}", way.authority))
    })?;
    Ok(Box::new(stream))
}

async fn within_websocket(way: &Way, stream: Stream) -> Result<Stream, WireError> {
    let not_sent = |error: tungstenite::Error| {
        WireError::NotSent(format!("opening a WebSocket to {}: {error}", way.authority))
    };
    let scheme = if way.is_tls { "wss" } else { "ws" };
    let mut request =
        format!("{scheme}://{}{PATH}", way.authority).into_client_request().map_err(not_sent)?;
    let (name, value) = PROTOCOL;
    request.headers_mut().insert(name, value);
    let (socket, _) = client_async(request, stream).await.map_err(not_sent)?;
    let (sink, stream) = socket.split();
    let read = stream.filter_map(|message| ready(bytes_of(message)));
    // As a pointer it can be shown, which the AMQP library asks of all it speaks over.
    let failed: fn(tungstenite::Error) -> io::Error = io::Error::other;
    let write = sink
        .sink_map_err(failed)
        .with(|bytes: Bytes| ready(Ok::<_, io::Error>(Message::Binary(bytes))));
    let (read, write) = (StreamReader::new(read), SinkWriter::new(CopyToBytes::new(write)));
    Ok(Box::new(join(read, write)))
}

/// What a frame carries; those of WebSocket's own carry nothing.
fn bytes_of(message: Result<Message, tungstenite::Error>) -> Option<io::Result<Bytes>> {
    match message {
        Ok(Message::Binary(bytes)) => Some(Ok(bytes)),
        Ok(Message::Text(_)) => Some(Err(io::ErrorKind::InvalidData.into())),
        Ok(_) => None,
        Err(error) => Some(Err(io::Error::other(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_whether_tls_is_spoken_and_at_which_port() {
        for (endpoint, websocket, expected) in [
            (None, false, (true, 5671)),
            (None, true, (true, 443)),
            (Some("amqps://gateway"), false, (true, 5671)),
            (Some("amqps://gateway:9"), true, (true, 9)),
            (Some("amqp://localhost"), false, (false, 5672)),
            (Some("amqp://localhost"), true, (false, 80)),
        ] {
            let endpoint = endpoint.map(str::to_owned);
            let connection = AmqpConnection { endpoint, websocket, ..AmqpConnection::default() };
            let way = way(&connection).expect("an address");
            assert_eq!((way.is_tls, way.port), expected, "{connection:?}");
        }
        let namespace = "two words".to_owned();
        let connection = AmqpConnection { namespace, ..AmqpConnection::default() };
        assert!(check(&connection).is_err());
    }

    #[test]
    fn only_binary_frames_carry_anything() {
        let bytes = |message| bytes_of(Ok(message)).map(|bytes| bytes.ok());
        assert_eq!(bytes(Message::binary(&b"AMQP"[..])), Some(Some(Bytes::from("AMQP"))));
        assert_eq!(bytes(Message::Ping(Bytes::new())), None);
        assert_eq!(bytes(Message::text("AMQP")), Some(None));
    }
}
