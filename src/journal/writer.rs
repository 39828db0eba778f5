//! The one task that writes the journal.
//!
//! Takes what waits whenever there is something, and lives with a disk that is full, read-only or
//! broken: says so, lets blocks wait in memory, and tries again until it goes on by itself.

use std::{io, sync::Arc, time::Duration};

use sidearm_sinks::contract::Stream;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{
    blocking::blocking,
    rhythm::Rhythm,
    scribe::{Scribe, Turn},
    shared::Shared,
    sync::keep_syncing,
};
use crate::config::SyncPolicy;

/// The first wait for a disk that will not take a block, and the longest.
const WAIT: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often what is left is tried once no more can come.
const LAST_ATTEMPTS: u32 = 5;

/// Writes what appenders seal. Nothing is received before it runs.
pub struct Writer {
    scribe: Scribe,
}

impl Writer {
    pub(super) fn new(scribe: Scribe) -> Self {
        Self { scribe }
    }

    /// Writes until every [`Appender`](super::Appender) was dropped (there has to be one), then
    /// what is left, and makes it safe. Dropping this early is a crash: what was not published is
    /// lost, and was not received.
    pub async fn run(self) {
        let shared = Arc::clone(&self.scribe.shared);
        let done = CancellationToken::new();
        let writing = async {
            write(&shared, self.scribe).await;
            done.cancel();
        };
        match shared.sync {
            SyncPolicy::Every(every) => {
                tokio::join!(writing, keep_syncing(&shared, every, &done));
            }
            SyncPolicy::Always | SyncPolicy::Never => writing.await,
        }
    }
}

async fn write(shared: &Arc<Shared>, mut scribe: Scribe) {
    let mut trouble = Trouble::default();
    loop {
        let turn;
        (scribe, turn) = blocking(move || {
            let turn = scribe.turn();
            (scribe, turn)
        })
        .await;
        match turn {
            Turn::More => trouble.passed(shared),
            Turn::Idle => {
                trouble.passed(shared);
                if shared.waiting().is_done() {
                    return;
                }
                shared.wake.notified().await;
            }
            Turn::Trouble { stream, error, progress, shed } => {
                if progress {
                    trouble.passed(shared);
                }
                let wait = trouble.met(shared, stream, &error, shed);
                if shared.waiting().closed() {
                    if trouble.last_attempts == LAST_ATTEMPTS {
                        return give_up(shared, &error);
                    }
                    trouble.last_attempts += 1;
                    sleep(wait.min(WAIT.0)).await;
                } else {
                    tokio::select! {
                        () = sleep(wait) => {}
                        () = closed(shared) => {}
                    }
                }
            }
        }
    }
}

async fn closed(shared: &Shared) {
    while !shared.waiting().closed() {
        shared.wake.notified().await;
    }
}

fn give_up(shared: &Shared, error: &io::Error) {
    error!(
        %error, blocks = shared.waiting().left_over(),
        "the last blocks could not be written and are lost: they were never received"
    );
}

/// A disk that does not take what it is given.
#[derive(Default)]
struct Trouble {
    attempts: u32,
    last_attempts: u32,
    rhythm: Rhythm,
}

impl Trouble {
    /// It is met once more. Answers how long to wait.
    fn met(&mut self, shared: &Shared, stream: Stream, error: &io::Error, shed: bool) -> Duration {
        if self.rhythm.is_due() {
            error!(%stream, %error, "the journal cannot be written: new events wait in memory");
        }
        shared.health().failed(error);
        let wait = match self.attempts {
            0 if shed => Duration::ZERO,
            attempts => (WAIT.0 * 2_u32.pow(attempts.min(8))).min(WAIT.1),
        };
        self.attempts += 1;
        wait
    }

    /// It is over, if there was any.
    fn passed(&mut self, shared: &Shared) {
        if self.attempts > 0 {
            info!("the journal is written again");
            shared.health().recovered();
            (self.attempts, self.last_attempts) = (0, 0);
        }
    }
}
