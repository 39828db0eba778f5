//! What a digest needs to know of an event.

use serde::{Deserialize, Serialize};
use sidearm_sinks::contract::{Event, Gravity, Stream, start_of};
use twox_hash::XxHash3_128;

use super::hex;

/// A pod's or a process' name in a digest, in bytes: room for a long path.
const MAX_NAME_BYTES: usize = 256;

/// Names an incident of one stream: a hash of its key, which may be as long as a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Key(#[serde(with = "hex")] pub(super) u128);

/// How much a person would want to know at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rank {
    pub(super) gravity: Gravity,
    pub(super) blocked: bool,
}

/// One event, as a digest sees it.
#[derive(Debug, Clone)]
pub(crate) struct Sight {
    pub(super) key: Key,
    pub(super) stream: Stream,
    /// Whether it says that events may be missing, which is told whatever the hour has room for.
    pub(super) is_gap: bool,
    pub(super) rank: Rank,
    pub(super) time_us: i64,
    /// The pod, else the host.
    pub(super) pod: String,
    pub(super) process: String,
}

impl Sight {
    pub(crate) fn of(event: &Event<'_>) -> Self {
        let stream = event.stream();
        let hash = XxHash3_128::oneshot_with_seed(stream as u64, event.incident_key().as_bytes());
        let pod = if event.pod().is_empty() { event.host() } else { event.pod() };
        Self {
            key: Key(hash),
            stream,
            is_gap: event.is_gap(),
            rank: Rank { gravity: event.gravity(), blocked: event.blocked() },
            time_us: event.time_us(),
            pod: short(pod),
            process: short(event.process()),
        }
    }
}

impl Rank {
    /// Whether it is graver than all before, or the first that was blocked.
    pub(super) fn rises_above(self, before: Rank) -> bool {
        self.gravity > before.gravity || (self.blocked && !before.blocked)
    }

    pub(super) fn raise(&mut self, other: Rank) {
        self.gravity = self.gravity.max(other.gravity);
        self.blocked |= other.blocked;
    }
}

impl Default for Rank {
    fn default() -> Self {
        Self { gravity: Gravity::Info, blocked: false }
    }
}

fn short(name: &str) -> String {
    start_of(name, MAX_NAME_BYTES).to_owned()
}
