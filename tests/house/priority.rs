//! Alerts are not delayed for the sake of logs.

use std::time::Duration;

use sidearm_sinks::contract::Stream;

use crate::{
    script::{Act, Script, ScriptedWires},
    world::{House, books, eventually},
};

const BOTH: &str = r#"
    [sinks.siem]
    streams = ["alert", "log"]
    batch.events = 50
    batch.in_flight = 2
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

#[tokio::test(start_paused = true)]
async fn an_alert_goes_before_a_backlog_of_logs() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new(|_, _| Act::Down);
    let mut house = House::new(21);
    let wires = ScriptedWires::default().with("siem", &script);
    let engine = house.engine(folder.path(), BOTH, wires).await;
    house.subscribed(Stream::Alert).await;
    house.subscribed(Stream::Log).await;
    house.publish(Stream::Log, 5_000).await;
    house.publish(Stream::Alert, 50).await;
    // Each answer takes its time, so that the order in which batches go is the order of need.
    script.now(|_, _| Act::Slow(Duration::from_secs(1)));
    let alerts = house.published[Stream::Alert.index()].clone();
    eventually("every alert", || {
        let taken = script.taken();
        alerts.iter().all(|alert| taken.contains(alert))
    })
    .await;
    let logs = script.taken().len() - alerts.len();
    assert!(logs <= 150, "{logs} logs went before the alerts, of 5,000");
    eventually("the backlog", || books(&engine.status().read(), "siem").ledger.pending == 0).await;
}
