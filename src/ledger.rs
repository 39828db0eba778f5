//! One lane's books: what each stream's events came to, and which batches are under way.
//!
//! The lane writes them, the keeper saves them, status reads them. The books balance by
//! construction of [`Cursor`]: received = accepted + filtered + digested + dead + shed + pending.
//! What was digested and not told yet changes in the same lock, so that neither is ever saved
//! without the other.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use sidearm_sinks::contract::Stream;
use tokio::time::Instant;

use crate::{
    batch::Filled,
    clock::Clock,
    digest::{self, DigestMessage, DigestView, Judgement, Shown, Sight},
    journal::{
        Journal, SinkCursors,
        cursor::{Counts, Cursor},
    },
};

/// What became of the events of a lane, or of one stream of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Account {
    /// Events the lane answers for.
    pub received: u64,
    /// Each final fate.
    #[serde(flatten)]
    pub counts: Counts,
    /// Events without a final fate.
    pub pending: u64,
}

impl Account {
    /// Whether every event has exactly one place.
    pub fn balances(&self) -> bool {
        self.received == self.counts.total() + self.pending
    }

    /// The account of all streams together.
    pub(crate) fn total(accounts: &[Account]) -> Account {
        let mut total = Account::default();
        for account in accounts {
            total.received += account.received;
            total.counts.add(account.counts);
            total.pending += account.pending;
        }
        total
    }
}

/// A batch that was read and has no final fate yet.
#[derive(Debug, Clone)]
struct UnderWay {
    span: Range<u64>,
    received_us: u64,
}

/// One lane's books.
#[derive(Debug)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
    clock: Clock,
}

#[derive(Debug)]
struct Books {
    cursors: SinkCursors,
    under_way: [Vec<UnderWay>; 3],
    /// When the newest settled event was received, in microseconds since 1970.
    settled_us: u64,
    unsaved: bool,
}

impl Ledger {
    /// Goes on from what was saved; `digest` says how like events are told, if at all.
    pub(crate) fn new(mut cursors: SinkCursors, digest: Option<digest::Rules>) -> Self {
        let clock = Clock::new();
        cursors.incidents.resume(digest, clock.now_us());
        let books = Books { cursors, under_way: Default::default(), settled_us: 0, unsaved: true };
        Self { books: Mutex::new(books), clock }
    }

    /// Notes that a batch was read. Its span was neither settled nor under way before.
    pub(crate) fn begin(&self, stream: Stream, span: Range<u64>, received_us: u64) {
        let mut books = self.books();
        let under_way = &mut books.under_way[stream.index()];
        let place = under_way.partition_point(|other| other.span.start < span.start);
        under_way.insert(place, UnderWay { span, received_us });
    }

    /// Gives every event of what was in hand its final fate: of a span, or those that a digest
    /// message has told of.
    pub(crate) fn settle(&self, filled: &Filled, counts: Counts) {
        match &filled.digest {
            Some(message) => self.told(message, counts),
            None => self.settle_span(filled, counts),
        }
    }

    fn settle_span(&self, filled: &Filled, counts: Counts) {
        let Filled { stream, span, received_us, absorbed, .. } = filled;
        let now_us = self.clock.now_us();
        let mut books = self.books();
        // First what a restart would count again, then what it would not: a fault of our own in
        // between costs a repetition and never an event.
        books.cursors.incidents.settle(absorbed, now_us);
        if let Some(cursor) = &mut books.cursors.cursors[stream.index()] {
            cursor.settle(span.clone(), counts);
        }
        books.under_way[stream.index()].retain(|other| other.span != *span);
        books.settled_us = books.settled_us.max(*received_us);
        books.unsaved = true;
    }

    /// The events of a message that did not arrive were not told after all.
    fn told(&self, message: &DigestMessage, counts: Counts) {
        let now_us = self.clock.now_us();
        let fate: Option<fn(&mut Counts) -> &mut u64> = match counts {
            Counts { dead: 1.., .. } => Some(|counts| &mut counts.dead),
            Counts { shed: 1.., .. } => Some(|counts| &mut counts.shed),
            _ => None,
        };
        let mut books = self.books();
        let SinkCursors { cursors, incidents } = &mut books.cursors;
        if let Some(fate) = fate {
            for (cursor, events) in cursors.iter_mut().zip(message.events) {
                if let Some(cursor) = cursor {
                    cursor.restate_digested(events, fate);
                }
            }
        }
        incidents.told(message, now_us);
        books.unsaved = true;
    }

    /// What is to become of an event of a lane that tells like events together.
    pub(crate) fn judge(&self, sight: &Sight) -> Judgement {
        let now_us = self.clock.now_us();
        self.books().cursors.incidents.judge(sight, now_us)
    }

    /// Notes that an event is on its way as a message of its own.
    pub(crate) fn sending(&self, sight: &Sight, shown: Shown) {
        let now_us = self.clock.now_us();
        self.books().cursors.incidents.sending(sight, shown, now_us);
    }

    /// Notes that a span in hand brings more of an incident.
    pub(crate) fn absorbing(&self, sight: &Sight) {
        self.books().cursors.incidents.absorbing(sight);
    }

    /// The next digest message that is due and shows an event of this stream.
    pub(crate) fn due(&self, stream: Stream, caught_up: bool) -> Option<DigestMessage> {
        let now_us = self.clock.now_us();
        let mut books = self.books();
        let message = books.cursors.incidents.due(stream, caught_up, now_us)?;
        books.unsaved = true;
        Some(message)
    }

    /// When the next digest message will be due, as far as time alone decides.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        let next_us = self.books().cursors.incidents.next_us(self.clock.now_us())?;
        Some(self.clock.instant(next_us))
    }

    /// What people see of the lane's digest; nothing where there is none and nothing left of one.
    pub(crate) fn digest(&self) -> Option<DigestView> {
        self.books().cursors.incidents.view()
    }

    /// Sheds what the journal no longer holds and no batch has in hand. Answers how many.
    pub(crate) fn shed_below(&self, stream: Stream, first: u64) -> u64 {
        let mut books = self.books();
        let Books { cursors, under_way, unsaved, .. } = &mut *books;
        let Some(cursor) = &mut cursors.cursors[stream.index()] else { return 0 };
        if cursor.low() >= first {
            return 0;
        }
        let busy: Vec<Range<u64>> =
            under_way[stream.index()].iter().map(|batch| batch.span.clone()).collect();
        let shed = cursor.shed_below(first, &busy);
        *unsaved |= shed > 0;
        shed
    }

    /// The first range at or above `at` that is not settled.
    pub(crate) fn next_unsettled(&self, stream: Stream, at: u64) -> Option<Range<u64>> {
        self.books().cursors.cursors[stream.index()].as_ref()?.next_unsettled(at)
    }

    /// Where reading starts after a start; nothing for a stream this lane does not take.
    pub(crate) fn low(&self, stream: Stream) -> Option<u64> {
        self.books().cursors.cursors[stream.index()].as_ref().map(Cursor::low)
    }

    /// The cursors, if they changed since they were last handed out.
    pub(crate) fn unsaved(&self) -> Option<SinkCursors> {
        let mut books = self.books();
        std::mem::take(&mut books.unsaved).then(|| books.cursors.clone())
    }

    /// Says that saving what [`Ledger::unsaved`] handed out has failed.
    pub(crate) fn save_failed(&self) {
        self.books().unsaved = true;
    }

    /// The account of each stream, all of the same moment.
    pub(crate) fn accounts(&self, journal: &Journal) -> [Account; 3] {
        let books = self.books();
        // The heads are read while nothing can settle, or more might be settled than received.
        Stream::ALL.map(|stream| match &books.cursors.cursors[stream.index()] {
            Some(cursor) => {
                let head = journal.head(stream);
                Account {
                    received: cursor.received(head),
                    counts: cursor.counts(),
                    pending: cursor.pending(head),
                }
            }
            None => Account::default(),
        })
    }

    /// When the oldest event without a final fate was received, as far as it is known: that of
    /// the oldest batch under way, else that of the newest event settled.
    pub(crate) fn oldest_us(&self) -> u64 {
        let books = self.books();
        let under_way = books.under_way.iter().flatten().map(|batch| batch.received_us).min();
        under_way.unwrap_or(books.settled_us)
    }

    /// The books; also after a fault of our own while they were open, which ends its lane and
    /// nothing else.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::digest::Absorbed;

    #[test]
    fn books_that_a_fault_of_ours_left_open_can_still_be_read_and_saved() {
        let cursors = [Some(Cursor::new(0)), None, None];
        let ledger = Ledger::new(SinkCursors { cursors, ..SinkCursors::default() }, None);
        let filled = Filled {
            stream: Stream::Alert,
            span: 0..5,
            received_us: 1,
            batch: None,
            dead: Vec::new(),
            counts: Counts::default(),
            absorbed: Absorbed::default(),
            digest: None,
        };
        let counts = |accepted| Counts { accepted, ..Counts::default() };
        ledger.begin(Stream::Alert, 0..5, 1);
        let fault = catch_unwind(AssertUnwindSafe(|| ledger.settle(&filled, counts(4))));
        assert!(fault.is_err(), "a fate for each event of the span, or none");
        let saved = ledger.unsaved().and_then(|saved| saved.cursors[0].clone());
        assert_eq!(saved, Some(Cursor::new(0)), "nothing of it was settled");
        ledger.settle(&filled, counts(5));
        assert_eq!(ledger.low(Stream::Alert), Some(5));
    }
}
