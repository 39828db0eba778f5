//! From a sink's configuration to its lane.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};
use sidearm_sinks::contract::{Destination, Format, Overrides, Sink, Stream};

use super::StartError;
use crate::{
    config::{Config, LaneConfig, Rebuild, SinkConfig},
    dead_letters::DeadLetters,
    deliver::{Delivery, Target, words},
    digest,
    fill::{Filler, Rules},
    journal::{Journal, SinkCursors, cursor::Cursor},
    lane::{Ending, Lane},
    ledger::Ledger,
    meter::{LaneState, Meter},
    render::Renderer,
    route::{OwnPod, Route},
    status::{Figures, LaneSource},
    wire::{Reach, Wires},
};

/// What all lanes are built with.
struct Site<'a> {
    overrides: Overrides,
    dead_letters_bytes: u64,
    journal: &'a Journal,
    wires: &'a Arc<dyn Wires>,
    ending: &'a Ending,
}

/// A lane that has not set out yet.
pub(super) struct Built {
    pub(super) source: LaneSource,
    pub(super) walk: BoxFuture<'static, ()>,
}

/// Builds a lane for each sink. None sets out before all are built.
pub(super) async fn lanes(
    config: Config,
    journal: &Journal,
    wires: &Arc<dyn Wires>,
    ending: &Ending,
) -> Result<Vec<Built>, StartError> {
    let site = Site {
        overrides: config.overrides,
        dead_letters_bytes: config.journal.dead_letters.max.0,
        journal,
        wires,
        ending,
    };
    let mut built = Vec::new();
    for sink in config.sinks {
        let SinkConfig { lane, destination, rebuild } = sink;
        built.push(match destination {
            Destination::Http(destination) => site.lane(lane, destination, rebuild).await?,
            Destination::Amqp(destination) => site.lane(lane, destination, rebuild).await?,
            Destination::Append(destination) => site.lane(lane, destination, rebuild).await?,
            Destination::Grpc(destination) => site.lane(lane, destination, rebuild).await?,
            Destination::Kafka(destination) => site.lane(lane, destination, rebuild).await?,
            Destination::Socket(destination) => site.lane(lane, destination, rebuild).await?,
            Destination::Mail(destination) => site.lane(lane, destination, rebuild).await?,
        });
    }
    Ok(built)
}

impl Site<'_> {
    async fn lane<P: Reach>(
        &self,
        config: LaneConfig,
        destination: Box<dyn Sink<P>>,
        rebuild: Rebuild,
    ) -> Result<Built, StartError> {
        let name: Arc<str> = config.name.as_str().into();
        let rules = rules(&config, &self.overrides)?;
        let target = Target::new(&name, destination, rebuild, self.wires.clone())
            .map_err(|error| StartError::sink(&name, error))?;
        let (target, meter) = (Arc::new(target), Arc::new(Meter::new()));
        let ledger = Arc::new(Ledger::new(
            self.cursors(&name, &config.streams).await?,
            config.digest.map(digest::Rules::from),
        ));
        let dead_letters = DeadLetters::new(self.journal.folder(), &name, self.dead_letters_bytes);
        let filler =
            Filler::new(rules, target.clone(), self.journal.clone(), ledger.clone(), meter.clone());
        let of_wire = target.clone();
        let delivery = Delivery::new(
            name.clone(),
            target,
            config.rate_per_second,
            dead_letters,
            self.journal.clone(),
            meter.clone(),
        );
        let figures: Figures = Arc::new(move || of_wire.current().wire.figures());
        let lane = Lane::new(name.clone(), self.journal, filler, delivery);
        let walk = watched(name.clone(), meter.clone(), lane.run(self.ending.clone())).boxed();
        let (kind, streams) = (config.facts.name, config.streams);
        Ok(Built { source: LaneSource { name, kind, streams, ledger, meter, figures }, walk })
    }

    /// The sink's cursors: as they were saved, or from now on for a stream newly taken.
    async fn cursors(&self, sink: &str, streams: &[Stream]) -> Result<SinkCursors, StartError> {
        let saved = self.journal.load_cursors(sink).await;
        let mut saved =
            saved.map_err(|error| StartError::Cursors { sink: sink.to_owned(), error })?;
        for stream in Stream::ALL {
            let cursor = &mut saved.cursors[stream.index()];
            if !streams.contains(&stream) {
                *cursor = None;
            } else if cursor.is_none() {
                *cursor = Some(Cursor::new(self.journal.head(stream)));
            }
        }
        Ok(saved)
    }
}

/// Tells of a lane that ends by a fault of our own; the others go on.
async fn watched(sink: Arc<str>, meter: Arc<Meter>, walk: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(walk).catch_unwind().await {
        let why = words(&*panic);
        meter.trouble(&why);
        meter.show(LaneState::Stopped);
        tracing::error!(
            %sink, reason = why,
            "the lane has ended by a fault of our own; its events are kept for the next start"
        );
    }
}

fn rules(config: &LaneConfig, overrides: &Overrides) -> Result<Rules, StartError> {
    let wrong = |error: String| StartError::sink(&config.name, error);
    let renderer = renderer(config).map_err(wrong)?;
    Ok(Rules {
        route: Route::compile(config.when.as_deref()).map_err(wrong)?,
        own_pod: OwnPod::from_env(),
        tells_of_many: config.facts.digest.is_some() || renderer.tells_of_many(),
        renderer,
        limits: config.batch,
        overrides: overrides.clone(),
        digests: config.digest.is_some(),
    })
}

/// The renderer of a sink. Colour is for a person's terminal alone.
pub(crate) fn renderer(config: &LaneConfig) -> Result<Renderer, String> {
    let on_terminal = config.format == Format::Text
        && config.facts.name == "stdout"
        && std::io::IsTerminal::is_terminal(&std::io::stdout())
        && std::env::var_os("NO_COLOR").is_none();
    Renderer::new(config.format, config.template.as_deref(), on_terminal)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            OnceLock,
            atomic::{AtomicU64, Ordering::Relaxed},
        },
        time::Duration,
    };

    use sidearm_sinks::contract::{Append, AppendConnection, AppendRequest, Kind, Written};
    use tokio::time::timeout;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        batch::Filled,
        config::{Environment, read},
        digest::Absorbed,
        journal::{Options, cursor::Counts},
        wire::{Attempt, Wire, WireError},
    };

    /// Takes everything, and meanwhile settles the first event in the lane's place.
    #[derive(Clone, Default)]
    struct Meddler {
        ledger: Arc<OnceLock<Arc<Ledger>>>,
        calls: Arc<AtomicU64>,
    }

    impl Wires for Meddler {
        fn append(
            &self,
            _: &str,
            _: &AppendConnection,
        ) -> Result<Box<dyn Wire<Append>>, WireError> {
            Ok(Box::new(self.clone()))
        }
    }

    impl Wire<Append> for Meddler {
        fn call(&self, _: AppendRequest) -> Attempt<'_, Append> {
            self.calls.fetch_add(1, Relaxed);
            let first = Filled {
                stream: Stream::Alert,
                span: 0..1,
                received_us: 0,
                batch: None,
                dead: Vec::new(),
                counts: Counts::default(),
                absorbed: Absorbed::default(),
                digest: None,
            };
            if let Some(ledger) = self.ledger.get() {
                ledger.settle(&first, Counts { accepted: 1, ..Counts::default() });
            }
            Box::pin(async { Ok(Written) })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_delivered_and_cannot_be_settled_ends_its_lane_and_is_not_sent_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = "[sinks.out]\nstdout = {}\n";
        let mut config = read(file, "f.toml", &Environment::fixed([])).expect("nothing is wrong");
        config.journal.path = folder.path().to_owned();
        let (journal, writer) =
            Journal::open(Options::new(&config.journal)).await.expect("a journal");
        let writing = tokio::spawn(writer.run());
        let meddler = Meddler::default();
        let wires: Arc<dyn Wires> = Arc::new(meddler.clone());
        let ending = Ending { drain: CancellationToken::new(), stop: CancellationToken::new() };
        let mut built = lanes(config, &journal, &wires, &ending).await.expect("a lane");
        let Built { source, walk } = built.remove(0);
        meddler.ledger.set(source.ledger.clone()).expect("set once");
        let mut appender = journal.appender(Stream::Alert);
        for _ in 0..2 {
            appender.append(Kind::Event, b"");
        }
        drop(appender);
        writing.await.expect("the writer ends");
        timeout(Duration::from_secs(600), walk).await.expect("the lane ends");
        assert_eq!((meddler.calls.load(Relaxed), source.meter.state()), (1, LaneState::Stopped));
        assert!(source.meter.last_error().is_some_and(|why| why.contains("settled once")));
        let [alerts, ..] = source.ledger.accounts(&journal);
        assert!(alerts.balances() && alerts.pending == 1, "{alerts:?}");
    }
}
