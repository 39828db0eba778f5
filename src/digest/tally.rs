//! How many events, when, where and by what: what a message says of events it does not show.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use sidearm_sinks::contract::{Digest, Telling};

use super::sight::Sight;

/// Names of one kind whose events are counted; those of further names count in the sum alone.
const MAX_NAMES: usize = 32;
/// Names of one kind that a message tells.
const TOLD_NAMES: usize = 5;

/// Events counted together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tally {
    events: u64,
    first_us: i64,
    last_us: i64,
    pods: Names,
    processes: Names,
}

/// How often each name was met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Names(BTreeMap<String, u64>);

impl Tally {
    pub(crate) fn is_empty(&self) -> bool {
        self.events == 0
    }

    pub(crate) fn events(&self) -> u64 {
        self.events
    }

    pub(super) fn add(&mut self, sight: &Sight) {
        self.span(sight.time_us, sight.time_us);
        self.events += 1;
        self.pods.add(sight.pod.clone(), 1);
        self.processes.add(sight.process.clone(), 1);
    }

    pub(super) fn merge(&mut self, other: Tally) {
        if other.is_empty() {
            return;
        }
        self.span(other.first_us, other.last_us);
        self.events += other.events;
        other.pods.0.into_iter().for_each(|(name, count)| self.pods.add(name, count));
        other.processes.0.into_iter().for_each(|(name, count)| self.processes.add(name, count));
    }

    /// When the first and the last of them happened, in microseconds since 1970.
    pub(super) fn span_us(&self) -> (i64, i64) {
        (self.first_us, self.last_us)
    }

    /// What a message tells of them.
    pub(super) fn digest(&self, telling: Telling, incidents: u64) -> Digest {
        Digest {
            telling,
            events: self.events,
            incidents,
            first_us: self.first_us,
            last_us: self.last_us,
            pods: self.pods.top(),
            processes: self.processes.top(),
        }
    }

    fn span(&mut self, first_us: i64, last_us: i64) {
        let empty = self.is_empty();
        self.first_us = if empty { first_us } else { self.first_us.min(first_us) };
        self.last_us = if empty { last_us } else { self.last_us.max(last_us) };
    }
}

impl Names {
    fn add(&mut self, name: String, count: u64) {
        if name.is_empty() || (self.0.len() >= MAX_NAMES && !self.0.contains_key(&name)) {
            return;
        }
        *self.0.entry(name).or_default() += count;
    }

    /// The most frequent first.
    fn top(&self) -> Vec<(String, u64)> {
        let mut names: Vec<_> = self.0.iter().map(|(name, count)| (name.clone(), *count)).collect();
        names.sort_by_key(|(_, count)| Reverse(*count));
        names.truncate(TOLD_NAMES);
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_names_are_told_with_exact_counts() {
        let mut names = Names::default();
        for round in 0..3 {
            for number in round..50 {
                names.add(format!("pod-{number:02}"), 1);
            }
        }
        names.add("pod-01".to_owned(), 10);
        names.add(String::new(), 10);
        assert_eq!(names.0.len(), MAX_NAMES);
        let top: Vec<_> = names.top();
        let top: Vec<_> = top.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(
            top,
            [("pod-01", 12), ("pod-02", 3), ("pod-03", 3), ("pod-04", 3), ("pod-05", 3)]
        );
    }
}
