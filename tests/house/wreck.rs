//! What a crash leaves in the folder: read as it stands, or cut shorter, as a power cut does.

use std::{fs, path::Path};

use rand::{RngExt as _, rngs::StdRng};
use sidearm::{
    config::JournalConfig,
    journal::{Journal, Options},
};
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream, json};

/// One stream of a journal on which no engine runs.
#[derive(Debug, Default)]
pub(crate) struct Wreck {
    /// The numbers of its events, in order.
    pub(crate) numbers: Vec<u64>,
    /// The ids of its gap records.
    pub(crate) gaps: Vec<String>,
}

/// Reads a stream of the journal in `folder`.
pub(crate) async fn look(folder: &Path, stream: Stream) -> Wreck {
    let config = JournalConfig { path: folder.to_owned(), ..JournalConfig::default() };
    let (journal, _writer) = Journal::open(Options::new(&config)).await.unwrap();
    let mut wreck = Wreck::default();
    let mut at = journal.first(stream);
    while let Some(block) = journal.read(stream, at).await {
        for (sequence, kind, message) in block.records_from(at) {
            let arrival = Arrival { stream, sequence, received_us: block.received_us() };
            let event = Event::decode(kind, arrival, message, Overrides::none()).unwrap();
            match kind {
                Kind::Gap => wreck.gaps.push(event.id().to_string()),
                Kind::Event => wreck.numbers.push(number(&event)),
            }
        }
        at = block.end();
    }
    wreck
}

fn number(event: &Event<'_>) -> u64 {
    let mut text = Vec::new();
    json::write(event, &mut text);
    let event: serde_json::Value = serde_json::from_slice(&text).unwrap();
    event["ExecEvent"]["ExecID"].as_str().unwrap().parse().unwrap()
}

/// Cuts the newest segment of a stream anywhere. Answers whether there was something to cut.
pub(crate) fn cut_tail(folder: &Path, stream: Stream, dice: &mut StdRng) -> bool {
    let folder = folder.join("journal").join(format!("{stream}s"));
    let segments = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let Some(newest) = segments.max() else { return false };
    let file = fs::OpenOptions::new().write(true).open(newest).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(dice.random_range(0..=length)).unwrap();
    true
}
