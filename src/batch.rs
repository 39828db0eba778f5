//! When a batch is full: events, bytes. Pure; how long it may wait is the lane's to watch.

use sidearm_sinks::contract::BatchBuilder;

use crate::config::BatchLimits;

/// Whether the batch takes no further event.
pub(crate) fn is_full(limits: &BatchLimits, batch: &BatchBuilder) -> bool {
    batch.len() >= limits.events || batch.bytes() >= limits.bytes
}

/// Whether the record just added made the batch too large, so that it belongs in the next one.
/// A record that is too large on its own goes alone: the destination shall say so itself.
pub(crate) fn overflowed(limits: &BatchLimits, batch: &BatchBuilder) -> bool {
    batch.len() > 1 && batch.bytes() > limits.bytes
}
