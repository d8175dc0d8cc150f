//! Kafka's `ssl.*` keys as they were written, checked without reading a file. Which combinations are
//! refused, and in which words, is Kafka's `DefaultSslEngineFactory`.

use crate::api::ConfigMap;
use crate::api::config_def::{ConfigProblem, Password};

/// The only engine there is; Java's name of it may be written.
const ENGINE_FACTORIES: [&str; 2] = [
    "org.apache.kafka.common.security.ssl.DefaultSslEngineFactory",
    "org.apache.kafka.common.security.ssl.CommonNameLoggingSslEngineFactory",
];

/// `ssl.client.auth`: whether callers show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientAuth {
    /// They are not asked.
    #[default]
    None,
    /// They are asked; one that is shown must be valid.
    Requested,
    /// They must.
    Required,
}

/// `ssl.keystore.type`, `ssl.truststore.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreKind {
    /// `JKS` (Kafka's default) or `PKCS12`; the file says which it is.
    #[default]
    Binary,
    /// `PEM`.
    Pem,
}

/// A store of keys or certificates in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// What it should be.
    pub kind: StoreKind,
    /// `ssl.keystore.location`, `ssl.truststore.location`.
    pub location: String,
    /// `ssl.keystore.password`, `ssl.truststore.password`.
    pub password: Option<Password>,
}

/// Where the own key and certificate chain are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// In a file.
    Store(Store),
    /// In the settings: `ssl.keystore.key` and `ssl.keystore.certificate.chain`.
    Inline {
        /// Private key in PEM, perhaps encrypted.
        key: Password,
        /// Certificates in PEM, the own one first.
        chain: Password,
    },
}

/// Where the trusted certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// In a file.
    Store(Store),
    /// In the settings, in PEM: `ssl.truststore.certificates`.
    Inline(Password),
}

/// A version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Tls12,
    Tls13,
}

/// What `ssl.*` asks for. By default: public roots are trusted, no certificate is shown, host names are
/// checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub(super) identity: Option<Identity>,
    pub(super) key_password: Option<Password>,
    pub(super) trust: Option<Trust>,
    pub(super) versions: Vec<Version>,
    /// Names as IANA has them; empty: all that there are.
    pub(super) cipher_suites: Vec<String>,
    pub(super) check_names: bool,
    pub(super) client_auth: ClientAuth,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            identity: None,
            key_password: None,
            trust: None,
            versions: vec![Version::Tls12, Version::Tls13],
            cipher_suites: Vec::new(),
            check_names: true,
            client_auth: ClientAuth::None,
        }
    }
}

impl Settings {
    /// Reads `ssl.*` keys (with `ssl.`, without any prefix before it); other keys are passed over. Files are
    /// not looked at.
    ///
    /// # Errors
    /// The first key that can't be meant, or that asks for what is not there (Java classes).
    pub fn parse(config: &ConfigMap) -> Result<Self, ConfigProblem> {
        let keys = Keys(config);
        if let Some(class) = keys.text("ssl.engine.factory.class")
            && !ENGINE_FACTORIES.contains(&class)
        {
            return Err(ConfigProblem::invalid(
                "ssl.engine.factory.class",
                class,
                "Java classes can't run here; leave the key out",
            ));
        }
        Ok(Self {
            identity: keys.identity()?,
            key_password: keys.secret("ssl.key.password"),
            trust: keys.trust()?,
            versions: keys.versions()?,
            cipher_suites: keys.list("ssl.cipher.suites"),
            check_names: keys.check_names()?,
            client_auth: keys.client_auth(),
        })
    }

    /// `ssl.client.auth`.
    pub fn client_auth(&self) -> ClientAuth {
        self.client_auth
    }

    /// Whether there is a key store.
    pub fn has_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Where trusted certificates come from, for messages.
    pub fn trust_place(&self) -> String {
        match &self.trust {
            None => "the public roots (ssl.truststore.location is not set)".to_owned(),
            Some(Trust::Store(store)) => format!("ssl.truststore.location={}", store.location),
            Some(Trust::Inline(_)) => "ssl.truststore.certificates".to_owned(),
        }
    }
}

/// The keys of one map.
struct Keys<'a>(&'a ConfigMap);

impl<'a> Keys<'a> {
    /// A value without blanks around it (Kafka: `ConfigDef.parseType`); none when it is empty.
    fn text(&self, key: &str) -> Option<&'a str> {
        let value = self.0.get(key)?.as_deref()?.trim();
        (!value.is_empty()).then_some(value)
    }

    fn secret(&self, key: &str) -> Option<Password> {
        self.text(key).map(Password::new)
    }

    fn list(&self, key: &str) -> Vec<String> {
        let text = self.text(key).unwrap_or_default();
        let items = text.split(',').map(str::trim);
        items
            .filter(|item| !item.is_empty())
            .map(str::to_owned)
            .collect()
    }

    fn kind(&self, key: &str) -> Result<StoreKind, ConfigProblem> {
        let Some(name) = self.text(key) else {
            return Ok(StoreKind::default());
        };
        match name.to_ascii_uppercase().as_str() {
            "JKS" | "PKCS12" => Ok(StoreKind::Binary),
            "PEM" => Ok(StoreKind::Pem),
            _ => Err(ConfigProblem::invalid(
                key,
                name,
                "there are JKS, PKCS12 and PEM; `keytool -importkeystore … -deststoretype PKCS12` makes \
                 one of other stores",
            )),
        }
    }

    /// The own key: its text, or a store with it.
    fn identity(&self) -> Result<Option<Identity>, ConfigProblem> {
        let problem = |key: &str, text: &str| Err(ConfigProblem::new(key, text));
        match (
            self.secret("ssl.keystore.key"),
            self.secret("ssl.keystore.certificate.chain"),
        ) {
            (Some(key), Some(chain)) => self.inline_identity(key, chain).map(Some),
            (Some(_), None) => problem(
                "ssl.keystore.certificate.chain",
                "SSL private key is specified, but certificate chain is not specified.",
            ),
            (None, Some(_)) => problem(
                "ssl.keystore.key",
                "SSL certificate chain is specified, but private key is not specified",
            ),
            (None, None) => self.key_store(),
        }
    }

    /// A key in the settings goes with PEM and without a store.
    fn inline_identity(&self, key: Password, chain: Password) -> Result<Identity, ConfigProblem> {
        if self.kind(KEYSTORE_TYPE)? != StoreKind::Pem {
            return Err(ConfigProblem::new(
                KEYSTORE_TYPE,
                "SSL private key can be specified only for PEM: set ssl.keystore.type=PEM",
            ));
        }
        if self.text(KEYSTORE_LOCATION).is_some() {
            return Err(ConfigProblem::new(
                KEYSTORE_LOCATION,
                "Both SSL key store location and separate private key are specified.",
            ));
        }
        if self.text(KEYSTORE_PASSWORD).is_some() {
            return Err(ConfigProblem::new(KEYSTORE_PASSWORD, PEM_HAS_KEY_PASSWORD));
        }
        Ok(Identity::Inline { key, chain })
    }

    fn key_store(&self) -> Result<Option<Identity>, ConfigProblem> {
        let kind = self.kind(KEYSTORE_TYPE)?;
        let password = self.secret(KEYSTORE_PASSWORD);
        let Some(location) = self.text(KEYSTORE_LOCATION) else {
            return match password {
                None => Ok(None),
                Some(_) => Err(ConfigProblem::new(
                    KEYSTORE_LOCATION,
                    "SSL key store is not specified, but key store password is specified.",
                )),
            };
        };
        match (kind, &password) {
            (StoreKind::Pem, Some(_)) => {
                Err(ConfigProblem::new(KEYSTORE_PASSWORD, PEM_HAS_KEY_PASSWORD))
            }
            (StoreKind::Binary, None) => Err(ConfigProblem::new(
                KEYSTORE_PASSWORD,
                "SSL key store is specified, but key store password is not specified.",
            )),
            _ => Ok(Some(Identity::Store(Store {
                kind,
                location: location.to_owned(),
                password,
            }))),
        }
    }

    fn trust(&self) -> Result<Option<Trust>, ConfigProblem> {
        const TYPE: &str = "ssl.truststore.type";
        const LOCATION: &str = "ssl.truststore.location";
        const PASSWORD: &str = "ssl.truststore.password";
        let kind = self.kind(TYPE)?;
        let location = self.text(LOCATION);
        let password = self.secret(PASSWORD);
        let problem = |key: &str, text: &str| Err(ConfigProblem::new(key, text));
        let no_password = "SSL trust store password cannot be specified for PEM format.";
        if let Some(certificates) = self.secret("ssl.truststore.certificates") {
            if kind != StoreKind::Pem {
                return problem(
                    TYPE,
                    "SSL trust store certs can be specified only for PEM: set ssl.truststore.type=PEM",
                );
            }
            if location.is_some() {
                return problem(
                    LOCATION,
                    "Both SSL trust store location and separate trust certificates are specified.",
                );
            }
            if password.is_some() {
                return problem(PASSWORD, no_password);
            }
            return Ok(Some(Trust::Inline(certificates)));
        }
        match (location, &password, kind) {
            (None, Some(_), _) => problem(
                LOCATION,
                "SSL trust store is not specified, but trust store password is specified.",
            ),
            (Some(_), Some(_), StoreKind::Pem) => problem(PASSWORD, no_password),
            (None, None, _) => Ok(None),
            (Some(location), _, _) => Ok(Some(Trust::Store(Store {
                kind,
                location: location.to_owned(),
                password,
            }))),
        }
    }

    /// `ssl.enabled.protocols`. `ssl.protocol` names Java's context, which the list overrules; so it only
    /// matters when the list is empty.
    fn versions(&self) -> Result<Vec<Version>, ConfigProblem> {
        const LIST: &str = "ssl.enabled.protocols";
        let context = self.text("ssl.protocol").unwrap_or("TLSv1.3");
        let of_context = match context {
            "TLS" | "TLSv1.3" | "SSL" => vec![Version::Tls12, Version::Tls13],
            "TLSv1.2" => vec![Version::Tls12],
            "TLSv1" | "TLSv1.1" | "SSLv3" | "SSLv2" if !self.list(LIST).is_empty() => Vec::new(),
            _ => {
                return Err(ConfigProblem::invalid(
                    "ssl.protocol",
                    context,
                    "there are TLSv1.3 and TLSv1.2",
                ));
            }
        };
        let names = match self.0.contains_key(LIST) {
            true => self.list(LIST),
            false => return Ok(vec![Version::Tls12, Version::Tls13]),
        };
        if names.is_empty() {
            return Ok(of_context);
        }
        let mut versions = Vec::new();
        for name in &names {
            match name.as_str() {
                "TLSv1.2" => versions.push(Version::Tls12),
                "TLSv1.3" => versions.push(Version::Tls13),
                "SSLv2Hello" | "SSLv3" | "TLSv1" | "TLSv1.1" => tracing::warn!(
                    version = name,
                    "{LIST}: left out, it is not safe; TLSv1.2 and TLSv1.3 are spoken"
                ),
                _ => {
                    return Err(ConfigProblem::invalid(
                        LIST,
                        name,
                        "there are TLSv1.2 and TLSv1.3",
                    ));
                }
            }
        }
        if versions.is_empty() {
            return Err(ConfigProblem::invalid(
                LIST,
                &names.join(","),
                "none of these is spoken here; there are TLSv1.2 and TLSv1.3",
            ));
        }
        Ok(versions)
    }

    /// `ssl.endpoint.identification.algorithm`: `https`, or empty to check no names.
    fn check_names(&self) -> Result<bool, ConfigProblem> {
        const KEY: &str = "ssl.endpoint.identification.algorithm";
        match self.text(KEY) {
            Some(name) if name.eq_ignore_ascii_case("https") => Ok(true),
            Some(name) => Err(ConfigProblem::invalid(
                KEY,
                name,
                "there is https; an empty value turns the check of host names off",
            )),
            None => Ok(!self.0.contains_key(KEY)),
        }
    }

    fn client_auth(&self) -> ClientAuth {
        let name = self.text("ssl.client.auth").unwrap_or("none");
        match name.to_ascii_lowercase().as_str() {
            "none" => ClientAuth::None,
            "requested" => ClientAuth::Requested,
            "required" => ClientAuth::Required,
            _ => {
                // As Kafka does it.
                tracing::warn!(
                    "ssl.client.auth={name} is unknown and taken as none; there are none, requested, required"
                );
                ClientAuth::None
            }
        }
    }
}

const KEYSTORE_TYPE: &str = "ssl.keystore.type";
const KEYSTORE_LOCATION: &str = "ssl.keystore.location";
const KEYSTORE_PASSWORD: &str = "ssl.keystore.password";
const PEM_HAS_KEY_PASSWORD: &str = "SSL key store password cannot be specified with PEM format, only key \
                                    password may be specified.";
