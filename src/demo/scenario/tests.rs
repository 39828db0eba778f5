use std::collections::BTreeSet;

use buffa::Message as _;
use sidearm_proto::feeder;
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Value};

use super::*;

/// 2026-05-26T04:46:57.355927Z
const START_US: i64 = 1_779_770_817_355_927;
/// More events than one round has.
const EVENTS: usize = 4_000;

fn story(seed: u64) -> Vec<(Stream, Bytes)> {
    Scenario::new(seed, START_US).take(EVENTS).collect()
}

fn alerts(story: &[(Stream, Bytes)]) -> Vec<feeder::Alert> {
    let alerts = story.iter().filter(|(stream, _)| *stream == Stream::Alert);
    alerts.map(|(_, bytes)| feeder::Alert::decode(&mut &bytes[..]).expect("an alert")).collect()
}

fn logs(story: &[(Stream, Bytes)]) -> Vec<feeder::Log> {
    let logs = story.iter().filter(|(stream, _)| *stream == Stream::Log);
    logs.map(|(_, bytes)| feeder::Log::decode(&mut &bytes[..]).expect("a log")).collect()
}

fn messages(story: &[(Stream, Bytes)]) -> Vec<feeder::Message> {
    let messages = story.iter().filter(|(stream, _)| *stream == Stream::Message);
    messages
        .map(|(_, bytes)| feeder::Message::decode(&mut &bytes[..]).expect("a message"))
        .collect()
}

fn set<'a>(values: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    values.map(String::as_str).collect()
}

#[test]
fn the_same_seed_tells_the_same_story_to_the_byte() {
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8));
}

#[test]
fn every_operation_type_and_enforcer_occurs() {
    let story = story(1);
    let (alerts, logs, messages) = (alerts(&story), logs(&story), messages(&story));

    let types = ["MatchedHostPolicy", "MatchedNetworkPolicy", "MatchedPolicy", "SystemEvent"];
    assert_eq!(set(alerts.iter().map(|alert| &alert.Type)), BTreeSet::from(types));
    assert_eq!(set(logs.iter().map(|log| &log.Type)), BTreeSet::from(["ContainerLog", "HostLog"]));
    assert_eq!(set(messages.iter().map(|message| &message.Type)), BTreeSet::from(["Message"]));

    let operations = [
        "AlertThreshold",
        "Capabilities",
        "Device",
        "File",
        "Network",
        "NetworkFirewall",
        "Process",
        "Syscall",
    ];
    assert_eq!(set(alerts.iter().map(|alert| &alert.Operation)), BTreeSet::from(operations));
    let of_logs = set(logs.iter().map(|log| &log.Operation));
    assert!(of_logs.is_superset(&BTreeSet::from(["File", "Network", "Process", "Syscall"])));

    let actions = ["", "Audit", "Audit (Block)", "Block"];
    assert_eq!(set(alerts.iter().map(|alert| &alert.Action)), BTreeSet::from(actions));
    let enforcers = [
        "AppArmor",
        "BPFLSM",
        "NetworkPolicyEnforcer",
        "PRESET-AnonMapExecutionPreset",
        "PRESET-ExecPreset",
        "PRESET-FilelessExecutionPreset",
        "PRESET-ProtectEnvPreset",
        "PRESET-ProtectProcPreset",
        "SELinux",
        "USBDeviceHandler",
        "eBPF Monitor",
    ];
    assert_eq!(set(alerts.iter().map(|alert| &alert.Enforcer)), BTreeSet::from(enforcers));
    let levels = ["DEBUG", "ERROR", "INFO", "WARN"];
    assert_eq!(set(messages.iter().map(|message| &message.Level)), BTreeSet::from(levels));
}

#[test]
fn every_event_has_its_number_and_its_time() {
    let mut scenario = Scenario::new(3, START_US);
    let told: Vec<_> = (0..EVENTS).map(|n| scenario.next_at(START_US + n as i64 * 500)).collect();
    assert_eq!(scenario.number(), EVENTS as u64);
    for (index, (stream, bytes)) in told.iter().enumerate() {
        let number = (index + 1).to_string();
        let (seconds, stamp) = match stream {
            Stream::Alert => {
                let alert = feeder::Alert::decode(&mut &bytes[..]).expect("an alert");
                assert_eq!(alert.ExecEvent.ExecID, number);
                (alert.Timestamp, alert.UpdatedTime)
            }
            Stream::Log => {
                let log = feeder::Log::decode(&mut &bytes[..]).expect("a log");
                assert_eq!(log.ExecEvent.ExecID, number);
                (log.Timestamp, log.UpdatedTime)
            }
            Stream::Message => {
                let message = feeder::Message::decode(&mut &bytes[..]).expect("a message");
                assert!(message.Message.ends_with(&format!("(event {number})")));
                (message.Timestamp, message.UpdatedTime)
            }
        };
        let time: jiff::Timestamp = stamp.parse().expect("an RFC 3339 time");
        assert_eq!(time.as_microsecond(), START_US + index as i64 * 500);
        assert_eq!(seconds, time.as_second());
        assert_eq!(stamp.len(), "2006-01-02T15:04:05.000000Z".len());
    }
}

#[test]
fn an_event_stands_as_go_would_write_it() {
    for (stream, bytes) in story(5) {
        // Encoded anew it is the same, but for maps, whose order Go draws by lot as well.
        match stream {
            Stream::Alert => {
                let mut alert = feeder::Alert::decode(&mut &bytes[..]).expect("an alert");
                alert.EventData.clear();
                assert_is_part_of(&alert.encode_to_vec(), &bytes);
            }
            Stream::Log => {
                let mut log = feeder::Log::decode(&mut &bytes[..]).expect("a log");
                log.EventData.clear();
                assert_is_part_of(&log.encode_to_vec(), &bytes);
            }
            Stream::Message => {
                let message = feeder::Message::decode(&mut &bytes[..]).expect("a message");
                assert_eq!(message.encode_to_vec(), bytes);
            }
        }
    }
}

/// The map stands in one piece near the end, so what is left without it is a head and a tail.
fn assert_is_part_of(without_map: &[u8], whole: &[u8]) {
    let head = without_map.iter().zip(whole).take_while(|(a, b)| a == b).count();
    assert!(whole.ends_with(&without_map[head..]), "fields out of order");
}

#[test]
fn one_stream_alone_is_told_without_the_others() {
    let mut scenario = Scenario::new(1, START_US);
    for number in 1..=500 {
        let bytes = scenario.next_of(Stream::Alert, START_US);
        let alert = feeder::Alert::decode(&mut &bytes[..]).expect("an alert");
        assert_eq!(alert.ExecEvent.ExecID, number.to_string());
        assert!(!alert.Enforcer.is_empty(), "only an alert names an enforcer");
    }
}

#[test]
fn event_data_is_cut_as_agents_cut_it() {
    let story = story(1);
    let alerts = alerts(&story);
    let firewall = alerts
        .iter()
        .find(|alert| alert.PolicyName == "shop-egress-quota" && !alert.EventData.is_empty())
        .expect("the attack meets the firewall");
    assert_eq!(firewall.EventData["DestinationPort"], "3333");
    let logs = logs(&story);
    let mangled = logs
        .iter()
        .filter_map(|log| log.EventData.get("Kfunc"))
        .find(|value| value.contains(','))
        .expect("an old agent asks for a name");
    assert!(mangled.starts_with("UDP_SENDMSG,domain="));
}

#[test]
fn the_engine_reads_every_event_and_no_two_are_the_same() {
    let story = story(2);
    let mut ids = BTreeSet::new();
    for (index, (stream, bytes)) in story.iter().enumerate() {
        let arrival = Arrival { stream: *stream, sequence: index as u64, received_us: 0 };
        let event =
            Event::decode(Kind::Event, arrival, bytes, Overrides::none()).expect("an event");
        assert_eq!(event.time_us(), START_US + index as i64 * STEP_US);
        assert_eq!(event.field("stream"), Some(Value::Str(stream.name())));
        assert!(ids.insert(event.id()), "event {index} has the id of an earlier one");
    }
}
