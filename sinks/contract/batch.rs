//! Records that go out as one, and how a batch is cut.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;

use super::{EventId, Stream};

/// One event as a destination takes it.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The event's id: the same on every replica, retry and restart.
    pub id: EventId,
    /// Its place in the journal's stream.
    pub sequence: u64,
    /// When it was received, in microseconds since 1970.
    pub received_us: u64,
    /// What the sink wrote for it, separator and all.
    pub bytes: &'a [u8],
}

#[derive(Debug, Clone, Copy)]
struct Mark {
    id: EventId,
    sequence: u64,
    received_us: u64,
    end: usize,
}

/// Records of one stream that go out as one request. Cheap to clone and to cut: all cuts share
/// the bytes. Never empty.
#[derive(Debug, Clone)]
pub struct Batch {
    stream: Stream,
    bytes: Bytes,
    marks: Arc<[Mark]>,
    range: Range<usize>,
}

impl Batch {
    /// The stream its events came from.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// How many records it holds; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// All records, one behind the other, without a copy.
    pub fn bytes(&self) -> Bytes {
        self.bytes.slice(self.start_of(self.range.start)..self.start_of(self.range.end))
    }

    /// Each record in turn.
    pub fn records(&self) -> impl ExactSizeIterator<Item = Record<'_>> {
        self.range.clone().map(|index| {
            let mark = self.marks[index];
            Record {
                id: mark.id,
                sequence: mark.sequence,
                received_us: mark.received_us,
                bytes: &self.bytes[self.start_of(index)..mark.end],
            }
        })
    }

    /// One record of it; `index` counts from the batch's own first.
    pub fn record(&self, index: usize) -> Record<'_> {
        self.records().nth(index).expect("an index below `len`")
    }

    /// A part of it, sharing its bytes; `part` counts from the batch's own first record and is
    /// not empty.
    pub fn cut(&self, part: Range<usize>) -> Batch {
        assert!(part.start < part.end && part.end <= self.len(), "a cut lies within its batch");
        let start = self.range.start;
        Batch { range: start + part.start..start + part.end, ..self.clone() }
    }

    /// Its two halves; nothing where it is a single record.
    pub fn halves(&self) -> Option<(Batch, Batch)> {
        let middle = self.len() / 2;
        (middle > 0).then(|| (self.cut(0..middle), self.cut(middle..self.len())))
    }

    fn start_of(&self, index: usize) -> usize {
        match index.checked_sub(1) {
            Some(before) => self.marks[before].end,
            None => 0,
        }
    }
}

/// Collects records into a [`Batch`].
#[derive(Debug)]
pub struct BatchBuilder {
    stream: Stream,
    bytes: Vec<u8>,
    marks: Vec<Mark>,
}

impl BatchBuilder {
    /// An empty one.
    pub fn new(stream: Stream) -> Self {
        Self::with_room(stream, 0)
    }

    /// An empty one with room for so many bytes of records, so that it need not grow to them.
    pub fn with_room(stream: Stream, room_bytes: usize) -> Self {
        Self { stream, bytes: Vec::with_capacity(room_bytes), marks: Vec::new() }
    }

    /// Adds the record that `write` appends. Whatever stood there before is left as it is.
    pub fn push(
        &mut self,
        id: EventId,
        sequence: u64,
        received_us: u64,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        write(&mut self.bytes);
        self.marks.push(Mark { id, sequence, received_us, end: self.bytes.len() });
    }

    /// Takes the last record back.
    pub fn undo(&mut self) {
        self.marks.pop();
        self.trim();
    }

    /// Cuts what a `write` that panicked has left behind.
    pub fn trim(&mut self) {
        self.bytes.truncate(self.marks.last().map_or(0, |mark| mark.end));
    }

    /// The stream its records come from.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Bytes so far.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The batch, or nothing where no record was added.
    pub fn finish(mut self) -> Option<Batch> {
        let range = 0..self.marks.len();
        // It may wait long for its destination.
        if self.bytes.len() < self.bytes.capacity() / 2 {
            self.bytes.shrink_to_fit();
        }
        (!range.is_empty()).then(|| Batch {
            stream: self.stream,
            bytes: self.bytes.into(),
            marks: self.marks.into(),
            range,
        })
    }
}
