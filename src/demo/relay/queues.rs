//! A short queue for each subscriber, the newest dropped and counted when it is full.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use sidearm_sinks::contract::Stream;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tonic::{Code, Status};

/// Subscribers that are gone and still reported.
const MAX_GONE: usize = 1_000;

/// Events a queue holds: the real relay's lengths.
fn queue_events(stream: Stream) -> usize {
    match stream {
        Stream::Alert | Stream::Message => 1_000,
        Stream::Log => 10_000,
    }
}

/// What became of one subscriber's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriberReport {
    /// What it subscribed to.
    pub stream: Stream,
    /// Events taken from its queue to be sent.
    pub sent: u64,
    /// Events its full queue had no room for.
    pub lost: u64,
}

/// Everybody who is subscribed, or was.
#[derive(Debug, Default)]
pub(super) struct Queues {
    /// By [`Stream::index`].
    open: [RwLock<Vec<Subscriber>>; 3],
    tallies: Mutex<VecDeque<Arc<Tally>>>,
}

#[derive(Debug)]
struct Subscriber {
    queue: Sender<Bytes>,
    tally: Arc<Tally>,
}

#[derive(Debug)]
struct Tally {
    stream: Stream,
    sent: AtomicU64,
    lost: AtomicU64,
    /// How the stream ends once its queue is closed and empty.
    end: OnceLock<Status>,
}

/// The reading end of one subscriber's queue. Dropping it unsubscribes.
pub(super) struct Subscription {
    queue: Receiver<Bytes>,
    tally: Arc<Tally>,
    queues: Arc<Queues>,
}

impl Queues {
    pub(super) fn subscribe(self: &Arc<Self>, stream: Stream) -> Subscription {
        let (sender, queue) = mpsc::channel(queue_events(stream));
        let tally = Arc::new(Tally {
            stream,
            sent: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            end: OnceLock::new(),
        });
        let mut tallies = self.tallies();
        while tallies.len() >= MAX_GONE {
            tallies.pop_front();
        }
        tallies.push_back(tally.clone());
        drop(tallies);
        self.change(stream, |open| open.push(Subscriber { queue: sender, tally: tally.clone() }));
        Subscription { queue, tally, queues: self.clone() }
    }

    pub(super) fn publish(&self, stream: Stream, message: &Bytes) {
        let open = self.open[stream.index()].read().unwrap_or_else(PoisonError::into_inner);
        for subscriber in open.iter() {
            if let Err(mpsc::error::TrySendError::Full(_)) =
                subscriber.queue.try_send(message.clone())
            {
                subscriber.tally.lost.fetch_add(1, Relaxed);
            }
        }
    }

    /// Closes every queue; what waits in them is still sent, then the status.
    pub(super) fn end(&self, status: &Status) {
        for stream in Stream::ALL {
            self.change(stream, |open| {
                for subscriber in open.drain(..) {
                    // Set once: nothing that was drained here is ever drained again.
                    let _ = subscriber.tally.end.set(status.clone());
                }
            });
        }
    }

    pub(super) fn subscribed(&self, stream: Stream) -> usize {
        self.open[stream.index()].read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub(super) fn room(&self, stream: Stream) -> usize {
        let open = self.open[stream.index()].read().unwrap_or_else(PoisonError::into_inner);
        open.iter().map(|subscriber| subscriber.queue.capacity()).min().unwrap_or(0)
    }

    pub(super) fn report(&self) -> Vec<SubscriberReport> {
        let report = |tally: &Arc<Tally>| SubscriberReport {
            stream: tally.stream,
            sent: tally.sent.load(Relaxed),
            lost: tally.lost.load(Relaxed),
        };
        self.tallies().iter().map(report).collect()
    }

    fn change(&self, stream: Stream, change: impl FnOnce(&mut Vec<Subscriber>)) {
        change(&mut self.open[stream.index()].write().unwrap_or_else(PoisonError::into_inner));
    }

    fn tallies(&self) -> MutexGuard<'_, VecDeque<Arc<Tally>>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl tokio_stream::Stream for Subscription {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let message = ready!(self.queue.poll_recv(cx));
        if message.is_some() {
            self.tally.sent.fetch_add(1, Relaxed);
        }
        let end = || self.tally.end.get().filter(|end| end.code() != Code::Ok).cloned();
        Poll::Ready(message.map(Ok).or_else(|| end().map(Err)))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let tally = &self.tally;
        self.queues
            .change(tally.stream, |open| open.retain(|other| !Arc::ptr_eq(&other.tally, tally)));
    }
}
