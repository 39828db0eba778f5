//! What a bare client costs: rdkafka's producer in a loop, sending alerts that were written before.
//! Same client settings, key and headers as the sink's.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig, ClientContext,
    error::KafkaError,
    message::{DeliveryResult, Header, OwnedHeaders},
    producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer},
    types::RDKafkaErrorCode,
};
use sidearm::demo::scenario::Scenario;
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream, json};

use crate::{Failure, part::end_with_director};

/// Alerts written before the loop begins; it sends them over and over.
const DIFFERENT: usize = 10_000;
const PATIENCE: Duration = Duration::from_secs(120);

/// Counts deliveries.
struct Deliveries(AtomicU64);

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

/// `BROKERS TOPIC EVENTS`: says "begins", sends, and says how many were delivered.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    let [brokers, topic, events] = words else {
        return Err("expected BROKERS, TOPIC, EVENTS".into());
    };
    let events: usize = events.parse()?;
    let alerts = alerts()?;
    let producer: ThreadedProducer<Deliveries> = ClientConfig::new()
        .set("bootstrap.servers", *brokers)
        .set("enable.idempotence", "true")
        .set("compression.codec", "lz4")
        .set("queue.buffering.max.ms", "5")
        .create_with_context(Deliveries(AtomicU64::new(0)))?;
    println!("begins");
    for number in 0..events {
        let (id, body) = &alerts[number % alerts.len()];
        loop {
            let headers = OwnedHeaders::new_with_capacity(3)
                .insert(Header { key: "event_id", value: Some(id) })
                .insert(Header { key: "stream", value: Some("alert") })
                .insert(Header { key: "content-type", value: Some("application/json") });
            let record = BaseRecord::to(topic).key(id).payload(body).headers(headers);
            match producer.send(record) {
                Ok(()) => break,
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }
    let start = Instant::now();
    while producer.in_flight_count() > 0 && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    println!("{}", producer.context().0.load(Relaxed));
    // Until whoever directs this has read what it cost.
    end_with_director();
    loop {
        std::thread::park();
    }
}

/// The id and the JSON of each alert.
fn alerts() -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let mut story = Scenario::new(1, 0);
    let mut alert = || {
        let message = story.next_of(Stream::Alert, 1_790_000_000_000_000);
        let arrival = Arrival { stream: Stream::Alert, sequence: 0, received_us: 0 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none())?;
        let mut body = Vec::new();
        json::write(&event, &mut body);
        Ok((event.id().to_string(), body))
    };
    (0..DIFFERENT).map(|_| alert()).collect()
}
