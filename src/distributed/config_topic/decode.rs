//! From bytes to records of the config topic, with Apache's tolerance.

use std::sync::Arc;

use super::super::json::{
    InternalJson, WrongType, int_of, long_of, member, object, text_of, wrong,
};
use super::super::record::{shown, task_of_key};
use super::record::{
    COMMIT, CONNECTOR, LOGGER, RESTART, SESSION_KEY, TARGET_STATE, TASK, TASK_COUNT,
};
use super::session_key::decode_key;
use super::{ConfigProblem, ConfigRecord, RestartRequest, SessionKey, TargetState};
use crate::api::data::text::{self, decode_utf8};
use crate::api::{ConfigMap, Value};

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// It was understood; what was guessed at stands beside.
    Record(ConfigRecord, Vec<ConfigProblem>),
    /// A commit without a usable count. It still ends what is left of a connector without configuration.
    UnreadableCommit {
        /// Connector name.
        connector: Arc<str>,
        /// Why.
        problem: ConfigProblem,
    },
    /// It says nothing.
    Ignored(ConfigProblem),
}

/// Reads records.
#[derive(Debug, Default)]
pub struct Decoder {
    json: InternalJson,
}

/// Members and guesses of one record.
struct Reading<'a> {
    key: &'a str,
    value: &'a Value,
    problems: Vec<ConfigProblem>,
}

type Read = Result<ConfigRecord, ConfigProblem>;

impl Decoder {
    /// What a record says.
    pub fn decode(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Decoded {
        let key = key.map(decode_utf8);
        let value = match self.json.read(value) {
            Ok(value) => value,
            Err(error) => {
                return Decoded::Ignored(ConfigProblem::NotJson {
                    key: shown(key.as_deref().unwrap_or("null")),
                    reason: shown(error.trace().trim_end()),
                });
            }
        };
        let Some(key) = key else {
            return Decoded::Ignored(ConfigProblem::NoKey);
        };
        let mut reading = Reading {
            key: &key,
            value: &value,
            problems: Vec::new(),
        };
        match reading.record() {
            Ok(record) => Decoded::Record(record, reading.problems),
            Err(problem) => match commit_of(&key) {
                Some(connector) => Decoded::UnreadableCommit { connector, problem },
                None => Decoded::Ignored(problem),
            },
        }
    }
}

/// The connector of a commit's key. No other prefix begins as this one does.
fn commit_of(key: &str) -> Option<Arc<str>> {
    key.strip_prefix(COMMIT).map(Arc::from)
}

impl Reading<'_> {
    /// Prefixes in Apache's order.
    fn record(&mut self) -> Read {
        let key = self.key;
        if let Some(connector) = key.strip_prefix(TARGET_STATE) {
            self.target_state(connector)
        } else if let Some(connector) = key.strip_prefix(CONNECTOR) {
            self.connector(connector)
        } else if key.starts_with(TASK) {
            self.task()
        } else if let Some(connector) = commit_of(key) {
            self.commit(connector)
        } else if let Some(connector) = key.strip_prefix(RESTART) {
            self.restart(connector)
        } else if let Some(connector) = key.strip_prefix(TASK_COUNT) {
            self.task_count(connector)
        } else if key == SESSION_KEY {
            self.session_key()
        } else if let Some(namespace) = key.strip_prefix(LOGGER) {
            self.logger_level(namespace)
        } else {
            let key = shown(key);
            Err(ConfigProblem::UnknownKey { key })
        }
    }

    fn wrong(&self, wrong: WrongType) -> ConfigProblem {
        ConfigProblem::wrong_type(self.key, wrong)
    }

    fn object(&self) -> Result<&[(Value, Value)], ConfigProblem> {
        object(self.value).map_err(|found| self.wrong(found))
    }

    fn target_state(&mut self, connector: &str) -> Read {
        let connector = Arc::from(connector);
        if self.value.is_null() {
            let state = None;
            return Ok(ConfigRecord::TargetState { connector, state });
        }
        let object = object(self.value).map_err(|found| self.wrong(found))?;
        let name = match member(object, "state.v2") {
            Value::String(name) => name.as_str(),
            other => {
                if !other.is_null() {
                    self.problems.push(ConfigProblem::OldState {
                        key: shown(self.key),
                        found: other.java_class(),
                    });
                }
                text_of(object, "state").map_err(|found| self.wrong(found))?
            }
        };
        let state = TargetState::from_name(name);
        let state = Some(state.ok_or_else(|| ConfigProblem::UnknownState {
            key: shown(self.key),
            state: shown(name),
        })?);
        Ok(ConfigRecord::TargetState { connector, state })
    }

    fn connector(&mut self, connector: &str) -> Read {
        let connector = Arc::from(connector);
        let config = match self.value {
            Value::Null => None,
            _ => Some(self.properties()?),
        };
        Ok(ConfigRecord::Connector { connector, config })
    }

    fn task(&mut self) -> Read {
        let id = task_of_key(self.key, 1).ok_or_else(|| ConfigProblem::NoTask {
            key: shown(self.key),
        })?;
        let config = self.properties()?;
        Ok(ConfigRecord::Task { id, config })
    }

    fn properties(&mut self) -> Result<ConfigMap, ConfigProblem> {
        const NAME: &str = "properties";
        let found = member(self.object()?, NAME);
        let Value::Map(entries) = found else {
            return Err(self.wrong(wrong(Some(NAME), "a Map", found)));
        };
        let mut config = ConfigMap::with_capacity(entries.len());
        let mut problems = Vec::new();
        for (property, value) in entries {
            let property = text::to_text(property);
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => {
                    problems.push(ConfigProblem::NoText {
                        key: shown(self.key),
                        property: shown(&property),
                        found: other.java_class(),
                    });
                    Some(text::to_text(other))
                }
            };
            config.insert(property, text);
        }
        self.problems.append(&mut problems);
        Ok(config)
    }

    fn commit(&self, connector: Arc<str>) -> Read {
        let tasks = int_of(self.object()?, "tasks").map_err(|found| self.wrong(found))?;
        Ok(ConfigRecord::Commit { connector, tasks })
    }

    fn task_count(&self, connector: &str) -> Read {
        let tasks = int_of(self.object()?, "task-count").map_err(|found| self.wrong(found))?;
        let connector = Arc::from(connector);
        Ok(ConfigRecord::TaskCount { connector, tasks })
    }

    fn restart(&mut self, connector: &str) -> Read {
        let object = object(self.value).map_err(|found| self.wrong(found))?;
        let mut flag = |field: &'static str| match member(object, field) {
            Value::Boolean(flag) => *flag,
            other => {
                self.problems.push(ConfigProblem::Defaulted {
                    key: shown(self.key),
                    field,
                    found: other.java_class(),
                });
                false
            }
        };
        Ok(ConfigRecord::Restart(RestartRequest {
            only_failed: flag("only-failed"),
            include_tasks: flag("include-tasks"),
            connector: Arc::from(connector),
        }))
    }

    fn session_key(&self) -> Read {
        let object = self.object()?;
        let wrong = |found| self.wrong(found);
        let key = text_of(object, "key").map_err(wrong)?;
        let key = decode_key(key).ok_or(ConfigProblem::BadSessionKey {
            reason: "'key' is empty or no base64",
        })?;
        Ok(ConfigRecord::SessionKey(SessionKey {
            key,
            algorithm: text_of(object, "algorithm").map_err(wrong)?.to_owned(),
            creation_timestamp: long_of(object, "creation-timestamp").map_err(wrong)?,
        }))
    }

    fn logger_level(&self, namespace: &str) -> Read {
        let level = text_of(self.object()?, "level").map_err(|found| self.wrong(found))?;
        Ok(ConfigRecord::LoggerLevel {
            namespace: namespace.to_owned(),
            level: level.to_owned(),
        })
    }
}
