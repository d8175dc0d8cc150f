//! SASL on a connection: handshake, the mechanism's exchange of tokens, and how long the session lasts
//! (Kafka: `SaslClientAuthenticator`, KIP-152, KIP-368).

mod oauth;
mod scram;

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};

pub(super) use self::oauth::Tokens;
use self::oauth::{NoToken, first_message};
use self::scram::Scram;
use super::connection::Connection;
use super::errors::{code, name};
use super::protocol::text;
use crate::clients::{ClientError, SaslConfig};

/// Most tokens of one exchange; no mechanism has more than two.
const ROUNDS_MAX: usize = 8;

/// One mechanism at work.
enum Exchange {
    /// Everything is in the first token.
    Told,
    Scram(Box<Scram>),
    /// A token of an answer is an error, which is to be acknowledged.
    Oauth,
}

impl Exchange {
    /// The exchange and its first token.
    async fn start(
        connection: &Connection,
        config: &SaslConfig,
        tokens: &Tokens,
    ) -> Result<(Self, Vec<u8>), ClientError> {
        match config {
            SaslConfig::Plain(credentials) => {
                let (name, password) = (&credentials.username, credentials.password.reveal());
                Ok((Self::Told, format!("\0{name}\0{password}").into_bytes()))
            }
            SaslConfig::Scram {
                hash,
                credentials,
                token,
            } => {
                let scram = Scram::new(*hash, credentials, *token)
                    .map_err(|reason| refusal(connection, config.mechanism(), &reason))?;
                let first = scram.first();
                Ok((Self::Scram(Box::new(scram)), first))
            }
            SaslConfig::Oauth(oauth) => {
                let token = tokens.get(oauth).await;
                let token = token.map_err(|error| no_token(connection, &error))?;
                Ok((Self::Oauth, first_message(&token, &oauth.extensions)))
            }
        }
    }

    /// The answer to a token of the broker; `None` when all is said.
    async fn answer(&mut self, token: &[u8]) -> Result<Option<Vec<u8>>, String> {
        match self {
            Self::Told => Ok(None),
            Self::Scram(scram) => scram.answer(token).await,
            Self::Oauth if token.is_empty() => Ok(None),
            // The broker's next answer has the reason, too.
            Self::Oauth => Ok(Some(vec![1])),
        }
    }
}

/// There is no token to show.
fn no_token(connection: &Connection, error: &NoToken) -> ClientError {
    let reason = format!("no token from {}: {}", error.place, error.reason);
    if error.retriable {
        connection.close(&reason);
        return ClientError::Disconnected {
            context: "SASL OAUTHBEARER".to_owned(),
            broker: connection.broker().to_owned(),
            reason,
        };
    }
    refusal(connection, "OAUTHBEARER", &reason)
}

/// Proves to the broker who this client is. Gives how long the session lasts, if that is bounded.
///
/// # Errors
/// `Authentication`; `Disconnected`, `Timeout`.
pub(super) async fn authenticate(
    connection: &Connection,
    config: &SaslConfig,
    tokens: &Tokens,
    limit: Duration,
) -> Result<Option<Duration>, ClientError> {
    let mechanism = config.mechanism();
    let request = SaslHandshakeRequest::default().with_mechanism(text(mechanism));
    // In version 0 tokens come without requests around them; brokers from 1.0 on know version 1.
    let agreed = connection.call_version(request, 1, limit).await?;
    check_handshake(connection, mechanism, &agreed)?;
    let refused = |reason: String| refusal(connection, mechanism, &reason);
    let (mut exchange, mut token) = Exchange::start(connection, config, tokens).await?;
    for _ in 0..ROUNDS_MAX {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from(token));
        let answer = connection.call(request, limit).await?;
        check_answer(connection, mechanism, &answer)?;
        match exchange.answer(&answer.auth_bytes).await.map_err(refused)? {
            Some(next) => token = next,
            None => {
                let lifetime = u64::try_from(answer.session_lifetime_ms).unwrap_or(0);
                return Ok((lifetime > 0).then(|| Duration::from_millis(lifetime)));
            }
        }
    }
    Err(refused("the exchange of tokens does not end".to_owned()))
}

fn refusal(connection: &Connection, mechanism: &str, reason: &str) -> ClientError {
    connection.refuse(&format!("SASL {mechanism}: {reason}"))
}

fn check_handshake(
    connection: &Connection,
    mechanism: &str,
    answer: &SaslHandshakeResponse,
) -> Result<(), ClientError> {
    let there: Vec<&str> = answer.mechanisms.iter().map(|name| name.as_str()).collect();
    let reason = match answer.error_code {
        0 => return Ok(()),
        code::UNSUPPORTED_SASL_MECHANISM => format!(
            "the broker has not enabled this mechanism, but {} (UNSUPPORTED_SASL_MECHANISM); look at \
             sasl.mechanism",
            there.join(", ")
        ),
        code::ILLEGAL_SASL_STATE => {
            "the broker's listener takes no SASL (ILLEGAL_SASL_STATE); look at \
                                     security.protocol, or the port"
                .to_owned()
        }
        other => format!(
            "the broker refused the handshake: {} ({other})",
            name(other)
        ),
    };
    Err(refusal(connection, mechanism, &reason))
}

fn check_answer(
    connection: &Connection,
    mechanism: &str,
    answer: &SaslAuthenticateResponse,
) -> Result<(), ClientError> {
    let code = answer.error_code;
    if code == 0 {
        return Ok(());
    }
    let told = answer
        .error_message
        .as_deref()
        .unwrap_or("no reason is told");
    let reason = format!("{told} ({}); look at sasl.jaas.config", name(code));
    Err(refusal(connection, mechanism, &reason))
}
