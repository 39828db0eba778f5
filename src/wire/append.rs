//! Files and standard output: whole lines go to the end, with one write a batch.
//!
//! Owns the hop to a thread that may block, and what an error of the system means. The file's own
//! rules are in `append/lines.rs` and `append/old_files.rs`. Requests come from `deliver.rs`.

mod lines;
mod old_files;

use std::{
    io::{self, Write as _},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use sidearm_sinks::contract::{Append, AppendConnection, AppendRequest, Written};
use tokio::task::spawn_blocking;

use super::{Attempt, Wire, WireError};
use lines::LineFile;

/// The way to one file, or to standard output.
#[derive(Debug)]
pub struct AppendWire {
    target: Target,
}

#[derive(Debug, Clone)]
enum Target {
    Stdout,
    File(Arc<Mutex<LineFile>>),
}

impl AppendWire {
    /// Opens nothing yet: each write opens its file, so one that was moved away or deleted is made
    /// anew.
    ///
    /// # Errors
    /// [`WireError::Unusable`] where the path is none that could name a file.
    pub fn new(connection: &AppendConnection) -> Result<Self, WireError> {
        let target = match connection {
            AppendConnection::Stdout => Target::Stdout,
            AppendConnection::File { path, rotation, sync } => {
                let file = LineFile::new(path, rotation.clone(), *sync)?;
                Target::File(Arc::new(Mutex::new(file)))
            }
        };
        Ok(Self { target })
    }

    async fn append(&self, bytes: Bytes) -> Result<Written, WireError> {
        let target = self.target.clone();
        let work = spawn_blocking(move || match target {
            Target::Stdout => print(&bytes),
            Target::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                file.append(&bytes, SystemTime::now())
            }
        });
        // The work may have been done: a task that has begun is never taken back.
        work.await.map_err(|_| WireError::ReplyLost("shutting down".to_owned()))??;
        Ok(Written)
    }
}

impl Wire<Append> for AppendWire {
    fn call(&self, request: AppendRequest) -> Attempt<'_, Append> {
        Box::pin(self.append(request.bytes))
    }
}

fn print(bytes: &[u8]) -> Result<(), WireError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|error| {
        let why = format!("writing to standard output: {error}");
        match error.kind() {
            io::ErrorKind::BrokenPipe => WireError::Unusable(why),
            // A part may be out, and nothing brings it back.
            _ => WireError::ReplyLost(why),
        }
    })
}

/// What an error of the file system means: some pass by themselves (no room), some need a person.
fn failed(doing: &str, path: &Path, error: &io::Error) -> WireError {
    use io::ErrorKind::{
        AlreadyExists, BrokenPipe, InvalidFilename, InvalidInput, IsADirectory, NotADirectory,
        PermissionDenied, ReadOnlyFilesystem,
    };
    let why = format!("{doing} {}: {error}", path.display());
    match error.kind() {
        // What exists already is a file, where a folder should be.
        AlreadyExists | PermissionDenied | ReadOnlyFilesystem | NotADirectory | IsADirectory
        | BrokenPipe | InvalidFilename | InvalidInput => WireError::Unusable(why),
        _ => WireError::NotSent(why),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sidearm_sinks::contract::Rotation;

    use super::*;

    #[tokio::test]
    async fn a_call_appends() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let path = folder.path().join("new/f.ndjson");
        let rotation = Rotation { max_bytes: 0, max_age: Duration::ZERO, keep: 0, gzip: false };
        let connection = AppendConnection::File { path: path.clone(), rotation, sync: true };
        let wire = AppendWire::new(&connection).expect("a path");
        for line in ["{\"n\":1}\n", "{\"n\":2}\n"] {
            let bytes = Bytes::from_static(line.as_bytes());
            wire.call(AppendRequest { bytes }).await.expect("room on the disk");
        }
        let text = std::fs::read_to_string(path).expect("the file");
        assert_eq!(text, "{\"n\":1}\n{\"n\":2}\n");
    }
}
