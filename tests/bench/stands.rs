//! Stand-ins for destinations: they read what comes, discard it and say what their vendor says of
//! a request that went well. Cheap on purpose: they run on the same processors.

use std::{io::Read as _, net::Ipv4Addr};

use axum::{
    Router,
    body::Bytes,
    extract::DefaultBodyLimit,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsServiceRequest, ExportLogsServiceResponse,
    logs_service_server::{LogsService, LogsServiceServer},
};
use tokio::{io::AsyncReadExt as _, net::TcpListener};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::codec::CompressionEncoding;

use crate::{Failure, part::end_with_director};

/// `http`, `grpc` or `tcp`. Says its address and serves until its director is gone.
pub(crate) fn run(way: &str) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
    println!("{}", listener.local_addr()?);
    end_with_director();
    match way {
        "http" => {
            let routes = Router::new().fallback(answer).layer(DefaultBodyLimit::disable());
            Ok(runtime.block_on(async { axum::serve(listener, routes).await })?)
        }
        "grpc" => {
            let service =
                LogsServiceServer::new(Discard).accept_compressed(CompressionEncoding::Gzip);
            let incoming = TcpListenerStream::new(listener);
            let server = tonic::transport::Server::builder().add_service(service);
            Ok(runtime.block_on(server.serve_with_incoming(incoming))?)
        }
        "tcp" => runtime.block_on(swallow(listener)),
        way => Err(format!("expected http, grpc or tcp, found {way}").into()),
    }
}

async fn swallow(listener: TcpListener) -> Result<(), Failure> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let mut room = vec![0; 256 * 1024];
            while stream.read(&mut room).await.is_ok_and(|read| read > 0) {}
        });
    }
}

async fn answer(uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    match uri.path() {
        path if path.ends_with("/_bulk") => (json, bulk(&headers, &body)).into_response(),
        "/v1/logs" => StatusCode::OK.into_response(),
        "/services/collector/event" => (json, "{\"text\":\"Success\",\"code\":0}").into_response(),
        path if path.ends_with("/token") => {
            let token = "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"t\"}";
            (json, token).into_response()
        }
        path if path.ends_with("/messages") => StatusCode::CREATED.into_response(),
        _ => StatusCode::NO_CONTENT.into_response(),
    }
}

/// An item for each record: two lines are one.
fn bulk(headers: &HeaderMap, body: &[u8]) -> String {
    let mut plain = Vec::new();
    let body = match headers.contains_key(header::CONTENT_ENCODING) {
        true if flate2::read::GzDecoder::new(body).read_to_end(&mut plain).is_ok() => &plain[..],
        _ => body,
    };
    let records = body.iter().filter(|byte| **byte == b'\n').count() / 2;
    let items = vec!["{\"create\":{\"status\":201}}"; records].join(",");
    format!("{{\"took\":1,\"errors\":false,\"items\":[{items}]}}")
}

struct Discard;

#[tonic::async_trait]
impl LogsService for Discard {
    async fn export(
        &self,
        _: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, tonic::Status> {
        Ok(tonic::Response::new(ExportLogsServiceResponse::default()))
    }
}
