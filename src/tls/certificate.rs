//! What is looked at of the other side's certificate.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// What the other side's certificate must be.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// Trusted, and of the name that the connection asks for.
    TheName,
    /// Trusted, and of this name, whatever the address.
    Name(ServerName<'static>),
    /// Trusted, of whatever name: certificates that a relay makes for itself carry none.
    AnyName,
    /// Nothing at all; whoever asks for this was warned when the configuration was read.
    Anything,
}

/// Looks at a certificate as [`Expected`] says; at signatures always.
#[derive(Debug)]
pub(super) struct Certificate {
    expected: Expected,
    /// Looks at chain, time and name; needed unless anything does.
    trusted: Option<Arc<dyn ServerCertVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Certificate {
    pub(super) fn new(
        expected: Expected,
        trusted: Option<Arc<dyn ServerCertVerifier>>,
        provider: &CryptoProvider,
    ) -> Self {
        Self { expected, trusted, algorithms: provider.signature_verification_algorithms }
    }
}

impl ServerCertVerifier for Certificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        asked_for: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        let name = match &self.expected {
            Expected::Name(name) => name,
            _ => asked_for,
        };
        let is_any_name = matches!(self.expected, Expected::AnyName);
        match trusted.verify_server_cert(end_entity, intermediates, name, ocsp_response, now) {
            // The chain is looked at before the name, so whoever fails by name alone has passed.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if is_any_name => Ok(ServerCertVerified::assertion()),
            looked_at => looked_at,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
