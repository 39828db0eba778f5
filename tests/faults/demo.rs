//! The demo as a person or a program starts it: the real binary, its own process.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use http::uri::PathAndQuery;
use serde_json::Value;
use tonic::{Request, client::Grpc, transport::Channel};
use tonic_prost::ProstCodec;

fn sidearm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidearm"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn output(arguments: &[&str]) -> Output {
    sidearm(arguments).output().expect("the binary starts")
}

/// The numbers of all events of a file, in its order.
fn numbers(file: &Path) -> Vec<u64> {
    let lines = fs::read_to_string(file).expect("the demo's file");
    let number = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("an object a line");
        // An agent's message has its number at the end of its text.
        let number = match event["ExecEvent"]["ExecID"].as_str() {
            Some(number) => number.to_owned(),
            None => {
                let message = event["Message"].as_str().expect("a message");
                let (_, number) = message.rsplit_once("(event ").expect("a number");
                number.trim_end_matches(')').to_owned()
            }
        };
        number.parse().expect("a number")
    };
    lines.lines().map(number).collect()
}

#[test]
fn every_event_told_reaches_the_file_and_every_ledger_balances() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("demo");
    let dir = dir.to_str().expect("UTF-8");
    let done = output(&["demo", "--json", "--rate", "2000", "--events", "3000", "--dir", dir]);
    assert!(done.status.success(), "{}", text(&done.stderr));

    let ledgers: Value = serde_json::from_slice(&done.stdout).expect("JSON alone on stdout");
    let sinks: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_value(ledgers["sinks"].clone()).expect("a ledger for each sink");
    assert_eq!(sinks.keys().collect::<Vec<_>>(), ["archive", "splunk", "terminal"]);
    for (name, ledger) in &sinks {
        let fates = ledger.iter().filter(|(fate, _)| *fate != "received");
        assert_eq!(ledger["received"], fates.map(|(_, count)| count).sum::<u64>(), "{name}");
        assert_eq!(ledger["pending"], 0, "{name}");
        assert!(ledger["accepted"] > 0, "{name}");
    }
    assert_eq!(sinks["archive"]["accepted"], 3_000);
    assert!(sinks["splunk"]["filtered"] > 0);

    let mut numbers = numbers(&Path::new(dir).join("events.ndjson"));
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=3_000).collect::<Vec<_>>());
}

#[test]
fn a_person_sees_the_alerts_the_table_and_where_the_file_lies() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().to_str().expect("UTF-8");
    let done = output(&["demo", "--rate", "2000", "--events", "200", "--dir", dir]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let (seen, beside) = (text(&done.stdout), text(&done.stderr));
    assert!(seen.contains("AUDIT (BLOCK) 7 Process /bin/bash"), "{seen}");
    assert!(seen.contains("every ledger balances"), "{seen}");
    assert!(seen.contains("events.ndjson"), "{seen}");
    // Piped, there is neither colour nor progress.
    assert!(!seen.contains('\x1b') && !beside.contains('\x1b'), "{seen}{beside}");
    assert!(!beside.contains("delivered"), "{beside}");
}

#[derive(Clone, PartialEq, prost::Message)]
struct Filter {
    #[prost(string, tag = "1")]
    filter: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Alert {
    #[prost(message, optional, tag = "36")]
    exec_event: Option<ExecEvent>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ExecEvent {
    #[prost(string, tag = "1")]
    exec_id: String,
}

/// The relay alone, and the address it says it listens on.
fn relay_only(arguments: &[&str]) -> (Child, String) {
    let mut command = sidearm(&["demo", "--relay-only", "--listen", "127.0.0.1:0"]);
    let mut relay = command.args(arguments).spawn().expect("the binary starts");
    let mut said = String::new();
    let stderr = relay.stderr.take().expect("piped");
    BufReader::new(stderr).read_line(&mut said).expect("the relay says where it listens");
    let address = said.split(' ').find(|word| word.starts_with("127.0.0.1:"));
    (relay, address.unwrap_or_else(|| panic!("no address in {said:?}")).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_relay_alone_counts_what_it_sent_and_what_was_lost() {
    let (relay, address) = relay_only(&["--json", "--burst", "5000"]);
    let channel = Channel::from_shared(format!("http://{address}")).expect("an address");
    let mut client = Grpc::new(channel.connect().await.expect("the relay listens"));
    client.ready().await.expect("connected");
    let path = PathAndQuery::from_static("/feeder.LogService/WatchAlerts");
    let filter = Request::new(Filter { filter: "policy".to_owned() });
    let codec = ProstCodec::<Filter, Alert>::default();
    let answer = client.server_streaming(filter, path, codec).await.expect("a stream");

    let (mut alerts, mut numbers) = (answer.into_inner(), Vec::new());
    while let Some(alert) = alerts.message().await.expect("an alert") {
        let exec_event = alert.exec_event.expect("a number");
        numbers.push(exec_event.exec_id.parse::<u64>().expect("a number"));
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "out of order: {numbers:?}");
    assert_eq!(numbers.first(), Some(&1));

    let done = tokio::task::spawn_blocking(|| relay.wait_with_output()).await.expect("no panic");
    let done = done.expect("the relay ends");
    assert!(done.status.success());
    let report: Value = serde_json::from_slice(&done.stdout).expect("JSON alone on stdout");
    let subscriber = &report["subscribers"][0];
    assert_eq!(report["told"], 5_000);
    assert_eq!(subscriber["stream"], "alert");
    assert_eq!(subscriber["sent"], numbers.len());
    assert_eq!(subscriber["lost"], 5_000 - numbers.len());
}
