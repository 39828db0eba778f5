//! The built-in relay, telling alerts flat out or at a pace, losing none to a full queue.
//!
//! Says its address, `subscribed`, half a second later `begins`, and `done`.

use std::{
    net::Ipv4Addr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use sidearm::demo::{relay::BuiltInRelay, scenario::Scenario};
use sidearm_sinks::contract::Stream;
use tokio::{
    net::TcpListener,
    task::yield_now,
    time::{MissedTickBehavior, interval, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{Failure, part::end_with_director};

const SEED: u64 = 7;
/// Told again and again where it goes flat out, so that making them costs nothing. In bytes far
/// more than any compressor's window.
const STORY_EVENTS: usize = 20_000;
/// From the first subscription to the first event: time to become quiet.
const CURTAIN: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_millis(1);

/// `EVENTS PER_SECOND`: zero a second is flat out, zero events is a relay that stays silent.
pub(crate) fn run(words: &[&str]) -> Result<(), Failure> {
    let [events, per_second] = words else { return Err("expected EVENTS PER_SECOND".into()) };
    let (events, per_second) = (events.parse()?, per_second.parse()?);
    end_with_director();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(events, per_second))
}

async fn serve(events: u64, per_second: u64) -> Result<(), Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    let relay = BuiltInRelay::new();
    let server = relay.clone();
    tokio::spawn(async move { server.serve_tcp(listener, CancellationToken::new()).await });
    while relay.subscribed(Stream::Alert) == 0 {
        sleep(TICK).await;
    }
    println!("subscribed");
    sleep(CURTAIN).await;
    match per_second {
        0 => flat_out(&relay, events).await,
        _ => paced(&relay, events, per_second).await,
    }
    println!("done");
    std::future::pending().await
}

async fn flat_out(relay: &BuiltInRelay, events: u64) {
    let mut scenario = Scenario::new(SEED, now_us());
    let story: Vec<Bytes> =
        (0..STORY_EVENTS).map(|_| scenario.next_of(Stream::Alert, now_us())).collect();
    let mut story = story.iter().cycle();
    println!("begins");
    let mut left = events;
    while left > 0 {
        yield_now().await;
        let room = (relay.room(Stream::Alert) as u64).min(left);
        if room == 0 {
            sleep(TICK).await;
        }
        for message in story.by_ref().take(room as usize) {
            relay.publish(Stream::Alert, message.clone());
        }
        left -= room;
    }
}

/// Each event carries the moment it is told, to the microsecond.
async fn paced(relay: &BuiltInRelay, events: u64, per_second: u64) {
    let mut scenario = Scenario::new(SEED, now_us());
    println!("begins");
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut told, mut due) = (0, 0.0);
    while told < events {
        ticks.tick().await;
        due += per_second as f64 * TICK.as_secs_f64();
        while (told as f64) < due && told < events {
            relay.publish(Stream::Alert, scenario.next_of(Stream::Alert, now_us()));
            told += 1;
        }
    }
}

/// Microseconds since 1970.
pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as i64)
}
