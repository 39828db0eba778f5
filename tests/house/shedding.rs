//! A destination stays away until the room is used up: logs are given up, counted to the last
//! one, and alerts are not.

use std::collections::HashSet;

use sidearm_sinks::contract::Stream;

use crate::{
    script::{Act, Script, ScriptedWires},
    world::{House, books, eventually},
};

const SMALL: &str = r#"
    [journal]
    logs.max = "4 MiB"
    sync = "never"

    [sinks.siem]
    streams = ["alert", "log"]
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

#[tokio::test(start_paused = true)]
async fn logs_are_shed_for_room_exactly_counted_and_alerts_all_arrive() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new(|_, _| Act::Down);
    let mut house = House::new(4);
    let wires = ScriptedWires::default().with("siem", &script);
    let engine = house.engine(folder.path(), SMALL, wires).await;
    house.subscribed(Stream::Alert).await;
    house.subscribed(Stream::Log).await;
    for _ in 0..20 {
        house.publish(Stream::Log, 4_000).await;
        house.publish(Stream::Alert, 50).await;
    }
    eventually("everything received", || {
        books(&engine.status().read(), "siem").ledger.received == 20 * 4_050
    })
    .await;
    let shed = books(&engine.status().read(), "siem").streams["log"].counts.shed;
    assert!(shed > 0, "4 MiB do not hold 80,000 logs");

    script.now(|_, _| Act::Accept);
    eventually("everything settled", || books(&engine.status().read(), "siem").ledger.pending == 0)
        .await;
    let view = books(&engine.shutdown().await, "siem");
    let taken: HashSet<u64> = script.taken().into_iter().collect();
    let arrived = |stream: Stream| {
        house.published[stream.index()].iter().filter(|number| taken.contains(number)).count()
    };
    assert_eq!(arrived(Stream::Alert), 1_000);
    assert_eq!(view.streams["alert"].counts.shed, 0);
    let logs = view.streams["log"].counts;
    assert_eq!(arrived(Stream::Log) as u64, logs.accepted);
    assert_eq!(logs.accepted + logs.shed, 80_000);
}
