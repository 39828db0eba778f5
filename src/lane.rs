//! One sink's way, as one loop: fill, deliver, settle. Alerts first.
//!
//! A lane shares the journal with the others and nothing else. What it has in hand is bounded by
//! its slots; what it has not read waits on disk. It ends when told to stop, or, told to drain,
//! when nothing is left to deliver.

use std::{collections::HashMap, sync::Arc, time::Duration};

use sidearm_sinks::contract::Stream;
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    deliver::{Delivery, Slot, Slots},
    fill::{Filled, Filler},
    journal::{Journal, cursor::Counts},
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
    /// A place taken ahead, so that a waiting event goes at once.
    spare: Option<Slot>,
    under_way: JoinSet<Counts>,
    in_hand: HashMap<Id, Filled>,
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
            spare: None,
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
        loop {
            self.changes.mark_unchanged();
            while let Some(joined) = self.under_way.try_join_next_with_id() {
                self.settle(joined);
            }
            for stream in Stream::ALL {
                self.filler.shed(stream);
            }
            let draining = ending.drain.is_cancelled();
            if ending.stop.is_cancelled() || (draining && self.is_drained()) {
                break;
            }
            if self.advance(!draining).await {
                continue;
            }
            let slots = self.slots.clone();
            tokio::select! {
                biased;
                () = ending.stop.cancelled() => {}
                Some(joined) = self.under_way.join_next_with_id() => self.settle(joined),
                slot = slots.take(), if self.spare.is_none() => self.spare = Some(slot),
                () = slots.freed(), if self.spare.is_some() => {}
                Ok(()) = self.changes.changed() => {}
                () = ending.drain.cancelled(), if !draining => {}
            }
        }
        self.under_way.shutdown().await;
        self.meter.show(LaneState::Stopped);
    }

    /// Takes the next span in hand and sets it on its way. Answers whether there was one.
    async fn advance(&mut self, linger: bool) -> bool {
        let Some(slot) = self.spare.take() else { return false };
        // The last place is kept for alerts, so that logs that cannot be delivered never
        // hold them up.
        let only_alerts = self.slots.is_last();
        let next = Stream::ALL
            .into_iter()
            .filter(|stream| !only_alerts || *stream == Stream::Alert)
            .find(|stream| self.filler.has_more(*stream));
        let filled = match next {
            Some(stream) => self.filler.fill(stream, linger).await,
            None => None,
        };
        match filled {
            Some(filled) if filled.batch.is_some() => {
                let Filled { stream, span, received_us, .. } = &filled;
                self.ledger.begin(*stream, span.clone(), *received_us);
                self.deliver(filled, slot, Duration::ZERO);
                true
            }
            Some(filled) => {
                self.spare = Some(slot);
                self.ledger.settle(filled.stream, filled.span, filled.counts);
                true
            }
            None => {
                self.spare = Some(slot);
                // A stream with more to read yields nothing only where all of it was shed.
                next.is_some()
            }
        }
    }

    fn deliver(&mut self, filled: Filled, slot: Slot, after: Duration) {
        let Some(batch) = filled.batch.clone() else { return };
        let delivery = self.delivery.clone();
        let task = self.under_way.spawn(async move {
            tokio::time::sleep(after).await;
            delivery.deliver(batch, slot).await
        });
        self.in_hand.insert(task.id(), filled);
    }

    fn settle(&mut self, joined: Result<(Id, Counts), JoinError>) {
        match joined {
            Ok((id, delivered)) => {
                if let Some(filled) = self.in_hand.remove(&id) {
                    let mut counts = filled.counts;
                    counts.add(delivered);
                    self.ledger.settle(filled.stream, filled.span, counts);
                }
            }
            Err(error) => {
                tracing::error!(
                    sink = %self.sink, %error,
                    "a delivery was cut short by a fault of our own; it is begun again"
                );
                if let Some(filled) = self.in_hand.remove(&error.id()) {
                    let slot = self.slots.beyond();
                    self.deliver(filled, slot, BEGIN_AGAIN_AFTER);
                }
            }
        }
    }

    fn is_drained(&self) -> bool {
        self.under_way.is_empty() && !Stream::ALL.iter().any(|stream| self.filler.has_more(*stream))
    }
}
