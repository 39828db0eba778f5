//! One event of the story, encoded but for its number and its times.
//!
//! Fields stand in the order of their numbers, as Go writes them, so what a subscriber sees is
//! what a real relay would have sent.

use buffa::{
    EncodeSink, Message as _,
    encoding::{Tag, WireType, encode_varint},
};
use bytes::Bytes;
use sidearm_proto::feeder::{Alert, Log, Message, Podowner};
use sidearm_sinks::contract::Stream;

use super::{
    cast::{Node, Place},
    deed::{Drawn, Finding},
};

/// Field numbers that `Alert`, `Log` and `Message` share.
const TIMESTAMP: u32 = 1;
const UPDATED_TIME: u32 = 2;
/// Where the number goes: `Alert.ExecEvent`, `Log.ExecEvent`, `Message.Message`.
const ALERT_EXEC_EVENT: u32 = 36;
const LOG_EXEC_EVENT: u32 = 27;
const MESSAGE_TEXT: u32 = 8;

/// One event, but for its number and its times.
#[derive(Debug)]
pub(super) struct Line {
    stream: Stream,
    /// Fields 3 up to the one that carries the number.
    before: Vec<u8>,
    number_field: u32,
    /// What goes with the number: the program's name, or the message's text.
    name: String,
    after: Vec<u8>,
}

impl Line {
    /// An alert where a policy has found something, else a log.
    pub(super) fn new(told: &Drawn, place: &Place<'_>) -> Self {
        match &told.finding {
            Some(finding) => alert(told, finding, place),
            None => log(told, place),
        }
    }

    /// What an agent says of itself.
    pub(super) fn message(node: &Node, level: &str, text: &str) -> Self {
        let message = Message {
            ClusterName: "default".into(),
            HostName: node.name.clone(),
            HostIP: node.ip.into(),
            Type: "Message".into(),
            Level: level.into(),
            ..Message::default()
        };
        Self {
            stream: Stream::Message,
            before: message.encode_to_vec(),
            number_field: MESSAGE_TEXT,
            name: text.to_owned(),
            after: Vec::new(),
        }
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// The whole event, under this number and at this time.
    pub(super) fn tell(&self, number: u64, (second, stamp): (i64, &str)) -> Bytes {
        const OWN_BYTES_MAX: usize = 100;
        let size = OWN_BYTES_MAX + self.before.len() + self.name.len() + self.after.len();
        let mut out = Vec::with_capacity(size);
        Tag::new(TIMESTAMP, WireType::Varint).encode(&mut out);
        encode_varint(second as u64, &mut out);
        put_text(UPDATED_TIME, stamp, &mut out);
        out.extend_from_slice(&self.before);
        let number = number.to_string();
        if self.stream == Stream::Message {
            put_text(self.number_field, &format!("{} (event {number})", self.name), &mut out);
        } else {
            let mut exec = Vec::with_capacity(number.len() + self.name.len() + 4);
            put_text(1, &number, &mut exec);
            if !self.name.is_empty() {
                put_text(2, &self.name, &mut exec);
            }
            put_bytes(self.number_field, &exec, &mut out);
        }
        out.extend_from_slice(&self.after);
        out.into()
    }
}

fn alert(told: &Drawn, finding: &Finding, place: &Place<'_>) -> Line {
    let (node, pod) = (place.node, place.pod);
    let throttled = told.operation == "AlertThreshold";
    let by_bpf = finding.enforcer == "BPFLSM" || finding.enforcer.starts_with("PRESET-");
    let before = Alert {
        ClusterName: "default".into(),
        HostName: node.name.clone(),
        NamespaceName: pod.map_or("", |pod| pod.namespace).into(),
        Owner: owner(place).into(),
        PodName: pod.map(|pod| pod.name.clone()).unwrap_or_default(),
        Labels: pod.map_or("", |pod| pod.labels).into(),
        ContainerID: pod.map(|pod| pod.container_id.clone()).unwrap_or_default(),
        ContainerName: pod.map_or("", |pod| pod.owner).into(),
        ContainerImage: pod.map_or("", |pod| pod.image).into(),
        HostPPID: told.process_id(told.host_ppid),
        HostPID: told.process_id(told.host_pid),
        PPID: told.process_id(told.ppid),
        PID: told.process_id(told.pid),
        UID: told.uid,
        ParentProcessName: told.parent.into(),
        ProcessName: told.process.clone(),
        PolicyName: finding.policy.into(),
        Severity: finding.severity.into(),
        Tags: finding.tags.into(),
        ATags: finding.tags.split(',').filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        Message: finding.message.into(),
        Type: finding.kind.into(),
        Source: told.source.clone(),
        Operation: told.operation.into(),
        Resource: told.resource.clone(),
        Data: told.data.clone(),
        Enforcer: finding.enforcer.into(),
        Action: finding.action.into(),
        Result: told.result.into(),
        Cwd: told.cwd().into(),
        TTY: told.tty.into(),
        MaxAlertsPerSec: if throttled { 10 } else { 0 },
        DroppingAlertsInterval: if throttled { 30 } else { 0 },
        ..Alert::default()
    };
    let hash = told.hash(node);
    let mut after = Alert {
        KubeArmorVersion: if by_bpf { node.version } else { "" }.into(),
        NodeID: node.id.clone(),
        ProcessHash: hash.to_owned(),
        HashAlgo: if hash.is_empty() { "" } else { "sha256" }.into(),
        ..Alert::default()
    }
    .encode_to_vec();
    for pair in told.pairs(node) {
        Alert { EventData: [pair].into_iter().collect(), ..Alert::default() }.encode(&mut after);
    }
    Alert { UserName: told.user(place).into(), ..Alert::default() }.encode(&mut after);
    Line {
        stream: Stream::Alert,
        before: before.encode_to_vec(),
        number_field: ALERT_EXEC_EVENT,
        name: told.program.to_owned(),
        after,
    }
}

fn log(told: &Drawn, place: &Place<'_>) -> Line {
    let (node, pod) = (place.node, place.pod);
    let before = Log {
        ClusterName: "default".into(),
        HostName: node.name.clone(),
        NamespaceName: pod.map_or("", |pod| pod.namespace).into(),
        Owner: owner(place).into(),
        PodName: pod.map(|pod| pod.name.clone()).unwrap_or_default(),
        Labels: pod.map_or("", |pod| pod.labels).into(),
        ContainerID: pod.map(|pod| pod.container_id.clone()).unwrap_or_default(),
        ContainerName: pod.map_or("", |pod| pod.owner).into(),
        ContainerImage: pod.map_or("", |pod| pod.image).into(),
        ParentProcessName: told.parent.into(),
        ProcessName: told.process.clone(),
        HostPPID: told.host_ppid,
        HostPID: told.host_pid,
        PPID: told.ppid,
        PID: told.pid,
        UID: told.uid,
        Type: if pod.is_some() { "ContainerLog" } else { "HostLog" }.into(),
        Source: told.source.clone(),
        Operation: told.operation.into(),
        Resource: told.resource.clone(),
        Data: told.data.clone(),
        Result: told.result.into(),
        Cwd: told.cwd().into(),
        TTY: told.tty.into(),
        ..Log::default()
    };
    let hash = told.hash(node);
    let mut after = Log {
        NodeID: node.id.clone(),
        ProcessHash: hash.to_owned(),
        HashAlgo: if hash.is_empty() { "" } else { "sha256" }.into(),
        ..Log::default()
    }
    .encode_to_vec();
    for pair in told.pairs(node) {
        Log { EventData: [pair].into_iter().collect(), ..Log::default() }.encode(&mut after);
    }
    Log { UserName: told.user(place).into(), ..Log::default() }.encode(&mut after);
    Line {
        stream: Stream::Log,
        before: before.encode_to_vec(),
        number_field: LOG_EXEC_EVENT,
        name: told.program.to_owned(),
        after,
    }
}

fn owner(place: &Place<'_>) -> Option<Podowner> {
    place.pod.map(|pod| Podowner {
        Ref: pod.owner_kind.into(),
        Name: pod.owner.into(),
        Namespace: pod.namespace.into(),
    })
}

impl Drawn {
    /// Findings that no process made (a firewall's, the kernel's throttle notice) name none.
    fn process_id(&self, id: i32) -> i32 {
        if self.process.is_empty() { 0 } else { id }
    }

    fn cwd(&self) -> &'static str {
        if self.process.is_empty() { "" } else { "/" }
    }

    fn hash(&self, node: &Node) -> &str {
        if node.hashes && self.operation == "Process" { &self.hash } else { "" }
    }

    fn user(&self, place: &Place<'_>) -> &'static str {
        match (place.pod, self.uid) {
            (Some(_), _) => "",
            (None, 0) => "root",
            (None, _) => "azureuser",
        }
    }

    fn pairs(&self, node: &Node) -> Vec<(String, String)> {
        if node.event_data { self.event_data() } else { Vec::new() }
    }
}

fn put_text(field: u32, text: &str, out: &mut impl EncodeSink) {
    put_bytes(field, text.as_bytes(), out);
}

fn put_bytes(field: u32, bytes: &[u8], out: &mut impl EncodeSink) {
    Tag::new(field, WireType::LengthDelimited).encode(out);
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}

/// Writes times as agents do, `2006-01-02T15:04:05.000000Z`; the second's part is kept, because
/// thousands of events share it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    second: Option<i64>,
    stamp: String,
}

impl Clock {
    const SECOND_CHARS: usize = "2006-01-02T15:04:05.".len();

    /// The time in whole seconds and as text.
    pub(super) fn at(&mut self, time_us: i64) -> (i64, &str) {
        use std::fmt::Write as _;
        let second = time_us.div_euclid(1_000_000);
        if self.second != Some(second) {
            let time = jiff::Timestamp::from_second(second).unwrap_or_default();
            self.stamp = time.strftime("%Y-%m-%dT%H:%M:%S.").to_string();
            self.second = Some(second);
        }
        self.stamp.truncate(Self::SECOND_CHARS);
        let _ = write!(self.stamp, "{:06}Z", time_us.rem_euclid(1_000_000));
        (second, &self.stamp)
    }
}
