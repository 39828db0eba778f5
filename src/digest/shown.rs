//! The event that a message shows: its own bytes, kept small, for the journal may have given it up
//! by the time it is told.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use buffa::Message as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sidearm_proto::feeder;
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream, Undecodable};

/// A message up to this size is kept as it is, in bytes.
const MAX_WHOLE_BYTES: usize = 4 * 1024;
/// What is kept of a text where the message without its long tails is still larger, in bytes.
const MAX_TEXT_BYTES: usize = 1_024;

/// An event of the relay's, as a digest keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) stream: Stream,
    /// Where in the journal it stood.
    pub(crate) sequence: u64,
    pub(crate) received_us: u64,
    #[serde(serialize_with = "write_base64", deserialize_with = "read_base64")]
    message: Arc<[u8]>,
}

impl Shown {
    pub(crate) fn new(event: &Event<'_>, message: &[u8]) -> Self {
        Self {
            stream: event.stream(),
            sequence: event.sequence(),
            received_us: event.received_us(),
            message: slim(event.stream(), message).into(),
        }
    }

    /// The event, seen through.
    pub(crate) fn event<'a>(&'a self, overrides: &'a Overrides) -> Result<Event<'a>, Undecodable> {
        let arrival =
            Arrival { stream: self.stream, sequence: self.sequence, received_us: self.received_us };
        Event::decode(Kind::Event, arrival, &self.message, overrides)
    }
}

/// A large message without what nobody reads in a digest. The parts of the incident's key stay,
/// unless they are what makes it large.
fn slim(stream: Stream, message: &[u8]) -> Vec<u8> {
    let slimmed = match stream {
        _ if message.len() <= MAX_WHOLE_BYTES => None,
        Stream::Alert => feeder::Alert::decode_from_slice(message).ok().map(slim_alert),
        Stream::Log => feeder::Log::decode_from_slice(message).ok().map(slim_log),
        Stream::Message => feeder::Message::decode_from_slice(message).ok().map(|mut message| {
            cut([&mut message.Message]);
            message.encode_to_vec()
        }),
    };
    slimmed.unwrap_or_else(|| message.to_vec())
}

fn slim_alert(mut alert: feeder::Alert) -> Vec<u8> {
    cut([&mut alert.Source, &mut alert.Message, &mut alert.Tags, &mut alert.Cwd]);
    cut([&mut alert.Data, &mut alert.Labels]);
    alert.EventData.clear();
    alert.ATags.iter_mut().for_each(|tag| cut([tag]));
    let whole = alert.encode_to_vec();
    if whole.len() <= MAX_WHOLE_BYTES {
        return whole;
    }
    alert.ATags.clear();
    cut([&mut alert.Resource, &mut alert.ProcessName, &mut alert.ParentProcessName]);
    alert.encode_to_vec()
}

fn slim_log(mut log: feeder::Log) -> Vec<u8> {
    cut([&mut log.Source, &mut log.Cwd, &mut log.Data, &mut log.Labels]);
    log.EventData.clear();
    let whole = log.encode_to_vec();
    if whole.len() <= MAX_WHOLE_BYTES {
        return whole;
    }
    cut([&mut log.Resource, &mut log.ProcessName, &mut log.ParentProcessName]);
    log.encode_to_vec()
}

fn cut<const TEXTS: usize>(texts: [&mut String; TEXTS]) {
    for text in texts {
        text.truncate(start_of(text, MAX_TEXT_BYTES).len());
    }
}

/// The start of a text, cut between two characters.
pub(super) fn start_of(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

fn write_base64<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&STANDARD.encode(bytes))
}

fn read_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map(Arc::from).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alert, blocked_apt};

    fn kept(alert: feeder::Alert) -> Shown {
        let message = alert.encode_to_vec();
        let arrival = Arrival { stream: Stream::Alert, sequence: 3, received_us: 9 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none());
        Shown::new(&event.expect("an alert"), &message)
    }

    #[test]
    fn an_ordinary_event_is_kept_whole_through_the_file() {
        let shown = kept(blocked_apt());
        let text = serde_json::to_string(&shown).expect("texts and numbers");
        let read: Shown = serde_json::from_str(&text).expect("what was written");
        assert_eq!(read, shown);
        let event = read.event(Overrides::none()).expect("an alert");
        assert_eq!(event.id(), alert(blocked_apt()).view().id());
        assert_eq!((event.sequence(), event.received_us()), (3, 9));
    }

    #[test]
    fn a_large_event_is_slimmed_and_keeps_what_its_incident_is_known_by() {
        let long = "ä".repeat(40_000);
        let data = feeder::Alert { Data: long.clone(), Source: long.clone(), ..blocked_apt() };
        let shown = kept(data);
        assert!(shown.message.len() <= MAX_WHOLE_BYTES, "{}", shown.message.len());
        let (event, plain) = (shown.event(Overrides::none()), alert(blocked_apt()));
        assert_eq!(event.expect("an alert").incident_key(), plain.view().incident_key());
        let shown =
            kept(feeder::Alert { Resource: long.clone(), ProcessName: long, ..blocked_apt() });
        assert!(shown.message.len() <= 2 * MAX_WHOLE_BYTES, "{}", shown.message.len());
        assert!(shown.event(Overrides::none()).is_ok());
    }
}
