//! Records that stand together: sealed on their way to the disk, numbered on their way to lanes.

use sidearm_sinks::contract::Kind;

use super::{format, loss::Loss};

/// What one block holds, beside its records, in the count of a memory limit.
const OVERHEAD_BYTES: usize = 96;

/// Records that can be read: numbered, and written.
#[derive(Debug)]
pub struct Block {
    first: u64,
    records: u32,
    received_us: u64,
    payload: Vec<u8>,
}

impl Block {
    /// A block whose payload holds exactly the header's records.
    pub(super) fn new(header: &format::Header, payload: Vec<u8>) -> Self {
        Self {
            first: header.first,
            records: header.records,
            received_us: header.received_us,
            payload,
        }
    }

    /// The sequence number of its first record.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The sequence number behind its last record.
    pub fn end(&self) -> u64 {
        self.first + u64::from(self.records)
    }

    /// When it was opened, in microseconds since 1970.
    pub fn received_us(&self) -> u64 {
        self.received_us
    }

    /// Its records from the sequence number `at` on: number, kind and message.
    pub fn records_from(&self, at: u64) -> impl Iterator<Item = (u64, Kind, &[u8])> {
        let skip = at.saturating_sub(self.first).min(u64::from(self.records));
        (self.first..)
            .zip(format::records(&self.payload))
            .skip(skip as usize)
            .map(|(sequence, (kind, message))| (sequence, kind, message))
    }

    /// The memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.payload.len() + OVERHEAD_BYTES
    }
}

/// Records that wait to be written; they have no numbers yet, so that one that must be refused
/// leaves no hole.
#[derive(Debug)]
pub(super) struct Sealed {
    /// When the first of them came, in microseconds since 1970.
    pub received_us: u64,
    /// How many there are; at least one.
    pub records: u32,
    /// How many of them are events, and not gap records.
    pub events: u32,
    /// Set where this tells of a loss of our own: should it be refused, the loss is still to tell.
    pub tells: Option<Loss>,
    /// The records, as `format.rs` writes them.
    pub payload: Vec<u8>,
}

impl Sealed {
    /// A gap record on its own.
    pub(super) fn gap(loss: Loss, now_us: u64) -> Self {
        let mut payload = Vec::new();
        format::push_record(&mut payload, Kind::Gap, &loss.message(now_us));
        Self { received_us: now_us, records: 1, events: 0, tells: Some(loss), payload }
    }

    /// Its numbered form.
    pub(super) fn into_block(self, first: u64) -> Block {
        Block { first, records: self.records, received_us: self.received_us, payload: self.payload }
    }

    /// The memory it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.payload.len() + OVERHEAD_BYTES
    }
}
