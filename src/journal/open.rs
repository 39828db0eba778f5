//! Opening a journal: its folders, its lock, its version, and what was left in it.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use sidearm_sinks::contract::Stream;
use tracing::{error, warn};

use super::{
    Options,
    active::Active,
    cursors,
    disk::Disk,
    format,
    lock::{self, Lock},
    loss::{Loss, now_us},
    recovery::{Recovered, recover},
    scribe::Scribe,
    segments::{Segment, Segments},
    shared::{Shared, StreamState},
};

const BEHIND_CURSORS: &str = "the newest part of the journal is missing, as after a power cut";

/// Why a journal cannot be opened. Each is a sentence for a person.
#[derive(Debug)]
pub enum OpenError {
    /// Another process uses it.
    Held {
        /// The journal's folder.
        folder: PathBuf,
        /// That process, where it is known.
        holder: Option<u32>,
    },
    /// It was written by a newer version, and is left untouched.
    Newer {
        /// The journal's folder.
        folder: PathBuf,
        /// The version of its format.
        found: u32,
    },
    /// A folder or file cannot be created or read.
    Unusable {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn unusable(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Unusable { doing, path: path.to_owned(), source }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { folder, holder } => {
                write!(f, "the journal in {} is in use by another process", folder.display())?;
                if let Some(holder) = holder {
                    write!(f, " ({holder})")?;
                }
                f.write_str(": stop that one, or give this one a folder of its own (journal.path)")
            }
            Self::Newer { folder, found } => write!(
                f,
                "the journal in {} was written by a newer version (its format is {found}, this \
                 version knows {}): run that version, or choose another folder (journal.path); \
                 nothing was touched",
                folder.display(),
                format::VERSION
            ),
            Self::Unusable { doing, path, source } => write!(
                f,
                "cannot {doing} {}: {source}; the journal needs a folder it may read and write \
                 (journal.path)",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unusable { source, .. } => Some(source),
            Self::Held { .. } | Self::Newer { .. } => None,
        }
    }
}

/// Opens a journal, or creates it. Blocks.
pub(super) fn open(options: Options) -> Result<Scribe, OpenError> {
    let disk = &*options.disk;
    create(disk, &options.path)?;
    let lock = lock::take(&options.path)?;
    check_version(disk, &options.path)?;
    create(disk, &options.path.join("cursors"))?;
    let marks = cursors::high_marks(disk, &options.path).unwrap_or_else(|error| {
        warn!(%error, "the cursors' folder cannot be read");
        [0; 3]
    });
    let mut found = Vec::new();
    for stream in Stream::ALL {
        let folder = folder(&options.path, stream);
        create(disk, &folder)?;
        let recovered = recover(disk, &folder, stream)
            .map_err(|source| OpenError::unusable("list", &folder, source))?;
        found.push(Found::new(stream, recovered, marks[stream.index()]));
    }
    let found: [Found; 3] = found.try_into().expect("there are three streams");
    Ok(assemble(options, found, lock))
}

/// Where the segments of a stream lie.
fn folder(path: &Path, stream: Stream) -> PathBuf {
    path.join("journal").join(format!("{stream}s"))
}

fn create(disk: &dyn Disk, folder: &Path) -> Result<(), OpenError> {
    disk.create_folder(folder).map_err(|source| OpenError::unusable("create", folder, source))
}

fn check_version(disk: &dyn Disk, path: &Path) -> Result<(), OpenError> {
    let folder = path.join("journal");
    let file = folder.join("FORMAT");
    let found = match disk.read(&file) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).trim().parse::<u32>().ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(OpenError::unusable("read", &file, source)),
    };
    match found {
        Some(found) if found > format::VERSION => {
            Err(OpenError::Newer { folder: path.to_owned(), found })
        }
        Some(_) => Ok(()),
        // New, or emptied by a power cut: blocks carry the version, too.
        None => {
            create(disk, &folder)?;
            let text = format!("{}\n", format::VERSION);
            disk.replace(&file, text.as_bytes(), true)
                .map_err(|source| OpenError::unusable("write", &file, source))
        }
    }
}

/// A stream as it was found, with numbers no sink has settled yet.
#[derive(Debug)]
struct Found {
    stream: Stream,
    recovered: Recovered,
    head: u64,
}

impl Found {
    fn new(stream: Stream, mut recovered: Recovered, settled: u64) -> Self {
        let head = recovered.next.max(settled);
        recovered.continues &= head == recovered.next;
        Self { stream, recovered, head }
    }

    /// Where the next block goes.
    fn active(&self) -> Segment {
        let newest = self.recovered.segments.last().filter(|_| self.recovered.continues);
        newest.copied().unwrap_or(Segment { first: self.head, bytes: 0 })
    }

    /// What is missing between the newest block and what sinks have settled, or what came next.
    /// Where a full disk, or somebody, took all of a stream, nobody can know how many were left.
    fn missing(&self) -> Option<Loss> {
        let events = self.recovered.end.map_or(0, |end| self.head.saturating_sub(end));
        let is_whole = self.recovered.end.unwrap_or_default() >= self.head;
        (!is_whole).then(|| {
            error!(stream = %self.stream, events, "{BEHIND_CURSORS}");
            Loss { events, from_us: now_us(), to_us: None, reason: BEHIND_CURSORS, mark: None }
        })
    }
}

fn assemble(options: Options, found: [Found; 3], lock: Lock) -> Scribe {
    let place = |found: &Found| {
        (folder(&options.path, found.stream), options.max_bytes[found.stream.index()])
    };
    let actives = found.each_ref().map(|found| {
        let (folder, max_bytes) = place(found);
        Active::new(folder, max_bytes, found.active())
    });
    let streams = found.each_ref().map(|found| {
        let (folder, max_bytes) = place(found);
        let segments = Segments::new(found.recovered.segments.clone());
        StreamState::new(folder, max_bytes, options.memory_bytes_per_stream, segments, found.head)
    });
    let shared = Arc::new(Shared::new(options, streams, lock));
    for found in found {
        if let Some(loss) = found.missing() {
            shared.waiting().push_loss(found.stream, loss);
        }
        found.recovered.damage.into_iter().for_each(|piece| shared.note_damage(piece));
    }
    Scribe::new(shared, actives)
}
