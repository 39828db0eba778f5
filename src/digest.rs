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
mod hex;
mod hour;
mod shown;
mod sight;
mod tally;
#[cfg(test)]
mod tests;
mod window;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sidearm_sinks::contract::{Digest, DigestDefaults, Stream};

use held::Held;
use hour::Hour;
pub(crate) use shown::Shown;
pub(crate) use sight::{Key, Rank, Sight};
pub(crate) use tally::Tally;
use window::Window;

/// Incidents whose windows are open at once; events of further ones are held.
const MAX_OPEN_INCIDENTS: usize = 1_024;

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
    hour: Hour,
    /// None where the lane has no digest; what an earlier run absorbed is then told at once.
    #[serde(skip)]
    rules: Option<Rules>,
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
        let latest_us = now_us.saturating_add(self.every_us());
        self.windows.retain(|_, window| window.resume(latest_us));
        if rules.is_some() {
            self.hour.resume(now_us);
            return;
        }
        for (key, window) in std::mem::take(&mut self.windows) {
            self.held.take_over(key, window.shown, window.told, window.untold);
        }
        self.hour = Hour::default();
    }

    /// What is to become of an event. Changes nothing that another event would notice.
    pub(crate) fn judge(&mut self, sight: &Sight, now_us: u64) -> Judgement {
        let room = self.windows.len() < MAX_OPEN_INCIDENTS;
        let (known, breaks) = match self.windows.get(&sight.key) {
            None => (false, room || sight.is_gap),
            Some(window) => (true, window.is_broken_by(sight.rank)),
        };
        match (breaks, known) {
            (false, true) => Judgement::Absorb,
            (true, _) if sight.is_gap || self.has_leave(now_us) => Judgement::Send,
            _ => Judgement::Hold,
        }
    }

    /// Notes that an event is on its way as a message of its own.
    pub(crate) fn sending(&mut self, sight: &Sight, shown: Shown, now_us: u64) {
        self.hour.spend(now_us);
        self.windows
            .entry(sight.key)
            .or_insert_with(|| Window::of(sight, shown.clone()))
            .sending(sight, shown);
    }

    /// Notes that a span under way brings more of an incident.
    pub(crate) fn absorbing(&mut self, sight: &Sight) {
        if let Some(window) = self.windows.get_mut(&sight.key) {
            window.absorbing();
        }
    }

    /// Takes in what a span did, in the moment in which it is settled.
    pub(crate) fn settle(&mut self, absorbed: &Absorbed, now_us: u64) {
        let until_us = now_us.saturating_add(self.every_us());
        for (key, rank) in &absorbed.sent {
            let Some(window) = self.windows.get_mut(key) else { continue };
            window.sent(*rank, until_us);
        }
        for (key, tally) in &absorbed.repeats {
            // It is kept open for as long as it absorbs.
            let window = self.windows.get_mut(key).expect("a window that absorbs is open");
            window.absorbed(tally);
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
        let message = if !window.untold.is_empty() {
            if !leave {
                window.until_us = now_us.saturating_add(every_us);
                let untold = std::mem::take(&mut window.untold);
                self.held.take_over(key, window.shown.clone(), window.told, untold);
                return None;
            }
            window.tell_repeats(key, now_us)
        } else if window.is_absorbing() || !caught_up {
            return None;
        } else if !resolves {
            self.windows.remove(&key);
            return None;
        } else if !leave {
            window.until_us = self.hour.end_us().unwrap_or(now_us);
            return None;
        } else {
            window.tell_quiet(key, now_us)
        };
        self.hour.spend(now_us);
        Some(message)
    }

    /// Takes in that a message has come to its end.
    pub(crate) fn told(&mut self, message: &DigestMessage, now_us: u64) {
        let every_us = self.every_us();
        let Some(key) = message.key else { return self.held.told() };
        let Some(window) = self.windows.get_mut(&key) else { return };
        if window.told(now_us, every_us) {
            self.windows.remove(&key);
        }
    }

    /// When the next message may be due; nothing where only a message under way, or an event,
    /// brings one.
    pub(crate) fn next_us(&self, now_us: u64) -> Option<u64> {
        let windows = self.windows.values().filter(|window| window.is_over(u64::MAX));
        let hour = self.hour.end_us().filter(|_| !self.held.is_empty());
        let ends = windows.map(|window| window.until_us).chain(hour);
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
        self.hour.has_leave(self.rules.map_or(0, |rules| rules.per_hour))
    }

    /// Ends the hour if it is over. What was held is then due, as the next hour's first message.
    fn roll(&mut self, now_us: u64) {
        if self.hour.runs(now_us) {
            return;
        }
        self.hour = Hour::default();
        if self.held.fall_due() {
            self.hour.spend(now_us);
        }
    }

    fn every_us(&self) -> u64 {
        self.rules.map_or(0, |rules| rules.every_us)
    }
}
