//! Records of internal topics, and what their keys have in common.

use super::work::ConnectorTaskId;
use crate::api::data::java_number::parse_integer;

/// Characters of a key that are shown in a log.
const SHOWN_CHARACTERS: usize = 200;

/// A record to be written. Its partition is that of Kafka's default partitioner for the key.
#[derive(Clone, PartialEq, Eq)]
pub struct TopicRecord {
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

impl TopicRecord {
    /// A record with a key of text.
    pub(super) fn new(key: String, value: Option<Vec<u8>>) -> Self {
        Self {
            key: key.into_bytes(),
            value,
        }
    }
}

impl std::fmt::Debug for TopicRecord {
    /// Without the value: configurations and session keys are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TopicRecord")
            .field("key", &String::from_utf8_lossy(&self.key))
            .field("value_bytes", &self.value.as_ref().map(Vec::len))
            .finish()
    }
}

/// The task that `key` names, whose first `prefix_parts` parts between dashes are no part of the name
/// (Kafka: `parseTaskId`, `parseConnectorTaskId`). As with Java's `split`, dashes at the end do not count.
pub(super) fn task_of_key(key: &str, prefix_parts: usize) -> Option<ConnectorTaskId> {
    let key = key.trim_end_matches('-');
    let mut rest = key;
    for _ in 0..prefix_parts {
        rest = rest.split_once('-')?.1;
    }
    let (connector, number) = rest.rsplit_once('-')?;
    let task = parse_integer(number).and_then(|task| i32::try_from(task).ok())?;
    Some(ConnectorTaskId::new(connector, task))
}

/// The beginning of a text that may be long and anything: for errors.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_the_last_number_and_a_name_may_have_dashes() {
        let config = |key: &str| task_of_key(key, 1).map(|id| id.to_string());
        assert_eq!(config("task-a-0").as_deref(), Some("a-0"));
        assert_eq!(config("task-a-b--12").as_deref(), Some("a-b--12"));
        assert_eq!(config("task--1").as_deref(), Some("-1"));
        // As Java splits and parses.
        assert_eq!(config("task-a-1--").as_deref(), Some("a-1"));
        assert_eq!(config("task-a-+5").as_deref(), Some("a-5"));
        assert_eq!(config("task-a-٣").as_deref(), Some("a-3"));
        for no_task in [
            "task-",
            "task-1",
            "task-a",
            "task-a-x",
            "task-a-",
            "task-a-2147483648",
        ] {
            assert_eq!(config(no_task), None, "{no_task}");
        }
        let status = |key: &str| task_of_key(key, 2).map(|id| id.to_string());
        assert_eq!(status("status-task-a-7").as_deref(), Some("a-7"));
        assert_eq!(status("status-task-7"), None);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shown("é"), "é");
        let long = "é".repeat(300);
        assert_eq!(shown(&long).chars().count(), 201);
    }
}
