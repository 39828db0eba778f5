//! Keeps the cursors on disk: five times a second where they changed, and at the end.
//!
//! Saving late costs duplicates after a crash and never an event.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::time::sleep;

use crate::{journal::Journal, status::StatusSource};

/// How often changed cursors are saved; what a killed process may deliver again.
const SAVE_EVERY: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub(super) struct Keeper {
    journal: Journal,
    status: StatusSource,
    /// Whether trouble was told, so that it is told once.
    in_trouble: Arc<AtomicBool>,
}

impl Keeper {
    pub(super) fn new(journal: Journal, status: StatusSource) -> Self {
        Self { journal, status, in_trouble: Arc::default() }
    }

    pub(super) async fn run(self) {
        loop {
            sleep(SAVE_EVERY).await;
            self.save().await;
        }
    }

    /// Saves what changed.
    pub(super) async fn save(&self) {
        for lane in &*self.status.lanes {
            let Some(cursors) = lane.ledger.unsaved() else { continue };
            match self.journal.save_cursors(&lane.name, &cursors).await {
                Ok(()) => self.in_trouble.store(false, Relaxed),
                Err(error) => {
                    lane.ledger.save_failed();
                    if !self.in_trouble.swap(true, Relaxed) {
                        tracing::error!(
                            sink = %lane.name, %error,
                            "cursors cannot be saved; deliveries go on, and a restart would \
                             repeat them"
                        );
                    }
                }
            }
        }
    }
}
