//! Certificates as KubeArmor makes them: authority and leaves share name and serial number, the
//! leaves' keys are RSA 2048 in PKCS#1.

use std::sync::{Arc, LazyLock};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    PKCS_RSA_SHA256, RsaKeySize, SerialNumber,
};
use rustls::{RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

/// An authority.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(super) pem: String,
}

/// A certificate and its key, as PEM.
pub(super) struct Leaf {
    pub(super) cert: String,
    pub(super) key: String,
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "kubearmor");
    params.distinguished_name.push(DnType::CommonName, "kubearmor");
    params.serial_number = Some(SerialNumber::from_slice(&[1]));
    params
}

/// One key for all leaves: making one takes a second.
static LEAF_KEY: LazyLock<KeyPair> = LazyLock::new(|| {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key")
});

impl Authority {
    pub(super) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for these names, or for none.
    pub(super) fn issue(&self, names: &[&str]) -> Leaf {
        let cert = params(names).signed_by(&*LEAF_KEY, &self.issuer).expect("a certificate").pem();
        Leaf { cert, key: pkcs1_pem(LEAF_KEY.serialized_der()) }
    }

    /// A server that shows `leaf` and takes only clients of this authority.
    pub(super) fn server(&self, leaf: &Leaf) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.pem)).expect("an authority");
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone())
            .build()
            .expect("a verifier");
        let key = PrivateKeyDer::from_pem_slice(leaf.key.as_bytes()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_client_cert_verifier(clients)
            .with_single_cert(vec![certificate(&leaf.cert)], key)
            .expect("a certificate with its key");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate")
}

/// PKCS#8 is PKCS#1 in an envelope of known length: version, algorithm, then one octet string.
fn pkcs1_pem(pkcs8: &[u8]) -> String {
    const ENVELOPE_BYTES: usize = 26;
    assert_eq!(pkcs8[ENVELOPE_BYTES - 4..][..2], [0x04, 0x82], "an octet string of long form");
    let text = BASE64_STANDARD.encode(&pkcs8[ENVELOPE_BYTES..]);
    let lines: Vec<&str> =
        (0..text.len()).step_by(64).map(|start| &text[start..text.len().min(start + 64)]).collect();
    let label = "RSA PRIVATE KEY";
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
