//! What a lane has settled of one stream: a low-water mark and the settled ranges above it.
//!
//! Batches under way settle out of order; the mark passes only what has a final fate. Pure: the
//! file it lives in between runs is `journal/cursors.rs`'s.

use std::{collections::BTreeMap, ops::Range};

use serde::{Deserialize, Serialize};

/// How many events met each final fate. With `pending` this is the ledger:
/// received = accepted + filtered + digested + dead + shed + pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Safe at the destination.
    pub accepted: u64,
    /// Not for this lane, by its `when` or because the event is our own.
    pub filtered: u64,
    /// Told within another event's message.
    pub digested: u64,
    /// Set aside as a dead letter.
    pub dead: u64,
    /// Given up for room, unsettled.
    pub shed: u64,
}

impl Counts {
    /// All fates together.
    pub fn total(&self) -> u64 {
        self.accepted + self.filtered + self.digested + self.dead + self.shed
    }

    /// Adds another count, fate by fate.
    pub fn add(&mut self, other: Counts) {
        self.accepted += other.accepted;
        self.filtered += other.filtered;
        self.digested += other.digested;
        self.dead += other.dead;
        self.shed += other.shed;
    }
}

/// What a lane has settled of one stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The first sequence number this lane was ever responsible for.
    origin: u64,
    /// Everything below is settled.
    low: u64,
    /// Settled ranges above `low`, start to end; never touching each other or `low`.
    above: BTreeMap<u64, u64>,
    counts: Counts,
}

impl Cursor {
    /// A lane that answers for everything from `origin` on.
    pub fn new(origin: u64) -> Self {
        Self { origin, low: origin, above: BTreeMap::new(), counts: Counts::default() }
    }

    /// Everything below is settled.
    pub fn low(&self) -> u64 {
        self.low
    }

    /// Nothing at or above was ever settled.
    pub fn high(&self) -> u64 {
        self.above.last_key_value().map_or(self.low, |(_, end)| *end)
    }

    /// How many events met each fate since `origin`.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Events this lane answers for while the stream's next sequence number is `head`.
    pub fn received(&self, head: u64) -> u64 {
        head.saturating_sub(self.origin)
    }

    /// Events without a final fate while the stream's next sequence number is `head`.
    pub fn pending(&self, head: u64) -> u64 {
        let above: u64 = self.above.iter().map(|(start, end)| end - start).sum();
        head.saturating_sub(self.low).saturating_sub(above)
    }

    /// Gives every event of `span` its final fate. `counts` tells how many met which; their total
    /// is the span's length, and no event of the span was settled before.
    pub fn settle(&mut self, span: Range<u64>, counts: Counts) {
        assert_eq!(span.end - span.start, counts.total(), "every event of a span has one fate");
        assert!(
            self.next_unsettled(span.start)
                .is_some_and(|free| free.start == span.start && free.end >= span.end),
            "an event is settled once: {span:?} of {self:?}"
        );
        self.counts.add(counts);
        self.cover(span);
    }

    /// Says that the message which told of `events` digested ones has met another fate.
    pub fn restate_digested(&mut self, events: u64, fate: fn(&mut Counts) -> &mut u64) {
        // Counts that began anew know nothing of what was digested before.
        let events = events.min(self.counts.digested);
        self.counts.digested -= events;
        *fate(&mut self.counts) += events;
    }

    /// Sheds what lies below `first`, is not settled, and is not in `under_way` (sorted, apart).
    /// Answers how many events that were.
    pub fn shed_below(&mut self, first: u64, under_way: &[Range<u64>]) -> u64 {
        let mut shed = 0;
        let mut at = self.low;
        while let Some(free) = self.next_unsettled(at).filter(|free| free.start < first) {
            let mut end = free.end.min(first);
            let mut start = free.start;
            if let Some(busy) = under_way.iter().find(|busy| busy.start < end && busy.end > start) {
                if busy.start <= start {
                    at = busy.end;
                    continue;
                }
                end = busy.start;
            }
            start = start.max(self.low);
            shed += end - start;
            self.settle(start..end, Counts { shed: end - start, ..Counts::default() });
            at = end;
        }
        shed
    }

    /// The first range at or above `at` that is not settled. The last one is open: its end is
    /// `u64::MAX`.
    pub fn next_unsettled(&self, at: u64) -> Option<Range<u64>> {
        let mut start = at.max(self.low);
        if let Some((_, end)) = self.above.range(..=start).next_back() {
            start = start.max(*end);
        }
        let end = self.above.range(start..).next().map_or(u64::MAX, |(next, _)| *next);
        (start < end).then_some(start..end)
    }

    fn cover(&mut self, span: Range<u64>) {
        let Range { mut start, mut end } = span;
        if let Some((&before, &before_end)) = self.above.range(..start).next_back()
            && before_end == start
        {
            self.above.remove(&before);
            start = before;
        }
        if let Some(&after_end) = self.above.get(&end) {
            self.above.remove(&end);
            end = after_end;
        }
        if start == self.low {
            self.low = end;
        } else {
            self.above.insert(start, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(count: u64) -> Counts {
        Counts { accepted: count, ..Counts::default() }
    }

    #[test]
    fn the_mark_waits_for_the_slowest_batch() {
        let mut cursor = Cursor::new(10);
        cursor.settle(15..20, accepted(5));
        cursor.settle(25..30, accepted(5));
        assert_eq!((cursor.low(), cursor.pending(40)), (10, 20));
        cursor.settle(20..25, accepted(5));
        assert_eq!(cursor.low(), 10);
        cursor.settle(10..15, accepted(5));
        assert_eq!((cursor.low(), cursor.pending(40), cursor.received(40)), (30, 10, 30));
    }

    #[test]
    fn shedding_spares_what_is_under_way() {
        let mut cursor = Cursor::new(0);
        cursor.settle(10..20, accepted(10));
        assert_eq!(cursor.shed_below(30, &[5..8, 22..25]), 5 + 2 + 2 + 5);
        assert_eq!(cursor.next_unsettled(0), Some(5..8));
        cursor.settle(5..8, accepted(3));
        cursor.settle(22..25, accepted(3));
        assert_eq!((cursor.low(), cursor.counts().shed), (30, 14));
        assert_eq!(cursor.received(30), cursor.counts().total() + cursor.pending(30));
    }

    #[test]
    #[should_panic(expected = "settled once")]
    fn settling_twice_is_our_mistake() {
        let mut cursor = Cursor::new(0);
        cursor.settle(0..5, accepted(5));
        cursor.settle(4..6, accepted(2));
    }
}
