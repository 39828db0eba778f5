//! The id of an event: a hash of its message in canonical form.
//!
//! Fields in number order, pairs of maps and `Labels` and the parts of a socket address sorted,
//! for agents write those in random order (Go maps), and each replica may be sent them
//! differently. It works on the bytes of the wire, so that fields we do not know yet count too.
//! Objects within (owner, execution) are hashed as they stand: no encoder varies them.

use std::{borrow::Cow, fmt, ops::Range};

use twox_hash::XxHash3_128;

use super::{super::Digest, Kind, Stream};

/// 128 bits that name an event: a hash of its message in canonical form (fields in number order,
/// map entries and label order sorted), so the same on every replica, retry and restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u128);

impl EventId {
    /// Appends it as it is displayed, without the way through a formatter.
    pub(crate) fn write_hex(self, out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        out.extend((0..32).rev().map(|digit| HEX[(self.0 >> (4 * digit)) as usize & 0xf]));
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The id of a message that was decoded before. Putting parts in order changes neither lengths
/// nor places of the others, so it is done in place, in a copy made only where it is needed.
pub(super) fn of(kind: Kind, stream: Stream, message: &[u8]) -> EventId {
    let shape = Shape::of(kind, stream);
    let mut canonical = Cow::Borrowed(message);
    let mut entries = 0..0;
    let mut last = 0;
    for part in Parts::of(message) {
        if part.number < last {
            return of(kind, stream, &in_number_order(message));
        }
        last = part.number;
        if part.number == shape.event_data {
            let start = if entries.is_empty() { part.whole.start } else { entries.start };
            entries = start..part.whole.end;
        } else if let Some(separator) = shape.separator(&part, message) {
            sort_texts(&mut canonical, part.content, separator);
        }
    }
    sort_entries(&mut canonical, entries);
    EventId(XxHash3_128::oneshot_with_seed(shape.seed, &canonical))
}

/// The id of a message that shows the event of this id and tells of many.
pub(super) fn of_digest(EventId(event): EventId, digest: &Digest) -> EventId {
    let mut hash = XxHash3_128::with_seed(digest.telling as u64);
    hash.write(&event.to_be_bytes());
    hash.write(&digest.events.to_be_bytes());
    hash.write(&digest.first_us.to_be_bytes());
    hash.write(&digest.last_us.to_be_bytes());
    EventId(hash.finish_128())
}

/// Which fields have parts in random order, by number; 0 where a message has no such field.
struct Shape {
    /// Keeps equal bytes of different streams apart. Part of the id: never to change.
    seed: u64,
    labels: u32,
    resource: u32,
    event_data: u32,
}

impl Shape {
    fn of(kind: Kind, stream: Stream) -> Self {
        let seed = match stream {
            Stream::Alert => 1,
            Stream::Message => 2,
            Stream::Log => 3,
        };
        match (kind, stream) {
            (Kind::Event, Stream::Alert) => Self { seed, labels: 29, resource: 20, event_data: 43 },
            (Kind::Event, Stream::Log) => Self { seed, labels: 23, resource: 16, event_data: 33 },
            (Kind::Event, Stream::Message) => Self { seed, labels: 0, resource: 0, event_data: 0 },
            (Kind::Gap, _) => Self { seed: seed + 16, labels: 0, resource: 0, event_data: 0 },
        }
    }

    /// What stands between the texts of a field whose order is random.
    fn separator(&self, part: &Part, message: &[u8]) -> Option<u8> {
        const SOCKET: [&[u8]; 4] = [b"sa_family=", b"sin_port=", b"sin_addr=", b"sun_path="];
        if part.number == self.labels {
            return Some(b',');
        }
        let content = &message[part.content.clone()];
        let socket = || SOCKET.iter().any(|start| content.starts_with(start));
        (part.number == self.resource && socket()).then_some(b' ')
    }
}

/// One field as it stands on the wire, by the places of its bytes in the message.
struct Part {
    number: u32,
    /// Tag, length and content.
    whole: Range<usize>,
    /// Without tag and length.
    content: Range<usize>,
}

/// The fields of a message, in its order. Ends where the bytes are no field that this crate's
/// decoder would take as one.
struct Parts<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Parts<'m> {
    fn of(message: &'m [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// Nearly all are of one byte.
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        let first = *self.message.get(self.at)?;
        self.at += 1;
        if first < 0x80 { Some(first.into()) } else { self.rest_of_varint(first) }
    }

    fn rest_of_varint(&mut self, first: u8) -> Option<u64> {
        let mut value = u64::from(first & 0x7f);
        for shift in (7..u64::BITS).step_by(7) {
            let byte = *self.message.get(self.at)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

impl Iterator for Parts<'_> {
    type Item = Part;

    #[inline]
    fn next(&mut self) -> Option<Part> {
        let start = self.at;
        let tag = self.varint()?;
        let mut content = self.at;
        let end = match tag & 7 {
            0 => {
                self.varint()?;
                self.at
            }
            1 => self.at + 8,
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                content = self.at;
                self.at.checked_add(length)?
            }
            5 => self.at + 4,
            _ => return None,
        };
        let number = u32::try_from(tag >> 3).ok()?;
        self.at = end;
        (end <= self.message.len()).then_some(Part {
            number,
            whole: start..end,
            content: content..end,
        })
    }
}

/// Stable: of a field that is there several times, the order has a meaning.
fn in_number_order(message: &[u8]) -> Vec<u8> {
    let mut parts: Vec<_> = Parts::of(message).collect();
    let end = parts.last().map_or(0, |part| part.whole.end);
    parts.sort_by_key(|part| part.number);
    let mut ordered = Vec::with_capacity(message.len());
    for part in parts {
        ordered.extend_from_slice(&message[part.whole]);
    }
    ordered.extend_from_slice(&message[end..]);
    ordered
}

/// Puts the texts between separators in order.
fn sort_texts(message: &mut Cow<'_, [u8]>, content: Range<usize>, separator: u8) {
    let split = |byte: &u8| *byte == separator;
    if message[content.clone()].split(split).is_sorted() {
        return;
    }
    let mut texts: Vec<_> = message[content.clone()].split(split).collect();
    texts.sort_unstable();
    let sorted = texts.join(&separator);
    message.to_mut()[content].copy_from_slice(&sorted);
}

/// Puts the entries of a map in order.
fn sort_entries(message: &mut Cow<'_, [u8]>, entries: Range<usize>) {
    let parts = || Parts::of(&message[entries.clone()]);
    let entry = |part: Part| &message[entries.clone()][part.whole];
    if parts().map(entry).is_sorted() {
        return;
    }
    let mut texts: Vec<_> = parts().map(entry).collect();
    texts.sort_unstable();
    let sorted = texts.concat();
    message.to_mut()[entries].copy_from_slice(&sorted);
}

#[cfg(test)]
mod tests;
