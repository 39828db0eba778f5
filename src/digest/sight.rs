//! What a digest needs to know of an event.

use std::fmt;

use super::shown::start_of;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sidearm_sinks::contract::{Event, Gravity, Stream};
use twox_hash::XxHash3_128;

/// A pod's or a process' name in a digest, in bytes: room for a long path.
const MAX_NAME_BYTES: usize = 256;

/// Names an incident of one stream: a hash of its key, which may be as long as a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key(pub(super) u128);

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
    pub(super) rank: Rank,
    pub(super) time_us: i64,
    /// The pod, else the host.
    pub(super) pod: String,
    pub(super) process: String,
}

impl Sight {
    /// Nothing for what is never absorbed: gap records, and notices that alerts are throttled.
    pub(crate) fn of(event: &Event<'_>) -> Option<Self> {
        if event.is_gap() || event.is_throttle_notice() {
            return None;
        }
        let stream = event.stream();
        let hash = XxHash3_128::oneshot_with_seed(stream as u64, event.incident_key().as_bytes());
        let pod = if event.pod().is_empty() { event.host() } else { event.pod() };
        Some(Self {
            key: Key(hash),
            stream,
            rank: Rank { gravity: event.gravity(), blocked: event.blocked() },
            time_us: event.time_us(),
            pod: short(pod),
            process: short(event.process()),
        })
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

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(D::Error::custom)
    }
}
