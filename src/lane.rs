//! One sink's way, as one loop: fill, deliver, settle. Alerts first; of each stream, what tells of
//! many events before what is new.
//!
//! A lane shares the journal with the others and nothing else. What it has in hand is bounded by
//! its slots; what it has not read waits on disk. It ends when told to stop, or, told to drain,
//! when nothing is left to deliver.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sidearm_sinks::contract::Stream;
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    batch::Filled,
    deliver::{Delivery, Slot, Slots},
    fill::Filler,
    journal::Journal,
    ledger::Ledger,
    meter::{LaneState, Meter},
    wire::Reach,
};

/// How long a delivery that was cut short by a fault of our own waits before it is begun again.
const BEGIN_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One sink's way.
pub(crate) struct Lane<P: Reach> {
    sink: Arc<str>,
    filler: Filler<P>,
    delivery: Arc<Delivery<P>>,
    slots: Slots,
    under_way: JoinSet<()>,
    /// What each task under way has in hand, should it have to be begun again.
    in_hand: HashMap<Id, Arc<Filled>>,
    ledger: Arc<Ledger>,
    meter: Arc<Meter>,
    changes: watch::Receiver<u64>,
}

/// How a lane is told to end.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// Deliver what is there, then end.
    pub(crate) drain: CancellationToken,
    /// End at once; what is in hand stays unsettled for the next start.
    pub(crate) stop: CancellationToken,
}

impl<P: Reach> Lane<P> {
    pub(crate) fn new(
        sink: Arc<str>,
        journal: &Journal,
        filler: Filler<P>,
        delivery: Delivery<P>,
    ) -> Self {
        Self {
            sink,
            slots: Slots::new(filler.rules.limits.in_flight),
            under_way: JoinSet::new(),
            in_hand: HashMap::new(),
            ledger: filler.ledger.clone(),
            meter: filler.meter.clone(),
            changes: journal.changes(),
            delivery: Arc::new(delivery),
            filler,
        }
    }

    /// Walks the journal until told to end.
    pub(crate) async fn run(mut self, ending: Ending) {
        // Whatever it waits for, a lane that is told to stop stops: filling and delivering may be
        // dropped anywhere, since nothing counts before it is settled.
        ending.stop.run_until_cancelled(self.walk(&ending.drain)).await;
        self.under_way.shutdown().await;
        self.meter.show(LaneState::Stopped);
    }

    async fn walk(&mut self, drain: &CancellationToken) {
        loop {
            self.changes.mark_unchanged();
            while let Some(joined) = self.under_way.try_join_next_with_id() {
                self.ended(joined);
            }
            for stream in Stream::ALL {
                self.filler.shed(stream);
            }
            if drain.is_cancelled() && self.is_drained() {
                return;
            }
            // Asked before the lane looks for what is due: nothing then falls due unseen.
            let next_due = self.ledger.next_due();
            if self.advance(drain).await {
                continue;
            }
            tokio::select! {
                biased;
                Some(joined) = self.under_way.join_next_with_id() => self.ended(joined),
                () = self.slots.freed() => {}
                Ok(()) = self.changes.changed() => {}
                () = drain.cancelled(), if !drain.is_cancelled() => {}
                () = until(next_due), if !drain.is_cancelled() => {}
            }
        }
    }

    /// Takes the next span in hand and sets it on its way. Answers whether the lane got further.
    async fn advance(&mut self, drain: &CancellationToken) -> bool {
        for stream in Stream::ALL {
            if !drain.is_cancelled() && self.tell(stream) {
                return true;
            }
            if !self.filler.has_more(stream) {
                continue;
            }
            let Some(slot) = self.slots.take(stream) else { continue };
            let before = self.filler.position(stream);
            if let Some(filled) = self.filler.fill(stream, drain).await {
                self.take_in_hand(filled, slot);
                return true;
            }
            if self.filler.position(stream) != before {
                return true;
            }
            // What is there cannot be read yet, as where a gap record waits for a full disk. The
            // streams behind do not wait with it.
        }
        false
    }

    /// Sets a message on its way that tells of many events of a stream, if one is due. What is not
    /// told when the lane drains is told after the next start.
    fn tell(&mut self, stream: Stream) -> bool {
        if self.ledger.digest().is_none() {
            return false;
        }
        let Some(slot) = self.slots.take(stream) else { return false };
        let Some(filled) = self.filler.digest_message(stream) else { return false };
        self.deliver(Arc::new(filled), slot, Duration::ZERO);
        true
    }

    fn take_in_hand(&mut self, filled: Filled, slot: Slot) {
        if filled.is_settled() {
            self.ledger.settle(&filled, filled.counts);
        } else {
            self.ledger.begin(filled.stream, filled.span.clone(), filled.received_us);
            self.deliver(Arc::new(filled), slot, Duration::ZERO);
        }
    }

    /// Delivers and settles in a task of its own, so that no lane waits for its destination.
    fn deliver(&mut self, filled: Arc<Filled>, slot: Slot, after: Duration) {
        let (delivery, ledger) = (self.delivery.clone(), self.ledger.clone());
        let in_hand = filled.clone();
        let task = self.under_way.spawn(async move {
            sleep(after).await;
            let mut counts = filled.counts;
            counts.add(delivery.deliver(&filled, slot).await);
            ledger.settle(&filled, counts);
        });
        self.in_hand.insert(task.id(), in_hand);
    }

    fn ended(&mut self, joined: Result<(Id, ()), JoinError>) {
        match joined {
            Ok((id, ())) => drop(self.in_hand.remove(&id)),
            Err(error) => {
                tracing::error!(
                    sink = %self.sink, %error,
                    "a delivery was cut short by a fault of our own; it is begun again"
                );
                if let Some(filled) = self.in_hand.remove(&error.id()) {
                    self.deliver(filled, self.slots.beyond(), BEGIN_AGAIN_AFTER);
                }
            }
        }
    }

    fn is_drained(&self) -> bool {
        self.under_way.is_empty() && !Stream::ALL.iter().any(|stream| self.filler.has_more(*stream))
    }
}

/// Waits for a moment; for none, for ever.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
