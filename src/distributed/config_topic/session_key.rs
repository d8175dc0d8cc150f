//! The key that workers sign their requests to each other with.

use std::fmt;

use crate::distributed::java_base64;

/// A session key (Kafka: `SessionKey`, KIP-507), written by the leader.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionKey {
    /// The secret.
    pub key: Vec<u8>,
    /// Java's name of its algorithm, e.g. `HmacSHA256`.
    pub algorithm: String,
    /// When it was made, in milliseconds since the epoch, by the leader's clock.
    pub creation_timestamp: i64,
}

impl fmt::Debug for SessionKey {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionKey")
            .field("algorithm", &self.algorithm)
            .field("creation_timestamp", &self.creation_timestamp)
            .finish_non_exhaustive()
    }
}

/// Base64 as Java's `Base64.getDecoder` takes it; `None` also for an empty key, which Java's `SecretKeySpec`
/// refuses.
pub(super) fn decode_key(text: &str) -> Option<Vec<u8>> {
    let key = java_base64::decode(text).ok()?;
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_as_java_does() {
        for (text, bytes) in [
            ("YQ==", "a"),
            ("YQ", "a"),
            ("YWI=", "ab"),
            ("YWI", "ab"),
            ("YR", "a"),
        ] {
            assert_eq!(
                decode_key(text).as_deref(),
                Some(bytes.as_bytes()),
                "{text}"
            );
        }
        for wrong in [
            "", "=", "====", "Y", "Y===", "YQ=", "YQ===", "YWJj=", "Y Q==", "YQ==YQ==", "Yé",
        ] {
            assert_eq!(decode_key(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_secret_does_not_show() {
        let key = SessionKey {
            key: b"secret".to_vec(),
            algorithm: "HmacSHA256".to_owned(),
            creation_timestamp: 1,
        };
        let shown = format!("{key:?}");
        assert!(
            shown.contains("HmacSHA256") && !shown.contains("115"),
            "{shown}"
        );
    }
}
