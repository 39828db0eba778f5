//! The relay stops, hangs up, falls silent, changes its certificates, sends nonsense.

mod certificates;
mod station;
mod tls;

use sidearm_sinks::contract::{Kind, Stream};
use tonic::Status;

use station::{Record, Station, eventually};

const ALERT: Stream = Stream::Alert;

/// Checks an outage between two events, and answers the gap's reason.
fn reason_between(records: &[Record], before: &[u8], after: &[u8]) -> String {
    let [first, gap, last] = records else { panic!("expected three records: {records:?}") };
    assert_eq!((first.kind, &*first.bytes), (Kind::Event, before));
    assert_eq!((last.kind, &*last.bytes), (Kind::Event, after));
    let gap = gap.gap();
    assert!(0 < gap.FromMicros && gap.FromMicros <= gap.ToMicros, "{gap:?}");
    gap.Reason
}

#[tokio::test]
async fn a_restarted_relay_is_subscribed_to_again_and_the_gap_is_recorded() {
    let mut station = Station::plain().await;
    let watch = station.watch(ALERT, None).await;
    station.deliver(ALERT, b"before").await;
    station.stop_relay().await;
    eventually("disconnected", async || !watch.status.connected(ALERT)).await;
    assert!(watch.status.last_error().is_some());
    station.start_relay().await;
    eventually("connected", async || watch.status.connected(ALERT)).await;
    station.deliver(ALERT, b"after").await;
    reason_between(&station.records(ALERT).await, b"before", b"after");
    assert_eq!(watch.status.gaps(), 1);
}

#[tokio::test]
async fn a_clean_end_is_an_outage() {
    let station = Station::plain().await;
    let watch = station.watch(ALERT, None).await;
    station.deliver(ALERT, b"before").await;
    station.relay.end_streams(Status::ok(""));
    eventually("opened again", async || station.relay.openings(ALERT) == 2).await;
    eventually("the gap", async || watch.status.gaps() == 1).await;
    station.deliver(ALERT, b"after").await;
    let reason = reason_between(&station.records(ALERT).await, b"before", b"after");
    assert_eq!(reason, "the relay ended the stream");
}

#[tokio::test]
async fn an_error_is_an_outage_and_its_words_are_kept() {
    let station = Station::plain().await;
    let watch = station.watch(ALERT, None).await;
    station.deliver(ALERT, b"before").await;
    station.relay.end_streams(Status::unavailable("shutting down"));
    eventually("the gap", async || watch.status.gaps() == 1).await;
    station.deliver(ALERT, b"after").await;
    let reason = reason_between(&station.records(ALERT).await, b"before", b"after");
    assert_eq!(reason, "the stream broke off: shutting down (Unavailable)");
    let error = watch.status.last_error().expect("it was told");
    assert_eq!(error, "alert stream: the stream broke off: shutting down (Unavailable)");
}

#[tokio::test]
async fn silence_is_no_outage_while_health_checks_are_answered() {
    let station = Station::plain().await;
    let watch = station.watch(ALERT, None).await;
    eventually("a hundred health checks", async || station.relay.health_checks() > 100).await;
    assert_eq!(station.relay.openings(ALERT), 1);
    assert!(watch.status.connected(ALERT));
    assert_eq!(station.records(ALERT).await, []);
}

#[tokio::test]
async fn a_connection_on_which_nothing_answers_is_left() {
    let station = Station::plain().await;
    let watch = station.watch(ALERT, None).await;
    station.deliver(ALERT, b"before").await;
    station.relay.answer_health_checks(false);
    eventually("opened again", async || station.relay.openings(ALERT) >= 2).await;
    station.relay.answer_health_checks(true);
    eventually("the gap", async || watch.status.gaps() == 1).await;
    station.deliver(ALERT, b"after").await;
    let reason = reason_between(&station.records(ALERT).await, b"before", b"after");
    assert!(reason.starts_with("the relay answered no health check within"), "{reason}");
}

#[tokio::test]
async fn an_end_before_the_first_event_again_and_again_is_told() {
    let station = Station::plain().await;
    station.relay.turn_away(true);
    let watch = station.watch_unsubscribed(ALERT, None).await;
    eventually("told", async || {
        watch.status.last_error().is_some_and(|error| error.contains("is this KubeArmor's relay"))
    })
    .await;
    station.relay.turn_away(false);
    eventually("connected", async || watch.status.connected(ALERT)).await;
    station.deliver(ALERT, b"at last").await;
}

#[tokio::test]
async fn bytes_that_are_no_event_are_journalled_as_they_are() {
    let station = Station::plain().await;
    let _watch = station.watch(ALERT, None).await;
    let large = vec![0xff_u8; 3 << 20];
    let messages: [&[u8]; 5] = [b"", b"\xff\xff\xff\xff", b"\x0a\x05ab\xff\xfe\xfd", &large, b"x"];
    for message in messages {
        station.deliver(ALERT, message).await;
    }
    let records = station.records(ALERT).await;
    assert!(records.iter().map(|record| &*record.bytes).eq(messages));
    assert_eq!(station.relay.openings(ALERT), 1);
}

#[tokio::test]
async fn what_was_missed_since_an_earlier_run_is_a_gap() {
    let station = Station::plain().await;
    let watch = station.watch(ALERT, Some(1_000_000)).await;
    eventually("the gap", async || watch.status.gaps() == 1).await;
    station.deliver(ALERT, b"after").await;
    let records = station.records(ALERT).await;
    assert_eq!(records[0].gap().FromMicros, 1_000_000);
    assert!(records[0].gap().ToMicros > 1_000_000);
    assert_eq!(records[1].bytes, b"after");
}

#[tokio::test]
async fn streams_fail_apart() {
    let station = Station::plain().await;
    let alerts = station.watch(ALERT, None).await;
    let logs = station.watch(Stream::Log, None).await;
    station.relay.turn_away(true);
    station.relay.end_streams(Status::ok(""));
    eventually("both away", async || {
        !alerts.status.connected(ALERT) && !logs.status.connected(Stream::Log)
    })
    .await;
    station.relay.turn_away(false);
    eventually("alerts are back", async || alerts.status.connected(ALERT)).await;
    eventually("logs are back", async || logs.status.connected(Stream::Log)).await;
    station.deliver(Stream::Log, b"a log").await;
    station.deliver(ALERT, b"an alert").await;
}

#[tokio::test]
async fn an_address_without_anybody_is_tried_for_ever() {
    let mut station = Station::plain().await;
    station.stop_relay().await;
    let watch = station.watch_unsubscribed(ALERT, None).await;
    eventually("told", async || {
        watch.status.last_error().is_some_and(|error| error.contains("connecting to the relay at"))
    })
    .await;
    station.start_relay().await;
    eventually("connected", async || watch.status.connected(ALERT)).await;
    // It was never open before, so nothing that was promised is missing.
    assert_eq!(watch.status.gaps(), 0);
}

#[tokio::test]
async fn readiness_follows_the_relay() {
    let mut station = Station::plain().await;
    let health = station.watch_health();
    eventually("healthy", async || health.status.healthy()).await;
    station.stop_relay().await;
    eventually("unhealthy", async || !health.status.healthy()).await;
    station.start_relay().await;
    eventually("healthy again", async || health.status.healthy()).await;
}
