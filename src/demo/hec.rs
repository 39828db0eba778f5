//! A Splunk HTTP Event Collector that holds its callers to the vendor's rules.
//!
//! Owns a server on a listener that is given to it, what it has counted and seen, and the troubles
//! a test may put it through. It is stricter than kind: what Splunk refuses is refused with the
//! same status and code, what Splunk indexes before it refuses counts as taken. It keeps no event.

mod acks;
mod answer;
mod connection;
mod rules;
mod server;
mod trouble;

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::{rules::Seen, trouble::Trouble};

use self::acks::Acks;

/// Troubles that may stand in the script at once.
const SCRIPT_MAX: usize = 4_096;

/// How the stand-in is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The only token it takes.
    pub token: String,
    /// The indexes the token may write to; none allows all.
    pub indexes: Vec<String>,
    /// Whether the token asks for indexer acknowledgement (`useACK`).
    pub acknowledge: bool,
    /// Bytes of a body, as it came, that it takes at most (`max_content_length`); a larger one is
    /// answered 413. None is Splunk Cloud, which has a limit of its own and another answer.
    pub max_content_bytes: Option<usize>,
    /// How many events it remembers, oldest first, in [`Hec::seen`]. Those beyond are counted only.
    pub remember_events_max: usize,
    /// Reads bodies and counts requests and bytes, and looks at nothing else: for benchmarks.
    pub discard: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            token: "11111111-2222-3333-4444-555555555555".to_owned(),
            indexes: Vec::new(),
            acknowledge: false,
            max_content_bytes: None,
            remember_events_max: 0,
            discard: false,
        }
    }
}

/// What it has counted since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Requests with events, whatever came of them.
    pub requests: u64,
    /// Bytes of their bodies, as they came (compressed).
    pub bytes: u64,
    /// Events taken. An event sent twice counts twice. None where bodies are discarded.
    pub events: u64,
    /// Requests with events that were answered with anything but success, or not at all.
    pub refused: u64,
    /// Questions for acknowledgements.
    pub polls: u64,
}

/// The stand-in. A handle: clones are the same server, and what it has counted, seen and been
/// told outlives a stop and a new start.
#[derive(Debug, Clone)]
pub struct Hec {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    settings: Settings,
    counters: Counters,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Counters {
    requests: AtomicU64,
    bytes: AtomicU64,
    events: AtomicU64,
    refused: AtomicU64,
    polls: AtomicU64,
}

#[derive(Debug, Default)]
struct Memory {
    seen: Vec<Seen>,
    acks: Acks,
    standing: Option<Trouble>,
    script: VecDeque<Option<Trouble>>,
}

impl Hec {
    /// One that has seen nothing yet.
    pub fn new(settings: Settings) -> Self {
        let inner = Inner { settings, counters: Counters::default(), memory: Mutex::default() };
        Self { inner: Arc::new(inner) }
    }

    /// Serves on this listener until told to stop, then finishes what it is answering.
    ///
    /// # Errors
    /// Those of the listener.
    pub async fn serve(&self, listener: TcpListener, stop: CancellationToken) -> io::Result<()> {
        server::serve(self.clone(), listener, stop).await
    }

    /// What every request meets from now on; none ends it.
    pub fn set_trouble(&self, trouble: Option<Trouble>) {
        self.memory().standing = trouble;
    }

    /// What the next requests with events meet, one each, before the standing trouble holds again.
    /// No more than 4,096 are kept.
    pub fn script(&self, troubles: impl IntoIterator<Item = Option<Trouble>>) {
        let mut memory = self.memory();
        let room = SCRIPT_MAX.saturating_sub(memory.script.len());
        memory.script.extend(troubles.into_iter().take(room));
    }

    /// Whether acknowledgements are withheld: every question is then answered with `false`.
    pub fn hold_acknowledgements(&self, hold: bool) {
        self.memory().acks.hold(hold);
    }

    /// What it has counted.
    pub fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.inner.counters;
        Counts {
            requests: count(&counters.requests),
            bytes: count(&counters.bytes),
            events: count(&counters.events),
            refused: count(&counters.refused),
            polls: count(&counters.polls),
        }
    }

    /// The events it remembers, in the order in which they were taken.
    pub fn seen(&self) -> Vec<Seen> {
        self.memory().seen.clone()
    }

    fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.inner.memory.lock().expect("nobody panics while holding it")
    }

    /// The trouble the next request with events meets.
    fn next_trouble(&self) -> Option<Trouble> {
        let mut memory = self.memory();
        memory.script.pop_front().unwrap_or(memory.standing)
    }

    fn standing_trouble(&self) -> Option<Trouble> {
        self.memory().standing
    }

    fn take(&self, events: Vec<Seen>) {
        self.inner.counters.events.fetch_add(events.len() as u64, Ordering::Relaxed);
        let mut memory = self.memory();
        let room = self.inner.settings.remember_events_max.saturating_sub(memory.seen.len());
        memory.seen.extend(events.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests;
