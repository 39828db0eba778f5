//! A destination stays away until the room is used up: logs are given up, counted to the last
//! one, and alerts are not.

use std::collections::HashSet;

use sidearm_sinks::contract::Stream;

use crate::{
    script::{Act, Script, ScriptedWires},
    world::{House, books, eventually},
};

const ROUNDS: usize = 20;
const ALERTS_A_ROUND: usize = 50;

#[tokio::test(start_paused = true)]
async fn four_mebibytes_of_ordinary_logs() {
    logs_are_shed_exactly_counted_and_alerts_all_arrive("4 MiB", 4_000, 0).await;
}

#[tokio::test(start_paused = true)]
async fn thirty_two_mebibytes_of_logs_that_do_not_compress() {
    logs_are_shed_exactly_counted_and_alerts_all_arrive("32 MiB", 450, 6_000).await;
}

async fn logs_are_shed_exactly_counted_and_alerts_all_arrive(
    logs_max: &str,
    logs_a_round: usize,
    more_bytes: usize,
) {
    let config = format!(
        r#"
        [journal]
        logs.max = "{logs_max}"
        sync = "never"

        [sinks.siem]
        streams = ["alert", "log"]
        splunk_hec.url = "https://splunk:8088"
        splunk_hec.token = "11111111-2222-3333-4444-555555555555"
        splunk_hec.ack = false
        "#
    );
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new(|_, _| Act::Down);
    let mut house = House::new(4);
    let wires = ScriptedWires::default().with("siem", &script);
    let engine = house.engine(folder.path(), &config, wires).await;
    house.subscribed(Stream::Alert).await;
    house.subscribed(Stream::Log).await;
    for _ in 0..ROUNDS {
        house.publish_larger(Stream::Log, logs_a_round, more_bytes).await;
        house.publish(Stream::Alert, ALERTS_A_ROUND).await;
    }
    let all = (ROUNDS * (logs_a_round + ALERTS_A_ROUND)) as u64;
    eventually("everything received", || {
        books(&engine.status().read(), "siem").ledger.received == all
    })
    .await;
    let status = engine.status().read();
    let shed = books(&status, "siem").streams["log"].counts.shed;
    assert!(shed > 0, "{logs_max} do not hold all");
    let kept = status.journal.streams[Stream::Log.index()];
    assert!(kept.bytes <= kept.max_bytes && kept.bytes > kept.max_bytes / 4 * 3, "{kept:?}");

    script.now(|_, _| Act::Accept);
    eventually("everything settled", || books(&engine.status().read(), "siem").ledger.pending == 0)
        .await;
    let view = books(&engine.shutdown().await, "siem");
    let taken: HashSet<u64> = script.taken().into_iter().collect();
    let arrived = |stream: Stream| {
        let numbers = house.published[stream.index()].iter();
        numbers.filter(|number| taken.contains(number)).count() as u64
    };
    assert_eq!(arrived(Stream::Alert), (ROUNDS * ALERTS_A_ROUND) as u64);
    assert_eq!(view.streams["alert"].counts.shed, 0);
    let logs = view.streams["log"].counts;
    assert_eq!(arrived(Stream::Log), logs.accepted);
    assert_eq!(logs.accepted + logs.shed, (ROUNDS * logs_a_round) as u64);
}
