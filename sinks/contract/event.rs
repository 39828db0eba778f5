//! What the relay sent, seen through: fields as KubeArmor names them, and facts derived from them.
//!
//! A view over the message's own bytes; nothing is copied, facts are computed when asked.

use std::fmt;

use buffa::MessageView as _;
use sidearm_proto::{
    feeder::{AlertView, LogView, MessageView},
    sidearm::GapView,
};

/// Which of the relay's streams an event came on. Alerts first: the order is that of precedence.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Policy matches and throttle notices.
    Alert,
    /// Messages of the agents themselves.
    Message,
    /// Telemetry of containers and hosts.
    Log,
}

impl Stream {
    /// All of them, in order of precedence.
    pub const ALL: [Stream; 3] = [Stream::Alert, Stream::Message, Stream::Log];

    /// Its name in configurations, filters and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Message => "message",
            Self::Log => "log",
        }
    }

    /// Its place in [`Stream::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a record of the journal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message of the relay, as it came.
    Event,
    /// Sidearm's own note that events may have been missed.
    Gap,
}

/// What an event was given on arrival.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// Its stream.
    pub stream: Stream,
    /// Its place in that stream's journal.
    pub sequence: u64,
    /// When its block was opened, in microseconds since 1970.
    pub received_us: u64,
}

/// 128 bits that name an event: a hash of its message in canonical form (fields in number order,
/// map entries and label order sorted), so the same on every replica, retry and restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u128);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// One event, seen through. It borrows from the message's bytes.
#[derive(Debug)]
pub struct Event<'a> {
    arrival: Arrival,
    cluster: &'a str,
    body: Body<'a>,
}

/// A log has no field that an alert has not, so one view serves both.
#[derive(Debug)]
enum Body<'a> {
    Alert(Box<AlertView<'a>>),
    Message(Box<MessageView<'a>>),
    Gap(Box<GapView<'a>>),
}

/// Why bytes are not an event.
#[derive(Debug)]
pub struct Undecodable(String);

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undecodable {}

/// The value of a field, as filters and templates see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text; empty where the event has none.
    Str(&'a str),
    /// Text that had to be made.
    String(String),
    /// A number; 0 where the event has none.
    Int(i64),
    /// A condition.
    Bool(bool),
    /// Several texts.
    List(Vec<&'a str>),
    /// Named texts.
    Map(Vec<(&'a str, &'a str)>),
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// [`Value::Str`] or [`Value::String`].
    Text,
    /// [`Value::Int`].
    Number,
    /// [`Value::Bool`].
    Condition,
    /// [`Value::List`].
    List,
    /// [`Value::Map`].
    Map,
}

/// A name that filters and templates may use.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The name, as people write it.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldKind,
    /// What it means, in one line.
    pub help: &'static str,
}

/// Every name that filters and templates may use: KubeArmor's own, then the derived ones.
pub const FIELDS: &[Field] = &[];
