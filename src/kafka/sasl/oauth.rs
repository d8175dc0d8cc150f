//! Tokens for OAUTHBEARER (RFC 7628): fetched on the blocking pool, kept for the client's connections, and
//! replaced before they run out (Kafka: `ExpiringCredentialRefreshingLogin`).

use std::cell::RefCell;
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use ureq::Agent;

use crate::api::config_def::Password;
use crate::clients::{OauthConfig, Refresh, TokenEndpoint, TokenSource, UnsecuredToken};
use crate::{shard, tls};

/// Longest answer of a token endpoint, and longest file.
const ANSWER_MAX: u64 = 1 << 20;
/// How much of an error's text is shown.
const SHOWN_MAX: usize = 500;
/// Answers of HTTP after which asking again is no use (Kafka: `HttpJwtRetriever`).
const FINAL_STATUS: [u16; 17] = [
    400, 401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 413, 414, 415, 501, 505,
];

/// Why there is no token.
#[derive(Debug)]
pub(super) struct NoToken {
    /// Where it was asked for.
    pub(super) place: String,
    pub(super) reason: String,
    /// Whether it may be there later.
    pub(super) retriable: bool,
}

/// A token and until when it is used.
#[derive(Debug, Clone)]
struct Token {
    text: Password,
    refresh_at: Instant,
}

/// The token of one client.
#[derive(Debug, Default)]
pub(in crate::kafka) struct Tokens {
    cached: RefCell<Option<Token>>,
}

impl Tokens {
    /// A token that is good for a while yet.
    ///
    /// # Errors
    /// There is none.
    pub(super) async fn get(&self, config: &OauthConfig) -> Result<Password, NoToken> {
        let cached = self.cached.borrow().clone();
        if let Some(token) = cached.filter(|token| Instant::now() < token.refresh_at) {
            return Ok(token.text);
        }
        let source = config.source.clone();
        let fetched = shard::blocking(move || fetch(&source)).await;
        let text = fetched.unwrap_or_else(|error| {
            Err(NoToken {
                place: "the blocking pool".to_owned(),
                reason: error.to_string(),
                retriable: true,
            })
        })?;
        let left = lifetime(&text, place(&config.source))?;
        let token = Token {
            text: Password::new(text),
            refresh_at: Instant::now() + used_for(left, &config.refresh),
        };
        *self.cached.borrow_mut() = Some(token.clone());
        Ok(token.text)
    }
}

/// How long a token is used that is good for `left`.
fn used_for(left: Duration, refresh: &Refresh) -> Duration {
    let share = refresh.window + refresh.jitter * fastrand::f64();
    let used = left.mul_f64(share.min(1.0));
    // A short life leaves no room for the bounds of long ones.
    match left.checked_sub(refresh.buffer) {
        Some(most) if most > refresh.min_period => used.clamp(refresh.min_period, most),
        _ => used,
    }
}

fn place(source: &TokenSource) -> &str {
    match source {
        TokenSource::Endpoint(endpoint) => &endpoint.url,
        TokenSource::File(path) => path,
        TokenSource::Unsecured(_) => "sasl.jaas.config",
    }
}

fn fetch(source: &TokenSource) -> Result<String, NoToken> {
    match source {
        TokenSource::Endpoint(endpoint) => ask(endpoint),
        TokenSource::File(path) => read(path),
        TokenSource::Unsecured(token) => Ok(unsecured(token)),
    }
}

fn no_token(place: &str, reason: impl Into<String>, retriable: bool) -> NoToken {
    NoToken {
        place: place.to_owned(),
        reason: reason.into(),
        retriable,
    }
}

fn read(path: &str) -> Result<String, NoToken> {
    // It may be written by another program just now.
    let broken = |reason: String| no_token(path, reason, true);
    let meta = fs::metadata(path).map_err(|error| broken(error.to_string()))?;
    if meta.len() > ANSWER_MAX {
        return Err(no_token(path, "is too long for a token", false));
    }
    let text = fs::read_to_string(path).map_err(|error| broken(error.to_string()))?;
    Ok(text.trim().to_owned())
}

/// Asks an identity provider by client credentials (RFC 6749, section 4.4).
fn ask(endpoint: &TokenEndpoint) -> Result<String, NoToken> {
    let url = endpoint.url.as_str();
    let agent = agent(endpoint)?;
    let answer = agent
        .post(url)
        .header("Accept", "application/json")
        .header("Authorization", endpoint.authorization.reveal())
        .header("Cache-Control", "no-cache")
        .header("Content-Type", "application/x-www-form-urlencoded")
        .send(endpoint.body.as_bytes());
    let mut answer = answer.map_err(|error| no_token(url, error.to_string(), true))?;
    let status = answer.status().as_u16();
    let body = answer.body_mut().with_config().limit(ANSWER_MAX);
    let body = body
        .read_to_vec()
        .map_err(|error| no_token(url, error.to_string(), true))?;
    if !matches!(status, 200 | 201) {
        let reason = format!("it answered {status}: {}", error_of(&body));
        return Err(no_token(url, reason, !FINAL_STATUS.contains(&status)));
    }
    let parsed: Value =
        serde_json::from_slice(&body).map_err(|_| no_token(url, "its answer is no JSON", false))?;
    let token = ["access_token", "id_token"]
        .iter()
        .find_map(|name| parsed.get(name)?.as_str().map(str::trim));
    match token.filter(|token| !token.is_empty()) {
        Some(token) => Ok(token.to_owned()),
        None => Err(no_token(
            url,
            "its answer has neither access_token nor id_token",
            false,
        )),
    }
}

fn agent(endpoint: &TokenEndpoint) -> Result<Agent, NoToken> {
    let tls = tls::http_config(&endpoint.tls)
        .map_err(|error| no_token(&endpoint.url, error.to_string(), false))?;
    let (connect, read) = (endpoint.connect_timeout, endpoint.read_timeout);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_send_request(Some(read))
        .timeout_send_body(Some(read))
        .timeout_recv_response(Some(read))
        .timeout_recv_body(Some(read))
        .tls_config(tls);
    Ok(config.build().new_agent())
}

/// `error` and `error_description` of an answer (RFC 6749, section 5.2), else its beginning.
fn error_of(body: &[u8]) -> String {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| parsed.get(name).and_then(Value::as_str);
    let told = match (text("error"), text("error_description")) {
        (Some(error), Some(more)) => format!("{error}: {more}"),
        (Some(error), None) => error.to_owned(),
        (None, _) => String::from_utf8_lossy(body).into_owned(),
    };
    told.chars().take(SHOWN_MAX).collect()
}

/// How long a token is good for: its claim `exp` (Kafka: `ClientJwtValidator`).
fn lifetime(token: &str, place: &str) -> Result<Duration, NoToken> {
    let wrong = |reason: &str| {
        no_token(
            place,
            format!("the token is no usable JWT: {reason}"),
            false,
        )
    };
    let mut parts = token.split('.');
    let (Some(_), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(wrong("it has not three parts"));
    };
    let claims = URL_SAFE_NO_PAD
        .decode(claims)
        .or_else(|_| STANDARD_NO_PAD.decode(claims))
        .map_err(|_| wrong("its claims are no base64"))?;
    let claims: Value =
        serde_json::from_slice(&claims).map_err(|_| wrong("its claims are no JSON"))?;
    let until = claims.get("exp").and_then(Value::as_f64);
    let until = until.ok_or_else(|| wrong("it says no exp"))?;
    let left = until - now().as_secs_f64();
    if left <= 0.0 {
        return Err(no_token(place, "the token has run out already", true));
    }
    // Longer than any session.
    Ok(Duration::from_secs_f64(left.min(1e9)))
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// An unsecured JWS (RFC 7515, appendix A.5): no signature.
fn unsecured(token: &UnsecuredToken) -> String {
    let now = now();
    let mut claims = token.claims.clone();
    claims.insert(
        "exp".to_owned(),
        json!((now + token.lifetime).as_secs_f64()),
    );
    claims.insert("iat".to_owned(), json!(now.as_secs_f64()));
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!(
        "{}.{}.",
        part(&json!({"alg": "none"})),
        part(&Value::Object(claims))
    )
}

/// The client's first message.
pub(super) fn first_message(token: &Password, extensions: &[(String, String)]) -> Vec<u8> {
    let mut message = format!("n,,\u{1}auth=Bearer {}", token.reveal());
    for (name, value) in extensions {
        message += &format!("\u{1}{name}={value}");
    }
    message += "\u{1}\u{1}";
    message.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refresh() -> Refresh {
        Refresh {
            window: 0.8,
            jitter: 0.0,
            min_period: Duration::from_secs(60),
            buffer: Duration::from_secs(300),
        }
    }

    #[test]
    fn a_token_is_used_for_most_of_its_life() {
        let used = |left| used_for(Duration::from_secs(left), &refresh()).as_secs();
        assert_eq!(used(10_000), 8000);
        // 300 s before its end at the latest, but not at once.
        assert_eq!(used(1000), 700);
        assert_eq!(used(365), 65);
        assert_eq!(used(100), 80);
    }

    #[test]
    fn an_unsecured_token_says_its_claims_and_when_it_ends() {
        let Value::Object(claims) = json!({"sub": "alice"}) else {
            unreachable!()
        };
        let token = unsecured(&UnsecuredToken {
            claims,
            lifetime: Duration::from_secs(100),
        });
        assert!(token.ends_with('.'));
        let left = lifetime(&token, "here").unwrap();
        assert!((98..=100).contains(&left.as_secs()), "{left:?}");
    }

    #[test]
    fn tokens_that_cannot_be_used_are_refused_with_the_reason() {
        let jwt = |claims: &str| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
        for (token, part) in [
            ("opaque".to_owned(), "three parts"),
            ("a.?.c".to_owned(), "no base64"),
            (jwt("x"), "no JSON"),
            (jwt("{}"), "no exp"),
            (jwt("{\"exp\":1}"), "run out"),
        ] {
            let error = lifetime(&token, "here").unwrap_err();
            assert!(error.reason.contains(part), "{token}: {error:?}");
        }
    }

    #[test]
    fn the_first_message_has_the_token_and_the_extensions() {
        let extensions = [("a".to_owned(), "b".to_owned())];
        assert_eq!(
            first_message(&Password::new("t"), &extensions),
            b"n,,\x01auth=Bearer t\x01a=b\x01\x01"
        );
    }
}
