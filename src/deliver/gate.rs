//! Waiting for leave to try a destination: its pace, its published rate, and parking.
//!
//! All batches of a lane pass the same gate. While it is parked, one batch at a time probes;
//! before each probe, and every few seconds between, secrets are read again, so that a mended
//! secret file reopens the lane by itself.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use super::target::Target;
use crate::{
    meter::{LaneState, Meter},
    pace::{Answer, Pace, Rate, Ticket},
    wire::Reach,
};

/// How often a parked lane looks whether its secrets have changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The one way to a destination.
pub(crate) struct Gate<P: Reach> {
    sink: Arc<str>,
    pace: Mutex<Pace>,
    changed: Notify,
    /// Held by the first in line, so that whoever was just turned away stands behind the others: one
    /// event that a destination is always too busy for would else take every probe.
    line: tokio::sync::Mutex<()>,
    rate: Option<tokio::sync::Mutex<Rate>>,
    target: Arc<Target<P>>,
    meter: Arc<Meter>,
}

/// Leave to make one attempt; dropped without a word, it goes to the next in line.
pub(crate) struct Pass<'a, P: Reach> {
    gate: &'a Gate<P>,
    ticket: Option<Ticket>,
}

impl<P: Reach> Gate<P> {
    pub(crate) fn new(
        sink: Arc<str>,
        rate_per_second: Option<f64>,
        target: Arc<Target<P>>,
        meter: Arc<Meter>,
    ) -> Self {
        let rate = rate_per_second.map(|rate| tokio::sync::Mutex::new(Rate::new(rate)));
        let (pace, changed) = (Mutex::new(Pace::new()), Notify::new());
        let line = tokio::sync::Mutex::default();
        Self { sink, pace, changed, line, rate, target, meter }
    }

    /// Waits until an attempt may be made.
    pub(crate) async fn pass(&self) -> Pass<'_, P> {
        loop {
            let pass = self.leave().await;
            self.turn().await;
            // While it waited for its turn, another's answer may have stopped the destination.
            if pass.ticket.is_some_and(|ticket| self.pace().is_current(ticket)) {
                return pass;
            }
        }
    }

    /// Waits until the published rate allows one more request.
    pub(crate) async fn turn(&self) {
        let Some(rate) = &self.rate else { return };
        // In line: many questions must not keep the next batch from its turn.
        let rate = rate.lock().await;
        while let Err(wait) = rate.take() {
            sleep(wait).await;
        }
    }

    /// A pass to tell an outcome with that no attempt of this moment has brought.
    pub(crate) fn present(&self) -> Pass<'_, P> {
        let ticket = self.pace().present();
        Pass { gate: self, ticket: Some(ticket) }
    }

    async fn leave(&self) -> Pass<'_, P> {
        let _first = self.line.lock().await;
        loop {
            let changed = self.changed.notified();
            let (answer, parked) = {
                let mut pace = self.pace();
                (pace.ask(Instant::now()), pace.is_parked())
            };
            match answer {
                Answer::Now(ticket) => {
                    let pass = Pass { gate: self, ticket: Some(ticket) };
                    if parked {
                        self.target.refresh(&self.sink).await;
                    }
                    return pass;
                }
                Answer::AfterProbe => changed.await,
                Answer::At(until) if parked => {
                    let look = until.min(Instant::now() + LOOK_EVERY);
                    if timeout_at(look, changed).await.is_err()
                        && self.target.refresh(&self.sink).await
                    {
                        self.pace().probe_now(Instant::now());
                        self.changed.notify_waiters();
                    }
                }
                Answer::At(until) => {
                    tokio::select! { () = sleep_until(until) => {}, () = changed => {} }
                }
            }
        }
    }

    fn settle(&self, change: impl FnOnce(&mut Pace)) {
        let (before, after) = {
            let mut pace = self.pace();
            let before = state_of(&pace);
            change(&mut pace);
            let after = state_of(&pace);
            if before != after {
                // While the pace is held, or of two changes the older might be the one that stays.
                self.meter.show(after);
            }
            (before, after)
        };
        if before != after {
            let last_error = self.meter.last_error().unwrap_or_default();
            match after {
                LaneState::Parked => tracing::error!(
                    sink = %self.sink, reason = last_error,
                    "the lane is parked: the destination refuses us; events are kept, and it is \
                     tried again at once when a secret changes"
                ),
                LaneState::Waiting => tracing::warn!(
                    sink = %self.sink, reason = last_error,
                    "the destination is in trouble; events are kept and it is tried again"
                ),
                _ => tracing::info!(sink = %self.sink, "the destination takes events again"),
            }
        }
        self.changed.notify_waiters();
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect("nothing panics while the pace is held")
    }
}

impl<P: Reach> Pass<'_, P> {
    /// The destination answered as a healthy one does.
    pub(crate) fn well(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.gate.settle(|pace| pace.well(ticket));
        }
    }

    /// As [`Pass::well`], but a probe is handed back: it has not ended yet.
    pub(crate) fn well_unless_probe(self) -> Option<Self> {
        if self.gate.pace().is_open() {
            self.well();
            return None;
        }
        Some(self)
    }

    /// The destination takes events, and a person should know what it said. Told once.
    pub(crate) fn remark(&self, why: &str) {
        if self.gate.meter.last_error().as_deref() != Some(why) {
            self.gate.meter.trouble(why);
            tracing::warn!(sink = %self.gate.sink, remark = why, "the destination takes events, but");
        }
    }

    /// The destination is in trouble; `why` is shown to people.
    pub(crate) fn trouble(mut self, hint: Option<Duration>, why: &str) {
        self.gate.meter.trouble(why);
        if let Some(ticket) = self.ticket.take() {
            self.gate.settle(|pace| pace.trouble(ticket, Instant::now(), hint));
        }
    }

    /// The destination refuses us until somebody acts; `why` is shown to people.
    pub(crate) fn park(mut self, why: &str) {
        self.gate.meter.trouble(why);
        if let Some(ticket) = self.ticket.take() {
            self.gate.settle(|pace| pace.park(ticket, Instant::now()));
        }
    }
}

impl<P: Reach> Drop for Pass<'_, P> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.gate.settle(|pace| pace.abandoned(ticket, Instant::now()));
        }
    }
}

fn state_of(pace: &Pace) -> LaneState {
    if pace.is_open() {
        LaneState::Running
    } else if pace.is_parked() {
        LaneState::Parked
    } else {
        LaneState::Waiting
    }
}

#[cfg(test)]
mod tests {
    use sidearm_sinks::contract::{Append, Destination};

    use super::*;
    use crate::{
        config::{Environment, SinkConfig, read},
        wire::RealWires,
    };

    fn gate() -> Gate<Append> {
        let file = "[sinks.out]\nstdout = {}\n";
        let mut config = read(file, "f.toml", &Environment::fixed([])).expect("nothing is wrong");
        let SinkConfig { destination, rebuild, .. } = config.sinks.remove(0);
        let Destination::Append(sink) = destination else { panic!("standard output") };
        let target = Target::new("out", sink, rebuild, Arc::new(RealWires)).expect("a wire");
        Gate::new("out".into(), None, Arc::new(target), Arc::new(Meter::new()))
    }

    /// Many times, as the moment in which it would go wrong is short.
    #[test]
    fn the_state_that_is_shown_is_the_gates_own() {
        let gate = gate();
        for round in 0..5_000 {
            std::thread::scope(|scope| {
                scope.spawn(|| gate.present().trouble(None, "busy"));
                scope.spawn(|| {
                    gate.pace().probe_now(Instant::now());
                    let answer = gate.pace().ask(Instant::now());
                    if let Answer::Now(ticket) = answer {
                        Pass { gate: &gate, ticket: Some(ticket) }.well();
                    }
                });
            });
            assert_eq!(gate.meter.state(), state_of(&gate.pace()), "round {round}");
        }
    }
}
