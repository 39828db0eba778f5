//! The only queue: what the relay sent, kept until every lane has walked past it, or room is needed.
//!
//! Three streams, each a ring of segment files within its own budget. An [`Appender`] gathers
//! messages into blocks and never waits; the [`Writer`] numbers, compresses and writes them; lanes
//! read them by number, the newest from memory, and keep their place in [`SinkCursors`].
//! ```text
//! PATH/lock                                one process at a time
//! PATH/journal/FORMAT                      the version of everything below
//! PATH/journal/alerts/NUMBER.seg           blocks; the name is the first sequence number
//! PATH/cursors/SINK.cursors                what each sink has settled
//! PATH/damaged/STREAM-NUMBER-OFFSET.block  what could not be read, for a person to look at
//! ```

mod active;
mod appender;
mod block;
mod blocking;
pub mod cursor;
mod cursors;
mod damage;
mod disk;
mod disk_faults;
mod format;
mod lock;
mod loss;
mod newest;
mod open;
mod reader;
mod recovery;
mod retention;
mod rhythm;
mod scribe;
mod segments;
mod shared;
mod status;
mod sync;
mod waiting;
mod walk;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sidearm_sinks::contract::Stream;
use tokio::sync::watch;

use crate::config::{JournalConfig, SyncPolicy};
use blocking::blocking;
use shared::Shared;

pub use appender::{Appender, BLOCK_AGE};
pub use block::Block;
pub use cursors::SinkCursors;
pub use disk::{Disk, DiskFile, RealDisk};
pub use disk_faults::{FaultyDisk, Panics};
pub use open::OpenError;
pub use status::{JournalStatus, StreamStatus};
pub use writer::Writer;

/// What a journal may take, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the journal, the cursors and the lock.
    pub path: PathBuf,
    /// Each stream's room on disk, in bytes, by [`Stream::index`].
    pub max_bytes: [u64; 3],
    /// When written blocks are made safe from a power cut.
    pub sync: SyncPolicy,
    /// Each stream's newest blocks kept in memory, in bytes of records.
    pub memory_bytes_per_stream: usize,
    /// Blocks that may wait for a slow or full disk, of all streams, in bytes of records.
    pub max_waiting_bytes: usize,
    /// Where it all lies: [`RealDisk`], or in a test a [`FaultyDisk`].
    pub disk: Arc<dyn Disk>,
}

impl Options {
    /// What a configuration asks for, on the machine's disk.
    pub fn new(config: &JournalConfig) -> Self {
        let max_bytes = Stream::ALL.map(|stream| match stream {
            Stream::Alert => config.alerts.max.0,
            Stream::Message => config.messages.max.0,
            Stream::Log => config.logs.max.0,
        });
        Self {
            path: config.path.clone(),
            max_bytes,
            sync: config.sync,
            memory_bytes_per_stream: 4 << 20,
            max_waiting_bytes: 32 << 20,
            disk: Arc::new(RealDisk),
        }
    }
}

/// A journal that is open; clones are the same one.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

impl Journal {
    /// Opens a journal, or creates it. What was torn or damaged is left behind and told; only what
    /// [`OpenError`] names refuses to start. Nothing is written before the writer runs.
    pub async fn open(options: Options) -> Result<(Self, Writer), OpenError> {
        let scribe = blocking(move || open::open(options)).await?;
        let journal = Self { shared: Arc::clone(&scribe.shared) };
        Ok((journal, Writer::new(scribe)))
    }

    /// The receiving end of a stream; one at a time for each.
    pub fn appender(&self, stream: Stream) -> Appender {
        Appender::new(Arc::clone(&self.shared), stream)
    }

    /// The oldest sequence number that may be read.
    pub fn first(&self, stream: Stream) -> u64 {
        self.shared.stream(stream).first()
    }

    /// The sequence number behind the newest that may be read: the next event's.
    pub fn head(&self, stream: Stream) -> u64 {
        self.shared.stream(stream).head()
    }

    /// The block that holds `at`, or the next one behind it where `at` was given up for room or is
    /// damaged. None where nothing at or behind `at` can be read yet: wait for
    /// [`changes`](Self::changes).
    pub async fn read(&self, stream: Stream, at: u64) -> Option<Arc<Block>> {
        reader::read(&self.shared, stream, at).await
    }

    /// Changes with every publication and every retention step.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// How it is doing.
    pub fn status(&self) -> JournalStatus {
        self.shared.status()
    }

    /// Says that nothing is written any more: its writer, or what it works with, has ended.
    pub(crate) fn fail(&self, why: &str) {
        self.shared.health().failed(why);
    }

    /// What a sink has settled. All none for a new sink, which begins at the head; a damaged file
    /// is set aside and the sink begins at [`first`](Self::first) of each stream.
    pub async fn load_cursors(&self, sink: &str) -> io::Result<SinkCursors> {
        let (shared, sink) = (Arc::clone(&self.shared), sink.to_owned());
        blocking(move || cursors::load(&shared, &sink)).await
    }

    /// Keeps what a sink has settled; at any instant the old or the new is there.
    pub async fn save_cursors(&self, sink: &str, cursors: &SinkCursors) -> io::Result<()> {
        let (shared, sink, cursors) = (Arc::clone(&self.shared), sink.to_owned(), cursors.clone());
        blocking(move || cursors::save(&shared, &sink, &cursors)).await
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Path {
        &self.shared.folder
    }
}
