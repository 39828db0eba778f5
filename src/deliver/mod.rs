//! Trying a destination, and trying it again: all of it, and only here.
//!
//! A batch comes from the lane and leaves with one final fate for each of its events. Trouble is
//! waited out for as long as it takes; what is too large or refused is halved until the one is
//! found; that one becomes a dead letter. A panic counts as a refusal, so that a poison event
//! neither stops nor loops the lane.

mod attempt;
mod gate;
mod once;
mod slot;
mod target;

use std::{borrow::Cow, mem::discriminant, ops::Range, sync::Arc, time::Duration};

use sidearm_sinks::contract::{Batch, Question, Record, Verdict};
use tokio::time::{Instant, sleep, sleep_until};

pub(crate) use self::{
    attempt::words,
    once::{Tried, send_once, try_once},
    slot::{Slot, Slots},
    target::Target,
};
use self::{
    attempt::{Ended, attempt},
    gate::{Gate, Pass},
    target::Current,
};
use crate::{
    batch::Filled,
    dead_letters::{DeadLetters, Death},
    journal::{Journal, cursor::Counts},
    meter::Meter,
    wire::{Reach, WireError},
};

/// How long to wait before a question whose answer was lost is asked again: at first, and at most.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
const LONGEST_PATIENCE: Duration = Duration::from_secs(30);

/// A lane's way to its destination.
pub(crate) struct Delivery<P: Reach> {
    target: Arc<Target<P>>,
    gate: Gate<P>,
    dead_letters: DeadLetters,
    journal: Journal,
    meter: Arc<Meter>,
}

/// Records that are tried together, and how often they were.
struct Part {
    batch: Batch,
    attempts: u32,
    stands_for: Option<StandsFor>,
}

impl Part {
    /// The dead letters of some of its records, each with the reason.
    fn deaths<'a>(&'a self, dead: impl IntoIterator<Item = (usize, &'a str)>) -> Vec<Death<'a>> {
        let records: Vec<Record<'a>> = self.batch.records().collect();
        let events = self.stands_for.map(|all| all.events);
        let death = |(index, why): (usize, &'a str)| Death {
            stream: self.batch.stream(),
            sequence: records[index].sequence,
            record: Some(records[index]),
            reason: reason_of(why, events),
            attempts: self.attempts,
        };
        dead.into_iter().map(death).collect()
    }
}

/// The dead letters of events that never became a record.
fn unsendable(filled: &Filled) -> Vec<Death<'_>> {
    let events = filled.digest.as_ref().map(|message| message.digest.events);
    let dead = filled.dead.iter();
    dead.map(|(sequence, why)| Death {
        stream: filled.stream,
        sequence: *sequence,
        record: None,
        reason: reason_of(why, events),
        attempts: 0,
    })
    .collect()
}

/// What a digest message's only record stands for.
#[derive(Debug, Clone, Copy)]
struct StandsFor {
    events: u64,
    /// The stream's next sequence number when the message was written: it is as young as that,
    /// whatever the event it shows.
    head: u64,
}

/// Neighbours within a part that come again.
struct Run {
    place: Range<usize>,
    how: Again,
}

/// How records come again.
enum Again {
    /// As they are: nothing was said against them, or it is us who were refused.
    AsTheyAre,
    /// As they are, for as long as the journal holds them.
    Later,
    /// Halved, for this reason.
    Halved(String),
}

impl Run {
    fn goes_on(&self, index: usize, how: &Again) -> bool {
        self.place.end == index && discriminant(&self.how) == discriminant(how)
    }
}

impl<P: Reach> Delivery<P> {
    pub(crate) fn new(
        sink: Arc<str>,
        target: Arc<Target<P>>,
        rate_per_second: Option<f64>,
        dead_letters: DeadLetters,
        journal: Journal,
        meter: Arc<Meter>,
    ) -> Self {
        let gate = Gate::new(sink, rate_per_second, target.clone(), meter.clone());
        Self { target, gate, dead_letters, journal, meter }
    }

    /// Sets aside what can never be sent and delivers the rest. Ends when each event has its fate.
    pub(crate) async fn deliver(&self, filled: &Filled, mut slot: Slot) -> Counts {
        let mut counts = Counts::default();
        self.bury_unsendable(filled, &mut counts).await;
        let stands_for = filled.digest.as_ref().map(|message| StandsFor {
            events: message.digest.events,
            head: self.journal.head(filled.stream),
        });
        let batch = filled.batch.clone();
        let mut parts: Vec<Part> =
            batch.into_iter().map(|batch| Part { batch, attempts: 0, stands_for }).collect();
        while let Some(mut part) = parts.pop() {
            slot.hold().await;
            let pass = self.gate.pass().await;
            part.attempts += 1;
            let current = self.target.current();
            let ended = self.attempt(&current, &part.batch, None).await;
            self.judge(ended, pass, part, &mut parts, &mut counts, &mut slot).await;
        }
        counts
    }

    /// Turns the end of an attempt into fates, or into further parts.
    async fn judge(
        &self,
        ended: Ended<P>,
        pass: Pass<'_, P>,
        part: Part,
        parts: &mut Vec<Part>,
        counts: &mut Counts,
        slot: &mut Slot,
    ) {
        match ended {
            Ended::Failed(WireError::Unusable(why)) => {
                pass.park(&why);
                parts.push(part);
            }
            Ended::Failed(error) => {
                pass.trouble(None, &error.to_string());
                parts.push(part);
            }
            Ended::Panicked(why) => {
                pass.well();
                self.halve(part, &why, parts, counts).await;
            }
            Ended::Answered(Verdict::Ask(question)) => {
                slot.release();
                // A probe has not ended while it is being asked about: had it, a destination that
                // takes everything and confirms nothing would be sent everything for ever.
                let probe = pass.well_unless_probe();
                let verdict = self.ask(&part.batch, question).await;
                let pass = probe.unwrap_or_else(|| self.gate.present());
                self.fate(verdict, pass, part, parts, counts).await;
            }
            Ended::Answered(verdict) => {
                self.fate(verdict, pass, part, parts, counts).await;
            }
        }
    }

    /// Turns a verdict on the whole part into fates, or into further parts.
    async fn fate(
        &self,
        verdict: Verdict<P>,
        pass: Pass<'_, P>,
        part: Part,
        parts: &mut Vec<Part>,
        counts: &mut Counts,
    ) {
        tell(pass, &verdict);
        match verdict {
            Verdict::Accepted | Verdict::AcceptedBut(..) => {
                counts.accepted += part.batch.len() as u64;
            }
            Verdict::Partly { refused, why } => self.partly(&part, refused, &why, counts).await,
            Verdict::Later(..) => self.again(part, parts, counts),
            Verdict::Blocked(_) | Verdict::Ask(_) => parts.push(part),
            Verdict::Smaller(why) | Verdict::Never(why) => {
                self.halve(part, &why, parts, counts).await;
            }
            Verdict::Each(each) if each.len() == part.batch.len() => {
                self.each(each, part, parts, counts).await;
            }
            Verdict::Each(each) => {
                tracing::error!(
                    answered = each.len(),
                    sent = part.batch.len(),
                    "the answer speaks of another number of events than were sent; sent again"
                );
                sleep(ASK_AGAIN_AFTER).await;
                parts.push(part);
            }
        }
    }

    /// Has a part tried again that was answered *later*. Once the journal has given all of it up it
    /// is shed: one event that a destination never decides on would hold its place for ever.
    fn again(&self, part: Part, parts: &mut Vec<Part>, counts: &mut Counts) {
        if self.is_retired(&part) {
            counts.shed += part.batch.len() as u64;
        } else {
            parts.push(part);
        }
    }

    /// Whether the journal has given all of it up meanwhile.
    fn is_retired(&self, Part { batch, stands_for, .. }: &Part) -> bool {
        let end = batch.record(batch.len() - 1).sequence + 1;
        stands_for.map_or(end, |all| all.head) <= self.journal.first(batch.stream())
    }

    /// Settles record by record. What is to come again goes in runs of neighbours, in order.
    async fn each(
        &self,
        each: Vec<Verdict<P>>,
        part: Part,
        parts: &mut Vec<Part>,
        counts: &mut Counts,
    ) {
        let mut runs: Vec<Run> = Vec::new();
        let mut dead: Vec<(usize, String)> = Vec::new();
        for (index, verdict) in each.into_iter().enumerate() {
            let how = match verdict {
                Verdict::Accepted | Verdict::AcceptedBut(..) => {
                    counts.accepted += 1;
                    continue;
                }
                Verdict::Never(why) => {
                    dead.push((index, why));
                    continue;
                }
                Verdict::Smaller(why) => Again::Halved(why),
                Verdict::Later(hint, _) if hint != Some(Duration::ZERO) => Again::Later,
                _ => Again::AsTheyAre,
            };
            match runs.last_mut() {
                Some(run) if run.goes_on(index, &how) => run.place.end += 1,
                _ => runs.push(Run { place: index..index + 1, how }),
            }
        }
        self.bury(&part.deaths(dead.iter().map(|(index, why)| (*index, &**why)))).await;
        counts.dead += dead.len() as u64;
        for run in runs.into_iter().rev() {
            let rest = Part { batch: part.batch.cut(run.place), ..part };
            match run.how {
                Again::Halved(why) => self.halve(rest, &why, parts, counts).await,
                Again::Later => self.again(rest, parts, counts),
                Again::AsTheyAre => parts.push(rest),
            }
        }
    }

    /// Cuts a refused part in two, or sets its only event aside.
    async fn halve(&self, part: Part, why: &str, parts: &mut Vec<Part>, counts: &mut Counts) {
        match part.batch.halves() {
            Some((first, second)) => {
                parts.push(Part { batch: second, ..part });
                parts.push(Part { batch: first, ..part });
            }
            None => {
                self.bury(&part.deaths([(0, why)])).await;
                counts.dead += 1;
            }
        }
    }

    /// Settles a batch of which the destination has refused some and does not say which: so many
    /// are dead, and all of them are written down, for whoever finds out.
    async fn partly(&self, part: &Part, refused: usize, why: &str, counts: &mut Counts) {
        let records = part.batch.len();
        let refused = refused.min(records);
        let reason = format!(
            "the destination refused {refused} of {records} events sent as one, \
             and does not say which: {why}"
        );
        self.bury(&part.deaths((0..records).map(|index| (index, &*reason)))).await;
        counts.dead += refused as u64;
        counts.accepted += (records - refused) as u64;
    }

    async fn bury_unsendable(&self, filled: &Filled, counts: &mut Counts) {
        self.bury(&unsendable(filled)).await;
        counts.dead += filled.dead.len() as u64;
    }

    /// Writes dead letters down, all in one go.
    async fn bury(&self, deaths: &[Death<'_>]) {
        self.dead_letters.bury(&self.journal, deaths).await;
        if let Some(last) = deaths.last() {
            self.meter.trouble(&last.reason);
        }
    }

    /// Makes one attempt: the batch itself, or a question about it.
    async fn attempt(
        &self,
        current: &Current<P>,
        batch: &Batch,
        question: Option<P::Request>,
    ) -> Ended<P> {
        let started = Instant::now();
        let ended = attempt(current, batch, question).await;
        self.meter.count(ended.name(), started.elapsed());
        ended
    }

    /// Asks until the destination has made up its mind or the question's time is over, each time
    /// with the secrets of that moment.
    async fn ask(&self, batch: &Batch, first: Question<P>) -> Verdict<P> {
        let deadline = Instant::now() + first.give_up;
        let mut question = first;
        let mut patience = ASK_AGAIN_AFTER;
        while Instant::now() < deadline {
            sleep_until(deadline.min(Instant::now() + question.wait)).await;
            // A question is a request: the destination counts it as one.
            self.gate.turn().await;
            let current = self.target.current();
            match self.attempt(&current, batch, Some(question.request.clone())).await {
                Ended::Answered(Verdict::Ask(next)) => question = next,
                Ended::Answered(Verdict::Later(..)) | Ended::Failed(_) => {
                    sleep_until(deadline.min(Instant::now() + patience)).await;
                    patience = (patience * 2).min(LONGEST_PATIENCE);
                }
                Ended::Answered(verdict) => return verdict,
                Ended::Panicked(why) => return Verdict::Never(why),
            }
        }
        let verdict = self.target.current().sink.gave_up(&question.request);
        if let Verdict::Later(_, why) = &verdict {
            self.meter.trouble(why);
            tracing::warn!(events = batch.len(), "{why}");
        }
        verdict
    }
}

/// Why a record is set aside, and what is lost with it.
fn reason_of(why: &str, events: Option<u64>) -> Cow<'_, str> {
    match events.filter(|events| *events > 0) {
        Some(events) => format!("{why} (the message told of {events} events)").into(),
        None => why.into(),
    }
}

/// Tells the gate what a verdict says of the destination as a whole.
fn tell<P: Reach>(pass: Pass<'_, P>, verdict: &Verdict<P>) {
    match verdict {
        // Zero means: the rest of this batch, at once. No sign of trouble.
        Verdict::Later(Some(Duration::ZERO), _) => pass.well(),
        Verdict::Later(hint, why) | Verdict::AcceptedBut(hint @ Some(_), why) => {
            pass.trouble(*hint, why);
        }
        Verdict::AcceptedBut(None, why) => {
            pass.remark(why);
            pass.well();
        }
        Verdict::Blocked(why) => pass.park(why),
        Verdict::Each(each) => match each.iter().max_by_key(|verdict| gravity(verdict)) {
            Some(worst) if gravity(worst) > (0, None) => tell(pass, worst),
            _ => pass.well(),
        },
        Verdict::Accepted
        | Verdict::Partly { .. }
        | Verdict::Smaller(_)
        | Verdict::Never(_)
        | Verdict::Ask(_) => pass.well(),
    }
}

/// How much a record's verdict says of the destination as a whole, and for how long.
fn gravity<P: Reach>(verdict: &Verdict<P>) -> (u8, Option<Duration>) {
    match verdict {
        Verdict::Blocked(_) => (3, None),
        Verdict::Later(Some(Duration::ZERO), _) => (0, None),
        Verdict::Later(hint, _) | Verdict::AcceptedBut(hint @ Some(_), _) => (2, *hint),
        Verdict::AcceptedBut(None, _) => (1, None),
        _ => (0, None),
    }
}
