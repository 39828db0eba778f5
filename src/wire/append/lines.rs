//! One file of whole lines, under a name that may hold the date.
//!
//! The file is opened for each write, which costs microseconds and makes moving or deleting it
//! safe at any time. A write that fails half-way is taken back; a line that a crash has torn is
//! cut before the next write, for its event was never settled and comes again.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::{Timestamp, fmt::strtime, tz::TimeZone};
use sidearm_sinks::contract::Rotation;

use super::{
    super::WireError,
    failed,
    old_files::{self, STAMP},
};
use crate::lines::{folder_of, whole_lines};

/// The file, and what is known of its past.
#[derive(Debug)]
pub(super) struct LineFile {
    /// The path, with strftime fields.
    pattern: String,
    rotation: Rotation,
    sync: bool,
    /// Where the last write went.
    current: Option<PathBuf>,
    /// Whether old files have to be looked through: at start, and after each new file.
    untidy: bool,
    /// Held while old files are being compressed and deleted.
    tidying: Arc<tokio::sync::Mutex<()>>,
}

impl LineFile {
    pub(super) fn new(path: &Path, rotation: Rotation, sync: bool) -> Result<Self, WireError> {
        let pattern = path.to_str().ok_or_else(|| {
            WireError::Unusable(format!("the path {} is not UTF-8", path.display()))
        })?;
        let file = Self {
            pattern: pattern.to_owned(),
            rotation,
            sync,
            current: None,
            untidy: true,
            tidying: Arc::default(),
        };
        file.path(SystemTime::now())?;
        Ok(file)
    }

    /// Appends whole lines. Blocks.
    pub(super) fn append(&mut self, bytes: &[u8], now: SystemTime) -> Result<(), WireError> {
        let path = self.path(now)?;
        if self.current.as_ref() != Some(&path) {
            if let Some(folder) = folder_of(&path) {
                fs::create_dir_all(folder)
                    .map_err(|error| failed("making the folder", folder, &error))?;
            }
            self.current = Some(path.clone());
            self.untidy = true;
        }
        // The folder may have been removed meanwhile; the next attempt then makes it again.
        let mut file = open(&path).inspect_err(|_| self.current = None)?;
        let mut bytes_before = file.bytes;
        if self.is_full(&file, bytes.len(), now) {
            old_files::set_aside(&path, now)
                .map_err(|error| failed("setting aside", &path, &error))?;
            self.untidy = true;
            file = open(&path)?;
            bytes_before = file.bytes;
        }
        self.write(&mut file.file, bytes_before, bytes)
            .map_err(|error| failed("writing to", &path, &error))?;
        if self.sync {
            let is_new = bytes_before == 0;
            sync(&file.file, is_new.then_some(&path)).map_err(|error| {
                WireError::ReplyLost(format!("syncing {}: {error}", path.display()))
            })?;
        }
        self.tidy(&path);
        Ok(())
    }

    /// Where the lines of this moment go.
    fn path(&self, now: SystemTime) -> Result<PathBuf, WireError> {
        let named = Timestamp::try_from(now)
            .and_then(|now| strtime::format(&self.pattern, &now.to_zoned(TimeZone::UTC)));
        named.map(PathBuf::from).map_err(|error| {
            WireError::Unusable(format!("naming the file \"{}\": {error}", self.pattern))
        })
    }

    fn is_full(&self, file: &Opened, more: usize, now: SystemTime) -> bool {
        let Rotation { max_bytes, max_age, .. } = self.rotation;
        if !file.is_regular || file.bytes == 0 {
            return false;
        }
        let is_large = max_bytes > 0 && file.bytes + more as u64 > max_bytes;
        let age = file.born.and_then(|born| now.duration_since(born).ok()).unwrap_or_default();
        is_large || (max_age > Duration::ZERO && age > max_age)
    }

    /// One write; what a failed one has left behind is taken back.
    fn write(&self, file: &mut File, bytes_before: u64, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes).inspect_err(|_| {
            if let Err(error) = file.set_len(bytes_before) {
                tracing::debug!(%error, "a failed write could not be taken back");
            }
        })
    }

    /// Has old files compressed and deleted, by one thread at a time, while writing goes on.
    fn tidy(&mut self, current: &Path) {
        if !self.untidy || !(self.rotation.gzip || self.rotation.keep > 0) {
            return;
        }
        let Ok(alone) = Arc::clone(&self.tidying).try_lock_owned() else { return };
        self.untidy = false;
        // Listed here, where it is certain which file is being written.
        let old = old_files::list(&self.pattern, current);
        let rotation = self.rotation.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = old.and_then(|old| old_files::tidy(old, &rotation)) {
                tracing::warn!(%error, "old files could not be compressed or deleted");
            }
            drop(alone);
        });
    }
}

/// The file, ready for whole lines.
struct Opened {
    file: File,
    bytes: u64,
    born: Option<SystemTime>,
    /// Not a pipe or a device, which have no length.
    is_regular: bool,
}

fn open(path: &Path) -> Result<Opened, WireError> {
    let opened = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)
        .and_then(|file| Ok((file.metadata()?, file)));
    let (metadata, file) = opened.map_err(|error| failed("opening", path, &error))?;
    let mut bytes = metadata.len();
    if metadata.is_file() {
        let whole = whole_lines(&file, bytes).map_err(|error| failed("reading", path, &error))?;
        let whole = whole.ok_or_else(|| {
            WireError::Unusable(format!(
                "opening {}: expected a file of lines, and it holds no whole one",
                path.display()
            ))
        })?;
        if whole < bytes {
            file.set_len(whole).map_err(|error| failed("mending", path, &error))?;
            tracing::warn!(path = %path.display(), bytes = bytes - whole, "cut a torn last line");
            bytes = whole;
        }
    }
    let born = metadata.created().or_else(|_| metadata.modified()).ok();
    Ok(Opened { file, bytes, born, is_regular: metadata.is_file() })
}

fn sync(file: &File, new: Option<&PathBuf>) -> io::Result<()> {
    file.sync_data()?;
    match new.and_then(|path| folder_of(path)) {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// What is added to the name of a file set aside at this moment.
pub(super) fn stamp(now: SystemTime) -> String {
    let now = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
    now.strftime(STAMP).to_string()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::lines::STEP_BYTES;

    const HOUR: Duration = Duration::from_secs(3600);
    const ROTATION: Rotation =
        Rotation { max_bytes: 0, max_age: Duration::ZERO, keep: 0, gzip: false };

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder for the test"))
        }

        fn file(&self, name: &str, rotation: Rotation) -> LineFile {
            LineFile::new(&self.0.path().join(name), rotation, false).expect("a path")
        }

        fn text(&self, name: &str) -> String {
            fs::read_to_string(self.0.path().join(name)).expect("a file")
        }

        fn put(&self, name: &str, text: &str) {
            fs::write(self.0.path().join(name), text).expect("a file");
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.path()).expect("the folder");
            let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
            let mut names: Vec<_> =
                entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
            names.sort();
            names
        }
    }

    fn day(text: &str) -> SystemTime {
        text.parse::<Timestamp>().expect("a time").into()
    }

    #[test]
    fn a_torn_last_line_is_cut_before_the_next_write() {
        let folder = Folder::new();
        let long = "x".repeat(STEP_BYTES * 2 + 1);
        for (before, after) in [
            ("{\"a\":1}\n{\"b\":", "{\"a\":1}\n{}\n".to_owned()),
            ("{\"a\":", "{}\n".to_owned()),
            ("{", "{}\n".to_owned()),
            ("{\"a\":1}\n", "{\"a\":1}\n{}\n".to_owned()),
            (&format!("{{\"a\":1}}\n{{{long}"), "{\"a\":1}\n{}\n".to_owned()),
            (&format!("{{{long}"), "{}\n".to_owned()),
        ] {
            folder.put("f", before);
            let mut file = folder.file("f", ROTATION);
            file.append(b"{}\n", SystemTime::now()).expect("a write");
            assert_eq!(folder.text("f"), after);
        }
    }

    #[test]
    fn a_file_that_is_not_ours_is_left_alone() {
        let folder = Folder::new();
        folder.put("f", "not a line");
        let error = folder.file("f", ROTATION).append(b"{}\n", SystemTime::now());
        assert!(matches!(error, Err(WireError::Unusable(why)) if why.contains("no whole one")));
        assert_eq!(folder.text("f"), "not a line");
    }

    #[test]
    fn the_path_holds_the_date_and_folders_are_made() {
        let folder = Folder::new();
        let mut file = folder.file("%Y/%m-%d.ndjson", ROTATION);
        file.append(b"{\"n\":1}\n", day("2026-11-20T23:59:59Z")).expect("a write");
        file.append(b"{\"n\":2}\n", day("2026-11-21T00:00:00Z")).expect("a write");
        assert_eq!(folder.text("2026/11-20.ndjson"), "{\"n\":1}\n");
        assert_eq!(folder.text("2026/11-21.ndjson"), "{\"n\":2}\n");
    }

    #[test]
    fn a_file_taken_away_is_made_anew() {
        let folder = Folder::new();
        let mut file = folder.file("f", ROTATION);
        file.append(b"{\"n\":1}\n", SystemTime::now()).expect("a write");
        fs::rename(folder.0.path().join("f"), folder.0.path().join("g")).expect("moved away");
        file.append(b"{\"n\":2}\n", SystemTime::now()).expect("a write");
        assert_eq!(folder.text("f"), "{\"n\":2}\n");
    }

    #[tokio::test]
    async fn full_and_old_files_are_set_aside_compressed_and_counted() {
        let folder = Folder::new();
        folder.put("f.ndjson.bak", "a stranger");
        folder.put("f.ndjson.20260101T000000.000000Z.gz.part", "cut short by a crash");
        let rotation = Rotation { max_bytes: 16, max_age: HOUR, keep: 2, gzip: true };
        let mut file = folder.file("f.ndjson", rotation);
        let now = SystemTime::now();
        // Two lines fill a file; the last is too late for its own.
        for (line, now) in [(1, now), (2, now), (3, now), (4, now), (5, now), (6, now + 2 * HOUR)] {
            file.append(format!("{{\"n\":{line}}}\n").as_bytes(), now).expect("a write");
            drop(file.tidying.lock().await);
        }
        let old: Vec<_> =
            folder.names().into_iter().filter(|name| name.ends_with("Z.gz")).collect();
        assert_eq!(folder.text("f.ndjson"), "{\"n\":6}\n");
        let texts: Vec<_> = old.iter().map(|name| unzipped(&folder, name)).collect();
        assert_eq!(texts, ["{\"n\":3}\n{\"n\":4}\n", "{\"n\":5}\n"]);
        assert_eq!(folder.text("f.ndjson.bak"), "a stranger");
        assert_eq!(folder.names().len(), 5, "{:?}", folder.names());
    }

    #[tokio::test]
    async fn files_of_earlier_dates_are_old_files() {
        let folder = Folder::new();
        folder.put("2026-11-18.log", "older\n");
        folder.put("2026-11-19.log", "old\n");
        folder.put("2026-11-19.txt", "a stranger");
        folder.put("26-11-19.log", "a stranger");
        let mut file = folder.file("%Y-%m-%d.log", Rotation { keep: 2, gzip: true, ..ROTATION });
        for time in ["2026-11-20T12:00:00Z", "2026-11-21T12:00:00Z"] {
            file.append(b"{}\n", day(time)).expect("a write");
            drop(file.tidying.lock().await);
        }
        assert_eq!(
            folder.names(),
            [
                "2026-11-19.log.gz",
                "2026-11-19.txt",
                "2026-11-20.log.gz",
                "2026-11-21.log",
                "26-11-19.log"
            ]
        );
        assert_eq!(unzipped(&folder, "2026-11-19.log.gz"), "old\n");
    }

    #[test]
    fn errors_tell_what_passes_from_what_needs_a_person() {
        let folder = Folder::new();
        folder.put("f", "");
        let under_a_file = folder.file("f/g", ROTATION).append(b"{}\n", SystemTime::now());
        assert!(matches!(under_a_file, Err(WireError::Unusable(_))), "{under_a_file:?}");
        let no_room = LineFile::new(Path::new("/dev/full"), ROTATION, false)
            .expect("a path")
            .append(b"{}\n", SystemTime::now());
        assert!(matches!(no_room, Err(WireError::NotSent(_))), "{no_room:?}");
    }

    fn unzipped(folder: &Folder, name: &str) -> String {
        let file = File::open(folder.0.path().join(name)).expect("a compressed file");
        let mut text = String::new();
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("gzip");
        text
    }
}
