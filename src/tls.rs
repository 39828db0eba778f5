//! Trust and identity out of files: what connections to the relay and to destinations share.
//!
//! Reads, whole and at once: for connections call it where blocking is allowed. What may be a
//! mistake of people is told with the key of the table that it stands under.

mod certificate;

use std::{fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

use certificate::Certificate;
pub(crate) use certificate::Expected;

/// A key of a table of settings, and what is wrong with what it names.
pub(crate) type Wrong = (&'static str, String);

/// What a client needs to know before it speaks TLS.
#[derive(Debug)]
pub(crate) struct Settings<'s> {
    /// The authorities that are trusted; those of the system where none are named.
    pub(crate) ca: Option<&'s Path>,
    /// Our own certificate and its key.
    pub(crate) identity: Option<(&'s Path, &'s Path)>,
    /// What the other side's certificate must be.
    pub(crate) expected: Expected,
    /// What is offered by ALPN.
    pub(crate) protocols: &'s [&'s [u8]],
}

/// # Errors
/// Names the file that cannot be read or used, and what was expected in it.
pub(crate) fn client_config(settings: Settings<'_>) -> Result<ClientConfig, Wrong> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let trusted = match settings.expected {
        Expected::Anything => None,
        _ => Some(trusted(settings.ca, provider.clone()).map_err(|why| ("ca", why))?),
    };
    let verifier = Certificate::new(settings.expected, trusted, &provider);
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs offers TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match settings.identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = certificates(cert).map_err(|why| ("cert", why))?;
            let private = private_key(key).map_err(|why| ("key", why))?;
            let also = format!("a certificate that belongs to the key in {}", key.display());
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|_| ("cert", unusable(cert, &also)))?
        }
    };
    config.alpn_protocols = settings.protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}

/// Looks at chain, time and name.
fn trusted(
    ca: Option<&Path>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let Some(path) = ca else {
        return match rustls_platform_verifier::Verifier::new(provider) {
            Ok(system) => Ok(Arc::new(system)),
            Err(error) => Err(format!("reading the system's certificate authorities: {error}")),
        };
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(path)? {
        roots.add(authority).map_err(|_| unusable(path, CERTIFICATES))?;
    }
    match WebPkiServerVerifier::builder_with_provider(roots.into(), provider).build() {
        Ok(verifier) => Ok(verifier),
        Err(_) => Err(unusable(path, CERTIFICATES)),
    }
}

const CERTIFICATES: &str = "one or more certificates";

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| unusable(path, CERTIFICATES))
}

/// PKCS#1 (as KubeArmor writes it), PKCS#8 or SEC1.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_slice(&read(path)?).map_err(|_| unusable(path, "a private key"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("reading {}: {error}", path.display()))
}

fn unusable(path: &Path, expected: &str) -> String {
    format!("reading {}: expected {expected}, in PEM", path.display())
}
