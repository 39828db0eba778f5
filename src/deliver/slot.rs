//! How many batches of a lane may be under way, and how many may wait for an acknowledgement.
//!
//! Alerts find a place where logs would not: the last one to send from, and a share of those for
//! batches the destination has taken and not yet made safe.

use std::sync::Arc;

use sidearm_sinks::contract::Stream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Room for batches that were taken by the destination and are not yet safe there.
const ASKING_BATCHES: usize = 64;
/// Of these, how many only alerts may take.
const ASKING_ALERTS: usize = 16;

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

    /// A place for a batch of this stream, if there is one.
    pub(crate) fn take(&self, stream: Stream) -> Option<Slot> {
        if !self.has_room(stream) {
            return None;
        }
        let sending = self.sending.clone().try_acquire_owned().ok()?;
        let all = self.all.clone().try_acquire_owned().ok()?;
        Some(Slot { slots: self.clone(), sending: Some(sending), _all: Some(all) })
    }

    fn has_room(&self, stream: Stream) -> bool {
        let only_place = self.sending_batches == 1;
        stream == Stream::Alert
            || (self.all.available_permits() > ASKING_ALERTS
                && (only_place || self.sending.available_permits() > 1))
    }

    /// A place for a batch that had one and lost it to a fault of our own.
    pub(crate) fn beyond(&self) -> Slot {
        Slot { slots: self.clone(), sending: None, _all: None }
    }

    /// Waits until a batch under way lets another one send.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
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
