//! Every wait of the receiving side, in one place, so that tests can shorten them.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use sidearm_sinks::contract::Stream;

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Between health checks on one connection, and for the answer to each. 15 s: grpc-go counts
    /// only HTTP/2 pings as abuse, so this may be far below its five minutes.
    pub nonce_every: Duration,
    /// Health checks unanswered in a row after which a connection is dead.
    pub nonces_missed: u32,
    /// The shortest wait before another attempt.
    pub shortest_wait: Duration,
    /// The longest wait before another attempt.
    pub longest_wait: Duration,
    /// From one opening of `WatchLogs` to the next. 5 s: real relays crash when log subscribers
    /// come and go under load ("concurrent map iteration and map write").
    pub logs_apart: Duration,
    /// A stream that lived as long as this is tried again after the shortest wait.
    pub settled: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            nonce_every: Duration::from_secs(15),
            nonces_missed: 3,
            shortest_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(30),
            logs_apart: Duration::from_secs(5),
            settled: Duration::from_secs(30),
        }
    }
}

impl Timing {
    /// Waits that double, each up to twice as long by chance so that many forwarders do not
    /// return as one; never outside the two limits, and never at an end.
    pub(super) fn backoff(&self) -> ExponentialBackoff {
        ExponentialBuilder::new()
            .with_jitter()
            .with_jitter_seed(rand::random())
            .with_min_delay(self.shortest_wait)
            .with_max_delay(self.longest_wait / 2)
            .without_max_times()
            .build()
    }

    /// How far apart two openings of a stream must be.
    pub(super) fn apart(&self, stream: Stream) -> Duration {
        match stream {
            Stream::Log => self.logs_apart,
            Stream::Alert | Stream::Message => Duration::ZERO,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_limits_and_never_end() {
        let timing = Timing::default();
        let waits: Vec<Duration> = timing.backoff().take(1_000).collect();
        assert_eq!(waits.len(), 1_000);
        assert!(
            waits.iter().all(|wait| (timing.shortest_wait..=timing.longest_wait).contains(wait))
        );
        assert!(waits[0] < timing.shortest_wait * 2);
        assert!(waits[10] >= timing.longest_wait / 2);
    }
}
