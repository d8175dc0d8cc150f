//! Signatures of the requests that workers send each other (Kafka: `InternalRequestSignature`, `Crypto`,
//! KIP-507; contract 1.11).
//!
//! The leader makes a session key and writes it to the config topic; whoever has read it signs the body of a
//! request with it, and [`Verification::check`] is the receiver's table of what is let in.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use ring::rand::{SecureRandom, SystemRandom};
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use subtle::ConstantTimeEq;

use super::config_topic::SessionKey;
use super::java_base64;

/// The header with the MAC in base64.
pub const SIGNATURE_HEADER: &str = "X-Connect-Authorization";
/// The header with the name of the algorithm.
pub const SIGNATURE_ALGORITHM_HEADER: &str = "X-Connect-Request-Signature-Algorithm";

/// Longest key that is made, in bits.
const KEY_BITS_MAX: i32 = 1 << 16;
/// Shortest key that Java makes for the SHA-2 family, in bits.
const KEY_BITS_MIN_SHA2: i32 = 40;

/// How a request is signed, by the names of Java's provider SunJCE. It also has the SHA-3 family, which is not
/// here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are Java's names")]
pub enum MacAlgorithm {
    HmacMd5,
    HmacSha1,
    HmacSha224,
    HmacSha256,
    HmacSha384,
    HmacSha512,
    HmacSha512_224,
    HmacSha512_256,
}

impl MacAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 8] = [
        Self::HmacMd5,
        Self::HmacSha1,
        Self::HmacSha224,
        Self::HmacSha256,
        Self::HmacSha384,
        Self::HmacSha512,
        Self::HmacSha512_224,
        Self::HmacSha512_256,
    ];

    /// Java's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::HmacMd5 => "HmacMD5",
            Self::HmacSha1 => "HmacSHA1",
            Self::HmacSha224 => "HmacSHA224",
            Self::HmacSha256 => "HmacSHA256",
            Self::HmacSha384 => "HmacSHA384",
            Self::HmacSha512 => "HmacSHA512",
            Self::HmacSha512_224 => "HmacSHA512/224",
            Self::HmacSha512_256 => "HmacSHA512/256",
        }
    }

    /// The algorithm of that name in any case, as Java's `Mac.getInstance` finds it.
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The MAC of `body`.
    pub fn mac(self, key: &[u8], body: &[u8]) -> Vec<u8> {
        match self {
            Self::HmacMd5 => mac::<Hmac<Md5>>(key, body),
            Self::HmacSha1 => mac::<Hmac<Sha1>>(key, body),
            Self::HmacSha224 => mac::<Hmac<Sha224>>(key, body),
            Self::HmacSha256 => mac::<Hmac<Sha256>>(key, body),
            Self::HmacSha384 => mac::<Hmac<Sha384>>(key, body),
            Self::HmacSha512 => mac::<Hmac<Sha512>>(key, body),
            Self::HmacSha512_224 => mac::<Hmac<Sha512_224>>(key, body),
            Self::HmacSha512_256 => mac::<Hmac<Sha512_256>>(key, body),
        }
    }

    /// Length of the keys that Java makes unless told otherwise, in bytes.
    fn default_key_length(self) -> usize {
        match self {
            Self::HmacSha224 | Self::HmacSha512_224 => 28,
            Self::HmacSha256 | Self::HmacSha512_256 => 32,
            Self::HmacSha384 => 48,
            Self::HmacMd5 | Self::HmacSha1 | Self::HmacSha512 => 64,
        }
    }
}

fn mac<M: KeyInit + Mac>(key: &[u8], body: &[u8]) -> Vec<u8> {
    let keyed = <M as KeyInit>::new_from_slice(key);
    let mut mac = keyed.expect("HMAC takes keys of any length");
    mac.update(body);
    mac.finalize().into_bytes().to_vec()
}

/// The two headers of a signed request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// Value of [`SIGNATURE_ALGORITHM_HEADER`].
    pub algorithm: &'static str,
    /// Value of [`SIGNATURE_HEADER`].
    pub signature: String,
}

/// Signs a body; that of a request without one is empty.
pub fn sign(algorithm: MacAlgorithm, key: &SessionKey, body: &[u8]) -> SignatureHeaders {
    SignatureHeaders {
        algorithm: algorithm.name(),
        signature: STANDARD.encode(algorithm.mac(&key.key, body)),
    }
}

/// What a request was signed with, and what was signed.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestSignature {
    /// As the request names it.
    name: String,
    algorithm: MacAlgorithm,
    mac: Vec<u8>,
    body: Vec<u8>,
}

impl fmt::Debug for RequestSignature {
    /// Without the body, which may hold secrets, and what could be sent again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestSignature")
            .field("algorithm", &self.name)
            .field("body_length", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl RequestSignature {
    /// Reads the values of the two headers; `None` when one of them is missing. `body` is the body's bytes as
    /// they came.
    ///
    /// # Errors
    /// [`Refusal::UnknownAlgorithm`], [`Refusal::NotBase64`].
    pub fn from_headers(
        algorithm: Option<&str>,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<Option<Self>, Refusal> {
        let (Some(name), Some(signature)) = (algorithm, signature) else {
            return Ok(None);
        };
        let algorithm =
            MacAlgorithm::parse(name).ok_or_else(|| Refusal::UnknownAlgorithm(name.to_owned()))?;
        let mac = java_base64::decode(signature).map_err(Refusal::NotBase64)?;
        Ok(Some(Self {
            name: name.to_owned(),
            algorithm,
            mac,
            body: body.to_vec(),
        }))
    }

    /// Compares in a time that does not tell how much of it is right.
    fn is_valid(&self, key: &SessionKey) -> bool {
        let expected = self.algorithm.mac(&key.key, &self.body);
        expected.ct_eq(&self.mac).into()
    }
}

/// What a worker lets in (Kafka: `DistributedHerder.requestNotSignedProperly`).
#[derive(Debug, Clone, Copy)]
pub struct Verification<'a> {
    /// Whether the group agreed on `sessioned`; without it everything is let in.
    pub sessioned: bool,
    /// The session key, once the config topic had one.
    pub key: Option<&'a SessionKey>,
    /// `inter.worker.verification.algorithms`.
    pub algorithms: &'a [String],
}

impl Verification<'_> {
    /// Lets a request in or not. To be asked before anything else is said about the request.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn check(&self, signature: Option<&RequestSignature>) -> Result<(), Refusal> {
        if !self.sessioned {
            return Ok(());
        }
        let signature = signature.ok_or(Refusal::Missing)?;
        if !self.algorithms.contains(&signature.name) {
            return Err(Refusal::NotAllowed {
                algorithm: signature.name.clone(),
                allowed: self.algorithms.join(", "),
            });
        }
        let key = self.key.ok_or(Refusal::NoKey)?;
        match signature.is_valid(key) {
            true => Ok(()),
            false => Err(Refusal::Invalid),
        }
    }
}

/// A request between workers is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It has no signature.
    #[error("Internal request missing required signature")]
    Missing,
    /// Nobody here can check it.
    #[error("Algorithm {0} not available")]
    UnknownAlgorithm(String),
    /// The signature is no base64; Java's text.
    #[error("{0}")]
    NotBase64(String),
    /// `inter.worker.verification.algorithms` does not have the algorithm.
    #[error(
        "This worker does not support the '{algorithm}' key signing algorithm used by other workers. This \
         worker is currently configured to use: [{allowed}]. Check that all workers' configuration files permit \
         the same set of signature algorithms, and correct any misconfigured worker and restart it."
    )]
    NotAllowed {
        /// As the request names it.
        algorithm: String,
        /// Those of the key, with commas.
        allowed: String,
    },
    /// The config topic had no session key yet.
    #[error(
        "This worker is still starting up and has not been able to read a session key from the config topic yet"
    )]
    NoKey,
    /// It was signed with another key, or is not what was signed.
    #[error("Internal request contained invalid signature.")]
    Invalid,
}

impl Refusal {
    /// The HTTP status that says it.
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing
            | Self::UnknownAlgorithm(_)
            | Self::NotBase64(_)
            | Self::NotAllowed { .. } => 400,
            Self::NoKey => 503,
            Self::Invalid => 403,
        }
    }
}

/// Makes session keys (Kafka: `DistributedConfig.getInternalRequestKeyGenerator`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyGenerator {
    algorithm: MacAlgorithm,
    length: usize,
}

impl KeyGenerator {
    /// For `inter.worker.key.generation.algorithm` and `inter.worker.key.size`, which is in bits.
    ///
    /// # Errors
    /// Java's text of what is wrong, under Kafka's.
    pub fn new(algorithm: &str, size: Option<i32>) -> Result<Self, String> {
        let wrong = |reason: String| {
            let size = size.map_or_else(|| "null".to_owned(), |size| size.to_string());
            format!(
                "Unable to create key generator with algorithm {algorithm} and key size {size}: {reason}"
            )
        };
        let found = MacAlgorithm::parse(algorithm)
            .ok_or_else(|| wrong(format!("{algorithm} KeyGenerator not available")))?;
        let length = match size {
            None => found.default_key_length(),
            Some(bits) => key_length(found, bits).map_err(wrong)?,
        };
        Ok(Self {
            algorithm: found,
            length,
        })
    }

    /// Java's name of the algorithm of its keys. A key of another algorithm or length is to be replaced.
    pub fn algorithm(&self) -> &'static str {
        self.algorithm.name()
    }

    /// Length of its keys in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// A new key, made at `creation_timestamp` (milliseconds since the epoch).
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn generate(&self, creation_timestamp: i64) -> Result<SessionKey, NoRandomBytes> {
        let mut key = vec![0; self.length];
        let filled = SystemRandom::new().fill(&mut key);
        filled.map_err(|_| NoRandomBytes)?;
        Ok(SessionKey {
            key,
            algorithm: self.algorithm().to_owned(),
            creation_timestamp,
        })
    }
}

/// The system gives no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no session key can be made: the system gives no random bytes")]
pub struct NoRandomBytes;

/// Bytes of a key of `bits`; an upper bound is ours.
fn key_length(algorithm: MacAlgorithm, bits: i32) -> Result<usize, String> {
    let is_sha2 = !matches!(algorithm, MacAlgorithm::HmacMd5 | MacAlgorithm::HmacSha1);
    if is_sha2 && bits < KEY_BITS_MIN_SHA2 {
        return Err(format!(
            "Key length must be at least {KEY_BITS_MIN_SHA2} bits"
        ));
    }
    if bits < 1 {
        return Err("Empty key".to_owned());
    }
    if bits > KEY_BITS_MAX {
        return Err(format!("Key length must be at most {KEY_BITS_MAX} bits"));
    }
    Ok(usize::try_from(bits).unwrap_or_default().div_ceil(8))
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
