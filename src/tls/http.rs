//! TLS for ureq, which makes its own configurations: what HTTP requests to schema registries and token
//! endpoints are sent over.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::error::TlsError;
use super::settings::Settings;
use super::stores::{self, Loaded};

/// Trust store and key store of the settings. Host names are always checked, and versions and cipher
/// suites are ureq's.
pub(super) fn config(settings: &Settings) -> Result<TlsConfig, TlsError> {
    let roots = match stores::trusted(settings)? {
        None => RootCerts::WebPki,
        Some(certificates) => RootCerts::new_with_certs(&owned(&certificates)),
    };
    let builder = TlsConfig::builder().root_certs(roots);
    let own = stores::identity(settings)?;
    let shown = own.as_ref().map(client_certificate).transpose()?;
    Ok(builder.client_cert(shown).build())
}

fn owned(certificates: &[CertificateDer<'_>]) -> Vec<Certificate<'static>> {
    certificates
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect()
}

/// ureq takes keys in PEM alone.
fn client_certificate(own: &Loaded) -> Result<ClientCert, TlsError> {
    let label = match own.key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    let base64 = STANDARD.encode(own.key.secret_der());
    let pem = format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n");
    let key = PrivateKey::from_pem(pem.as_bytes())
        .map_err(|_| TlsError::new("ssl.keystore.location", "its private key can't be used"))?;
    Ok(ClientCert::new_with_certs(&owned(&own.chain), key))
}
