//! What is counted of a lane's requests, and the state people see it in.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use serde::Serialize;

/// How an attempt ended, for metrics. A verdict's own name, or why there was none.
pub(crate) const OUTCOMES: [&str; 12] = [
    "accepted",
    "partly",
    "later",
    "smaller",
    "never",
    "blocked",
    "ask",
    "each",
    "not_sent",
    "reply_lost",
    "unusable",
    "panicked",
];

/// Upper bounds of the request-time histogram, in seconds.
pub(crate) const SECONDS: [f64; 10] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// The state of a lane, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaneState {
    /// Delivering, or ready to.
    Running,
    /// Waiting out a destination in trouble.
    Waiting,
    /// Held for refused credentials or a refused address, until somebody acts.
    Parked,
    /// Ended.
    Stopped,
}

impl LaneState {
    /// All of them.
    pub const ALL: [LaneState; 4] = [Self::Running, Self::Waiting, Self::Parked, Self::Stopped];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Parked => "parked",
            Self::Stopped => "stopped",
        }
    }
}

/// What is counted of one lane.
#[derive(Debug)]
pub(crate) struct Meter {
    outcomes: [AtomicU64; OUTCOMES.len()],
    /// One bucket for each bound of [`SECONDS`], and one above them all.
    times: [AtomicU64; SECONDS.len() + 1],
    micros: AtomicU64,
    filter_errors: AtomicU64,
    shown: Mutex<Shown>,
}

#[derive(Debug, Clone)]
struct Shown {
    state: LaneState,
    last_error: Option<String>,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            outcomes: Default::default(),
            times: Default::default(),
            micros: AtomicU64::new(0),
            filter_errors: AtomicU64::new(0),
            shown: Mutex::new(Shown { state: LaneState::Running, last_error: None }),
        }
    }

    /// Counts an attempt by how it ended.
    pub(crate) fn count(&self, outcome: &'static str, took: Duration) {
        if let Some(place) = OUTCOMES.iter().position(|name| *name == outcome) {
            self.outcomes[place].fetch_add(1, Relaxed);
        }
        let seconds = took.as_secs_f64();
        let bucket = SECONDS.iter().position(|bound| seconds <= *bound).unwrap_or(SECONDS.len());
        self.times[bucket].fetch_add(1, Relaxed);
        self.micros.fetch_add(took.as_micros() as u64, Relaxed);
    }

    /// Counts an event that was taken because its filter could not be evaluated.
    pub(crate) fn filter_failed(&self) {
        self.filter_errors.fetch_add(1, Relaxed);
    }

    pub(crate) fn filter_errors(&self) -> u64 {
        self.filter_errors.load(Relaxed)
    }

    pub(crate) fn show(&self, state: LaneState) {
        self.shown.lock().expect("nothing panics in here").state = state;
    }

    pub(crate) fn trouble(&self, why: &str) {
        self.shown.lock().expect("nothing panics in here").last_error = Some(why.to_owned());
    }

    pub(crate) fn state(&self) -> LaneState {
        self.shown.lock().expect("nothing panics in here").state
    }

    pub(crate) fn last_error(&self) -> Option<String> {
        self.shown.lock().expect("nothing panics in here").last_error.clone()
    }

    /// Attempts by outcome, in the order of [`OUTCOMES`].
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        OUTCOMES.iter().zip(&self.outcomes).map(|(name, count)| (*name, count.load(Relaxed)))
    }

    /// The time requests took: how many in each bucket, and the seconds of all together.
    pub(crate) fn times(&self) -> ([u64; SECONDS.len() + 1], f64) {
        let buckets = std::array::from_fn(|place| self.times[place].load(Relaxed));
        (buckets, self.micros.load(Relaxed) as f64 / 1e6)
    }
}
