//! Storms: one seed draws outages, lost replies, poison, throttling, relay ends and crashes; what
//! must hold afterwards is checked from outside.
//!
//! `SEED=n` repeats one; `SEEDS=n` runs as many from 0 on.

use std::{
    collections::HashSet,
    path::Path,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sidearm::engine::Engine;
use sidearm_sinks::contract::Stream;
use tokio::time::sleep;

use crate::{
    script::{Act, Script, ScriptedWires},
    world::{House, books, eventually},
};

/// Storms in an ordinary run.
const SEEDS: u64 = 200;
/// Times the weather changes in one storm.
const ROUNDS: usize = 6;

const SINKS: &str = r#"
    [journal]
    sync = "never"

    [sinks.siem]
    streams = ["alert", "log"]
    batch.events = 40
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false

    [sinks.straight]
    batch.events = 30
    batch.in_flight = 1
    splunk_hec.url = "https://straight:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

#[test]
fn nothing_in_the_journal_is_lost_whatever_the_weather() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse().unwrap());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let next = AtomicU64::new(seeds.start);
    let run = || {
        loop {
            let seed = next.fetch_add(1, Relaxed);
            if seed >= seeds.end {
                break;
            }
            // The seed of a storm that fails stands above its panic.
            println!("storm: SEED={seed}");
            runtime().block_on(storm(seed));
        }
    };
    // Each storm has a runtime and a clock of its own, so two may rage at once.
    std::thread::scope(|scope| (0..2).for_each(|_| drop(scope.spawn(run))));
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

async fn storm(seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let folder = tempfile::tempdir().unwrap();
    let (siem, straight) = (Script::willing(), Script::willing());
    let wires = ScriptedWires::default().with("siem", &siem).with("straight", &straight);
    let mut house = House::new(seed);
    let mut engine = start(&house, folder.path(), &wires).await;
    let (mut crashes, mut lossy) = (0, false);
    for _ in 0..ROUNDS {
        for script in [&siem, &straight] {
            lossy |= weather(script, &mut dice);
        }
        house.publish(Stream::Alert, dice.random_range(0..120)).await;
        house.publish(Stream::Log, dice.random_range(0..200)).await;
        sleep(Duration::from_millis(dice.random_range(0..5_000))).await;
        match dice.random_range(0..6) {
            0 => house.relay.cut_lines(),
            1 => house.relay.end_streams(tonic::Status::ok("")),
            2 | 3 => {
                crashes += 1;
                drop(engine);
                engine = start(&house, folder.path(), &wires).await;
            }
            _ => {}
        }
    }
    siem.now(|_, _| Act::Accept);
    straight.now(|_, _| Act::Accept);
    eventually("everything settled", || {
        let status = engine.status().read();
        ["siem", "straight"].iter().all(|sink| books(&status, sink).ledger.pending == 0)
    })
    .await;
    let status = engine.shutdown().await;

    for (sink, script) in [("siem", &siem), ("straight", &straight)] {
        let ledger = books(&status, sink).ledger;
        let taken = script.taken();
        let once: HashSet<u64> = taken.iter().copied().collect();
        assert_eq!(
            once.len() + script.gaps(),
            ledger.received as usize,
            "{sink}: each record of the journal arrived"
        );
        assert_eq!((ledger.counts.dead, ledger.counts.shed), (0, 0), "{sink}");
        assert!(script.ids_are_stable(), "{sink}: an event has one id");
        if crashes == 0 && !lossy {
            assert_eq!(taken.len(), once.len(), "{sink}: no duplicate without a reason");
        }
    }
    assert_in_order(&straight.taken());
    let alerts: HashSet<u64> = straight.taken().into_iter().collect();
    let all: HashSet<u64> = siem.taken().into_iter().collect();
    assert!(alerts.is_subset(&all), "lanes read the same journal");
}

/// A single batch at a time keeps an event's first arrival in the journal's order.
fn assert_in_order(taken: &[u64]) {
    let mut seen = HashSet::new();
    let firsts: Vec<u64> = taken.iter().copied().filter(|number| seen.insert(*number)).collect();
    assert!(firsts.is_sorted(), "first arrivals are in order");
}

/// Draws how a destination behaves for a while. Answers whether replies may be lost.
fn weather(script: &Script, dice: &mut StdRng) -> bool {
    let mut inner = StdRng::seed_from_u64(dice.random());
    match dice.random_range(0..6) {
        0 => script.now(|_, _| Act::Down),
        1 => script.now(move |_, _| match inner.random_range(0..3) {
            0 => Act::Refuse(503, r#"{"text":"Server is busy","code":9}"#),
            1 => Act::Throttle(inner.random_range(1..10)),
            _ => Act::Accept,
        }),
        2 => script.now(move |_, _| Act::Slow(Duration::from_millis(inner.random_range(1..3_000)))),
        3 => {
            script.now(
                move |_, _| {
                    if inner.random_bool(0.3) { Act::LoseReply } else { Act::Accept }
                },
            );
            return true;
        }
        4 => script.now(
            |_, events| {
                if events.len() > 9 { Act::Refuse(413, "too large") } else { Act::Accept }
            },
        ),
        _ => script.now(|_, _| Act::Accept),
    }
    false
}

async fn start(house: &House, folder: &Path, wires: &ScriptedWires) -> Engine {
    // What a crash leaves behind lets go of the journal's lock a moment later.
    sleep(Duration::from_millis(10)).await;
    let engine = house.engine(folder, SINKS, wires.clone()).await;
    house.subscribed(Stream::Alert).await;
    house.subscribed(Stream::Log).await;
    engine
}
