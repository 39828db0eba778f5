//! What becomes of files that are no longer written: set aside, compressed, deleted in the end.
//!
//! An old file is one whose name the sink's own pattern gives, for another date or with a stamp
//! behind it. Nothing else in the folder is touched. Each step may be cut short by a crash and is
//! done again at the next start.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use flate2::{Compression, write::GzEncoder};
use jiff::fmt::strtime::BrokenDownTime;
use sidearm_sinks::contract::Rotation;

use super::lines::stamp;
use crate::lines::folder_of;

/// Behind the name of a file that was set aside: when, in UTC.
pub(super) const STAMP: &str = "%Y%m%dT%H%M%S.%6fZ";
/// Behind the name of a compressed file.
const GZ: &str = "gz";
/// Behind the name of a file that is being compressed.
const PART: &str = "gz.part";

/// Gives the file another name, under which none exists.
pub(super) fn set_aside(path: &Path, mut now: SystemTime) -> io::Result<()> {
    loop {
        let aside = with_more(path, &stamp(now));
        // Two in one microsecond: the second must not replace the first.
        if !aside.exists() && !with_more(&aside, GZ).exists() {
            return fs::rename(path, aside);
        }
        now += Duration::from_micros(1);
    }
}

/// The old files beside `current`, in no order.
pub(super) fn list(pattern: &str, current: &Path) -> io::Result<Vec<PathBuf>> {
    let pattern = Path::new(pattern).file_name().and_then(OsStr::to_str).unwrap_or_default();
    let folder = folder_of(current).unwrap_or(Path::new("."));
    let mut old = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_old = name.to_str().is_some_and(|name| is_ours(pattern, name))
            && Some(name.as_os_str()) != current.file_name();
        if is_old && entry.file_type()?.is_file() {
            old.push(entry.path());
        }
    }
    Ok(old)
}

/// Compresses what is not, and deletes the oldest where there are too many.
pub(super) fn tidy(old: Vec<PathBuf>, rotation: &Rotation) -> io::Result<()> {
    let mut dated: Vec<(SystemTime, PathBuf)> = old
        .into_iter()
        .map(|path| Ok((fs::metadata(&path)?.modified()?, path)))
        .collect::<io::Result<_>>()?;
    dated.sort();
    let kept = if rotation.keep == 0 { dated.len() } else { rotation.keep };
    let too_many = dated.len().saturating_sub(kept);
    for (_, path) in dated.drain(..too_many) {
        fs::remove_file(path)?;
    }
    if rotation.gzip {
        for (modified, path) in dated.iter().filter(|(_, path)| !is_compressed(path)) {
            compress(path, *modified)?;
        }
    }
    Ok(())
}

/// Whether the pattern gives this name for some date, with or without a stamp and compression.
fn is_ours(pattern: &str, name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let is_dated = |name: &str| is_of(pattern, name);
    is_dated(name)
        || name
            .match_indices('.')
            .any(|(dot, _)| is_dated(&name[..dot]) && is_of(STAMP, &name[dot + 1..]))
}

/// Whether `name` is what the pattern writes for some date, letter for letter.
fn is_of(pattern: &str, name: &str) -> bool {
    BrokenDownTime::parse(pattern, name)
        .and_then(|date| date.to_string(pattern))
        .is_ok_and(|again| again == name)
}

fn is_compressed(path: &Path) -> bool {
    path.extension() == Some(OsStr::new(GZ))
}

/// Replaces a file by its compressed self, as old as it was.
fn compress(path: &Path, modified: SystemTime) -> io::Result<()> {
    if with_more(path, GZ).exists() {
        // Written again after a clock was set back. What was compressed before is not replaced:
        // under its new name the file's turn comes the next time.
        return set_aside(path, modified);
    }
    let part = with_more(path, PART);
    let mut source = File::open(path)?;
    let mut encoder = GzEncoder::new(File::create(&part)?, Compression::default());
    let read = io::copy(&mut source, &mut encoder)?;
    let file = encoder.finish()?;
    file.set_modified(modified)?;
    file.sync_all()?;
    // A clock set back may have had it written again.
    if fs::metadata(path)?.len() != read {
        return fs::remove_file(&part);
    }
    fs::rename(part, with_more(path, GZ))?;
    fs::remove_file(path)
}

fn with_more(path: &Path, more: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(more);
    name.into()
}
