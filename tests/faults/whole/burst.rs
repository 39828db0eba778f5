//! Bursts of alerts while the disk stands still and every destination is dead: the relay feels
//! neither.
//!
//! Beside us stands a bare subscriber that does nothing but count. The relay is fed as fast as the
//! lines to both take the events, half a queue ahead of them, so that the luck of the machine's
//! scheduler fills no queue, but a subscriber that stops reading does.

use std::{sync::Arc, time::Duration};

use http::uri::PathAndQuery;
use sidearm::{
    demo::{hec::Trouble, relay::SubscriberReport},
    journal::FaultyDisk,
};
use sidearm_sinks::contract::Stream;
use tokio::task::JoinSet;
use tonic::{Request, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

use super::site::Site;
use crate::patience::eventually;

const BURSTS: u64 = 5;
const ALERTS: u64 = 20_000;
/// Events that may wait in a relay's queue of 1,000.
const QUEUED_MAX: u64 = 500;
const AT_A_TIME: usize = 50;
/// What each write of a block takes longer, once the disk moves again.
const WRITE_DELAY: Duration = Duration::from_millis(20);

#[derive(Clone, PartialEq, prost::Message)]
struct Filter {
    #[prost(string, tag = "1")]
    filter: String,
}

/// An alert, of which nothing is looked at.
#[derive(Clone, PartialEq, prost::Message)]
struct Alert {}

#[tokio::test(flavor = "multi_thread")]
async fn bursts_with_a_slow_disk_and_dead_sinks_cost_no_alert() {
    let mut site = Site::new(17).await;
    let disk = FaultyDisk::new();
    disk.set_write_delay(WRITE_DELAY);
    site.all.set_trouble(Some(Trouble::Down));
    site.alerts.set_trouble(Some(Trouble::Down));
    let engine = site.engine(&["all", "alerts"], Arc::new(disk.clone())).await;
    let _bare = bare_subscriber(&site).await;
    for burst in 1..=BURSTS {
        disk.set_holds_writes(true);
        for _ in 0..ALERTS / AT_A_TIME as u64 {
            room_in_queues(&site).await;
            site.publish(Stream::Alert, AT_A_TIME);
        }
        taken(&site, burst * ALERTS).await;
        disk.set_holds_writes(false);
        eventually("the burst is in the journal", async || {
            engine.status().read().journal.streams[Stream::Alert.index()].received == burst * ALERTS
        })
        .await;
    }
    let lost: Vec<u64> = subscribers(&site).iter().map(|subscriber| subscriber.lost).collect();
    assert_eq!(lost, [0, 0], "ours, and the bare one");
    let status = engine.status().read();
    assert_eq!(status.journal.streams[Stream::Alert.index()].refused, 0);
    for sink in ["all", "alerts"] {
        let ledger = status.sinks[sink].ledger;
        assert!(ledger.balances());
        assert_eq!(ledger.pending, BURSTS * ALERTS, "{sink} is dead, and nothing is given up");
    }
}

fn subscribers(site: &Site) -> Vec<SubscriberReport> {
    let all = site.relay.subscribers();
    all.into_iter().filter(|subscriber| subscriber.stream == Stream::Alert).collect()
}

/// Waits until both subscribers were sent almost all that was published.
async fn room_in_queues(site: &Site) {
    let published = site.published[Stream::Alert.index()].len() as u64;
    taken(site, published.saturating_sub(QUEUED_MAX)).await;
}

async fn taken(site: &Site, events: u64) {
    eventually("both subscribers take what comes", async || {
        subscribers(site).iter().all(|subscriber| subscriber.sent + subscriber.lost >= events)
    })
    .await;
}

/// Subscribes to alerts and reads them, and does nothing else, until dropped.
async fn bare_subscriber(site: &Site) -> JoinSet<()> {
    let channel = Channel::from_shared(site.relay_url()).expect("an address");
    let mut client = Grpc::new(channel.connect().await.expect("the relay listens"));
    let mut reading = JoinSet::new();
    reading.spawn(async move {
        client.ready().await.expect("connected");
        let path = PathAndQuery::from_static("/feeder.LogService/WatchAlerts");
        let filter = Request::new(Filter { filter: "policy".to_owned() });
        let codec = ProstCodec::<Filter, Alert>::default();
        let answer = client.server_streaming(filter, path, codec).await.expect("a stream");
        let mut alerts = answer.into_inner();
        while alerts.message().await.expect("it is not cut").is_some() {}
    });
    eventually("two subscribers", async || site.relay.subscribed(Stream::Alert) == 2).await;
    reading
}
