//! Gives records another topic by a regular expression (Kafka: `RegexRouter`).

use std::rc::Rc;

use regex::Regex;

use super::config::{invalid, parse};
use super::java_replacement::Replacement;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, Validator};
use crate::api::{ConfigMap, ConnectError, ConnectRecord, RecordOrigin, Transformation};

const REGEX: &str = "regex";
const REPLACEMENT: &str = "replacement";

/// Renames topics whose whole name matches.
#[derive(Debug)]
pub struct RegexRouter {
    /// Matches whole names.
    whole: Regex,
    /// Finds the first match, which is replaced. It may be shorter than the name.
    first: Regex,
    replacement: Replacement,
    /// The last topic and its new name, if it has one: records of one topic mostly follow each other.
    last: Option<(Rc<str>, Option<Rc<str>>)>,
}

impl RegexRouter {
    /// Kafka's class.
    pub const CLASS: &'static str = "org.apache.kafka.connect.transforms.RegexRouter";

    /// Its keys.
    pub fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string(REGEX)
                    .validator(Validator::regex())
                    .importance(Importance::High)
                    .doc("Regular expression that the whole name of the topic must match."),
            )
            .define(ConfigKey::string(REPLACEMENT).importance(Importance::High).doc(
                "What to put in the place of the first match: `$1` and `${name}` stand for groups, a backslash takes \
                 the meaning from what follows.",
            ))
    }

    /// Made from its configuration.
    ///
    /// # Errors
    /// A key is missing or wrong.
    pub fn new(config: &ConfigMap) -> Result<Self, ConnectError> {
        let config = parse(&Self::config_def(), config)?;
        let text = config.str(REGEX)?;
        let compile = |pattern: &str| {
            Regex::new(pattern)
                .map_err(|error| invalid(REGEX, text, &format!("Invalid regex: {error}")))
        };
        let first = compile(text)?;
        Ok(Self {
            whole: compile(&format!("^(?:{text})$"))?,
            replacement: Replacement::parse(config.str(REPLACEMENT)?, &first),
            first,
            last: None,
        })
    }

    fn route(&self, topic: &str) -> Result<Option<Rc<str>>, ConnectError> {
        if !self.whole.is_match(topic) {
            return Ok(None);
        }
        let routed = self.replacement.replace_first(&self.first, topic)?;
        Ok(Some(routed.into()))
    }
}

impl Transformation for RegexRouter {
    fn class_name(&self) -> &'static str {
        Self::CLASS
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let known = self.last.as_ref();
        let known = known.filter(|(topic, _)| Rc::ptr_eq(topic, &record.topic));
        let routed = match known {
            Some((_, routed)) => routed.clone(),
            None => {
                let routed = self.route(&record.topic)?;
                self.last = Some((Rc::clone(&record.topic), routed.clone()));
                routed
            }
        };
        if let Some(routed) = routed {
            record.topic = routed;
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transforms::test_records::{SOURCE, config, record};

    fn routed(regex: &str, replacement: &str, topics: &[&str]) -> Vec<String> {
        let keys = config(&[("regex", regex), ("replacement", replacement)]);
        let mut router = RegexRouter::new(&keys).unwrap();
        let mut topic = |topic: &&str| {
            let twice = [record(topic), record(topic)];
            let [first, second] =
                twice.map(|record| router.apply(record, SOURCE).unwrap().unwrap());
            assert_eq!(first.topic, second.topic);
            first.topic.to_string()
        };
        topics.iter().map(&mut topic).collect()
    }

    #[test]
    fn topics_whose_whole_name_matches_are_renamed() {
        assert_eq!(
            routed("a(.*)", "b-$1", &["ax", "xax", "a"]),
            ["b-x", "xax", "b-"]
        );
        // The whole name matches, but what is replaced is the first match.
        assert_eq!(routed("a|ab", "[$0]", &["ab", "a"]), ["[a]b", "[a]"]);
    }

    #[test]
    fn a_bad_replacement_fails_with_the_first_topic_that_matches() {
        let keys = config(&[("regex", "a"), ("replacement", "$1")]);
        let mut router = RegexRouter::new(&keys).unwrap();
        assert!(router.apply(record("b"), SOURCE).is_ok());
        let error = router.apply(record("a"), SOURCE).unwrap_err();
        assert_eq!(error.java_class(), "java.lang.IndexOutOfBoundsException");
        assert_eq!(error.message(), "No group 1");
    }

    #[test]
    fn a_bad_expression_is_refused() {
        let keys = config(&[("regex", "("), ("replacement", "")]);
        let error = RegexRouter::new(&keys).unwrap_err();
        let start = "Invalid value ( for configuration regex: Invalid regex: ";
        assert!(error.message().starts_with(start), "{error}");
    }
}
