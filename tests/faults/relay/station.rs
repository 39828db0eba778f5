//! A built-in relay on loopback, a journal in a folder, and watches between them.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use buffa::Message as _;
use bytes::Bytes;
use rustls::ServerConfig;
use sidearm::{
    config::{JournalConfig, RelayConfig, RelayTls, TlsMode},
    demo::relay::BuiltInRelay,
    journal::{Journal, Options},
    relay::{RelayConnector, RelayStatus, Timing, Watch, watch_health},
};
use sidearm_proto::sidearm::Gap;
use sidearm_sinks::contract::{Kind, Stream};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use tokio_stream::{StreamExt as _, wrappers::TcpListenerStream};
use tokio_util::sync::{CancellationToken, DropGuard};

pub(super) use crate::patience::eventually;

/// Waits that let a test end soon.
fn quick() -> Timing {
    Timing {
        nonce_every: Duration::from_millis(10),
        shortest_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(50),
        logs_apart: Duration::from_millis(20),
        settled: Duration::from_millis(100),
        ..Timing::default()
    }
}

/// A record of the journal.
#[derive(Debug, PartialEq)]
pub(super) struct Record {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

impl Record {
    pub(super) fn gap(&self) -> Gap {
        assert_eq!(self.kind, Kind::Gap);
        Gap::decode_from_slice(&self.bytes).expect("a gap record")
    }
}

/// Where everything comes together.
pub(super) struct Station {
    pub(super) relay: BuiltInRelay,
    folder: TempDir,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    serving: Option<(DropGuard, JoinHandle<()>)>,
    journal: Journal,
}

/// A watch under way; dropping it ends it.
pub(super) struct Watching {
    pub(super) status: Arc<RelayStatus>,
    _stop: DropGuard,
}

impl Station {
    /// One that speaks plain text.
    pub(super) async fn plain() -> Self {
        Self::new(None).await
    }

    /// One that speaks TLS, or plain text where there is no configuration for it.
    pub(super) async fn new(tls: Option<Arc<ServerConfig>>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let config =
            JournalConfig { path: folder.path().join("journal"), ..JournalConfig::default() };
        let (journal, writer) = Journal::open(Options::new(&config)).await.expect("a journal");
        tokio::spawn(writer.run());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let relay = BuiltInRelay::new();
        let mut station = Self { relay, folder, address, tls, serving: None, journal };
        station.start_relay().await;
        station
    }

    /// Serves, at the same address as before.
    pub(super) async fn start_relay(&mut self) {
        let listener = listen(self.address);
        self.address = listener.local_addr().expect("bound");
        let stop = CancellationToken::new();
        let (relay, tls, token) = (self.relay.clone(), self.tls.clone(), stop.clone());
        let serving = tokio::spawn(async move {
            let Some(tls) = tls else {
                return relay.serve_tcp(listener, token).await.expect("it serves");
            };
            let acceptor = TlsAcceptor::from(tls);
            let incoming = TcpListenerStream::new(listener).then(move |tcp| {
                let acceptor = acceptor.clone();
                async move { acceptor.accept(tcp?).await }
            });
            relay.serve(Box::pin(incoming), token).await.expect("it serves");
        });
        self.serving = Some((stop.drop_guard(), serving));
    }

    /// Ends as a killed process does: every line is cut.
    pub(super) async fn stop_relay(&mut self) {
        let (stop, serving) = self.serving.take().expect("it is served");
        self.relay.cut_lines();
        drop(stop);
        serving.await.expect("it ends");
    }

    /// Speaks another TLS from the next start on.
    pub(super) fn set_tls(&mut self, tls: Option<Arc<ServerConfig>>) {
        self.tls = tls;
    }

    /// Watches in plain text, and waits until subscribed.
    pub(super) async fn watch(&self, stream: Stream, whole_until_us: Option<u64>) -> Watching {
        let watching = self.watch_unsubscribed(stream, whole_until_us).await;
        eventually("subscribed", async || watching.status.connected(stream)).await;
        watching
    }

    /// Watches in plain text.
    pub(super) async fn watch_unsubscribed(
        &self,
        stream: Stream,
        whole_until_us: Option<u64>,
    ) -> Watching {
        let tls = RelayTls { mode: TlsMode::Off, ..RelayTls::default() };
        self.watch_with(stream, whole_until_us, tls)
    }

    /// Watches with these settings for TLS.
    pub(super) fn watch_with(
        &self,
        stream: Stream,
        whole_until_us: Option<u64>,
        tls: RelayTls,
    ) -> Watching {
        let (connector, status) = self.connector(tls);
        let appender = self.journal.appender(stream);
        let watch = Watch::new(stream, connector, appender, whole_until_us, status.clone());
        let stop = CancellationToken::new();
        tokio::spawn(watch.with_timing(quick()).run(stop.clone()));
        Watching { status, _stop: stop.drop_guard() }
    }

    /// Watches over the relay's health.
    pub(super) fn watch_health(&self) -> Watching {
        let tls = RelayTls { mode: TlsMode::Off, ..RelayTls::default() };
        let (connector, status) = self.connector(tls);
        let stop = CancellationToken::new();
        tokio::spawn(watch_health(connector, status.clone(), quick(), stop.clone()));
        Watching { status, _stop: stop.drop_guard() }
    }

    fn connector(&self, tls: RelayTls) -> (Arc<RelayConnector>, Arc<RelayStatus>) {
        let address = self.address.to_string();
        let status = Arc::new(RelayStatus::new(address.as_str()));
        (Arc::new(RelayConnector::new(RelayConfig { address, tls })), status)
    }

    /// Publishes a message and waits until the journal has one more record.
    pub(super) async fn deliver(&self, stream: Stream, message: &[u8]) {
        eventually("somebody listens", async || self.relay.subscribed(stream) > 0).await;
        let head = self.journal.head(stream);
        self.relay.publish(stream, Bytes::copy_from_slice(message));
        eventually("it is journalled", async || self.journal.head(stream) > head).await;
    }

    /// Everything in the journal.
    pub(super) async fn records(&self, stream: Stream) -> Vec<Record> {
        let mut records = Vec::new();
        let mut at = self.journal.first(stream);
        while let Some(block) = self.journal.read(stream, at).await {
            let found = block.records_from(at);
            records.extend(found.map(|(_, kind, bytes)| Record { kind, bytes: bytes.to_vec() }));
            at = block.end();
        }
        records
    }

    /// A file of the station's folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Listens where connections of an earlier server may still be dying.
fn listen(address: SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("a free port");
    socket.listen(64).expect("it listens")
}
