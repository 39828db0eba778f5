//! What time it is, for what has to outlive a restart: the system's clock as it was at the start,
//! and the runtime's from there on, so that tests may pause it and no step of the clock is felt.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// The time of day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    start_us: u64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        Self { start: Instant::now(), start_us }
    }

    /// Now, in microseconds since 1970.
    pub(crate) fn now_us(&self) -> u64 {
        let elapsed_us = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.start_us.saturating_add(elapsed_us)
    }

    /// The runtime's reading at a moment in microseconds since 1970; a moment before the start is
    /// the start.
    pub(crate) fn instant(&self, at_us: u64) -> Instant {
        self.start + Duration::from_micros(at_us.saturating_sub(self.start_us))
    }
}
