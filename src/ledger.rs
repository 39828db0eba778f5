//! One lane's books: what each stream's events came to, and which batches are under way.
//!
//! The lane writes them, the keeper saves them, status reads them. The books balance by
//! construction of [`Cursor`]: received = accepted + filtered + digested + dead + shed + pending.

use std::{
    ops::Range,
    sync::{Mutex, MutexGuard},
};

use serde::Serialize;
use sidearm_sinks::contract::Stream;

use crate::journal::{
    Journal, SinkCursors,
    cursor::{Counts, Cursor},
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
    pub(crate) fn new(cursors: SinkCursors) -> Self {
        let books = Books { cursors, under_way: Default::default(), settled_us: 0, unsaved: true };
        Self { books: Mutex::new(books) }
    }

    /// Notes that a batch was read. Its span was neither settled nor under way before.
    pub(crate) fn begin(&self, stream: Stream, span: Range<u64>, received_us: u64) {
        let mut books = self.books();
        let under_way = &mut books.under_way[stream.index()];
        let place = under_way.partition_point(|other| other.span.start < span.start);
        under_way.insert(place, UnderWay { span, received_us });
    }

    /// Gives every event of `span`, received at `received_us`, its final fate.
    pub(crate) fn settle(
        &self,
        stream: Stream,
        span: Range<u64>,
        counts: Counts,
        received_us: u64,
    ) {
        let mut books = self.books();
        books.under_way[stream.index()].retain(|other| other.span != span);
        books.settled_us = books.settled_us.max(received_us);
        if let Some(cursor) = &mut books.cursors.cursors[stream.index()] {
            cursor.settle(span, counts);
        }
        books.unsaved = true;
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

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().expect("no panic while the books are open")
    }
}
