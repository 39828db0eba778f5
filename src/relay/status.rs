//! What is known of the relay, for metrics, health and status pages.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use sidearm_sinks::contract::Stream;

/// Written by the watches, read by whoever asks. Each value stands for itself.
#[derive(Debug)]
pub struct RelayStatus {
    address: String,
    /// By [`Stream::index`].
    connected: [AtomicBool; 3],
    healthy: AtomicBool,
    gaps: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl RelayStatus {
    /// Of a relay nobody has reached yet.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            connected: Default::default(),
            healthy: AtomicBool::new(false),
            gaps: AtomicU64::new(0),
            last_error: Mutex::new(None),
        }
    }

    /// Where the relay is, as configured.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether the stream is subscribed to now.
    pub fn connected(&self, stream: Stream) -> bool {
        self.connected[stream.index()].load(Relaxed)
    }

    /// Whether the relay answers health checks.
    pub fn healthy(&self) -> bool {
        self.healthy.load(Relaxed)
    }

    /// Gap records written since the start, over all streams.
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Relaxed)
    }

    /// The last thing that went wrong, in words; it stays when all is well again.
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_connected(&self, stream: Stream, connected: bool) {
        self.connected[stream.index()].store(connected, Relaxed);
    }

    pub(super) fn set_healthy(&self, healthy: bool) {
        self.healthy.store(healthy, Relaxed);
    }

    pub(super) fn add_gap(&self) {
        self.gaps.fetch_add(1, Relaxed);
    }

    pub(super) fn set_error(&self, error: &str) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
    }
}
