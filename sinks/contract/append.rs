//! Appending to a file or to standard output.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;

use super::{Protocol, Shown, Verdict};

/// The protocol of files and standard output: bytes go to the end, with one write a batch.
#[derive(Debug)]
pub struct Append;

/// One attempt: whole lines.
#[derive(Debug, Clone)]
pub struct AppendRequest {
    /// What is appended.
    pub bytes: Bytes,
}

/// The bytes are with the operating system.
#[derive(Debug, Clone, Copy)]
pub struct Written;

/// Where the bytes go.
#[derive(Debug, Clone, Default)]
pub enum AppendConnection {
    /// Standard output of the process.
    #[default]
    Stdout,
    /// A file.
    File {
        /// Its path, with strftime fields (`%Y-%m-%d`), read in UTC at each write.
        path: PathBuf,
        /// When it gives way to a new one.
        rotation: Rotation,
        /// Whether each batch is made safe from a power cut (fsync) before it counts as accepted.
        sync: bool,
    },
}

/// When a file gives way to a new one, and what becomes of the old.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// A file larger than this is rotated before the next write, in bytes; 0: never.
    pub max_bytes: u64,
    /// A file older than this is rotated before the next write; zero: never.
    pub max_age: Duration,
    /// Rotated files kept; older ones are deleted. 0: all.
    pub keep: usize,
    /// Whether rotated files are compressed with gzip.
    pub gzip: bool,
}

impl Protocol for Append {
    type Request = AppendRequest;
    type Reply = Written;
    type Connection = AppendConnection;

    fn verdict(_: &Written) -> Verdict<Self> {
        Verdict::Accepted
    }

    fn shown(request: &AppendRequest, connection: &AppendConnection) -> Shown {
        let address = match connection {
            AppendConnection::Stdout => "stdout".to_owned(),
            AppendConnection::File { path, .. } => path.display().to_string(),
        };
        let body = request.bytes.clone();
        Shown { method: "APPEND".to_owned(), address, headers: Vec::new(), body }
    }

    fn exclusive(connection: &AppendConnection) -> Option<String> {
        Some(match connection {
            AppendConnection::Stdout => "standard output".to_owned(),
            AppendConnection::File { path, .. } => path.display().to_string(),
        })
    }
}
