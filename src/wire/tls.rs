//! Certificate files of a destination: read when a client is made, watched for changes.
//!
//! One table of settings becomes one configuration of rustls, whatever the protocol.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use reqwest::ClientBuilder;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _};
use sidearm_sinks::contract::Tls;

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
    let mut config = configure(tls).map_err(|(_, why)| why)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

/// A key of the table, and what is wrong with what it names.
pub(crate) type Wrong = (&'static str, String);

/// Which of the files cannot be used, looked at one by one.
pub(crate) fn wrong_files(tls: &Tls) -> Vec<Wrong> {
    let trust = Tls { ca: tls.ca.clone(), ..Tls::default() };
    let identity = Tls { cert: tls.cert.clone(), key: tls.key.clone(), ..Tls::default() };
    let identity = Tls { insecure: true, ..identity };
    let each = [trust, identity].into_iter().filter(has_files);
    each.filter_map(|tls| configure(&tls).err()).collect()
}

fn configure(tls: &Tls) -> Result<ClientConfig, Wrong> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs offers TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier(tls, provider).map_err(|why| ("ca", why))?);
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert).map_err(|why| ("cert", why))?;
            let private = read(key).and_then(|pem| {
                PrivateKeyDer::from_pem_slice(&pem).map_err(|_| unusable(key, "a private key"))
            });
            let private = private.map_err(|why| ("key", why))?;
            let also = format!("a certificate that belongs to the key in {}", key.display());
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|_| ("cert", unusable(cert, &also)))
        }
        (None, None) => Ok(builder.with_no_client_auth()),
        _ => {
            let why = "tls.cert and tls.key go together, and only one of them is set";
            Err(("cert", why.to_owned()))
        }
    }
}

/// The name to look for in the certificate of `host`.
///
/// # Errors
/// It is none.
pub(super) fn server_name(tls: &Tls, host: &str) -> Result<ServerName<'static>, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = tls.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| {
        format!(
            "reading the name \"{name}\": expected a DNS name or an IP address; see tls.server_name"
        )
    })
}

/// Why no TLS came about, for people.
pub(super) fn why_no_handshake(error: &io::Error) -> String {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "no authority that is trusted here vouches for its certificate; see tls.ca".to_owned()
        }
        _ => error.to_string(),
    }
}

fn verifier(
    tls: &Tls,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    if tls.insecure {
        return Ok(Arc::new(Anything(provider)));
    }
    let trusting = trusting(tls, provider)?;
    match &tls.server_name {
        Some(name) => Ok(Arc::new(Named { name: server_name(tls, name)?, trusting })),
        None => Ok(trusting),
    }
}

fn trusting(
    tls: &Tls,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let Some(path) = &tls.ca else {
        return match rustls_platform_verifier::Verifier::new(provider) {
            Ok(system) => Ok(Arc::new(system)),
            Err(error) => Err(format!("reading the system's certificate authorities: {error}")),
        };
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(path)? {
        roots.add(authority).map_err(|_| unusable(path, "one or more certificates"))?;
    }
    match WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build() {
        Ok(verifier) => Ok(verifier),
        Err(_) => Err(unusable(path, "one or more certificates")),
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    found
        .ok()
        .filter(|found| !found.is_empty())
        .ok_or_else(|| unusable(path, "one or more certificates"))
}

/// Looks for another name than that of the address.
#[derive(Debug)]
struct Named {
    name: ServerName<'static>,
    trusting: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Named {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Self { name, trusting } = self;
        trusting.verify_server_cert(end_entity, intermediates, name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trusting.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trusting.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusting.supported_verify_schemes()
    }
}

/// Takes any certificate, as `tls.insecure` asks, which is warned about where the wire is made.
#[derive(Debug)]
struct Anything(Arc<CryptoProvider>);

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("reading {}: {error}", path.display()))
}

fn unusable(path: &Path, expected: &str) -> String {
    format!("reading {}: expected {expected}, in PEM", path.display())
}
