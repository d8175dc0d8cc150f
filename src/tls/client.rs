//! The client's side: its configuration, and what a failed handshake means in Kafka's words.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InconsistentKeys, InvalidMessage,
    PeerIncompatible, SupportedProtocolVersion,
};

use super::error::TlsError;
use super::settings::{Settings, Version};
use super::stores;
use super::trust::{ServerTrust, Trusted, provider};

pub(super) fn config(settings: &Settings) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = chosen(settings)?;
    let trusted = Trusted::load(settings)?;
    let trust = ServerTrust::new(trusted, settings.check_names, Arc::clone(&provider));
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions(settings))
        .map_err(|error| unusable_versions(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(trust));
    let config = match stores::identity(settings)? {
        None => builder.with_no_client_auth(),
        Some(own) => builder
            .with_client_auth_cert(own.chain, own.key)
            .map_err(|error| unusable_key(&error))?,
    };
    Ok(Arc::new(config))
}

/// The provider with the cipher suites of `ssl.cipher.suites`.
pub(super) fn chosen(settings: &Settings) -> Result<Arc<CryptoProvider>, TlsError> {
    let mut provider = provider();
    if settings.cipher_suites.is_empty() {
        return Ok(Arc::new(provider));
    }
    let known: Vec<String> = provider
        .cipher_suites
        .iter()
        .map(|suite| iana_name(&format!("{:?}", suite.suite())))
        .collect();
    for wanted in &settings.cipher_suites {
        if !known.contains(wanted) {
            tracing::warn!("ssl.cipher.suites: {wanted} is left out, it is not spoken here");
        }
    }
    provider.cipher_suites.retain(|suite| {
        let name = iana_name(&format!("{:?}", suite.suite()));
        settings.cipher_suites.contains(&name)
    });
    if provider.cipher_suites.is_empty() {
        let reason = format!(
            "none of these is spoken here; there are {}",
            known.join(", ")
        );
        return Err(TlsError::new("ssl.cipher.suites", reason).at(settings.cipher_suites.join(",")));
    }
    Ok(Arc::new(provider))
}

/// rustls writes `TLS13_AES_…`; Java and IANA write `TLS_AES_…`.
fn iana_name(name: &str) -> String {
    match name.strip_prefix("TLS13_") {
        Some(rest) => format!("TLS_{rest}"),
        None => name.to_owned(),
    }
}

pub(super) fn versions(settings: &Settings) -> Vec<&'static SupportedProtocolVersion> {
    let version = |version: &Version| match version {
        Version::Tls12 => &rustls::version::TLS12,
        Version::Tls13 => &rustls::version::TLS13,
    };
    settings.versions.iter().map(version).collect()
}

pub(super) fn unusable_versions(error: &Error) -> TlsError {
    TlsError::new(
        "ssl.enabled.protocols",
        format!("no cipher suite of ssl.cipher.suites fits these versions ({error})"),
    )
}

pub(super) fn unusable_key(error: &Error) -> TlsError {
    let reason = match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "private key and certificate do not belong together".to_owned()
        }
        Error::InvalidCertificate(_) => format!("the own certificate can't be used: {error}"),
        _ => format!(
            "the private key can't be used ({error}); there are RSA of 2048 to 8192 bits, ECDSA on P-256 and \
             P-384, and Ed25519"
        ),
    };
    TlsError::new("ssl.keystore.location", reason)
}

/// What is wrong between this program and `host`, and which keys to look at.
pub fn explain(error: &Error, settings: &Settings, host: &str) -> String {
    match error {
        Error::InvalidCertificate(problem) => explain_certificate(problem, settings, host),
        Error::AlertReceived(alert) => explain_alert(*alert, settings),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "it does not speak TLS on this port; is security.protocol right, or the port?"
                .to_owned()
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::NoCipherSuitesInCommon,
        ) => format!(
            "no version of TLS or cipher suite in common ({error}); look at ssl.enabled.protocols and \
             ssl.cipher.suites"
        ),
        other => other.to_string(),
    }
}

fn explain_certificate(problem: &CertificateError, settings: &Settings, host: &str) -> String {
    match problem {
        CertificateError::UnknownIssuer => format!(
            "its certificate is not signed by anybody that is trusted: the trusted certificates come from {}",
            settings.trust_place()
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!(
                "its certificate has expired ({})",
                Error::InvalidCertificate(problem.clone())
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => format!(
            "its certificate is not valid yet ({}); is the clock right?",
            Error::InvalidCertificate(problem.clone())
        ),
        CertificateError::NotValidForName => {
            format!("its certificate is not made out to the host name {host}; {NAMES}")
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is not made out to the host name {host}, but to {}; {NAMES}",
            match presented.is_empty() {
                true => "no name at all (subjectAltName is missing)".to_owned(),
                false => presented.join(", "),
            }
        ),
        other => format!(
            "its certificate is refused: {}",
            Error::InvalidCertificate(other.clone())
        ),
    }
}

const NAMES: &str = "connect by a name in it, or turn the check off with an empty \
                     ssl.endpoint.identification.algorithm";

fn explain_alert(alert: AlertDescription, settings: &Settings) -> String {
    let own = match settings.has_identity() {
        true => "the certificate of ssl.keystore.location",
        false => "that no client certificate was shown (ssl.keystore.location is not set)",
    };
    match alert {
        AlertDescription::CertificateRequired => {
            "it asks for a client certificate: set ssl.keystore.location".to_owned()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => {
            format!("it refused {own} ({alert:?})")
        }
        AlertDescription::HandshakeFailure => format!(
            "it ended the handshake (HandshakeFailure): no cipher suite in common, or it refused {own}"
        ),
        AlertDescription::ProtocolVersion => {
            "it speaks none of these versions of TLS; look at ssl.enabled.protocols".to_owned()
        }
        other => format!("it ended the connection with the alert {other:?}"),
    }
}
