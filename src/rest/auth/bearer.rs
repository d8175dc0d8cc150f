//! Bearer tokens (RFC 6750) from a file: a way of our own to let programs in.

use std::fmt;
use std::path::Path;

use subtle::{Choice, ConstantTimeEq};

use crate::rest::error::RestError;

const KEY: &str = "rest.bearer.token.file";
/// Shorter ones can be guessed.
const TOKEN_MIN: usize = 16;
/// More is no token file; tokens are compared one by one.
const FILE_MAX: u64 = 64 << 10;

/// The tokens that open the API.
pub(super) struct BearerTokens(Vec<String>);

impl fmt::Debug for BearerTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

/// The token of an `Authorization` header.
pub(super) fn token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl BearerTokens {
    /// Reads one token a line; empty lines and those that begin with `#` are passed over.
    ///
    /// # Errors
    /// The file can't be read or is large, has no token, or one that is short or no token of RFC 6750.
    pub(super) fn load(file: &Path) -> Result<Self, RestError> {
        let bad = |reason: String| RestError::auth(KEY, format!("{}: {reason}", file.display()));
        let size = std::fs::metadata(file).map_err(|error| bad(error.to_string()))?;
        if size.len() > FILE_MAX {
            return Err(bad(format!("is larger than {FILE_MAX} bytes")));
        }
        let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
        let mut tokens = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            check(line).map_err(|reason| bad(format!("line {}: {reason}", index + 1)))?;
            tokens.push(line.to_owned());
        }
        if tokens.is_empty() {
            return Err(bad("has no token; write one a line".to_owned()));
        }
        Ok(Self(tokens))
    }

    /// Whether `token` is one of them. All are compared.
    pub(super) fn admit(&self, token: &str) -> bool {
        let mut admitted = Choice::from(0);
        for known in &self.0 {
            admitted |= known.as_bytes().ct_eq(token.as_bytes());
        }
        admitted.into()
    }
}

/// The token itself is in no message.
fn check(token: &str) -> Result<(), String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !token.bytes().all(is_token) {
        return Err("a token has letters, digits and -._~+/= only".to_owned());
    }
    if token.len() < TOKEN_MIN {
        return Err(format!("a token has at least {TOKEN_MIN} characters"));
    }
    Ok(())
}
