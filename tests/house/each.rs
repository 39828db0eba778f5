//! A destination that answers for each event, and never decides on one of them.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use sidearm::wire::{Attempt, Wire, WireError, Wires};
use sidearm_sinks::contract::{Http, HttpConnection, HttpReply, HttpRequest, Stream};

use crate::world::{House, books, eventually};

const CONFIG: &str = r#"
    [journal]
    alerts.max = "4 MiB"
    sync = "never"

    [sinks.search]
    format = "json"
    batch.events = 50
    elasticsearch.url = "https://search:9200"
"#;

/// More than twice what the journal keeps.
const ROUNDS: usize = 20;
const ALERTS_A_ROUND: usize = 100;
const MORE_BYTES: usize = 6_000;

/// A cluster that is always too busy for the first event it ever saw.
#[derive(Clone, Default)]
struct Bulk(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    first: Option<String>,
    taken: HashSet<String>,
}

impl Wires for Bulk {
    fn http(&self, _: &str, _: &HttpConnection) -> Result<Box<dyn Wire<Http>>, WireError> {
        Ok(Box::new(self.clone()))
    }
}

impl Bulk {
    fn answer(&self, body: &[u8]) -> Value {
        let mut seen = self.0.lock().unwrap();
        let mut item = |action: &str| {
            let action: Value = serde_json::from_str(action).unwrap();
            let id = action["create"]["_id"].as_str().unwrap().to_owned();
            if *seen.first.get_or_insert(id.clone()) == id {
                let error = json!({ "type": "es_rejected_execution_exception", "reason": "busy" });
                return json!({ "create": { "status": 429, "error": error } });
            }
            seen.taken.insert(id);
            json!({ "create": { "status": 201 } })
        };
        let lines = std::str::from_utf8(body).unwrap().lines();
        let items: Vec<Value> = lines.step_by(2).map(&mut item).collect();
        let errors = items.iter().any(|item| item["create"]["status"] == 429);
        json!({ "errors": errors, "items": items })
    }
}

impl Wire<Http> for Bulk {
    fn call(&self, request: HttpRequest) -> Attempt<'_, Http> {
        let body = Bytes::from(self.answer(&request.body).to_string());
        let reply = HttpReply { status: 200, headers: HeaderMap::new(), retry_after: None, body };
        Box::pin(async { Ok(reply) })
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_it_never_decides_on_is_shed_once_the_journal_gave_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, wires) = (House::new(1), Bulk::default());
    let engine = house.engine(folder.path(), CONFIG, wires.clone()).await;
    house.subscribed(Stream::Alert).await;
    let mut received = 0;
    for _ in 0..ROUNDS {
        house.publish_larger(Stream::Alert, ALERTS_A_ROUND, MORE_BYTES).await;
        received += ALERTS_A_ROUND as u64;
        eventually("all others taken", || {
            wires.0.lock().unwrap().taken.len() as u64 == received - 1
        })
        .await;
    }
    eventually("it is given up", || books(&engine.status().read(), "search").ledger.pending == 0)
        .await;
    let counts = books(&engine.shutdown().await, "search").ledger.counts;
    assert_eq!((counts.shed, counts.accepted), (1, received - 1));
    assert_eq!(wires.0.lock().unwrap().taken.len() as u64, counts.accepted);
}
