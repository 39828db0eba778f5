//! One message for many like events: what it tells beside the event it shows.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of message an event is shown in, where it is not the event's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Telling {
    /// More events of an incident that was told already.
    Repeats,
    /// The incident has been quiet for a whole window: destinations that keep incidents open
    /// close it now.
    Quiet,
    /// Events that were held back because the hour's messages were used up; of several incidents,
    /// one of which is shown.
    Held,
}

impl Telling {
    /// Its name in templates and filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Repeats => "repeats",
            Self::Quiet => "quiet",
            Self::Held => "held",
        }
    }
}

/// What a message tells beside the event it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest {
    /// What kind of message it is.
    pub telling: Telling,
    /// Events it stands for, none of which was told before. 0 where all is quiet.
    pub events: u64,
    /// The incidents they are of; 1 unless they were held.
    pub incidents: u64,
    /// When the first of them happened, in microseconds since 1970.
    pub first_us: i64,
    /// When the last of them happened, in microseconds since 1970.
    pub last_us: i64,
    /// The pods (else hosts) they happened in, the most frequent first, and how often.
    pub pods: Vec<(String, u64)>,
    /// The processes, likewise.
    pub processes: Vec<(String, u64)>,
}

/// How a destination wants like events told, where it wants that at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestDefaults {
    /// How long after a message of an incident the next is due at the earliest.
    pub every: Duration,
    /// Messages an hour at most; what goes beyond is told by one message at the hour's end.
    pub per_hour: u32,
    /// Whether it keeps incidents open, so that it must be told when one is quiet.
    pub resolves: bool,
}
