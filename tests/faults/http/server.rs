//! A server of one manner, on a port of its own, speaking just enough HTTP to misbehave.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// How it treats every caller.
#[derive(Debug, Clone)]
pub(super) enum Manner {
    /// Reads the request, writes these bytes, hangs up.
    Answer(Vec<u8>),
    /// Reads the request and says nothing.
    Silent,
    /// Reads the request and begins an answer that never ends.
    Trickle,
    /// Reads the request and resets the connection.
    Reset,
    /// Resets the connection unread.
    ResetUnread,
}

/// One request, as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn has(&self, line: &str) -> bool {
        self.head.lines().any(|other| other == line)
    }
}

/// Serves until it is dropped.
pub(super) struct Server {
    pub(super) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::open(manner, None).await
    }

    pub(super) async fn start_tls(manner: Manner, config: Arc<ServerConfig>) -> Self {
        Self::open(manner, Some(TlsAcceptor::from(config))).await
    }

    /// Every request so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no panic while it is held").clone()
    }

    async fn open(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        // Certificates are for the name.
        let (scheme, host) =
            if tls.is_some() { ("https", "localhost") } else { ("http", "127.0.0.1") };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(accept(listener, manner, tls, seen.clone()));
        Self { url: format!("{scheme}://{host}:{port}"), seen, task }
    }
}

async fn accept(
    listener: TcpListener,
    manner: Manner,
    tls: Option<TlsAcceptor>,
    seen: Arc<Mutex<Vec<Seen>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (manner, tls, seen) = (manner.clone(), tls.clone(), seen.clone());
        tokio::spawn(async move {
            if matches!(manner, Manner::Reset | Manner::ResetUnread) {
                reset_on_close(&stream);
            }
            // A caller that goes away is the caller's business.
            let _ = match tls {
                None => serve(stream, manner, &seen).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => serve(stream, manner, &seen).await,
                    Err(error) => Err(error),
                },
            };
        });
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    manner: Manner,
    seen: &Mutex<Vec<Seen>>,
) -> io::Result<()> {
    if matches!(manner, Manner::ResetUnread) {
        return Ok(());
    }
    let request = read(&mut stream).await?;
    seen.lock().expect("no panic while it is held").push(request);
    match manner {
        Manner::Answer(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Manner::Silent => std::future::pending().await,
        Manner::Trickle => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-slow: ").await?;
            loop {
                stream.write_all(b"z").await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Manner::Reset | Manner::ResetUnread => Ok(()),
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok(Seen { head, body })
}

fn reset_on_close(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("an open socket");
}
