//! What the relay sent, seen through: fields as KubeArmor names them, and facts derived from them.
//!
//! A view over the message's own bytes, made from a journal record by a lane; nothing is copied,
//! facts are computed when asked. One set of fields serves every stream: a log has none that an
//! alert lacks, a message has two, a gap record its own.

mod accessors;
mod data;
mod facts;
mod fields;
mod id;
mod incident;
mod moment;
mod network;
mod view;

use std::{fmt, sync::OnceLock};

use sidearm_proto::feeder::AlertView;

use super::{Digest, Gravity, Overrides, SeverityTable};

pub(crate) use data::known_key;
pub use facts::Owner;
pub use fields::{FIELDS, Field, FieldKind, Value};
pub use id::EventId;
pub use incident::INCIDENT_TEXT_BYTES;
pub(crate) use moment::read_moment;
pub use network::{Direction, Endpoint, Network};
pub use view::Gap;
pub(super) use view::{Own, rfc3339};

/// Which of the relay's streams an event came on. Alerts first: the order is that of precedence.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Policy matches and throttle notices.
    Alert,
    /// Messages of the agents themselves.
    Message,
    /// Telemetry of containers and hosts.
    Log,
}

impl Stream {
    /// All of them, in order of precedence.
    pub const ALL: [Stream; 3] = [Stream::Alert, Stream::Message, Stream::Log];

    /// Its name in configurations, filters and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Message => "message",
            Self::Log => "log",
        }
    }

    /// Its place in [`Stream::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a record of the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message of the relay, as it came.
    Event,
    /// Sidearm's own note that events may have been missed.
    Gap,
}

/// What an event was given on arrival.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Its stream.
    pub stream: Stream,
    /// Its place in that stream's journal.
    pub sequence: u64,
    /// When its block was opened, in microseconds since 1970.
    pub received_us: u64,
}

/// One event, seen through. It borrows from the message's bytes.
#[derive(Debug)]
pub struct Event<'a> {
    kind: Kind,
    arrival: Arrival,
    message: &'a [u8],
    /// With the cluster's name already as configured. Boxed, for it is large and lanes hold many.
    pub(crate) view: Box<AlertView<'a>>,
    pub(super) own: Own<'a>,
    severity: SeverityTable,
    digest: Option<&'a Digest>,
    /// Of the event alone, made when it is first asked for: the lane and the sink both ask.
    id: OnceLock<EventId>,
}

impl<'a> Event<'a> {
    /// Sees through one record of the journal, as the configuration's `overrides` will have it.
    pub fn decode(
        kind: Kind,
        arrival: Arrival,
        message: &'a [u8],
        overrides: &'a Overrides,
    ) -> Result<Self, Undecodable> {
        let (mut view, own) = match (kind, arrival.stream) {
            (Kind::Gap, _) => view::of_gap(message),
            (Kind::Event, Stream::Alert) => view::of_alert(message),
            (Kind::Event, Stream::Message) => view::of_message(message),
            (Kind::Event, Stream::Log) => view::of_log(message),
        }
        .map_err(|error| Undecodable(kind, arrival.stream, error))?;
        if !overrides.cluster.is_empty() && matches!(view.ClusterName, "" | "default") {
            view.ClusterName = &overrides.cluster;
        }
        let (severity, id) = (overrides.severity, OnceLock::new());
        Ok(Self { kind, arrival, message, view, own, severity, digest: None, id })
    }

    /// The event as shown by a message that tells of many like it.
    pub fn telling(self, digest: &'a Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }

    /// The same event, known by the id that was made of all of it: what is left of a large one
    /// would have another.
    pub fn known_as(self, id: EventId) -> Self {
        Self { id: id.into(), ..self }
    }

    /// What the message tells beside this event; nothing where it tells of this event alone.
    pub fn digest(&self) -> Option<&'a Digest> {
        self.digest
    }

    /// How grave it is, by the configured table. Where its policy gives no severity, what it is
    /// decides.
    pub fn gravity(&self) -> Gravity {
        if let Some(severity) = self.severity() {
            return self.severity.gravity(severity);
        }
        match (self.stream(), self.level()) {
            _ if self.is_gap() || self.is_throttle_notice() => Gravity::Medium,
            (Stream::Alert, _) if self.blocked() => Gravity::Medium,
            (Stream::Alert, _) => Gravity::Low,
            (Stream::Message, "ERROR") => Gravity::High,
            (Stream::Message, "WARN") => Gravity::Medium,
            (Stream::Message | Stream::Log, _) => Gravity::Info,
        }
    }

    /// The stream it came on.
    pub fn stream(&self) -> Stream {
        self.arrival.stream
    }

    /// Its place in that stream's journal.
    pub fn sequence(&self) -> u64 {
        self.arrival.sequence
    }

    /// When it was received, in microseconds since 1970.
    pub fn received_us(&self) -> u64 {
        self.arrival.received_us
    }

    /// What kind of record it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it is Sidearm's own note that events may have been missed.
    pub fn is_gap(&self) -> bool {
        self.kind == Kind::Gap
    }

    /// What a gap record says; nothing for the relay's own events.
    pub fn gap(&self) -> Option<&Gap<'a>> {
        match &self.own {
            Own::Gap(gap) => Some(gap),
            _ => None,
        }
    }

    /// What tells copies of this message: the event's id, or, where it tells of many events, one
    /// of its own, so that no destination takes it for a copy of the event it shows.
    pub fn id(&self) -> EventId {
        let id = self.shown_id();
        self.digest.map_or(id, |digest| id::of_digest(id, digest))
    }

    /// What people find the event by where every event is kept: the same for the same event on
    /// every replica, retry and restart, whatever its place in the journal, the configured cluster
    /// and the message that shows it.
    pub fn shown_id(&self) -> EventId {
        *self.id.get_or_init(|| id::of(self.kind, self.arrival.stream, self.message))
    }
}

/// Why bytes are not an event.
#[derive(Debug)]
pub struct Undecodable(Kind, Stream, buffa::DecodeError);

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(kind, stream, error) = self;
        match kind {
            Kind::Event => write!(f, "reading the bytes of an event of stream {stream}: {error}"),
            Kind::Gap => write!(f, "reading the bytes of a gap record of stream {stream}: {error}"),
        }
    }
}

impl std::error::Error for Undecodable {}

#[cfg(test)]
mod tests {
    use buffa::Message as _;
    use sidearm_proto::{feeder, sidearm};

    use super::*;

    const ARRIVAL: Arrival = Arrival { stream: Stream::Alert, sequence: 7, received_us: 5_000_000 };

    #[test]
    fn the_configured_cluster_stands_in_for_none_and_for_default_alone() {
        let shop = Overrides::of_cluster("shop-eu");
        for (sent, seen) in [("", "shop-eu"), ("default", "shop-eu"), ("edge", "edge")] {
            let alert = feeder::Alert { ClusterName: sent.to_owned(), ..Default::default() };
            let bytes = alert.encode_to_vec();
            let event = Event::decode(Kind::Event, ARRIVAL, &bytes, &shop).expect("an alert");
            assert_eq!(event.cluster(), seen);
            let event =
                Event::decode(Kind::Event, ARRIVAL, &bytes, Overrides::none()).expect("an alert");
            assert_eq!(event.cluster(), sent);
        }
    }

    #[test]
    fn a_log_and_a_message_are_seen_through_the_same_names() {
        let log = feeder::Log {
            UpdatedTime: "2026-03-01T08:00:00.000001Z".to_owned(),
            Type: "ContainerLog".to_owned(),
            Operation: "File".to_owned(),
            ..Default::default()
        };
        let arrival = Arrival { stream: Stream::Log, ..ARRIVAL };
        let bytes = log.encode_to_vec();
        let event = Event::decode(Kind::Event, arrival, &bytes, Overrides::none()).expect("a log");
        assert_eq!((event.event_type(), event.operation()), ("ContainerLog", "File"));
        assert_eq!(event.time_us(), 1_772_352_000_000_001);

        let message = feeder::Message {
            HostIP: "10.0.0.1".to_owned(),
            Level: "WARN".to_owned(),
            Message: "low on space".to_owned(),
            ..Default::default()
        };
        let arrival = Arrival { stream: Stream::Message, ..ARRIVAL };
        let bytes = message.encode_to_vec();
        let event =
            Event::decode(Kind::Event, arrival, &bytes, Overrides::none()).expect("a message");
        assert_eq!(
            (event.host_ip(), event.level(), event.message(), event.time_us()),
            ("10.0.0.1", "WARN", "low on space", 5_000_000)
        );
    }

    #[test]
    fn a_gap_record_tells_its_times() {
        let gap = sidearm::Gap {
            FromMicros: 1_772_352_000_000_000,
            ToMicros: 1_772_352_001_500_000,
            Reason: "the relay went away".to_owned(),
            Lost: 3,
        };
        let bytes = gap.encode_to_vec();
        let shop = Overrides::of_cluster("shop-eu");
        let event = Event::decode(Kind::Gap, ARRIVAL, &bytes, &shop).expect("a gap record");
        assert_eq!(event.updated_time(), "2026-03-01T08:00:01.500000Z");
        assert_eq!(event.time_us(), 1_772_352_001_500_000);
        assert_eq!(event.field("From"), Some(Value::Str("2026-03-01T08:00:00.000000Z")));
        assert_eq!(event.field("Lost"), Some(Value::Int(3)));
        assert_eq!((event.cluster(), event.event_type()), ("shop-eu", "SidearmGap"));
    }

    #[test]
    fn a_message_of_many_events_has_an_id_of_its_own() {
        let digest = |events| Digest {
            telling: crate::contract::Telling::Repeats,
            events,
            incidents: 1,
            first_us: 1,
            last_us: 2,
            pods: Vec::new(),
            processes: Vec::new(),
        };
        let event = || Event::decode(Kind::Event, ARRIVAL, b"", Overrides::none()).expect("empty");
        let (few, many) = (digest(2), digest(3));
        let ids = [event().id(), event().telling(&few).id(), event().telling(&many).id()];
        assert_eq!(event().telling(&few).id(), ids[1]);
        assert_eq!(event().telling(&few).shown_id(), ids[0]);
        assert_eq!(event().known_as(EventId(7)).telling(&few).shown_id(), EventId(7));
        assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2]);
    }

    #[test]
    fn bytes_that_are_no_event_are_named_as_such() {
        let error = Event::decode(Kind::Event, ARRIVAL, b"\x12\xff", Overrides::none())
            .expect_err("no alert");
        assert!(error.to_string().starts_with("reading the bytes of an event of stream alert: "));
    }
}
