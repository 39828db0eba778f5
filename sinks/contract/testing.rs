//! What the tests of every sink need: its table read, a batch, an answer.

mod events;
mod once;

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

pub(crate) use super::samples::with_sample;
pub(crate) use events::{OwnedEvent, arbitrary_event, arbitrary_text};
pub(crate) use once::{members, once};

use super::{
    Arrival, Batch, BatchBuilder, Body, Digest, Event, EventId, Format, HttpReply, HttpRequest,
    Kind, Overrides, Protocol, SettingError, Sink, Stream, from_json, json, read, samples,
};
use crate::formats::{self, Writer};

/// The lines of a sink's table, as the configuration hands them on.
pub(crate) fn table(lines: &str) -> ValueDeserializer<'_> {
    let table = DeTable::parse(lines).expect("TOML");
    let span = table.span();
    toml::Spanned::new(span, DeValue::Table(table.into_inner())).into()
}

/// A sink from the lines of its table.
pub(crate) fn sink<T: DeserializeOwned>(lines: &str) -> Result<T, SettingError> {
    read(table(lines))
}

/// A batch of so many records of so many bytes each; their ids count from 1.
pub(crate) fn batch(records: usize, bytes_each: usize) -> Batch {
    let mut batch = BatchBuilder::new(Stream::Alert);
    for number in 1..=records as u64 {
        batch.push(EventId(number.into()), number, 0, |out| {
            out.resize(out.len() + bytes_each, b' ');
        });
    }
    batch.finish().expect("at least one record")
}

/// Shows a sample to a test as the message of a digest.
pub(crate) fn with_digest<T>(name: &str, digest: &Digest, test: impl FnOnce(&Event<'_>) -> T) -> T {
    let (_, line) = samples().iter().find(|(found, _)| *found == name).expect(name);
    let (stream, message) = from_json::read(line).expect(name);
    let arrival = Arrival { stream, sequence: 1, received_us: 1 };
    let event = Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect(name);
    test(&event.telling(digest))
}

/// Shows a test an event in KubeArmor's own JSON.
pub(crate) fn with_event<T>(line: &str, test: impl FnOnce(Event<'_>) -> T) -> T {
    let (stream, message) = from_json::read(line).expect("an event");
    let arrival = Arrival { stream, sequence: 1, received_us: 1_800_000_000_000_000 };
    test(Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect("an event"))
}

/// What a sink makes of an event in KubeArmor's own JSON.
pub(crate) fn record<P: Protocol>(sink: &impl Sink<P>, line: &str) -> String {
    with_event(line, |event| {
        let mut body = Vec::new();
        json::write(&event, &mut body);
        written(sink, &event, Format::Json, &body)
    })
}

/// What a sink makes of an event whose body the engine rendered like this.
pub(crate) fn written<P: Protocol>(
    sink: &(impl Sink<P> + ?Sized),
    event: &Event<'_>,
    format: Format,
    bytes: &[u8],
) -> String {
    let mut record = Vec::new();
    sink.record(event, Body::new(format, bytes), &mut record);
    String::from_utf8(record).expect("UTF-8")
}

/// A batch of one record.
pub(crate) fn batch_of(event: &Event<'_>, record: &[u8]) -> Batch {
    let mut batch = BatchBuilder::new(event.stream());
    batch.push(event.id(), event.sequence(), event.received_us(), |out| {
        out.extend_from_slice(record);
    });
    batch.finish().expect("one record")
}

/// An answer without headers.
pub(crate) fn reply(status: u16, body: &str) -> HttpReply {
    let body = Bytes::copy_from_slice(body.as_bytes());
    HttpReply { status, headers: HeaderMap::new(), retry_after: None, body }
}

/// A request as a vendor's double reads it.
pub(crate) fn asked(request: &HttpRequest) -> http::Request<Vec<u8>> {
    let mut asked = http::Request::builder().method(&request.method).uri(&request.url);
    *asked.headers_mut().expect("a request") = request.headers.clone();
    asked.body(request.body.to_vec()).expect("a request")
}

/// An answer of a vendor's double, as it comes back.
pub(crate) fn answered(answer: &http::Response<String>) -> HttpReply {
    let headers = answer.headers().clone();
    HttpReply { headers, ..reply(answer.status().as_u16(), answer.body()) }
}

/// Every format that is written without the engine.
pub(crate) fn written_formats() -> impl Iterator<Item = (Format, Writer)> {
    Format::ALL.into_iter().filter_map(|format| Some((format, formats::writer(format)?)))
}

#[test]
fn no_field_takes_what_is_no_text() {
    for stream in Stream::ALL {
        let mut refused = 0;
        for number in 1..=100_u32 {
            let mut message = Vec::new();
            // A field of bytes, two of them, which UTF-8 has nowhere.
            buffa::encoding::encode_varint((number << 3 | 2).into(), &mut message);
            message.extend_from_slice(b"\x02\xc0\xff");
            let owned = OwnedEvent::of_message(stream, message);
            match owned.decoded() {
                Ok(event) => {
                    let (mut whole, mut empty) = (Vec::new(), Vec::new());
                    json::write(&event, &mut whole);
                    json::write(&OwnedEvent::of_message(stream, Vec::new()).event(), &mut empty);
                    assert_eq!(whole, empty, "{stream} {number}: taken for another text");
                }
                Err(error) => {
                    let why = error.to_string();
                    assert!(why.starts_with("reading the bytes of an event of stream "), "{why}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 6, "{stream}: {refused} fields");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn every_event_can_be_seen_through(owned in arbitrary_event()) {
        let event = owned.event();
        prop_assert_eq!(event.id(), owned.event().id());
        prop_assert!(event.incident_key().len() < 8 * 64 * 1024);
    }

    /// What a broken agent, disk or network leaves of a message: an event in words of every
    /// format, or bytes that are named as none.
    #[test]
    fn broken_bytes_are_text_or_no_event(
        owned in arbitrary_event(),
        at in any::<prop::sample::Index>(),
        bytes in prop::collection::vec(prop::sample::select(BROKEN), 1..4),
        inserted: bool,
    ) {
        let broken = owned.with_bytes(|message| {
            let start = at.index(message.len() + 1);
            let end = if inserted { start } else { message.len().min(start + bytes.len()) };
            message.splice(start..end, bytes);
        });
        match broken.decoded() {
            Ok(event) => for (format, write) in written_formats() {
                let mut body = Vec::new();
                write(&event, &mut body);
                let text = std::str::from_utf8(&body);
                prop_assert!(text.is_ok(), "{}: {:?}", format.name(), text);
                if format.is_json() {
                    prop_assert!(once(&body).is_ok(), "{}: {:?}", format.name(), text);
                }
            },
            Err(error) => {
                let why = error.to_string();
                prop_assert!(why.starts_with("reading the bytes of "), "{}", why);
            }
        }
    }
}

/// Bytes that UTF-8 has nowhere, or not alone; ends of fields, lengths and texts.
const BROKEN: &[u8] = b"\xff\xc0\x80\xbf\xe2\xed\xf0\xf8\x00\x0a\x12\x7f";
