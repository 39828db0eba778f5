//! One sink's way, as one loop: fill, deliver, settle. Alerts first; of each stream, what tells of
//! many events before what is new.
//!
//! A lane shares the journal with the others and nothing else. What it has in hand is bounded by
//! its slots; what it has not read waits on disk. It ends when told to stop, or, told to drain,
//! when nothing is left to deliver.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt as _;
use sidearm_sinks::contract::Stream;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    batch::Filled,
    deliver::{Delivery, Slot, Slots, words},
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
    under_way: JoinSet<Option<CutShort>>,
    ledger: Arc<Ledger>,
    meter: Arc<Meter>,
    changes: watch::Receiver<u64>,
}

/// What a delivery had in hand that a fault of our own cut short, and that fault. It is begun again.
struct CutShort {
    filled: Box<Filled>,
    why: String,
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
            while let Some(joined) = self.under_way.try_join_next() {
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
                Some(joined) = self.under_way.join_next() => self.ended(joined),
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
        self.deliver(Box::new(filled), slot, Duration::ZERO);
        true
    }

    fn take_in_hand(&mut self, filled: Filled, slot: Slot) {
        if filled.is_settled() {
            self.ledger.settle(&filled, filled.counts);
        } else {
            self.ledger.begin(filled.stream, filled.span.clone(), filled.received_us);
            self.deliver(Box::new(filled), slot, Duration::ZERO);
        }
    }

    /// Delivers and settles in a task of its own, so that no lane waits for its destination.
    fn deliver(&mut self, filled: Box<Filled>, slot: Slot, after: Duration) {
        let (delivery, ledger) = (self.delivery.clone(), self.ledger.clone());
        self.under_way.spawn(async move {
            sleep(after).await;
            let delivered = AssertUnwindSafe(delivery.deliver(&filled, slot)).catch_unwind().await;
            let mut counts = match delivered {
                Ok(counts) => counts,
                Err(panic) => return Some(CutShort { filled, why: words(&*panic) }),
            };
            counts.add(filled.counts);
            // Beyond this nothing is begun again: it has been delivered.
            ledger.settle(&filled, counts);
            None
        });
    }

    /// Takes in that a delivery has ended. One that was delivered and could not be settled ends the
    /// lane, which would otherwise go on beside wrong books.
    fn ended(&mut self, joined: Result<Option<CutShort>, JoinError>) {
        match joined {
            Ok(None) => {}
            Ok(Some(CutShort { filled, why })) => {
                tracing::error!(
                    sink = %self.sink, reason = why,
                    "a delivery was cut short by a fault of our own; it is begun again"
                );
                self.deliver(filled, self.slots.beyond(), BEGIN_AGAIN_AFTER);
            }
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    resume_unwind(panic);
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
