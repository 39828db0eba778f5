//! The sink `otlp` and the gRPC wire against a collector that decodes with OpenTelemetry's own
//! types: what arrives is what was meant, and every answer means what the specification says.

mod collector;
mod proxied;

use std::{collections::BTreeSet, time::Duration};

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use sidearm::{
    render::Renderer,
    wire::{GrpcWire, HttpWire, Wire as _, WireError},
};
use sidearm_sinks::{
    CATALOGUE,
    contract::{
        Arrival, Batch, BatchBuilder, Body, Destination, Event, Format, Kind, Overrides, Stream,
        Verdict, from_json, samples,
    },
};
use toml::de::{DeTable, DeValue};
use tonic::Code;

use collector::{Collector, Mood};

use crate::patience::eventually;

fn otlp(lines: &str) -> Destination {
    let entry = CATALOGUE.iter().find(|entry| (entry.facts)().name == "otlp").expect("otlp");
    let table = DeTable::parse(lines).expect("TOML");
    let span = table.span();
    let table = toml::Spanned::new(span, DeValue::Table(table.into_inner()));
    (entry.build)(table.into()).map_err(|error| error.message).expect("a right table")
}

/// Every sample in one batch, with what identifies each.
fn everything(destination: &Destination, format: Format) -> (Batch, BTreeSet<String>) {
    let renderer = Renderer::new(format, None, false).expect("a format");
    let mut batch = BatchBuilder::new(Stream::Alert);
    let mut ids = BTreeSet::new();
    for (sequence, (name, line)) in (0..).zip(samples()) {
        let (stream, message) = from_json::read(line).expect(name);
        let arrival = Arrival { stream, sequence, received_us: 1_789_899_072_000_000 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect(name);
        let mut body = Vec::new();
        renderer.render(&event, &mut body).expect(name);
        batch.push(event.id(), sequence, 0, |record| {
            destination.any().record(&event, Body::new(format, &body), record);
        });
        ids.insert(event.id().to_string());
    }
    (batch.finish().expect("samples"), ids)
}

/// Delivers a batch once; the verdict by name, and its words.
async fn deliver(destination: &Destination, batch: &Batch) -> Result<(String, String), WireError> {
    fn told<P: sidearm_sinks::contract::Protocol>(verdict: Verdict<P>) -> (String, String) {
        (verdict.name().to_owned(), format!("{verdict:?}"))
    }
    match destination {
        Destination::Grpc(sink) => {
            let wire = GrpcWire::new(&sink.connection())?;
            let reply = wire.call(sink.request(batch)).await?;
            Ok(told(sink.verdict(batch, &reply)))
        }
        Destination::Http(sink) => {
            let wire = HttpWire::new(&sink.connection())?;
            let reply = wire.call(sink.request(batch)).await?;
            Ok(told(sink.verdict(batch, &reply)))
        }
        _ => panic!("otlp goes by gRPC or HTTP"),
    }
}

fn ids(collector: &Collector) -> BTreeSet<String> {
    let uid = |record: &opentelemetry_proto::tonic::logs::v1::LogRecord| {
        let pair = record.attributes.iter().find(|pair| pair.key == "log.record.uid");
        match pair.and_then(|pair| pair.value.as_ref()).and_then(|value| value.value.clone()) {
            Some(Value::StringValue(id)) => id,
            other => panic!("a record without its id: {other:?}"),
        }
    };
    collector.taken().iter().map(|(_, record)| uid(record)).collect()
}

#[tokio::test]
async fn every_event_arrives_whole_by_either_way() {
    for compression in ["none", "gzip", "zstd"] {
        let collector = Collector::new();
        let (grpc, _serving) = collector.by_grpc();
        let (http, _serving_http) = collector.by_http().await;
        for lines in [
            format!("url = \"http://{grpc}\"\ncompression = \"{compression}\""),
            format!(
                "url = \"http://{http}\"\nprotocol = \"http\"\ncompression = \"{compression}\""
            ),
        ] {
            for format in [Format::Native, Format::Json, Format::Text] {
                let destination =
                    otlp(&format!("{lines}\nheaders = {{ authorization = \"Bearer t\" }}"));
                let (batch, sent) = everything(&destination, format);
                let before = collector.taken().len();
                let verdict = deliver(&destination, &batch).await.expect("an answer");
                assert_eq!(verdict.0, "accepted", "{lines}: {}", verdict.1);
                assert_eq!(collector.taken().len() - before, batch.len());
                assert_eq!(ids(&collector), sent);
            }
        }
        assert!(collector.authorizations().iter().all(|value| value == "Bearer t"));
        for (resource, record) in collector.taken() {
            assert!(!resource.attributes.is_empty());
            assert!((9..=21).contains(&record.severity_number) && record.time_unix_nano > 0);
            assert!(record.event_name.starts_with("kubearmor."), "{}", record.event_name);
        }
    }
}

#[tokio::test]
async fn every_answer_means_what_the_specification_says() {
    let retry_info =
        b"\x1a\x30\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x04\x0a\x02\x08\x07";
    let collector = Collector::new();
    let (grpc, _serving) = collector.by_grpc();
    let (http, _serving_http) = collector.by_http().await;
    let by_grpc = otlp(&format!("url = \"http://{grpc}\""));
    let by_http = otlp(&format!("url = \"http://{http}\"\nprotocol = \"http\""));
    let (batch, _) = everything(&by_grpc, Format::Native);
    for (mood, grpc, http) in [
        (Mood::Refuses { records: 2, why: "too deep" }, "Partly", "Partly(2, \"too deep\")"),
        (Mood::Refuses { records: 0, why: "deprecated" }, "AcceptedBut", "AcceptedBut(None"),
        (Mood::Says(Code::Unavailable, Vec::new()), "Later(None", "Later(Some(3s)"),
        (Mood::Says(Code::ResourceExhausted, Vec::new()), "Later(None", "Later(Some(3s)"),
        (Mood::Says(Code::ResourceExhausted, retry_info.to_vec()), "Later(Some(7s)", "Later("),
        (Mood::Says(Code::Unauthenticated, Vec::new()), "Blocked", "Blocked"),
        (Mood::Says(Code::InvalidArgument, Vec::new()), "Never", "Never(\"HTTP 400: as the test"),
        (Mood::Says(Code::Internal, Vec::new()), "Never", "Never"),
    ] {
        collector.is_now(mood.clone());
        let (_, told) = deliver(&by_grpc, &batch).await.expect("an answer");
        assert!(told.starts_with(grpc), "gRPC, {mood:?}: {told}");
        let (_, told) = deliver(&by_http, &batch).await.expect("an answer");
        assert!(told.starts_with(http), "HTTP, {mood:?}: {told}");
    }
}

#[tokio::test]
async fn a_message_above_the_servers_limit_is_halved() {
    let collector = Collector::new();
    let (address, _serving) = collector.by_grpc();
    let destination = otlp(&format!("url = \"http://{address}\"\ncompression = \"none\""));
    let line = format!(
        "{{\"Type\":\"MatchedPolicy\",\"UID\":0,\"PPID\":0,\"Data\":\"{}\"}}",
        "x".repeat(5 << 20)
    );
    let (stream, message) = from_json::read(&line).expect("an alert");
    let arrival = Arrival { stream, sequence: 1, received_us: 1 };
    let event = Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect("one");
    let mut batch = BatchBuilder::new(stream);
    batch.push(event.id(), 1, 1, |record| {
        let body = Body::new(Format::Native, b"");
        destination.any().record(&event, body, record);
    });
    let batch = batch.finish().expect("one record");
    let (name, told) = deliver(&destination, &batch).await.expect("an answer");
    assert_eq!(name, "smaller", "{told}");
}

#[tokio::test]
async fn one_wire_lives_through_its_collectors_restart() {
    let collector = Collector::new();
    let (address, serving) = collector.by_grpc();
    let Destination::Grpc(sink) = otlp(&format!("url = \"http://{address}\"")) else {
        panic!("gRPC unless told otherwise")
    };
    let (batch, _) = everything(&otlp(&format!("url = \"http://{address}\"")), Format::Native);
    let wire = GrpcWire::new(&sink.connection()).expect("a wire");
    assert_eq!(wire.call(sink.request(&batch)).await.expect("an answer").code, 0);
    drop(serving);
    // The first attempt may still find the old connection; after it nobody is there.
    eventually("the collector is gone", async || {
        matches!(wire.call(sink.request(&batch)).await, Err(WireError::NotSent(_)))
    })
    .await;
    let listener = std::net::TcpListener::bind(address).expect("the same port");
    let (_, _serving) = collector.by_grpc_on(listener);
    assert_eq!(wire.call(sink.request(&batch)).await.expect("an answer").code, 0);
}

#[tokio::test]
async fn a_collector_that_hangs_is_a_lost_answer() {
    let collector = Collector::new();
    collector.is_now(Mood::Hangs);
    let (address, _serving) = collector.by_grpc();
    let destination = otlp(&format!("url = \"http://{address}\"\ntimeout = \"1s\""));
    let (batch, _) = everything(&destination, Format::Native);
    let lost = deliver(&destination, &batch).await;
    let expected = format!("{:?}", Duration::from_secs(1));
    assert!(matches!(&lost, Err(WireError::ReplyLost(why)) if why.contains(&expected)), "{lost:?}");
}

#[tokio::test]
async fn plain_text_is_not_taken_for_tls() {
    let collector = Collector::new();
    let (address, _serving) = collector.by_grpc();
    let destination = otlp(&format!("url = \"https://{address}\"\ntimeout = \"4s\""));
    let (batch, _) = everything(&destination, Format::Native);
    let refused = deliver(&destination, &batch).await;
    assert!(matches!(refused, Err(WireError::NotSent(_))), "{refused:?}");
    assert!(collector.taken().is_empty());
}
