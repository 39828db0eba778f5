//! A house to test in: a built-in relay, an engine on a temporary folder, scripted destinations.

use std::{path::Path, sync::Arc, time::Duration};

use buffa::{
    Message as _,
    encoding::{Tag, WireType, encode_varint},
};
use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use sidearm::{
    config::{self, Environment},
    demo::{relay::BuiltInRelay, scenario::Scenario},
    engine::{Engine, Parts},
    journal::{Disk, RealDisk},
    relay::{Connect, ConnectError, Timing, channel},
    status::{SinkView, Status},
    wire::Wires,
};
use sidearm_proto::feeder;
use sidearm_sinks::contract::Stream;
use tokio::{io::DuplexStream, sync::mpsc, task::JoinHandle, time::sleep};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

/// A sink whose events count as soon as they are taken.
pub(crate) const ONE_SINK: &str = r#"
    [sinks.siem]
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

/// Bytes a pipe between engine and relay holds.
const PIPE_BYTES: usize = 1 << 20;
/// Far from the numbers that KubeArmor gives its fields.
const UNKNOWN_FIELD: u32 = 1_000;

/// A relay, and the story it tells.
pub(crate) struct House {
    pub(crate) relay: BuiltInRelay,
    calls: mpsc::Sender<DuplexStream>,
    server: JoinHandle<()>,
    story: Scenario,
    noise: StdRng,
    /// Events published so far, by stream.
    pub(crate) published: [Vec<u64>; 3],
}

impl House {
    pub(crate) fn new(seed: u64) -> Self {
        let (calls, incoming) = mpsc::channel(8);
        let relay = BuiltInRelay::new();
        let serving = relay.clone();
        let server = tokio::spawn(async move {
            let incoming = tokio_stream::StreamExt::map(ReceiverStream::new(incoming), Ok);
            serving.serve(incoming, CancellationToken::new()).await.unwrap();
        });
        let story = Scenario::new(seed, 1_790_000_000_000_000);
        let noise = StdRng::seed_from_u64(seed);
        Self { relay, calls, server, story, noise, published: Default::default() }
    }

    /// Starts an engine on `folder`.
    pub(crate) async fn engine(
        &self,
        folder: &Path,
        config: &str,
        wires: impl Wires + 'static,
    ) -> Engine {
        self.engine_on(folder, config, wires, Arc::new(RealDisk)).await
    }

    /// Starts an engine on `folder` and a disk of the test's own.
    pub(crate) async fn engine_on(
        &self,
        folder: &Path,
        config: &str,
        wires: impl Wires + 'static,
        disk: Arc<dyn Disk>,
    ) -> Engine {
        let (config, parts) = self.parts(folder, config, wires, disk);
        Engine::start(config, parts).await.unwrap()
    }

    /// What an engine on `folder` is made of.
    pub(crate) fn parts(
        &self,
        folder: &Path,
        config: &str,
        wires: impl Wires + 'static,
        disk: Arc<dyn Disk>,
    ) -> (config::Config, Parts) {
        let mut config = read(config);
        config.journal.path = folder.to_owned();
        config.admin.listen = None;
        let parts = Parts {
            connect: Arc::new(Piped(self.calls.clone())),
            timing: Timing::default(),
            wires: Arc::new(wires),
            disk,
        };
        (config, parts)
    }

    /// Waits until the relay has a subscriber for a stream.
    pub(crate) async fn subscribed(&self, stream: Stream) {
        eventually("a subscription", || self.relay.subscribed(stream) > 0).await;
    }

    /// Publishes `count` events of a stream, no faster than a relay's queue bears.
    pub(crate) async fn publish(&mut self, stream: Stream, count: usize) {
        self.publish_larger(stream, count, 0).await;
    }

    /// The same with events that are so much larger and do not compress.
    pub(crate) async fn publish_larger(&mut self, stream: Stream, count: usize, more_bytes: usize) {
        for sent in 0..count {
            let mut message = self.story.next_of(stream, 1_790_000_000_000_000 + sent as i64);
            if more_bytes > 0 {
                message = self.larger(&message, more_bytes);
            }
            self.published[stream.index()].push(self.story.number());
            self.relay.publish(stream, message);
            if sent % 200 == 199 {
                sleep(Duration::from_millis(10)).await;
            }
        }
        sleep(Duration::from_millis(50)).await;
    }

    /// Publishes `count` alerts that differ in their number alone.
    pub(crate) async fn publish_alike(&mut self, alert: &feeder::Alert, count: usize) {
        for _ in 0..count {
            let number = self.published[Stream::Alert.index()].len() as u64 + 1;
            let mut alert = alert.clone();
            alert.ExecEvent =
                feeder::ExecEvent { ExecID: number.to_string(), ..Default::default() }.into();
            self.published[Stream::Alert.index()].push(number);
            self.relay.publish(Stream::Alert, alert.encode_to_vec().into());
            if number.is_multiple_of(200) {
                sleep(Duration::from_millis(10)).await;
            }
        }
        sleep(Duration::from_millis(50)).await;
    }

    /// A field that KubeArmor does not have yet is kept, and sent on to nobody: it fills the journal and leaves the destinations' script quick to read.
    fn larger(&mut self, message: &Bytes, more_bytes: usize) -> Bytes {
        let mut noise = vec![0; more_bytes];
        self.noise.fill_bytes(&mut noise);
        let mut larger = BytesMut::from(&message[..]);
        Tag::new(UNKNOWN_FIELD, WireType::LengthDelimited).encode(&mut larger);
        encode_varint(more_bytes as u64, &mut larger);
        larger.extend_from_slice(&noise);
        larger.freeze()
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Reads a configuration that must be right; a secret may lie in a file.
pub(crate) fn read(text: &str) -> config::Config {
    match config::read(text, "test.toml", &Environment::process()) {
        Ok(config) => config,
        Err(problems) => panic!("{problems}"),
    }
}

/// Waits, on the paused clock, until something holds; fails after ten minutes of it.
pub(crate) async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..60_000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{what}: not within ten minutes");
}

/// One sink's books, which balance.
pub(crate) fn books(status: &Status, sink: &str) -> SinkView {
    let view = status.sinks[sink].clone();
    assert!(view.ledger.balances(), "the ledger of {sink} balances: {:?}", view.ledger);
    for (stream, account) in &view.streams {
        assert!(account.balances(), "the ledger of {sink}'s {stream} balances: {account:?}");
    }
    view
}

/// The way to the relay: an in-memory pipe.
struct Piped(mpsc::Sender<DuplexStream>);

impl Connect for Piped {
    fn connect(&self) -> BoxFuture<'_, Result<Channel, ConnectError>> {
        Box::pin(async {
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            // A relay that is gone takes no call: the pipe then ends at once.
            let _ = self.0.send(far).await;
            channel(near, "relay:32767").await
        })
    }
}
