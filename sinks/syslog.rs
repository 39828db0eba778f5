//! Syslog, RFC 5424: over TLS (RFC 5425), TCP (RFC 6587) or UDP (RFC 5426).
//!
//! Each event is one message: header, one structured element, and the body of any format (CEF by
//! default). A record is a whole frame, so a batch is written as it stands. Receivers answer
//! nothing: what is promised stands at the head of the wire. Event text can end no field, no
//! element and no frame.

mod message;
mod settings;
#[cfg(test)]
pub(crate) mod tests;

use std::time::Duration;

use serde::Deserialize;

use crate::contract::{
    Batch, Body, ByteSize, Destination, Entry, Event, Facts, Format, Limits, Prefixed, Setting,
    SettingError, Sink, Socket, SocketConnection, SocketRequest, Timeout, Tls, Transport, read,
};
use settings::{Address, AppName, Facility, Framing};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `syslog` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Syslog {
    address: Address,
    #[serde(default)]
    transport: Transport,
    framing: Option<Framing>,
    #[serde(default)]
    facility: Facility,
    #[serde(default)]
    app_name: AppName,
    hostname: Option<Prefixed>,
    #[serde(default = "yes")]
    structured_data: bool,
    #[serde(default = "for_documentation")]
    enterprise_id: u32,
    #[serde(default)]
    bom: bool,
    max_message: Option<ByteSize>,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
}

fn yes() -> bool {
    true
}

/// The number that RFC 5612 keeps for examples; a company uses its own.
fn for_documentation() -> u32 {
    32_473
}

/// The least that every receiver must take (RFC 5424, 6.1).
const LEAST_MESSAGE_BYTES: u64 = 480;
/// Far beyond what receivers take by default.
const MOST_MESSAGE_BYTES: u64 = 256 * 1024;
/// What a datagram of IPv4 holds.
const MOST_DATAGRAM_BYTES: u64 = 65_507;
/// Receivers should take 8192 (RFC 5425, 4.3.1); rsyslog takes so much by default and cuts the rest
/// (<https://www.rsyslog.com/doc/configuration/global/index.html>, `maxMessageSize`).
const STREAM_MESSAGE_BYTES: usize = 8096;
/// What crosses networks in one piece.
const DATAGRAM_MESSAGE_BYTES: usize = 1180;

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: Syslog = read(table)?;
    let is_udp = sink.transport == Transport::Udp;
    if is_udp && sink.framing.is_some() {
        return Err(SettingError::at("framing", "datagrams have none; leave it out"));
    }
    let most = if is_udp { MOST_DATAGRAM_BYTES } else { MOST_MESSAGE_BYTES };
    if let Some(ByteSize(max)) = sink.max_message
        && !(LEAST_MESSAGE_BYTES..=most).contains(&max)
    {
        let why = format!("expected from {LEAST_MESSAGE_BYTES} to {most} bytes, found {max}");
        return Err(SettingError::at("max_message", why));
    }
    let Tls { ca, cert, key, insecure, server_name } = &sink.tls;
    let files = [ca, cert, key];
    let is_set = *insecure || server_name.is_some() || files.iter().any(|file| file.is_some());
    if sink.transport != Transport::Tls && is_set {
        return Err(SettingError::at("tls", "expected only where transport is \"tls\""));
    }
    Ok(Destination::Socket(Box::new(sink)))
}

/// Batches written while earlier ones are still watched.
const IN_FLIGHT: usize = 8;

fn facts() -> Facts {
    Facts {
        name: "syslog",
        summary: "a syslog receiver (RFC 5424) over TLS, TCP or UDP, with CEF, LEEF or any format",
        format: Format::Cef,
        native: true,
        limits: Limits {
            events: 1_000,
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: IN_FLIGHT,
            source: "https://www.rfc-editor.org/rfc/rfc5424#section-6.1",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "address = \"siem.example.com:6514\"\n",
        sample_secrets: &[],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "address",
        help: "the receiver, as \"siem.example.com:6514\". Default port: 6514 for TLS, else 514",
    },
    Setting { key: "transport", help: "\"tls\", \"tcp\" or \"udp\". Default: \"tls\"" },
    Setting {
        key: "framing",
        help: "\"octet-counting\": each message behind its length; \"newline\": a line each, with \
               line ends in it written out. Default: \"octet-counting\"",
    },
    Setting {
        key: "facility",
        help: "\"local0\" to \"local7\", \"user\", \"auth\", ... Default: \"local0\"",
    },
    Setting { key: "app_name", help: "APP-NAME of each message. Default: \"kubearmor\"" },
    Setting {
        key: "hostname",
        help: "HOSTNAME; literal text, then fields: \"node-{{ HostName }}\". Default: the event's \
               HostName",
    },
    Setting {
        key: "structured_data",
        help: "whether an element kubearmor@N tells event id, stream, policy, namespace, pod, \
               action and severity. Default: true",
    },
    Setting {
        key: "enterprise_id",
        help: "its N: your private enterprise number. Default: 32473, the number for examples",
    },
    Setting {
        key: "bom",
        help: "whether a byte order mark before the body says that it is UTF-8. Default: false",
    },
    Setting {
        key: "max_message",
        help: "longer messages lose of their body, never of their header: of CEF and LEEF whole \
               pairs, of JSON the ends of its longest texts (`truncated`), and what is too long \
               even so becomes the line of `native`. Default: 8096 bytes, 1180 by UDP",
    },
    Setting { key: "timeout", help: "how long writing a batch may take. Default: \"30s\"" },
];

impl Sink<Socket> for Syslog {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        let mut message = Vec::with_capacity(2048);
        self.write_message(event, body, &mut message);
        match self.framing() {
            None => record.extend_from_slice(&message),
            Some(Framing::Newline) => {
                record.extend_from_slice(&message);
                record.push(b'\n');
            }
            Some(Framing::OctetCounting) => {
                record.extend_from_slice(message.len().to_string().as_bytes());
                record.push(b' ');
                record.extend_from_slice(&message);
            }
        }
    }

    fn request(&self, batch: &Batch) -> SocketRequest {
        let mut end = 0;
        let ends = batch.records().map(|record| {
            end += record.bytes.len();
            end
        });
        SocketRequest { ends: ends.collect(), bytes: batch.bytes() }
    }

    fn connection(&self) -> SocketConnection {
        let default_port = if self.transport == Transport::Tls { 6514 } else { 514 };
        SocketConnection {
            host: self.address.host.clone(),
            port: self.address.port.unwrap_or(default_port),
            transport: self.transport,
            tls: self.tls.clone(),
            timeout: self.timeout.0,
        }
    }
}

impl Syslog {
    /// None for datagrams, which have ends of their own.
    fn framing(&self) -> Option<Framing> {
        (self.transport != Transport::Udp).then(|| self.framing.unwrap_or_default())
    }

    fn max_message(&self) -> usize {
        let default = match self.transport {
            Transport::Udp => DATAGRAM_MESSAGE_BYTES,
            Transport::Tcp | Transport::Tls => STREAM_MESSAGE_BYTES,
        };
        let set = self.max_message.and_then(|ByteSize(max)| usize::try_from(max).ok());
        set.unwrap_or(default)
    }
}
