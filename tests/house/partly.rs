//! A destination that refuses some of what was sent as one and does not say which, or says it of
//! more than the one at fault.

use std::{
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::HeaderMap;
use sidearm::wire::{Attempt, Wire, WireError, Wires};
use sidearm_sinks::contract::{
    EventId, Http, HttpConnection, HttpReply, HttpRequest, Kafka, KafkaConnection, KafkaReply,
    KafkaRequest, Produced, Stream,
};

use crate::world::{House, books, eventually};

const CONFIG: &str = r#"
    [sinks.traces]
    batch.events = 100
    batch.wait = "1s"
    otlp.url = "https://collector:4318"
    otlp.protocol = "http"
"#;

/// Answers each request with a partial success: three records refused.
#[derive(Clone, Default)]
struct Picky(Arc<AtomicU64>);

impl Wires for Picky {
    fn http(&self, _: &str, _: &HttpConnection) -> Result<Box<dyn Wire<Http>>, WireError> {
        Ok(Box::new(self.clone()))
    }
}

impl Wire<Http> for Picky {
    fn call(&self, _: HttpRequest) -> Attempt<'_, Http> {
        self.0.fetch_add(1, Relaxed);
        // ExportLogsServiceResponse { partial_success { rejected_log_records: 3, "no body" } }
        let body = Bytes::from_static(b"\x0a\x0b\x08\x03\x12\x07no body");
        let reply = HttpReply { status: 200, headers: HeaderMap::new(), retry_after: None, body };
        Box::pin(async { Ok(reply) })
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_dead_all_are_written_down_and_none_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, wires) = (House::new(1), Picky::default());
    let engine = house.engine(folder.path(), CONFIG, wires.clone()).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 100).await;
    eventually("everything settled", || {
        let ledger = books(&engine.status().read(), "traces").ledger;
        ledger.received >= 100 && ledger.pending == 0
    })
    .await;
    let ledger = books(&engine.shutdown().await, "traces").ledger;
    let requests = wires.0.load(Relaxed);
    assert!(ledger.balances());
    assert_eq!(ledger.counts.dead, 3 * requests);
    assert_eq!(ledger.counts.accepted, ledger.received - 3 * requests);
    let dead = fs::read_to_string(folder.path().join("dead/traces.ndjson")).unwrap();
    assert_eq!(dead.lines().count() as u64, ledger.received);
    assert!(dead.lines().all(|line| line.contains("does not say which: no body")), "{dead}");
}

const BROKER: &str = r#"
    [sinks.topics]
    batch.events = 100
    batch.in_flight = 1
    kafka.brokers = ["kafka:9092"]
    kafka.topic = "kubearmor"
"#;
/// Records that the client sends in one set.
const SET: usize = 10;
/// What the broker refuses, and every set with it.
const POISON: &[u8] = b"\"ExecID\":\"42\"";

/// Takes sets of records whole or not at all; of a set of one it says why.
#[derive(Clone, Default)]
struct Broker {
    taken: Arc<Mutex<Vec<EventId>>>,
    largest_refused: Arc<Mutex<Vec<usize>>>,
}

impl Wires for Broker {
    fn kafka(&self, _: &str, _: &KafkaConnection) -> Result<Box<dyn Wire<Kafka>>, WireError> {
        Ok(Box::new(self.clone()))
    }
}

impl Wire<Kafka> for Broker {
    fn call(&self, request: KafkaRequest) -> Attempt<'_, Kafka> {
        let records: Vec<_> = request.records().collect();
        let is_poison = |payload: &[u8]| payload.windows(POISON.len()).any(|part| part == POISON);
        let mut outcomes = Vec::new();
        for set in records.chunks(SET) {
            let outcome = match set.iter().any(|record| is_poison(record.payload)) {
                false => Produced::Delivered,
                true if records.len() == 1 => Produced::Refused("no such record".to_owned()),
                true => Produced::SetRefused("the set is refused".to_owned()),
            };
            if outcome == Produced::Delivered {
                self.taken.lock().unwrap().extend(set.iter().map(|record| record.id));
            } else {
                self.largest_refused.lock().unwrap().push(set.len());
            }
            outcomes.extend(std::iter::repeat_n(outcome, set.len()));
        }
        Box::pin(async { Ok(KafkaReply { outcomes }) })
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_set_is_halved_to_the_one_at_fault_and_the_others_go_once() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, broker) = (House::new(2), Broker::default());
    let engine = house.engine(folder.path(), BROKER, broker.clone()).await;
    house.subscribed(Stream::Alert).await;
    house.publish_alike(&crate::digest::alert("web", 5, "Block"), 100).await;
    eventually("everything settled", || {
        let ledger = books(&engine.status().read(), "topics").ledger;
        ledger.received == 100 && ledger.pending == 0
    })
    .await;
    let counts = books(&engine.shutdown().await, "topics").ledger.counts;
    assert_eq!((counts.accepted, counts.dead), (99, 1));
    let mut taken = broker.taken.lock().unwrap().clone();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!((taken.len(), broker.taken.lock().unwrap().len()), (99, 99), "each once");
    let refused = broker.largest_refused.lock().unwrap().clone();
    assert!(refused.len() > 2 && refused.last() == Some(&1), "halved: {refused:?}");
    let dead = fs::read_to_string(folder.path().join("dead/topics.ndjson")).unwrap();
    assert_eq!(dead.lines().count(), 1);
    assert!(dead.contains("no such record") && dead.contains(r#"\"ExecID\":\"42\""#), "{dead}");
}
