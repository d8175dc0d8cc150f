//! From bytes to records of the status topic, with Apache's tolerance.

use std::sync::Arc;

use super::super::json::{
    InternalJson, int_of, long_of, member, object, optional_text_of, text_of, wrong,
};
use super::super::record::{shown, task_of_key};
use super::super::work::ConnectorTaskId;
use super::status::{CONNECTOR, TASK, TOPIC, TOPIC_SEPARATOR};
use super::{State, Status, StatusProblem, TopicStatus};
use crate::api::Value;
use crate::api::data::text::decode_utf8;

/// What a record says; `None` takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusRecord {
    /// A connector's status.
    Connector(Arc<str>, Option<Status>),
    /// A task's status.
    Task(ConnectorTaskId, Option<Status>),
    /// That a connector uses a topic. The key decides; the value may name others.
    Topic {
        /// Topic, as the key has it.
        topic: String,
        /// Connector, as the key has it.
        connector: Arc<str>,
        /// The value.
        status: Option<TopicStatus>,
    },
}

/// Reads records.
#[derive(Debug, Default)]
pub struct StatusDecoder {
    json: InternalJson,
}

impl StatusDecoder {
    /// What a record says.
    ///
    /// # Errors
    /// Why it says nothing.
    pub fn decode(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<StatusRecord, StatusProblem> {
        let key = key.map(decode_utf8).ok_or(StatusProblem::NoKey)?;
        let invalid = || StatusProblem::InvalidKey { key: shown(&key) };
        if let Some(connector) = key.strip_prefix(CONNECTOR) {
            if connector.is_empty() {
                return Err(invalid());
            }
            let status = value.map(|bytes| self.status(&key, bytes)).transpose()?;
            Ok(StatusRecord::Connector(Arc::from(connector), status))
        } else if key.starts_with(TASK) {
            let id = task_of_key(&key, 2).ok_or_else(invalid)?;
            let status = value.map(|bytes| self.status(&key, bytes)).transpose()?;
            Ok(StatusRecord::Task(id, status))
        } else if let Some(names) = key.strip_prefix(TOPIC) {
            let (topic, connector) = topic_and_connector(names).ok_or_else(invalid)?;
            let status = value.map(|bytes| self.topic(&key, bytes)).transpose()?;
            Ok(StatusRecord::Topic {
                topic: topic.to_owned(),
                connector: Arc::from(connector),
                status,
            })
        } else {
            Err(invalid())
        }
    }

    fn read(&mut self, key: &str, bytes: &[u8]) -> Result<Value, StatusProblem> {
        self.json.read(Some(bytes)).map_err(|error| {
            let reason = shown(error.trace().trim_end());
            let key = shown(key);
            StatusProblem::NotJson { key, reason }
        })
    }

    fn status(&mut self, key: &str, bytes: &[u8]) -> Result<Status, StatusProblem> {
        let value = self.read(key, bytes)?;
        let wrong = |found| StatusProblem::wrong_type(key, found);
        let object = object(&value).map_err(wrong)?;
        let name = text_of(object, "state").map_err(wrong)?;
        let state = State::from_name(name).ok_or_else(|| StatusProblem::UnknownState {
            key: shown(key),
            state: shown(name),
        })?;
        let text = |name| -> Result<Option<String>, StatusProblem> {
            let text = optional_text_of(object, name).map_err(wrong)?;
            Ok(text.map(str::to_owned))
        };
        Ok(Status {
            state,
            trace: text("trace")?,
            worker_id: text("worker_id")?.unwrap_or_default(),
            generation: int_of(object, "generation").map_err(wrong)?,
            version: text("version")?,
        })
    }

    fn topic(&mut self, key: &str, bytes: &[u8]) -> Result<TopicStatus, StatusProblem> {
        const TOPIC: &str = "topic";
        let value = self.read(key, bytes)?;
        let found = |found| StatusProblem::wrong_type(key, found);
        let status = member(object(&value).map_err(found)?, TOPIC);
        let Value::Map(status) = status else {
            return Err(found(wrong(Some(TOPIC), "a Map", status)));
        };
        Ok(TopicStatus {
            topic: text_of(status, "name").map_err(found)?.to_owned(),
            connector: Arc::from(text_of(status, "connector").map_err(found)?),
            task: int_of(status, "task").map_err(found)?,
            discover_timestamp: long_of(status, "discoverTimestamp").map_err(found)?,
        })
    }
}

/// The topic is what stands before the first colon; the connector follows after as many characters as the
/// separator has, whatever they are, as in Java.
fn topic_and_connector(names: &str) -> Option<(&str, &str)> {
    let (topic, rest) = names.split_once(':')?;
    let mut units = TOPIC_SEPARATOR.len() - 1;
    let mut characters = rest.chars();
    while units > 0 {
        units = units.checked_sub(characters.next()?.len_utf16())?;
    }
    let connector = characters.as_str();
    (!topic.is_empty() && !connector.is_empty()).then_some((topic, connector))
}

#[cfg(test)]
mod key_tests {
    use super::*;

    #[test]
    fn a_topic_key_is_cut_by_place() {
        assert_eq!(topic_and_connector("t:connector-c"), Some(("t", "c")));
        assert_eq!(topic_and_connector("t:connector-a:b"), Some(("t", "a:b")));
        assert_eq!(topic_and_connector("t:éonnector-c"), Some(("t", "c")));
        assert_eq!(topic_and_connector("t:😀nnector-c"), Some(("t", "c")));
        for no_key in [
            "t",
            ":connector-c",
            "t:connector-",
            "t:conn",
            "t:connector😀c",
        ] {
            assert_eq!(topic_and_connector(no_key), None, "{no_key}");
        }
    }
}
