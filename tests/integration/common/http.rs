//! A small HTTP client for the REST interface.

use std::time::Duration;

use serde_json::Value;

/// What a server answered; any status is an answer, not an error.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|e| panic!("no JSON ({e}) in the answer {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}

/// One request; `Err` when there was no answer within 100 s (Connect's own limit is 90 s).
pub(crate) fn try_request(method: &str, url: &str, body: Option<&Value>) -> Result<Answer, String> {
    try_text(method, url, body.map(Value::to_string).as_deref())
}

/// As [`try_request`], with any text as a body that claims to be JSON.
pub(crate) fn try_text(method: &str, url: &str, body: Option<&str>) -> Result<Answer, String> {
    try_with(method, url, &[], body)
}

/// As [`try_text`], with further headers.
pub(crate) fn try_with(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> Result<Answer, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .allow_non_standard_methods(true)
        .timeout_global(Some(Duration::from_secs(100)))
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = match body {
        Some(text) => {
            let request = request.header("content-type", "application/json");
            agent.run(request.body(text).unwrap())
        }
        None => agent.run(request.body(()).unwrap()),
    };
    let mut answer = answer.map_err(|e| format!("{method} {url}: {e}"))?;
    let headers = answer.headers().iter();
    let headers = headers.map(|(n, v)| {
        (
            n.to_string(),
            String::from_utf8_lossy(v.as_bytes()).into_owned(),
        )
    });
    let headers = headers.collect();
    let body = answer
        .body_mut()
        .read_to_string()
        .map_err(|e| format!("{method} {url}: {e}"))?;
    Ok(Answer {
        status: answer.status().as_u16(),
        headers,
        body,
    })
}

/// As [`try_request`]; panics without an answer.
pub(crate) fn request(method: &str, url: &str, body: Option<&Value>) -> Answer {
    try_request(method, url, body).unwrap_or_else(|e| panic!("{e}"))
}

pub(crate) fn get(url: &str) -> Answer {
    request("GET", url, None)
}
