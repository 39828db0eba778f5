//! The calls of `feeder.LogService`, with the real relay's habits.
//!
//! A filter it does not know ends the stream at once with status OK; response headers come with
//! the first event and not before, as grpc-go sends them lazily; a health check is an echo.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use buffa::Message as _;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use sidearm_proto::feeder::{NonceMessage, ReplyMessage, RequestMessage};
use sidearm_sinks::contract::Stream;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, body::Body, server::Grpc};
use tower::service_fn;

use super::queues::Queues;
use crate::{
    grpc::Raw,
    relay::protocol::{HEALTH_CHECK, watch_path},
};

/// What callers meet.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) queues: Arc<Queues>,
    /// Whether health checks are answered.
    pub(super) answering: watch::Sender<bool>,
    /// Whether every stream ends at once, as with a filter it does not know.
    pub(super) turning_away: AtomicBool,
    /// Calls, by [`Stream::index`].
    pub(super) openings: [AtomicU64; 3],
    /// Health checks, answered or not.
    pub(super) health_checks: AtomicU64,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            queues: Arc::default(),
            answering: watch::Sender::new(true),
            turning_away: AtomicBool::new(false),
            openings: Default::default(),
            health_checks: AtomicU64::new(0),
        }
    }
}

/// What tonic serves.
#[derive(Clone)]
pub(super) struct LogService(pub(super) Arc<Desk>);

impl LogService {
    async fn answer(self, request: http::Request<Body>) -> http::Response<Body> {
        let desk = &self.0;
        let path = request.uri().path();
        if path == HEALTH_CHECK {
            let echo = service_fn(|request| desk.health_check(request));
            return Grpc::new(Raw).unary(echo, request).await;
        }
        match Stream::ALL.into_iter().find(|stream| watch_path(*stream) == path) {
            Some(stream) => {
                let watch = service_fn(|request| desk.watch(stream, request));
                Grpc::new(Raw).server_streaming(watch, request).await
            }
            None => Status::unimplemented(format!("unknown method {path}")).into_http(),
        }
    }
}

impl tower::Service<http::Request<Body>> for LogService {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.answer(request).await) })
    }
}

impl Desk {
    /// Answers the number it is given, once health checks are answered at all.
    async fn health_check(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        let asked = NonceMessage::decode_from_slice(&request.into_inner()).map_err(malformed)?;
        self.health_checks.fetch_add(1, Relaxed);
        self.answering
            .subscribe()
            .wait_for(|answering| *answering)
            .await
            .map_err(|_| Status::unavailable("the relay is gone"))?;
        Ok(Response::new(ReplyMessage { Retval: asked.nonce }.encode_to_bytes()))
    }

    /// Subscribes, and resolves with the first event. An end before it is answered with trailers
    /// alone, and so is a filter the relay does not know.
    async fn watch(
        &self,
        stream: Stream,
        request: Request<Bytes>,
    ) -> Result<Response<impl tokio_stream::Stream<Item = Result<Bytes, Status>> + use<>>, Status>
    {
        let request =
            RequestMessage::decode_from_slice(&request.into_inner()).map_err(malformed)?;
        self.openings[stream.index()].fetch_add(1, Relaxed);
        if self.turning_away.load(Relaxed) || !knows_filter(stream, &request.Filter) {
            return Err(Status::ok(""));
        }
        let mut events = self.queues.subscribe(stream);
        let first = events.next().await.unwrap_or_else(|| Err(Status::ok("")))?;
        Ok(Response::new(tokio_stream::once(Ok(first)).chain(events)))
    }
}

fn knows_filter(stream: Stream, filter: &str) -> bool {
    match stream {
        Stream::Alert => matches!(filter, "all" | "policy"),
        Stream::Log => matches!(filter, "all" | "system"),
        Stream::Message => true,
    }
}

fn malformed(error: buffa::DecodeError) -> Status {
    Status::internal(format!("reading the request: {error}"))
}
