//! When a destination may be tried, as values: backoff after trouble, and a published rate.
//!
//! One [`Pace`] serves a whole destination, so that an outage is met by one probe at a time and
//! not by every batch under way. Pure but for the clock reading handed in: it answers `now` or
//! `at`, and `deliver.rs` does the waiting.

use std::{num::NonZeroU32, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::Instant;

/// The first wait after trouble. Jitter adds up to as much again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait of our own making.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// The first and longest wait between probes of a parked destination.
const PARKED_WAIT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));
/// The longest hint that is followed as given; a destination that asks for more is tried hourly.
const LONGEST_HINT: Duration = Duration::from_secs(3600);

/// Leave to make one attempt. Its outcome is told back with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket {
    era: u64,
}

/// Whether an attempt may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Make it.
    Now(Ticket),
    /// Not before this moment.
    At(Instant),
    /// Somebody's probe is under way; ask again when it has ended.
    AfterProbe,
}

/// What a destination's answers say about trying it.
#[derive(Debug)]
pub(crate) struct Pace {
    state: State,
    /// Counts openings and closings; an outcome from an earlier era says nothing about this one.
    era: u64,
    waits: ExponentialBackoff,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Closed { until: Instant, parked: bool },
    Probing { parked: bool },
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self { state: State::Open, era: 0, waits: waits(FIRST_WAIT, LONGEST_WAIT) }
    }

    /// Asks leave for an attempt. The first to ask once a wait is over gets the only probe.
    pub(crate) fn ask(&mut self, now: Instant) -> Answer {
        match self.state {
            State::Open => Answer::Now(Ticket { era: self.era }),
            State::Closed { until, .. } if now < until => Answer::At(until),
            State::Closed { parked, .. } => {
                self.state = State::Probing { parked };
                Answer::Now(Ticket { era: self.era })
            }
            State::Probing { .. } => Answer::AfterProbe,
        }
    }

    /// Whether nothing has opened or closed since the ticket was given.
    pub(crate) fn is_current(&self, ticket: Ticket) -> bool {
        ticket.era == self.era
    }

    /// A ticket of this moment, to tell an outcome with that no attempt has brought.
    pub(crate) fn present(&self) -> Ticket {
        Ticket { era: self.era }
    }

    /// The destination answered as a healthy one does.
    pub(crate) fn well(&mut self, ticket: Ticket) {
        if ticket.era == self.era && matches!(self.state, State::Probing { .. }) {
            self.open();
        }
    }

    /// The destination is in trouble. Its own hint of when to come back beats our wait.
    pub(crate) fn trouble(&mut self, ticket: Ticket, now: Instant, hint: Option<Duration>) {
        self.close(ticket, now, hint, false);
    }

    /// The destination refuses us until somebody acts.
    pub(crate) fn park(&mut self, ticket: Ticket, now: Instant) {
        self.close(ticket, now, None, true);
    }

    /// An attempt ended without an outcome.
    pub(crate) fn abandoned(&mut self, ticket: Ticket, now: Instant) {
        if ticket.era == self.era
            && let State::Probing { parked } = self.state
        {
            self.state = State::Closed { until: now, parked };
        }
    }

    /// Something changed on our side (a new secret): the next to ask may probe at once.
    pub(crate) fn probe_now(&mut self, now: Instant) {
        if let State::Closed { parked, .. } = self.state {
            self.state = State::Closed { until: now, parked };
        }
    }

    /// Whether attempts are refused until somebody acts.
    pub(crate) fn is_parked(&self) -> bool {
        matches!(self.state, State::Closed { parked: true, .. } | State::Probing { parked: true })
    }

    /// Whether attempts are held back at all.
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    fn open(&mut self) {
        self.state = State::Open;
        self.era += 1;
        self.waits = waits(FIRST_WAIT, LONGEST_WAIT);
    }

    fn close(&mut self, ticket: Ticket, now: Instant, hint: Option<Duration>, parked: bool) {
        let hint = hint.map(|hint| hint.min(LONGEST_HINT));
        if ticket.era != self.era {
            self.extend(now, hint);
            return;
        }
        if parked && !self.is_parked() {
            self.waits = waits(PARKED_WAIT.0, PARKED_WAIT.1);
        } else if !parked && self.is_parked() {
            self.waits = waits(FIRST_WAIT, LONGEST_WAIT);
        }
        let own = self.waits.next().unwrap_or(LONGEST_WAIT);
        self.state = State::Closed { until: now + hint.unwrap_or(own), parked };
        self.era += 1;
    }

    /// An attempt of an earlier era brought a hint: it may lengthen the wait, never shorten it.
    fn extend(&mut self, now: Instant, hint: Option<Duration>) {
        if let (State::Closed { until, .. }, Some(hint)) = (&mut self.state, hint) {
            *until = (*until).max(now + hint);
        }
    }
}

fn waits(first: Duration, longest: Duration) -> ExponentialBackoff {
    ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(first)
        .with_max_delay(longest)
        .without_max_times()
        .build()
}

/// A published rate, spread evenly: bursts of at most one second's worth.
pub(crate) struct Rate {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>,
    clock: TokioClock,
}

impl Rate {
    /// `per_second` requests a second, from 0.001 to a million as `config/lane.rs` has it; below 1
    /// is one request every so many seconds.
    pub(crate) fn new(per_second: f64) -> Self {
        let clock = TokioClock { start: Instant::now() };
        let burst = NonZeroU32::new(per_second as u32).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / per_second))
            .expect("a period above zero")
            .allow_burst(burst);
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock }
    }

    /// Takes one request's leave, or says how long to wait before asking again.
    pub(crate) fn take(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }
}

/// The runtime's clock, so that tests may pause it.
#[derive(Debug, Clone)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now_ticket(pace: &mut Pace, now: Instant) -> Ticket {
        match pace.ask(now) {
            Answer::Now(ticket) => ticket,
            other => panic!("expected leave, got {other:?}"),
        }
    }

    fn until(pace: &mut Pace, now: Instant) -> Instant {
        match pace.ask(now) {
            Answer::At(until) => until,
            other => panic!("expected a wait, got {other:?}"),
        }
    }

    #[test]
    fn one_probe_reopens_the_whole_destination() {
        let start = Instant::now();
        let mut pace = Pace::new();
        let (first, second) = (now_ticket(&mut pace, start), now_ticket(&mut pace, start));
        pace.trouble(first, start, None);
        pace.trouble(second, start, None);
        let until = until(&mut pace, start);
        assert!(until <= start + 2 * FIRST_WAIT, "two failures of one era are one outage");
        let probe = now_ticket(&mut pace, until);
        assert_eq!(pace.ask(until), Answer::AfterProbe);
        pace.well(probe);
        assert!(pace.is_open());
        now_ticket(&mut pace, until);
        now_ticket(&mut pace, until);
    }

    #[test]
    fn their_hint_beats_our_wait_and_is_never_shortened() {
        let start = Instant::now();
        let mut pace = Pace::new();
        let (first, second) = (now_ticket(&mut pace, start), now_ticket(&mut pace, start));
        pace.trouble(first, start, Some(Duration::from_secs(120)));
        pace.trouble(second, start, Some(Duration::from_secs(60)));
        assert_eq!(until(&mut pace, start), start + Duration::from_secs(120));
        pace.well(second);
        assert!(!pace.is_open(), "an answer to an earlier attempt does not reopen");
    }

    #[test]
    fn a_probe_nobody_finished_is_given_to_the_next() {
        let start = Instant::now();
        let mut pace = Pace::new();
        let ticket = now_ticket(&mut pace, start);
        pace.park(ticket, start);
        assert!(pace.is_parked());
        pace.probe_now(start);
        let probe = now_ticket(&mut pace, start);
        pace.abandoned(probe, start);
        now_ticket(&mut pace, start);
        assert!(pace.is_parked());
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_holds() {
        let rate = Rate::new(2.0);
        let mut sent = 0;
        for _ in 0..100 {
            match rate.take() {
                Ok(()) => sent += 1,
                Err(wait) => tokio::time::advance(wait.min(Duration::from_millis(100))).await,
            }
        }
        assert!((2..=25).contains(&sent), "{sent} in at most ten seconds at two a second");
    }

    proptest! {
        #[test]
        fn waits_grow_and_are_capped(failures in 1usize..40) {
            let mut now = Instant::now();
            let mut pace = Pace::new();
            for failure in 0..failures {
                let ticket = now_ticket(&mut pace, now);
                pace.trouble(ticket, now, None);
                let wait = until(&mut pace, now) - now;
                let base = FIRST_WAIT.saturating_mul(1 << failure.min(10)).min(LONGEST_WAIT);
                prop_assert!(wait >= base.min(LONGEST_WAIT) && wait <= 2 * LONGEST_WAIT);
                now += wait;
            }
        }
    }
}
