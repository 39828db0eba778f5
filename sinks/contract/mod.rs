//! What a destination must say of itself, and the words it may use.
//!
//! A sink is a function of its configuration and the batch: it writes an event as a record, a
//! batch as a request, and judges the answer. Everything that waits, retries, connects, reads a
//! clock or a file is the engine's.

mod address;
mod amqp;
mod append;
mod authorization;
mod azure;
mod batch;
mod body;
mod concern;
mod destination;
mod digest;
mod encoding;
mod event;
pub mod from_json;
mod grpc;
mod http;
pub mod json;
mod kafka;
mod link;
mod mail;
mod overrides;
mod prefixed;
mod samples;
mod secret;
mod setup;
mod socket;
mod suggest;
#[cfg(test)]
pub(crate) mod testing;
mod units;
mod usual;
mod uuid;
mod verdict;
mod visible;

pub use address::Address;
pub use amqp::{Amqp, AmqpConnection, AmqpMessage, AmqpOutcome, AmqpReply, AmqpRequest, AmqpState};
pub use append::{Append, AppendConnection, AppendRequest, Rotation, Written};
pub(crate) use authorization::{authorization, bearer, scheme};
pub(crate) use azure::identity;
pub use azure::{Cloud, Credential, Entra, Identity, IdentityKind, SharedAccess};
pub use batch::{Batch, BatchBuilder, Record};
pub use body::Body;
pub(crate) use body::write_json_string;
pub use concern::{Concern, LaneView};
pub use destination::{AnySink, Destination, Shown};
pub use digest::{Digest, DigestDefaults, Telling};
pub(crate) use encoding::COMPRESSION;
pub use encoding::Encoding;
pub use event::{
    Arrival, Direction, Endpoint, Event, EventId, FIELDS, Field, FieldKind, Gap,
    INCIDENT_TEXT_BYTES, Kind, Network, Owner, Stream, Undecodable, Value,
};
pub(crate) use event::{known_key, read_moment};
pub use grpc::{Grpc, GrpcConnection, GrpcReply, GrpcRequest};
pub use http::{AwsKeys, Http, HttpConnection, HttpReply, HttpRequest, Proof, SigV4, Signing, Tls};
pub use kafka::{
    Acks, Compression, Content, Kafka, KafkaConnection, KafkaRecord, KafkaReply, KafkaRequest,
    Mechanism, Produced, Sasl,
};
pub(crate) use link::{LINK, Link};
pub use mail::{Mail, MailAnswer, MailConnection, MailReply, MailRequest, MailSecurity, MailStep};
pub use overrides::{Gravity, Overrides, SeverityTable};
pub use prefixed::{Pattern, Prefixed};
pub use samples::samples;
pub use secret::{Secret, SecretUrl};
pub use setup::{Progress, Setup, SetupStep};
pub use socket::{Sent, Socket, SocketConnection, SocketRequest, Transport};
pub use suggest::did_you_mean;
pub use units::{ByteSize, Span, parse_bytes, parse_span};
pub use usual::Timeout;
pub(crate) use usual::{HEADERS, TIMEOUT, headers, is_label_name};
pub(crate) use uuid::uuid;
pub use verdict::{Question, Verdict};
pub(crate) use visible::{acts, push_visible};
pub use visible::{start_of, write_visible};

use std::time::Duration;

/// A way of speaking to a destination: what is sent, what comes back, how it is reached.
pub trait Protocol: Send + Sync + Sized + 'static {
    /// One attempt.
    type Request: Clone + std::fmt::Debug + Send + Sync + 'static;
    /// What the destination answered.
    type Reply: Send + 'static;
    /// How it is reached; read once, when the lane opens its wire.
    type Connection: Default + std::fmt::Debug + Send + Sync;

    /// What the protocol's own status means where the destination adds nothing to it.
    fn verdict(reply: &Self::Reply) -> Verdict<Self>;

    /// A request as people may see it: without secrets.
    fn shown(request: &Self::Request, connection: &Self::Connection) -> Shown;

    /// The certificate files of a connection, where it may have any.
    fn tls(connection: &Self::Connection) -> Option<&Tls> {
        let _ = connection;
        None
    }

    /// What no second sink may write to, in words; nothing where several may.
    fn exclusive(connection: &Self::Connection) -> Option<String> {
        let _ = connection;
        None
    }
}

/// A destination, described. It never touches the network, the disk or the clock.
pub trait Sink<P: Protocol = Http>: Send + Sync {
    /// Writes one event, whose body the engine has rendered, as one record of this destination.
    /// Records of a batch stand one behind the other, so a record carries its own separator.
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let _ = event;
        record.extend_from_slice(body.bytes);
    }

    /// Writes one batch as one request; called again, with the same batch, for each attempt.
    fn request(&self, batch: &Batch) -> P::Request;

    /// Says what the answer means. The default reads the protocol's own status.
    fn verdict(&self, batch: &Batch, reply: &P::Reply) -> Verdict<P> {
        let _ = batch;
        P::verdict(reply)
    }

    /// Says what the answer to a [`Question`] means for the batch, once `asked` was sent.
    /// Answering [`Verdict::Ask`] again asks again; a sink that asks no question never sees this
    /// called.
    fn answer(&self, batch: &Batch, asked: &P::Request, reply: &P::Reply) -> Verdict<P> {
        let _ = asked;
        self.verdict(batch, reply)
    }

    /// Says what becomes of a batch whose [`Question`] found no answer within
    /// [`Question::give_up`]; `asked` is the last request. The default sends it again.
    fn gave_up(&self, asked: &P::Request) -> Verdict<P> {
        let _ = asked;
        Verdict::Later(
            Some(Duration::ZERO),
            "the destination took a batch and did not acknowledge it in time; it is sent again"
                .to_owned(),
        )
    }

    /// What one request of this very table may hold, where its settings leave less room than
    /// `limits`, those of its [`Facts`].
    fn limits(&self, limits: Limits) -> Limits {
        limits
    }

    /// The request's body as people can read it, where what is sent is no text, or
    /// holds a secret.
    fn readable(&self, batch: &Batch) -> Option<bytes::Bytes> {
        let _ = batch;
        None
    }

    /// What of the lane it is on this sink cannot serve, or would serve badly.
    fn concerns(&self, lane: &LaneView) -> Vec<Concern> {
        let _ = lane;
        Vec::new()
    }

    /// What the destination needs installed for events of these streams in this format; nothing
    /// where it needs nothing.
    fn setup(&self, format: Format, streams: &[Stream]) -> Option<Box<dyn Setup<P>>> {
        let _ = (format, streams);
        None
    }

    /// How to reach it: TLS, time-outs, and proofs of identity that need a clock.
    fn connection(&self) -> P::Connection {
        P::Connection::default()
    }
}

/// What is true of every instance of a sink.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its name: the key of its table in a configuration.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// The body it takes unless told otherwise.
    pub format: Format,
    /// Whether it has a form of its own, [`Format::Native`].
    pub native: bool,
    /// What one request may hold.
    pub limits: Limits,
    /// Requests a second it may be sent; none where nothing is published.
    pub rate_per_second: Option<f64>,
    /// How like events are told as one message; none where every event is sent.
    pub digest: Option<DigestDefaults>,
    /// Each setting of its table, but for those of `tls`.
    pub settings: &'static [Setting],
    /// Whether its table has one `tls`, whose settings are the same everywhere: [`TLS_SETTINGS`].
    pub tls: bool,
    /// A complete table, as `config.example.toml` shows it: lines of the sink's own table.
    pub example: &'static str,
    /// What stands in for the variables (`${env:NAME}`) of `example` where it is only looked at.
    pub sample_secrets: &'static [(&'static str, &'static str)],
}

impl Facts {
    /// Every setting of its table.
    pub fn all_settings(&self) -> impl Iterator<Item = &'static Setting> + Clone {
        let tls = if self.tls { TLS_SETTINGS } else { &[] };
        self.settings.iter().chain(tls)
    }
}

/// One setting of a sink, told to people.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its key, with dots.
    pub key: &'static str,
    /// What it does, its unit and its default.
    pub help: &'static str,
}

/// The settings of a destination's table `tls`.
pub const TLS_SETTINGS: &[Setting] = &[
    Setting {
        key: "tls.ca",
        help: "a PEM file of the authorities to trust. Default: those of the system",
    },
    Setting { key: "tls.cert", help: "a PEM file of the client certificate, and its chain" },
    Setting { key: "tls.key", help: "a PEM file of its key" },
    Setting {
        key: "tls.server_name",
        help: "the name in the destination's certificate. Default: that of its address",
    },
    Setting {
        key: "tls.insecure",
        help: "whether to take any certificate, which is warned about. Default: false",
    },
];

/// What one request may hold, and how many may be under way.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Events in a batch, by default and at most.
    pub events: usize,
    /// Bytes of a batch's records, uncompressed, by default and at most.
    pub bytes: usize,
    /// How long a batch may wait for more events. Zero sends a waiting event at once.
    pub wait: Duration,
    /// Batches under way at once.
    pub in_flight: usize,
    /// The vendor's page that states them.
    pub source: &'static str,
}

/// How an event becomes the body of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// The destination's own form, which the sink itself makes of the event: a card, a typed
    /// record. The body is then empty.
    Native,
    /// KubeArmor's own JSON, byte for byte as its relay prints it.
    Json,
    /// An OpenTelemetry log record, as OTLP's JSON.
    Otlp,
    /// Common Event Format, a line: [`crate::formats::cef`].
    Cef,
    /// Log Event Extended Format of IBM QRadar, a line: [`crate::formats::leef`].
    Leef,
    /// For people, like `karmor logs`.
    Text,
    /// What the lane's `template` writes.
    Template,
    /// The Elastic Common Schema.
    Ecs,
    /// The Open Cybersecurity Schema Framework: an activity, of the class of what was done.
    Ocsf,
    /// The Open Cybersecurity Schema Framework: a detection finding.
    OcsfFinding,
    /// A row of Microsoft Sentinel's Advanced Security Information Model.
    Asim,
}

impl Format {
    /// All of them, the destination's own first.
    pub const ALL: [Self; 11] = [
        Self::Native,
        Self::Json,
        Self::Otlp,
        Self::Cef,
        Self::Leef,
        Self::Text,
        Self::Template,
        Self::Ecs,
        Self::Ocsf,
        Self::OcsfFinding,
        Self::Asim,
    ];

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Json => "json",
            Self::Otlp => "otlp",
            Self::Cef => "cef",
            Self::Leef => "leef",
            Self::Text => "text",
            Self::Template => "template",
            Self::Ecs => "ecs",
            Self::Ocsf => "ocsf",
            Self::OcsfFinding => "ocsf_finding",
            Self::Asim => "asim",
        }
    }

    /// Whether its bodies are one JSON object each.
    pub fn is_json(self) -> bool {
        match self {
            Self::Json | Self::Ecs | Self::Ocsf | Self::OcsfFinding | Self::Asim | Self::Otlp => {
                true
            }
            Self::Native | Self::Cef | Self::Leef | Self::Text | Self::Template => false,
        }
    }
}

/// One line of the catalogue.
pub struct Entry {
    /// What is true of every instance.
    pub facts: fn() -> Facts,
    /// Reads the sink's table; the path in the error is relative to it.
    pub build: fn(toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError>,
}

/// What is wrong with a sink's table.
#[derive(Debug)]
pub struct SettingError {
    /// The key at fault, dotted and relative to the sink's table; empty where none is to blame.
    pub path: String,
    /// What is wrong and what was expected, without the path.
    pub message: String,
    /// Where in the configuration's text, in bytes, if it is known.
    pub span: Option<std::ops::Range<usize>>,
}

impl SettingError {
    /// A fault of one key that its type cannot express.
    pub fn at(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), span: None }
    }
}

/// Reads a sink's table into its struct.
pub fn read<T: serde::de::DeserializeOwned>(
    table: toml::de::ValueDeserializer<'_>,
) -> Result<T, SettingError> {
    serde_path_to_error::deserialize(table).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        SettingError {
            path: if path == "." { String::new() } else { path },
            message: inner.message().to_owned(),
            span: inner.span(),
        }
    })
}
