//! A proxy that knows one thing: `CONNECT`, for who shows the right user and password, to one server
//! behind it whatever its name is. It hands over what a server says unasked together with its own
//! answer, as a busy one does.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

/// Who may use it.
pub(crate) const USER: &str = "egress";
pub(crate) const PASSWORD: &str = "hunter2";

/// The proxy; it ends when it is dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// Before a server that speaks first; `tls` is what it speaks, where it speaks TLS.
    pub(crate) async fn start(server: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        Self::before(Behind { server, tls, waits: false }).await
    }

    /// Before a server that says nothing until it is spoken to.
    pub(crate) async fn before_one_that_waits(server: SocketAddr) -> Self {
        Self::before(Behind { server, tls: None, waits: true }).await
    }

    async fn before(behind: Behind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (mut task, seen) = (JoinSet::new(), asked.clone());
        task.spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                // A caller that hangs up early ends its own connection only.
                let _ = serve(caller, &behind, &seen).await;
            }
        });
        Self { address, asked, _task: task }
    }

    /// What it was asked to connect to, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("held by nobody who panics").clone()
    }
}

/// The server behind a proxy.
struct Behind {
    server: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    /// Whether it says nothing until it is spoken to.
    waits: bool,
}

async fn serve(
    mut caller: TcpStream,
    behind: &Behind,
    asked: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(caller.read_u8().await?);
    }
    let head = String::from_utf8(head).expect("a head in ASCII");
    let line = head.lines().next().expect("a first line").to_owned();
    asked.lock().expect("held by nobody who panics").push(line.clone());
    let has = |line: &str| head.lines().any(|other| other.eq_ignore_ascii_case(line));
    let proof = BASE64_STANDARD.encode(format!("{USER}:{PASSWORD}"));
    let to = line.strip_prefix("CONNECT ").and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let refusal = match to {
        None => "405 Method Not Allowed",
        Some(to) if !has(&format!("host: {to}")) => "400 Bad Request",
        _ if !has(&format!("proxy-authorization: Basic {proof}")) => {
            "407 Proxy Authentication Required"
        }
        Some(_) => "",
    };
    if !refusal.is_empty() {
        let answer = format!("HTTP/1.1 {refusal}\r\ncontent-length: 0\r\n\r\n");
        return caller.write_all(answer.as_bytes()).await;
    }
    const TAKEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
    let mut server = TcpStream::connect(behind.server).await?;
    match &behind.tls {
        Some(config) => {
            caller.write_all(TAKEN).await?;
            carry(TlsAcceptor::from(config.clone()).accept(caller).await?, server, &[]).await
        }
        None if behind.waits => {
            caller.write_all(TAKEN).await?;
            copy_bidirectional(&mut caller, &mut server).await.map(drop)
        }
        None => carry(caller, server, TAKEN).await,
    }
}

/// Both ways until one ends; `first` goes to the caller with the first that is heard from behind.
async fn carry(
    mut caller: impl AsyncRead + AsyncWrite + Unpin,
    mut behind: TcpStream,
    first: &[u8],
) -> std::io::Result<()> {
    let mut greeting = vec![0; 4096];
    let read = behind.read(&mut greeting).await?;
    caller.write_all(&[first, &greeting[..read]].concat()).await?;
    copy_bidirectional(&mut caller, &mut behind).await.map(drop)
}
