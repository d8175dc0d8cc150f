//! The key and the certificates that settings name, from wherever they are.

use std::fs::File;
use std::io::Read;

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};

use super::der::Reader;
use super::error::{StoreProblem, TlsError};
use super::pkcs12::Opening;
use super::settings::{Identity, Settings, Store, StoreKind, Trust};
use super::{jks, pbe, pem, pkcs12};
use crate::api::config_def::Password;

/// Longest store that is read.
const STORE_MAX: u64 = 16 << 20;

const KEY_LOCATION: &str = "ssl.keystore.location";
const TRUST_LOCATION: &str = "ssl.truststore.location";

/// A private key (PKCS#8) with its certificates, the own one first.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct KeyEntry {
    pub(super) alias: String,
    pub(super) key: Vec<u8>,
    pub(super) chain: Vec<Vec<u8>>,
}

impl std::fmt::Debug for KeyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyEntry")
            .field("alias", &self.alias)
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// What a store of Java's holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Keys, opened.
    pub(super) keys: Vec<KeyEntry>,
    /// Certificates of entries for trusted ones.
    pub(super) trusted: Vec<Vec<u8>>,
    /// First certificates of keys that were not opened.
    pub(super) own: Vec<Vec<u8>>,
    /// Certificates that are neither.
    pub(super) unmarked: usize,
}

/// The own key and its certificates.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) key: PrivateKeyDer<'static>,
    pub(super) chain: Vec<CertificateDer<'static>>,
}

/// Loads the key store, if there is one.
///
/// # Errors
/// It can't be read, or has no key.
pub(super) fn identity(settings: &Settings) -> Result<Option<Loaded>, TlsError> {
    let password = settings.key_password.as_ref();
    let loaded = match &settings.identity {
        None => return Ok(None),
        Some(Identity::Inline { key, chain }) => {
            let key = pem_key(key.reveal(), password)
                .map_err(|problem| pem_problem("ssl.keystore.key", None, &problem))?;
            let chain_key = "ssl.keystore.certificate.chain";
            let chain = pem_certificates(chain.reveal())
                .map_err(|problem| pem_problem(chain_key, None, &problem))?;
            if chain.is_empty() {
                return Err(TlsError::new(
                    chain_key,
                    "At least one certificate expected, but none found",
                ));
            }
            Loaded { key, chain }
        }
        Some(Identity::Store(store)) => match store.kind {
            StoreKind::Pem => pem_identity(store, password)?,
            StoreKind::Binary => binary_identity(store, password)?,
        },
    };
    Ok(Some(loaded))
}

/// Loads the trusted certificates; `None`: there is no trust store.
///
/// # Errors
/// It can't be read, or has no certificate.
pub(super) fn trusted(
    settings: &Settings,
) -> Result<Option<Vec<CertificateDer<'static>>>, TlsError> {
    match &settings.trust {
        None => Ok(None),
        Some(Trust::Inline(text)) => {
            let key = "ssl.truststore.certificates";
            let found = pem_certificates(text.reveal())
                .map_err(|problem| pem_problem(key, None, &problem))?;
            match found.is_empty() {
                true => Err(TlsError::new(
                    key,
                    "At least one certificate expected, but none found",
                )),
                false => Ok(Some(found)),
            }
        }
        Some(Trust::Store(store)) => {
            let found = match store.kind {
                StoreKind::Pem => {
                    let text = pem_text(TRUST_LOCATION, store)?;
                    pem_certificates(&text)
                        .map_err(|problem| pem_problem(TRUST_LOCATION, Some(store), &problem))?
                }
                StoreKind::Binary => binary_trusted(store)?,
            };
            if found.is_empty() {
                let reason = "it has no trusted certificate";
                return Err(TlsError::new(TRUST_LOCATION, reason).at(store.location.as_str()));
            }
            Ok(Some(found))
        }
    }
}

fn read_file(key: &'static str, store: &Store) -> Result<Vec<u8>, TlsError> {
    let problem = |reason: String| TlsError::new(key, reason).at(store.location.as_str());
    let file =
        File::open(&store.location).map_err(|error| problem(format!("cannot be read: {error}")))?;
    let mut bytes = Vec::new();
    file.take(STORE_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| problem(format!("cannot be read: {error}")))?;
    if bytes.len() as u64 > STORE_MAX {
        return Err(problem(format!(
            "is longer than {STORE_MAX} bytes: this is no key store"
        )));
    }
    Ok(bytes)
}

// ---- PEM

fn pem_text(key: &'static str, store: &Store) -> Result<String, TlsError> {
    let bytes = read_file(key, store)?;
    if !pem::is_pem(&bytes) {
        let kind = kind_key(key);
        let reason = match jks::is_jks(&bytes) || bytes.first() == Some(&super::der::tag::SEQUENCE)
        {
            true => format!("has no PEM entry; a JKS or PKCS12 store needs {kind}=JKS or PKCS12"),
            false => "has no PEM entry (-----BEGIN …-----)".to_owned(),
        };
        return Err(TlsError::new(key, reason).at(store.location.as_str()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn pem_identity(store: &Store, password: Option<&Password>) -> Result<Loaded, TlsError> {
    let text = pem_text(KEY_LOCATION, store)?;
    let problem = |problem: StoreProblem| pem_problem(KEY_LOCATION, Some(store), &problem);
    let key = pem_key(&text, password).map_err(problem)?;
    let chain = pem_certificates(&text).map_err(problem)?;
    if chain.is_empty() {
        let reason =
            "has no certificate; a PEM key store holds the private key and its certificate chain";
        return Err(TlsError::new(KEY_LOCATION, reason).at(store.location.as_str()));
    }
    Ok(Loaded { key, chain })
}

pub(super) fn pem_certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, StoreProblem> {
    let entries = pem::entries(text)?.into_iter();
    Ok(entries
        .filter(|entry| {
            matches!(
                entry.label.as_str(),
                "CERTIFICATE" | "TRUSTED CERTIFICATE" | "X509 CERTIFICATE"
            )
        })
        .map(|entry| CertificateDer::from(entry.der))
        .collect())
}

/// The one private key of a text.
fn pem_key(
    text: &str,
    password: Option<&Password>,
) -> Result<PrivateKeyDer<'static>, StoreProblem> {
    let entries = pem::entries(text)?.into_iter();
    let mut keys: Vec<pem::Entry> = entries
        .filter(|entry| entry.label.ends_with("PRIVATE KEY"))
        .collect();
    let Some(entry) = keys.pop() else {
        return Err(StoreProblem::Malformed("there is no private key in it"));
    };
    if !keys.is_empty() {
        return Err(StoreProblem::Malformed(
            "there is more than one private key in it",
        ));
    }
    let label = entry.label.as_str();
    if text.contains("DEK-Info:") {
        return Err(StoreProblem::Unsupported(
            "key encrypted in OpenSSL's old way; `openssl pkcs8 -topk8 -in key.pem` rewrites it"
                .to_owned(),
        ));
    }
    match label {
        "ENCRYPTED PRIVATE KEY" => {
            let password = password.ok_or(StoreProblem::PasswordNeeded)?;
            let mut info = Reader::new(&entry.der).sequence()?;
            let algorithm = info.sequence()?;
            let encrypted = info.octets()?;
            let key = pbe::decrypt(algorithm, password.reveal(), encrypted, pbe::ROUNDS_MAX)?;
            Ok(PrivatePkcs8KeyDer::from(key).into())
        }
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(entry.der).into()),
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(entry.der).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(entry.der).into()),
        _ => Err(StoreProblem::Unsupported(label.to_owned())),
    }
}

fn pem_problem(key: &'static str, store: Option<&Store>, problem: &StoreProblem) -> TlsError {
    let reason = match problem {
        StoreProblem::Malformed(what) => format!("is no usable PEM: {what}"),
        StoreProblem::WrongPassword => "ssl.key.password does not open the private key".to_owned(),
        StoreProblem::PasswordNeeded => {
            "the private key is encrypted: ssl.key.password is needed".to_owned()
        }
        StoreProblem::Unsupported(what) => format!(
            "{what} is not supported; `openssl pkcs8 -topk8 -v2 aes-256-cbc` writes a key that is"
        ),
    };
    let error = TlsError::new(key, reason);
    match store {
        Some(store) => error.at(store.location.as_str()),
        None => error,
    }
}

// ---- JKS and PKCS12

fn binary_contents(
    key: &'static str,
    store: &Store,
    key_password: Option<&str>,
) -> Result<Contents, TlsError> {
    let bytes = read_file(key, store)?;
    let password = store.password.as_ref().map(Password::reveal);
    let read = match bytes.first() {
        _ if jks::is_jks(&bytes) => jks::read(&bytes, password, key_password),
        Some(&super::der::tag::SEQUENCE) => pkcs12::read(
            &bytes,
            Opening {
                password,
                key_password,
                rounds_max: pbe::ROUNDS_MAX,
            },
        ),
        _ if pem::is_pem(&bytes) => {
            let reason = format!("is PEM; set {}=PEM", kind_key(key));
            return Err(TlsError::new(key, reason).at(store.location.as_str()));
        }
        _ => {
            let reason = format!("is neither JKS nor PKCS12 nor PEM ({} bytes)", bytes.len());
            return Err(TlsError::new(key, reason).at(store.location.as_str()));
        }
    };
    read.map_err(|problem| binary_problem(key, store, &problem))
}

fn binary_identity(store: &Store, key_password: Option<&Password>) -> Result<Loaded, TlsError> {
    let password = key_password.or(store.password.as_ref());
    let contents = binary_contents(KEY_LOCATION, store, password.map(Password::reveal))?;
    if contents.keys.len() > 1 {
        let aliases: Vec<&str> = contents.keys.iter().map(|key| key.alias.as_str()).collect();
        tracing::warn!(
            store = store.location,
            ?aliases,
            "{KEY_LOCATION} has several keys; the first is used"
        );
    }
    let problem = |reason: &str| TlsError::new(KEY_LOCATION, reason).at(store.location.as_str());
    let Some(entry) = contents.keys.into_iter().next() else {
        return Err(problem("it has no private key; is it a trust store?"));
    };
    if entry.chain.is_empty() {
        return Err(problem("its private key has no certificate"));
    }
    Ok(Loaded {
        key: PrivatePkcs8KeyDer::from(entry.key).into(),
        chain: entry.chain.into_iter().map(CertificateDer::from).collect(),
    })
}

/// Java trusts a store's entries for trusted certificates, and the own certificates of its keys.
fn binary_trusted(store: &Store) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let contents = binary_contents(TRUST_LOCATION, store, None)?;
    let found: Vec<_> = contents
        .trusted
        .into_iter()
        .chain(contents.own)
        .map(CertificateDer::from)
        .collect();
    if found.is_empty() && contents.unmarked > 0 {
        let reason = "none of its certificates is marked as trusted, as those that `openssl pkcs12 -export \
                      -nokeys` writes; make it with `keytool -importcert`, or use PEM";
        return Err(TlsError::new(TRUST_LOCATION, reason).at(store.location.as_str()));
    }
    Ok(found)
}

fn binary_problem(key: &'static str, store: &Store, problem: &StoreProblem) -> TlsError {
    let password = match key {
        KEY_LOCATION => "ssl.keystore.password",
        _ => "ssl.truststore.password",
    };
    let reason = match problem {
        StoreProblem::Malformed(what) => format!("is damaged, or no JKS or PKCS12 store: {what}"),
        StoreProblem::WrongPassword if key == KEY_LOCATION => {
            format!("{password} (or ssl.key.password) does not open it, or the file was changed")
        }
        StoreProblem::WrongPassword => {
            format!("{password} does not open it, or the file was changed")
        }
        StoreProblem::PasswordNeeded => format!("its certificates are encrypted: set {password}"),
        StoreProblem::Unsupported(what) => format!(
            "{what} is not supported; `keytool -importkeystore … -deststoretype PKCS12` rewrites the store"
        ),
    };
    TlsError::new(key, reason).at(store.location.as_str())
}

fn kind_key(location_key: &str) -> &'static str {
    match location_key {
        KEY_LOCATION => "ssl.keystore.type",
        _ => "ssl.truststore.type",
    }
}
