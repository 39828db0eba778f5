//! What the client library counts of itself, for `/metrics`.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer};

use crate::wire::Figure;

/// What is read of librdkafka's statistics (its STATISTICS.md).
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct Statistics {
    msg_cnt: u64,
    msg_size: u64,
    txmsgs: u64,
    tx_bytes: u64,
    #[serde(deserialize_with = "all_brokers")]
    brokers: Brokers,
}

/// All brokers together.
#[derive(Debug, Clone, Copy, Default)]
struct Brokers {
    up: u64,
    repeated: u64,
    failed: u64,
    timed_out: u64,
    /// The slowest broker's 99th percentile, in microseconds.
    round_trip_us: u64,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Broker {
    nodeid: i64,
    state: String,
    txerrs: u64,
    txretries: u64,
    req_timeouts: u64,
    rtt: RoundTrip,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RoundTrip {
    p99: u64,
}

fn all_brokers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Brokers, D::Error> {
    let brokers = HashMap::<String, Broker>::deserialize(deserializer)?;
    let mut all = Brokers::default();
    for broker in brokers.into_values() {
        // The addresses to begin with have no number, and are brokers told again under theirs.
        all.up += u64::from(broker.state == "UP" && broker.nodeid >= 0);
        all.repeated += broker.txretries;
        all.failed += broker.txerrs;
        all.timed_out += broker.req_timeouts;
        all.round_trip_us = all.round_trip_us.max(broker.rtt.p99);
    }
    Ok(all)
}

/// The figures of a destination's producers together.
pub(super) fn of(producers: impl Iterator<Item = Statistics>) -> Vec<Figure> {
    let mut all = Statistics::default();
    for one in producers {
        all.msg_cnt += one.msg_cnt;
        all.msg_size += one.msg_size;
        all.txmsgs += one.txmsgs;
        all.tx_bytes += one.tx_bytes;
        all.brokers.up = all.brokers.up.max(one.brokers.up);
        all.brokers.repeated += one.brokers.repeated;
        all.brokers.failed += one.brokers.failed;
        all.brokers.timed_out += one.brokers.timed_out;
        all.brokers.round_trip_us = all.brokers.round_trip_us.max(one.brokers.round_trip_us);
    }
    let gauge = |name, help, value| Figure { name, help, is_counter: false, value };
    let since = |name, help, value: u64| gauge(name, help, value as f64);
    vec![
        since(
            "sidearm_kafka_brokers_up",
            "Brokers that a producer is connected to",
            all.brokers.up,
        ),
        since("sidearm_kafka_queue_records", "Records a producer holds", all.msg_cnt),
        since("sidearm_kafka_queue_bytes", "Bytes of the records a producer holds", all.msg_size),
        gauge(
            "sidearm_kafka_round_trip_seconds",
            "99th percentile of the slowest broker's answers, of late",
            all.brokers.round_trip_us as f64 / 1e6,
        ),
        since("sidearm_kafka_session_records", "Records sent in this session", all.txmsgs),
        since("sidearm_kafka_session_bytes", "Bytes sent in this session", all.tx_bytes),
        since("sidearm_kafka_session_repeats", "Requests repeated in it", all.brokers.repeated),
        since("sidearm_kafka_session_errors", "Requests that failed in it", all.brokers.failed),
        since("sidearm_kafka_session_timeouts", "Requests without answer", all.brokers.timed_out),
    ]
}
