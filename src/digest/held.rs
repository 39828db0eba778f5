//! What was held back: one count of events of any number of incidents, told by one message.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sidearm_sinks::contract::{Stream, Telling};

use super::{
    DigestMessage,
    shown::Shown,
    sight::{Key, Rank, Sight},
    tally::Tally,
};

/// Held incidents that are told apart; with more of them the message names this many.
const MAX_HELD_INCIDENTS: usize = 1_024;

/// Events held back until the hour is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    untold: Sum,
    /// What a message under way tells of.
    telling: Option<Sum>,
    /// The hour is over.
    #[serde(skip)]
    due: bool,
}

/// Events of several incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Sum {
    tally: Tally,
    by_stream: [u64; 3],
    /// The lower halves of their keys.
    incidents: BTreeSet<u64>,
    /// One of the gravest of them.
    shown: Option<Shown>,
    rank: Rank,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.untold.tally.is_empty() && self.telling.is_none()
    }

    pub(super) fn untold(&self) -> u64 {
        self.untold.tally.events() + self.telling.as_ref().map_or(0, |sum| sum.tally.events())
    }

    /// Nothing is under way after a start.
    pub(super) fn resume(&mut self) {
        if let Some(telling) = self.telling.take() {
            self.untold.merge(telling);
        }
    }

    pub(super) fn add(&mut self, sight: &Sight, shown: impl FnOnce() -> Shown) {
        if self.untold.shows_rather(sight.rank) {
            (self.untold.shown, self.untold.rank) = (Some(shown()), sight.rank);
        }
        self.untold.tally.add(sight);
        self.untold.by_stream[sight.stream.index()] += 1;
        self.untold.note(sight.key);
    }

    /// Takes over what an incident of its own cannot tell.
    pub(super) fn take_over(&mut self, key: Key, shown: Shown, rank: Rank, tally: Tally) {
        if tally.is_empty() {
            return;
        }
        self.untold.by_stream[shown.stream.index()] += tally.events();
        if self.untold.shows_rather(rank) {
            (self.untold.shown, self.untold.rank) = (Some(shown), rank);
        }
        self.untold.tally.merge(tally);
        self.untold.note(key);
    }

    pub(super) fn merge(&mut self, other: &Held) {
        if !other.untold.tally.is_empty() {
            self.untold.merge(other.untold.clone());
        }
    }

    /// Answers whether something is to be told now that the hour is over.
    pub(super) fn fall_due(&mut self) -> bool {
        self.due = !self.untold.tally.is_empty();
        self.due
    }

    /// The message, if it is due, shows an event of this stream, and none is under way.
    pub(super) fn due(&mut self, stream: Stream) -> Option<DigestMessage> {
        if !self.due || self.telling.is_some() {
            return None;
        }
        let shown = self.untold.shown.clone().filter(|shown| shown.stream == stream)?;
        let sum = std::mem::take(&mut self.untold);
        let digest = sum.tally.digest(Telling::Held, sum.incidents.len() as u64);
        let events = sum.by_stream;
        (self.telling, self.due) = (Some(sum), false);
        Some(DigestMessage { key: None, shown, digest, events })
    }

    pub(super) fn told(&mut self) {
        self.telling = None;
    }
}

impl Sum {
    fn shows_rather(&self, rank: Rank) -> bool {
        self.shown.is_none() || rank.rises_above(self.rank)
    }

    fn note(&mut self, key: Key) {
        if self.incidents.len() < MAX_HELD_INCIDENTS {
            self.incidents.insert(key.0 as u64);
        }
    }

    fn merge(&mut self, other: Sum) {
        if other.shown.is_some() && self.shows_rather(other.rank) {
            (self.shown, self.rank) = (other.shown, other.rank);
        }
        self.tally.merge(other.tally);
        for (mine, more) in self.by_stream.iter_mut().zip(other.by_stream) {
            *mine += more;
        }
        let room = MAX_HELD_INCIDENTS.saturating_sub(self.incidents.len());
        self.incidents.extend(other.incidents.into_iter().take(room));
    }
}
