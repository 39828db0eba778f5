//! The event that a message shows: its own bytes, kept small, for the journal may have given it up
//! by the time it is told.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use buffa::Message as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sidearm_proto::feeder;
use sidearm_sinks::contract::{
    Arrival, Event, EventId, INCIDENT_TEXT_BYTES, Kind, Overrides, Stream, Undecodable, start_of,
};

use super::hex;

/// A message up to this size is kept as it is, in bytes.
const MAX_WHOLE_BYTES: usize = 4 * 1024;

/// An event of the journal's, as a digest keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    pub(crate) stream: Stream,
    /// Where in the journal it stood.
    pub(crate) sequence: u64,
    pub(crate) received_us: u64,
    /// Its id, by which the destinations that keep every event know it.
    #[serde(with = "hex")]
    id: u128,
    #[serde(default)]
    is_gap: bool,
    #[serde(serialize_with = "write_base64", deserialize_with = "read_base64")]
    message: Arc<[u8]>,
}

impl Shown {
    pub(crate) fn new(event: &Event<'_>, message: &[u8]) -> Self {
        Self {
            stream: event.stream(),
            sequence: event.sequence(),
            received_us: event.received_us(),
            id: event.id().0,
            is_gap: event.is_gap(),
            message: slim(event.kind(), event.stream(), message).into(),
        }
    }

    /// The event, seen through.
    pub(crate) fn event<'a>(&'a self, overrides: &'a Overrides) -> Result<Event<'a>, Undecodable> {
        let arrival =
            Arrival { stream: self.stream, sequence: self.sequence, received_us: self.received_us };
        let kind = if self.is_gap { Kind::Gap } else { Kind::Event };
        let event = Event::decode(kind, arrival, &self.message, overrides)?;
        Ok(event.known_as(EventId(self.id)))
    }
}

/// A large message without what nobody reads in a digest. What its incident is known by stays.
fn slim(kind: Kind, stream: Stream, message: &[u8]) -> Vec<u8> {
    let slimmed = match stream {
        _ if message.len() <= MAX_WHOLE_BYTES || kind == Kind::Gap => None,
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
        text.truncate(start_of(text, INCIDENT_TEXT_BYTES).len());
    }
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
    use crate::testing::{self, alert, blocked_apt};

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
    fn a_large_event_is_slimmed_and_keeps_its_id_and_its_incident() {
        let long = "ä".repeat(40_000);
        let data = feeder::Alert { Data: long.clone(), Source: long.clone(), ..blocked_apt() };
        let names =
            feeder::Alert { Resource: long.clone(), ProcessName: long.clone(), ..blocked_apt() };
        let log = feeder::Log { Resource: long, ..feeder::Log::default() };
        let whole = [alert(data), alert(names), testing::log(log)];
        for (sample, most) in whole.iter().zip([1, 2, 2]) {
            let event = sample.view();
            let shown = Shown::new(&event, &sample.message);
            assert!(shown.message.len() <= most * MAX_WHOLE_BYTES, "{}", shown.message.len());
            let slimmed = shown.event(Overrides::none()).expect("an event");
            assert_eq!(slimmed.shown_id(), event.id());
            assert_eq!(slimmed.incident_key(), event.incident_key());
        }
    }

    #[test]
    fn a_gap_record_is_kept_as_one() {
        let gap = testing::gap(Stream::Log);
        let shown = Shown::new(&gap.view(), &gap.message);
        let event = shown.event(Overrides::none()).expect("a gap record");
        assert!(event.is_gap() && event.stream() == Stream::Log);
        assert_eq!(event.id(), gap.view().id());
    }
}
