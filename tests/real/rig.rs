//! A delivery: a relay in this process, the real program, a counterpart; what came is counted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use crate::program::{Feed, Program};

/// How long a counterpart stays away when it is killed.
const AWAY: Duration = Duration::from_secs(2);

/// Why a counterpart, or a part of its test, did not pass.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// What it needs is not on this machine: skipped.
    Missing(String),
    /// It failed.
    Wrong(String),
}

/// Anything that fails on the way is a failure of the test.
impl<E: fmt::Display> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Wrong(error.to_string())
    }
}

/// What else is tried with a counterpart, by name.
pub(crate) type Further = (&'static str, fn(&mut dyn Counterpart) -> Result<String, Trouble>);

/// A real system. Dropping it ends it.
pub(crate) trait Counterpart {
    /// Lines of a sink's table, for a place of this name (a topic, an index) that no delivery has
    /// used before: `kafka.topic = "NAME"`.
    fn sink(&mut self, place: &str) -> Result<String, Trouble>;

    /// Compares what is in that place, read with the system's own client, with what was sent there.
    fn count(&mut self, place: &str, sent: &Feed) -> Result<Count, Trouble>;

    /// Ends it at once, as a power cut would.
    fn kill(&mut self) -> Result<(), Trouble>;

    /// Starts it again on what it has on disk; returns once it is usable.
    fn restart(&mut self) -> Result<(), Trouble>;

    /// Copies it may hold of an event after it was killed; none where part of its promise is that
    /// there are none.
    fn copies_allowed(&self) -> bool {
        true
    }

    /// What else is tried, in order.
    fn further(&self) -> Vec<Further> {
        Vec::new()
    }

    /// Itself, for the functions of `further`.
    fn as_any(&mut self) -> &mut dyn std::any::Any;
}

/// What came of a delivery.
pub(crate) struct Count {
    /// What is counted, for people: `events`.
    pub(crate) of: &'static str,
    pub(crate) sent: usize,
    pub(crate) missing: usize,
    pub(crate) duplicates: usize,
    pub(crate) strangers: usize,
}

impl Count {
    /// Compares the ids of events that came with those of the events that were sent.
    pub(crate) fn of(sent: &[String], came: &[String]) -> Self {
        Self::of_named("events", sent, came)
    }

    /// Compares what came with what was sent, where a destination keeps other things than events.
    pub(crate) fn of_named(of: &'static str, sent: &[String], came: &[String]) -> Self {
        let sent: BTreeSet<&str> = sent.iter().map(String::as_str).collect();
        let mut copies: BTreeMap<&str, usize> = BTreeMap::new();
        for id in came {
            *copies.entry(id).or_default() += 1;
        }
        Self {
            of,
            sent: sent.len(),
            missing: sent.iter().filter(|id| !copies.contains_key(*id)).count(),
            duplicates: copies.values().map(|copies| copies - 1).sum(),
            strangers: copies.keys().filter(|id| !sent.contains(*id)).count(),
        }
    }

    /// Whether everything is there, once, and nothing else.
    pub(crate) fn is_exact(&self) -> bool {
        self.missing + self.duplicates + self.strangers == 0
    }

    /// Passes where it is exact, with `words` behind it.
    pub(crate) fn exact(&self, program: &Program, words: &str) -> Result<String, Trouble> {
        match self.is_exact() {
            true => Ok(format!("{self}{words}")),
            false => Err(program.wrong(&self.to_string())),
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, sent, missing, duplicates, strangers } = self;
        write!(f, "{sent} {of}, {missing} missing, {duplicates} duplicates")?;
        if *strangers > 0 { write!(f, ", {strangers} never sent") } else { Ok(()) }
    }
}

/// Delivers so many events while all is well: each is there, once.
pub(crate) fn delivers(
    counterpart: &mut dyn Counterpart,
    events: usize,
) -> Result<String, Trouble> {
    let sink = counterpart.sink("well")?;
    let mut program = Program::start(&sink)?;
    let feed = program.publish(events)?;
    program.settled(&feed)?;
    program.gave_up_nothing()?;
    program.stop()?;
    counterpart.count("well", &feed)?.exact(&program, "")
}

/// Delivers so many events to a counterpart that is killed and restarted midway.
pub(crate) fn survives(
    counterpart: &mut dyn Counterpart,
    events: usize,
) -> Result<String, Trouble> {
    let sink = counterpart.sink("killed")?;
    let mut program = Program::start(&sink)?;
    let mut feed = Feed::default();
    let third = events / 3;
    feed.extend(program.publish(third)?);
    // Midway: a client that has not reached anybody yet may begin anew, and make copies.
    program.until_sink("the first are accepted", |sink| sink["accepted"].as_u64() > Some(0))?;
    counterpart.kill()?;
    feed.extend(program.publish(third)?);
    std::thread::sleep(AWAY);
    counterpart.restart()?;
    feed.extend(program.publish(events - 2 * third)?);
    program.settled(&feed)?;
    program.gave_up_nothing()?;
    program.stop()?;
    let count = counterpart.count("killed", &feed)?;
    let copies = if counterpart.copies_allowed() { 0 } else { count.duplicates };
    let is_right = count.missing + count.strangers + copies == 0;
    if is_right { Ok(count.to_string()) } else { Err(program.wrong(&count.to_string())) }
}
