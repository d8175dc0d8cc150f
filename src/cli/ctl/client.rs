//! HTTP to a worker: addresses in turn, conflicts tried again, every answer bounded in size and time.
//!
//! A request goes to the next address when the one before it did not take it. One that may have arrived
//! is repeated elsewhere only when that changes nothing (GET, PUT).

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request, Response};

use super::connection::Connection;
use super::error::CtlError;
use super::output::printable_lines;
use crate::cli::print_error;

/// Longest time that a connection may take to stand.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Largest answer in bytes.
const ANSWER_MAX: u64 = 64 << 20;
/// Characters of a foreign answer that a message shows.
const SHOWN_MAX: usize = 120;
/// Waits between tries while workers rebalance.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MOST: Duration = Duration::from_secs(3);

/// A client of one worker or one cluster.
#[derive(Debug)]
pub(super) struct Client {
    connection: Connection,
    agent: Agent,
    /// Index of the address that answered last.
    current: Cell<usize>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Call<'a> {
    method: Method,
    path: String,
    body: Option<&'a str>,
}

impl<'a> Call<'a> {
    /// A GET of `path`, which begins with a slash.
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// Any method without a body.
    pub(super) fn new(method: Method, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            body: None,
        }
    }

    /// With a body of JSON text.
    pub(super) fn with(self, body: &'a str) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// Whether doing it twice is doing it once.
    fn is_repeatable(&self) -> bool {
        self.method == Method::GET || self.method == Method::PUT
    }
}

/// An answer, its body whole.
#[derive(Debug)]
pub(super) struct Answer {
    /// The address that gave it.
    pub(super) url: String,
    /// HTTP status.
    pub(super) status: u16,
    location: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    /// The body as JSON of this shape.
    ///
    /// # Errors
    /// It is none: something else than a Connect worker answers there.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, CtlError> {
        serde_json::from_slice(&self.body).map_err(|_| self.foreign())
    }

    /// The body as text.
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.body.trim_ascii().is_empty()
    }

    fn foreign(&self) -> CtlError {
        CtlError::Foreign {
            url: self.url.clone(),
            status: self.status,
            shown: shown(&self.body),
            location: self.location.clone(),
        }
    }

    /// Itself if it is a success, else the worker's error.
    fn check(self) -> Result<Self, CtlError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        if self.status < 400 {
            return Err(self.foreign());
        }
        let parsed: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let message = parsed.get("message").and_then(Value::as_str);
        let message = match (message, self.status) {
            (Some(message), _) => message.to_owned(),
            // Authentication answers with plain text, or with nothing (contract 1.12).
            (None, 401 | 403) => String::from_utf8_lossy(&self.body)
                .chars()
                .take(SHOWN_MAX)
                .collect(),
            (None, _) => return Err(self.foreign()),
        };
        let code = parsed.get("error_code").and_then(Value::as_i64);
        Err(CtlError::Refused {
            code: code.unwrap_or(i64::from(self.status)),
            url: self.url,
            status: self.status,
            message,
        })
    }
}

impl Client {
    /// A client that has not connected yet.
    pub(super) fn new(connection: Connection) -> Self {
        let limit = connection.timeout;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .max_redirects(0)
            .user_agent(concat!("ringmain/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .timeout_resolve(Some(limit.min(CONNECT_LIMIT)))
            .timeout_connect(Some(limit.min(CONNECT_LIMIT)))
            .timeout_global(Some(limit))
            .tls_config(connection.tls.clone());
        Self {
            agent: config.build().new_agent(),
            connection,
            current: Cell::new(0),
        }
    }

    /// The address that answered last.
    pub(super) fn url(&self) -> &str {
        &self.connection.urls[self.current.get()]
    }

    /// A successful answer, conflicts of rebalancing workers outwaited.
    ///
    /// # Errors
    /// What the worker says, or why there is no answer.
    pub(super) fn call(&self, call: &Call<'_>) -> Result<Answer, CtlError> {
        let deadline = Instant::now() + self.connection.retry;
        let mut wait = RETRY_FIRST;
        loop {
            let done = self.raw(call).and_then(Answer::check);
            let left = deadline.saturating_duration_since(Instant::now());
            match done {
                Err(error) if error.is_rebalance() && !left.is_zero() => {
                    if wait == RETRY_FIRST {
                        let seconds = left.as_secs().max(1);
                        note(&format!("{error}; trying again for up to {seconds} s"));
                    }
                    let jitter = 0.8 + 0.4 * fastrand::f64();
                    thread::sleep(wait.mul_f64(jitter).min(left));
                    wait = (wait * 2).min(RETRY_MOST);
                }
                done => return done,
            }
        }
    }

    /// Any answer, whatever its status.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn raw(&self, call: &Call<'_>) -> Result<Answer, CtlError> {
        let count = self.connection.urls.len();
        let first = self.current.get();
        let mut tried = 0;
        loop {
            let index = (first + tried) % count;
            tried += 1;
            let done = self.ask(&self.connection.urls[index], call);
            let is_last = tried == count;
            match done {
                Err(error) if !is_last && may_go_on(&error, call) => {
                    note(&format!("{error}; asking the next address"));
                }
                Ok(answer) if !is_last && is_gateway(&answer) && call.is_repeatable() => {
                    let (url, status) = (&answer.url, answer.status);
                    note(&format!("{url} answered {status}; asking the next address"));
                }
                Ok(answer) => {
                    self.current.set(index);
                    return Ok(answer);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// One request to one address.
    fn ask(&self, url: &str, call: &Call<'_>) -> Result<Answer, CtlError> {
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(format!("{url}{}", call.path));
        if let Some(authorization) = &self.connection.authorization {
            request = request.header("Authorization", authorization);
        }
        let malformed = |error| CtlError::Usage(format!("{url}{}: {error}", call.path));
        let answer = match call.body {
            None => self.agent.run(request.body(()).map_err(malformed)?),
            Some(body) => {
                let request = request.header("Content-Type", "application/json");
                self.agent.run(request.body(body).map_err(malformed)?)
            }
        };
        let answer = answer.map_err(|error| transport(url, &error))?;
        read(url, answer)
    }
}

/// What happens on the way, on standard error.
fn note(text: &str) {
    print_error(&printable_lines(text));
}

fn read(url: &str, mut answer: Response<ureq::Body>) -> Result<Answer, CtlError> {
    let location = answer.headers().get("location");
    let location = location.and_then(|value| value.to_str().ok().map(str::to_owned));
    let body = answer.body_mut().with_config().limit(ANSWER_MAX);
    let body = body.read_to_vec().map_err(|error| transport(url, &error))?;
    Ok(Answer {
        url: url.to_owned(),
        status: answer.status().as_u16(),
        location,
        body,
    })
}

/// Whether another address may be asked after this error.
fn may_go_on(error: &CtlError, call: &Call<'_>) -> bool {
    match error {
        CtlError::Unreachable { sent, .. } => !sent || call.is_repeatable(),
        _ => false,
    }
}

/// Something before the worker says that it can't be reached.
fn is_gateway(answer: &Answer) -> bool {
    matches!(answer.status, 502..=504)
}

/// Why there was no answer, whether the request was sent, and what to do.
fn transport(url: &str, error: &ureq::Error) -> CtlError {
    use ureq::{Error, Timeout};
    let reason = match error {
        Error::Timeout(Timeout::Connect | Timeout::Resolve) => {
            "it takes no connection in time".to_owned()
        }
        Error::Timeout(_) => "no answer in time".to_owned(),
        Error::Io(error) => error.to_string(),
        other => other.to_string(),
    };
    let unsent_kinds = [
        std::io::ErrorKind::ConnectionRefused,
        std::io::ErrorKind::NetworkUnreachable,
        std::io::ErrorKind::HostUnreachable,
        std::io::ErrorKind::AddrNotAvailable,
    ];
    let (sent, hint) = match error {
        Error::Timeout(Timeout::Connect | Timeout::Resolve) => (
            false,
            "is the address right, and does a firewall let it through?",
        ),
        Error::Timeout(_) => (
            true,
            "the worker may be busy or hung; wait longer with --timeout SECONDS",
        ),
        Error::HostNotFound => (false, "check the host's name in --url (RINGMAIN_URL)"),
        Error::Io(error) if unsent_kinds.contains(&error.kind()) => (
            false,
            "is the worker running, and is --url (RINGMAIN_URL) its REST address?",
        ),
        Error::ConnectionFailed | Error::ConnectProxyFailed(_) | Error::InvalidProxyUrl => (
            false,
            "check --url (RINGMAIN_URL) and the proxy that HTTPS_PROXY or ALL_PROXY names",
        ),
        error if is_tls(error) => (
            false,
            "check the scheme of --url; name the authority of the worker's certificate with --ca FILE.pem, and a client's certificate, if it wants one, with --cert and --key",
        ),
        Error::Protocol(_) | Error::LargeResponseHeader(..) => (
            true,
            "what answers there speaks no HTTP; if it is https, say so in --url",
        ),
        Error::BodyExceedsLimit(_) => (
            true,
            "no answer of a Connect worker is that large; check --url",
        ),
        _ => (
            true,
            "check --url (RINGMAIN_URL), its scheme too (https://), and the worker's log",
        ),
    };
    CtlError::Unreachable {
        url: url.to_owned(),
        reason,
        hint,
        sent,
    }
}

/// Errors of the handshake: rustls hands its own over as I/O errors.
fn is_tls(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => true,
        ureq::Error::Io(error) => {
            error.kind() == std::io::ErrorKind::InvalidData
                || error
                    .get_ref()
                    .is_some_and(|inner| inner.to_string().contains("certificate"))
        }
        _ => false,
    }
}

/// The beginning of a body, on one line.
fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body.get(..SHOWN_MAX * 4).unwrap_or(body));
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let line: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(SHOWN_MAX)
        .collect();
    if line.is_empty() {
        "an empty body".to_owned()
    } else {
        format!("'{line}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            url: "http://w".to_owned(),
            status,
            location: None,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn a_workers_error_keeps_its_code_and_message() {
        let error = answer(500, r#"{"error_code":409,"message":"m"}"#)
            .check()
            .unwrap_err();
        let CtlError::Refused {
            status,
            code,
            message,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!((status, code, message.as_str()), (500, 409, "m"));
    }

    #[test]
    fn html_and_redirections_are_no_answers_of_a_worker() {
        let html = "<html>\n<body>  Bad gateway \u{1b}[31m</body></html>";
        let error = answer(502, html).check().unwrap_err();
        assert!(matches!(error, CtlError::Foreign { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("'<html> <body> Bad gateway") && !text.contains('\u{1b}'));
        let mut redirection = answer(302, "");
        redirection.location = Some("https://other/".to_owned());
        let hint = redirection.check().unwrap_err().hint().unwrap();
        assert!(hint.contains("https://other/"), "{hint}");
        let page = answer(200, html);
        assert!(matches!(
            page.json::<Value>().unwrap_err(),
            CtlError::Foreign { status: 200, .. }
        ));
    }

    #[test]
    fn plain_text_of_authentication_is_a_refusal() {
        let error = answer(401, "User cannot access the resource.")
            .check()
            .unwrap_err();
        assert_eq!(error.status(), Some(401));
        assert!(error.hint().unwrap().contains("--user"));
    }

    #[test]
    fn only_what_can_be_repeated_goes_to_a_second_worker_once_it_was_sent() {
        let unreachable = |sent| CtlError::Unreachable {
            url: String::new(),
            reason: String::new(),
            hint: "",
            sent,
        };
        let post = Call::new(Method::POST, "/connectors/a/restart");
        assert!(may_go_on(&unreachable(false), &post));
        assert!(!may_go_on(&unreachable(true), &post));
        assert!(may_go_on(&unreachable(true), &Call::get("/connectors")));
        assert!(!may_go_on(&CtlError::Failed(String::new()), &post));
    }

    #[test]
    fn a_long_answer_is_cut_in_messages() {
        assert!(shown(&vec![b'x'; 100_000]).chars().count() < 200);
        assert_eq!(shown(b" \n"), "an empty body");
    }
}
