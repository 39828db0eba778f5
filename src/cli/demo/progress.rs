//! The block of progress: how much was told, and of each sink what was delivered, filtered, still
//! waits, and how fast. Pure but for the samples it keeps to know the rate.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    time::{Duration, Instant},
};

use super::report::HEAD;
use crate::ledger::Account;

/// The rate is that of the last second.
const RATE_OVER: Duration = Duration::from_secs(1);
/// Pictures remembered for it.
const SAMPLES_MAX: usize = 16;

/// What was delivered when.
#[derive(Default)]
pub(super) struct Progress {
    samples: VecDeque<(Instant, BTreeMap<String, u64>)>,
}

impl Progress {
    /// The picture of this moment, under what is told of the story: whole lines of less than 80
    /// characters.
    pub(super) fn block(
        &mut self,
        now: Instant,
        story: &str,
        sinks: &BTreeMap<String, Account>,
    ) -> String {
        self.remember(now, sinks);
        let mut block = format!(
            "\n{story}\n{HEAD}{:<12}{:>12}{:>12}{:>12}{:>12}{HEAD:#}\n",
            "sink", "delivered", "filtered", "pending", "rate"
        );
        for (name, account) in sinks {
            let (accepted, filtered) = (account.counts.accepted, account.counts.filtered);
            let rate = format!("{:.0}/s", self.rate(now, name, accepted));
            let pending = account.pending;
            let _ =
                writeln!(block, "{name:<12}{accepted:>12}{filtered:>12}{pending:>12}{rate:>12}");
        }
        block
    }

    fn remember(&mut self, now: Instant, sinks: &BTreeMap<String, Account>) {
        let accepted =
            |(name, account): (&String, &Account)| (name.clone(), account.counts.accepted);
        let old = |(at, _): &(Instant, _)| now.duration_since(*at) >= RATE_OVER;
        // The last one that is old enough stays: it is what the rate is measured from.
        while self.samples.get(1).is_some_and(old) || self.samples.len() >= SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back((now, sinks.iter().map(accepted).collect()));
    }

    fn rate(&self, now: Instant, sink: &str, accepted: u64) -> f64 {
        let Some((since, before)) = self.samples.front() else { return 0.0 };
        let seconds = now.duration_since(*since).as_secs_f64();
        let delivered = accepted.saturating_sub(before.get(sink).copied().unwrap_or(0));
        if seconds > 0.0 { delivered as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::cursor::Counts;

    fn sinks(accepted: u64) -> BTreeMap<String, Account> {
        let counts = Counts { accepted, filtered: 7, ..Counts::default() };
        let account = Account { received: accepted + 7 + 2, counts, pending: 2 };
        BTreeMap::from([("archive".to_owned(), account)])
    }

    #[test]
    fn the_rate_is_that_of_the_last_second() {
        let (mut progress, start) = (Progress::default(), Instant::now());
        let mut block = String::new();
        for tenth in 0..=30 {
            // Ten a tenth of a second at first, then fifty.
            let accepted = if tenth <= 15 { tenth * 10 } else { 150 + (tenth - 15) * 50 };
            let now = start + Duration::from_millis(100 * tenth);
            block = progress.block(now, "1000 events told", &sinks(accepted));
        }
        let expected = "
1000 events told
sink           delivered    filtered     pending        rate
archive              900           7           2       500/s
";
        assert_eq!(anstream::adapter::strip_str(&block).to_string(), expected);
    }
}
