//! TLS with a destination: one table of settings, whatever the protocol. Its certificate files are
//! read when a client is made, and watched for changes.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

use reqwest::ClientBuilder;
use rustls::{CertificateError, ClientConfig};
use rustls_pki_types::ServerName;
use sidearm_sinks::contract::Tls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::spawn_blocking,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::WireError;
use crate::tls::{Expected, Settings, Wrong};

/// What tells one state of the files from another, without reading them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp([Option<FileStamp>; 3]);

/// Files of secrets change by a renamed folder, so a file may be replaced and as old as before.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FileStamp {
    inode: u64,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    pub(super) fn of(tls: &Tls) -> Self {
        let stamp = |path: &Option<PathBuf>| {
            let metadata: Metadata = fs::metadata(path.as_deref()?).ok()?;
            Some(FileStamp {
                inode: metadata.ino(),
                bytes: metadata.len(),
                modified: metadata.modified().ok(),
            })
        };
        Self([stamp(&tls.ca), stamp(&tls.cert), stamp(&tls.key)])
    }
}

/// Whether there is anything that could change.
pub(super) fn has_files(tls: &Tls) -> bool {
    tls.ca.is_some() || tls.cert.is_some() || tls.key.is_some()
}

/// Gives an HTTP client its trust and its identity.
///
/// # Errors
/// Names the file that cannot be read or used, and what was expected in it.
pub(super) fn apply(tls: &Tls, builder: ClientBuilder) -> Result<ClientBuilder, String> {
    Ok(builder.tls_backend_preconfigured(client_config(tls, &[b"h2", b"http/1.1"])?))
}

/// Trust and identity; `protocols` are offered by ALPN.
///
/// # Errors
/// Names the file that cannot be read or used, and what was expected in it.
pub(super) fn client_config(tls: &Tls, protocols: &[&[u8]]) -> Result<ClientConfig, String> {
    configure(tls, protocols).map_err(|(_, why)| why)
}

/// Which of the files cannot be used, looked at one by one.
pub(crate) fn wrong_files(tls: &Tls) -> Vec<Wrong> {
    let trust = Tls { ca: tls.ca.clone(), ..Tls::default() };
    let identity = Tls { cert: tls.cert.clone(), key: tls.key.clone(), ..Tls::default() };
    let identity = Tls { insecure: true, ..identity };
    let each = [trust, identity].into_iter().filter(has_files);
    each.filter_map(|tls| configure(&tls, &[]).err()).collect()
}

fn configure(tls: &Tls, protocols: &[&[u8]]) -> Result<ClientConfig, Wrong> {
    let identity = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        _ => {
            let why = "tls.cert and tls.key go together, and only one of them is set";
            return Err(("cert", why.to_owned()));
        }
    };
    let expected = match &tls.server_name {
        _ if tls.insecure => Expected::Anything,
        Some(name) => Expected::Name(server_name(tls, name).map_err(|why| ("server_name", why))?),
        None => Expected::TheName,
    };
    crate::tls::client_config(Settings { ca: tls.ca.as_deref(), identity, expected, protocols })
}

/// Whether TLS with `host` can be spoken at all.
///
/// # Errors
/// [`WireError::Unusable`] names the file or the name that cannot be used.
pub(super) fn check(tls: &Tls, host: &str) -> Result<(), WireError> {
    client_config(tls, &[]).map_err(WireError::Unusable)?;
    server_name(tls, host).map_err(WireError::Unusable)?;
    Ok(())
}

/// Speaks TLS with `host` over a connection. The files are read afresh.
///
/// # Errors
/// [`WireError::Unusable`] names the file or the name that cannot be used,
/// [`WireError::NotSent`] why the other side and we did not agree.
pub(super) async fn over<IO: AsyncRead + AsyncWrite + Unpin>(
    io: IO,
    tls: &Tls,
    host: &str,
    protocols: &'static [&'static [u8]],
) -> Result<TlsStream<IO>, WireError> {
    let settings = tls.clone();
    let config = spawn_blocking(move || client_config(&settings, protocols)).await;
    let config = config
        .map_err(|_| WireError::NotSent("shutting down".to_owned()))?
        .map_err(WireError::Unusable)?;
    let name = server_name(tls, host).map_err(WireError::Unusable)?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, io).await;
    connected.map_err(|error| {
        WireError::NotSent(format!("speaking TLS with {host}: {}", why_no_handshake(&error)))
    })
}

/// The name to look for in the certificate of `host`.
///
/// # Errors
/// It is none.
fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = tls.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| {
        format!(
            "reading the name \"{name}\": expected a DNS name or an IP address; see tls.server_name"
        )
    })
}

/// Why no TLS came about, for people.
fn why_no_handshake(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "no authority that is trusted here vouches for its certificate; see tls.ca".to_owned()
        }
        _ => error.to_string(),
    }
}
