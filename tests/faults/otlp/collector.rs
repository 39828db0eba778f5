//! A collector by the letter of the OTLP specification: protobuf decoded by OpenTelemetry's own
//! types, by gRPC or HTTP, with the limits a collector has unless told otherwise.

use std::{
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    body::Bytes,
    http::{HeaderMap, StatusCode, header},
    response::IntoResponse,
    routing::post,
};
use opentelemetry_proto::tonic::{
    collector::logs::v1::{
        ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    logs::v1::LogRecord,
    resource::v1::Resource,
};
use prost::Message as _;
use tokio::{net::TcpListener, runtime::Runtime, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status, codec::CompressionEncoding, transport::Server};

/// gRPC's own default for what a server takes.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// How it answers once a request was found right.
#[derive(Debug, Clone)]
pub(super) enum Mood {
    Takes,
    Refuses { records: i64, why: &'static str },
    Says(Code, Vec<u8>),
    Hangs,
}

/// What it has taken, and what it will say next.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    taken: Arc<Mutex<Vec<(Resource, LogRecord)>>>,
    mood: Arc<Mutex<Mood>>,
    headers: Arc<Mutex<Vec<String>>>,
}

/// A server with all its connections; dropped, it is gone as a killed process is.
pub(super) struct Running(Option<Runtime>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.take().expect("dropped once").shutdown_background();
    }
}

impl Collector {
    pub(super) fn new() -> Self {
        let mood = Arc::new(Mutex::new(Mood::Takes));
        Self { taken: Arc::default(), mood, headers: Arc::default() }
    }

    pub(super) fn is_now(&self, mood: Mood) {
        *self.mood.lock().expect("held by nobody who panics") = mood;
    }

    pub(super) fn taken(&self) -> Vec<(Resource, LogRecord)> {
        self.taken.lock().expect("held by nobody who panics").clone()
    }

    /// The `authorization` of each request.
    pub(super) fn authorizations(&self) -> Vec<String> {
        self.headers.lock().expect("held by nobody who panics").clone()
    }

    /// Listens for gRPC until dropped.
    pub(super) fn by_grpc(&self) -> (SocketAddr, Running) {
        self.by_grpc_on(std::net::TcpListener::bind("127.0.0.1:0").expect("a port"))
    }

    pub(super) fn by_grpc_on(&self, listener: std::net::TcpListener) -> (SocketAddr, Running) {
        listener.set_nonblocking(true).expect("a listener of ours");
        let address = listener.local_addr().expect("an address");
        let service = LogsServiceServer::new(self.clone())
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(MAX_MESSAGE_BYTES);
        let runtime = Runtime::new().expect("a runtime");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            let incoming = TcpListenerStream::new(listener);
            Server::builder().add_service(service).serve_with_incoming(incoming).await
        });
        (address, Running(Some(runtime)))
    }

    /// Listens for HTTP until dropped.
    pub(super) async fn by_http(&self) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let collector = self.clone();
        let app = axum::Router::new().route(
            "/v1/logs",
            post(move |headers: HeaderMap, body: Bytes| async move {
                collector.post(&headers, &body).await
            }),
        );
        let mut serving = JoinSet::new();
        serving.spawn(async { axum::serve(listener, app).await.expect("it serves") });
        (address, serving)
    }

    async fn post(&self, headers: &HeaderMap, body: &[u8]) -> axum::response::Response {
        if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "application/x-protobuf") {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        let mut plain = Vec::new();
        let read = match headers.get(header::CONTENT_ENCODING).map(|kind| kind.as_bytes()) {
            None => body.to_vec().as_slice().read_to_end(&mut plain),
            Some(b"gzip") => flate2::read::GzDecoder::new(body).read_to_end(&mut plain),
            Some(b"zstd") => zstd::stream::copy_decode(body, &mut plain).map(|()| plain.len()),
            Some(_) => return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response(),
        };
        let Ok(request) = read
            .map_err(|_| ())
            .and_then(|_| ExportLogsServiceRequest::decode(&*plain).map_err(|_| ()))
        else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let authorization =
            headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        self.note(authorization);
        let protobuf = [(header::CONTENT_TYPE, "application/x-protobuf")];
        match self.answer(request).await {
            Ok(response) => (protobuf, response.encode_to_vec()).into_response(),
            Err(status) => {
                let http = match status.code() {
                    Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
                    Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                    Code::InvalidArgument => StatusCode::BAD_REQUEST,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                // google.rpc.Status: code and message.
                let mut body = vec![8, status.code() as u8, 0x12, status.message().len() as u8];
                body.extend_from_slice(status.message().as_bytes());
                (http, [("retry-after", "3")], protobuf, body).into_response()
            }
        }
    }

    fn note(&self, authorization: Option<&str>) {
        let mut headers = self.headers.lock().expect("held by nobody who panics");
        headers.push(authorization.unwrap_or_default().to_owned());
    }

    async fn answer(
        &self,
        request: ExportLogsServiceRequest,
    ) -> Result<ExportLogsServiceResponse, Status> {
        let mood = self.mood.lock().expect("held by nobody who panics").clone();
        let mut records = Vec::new();
        for logs in request.resource_logs {
            let resource = logs.resource.ok_or_else(|| Status::invalid_argument("no resource"))?;
            if logs.scope_logs.iter().all(|scope| scope.log_records.is_empty()) {
                return Err(Status::invalid_argument("an empty envelope"));
            }
            for record in logs.scope_logs.into_iter().flat_map(|scope| scope.log_records) {
                records.push((resource.clone(), record));
            }
        }
        if records.is_empty() {
            return Err(Status::invalid_argument("an empty envelope"));
        }
        match mood {
            Mood::Says(code, details) => {
                return Err(Status::with_details(code, "as the test has it", details.into()));
            }
            Mood::Hangs => std::future::pending().await,
            Mood::Takes | Mood::Refuses { .. } => {}
        }
        self.taken.lock().expect("held by nobody who panics").extend(records);
        let partial_success = match mood {
            Mood::Refuses { records, why } => Some(ExportLogsPartialSuccess {
                rejected_log_records: records,
                error_message: why.to_owned(),
            }),
            _ => None,
        };
        Ok(ExportLogsServiceResponse { partial_success })
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(
        &self,
        request: Request<ExportLogsServiceRequest>,
    ) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let authorization = request.metadata().get("authorization");
        self.note(authorization.and_then(|value| value.to_str().ok()));
        self.answer(request.into_inner()).await.map(Response::new)
    }
}
