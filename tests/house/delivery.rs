//! What a lane makes of its destination's answers.

use std::time::Duration;

use sidearm_sinks::contract::Stream;

use crate::{
    script::{Act, Script, ScriptedWires},
    world::{House, books, eventually},
};

const ONE_SINK: &str = r#"
    [sinks.siem]
    batch.events = 50
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

const TWO_SINKS: &str = r#"
    [sinks.siem]
    batch.events = 50
    splunk_hec.url = "https://splunk:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false

    [sinks.other]
    streams = ["alert", "log"]
    splunk_hec.url = "https://other:8088"
    splunk_hec.token = "11111111-2222-3333-4444-555555555555"
    splunk_hec.ack = false
"#;

/// Publishes alerts to one sink and waits until nothing is pending.
async fn deliver(script: &Script, alerts: usize) -> (House, sidearm::status::SinkView) {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new(1);
    let wires = ScriptedWires::default().with("siem", script);
    let engine = house.engine(folder.path(), ONE_SINK, wires).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, alerts).await;
    eventually("everything settled", || {
        let view = books(&engine.status().read(), "siem");
        view.ledger.received >= alerts as u64 && view.ledger.pending == 0
    })
    .await;
    let view = books(&engine.shutdown().await, "siem");
    (house, view)
}

#[tokio::test(start_paused = true)]
async fn a_healthy_destination_gets_every_event_once() {
    let script = Script::willing();
    let (house, view) = deliver(&script, 1_000).await;
    let mut taken = script.taken();
    assert_eq!(view.ledger.counts.accepted, 1_000);
    taken.sort_unstable();
    assert_eq!(taken, house.published[Stream::Alert.index()]);
    assert!(script.ids_are_stable());
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_and_the_other_sink_does_not_notice() {
    let folder = tempfile::tempdir().unwrap();
    let (down, up) = (Script::new(|_, _| Act::Down), Script::willing());
    let mut house = House::new(2);
    let wires = ScriptedWires::default().with("siem", &down).with("other", &up);
    let engine = house.engine(folder.path(), TWO_SINKS, wires).await;
    house.subscribed(Stream::Alert).await;
    house.subscribed(Stream::Log).await;
    for _ in 0..30 {
        house.publish(Stream::Alert, 100).await;
        house.publish(Stream::Log, 100).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let other = books(&engine.status().read(), "other");
        assert_eq!(other.ledger.pending, 0, "the other sink keeps up");
    }
    let requests = down.requests();
    assert!(requests < 40, "one backoff for the destination, not one a batch: {requests} tries");
    down.now(|_, _| Act::Accept);
    eventually("the outage to be made up", || down.taken().len() == 3_000).await;
    let status = engine.shutdown().await;
    assert_eq!(books(&status, "siem").ledger.counts.accepted, 3_000);
    assert_eq!(books(&status, "other").ledger.counts.accepted, 6_000);
}

/// At a twentieth of the rate, so that a debug build takes seconds; `OUTAGE_RATE=5000` is the whole.
#[tokio::test(start_paused = true)]
async fn a_minute_of_a_steady_stream_is_made_up_for_and_the_other_sink_keeps_up() {
    const SECONDS: usize = 60;
    let rate = std::env::var("OUTAGE_RATE").map_or(250, |rate| rate.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (down, up) = (Script::new(|_, _| Act::Down), Script::willing());
    let mut house = House::new(6);
    let wires = ScriptedWires::default().with("siem", &down).with("other", &up);
    let engine = house.engine(folder.path(), TWO_SINKS, wires).await;
    house.subscribed(Stream::Alert).await;
    for _ in 0..SECONDS * 10 {
        let next = tokio::time::Instant::now() + Duration::from_millis(100);
        house.publish(Stream::Alert, rate / 10).await;
        tokio::time::sleep_until(next).await;
        let pending = books(&engine.status().read(), "other").ledger.pending;
        assert!(pending <= rate as u64 / 10, "the other sink fell behind: {pending}");
    }
    let all = (SECONDS * rate) as u64;
    assert_eq!(books(&engine.status().read(), "siem").ledger.pending, all);
    down.now(|_, _| Act::Accept);
    eventually("the outage to be made up", || {
        books(&engine.status().read(), "siem").ledger.pending == 0
    })
    .await;
    engine.shutdown().await;
    for script in [&down, &up] {
        let mut once = script.taken();
        once.sort_unstable();
        assert_eq!(once, house.published[Stream::Alert.index()], "each arrived once");
    }
}

#[tokio::test(start_paused = true)]
async fn one_refused_event_becomes_a_dead_letter_and_its_neighbours_arrive() {
    let script = Script::new(|_, events| {
        // A plain refusal names no event: the lane has to find it by halving.
        if events.contains(&refused()) {
            Act::Refuse(400, r#"{"text":"Invalid data format","code":6}"#)
        } else {
            Act::Accept
        }
    });
    let (house, view) = deliver(&script, 300).await;
    assert_eq!((view.ledger.counts.accepted, view.ledger.counts.dead), (299, 1));
    let published = &house.published[Stream::Alert.index()];
    assert!(published.contains(&refused()) && !script.taken().contains(&refused()));
}

#[tokio::test(start_paused = true)]
async fn an_event_our_code_panics_on_is_found_and_set_aside() {
    let script =
        Script::new(|_, events| if events.contains(&refused()) { Act::Panic } else { Act::Accept });
    let (_, view) = deliver(&script, 300).await;
    assert_eq!((view.ledger.counts.accepted, view.ledger.counts.dead), (299, 1));
    assert!(view.last_error.unwrap().contains("panic"));
}

#[tokio::test(start_paused = true)]
async fn what_is_too_large_as_one_is_halved_until_it_fits() {
    let script =
        Script::new(
            |_, events| {
                if events.len() > 7 { Act::Refuse(413, "too large") } else { Act::Accept }
            },
        );
    let (_, view) = deliver(&script, 300).await;
    assert_eq!((view.ledger.counts.accepted, view.ledger.counts.dead), (300, 0));
}

#[tokio::test(start_paused = true)]
async fn retry_after_stops_the_whole_destination() {
    let script =
        Script::new(|request, _| if request == 0 { Act::Throttle(120) } else { Act::Accept });
    let started = tokio::time::Instant::now();
    let (_, view) = deliver(&script, 500).await;
    assert_eq!(view.ledger.counts.accepted, 500);
    assert!(started.elapsed() >= Duration::from_secs(120), "the hint is kept to");
    let throttled = view.requests["later"];
    assert_eq!(throttled, 1, "nothing was tried before the time was over");
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_park_the_lane_and_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let script = Script::new(|_, _| Act::Refuse(403, r#"{"text":"Invalid token","code":4}"#));
    let mut house = House::new(3);
    let wires = ScriptedWires::default().with("siem", &script);
    let engine = house.engine(folder.path(), ONE_SINK, wires).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 400).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let view = books(&engine.status().read(), "siem");
    assert_eq!((view.ledger.pending, view.ledger.counts.dead), (400, 0));
    assert_eq!(view.state.name(), "parked");
    assert!(script.requests() < 20, "a parked lane does not hammer: {}", script.requests());
    script.now(|_, _| Act::Accept);
    eventually("the lane goes on", || script.taken().len() == 400).await;
    assert_eq!(books(&engine.shutdown().await, "siem").ledger.counts.accepted, 400);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_sent_again_with_the_same_id() {
    let script =
        Script::new(|request, _| if request % 3 == 0 { Act::LoseReply } else { Act::Accept });
    let (house, view) = deliver(&script, 300).await;
    assert_eq!(view.ledger.counts.accepted, 300);
    let mut taken = script.taken();
    assert!(taken.len() > 300, "some were sent twice");
    assert!(script.ids_are_stable());
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken, house.published[Stream::Alert.index()]);
}

/// The number of an alert that is surely among the first three hundred.
fn refused() -> u64 {
    let mut story = sidearm::demo::scenario::Scenario::new(1, 0);
    (0..100).for_each(|_| drop(story.next_of(Stream::Alert, 0)));
    story.number()
}
