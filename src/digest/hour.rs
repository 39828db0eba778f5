//! The hour's messages: an hour begins with its first message and has so many at most.

use serde::{Deserialize, Serialize};

pub(super) const HOUR_US: u64 = 3_600_000_000;

/// The hour that runs; none before its first message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Hour(Option<Running>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    until_us: u64,
    messages: u32,
}

impl Hour {
    pub(super) fn is_none(&self) -> bool {
        self.0.is_none()
    }

    /// A clock that was set back makes it no longer.
    pub(super) fn resume(&mut self, now_us: u64) {
        if let Some(running) = &mut self.0 {
            running.until_us = running.until_us.min(now_us.saturating_add(HOUR_US));
        }
    }

    pub(super) fn runs(&self, now_us: u64) -> bool {
        self.0.is_some_and(|running| now_us < running.until_us)
    }

    /// When it ends.
    pub(super) fn end_us(&self) -> Option<u64> {
        self.0.map(|running| running.until_us)
    }

    /// Whether it has room for one more of so many messages.
    pub(super) fn has_leave(&self, per_hour: u32) -> bool {
        self.0.is_none_or(|running| running.messages < per_hour)
    }

    /// Counts a message, which begins an hour where none runs.
    pub(super) fn spend(&mut self, now_us: u64) {
        let until_us = now_us.saturating_add(HOUR_US);
        self.0.get_or_insert(Running { until_us, messages: 0 }).messages += 1;
    }
}
