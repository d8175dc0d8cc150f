//! How topics are named on the target (Kafka: `ReplicationPolicy` and its two implementations).

/// Kafka's default policy.
pub(super) const DEFAULT_CLASS: &str = "org.apache.kafka.connect.mirror.DefaultReplicationPolicy";
/// Kafka's policy that keeps names.
pub(super) const IDENTITY_CLASS: &str = "org.apache.kafka.connect.mirror.IdentityReplicationPolicy";

const HEARTBEATS: &str = "heartbeats";

/// Names remote topics and knows them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ReplicationPolicy {
    /// Between alias and topic.
    pub(super) separator: String,
    /// In the names of MirrorMaker's own topics.
    pub(super) internal_separator: String,
    /// Names stay as they are; the alias that every topic is said to come from.
    pub(super) identity: Option<String>,
}

impl ReplicationPolicy {
    fn keeps_name(&self, topic: &str) -> bool {
        self.identity.is_some() && !topic.ends_with(HEARTBEATS)
    }

    /// The name on the target of a topic of the cluster `alias`.
    pub(super) fn remote_topic(&self, alias: &str, topic: &str) -> String {
        if self.keeps_name(topic) {
            topic.to_owned()
        } else {
            format!("{alias}{}{topic}", self.separator)
        }
    }

    /// The alias of the cluster that a remote topic comes from; `None` for a topic that is not remote.
    pub(super) fn topic_source<'a>(&'a self, topic: &'a str) -> Option<&'a str> {
        match &self.identity {
            Some(alias) if self.keeps_name(topic) => Some(alias),
            _ => first_part(topic, &self.separator),
        }
    }

    /// The name on the cluster that a remote topic comes from; `None` for a topic that is not remote.
    pub(super) fn upstream_topic<'a>(&'a self, topic: &'a str) -> Option<&'a str> {
        if self.keeps_name(topic) {
            return Some(topic);
        }
        let source = first_part(topic, &self.separator)?;
        topic.get(source.len() + self.separator.len()..)
    }

    fn original_topic<'a>(&'a self, topic: &'a str) -> &'a str {
        let mut original = topic;
        while let Some(upstream) = self.upstream_topic(original) {
            if upstream == original {
                break;
            }
            original = upstream;
        }
        original
    }

    /// Whether this is MirrorMaker's heartbeats topic, or was at the end of the way upstream.
    pub(super) fn is_heartbeats_topic(&self, topic: &str) -> bool {
        self.original_topic(topic) == HEARTBEATS
    }

    fn internal_suffix(&self) -> String {
        format!("{}internal", self.internal_separator)
    }

    /// The checkpoints topic that belongs to the cluster `alias`.
    pub(super) fn checkpoints_topic(&self, alias: &str) -> String {
        let separator = &self.internal_separator;
        format!("{alias}{separator}checkpoints{}", self.internal_suffix())
    }

    /// The offset syncs topic that belongs to the cluster `alias`.
    pub(super) fn offset_syncs_topic(&self, alias: &str) -> String {
        let separator = &self.internal_separator;
        format!(
            "mm2-offset-syncs{separator}{alias}{}",
            self.internal_suffix()
        )
    }

    /// Whether this is a topic of Kafka or of MirrorMaker itself, which is never mirrored.
    pub(super) fn is_internal_topic(&self, topic: &str) -> bool {
        topic.starts_with("__")
            || topic.starts_with('.')
            || (topic.starts_with("mm2") && topic.ends_with(&self.internal_suffix()))
            || topic.ends_with(&self.checkpoints_topic(""))
    }

    /// Whether the topic came from the cluster `target` already, over any number of clusters.
    pub(super) fn is_cycle(&self, topic: &str, target: &str) -> bool {
        let mut topic = topic;
        loop {
            match self.topic_source(topic) {
                None => return false,
                Some(source) if source == target => return true,
                Some(_) => {}
            }
            match self.upstream_topic(topic) {
                // Names that are kept tell nothing of cycles.
                Some(upstream) if upstream != topic => topic = upstream,
                _ => return false,
            }
        }
    }
}

/// What stands before the first separator, as Java's `String.split` sees it: parts at the end that are
/// empty do not count, and an empty separator stands after every character.
fn first_part<'a>(topic: &'a str, separator: &str) -> Option<&'a str> {
    if separator.is_empty() {
        let mut starts = topic.char_indices().map(|(start, _)| start);
        return starts.nth(1).map(|second| &topic[..second]);
    }
    let mut kept = topic;
    while let Some(shorter) = kept.strip_suffix(separator) {
        kept = shorter;
    }
    kept.split_once(separator).map(|(first, _)| first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default() -> ReplicationPolicy {
        ReplicationPolicy {
            separator: ".".to_owned(),
            internal_separator: ".".to_owned(),
            identity: None,
        }
    }

    fn identity() -> ReplicationPolicy {
        ReplicationPolicy {
            identity: Some("A".to_owned()),
            ..default()
        }
    }

    #[test]
    fn the_default_policy_puts_the_alias_before_the_name_and_finds_it_again() {
        let policy = default();
        assert_eq!(policy.remote_topic("A", "t"), "A.t");
        assert_eq!(policy.topic_source("A.B.t"), Some("A"));
        assert_eq!(policy.upstream_topic("A.B.t"), Some("B.t"));
        assert_eq!(policy.upstream_topic("t"), None);
        assert_eq!(policy.original_topic("A.B.t"), "t");
        let custom = ReplicationPolicy {
            separator: "__".to_owned(),
            ..default()
        };
        assert_eq!(custom.remote_topic("A", "t"), "A__t");
        assert_eq!(custom.upstream_topic("A__B.t"), Some("B.t"));
    }

    #[test]
    fn names_are_split_as_java_splits_them() {
        for (topic, first) in [
            ("a.", None),
            ("a..", None),
            (".", None),
            (".a", Some("")),
            ("a..b", Some("a")),
            ("a.b.", Some("a")),
        ] {
            assert_eq!(first_part(topic, "."), first, "{topic}");
        }
        assert_eq!(first_part("abc", ""), Some("a"));
        assert_eq!(first_part("a", ""), None);
    }

    #[test]
    fn the_identity_policy_keeps_names_but_those_of_heartbeats() {
        let policy = identity();
        assert_eq!(policy.remote_topic("A", "t"), "t");
        assert_eq!(policy.topic_source("t"), Some("A"));
        assert_eq!(policy.upstream_topic("x.t"), Some("x.t"));
        assert_eq!(policy.remote_topic("A", "heartbeats"), "A.heartbeats");
        assert_eq!(policy.topic_source("A.heartbeats"), Some("A"));
        assert_eq!(policy.topic_source("heartbeats"), None);
        assert!(!policy.is_cycle("t", "B"));
        assert!(policy.is_cycle("B.heartbeats", "B"));
    }

    #[test]
    fn a_topic_that_was_on_the_target_before_is_a_cycle_over_any_number_of_clusters() {
        let policy = default();
        assert!(policy.is_cycle("B.t", "B"));
        assert!(policy.is_cycle("C.B.t", "B"));
        assert!(!policy.is_cycle("C.t", "B"));
        assert!(!policy.is_cycle("t", "B"));
        assert!(!policy.is_cycle("B", "B"));
    }

    #[test]
    fn topics_of_kafka_and_of_mirror_maker_are_internal() {
        let policy = default();
        for topic in [
            "__consumer_offsets",
            ".hidden",
            "mm2-offset-syncs.B.internal",
            "mm2-offsets.A.internal",
            "A.checkpoints.internal",
        ] {
            assert!(policy.is_internal_topic(topic), "{topic}");
        }
        for topic in ["t", "_t", "heartbeats", "x.internal", "mm2"] {
            assert!(!policy.is_internal_topic(topic), "{topic}");
        }
        assert!(policy.is_heartbeats_topic("C.A.heartbeats"));
        assert!(!policy.is_heartbeats_topic("heartbeats.x"));
        assert_eq!(policy.checkpoints_topic("A"), "A.checkpoints.internal");
        assert_eq!(
            policy.offset_syncs_topic("B"),
            "mm2-offset-syncs.B.internal"
        );
    }
}
