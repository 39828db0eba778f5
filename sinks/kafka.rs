//! Apache Kafka, and what speaks like it: an event is a record of a topic.
//!
//! Event text never decides the topic beyond what stands behind a literal beginning. Duplicates
//! within a session are the brokers' to refuse (idempotence); across sessions the header
//! `event_id` tells them, and the default key is the same id, so that a compacted topic keeps one.
//! Which settings there are stands in `kafka/settings.rs`, what an outcome means in the contract.

mod settings;

use std::{borrow::Cow, collections::BTreeMap, time::Duration};

use serde::Deserialize;

use crate::contract::{
    Acks, Batch, Body, Compression, Content, Destination, Entry, Event, Facts, Format, Kafka,
    KafkaConnection, KafkaRecord, KafkaReply, KafkaRequest, Limits, Protocol as _, Setting,
    SettingError, Sink, Span, Stream, Timeout, Tls, Verdict, read,
};
use settings::{Brokers, Key, MaxBytes, Property, SaslTable, Security, Topic};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `kafka` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KafkaSink {
    brokers: Brokers,
    topic: Option<Topic>,
    #[serde(default)]
    key: Key,
    #[serde(default = "ourselves")]
    client_id: String,
    #[serde(default)]
    compression: Compression,
    #[serde(default)]
    acks: Acks,
    #[serde(default)]
    security: Security,
    sasl: Option<SaslTable>,
    #[serde(default)]
    timeout: Timeout<120>,
    #[serde(default = "five_milliseconds")]
    linger: Span,
    #[serde(default)]
    max_message_bytes: MaxBytes,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    properties: BTreeMap<String, Property>,
}

fn ourselves() -> String {
    "sidearm".to_owned()
}

fn five_milliseconds() -> Span {
    Span(Duration::from_millis(5))
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: KafkaSink = read(table)?;
    settings::check(&sink)?;
    Ok(Destination::Kafka(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "kafka",
        summary: "Apache Kafka and what speaks like it: a record an event",
        format: Format::Json,
        native: false,
        limits: Limits {
            // What one call hands over; the client makes sets of its own out of it.
            events: 2_000,
            bytes: 4_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://kafka.apache.org/documentation/#brokerconfigs_message.max.bytes",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: false,
        example: "brokers = [\"kafka-0.kafka:9093\", \"kafka-1.kafka:9093\"]\n\
                  sasl.mechanism = \"scram-sha-512\"\nsasl.username = \"sidearm\"\n\
                  sasl.password = \"${env:KAFKA_PASSWORD}\"\n",
        sample_secrets: &[("KAFKA_PASSWORD", "correct horse battery staple")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "brokers", help: "brokers to begin with: a list of \"HOST:PORT\"" },
    Setting {
        key: "topic",
        help: "the topic; literal text, then fields: \"kubearmor-{{ NamespaceName }}\". Default: \
               \"kubearmor-alerts\", \"kubearmor-syslogs\" or \"kubearmor-messages\", by stream",
    },
    Setting {
        key: "key",
        help: "the record's key: \"event_id\"; \"pod\" (records of a pod stay in order, in one \
               partition); \"none\"; or text with fields: \"{{ NamespaceName }}/{{ PodName }}\". \
               Default: \"event_id\"",
    },
    Setting { key: "client_id", help: "what brokers know us by. Default: \"sidearm\"" },
    Setting {
        key: "compression",
        help: "\"none\", \"gzip\", \"snappy\", \"lz4\" or \"zstd\". Default: \"lz4\"",
    },
    Setting {
        key: "acks",
        help: "\"all\": every replica in sync has a record before it counts, and none is stored \
               twice within a session; \"leader\": the leader alone. Default: \"all\"",
    },
    Setting { key: "security", help: "\"tls\" or \"plaintext\". Default: \"tls\"" },
    Setting {
        key: "sasl.mechanism",
        help: "\"plain\", \"scram-sha-256\", \"scram-sha-512\" or \"oauthbearer\". Default: no \
               SASL",
    },
    Setting { key: "sasl.username", help: "the user; not with \"oauthbearer\"" },
    Setting { key: "sasl.password", help: "the password; not with \"oauthbearer\"" },
    Setting { key: "sasl.token_url", help: "\"oauthbearer\": where tokens are given" },
    Setting { key: "sasl.client_id", help: "\"oauthbearer\": the client's id" },
    Setting { key: "sasl.client_secret", help: "\"oauthbearer\": the client's secret" },
    Setting { key: "sasl.scope", help: "\"oauthbearer\": what is asked for. Default: nothing" },
    Setting {
        key: "sasl.token_ca",
        help: "\"oauthbearer\": a PEM file of the authorities that vouch for the token server",
    },
    Setting {
        key: "timeout",
        help: "how long a record may be under way, an outage included, before it is sent anew in \
               a session that cannot tell copies. Default: \"2m\"",
    },
    Setting { key: "linger", help: "how long to wait for more records of a set. Default: \"5ms\"" },
    Setting {
        key: "max_message_bytes",
        help: "the largest record, and the largest set, before compression; no more than the \
               brokers' own. Default: 1000000",
    },
    Setting {
        key: "properties",
        help: "a table of further properties of librdkafka, of those that change no promise: \
               \"socket.keepalive.enable\" = true",
    },
    Setting { key: "tls.ca", help: "a PEM file of the authorities to trust" },
    Setting { key: "tls.cert", help: "a PEM file of the client certificate" },
    Setting { key: "tls.key", help: "a PEM file of its key" },
    Setting { key: "tls.insecure", help: "whether to take any certificate. Default: false" },
];

impl Sink<Kafka> for KafkaSink {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let topic: Cow<'_, str> = match &self.topic {
            Some(topic) => topic.of(event).into(),
            None => default_topic(event.stream()).into(),
        };
        let key = self.key.of(event);
        KafkaRecord::write(&topic, Content::of(body.is_json()), key.as_bytes(), body.bytes, record);
    }

    fn request(&self, batch: &Batch) -> KafkaRequest {
        KafkaRequest::new(batch)
    }

    fn verdict(&self, _: &Batch, reply: &KafkaReply) -> Verdict<Kafka> {
        match &self.topic {
            Some(topic) if !topic.is_ours() => Kafka::verdict(&reply.with_topics_of_events()),
            _ => Kafka::verdict(reply),
        }
    }

    fn connection(&self) -> KafkaConnection {
        KafkaConnection {
            brokers: self.brokers.0.clone(),
            client_id: self.client_id.clone(),
            compression: self.compression,
            acks: self.acks,
            tls: (self.security == Security::Tls).then(|| self.tls.clone()),
            sasl: self.sasl.as_ref().and_then(|sasl| sasl.checked().ok()),
            timeout: self.timeout.0,
            linger: self.linger.0,
            max_message_bytes: self.max_message_bytes.0,
            properties: settings::texts(&self.properties),
        }
    }
}

/// What existing consumers of KubeArmor's events read.
fn default_topic(stream: Stream) -> &'static str {
    match stream {
        Stream::Alert => "kubearmor-alerts",
        Stream::Log => "kubearmor-syslogs",
        Stream::Message => "kubearmor-messages",
    }
}

#[cfg(test)]
mod tests;
