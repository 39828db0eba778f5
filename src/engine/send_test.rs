//! One clearly marked event, through a sink's own renderer, request, wire and verdict.
//!
//! It takes the lane's way to the destination and leaves journal and cursors alone, so it may run
//! beside an engine that is at work.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use buffa::Message as _;
use sidearm_proto::feeder::Alert;
use sidearm_sinks::contract::{
    Arrival, Batch, BatchBuilder, Body, Destination, Event, Kind, Overrides, Sink, Stream, Verdict,
};

use super::{StartError, build};
use crate::{
    config::{Config, LaneConfig, Rebuild, SinkConfig},
    deliver::{Target, Tried, try_once},
    wire::{Reach, Wires},
};

/// The policy name that marks the event as a test.
const TEST_POLICY: &str = "sidearm-send-test";

/// How a test went.
#[derive(Debug, Clone)]
pub struct TestReport {
    /// The event's id, to be looked for at the destination.
    pub event_id: String,
    /// The destination's status and the start of its answer, where one came.
    pub reply: Option<String>,
    /// How long the attempt took.
    pub took: Duration,
    /// What the answer means, in words.
    pub verdict: String,
    /// Whether the event was accepted.
    pub accepted: bool,
}

/// Sends one clearly marked event to the sink of this name.
pub async fn send_test(
    config: Config,
    sink: &str,
    wires: Arc<dyn Wires>,
) -> Result<TestReport, StartError> {
    let names: Vec<String> = config.sinks.iter().map(|sink| sink.lane.name.clone()).collect();
    let overrides = config.overrides;
    let found = config.sinks.into_iter().find(|config| config.lane.name == sink);
    let Some(SinkConfig { lane, destination, rebuild }) = found else {
        let known = names.join(", ");
        return Err(StartError::sink(sink, format!("there is no such sink; there is: {known}")));
    };
    match destination {
        Destination::Http(sink) => test(&lane, sink, rebuild, wires, &overrides).await,
        Destination::Amqp(sink) => test(&lane, sink, rebuild, wires, &overrides).await,
        Destination::Append(sink) => test(&lane, sink, rebuild, wires, &overrides).await,
        Destination::Grpc(sink) => test(&lane, sink, rebuild, wires, &overrides).await,
        Destination::Kafka(sink) => test(&lane, sink, rebuild, wires, &overrides).await,
        Destination::Socket(sink) => test(&lane, sink, rebuild, wires, &overrides).await,
        Destination::Mail(sink) => test(&lane, sink, rebuild, wires, &overrides).await,
    }
}

async fn test<P: Reach>(
    lane: &LaneConfig,
    sink: Box<dyn Sink<P>>,
    rebuild: Rebuild,
    wires: Arc<dyn Wires>,
    overrides: &Overrides,
) -> Result<TestReport, StartError> {
    let wrong = |error: String| StartError::sink(&lane.name, error);
    let renderer = build::renderer(lane).map_err(wrong)?;
    let target = Target::new(&lane.name, sink, rebuild, wires)
        .map_err(|error| StartError::sink(&lane.name, error))?;
    let now_us =
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as u64);
    let message = test_alert(now_us).encode_to_vec();
    let arrival = Arrival { stream: Stream::Alert, sequence: 0, received_us: now_us };
    let event = Event::decode(Kind::Event, arrival, &message, overrides)
        .expect("an alert of our own making can be decoded");
    let mut bytes = Vec::new();
    renderer.render(&event, &mut bytes).map_err(wrong)?;
    let current = target.current();
    let mut builder = BatchBuilder::new(Stream::Alert);
    builder.push(event.id(), 0, now_us, |record| {
        current.sink.record(&event, Body::new(renderer.format(), &bytes), record);
    });
    let batch: Batch = builder.finish().expect("one record was added");
    let started = Instant::now();
    let tried = try_once(&current, &batch).await;
    Ok(report(event.id().to_string(), started.elapsed(), tried))
}

fn report<P: Reach>(event_id: String, took: Duration, tried: Tried<P>) -> TestReport {
    let Tried { reply, verdict } = tried;
    let accepted = matches!(verdict, Ok(Verdict::Accepted | Verdict::AcceptedBut(..)));
    let verdict = match verdict {
        Ok(Verdict::Accepted) => "accepted".to_owned(),
        Ok(Verdict::AcceptedBut(_, why)) => format!("accepted, but {why}"),
        Ok(Verdict::Partly { why, .. }) => format!("refused: {why}"),
        Ok(Verdict::Later(_, why)) => format!("not now; a running lane would try again: {why}"),
        Ok(Verdict::Smaller(why)) => format!("too large, though it is a single event: {why}"),
        Ok(Verdict::Never(why)) => {
            format!("refused as written; a running lane would set it aside: {why}")
        }
        Ok(Verdict::Blocked(why)) => format!(
            "our credentials or address are refused; a running lane would park until they are \
             changed: {why}"
        ),
        Ok(Verdict::Ask(_)) => {
            "taken, not yet confirmed; a running lane would go on asking".to_owned()
        }
        Ok(Verdict::Each(_)) => "undecided".to_owned(),
        Err(error) => format!("no answer: {error}"),
    };
    TestReport { event_id, reply, took, verdict, accepted }
}

fn test_alert(now_us: u64) -> Alert {
    let updated = jiff::Timestamp::from_microsecond(now_us as i64)
        .map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
        .unwrap_or_default();
    Alert {
        Timestamp: (now_us / 1_000_000) as i64,
        UpdatedTime: updated,
        ClusterName: "default".to_owned(),
        HostName: "sidearm".to_owned(),
        NamespaceName: "sidearm".to_owned(),
        PolicyName: TEST_POLICY.to_owned(),
        Severity: "1".to_owned(),
        Message: "This is a test sent by `sidearm send-test`. Nothing happened.".to_owned(),
        Type: "MatchedPolicy".to_owned(),
        Source: "sidearm send-test".to_owned(),
        Operation: "Process".to_owned(),
        Resource: "sidearm send-test".to_owned(),
        Action: "Audit".to_owned(),
        Result: "Passed".to_owned(),
        ..Alert::default()
    }
}
