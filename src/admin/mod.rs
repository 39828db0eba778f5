//! Metrics, health and status over HTTP, on loopback unless told otherwise.
//!
//! Read-only: it shows what `status.rs` tells, and no secret can be in it. A connection carries one
//! request, and neither many of them nor slow ones take anything from the lanes.

mod metrics;

use std::{io, net::SocketAddr, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
    serve::Listener,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinSet,
    time::timeout,
};

use crate::status::{Status, StatusSource};

/// What OpenMetrics is served as.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Connections at once; further ones wait until they are accepted.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last in all.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

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
    answer_all(listener, routes).await;
}

async fn answer_all(mut listener: impl Listener, routes: Router) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() == MAX_CONNECTIONS {
            connections.join_next().await;
        }
        let (io, _) = listener.accept().await;
        connections.spawn(answer(io, routes.clone()));
    }
}

/// Answers one request. What a client does wrong, or leaves undone, is its own affair.
async fn answer(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, routes: Router) {
    let mut server = Builder::new(TokioExecutor::new()).http1_only();
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).keep_alive(false);
    let answered = server.serve_connection(TokioIo::new(io), TowerToHyperService::new(routes));
    let _ = timeout(CONNECTION_TIMEOUT, answered).await;
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex},
        sync::mpsc,
        time::{Instant, sleep},
    };

    use super::*;

    const PIPE_BYTES: usize = 1024;
    const LARGE_BYTES: usize = 1 << 20;

    /// Connections without a network, as the clock is paused.
    struct Pipes(mpsc::Receiver<DuplexStream>);

    impl Listener for Pipes {
        type Io = DuplexStream;
        type Addr = ();

        async fn accept(&mut self) -> (DuplexStream, ()) {
            (self.0.recv().await.expect("a test that goes on"), ())
        }

        fn local_addr(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn served() -> mpsc::Sender<DuplexStream> {
        let (calls, incoming) = mpsc::channel(2 * MAX_CONNECTIONS);
        let routes = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/large", get(|| async { "x".repeat(LARGE_BYTES) }));
        tokio::spawn(answer_all(Pipes(incoming), routes));
        calls
    }

    async fn connect(calls: &mpsc::Sender<DuplexStream>) -> DuplexStream {
        let (near, far) = duplex(PIPE_BYTES);
        calls.send(far).await.expect("a server");
        near
    }

    async fn ask(connection: &mut DuplexStream, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        connection.write_all(request.as_bytes()).await.expect("room in the pipe");
    }

    async fn rest(mut connection: DuplexStream) -> String {
        let mut text = String::new();
        let read = timeout(Duration::from_secs(600), connection.read_to_string(&mut text));
        read.await.expect("the connection is ended").expect("text");
        text
    }

    #[tokio::test(start_paused = true)]
    async fn silent_clients_are_let_go_and_keep_another_waiting_no_longer() {
        let (calls, started) = (served(), Instant::now());
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            silent.push(connect(&calls).await);
        }
        let mut one_more = connect(&calls).await;
        ask(&mut one_more, "/").await;
        let answer = rest(one_more).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        let waited = started.elapsed();
        assert!(waited >= HEADER_TIMEOUT && waited < CONNECTION_TIMEOUT, "{waited:?}");
        for connection in silent {
            rest(connection).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_let_go() {
        let calls = served();
        let mut slow = connect(&calls).await;
        ask(&mut slow, "/large").await;
        sleep(2 * CONNECTION_TIMEOUT).await;
        assert!(rest(slow).await.len() <= PIPE_BYTES);
        let mut fast = connect(&calls).await;
        ask(&mut fast, "/large").await;
        assert!(rest(fast).await.len() > LARGE_BYTES);
    }
}
