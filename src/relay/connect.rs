//! An address and certificates become a channel, afresh each time.
//!
//! A channel is one connection and dies with it: tonic's own silent reconnecting would hide an
//! outage, and with it the gap. Names are resolved and files read again at each connect, because a
//! relay moves and its certificates change under way.

use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::tls::TlsFiles;
use crate::{
    config::RelayConfig,
    grpc::{self, words::causes},
};

/// Name, connection and TLS handshake together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// TCP keepalive finds a dead peer without the HTTP/2 pings that grpc-go punishes when they come
/// closer than five minutes (GOAWAY, `too_many_pings`). We send none of those at all.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(20);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(5);
const KEEPALIVE_PROBES: u32 = 3;

/// HTTP/2 flow control, stream and connection: a burst of 4 MiB (some 5,000 alerts) waits with us
/// and not in the relay's queue of 1,000.
const WINDOW_BYTES: u32 = 4 << 20;

/// Makes connections to a relay.
pub trait Connect: Send + Sync {
    /// One fresh connection. The channel must not connect again by itself.
    fn connect(&self) -> BoxFuture<'_, Result<Channel, ConnectError>>;
}

/// Why there is no connection: one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectError(pub(super) String);

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ConnectError {}

/// Connects to the relay of a configuration.
#[derive(Debug, Clone)]
pub struct RelayConnector {
    config: Arc<RelayConfig>,
}

impl RelayConnector {
    /// Touches nothing yet; every mistake shows at [`Connect::connect`], and may be mended there.
    pub fn new(config: RelayConfig) -> Self {
        if !config.tls.verify_name.0 {
            tracing::warn!(
                address = config.address,
                "the name in the relay's certificate is not checked: relay.tls.verify_name is false"
            );
        }
        Self { config: Arc::new(config) }
    }

    async fn reach(&self) -> Result<Channel, ConnectError> {
        let address = &self.config.address;
        let failed = |what: &str, error: &dyn Error| {
            ConnectError(format!("{what} the relay at {address}: {}", causes(error)))
        };
        let tls = TlsFiles::find(&self.config.tls).await?;
        let tcp = TcpStream::connect(address).await.map_err(|e| failed("connecting to", &e))?;
        prepare(&tcp).map_err(|e| failed("setting up the connection to", &e))?;
        let Some(files) = tls else {
            return channel(tcp, address).await;
        };
        let name = files.server_name(&self.config)?;
        let tls = TlsConnector::from(Arc::new(files.client_config().await?))
            .connect(name, tcp)
            .await
            .map_err(|e| failed("agreeing on TLS with", &e))?;
        channel(tls, address).await
    }
}

impl Connect for RelayConnector {
    fn connect(&self) -> BoxFuture<'_, Result<Channel, ConnectError>> {
        Box::pin(async {
            timeout(CONNECT_TIMEOUT, self.reach()).await.unwrap_or_else(|_| {
                let address = &self.config.address;
                Err(ConnectError(format!(
                    "connecting to the relay at {address}: no answer within {CONNECT_TIMEOUT:?}"
                )))
            })
        })
    }
}

/// A channel over one established connection, which it never replaces.
pub async fn channel<IO>(io: IO, address: &str) -> Result<Channel, ConnectError>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let endpoint = Endpoint::from_shared(format!("http://{address}")).map_err(|error| {
        let why = causes(&error);
        ConnectError(format!(
            "reading the relay's address \"{address}\": {why}; expected host:port"
        ))
    })?;
    let endpoint = endpoint
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    grpc::over(io, endpoint)
        .await
        .map_err(|e| ConnectError(format!("greeting the relay at {address}: {}", causes(&e))))
}

fn prepare(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(tcp).set_tcp_keepalive(&keepalive)
}
