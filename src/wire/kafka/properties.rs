//! The client library's properties, from a connection.

use rdkafka::ClientConfig;
use sidearm_sinks::contract::{Acks, KafkaConnection, Mechanism, Sasl};

use super::session::Sets;

/// How often it tells its statistics.
const STATISTICS_EVERY_MS: &str = "5000";
/// Bytes in its queue at most, beyond which handing over waits.
const QUEUE_KIB: &str = "65536";

/// The properties of a producer.
pub(super) fn of(connection: &KafkaConnection, sets: Sets) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", connection.brokers.join(","))
        .set("client.id", &connection.client_id)
        .set("client.software.name", "sidearm")
        .set("client.software.version", env!("CARGO_PKG_VERSION"))
        .set("compression.codec", connection.compression.name())
        .set("message.timeout.ms", connection.timeout.as_millis().to_string())
        .set("message.max.bytes", connection.max_message_bytes.to_string())
        .set("queue.buffering.max.ms", connection.linger.as_millis().to_string())
        .set("queue.buffering.max.kbytes", QUEUE_KIB)
        .set("statistics.interval.ms", STATISTICS_EVERY_MS)
        .set("socket.keepalive.enable", "true")
        // A topic that was missing or forbidden is looked for again as often.
        .set("topic.metadata.refresh.interval.ms", "30000")
        // A broker that comes back is wanted soon.
        .set("reconnect.backoff.max.ms", "2000");
    match connection.acks {
        Acks::All => config.set("enable.idempotence", "true").set("acks", "all"),
        Acks::Leader => config.set("enable.idempotence", "false").set("acks", "1"),
    };
    security(connection, &mut config);
    for (name, value) in &connection.properties {
        config.set(name, value);
    }
    if sets == Sets::OfOne {
        config.set("batch.num.messages", "1").set("queue.buffering.max.ms", "0");
    }
    config
}

fn security(connection: &KafkaConnection, config: &mut ClientConfig) {
    config.set(
        "security.protocol",
        match (&connection.tls, &connection.sasl) {
            (None, None) => "plaintext",
            (Some(_), None) => "ssl",
            (None, Some(_)) => "sasl_plaintext",
            (Some(_), Some(_)) => "sasl_ssl",
        },
    );
    if let Some(tls) = &connection.tls {
        let files = [
            ("ssl.ca.location", &tls.ca),
            ("ssl.certificate.location", &tls.cert),
            ("ssl.key.location", &tls.key),
        ];
        for (name, path) in files {
            if let Some(path) = path {
                config.set(name, path.display().to_string());
            }
        }
        if tls.insecure {
            config.set("enable.ssl.certificate.verification", "false");
        }
    }
    match &connection.sasl {
        None => {}
        Some(Sasl::Password { mechanism, username, password }) => {
            let mechanism = match mechanism {
                Mechanism::Plain => "PLAIN",
                Mechanism::ScramSha256 => "SCRAM-SHA-256",
                Mechanism::ScramSha512 => "SCRAM-SHA-512",
            };
            config
                .set("sasl.mechanism", mechanism)
                .set("sasl.username", username)
                .set("sasl.password", password.reveal());
        }
        Some(Sasl::Bearer { .. } | Sasl::Entra(_)) => {
            config.set("sasl.mechanism", "OAUTHBEARER");
        }
    }
}
