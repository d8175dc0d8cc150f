//! The key that workers sign their requests to each other with.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Java's basic decoder looks at padding itself, see [`decode_key`], and not at bits left over.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

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

/// Base64 as Java's `Base64.getDecoder` takes it: padding is optional, but whole where there is any.
/// `None` also for an empty key, which Java's `SecretKeySpec` refuses.
pub(super) fn decode_key(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    let missing = match digits.len() % 4 {
        2 => 2,
        3 => 1,
        _ => 0,
    };
    if padding > 0 && padding != missing {
        return None;
    }
    let key = LENIENT.decode(digits).ok()?;
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
