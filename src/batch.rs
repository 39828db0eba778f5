//! What a lane takes in hand at once, and when a batch is full: events, bytes. Pure; how long a
//! batch may wait is the lane's to watch.

use std::ops::Range;

use sidearm_sinks::contract::{Batch, BatchBuilder, Stream};

use crate::{
    config::BatchLimits,
    digest::{Absorbed, DigestMessage},
    journal::cursor::Counts,
};

/// A span of one stream, taken in hand; or, with an empty span, a message that stands for many
/// events of spans settled before.
pub(crate) struct Filled {
    pub(crate) stream: Stream,
    pub(crate) span: Range<u64>,
    /// When its first block was received, in microseconds since 1970.
    pub(crate) received_us: u64,
    /// The records; nothing where no event of the span is for this sink.
    pub(crate) batch: Option<Batch>,
    /// Events that can never be a record, and why. They are set aside before the batch is sent.
    pub(crate) dead: Vec<(u64, String)>,
    /// How many were not for this sink, and how many another message tells of.
    pub(crate) counts: Counts,
    /// What it does to the lane's incidents.
    pub(crate) absorbed: Absorbed,
    /// What its only record tells of; nothing where each record is its own event.
    pub(crate) digest: Option<DigestMessage>,
}

impl Filled {
    /// Whether nothing of it is left to do.
    pub(crate) fn is_settled(&self) -> bool {
        self.batch.is_none() && self.dead.is_empty()
    }
}

/// Whether the batch takes no further event.
pub(crate) fn is_full(limits: &BatchLimits, batch: &BatchBuilder) -> bool {
    batch.len() >= limits.events || batch.bytes() >= limits.bytes
}

/// Whether the record just added made the batch too large, so that it belongs in the next one.
/// A record that is too large on its own goes alone: the destination shall say so itself.
pub(crate) fn overflowed(limits: &BatchLimits, batch: &BatchBuilder) -> bool {
    batch.len() > 1 && batch.bytes() > limits.bytes
}
