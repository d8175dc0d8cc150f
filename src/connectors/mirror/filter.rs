//! Which topics and which of their settings are mirrored (Kafka: `DefaultTopicFilter`,
//! `DefaultConfigPropertyFilter`).

use regex::Regex;

use crate::clients::{ConfigSource, TopicConfigEntry};

/// Kafka's topic filter.
pub(super) const TOPIC_CLASS: &str = "org.apache.kafka.connect.mirror.DefaultTopicFilter";
/// Kafka's filter of settings.
pub(super) const PROPERTY_CLASS: &str =
    "org.apache.kafka.connect.mirror.DefaultConfigPropertyFilter";

/// A list of names and regular expressions; matches whole names. An empty list matches nothing.
#[derive(Debug, Clone)]
pub(super) struct Patterns(Option<Regex>);

impl Patterns {
    /// # Errors
    /// What is wrong with the expressions.
    pub(super) fn new(list: &[String]) -> Result<Self, String> {
        if list.is_empty() {
            return Ok(Self(None));
        }
        match Regex::new(&format!("^(?:{})$", list.join("|"))) {
            Ok(pattern) => Ok(Self(Some(pattern))),
            Err(error) => Err(format!("Syntax error in regular expression: {error}")),
        }
    }

    /// Whether the whole of `name` matches.
    pub(super) fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|all| all.is_match(name))
    }
}

/// What becomes of a setting on the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    /// The target's topic gets the source's value.
    Set,
    /// The target's topic gets the default of its own cluster.
    Default,
    /// Left alone.
    Skip,
}

/// Decides for each setting of a source topic.
#[derive(Debug, Clone)]
pub(super) struct PropertyFilter {
    /// `config.properties.exclude`.
    pub(super) exclude: Patterns,
    /// `use.defaults.from=source`.
    pub(super) defaults_from_source: bool,
}

impl PropertyFilter {
    /// The fate of `entry` (Kafka: `MirrorSourceConnector.targetConfig`).
    pub(super) fn decide(&self, entry: &TopicConfigEntry) -> Property {
        let stays = entry.read_only
            || entry.sensitive
            || entry.source == ConfigSource::StaticBroker
            || self.exclude.matches(&entry.name);
        if stays {
            Property::Skip
        } else if entry.source == ConfigSource::Default && !self.defaults_from_source {
            Property::Default
        } else {
            Property::Set
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(list: &[&str]) -> Patterns {
        let list: Vec<String> = list.iter().map(|text| (*text).to_owned()).collect();
        Patterns::new(&list).unwrap()
    }

    #[test]
    fn patterns_match_whole_names_and_an_empty_list_matches_nothing() {
        let some = patterns(&["a.*", "b", r"x\.y"]);
        for name in ["a", "abc", "b", "x.y"] {
            assert!(some.matches(name), "{name}");
        }
        for name in ["ba", "bb", "x-y", ""] {
            assert!(!some.matches(name), "{name}");
        }
        assert!(!patterns(&[]).matches(""));
        assert!(!patterns(&[]).matches("a"));
        let broken = Patterns::new(&["(".to_owned()]).unwrap_err();
        assert!(broken.starts_with("Syntax error"), "{broken}");
    }

    #[test]
    fn a_setting_is_copied_reset_or_left_alone_by_where_it_comes_from() {
        let entry = |name: &str, source| TopicConfigEntry {
            name: name.to_owned(),
            value: Some("v".to_owned()),
            source,
            read_only: false,
            sensitive: false,
        };
        let mut filter = PropertyFilter {
            exclude: patterns(&["min.insync.replicas"]),
            defaults_from_source: false,
        };
        let own = entry("retention.ms", ConfigSource::Topic);
        let default = entry("retention.ms", ConfigSource::Default);
        assert_eq!(filter.decide(&own), Property::Set);
        assert_eq!(filter.decide(&default), Property::Default);
        filter.defaults_from_source = true;
        assert_eq!(filter.decide(&default), Property::Set);
        let of_broker = entry("retention.ms", ConfigSource::DynamicBroker);
        assert_eq!(filter.decide(&of_broker), Property::Set);
        for left in [
            entry("min.insync.replicas", ConfigSource::Topic),
            entry("segment.bytes", ConfigSource::StaticBroker),
            TopicConfigEntry {
                read_only: true,
                ..own.clone()
            },
            TopicConfigEntry {
                sensitive: true,
                ..own
            },
        ] {
            assert_eq!(filter.decide(&left), Property::Skip, "{left:?}");
        }
    }
}
