//! Answers, and the one place where errors become HTTP statuses.

use serde_json::{Value, json};

use super::header_rules::Headers;
use crate::cluster::peers::PeerError;
use crate::herder::HerderError;
use crate::herder::validation::Unvalidated;

/// An answer to a request. Header values come from constants and percent-encoded texts alone.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
}

pub(super) const JSON: &str = "application/json";

impl Response {
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: JSON,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            body: body.to_string().into_bytes(),
            ..Self::empty(status)
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name.into(), value));
        self
    }
}

/// A request that failed: a status and Kafka's text.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    /// `error_code`: the status, unless another worker said otherwise.
    pub(super) code: i64,
    pub(super) message: String,
    /// Another worker may know better.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// Another worker has to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// `None` while nobody knows which.
    pub(super) url: Option<String>,
}

impl Failure {
    pub(super) fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            code: i64::from(status),
            message: message.into(),
            elsewhere: None,
        }
    }

    /// "HTTP 404 Not Found" and its like, as Jersey words them.
    pub(super) fn http(status: u16) -> Self {
        Self::new(status, format!("HTTP {status} {}", reason(status)))
    }
}

/// `{"error_code":…,"message":…}`.
pub(super) fn error_body(code: i64, message: &str) -> Value {
    json!({"error_code": code, "message": message})
}

impl From<Failure> for Response {
    fn from(failure: Failure) -> Self {
        Self::json(failure.status, &error_body(failure.code, &failure.message))
    }
}

impl From<HerderError> for Failure {
    fn from(error: HerderError) -> Self {
        let status = match &error {
            HerderError::NotFound(_) => 404,
            HerderError::AlreadyExists(_)
            | HerderError::Conflict(_)
            | HerderError::Stale
            | HerderError::Elsewhere { .. } => 409,
            HerderError::BadRequest(_) => 400,
            HerderError::Forbidden(_) => 403,
            HerderError::Unavailable(_) => 503,
            HerderError::Failed(_) | HerderError::Timeout(_) | HerderError::ShuttingDown => 500,
        };
        let failure = Self::new(status, error.to_string());
        match error {
            HerderError::Elsewhere { url } => Self {
                elsewhere: Some(Elsewhere { url }),
                ..failure
            },
            _ => failure,
        }
    }
}

impl From<Elsewhere> for Failure {
    /// Where it can't be forwarded.
    fn from(Elsewhere { url }: Elsewhere) -> Self {
        HerderError::Elsewhere { url }.into()
    }
}

impl From<PeerError> for Failure {
    fn from(error: PeerError) -> Self {
        Self {
            code: error.code(),
            ..Self::new(error.status(), error.to_string())
        }
    }
}

impl From<Unvalidated> for Failure {
    fn from(error: Unvalidated) -> Self {
        match error {
            Unvalidated::Impossible(error) => Self::new(400, error.to_string()),
            Unvalidated::Timeout(Some(stage)) => {
                Self::new(500, format!("Request timed out. {}.", stage.summary()))
            }
            Unvalidated::Timeout(None) | Unvalidated::Failed(_) => {
                Self::new(500, error.to_string())
            }
        }
    }
}

/// Jetty's reason phrases.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}
