//! The program is killed again and again while it is busy. Whatever it had received by then
//! reaches every sink that takes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::Value;
use sidearm::demo::hec::{Hec, Trouble};
use sidearm_sinks::contract::Stream;
use tokio::time::{Instant, sleep};

use super::{
    journalled::{self, Journalled},
    site::{Site, ended, terminate},
};
use crate::patience::eventually;

const KILLS: usize = 20;
/// How long after its start a program is killed at the latest.
const LIFE_MS: u64 = 900;
/// Alerts, and as many logs, published every `TICK`: 2,000 events a second.
const AT_A_TIME: usize = 10;
const TICK: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_received() {
    let seed = std::env::var("SEED").map_or(1, |seed| seed.parse().expect("a number"));
    println!("kill: SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut site = Site::new(seed).await;
    for _ in 0..KILLS {
        site.all.set_trouble(trouble(&mut dice));
        site.alerts.set_trouble(trouble(&mut dice));
        let mut program = site.program("30s");
        let life = Duration::from_millis(dice.random_range(0..LIFE_MS));
        load(&mut site, life).await;
        // On Unix this is SIGKILL.
        program.kill().expect("it runs");
        program.wait().expect("it is our own");
    }
    site.all.set_trouble(None);
    site.alerts.set_trouble(None);
    let mut program = site.program("30s");
    site.subscribed().await;
    load(&mut site, Duration::from_millis(200)).await;
    let last = *site.published[Stream::Alert.index()].last().expect("there was load");
    eventually("the newest alert arrives", async || {
        site.alerts.seen().iter().any(|seen| seen.number == Some(last))
    })
    .await;
    terminate(&program);
    assert_eq!(ended(&mut program).await, Some(0));
    check(&site).await;
}

/// Publishes for a while, whether somebody listens or not.
async fn load(site: &mut Site, time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        site.publish(Stream::Alert, AT_A_TIME);
        site.publish(Stream::Log, AT_A_TIME);
        sleep(TICK.min(until - Instant::now())).await;
    }
}

fn trouble(dice: &mut StdRng) -> Option<Trouble> {
    match dice.random_range(0..5) {
        0 => Some(Trouble::Slow(Duration::from_millis(dice.random_range(1..200)))),
        1 => Some(Trouble::LostReply),
        2 => Some(Trouble::Down),
        _ => None,
    }
}

async fn check(site: &Site) {
    let stream = |stream: Stream| {
        let published = &site.published[stream.index()];
        async move { journalled::read(&site.journal(), stream, published).await }
    };
    let (alerts, logs) = (stream(Stream::Alert).await, stream(Stream::Log).await);
    println!(
        "journalled {} of {} alerts and {} of {} logs, {} and {} gaps, untold {} and {}, lost {}",
        alerts.ids.len(),
        site.published[Stream::Alert.index()].len(),
        logs.ids.len(),
        site.published[Stream::Log.index()].len(),
        alerts.gaps.len(),
        logs.gaps.len(),
        alerts.untold,
        logs.untold,
        site.lost(),
    );
    assert!(
        alerts.gaps.len() > KILLS / 4 && logs.gaps.len() > KILLS / 4,
        "it was busy when killed"
    );
    assert!(alerts.untold + logs.untold <= site.lost(), "what was missed is told");
    arrived("all", &site.all, &[&alerts, &logs]);
    arrived("alerts", &site.alerts, &[&alerts]);
    archived(site, &[&alerts, &logs]);
    assert!(!site.journal().join("dead").exists(), "nothing was set aside");
    let log = fs::read_to_string(site.log()).expect("a log");
    let ledgers = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ledgers: Vec<Value> = ledgers.filter(|line| line["accepted"].is_u64()).collect();
    assert_eq!(ledgers.len(), 3, "one for each sink, at the only end in good order");
    for ledger in ledgers {
        let zero = ["dead", "shed", "pending", "filtered"].map(|fate| ledger[fate].as_u64());
        assert_eq!(zero, [Some(0); 4], "{ledger}");
    }
}

/// Everything journalled has arrived, under its one id, and nothing else has.
fn arrived(name: &str, hec: &Hec, journalled: &[&Journalled]) {
    let seen = hec.seen();
    let twice = seen.len();
    let mut numbers: BTreeMap<u64, String> = BTreeMap::new();
    let mut gaps = BTreeSet::new();
    for event in seen {
        match event.number {
            Some(number) => {
                let id = numbers.entry(number).or_insert_with(|| event.id.clone());
                assert_eq!(*id, event.id, "{name}: event {number} has one id");
            }
            None => drop(gaps.insert(event.id)),
        }
    }
    println!("{name}: {} events, {} sent again", numbers.len(), twice - numbers.len() - gaps.len());
    let expected: BTreeMap<u64, String> =
        journalled.iter().flat_map(|stream| stream.ids.clone()).collect();
    let missing: Vec<&u64> = expected.keys().filter(|key| !numbers.contains_key(key)).collect();
    assert!(missing.is_empty(), "{name} never got {missing:?}");
    assert_eq!(numbers, expected, "{name}");
    let told: BTreeSet<String> = journalled.iter().flat_map(|stream| stream.gaps.clone()).collect();
    assert_eq!(gaps, told, "{name}: every gap record arrives");
}

/// The file holds whole lines alone, and everything that was journalled.
fn archived(site: &Site, journalled: &[&Journalled]) {
    let text = fs::read_to_string(site.archive()).expect("UTF-8");
    assert!(text.ends_with('\n'));
    let mut numbers = BTreeSet::new();
    let mut gaps = 0;
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("an object a line");
        match event["ExecEvent"]["ExecID"].as_str() {
            Some(number) => drop(numbers.insert(number.parse::<u64>().expect("a number"))),
            None => gaps += usize::from(event["Type"] == "SidearmGap"),
        }
    }
    let expected: BTreeSet<u64> =
        journalled.iter().flat_map(|stream| stream.ids.keys().copied()).collect();
    assert_eq!(numbers, expected);
    assert!(gaps >= journalled.iter().map(|stream| stream.gaps.len()).sum());
}
