//! How the journal is doing, for `/readyz`, `/metrics` and `/api/status`.

use std::fmt;

use serde::Serialize;
use sidearm_sinks::contract::Stream;

use super::shared::Shared;

/// How a journal is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournalStatus {
    /// Each stream, by [`Stream::index`].
    pub streams: [StreamStatus; 3],
    /// Whether the last write went well.
    pub writable: bool,
    /// The last trouble with the disk, for a person; it stays after the trouble has passed.
    pub last_error: Option<String>,
}

/// How one of its streams is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct StreamStatus {
    /// What it takes on disk.
    pub bytes: u64,
    /// What it may take.
    pub max_bytes: u64,
    /// The oldest sequence number that may be read.
    pub first: u64,
    /// The sequence number behind the newest.
    pub head: u64,
    /// Events written since the journal was opened.
    pub received: u64,
    /// Events refused since then, because the disk was full or too slow, or they were too large.
    pub refused: u64,
    /// Damaged pieces met since then.
    pub damaged: u64,
}

/// What writing is like at the moment.
#[derive(Debug)]
pub(super) struct Health {
    writable: bool,
    last_error: Option<String>,
}

impl Default for Health {
    fn default() -> Self {
        Self { writable: true, last_error: None }
    }
}

impl Health {
    /// Something went wrong; writing goes on.
    pub(super) fn erred(&mut self, error: impl fmt::Display) {
        self.last_error = Some(error.to_string());
    }

    /// Writing does not go on for now.
    pub(super) fn failed(&mut self, error: impl fmt::Display) {
        self.writable = false;
        self.erred(error);
    }

    /// Writing goes on.
    pub(super) fn recovered(&mut self) {
        self.writable = true;
    }
}

impl Shared {
    pub(super) fn status(&self) -> JournalStatus {
        let health = self.health();
        JournalStatus {
            streams: Stream::ALL.map(|stream| self.stream_status(stream)),
            writable: health.writable,
            last_error: health.last_error.clone(),
        }
    }

    fn stream_status(&self, stream: Stream) -> StreamStatus {
        let state = self.stream(stream);
        // Locked one after the other: `first` looks at the segments, too.
        let bytes = state.segments().bytes();
        let refused = self.waiting().refused(stream);
        StreamStatus {
            bytes,
            max_bytes: state.max_bytes,
            first: state.first(),
            head: state.head(),
            received: state.received(),
            refused,
            damaged: state.damaged(),
        }
    }
}
