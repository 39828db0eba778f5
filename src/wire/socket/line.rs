//! One connection: made, watched, written to. It is never mended, only replaced.

use std::{
    fmt, io,
    mem::MaybeUninit,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use sidearm_sinks::contract::{Sent, SocketConnection, SocketRequest, Transport};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split},
    net::{TcpStream, UdpSocket, lookup_host},
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};

use crate::wire::{WireError, tls};

/// A silent connection is asked whether it still stands after this, so that one that a firewall
/// forgot is noticed before the next batch.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// What the kernel may hold back of a connection, in bytes: a receiver that reads no more has taken
/// nothing that still waits here. One record of TLS, so that the next is ready when it is asked for.
const MAX_UNSENT_BYTES: u32 = 16 * 1024;
/// Datagrams tell nothing of a receiver that has moved: its name is looked up this often.
const DATAGRAMS_FOR: Duration = Duration::from_secs(60);
/// How long taking leave may last.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often it is looked whether what came in was read, and how long in all.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const LOOKS: u32 = 50;

/// One connection to a receiver.
pub(super) struct Line {
    way: Way,
    /// The same socket, for questions to the kernel.
    socket: socket2::Socket,
    watch: Watch,
    reader: JoinHandle<()>,
    since: Instant,
}

enum Way {
    Stream(Box<dyn AsyncWrite + Send + Unpin>),
    Datagrams(Arc<UdpSocket>),
}

/// Tells when a connection has ended, and why.
#[derive(Clone)]
pub(super) struct Watch(watch::Receiver<Option<String>>);

impl Watch {
    /// Waits for the end.
    pub(super) async fn ended(&mut self) -> String {
        match self.0.wait_for(Option::is_some).await {
            Ok(why) => why.clone().unwrap_or_default(),
            // The line was given up by a later batch, whose bytes went the same way.
            Err(_) => "the connection was given up".to_owned(),
        }
    }

    fn has_ended(&self) -> bool {
        self.0.borrow().is_some()
    }
}

impl Line {
    pub(super) async fn connect(connection: &SocketConnection) -> Result<Self, WireError> {
        let SocketConnection { host, port, .. } = connection;
        let failed =
            |why: String| WireError::NotSent(format!("connecting to {host}, port {port}: {why}"));
        let not_sent = |error: io::Error| failed(error.to_string());
        let addresses: Vec<_> = lookup_host((&**host, *port)).await.map_err(not_sent)?.collect();
        if connection.transport == Transport::Udp {
            return Self::datagrams(&addresses).await.map_err(not_sent);
        }
        let tcp = TcpStream::connect(&*addresses).await.map_err(not_sent)?;
        tcp.set_nodelay(true).map_err(not_sent)?;
        let socket = SockRef::from(&tcp);
        let keepalive =
            TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY);
        socket.set_tcp_keepalive(&keepalive).map_err(not_sent)?;
        // Bytes that nobody confirms for so long end the connection.
        socket.set_tcp_user_timeout(Some(connection.timeout)).map_err(not_sent)?;
        socket.set_tcp_notsent_lowat(MAX_UNSENT_BYTES).map_err(not_sent)?;
        let socket = socket.try_clone().map_err(not_sent)?;
        if connection.transport == Transport::Tcp {
            return Ok(Self::over(tcp, socket));
        }
        let tls = tls::over(tcp, &connection.tls, host, &[]).await?;
        Ok(Self::over(tls, socket))
    }

    fn over(io: impl AsyncRead + AsyncWrite + Send + 'static, socket: socket2::Socket) -> Self {
        let (mut read, write) = split(io);
        let (tell, watch) = watch::channel(None);
        let reader = tokio::spawn(async move {
            let mut unwanted = [0; 1024];
            let why = loop {
                match read.read(&mut unwanted).await {
                    Ok(0) => break "the receiver closed the connection".to_owned(),
                    Ok(_) => {}
                    Err(error) => break format!("the connection broke: {error}"),
                }
            };
            tell.send_replace(Some(why));
        });
        let way = Way::Stream(Box::new(write));
        Self { way, socket, watch: Watch(watch), reader, since: Instant::now() }
    }

    async fn datagrams(addresses: &[SocketAddr]) -> io::Result<Self> {
        let to = addresses.first().ok_or_else(|| io::Error::other("no address"))?;
        let from: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let udp = Arc::new(UdpSocket::bind(from).await?);
        // Connected, for only then is it told that nobody listens.
        udp.connect(to).await?;
        let socket = SockRef::from(&*udp).try_clone()?;
        let (tell, watch) = watch::channel(None);
        let receiver = udp.clone();
        let reader = tokio::spawn(async move {
            let mut unwanted = [0; 1024];
            let refused = async {
                loop {
                    if let Err(error) = receiver.recv(&mut unwanted).await {
                        return error;
                    }
                }
            };
            // It outlives the line by a little: the last batch is still being watched.
            if let Ok(error) = timeout(DATAGRAMS_FOR * 2, refused).await {
                tell.send_replace(Some(format!("the receiver's machine refused it: {error}")));
            }
        });
        let way = Way::Datagrams(udp);
        Ok(Self { way, socket, watch: Watch(watch), reader, since: Instant::now() })
    }

    pub(super) fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// Whether it has not ended, as far as this side can know: the kernel is asked, for what it has
    /// taken in may not have reached our own reader yet.
    pub(super) async fn is_whole(&mut self) -> bool {
        if let Way::Datagrams(_) = self.way {
            let is_fresh = self.since.elapsed() < DATAGRAMS_FOR;
            return is_fresh && !self.watch.has_ended();
        }
        for _ in 0..LOOKS {
            if self.watch.has_ended() {
                return false;
            }
            match self.socket.peek(&mut [MaybeUninit::uninit()]) {
                Ok(0) => return false,
                // Something came: a ticket of TLS, or its word that it ends.
                Ok(_) => sleep(LOOK_EVERY).await,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        // A receiver that talks without end is whole.
        true
    }

    /// Takes leave as the protocol has it, so that a receiver does not take the end for a fault.
    pub(super) async fn close(mut self) {
        if let Way::Stream(write) = &mut self.way {
            let mut watch = self.watch.clone();
            let farewell = async {
                let _ = write.shutdown().await;
                // Until it has gone too: what it says meanwhile must be read, or it is broken off.
                watch.ended().await;
            };
            let _ = timeout(FAREWELL, farewell).await;
        }
    }

    /// Writes all of it; of datagrams, all that are not too large.
    pub(super) async fn write(&mut self, request: &SocketRequest) -> Result<Sent, WireError> {
        match &mut self.way {
            Way::Stream(write) => {
                let written = async {
                    write.write_all(&request.bytes).await?;
                    write.flush().await
                };
                match written.await {
                    Ok(()) => Ok(Sent::default()),
                    Err(error) => Err(WireError::ReplyLost(format!("writing: {error}"))),
                }
            }
            Way::Datagrams(udp) => send_each(udp, request).await,
        }
    }
}

/// Sends datagram by datagram: one that is too large keeps no other from its way, and no other is
/// sent again for it.
async fn send_each(udp: &UdpSocket, request: &SocketRequest) -> Result<Sent, WireError> {
    /// Linux' number for "message too long".
    const EMSGSIZE: i32 = 90;
    let mut too_large = Vec::new();
    let mut start = 0;
    for (index, end) in request.ends.iter().enumerate() {
        match udp.send(&request.bytes[start..*end]).await {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(EMSGSIZE) => {
                too_large.resize(request.ends.len(), false);
                too_large[index] = true;
            }
            Err(error) => return Err(WireError::ReplyLost(format!("sending datagrams: {error}"))),
        }
        start = *end;
    }
    Ok(Sent { too_large })
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Way::Stream(_) = self.way {
            self.reader.abort();
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("ended", &self.watch.has_ended()).finish_non_exhaustive()
    }
}
