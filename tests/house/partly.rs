//! A destination that refuses some of what was sent as one and does not say which.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::HeaderMap;
use sidearm::wire::{Attempt, Wire, WireError, Wires};
use sidearm_sinks::contract::{Http, HttpConnection, HttpReply, HttpRequest, Stream};
use tracing::{Event, Subscriber};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt as _},
    util::SubscriberInitExt as _,
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

/// How often dead letters were told of: once for each write.
#[derive(Clone, Default)]
struct Told(Arc<AtomicU64>);

impl<S: Subscriber> Layer<S> for Told {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "sidearm::dead_letters" {
            self.0.fetch_add(1, Relaxed);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_dead_all_are_written_down_and_none_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let told = Told::default();
    let _listening = tracing_subscriber::registry().with(told.clone()).set_default();
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
    assert_eq!(told.0.load(Relaxed), requests, "those of an answer are written in one go");
    assert_eq!(ledger.counts.dead, 3 * requests);
    assert_eq!(ledger.counts.accepted, ledger.received - 3 * requests);
    let dead = fs::read_to_string(folder.path().join("dead/traces.ndjson")).unwrap();
    assert_eq!(dead.lines().count() as u64, ledger.received);
    assert!(dead.lines().all(|line| line.contains("does not say which: no body")), "{dead}");
}
