//! Every destination of the catalogue, in every format it takes, against events as strangers may
//! write them: each request is read as its destination reads it, and is no larger than it may be.
//!
//! The catalogue is the list: a destination without a reader fails here. Readers know a protocol
//! and what a vendor documents of it; finer rules of one vendor stand in that sink's own tests.

mod readers;

use std::{collections::BTreeSet, sync::LazyLock};

use proptest::prelude::*;

use crate::{
    CATALOGUE,
    contract::{
        AmqpRequest, AppendRequest, Batch, BatchBuilder, Body, Destination, Entry, Event, Facts,
        Format, GrpcRequest, HttpRequest, KafkaRequest, Limits, MailRequest, SocketRequest, Stream,
        testing::{OwnedEvent, arbitrary_event, arbitrary_text, table, written_formats},
    },
};
use readers::READERS;

/// Arbitrary events for each destination: all in its default format, all in one that is drawn of
/// those it takes. The formats themselves have as many in tests of their own.
const EVENTS: u32 = 10_000;
/// Events of one case, so that batches of several are made of them.
const EVENTS_A_CASE: u32 = 8;
/// What a request is told to hold, in bytes, so that few events fill it.
const SMALL_BYTES: usize = 20_000;

/// Reads a request; else says why its destination would refuse it, or what became of an event.
type Read = fn(&Case<'_>) -> Result<(), String>;

/// A request, and what it was made of.
struct Case<'c> {
    facts: &'c Facts,
    format: Format,
    /// The events, in order.
    events: &'c [&'c Rendered<'c>],
    sent: &'c Sent,
    /// What the same sink sends of an event that says nothing.
    plain: &'c Sent,
}

impl Case<'_> {
    /// The events' ids, in order.
    fn ids(&self) -> impl Iterator<Item = String> {
        self.events.iter().map(|rendered| rendered.event.id().to_string())
    }

    /// What the engine rendered of each, in order.
    fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        self.events.iter().map(|rendered| rendered.body(self.format))
    }
}

/// A request of any protocol.
enum Sent {
    Http(HttpRequest),
    Amqp(AmqpRequest),
    Append(AppendRequest),
    Grpc(GrpcRequest),
    Kafka(KafkaRequest),
    Socket(SocketRequest),
    Mail(MailRequest),
}

impl Sent {
    fn of(destination: &Destination, batch: &Batch) -> Self {
        match destination {
            Destination::Http(sink) => Self::Http(sink.request(batch)),
            Destination::Amqp(sink) => Self::Amqp(sink.request(batch)),
            Destination::Append(sink) => Self::Append(sink.request(batch)),
            Destination::Grpc(sink) => Self::Grpc(sink.request(batch)),
            Destination::Kafka(sink) => Self::Kafka(sink.request(batch)),
            Destination::Socket(sink) => Self::Socket(sink.request(batch)),
            Destination::Mail(sink) => Self::Mail(sink.request(batch)),
        }
    }

    /// What counts against the limit of a request, in bytes.
    fn bytes(&self) -> usize {
        match self {
            Self::Http(request) => request.body.len(),
            Self::Amqp(request) => request.messages.iter().map(|message| message.body.len()).sum(),
            Self::Append(request) => request.bytes.len(),
            Self::Grpc(request) => request.message.len(),
            Self::Kafka(request) => request.records().map(|record| record.payload.len()).sum(),
            Self::Socket(request) => request.bytes.len(),
            Self::Mail(request) => request.message.len(),
        }
    }
}

/// A sink of the catalogue under one table, and who reads it.
struct Subject {
    table: String,
    facts: Facts,
    destination: Destination,
    read: Read,
    /// What it sends of an event that says nothing, by stream.
    plain: Vec<Sent>,
}

impl Subject {
    fn new(name: &str, table: &[&str], read: Read) -> Self {
        let named = |entry: &&Entry| (entry.facts)().name == name;
        let entry = CATALOGUE.iter().find(named).expect(name);
        let (facts, table) = ((entry.facts)(), table.concat());
        let destination = built(entry, &facts, &table);
        let plain = |stream| {
            let nothing = OwnedEvent::of_message(stream, Vec::new());
            let body = Body::new(facts.format, b"{}");
            Sent::of(&destination, &batch_of(&destination, &nothing.event(), body))
        };
        let plain = Stream::ALL.map(plain).into();
        Self { table, facts, destination, read, plain }
    }

    /// Whether it makes requests of these events in this format that hold all of them and nothing
    /// more.
    fn holds(&self, format: Format, events: &[Rendered<'_>]) -> Result<(), String> {
        for stream in Stream::ALL {
            let of_stream = events.iter().filter(|rendered| rendered.event.stream() == stream);
            let mut waiting: Vec<_> = of_stream.collect();
            while !waiting.is_empty() {
                let batch = self.next_batch(stream, format, &waiting);
                let rest = waiting.split_off(batch.len());
                self.check(format, &batch, &waiting).map_err(|why| {
                    format!("{} {} {:?}: {why}", self.facts.name, format.name(), self.table)
                })?;
                waiting = rest;
            }
        }
        Ok(())
    }

    /// As many events as a lane would send at once.
    fn next_batch(&self, stream: Stream, format: Format, waiting: &[&Rendered<'_>]) -> Batch {
        let small = Limits { bytes: SMALL_BYTES, ..self.facts.limits.clone() };
        let limits = self.destination.any().limits(small);
        let mut batch = BatchBuilder::new(stream);
        for rendered in waiting.iter().take(limits.events) {
            let body = Body::new(format, rendered.body(format));
            batch.push(rendered.event.id(), 1, 1, |record| {
                self.destination.any().record(&rendered.event, body, record);
            });
            if batch.len() > 1 && batch.bytes() > limits.bytes {
                batch.undo();
                break;
            }
        }
        batch.finish().expect("an event is waiting")
    }

    fn check(&self, format: Format, batch: &Batch, events: &[&Rendered<'_>]) -> Result<(), String> {
        let sent = Sent::of(&self.destination, batch);
        let (bytes, room) = (sent.bytes(), self.room(format, batch));
        if bytes > room {
            return Err(format!("{bytes} bytes, {room} at most"));
        }
        let plain = &self.plain[batch.stream().index()];
        let facts = &self.facts;
        (self.read)(&Case { facts, format, events, sent: &sent, plain })
    }

    /// What a request of this batch may hold, in bytes.
    fn room(&self, format: Format, batch: &Batch) -> usize {
        let limits = self.destination.any().limits(self.facts.limits.clone());
        // Both group records under heads of their own, and stay at half of what is taken.
        let heads = match self.facts.name {
            "otlp" | "loki" => 64 * batch.len(),
            _ => 0,
        };
        match batch.bytes().len() {
            _ if batch.len() > 1 => SMALL_BYTES + heads,
            // An event that is too large by itself goes alone: its destination refuses it, and a
            // dead letter keeps it. What is made for people is never too large.
            bytes if format != Format::Native && bytes > limits.bytes => usize::MAX,
            _ => self.facts.limits.bytes,
        }
    }
}

fn built(entry: &Entry, facts: &Facts, lines: &str) -> Destination {
    let lines = if lines.is_empty() { facts.example } else { lines };
    let lines = facts.sample_secrets.iter().fold(lines.to_owned(), |lines, (name, secret)| {
        lines.replace(&format!("${{env:{name}}}"), secret)
    });
    (entry.build)(table(&lines)).unwrap_or_else(|error| panic!("{}: {error:?}", facts.name))
}

fn batch_of(destination: &Destination, event: &Event<'_>, body: Body<'_>) -> Batch {
    let mut batch = BatchBuilder::new(event.stream());
    batch.push(event.id(), 1, 1, |record| destination.any().record(event, body, record));
    batch.finish().expect("a record")
}

/// An event and its bodies.
struct Rendered<'e> {
    event: Event<'e>,
    bodies: Vec<(Format, Vec<u8>)>,
}

impl<'e> Rendered<'e> {
    /// What a template writes of an event is anything.
    fn new(owned: &'e OwnedEvent, template: &str) -> Self {
        let event = owned.event();
        let written = written_formats().map(|(format, write)| {
            let mut body = Vec::new();
            write(&event, &mut body);
            (format, body)
        });
        let others = [Format::Text, Format::Template].map(|format| (format, template.into()));
        let bodies = written.chain(others).collect();
        Self { event, bodies }
    }

    fn body(&self, format: Format) -> &[u8] {
        let found = self.bodies.iter().find(|(known, _)| *known == format);
        &found.expect("every format is rendered").1
    }
}

/// Any text, and JSON of any: an object, over several lines, of several values.
fn template() -> impl Strategy<Value = String> {
    let json = |text: &str| serde_json::to_string(text).expect("text is JSON");
    (arbitrary_text(), 0..6_u8).prop_map(move |(text, form)| match form {
        0 => format!("{{\"text\": {}}}", json(&text)),
        1 => format!("[\r\n{},\n1.5, null]\n", json(&text)),
        2 => json(&text),
        _ => text.clone(),
    })
}

/// The formats of a sink: each it takes by configuration.
fn formats(facts: &Facts) -> impl Iterator<Item = Format> {
    let native = facts.native;
    Format::ALL.into_iter().filter(move |format| native || *format != Format::Native)
}

static SUBJECTS: LazyLock<Vec<Subject>> = LazyLock::new(|| {
    READERS.iter().map(|(name, table, read)| Subject::new(name, table, *read)).collect()
});

#[test]
fn every_destination_has_a_reader() {
    let read: BTreeSet<_> = READERS.iter().map(|(name, ..)| *name).collect();
    let listed: BTreeSet<_> = CATALOGUE.iter().map(|entry| (entry.facts)().name).collect();
    assert_eq!(read, listed);
}

#[test]
fn every_sample_is_read() {
    let samples: Vec<_> = OwnedEvent::samples().collect();
    let events: Vec<_> = samples.iter().map(|owned| Rendered::new(owned, "words")).collect();
    for subject in SUBJECTS.iter() {
        for format in formats(&subject.facts) {
            assert_eq!(subject.holds(format, &events), Ok(()));
        }
    }
}

/// Some events, each with what a template writes of it, and which format is drawn.
fn case() -> impl Strategy<Value = (Vec<(OwnedEvent, String)>, usize)> {
    let events = prop::collection::vec((arbitrary_event(), template()), EVENTS_A_CASE as usize);
    (events, 0..1_000_usize)
}

fn all_hold(
    for_people: bool,
    events: &[(OwnedEvent, String)],
    drawn: usize,
) -> Result<(), TestCaseError> {
    let events: Vec<_> = events.iter().map(|(owned, text)| Rendered::new(owned, text)).collect();
    let are_for_people = |subject: &&Subject| subject.facts.digest.is_some() == for_people;
    let mut refused = Vec::new();
    for (place, subject) in SUBJECTS.iter().filter(are_for_people).enumerate() {
        let formats: Vec<_> = formats(&subject.facts).collect();
        for format in [subject.facts.format, formats[(drawn + place) % formats.len()]] {
            refused.extend(subject.holds(format, &events).err());
        }
    }
    prop_assert_eq!(refused, Vec::<String>::new());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(EVENTS.div_ceil(EVENTS_A_CASE)))]

    #[test]
    fn no_event_makes_a_message_that_is_refused((events, drawn) in case()) {
        all_hold(true, &events, drawn)?;
    }

    #[test]
    fn no_event_makes_a_batch_that_is_refused((events, drawn) in case()) {
        all_hold(false, &events, drawn)?;
    }
}
