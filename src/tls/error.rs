//! Why a store or a setting gives no TLS.

/// A setting that can't be used, with the key that said so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}{}: {reason}", .place.as_deref().map(|place| format!("={place}")).unwrap_or_default())]
pub struct TlsError {
    /// Kafka's key, without any prefix: `ssl.keystore.location`.
    pub key: &'static str,
    /// The file, or the value where it is no secret.
    pub place: Option<String>,
    /// What is wrong and what to do.
    pub reason: String,
}

impl TlsError {
    /// A problem of what `key` says.
    pub fn new(key: &'static str, reason: impl Into<String>) -> Self {
        Self {
            key,
            place: None,
            reason: reason.into(),
        }
    }

    /// The same, naming the file or value.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }
}

/// Why a store or a key can't be read, before it is said where that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StoreProblem {
    /// The bytes are not what they should be.
    Malformed(&'static str),
    /// The password does not open the store or the key, or the file was changed.
    WrongPassword,
    /// There is no password, and without it nothing can be read.
    PasswordNeeded,
    /// An algorithm or format that is not read, by name.
    Unsupported(String),
}
