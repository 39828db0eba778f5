//! Indexer acknowledgement: ids count from 0 in each channel, and each is `true` once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Splunk's own default (`max_number_of_acked_requests_pending_query_per_ack_channel`).
const PENDING_MAX: usize = 1_000_000;
/// Channels at once; Splunk's own default (`max_number_of_ack_channel`) is of this order.
const CHANNELS_MAX: usize = 10_000;

/// What can still be asked for.
#[derive(Debug, Default)]
pub(super) struct Acks {
    channels: HashMap<String, Channel>,
    held: bool,
}

#[derive(Debug, Default)]
struct Channel {
    next: u64,
    pending: BTreeSet<u64>,
}

impl Acks {
    /// Withholds every acknowledgement, or no longer.
    pub(super) fn hold(&mut self, hold: bool) {
        self.held = hold;
    }

    /// Whether a request of this channel could still be given an id.
    pub(super) fn has_room(&self, channel: &str) -> bool {
        match self.channels.get(channel) {
            Some(channel) => channel.pending.len() < PENDING_MAX,
            None => self.channels.len() < CHANNELS_MAX,
        }
    }

    /// The id of a request that was taken.
    pub(super) fn give(&mut self, channel: &str) -> u64 {
        let channel = self.channels.entry(channel.to_owned()).or_default();
        let id = channel.next;
        channel.next += 1;
        channel.pending.insert(id);
        id
    }

    /// Which of these are indexed. Answered with `true` once; an unknown id is no error.
    pub(super) fn ask(&mut self, channel: &str, ids: &[u64]) -> BTreeMap<u64, bool> {
        let held = self.held;
        let mut channel = self.channels.get_mut(channel);
        let mut indexed = |id| match &mut channel {
            Some(channel) if !held => channel.pending.remove(&id),
            _ => false,
        };
        ids.iter().map(|&id| (id, indexed(id))).collect()
    }
}
