//! What every gRPC client and server of ours shares: messages as bytes, errors in words.

pub(crate) mod words;

use std::io;

use bytes::{Buf as _, BufMut as _, Bytes};
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::{
    Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::{self, Channel, Endpoint},
};

/// A channel over one connection, which it never replaces behind our back.
pub(crate) async fn over<IO>(io: IO, endpoint: Endpoint) -> Result<Channel, transport::Error>
where
    IO: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut io = Some(TokioIo::new(io));
    let once = tower::service_fn(move |_: Uri| {
        let io = io.take().ok_or_else(|| io::Error::other("the connection is over"));
        std::future::ready(io)
    });
    endpoint.connect_with_connector(once).await
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
