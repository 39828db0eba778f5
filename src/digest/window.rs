//! One incident's window: what it has told, what it has absorbed since, and when it ends.

use serde::{Deserialize, Serialize};
use sidearm_sinks::contract::Telling;

use super::{
    DigestMessage, Tally,
    shown::Shown,
    sight::{Key, Rank, Sight},
};

/// One incident's window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Window {
    /// The event that its messages show: the last that was sent.
    pub(super) shown: Shown,
    /// Whether a message of it has come to an end. Where a crash forestalled that, the next event
    /// is sent at once.
    opened: bool,
    /// The gravest that was told.
    pub(super) told: Rank,
    pub(super) until_us: u64,
    /// When the first and the last of its events happened, as far as they are settled.
    seen_us: (i64, i64),
    /// Absorbed and settled, not told.
    pub(super) untold: Tally,
    /// What a message under way tells of; untold again where that message is lost in a crash.
    telling: Option<Tally>,
    #[serde(skip)]
    live: Live,
}

/// What is true of a window in this run only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Live {
    /// The gravest that was told or is under way.
    promised: Rank,
    /// Events of it that are under way as messages of their own.
    messages: u32,
    /// Spans under way that bring more to absorb.
    absorbing: u32,
    /// A message says that all is quiet, or did not get so far yet.
    closing: bool,
}

impl Window {
    /// One that begins with this event.
    pub(super) fn of(sight: &Sight, shown: Shown) -> Self {
        Self {
            shown,
            opened: false,
            told: Rank::default(),
            until_us: u64::MAX,
            seen_us: (sight.time_us, sight.time_us),
            untold: Tally::default(),
            telling: None,
            live: Live::default(),
        }
    }

    /// Goes on after a start, until `latest_us` at most: a clock that was set back makes it no
    /// longer. Answers whether it does; what began it may never have been settled, so that it
    /// comes again.
    pub(super) fn resume(&mut self, latest_us: u64) -> bool {
        if let Some(telling) = self.telling.take() {
            self.untold.merge(telling);
        }
        self.live = Live { promised: self.told, ..Live::default() };
        self.until_us = self.until_us.min(latest_us);
        self.opened || !self.untold.is_empty()
    }

    /// Whether an event of this rank is told at once.
    pub(super) fn is_broken_by(&self, rank: Rank) -> bool {
        let Live { promised, messages, closing, .. } = self.live;
        let is_forestalled = !self.opened && messages == 0;
        !closing && (is_forestalled || rank.rises_above(promised))
    }

    /// An event is on its way as a message of its own.
    pub(super) fn sending(&mut self, sight: &Sight, shown: Shown) {
        self.shown = shown;
        self.see(sight.time_us, sight.time_us);
        self.live.messages += 1;
        self.live.promised.raise(sight.rank);
    }

    /// Such a message has come to its end.
    pub(super) fn sent(&mut self, rank: Rank, until_us: u64) {
        self.live.messages = self.live.messages.saturating_sub(1);
        self.opened = true;
        self.told.raise(rank);
        self.until_us = until_us;
    }

    /// A span under way brings more of it.
    pub(super) fn absorbing(&mut self) {
        self.live.absorbing += 1;
    }

    pub(super) fn is_absorbing(&self) -> bool {
        self.live.absorbing > 0
    }

    /// Such a span is settled.
    pub(super) fn absorbed(&mut self, tally: &Tally) {
        self.live.absorbing = self.live.absorbing.saturating_sub(1);
        let (first_us, last_us) = tally.span_us();
        self.see(first_us, last_us);
        self.untold.merge(tally.clone());
    }

    /// Whether its time is over and no message of it is under way.
    pub(super) fn is_over(&self, now_us: u64) -> bool {
        let Live { messages, closing, .. } = self.live;
        self.until_us <= now_us && messages == 0 && !closing && self.telling.is_none()
    }

    /// Events absorbed and not told, those of a message under way among them.
    pub(super) fn untold(&self) -> u64 {
        self.untold.events() + self.telling.as_ref().map_or(0, Tally::events)
    }

    /// The message that tells of what was absorbed.
    pub(super) fn tell_repeats(&mut self, key: Key, now_us: u64) -> DigestMessage {
        let untold = std::mem::take(&mut self.untold);
        let message = self.message(key, Telling::Repeats, &untold, now_us);
        self.telling = Some(untold);
        message
    }

    /// The message that all is quiet.
    pub(super) fn tell_quiet(&mut self, key: Key, now_us: u64) -> DigestMessage {
        self.live.closing = true;
        self.message(key, Telling::Quiet, &Tally::default(), now_us)
    }

    /// Its message has come to its end. Answers whether the window is closed by it.
    pub(super) fn told(&mut self, now_us: u64, every_us: u64) -> bool {
        self.telling = None;
        self.opened = true;
        if !std::mem::take(&mut self.live.closing) {
            self.until_us = now_us.saturating_add(every_us);
            return false;
        }
        // Where it was not quiet after all, that is told at once.
        self.until_us = now_us;
        self.untold.is_empty() && self.live.absorbing == 0
    }

    fn see(&mut self, first_us: i64, last_us: i64) {
        self.seen_us = (self.seen_us.0.min(first_us), self.seen_us.1.max(last_us));
    }

    fn message(&self, key: Key, telling: Telling, tally: &Tally, now_us: u64) -> DigestMessage {
        let mut events = [0; 3];
        events[self.shown.stream.index()] = tally.events();
        let mut digest = tally.digest(telling, 1);
        if tally.is_empty() {
            (digest.first_us, digest.last_us) = self.seen_us;
        }
        // A node's clock may be ahead of ours: nothing is told to end in the future.
        let now_us = i64::try_from(now_us).unwrap_or(i64::MAX);
        (digest.first_us, digest.last_us) =
            (digest.first_us.min(now_us), digest.last_us.min(now_us));
        DigestMessage { key: Some(key), shown: self.shown.clone(), digest, events }
    }
}
