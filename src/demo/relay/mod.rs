//! The built-in relay: a real gRPC server that speaks `feeder.LogService` as KubeArmor's does.
//!
//! What it is given to publish goes at once to every subscriber's own short queue; what finds that
//! queue full is lost and counted, which the real one does not do. It neither makes events nor
//! looks into them. Tests, the demo and the benchmark run against it, and may end its streams, cut
//! its lines or hold its health checks back.

mod line;
mod queues;
mod service;
#[cfg(test)]
mod tests;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::Bytes;
use sidearm_sinks::contract::Stream;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tonic::{
    Status,
    transport::{Error, Server, server::TcpIncoming},
};

use line::Line;
pub use queues::SubscriberReport;
use service::{Desk, LogService};

/// The real relay pings an idle connection this often, and cuts one that does not answer.
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// How long subscribers have, once it stops, to take what waits for them.
const GRACE: Duration = Duration::from_secs(1);

/// A relay without agents: whoever holds it is the cluster. Cheap to clone; clones are the same
/// relay.
#[derive(Debug, Clone, Default)]
pub struct BuiltInRelay {
    desk: Arc<Desk>,
    /// Cancelled, and replaced, when every line is to be cut.
    lines: Arc<Mutex<CancellationToken>>,
}

impl BuiltInRelay {
    /// A relay nobody has called yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Hands one message, as it stands on the wire, to every subscriber of the stream. Never
    /// waits: a subscriber whose queue is full loses it. With no subscriber it is gone.
    pub fn publish(&self, stream: Stream, message: Bytes) {
        self.desk.queues.publish(stream, &message);
    }

    /// Serves callers on a listening socket until `stop`, then as [`BuiltInRelay::serve`].
    pub async fn serve_tcp(
        &self,
        listener: TcpListener,
        stop: CancellationToken,
    ) -> Result<(), Error> {
        // Nagle's algorithm would hold single events back for the peer's delayed acknowledgement.
        self.serve(TcpIncoming::from(listener).with_nodelay(Some(true)), stop).await
    }

    /// Serves callers until `stop`: then streams end cleanly once their queues are empty, and
    /// after a second whoever is left is cut off.
    pub async fn serve<IO>(
        &self,
        incoming: impl tokio_stream::Stream<Item = io::Result<IO>>,
        stop: CancellationToken,
    ) -> Result<(), Error>
    where
        IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // tonic stops when no more callers can come; that is `stop`'s alone to say.
        let incoming = incoming
            .map(|io| io.map(|io| Line::new(io, self.current_lines())))
            .chain(tokio_stream::pending());
        let server = Server::builder()
            .http2_keepalive_interval(Some(PING_EVERY))
            .http2_keepalive_timeout(Some(PING_TIMEOUT))
            .serve_with_incoming_shutdown(LogService(self.desk.clone()), incoming, async {
                stop.cancelled().await;
                self.end_streams(Status::ok(""));
            });
        let patience = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
            self.cut_lines();
            std::future::pending().await
        };
        tokio::select! {
            served = server => served,
            never = patience => never,
        }
    }

    /// What each subscriber was sent and lost, the first to come first; the longest gone are
    /// forgotten beyond 1,000.
    pub fn subscribers(&self) -> Vec<SubscriberReport> {
        self.desk.queues.report()
    }

    /// How many are subscribed to the stream now.
    pub fn subscribed(&self, stream: Stream) -> usize {
        self.desk.queues.subscribed(stream)
    }

    /// How many events may be published before the fullest queue of the stream loses one; none
    /// where nobody is subscribed.
    pub fn room(&self, stream: Stream) -> usize {
        self.desk.queues.room(stream)
    }

    /// How often the stream was asked for, in vain or not.
    pub fn openings(&self, stream: Stream) -> u64 {
        self.desk.openings[stream.index()].load(Relaxed)
    }

    /// How often its health was asked for.
    pub fn health_checks(&self) -> u64 {
        self.desk.health_checks.load(Relaxed)
    }

    /// Ends every open stream with this status, once what waits in its queue was sent.
    pub fn end_streams(&self, status: Status) {
        self.desk.queues.end(&status);
    }

    /// Cuts every line at once, as a killed process does.
    pub fn cut_lines(&self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *lines).cancel();
    }

    /// Whether health checks are answered; those held back are answered once this is true again.
    pub fn answer_health_checks(&self, answer: bool) {
        self.desk.answering.send_replace(answer);
    }

    /// Whether streams newly asked for end at once with status OK, as one with a filter the relay
    /// does not know.
    pub fn turn_away(&self, turn_away: bool) {
        self.desk.turning_away.store(turn_away, Relaxed);
    }

    fn current_lines(&self) -> CancellationToken {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
