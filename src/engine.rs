//! The wiring: journal, relay, one lane a sink, status; how they start and how they end.
//!
//! Everything is opened and checked before anything is received. Dropping an [`Engine`] is a
//! crash: every task ends where it stands, and the next start goes on from what is on disk.

mod build;
mod keeper;
pub(crate) mod send_test;
mod setup;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use sidearm_sinks::contract::Stream;
use tokio::{
    task::{JoinError, JoinSet},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

pub use self::{
    send_test::{TestReport, send_test},
    setup::{SetupOrder, Told, setup},
};
use crate::{
    admin,
    config::Config,
    deliver::words,
    journal::{Disk, Journal, OpenError, Options, RealDisk},
    lane::Ending,
    relay::{self, Connect, RelayConnector, RelayStatus, Timing, Watch},
    status::{Status, StatusSource},
    wire::{RealWires, WireError, Wires},
};

/// What the engine is connected to: the world, or a test's script.
pub struct Parts {
    /// The way to the relay.
    pub connect: Arc<dyn Connect>,
    /// How long it waits for the relay.
    pub timing: Timing,
    /// The ways to destinations.
    pub wires: Arc<dyn Wires>,
    /// The journal's disk.
    pub disk: Arc<dyn Disk>,
}

impl Parts {
    /// The world.
    pub fn real(config: &Config) -> Self {
        Self {
            connect: Arc::new(RelayConnector::new(config.relay.clone())),
            timing: Timing::default(),
            wires: Arc::new(RealWires),
            disk: Arc::new(RealDisk),
        }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal could not be opened.
    #[error(transparent)]
    Journal(#[from] OpenError),
    /// A sink's cursors could not be read.
    #[error("reading the cursors of sink {sink}: {error}")]
    Cursors {
        /// The sink.
        sink: String,
        /// What happened.
        error: std::io::Error,
    },
    /// A sink cannot be connected as configured.
    #[error("sinks.{sink}: {error}")]
    Sink {
        /// The sink.
        sink: String,
        /// What happened.
        error: String,
    },
    /// Metrics and health cannot be served where configured.
    #[error("admin.listen: {address} cannot be listened on: {error}")]
    Admin {
        /// The address.
        address: SocketAddr,
        /// What happened.
        error: std::io::Error,
    },
}

impl StartError {
    fn sink(sink: &str, error: impl ToString) -> Self {
        Self::Sink { sink: sink.to_owned(), error: error.to_string() }
    }
}

impl From<(&str, WireError)> for StartError {
    fn from((sink, error): (&str, WireError)) -> Self {
        Self::sink(sink, error)
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    /// What it came to.
    pub status: Status,
    /// The fault of our own that ended it; nothing where it was told to stop.
    pub fault: Option<String>,
}

/// A running engine.
pub struct Engine {
    receiving: JoinSet<()>,
    stop_receiving: CancellationToken,
    writing: JoinSet<()>,
    lanes: JoinSet<()>,
    ending: Ending,
    keeper: keeper::Keeper,
    keeping: JoinSet<()>,
    _admin: JoinSet<()>,
    status: StatusSource,
    admin: Option<SocketAddr>,
    shutdown_wait: Duration,
}

impl Engine {
    /// Opens everything, then receives and delivers until it is shut down.
    pub async fn start(config: Config, parts: Parts) -> Result<Self, StartError> {
        let (journal, writer) =
            Journal::open(Options { disk: parts.disk.clone(), ..Options::new(&config.journal) })
                .await?;
        let admin = match config.admin.listen {
            Some(address) => Some(
                admin::bind(address).await.map_err(|error| StartError::Admin { address, error })?,
            ),
            None => None,
        };
        let shutdown_wait = config.shutdown.wait.0;
        let relay = Arc::new(RelayStatus::new(config.relay.address.clone()));
        let streams = streams(&config);

        let ending = Ending { drain: CancellationToken::new(), stop: CancellationToken::new() };
        let built = build::lanes(config, &journal, &parts.wires, &ending).await?;
        let (sources, walks): (Vec<_>, Vec<_>) =
            built.into_iter().map(|built| (built.source, built.walk)).unzip();
        let status = StatusSource {
            relay: relay.clone(),
            streams: streams.clone().into(),
            journal: journal.clone(),
            lanes: sources.into(),
        };

        // A new sink answers for what comes from now on. Were that kept only later, a crash in the
        // first moments would have it begin again behind what had come by then.
        let keeper = keeper::Keeper::new(journal.clone(), status.clone());
        keeper.save().await;

        let lanes: JoinSet<()> = walks.into_iter().collect();
        let mut writing = JoinSet::new();
        writing.spawn(writer.run());
        let stop_receiving = CancellationToken::new();
        let receiving = receive(&streams, &parts, &journal, &relay, &stop_receiving).await;
        let (mut keeping, mut serving) = (JoinSet::new(), JoinSet::new());
        keeping.spawn(keeper.clone().run());
        let address = admin.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = admin {
            serving.spawn(admin::serve(listener, status.clone()));
        }
        Ok(Self {
            receiving,
            stop_receiving,
            writing,
            lanes,
            ending,
            keeper,
            keeping,
            _admin: serving,
            status,
            admin: address,
            shutdown_wait,
        })
    }

    /// Where the status is read.
    pub fn status(&self) -> &StatusSource {
        &self.status
    }

    /// Where metrics and health are served, if they are.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Waits until a task ends that nothing works without, which only a fault of our own brings
    /// about. Answers which and why. From then on the journal counts as not writable.
    pub async fn failed(&mut self) -> String {
        let (task, joined) = tokio::select! {
            Some(joined) = self.receiving.join_next() => ("receiving events", joined),
            Some(joined) = self.writing.join_next() => ("writing the journal", joined),
            Some(joined) = self.keeping.join_next() => ("saving cursors", joined),
            else => std::future::pending().await,
        };
        let fault = format!("{task} has ended by a fault of our own: {}", why(joined));
        self.status.journal.fail(&fault);
        fault
    }

    /// Leaves the relay, delivers what is there for as long as `shutdown.wait` allows, keeps the
    /// rest for the next start, and tells what it came to.
    pub async fn shutdown(mut self) -> Status {
        self.stop_receiving.cancel();
        while self.receiving.join_next().await.is_some() {}
        while self.writing.join_next().await.is_some() {}
        self.ending.drain.cancel();
        let drained = async { while self.lanes.join_next().await.is_some() {} };
        if timeout(self.shutdown_wait, drained).await.is_err() {
            self.ending.stop.cancel();
            while self.lanes.join_next().await.is_some() {}
        }
        // In a task, as what ended the keeper may end this too, and the rest is to be told.
        let keeper = self.keeper.clone();
        if let Err(error) = tokio::spawn(async move { keeper.save().await }).await {
            tracing::error!(
                reason = why(Err(error)),
                "the last cursors were not saved: the next start repeats some deliveries"
            );
        }
        self.status.read()
    }
}

/// Runs an engine until `stop` or a fault of our own, then shuts it down.
pub async fn run(
    config: Config,
    parts: Parts,
    stop: impl Future<Output = ()>,
) -> Result<Ended, StartError> {
    let mut engine = Engine::start(config, parts).await?;
    tracing::info!(admin = ?engine.admin(), "started");
    let fault = tokio::select! {
        () = stop => None,
        fault = engine.failed() => Some(fault),
    };
    match &fault {
        None => tracing::info!("stopping: the relay is left, lanes deliver what is there"),
        Some(fault) => tracing::error!(
            fault,
            "stopping: nothing more can be received safely; lanes deliver what is there"
        ),
    }
    Ok(Ended { status: engine.shutdown().await, fault })
}

/// Why a task that was to go on has ended.
fn why(joined: Result<(), JoinError>) -> String {
    match joined.map_err(JoinError::try_into_panic) {
        Ok(()) => "it took itself for done".to_owned(),
        Err(Ok(panic)) => words(&*panic),
        Err(Err(error)) => error.to_string(),
    }
}

/// The streams some sink takes; no other is subscribed to.
fn streams(config: &Config) -> Vec<Stream> {
    let taken =
        |stream: &Stream| config.sinks.iter().any(|sink| sink.lane.streams.contains(stream));
    Stream::ALL.into_iter().filter(taken).collect()
}

async fn receive(
    streams: &[Stream],
    parts: &Parts,
    journal: &Journal,
    status: &Arc<RelayStatus>,
    stop: &CancellationToken,
) -> JoinSet<()> {
    let mut receiving = JoinSet::new();
    for stream in streams {
        let whole_until_us = newest_us(journal, *stream).await;
        let watch = Watch::new(
            *stream,
            parts.connect.clone(),
            journal.appender(*stream),
            whole_until_us,
            status.clone(),
        );
        receiving.spawn(watch.with_timing(parts.timing).run(stop.clone()));
    }
    receiving.spawn(relay::watch_health(
        parts.connect.clone(),
        status.clone(),
        parts.timing,
        stop.clone(),
    ));
    receiving
}

/// When the newest event of an earlier run was received: from then on events may be missing.
async fn newest_us(journal: &Journal, stream: Stream) -> Option<u64> {
    let newest = journal.head(stream).checked_sub(1)?;
    journal.read(stream, newest).await.map(|block| block.received_us())
}
