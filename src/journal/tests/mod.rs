//! The whole journal, from appender to reader, on a folder of its own.

mod damage;
mod faults;
mod ring;

use std::path::Path;

use sidearm_sinks::contract::Kind;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{
    cursor::{Counts, Cursor},
    *,
};

const MIB: u64 = 1 << 20;

/// An open journal whose writer runs.
struct Opened {
    journal: Journal,
    appender: Appender,
    writing: JoinHandle<()>,
    disk: FaultyDisk,
}

fn options(folder: &Path, disk: &FaultyDisk) -> Options {
    Options {
        path: folder.to_owned(),
        max_bytes: [64 * MIB; 3],
        sync: SyncPolicy::default(),
        memory_bytes_per_stream: 1 << 20,
        max_waiting_bytes: 4 << 20,
        disk: Arc::new(disk.clone()),
    }
}

impl Opened {
    async fn at(folder: &TempDir) -> Self {
        let disk = FaultyDisk::new();
        Self::with(options(folder.path(), &disk), disk).await
    }

    async fn with(options: Options, disk: FaultyDisk) -> Self {
        let (journal, writer) = Journal::open(options).await.expect("a journal");
        let appender = journal.appender(Stream::Alert);
        Self { journal, appender, writing: tokio::spawn(writer.run()), disk }
    }

    /// Appends messages as one block and waits until they can be read.
    async fn write(&mut self, messages: &[Vec<u8>]) {
        let head = self.journal.head(Stream::Alert) + messages.len() as u64;
        for message in messages {
            self.appender.append(Kind::Event, message);
        }
        self.appender.seal();
        self.until(|journal| journal.head(Stream::Alert) >= head).await;
    }

    /// Waits for a state of the journal that comes with a publication or a retention step.
    async fn until(&self, reached: impl Fn(&Journal) -> bool) {
        let mut changes = self.journal.changes();
        let journal = &self.journal;
        let wait = changes.wait_for(|_| reached(journal));
        tokio::time::timeout(std::time::Duration::from_secs(600), wait)
            .await
            .expect("the journal gets there")
            .expect("the journal is open");
    }

    /// Ends the writer as a shutdown does, and lets go of the folder.
    async fn close(self) {
        drop(self.appender);
        self.writing.await.expect("the writer ends");
    }
}

/// All that can be read of a stream from `at` on: number, kind and message.
async fn read_all(journal: &Journal, stream: Stream, mut at: u64) -> Vec<(u64, Kind, Vec<u8>)> {
    let mut records = Vec::new();
    while let Some(block) = journal.read(stream, at).await {
        records.extend(block.records_from(at).map(|(n, kind, bytes)| (n, kind, bytes.to_vec())));
        assert!(block.end() > at, "reading goes on");
        at = block.end();
    }
    records
}

async fn alerts(journal: &Journal) -> Vec<(u64, Kind, Vec<u8>)> {
    read_all(journal, Stream::Alert, 0).await
}

/// Messages of some length that do not compress, told apart by their beginning.
fn messages(from: u64, count: u64, bytes: usize) -> Vec<Vec<u8>> {
    let message = |number: u64| {
        let mut state = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let noise = (8..bytes).map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        });
        number.to_le_bytes().into_iter().chain(noise).collect()
    };
    (from..from + count).map(message).collect()
}

fn expected(first: u64, messages: &[Vec<u8>]) -> Vec<(u64, Kind, Vec<u8>)> {
    (first..).zip(messages).map(|(n, message)| (n, Kind::Event, message.clone())).collect()
}

/// The events lost that a gap record's message tells.
fn lost(message: &[u8]) -> u64 {
    use buffa::Message as _;
    sidearm_proto::sidearm::Gap::decode_from_slice(message).expect("a gap record").Lost
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}
