//! A relay and two Splunk stand-ins on loopback, and the configuration that joins them.

use std::{
    fs::{self, OpenOptions},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use sidearm::{
    config::{self, Environment},
    demo::{
        hec::{Hec, Settings},
        relay::BuiltInRelay,
        scenario::Scenario,
    },
    engine::{Engine, Parts},
    journal::Disk,
};
use sidearm_sinks::contract::Stream;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::patience::eventually;

/// All sinks of the configuration.
pub(super) const SINKS: [&str; 3] = ["all", "alerts", "archive"];

/// Everything around the engine. The servers end when it is dropped.
pub(super) struct Site {
    pub(super) relay: BuiltInRelay,
    /// Takes alerts and logs.
    pub(super) all: Hec,
    /// Takes alerts, and acknowledges what it has indexed.
    pub(super) alerts: Hec,
    /// Numbers of the events published so far, in order, by stream.
    pub(super) published: [Vec<u64>; 3],
    folder: TempDir,
    relay_address: SocketAddr,
    all_address: SocketAddr,
    alerts_address: SocketAddr,
    story: Scenario,
    _servers: JoinSet<()>,
}

impl Site {
    pub(super) async fn new(seed: u64) -> Self {
        let relay = BuiltInRelay::new();
        let hec = |acknowledge| {
            let remember_events_max = 1_000_000;
            Hec::new(Settings { acknowledge, remember_events_max, ..Settings::default() })
        };
        let (all, alerts) = (hec(false), hec(true));
        let mut servers = JoinSet::new();
        let (listener, relay_address) = listen().await;
        let server = relay.clone();
        servers.spawn(async move {
            server.serve_tcp(listener, CancellationToken::new()).await.expect("it serves");
        });
        let (listener, all_address) = listen().await;
        let server = all.clone();
        servers.spawn(async move {
            server.serve(listener, CancellationToken::new()).await.expect("it serves");
        });
        let (listener, alerts_address) = listen().await;
        let server = alerts.clone();
        servers.spawn(async move {
            server.serve(listener, CancellationToken::new()).await.expect("it serves");
        });
        Self {
            relay,
            all,
            alerts,
            published: Default::default(),
            folder: tempfile::tempdir().expect("a folder"),
            relay_address,
            all_address,
            alerts_address,
            story: Scenario::new(seed, 0),
            _servers: servers,
        }
    }

    /// Where the file sink writes.
    pub(super) fn archive(&self) -> PathBuf {
        self.folder.path().join("archive.ndjson")
    }

    /// Where journal, cursors and dead letters lie.
    pub(super) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// Where the program's own log goes.
    pub(super) fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// A configuration with the two stand-ins and a file.
    fn config(&self) -> String {
        let token = Settings::default().token;
        format!(
            r#"
            [relay]
            address = "{relay}"
            tls.mode = "off"
            [journal]
            path = "{journal}"
            [admin]
            listen = "off"
            [log]
            format = "json"
            [shutdown]
            wait = "30s"
            [sinks.all]
            streams = ["alert", "log"]
            splunk_hec.url = "http://{all}"
            splunk_hec.token = "{token}"
            [sinks.alerts]
            splunk_hec.url = "http://{alerts}"
            splunk_hec.token = "{token}"
            [sinks.archive]
            streams = ["alert", "log"]
            file.path = "{archive}"
            "#,
            relay = self.relay_address,
            journal = self.journal().display(),
            all = self.all_address,
            alerts = self.alerts_address,
            archive = self.archive().display(),
        )
    }

    /// The relay's address as a URL.
    pub(super) fn relay_url(&self) -> String {
        format!("http://{}", self.relay_address)
    }

    /// Starts the engine in this process, with these of the sinks and its journal on `disk`.
    pub(super) async fn engine(&self, sinks: &[&str], disk: Arc<dyn Disk>) -> Engine {
        let mut config = match config::read(&self.config(), "test.toml", &Environment::fixed([])) {
            Ok(config) => config,
            Err(problems) => panic!("{problems}"),
        };
        config.sinks.retain(|sink| sinks.contains(&sink.lane.name.as_str()));
        let parts = Parts { disk, ..Parts::real(&config) };
        let engine = Engine::start(config, parts).await.expect("it starts");
        self.subscribed().await;
        engine
    }

    /// Starts the real program. `shutdown_wait` is how long it may go on once told to stop.
    pub(super) fn program(&self, shutdown_wait: &str) -> Child {
        let file = self.folder.path().join("sidearm.toml");
        let config =
            self.config().replace("wait = \"30s\"", &format!("wait = \"{shutdown_wait}\""));
        fs::write(&file, config).expect("written");
        let log = OpenOptions::new().create(true).append(true).open(self.log()).expect("a log");
        Command::new(env!("CARGO_BIN_EXE_sidearm"))
            .args([Path::new("run"), Path::new("-c"), &file])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts")
    }

    /// Publishes `count` events of a stream at once.
    pub(super) fn publish(&mut self, stream: Stream, count: usize) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970");
        for _ in 0..count {
            let message = self.story.next_of(stream, now.as_micros() as i64);
            self.published[stream.index()].push(self.story.number());
            self.relay.publish(stream, message);
        }
    }

    /// Waits until somebody subscribes to alerts and logs.
    pub(super) async fn subscribed(&self) {
        for stream in [Stream::Alert, Stream::Log] {
            eventually("a subscription", async || self.relay.subscribed(stream) > 0).await;
        }
    }

    /// Events that the relay's queues had no room for, of all subscribers.
    pub(super) fn lost(&self) -> u64 {
        self.relay.subscribers().iter().map(|subscriber| subscriber.lost).sum()
    }
}

/// The numbers of the events a stand-in has taken, twice where it took them twice.
pub(super) fn numbers(hec: &Hec) -> Vec<u64> {
    hec.seen().iter().filter_map(|seen| seen.number).collect()
}

/// Tells a program to stop in good order.
pub(super) fn terminate(program: &Child) {
    let id = program.id().to_string();
    let told = Command::new("kill").args(["-TERM", &id]).status();
    assert!(told.expect("kill runs").success());
}

/// The exit code of a program that ends by itself.
pub(super) async fn ended(program: &mut Child) -> Option<i32> {
    let cell = std::cell::RefCell::new(program);
    let end = || cell.borrow_mut().try_wait().expect("it is our own");
    eventually("the program ends", async || end().is_some()).await;
    end().and_then(|status| status.code())
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}
