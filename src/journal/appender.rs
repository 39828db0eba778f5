//! The receiving end of the journal: bytes in, never waiting.
//!
//! Copies a message into the stream's open block and hands a full one to the writer. Decodes
//! nothing, touches no file; a slow or full disk shows here only as events refused and counted.

use std::{sync::Arc, time::Duration};

use sidearm_sinks::contract::{Kind, Stream};
use tokio::time::Instant;

use super::{block::Sealed, format, loss::now_us, shared::Shared};

/// A block is sealed when its first record is this old, if it is not full before.
pub const BLOCK_AGE: Duration = Duration::from_millis(5);

/// Appends to one stream; one lives at a time for each. Dropping it seals what is open, and the
/// writer ends with the last of them.
pub struct Appender {
    shared: Arc<Shared>,
    stream: Stream,
    payload: Vec<u8>,
    records: u32,
    events: u32,
    received_us: u64,
    due: Option<Instant>,
}

impl Appender {
    pub(super) fn new(shared: Arc<Shared>, stream: Stream) -> Self {
        shared.waiting().appender_made();
        let payload = Vec::with_capacity(format::BLOCK_BYTES);
        Self { shared, stream, payload, records: 0, events: 0, received_us: 0, due: None }
    }

    /// The stream it appends to.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Takes one message. It counts as received once its block is written; a message above
    /// 16 MiB, and the newest block while 32 MiB (or what the options say) already wait for a slow
    /// or full disk, is refused, counted, and told by a gap record.
    pub fn append(&mut self, kind: Kind, message: &[u8]) {
        if message.len() > format::MAX_MESSAGE_BYTES {
            self.seal();
            self.shared.waiting().refuse_too_large(self.stream);
            return self.shared.wake.notify_one();
        }
        if self.payload.len() + format::record_bytes(message) > format::BLOCK_BYTES {
            self.seal();
        }
        if self.records == 0 {
            self.received_us = now_us();
            self.due = Some(Instant::now() + BLOCK_AGE);
        }
        format::push_record(&mut self.payload, kind, message);
        self.records += 1;
        self.events += u32::from(kind == Kind::Event);
        if self.payload.len() >= format::BLOCK_BYTES {
            self.seal();
        }
    }

    /// When the open block must be sealed; none where there is no open block.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Hands the open block to the writer, if there is one.
    pub fn seal(&mut self) {
        if self.records == 0 {
            return;
        }
        let payload = self.take_payload();
        let sealed = Sealed {
            received_us: self.received_us,
            records: self.records,
            events: self.events,
            tells: None,
            payload,
        };
        (self.records, self.events, self.due) = (0, 0, None);
        self.shared.waiting().push(self.stream, sealed);
        self.shared.wake.notify_one();
    }
}

impl Appender {
    /// The records so far. A full block is handed over as it is; of a small one a copy, so that
    /// it takes no more memory than it needs and the room for the next is there already.
    fn take_payload(&mut self) -> Vec<u8> {
        if self.payload.len() > format::BLOCK_BYTES / 2 {
            return std::mem::replace(&mut self.payload, Vec::with_capacity(format::BLOCK_BYTES));
        }
        let payload = self.payload.clone();
        self.payload.clear();
        payload
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.seal();
        self.shared.waiting().appender_gone();
        self.shared.wake.notify_one();
    }
}
