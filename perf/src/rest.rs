//! The workers' REST API, the same calls for every system.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::interrupt;

/// Apache's workers answer a request that takes too long themselves, after 90 s.
const PATIENCE_OF_REQUEST: Duration = Duration::from_secs(100);
/// A worker that starts may accept connections before it answers.
const PATIENCE_OF_LOOK: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(300);

/// One worker's.
#[derive(Debug)]
pub(crate) struct Api {
    agent: ureq::Agent,
    url: String,
}

/// What became of a request for a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    /// It is there.
    Done,
    /// 409: the cluster is between two generations; ask again.
    Conflict,
}

impl Api {
    /// `url` begins with `http://` and ends with the port.
    pub(crate) fn new(url: String) -> Self {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE_OF_REQUEST))
            .build();
        Self {
            agent: agent.into(),
            url,
        }
    }

    /// Whether `GET /` is answered with 200.
    pub(crate) fn answers(&self) -> bool {
        let request = self.agent.get(&self.url).config();
        let outcome = request
            .timeout_global(Some(PATIENCE_OF_LOOK))
            .build()
            .call();
        outcome.is_ok_and(|answer| answer.status() == 200)
    }

    /// Asks for a file source with one task, once. `again` says that this connector was asked for before:
    /// one that is there already then came of that request.
    ///
    /// # Errors
    /// No answer, or another one than 201 and 409.
    pub(crate) fn create(
        &self,
        name: &str,
        file: &str,
        topic: &str,
        again: bool,
    ) -> Result<Created> {
        let body = json!({"name": name, "config": {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "tasks.max": "1", "file": file, "topic": topic}});
        let url = format!("{}/connectors", self.url);
        let request = self
            .agent
            .post(&url)
            .header("content-type", "application/json");
        let (status, text) = answer(request.send(body.to_string()), &url)?;
        match (status, text.contains("already exists")) {
            (201, _) => Ok(Created::Done),
            (409, true) if again => Ok(Created::Done),
            (409, false) => Ok(Created::Conflict),
            _ => Err(Error::Run(format!(
                "{name} was not created: {status} {text}"
            ))),
        }
    }

    /// Asks for all statuses at once until each connector has a running task.
    pub(crate) fn wait_until_running(&self, count: u32) -> Result<()> {
        let url = format!("{}/connectors?expand=status", self.url);
        let deadline = Instant::now() + PATIENCE;
        loop {
            interrupt::check()?;
            let (_, text) = answer(self.agent.get(&url).call(), &url)?;
            let all: Value = serde_json::from_str(&text).unwrap_or_default();
            let running = all.as_object().map_or(0, |all| {
                let runs = |c: &&Value| c["status"]["tasks"][0]["state"] == "RUNNING";
                all.values().filter(runs).count()
            });
            if running == usize::try_from(count).unwrap_or(usize::MAX) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Error::Run(format!("{running} of {count} connectors run")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn answer(
    outcome: std::result::Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    url: &str,
) -> Result<(u16, String)> {
    let failed = |error: ureq::Error| Error::Run(format!("{url}: {error}"));
    let mut answer = outcome.map_err(failed)?;
    let text = answer.body_mut().read_to_string().map_err(failed)?;
    Ok((answer.status().as_u16(), text))
}
