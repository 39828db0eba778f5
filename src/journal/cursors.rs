//! The file a lane's cursors live in between runs: one for each sink, replaced whole.
//!
//! A first line with a checksum, then JSON. A damaged file is set aside and the lane begins again
//! at the oldest event there is: twice rather than never.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sidearm_sinks::contract::Stream;
use tokio::time::Instant;
use tracing::{error, warn};

use super::{cursor::Cursor, disk::Disk, shared::Shared};
use crate::{config::SyncPolicy, digest::Incidents};

const MAGIC: &str = "sidearm cursors 1 crc32c";
const MAX_NAME_BYTES: usize = 64;
/// Sinks whose last safe write is remembered; beyond that each is made safe.
const MAX_SINKS: usize = 1_024;

/// What one sink has settled.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SinkCursors {
    /// Of each stream, by [`Stream::index`]; none where the sink never took it.
    pub cursors: [Option<Cursor>; 3],
    /// What it was told of and what waits to be told, where like events are told together.
    pub incidents: Incidents,
}

/// The file's JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Cursor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Cursor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<Cursor>,
    #[serde(default, skip_serializing_if = "Incidents::is_empty")]
    incidents: Incidents,
}

/// When each sink's file was last made safe from a power cut.
pub(super) type LastSynced = BTreeMap<String, Instant>;

/// The cursors of a sink; all none where it has no file. Blocks.
pub(super) fn load(shared: &Shared, sink: &str) -> io::Result<SinkCursors> {
    let path = path(&shared.folder, sink)?;
    let bytes = match shared.disk.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(SinkCursors::default()),
        read => read?,
    };
    if let Some(cursors) = decode(&bytes) {
        return Ok(cursors);
    }
    let aside = path.with_extension("damaged");
    error!(
        sink, set_aside = %aside.display(),
        "the sink's cursors are damaged: it begins again at the oldest event, so some go out twice"
    );
    if let Err(error) = shared.disk.rename(&path, &aside) {
        warn!(sink, %error, "the damaged cursors could not be set aside");
    }
    let cursors = Stream::ALL.map(|stream| Some(Cursor::new(shared.stream(stream).first())));
    Ok(SinkCursors { cursors, incidents: Incidents::default() })
}

/// Replaces the cursors of a sink. Blocks.
pub(super) fn save(shared: &Arc<Shared>, sink: &str, cursors: &SinkCursors) -> io::Result<()> {
    let path = path(&shared.folder, sink)?;
    let every = match shared.sync {
        SyncPolicy::Always => Some(Duration::ZERO),
        SyncPolicy::Every(every) => Some(every),
        SyncPolicy::Never => None,
    };
    let due = every.is_some_and(|every| {
        shared.last_synced().get(sink).is_none_or(|last| last.elapsed() >= every)
    });
    shared.disk.replace(&path, &encode(cursors)?, due)?;
    if due {
        let mut last = shared.last_synced();
        if last.len() < MAX_SINKS || last.contains_key(sink) {
            last.insert(sink.to_owned(), Instant::now());
        }
    }
    Ok(())
}

/// The highest sequence number any sink has settled, by stream. A power cut can take the newest
/// blocks and spare a cursor: their numbers must not be given out again. Blocks.
pub(super) fn high_marks(disk: &dyn Disk, folder: &Path) -> io::Result<[u64; 3]> {
    let folder = folder.join("cursors");
    let mut marks = [0; 3];
    for (name, _) in disk.list(&folder)? {
        if !name.ends_with(".cursors") {
            continue;
        }
        let Ok(bytes) = disk.read(&folder.join(name)) else { continue };
        let Some(found) = decode(&bytes) else { continue };
        for (mark, cursor) in marks.iter_mut().zip(found.cursors.iter()) {
            *mark = cursor.as_ref().map_or(*mark, |cursor| cursor.high().max(*mark));
        }
    }
    Ok(marks)
}

fn path(folder: &Path, sink: &str) -> io::Result<PathBuf> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if sink.is_empty() || sink.len() > MAX_NAME_BYTES || !sink.bytes().all(plain) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("expected a sink's name of letters, digits, - and _, found \"{sink}\""),
        ));
    }
    Ok(folder.join("cursors").join(format!("{sink}.cursors")))
}

fn encode(cursors: &SinkCursors) -> io::Result<Vec<u8>> {
    let SinkCursors { cursors, incidents } = cursors.clone();
    let [alert, message, log] = cursors;
    let json = serde_json::to_string(&File { alert, message, log, incidents })?;
    Ok(format!("{MAGIC} {:08x}\n{json}\n", crc32c::crc32c(json.as_bytes())).into_bytes())
}

fn decode(bytes: &[u8]) -> Option<SinkCursors> {
    let (head, json) = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.split_once('\n')?;
    let crc = head.strip_prefix(MAGIC)?.strip_prefix(' ')?;
    if u32::from_str_radix(crc, 16).ok()? != crc32c::crc32c(json.as_bytes()) {
        return None;
    }
    let File { alert, message, log, incidents } = serde_json::from_str(json).ok()?;
    Some(SinkCursors { cursors: [alert, message, log], incidents })
}

#[cfg(test)]
mod tests {
    use super::{super::cursor::Counts, *};

    fn cursors() -> SinkCursors {
        let mut cursor = Cursor::new(10);
        cursor.settle(20..25, Counts { accepted: 5, ..Counts::default() });
        let cursors = [Some(cursor), None, Some(Cursor::new(3))];
        SinkCursors { cursors, incidents: Incidents::default() }
    }

    #[test]
    fn a_file_from_before_there_were_digests_is_loaded() {
        let json = r#"{"alert":{"origin":10,"low":10,"above":{"20":25},"counts":{"accepted":5,"filtered":0,"digested":0,"dead":0,"shed":0}},"log":{"origin":3,"low":3,"above":{},"counts":{"accepted":0,"filtered":0,"digested":0,"dead":0,"shed":0}}}"#;
        let file = format!("{MAGIC} {:08x}\n{json}\n", crc32c::crc32c(json.as_bytes()));
        assert_eq!(decode(file.as_bytes()), Some(cursors()));
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let bytes = encode(&cursors()).expect("numbers encode");
        assert_eq!(decode(&bytes), Some(cursors()));
    }

    #[test]
    fn any_flipped_bit_and_any_truncation_is_noticed() {
        let whole = encode(&cursors()).expect("numbers encode");
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // A checksum in capitals is the same checksum.
            let same = decode(&bytes).is_none_or(|found| found == cursors());
            assert!(same, "bit {bit}");
        }
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_name_is_never_a_path() {
        for name in ["", "..", "a/b", "a.b", &"x".repeat(65)] {
            assert!(path(Path::new("/x"), name).is_err(), "{name}");
        }
        assert!(path(Path::new("/x"), "soc-1_b").is_ok());
    }
}
