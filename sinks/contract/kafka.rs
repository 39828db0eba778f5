//! Kafka as the catalogue speaks it: records to topics, one outcome for each.
//!
//! A record of a batch carries its topic and key in front of its payload, so a dead letter shows
//! where it was going; the payload itself is never copied before the client library does so.

use std::{collections::BTreeMap, fmt, io::Write as _, time::Duration};

use bytes::Bytes;

use super::{Batch, Entra, EventId, Protocol, Secret, SecretUrl, Shown, Tls, Verdict};

/// The protocol of Kafka, and of what speaks like it.
#[derive(Debug)]
pub struct Kafka;

/// One attempt: every record of a batch.
#[derive(Clone)]
pub struct KafkaRequest {
    batch: Batch,
}

/// One record on its way to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KafkaRecord<'a> {
    /// The event's id: goes along as the header `event_id`.
    pub id: EventId,
    /// The topic.
    pub topic: &'a str,
    /// What the payload is: goes along as the header `content-type`.
    pub content: Content,
    /// Chooses the partition, and what a compacted topic keeps; none spreads records evenly.
    pub key: Option<&'a [u8]>,
    /// The payload.
    pub payload: &'a [u8],
}

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// JSON.
    Json,
    /// Any other text.
    Text,
}

impl Content {
    /// JSON, or any other text.
    pub(crate) fn of(is_json: bool) -> Self {
        if is_json { Self::Json } else { Self::Text }
    }

    /// As a media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl KafkaRequest {
    /// All records of a batch, each written by [`KafkaRecord::write`].
    pub fn new(batch: &Batch) -> Self {
        Self { batch: batch.clone() }
    }

    /// How many records it holds; at least one.
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.batch.len()
    }

    /// The stream that all of them come from: goes along as the header `stream`.
    pub fn stream(&self) -> super::Stream {
        self.batch.stream()
    }

    /// Each record in turn.
    pub fn records(&self) -> impl ExactSizeIterator<Item = KafkaRecord<'_>> {
        self.batch.records().map(|record| {
            KafkaRecord::read(record.id, record.bytes).expect("the sink wrote it by `write`")
        })
    }
}

/// Without payloads, which are long.
impl fmt::Debug for KafkaRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaRequest").field("records", &self.len()).finish_non_exhaustive()
    }
}

impl<'a> KafkaRecord<'a> {
    /// Appends everything but the id: `TOPIC json|text KEY-BYTES KEY PAYLOAD`. The topic is
    /// without spaces.
    pub fn write(topic: &str, content: Content, key: &[u8], payload: &[u8], out: &mut Vec<u8>) {
        debug_assert!(!topic.contains(' '), "a topic's name has no spaces");
        write!(out, "{topic} {} {} ", content.word(), key.len())
            .expect("a vector takes every write");
        out.extend_from_slice(key);
        out.push(b' ');
        out.extend_from_slice(payload);
    }

    fn read(id: EventId, bytes: &'a [u8]) -> Option<Self> {
        let (topic, rest) = word(bytes)?;
        let (content, rest) = word(rest)?;
        let (key_bytes, rest) = word(rest)?;
        let (key, payload) = rest.split_at_checked(key_bytes.parse().ok()?)?;
        let content = Content::of(content == "json");
        let key = (!key.is_empty()).then_some(key);
        Some(Self { id, topic, content, key, payload: payload.strip_prefix(b" ")? })
    }
}

/// The text before the first space, and what follows it.
fn word(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b' ')?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

/// What became of each record, in the request's order.
#[derive(Debug, Clone)]
pub struct KafkaReply {
    /// One outcome a record.
    pub outcomes: Vec<Produced>,
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Produced {
    /// As many brokers as were asked for have it.
    Delivered,
    /// It may be there or not; trying again is right.
    Unsettled(String),
    /// The brokers refuse us: nothing passes until somebody acts.
    Forbidden(String),
    /// The topic is missing, or we may not write to it: nothing passes that goes there.
    TopicRefused(String),
    /// It travelled alone, and will never be taken.
    Refused(String),
    /// The set of records that it travelled in was refused, for one of them.
    SetRefused(String),
}

impl KafkaReply {
    /// The answer of a destination where events choose their topics: one that is refused is the
    /// fault of the events that chose it, and holds up no other.
    pub fn with_topics_of_events(&self) -> Self {
        let outcome = |outcome: &Produced| match outcome {
            Produced::TopicRefused(why) => Produced::Refused(why.clone()),
            outcome => outcome.clone(),
        };
        Self { outcomes: self.outcomes.iter().map(outcome).collect() }
    }

    /// In one line, for people.
    pub fn summary(&self) -> String {
        let delivered = self.outcomes.iter().filter(|one| **one == Produced::Delivered).count();
        let why = self.outcomes.iter().find_map(|one| match one {
            Produced::Delivered => None,
            Produced::Unsettled(why)
            | Produced::Forbidden(why)
            | Produced::TopicRefused(why)
            | Produced::Refused(why)
            | Produced::SetRefused(why) => Some(why.as_str()),
        });
        match why {
            None => "delivered".to_owned(),
            Some(why) if delivered == 0 => why.to_owned(),
            Some(why) => format!("{delivered} of {} delivered: {why}", self.outcomes.len()),
        }
    }
}

/// How Kafka is reached.
#[derive(Debug, Clone)]
pub struct KafkaConnection {
    /// Brokers to begin with, each `HOST:PORT`.
    pub brokers: Vec<String>,
    /// What brokers know us by.
    pub client_id: String,
    /// How sets of records are compressed.
    pub compression: Compression,
    /// Who must have a record before it counts as delivered.
    pub acks: Acks,
    /// Trust and identity; none speaks plain text.
    pub tls: Option<Tls>,
    /// Proof of identity within the connection.
    pub sasl: Option<Sasl>,
    /// How long a record may be under way before its fate counts as unknown.
    pub timeout: Duration,
    /// How long the client waits for more records of a set.
    pub linger: Duration,
    /// Bytes of a record at most, and of a set of records, before compression.
    pub max_message_bytes: usize,
    /// Further properties of the client library, each known to be harmless.
    pub properties: BTreeMap<String, String>,
}

impl Default for KafkaConnection {
    fn default() -> Self {
        Self {
            brokers: Vec::new(),
            client_id: "sidearm".to_owned(),
            compression: Compression::default(),
            acks: Acks::default(),
            tls: None,
            sasl: None,
            timeout: Duration::from_secs(120),
            linger: Duration::from_millis(5),
            max_message_bytes: 1_000_000,
            properties: BTreeMap::new(),
        }
    }
}

/// Compression of a set of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// As they are.
    None,
    /// gzip.
    Gzip,
    /// Snappy.
    Snappy,
    /// LZ4: little work, half the bytes or less.
    #[default]
    Lz4,
    /// Zstandard: fewest bytes.
    Zstd,
}

impl Compression {
    /// Its name in Kafka.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Who must have a record before it counts as delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Acks {
    /// Every replica in sync, once and in order within a session (idempotence).
    #[default]
    All,
    /// The partition's leader: what it has not passed on when it dies is lost.
    Leader,
}

/// Proof of identity by SASL.
#[derive(Debug, Clone)]
pub enum Sasl {
    /// A user and a password.
    Password {
        /// How they are shown to the broker.
        mechanism: Mechanism,
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A token of OAuth 2, fetched with client credentials.
    Bearer {
        /// Where tokens are given.
        token_url: SecretUrl,
        /// The client's id.
        client_id: String,
        /// The client's secret.
        client_secret: Secret,
        /// What is asked for; none where the server needs none.
        scope: Option<String>,
        /// How the token server is trusted.
        tls: Tls,
    },
    /// A token of Microsoft Entra, as Event Hubs takes it.
    Entra(Entra),
}

/// How a password is shown to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// As it is: for TLS alone.
    Plain,
    /// RFC 5802 with SHA-256.
    ScramSha256,
    /// RFC 5802 with SHA-512.
    ScramSha512,
}

impl Protocol for Kafka {
    type Request = KafkaRequest;
    type Reply = KafkaReply;
    type Connection = KafkaConnection;

    fn verdict(reply: &KafkaReply) -> Verdict<Self> {
        let outcomes = &reply.outcomes;
        if outcomes.iter().all(|outcome| *outcome == Produced::Delivered) {
            return Verdict::Accepted;
        }
        let is_set = |index: usize| matches!(outcomes.get(index), Some(Produced::SetRefused(_)));
        let verdict = |(index, outcome): (usize, &Produced)| match outcome {
            Produced::Delivered => Verdict::Accepted,
            Produced::Unsettled(why) => Verdict::Later(None, why.clone()),
            Produced::Forbidden(why) | Produced::TopicRefused(why) => Verdict::Blocked(why.clone()),
            Produced::Refused(why) => Verdict::Never(why.clone()),
            // Halving finds the one at fault. A single one is sent again, alone: who travelled
            // with it came from another batch.
            Produced::SetRefused(why) if is_set(index + 1) || index > 0 && is_set(index - 1) => {
                Verdict::Smaller(why.clone())
            }
            Produced::SetRefused(why) => Verdict::Later(Some(Duration::ZERO), why.clone()),
        };
        let mut each: Vec<_> = outcomes.iter().enumerate().map(verdict).collect();
        if each.len() == 1 { each.remove(0) } else { Verdict::Each(each) }
    }

    fn shown(request: &KafkaRequest, connection: &KafkaConnection) -> Shown {
        let mut body = Vec::new();
        for record in request.records() {
            if !body.is_empty() {
                body.push(b'\n');
            }
            body.extend_from_slice(record.payload);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let first = request.records().next().expect("a batch is never empty");
        let headers = [
            ("topic", first.topic.to_owned()),
            ("key", first.key.map_or_else(|| "none".to_owned(), text)),
            ("header event_id", first.id.to_string()),
            ("header stream", request.stream().name().to_owned()),
            ("header content-type", first.content.media_type().to_owned()),
            ("compression", connection.compression.name().to_owned()),
        ];
        Shown {
            method: "PRODUCE".to_owned(),
            address: connection.brokers.join(","),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            body: Bytes::from(body),
        }
    }

    fn tls(connection: &KafkaConnection) -> Option<&Tls> {
        connection.tls.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::batch;

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        for (key, payload) in
            [("", ""), ("a b", " {} "), ("12 34 ", "json 3 x"), ("\0\n", "\u{202e}")]
        {
            let mut bytes = Vec::new();
            KafkaRecord::write("t", Content::Text, key.as_bytes(), payload.as_bytes(), &mut bytes);
            let record = KafkaRecord::read(EventId(1), &bytes).expect("a record");
            assert_eq!(record.key.unwrap_or_default(), key.as_bytes());
            assert_eq!((record.topic, record.content), ("t", Content::Text));
            assert_eq!(record.payload, payload.as_bytes());
        }
        assert_eq!(KafkaRecord::read(EventId(1), batch(1, 3).record(0).bytes), None);
    }

    #[test]
    fn a_refused_set_is_halved_and_one_of_strangers_is_sent_alone() {
        let words = |outcomes: &[Produced]| match Kafka::verdict(&KafkaReply {
            outcomes: outcomes.to_vec(),
        }) {
            Verdict::Each(each) => {
                each.iter().map(|verdict| format!("{verdict:?}")).collect::<Vec<_>>().join(" ")
            }
            verdict => format!("{verdict:?}"),
        };
        let why = || "w".to_owned();
        let set = || Produced::SetRefused(why());
        let fine = || Produced::Delivered;
        assert_eq!(words(&[fine(), fine()]), "Accepted");
        assert_eq!(words(&[set(), set(), fine()]), "Smaller(\"w\") Smaller(\"w\") Accepted");
        assert_eq!(words(&[fine(), set()]), "Accepted Later(Some(0ns), \"w\")");
        assert_eq!(words(&[set()]), "Later(Some(0ns), \"w\")");
        assert_eq!(words(&[Produced::Refused(why())]), "Never(\"w\")");
        assert_eq!(
            words(&[
                Produced::Forbidden(why()),
                Produced::Unsettled(why()),
                Produced::TopicRefused(why())
            ]),
            "Blocked(\"w\") Later(None, \"w\") Blocked(\"w\")"
        );
    }
}
