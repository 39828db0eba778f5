//! What counts as received: what stands in the journal's folder when no engine runs on it.

use std::{collections::BTreeMap, path::Path};

use sidearm::{
    config::JournalConfig,
    journal::{Journal, Options},
};
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream};

/// One stream of a journal.
#[derive(Debug, Default)]
pub(super) struct Journalled {
    /// Events by their number in the story, with the id each must arrive with.
    pub(super) ids: BTreeMap<u64, String>,
    /// Ids of the gap records.
    pub(super) gaps: Vec<String>,
    /// Events that were published and are not in the journal, with no gap record where they would
    /// have stood.
    pub(super) untold: u64,
}

/// Reads a stream of the journal in `folder`; `published` is what a relay was given of it.
pub(super) async fn read(folder: &Path, stream: Stream, published: &[u64]) -> Journalled {
    let config = JournalConfig { path: folder.to_owned(), ..JournalConfig::default() };
    let (journal, _writer) = Journal::open(Options::new(&config)).await.expect("it opens");
    let mut found = Journalled::default();
    let mut published = published.iter().copied().peekable();
    // Before the first subscription nothing was promised.
    let mut told = true;
    let mut at = journal.first(stream);
    assert_eq!(at, 0, "nothing was shed");
    while let Some(block) = journal.read(stream, at).await {
        assert_eq!(block.first(), at, "the journal has no hole");
        for (sequence, kind, message) in block.records_from(at) {
            let arrival = Arrival { stream, sequence, received_us: block.received_us() };
            let event =
                Event::decode(kind, arrival, message, Overrides::none()).expect("it was made here");
            let id = event.id().to_string();
            if kind == Kind::Gap {
                told = true;
                found.gaps.push(id);
                continue;
            }
            let number: u64 = number(&event);
            while let Some(missing) = published.next_if(|other| *other != number) {
                assert!(missing < number, "events are journalled in order, and once");
                found.untold += u64::from(!told);
            }
            assert_eq!(published.next(), Some(number), "it was published");
            told = false;
            found.ids.insert(number, id);
        }
        at = block.end();
    }
    found.untold += published.count() as u64;
    assert_eq!(at, journal.head(stream));
    found
}

fn number(event: &Event<'_>) -> u64 {
    let mut json = Vec::new();
    sidearm_sinks::contract::json::write(event, &mut json);
    let event: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let number = event["ExecEvent"]["ExecID"].as_str().expect("a number");
    number.parse().expect("a number")
}
