//! The shape of the configuration file: every table, every key, every default.

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use super::problem::Problem;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor, value::MapAccessDeserializer},
};
use sidearm_sinks::contract::{
    ByteSize, Destination, DigestDefaults, Facts, Format, Overrides, Span, Stream, parse_span,
};

/// A whole configuration, checked, with every secret in its place.
pub struct Config {
    /// The cluster's name, and how grave a policy's severity is.
    pub overrides: Overrides,
    /// Where the events come from.
    pub relay: RelayConfig,
    /// Where they are kept.
    pub journal: JournalConfig,
    /// Metrics, health and status.
    pub admin: AdminConfig,
    /// How it ends.
    pub shutdown: ShutdownConfig,
    /// The program's own log.
    pub log: LogConfig,
    /// The sinks, in the file's order.
    pub sinks: Vec<SinkConfig>,
    /// What is served, perhaps not as it was meant.
    pub doubts: Vec<Problem>,
}

/// `[relay]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayConfig {
    /// `host:port` of KubeArmor's relay, or of one agent.
    pub address: String,
    /// Trust and identity towards it.
    pub tls: RelayTls,
}

impl Default for RelayConfig {
    /// `localhost:32767`, where a port-forward of the relay listens.
    fn default() -> Self {
        Self { address: "localhost:32767".to_owned(), tls: RelayTls::default() }
    }
}

/// `[relay.tls]`. Files are read again at each connect.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RelayTls {
    /// Whether to use TLS.
    pub mode: TlsMode,
    /// PEM file of the authority that signed the relay's certificate.
    pub ca: Option<PathBuf>,
    /// PEM file of our client certificate.
    pub cert: Option<PathBuf>,
    /// PEM file of its key, PKCS#1 or PKCS#8.
    pub key: Option<PathBuf>,
    /// The name to look for in the relay's certificate, where it is not that of `address`.
    pub server_name: Option<String>,
    /// Whether the name must stand in the certificate; `false` checks the chain alone, for the
    /// relay's self-made certificates, which carry no name. Default true.
    #[serde(default)]
    pub verify_name: VerifyName,
}

/// `true` unless said otherwise.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub struct VerifyName(pub bool);

impl Default for VerifyName {
    fn default() -> Self {
        Self(true)
    }
}

/// Whether the relay is spoken to by TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Plain text.
    Off,
    /// TLS where any of the certificate files named, or those in `/var/lib/kubearmor/tls`, are
    /// there; else plain text.
    #[default]
    Auto,
    /// TLS, always.
    On,
}

/// `[journal]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// The folder that holds the journal, cursors and dead letters.
    pub path: PathBuf,
    /// Room for alerts.
    pub alerts: Budget,
    /// Room for logs.
    pub logs: Budget,
    /// Room for messages.
    pub messages: Budget,
    /// The window a power cut can take: a time, `"always"` or `"never"`.
    pub sync: SyncPolicy,
    /// Room for dead letters, for each sink.
    pub dead_letters: Budget,
}

impl Default for JournalConfig {
    fn default() -> Self {
        const GIB: u64 = 1 << 30;
        const MIB: u64 = 1 << 20;
        Self {
            path: PathBuf::from("/var/lib/sidearm"),
            alerts: Budget { max: ByteSize(GIB) },
            logs: Budget { max: ByteSize(GIB) },
            messages: Budget { max: ByteSize(64 * MIB) },
            sync: SyncPolicy::default(),
            dead_letters: Budget { max: ByteSize(64 * MIB) },
        }
    }
}

/// Room on disk.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Bytes at most, as `"512 MiB"`.
    pub max: ByteSize,
}

/// When written blocks are made safe from a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncPolicy {
    /// Each block, before it counts as received.
    Always,
    /// At this interval.
    Every(Duration),
    /// Whenever the operating system pleases.
    Never,
}

impl<'de> Deserialize<'de> for SyncPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            every => parse_span(every).map(|Span(every)| Self::Every(every)).map_err(|_| {
                D::Error::custom(format!(
                    "expected \"always\", \"never\" or a time such as \"100ms\", found \"{every}\""
                ))
            }),
        }
    }
}

impl Default for SyncPolicy {
    fn default() -> Self {
        Self::Every(Duration::from_millis(100))
    }
}

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AdminConfig {
    /// Where metrics, health and status are served; `"off"`, which is none here, serves nothing.
    #[serde(deserialize_with = "address_or_off")]
    pub listen: Option<SocketAddr>,
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self { listen: Some(SocketAddr::from(([127, 0, 0, 1], 9464))) }
    }
}

fn address_or_off<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(from)?;
    if text == "off" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        let expected = "expected an address and a port such as \"127.0.0.1:9464\", or \"off\"";
        D::Error::custom(format!("{expected}, found \"{text}\""))
    })
}

/// `[shutdown]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShutdownConfig {
    /// How long lanes may go on delivering once the relay was left, before the rest is kept for
    /// the next start.
    pub wait: Span,
}

impl Default for ShutdownConfig {
    fn default() -> Self {
        Self { wait: Span(Duration::from_secs(10)) }
    }
}

/// `[log]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A level (`info`), or tracing's directives. `RUST_LOG` beats it.
    pub level: Option<String>,
}

/// How the program's own log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// An object a line.
    Json,
}

/// `[sinks.NAME]`, with its destination built.
pub struct SinkConfig {
    /// Its lane.
    pub lane: LaneConfig,
    /// The destination itself.
    pub destination: Destination,
    /// Builds the destination again, secrets read afresh: what a parked lane does before a probe.
    pub rebuild: Rebuild,
}

/// What a lane takes and how it sends it.
#[derive(Debug, Clone)]
pub struct LaneConfig {
    /// NAME: letters, digits, `-` and `_`, at most 64; it names cursors, metrics and files.
    pub name: String,
    /// The streams it takes.
    pub streams: Vec<Stream>,
    /// A CEL condition; none takes everything.
    pub when: Option<String>,
    /// How an event becomes a body.
    pub format: Format,
    /// The Jinja text for [`Format::Template`].
    pub template: Option<String>,
    /// When a batch is full; the destination's own limits where the file says nothing.
    pub batch: BatchLimits,
    /// Requests a second at most; none is no limit.
    pub rate_per_second: Option<f64>,
    /// How like events are told as one message; none where each is sent.
    pub digest: Option<DigestDefaults>,
    /// What the catalogue says of the destination.
    pub facts: Facts,
}

/// When a batch is full, and how many may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Events at most.
    pub events: usize,
    /// Bytes of records at most, uncompressed; a single larger record goes alone.
    pub bytes: usize,
    /// How long a batch may wait for more events.
    pub wait: Duration,
    /// Batches under way at once.
    pub in_flight: usize,
}

/// Builds a destination again from the same table. Answers `Ok(None)` where no secret changed
/// since the last build, so that a parked lane may go on waiting without a request.
pub type Rebuild = Box<dyn FnMut() -> Result<Option<Destination>, String> + Send>;

/// The lane's own keys of `[sinks.NAME]`, beside the one table that names the destination.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LaneTable {
    /// See [`LaneConfig::streams`]. Default: alerts only.
    pub streams: Option<Vec<Stream>>,
    /// See [`LaneConfig::when`].
    pub when: Option<String>,
    /// See [`LaneConfig::format`].
    pub format: Option<Format>,
    /// See [`LaneConfig::template`].
    pub template: Option<String>,
    /// See [`LaneConfig::batch`].
    pub batch: BatchTable,
    /// See [`LaneConfig::rate_per_second`].
    pub rate_per_second: Option<f64>,
    /// See [`LaneConfig::digest`].
    pub digest: Option<DigestKey>,
}

/// `digest` of `[sinks.NAME]`: whether, or how, like events are told as one message.
#[derive(Debug, Clone)]
pub enum DigestKey {
    /// `false`, or `true` for the destination's defaults.
    Switch(bool),
    /// A table.
    Table(DigestTable),
}

/// `[sinks.NAME.digest]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DigestTable {
    /// How long repeats are absorbed before one message tells of them.
    pub every: Option<Span>,
    /// Messages an hour at most.
    pub per_hour: Option<u32>,
}

impl<'de> Deserialize<'de> for DigestKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = DigestKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("false, or a table such as { every = \"10m\", per_hour = 60 }")
            }

            fn visit_bool<E>(self, on: bool) -> Result<DigestKey, E> {
                Ok(DigestKey::Switch(on))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DigestKey, A::Error> {
                DigestTable::deserialize(MapAccessDeserializer::new(map)).map(DigestKey::Table)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// `[sinks.NAME.batch]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BatchTable {
    /// See [`BatchLimits::events`].
    pub events: Option<usize>,
    /// See [`BatchLimits::bytes`].
    pub bytes: Option<ByteSize>,
    /// See [`BatchLimits::wait`].
    pub wait: Option<Span>,
    /// See [`BatchLimits::in_flight`].
    pub in_flight: Option<usize>,
}

/// The tables a file may hold at its top; used to tell unknown ones.
pub(super) const TABLES: [&str; 8] =
    ["cluster", "severity", "relay", "journal", "admin", "shutdown", "log", "sinks"];
