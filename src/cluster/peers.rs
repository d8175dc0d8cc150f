//! Requests to other workers over REST (Kafka: `RestClient`, KIP-507; contract 1.2, 1.11).
//!
//! Each request has a connection of its own, as Apache's has: requests between workers are rare, and one that was kept
//! may have been closed meanwhile. Redirections are not followed and no proxy is asked. Answers are bounded in size and
//! time.

use std::sync::OnceLock;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{self, Request, Response};

use crate::api::ConfigMap;
use crate::config::worker::HttpsConfig;
use crate::distributed::config_topic::SessionKey;
use crate::distributed::signature::{
    MacAlgorithm, SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER, sign,
};
use crate::tls;

/// Longest time that a connection may take to stand (Jetty's).
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// Largest answer in bytes: configurations come back with what was put, which is 4 MiB at most.
const ANSWER_MAX: u64 = 16 << 20;
/// Buffers of a connection in bytes.
const BUFFER: usize = 16 << 10;
/// Characters of a foreign answer that a message shows.
const SHOWN_MAX: usize = 120;
/// What stays as it is in a segment of a path: what no server takes for anything else.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A segment of a path, percent-encoded. Also `/`: Apache's workers leave it, so that a connector with one in its name
/// never gets tasks there.
pub fn encode_segment(segment: &str) -> String {
    utf8_percent_encode(segment, SEGMENT).to_string()
}

/// What requests between workers are signed with.
#[derive(Debug, Clone, Copy)]
pub struct Signing<'a> {
    /// The group's session key.
    pub key: &'a SessionKey,
    /// `inter.worker.signature.algorithm`.
    pub algorithm: MacAlgorithm,
}

/// A request to another worker.
#[derive(Debug, Clone, Default)]
pub struct PeerRequest<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// The worker's advertised URL, with or without a slash at its end.
    pub worker_url: &'a str,
    /// Path and query; begins with a slash.
    pub target: &'a str,
    /// `Authorization` and others; names and values.
    pub headers: Vec<(&'a str, &'a str)>,
    /// JSON, or empty; that of a DELETE is left out.
    pub body: &'a [u8],
    /// For all of it.
    pub limit: Duration,
}

/// A success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAnswer {
    /// 200 to 299.
    pub status: u16,
    /// JSON, or empty.
    pub body: Vec<u8>,
}

/// Another worker did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// It says why.
    #[error("{message}")]
    Refused {
        /// HTTP status, 400 or more.
        status: u16,
        /// `error_code`, mostly the same.
        code: i64,
        /// Its text.
        message: String,
    },
    /// It answered with a redirection or the like.
    #[error("Unexpected status code when handling forwarded request: {0}")]
    Unexpected(u16),
    /// It gave no answer, or none of a Connect worker.
    #[error("IO Error trying to forward REST request: {url}: {reason}")]
    Io {
        /// The worker's URL.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The request can't be made.
    #[error("Error trying to forward REST request: {url}: {reason}")]
    Setup {
        /// The worker's URL.
        url: String,
        /// Which key is wrong and why, or what is wrong with the URL.
        reason: String,
    },
}

impl PeerError {
    /// The HTTP status that says it to whoever asked.
    pub fn status(&self) -> u16 {
        match self {
            Self::Refused { status, .. } => *status,
            Self::Unexpected(_) | Self::Io { .. } | Self::Setup { .. } => 500,
        }
    }

    /// `error_code` for whoever asked.
    pub fn code(&self) -> i64 {
        match self {
            Self::Refused { code, .. } => *code,
            other => i64::from(other.status()),
        }
    }
}

/// A client of the other workers. One for all threads.
#[derive(Debug)]
pub struct Peers {
    https: HttpsConfig,
    plain: Agent,
    secure: OnceLock<Agent>,
}

impl Peers {
    /// A client; `https` is what it shows to workers with `https` URLs, and whom of them it trusts. Its files are read
    /// when the first such worker is asked.
    pub fn new(https: HttpsConfig) -> Self {
        let plain = agent(None);
        Self {
            https,
            plain,
            secure: OnceLock::new(),
        }
    }

    /// Hands the task configurations of a connector to the leader (Kafka: `DistributedHerder.
    /// publishConnectorTaskConfigs`). Blocks.
    ///
    /// # Errors
    /// What the leader says, or why it says nothing.
    pub fn put_task_configs(
        &self,
        leader_url: &str,
        connector: &str,
        configs: &[ConfigMap],
        signing: Option<Signing<'_>>,
        limit: Duration,
    ) -> Result<(), PeerError> {
        let body = serde_json::to_vec(configs).map_err(|error| PeerError::Setup {
            url: leader_url.to_owned(),
            reason: error.to_string(),
        })?;
        let target = format!("/connectors/{}/tasks", encode_segment(connector));
        self.internal(
            PeerRequest {
                method: "POST",
                worker_url: leader_url,
                target: &target,
                headers: Vec::new(),
                body: &body,
                limit,
            },
            signing,
        )
    }

    /// Asks the leader to fence the producers of a connector's earlier tasks (KIP-618). Blocks.
    ///
    /// # Errors
    /// What the leader says, or why it says nothing.
    pub fn fence(
        &self,
        leader_url: &str,
        connector: &str,
        signing: Option<Signing<'_>>,
        limit: Duration,
    ) -> Result<(), PeerError> {
        let target = format!("/connectors/{}/fence", encode_segment(connector));
        self.internal(
            PeerRequest {
                method: "PUT",
                worker_url: leader_url,
                target: &target,
                headers: Vec::new(),
                body: &[],
                limit,
            },
            signing,
        )
    }

    fn internal(
        &self,
        request: PeerRequest<'_>,
        signing: Option<Signing<'_>>,
    ) -> Result<(), PeerError> {
        let signed = signing.map(|signing| sign(signing.algorithm, signing.key, request.body));
        let mut request = request;
        if let Some(signed) = &signed {
            let of = [
                (SIGNATURE_HEADER, signed.signature.as_str()),
                (SIGNATURE_ALGORITHM_HEADER, signed.algorithm),
            ];
            request.headers.extend(of);
        }
        self.send(&request).map(|_| ())
    }

    /// Sends a request and reads its answer. Blocks.
    ///
    /// # Errors
    /// What the worker says, or why it says nothing.
    pub fn send(&self, request: &PeerRequest<'_>) -> Result<PeerAnswer, PeerError> {
        let url = request.worker_url;
        let setup = |reason: String| PeerError::Setup {
            url: url.to_owned(),
            reason,
        };
        let agent = self.agent(url).map_err(setup)?;
        let whole = format!("{}{}", url.trim_end_matches('/'), request.target);
        let mut built = Request::builder().method(request.method).uri(whole);
        for (name, value) in &request.headers {
            built = built.header(*name, *value);
        }
        let malformed = |error: http::Error| setup(error.to_string());
        let limit = Some(request.limit);
        if !request.body.is_empty() {
            built = built.header("Content-Type", "application/json");
        }
        // An empty slice has a length, which a request that could have a body should tell.
        let answered = if request.method == "DELETE" {
            let built = built.body(()).map_err(malformed)?;
            agent.run(agent.configure_request(built).timeout_global(limit).build())
        } else {
            let built = built.body(request.body).map_err(malformed)?;
            agent.run(agent.configure_request(built).timeout_global(limit).build())
        };
        let io = |error: &ureq::Error| PeerError::Io {
            url: url.to_owned(),
            reason: self.reason(error, url),
        };
        let mut answer = answered.map_err(|error| io(&error))?;
        let body = match answer.status().as_u16() {
            204 => Vec::new(),
            _ => read(&mut answer).map_err(|error| io(&error))?,
        };
        judge(url, answer.status().as_u16(), body)
    }

    fn agent(&self, url: &str) -> Result<&Agent, String> {
        let scheme = url.split_once("://").map(|(scheme, _)| scheme);
        match scheme.map(str::to_ascii_lowercase).as_deref() {
            Some("http") => Ok(&self.plain),
            Some("https") => self.secure(),
            _ => Err("the worker's URL is neither http nor https".to_owned()),
        }
    }

    fn secure(&self) -> Result<&Agent, String> {
        if let Some(agent) = self.secure.get() {
            return Ok(agent);
        }
        let HttpsConfig { prefix, settings } = &self.https;
        let tls = tls::http_config(settings).map_err(|error| format!("{prefix}{error}"))?;
        Ok(self.secure.get_or_init(|| agent(Some(tls))))
    }

    fn reason(&self, error: &ureq::Error, url: &str) -> String {
        use ureq::{Error, Timeout};
        let of_tls = |error: &rustls::Error| {
            let host = url.parse::<http::Uri>().ok();
            let host = host.as_ref().and_then(http::Uri::host).unwrap_or(url);
            tls::explain(error, &self.https.settings, host)
        };
        match error {
            Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
                "it takes no connection in time".to_owned()
            }
            Error::Timeout(_) => "no answer in time".to_owned(),
            Error::BodyExceedsLimit(_) => format!("its answer has more than {ANSWER_MAX} bytes"),
            Error::Rustls(error) => of_tls(error),
            Error::Io(error) => {
                let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
                inner.map_or_else(|| error.to_string(), of_tls)
            }
            other => other.to_string(),
        }
    }
}

fn agent(tls: Option<ureq::tls::TlsConfig>) -> Agent {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .max_redirects(0)
        .max_idle_connections(0)
        .proxy(None)
        .user_agent("kafka-connect")
        .accept("application/json")
        .input_buffer_size(BUFFER)
        .output_buffer_size(BUFFER)
        .timeout_resolve(Some(CONNECT_LIMIT))
        .timeout_connect(Some(CONNECT_LIMIT));
    if let Some(tls) = tls {
        config = config.tls_config(tls);
    }
    config.build().new_agent()
}

fn read(answer: &mut Response<ureq::Body>) -> Result<Vec<u8>, ureq::Error> {
    let body = answer.body_mut().with_config().limit(ANSWER_MAX);
    body.read_to_vec()
}

/// What Apache makes of an answer.
fn judge(url: &str, status: u16, body: Vec<u8>) -> Result<PeerAnswer, PeerError> {
    let foreign = |what: &str| PeerError::Io {
        url: url.to_owned(),
        reason: format!("answered {status} with {what}: {}", shown(&body)),
    };
    match status {
        200..300 => {
            let is_json = body.is_empty() || serde_json::from_slice::<IgnoredAny>(&body).is_ok();
            if !is_json {
                return Err(foreign("what is no JSON"));
            }
            Ok(PeerAnswer { status, body })
        }
        400.. => {
            let parsed: Value = serde_json::from_slice(&body).unwrap_or_default();
            let message = parsed.get("message").and_then(Value::as_str);
            let message = message.ok_or_else(|| foreign("no error of a Connect worker"))?;
            let code = parsed.get("error_code").and_then(Value::as_i64);
            Err(PeerError::Refused {
                status,
                code: code.unwrap_or(i64::from(status)),
                message: message.to_owned(),
            })
        }
        _ => Err(PeerError::Unexpected(status)),
    }
}

/// The beginning of a body, on one line.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..SHOWN_MAX * 4).unwrap_or(body));
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let printable = line.chars().filter(|c| !c.is_control());
    let line: String = printable.take(SHOWN_MAX).collect();
    match line.is_empty() {
        true => "nothing".to_owned(),
        false => format!("'{line}'"),
    }
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
