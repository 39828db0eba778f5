//! The socket wire against receivers that close, break, refuse and dawdle: a batch that a receiver
//! may not have had is never called sent.

use std::{fs, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use sidearm::wire::{SocketWire, Wire as _, WireError};
use sidearm_sinks::contract::{
    Protocol as _, Sent, Socket, SocketConnection, SocketRequest, Tls, Transport, Verdict,
};
use socket2::SockRef;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::http::authority::{Authority, server};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

fn connection(to: SocketAddr, transport: Transport) -> SocketConnection {
    SocketConnection {
        host: to.ip().to_string(),
        port: to.port(),
        transport,
        timeout: LONG,
        ..SocketConnection::default()
    }
}

fn messages(texts: &[&str]) -> SocketRequest {
    let mut ends = Vec::new();
    let mut bytes = Vec::new();
    for text in texts {
        bytes.extend_from_slice(text.as_bytes());
        ends.push(bytes.len());
    }
    SocketRequest { bytes: bytes.into(), ends }
}

async fn call(wire: &SocketWire, text: &str) -> Result<Sent, WireError> {
    wire.call(messages(&[text])).await
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

async fn tcp(to: SocketAddr) -> SocketWire {
    SocketWire::new(&connection(to, Transport::Tcp)).expect("a connection")
}

async fn accept(listener: &TcpListener) -> TcpStream {
    listener.accept().await.expect("a caller").0
}

async fn read(stream: &mut TcpStream, bytes: usize) -> String {
    let mut text = vec![0; bytes];
    stream.read_exact(&mut text).await.expect("all of it");
    String::from_utf8(text).expect("text")
}

/// Everything until the caller goes.
fn read_all(mut stream: TcpStream) -> JoinHandle<String> {
    tokio::spawn(async move {
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await;
        text
    })
}

#[tokio::test]
async fn a_connection_closed_while_idle_is_not_trusted_with_a_batch() {
    let (listener, address) = listener().await;
    let wire = tcp(address).await;
    for round in 0..5 {
        let text = format!("batch {round}\n");
        let receive = async {
            let mut stream = accept(&listener).await;
            assert_eq!(read(&mut stream, text.len()).await, text);
            // Whatever reaches it from now on is lost.
            tokio::time::sleep(Duration::from_millis(150)).await;
            drop(stream);
        };
        let (sent, ()) = tokio::join!(call(&wire, &text), receive);
        sent.expect("taken before it closed");
    }
}

#[tokio::test]
async fn a_batch_that_meets_a_close_is_not_called_sent() {
    let (listener, address) = listener().await;
    let wire = tcp(address).await;
    // Read, and closed at once: whether it was stored nobody knows.
    let receive = async {
        let mut stream = accept(&listener).await;
        read(&mut stream, 6).await;
    };
    let (sent, ()) = tokio::join!(call(&wire, "batch\n"), receive);
    let Err(WireError::ReplyLost(why)) = sent else { panic!("{sent:?}") };
    assert!(why.contains("closed the connection"), "{why}");

    // Not read at all, and broken.
    let receive = async {
        let stream = accept(&listener).await;
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).expect("a socket");
    };
    let (sent, ()) = tokio::join!(call(&wire, "batch\n"), receive);
    assert!(sent.is_err(), "called sent");
}

#[tokio::test]
async fn batches_under_way_at_once_are_written_one_behind_the_other() {
    let (listener, address) = listener().await;
    let wire = tcp(address).await;
    let texts: Vec<String> =
        (0..8).map(|number| format!("{number}").repeat(100_000) + "\n").collect();
    let calls = futures_util::future::join_all(texts.iter().map(|text| call(&wire, text)));
    let reading =
        tokio::spawn(async move { read_all(accept(&listener).await).await.expect("read") });
    for sent in calls.await {
        sent.expect("taken");
    }
    drop(wire);
    let received = reading.await.expect("accepted");
    let mut lines: Vec<_> = received.lines().map(|line| format!("{line}\n")).collect();
    lines.sort();
    assert!(lines == texts, "{} bytes", received.len());
}

#[tokio::test]
async fn a_receiver_that_does_not_read_is_given_up() {
    let (listener, address) = listener().await;
    let wire = SocketWire::new(&SocketConnection {
        timeout: SHORT,
        ..connection(address, Transport::Tcp)
    });
    let wire = wire.expect("a connection");
    let held = tokio::spawn(async move {
        let stream = accept(&listener).await;
        tokio::time::sleep(LONG).await;
        drop(stream);
    });
    // The largest batch: the kernels on both sides have room for it, and it is not taken.
    let bytes = Bytes::from(vec![b'x'; 1_000_000]);
    let sent = wire.call(SocketRequest { ends: vec![bytes.len()], bytes }).await;
    held.abort();
    let Err(WireError::ReplyLost(why)) = sent else { panic!("{sent:?}") };
    assert!(why.contains("not taken within 300ms"), "{why}");
}

#[tokio::test]
async fn where_nobody_listens_nothing_is_sent() {
    let (listener, address) = listener().await;
    drop(listener);
    let sent = call(&tcp(address).await, "batch\n").await;
    assert!(matches!(sent, Err(WireError::NotSent(_))), "{sent:?}");
    let nowhere = SocketConnection {
        host: "no-such-host.invalid".to_owned(),
        ..connection(address, Transport::Tcp)
    };
    let sent = call(&SocketWire::new(&nowhere).expect("a name"), "batch\n").await;
    assert!(matches!(sent, Err(WireError::NotSent(_))), "{sent:?}");
}

#[tokio::test]
async fn a_datagram_that_is_too_large_keeps_no_other_from_its_way() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let wire = SocketWire::new(&connection(address, Transport::Udp)).expect("a connection");
    let larger_than_ip_allows = "x".repeat(70_000);
    let sent = wire.call(messages(&["one", &larger_than_ip_allows, "two"])).await.expect("sent");
    assert_eq!(sent.too_large, [false, true, false]);
    let Verdict::Each(each) = Socket::verdict(&sent) else { panic!("a fate for each") };
    let [Verdict::Accepted, Verdict::Never(why), Verdict::Accepted] = &*each else {
        panic!("{each:?}")
    };
    assert!(why.contains("max_message"), "{why}");
    let mut received = Vec::new();
    let mut room = [0; 16];
    for _ in 0..2 {
        let bytes = socket.recv(&mut room).await.expect("a datagram");
        received.push(room[..bytes].to_vec());
    }
    assert_eq!(received, [b"one", b"two"]);
}

#[tokio::test]
async fn datagrams_go_one_by_one_and_a_refusal_is_noticed() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let address = socket.local_addr().expect("an address");
    let wire = SocketWire::new(&connection(address, Transport::Udp)).expect("a connection");
    wire.call(messages(&["one", "two", "three"])).await.expect("sent");
    let mut buffer = [0; 64];
    for expected in ["one", "two", "three"] {
        let bytes = socket.recv(&mut buffer).await.expect("a datagram");
        assert_eq!(&buffer[..bytes], expected.as_bytes());
    }
    drop(socket);
    let sent = call(&wire, "four").await;
    assert!(matches!(sent, Err(WireError::ReplyLost(_))), "{sent:?}");
}

/// A receiver within TLS; what it reads of each caller goes to the channel, once the caller is gone.
async fn secure(
    config: Arc<rustls::ServerConfig>,
) -> (SocketAddr, tokio::sync::mpsc::Receiver<String>) {
    let (listener, address) = listener().await;
    let (tell, told) = tokio::sync::mpsc::channel(8);
    tokio::spawn(async move {
        loop {
            let stream = accept(&listener).await;
            let (acceptor, tell) = (TlsAcceptor::from(config.clone()), tell.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut bytes = Vec::new();
                let ended = stream.read_to_end(&mut bytes).await;
                ended.expect("the caller takes leave");
                let _ = tell.send(String::from_utf8_lossy(&bytes).into_owned()).await;
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn tls_checks_the_receiver_and_shows_who_we_are() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let trusting = Tls { ca: Some(put("ca.pem", &authority.pem)), ..Tls::default() };
    let wire = |address, tls: &Tls, name: Option<&str>| {
        let connection = SocketConnection {
            tls: Tls { server_name: name.map(str::to_owned), ..tls.clone() },
            ..connection(address, Transport::Tls)
        };
        SocketWire::new(&connection).expect("files that can be used")
    };

    let (address, mut told) = secure(server(&authority.issue("siem.example"))).await;
    let good = wire(address, &trusting, Some("siem.example"));
    call(&good, "5 batch").await.expect("taken");
    call(&good, "5 again").await.expect("taken on the same connection");
    drop(good);
    assert_eq!(told.recv().await.as_deref(), Some("5 batch5 again"));

    for (tls, name) in [(&trusting, "other.example"), (&Tls::default(), "siem.example")] {
        let sent = call(&wire(address, tls, Some(name)), "5 batch").await;
        assert!(matches!(sent, Err(WireError::NotSent(_))), "{name}: {sent:?}");
    }
    let insecure = Tls { insecure: true, ..Tls::default() };
    call(&wire(address, &insecure, None), "5 batch").await.expect("taken by anybody");

    let leaf = authority.issue("siem.example");
    let (address, mut told) = secure(authority.strict_server(&leaf)).await;
    // A client without a certificate is refused after its side of the handshake is done.
    let sent = call(&wire(address, &trusting, Some("siem.example")), "5 batch").await;
    assert!(sent.is_err(), "taken of a stranger");
    let client = authority.issue("sidearm");
    let known = Tls {
        cert: Some(put("cert.pem", &client.cert)),
        key: Some(put("key.pem", &client.key)),
        ..trusting
    };
    let wire = wire(address, &known, Some("siem.example"));
    call(&wire, "5 batch").await.expect("taken");
    drop(wire);
    assert_eq!(told.recv().await.as_deref(), Some("5 batch"));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_parks_the_lane() {
    let tls = Tls { ca: Some("no/such/file.pem".into()), ..Tls::default() };
    let at = "127.0.0.1:6514".parse().expect("an address");
    let wire = SocketWire::new(&SocketConnection { tls, ..connection(at, Transport::Tls) });
    let Err(WireError::Unusable(why)) = wire else { panic!("used") };
    assert!(why.contains("no/such/file.pem"), "{why}");
}
