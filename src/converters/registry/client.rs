//! The registry's REST interface (Confluent: `RestService`): calls on the blocking pool, each with time
//! limits and a bounded answer; retries and fail-over to the next URL in between, on the shard.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value as Json;
use ureq::Agent;

use super::limits::ANSWER_MAX;
use super::settings::ClientSettings;
use crate::api::{ConnectError, ErrorKind};
use crate::shard;

const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";
const ACCEPT: &str =
    "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json, application/json";
/// Most calls of all clients at a time: half of the blocking pool, so that a registry that hangs leaves
/// room for files.
const IN_FLIGHT_MAX: usize = 16;
const WAIT_FOR_PLACE: Duration = Duration::from_millis(10);
/// Characters of an answer that a message shows.
const SHOWN_MAX: usize = 200;

/// A client of one converter.
#[derive(Debug)]
pub(super) struct Client {
    settings: Arc<ClientSettings>,
    agent: OnceLock<Result<Agent, String>>,
    /// The URL that answered last.
    current: AtomicUsize,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum RegistryError {
    /// The registry refused.
    #[error("{url} answered {status}: {message}; error code: {code}")]
    Refused {
        url: String,
        status: u16,
        code: i64,
        message: String,
    },
    /// Nobody answered, or not in time.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable { url: String, reason: String },
    /// The answer is not that of a schema registry.
    #[error("{url} gave an answer that is not a schema registry's: {reason}")]
    Unexpected { url: String, reason: String },
    /// The client cannot be made.
    #[error("{0}")]
    Setup(String),
}

impl RegistryError {
    /// Whether a later call may end better (Confluent: `RestService.isRetriable`).
    pub(super) fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { status, .. } => {
                matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
            }
            Self::Unreachable { .. } => true,
            Self::Unexpected { .. } | Self::Setup(_) => false,
        }
    }

    /// Whether another URL may know better.
    fn concerns_this_url(&self) -> bool {
        self.is_retriable() || matches!(self, Self::Unexpected { .. })
    }

    /// The error as Kafka Connect knows it, for what was `wanted`.
    pub(super) fn into_error(self, wanted: String) -> ConnectError {
        let kind = match &self {
            Self::Setup(_) => ErrorKind::Config,
            error if error.is_retriable() => ErrorKind::Retriable,
            _ => ErrorKind::Data,
        };
        let hint = match &self {
            Self::Refused { status: 401, .. } => {
                "; are basic.auth.credentials.source and basic.auth.user.info right?"
            }
            Self::Refused { status: 403, .. } => "; the user may not do this",
            _ => "",
        };
        let class = match kind {
            ErrorKind::Config => "java.io.IOException",
            ErrorKind::Retriable => "org.apache.kafka.common.errors.TimeoutException",
            _ => "org.apache.kafka.common.errors.SerializationException",
        };
        let cause = ConnectError::new(kind, format!("{self}{hint}")).with_class(match &self {
            Self::Refused { .. } => {
                "io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException"
            }
            _ => "java.io.IOException",
        });
        ConnectError::new(kind, wanted)
            .with_class(class)
            .with_source(cause)
    }
}

/// One request.
#[derive(Debug, Clone)]
struct Call {
    path: String,
    /// What is posted.
    body: Option<String>,
}

impl Client {
    /// A client that has not connected yet.
    pub(super) fn new(settings: Arc<ClientSettings>) -> Self {
        Self {
            settings,
            agent: OnceLock::new(),
            current: AtomicUsize::new(0),
        }
    }

    /// The JSON at `path`.
    ///
    /// # Errors
    /// The last of the errors that all URLs and retries gave.
    pub(super) async fn get(self: &Arc<Self>, path: String) -> Result<Json, RegistryError> {
        self.call(Call { path, body: None }).await
    }

    /// The answer to `body` at `path`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub(super) async fn post(
        self: &Arc<Self>,
        path: String,
        body: &Json,
    ) -> Result<Json, RegistryError> {
        let body = Some(body.to_string());
        self.call(Call { path, body }).await
    }

    async fn call(self: &Arc<Self>, call: Call) -> Result<Json, RegistryError> {
        let count = self.settings.urls.len();
        let mut last = RegistryError::Setup("schema.registry.url has no URL".to_owned());
        for _ in 0..count {
            let index = self.current.load(Ordering::Relaxed) % count;
            match self.call_with_retries(index, &call).await {
                Err(error) if error.concerns_this_url() => {
                    if count > 1 {
                        tracing::warn!(%error, "asking the next of schema.registry.url");
                    }
                    let next = (index + 1) % count;
                    self.current.store(next, Ordering::Relaxed);
                    last = error;
                }
                done => return done,
            }
        }
        Err(last)
    }

    async fn call_with_retries(
        self: &Arc<Self>,
        index: usize,
        call: &Call,
    ) -> Result<Json, RegistryError> {
        let mut wait = self.settings.retries_wait;
        let mut left = self.settings.retries_max;
        loop {
            match self.call_once(index, call.clone()).await {
                Err(error) if error.is_retriable() && left > 0 => {
                    tracing::debug!(%error, left, "a request to the schema registry is sent again");
                    left -= 1;
                    let jitter = 0.8 + 0.4 * fastrand::f64();
                    let most = self.settings.retries_wait_max;
                    shard::sleep(wait.min(most).mul_f64(jitter)).await;
                    wait = wait.saturating_mul(2);
                }
                done => return done,
            }
        }
    }

    async fn call_once(self: &Arc<Self>, index: usize, call: Call) -> Result<Json, RegistryError> {
        let place = Place::take().await;
        let client = Arc::clone(self);
        let done = shard::blocking(move || {
            let _place = place;
            client.perform(index, &call)
        });
        done.await
            .unwrap_or_else(|error| Err(RegistryError::Setup(error.to_string())))
    }

    /// The call itself; blocks.
    fn perform(&self, index: usize, call: &Call) -> Result<Json, RegistryError> {
        let agent = self.agent.get_or_init(|| make_agent(&self.settings));
        let agent = agent
            .as_ref()
            .map_err(|e| RegistryError::Setup(e.clone()))?;
        let Some(base) = self.settings.urls.get(index) else {
            return Err(RegistryError::Setup("no such URL".to_owned()));
        };
        let url = format!("{}{}", base.url, call.path);
        let authorization = self.settings.authorization(base).map(str::to_owned);
        let headers = self.settings.headers.iter().cloned();
        let own = authorization.map(|value| ("Authorization".to_owned(), value));
        let headers: Vec<_> = own.into_iter().chain(headers).collect();
        let answer = match &call.body {
            None => {
                let request = agent.get(&url).header("Accept", ACCEPT);
                let request = headers.iter().fold(request, |r, (k, v)| r.header(k, v));
                request.call()
            }
            Some(body) => {
                let request = agent.post(&url).header("Accept", ACCEPT);
                let request = request.header("Content-Type", CONTENT_TYPE);
                let request = headers.iter().fold(request, |r, (k, v)| r.header(k, v));
                request.send(body.as_bytes())
            }
        };
        let mut answer = answer.map_err(|error| transport(&url, error))?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER_MAX);
        let body = body.read_to_vec().map_err(|error| transport(&url, error))?;
        understand(url, status, &body)
    }
}

fn make_agent(settings: &ClientSettings) -> Result<Agent, String> {
    let proxy = settings.proxy.as_deref().map(ureq::Proxy::new).transpose();
    let proxy = proxy.map_err(|error| format!("proxy.host: {error}"))?;
    let (connect, read) = (settings.connect_timeout, settings.read_timeout);
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .proxy(proxy)
        .timeout_resolve(Some(connect))
        .timeout_connect(Some(connect))
        .timeout_send_request(Some(read))
        .timeout_send_body(Some(read))
        .timeout_recv_response(Some(read))
        .timeout_recv_body(Some(read))
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .tls_config(settings.tls.load()?);
    Ok(config.build().new_agent())
}

fn transport(url: &str, error: ureq::Error) -> RegistryError {
    let (url, reason) = (url.to_owned(), error.to_string());
    match error {
        ureq::Error::Io(_)
        | ureq::Error::Timeout(_)
        | ureq::Error::HostNotFound
        | ureq::Error::ConnectionFailed
        | ureq::Error::Tls(_)
        | ureq::Error::Rustls(_) => RegistryError::Unreachable { url, reason },
        _ => RegistryError::Unexpected { url, reason },
    }
}

fn understand(url: String, status: u16, body: &[u8]) -> Result<Json, RegistryError> {
    let parsed = serde_json::from_slice::<Json>(body);
    if (200..300).contains(&status) {
        return parsed.map_err(|_| RegistryError::Unexpected {
            url,
            reason: format!("no JSON but {}", shown(body)),
        });
    }
    let parsed = parsed.unwrap_or_default();
    let message = parsed.get("message").and_then(Json::as_str);
    let message = message.map_or_else(
        || format!("not an error of a schema registry but {}", shown(body)),
        str::to_owned,
    );
    Err(RegistryError::Refused {
        url,
        status,
        code: parsed
            .get("error_code")
            .and_then(Json::as_i64)
            .unwrap_or(50005),
        message,
    })
}

/// The beginning of an answer, on one line.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..SHOWN_MAX * 4).unwrap_or(body));
    let words: Vec<&str> = text.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(SHOWN_MAX).collect();
    if line.is_empty() {
        "nothing".to_owned()
    } else {
        format!("'{line}'")
    }
}

/// One of [`IN_FLIGHT_MAX`] places for calls, given back when dropped.
struct Place;

static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);

impl Place {
    async fn take() -> Self {
        let add = |taken: usize| (taken < IN_FLIGHT_MAX).then_some(taken + 1);
        while IN_FLIGHT
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_err()
        {
            shard::sleep(WAIT_FOR_PLACE).await;
        }
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_classified_as_confluents_client_does() {
        let refused = |status, body: &str| understand("u".to_owned(), status, body.as_bytes());
        for (status, retriable) in [
            (404, false),
            (422, false),
            (401, false),
            (500, true),
            (503, true),
            (429, true),
        ] {
            let error = refused(status, "{\"error_code\":40403,\"message\":\"gone\"}").unwrap_err();
            assert_eq!(error.is_retriable(), retriable, "{status}");
            assert!(
                error.to_string().contains("gone; error code: 40403"),
                "{error}"
            );
            let kind = error.into_error("wanted".to_owned()).kind();
            assert_eq!(kind == ErrorKind::Retriable, retriable);
        }
        let html = "<html>\n <body>proxy</body></html>";
        let error = refused(200, html).unwrap_err();
        assert!(!error.is_retriable(), "{error}");
        assert!(error.to_string().contains("'<html> <body>proxy"), "{error}");
        let error = refused(502, html).unwrap_err();
        assert!(
            error.is_retriable() && error.to_string().contains("<html>"),
            "{error}"
        );
        assert!(refused(200, "{\"id\":1}").is_ok());
    }

    #[test]
    fn a_long_answer_is_cut_in_messages() {
        let long = vec![b'x'; 100_000];
        assert!(shown(&long).len() < 300);
        assert_eq!(shown(b" \n"), "nothing");
    }
}
