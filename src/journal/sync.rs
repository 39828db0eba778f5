//! Makes written blocks safe from a power cut at an interval, beside the writing of others.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use sidearm_sinks::contract::Stream;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{blocking::blocking, disk::DiskFile, rhythm::Rhythm, shared::Shared};

/// The files written to since they were last made safe; at most one for each stream.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    files: Mutex<[Option<Arc<dyn DiskFile>>; 3]>,
    added: Notify,
}

impl Unsynced {
    /// A stream's file was written to.
    pub(super) fn add(&self, stream: Stream, file: &Arc<dyn DiskFile>) {
        self.files()[stream.index()] = Some(Arc::clone(file));
        self.added.notify_one();
    }

    /// Whoever takes a file makes it safe.
    pub(super) fn take(&self, stream: Stream) -> Option<Arc<dyn DiskFile>> {
        self.files()[stream.index()].take()
    }

    fn files(&self) -> MutexGuard<'_, [Option<Arc<dyn DiskFile>>; 3]> {
        self.files.lock().expect("nobody panics while holding it")
    }
}

/// Makes safe what was written, `every` so long, until `done`; and once more after that.
pub(super) async fn keep_syncing(shared: &Arc<Shared>, every: Duration, done: &CancellationToken) {
    let mut rhythm = Rhythm::default();
    loop {
        let is_last = done.is_cancelled();
        if !is_last {
            tokio::select! {
                () = done.cancelled() => {}
                () = shared.unsynced.added.notified() => {
                    let _ = tokio::time::timeout(every, done.cancelled()).await;
                }
            }
        }
        let syncing = Arc::clone(shared);
        if let Err(error) = blocking(move || sync_all(&syncing)).await {
            if rhythm.is_due() {
                error!(%error, "the journal could not be made safe from a power cut");
            }
            shared.health().erred(error);
        }
        if is_last {
            return;
        }
    }
}

fn sync_all(shared: &Shared) -> std::io::Result<()> {
    let files = Stream::ALL.map(|stream| shared.unsynced.take(stream));
    files.iter().flatten().map(|file| file.sync()).fold(Ok(()), Result::and)
}
