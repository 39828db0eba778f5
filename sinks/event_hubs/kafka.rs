//! Event Hubs by its Kafka endpoint: no copies within a session, which its other ways cannot promise.
//!
//! What of Kafka it takes and what it closes connections for:
//! <https://learn.microsoft.com/azure/event-hubs/apache-kafka-configurations>.

use std::collections::BTreeMap;

use super::message;
use crate::contract::{
    Batch, Body, Content, Event, Kafka, KafkaConnection, KafkaRecord, KafkaRequest, Prefixed, Sink,
};

/// The properties that Event Hubs needs, in milliseconds: it closes what is idle for four minutes,
/// and takes its time.
const PROPERTIES: [(&str, &str); 3] = [
    ("metadata.max.age.ms", "180000"),
    ("connections.max.idle.ms", "180000"),
    ("request.timeout.ms", "60000"),
];

/// A hub as it is spoken to by Kafka.
#[derive(Debug)]
pub(super) struct ByKafka {
    pub(super) hub: String,
    pub(super) connection: KafkaConnection,
    pub(super) partition_key: Option<Prefixed>,
    pub(super) envelope: bool,
}

/// See [`PROPERTIES`].
pub(super) fn properties() -> BTreeMap<String, String> {
    PROPERTIES.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

impl Sink<Kafka> for ByKafka {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let key = message::key(self.partition_key.as_ref(), event);
        let mut payload = Vec::new();
        message::write_body(body, self.envelope, &mut payload);
        let content = Content::of(self.envelope || body.is_json());
        KafkaRecord::write(&self.hub, content, key.as_bytes(), &payload, record);
    }

    fn request(&self, batch: &Batch) -> KafkaRequest {
        KafkaRequest::new(batch)
    }

    fn connection(&self) -> KafkaConnection {
        self.connection.clone()
    }
}
