//! One subscription, from connecting to its end.
//!
//! *Subscribed* cannot be observed on a quiet stream: a relay answers the call with its first
//! event. So the stream counts as open from the first event, or from the answer to a health check
//! that was sent behind the call on the same connection, whichever comes first. That is late
//! rather than early, so a gap never claims too little.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicI64, Ordering::Relaxed},
    },
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use buffa::Message as _;
use futures_util::TryFutureExt as _;
use sidearm_proto::feeder::RequestMessage;
use tokio::time::{Instant, sleep_until};
use tokio_stream::Stream;
use tonic::{Request, Status, Streaming, client::Grpc, transport::Channel};

use super::Watch;
use crate::{
    grpc::words,
    relay::{
        codec::Journalling,
        health,
        protocol::{path, watch_path},
    },
};

/// The filter that means everything, on every stream.
const FILTER_ALL: &str = "all";

/// The largest message taken; larger ones end the stream. Events stay far below it.
const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Messages taken before anything else gets its turn.
const MESSAGES_A_TURN: usize = 256;

/// How a session ended.
pub(super) struct End {
    /// In words.
    pub(super) reason: String,
    /// When the call was sent, if it was.
    pub(super) opened: Option<Instant>,
    /// How long the stream was open.
    pub(super) lived: Duration,
    /// The last moment the stream was known to be whole, in microseconds since 1970; none where
    /// it was never open.
    pub(super) whole_us: Option<i64>,
    /// Ended with status OK and without an event.
    pub(super) empty: bool,
}

/// One attempt at one stream.
pub(super) struct Session<'a> {
    watch: &'a Watch,
    opened: OnceLock<Instant>,
    subscribed: OnceLock<Instant>,
    whole_us: AtomicI64,
    received: AtomicBool,
}

/// What a turn of receiving came to.
struct Turn {
    /// Whether there were messages; all of them are in the journal's hands.
    received: bool,
    /// The end of the stream, behind them.
    end: Option<Result<(), Status>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(watch: &'a Watch) -> Self {
        Self {
            watch,
            opened: OnceLock::new(),
            subscribed: OnceLock::new(),
            whole_us: AtomicI64::new(0),
            received: AtomicBool::new(false),
        }
    }

    pub(super) async fn run(&self) -> End {
        match self.watch.connect.connect().await {
            Ok(channel) => match self.receive(channel).await {
                Ok(()) => self.end("the relay ended the stream".to_owned(), true),
                Err(reason) => self.end(reason, false),
            },
            Err(error) => self.end(error.to_string(), false),
        }
    }

    /// Receives until the stream ends, cleanly or with a reason.
    async fn receive(&self, channel: Channel) -> Result<(), String> {
        let mut messages = pin!(self.open(channel.clone()).try_flatten_stream());
        let mut pulse = pin!(health::pulse(&channel, &self.watch.timing, || self.whole()));
        loop {
            let due = self.watch.appender.lock().due();
            tokio::select! {
                biased; // messages first: the call is sent ahead of the health check, too
                turn = take(messages.as_mut()) => {
                    if turn.received {
                        self.received.store(true, Relaxed);
                        self.whole();
                    }
                    if let Some(end) = turn.end {
                        return end.map_err(|status| {
                            format!("the stream broke off: {}", words::status(&status))
                        });
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.watch.appender.lock().seal();
                }
                reason = &mut pulse => return Err(reason),
            }
        }
    }

    /// Sends the call and waits for its headers, however long: they come with the first event.
    async fn open(&self, channel: Channel) -> Result<Streaming<()>, Status> {
        let mut client = Grpc::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        client.ready().await.map_err(|error| Status::unavailable(words::causes(&error)))?;
        self.opened.get_or_init(Instant::now);
        let request = RequestMessage { Filter: FILTER_ALL.to_owned() };
        let request = Request::new(request.encode_to_bytes());
        let call = path(watch_path(self.watch.stream));
        let codec = Journalling(self.watch.appender.clone());
        let response = client.server_streaming(request, call, codec).await?;
        // Headers that hold the status already are an end without an event. Else the first event
        // is here, not yet read: the gap must go ahead of it.
        if response.metadata().get("grpc-status").is_none() {
            self.whole();
        }
        Ok(response.into_inner())
    }

    /// The stream is open, and nothing that came on it is missing.
    fn whole(&self) {
        let now_us = now_us();
        self.whole_us.store(now_us, Relaxed);
        if self.subscribed.set(Instant::now()).is_ok() {
            self.watch.end_outage(now_us);
            self.watch.status.set_connected(self.watch.stream, true);
            let (stream, address) = (self.watch.stream.name(), self.watch.status.address());
            tracing::info!(stream, address, "receiving");
        }
    }

    fn end(&self, reason: String, clean: bool) -> End {
        let subscribed = self.subscribed.get();
        End {
            reason,
            opened: self.opened.get().copied(),
            lived: subscribed.map_or(Duration::ZERO, Instant::elapsed),
            whole_us: subscribed.map(|_| self.whole_us.load(Relaxed)),
            empty: clean && !self.received.load(Relaxed),
        }
    }
}

/// Takes what has come, up to a turn's worth; waits for at least one message or the end.
async fn take(mut messages: Pin<&mut impl Stream<Item = Result<(), Status>>>) -> Turn {
    poll_fn(|cx| {
        let mut received = false;
        for _ in 0..MESSAGES_A_TURN {
            match messages.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(()))) => received = true,
                Poll::Ready(Some(Err(status))) => {
                    return Poll::Ready(Turn { received, end: Some(Err(status)) });
                }
                Poll::Ready(None) => return Poll::Ready(Turn { received, end: Some(Ok(())) }),
                Poll::Pending if received => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Turn { received, end: None })
    })
    .await
}

fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
