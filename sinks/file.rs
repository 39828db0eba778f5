//! A file of lines: one write a batch, rotation by size and age.
//!
//! Owns the settings and what a line is; opening, writing, rotating and mending are the wire's.

use std::{path::PathBuf, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::contract::{
    Append, AppendConnection, AppendRequest, Batch, Body, ByteSize, Destination, Entry, Event,
    Facts, Format, Limits, Rotation, Setting, SettingError, Sink, Span, read,
};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `file` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[serde(deserialize_with = "dated_path")]
    path: PathBuf,
    #[serde(default)]
    rotate: Rotate,
    #[serde(default)]
    sync: bool,
}

/// The table `file.rotate`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Rotate {
    max_size: ByteSize,
    max_age: Span,
    keep: usize,
    gzip: bool,
}

impl Default for Rotate {
    fn default() -> Self {
        Self { max_size: ByteSize(0), max_age: Span(Duration::ZERO), keep: 0, gzip: false }
    }
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    read::<File>(table).map(|sink| Destination::Append(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "file",
        summary: "a file of lines, rotated by date, size and age",
        format: Format::Json,
        native: false,
        limits: Limits {
            events: 5_000,
            bytes: 4 * 1024 * 1024,
            wait: Duration::ZERO,
            in_flight: 1,
            source: "https://man7.org/linux/man-pages/man2/write.2.html",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: false,
        example: "path = \"/var/log/kubearmor/%Y-%m-%d.ndjson\"\nrotate.max_size = \"100 MiB\"\nrotate.keep = 14\nrotate.gzip = true\n",
        sample_secrets: &[],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "path",
        help: "the file, with strftime fields such as %Y-%m-%d, read in UTC; folders are made",
    },
    Setting {
        key: "rotate.max_size",
        help: "a larger file gives way to a new one, as \"100 MiB\". Default: 0, never",
    },
    Setting {
        key: "rotate.max_age",
        help: "an older file gives way to a new one, as \"1d\". Default: \"0s\", never",
    },
    Setting {
        key: "rotate.keep",
        help: "how many old files are kept beside the current one, in its folder: rotated ones, \
               and those of earlier dates. Default: 0, all",
    },
    Setting { key: "rotate.gzip", help: "whether old files are compressed. Default: false" },
    Setting {
        key: "sync",
        help: "whether each batch is made safe from a power cut before it counts. Default: false",
    },
];

impl Sink<Append> for File {
    fn record(&self, _: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        body.write_lines(record);
    }

    fn request(&self, batch: &Batch) -> AppendRequest {
        AppendRequest { bytes: batch.bytes() }
    }

    fn connection(&self) -> AppendConnection {
        AppendConnection::File {
            path: self.path.clone(),
            rotation: Rotation {
                max_bytes: self.rotate.max_size.0,
                max_age: self.rotate.max_age.0,
                keep: self.rotate.keep,
                gzip: self.rotate.gzip,
            },
            sync: self.sync,
        }
    }
}

/// A path whose fields can be read, tried on a date.
fn dated_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() || text.ends_with('/') {
        return Err(D::Error::custom(format!("expected the path of a file, found \"{text}\"")));
    }
    let date = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    match jiff::fmt::strtime::format(&text, &date) {
        Ok(_) => Ok(PathBuf::from(text)),
        Err(error) => Err(D::Error::custom(format!(
            "expected a path with strftime fields such as %Y-%m-%d (%% stands for one %): {error}"
        ))),
    }
}
