//! Bytes that are no event: set aside in each lane with all that is needed to look at them, while
//! their neighbours arrive.

use std::{fs, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde_json::Value;
use sidearm::journal::RealDisk;
use sidearm_sinks::contract::Stream;

use super::site::{SINKS, Site, numbers};
use crate::patience::eventually;

const POISON: [&[u8]; 3] = [
    // A field that is longer than the message.
    b"\x12\xff\x01short",
    // No protobuf at all.
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    // A tag of field 0.
    b"\x00\x00",
];
const NEIGHBOURS: usize = 100;
const EVENTS: u64 = (NEIGHBOURS * (POISON.len() + 1)) as u64;

#[tokio::test(flavor = "multi_thread")]
async fn invalid_bytes_become_dead_letters_and_their_neighbours_arrive() {
    let mut site = Site::new(13).await;
    let engine = site.engine(&SINKS, Arc::new(RealDisk)).await;
    for poison in POISON {
        site.publish(Stream::Alert, NEIGHBOURS);
        site.relay.publish(Stream::Alert, Bytes::from_static(poison));
    }
    site.publish(Stream::Alert, NEIGHBOURS);
    eventually("everything has a final fate", async || {
        let status = engine.status().read();
        SINKS.iter().all(|sink| {
            let ledger = status.sinks[*sink].ledger;
            ledger.counts.total() == EVENTS + POISON.len() as u64
        })
    })
    .await;
    let status = engine.shutdown().await;
    for sink in SINKS {
        let counts = status.sinks[sink].ledger.counts;
        assert_eq!((counts.accepted, counts.dead), (EVENTS, POISON.len() as u64), "{sink}");
        let path = site.journal().join("dead").join(format!("{sink}.ndjson"));
        let text = fs::read_to_string(path).expect("dead letters, in UTF-8");
        let letters: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("whole lines")).collect();
        assert_eq!(letters.len(), POISON.len(), "{sink}");
        for (letter, poison) in letters.iter().zip(POISON) {
            let message = letter["message"].as_str().expect("the way back");
            assert_eq!(BASE64_STANDARD.decode(message).expect("base64"), poison, "{sink}");
            assert_eq!((&letter["sink"], &letter["stream"]), (&sink.into(), &"alert".into()));
            let reason = letter["reason"].as_str().expect("a reason");
            assert!(reason.starts_with("it cannot be decoded: "), "{reason}");
        }
        let places: Vec<u64> =
            letters.iter().map(|letter| letter["sequence"].as_u64().expect("a place")).collect();
        let every = NEIGHBOURS as u64 + 1;
        assert_eq!(places, [every - 1, 2 * every - 1, 3 * every - 1], "{sink}");
    }
    for hec in [&site.all, &site.alerts] {
        let mut once = numbers(hec);
        once.sort_unstable();
        assert_eq!(once, site.published[Stream::Alert.index()], "each neighbour, once");
    }
}
