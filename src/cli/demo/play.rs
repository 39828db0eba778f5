//! Tells the scenario to the relay, at a pace. The only clock the demo's events know is read here.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sidearm_sinks::contract::Stream;
use tokio::{
    task::yield_now,
    time::{Instant, MissedTickBehavior, interval},
};

use crate::demo::{relay::BuiltInRelay, scenario::Scenario};

/// How often events are told: fine enough for the eye, coarse enough to cost nothing.
const TICK: Duration = Duration::from_millis(10);
/// A machine that was asleep does not catch up with more than this.
const CATCH_UP_MAX: Duration = Duration::from_millis(200);
/// Others get a turn after so many events of a burst.
const TURN_EVENTS: u64 = 100;

/// A story, and who hears it.
pub(super) struct Play {
    scenario: Scenario,
    relay: BuiltInRelay,
    told: Arc<AtomicU64>,
}

impl Play {
    pub(super) fn new(seed: u64, relay: BuiltInRelay) -> Self {
        Self { scenario: Scenario::new(seed, now_us()), relay, told: Arc::default() }
    }

    /// How many events were told so far, for others to read.
    pub(super) fn told(&self) -> Arc<AtomicU64> {
        self.told.clone()
    }

    /// Tells so many events, `rate` a second.
    pub(super) async fn evenly(&mut self, rate: u32, events: u64) {
        let mut ticks = ticks(TICK);
        let mut last = ticks.tick().await;
        let mut due = 0.0;
        while self.scenario.number() < events {
            let now = ticks.tick().await;
            due += now.duration_since(last).min(CATCH_UP_MAX).as_secs_f64() * f64::from(rate);
            last = now;
            while due >= 1.0 && self.scenario.number() < events {
                let (stream, message) = self.scenario.next_at(now_us());
                self.tell(stream, message);
                due -= 1.0;
            }
        }
    }

    /// Tells so many alerts, `burst` of them at once and then nothing until `every` is over.
    pub(super) async fn in_bursts(&mut self, burst: u64, every: Duration, events: u64) {
        let mut ticks = ticks(every);
        while self.scenario.number() < events {
            ticks.tick().await;
            let end = self.scenario.number().saturating_add(burst).min(events);
            while self.scenario.number() < end {
                let message = self.scenario.next_of(Stream::Alert, now_us());
                self.tell(Stream::Alert, message);
                if self.scenario.number().is_multiple_of(TURN_EVENTS) {
                    yield_now().await;
                }
            }
        }
    }

    fn tell(&self, stream: Stream, message: bytes::Bytes) {
        self.relay.publish(stream, message);
        self.told.store(self.scenario.number(), Relaxed);
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as i64)
}

/// Waits until this holds, looking again and again; answers whether it did within `patience`.
pub(super) async fn eventually(patience: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    let mut ticks = ticks(TICK);
    loop {
        ticks.tick().await;
        if holds() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn play() -> (Play, Arc<AtomicU64>) {
        let play = Play::new(1, BuiltInRelay::new());
        let told = play.told();
        (play, told)
    }

    #[tokio::test(start_paused = true)]
    async fn a_pace_is_kept_and_ends_at_the_last_event() {
        let (mut play, told) = play();
        let start = Instant::now();
        play.evenly(1_000, 2_500).await;
        assert_eq!(told.load(Relaxed), 2_500);
        let took = start.elapsed();
        assert!(took.abs_diff(Duration::from_millis(2_500)) <= 2 * TICK, "took {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn bursts_come_whole_and_apart() {
        let (mut play, told) = play();
        let start = Instant::now();
        play.in_bursts(1_000, Duration::from_secs(5), 2_300).await;
        assert_eq!(told.load(Relaxed), 2_300);
        assert_eq!(start.elapsed().as_secs(), 10, "three bursts lie five seconds apart");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_with_patience() {
        let mut looks = 0;
        assert!(
            eventually(Duration::from_secs(1), || {
                looks += 1;
                looks == 3
            })
            .await
        );
        assert!(!eventually(Duration::from_secs(1), || false).await);
    }
}
