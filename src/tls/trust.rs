//! Which certificates of a peer are accepted. As rustls checks them, and in two points as Java does: a
//! certificate that stands in the trust store itself is trusted whoever issued it, and a client may be told
//! to check no host names.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::error::TlsError;
use super::settings::{ClientAuth, Settings};
use super::stores;

/// The one crypto provider of this program.
pub(super) fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// What is trusted.
#[derive(Debug)]
pub(super) struct Trusted {
    roots: Arc<RootCertStore>,
    /// The certificates of the trust store as they are.
    pinned: Vec<CertificateDer<'static>>,
}

impl Trusted {
    /// Loads the trust store; without one the public roots are trusted.
    ///
    /// # Errors
    /// It can't be read.
    pub(super) fn load(settings: &Settings) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        let Some(pinned) = stores::trusted(settings)? else {
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            return Ok(Self {
                roots: Arc::new(roots),
                pinned: Vec::new(),
            });
        };
        let (_, ignored) = roots.add_parsable_certificates(pinned.iter().cloned());
        if ignored > 0 {
            tracing::warn!(
                ignored,
                "{} has certificates that can't be read as such",
                settings.trust_place()
            );
        }
        if roots.is_empty() {
            let reason = format!("no certificate of {} can be used", settings.trust_place());
            return Err(TlsError::new("ssl.truststore.location", reason));
        }
        Ok(Self {
            roots: Arc::new(roots),
            pinned,
        })
    }

    /// Whether `error` says no more than that nobody who is trusted issued `certificate`, which is trusted
    /// by itself. What is expired or malformed stays refused.
    fn is_pinned(&self, certificate: &CertificateDer<'_>, error: &Error) -> bool {
        let unissued = matches!(
            error,
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_))
        );
        unissued
            && self
                .pinned
                .iter()
                .any(|pinned| pinned.as_ref() == certificate.as_ref())
    }
}

/// Checks a server's certificate.
#[derive(Debug)]
pub(super) struct ServerTrust {
    trusted: Trusted,
    check_names: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerTrust {
    pub(super) fn new(trusted: Trusted, check_names: bool, provider: Arc<CryptoProvider>) -> Self {
        Self {
            trusted,
            check_names,
            provider,
        }
    }
}

impl ServerCertVerifier for ServerTrust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        let roots = &self.trusted.roots;
        let issued = verify_server_cert_signed_by_trust_anchor(
            &certificate,
            roots,
            intermediates,
            now,
            algorithms,
        );
        if let Err(error) = issued
            && !self.trusted.is_pinned(end_entity, &error)
        {
            return Err(error);
        }
        if self.check_names {
            verify_server_name(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// Checks callers' certificates.
#[derive(Debug)]
struct ClientTrust {
    trusted: Trusted,
    rules: Arc<dyn ClientCertVerifier>,
}

/// The check of callers' certificates that settings ask for.
///
/// # Errors
/// The trust store can't be read, or certificates are asked for and there is none.
pub(super) fn of_clients(
    settings: &Settings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    if settings.client_auth == ClientAuth::None {
        return Ok(WebPkiClientVerifier::no_client_auth());
    }
    if settings.trust.is_none() {
        return Err(TlsError::new(
            "ssl.truststore.location",
            "is needed with ssl.client.auth: it says whose client certificates are trusted",
        ));
    }
    let trusted = Trusted::load(settings)?;
    let roots = Arc::clone(&trusted.roots);
    let rules = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(provider));
    let rules = match settings.client_auth {
        ClientAuth::Required => rules,
        _ => rules.allow_unauthenticated(),
    };
    let rules = rules
        .build()
        .map_err(|error| TlsError::new("ssl.truststore.location", error.to_string()))?;
    Ok(Arc::new(ClientTrust { trusted, rules }))
}

impl ClientCertVerifier for ClientTrust {
    fn offer_client_auth(&self) -> bool {
        self.rules.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.rules.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.rules.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let checked = self
            .rules
            .verify_client_cert(end_entity, intermediates, now);
        match checked {
            Err(error) if self.trusted.is_pinned(end_entity, &error) => {
                Ok(ClientCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rules.supported_verify_schemes()
    }
}
