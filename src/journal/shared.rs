//! What appenders, the writer and readers of one journal share.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use sidearm_sinks::contract::Stream;
use tokio::sync::{Notify, watch};

use super::{
    Options,
    cursors::LastSynced,
    damage::Damage,
    disk::Disk,
    lock::Lock,
    newest::{Ahead, Newest},
    segments::Segments,
    status::Health,
    sync::Unsynced,
    waiting::Waiting,
};
use crate::config::SyncPolicy;

/// Blocks read ahead for each stream, in bytes of records.
const AHEAD_BYTES: usize = 2 << 20;

/// One journal.
pub(super) struct Shared {
    /// The folder of the journal, its cursors and its lock.
    pub folder: PathBuf,
    pub disk: Arc<dyn Disk>,
    pub sync: SyncPolicy,
    pub streams: [StreamState; 3],
    /// Rung when the writer may have something to do.
    pub wake: Notify,
    pub unsynced: Unsynced,
    /// Counts publications and retention steps.
    pub changes: watch::Sender<u64>,
    waiting: Mutex<Waiting>,
    damage: Mutex<Damage>,
    health: Mutex<Health>,
    last_synced: Mutex<LastSynced>,
    /// Held until the last of them is gone, so that two processes never write at once.
    _lock: Lock,
}

/// One stream of it.
pub(super) struct StreamState {
    /// Where its segments lie.
    pub folder: PathBuf,
    /// Its budget on disk, in bytes.
    pub max_bytes: u64,
    head: AtomicU64,
    received: AtomicU64,
    damaged: AtomicU64,
    segments: Mutex<Segments>,
    newest: Mutex<Newest>,
    ahead: Mutex<Ahead>,
}

impl Shared {
    pub(super) fn new(options: Options, streams: [StreamState; 3], lock: Lock) -> Self {
        Self {
            folder: options.path,
            disk: options.disk,
            sync: options.sync,
            streams,
            wake: Notify::new(),
            unsynced: Unsynced::default(),
            changes: watch::Sender::new(0),
            waiting: Mutex::new(Waiting::new(options.max_waiting_bytes)),
            damage: Mutex::default(),
            health: Mutex::default(),
            last_synced: Mutex::default(),
            _lock: lock,
        }
    }

    pub(super) fn stream(&self, stream: Stream) -> &StreamState {
        &self.streams[stream.index()]
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        held(&self.waiting)
    }

    pub(super) fn damage(&self) -> MutexGuard<'_, Damage> {
        held(&self.damage)
    }

    pub(super) fn health(&self) -> MutexGuard<'_, Health> {
        held(&self.health)
    }

    pub(super) fn last_synced(&self) -> MutexGuard<'_, LastSynced> {
        held(&self.last_synced)
    }

    pub(super) fn note_damaged_piece(&self, stream: Stream) {
        self.stream(stream).damaged.fetch_add(1, Ordering::Relaxed);
    }

    /// Tells readers that there is more, or less, to read.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl StreamState {
    pub(super) fn new(
        folder: PathBuf,
        max_bytes: u64,
        memory_bytes: usize,
        segments: Segments,
        head: u64,
    ) -> Self {
        Self {
            folder,
            max_bytes,
            head: AtomicU64::new(head),
            received: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            segments: Mutex::new(segments),
            newest: Mutex::new(Newest::new(memory_bytes)),
            ahead: Mutex::new(Ahead::new(AHEAD_BYTES)),
        }
    }

    /// The oldest sequence number that may be read.
    pub(super) fn first(&self) -> u64 {
        self.segments().first().unwrap_or_else(|| self.head())
    }

    /// The sequence number behind the newest that may be read.
    pub(super) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Everything below `head` may be read; it must be in `newest` or in a segment by now.
    pub(super) fn publish(&self, head: u64, events: u64) {
        self.received.fetch_add(events, Ordering::Relaxed);
        self.head.store(head, Ordering::Release);
    }

    /// Events written since the journal was opened.
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Damaged pieces met since the journal was opened.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    pub(super) fn segments(&self) -> MutexGuard<'_, Segments> {
        held(&self.segments)
    }

    pub(super) fn newest(&self) -> MutexGuard<'_, Newest> {
        held(&self.newest)
    }

    pub(super) fn ahead(&self) -> MutexGuard<'_, Ahead> {
        held(&self.ahead)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding it")
}
