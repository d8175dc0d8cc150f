//! `schema.registry.ssl.*`: Kafka's keys behind a prefix, read as those of brokers are.

use ureq::tls::TlsConfig;

use crate::api::{ConfigMap, ConnectError};
use crate::tls::{self, Settings};

/// What stands before Kafka's own keys.
const PREFIX: &str = "schema.registry.";
const CHECK_NAMES: &str = "ssl.endpoint.identification.algorithm";

/// What is trusted and what the client shows. Files are read when the first request is made.
#[derive(Debug, Clone, Default)]
pub(super) struct TlsSettings(Settings);

impl TlsSettings {
    /// Reads the keys, given with `ssl.` and without `schema.registry.` before it.
    ///
    /// # Errors
    /// What Kafka refuses (`DefaultSslEngineFactory`), or checks that would be left out.
    pub(super) fn read(config: &ConfigMap) -> Result<Self, ConnectError> {
        let unchecked =
            |value: &Option<String>| value.as_deref().is_none_or(|v| v.trim().is_empty());
        if config.get(CHECK_NAMES).is_some_and(unchecked) {
            return Err(ConnectError::config(format!(
                "{PREFIX}{CHECK_NAMES} may not be empty: the name in the registry's certificate is always \
                 checked. Use a certificate for that name"
            )));
        }
        let mut config = config.clone();
        for store in ["truststore", "keystore"] {
            assume_pem(&mut config, store);
        }
        let settings = Settings::parse(&config);
        settings.map(Self).map_err(|problem| {
            let text = problem.message;
            ConnectError::config(format!("{PREFIX}{}: {text}", problem.key))
        })
    }

    /// The settings for ureq. Reads files and derives keys, so it blocks.
    ///
    /// # Errors
    /// Why a store is not what it should be, with key and file.
    pub(super) fn load(&self) -> Result<TlsConfig, String> {
        tls::http_config(&self.0).map_err(|error| format!("{PREFIX}{error}"))
    }
}

/// Without a type, a store is PEM where its text is in the settings, or where its file is not named as Java's
/// are. Kafka's default would be JKS alone.
fn assume_pem(config: &mut ConfigMap, store: &str) {
    let text = |key: &str| {
        let value = config.get(&format!("ssl.{store}.{key}"))?.as_deref()?;
        Some(value.trim()).filter(|value| !value.is_empty())
    };
    let inline = ["certificates", "key", "certificate.chain"];
    let has_text = inline.iter().any(|key| text(key).is_some());
    let pem_file = || text("location").is_some_and(|file| !ends_as_java_store(file));
    if text("type").is_none() && (has_text || pem_file()) {
        config.insert(format!("ssl.{store}.type"), Some("PEM".to_owned()));
    }
}

fn ends_as_java_store(file: &str) -> bool {
    let file = file.to_ascii_lowercase();
    [".jks", ".p12", ".pfx", ".keystore", ".truststore"]
        .iter()
        .any(|ending| file.ends_with(ending))
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
    fn settings_that_cannot_be_meant_are_refused_under_their_whole_key() {
        for (pairs, part) in [
            (
                &[("ssl.endpoint.identification.algorithm", "")][..],
                "schema.registry.ssl.endpoint.identification.algorithm may not be empty",
            ),
            (
                &[("ssl.keystore.key", "secret")],
                "schema.registry.ssl.keystore.certificate.chain: ",
            ),
            (
                &[("ssl.keystore.location", "/x.p12")],
                "schema.registry.ssl.keystore.password: SSL key store is specified, but key store password",
            ),
            (
                &[
                    ("ssl.truststore.type", "BKS"),
                    ("ssl.truststore.location", "/x"),
                ],
                "there are JKS, PKCS12 and PEM",
            ),
        ] {
            let error = read(pairs).unwrap_err();
            assert!(error.message().contains(part), "{error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_store_that_is_missing_or_empty_is_named() {
        let loaded = |pairs: &[(&str, &str)]| read(pairs).unwrap().load();
        for file in ["/nowhere/ca.pem", "/nowhere/ca.jks"] {
            let text = loaded(&[("ssl.truststore.location", file)]).unwrap_err();
            let named = format!("schema.registry.ssl.truststore.location={file}");
            assert!(text.contains(&named), "{text}");
        }
        let text = loaded(&[("ssl.truststore.certificates", "nothing")]).unwrap_err();
        assert!(text.contains("ssl.truststore.certificates"), "{text}");
        loaded(&[]).unwrap();
    }

    #[test]
    fn a_file_without_a_type_is_pem_unless_it_is_named_as_javas() {
        for (file, pem) in [
            ("ca.pem", true),
            ("ca.crt", true),
            ("ca.jks", false),
            ("CA.P12", false),
        ] {
            let mut config = ConfigMap::new();
            config.insert("ssl.truststore.location".to_owned(), Some(file.to_owned()));
            assume_pem(&mut config, "truststore");
            let kind = config.get("ssl.truststore.type").and_then(Option::as_deref);
            assert_eq!(kind, pem.then_some("PEM"), "{file}");
        }
    }
}
