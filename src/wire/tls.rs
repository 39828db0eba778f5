//! Certificate files of a destination: read when a client is made, watched for changes.
//!
//! One table of settings, two forms: an HTTP client's, and rustls' own for every other protocol.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
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

/// Gives a client its trust and its identity.
///
/// # Errors
/// Names the file that cannot be read or used, and what was expected in it.
pub(super) fn apply(tls: &Tls, mut builder: ClientBuilder) -> Result<ClientBuilder, String> {
    if let Some(path) = &tls.ca {
        let authorities = Certificate::from_pem_bundle(&read(path)?)
            .ok()
            .filter(|authorities| !authorities.is_empty())
            .ok_or_else(|| unusable(path, "one or more certificates"))?;
        builder = builder.tls_certs_only(authorities);
    }
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let mut pem = read(key)?;
            pem.push(b'\n');
            pem.extend(read(cert)?);
            let identity = Identity::from_pem(&pem).map_err(|_| {
                let also = format!("a certificate, and its key in {}", key.display());
                unusable(cert, &also)
            })?;
            builder = builder.identity(identity);
        }
        (None, None) => {}
        _ => return Err("tls.cert and tls.key go together, and only one of them is set".to_owned()),
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure))
}

/// The same for protocols that are no HTTP; `protocols` are offered by ALPN.
///
/// # Errors
/// Names the file that cannot be read or used, and what was expected in it.
pub(super) fn client_config(tls: &Tls, protocols: &[&[u8]]) -> Result<ClientConfig, String> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs offers TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier(tls, provider)?);
    let mut config = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert)?;
            let private = PrivateKeyDer::from_pem_slice(&read(key)?)
                .map_err(|_| unusable(key, "a private key"))?;
            let also = format!("a certificate that belongs to the key in {}", key.display());
            builder.with_client_auth_cert(chain, private).map_err(|_| unusable(cert, &also))?
        }
        _ => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(config)
}

fn verifier(
    tls: &Tls,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    if tls.insecure {
        return Ok(Arc::new(Anything(provider)));
    }
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
