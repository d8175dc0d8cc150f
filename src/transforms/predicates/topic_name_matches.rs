//! Records of some topics (Kafka: `TopicNameMatches`).

use std::rc::Rc;

use regex::Regex;

use crate::api::config_def::{ConfigDef, ConfigKey, Validator};
use crate::api::{ConfigMap, ConnectError, ConnectRecord, Predicate, RecordOrigin};
use crate::transforms::config::{invalid, parse};

const PATTERN: &str = "pattern";

/// Matches records whose topic's whole name matches a regular expression.
#[derive(Debug)]
pub struct TopicNameMatches {
    pattern: Regex,
    /// The last topic and what came of it: records of one topic mostly follow each other.
    last: Option<(Rc<str>, bool)>,
}

impl TopicNameMatches {
    /// Kafka's class.
    pub const CLASS: &'static str =
        "org.apache.kafka.connect.transforms.predicates.TopicNameMatches";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        let regex = Validator::regex();
        let check = move |name: &str, value: Option<&_>| {
            Validator::non_empty_string().check(name, value)?;
            regex.check(name, value)
        };
        ConfigDef::new().define(
            ConfigKey::string(PATTERN)
                .validator(Validator::custom_text(
                    "non-empty string, valid regex",
                    check,
                ))
                .doc("Regular expression that the whole name of the record's topic must match."),
        )
    }

    /// Made from its configuration.
    ///
    /// # Errors
    /// The pattern is missing or is no regular expression.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        let text = config.str(PATTERN)?;
        let pattern = Regex::new(&format!("^(?:{text})$")).map_err(|error| {
            let reason = format!("entry must be a Java-compatible regular expression: {error}");
            invalid(PATTERN, text, &reason)
        })?;
        let last = None;
        Ok(Self { pattern, last })
    }
}

impl Predicate for TopicNameMatches {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn test(
        &mut self,
        record: &ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<bool, ConnectError> {
        if let Some((topic, matched)) = &self.last
            && Rc::ptr_eq(topic, &record.topic)
        {
            return Ok(*matched);
        }
        let matched = self.pattern.is_match(&record.topic);
        self.last = Some((Rc::clone(&record.topic), matched));
        Ok(matched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::test_records::{SOURCE, config, record};

    #[test]
    fn the_whole_name_must_match() {
        let mut predicate = TopicNameMatches::new(&config(&[("pattern", "a|b.*")])).unwrap();
        let mut matches = |topic| predicate.test(&record(topic), SOURCE).unwrap();
        let matched: Vec<_> = ["a", "ab", "b", "bcd", "cb", ""].map(&mut matches).to_vec();
        assert_eq!(matched, [true, false, true, true, false, false]);
    }

    #[test]
    fn a_pattern_is_needed() {
        let refused = |pattern| {
            let error = TopicNameMatches::new(&config(&[("pattern", pattern)])).unwrap_err();
            error.message().to_owned()
        };
        let text = "Invalid value  for configuration pattern: String must be non-empty";
        assert_eq!(refused(""), text);
        let text = "Invalid value ( for configuration pattern: Invalid regex: ";
        assert!(refused("(").starts_with(text));
    }
}
