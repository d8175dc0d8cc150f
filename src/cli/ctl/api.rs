//! Connect's REST interface as calls, and the shapes of its answers (contract 1.3 to 1.10). Members that
//! a version lacks are left out of what is shown.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ureq::http::Method;

use super::client::{Call, Client};
use super::error::CtlError;
use crate::api::ConfigMap;

/// What stays as it is in a segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `RUNNING` of a connector or task that works.
pub(super) const RUNNING: &str = "RUNNING";
/// `FAILED` of one that does not.
pub(super) const FAILED: &str = "FAILED";

/// State of a connector's instance or of a task.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Instance {
    /// `RUNNING`, `PAUSED`, `FAILED`, …
    pub(super) state: String,
    /// `host:port` of the worker that runs it.
    #[serde(default)]
    pub(super) worker_id: Option<String>,
    /// Why it failed: a Java stack trace, or ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trace: Option<String>,
}

/// State of a task.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Task {
    /// Number from 0.
    pub(super) id: u32,
    #[serde(flatten)]
    pub(super) instance: Instance,
}

/// `ConnectorStateInfo`.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub(super) struct Status {
    /// The connector's name.
    pub(super) name: String,
    /// State of its own instance.
    pub(super) connector: Instance,
    /// States of its tasks.
    #[serde(default)]
    pub(super) tasks: Vec<Task>,
    /// `source`, `sink` or `unknown`.
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
}

impl Status {
    /// Whether the connector or one of its tasks failed.
    pub(super) fn has_failed(&self) -> bool {
        self.connector.state == FAILED || self.tasks.iter().any(|t| t.instance.state == FAILED)
    }

    /// Traces with what they belong to: `connector` or `task N`.
    pub(super) fn traces(&self) -> Vec<(String, &str)> {
        let of_connector = self.connector.trace.as_deref();
        let own = of_connector.map(|trace| ("connector".to_owned(), trace));
        let of_tasks = self.tasks.iter().filter_map(|task| {
            let trace = task.instance.trace.as_deref()?;
            Some((format!("task {}", task.id), trace))
        });
        own.into_iter().chain(of_tasks).collect()
    }

    /// How many tasks are in each state.
    pub(super) fn task_states(&self) -> BTreeMap<String, usize> {
        let mut states = BTreeMap::new();
        for task in &self.tasks {
            *states.entry(task.instance.state.clone()).or_default() += 1;
        }
        states
    }
}

/// `ConnectorInfo`, without the tasks' names.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Info {
    /// The raw configuration.
    #[serde(default)]
    pub(super) config: ConfigMap,
    /// One for each task that it is configured for.
    #[serde(default)]
    pub(super) tasks: Vec<IgnoredAny>,
    /// `source`, `sink` or `unknown`.
    #[serde(rename = "type", default)]
    pub(super) kind: Option<String>,
}

impl Info {
    /// `connector.class`, or nothing.
    pub(super) fn class(&self) -> &str {
        let class = self.config.get("connector.class");
        class.and_then(Option::as_deref).unwrap_or_default()
    }
}

/// A connector in a list.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Overview {
    /// Its status; a worker older than 2.3 is asked for each.
    pub(super) status: Option<Status>,
    /// Its configuration.
    pub(super) info: Option<Info>,
}

/// `ConfigInfos`, as far as it is shown.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigInfos {
    /// How many messages there are.
    pub(super) error_count: u64,
    /// Every key that is defined.
    #[serde(default)]
    pub(super) configs: Vec<ConfigInfo>,
}

/// A key of [`ConfigInfos`].
#[derive(Debug, Deserialize)]
pub(super) struct ConfigInfo {
    /// Missing for keys that nobody defines.
    pub(super) definition: Option<Definition>,
    /// What the worker makes of it.
    pub(super) value: ConfigValue,
}

/// `ConfigValueInfo`.
#[derive(Debug, Deserialize)]
pub(super) struct ConfigValue {
    /// The key.
    pub(super) name: String,
    /// The value, or the default.
    #[serde(default)]
    pub(super) value: Option<String>,
    /// What can be used instead.
    #[serde(default)]
    pub(super) recommended_values: Vec<Value>,
    /// What is wrong.
    #[serde(default)]
    pub(super) errors: Vec<String>,
}

/// `ConfigKeyInfo`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Definition {
    /// The key.
    pub(super) name: String,
    /// `STRING`, `PASSWORD`, …
    #[serde(rename = "type", default)]
    pub(super) kind: String,
    /// Whether there is no default.
    #[serde(default)]
    pub(super) required: bool,
    /// As text.
    #[serde(default)]
    pub(super) default_value: Option<String>,
    /// `HIGH`, `MEDIUM` or `LOW`.
    #[serde(default)]
    pub(super) importance: Option<String>,
    /// What it is for.
    #[serde(default)]
    pub(super) documentation: Option<String>,
}

/// `/connectors/NAME`, NAME encoded, and what follows.
pub(super) fn path_of(name: &str, rest: &str) -> String {
    format!("/connectors/{}{rest}", segment(name))
}

fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

impl Client {
    /// All connectors by name, in the order of their names.
    ///
    /// # Errors
    /// As [`Client::call`], like all methods here.
    pub(super) fn overviews(&self) -> Result<BTreeMap<String, Overview>, CtlError> {
        let answer = self.call(&Call::get("/connectors?expand=status&expand=info"))?;
        match answer.json()? {
            Listing::Expanded(all) => Ok(all),
            Listing::Names(names) => names.into_iter().map(|name| self.overview(name)).collect(),
        }
    }

    /// For workers that know no `expand`.
    fn overview(&self, name: String) -> Result<(String, Overview), CtlError> {
        let overview = Overview {
            status: found(self.status(&name))?,
            info: found(self.info(&name))?,
        };
        Ok((name, overview))
    }

    /// Names of all connectors.
    pub(super) fn names(&self) -> Result<Vec<String>, CtlError> {
        self.call(&Call::get("/connectors"))?.json()
    }

    /// A connector's configuration and type.
    pub(super) fn info(&self, name: &str) -> Result<Info, CtlError> {
        self.call(&Call::get(path_of(name, "")))?.json()
    }

    /// A connector's status.
    pub(super) fn status(&self, name: &str) -> Result<Status, CtlError> {
        self.call(&Call::get(path_of(name, "/status")))?.json()
    }

    /// The raw configuration; `None` when there is no such connector.
    pub(super) fn config(&self, name: &str) -> Result<Option<ConfigMap>, CtlError> {
        let answer = found(self.call(&Call::get(path_of(name, "/config"))))?;
        answer.map(|answer| answer.json()).transpose()
    }

    /// Creates or replaces.
    pub(super) fn put_config(&self, name: &str, config: &ConfigMap) -> Result<(), CtlError> {
        let body = json!(config).to_string();
        let call = Call::new(Method::PUT, path_of(name, "/config"));
        self.call(&call.with(&body)).map(drop)
    }

    /// Creates a connector in a state (KIP-980).
    pub(super) fn create(
        &self,
        name: &str,
        config: &ConfigMap,
        initial_state: &str,
    ) -> Result<(), CtlError> {
        let body = json!({"name": name, "config": config, "initial_state": initial_state});
        let body = body.to_string();
        let call = Call::new(Method::POST, "/connectors");
        self.call(&call.with(&body)).map(drop)
    }

    /// Asks the worker what it makes of a configuration.
    pub(super) fn validate(
        &self,
        class: &str,
        config: &ConfigMap,
    ) -> Result<ConfigInfos, CtlError> {
        let body = json!(config).to_string();
        let path = format!("/connector-plugins/{}/config/validate", segment(class));
        let call = Call::new(Method::PUT, path);
        self.call(&call.with(&body))?.json()
    }

    /// A plugin's keys (Kafka 3.2 or newer).
    pub(super) fn definitions(&self, class: &str) -> Result<Vec<Definition>, CtlError> {
        self.plugin_config(class)?.json()
    }

    /// As [`Client::definitions`], as it came.
    pub(super) fn plugin_config(&self, class: &str) -> Result<super::client::Answer, CtlError> {
        let path = format!("/connector-plugins/{}/config", segment(class));
        self.call(&Call::get(path))
    }

    /// The topics that a connector has used; `None` where the worker does not say.
    pub(super) fn topics(&self, name: &str) -> Result<Vec<String>, CtlError> {
        let call = Call::get(path_of(name, "/topics"));
        let mut all: BTreeMap<String, TopicsOf> = self.call(&call)?.json()?;
        let mut topics = all.remove(name).unwrap_or_default().topics;
        topics.sort();
        Ok(topics)
    }

    /// A call to `/admin/loggers` or one logger of it.
    pub(super) fn logger_path(name: Option<&str>) -> String {
        match name {
            None => "/admin/loggers".to_owned(),
            Some(name) => format!("/admin/loggers/{}", segment(name)),
        }
    }
}

/// `None` for what is not there.
pub(super) fn found<T>(answer: Result<T, CtlError>) -> Result<Option<T>, CtlError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Listing {
    Expanded(BTreeMap<String, Overview>),
    Names(Vec<String>),
}

#[derive(Default, Deserialize)]
struct TopicsOf {
    #[serde(default)]
    topics: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_into_one_segment() {
        assert_eq!(
            path_of("a b/ü?", "/status"),
            "/connectors/a%20b%2F%C3%BC%3F/status"
        );
        assert_eq!(path_of("a-b_c.d~e", ""), "/connectors/a-b_c.d~e");
    }

    #[test]
    fn a_status_is_read_whether_or_not_it_has_everything() {
        let full = r#"{"name":"a","connector":{"state":"RUNNING","worker_id":"h:1","version":"4"},
            "tasks":[{"id":0,"state":"FAILED","worker_id":"h:1","trace":"boom\n at x"},{"id":1,"state":"RUNNING"}],
            "type":"sink"}"#;
        let status: Status = serde_json::from_str(full).unwrap();
        assert!(status.has_failed());
        assert_eq!(status.traces(), [("task 0".to_owned(), "boom\n at x")]);
        assert_eq!(status.task_states()["RUNNING"], 1);
        let bare: Status =
            serde_json::from_str(r#"{"name":"a","connector":{"state":"PAUSED"}}"#).unwrap();
        assert!(!bare.has_failed() && bare.kind.is_none());
    }

    #[test]
    fn a_list_is_read_with_and_without_expansions() {
        let names: Listing = serde_json::from_str(r#"["a","b"]"#).unwrap();
        assert!(matches!(names, Listing::Names(names) if names.len() == 2));
        let all: Listing =
            serde_json::from_str(r#"{"a":{"info":{"name":"a","config":{"x":null},"tasks":[]}}}"#)
                .unwrap();
        assert!(matches!(all, Listing::Expanded(all) if all["a"].status.is_none()));
    }
}
