//! What will never be accepted: the event, why, and all that is needed to send it again.
//!
//! One NDJSON file a sink under `dead/`, and one before it (`.1`); together they stay within
//! `journal.dead_letters.max`, for which the largest letters leave something out, and say what. A
//! dead letter is on disk before its event is settled, so a crash between the two can tell it twice
//! and never not at all.

use std::{
    borrow::Cow,
    fs::{self, File},
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

use crate::{
    journal::Journal,
    lines::{folder_of, whole_lines},
};

/// How long to wait before a dead letter that could not be written is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// What is written at once, in bytes. A letter that is longer leaves out what its message says, too.
const WRITE_BYTES: usize = 1 << 20;

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
    record: Option<Cow<'a, str>>,
    /// What was there and made the letter too long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<&'static str>,
}

/// Why an event is set aside.
pub(crate) struct Death<'a> {
    pub(crate) stream: Stream,
    pub(crate) sequence: u64,
    /// What was sent; nothing where it never became a record.
    pub(crate) record: Option<Record<'a>>,
    pub(crate) reason: Cow<'a, str>,
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
            let line = self.line(journal, death).await;
            if !lines.is_empty() && lines.len() + line.len() > self.write_bytes() {
                self.keep(std::mem::take(&mut lines)).await;
            }
            lines.extend_from_slice(&line);
        }
        if !lines.is_empty() {
            self.keep(lines).await;
        }
        if let Some(death) = deaths.last() {
            tracing::error!(
                sink = %self.sink, stream = %death.stream, sequence = death.sequence,
                reason = &*death.reason, events = deaths.len(), path = %self.path.display(),
                "events will never be accepted and were set aside as dead letters"
            );
        }
    }

    /// What one file may hold, in bytes.
    fn file_bytes(&self) -> usize {
        usize::try_from(self.max_bytes / 2).unwrap_or(usize::MAX)
    }

    fn write_bytes(&self) -> usize {
        WRITE_BYTES.min(self.file_bytes())
    }

    async fn keep(&self, lines: Vec<u8>) {
        let lines: Arc<[u8]> = lines.into();
        while let Err(error) = self.write(lines.clone()).await {
            tracing::error!(
                sink = %self.sink, path = %self.path.display(), %error,
                "dead letters could not be written; their batch waits until they can"
            );
            tokio::time::sleep(RETRY_EVERY).await;
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
        let mut line = Line {
            time: jiff::Timestamp::now().to_string(),
            sink: &self.sink,
            stream: death.stream,
            sequence: death.sequence,
            id: death.record.map(|record| record.id.to_string()),
            reason: &death.reason,
            attempts: death.attempts,
            event,
            message: message.map(|(_, _, bytes)| STANDARD.encode(bytes)),
            record: death.record.map(|record| String::from_utf8_lossy(record.bytes)),
            left_out: Vec::new(),
        };
        line.within(self.write_bytes(), self.file_bytes())
    }
}

impl Line<'_> {
    /// The line as it is written. Beyond `usual_bytes` it leaves out what the message says too,
    /// beyond `max_bytes` the message as well.
    fn within(&mut self, usual_bytes: usize, max_bytes: usize) -> Vec<u8> {
        let mut text = self.text();
        if text.len() > usual_bytes {
            let gone = [self.event.take().map(|_| "event"), self.record.take().map(|_| "record")];
            self.left_out.extend(gone.into_iter().flatten());
            text = self.text();
        }
        if text.len() > max_bytes {
            self.left_out.extend(self.message.take().map(|_| "message"));
            text = self.text();
        }
        text
    }

    fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).expect("a line of texts and numbers is JSON");
        text.push(b'\n');
        text
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

fn append(path: &Path, lines: &[u8], max_bytes: u64) -> io::Result<()> {
    if let Some(folder) = folder_of(path) {
        fs::create_dir_all(folder)?;
    }
    let (mut file, mut start) = open(path)?;
    if start > 0 && start + lines.len() as u64 > max_bytes / 2 {
        fs::rename(path, before(path))?;
        (file, start) = open(path)?;
    }
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if written.is_err() {
        // Half a line would spoil the next one. If it cannot be cut now, the next write does.
        let _ = file.set_len(start);
    }
    written?;
    if start == 0 { sync_names(path) } else { Ok(()) }
}

/// The file and its length, once what a killed process left of its last line is cut off.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = fs::OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let bytes = file.metadata()?.len();
    // Without a line end there is no letter in it: the folder is ours alone.
    let whole = whole_lines(&file, bytes)?.unwrap_or(0);
    if whole < bytes {
        file.set_len(whole)?;
        tracing::warn!(path = %path.display(), bytes = bytes - whole, "cut a torn dead letter");
    }
    Ok((file, whole))
}

/// Makes the names of new files safe from a power cut, and that of the folder they are in.
fn sync_names(path: &Path) -> io::Result<()> {
    let folder = folder_of(path);
    for folder in [folder, folder.and_then(folder_of)].into_iter().flatten() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
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

    #[test]
    fn a_letter_torn_by_a_kill_is_cut_and_spoils_no_other() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("siem.ndjson");
        for (torn, whole) in [("{\"n\":1}\n{\"n\":", "{\"n\":1}\n"), ("{\"n\"", ""), ("\0\0\0", "")]
        {
            fs::write(&path, torn).expect("a torn file");
            append(&path, b"{\"n\":2}\n", 1000).expect("written");
            let text = fs::read_to_string(&path).expect("a file");
            assert_eq!(text, format!("{whole}{{\"n\":2}}\n"));
        }
    }

    #[test]
    fn a_long_letter_leaves_out_what_its_room_does_not_hold() {
        let event = RawValue::from_string("{\"a\":1}".to_owned()).expect("JSON");
        let line = || Line {
            time: String::new(),
            sink: "siem",
            stream: Stream::Alert,
            sequence: 7,
            id: None,
            reason: "why",
            attempts: 1,
            event: Some(event.clone()),
            message: Some("m".repeat(400)),
            record: Some("r".repeat(400).into()),
            left_out: Vec::new(),
        };
        let read = |usual_bytes, max_bytes| {
            let text = line().within(usual_bytes, max_bytes);
            assert!(text.ends_with(b"\n") && text.len() <= max_bytes);
            let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            let there = ["event", "record", "message"].map(|key| !value[key].is_null());
            (there, value["left_out"].clone())
        };
        let left_out = |names: &[&str]| serde_json::json!(names);
        assert_eq!(read(2000, 2000), ([true; 3], serde_json::Value::Null));
        let (there, gone) = read(600, 2000);
        assert_eq!((there, gone), ([false, false, true], left_out(&["event", "record"])));
        let (there, gone) = read(300, 300);
        assert_eq!((there, gone), ([false; 3], left_out(&["event", "record", "message"])));
    }

    #[tokio::test]
    async fn however_many_are_buried_at_once_the_files_stay_within_their_room() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = crate::journal::Options::new(&crate::config::JournalConfig {
            path: folder.path().to_owned(),
            ..Default::default()
        });
        let (journal, _writer) = Journal::open(options).await.expect("a journal");
        let letters = DeadLetters::new(folder.path(), "siem", 100_000);
        let reason = "r".repeat(2_000);
        let death = |sequence| Death {
            stream: Stream::Alert,
            sequence,
            record: None,
            reason: Cow::Borrowed(&*reason),
            attempts: 0,
        };
        letters.bury(&journal, &(0..200).map(death).collect::<Vec<_>>()).await;
        let sizes = [letters.path.to_path_buf(), before(&letters.path)]
            .map(|path| fs::metadata(path).expect("a file").len());
        assert!(sizes.iter().all(|bytes| (1..=50_000).contains(bytes)), "{sizes:?}");
        let newest = fs::read_to_string(&*letters.path).expect("a file");
        assert!(newest.lines().last().is_some_and(|line| line.contains("\"sequence\":199")));
    }
}
