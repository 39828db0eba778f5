//! Keeps the cursors on disk: five times a second where they changed, and at the end.
//!
//! Saving late costs duplicates after a crash and never an event.

use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::{sync::Mutex, time::sleep};

use crate::{journal::Journal, status::StatusSource};

/// How often changed cursors are saved; what a killed process may deliver again.
const SAVE_EVERY: Duration = Duration::from_millis(200);

#[derive(Clone)]
pub(super) struct Keeper {
    journal: Journal,
    status: StatusSource,
    /// The sinks whose trouble was told, so that it is told once. Held while saving: two saves of
    /// one sink at a time would let the older one win.
    in_trouble: Arc<Mutex<HashSet<Arc<str>>>>,
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
        let mut in_trouble = self.in_trouble.lock().await;
        for lane in &*self.status.lanes {
            let Some(cursors) = lane.ledger.unsaved() else { continue };
            match self.journal.save_cursors(&lane.name, &cursors).await {
                Ok(()) => drop(in_trouble.remove(&lane.name)),
                Err(error) => {
                    lane.ledger.save_failed();
                    if in_trouble.insert(lane.name.clone()) {
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
