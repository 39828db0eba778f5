//! A destination that takes a batch and makes it safe later, or never.

use std::time::Duration;

use sidearm_sinks::contract::Stream;
use tokio::time::{Instant, sleep};

use crate::{
    script::{Script, ScriptedWires},
    world::{House, books, eventually},
};

/// One place to send from: a batch that is to be sent again must find it free.
const ACKNOWLEDGED: &str = r#"
    [shutdown]
    wait = "1s"

    [sinks.siem]
    batch.events = 20
    batch.in_flight = 1
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = true
"#;

fn yes() -> (u16, &'static str) {
    (200, r#"{"acks":{"7":true}}"#)
}

fn not_yet() -> (u16, &'static str) {
    (200, r#"{"acks":{"7":false}}"#)
}

fn not_here() -> (u16, &'static str) {
    (404, "not found")
}

#[tokio::test(start_paused = true)]
async fn nothing_counts_before_it_is_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::acknowledging(not_yet);
    let mut house = House::new(11);
    let wires = ScriptedWires::default().with("siem", &script);
    let engine = house.engine(folder.path(), ACKNOWLEDGED, wires).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 100).await;
    eventually("all taken", || script.taken().len() == 100).await;
    assert_eq!(books(&engine.status().read(), "siem").ledger.pending, 100);
    script.acknowledge(yes);
    eventually("all safe", || books(&engine.status().read(), "siem").ledger.pending == 0).await;
    assert_eq!(script.taken().len(), 100, "nothing was sent twice");
}

#[tokio::test(start_paused = true)]
async fn what_is_never_acknowledged_is_sent_again_on_a_quiet_system_too() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::acknowledging(not_yet);
    let mut house = House::new(12);
    let wires = ScriptedWires::default().with("siem", &script);
    let engine = house.engine(folder.path(), ACKNOWLEDGED, wires).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 10).await;
    eventually("sent again", || script.taken().len() >= 20).await;
    script.acknowledge(yes);
    eventually("all safe", || books(&engine.status().read(), "siem").ledger.pending == 0).await;
    assert!(script.ids_are_stable());
}

#[tokio::test(start_paused = true)]
async fn a_destination_without_the_promised_acknowledgements_parks_its_lane() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::acknowledging(not_here);
    let mut house = House::new(13);
    let wires = ScriptedWires::default().with("siem", &script);
    let engine = house.engine(folder.path(), ACKNOWLEDGED, wires).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 10).await;
    sleep(Duration::from_secs(600)).await;
    let view = books(&engine.status().read(), "siem");
    assert_eq!((view.state.name(), view.ledger.pending), ("parked", 10));
    assert!(script.requests() < 20, "no endless copies: {} requests", script.requests());
}

#[tokio::test(start_paused = true)]
async fn a_question_counts_as_a_request_against_the_rate() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::acknowledging(not_yet);
    let mut house = House::new(15);
    let wires = ScriptedWires::default().with("siem", &script);
    let config = ACKNOWLEDGED.replace("batch.events", "rate_per_second = 0.5\nbatch.events");
    let engine = house.engine(folder.path(), &config, wires).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 100).await;
    eventually("all taken", || script.taken().len() >= 100).await;
    let requests =
        || books(&engine.status().read(), "siem").requests.values().copied().sum::<u64>();
    let before = requests();
    sleep(Duration::from_secs(100)).await;
    let made = requests() - before;
    assert!((1..=51).contains(&made), "{made} requests in 100 s at one in two seconds");
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_waiting_holds_up_no_shutdown() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::willing();
    let mut house = House::new(14);
    let wires = ScriptedWires::default().with("siem", &script);
    let lingering = ACKNOWLEDGED.replace("batch.in_flight = 1", "batch.wait = \"10m\"");
    let config = lingering.replace("ack = true", "ack = false");
    let engine = house.engine(folder.path(), &config, wires).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 3).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(script.taken().len(), 0, "the batch waits for more");
    let told = Instant::now();
    let status = engine.shutdown().await;
    assert!(told.elapsed() < Duration::from_secs(5));
    assert_eq!(books(&status, "siem").ledger.counts.accepted, 3, "what was there was delivered");
}
