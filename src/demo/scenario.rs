//! The story the demo tells: an attack on a shop, amid the ordinary life of its cluster.
//!
//! Owns an endless, numbered run of events, encoded as a relay sends them. All of it follows from
//! the seed and the times it is given: it reads no clock. The story is drawn and encoded once; an
//! event told then costs little more than copying it, so that a benchmark can be fed from here.
//! Every operation and type of KubeArmor's occurs in each round of the attack.

mod attack;
mod cast;
mod deed;
mod line;
mod routine;
mod spread;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sidearm_sinks::contract::Stream;

use self::{cast::Cast, line::Line};

/// How often the attack is drawn anew before the story repeats itself.
const ROUNDS: usize = 4;
/// Ordinary events between two of the attack.
const CALM_EVENTS: std::ops::Range<usize> = 18..36;
/// Microseconds from one event to the next where the caller gives no time: 200 events a second.
const STEP_US: i64 = 5_000;

/// The story. As an iterator it goes on for ever, 200 events a second from its start.
///
/// Each event carries its number, counted from 1, in `ExecEvent.ExecID`; an agent's message, which
/// has no such field, carries it at the end of its text. Only the number and the times change when
/// the story repeats.
#[derive(Debug)]
pub struct Scenario {
    lines: Vec<Line>,
    at: usize,
    number: u64,
    start_us: i64,
    clock: line::Clock,
}

impl Scenario {
    /// The story that `seed` draws. `start_us`, in microseconds since 1970, is when it begins for
    /// those who take it as an iterator.
    pub fn new(seed: u64, start_us: i64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let cast = Cast::draw(&mut rng);
        let lines = (0..ROUNDS).flat_map(|_| round(&cast, &mut rng)).collect();
        Self { lines, at: 0, number: 0, start_us, clock: line::Clock::default() }
    }

    /// The number of the latest event; 0 before the first.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The next event, as if it happened at this time (microseconds since 1970).
    pub fn next_at(&mut self, time_us: i64) -> (Stream, Bytes) {
        let line = &self.lines[self.at];
        self.at = (self.at + 1) % self.lines.len();
        self.number += 1;
        (line.stream(), line.tell(self.number, self.clock.at(time_us)))
    }

    /// The next event of one stream; those of the others in between are left out.
    pub fn next_of(&mut self, stream: Stream, time_us: i64) -> Bytes {
        while self.lines[self.at].stream() != stream {
            self.at = (self.at + 1) % self.lines.len();
        }
        self.next_at(time_us).1
    }
}

impl Iterator for Scenario {
    type Item = (Stream, Bytes);

    fn next(&mut self) -> Option<(Stream, Bytes)> {
        let time_us = self.start_us + self.number as i64 * STEP_US;
        Some(self.next_at(time_us))
    }
}

/// One telling of the attack, with ordinary life before each of its events.
fn round(cast: &Cast, rng: &mut StdRng) -> Vec<Line> {
    let mut lines = routine::greetings(cast, rng);
    for deed in attack::DEEDS.iter().chain(spread::DEEDS) {
        let victim = cast.place(deed, rng);
        for _ in 0..deed.times {
            let calm = rng.random_range(CALM_EVENTS);
            lines.extend((0..calm).flat_map(|_| routine::lines(cast, rng)));
            lines.extend(deed.lines(&victim, rng));
        }
    }
    lines
}

#[cfg(test)]
mod tests;
