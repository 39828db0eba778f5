//! How many batches of a lane may be under way, and how many may wait for an acknowledgement.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Room for batches that were taken by the destination and are not yet safe there.
const ASKING_BATCHES: usize = 64;

/// The places of one lane.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    sending: Arc<Semaphore>,
    all: Arc<Semaphore>,
    freed: Arc<Notify>,
    sending_batches: usize,
}

/// One batch's place.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Slots,
    sending: Option<OwnedSemaphorePermit>,
    _all: Option<OwnedSemaphorePermit>,
}

impl Slots {
    pub(crate) fn new(in_flight: usize) -> Self {
        Self {
            sending: Arc::new(Semaphore::new(in_flight)),
            all: Arc::new(Semaphore::new(in_flight + ASKING_BATCHES)),
            freed: Arc::new(Notify::new()),
            sending_batches: in_flight,
        }
    }

    /// Waits for a place.
    pub(crate) async fn take(&self) -> Slot {
        let all = self.all.clone().acquire_owned().await.expect("never closed");
        let mut slot = Slot { slots: self.clone(), sending: None, _all: Some(all) };
        slot.hold().await;
        slot
    }

    /// A place for a batch that had one and lost it to a fault of our own.
    pub(crate) fn beyond(&self) -> Slot {
        Slot { slots: self.clone(), sending: None, _all: None }
    }

    /// Waits until a batch under way lets another one send.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Whether the place in hand is the last one to send from, and not the only one there is.
    pub(crate) fn is_last(&self) -> bool {
        self.sending_batches > 1 && self.sending.available_permits() == 0
    }
}

impl Slot {
    /// Waits for leave to send, unless it has it.
    pub(crate) async fn hold(&mut self) {
        if self.sending.is_none() {
            let sending = self.slots.sending.clone().acquire_owned().await;
            self.sending = Some(sending.expect("never closed"));
        }
    }

    /// Lets another batch send while this one waits for an acknowledgement.
    pub(crate) fn release(&mut self) {
        self.sending = None;
        self.slots.freed.notify_one();
    }
}
