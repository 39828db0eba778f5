//! How a relay is waited for, by the hour: silence, absence, hanging up.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use sidearm::{
    config::JournalConfig,
    demo::relay::BuiltInRelay,
    journal::{Journal, Options},
    relay::{Connect, ConnectError, RelayStatus, Timing, Watch, channel},
};
use sidearm_sinks::contract::Stream;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex},
    sync::mpsc,
    time::{Instant, sleep},
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::Channel;

const PIPE_BYTES: usize = 1 << 20;
const MINUTE: Duration = Duration::from_secs(60);

/// A relay behind in-memory pipes, one watch on it, and what passes between them.
struct Line {
    relay: BuiltInRelay,
    status: Arc<RelayStatus>,
    pipes: Arc<Pipes>,
    _folder: TempDir,
    _stop: DropGuard,
}

/// The way to the relay.
struct Pipes {
    calls: mpsc::Sender<DuplexStream>,
    /// No connection comes about while this holds.
    down: AtomicBool,
    attempts: Mutex<Vec<Instant>>,
    seen: Arc<Frames>,
}

/// HTTP/2 PING frames the client sent.
#[derive(Default)]
struct Frames {
    pings: AtomicUsize,
    answers: AtomicUsize,
}

impl Line {
    async fn new(stream: Stream) -> Self {
        let relay = BuiltInRelay::new();
        let (calls, incoming) = mpsc::channel(8);
        let stop = CancellationToken::new();
        let (served, token) = (relay.clone(), stop.clone());
        tokio::spawn(async move {
            served.serve(ReceiverStream::new(incoming).map(Ok), token).await.expect("it serves");
        });
        let folder = tempfile::tempdir().expect("a folder");
        let config = JournalConfig { path: folder.path().to_owned(), ..JournalConfig::default() };
        let (journal, writer) = Journal::open(Options::new(&config)).await.expect("a journal");
        tokio::spawn(writer.run());
        let pipes = Arc::new(Pipes {
            calls,
            down: AtomicBool::new(false),
            attempts: Mutex::default(),
            seen: Arc::default(),
        });
        let status = Arc::new(RelayStatus::new("relay:32767"));
        let appender = journal.appender(stream);
        let watch = Watch::new(stream, pipes.clone(), appender, None, status.clone());
        tokio::spawn(watch.run(stop.clone()));
        Self { relay, status, pipes, _folder: folder, _stop: stop.drop_guard() }
    }

    /// The waits between one attempt and the next.
    fn waits(&self) -> Vec<Duration> {
        let attempts = self.pipes.attempts.lock().expect("no panic");
        attempts.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }
}

impl Connect for Pipes {
    fn connect(&self) -> BoxFuture<'_, Result<Channel, ConnectError>> {
        self.attempts.lock().expect("no panic").push(Instant::now());
        Box::pin(async {
            let (near, far) = duplex(PIPE_BYTES);
            if !self.down.load(Relaxed) {
                self.calls.send(far).await.expect("it is served");
            }
            channel(Tap { io: near, written: Vec::new(), seen: self.seen.clone() }, "relay:1").await
        })
    }
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_of_silence_are_no_outage_and_no_ping_is_sent() {
    let line = Line::new(Stream::Alert).await;
    sleep(10 * MINUTE).await;
    assert!(line.waits().is_empty(), "it was opened once");
    assert!(line.status.connected(Stream::Alert));
    let checks = line.relay.health_checks();
    assert!((39..=41).contains(&checks), "one health check every 15 s, but {checks}");
    // The relay pings every 5 s, which shows that pings are seen at all.
    assert!(line.pipes.seen.answers.load(Relaxed) >= 119);
    assert_eq!(line.pipes.seen.pings.load(Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_relay_that_answers_nothing_is_left_within_a_minute() {
    let line = Line::new(Stream::Alert).await;
    sleep(MINUTE).await;
    line.relay.answer_health_checks(false);
    sleep(MINUTE + Duration::from_secs(1)).await;
    assert_eq!(line.relay.openings(Stream::Alert), 2);
    assert!(!line.status.connected(Stream::Alert));
}

#[tokio::test(start_paused = true)]
async fn an_absent_relay_is_tried_for_ever_at_decent_intervals() {
    let line = Line::new(Stream::Message).await;
    sleep(MINUTE).await;
    line.pipes.down.store(true, Relaxed);
    line.relay.cut_lines();
    sleep(24 * 60 * MINUTE).await;
    let waits = &line.waits()[1..];
    let timing = Timing::default();
    let slack = Duration::from_millis(2);
    assert!(waits.len() > 24 * 60 * 2, "{} attempts", waits.len());
    assert!(waits.iter().all(|wait| *wait >= timing.shortest_wait));
    assert!(waits.iter().all(|wait| *wait <= timing.longest_wait + slack));
    line.pipes.down.store(false, Relaxed);
    sleep(MINUTE).await;
    assert!(line.status.connected(Stream::Message));
    assert_eq!(line.status.gaps(), 1, "one outage, one gap");
}

#[tokio::test(start_paused = true)]
async fn logs_are_never_asked_for_twice_within_five_seconds() {
    let line = Line::new(Stream::Log).await;
    sleep(MINUTE).await;
    line.relay.turn_away(true);
    line.relay.cut_lines();
    sleep(10 * MINUTE).await;
    let waits = &line.waits()[1..];
    assert!(waits.len() > 20, "{} openings", waits.len());
    assert!(waits.iter().all(|wait| *wait >= Duration::from_secs(5)), "{waits:?}");
    // A stream that lived is opened again without delay.
    assert!(line.waits()[0] < MINUTE + Duration::from_secs(1));
}

/// Reads along with what the client writes.
struct Tap {
    io: DuplexStream,
    written: Vec<u8>,
    seen: Arc<Frames>,
}

impl Tap {
    /// Drops the client's greeting, then every whole frame, counting pings.
    fn read_frames(&mut self) {
        const GREETING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        const HEAD_BYTES: usize = 9;
        const PING: u8 = 6;
        const ACK: u8 = 1;
        if self.written.starts_with(GREETING) {
            self.written.drain(..GREETING.len());
        }
        while let [a, b, c, kind, flags, ..] = self.written[..] {
            let bytes = HEAD_BYTES + u32::from_be_bytes([0, a, b, c]) as usize;
            if self.written.len() < bytes {
                return;
            }
            if kind == PING {
                let answers = flags & ACK != 0;
                let count = if answers { &self.seen.answers } else { &self.seen.pings };
                count.fetch_add(1, Relaxed);
            }
            self.written.drain(..bytes);
        }
    }
}

impl AsyncRead for Tap {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Tap {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = wrote {
            self.written.extend_from_slice(&buf[..bytes]);
            self.read_frames();
        }
        wrote
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
