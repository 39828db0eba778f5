//! The bytes of a block; nobody else knows them.
//!
//! A block is a header of [`HEADER_BYTES`] and its records, compressed with lz4. The header has a
//! checksum of its own, so that a reader may trust the lengths and step over a block whose records
//! are damaged. A record is the length of its message as a varint, a byte for its kind, and the
//! message as the relay sent it. All numbers are little endian.

use lz4_flex::block::{
    CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size,
};
use sidearm_sinks::contract::Kind;

/// The largest message the journal takes: four times what gRPC lets the relay send by default.
pub(crate) const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// A block is sealed before its records, uncompressed, exceed this; a larger record goes alone.
pub(crate) const BLOCK_BYTES: usize = 256 << 10;
/// The header's length.
pub(crate) const HEADER_BYTES: usize = 40;
/// The bytes a record needs beside its message, at most.
const MAX_RECORD_OVERHEAD_BYTES: usize = 6;
/// The most records of a block can be, uncompressed.
const MAX_PAYLOAD_BYTES: usize = BLOCK_BYTES + MAX_MESSAGE_BYTES + MAX_RECORD_OVERHEAD_BYTES;
/// A sequence number above this is damage: no journal lives to count so far.
const MAX_SEQUENCE: u64 = 1 << 62;

/// Begins every block; the digit is the version of the format, as [`VERSION`] says.
const MAGIC: [u8; 4] = *b"SAJ1";
/// The version of the format, kept in the journal's `FORMAT` file.
pub(crate) const VERSION: u32 = 1;

const KIND_EVENT: u8 = 0;
const KIND_GAP: u8 = 1;

/// The part of a header that its own checksum covers.
const CHECKED: std::ops::Range<usize> = 8..HEADER_BYTES;

/// What a block says of itself before its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The sequence number of its first record.
    pub first: u64,
    /// How many records it holds; at least one.
    pub records: u32,
    /// When it was opened, in microseconds since 1970.
    pub received_us: u64,
    payload_bytes: u32,
    stored_bytes: u32,
    stored_crc: u32,
}

impl Header {
    /// Reads a header that begins `bytes`; none where it is not one, or not whole.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let u32_at = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| bytes[at + i]));
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if bytes[..4] != MAGIC || u32_at(4) != crc32c::crc32c(&bytes[CHECKED]) {
            return None;
        }
        let header = Self {
            stored_crc: u32_at(8),
            stored_bytes: u32_at(12),
            payload_bytes: u32_at(16),
            records: u32_at(20),
            first: u64_at(24),
            received_us: u64_at(32),
        };
        let sane = header.payload_bytes as usize <= MAX_PAYLOAD_BYTES
            && header.stored_bytes as usize <= get_maximum_output_size(MAX_PAYLOAD_BYTES)
            && header.records > 0
            && header.first <= MAX_SEQUENCE;
        sane.then_some(header)
    }

    fn write(&self, bytes: &mut [u8]) {
        let (magic, rest) = bytes.split_at_mut(MAGIC.len());
        magic.copy_from_slice(&MAGIC);
        let mut at = 4;
        for field in [self.stored_crc, self.stored_bytes, self.payload_bytes, self.records] {
            rest[at..at + 4].copy_from_slice(&field.to_le_bytes());
            at += 4;
        }
        for field in [self.first, self.received_us] {
            rest[at..at + 8].copy_from_slice(&field.to_le_bytes());
            at += 8;
        }
        let crc = crc32c::crc32c(&rest[4..]);
        rest[..4].copy_from_slice(&crc.to_le_bytes());
    }

    /// The sequence number behind its last record.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.records)
    }

    /// The whole block's length on disk, header and all.
    pub(crate) fn block_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.stored_bytes)
    }
}

/// Where the first thing that reads as a header begins in `bytes`.
pub(crate) fn find_header(bytes: &[u8]) -> Option<usize> {
    let last = bytes.len().checked_sub(HEADER_BYTES)?;
    (0..=last).find(|&at| bytes[at..].starts_with(&MAGIC) && Header::read(&bytes[at..]).is_some())
}

/// Turns records into a block's bytes, with memory it keeps from one block to the next.
pub(crate) struct Encoder {
    table: CompressTable,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(crate) fn new() -> Self {
        Self { table: CompressTable::large(), bytes: Vec::new() }
    }

    /// The bytes of a block whose first record has the sequence number `first`.
    pub(crate) fn encode(
        &mut self,
        first: u64,
        records: u32,
        received_us: u64,
        payload: &[u8],
    ) -> &[u8] {
        let room = HEADER_BYTES + get_maximum_output_size(payload.len());
        self.bytes.resize(room.max(self.bytes.len()), 0);
        // A rare large record does not keep its room for ever.
        self.bytes.truncate(room.max(HEADER_BYTES + get_maximum_output_size(BLOCK_BYTES)));
        self.bytes.shrink_to(room);
        let (header, stored) = self.bytes.split_at_mut(HEADER_BYTES);
        let stored_bytes = compress_into_with_table(payload, stored, &mut self.table)
            .expect("the room is for the largest output");
        Header {
            first,
            records,
            received_us,
            payload_bytes: u32::try_from(payload.len()).expect("messages and blocks are limited"),
            stored_bytes: u32::try_from(stored_bytes).expect("messages and blocks are limited"),
            stored_crc: crc32c::crc32c(&stored[..stored_bytes]),
        }
        .write(header);
        &self.bytes[..HEADER_BYTES + stored_bytes]
    }
}

/// The records of a whole block as it stands on disk; none where they are damaged.
pub(crate) fn decode(header: &Header, block: &[u8]) -> Option<Vec<u8>> {
    let stored = block.get(HEADER_BYTES..)?;
    if stored.len() != header.stored_bytes as usize || crc32c::crc32c(stored) != header.stored_crc {
        return None;
    }
    let mut payload = Vec::with_capacity(room_bytes(header.payload_bytes as usize));
    payload.resize(header.payload_bytes as usize, 0);
    let length = decompress_into(stored, &mut payload).ok()?;
    let whole = length == payload.len() && records(&payload).count() == header.records as usize;
    whole.then_some(payload)
}

/// The room to make for a payload: the same for all that are nearly full, so that memory which one
/// gives back fits the next. Sizes that differ a little would leave holes that nobody can use.
pub(crate) fn room_bytes(payload_bytes: usize) -> usize {
    if payload_bytes > BLOCK_BYTES / 2 { payload_bytes.max(BLOCK_BYTES) } else { payload_bytes }
}

/// The bytes a record takes, at most.
pub(crate) fn record_bytes(message: &[u8]) -> usize {
    message.len() + MAX_RECORD_OVERHEAD_BYTES
}

/// Adds a record to a block's payload.
pub(crate) fn push_record(payload: &mut Vec<u8>, kind: Kind, message: &[u8]) {
    let mut length = message.len();
    while length >= 0x80 {
        payload.push(length as u8 | 0x80);
        length >>= 7;
    }
    payload.push(length as u8);
    payload.push(match kind {
        Kind::Event => KIND_EVENT,
        Kind::Gap => KIND_GAP,
    });
    payload.extend_from_slice(message);
}

/// The records of a payload, up to its end or to what is none.
pub(crate) fn records(payload: &[u8]) -> impl Iterator<Item = (Kind, &[u8])> {
    let mut rest = payload;
    std::iter::from_fn(move || {
        let (kind, message, behind) = split_record(rest)?;
        rest = behind;
        Some((kind, message))
    })
}

fn split_record(payload: &[u8]) -> Option<(Kind, &[u8], &[u8])> {
    let mut length = 0_usize;
    let mut at = 0;
    loop {
        let byte = *payload.get(at)?;
        length |= usize::from(byte & 0x7f) << (7 * at);
        at += 1;
        if byte < 0x80 {
            break;
        }
        if at == MAX_RECORD_OVERHEAD_BYTES - 1 {
            return None;
        }
    }
    let kind = match *payload.get(at)? {
        KIND_EVENT => Kind::Event,
        KIND_GAP => Kind::Gap,
        _ => return None,
    };
    let (message, behind) = payload.get(at + 1..)?.split_at_checked(length)?;
    Some((kind, message, behind))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn encoded(first: u64, received_us: u64, messages: &[Vec<u8>]) -> (Vec<u8>, Vec<u8>) {
        let mut payload = Vec::new();
        for (place, message) in messages.iter().enumerate() {
            let kind = if place % 3 == 2 { Kind::Gap } else { Kind::Event };
            push_record(&mut payload, kind, message);
        }
        let mut encoder = Encoder::new();
        let block = encoder.encode(first, messages.len() as u32, received_us, &payload).to_vec();
        (block, payload)
    }

    fn read(block: &[u8]) -> Option<(Header, Vec<u8>)> {
        let header = Header::read(block)?;
        decode(&header, block).map(|payload| (header, payload))
    }

    fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
        vec(vec(any::<u8>(), 0..300), 1..20)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            first in 0..MAX_SEQUENCE, received_us: u64, messages in messages(),
        ) {
            let (block, payload) = encoded(first, received_us, &messages);
            let (header, read) = read(&block).expect("a whole block");
            prop_assert_eq!(header.block_bytes(), block.len() as u64);
            prop_assert_eq!((header.first, header.received_us), (first, received_us));
            prop_assert_eq!(header.end(), first + messages.len() as u64);
            prop_assert_eq!(&read, &payload);
            let found: Vec<_> = records(&read).map(|(_, message)| message.to_vec()).collect();
            prop_assert_eq!(found, messages);
        }

        #[test]
        fn any_flipped_bit_is_noticed(messages in messages(), place: prop::sample::Index) {
            let (mut block, _) = encoded(7, 8, &messages);
            let bit = place.index(block.len() * 8);
            block[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read(&block).is_none());
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
            let _ = (read(&bytes), find_header(&bytes), records(&bytes).count());
        }
    }

    /// A block as version 1 wrote it. Journals like it lie on disks, so this is never renewed.
    const VERSION_1: [u8; 59] = *b"SAJ1\x35\x16\x9b\x6c\x6c\xe1\x04\x30\
        \x13\0\0\0\x11\0\0\0\x03\0\0\0\x07\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\
        \xf0\x02\x05\0alert\x03\0log\x03\x01gap";

    #[test]
    fn a_journal_of_version_1_is_read() {
        let (header, payload) = read(&VERSION_1).expect("a whole block");
        assert_eq!((header.first, header.end(), header.received_us), (7, 10, 8));
        let found: Vec<_> = records(&payload).collect();
        let expected: [(Kind, &[u8]); 3] =
            [(Kind::Event, b"alert"), (Kind::Event, b"log"), (Kind::Gap, b"gap")];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_header_is_found_behind_rubbish() {
        let (block, _) = encoded(7, 8, &[b"message".to_vec()]);
        let bytes = [b"SAJ1 and rubbish".as_slice(), &block].concat();
        assert_eq!(find_header(&bytes), Some(16));
        assert_eq!(find_header(&bytes[..30]), None);
    }

    #[test]
    fn the_encoder_gives_the_room_of_a_large_record_back() {
        let mut encoder = Encoder::new();
        encoder.encode(0, 1, 0, &vec![0; 8 << 20]);
        encoder.encode(0, 1, 0, b"small");
        assert!(encoder.bytes.capacity() < 1 << 20);
    }
}
