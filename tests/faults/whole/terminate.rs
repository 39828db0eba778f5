//! Told to stop: what can be delivered is, the rest waits for the next start, nothing goes twice.

use std::fs;

use serde_json::Value;
use sidearm::demo::hec::Trouble;
use sidearm_sinks::contract::Stream;

use super::site::{SINKS, Site, ended, numbers, terminate};
use crate::patience::eventually;

const EVENTS: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_keeps_the_rest_and_the_next_start_goes_on_without_duplicates() {
    let mut site = Site::new(7).await;
    site.alerts.set_trouble(Some(Trouble::Down));
    let mut program = site.program("500ms");
    site.subscribed().await;
    site.publish(Stream::Alert, EVENTS);
    eventually("the healthy sink has all", async || numbers(&site.all).len() == EVENTS).await;
    terminate(&program);
    assert_eq!(ended(&mut program).await, Some(0));
    let told = ledgers(&site);
    assert_eq!(fates(&told, "all"), [EVENTS as u64, 0, 0, 0]);
    assert_eq!(fates(&told, "archive"), [EVENTS as u64, 0, 0, 0]);
    assert_eq!(fates(&told, "alerts"), [0, 0, 0, EVENTS as u64]);

    site.alerts.set_trouble(None);
    let mut program = site.program("30s");
    site.subscribed().await;
    site.publish(Stream::Alert, EVENTS);
    eventually("the newest arrive", async || {
        [&site.all, &site.alerts].iter().all(|hec| numbers(hec).len() >= 2 * EVENTS)
    })
    .await;
    terminate(&program);
    assert_eq!(ended(&mut program).await, Some(0));
    for hec in [&site.all, &site.alerts] {
        let mut once = numbers(hec);
        once.sort_unstable();
        assert_eq!(once, site.published[Stream::Alert.index()], "each arrived once");
    }
    let told = ledgers(&site);
    for sink in SINKS {
        let [accepted, dead, shed, pending] = fates(&told, sink);
        assert_eq!((dead, shed, pending), (0, 0, 0), "{sink}");
        // Beside the events the gap record of the time between the two runs.
        assert!(accepted > 2 * EVENTS as u64, "{sink}: {accepted}");
    }
}

/// The ledgers a program tells at its end, of all runs so far.
fn ledgers(site: &Site) -> Vec<Value> {
    let log = fs::read_to_string(site.log()).expect("a log");
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["accepted"].is_u64()).collect()
}

/// Accepted, dead, shed and pending events of a sink at the end of the newest run.
fn fates(ledgers: &[Value], sink: &str) -> [u64; 4] {
    let newest = ledgers.iter().rev().find(|ledger| ledger["sink"] == sink).expect("it is told");
    ["accepted", "dead", "shed", "pending"].map(|fate| newest[fate].as_u64().expect("a number"))
}
