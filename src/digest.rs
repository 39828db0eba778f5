//! Many like events as few messages: the incidents a lane has told of, as values. Pure: `now` is
//! handed in, in microseconds since 1970.
//!
//! The first event of an incident goes at once. Once its message has come to an end a window runs
//! in which repeats are absorbed: counted, not sent. At its end one message tells of them and the
//! next window begins; one in which nothing came closes. What is graver than all that was told, and
//! the first that was blocked, breaks the window. What would go beyond the hour's messages, or
//! belongs to an incident too many, is held and told by one message at the hour's end.
//!
//! Counts change only in `Incidents::settle`, in the ledger's lock together with the cursor, and
//! are saved in the cursor's file, so that a crash costs a repeated message and never a count.

mod held;
mod shown;
mod sight;
mod tally;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sidearm_sinks::contract::{Digest, DigestDefaults, Stream, Telling};

use held::Held;
pub(crate) use shown::Shown;
pub(crate) use sight::{Key, Rank, Sight};
pub(crate) use tally::Tally;

/// Incidents whose windows are open at once; events of further ones are held.
const MAX_OPEN_INCIDENTS: usize = 1_024;
const HOUR_US: u64 = 3_600_000_000;

/// How a lane tells like events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// How long a window runs.
    every_us: u64,
    /// Messages an hour at most.
    per_hour: u32,
    /// Whether an incident that is quiet is told so.
    resolves: bool,
}

impl From<DigestDefaults> for Rules {
    fn from(digest: DigestDefaults) -> Self {
        let every_us = u64::try_from(digest.every.as_micros()).unwrap_or(u64::MAX);
        Self { every_us, per_hour: digest.per_hour, resolves: digest.resolves }
    }
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// It is a message of its own.
    Send,
    /// Its incident's next message tells of it.
    Absorb,
    /// The hour's last message tells of it.
    Hold,
}

/// What a lane has told of, and what it has absorbed and not told yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incidents {
    windows: BTreeMap<Key, Window>,
    held: Held,
    hour: Option<Hour>,
    /// None where the lane has no digest; what an earlier run absorbed is then told at once.
    #[serde(skip)]
    rules: Option<Rules>,
}

/// One incident's window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    /// The event that its messages show: the last that was sent.
    shown: Shown,
    /// Whether a message of it has come to an end. Where a crash forestalled that, the next event
    /// is sent at once.
    opened: bool,
    /// The gravest that was told.
    told: Rank,
    until_us: u64,
    /// When the first and the last of its events happened, as far as they are settled.
    seen_us: (i64, i64),
    /// Absorbed and settled, not told.
    untold: Tally,
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

/// The hour that runs, and its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Hour {
    until_us: u64,
    messages: u32,
}

/// What one span does to a lane's incidents once it is settled.
#[derive(Debug, Default)]
pub(crate) struct Absorbed {
    sent: Vec<(Key, Rank)>,
    repeats: BTreeMap<Key, Tally>,
    held: Held,
}

/// A message that stands for many events, on its way.
#[derive(Debug)]
pub(crate) struct DigestMessage {
    /// The incident it is of; none where it tells of what was held.
    key: Option<Key>,
    /// The event it shows.
    pub(crate) shown: Shown,
    /// What it tells.
    pub(crate) digest: Digest,
    /// The events it stands for, by stream.
    pub(crate) events: [u64; 3],
}

/// What people see of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DigestView {
    /// Incidents whose repeats are absorbed at present.
    pub open: u64,
    /// Events absorbed and not told yet.
    pub untold: u64,
}

impl Absorbed {
    /// Notes that an event is sent as a message of its own.
    pub(crate) fn send(&mut self, sight: &Sight) {
        self.sent.push((sight.key, sight.rank));
    }

    /// Counts an event that its incident's next message will tell of. Answers whether it is the
    /// first of its incident in this span.
    pub(crate) fn absorb(&mut self, sight: &Sight) -> bool {
        let mut first = false;
        let tally = self.repeats.entry(sight.key).or_insert_with(|| {
            first = true;
            Tally::default()
        });
        tally.add(sight);
        first
    }

    /// Counts an event that the hour's last message will tell of.
    pub(crate) fn hold(&mut self, sight: &Sight, shown: impl FnOnce() -> Shown) {
        self.held.add(sight, shown);
    }
}

impl Incidents {
    /// Goes on from what was saved, or from nothing, under the rules of this run.
    pub(crate) fn resume(&mut self, rules: Option<Rules>, now_us: u64) {
        self.rules = rules;
        self.held.resume();
        self.windows.retain(|_, window| {
            if let Some(telling) = window.telling.take() {
                window.untold.merge(telling);
            }
            window.live = Live { promised: window.told, ..Live::default() };
            // What began it was never settled, so it comes again.
            window.opened || !window.untold.is_empty()
        });
        let Some(rules) = rules else {
            for (key, window) in std::mem::take(&mut self.windows) {
                self.held.take_over(key, window.shown, window.told, window.untold);
            }
            self.hour = None;
            return;
        };
        // Nor may a clock that was set back make a wait longer than it ever was.
        let latest_us = now_us.saturating_add(rules.every_us);
        for window in self.windows.values_mut() {
            window.until_us = window.until_us.min(latest_us);
        }
        if let Some(hour) = &mut self.hour {
            hour.until_us = hour.until_us.min(now_us.saturating_add(HOUR_US));
        }
    }

    /// What is to become of an event. Changes nothing that another event would notice.
    pub(crate) fn judge(&mut self, sight: &Sight, now_us: u64) -> Judgement {
        let room = self.windows.len() < MAX_OPEN_INCIDENTS;
        let (known, breaks) = match self.windows.get(&sight.key) {
            None => (false, room),
            Some(Window { live, .. }) if live.closing => (true, false),
            Some(Window { opened: false, live: Live { messages: 0, .. }, .. }) => (true, true),
            Some(Window { live, .. }) => (true, sight.rank.rises_above(live.promised)),
        };
        match (breaks, known) {
            (false, true) => Judgement::Absorb,
            (true, _) if self.has_leave(now_us) => Judgement::Send,
            _ => Judgement::Hold,
        }
    }

    /// Notes that an event is on its way as a message of its own.
    pub(crate) fn sending(&mut self, sight: &Sight, shown: Shown, now_us: u64) {
        self.spend(now_us);
        let window = self.windows.entry(sight.key).or_insert_with(|| Window {
            shown: shown.clone(),
            opened: false,
            told: Rank::default(),
            until_us: u64::MAX,
            seen_us: (sight.time_us, sight.time_us),
            untold: Tally::default(),
            telling: None,
            live: Live::default(),
        });
        window.shown = shown;
        window.see(sight.time_us, sight.time_us);
        window.live.messages += 1;
        window.live.promised.raise(sight.rank);
    }

    /// Notes that a span under way brings more of an incident.
    pub(crate) fn absorbing(&mut self, sight: &Sight) {
        if let Some(window) = self.windows.get_mut(&sight.key) {
            window.live.absorbing += 1;
        }
    }

    /// Takes in what a span did, in the moment in which it is settled.
    pub(crate) fn settle(&mut self, absorbed: &Absorbed, now_us: u64) {
        let every_us = self.every_us();
        for (key, rank) in &absorbed.sent {
            let Some(window) = self.windows.get_mut(key) else { continue };
            window.live.messages = window.live.messages.saturating_sub(1);
            window.opened = true;
            window.told.raise(*rank);
            window.until_us = now_us.saturating_add(every_us);
        }
        for (key, tally) in &absorbed.repeats {
            // It is kept open for as long as it absorbs.
            let window = self.windows.get_mut(key).expect("a window that absorbs is open");
            window.live.absorbing = window.live.absorbing.saturating_sub(1);
            let (first_us, last_us) = tally.span_us();
            window.see(first_us, last_us);
            window.untold.merge(tally.clone());
        }
        self.held.merge(&absorbed.held);
    }

    /// The next message that is due and shows an event of this stream. `caught_up` says that the
    /// lane has read all there is of it: only then is an incident known to be quiet.
    pub(crate) fn due(
        &mut self,
        stream: Stream,
        caught_up: bool,
        now_us: u64,
    ) -> Option<DigestMessage> {
        self.roll(now_us);
        if let Some(message) = self.held.due(stream) {
            return Some(message);
        }
        let over = |window: &Window| window.shown.stream == stream && window.is_over(now_us);
        let mut keys: Vec<(u64, Key)> = self
            .windows
            .iter()
            .filter(|(_, window)| over(window))
            .map(|(key, window)| (window.until_us, *key))
            .collect();
        keys.sort_unstable();
        keys.into_iter().find_map(|(_, key)| self.end(key, caught_up, now_us))
    }

    /// Ends one window, by a message where there is something to tell.
    fn end(&mut self, key: Key, caught_up: bool, now_us: u64) -> Option<DigestMessage> {
        let (leave, every_us) = (self.has_leave(now_us), self.every_us());
        let resolves = self.rules.is_some_and(|rules| rules.resolves);
        let window = self.windows.get_mut(&key)?;
        if !window.untold.is_empty() {
            let untold = std::mem::take(&mut window.untold);
            if !leave {
                window.until_us = now_us.saturating_add(every_us);
                self.held.take_over(key, window.shown.clone(), window.told, untold);
                return None;
            }
            let message = window.message(key, Telling::Repeats, &untold);
            window.telling = Some(untold);
            self.spend(now_us);
            return Some(message);
        }
        if window.live.absorbing > 0 || !caught_up {
            return None;
        }
        if !resolves {
            self.windows.remove(&key);
            return None;
        }
        if !leave {
            window.until_us = self.hour.map_or(now_us, |hour| hour.until_us);
            return None;
        }
        window.live.closing = true;
        let message = window.message(key, Telling::Quiet, &Tally::default());
        self.spend(now_us);
        Some(message)
    }

    /// Takes in that a message has come to its end.
    pub(crate) fn told(&mut self, message: &DigestMessage, now_us: u64) {
        let every_us = self.every_us();
        let Some(key) = message.key else { return self.held.told() };
        let Some(window) = self.windows.get_mut(&key) else { return };
        window.telling = None;
        window.opened = true;
        if !std::mem::take(&mut window.live.closing) {
            window.until_us = now_us.saturating_add(every_us);
        } else if window.untold.is_empty() && window.live.absorbing == 0 {
            self.windows.remove(&key);
        } else {
            // It was not quiet after all: that is told at once.
            window.until_us = now_us;
        }
    }

    /// When the next message may be due; nothing where only a message under way, or an event,
    /// brings one.
    pub(crate) fn next_us(&self, now_us: u64) -> Option<u64> {
        let windows = self.windows.values().filter(|window| window.is_over(u64::MAX));
        let hour = self.hour.filter(|_| !self.held.is_empty());
        let ends = windows.map(|window| window.until_us).chain(hour.map(|hour| hour.until_us));
        ends.filter(|end| *end > now_us).min()
    }

    /// What people see of it; nothing where there is no digest and nothing left of one.
    pub(crate) fn view(&self) -> Option<DigestView> {
        let windows: u64 = self.windows.values().map(Window::untold).sum();
        let view =
            DigestView { open: self.windows.len() as u64, untold: windows + self.held.untold() };
        (self.rules.is_some() || view.untold > 0).then_some(view)
    }

    /// Whether there is nothing to save.
    pub(crate) fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.held.is_empty() && self.hour.is_none()
    }

    /// Whether a message may be sent now.
    fn has_leave(&mut self, now_us: u64) -> bool {
        self.roll(now_us);
        let per_hour = self.rules.map_or(0, |rules| rules.per_hour);
        self.hour.is_none_or(|hour| hour.messages < per_hour)
    }

    fn spend(&mut self, now_us: u64) {
        let until_us = now_us.saturating_add(HOUR_US);
        self.hour.get_or_insert(Hour { until_us, messages: 0 }).messages += 1;
    }

    /// Ends the hour if it is over. What was held is then due, as the next hour's first message.
    fn roll(&mut self, now_us: u64) {
        if self.hour.is_some_and(|hour| now_us < hour.until_us) {
            return;
        }
        self.hour = None;
        if self.held.fall_due() {
            self.spend(now_us);
        }
    }

    fn every_us(&self) -> u64 {
        self.rules.map_or(0, |rules| rules.every_us)
    }
}

impl Window {
    /// Whether its time is over and no message of it is under way.
    fn is_over(&self, now_us: u64) -> bool {
        let Live { messages, closing, .. } = self.live;
        self.until_us <= now_us && messages == 0 && !closing && self.telling.is_none()
    }

    fn see(&mut self, first_us: i64, last_us: i64) {
        self.seen_us = (self.seen_us.0.min(first_us), self.seen_us.1.max(last_us));
    }

    fn untold(&self) -> u64 {
        self.untold.events() + self.telling.as_ref().map_or(0, Tally::events)
    }

    fn message(&self, key: Key, telling: Telling, tally: &Tally) -> DigestMessage {
        let mut events = [0; 3];
        events[self.shown.stream.index()] = tally.events();
        let mut digest = tally.digest(telling, 1);
        if tally.is_empty() {
            (digest.first_us, digest.last_us) = self.seen_us;
        }
        DigestMessage { key: Some(key), shown: self.shown.clone(), digest, events }
    }
}
