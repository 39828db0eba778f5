//! A proxy that knows one thing: `CONNECT`, for who shows the right user and password, to one server
//! behind it whatever its name is. It hands over what that server says first together with its own
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
pub(super) const USER: &str = "egress";
pub(super) const PASSWORD: &str = "hunter2";

/// The proxy; it ends when it is dropped.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Proxy {
    /// `tls` is what the server behind it speaks, where it speaks TLS.
    pub(super) async fn start(server: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (mut task, seen) = (JoinSet::new(), asked.clone());
        task.spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                // A caller that hangs up early ends its own connection only.
                let _ = serve(caller, server, tls.clone(), &seen).await;
            }
        });
        Self { address, asked, _task: task }
    }

    /// What it was asked to connect to, in order.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("held by nobody who panics").clone()
    }
}

async fn serve(
    mut caller: TcpStream,
    server: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
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
    let behind = TcpStream::connect(server).await?;
    match tls {
        Some(config) => {
            caller.write_all(TAKEN).await?;
            carry(TlsAcceptor::from(config).accept(caller).await?, behind, &[]).await
        }
        None => carry(caller, behind, TAKEN).await,
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
