//! The destinations that people read, as they are: a flood is few messages in a chat, one alert
//! that opens and closes at a pager, and every event in the SIEM.

#[path = "../faults/doubles/pagerduty.rs"]
pub(crate) mod pagerduty;
#[path = "../faults/doubles/slack.rs"]
mod slack;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use sidearm::wire::{Wire, WireError, Wires};
use sidearm_sinks::contract::{Http, HttpConnection, Stream};
use tokio::time::sleep;

use crate::{
    desk::Desk,
    digest::alert,
    script::Script,
    world::{House, books},
};
use pagerduty::PagerDuty;

const CONFIG: &str = r#"
    [sinks.chat]
    slack.url = "https://hooks.slack.com/services/T0/B0/x"

    [sinks.pager]
    pagerduty.routing_key = "R0UT1NGKEY0000000000000000000042"

    [sinks.siem]
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

#[derive(Clone)]
struct Town {
    chat: Desk,
    pager: Desk,
    /// Who sits at the pager's desk.
    vendor: Arc<Mutex<PagerDuty>>,
    siem: Script,
}

impl Town {
    fn new() -> Self {
        let vendor = PagerDuty::new("R0UT1NGKEY0000000000000000000042");
        let vendor = Arc::new(Mutex::new(vendor));
        let clerk = vendor.clone();
        let pager = Desk::new(move |request| clerk.lock().unwrap().answer(request));
        Self { chat: Desk::new(slack::answer), pager, vendor, siem: Script::willing() }
    }
}

impl Wires for Town {
    fn http(&self, sink: &str, _: &HttpConnection) -> Result<Box<dyn Wire<Http>>, WireError> {
        Ok(match sink {
            "chat" => Box::new(self.chat.clone()),
            "pager" => Box::new(self.pager.clone()),
            _ => Box::new(self.siem.clone()),
        })
    }
}

/// How many events a card of Slack's says it stands for.
fn counted(card: &Value) -> u64 {
    let blocks = card["attachments"][0]["blocks"].as_array().unwrap().iter();
    let fields = blocks.filter_map(|block| block["fields"].as_array()).flatten();
    let mut counts = fields.filter_map(|field| field["text"].as_str()?.strip_prefix("*Events*\n"));
    counts.next().map_or(1, |count| count.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_alerts_are_two_cards_and_an_alert_that_opens_and_closes() {
    let folder = tempfile::tempdir().unwrap();
    let (mut house, town) = (House::new(31), Town::new());
    let engine = house.engine(folder.path(), CONFIG, town.clone()).await;
    house.subscribed(Stream::Alert).await;
    for _ in 0..20 {
        house.publish_alike(&alert("web", 5, "Block"), 50).await;
        sleep(Duration::from_secs(3)).await;
    }
    sleep(Duration::from_secs(3600)).await;

    let counts: Vec<u64> = town.chat.bodies().iter().map(counted).collect();
    assert_eq!(counts, [1, 999]);
    let pages = town.pager.bodies();
    let actions: Vec<_> = pages.iter().map(|page| page["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "trigger", "resolve"]);
    assert!(pages.iter().all(|page| page["dedup_key"] == pages[0]["dedup_key"]), "one alert");
    let vendor = town.vendor.lock().unwrap();
    assert_eq!((vendor.taken.len(), vendor.open.len()), (2, 0), "opened, and closed by its key");
    drop(vendor);
    assert_eq!(town.siem.taken(), house.published[Stream::Alert.index()], "every event");
    for (sink, accepted) in [("chat", 1), ("pager", 1), ("siem", 1_000)] {
        let counts = books(&engine.status().read(), sink).ledger.counts;
        assert_eq!((counts.accepted, counts.digested), (accepted, 1_000 - accepted), "{sink}");
    }
}
