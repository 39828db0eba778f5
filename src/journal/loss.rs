//! What the journal itself had to lose, and the gap record that tells of it.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use buffa::Message as _;
use sidearm_proto::sidearm::Gap;

/// Events that were, or may have been, in a stream and are in no block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    /// How many; 0 where nobody can know.
    pub events: u64,
    /// When the first of them came, at the earliest, in microseconds since 1970.
    pub from_us: u64,
    /// When the last of them came, at the latest; none is when it is told.
    pub to_us: Option<u64>,
    /// Why, for a person.
    pub reason: &'static str,
    /// The file, set aside, that is marked once this is told.
    pub mark: Option<PathBuf>,
}

impl Loss {
    /// Both in one.
    pub(super) fn with(self, other: &Loss) -> Self {
        Self {
            events: self.events + other.events,
            from_us: self.from_us.min(other.from_us),
            to_us: self.to_us.zip(other.to_us).map(|(one, two)| one.max(two)),
            reason: self.reason,
            // Told again after a restart rather than never.
            mark: None,
        }
    }

    /// The message of a gap record that tells of it.
    pub(super) fn message(&self, now_us: u64) -> Vec<u8> {
        let micros = |us: u64| i64::try_from(us).unwrap_or(i64::MAX);
        Gap {
            FromMicros: micros(self.from_us),
            ToMicros: micros(self.to_us.unwrap_or(now_us)),
            Reason: self.reason.to_owned(),
            Lost: self.events,
        }
        .encode_to_vec()
    }
}

/// Now, in microseconds since 1970.
pub(super) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
