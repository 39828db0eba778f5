//! Events as an attacker, a broken agent or plain chance may write them, for property tests.
//!
//! Texts are few and fields many: each field holds one of an event's texts, so that an event costs
//! little to make and two fields often say the same.

use buffa::Message as _;
use proptest::prelude::*;
use sidearm_proto::{
    feeder::{Alert, ExecEvent, Log, Message, Podowner},
    sidearm::Gap,
};

use crate::contract::{
    Arrival, Digest, Event, Kind, Overrides, SeverityTable, Stream, Telling, Undecodable,
    from_json, samples,
};

/// As large as a kernel's event may become, in bytes.
const LARGEST_TEXT_BYTES: usize = 64 * 1024;
/// What is longer is in few fields of an event, in bytes.
const LONG_TEXT_BYTES: usize = 4 * 1024;
/// Fields that hold text; each takes one of a few texts, or none.
const TEXTS: usize = 32;

/// What a journal holds of one event, what a digest adds to it, and what the configuration says
/// over its head.
#[derive(Debug, Clone)]
pub(crate) struct OwnedEvent {
    kind: Kind,
    stream: Stream,
    message: Vec<u8>,
    received_us: u64,
    digest: Option<Digest>,
    overrides: Overrides,
}

impl OwnedEvent {
    /// Every sample of the contract and a gap record, each alone and told by a digest.
    pub(crate) fn samples() -> impl Iterator<Item = Self> {
        let names = samples().iter().map(|(name, _)| Self::sample(name));
        names.chain([Self::sample_gap()]).flat_map(|event| {
            let digest = Some(sample_digest());
            [Self { digest, ..event.clone() }, event]
        })
    }

    /// A sample of the contract.
    pub(crate) fn sample(name: &str) -> Self {
        let (_, line) = samples().iter().find(|(found, _)| *found == name).expect(name);
        let (stream, message) = from_json::read(line).expect(name);
        Self::of_message(stream, message)
    }

    /// An event of these bytes.
    pub(crate) fn of_message(stream: Stream, message: Vec<u8>) -> Self {
        Self::new(Kind::Event, stream, message)
    }

    fn new(kind: Kind, stream: Stream, message: Vec<u8>) -> Self {
        let overrides = Overrides::default();
        Self { kind, stream, message, received_us: 1, digest: None, overrides }
    }

    /// A note that three alerts of a minute may be missing.
    pub(crate) fn sample_gap() -> Self {
        Self::gap_of(Stream::Alert, "the relay ended the stream")
    }

    /// The same of any stream, for any reason.
    pub(crate) fn gap_of(stream: Stream, reason: &str) -> Self {
        let gap = Gap {
            FromMicros: 1_789_899_000_000_000,
            ToMicros: 1_789_899_060_000_000,
            Reason: reason.to_owned(),
            Lost: 3,
        };
        Self::new(Kind::Gap, stream, gap.encode_to_vec())
    }

    /// The same, told by a digest of 137 events in ten minutes.
    pub(crate) fn told(self) -> Self {
        Self { digest: Some(sample_digest()), ..self }
    }

    /// The same with its bytes as `change` leaves them: perhaps no event at all.
    pub(crate) fn with_bytes(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self.message);
        self
    }

    /// The event itself.
    pub(crate) fn event(&self) -> Event<'_> {
        self.decoded().expect("it was encoded here")
    }

    /// The event, where its bytes are one.
    pub(crate) fn decoded(&self) -> Result<Event<'_>, Undecodable> {
        let arrival = Arrival { stream: self.stream, sequence: 7, received_us: self.received_us };
        let event = Event::decode(self.kind, arrival, &self.message, &self.overrides)?;
        Ok(match &self.digest {
            Some(digest) => event.telling(digest),
            None => event,
        })
    }
}

fn sample_digest() -> Digest {
    Digest {
        telling: Telling::Repeats,
        events: 137,
        incidents: 1,
        first_us: 1_772_442_850_523_092,
        last_us: 1_772_443_450_523_092,
        pods: vec![("checkout-6c9d7f5b88-k2xqv".to_owned(), 130), ("cart-0".to_owned(), 7)],
        processes: vec![("/usr/bin/apt".to_owned(), 137)],
    }
}

/// Any event of any stream, a gap record at times, told alone or by a digest, under any overrides.
pub(crate) fn arbitrary_event() -> impl Strategy<Value = OwnedEvent> {
    let texts = prop::collection::vec(arbitrary_text(), 1..5);
    (texts, any::<u64>(), any::<i32>(), moment(), any::<u64>(), digest()).prop_map(
        |(texts, seed, number, (seconds, updated), received_us, digest)| {
            let choices = choices(seed);
            let numbers = std::array::from_fn(|index| number.rotate_left(index as u32));
            let writer = Writer { texts: &texts, choices: &choices, numbers, seconds, updated };
            let (kind, stream, mut message) = match seed % 16 {
                0 => (Kind::Gap, Stream::Alert, writer.gap()),
                1 => (Kind::Event, Stream::Message, writer.message()),
                2..=4 => (Kind::Event, Stream::Log, writer.log()),
                _ => (Kind::Event, Stream::Alert, writer.alert()),
            };
            // Two messages in a row are one by protobuf's rules, whose map has keys twice.
            if seed % 37 == 0 && kind == Kind::Event {
                message.extend_from_within(..);
            }
            OwnedEvent { kind, stream, message, received_us, digest, overrides: writer.overrides() }
        },
    )
}

/// As many numbers as there are texts, of one: a strategy for each would take most of the time.
fn choices(seed: u64) -> [u8; TEXTS] {
    let mut state = seed;
    std::array::from_fn(|_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    })
}

/// Control characters, marks of direction, mentions, links, markup, injections of headers and
/// queries, what broken UTF-8 becomes, and sometimes very much of it.
pub(crate) fn arbitrary_text() -> impl Strategy<Value = String> {
    let short = prop_oneof![
        4 => any::<String>(),
        4 => prop::sample::select(HOSTILE).prop_map(str::to_owned),
        2 => prop::collection::vec(any::<u8>(), 0..40)
            .prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    (short, 0..1_024_u16, any::<u16>()).prop_map(|(text, luck, bytes)| match (luck, text.len()) {
        (0, 1..) => text.repeat(usize::from(bytes) / text.len()),
        (1, 1..) => text.repeat(LARGEST_TEXT_BYTES / text.len()),
        _ => text,
    })
}

const HOSTILE: &[&str] = &[
    "/usr/bin/apt install -y netcat",
    "shop",
    "checkout-6c9d7f5b88-k2xqv",
    "Block",
    "Process",
    "Network",
    "AlertThreshold",
    "sa_family=AF_INET sin_addr=203.0.113.40 sin_port=443 protocol=TCP",
    "syscall=SYS_EXECVE a=b ==x",
    "app=checkout,tier=backend,,=,x,app=twice",
    "10",
    "<!channel> <@U012345> <https://evil.example|click>",
    "@everyone @here <@&1> [a](https://evil.example) **b** `c` ~~d~~",
    "<users/all> <at>all</at> </td></tr></table><script>alert(1)</script>",
    "\r\nBcc: victim@evil.example\r\n\r\nbody",
    "\n.\r\nMAIL FROM:<a@evil.example>",
    "=?utf-8?q?=0D=0ABcc:_x?= =?utf-8?b?DQo=?=",
    "\u{202e}gnp.exe\u{200f}\u{2066}\u{2069}\u{200b}\u{feff}",
    "\0\u{1}\u{1b}[31m\u{7f}\u{85}\u{2028}\u{2029}",
    "a' or 1=1 -- \\' \" ${jndi:ldap://a} {{ 7*7 }} %0d%0a %s",
    "e\u{301}\u{301}\u{301} 👩\u{200d}👩\u{200d}👧 名前 näme \u{fffd}\u{10ffff}",
    "CEF:0|a|b|c|d\\|e=f\\=g",
    "\\\\\\\"\\",
];

const OPERATIONS: &[&str] = &[
    "Process",
    "File",
    "Network",
    "Syscall",
    "Capabilities",
    "Device",
    "NetworkFirewall",
    "AlertThreshold",
];

const DATA: &[&str] = &[
    "syscall=SYS_OPENAT fd=-100 flags=O_WRONLY|O_CREAT",
    "kprobe=tcp_connect domain=AF_INET",
    "syscall=SYS_ACCEPT4 fd=8",
    "kfunc=UDP_SENDMSG,domain=a.example,daddr=2001:db8::1,qtype=AAAA",
    "SourceIP=10.0.0.1 SourcePort=0 DestinationIP=x DestinationPort=99999 Protocol=58",
    "lsm=FILE_RENAME",
    "lsm=CAPABLE CAP_NET_RAW",
];

fn moment() -> impl Strategy<Value = (i64, String)> {
    let updated = prop_oneof![
        6 => Just("2026-03-02T09:14:10.523092Z".to_owned()),
        1 => Just("9999-12-30T23:59:59.999999Z".to_owned()),
        1 => Just("-009999-01-02T00:00:00Z".to_owned()),
        1 => Just("0000-01-01T00:00:00Z".to_owned()),
        2 => Just(String::new()),
        1 => arbitrary_text(),
    ];
    (prop_oneof![Just(0), 1_700_000_000..1_900_000_000_i64, any::<i64>()], updated)
}

fn digest() -> impl Strategy<Value = Option<Digest>> {
    let telling = prop::sample::select(&[Telling::Repeats, Telling::Quiet, Telling::Held][..]);
    let counted = || prop::collection::vec((arbitrary_text(), any::<u64>()), 0..4);
    let moments = (any::<i64>(), any::<i64>());
    let digest = (telling, any::<u64>(), any::<u64>(), moments, counted(), counted()).prop_map(
        |(telling, events, incidents, (first_us, last_us), pods, processes)| Digest {
            telling,
            events,
            incidents,
            first_us,
            last_us,
            pods,
            processes,
        },
    );
    prop::option::weighted(0.3, digest)
}

struct Writer<'a> {
    texts: &'a [String],
    choices: &'a [u8; TEXTS],
    numbers: [i32; 8],
    seconds: i64,
    updated: String,
}

impl Writer<'_> {
    /// The text of one field: none in a quarter of all cases. One that is very long stands in few:
    /// a kernel has one long argument at a time, and reading many costs minutes.
    fn text(&self, field: usize) -> String {
        let choice = usize::from(self.choices[field]);
        let text = &self.texts[choice / 4 % self.texts.len()];
        let is_left_out = choice.is_multiple_of(4) || text.len() > LONG_TEXT_BYTES && choice > 31;
        if is_left_out { String::new() } else { text.clone() }
    }

    /// One of a few likely texts in half of all cases, else any.
    fn pick(&self, field: usize, likely: &[&str]) -> String {
        let choice = usize::from(self.choices[field]);
        if choice.is_multiple_of(2) {
            return likely[choice / 2 % likely.len()].to_owned();
        }
        self.text(field)
    }

    /// Half of all configurations say something.
    fn overrides(&self) -> Overrides {
        let [choice, low, steps, ..] = *self.choices;
        if choice.is_multiple_of(2) {
            return Overrides::default();
        }
        let (low, step) = (low % 12, steps % 4);
        let (medium, high, critical) = (low + step, low + 2 * step, low + 3 * step);
        let severity = SeverityTable { low, medium, high, critical };
        Overrides { cluster: self.texts[0].clone(), severity }
    }

    fn operation(&self) -> String {
        self.pick(20, OPERATIONS)
    }

    fn data(&self) -> String {
        self.pick(22, DATA)
    }

    fn alert(&self) -> Vec<u8> {
        let [host_ppid, host_pid, ppid, pid, uid, max, dropping, _] = self.numbers;
        Alert {
            Timestamp: self.seconds,
            UpdatedTime: self.updated.clone(),
            ClusterName: self.text(1),
            HostName: self.text(4),
            NamespaceName: self.text(5),
            Owner: self.owner().into(),
            PodName: self.text(9),
            Labels: self.text(10),
            ContainerID: self.text(11),
            ContainerName: self.text(12),
            ContainerImage: self.text(13),
            HostPPID: host_ppid,
            HostPID: host_pid,
            PPID: ppid,
            PID: pid,
            UID: uid,
            ParentProcessName: self.text(14),
            ProcessName: self.text(15),
            PolicyName: self.text(16),
            Severity: self.pick(0, &["1", "5", "8", "10", "", "11"]),
            Tags: self.text(17),
            ATags: self.texts.to_vec(),
            Message: self.text(18),
            Type: self.pick(4, &["MatchedPolicy", "MatchedHostPolicy", "MatchedNetworkPolicy"]),
            Source: self.text(19),
            Operation: self.operation(),
            Resource: self.text(21),
            Data: self.data(),
            EventData: [(self.text(23), self.text(24)), (self.text(25), self.text(26))]
                .into_iter()
                .collect(),
            Enforcer: self.text(27),
            Action: self.text(28),
            Result: self.text(29),
            Cwd: self.text(30),
            TTY: self.text(31),
            MaxAlertsPerSec: max,
            DroppingAlertsInterval: dropping,
            ExecEvent: self.execution().into(),
            NodeID: self.text(6),
            ProcessHash: self.text(2),
            ParentHash: self.text(7),
            ResourceHash: self.text(8),
            HashAlgo: self.pick(9, &["sha256", "md5", ""]),
            KubeArmorVersion: self.pick(12, &["v1.7.4", "v1.6.8-dirty"]),
            UserName: self.text(13),
        }
        .encode_to_vec()
    }

    fn owner(&self) -> Podowner {
        Podowner { Ref: self.text(6), Name: self.text(7), Namespace: self.text(8) }
    }

    fn execution(&self) -> ExecEvent {
        ExecEvent { ExecID: self.text(2), ExecutableName: self.text(3) }
    }

    fn log(&self) -> Vec<u8> {
        let [host_ppid, host_pid, ppid, pid, uid, ..] = self.numbers;
        Log {
            Timestamp: self.seconds,
            UpdatedTime: self.updated.clone(),
            ClusterName: self.text(1),
            HostName: self.text(4),
            NamespaceName: self.text(5),
            Owner: self.owner().into(),
            PodName: self.text(9),
            Labels: self.text(10),
            ContainerID: self.text(11),
            ContainerName: self.text(12),
            ContainerImage: self.text(13),
            HostPPID: host_ppid,
            HostPID: host_pid,
            PPID: ppid,
            PID: pid,
            UID: uid,
            ParentProcessName: self.text(14),
            ProcessName: self.text(15),
            Type: self.pick(4, &["ContainerLog", "HostLog"]),
            Source: self.text(19),
            Operation: self.operation(),
            Resource: self.text(21),
            Data: self.data(),
            EventData: [(self.text(23), self.text(24))].into_iter().collect(),
            Result: self.text(29),
            Cwd: self.text(30),
            TTY: self.text(31),
            ExecEvent: self.execution().into(),
            NodeID: self.text(6),
            ProcessHash: self.text(2),
            ParentHash: self.text(7),
            ResourceHash: self.text(8),
            HashAlgo: self.pick(9, &["sha256", "md5", ""]),
            UserName: self.text(13),
        }
        .encode_to_vec()
    }

    fn message(&self) -> Vec<u8> {
        Message {
            Timestamp: self.seconds,
            UpdatedTime: self.updated.clone(),
            ClusterName: self.text(1),
            HostName: self.text(4),
            HostIP: self.text(5),
            Type: "Message".to_owned(),
            Level: self.text(6),
            Message: self.text(7),
        }
        .encode_to_vec()
    }

    fn gap(&self) -> Vec<u8> {
        Gap {
            FromMicros: self.seconds,
            ToMicros: self.seconds.saturating_add(self.numbers[0].into()),
            Reason: self.text(1),
            Lost: self.numbers[1].unsigned_abs().into(),
        }
        .encode_to_vec()
    }
}
