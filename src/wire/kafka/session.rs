//! One producer, from its opening to its end.
//!
//! A session ends by what concerns every record: brokers that refuse us, none that was ever
//! reached, a fatal error of the producer. What it still holds is then purged and reported.

use std::{
    fmt, fs,
    sync::Arc,
    time::{Duration, Instant},
};

use rdkafka::{
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, PurgeConfig, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use sidearm_sinks::contract::{KafkaConnection, KafkaRecord, Produced, Stream, Tls};
use tokio::{runtime::Handle, task::spawn_blocking};

use super::{
    context::{Context, Shared},
    figures::Statistics,
    properties,
    reports::{Call, Place, Report},
};
use crate::wire::{WireError, tls::Stamp};

/// How long the reports of what was purged may take to come by.
const PURGE_WITHIN: Duration = Duration::from_secs(2);

/// Whether records travel together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sets {
    /// In sets, whatever attempt they come from.
    Shared,
    /// Each alone.
    OfOne,
}

/// Why a session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The brokers refuse who we are.
    Refused(String),
    /// No broker was ever reached.
    Unreachable(String),
    /// The producer itself cannot go on.
    Fatal(String),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Refused(why) | Self::Unreachable(why) | Self::Fatal(why)) = self;
        f.write_str(why)
    }
}

/// One producer. Dropping it closes it, on a thread that may block.
pub(super) struct Session {
    /// Taken away only as it is dropped.
    producer: Option<ThreadedProducer<Context>>,
    shared: Arc<Shared>,
    sets: Sets,
    timeout: Duration,
    files: Stamp,
    opened: Instant,
}

impl Session {
    /// Opens a producer; blocks while certificate files are read.
    pub(super) fn open(
        sink: &Arc<str>,
        connection: &KafkaConnection,
        sets: Sets,
    ) -> Result<Self, WireError> {
        let files = stamp(connection);
        readable(connection).map_err(WireError::Unusable)?;
        let shared = Arc::new(Shared::new(sink.clone(), connection));
        let config = properties::of(connection, sets);
        let producer = config.create_with_context(Context::new(shared.clone()));
        let producer = producer.map_err(|error| {
            WireError::Unusable(shared.hide(&format!("opening a Kafka producer: {error}")))
        })?;
        let timeout = connection.timeout;
        let producer = Some(producer);
        Ok(Self { producer, shared, sets, timeout, files, opened: Instant::now() })
    }

    /// Whether its certificate files are as it read them.
    pub(super) fn is_current(&self, connection: &KafkaConnection) -> bool {
        self.files == stamp(connection)
    }

    /// Whether it is another one than `other`, of the same files and not over.
    pub(super) fn is_newer(&self, other: &Self) -> bool {
        self.opened > other.opened && self.files == other.files && self.end().is_none()
    }

    /// Hands a record to the producer. Answers false where its queue is full; any other refusal
    /// is the record's report.
    pub(super) fn hand_over(
        &self,
        stream: Stream,
        record: &KafkaRecord<'_>,
        call: &Arc<Call>,
        index: usize,
    ) -> bool {
        let headers = OwnedHeaders::new_with_capacity(3)
            .insert(Header { key: "event_id", value: Some(&record.id.to_string()) })
            .insert(Header { key: "stream", value: Some(stream.name()) })
            .insert(Header { key: "content-type", value: Some(record.content.media_type()) });
        let place = Box::new(Place { call: call.clone(), index });
        let mut message = BaseRecord::with_opaque_to(record.topic, place)
            .payload(record.payload)
            .headers(headers);
        if let Some(key) = record.key {
            message = message.key(key);
        }
        match self.producer().send(message) {
            Ok(()) => {
                call.handed_over(index);
                true
            }
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => false,
            Err((KafkaError::MessageProduction(code), _)) => {
                call.report(index, Report::RefusedHere(code));
                true
            }
            Err((error, _)) => {
                tracing::debug!(%error, "a record could not be handed over");
                call.report(index, Report::RefusedHere(RDKafkaErrorCode::InvalidArgument));
                true
            }
        }
    }

    /// Why it is over, if it is.
    pub(super) fn end(&self) -> Option<End> {
        self.shared.end()
    }

    /// Waits until it is over.
    pub(super) async fn ended(&self) -> End {
        self.shared.ended().await
    }

    /// Has everything it still holds reported; blocks for a moment.
    pub(super) fn purge(&self) {
        let producer = self.producer();
        producer.purge(PurgeConfig::default().queue().inflight());
        if let Err(error) = producer.flush(PURGE_WITHIN) {
            tracing::debug!(%error, "a purged producer holds records still");
        }
    }

    /// The newest statistics of the producer.
    pub(super) fn statistics(&self) -> Statistics {
        self.shared.statistics()
    }

    /// Whether this record fell with the set that it travelled in.
    pub(super) fn is_refused_set(&self, report: &Report) -> bool {
        matches!(report, Report::Failed(code) if is_refusal(*code)) && self.sets == Sets::Shared
    }

    /// What a report means.
    pub(super) fn outcome(&self, report: &Report, ended: Option<&End>) -> Produced {
        use RDKafkaErrorCode as Code;
        let code = match *report {
            Report::Delivered => return Produced::Delivered,
            Report::NotSent | Report::Awaited => Code::PurgeQueue,
            Report::RefusedHere(code) if is_refusal(code) => {
                return Produced::Refused(refusal(code));
            }
            Report::RefusedHere(code) | Report::Failed(code) => code,
        };
        let because = || match (ended, self.shared.last_trouble()) {
            (Some(end), _) => format!(": {end}"),
            (None, Some(why)) => format!(": {why}"),
            (None, None) => String::new(),
        };
        match code {
            code if is_refusal(code) && self.sets == Sets::Shared => {
                Produced::SetRefused(refusal(code))
            }
            code if is_refusal(code) => Produced::Refused(refusal(code)),
            code if is_of_the_topic(code) => Produced::TopicRefused(code.to_string()),
            code if is_forbidden(code) => Produced::Forbidden(code.to_string()),
            Code::PurgeQueue | Code::PurgeInflight => match ended {
                Some(End::Refused(why)) => Produced::Forbidden(why.clone()),
                _ => Produced::Unsettled(format!("the producer was closed{}", because())),
            },
            Code::MessageTimedOut => Produced::Unsettled(format!(
                "no broker has confirmed it within {:?}{}",
                self.timeout,
                because()
            )),
            code => Produced::Unsettled(format!("{code}{}", because())),
        }
    }

    fn producer(&self) -> &ThreadedProducer<Context> {
        self.producer.as_ref().expect("it is taken away only as the session is dropped")
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("sets", &self.sets).finish_non_exhaustive()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(producer) = self.producer.take() else { return };
        match Handle::try_current() {
            Ok(_) => drop(spawn_blocking(move || drop(producer))),
            Err(_) => drop(producer),
        }
    }
}

fn stamp(connection: &KafkaConnection) -> Stamp {
    Stamp::of(connection.tls.as_ref().unwrap_or(&Tls::default()))
}

/// The client library does not name the file that it cannot read.
fn readable(connection: &KafkaConnection) -> Result<(), String> {
    let Some(tls) = &connection.tls else { return Ok(()) };
    for path in [&tls.ca, &tls.cert, &tls.key].into_iter().flatten() {
        let read = fs::read(path).map_err(|error| error.to_string());
        let pem = read.and_then(|bytes| match bytes.windows(5).any(|five| five == b"-----") {
            true => Ok(()),
            false => Err("expected PEM".to_owned()),
        });
        pem.map_err(|why| format!("reading {}: {why}", path.display()))?;
    }
    Ok(())
}

/// Whether a record, or one of its set, will never be taken as it is.
fn is_refusal(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::InvalidArgument
    )
}

fn refusal(code: RDKafkaErrorCode) -> String {
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::MessageBatchTooLarge => {
            format!("{code}: larger than `max_message_bytes`, or than the topic takes")
        }
        code => code.to_string(),
    }
}

/// Whether it is the topic, or our rights to it.
fn is_of_the_topic(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::UnknownTopic
            | Code::UnknownPartition
            | Code::UnknownTopicOrPartition
            | Code::InvalidTopic
            | Code::TopicAuthorizationFailed
    )
}

/// Whether it is our rights or what we ask for, so that nothing passes until somebody acts.
fn is_forbidden(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::Authentication
            | Code::SecurityDisabled
            | Code::PolicyViolation
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::UnsupportedCompressionType
            | Code::UnsupportedForMessageFormat
            | Code::InvalidRequiredAcks
    )
}
