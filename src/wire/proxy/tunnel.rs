//! A connection to a server: straight, or through a proxy by `CONNECT`.
//!
//! For protocols that are no plain HTTP/1 and so cannot be passed on by a proxy in any other way.
//! What the server says at once, behind the proxy's own answer, is part of the connection.

use std::{env, error::Error, fmt, future::pending, io};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Empty;
use hyper::{client::conn::http1, upgrade};
use hyper_util::{client::proxy::matcher::Intercept, rt::TokioIo};
use sidearm_sinks::contract::Tls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::super::{WireError, http::with_causes, tls};

/// Bytes there and back, whatever carries them.
pub(in super::super) trait Io:
    AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin
{
}

impl<T: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin> Io for T {}

/// Connects to where `url` says, by the proxy that the environment names for it.
///
/// # Errors
/// [`WireError::Unusable`] where the proxy refuses us or none can be told,
/// [`WireError::NotSent`] where somebody cannot be reached now.
pub(in super::super) async fn connect(url: &Uri) -> Result<Box<dyn Io>, WireError> {
    let (host, port) = host_and_port(url);
    let proxies = super::matcher(|name| env::var(name).ok()).map_err(WireError::Unusable)?;
    let Some(proxy) = proxies.intercept(url) else {
        return Ok(Box::new(tcp(&host, port).await.map_err(|error| not_sent(&error))?));
    };
    let there = |why: &dyn Error| {
        WireError::NotSent(format!("connecting to the proxy {}: {}", proxy.uri(), with_causes(why)))
    };
    let (proxy_host, proxy_port) = host_and_port(proxy.uri());
    let tcp = tcp(&proxy_host, proxy_port).await.map_err(|error| there(&error))?;
    let to = match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    };
    if proxy.uri().scheme() != Some(&http::uri::Scheme::HTTPS) {
        return through(tcp, &proxy, &to).await;
    }
    let tls = tls::over(tcp, &Tls::default(), &proxy_host, &[b"http/1.1"]).await;
    let tls = tls.map_err(|error| match error {
        WireError::NotSent(why) => {
            WireError::NotSent(format!("connecting to the proxy {}: {why}", proxy.uri()))
        }
        error => error,
    })?;
    through(tls, &proxy, &to).await
}

/// The host without brackets, and the port, of the scheme where none stands there.
pub(in super::super) fn host_and_port(url: &Uri) -> (String, u16) {
    let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let of_scheme = if url.scheme() == Some(&http::uri::Scheme::HTTPS) { 443 } else { 80 };
    (host.to_owned(), url.port_u16().unwrap_or(of_scheme))
}

/// Straight to a host. Answers are waited for, one by one, so nothing is held back for more.
pub(in super::super) async fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let tcp = TcpStream::connect((host, port)).await?;
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

fn not_sent(error: &dyn Error) -> WireError {
    WireError::NotSent(with_causes(error))
}

/// Asks a proxy for a way to `to`, host and port.
async fn through(
    io: impl Io + 'static,
    proxy: &Intercept,
    to: &str,
) -> Result<Box<dyn Io>, WireError> {
    let asking = |why: &dyn Error| {
        let why = with_causes(why);
        WireError::NotSent(format!("asking the proxy {} for {to}: {why}", proxy.uri()))
    };
    let mut request = Request::builder().method(Method::CONNECT).uri(to).header(header::HOST, to);
    if let Some(proof) = proxy.basic_auth() {
        request = request.header(header::PROXY_AUTHORIZATION, hidden(proof));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| asking(&error))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(io)).await.map_err(|error| asking(&error))?;
    let ask = async {
        let answer = sender.send_request(request).await.map_err(|error| asking(&error))?;
        let status = answer.status();
        if !status.is_success() {
            let why = format!("the proxy {} answers HTTP {status} for {to}", proxy.uri());
            // What it refuses stays refused until somebody acts.
            return Err(match status.as_u16() {
                408 | 429 | 500..=599 => WireError::NotSent(why),
                _ => WireError::Unusable(why),
            });
        }
        upgrade::on(answer).await.map_err(|error| asking(&error))
    };
    let carry = async {
        // How it ends is told to the one who asks.
        let _ = connection.with_upgrades().await;
        pending().await
    };
    let upgraded = tokio::select! { upgraded = ask => upgraded?, never = carry => never };
    Ok(Box::new(TokioIo::new(upgraded)))
}

fn hidden(proof: &HeaderValue) -> HeaderValue {
    let mut proof = proof.clone();
    proof.set_sensitive(true);
    proof
}
