//! `feeder.LogService` as it stands on the wire: its paths, its filters, its messages as bytes.
//!
//! Shared by the client beside it and by the built-in relay. Knows neither what a message means
//! nor where it goes.

use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use sidearm_sinks::contract::Stream;
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// The only health call a relay knows: it answers the number it is given.
pub(crate) const HEALTH_CHECK: &str = "/feeder.LogService/HealthCheck";

/// The call that opens a stream.
pub(crate) fn watch_path(stream: Stream) -> &'static str {
    match stream {
        Stream::Alert => "/feeder.LogService/WatchAlerts",
        Stream::Message => "/feeder.LogService/WatchMessages",
        Stream::Log => "/feeder.LogService/WatchLogs",
    }
}

/// A path as tonic takes it.
pub(crate) fn path(path: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(path)
}

/// Messages as bytes, whatever they mean.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }

    /// tonic gathers ready messages into one HTTP/2 DATA frame until a threshold is passed. Zero
    /// gives each message its own, as grpc-go does.
    fn buffer_settings(&self) -> BufferSettings {
        const BUFFER_BYTES: usize = 8 * 1024;
        BufferSettings::new(BUFFER_BYTES, 0)
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}
