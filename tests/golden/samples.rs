//! The events that every sink is shown.

use buffa::Message as _;
use sidearm_proto::sidearm::Gap;
use std::sync::LazyLock;

use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream, from_json, samples};

static OVERRIDES: LazyLock<Overrides> = LazyLock::new(|| Overrides::of_cluster("prod-eu"));

/// A record of a journal.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) stream: Stream,
    kind: Kind,
    message: Vec<u8>,
}

impl Sample {
    fn of_json(name: &'static str, line: &str) -> Self {
        let (stream, message) = from_json::read(line).expect(name);
        Self { name, stream, kind: Kind::Event, message }
    }

    /// The record, seen through.
    pub(crate) fn event(&self) -> Event<'_> {
        let arrival =
            Arrival { stream: self.stream, sequence: 7, received_us: 1_789_899_072_000_000 };
        Event::decode(self.kind, arrival, &self.message, &OVERRIDES).expect(self.name)
    }
}

/// Every sample of the contract, and a gap record.
pub(crate) fn all() -> Vec<Sample> {
    let gap = Gap {
        FromMicros: 1_789_899_000_000_000,
        ToMicros: 1_789_899_060_000_000,
        Reason: "the relay ended the stream".into(),
        ..Gap::default()
    };
    let gap = Sample {
        name: "gap",
        stream: Stream::Alert,
        kind: Kind::Gap,
        message: gap.encode_to_vec(),
    };
    samples().iter().map(|(name, line)| Sample::of_json(name, line)).chain([gap]).collect()
}

/// As large as a kernel's event may become, and of characters that JSON writes as six.
pub(crate) fn largest() -> Sample {
    const DATA_CHARS: usize = 64 * 1024;
    let data = "<".repeat(DATA_CHARS);
    Sample::of_json(
        "largest",
        &format!("{{\"Type\":\"MatchedPolicy\",\"UID\":0,\"PPID\":0,\"Data\":\"{data}\"}}"),
    )
}
