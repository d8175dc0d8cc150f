//! `schema.registry.ssl.*`: PEM files or PEM text (KIP-651).

use std::fs;
use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::api::{ConfigMap, ConnectError};

/// PEM text, or the file that it is in.
#[derive(Debug, Clone)]
enum Pem {
    File(String),
    Text(String),
}

/// What is trusted and what the client shows. Files are read when the first request is made.
#[derive(Clone, Default)]
pub(super) struct TlsSettings {
    trusted: Option<Pem>,
    own: Vec<Pem>,
}

impl std::fmt::Debug for TlsSettings {
    /// Without PEM text, which may be a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsSettings")
            .field("trusted", &self.trusted.is_some())
            .field("own", &self.own.len())
            .finish()
    }
}

impl TlsSettings {
    /// Reads the keys, given without `schema.registry.ssl.`.
    ///
    /// # Errors
    /// A store of another type than PEM, half a key pair, or checks that would be left out.
    pub(super) fn read(config: &ConfigMap) -> Result<Self, ConnectError> {
        let text = |key: &str| {
            let value = config.get(key).and_then(Option::as_deref);
            value.filter(|value| !value.trim().is_empty())
        };
        for store in ["truststore", "keystore"] {
            let (kind, key) = (text(&format!("{store}.type")), format!("{store}.location"));
            let inline =
                text("truststore.certificates").is_some() || text("keystore.key").is_some();
            match kind {
                Some(kind) if kind.trim().eq_ignore_ascii_case("PEM") => {}
                None if text(&key).is_none() || inline => {}
                // Kafka's default is JKS; a file that is PEM says so itself.
                None if !ends_as_java_store(text(&key).unwrap_or_default()) => {}
                kind => return Err(other_store(store, kind.unwrap_or("JKS"))),
            }
        }
        if text("endpoint.identification.algorithm").is_none()
            && config.contains_key("endpoint.identification.algorithm")
        {
            return Err(ConnectError::config(
                "schema.registry.ssl.endpoint.identification.algorithm may not be empty: the name in the \
                 registry's certificate is always checked. Use a certificate for that name",
            ));
        }
        if text("key.password").is_some() {
            return Err(ConnectError::config(
                "schema.registry.ssl.key.password: encrypted private keys are not supported; decrypt the \
                 key, for example with `openssl pkcs8 -in key.pem -out plain.pem`, and protect the file",
            ));
        }
        let pem = |location: &str, inline: &str| {
            let inline = text(inline).map(|text| Pem::Text(text.to_owned()));
            inline.or_else(|| text(location).map(|file| Pem::File(file.to_owned())))
        };
        let own = match (text("keystore.key"), text("keystore.certificate.chain")) {
            (None, None) => pem("keystore.location", "").into_iter().collect(),
            (Some(key), Some(chain)) => [key, chain].map(|text| Pem::Text(text.to_owned())).into(),
            _ => {
                return Err(ConnectError::config(
                    "schema.registry.ssl.keystore.key and keystore.certificate.chain go together",
                ));
            }
        };
        Ok(Self {
            trusted: pem("truststore.location", "truststore.certificates"),
            own,
        })
    }

    /// The settings for ureq. Reads files, so it blocks.
    ///
    /// # Errors
    /// Why a file or text is not what it should be.
    pub(super) fn load(&self) -> Result<TlsConfig, String> {
        let mut builder = TlsConfig::builder();
        builder = match &self.trusted {
            None => builder.root_certs(RootCerts::WebPki),
            Some(pem) => {
                let (certificates, _) = parse(pem, "truststore")?;
                if certificates.is_empty() {
                    return Err(format!("{} has no certificate", pem.place("truststore")));
                }
                builder.root_certs(RootCerts::Specific(Arc::new(certificates)))
            }
        };
        if self.own.is_empty() {
            return Ok(builder.build());
        }
        let mut chain = Vec::new();
        let mut key = None;
        for pem in &self.own {
            let (certificates, found) = parse(pem, "keystore")?;
            chain.extend(certificates);
            key = key.or(found);
        }
        let Some(key) = key.filter(|_| !chain.is_empty()) else {
            let place = self
                .own
                .first()
                .map_or(String::new(), |pem| pem.place("keystore"));
            return Err(format!(
                "{place} needs an unencrypted private key and its certificate chain"
            ));
        };
        let own = ClientCert::new_with_certs(&chain, key);
        Ok(builder.client_cert(Some(own)).build())
    }
}

impl Pem {
    fn place(&self, store: &str) -> String {
        match self {
            Self::File(file) => format!("schema.registry.ssl.{store}.location={file}"),
            Self::Text(_) => format!("the PEM text of schema.registry.ssl.{store}.*"),
        }
    }
}

type Parsed = (Vec<Certificate<'static>>, Option<PrivateKey<'static>>);

fn parse(pem: &Pem, store: &str) -> Result<Parsed, String> {
    let place = pem.place(store);
    let text = match pem {
        Pem::Text(text) => text.clone().into_bytes(),
        Pem::File(file) => fs::read(file).map_err(|error| format!("{place}: {error}"))?,
    };
    let (mut certificates, mut key) = (Vec::new(), None);
    for item in parse_pem(&text) {
        match item.map_err(|error| format!("{place} is no PEM: {error}"))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            PemItem::PrivateKey(found) => key = key.or(Some(found)),
            _ => {}
        }
    }
    Ok((certificates, key))
}

fn ends_as_java_store(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    [".jks", ".p12", ".pfx", ".keystore", ".truststore"]
        .iter()
        .any(|ending| file.ends_with(ending))
}

fn other_store(store: &str, kind: &str) -> ConnectError {
    ConnectError::config(format!(
        "schema.registry.ssl.{store}.type={kind} is not supported; use a PEM file with \
         schema.registry.ssl.{store}.type=PEM. `keytool -importkeystore … -deststoretype PKCS12` and \
         `openssl pkcs12 -in store.p12 -nodes -out store.pem` make one of a Java key store"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<TlsSettings, ConnectError> {
        let config: ConfigMap = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect();
        TlsSettings::read(&config)
    }

    #[test]
    fn java_key_stores_and_weaker_checks_are_refused_with_what_to_do() {
        for (pairs, part) in [
            (
                &[("truststore.location", "/x/trust.jks")][..],
                "truststore.type=JKS",
            ),
            (
                &[("keystore.type", "PKCS12"), ("keystore.location", "/x")],
                "openssl pkcs12",
            ),
            (
                &[("endpoint.identification.algorithm", "")],
                "endpoint.identification",
            ),
            (&[("key.password", "secret")], "openssl pkcs8"),
            (&[("keystore.key", "x")], "go together"),
        ] {
            let error = read(pairs).unwrap_err();
            assert!(error.message().contains(part), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }

    #[test]
    fn pem_that_is_missing_or_empty_is_named() {
        let missing = read(&[("truststore.location", "/nowhere/ca.pem")]).unwrap();
        let text = missing.load().unwrap_err();
        assert!(
            text.contains("truststore.location=/nowhere/ca.pem"),
            "{text}"
        );
        let empty = read(&[("truststore.certificates", "nothing")]).unwrap();
        assert!(empty.load().unwrap_err().contains("has no certificate"));
        assert!(read(&[]).unwrap().load().is_ok());
    }
}
