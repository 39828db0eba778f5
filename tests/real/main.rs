//! The real program against real systems: what it delivers is read back with that system's own
//! client and compared, event by event; then again with the system killed and restarted midway.
//!
//! `tests/real/run` fetches what is needed and starts this. A counterpart whose parts are missing
//! is skipped aloud. Words behind `--` choose counterparts by a part of their name.

#![expect(clippy::disallowed_methods, reason = "no runtime waits here; the relay has its own")]

mod alertmanager;
mod certificates;
mod elasticsearch;
mod hubs;
mod kafka;
mod mail;
mod opensearch;
mod place;
mod program;
mod rig;
mod rsyslog;
mod search;

use std::{process::ExitCode, time::Instant};

use rig::{Counterpart, Trouble};

/// How a counterpart is made ready: its name, and what starts it.
type Line = (&'static str, fn() -> Result<Box<dyn Counterpart>, Trouble>);

/// Every counterpart there is.
const COUNTERPARTS: &[Line] = &[
    ("kafka", kafka::start),
    ("opensearch", opensearch::start),
    ("elasticsearch", elasticsearch::start),
    ("hubs", hubs::start),
    ("rsyslog", rsyslog::start),
    ("alertmanager", alertmanager::start),
    ("mail", mail::start),
];

/// Numbered alerts of one delivery.
const EVENTS: usize = 10_000;

fn main() -> ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let mut tally = Tally::default();
    for (name, start) in COUNTERPARTS {
        if wanted.is_empty() || wanted.iter().any(|word| name.contains(word.as_str())) {
            run(name, *start, &mut tally);
        }
    }
    let Tally { passed, failed, skipped } = tally;
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    /// Prints how one thing ended, and counts it.
    fn tell(&mut self, name: &str, start: Instant, ended: Result<String, Trouble>) {
        let seconds = start.elapsed().as_secs_f64();
        match ended {
            Ok(what) => {
                self.passed += 1;
                println!("{name}: {what} ({seconds:.1} s)");
            }
            Err(Trouble::Missing(why)) => {
                self.skipped += 1;
                println!("{name}: SKIPPED: {why}");
            }
            Err(Trouble::Wrong(why)) => {
                self.failed += 1;
                println!("{name}: FAILED: {why} ({seconds:.1} s)");
            }
        }
    }
}

fn run(name: &str, start: fn() -> Result<Box<dyn Counterpart>, Trouble>, tally: &mut Tally) {
    let began = Instant::now();
    let mut counterpart = match start() {
        Ok(counterpart) => counterpart,
        Err(trouble) => return tally.tell(name, began, Err(trouble)),
    };
    let began = Instant::now();
    tally.tell(name, began, rig::delivers(counterpart.as_mut(), EVENTS));
    let began = Instant::now();
    let killed = format!("{name}, killed and restarted midway");
    tally.tell(&killed, began, rig::survives(counterpart.as_mut(), EVENTS));
    for (what, check) in counterpart.further() {
        let began = Instant::now();
        tally.tell(&format!("{name}, {what}"), began, check(counterpart.as_mut()));
    }
}
