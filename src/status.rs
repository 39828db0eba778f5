//! What the engine tells of itself: one snapshot, for `/api/status`, `/metrics`, the demo and the
//! report at the end. Reading it disturbs nothing.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use serde::Serialize;
use sidearm_sinks::contract::Stream;

use crate::{
    digest::DigestView,
    journal::{Journal, JournalStatus},
    ledger::{Account, Ledger},
    meter::{LaneState, Meter, SECONDS},
    relay::RelayStatus,
    wire::Figure,
};

/// Everything there is to tell.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The program's version.
    pub version: &'static str,
    /// The relay, as seen from here.
    pub relay: RelayView,
    /// The journal.
    pub journal: JournalStatus,
    /// Each sink by its name.
    pub sinks: BTreeMap<String, SinkView>,
}

/// The relay, as seen from here.
#[derive(Debug, Clone, Serialize)]
pub struct RelayView {
    /// Its address, as configured.
    pub address: String,
    /// Whether its health call answers.
    pub healthy: bool,
    /// Whether each subscribed stream stands.
    pub connected: BTreeMap<&'static str, bool>,
    /// Interruptions since the start.
    pub gaps: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
}

/// One sink.
#[derive(Debug, Clone, Serialize)]
pub struct SinkView {
    /// The kind of destination.
    pub kind: &'static str,
    /// What its lane is doing.
    pub state: LaneState,
    /// Its ledger, all streams together.
    #[serde(flatten)]
    pub ledger: Account,
    /// Its ledger by stream.
    pub streams: BTreeMap<&'static str, Account>,
    /// How long the oldest event without a final fate has been waiting, in seconds; 0 where none
    /// is.
    pub lag_seconds: f64,
    /// Where like events are told together: what is so absorbed at present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestView>,
    /// Attempts by how they ended.
    pub requests: BTreeMap<&'static str, u64>,
    /// Events taken because their filter could not be evaluated.
    pub filter_errors: u64,
    /// The last thing that went wrong.
    pub last_error: Option<String>,
    /// How long attempts took.
    #[serde(skip)]
    pub request_seconds: RequestSeconds,
    /// What its wire counts of itself.
    #[serde(skip)]
    pub figures: Vec<Figure>,
}

/// A histogram of how long attempts took.
#[derive(Debug, Clone)]
pub struct RequestSeconds {
    /// Attempts in each bucket, not cumulated; the last is above all of `BOUNDS`.
    pub buckets: [u64; SECONDS.len() + 1],
    /// Seconds of all attempts together.
    pub sum: f64,
}

impl RequestSeconds {
    /// Upper bounds of the buckets, in seconds.
    pub const BOUNDS: [f64; SECONDS.len()] = SECONDS;
}

/// Where the status is read from. Cheap to clone.
#[derive(Clone)]
pub struct StatusSource {
    pub(crate) relay: Arc<RelayStatus>,
    pub(crate) streams: Arc<[Stream]>,
    pub(crate) journal: Journal,
    pub(crate) lanes: Arc<[LaneSource]>,
}

/// One lane's part of it.
pub(crate) struct LaneSource {
    pub(crate) name: Arc<str>,
    pub(crate) kind: &'static str,
    pub(crate) streams: Vec<Stream>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) figures: Figures,
}

/// Asks a lane's wire, as it stands now, what it counts of itself.
pub(crate) type Figures = Arc<dyn Fn() -> Vec<Figure> + Send + Sync>;

impl StatusSource {
    /// A snapshot.
    pub fn read(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION"),
            relay: self.relay(),
            journal: self.journal.status(),
            sinks: self
                .lanes
                .iter()
                .map(|lane| (lane.name.to_string(), lane.view(&self.journal)))
                .collect(),
        }
    }

    /// Whether events are received and kept: the relay answers and the journal can be written.
    pub fn is_ready(&self) -> bool {
        self.relay.healthy() && self.journal.status().writable
    }

    fn relay(&self) -> RelayView {
        let connected = |stream: &Stream| (stream.name(), self.relay.connected(*stream));
        RelayView {
            address: self.relay.address().to_owned(),
            healthy: self.relay.healthy(),
            connected: self.streams.iter().map(connected).collect(),
            gaps: self.relay.gaps(),
            last_error: self.relay.last_error(),
        }
    }
}

impl LaneSource {
    fn view(&self, journal: &Journal) -> SinkView {
        let accounts = self.ledger.accounts(journal);
        let ledger = Account::total(&accounts);
        let (buckets, sum) = self.meter.times();
        let account = |stream: &Stream| (stream.name(), accounts[stream.index()]);
        SinkView {
            kind: self.kind,
            state: self.meter.state(),
            ledger,
            streams: self.streams.iter().map(account).collect(),
            lag_seconds: if ledger.pending == 0 { 0.0 } else { age(self.ledger.oldest_us()) },
            digest: self.ledger.digest(),
            requests: self.meter.outcomes().filter(|(_, count)| *count > 0).collect(),
            filter_errors: self.meter.filter_errors(),
            last_error: self.meter.last_error(),
            request_seconds: RequestSeconds { buckets, sum },
            figures: (self.figures)(),
        }
    }
}

/// Seconds since a moment in microseconds since 1970; 0 where it is not known.
fn age(since_us: u64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as u64);
    if since_us == 0 { 0.0 } else { now.saturating_sub(since_us) as f64 / 1e6 }
}
