//! One process to a journal: an advisory lock that ends with the process, however it ends.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    path::Path,
};

use tracing::warn;

use super::OpenError;

/// Held as long as anything may write.
#[derive(Debug)]
pub(super) struct Lock {
    _file: Option<File>,
}

/// Takes the lock of a journal's folder.
pub(super) fn take(folder: &Path) -> Result<Lock, OpenError> {
    let path = folder.join("lock");
    let unusable = |source| OpenError::unusable("open the lock file", &path, source);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Only a courtesy to whoever reads the sentence.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim().parse().ok();
            return Err(OpenError::Held { folder: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
            warn!(folder = %folder.display(), "this file system has no locks: make sure that no other process uses the journal");
            return Ok(Lock { _file: None });
        }
        Err(TryLockError::Error(error)) => return Err(unusable(error)),
    }
    // Nothing depends on the number, so a full disk may keep it out.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(Lock { _file: Some(file) })
}
