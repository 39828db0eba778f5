//! An engine of this process on real sockets and a real disk, behind the built-in relay. Its sinks
//! are the test's.

use std::{fs, sync::Arc};

use sidearm::{
    config::{self, Environment},
    demo::relay::BuiltInRelay,
    engine::{Engine, Parts},
    journal::RealDisk,
    status::SinkView,
};
use sidearm_sinks::contract::Stream;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::patience::eventually;

/// The engine and what is around it; all of it ends when it is dropped.
pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) relay: BuiltInRelay,
    folder: TempDir,
    _server: JoinSet<()>,
}

impl Rig {
    /// Starts an engine with these sinks, given as tables of the configuration, and waits until it
    /// has subscribed to these streams.
    pub(crate) async fn start(sinks: &str, streams: &[Stream]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let relay = BuiltInRelay::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (mut server, serving) = (JoinSet::new(), relay.clone());
        server.spawn(async move {
            serving.serve_tcp(listener, CancellationToken::new()).await.expect("it serves");
        });
        let text = format!(
            "relay = {{ address = \"{address}\", tls.mode = \"off\" }}\n\
             journal.path = \"{}\"\nadmin.listen = \"off\"\n{sinks}",
            folder.path().join("journal").display()
        );
        let config = match config::read(&text, "test.toml", &Environment::process()) {
            Ok(config) => config,
            Err(problems) => panic!("{problems}"),
        };
        let parts = Parts { disk: Arc::new(RealDisk), ..Parts::real(&config) };
        let engine = Engine::start(config, parts).await.expect("it starts");
        for stream in streams {
            eventually("a subscription", async || relay.subscribed(*stream) > 0).await;
        }
        Self { engine, relay, folder, _server: server }
    }

    /// A sink as it stands.
    pub(crate) fn sink(&self, name: &str) -> SinkView {
        self.engine.status().read().sinks[name].clone()
    }

    /// Waits until a sink has decided on so many events; how many it accepted, and how many died.
    pub(crate) async fn settled(&self, name: &str, events: u64) -> (u64, u64) {
        let what = format!("{name} has decided on {events} events");
        eventually(&what, async || self.sink(name).ledger.counts.total() == events).await;
        let counts = self.sink(name).ledger.counts;
        (counts.accepted, counts.dead)
    }

    /// A sink's dead letters, a line each.
    pub(crate) fn dead_letters(&self, name: &str) -> String {
        let path = self.folder.path().join("journal/dead").join(format!("{name}.ndjson"));
        fs::read_to_string(path).unwrap_or_default()
    }
}
