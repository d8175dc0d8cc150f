//! Who may use the API: Apache's BasicAuth extension, and bearer tokens of our own.
//!
//! [`Guard::load`] reads every file at the start, once: what is wrong with one of them ends the start with
//! the key that named it, since a guard that lets nobody in, or everybody, helps nobody. The router asks
//! the guard when a request has a resource, a method and media types that fit, which is when Apache's filter
//! runs, too. Without `rest.extension.classes` and `rest.bearer.token.file` everybody is let in.
//!
//! Comparisons take the same time whatever is right about the credentials. No log line shows them.

mod basic;
mod bearer;
#[cfg(test)]
mod fuzz;
mod jaas;

use std::fmt;

use self::basic::BasicAuth;
use self::bearer::BearerTokens;
use super::error::RestError;
use super::response::{Failure, Response};
use crate::config::worker::RestConfig;

/// What is answered to whoever is not let in (Kafka: `JaasBasicAuthFilter`).
const REFUSAL: &str = "User cannot access the resource.";

/// The value of a request's `Authorization` header, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authorization(String);

impl Authorization {
    pub(super) fn new(value: String) -> Self {
        Self(value)
    }

    /// For whoever checks it, or hands the request on.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// What a request must show.
#[derive(Debug, Default)]
pub(super) struct Guard {
    basic: Option<BasicAuth>,
    tokens: Option<BearerTokens>,
}

/// What became of the credentials.
enum Checked {
    Right,
    Wrong,
    /// Kafka's filter fails over base64 that is none; its text.
    Malformed(String),
}

impl Guard {
    /// Reads what the settings name; `kafka_opts` is the environment's `KAFKA_OPTS`, where Java's
    /// `java.security.auth.login.config` stands.
    ///
    /// # Errors
    /// A file that is missing, can't be read or can't be meant; names its key.
    pub(super) fn load(config: &RestConfig, kafka_opts: Option<&str>) -> Result<Self, RestError> {
        let basic = match config.basic_auth {
            true => Some(BasicAuth::load(config.jaas_file.as_deref(), kafka_opts)?),
            false => None,
        };
        let tokens = config.bearer_token_file.as_deref().map(BearerTokens::load);
        Ok(Self {
            basic,
            tokens: tokens.transpose()?,
        })
    }

    /// The answer to a request that is not let in.
    pub(super) fn refusal(
        &self,
        authorization: Option<&Authorization>,
        method: &str,
        path: &[String],
    ) -> Option<Response> {
        let is_open = self.basic.is_none() && self.tokens.is_none();
        if is_open || is_internal(method, path) {
            return None;
        }
        match self.check(authorization.map(Authorization::reveal)) {
            Checked::Right => None,
            Checked::Wrong => {
                // As Apache: whoever mistypes a password should not fill the log.
                tracing::debug!(method, "a REST request has no valid credentials");
                Some(self.unauthorized())
            }
            Checked::Malformed(text) => Some(Failure::new(500, text).into()),
        }
    }

    fn check(&self, header: Option<&str>) -> Checked {
        if let Some(tokens) = &self.tokens
            && let Some(token) = header.and_then(bearer::token)
            && tokens.admit(token)
        {
            return Checked::Right;
        }
        let Some(basic) = &self.basic else {
            return Checked::Wrong;
        };
        match basic::credentials(header) {
            Ok(credentials) if basic.admits(credentials.as_ref()) => Checked::Right,
            Ok(_) => Checked::Wrong,
            Err(text) => Checked::Malformed(text),
        }
    }

    /// Apache's answer names no scheme; where tokens are known, theirs is named (RFC 6750).
    fn unauthorized(&self) -> Response {
        let mut response = Response::empty(401);
        response.body = REFUSAL.as_bytes().to_vec();
        match self.tokens {
            Some(_) => response.with_header("WWW-Authenticate", "Bearer".to_owned()),
            None => response,
        }
    }
}

/// The two calls between workers, which are signed instead (contract 1.11, 1.12).
fn is_internal(method: &str, path: &[String]) -> bool {
    let parts: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        (method, parts.as_slice()),
        ("POST", ["connectors", _, "tasks"]) | ("PUT", ["connectors", _, "fence"])
    )
}

#[cfg(test)]
mod tests;
