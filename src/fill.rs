//! From the journal to a batch: read, route, digest, render.
//!
//! Owns a lane's reading positions. What it takes in hand is a span of one stream without a hole:
//! records for the destination, and a final fate for everything else in it. An event that cannot
//! be decoded or rendered, or that makes our own code panic, is set aside as a dead letter here;
//! its neighbours go on.

use std::{
    ops::Range,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use sidearm_sinks::contract::{
    Arrival, Batch, BatchBuilder, Body, Event, Kind, Overrides, Sink, Stream,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    batch::{self, Filled},
    config::BatchLimits,
    deliver::{Target, words},
    digest::{Absorbed, DigestMessage, Judgement, Shown, Sight},
    journal::{Block, Journal, cursor::Counts},
    ledger::Ledger,
    meter::Meter,
    render::Renderer,
    route::{OwnPod, Route},
    wire::Reach,
};

/// Events looked at for one span, so that a filter that takes few lets a lane see to its other
/// streams, and settle, in between.
const SPAN_EVENTS: u64 = 8192;

/// What decides whether and how an event goes to a sink.
pub(crate) struct Rules {
    pub(crate) route: Route,
    pub(crate) own_pod: Option<OwnPod>,
    pub(crate) renderer: Renderer,
    pub(crate) limits: BatchLimits,
    pub(crate) overrides: Overrides,
    /// Whether like events are told together.
    pub(crate) digests: bool,
    /// Whether a message can say how many events it stands for.
    pub(crate) tells_of_many: bool,
}

/// A lane's reader.
pub(crate) struct Filler<P: Reach> {
    pub(crate) rules: Rules,
    pub(crate) target: Arc<Target<P>>,
    pub(crate) journal: Journal,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) meter: Arc<Meter>,
    /// The next sequence number to read, by stream; nothing for streams not taken.
    at: [Option<u64>; 3],
    changes: watch::Receiver<u64>,
    body: Vec<u8>,
    /// Room for the last batch, in bytes: the next will be much like it.
    room_bytes: usize,
}

/// What became of one event.
enum Taken {
    Record,
    Filtered,
    /// Another message tells of it.
    Digested,
    Dead(String),
    /// The batch is full without it.
    NextTime,
}

/// A span being collected.
struct Hand {
    span: Range<u64>,
    received_us: u64,
    batch: BatchBuilder,
    filtered: u64,
    digested: u64,
    dead: Vec<(u64, String)>,
    absorbed: Absorbed,
}

impl<P: Reach> Filler<P> {
    pub(crate) fn new(
        rules: Rules,
        target: Arc<Target<P>>,
        journal: Journal,
        ledger: Arc<Ledger>,
        meter: Arc<Meter>,
    ) -> Self {
        let at = Stream::ALL.map(|stream| ledger.low(stream));
        let changes = journal.changes();
        let (body, room_bytes) = (Vec::new(), 0);
        Self { rules, target, journal, ledger, meter, at, changes, body, room_bytes }
    }

    /// Whether a stream has events that were not read yet.
    pub(crate) fn has_more(&self, stream: Stream) -> bool {
        self.at[stream.index()].is_some_and(|at| at < self.journal.head(stream))
    }

    /// Gives up what the journal no longer holds.
    pub(crate) fn shed(&mut self, stream: Stream) {
        let Some(at) = &mut self.at[stream.index()] else { return };
        let first = self.journal.first(stream);
        if first > self.ledger.low(stream).unwrap_or(first) {
            *at = (*at).max(first);
            shed_below(&self.ledger, stream, first);
        }
    }

    /// The next sequence number to read.
    pub(crate) fn position(&self, stream: Stream) -> Option<u64> {
        self.at[stream.index()]
    }

    /// Takes the next span of a stream in hand; nothing where there is nothing to read. A batch
    /// that is not full waits for more as long as its destination asks for, but not to `drain`.
    /// Dropped before it returns it has taken nothing in hand, but holes it met are shed and a digest
    /// counts what was looked at as under way: only a lane that ends may drop it.
    pub(crate) async fn fill(
        &mut self,
        stream: Stream,
        drain: &CancellationToken,
    ) -> Option<Filled> {
        let at = self.at[stream.index()]?;
        let free = self.ledger.next_unsettled(stream, at)?;
        let deadline = Instant::now() + self.rules.limits.wait;
        let mut hand = Hand::at(stream, free.start, self.room_bytes);
        while hand.span.end < free.end && !hand.is_enough(&self.rules.limits) {
            let Some(block) = self.journal.read(stream, hand.span.end).await else {
                let wait = !hand.batch.is_empty() && !self.rules.limits.wait.is_zero();
                let more = wait
                    && drain
                        .run_until_cancelled(self.more(&hand, deadline))
                        .await
                        .unwrap_or_default();
                if more {
                    continue;
                }
                break;
            };
            if block.first() > hand.span.end && !self.skip(&mut hand, &block, free.end) {
                break;
            }
            if !self.collect(&mut hand, &block, free.end) || self.is_urgent(stream) {
                break;
            }
            // A block is a millisecond's work. The receive path must not wait for more than that.
            tokio::task::yield_now().await;
        }
        self.at[stream.index()] = Some(hand.span.end);
        // A power of two: the memory that one batch gives back then fits the next.
        self.room_bytes = hand.batch.bytes().next_power_of_two();
        (!hand.span.is_empty()).then(|| hand.finish())
    }

    /// Whether a stream that goes before this one has something to read.
    fn is_urgent(&self, stream: Stream) -> bool {
        Stream::ALL.iter().any(|other| *other < stream && self.has_more(*other))
    }

    /// Passes over a hole in the journal: what is in it was shed or damaged. Answers whether the
    /// hand may go on; a span has no hole, so one that has begun may not.
    fn skip(&mut self, hand: &mut Hand, block: &Block, free_end: u64) -> bool {
        if !hand.span.is_empty() {
            return false;
        }
        let to = block.first().min(free_end);
        shed_below(&self.ledger, hand.batch.stream(), to);
        hand.span = to..to;
        to == block.first()
    }

    /// Takes the block's events in hand. Answers whether the batch may go on.
    fn collect(&mut self, hand: &mut Hand, block: &Block, free_end: u64) -> bool {
        let current = self.target.current();
        hand.received_us = hand.received_us.min(block.received_us());
        for (sequence, kind, message) in block.records_from(hand.span.end) {
            if sequence >= free_end || hand.is_enough(&self.rules.limits) {
                return false;
            }
            let arrival =
                Arrival { stream: hand.batch.stream(), sequence, received_us: block.received_us() };
            let Hand { batch: builder, absorbed, .. } = &mut *hand;
            let taken = catch_unwind(AssertUnwindSafe(|| {
                self.take(&*current.sink, kind, arrival, message, builder, absorbed)
            }));
            match taken {
                Ok(Taken::Record) => {}
                Ok(Taken::Filtered) => hand.filtered += 1,
                Ok(Taken::Digested) => hand.digested += 1,
                Ok(Taken::Dead(why)) => hand.dead.push((sequence, why)),
                Ok(Taken::NextTime) => return false,
                Err(panic) => {
                    hand.batch.trim();
                    hand.dead.push((sequence, words(&*panic)));
                }
            }
            hand.span.end = sequence + 1;
        }
        true
    }

    fn take(
        &mut self,
        sink: &dyn Sink<P>,
        kind: Kind,
        arrival: Arrival,
        message: &[u8],
        batch: &mut BatchBuilder,
        absorbed: &mut Absorbed,
    ) -> Taken {
        let event = match Event::decode(kind, arrival, message, &self.rules.overrides) {
            Ok(event) => event,
            Err(error) => return Taken::Dead(format!("it cannot be decoded: {error}")),
        };
        if self.rules.own_pod.as_ref().is_some_and(|pod| pod.is_own(&event)) {
            return Taken::Filtered;
        }
        match self.rules.route.takes(&event) {
            Ok(true) => {}
            Ok(false) => return Taken::Filtered,
            // An event that a filter cannot judge is told rather than lost.
            Err(_) => self.meter.filter_failed(),
        }
        let sight = self.rules.digests.then(|| Sight::of(&event));
        if let Some(sight) = &sight
            && self.absorb(&event, message, sight, absorbed)
        {
            return Taken::Digested;
        }
        self.body.clear();
        if let Err(error) = self.rules.renderer.render(&event, &mut self.body) {
            return Taken::Dead(format!("it cannot be rendered: {error}"));
        }
        let body = Body::new(self.rules.renderer.format(), &self.body);
        batch.push(event.id(), arrival.sequence, arrival.received_us, |record| {
            sink.record(&event, body, record);
        });
        if batch::overflowed(&self.rules.limits, batch) {
            batch.undo();
            return Taken::NextTime;
        }
        if let Some(sight) = &sight {
            self.ledger.sending(sight, Shown::new(&event, message));
            absorbed.send(sight);
        }
        Taken::Record
    }

    /// Counts an event that is not to be a message of its own. Answers whether it was one.
    fn absorb(
        &self,
        event: &Event<'_>,
        message: &[u8],
        sight: &Sight,
        absorbed: &mut Absorbed,
    ) -> bool {
        match self.ledger.judge(sight) {
            Judgement::Send => return false,
            Judgement::Hold => absorbed.hold(sight, || Shown::new(event, message)),
            Judgement::Absorb => {
                if absorbed.absorb(sight) {
                    self.ledger.absorbing(sight);
                }
            }
        }
        true
    }

    /// The next message that is due and stands for many events of a stream.
    pub(crate) fn digest_message(&mut self, stream: Stream) -> Option<Filled> {
        let message = self.ledger.due(stream, !self.has_more(stream))?;
        let (sequence, received_us) = (message.shown.sequence, message.shown.received_us);
        let written = catch_unwind(AssertUnwindSafe(|| self.write_digest(&message)));
        let (batch, dead) = match written {
            Ok(Ok(batch)) => (batch, Vec::new()),
            Ok(Err(why)) => (None, vec![(sequence, why)]),
            Err(panic) => (None, vec![(sequence, words(&*panic))]),
        };
        Some(Filled {
            stream,
            span: sequence..sequence,
            received_us,
            batch,
            dead,
            counts: Counts::default(),
            absorbed: Absorbed::default(),
            digest: Some(message),
        })
    }

    fn write_digest(&mut self, message: &DigestMessage) -> Result<Option<Batch>, String> {
        let shown = &message.shown;
        let event = shown.event(&self.rules.overrides);
        let event = event.map_err(|error| format!("it cannot be decoded: {error}"))?;
        let event = event.telling(&message.digest);
        if !self.rules.tells_of_many {
            return Err(format!(
                "they were counted under an earlier configuration; the format \"{}\" cannot say \
                 how many events a message stands for",
                self.rules.renderer.format().name()
            ));
        }
        self.body.clear();
        let rendered = self.rules.renderer.render(&event, &mut self.body);
        rendered.map_err(|error| format!("it cannot be rendered: {error}"))?;
        let renderer = &self.rules.renderer;
        let counts = renderer.tells_of_many();
        let body = Body { counts, ..Body::new(renderer.format(), &self.body) };
        let current = self.target.current();
        let mut batch = BatchBuilder::new(shown.stream);
        batch.push(event.id(), shown.sequence, shown.received_us, |record| {
            current.sink.record(&event, body, record);
        });
        Ok(batch.finish())
    }

    /// Waits for more events until the batch's time is over; alerts waiting end a log's wait.
    async fn more(&mut self, hand: &Hand, deadline: Instant) -> bool {
        let stream = hand.batch.stream();
        loop {
            self.changes.mark_unchanged();
            if self.is_urgent(stream) {
                return false;
            }
            if self.journal.head(stream) > hand.span.end {
                return true;
            }
            match timeout_at(deadline, self.changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return false,
            }
        }
    }
}

impl Hand {
    fn at(stream: Stream, start: u64, room_bytes: usize) -> Self {
        Self {
            span: start..start,
            received_us: u64::MAX,
            batch: BatchBuilder::with_room(stream, room_bytes),
            filtered: 0,
            digested: 0,
            dead: Vec::new(),
            absorbed: Absorbed::default(),
        }
    }

    fn is_enough(&self, limits: &BatchLimits) -> bool {
        let looked_at = self.span.end - self.span.start;
        batch::is_full(limits, &self.batch) || looked_at >= SPAN_EVENTS
    }

    fn finish(self) -> Filled {
        Filled {
            stream: self.batch.stream(),
            span: self.span,
            received_us: self.received_us,
            batch: self.batch.finish(),
            dead: self.dead,
            counts: Counts {
                filtered: self.filtered,
                digested: self.digested,
                ..Counts::default()
            },
            absorbed: self.absorbed,
            digest: None,
        }
    }
}

fn shed_below(ledger: &Ledger, stream: Stream, first: u64) {
    let events = ledger.shed_below(stream, first);
    if events > 0 {
        tracing::error!(%stream, events, "events were shed before this lane could settle them");
    }
}
