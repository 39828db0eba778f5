//! Sample events as a journal would hand them out: what filters and templates are tried on.

use std::sync::LazyLock;

use buffa::Message as _;
use sidearm_proto::sidearm::Gap;
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream, from_json};

/// A record of a journal.
#[derive(Debug)]
pub(crate) struct Sample {
    /// What it is a sample of.
    pub(crate) name: &'static str,
    kind: Kind,
    stream: Stream,
    pub(crate) message: Vec<u8>,
}

impl Sample {
    /// An event of the relay's.
    pub(crate) fn event(name: &'static str, stream: Stream, message: Vec<u8>) -> Self {
        Self { name, kind: Kind::Event, stream, message }
    }

    /// A gap record.
    pub(crate) fn gap(stream: Stream, gap: &Gap) -> Self {
        Self { name: "gap", kind: Kind::Gap, stream, message: gap.encode_to_vec() }
    }

    /// The record, seen through.
    pub(crate) fn view(&self) -> Event<'_> {
        let arrival =
            Arrival { stream: self.stream, sequence: 7, received_us: 1_700_000_000_000_000 };
        Event::decode(self.kind, arrival, &self.message, Overrides::none())
            .expect("a message we have encoded")
    }
}

/// Every sample of the contract's, and a gap record.
pub(crate) fn all() -> &'static [Sample] {
    static ALL: LazyLock<Vec<Sample>> = LazyLock::new(|| {
        let events = sidearm_sinks::contract::samples().iter().map(|(name, line)| {
            let (stream, message) = from_json::read(line).expect("samples are tested");
            Sample::event(name, stream, message)
        });
        let gap = Gap { Reason: "a sample".into(), ToMicros: 1_000_000, ..Gap::default() };
        events.chain([Sample::gap(Stream::Alert, &gap)]).collect()
    });
    &ALL
}
