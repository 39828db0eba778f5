//! What will never be accepted: the event, why, and all that is needed to send it again.
//!
//! One NDJSON file a sink under `dead/`, and one before it (`.1`); together they stay within
//! `journal.dead_letters.max`. A dead letter is on disk before its event is settled, so a crash
//! between the two can tell it twice and never not at all.

use std::{
    fs,
    io::{self, Write},
    panic::catch_unwind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::value::RawValue;
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Record, Stream, json};

use crate::journal::Journal;

/// How long to wait before a dead letter that could not be written is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// Where one sink's dead letters go.
#[derive(Debug, Clone)]
pub(crate) struct DeadLetters {
    sink: Arc<str>,
    path: Arc<Path>,
    /// Bytes at most, of both files together.
    max_bytes: u64,
    /// Held while the files are changed: several deliveries of a lane may bury at once.
    writing: Arc<Mutex<()>>,
}

/// One line of the file.
#[derive(Debug, Serialize)]
struct Line<'a> {
    time: String,
    sink: &'a str,
    stream: Stream,
    sequence: u64,
    id: Option<String>,
    /// The destination's status and the start of its answer, or what failed on our side.
    reason: &'a str,
    attempts: u32,
    /// The event as KubeArmor's JSON; nothing where it cannot be read or was shed meanwhile.
    event: Option<Box<RawValue>>,
    /// The relay's own bytes, base64: the way back.
    message: Option<String>,
    /// What was sent for it.
    record: Option<std::borrow::Cow<'a, str>>,
}

/// Why an event is set aside.
pub(crate) struct Death<'a> {
    pub(crate) stream: Stream,
    pub(crate) sequence: u64,
    /// What was sent; nothing where it never became a record.
    pub(crate) record: Option<Record<'a>>,
    pub(crate) reason: &'a str,
    /// Attempts made with this event in the request.
    pub(crate) attempts: u32,
}

impl DeadLetters {
    pub(crate) fn new(folder: &Path, sink: &str, max_bytes: u64) -> Self {
        let path = folder.join("dead").join(format!("{sink}.ndjson"));
        Self { sink: sink.into(), path: path.into(), max_bytes, writing: Arc::default() }
    }

    /// Sets events aside. Returns once they are on disk; while they cannot be written, it waits
    /// and says so, since to go on would be to lose them.
    pub(crate) async fn bury(&self, journal: &Journal, deaths: &[Death<'_>]) {
        let mut lines = Vec::new();
        for death in deaths {
            lines.extend_from_slice(&self.line(journal, death).await);
            lines.push(b'\n');
        }
        let lines: Arc<[u8]> = lines.into();
        while let Err(error) = self.write(lines.clone()).await {
            tracing::error!(
                sink = %self.sink, path = %self.path.display(), %error,
                "dead letters could not be written; their batch waits until they can"
            );
            tokio::time::sleep(RETRY_EVERY).await;
        }
        if let Some(death) = deaths.last() {
            tracing::error!(
                sink = %self.sink, stream = %death.stream, sequence = death.sequence,
                reason = death.reason, events = deaths.len(), path = %self.path.display(),
                "events will never be accepted and were set aside as dead letters"
            );
        }
    }

    async fn write(&self, lines: Arc<[u8]>) -> io::Result<()> {
        let this = self.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _alone = this.writing.lock().unwrap_or_else(PoisonError::into_inner);
            append(&this.path, &lines, this.max_bytes)
        });
        written.await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }

    async fn line(&self, journal: &Journal, death: &Death<'_>) -> Vec<u8> {
        let message = message_at(journal, death.stream, death.sequence).await;
        let event = message.as_ref().and_then(|(arrival, kind, bytes)| {
            // What brought it here may have been a panic of this very code.
            catch_unwind(|| as_json(*arrival, *kind, bytes)).ok().flatten()
        });
        let line = Line {
            time: jiff::Timestamp::now().to_string(),
            sink: &self.sink,
            stream: death.stream,
            sequence: death.sequence,
            id: death.record.map(|record| record.id.to_string()),
            reason: death.reason,
            attempts: death.attempts,
            event,
            message: message.map(|(_, _, bytes)| STANDARD.encode(bytes)),
            record: death.record.map(|record| String::from_utf8_lossy(record.bytes)),
        };
        serde_json::to_vec(&line).expect("a line of texts and numbers is JSON")
    }
}

fn as_json(arrival: Arrival, kind: Kind, message: &[u8]) -> Option<Box<RawValue>> {
    let event = Event::decode(kind, arrival, message, Overrides::none()).ok()?;
    let mut text = Vec::new();
    json::write(&event, &mut text);
    RawValue::from_string(String::from_utf8(text).ok()?).ok()
}

/// The relay's own bytes of one event; nothing where they were shed or damaged meanwhile.
async fn message_at(
    journal: &Journal,
    stream: Stream,
    sequence: u64,
) -> Option<(Arrival, Kind, Vec<u8>)> {
    let block = journal.read(stream, sequence).await?;
    let (found, kind, bytes) = block.records_from(sequence).next()?;
    let arrival = Arrival { stream, sequence, received_us: block.received_us() };
    (found == sequence).then(|| (arrival, kind, bytes.to_vec()))
}

fn append(path: &Path, line: &[u8], max_bytes: u64) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let size = fs::metadata(path).map(|file| file.len()).unwrap_or(0);
    if size > 0 && size + line.len() as u64 > max_bytes / 2 {
        fs::rename(path, before(path))?;
    }
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    let start = file.metadata()?.len();
    let written = file.write_all(line).and_then(|()| file.sync_data());
    if written.is_err() {
        // Half a line would spoil the next one. Cutting it is all that is left to try.
        let _ = file.set_len(start);
    }
    written
}

fn before(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_files_stay_within_their_room() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("dead/siem.ndjson");
        for number in 0..100 {
            append(&path, format!("{number:0>99}\n").as_bytes(), 1000).expect("written");
        }
        let newest = fs::read_to_string(&path).expect("a file");
        let older = fs::read_to_string(before(&path)).expect("a file before it");
        assert!(newest.len() + older.len() <= 1000);
        assert!(newest.ends_with("99\n"));
        assert_eq!(older.lines().chain(newest.lines()).map(str::len).max(), Some(99));
    }
}
