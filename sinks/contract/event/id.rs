//! The id of an event: a hash of its message in canonical form.
//!
//! Fields in number order, pairs of maps and `Labels` and the parts of a socket address sorted,
//! for agents write those in random order (Go maps), and each replica may be sent them
//! differently. It works on the bytes of the wire, so that fields we do not know yet count too.
//! Objects within (owner, execution) are hashed as they stand: no encoder varies them.

use std::fmt;

use buffa::encoding::{Tag, WireType, decode_varint, skip_field};
use twox_hash::XxHash3_128;

use super::{Kind, Stream};

/// 128 bits that name an event: a hash of its message in canonical form (fields in number order,
/// map entries and label order sorted), so the same on every replica, retry and restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u128);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The id of a message that was decoded before.
pub(super) fn of(kind: Kind, stream: Stream, message: &[u8]) -> EventId {
    let shape = Shape::of(kind, stream);
    let hash = |bytes| EventId(XxHash3_128::oneshot_with_seed(shape.seed, bytes));
    if is_canonical(&shape, message) {
        return hash(message);
    }
    hash(&canonical(&shape, message))
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
}

/// One field as it stands on the wire.
#[derive(Clone, Copy)]
struct Part<'m> {
    number: u32,
    /// Tag, length and content.
    whole: &'m [u8],
    /// Without tag and length; empty for numbers.
    content: &'m [u8],
}

/// Takes the next field off `rest`; nothing at the end, or where the bytes are no field.
fn next_part<'m>(rest: &mut &'m [u8]) -> Option<Part<'m>> {
    let start = *rest;
    let tag = Tag::decode(rest).ok()?;
    let mut content: &[u8] = &[];
    if tag.wire_type() == WireType::LengthDelimited {
        let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
        content = rest.split_off(..length)?;
    } else {
        skip_field(tag, rest).ok()?;
    }
    let whole = &start[..start.len() - rest.len()];
    Some(Part { number: tag.field_number(), whole, content })
}

/// Most messages without labels and details are: then nothing is copied.
fn is_canonical(shape: &Shape, message: &[u8]) -> bool {
    let mut rest = message;
    let mut last = Part { number: 0, whole: &[], content: &[] };
    while let Some(part) = next_part(&mut rest) {
        let behind = part.number < last.number
            || (part.number == shape.event_data
                && last.number == part.number
                && part.content < last.content);
        if behind || !separator(shape, &part).is_none_or(|by| split(&part, by).is_sorted()) {
            return false;
        }
        last = part;
    }
    true
}

fn canonical<'m>(shape: &Shape, message: &'m [u8]) -> Vec<u8> {
    const USUAL_PARTS: usize = 64;
    let mut parts = Vec::with_capacity(USUAL_PARTS);
    let mut rest = message;
    parts.extend(std::iter::from_fn(|| next_part(&mut rest)));
    // Stable: of a field that is there several times, the order has a meaning, but for a map's.
    parts.sort_by(|a, b| {
        let entry =
            |part: &Part<'m>| if part.number == shape.event_data { part.content } else { &[] };
        (a.number, entry(a)).cmp(&(b.number, entry(b)))
    });
    let mut out = Vec::with_capacity(message.len());
    for part in &parts {
        match separator(shape, part) {
            Some(separator) => push_sorted(&mut out, part, separator),
            None => out.extend_from_slice(part.whole),
        }
    }
    out.extend_from_slice(rest);
    out
}

/// What stands between the parts of a text whose order is random.
fn separator(shape: &Shape, part: &Part<'_>) -> Option<u8> {
    const SOCKET: [&[u8]; 4] = [b"sa_family=", b"sin_port=", b"sin_addr=", b"sun_path="];
    if part.number == shape.labels {
        return Some(b',');
    }
    let socket = || SOCKET.iter().any(|start| part.content.starts_with(start));
    (part.number == shape.resource && socket()).then_some(b' ')
}

fn split<'m>(part: &Part<'m>, separator: u8) -> impl Iterator<Item = &'m [u8]> {
    part.content.split(move |byte| *byte == separator)
}

fn push_sorted(out: &mut Vec<u8>, part: &Part<'_>, separator: u8) {
    let mut texts: Vec<_> = split(part, separator).collect();
    texts.sort_unstable();
    out.extend_from_slice(&part.whole[..part.whole.len() - part.content.len()]);
    out.extend_from_slice(&texts.join(&separator));
}
