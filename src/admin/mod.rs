//! Metrics, health and status over HTTP, on loopback unless told otherwise.
//!
//! Read-only: it shows what `status.rs` tells, and no secret can be in it.

mod metrics;

use std::{io, net::SocketAddr};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::status::{Status, StatusSource};

/// What OpenMetrics is served as.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes the address before anything else is started.
pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until it is dropped.
pub(crate) async fn serve(listener: TcpListener, status: StatusSource) {
    let routes = Router::new()
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready_page))
        .route("/api/status", get(status_page))
        .with_state(status);
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::error!(%error, "metrics and health are no longer served");
    }
}

async fn metrics_page(State(status): State<StatusSource>) -> impl IntoResponse {
    match metrics::write(status.read()) {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, OPENMETRICS)], text),
        Err(error) => {
            let text = format!("the metrics could not be written: {error}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], text)
        }
    }
}

async fn status_page(State(status): State<StatusSource>) -> Json<Status> {
    Json(status.read())
}

async fn ready_page(State(source): State<StatusSource>) -> (StatusCode, String) {
    if source.is_ready() {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let status = source.read();
    let mut why = Vec::new();
    if !status.relay.healthy {
        let error = status.relay.last_error.unwrap_or_else(|| "no answer yet".to_owned());
        why.push(format!("the relay at {} does not answer: {error}", status.relay.address));
    }
    if !status.journal.writable {
        let error = status.journal.last_error.unwrap_or_default();
        why.push(format!("the journal cannot be written: {error}"));
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", why.join("; ")))
}
