//! The connection to a hub: TCP, TLS within it, and a WebSocket within that where one is asked for.

use std::{future::ready, io};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{HeaderValue, Uri, uri::Authority};
use sidearm_sinks::contract::AmqpConnection;
use tokio::io::join;
use tokio_tungstenite::{
    client_async,
    tungstenite::{self, Message, client::IntoClientRequest as _},
};
use tokio_util::io::{CopyToBytes, SinkWriter, StreamReader};

use crate::wire::{
    WireError,
    proxy::tunnel::{self, Io},
    tls,
};

/// Where AMQP is found behind HTTP
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-protocol>).
const PATH: &str = "/$servicebus/websocket/";
/// The name of AMQP 1.0 among WebSocket's protocols.
const PROTOCOL: (&str, HeaderValue) = ("sec-websocket-protocol", HeaderValue::from_static("amqp"));

/// What AMQP is spoken over.
pub(super) type Stream = Box<dyn Io>;

/// Where it goes.
struct Way {
    is_tls: bool,
    authority: Authority,
    port: u16,
}

/// # Errors
/// The address is none, or a certificate file cannot be used.
pub(super) fn check(connection: &AmqpConnection) -> Result<(), WireError> {
    let way = way(connection).map_err(WireError::Unusable)?;
    if way.is_tls {
        tls::check(&connection.tls, way.authority.host())?;
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

/// Connects; a WebSocket goes by the proxy that the environment names, as HTTP does.
pub(super) async fn dial(connection: &AmqpConnection) -> Result<Stream, WireError> {
    let way = way(connection).map_err(WireError::Unusable)?;
    let stream = match connection.websocket {
        true => tunnel::connect(&way.url()?).await?,
        false => way.tcp().await?,
    };
    let stream = match way.is_tls {
        true => Box::new(tls::over(stream, &connection.tls, way.authority.host(), &[]).await?),
        false => stream,
    };
    match connection.websocket {
        true => within_websocket(&way, stream).await,
        false => Ok(stream),
    }
}

impl Way {
    async fn tcp(&self) -> Result<Stream, WireError> {
        let not_sent = |error: io::Error| {
            WireError::NotSent(format!("connecting to {}: {error}", self.authority))
        };
        let host = self.authority.host().trim_start_matches('[').trim_end_matches(']');
        Ok(Box::new(tunnel::tcp(host, self.port).await.map_err(not_sent)?))
    }

    /// As proxies know it.
    fn url(&self) -> Result<Uri, WireError> {
        let scheme = if self.is_tls { "https" } else { "http" };
        let url = Uri::builder().scheme(scheme).authority(self.authority.clone());
        url.path_and_query(PATH)
            .build()
            .map_err(|error| WireError::Unusable(format!("reading the hub's address: {error}")))
    }
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
