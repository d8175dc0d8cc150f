//! Rules for the topics that a source connector's records may create (KIP-158).

use regex::Regex;

use super::{keys, topic_settings, whole};
use crate::api::ConnectError;
use crate::api::config_def::ParsedConfig;

/// One group of topics.
#[derive(Debug, Clone)]
pub struct TopicCreationGroup {
    /// Its name.
    pub name: String,
    /// Topics in it; `None` for no topic.
    include: Option<Regex>,
    /// Topics not in it; `None` for none.
    exclude: Option<Regex>,
    /// Replicas; −1 is the broker's default.
    pub replication_factor: i16,
    /// Partitions; −1 is the broker's default.
    pub partitions: i32,
    /// Topic settings for Kafka.
    pub settings: Vec<(String, String)>,
}

impl TopicCreationGroup {
    fn matches(&self, topic: &str) -> bool {
        let is_match = |pattern: &Option<Regex>| {
            pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(topic))
        };
        is_match(&self.include) && !is_match(&self.exclude)
    }
}

/// The groups of a connector; `default` takes what no other one does.
#[derive(Debug, Clone)]
pub struct TopicCreation {
    groups: Vec<TopicCreationGroup>,
    default: TopicCreationGroup,
}

impl TopicCreation {
    /// The group that says how `topic` is created: the first that matches.
    pub fn group(&self, topic: &str) -> &TopicCreationGroup {
        self.groups
            .iter()
            .find(|group| group.matches(topic))
            .unwrap_or(&self.default)
    }

    pub(super) fn of(parsed: &ParsedConfig) -> Result<Self, ConnectError> {
        let default = group(parsed, "default", None)?;
        let groups = keys::aliases(parsed.originals(), "topic.creation.groups")
            .iter()
            .filter(|name| *name != "default")
            .map(|name| group(parsed, name, Some(&default)))
            .collect::<Result<_, _>>()?;
        Ok(Self { groups, default })
    }
}

fn group(
    parsed: &ParsedConfig,
    name: &str,
    default: Option<&TopicCreationGroup>,
) -> Result<TopicCreationGroup, ConnectError> {
    let key = |suffix: &str| format!("topic.creation.{name}.{suffix}");
    let pattern = |suffix: &str| {
        let items = parsed.list(&key(suffix))?;
        let joined = items.join("|");
        (!items.is_empty()).then(|| whole(&joined)).transpose()
    };
    let factor = parsed.opt_short(&key("replication.factor"))?;
    let partitions = parsed.opt_int(&key("partitions"))?;
    Ok(TopicCreationGroup {
        name: name.to_owned(),
        include: pattern("include")?,
        exclude: pattern("exclude")?,
        replication_factor: factor
            .or(default.map(|group| group.replication_factor))
            .unwrap_or(-1),
        partitions: partitions
            .or(default.map(|group| group.partitions))
            .unwrap_or(-1),
        settings: topic_settings(parsed.originals(), name),
    })
}
