//! One sink is away while events come at 5,000 a second; the others do not notice.

use std::{sync::Arc, time::Duration};

use sidearm::{demo::hec::Trouble, journal::RealDisk};
use sidearm_sinks::contract::Stream;
use tokio::time::{MissedTickBehavior, interval};

use super::site::{SINKS, Site, numbers};
use crate::patience::eventually;

const TICKS: usize = 300;
const EVENTS_A_TICK: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_is_away_for_a_while_gets_all_and_the_others_do_not_wait_for_it() {
    let mut site = Site::new(11).await;
    let engine = site.engine(&SINKS, Arc::new(RealDisk)).await;
    site.alerts.set_trouble(Some(Trouble::Down));
    let mut clock = interval(Duration::from_millis(10));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..TICKS {
        clock.tick().await;
        site.publish(Stream::Alert, EVENTS_A_TICK);
    }
    assert_eq!(site.lost(), 0, "the relay never waits for us");
    let published = site.published[Stream::Alert.index()].clone();
    eventually("the others have all", async || {
        let status = engine.status().read();
        numbers(&site.all).len() == published.len() && status.sinks["archive"].ledger.pending == 0
    })
    .await;
    let away = &engine.status().read().sinks["alerts"];
    assert_eq!(away.ledger.pending, published.len() as u64);
    assert!(numbers(&site.alerts).is_empty(), "it is still away");

    site.alerts.set_trouble(None);
    eventually("the outage is made up for", async || {
        engine.status().read().sinks["alerts"].ledger.pending == 0
    })
    .await;
    let status = engine.shutdown().await;
    for (sink, hec) in [("all", &site.all), ("alerts", &site.alerts)] {
        let mut once = numbers(hec);
        once.sort_unstable();
        assert_eq!(once, published, "{sink}: each once");
        let ledger = status.sinks[sink].ledger;
        assert!(ledger.balances() && ledger.counts.accepted == published.len() as u64);
    }
}
