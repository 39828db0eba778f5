//! gRPC: one unary call, one answer, within one time-out.
//!
//! Owns the channel and the line between "nothing was sent" and "the answer was lost". A channel
//! is one connection that is never replaced behind our back; after trouble a new one is made, with
//! the address looked up and the certificate files read afresh. A proxy that the environment names
//! is asked for a tunnel.

use std::{error::Error, time::Duration};

use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};
use sidearm_sinks::contract::{Encoding, Grpc, GrpcConnection, GrpcReply, GrpcRequest};
use tokio::{sync::Mutex, time::timeout};
use tonic::{
    Status,
    codec::CompressionEncoding,
    metadata::MetadataMap,
    transport::{Channel, Endpoint},
};

use super::{Attempt, Wire, WireError, proxy::tunnel, tls};
use crate::grpc::{self, Raw, words::causes};

/// What destinations know us by.
const USER_AGENT: &str = concat!("sidearm/", env!("CARGO_PKG_VERSION"));
/// Connecting takes no longer, so that the rest of the time-out is for the answer.
const MAX_CONNECT: Duration = Duration::from_secs(10);
/// As much of an answer as is taken.
const MAX_REPLY_BYTES: usize = 64 * 1024;

/// The way to one gRPC destination; several calls may be under way at once.
#[derive(Debug)]
pub struct GrpcWire {
    connection: GrpcConnection,
    url: Uri,
    kept: Mutex<Kept>,
}

/// The channel in use, and which it is of all there were.
#[derive(Debug, Default)]
struct Kept {
    channel: Option<Channel>,
    number: u64,
}

impl GrpcWire {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`WireError::Unusable`] names the address or the certificate file that cannot be used.
    pub fn new(connection: &GrpcConnection) -> Result<Self, WireError> {
        let url: Uri = connection.url.reveal().parse().map_err(|error| {
            WireError::Unusable(format!("reading the address {}: {error}", connection.url))
        })?;
        if connection.url.is_tls() {
            tls::check(&connection.tls, &tunnel::host_and_port(&url).0)?;
        }
        Ok(Self { connection: connection.clone(), url, kept: Mutex::default() })
    }

    async fn attempt(&self, request: GrpcRequest) -> Result<GrpcReply, WireError> {
        let limit = self.connection.timeout;
        let (channel, number) = timeout(MAX_CONNECT.min(limit / 2), self.channel())
            .await
            .map_err(|_| WireError::NotSent("no connection in time".to_owned()))??;
        let lost = match timeout(limit, call(channel, request)).await {
            Ok(Ok(reply)) => return Ok(reply),
            Ok(Err(lost)) => lost,
            Err(_) => WireError::ReplyLost(format!("no answer within {limit:?}")),
        };
        self.give_up(number).await;
        Err(lost)
    }

    /// The channel there is, or a new one; and its number.
    async fn channel(&self) -> Result<(Channel, u64), WireError> {
        let mut kept = self.kept.lock().await;
        if let Some(channel) = &kept.channel {
            return Ok((channel.clone(), kept.number));
        }
        let channel = self.connect().await?;
        kept.channel = Some(channel.clone());
        kept.number += 1;
        Ok((channel, kept.number))
    }

    /// Uses this channel no more. A call that fails late leaves a newer one alone.
    async fn give_up(&self, number: u64) {
        let mut kept = self.kept.lock().await;
        if kept.number == number {
            kept.channel = None;
        }
    }

    async fn connect(&self) -> Result<Channel, WireError> {
        let not_sent = |error: &dyn Error| WireError::NotSent(causes(error));
        let io = tunnel::connect(&self.url).await?;
        let endpoint = Endpoint::from_shared(self.connection.url.origin())
            .map_err(|error| not_sent(&error))?
            .user_agent(USER_AGENT)
            .map_err(|error| not_sent(&error))?;
        let channel = match self.connection.url.is_tls() {
            true => {
                let (host, _) = tunnel::host_and_port(&self.url);
                let io = tls::over(io, &self.connection.tls, &host, &[b"h2"]).await?;
                grpc::over(io, endpoint).await
            }
            false => grpc::over(io, endpoint).await,
        };
        channel.map_err(|error| not_sent(&error))
    }
}

async fn call(channel: Channel, request: GrpcRequest) -> Result<GrpcReply, WireError> {
    let lost = |error: &dyn Error| WireError::ReplyLost(causes(error));
    let mut client = tonic::client::Grpc::new(channel).max_decoding_message_size(MAX_REPLY_BYTES);
    for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        client = client.accept_compressed(encoding);
    }
    client = match request.encoding {
        Encoding::Identity => client,
        Encoding::Gzip(_) => client.send_compressed(CompressionEncoding::Gzip),
        Encoding::Zstd(_) => client.send_compressed(CompressionEncoding::Zstd),
    };
    client.ready().await.map_err(|error| lost(&error))?;
    let mut message = tonic::Request::new(request.message);
    *message.metadata_mut() = MetadataMap::from_headers(request.metadata);
    match client.unary(message, PathAndQuery::from_static(request.path), Raw).await {
        Ok(answer) => Ok(GrpcReply {
            code: 0,
            reason: String::new(),
            details: Bytes::new(),
            message: answer.into_inner(),
        }),
        // What the transport itself came to is no answer.
        Err(status) if status.source().is_some() => Err(lost(&status)),
        Err(status) => Ok(refusal(&status)),
    }
}

fn refusal(status: &Status) -> GrpcReply {
    GrpcReply {
        code: status.code().into(),
        reason: status.message().to_owned(),
        details: Bytes::copy_from_slice(status.details()),
        message: Bytes::new(),
    }
}

impl Wire<Grpc> for GrpcWire {
    fn call(&self, request: GrpcRequest) -> Attempt<'_, Grpc> {
        Box::pin(self.attempt(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_that_fails_late_leaves_a_newer_channel_alone() {
        let wire = GrpcWire::new(&GrpcConnection::default()).expect("no files to read");
        let newer = Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
        *wire.kept.lock().await = Kept { channel: Some(newer), number: 2 };
        wire.give_up(1).await;
        assert!(wire.kept.lock().await.channel.is_some());
        wire.give_up(2).await;
        assert!(wire.kept.lock().await.channel.is_none());
    }
}
