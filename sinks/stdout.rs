//! Standard output: lines, as KubeArmor's relay prints them, or for people with `format = "text"`.

use std::time::Duration;

use serde::Deserialize;

use crate::contract::{
    Append, AppendConnection, AppendRequest, Batch, Body, Destination, Entry, Event, Facts, Format,
    Limits, SettingError, Sink, read,
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `stdout` of a sink. It has no settings; the lane's own `format` chooses the text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stdout {}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    read::<Stdout>(table).map(|sink| Destination::Append(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "stdout",
        summary: "standard output, an event a line",
        format: Format::Json,
        native: false,
        limits: Limits {
            events: 1_000,
            bytes: 1024 * 1024,
            wait: Duration::ZERO,
            in_flight: 1,
            source: "https://man7.org/linux/man-pages/man7/pipe.7.html",
        },
        rate_per_second: None,
        digest: None,
        settings: &[],
        tls: false,
        example: "",
        sample_secrets: &[],
    }
}

impl Sink<Append> for Stdout {
    fn record(&self, _: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        body.write_lines(record);
    }

    fn request(&self, batch: &Batch) -> AppendRequest {
        AppendRequest { bytes: batch.bytes() }
    }

    fn connection(&self) -> AppendConnection {
        AppendConnection::Stdout
    }
}
