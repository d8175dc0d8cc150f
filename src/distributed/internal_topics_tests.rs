//! What internal topics are created with and checked for, with Apache's texts.

use super::internal_topics::{
    Creation, DescribedTopic, InternalTopic, TopicSettings, Verdict, after_creation,
};
use crate::api::ConfigMap;
use crate::clients::{ApiErrorKind, ClientError};
use crate::config::worker::distributed_def;

fn settings(topic: InternalTopic, more: &[(&str, &str)]) -> TopicSettings {
    topic.settings(&worker(more)).unwrap()
}

fn worker(more: &[(&str, &str)]) -> crate::api::ParsedConfig {
    let required = [
        ("bootstrap.servers", "localhost:9092"),
        ("key.converter", "K"),
        ("value.converter", "V"),
        ("group.id", "g"),
        ("config.storage.topic", "configs"),
        ("offset.storage.topic", "offsets"),
        ("status.storage.topic", "statuses"),
    ];
    let config: ConfigMap = required
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect();
    distributed_def().parse(&config).unwrap()
}

#[test]
fn topics_are_created_with_apache_s_defaults() {
    for (topic, name, partitions) in [
        (InternalTopic::Config, "configs", 1),
        (InternalTopic::Offset, "offsets", 25),
        (InternalTopic::Status, "statuses", 5),
    ] {
        let made = settings(topic, &[]);
        assert_eq!(made.new_topic.name, name);
        assert_eq!(made.new_topic.partitions, partitions);
        assert_eq!(made.new_topic.replication_factor, 3);
        let compact = ("cleanup.policy".to_owned(), "compact".to_owned());
        assert_eq!(made.new_topic.configs, [compact]);
        assert_eq!(made.warnings.len(), 0);
    }
}

#[test]
fn other_keys_under_the_prefix_are_settings_of_the_topic() {
    let more = [
        ("offset.storage.partitions", "-1"),
        ("offset.storage.replication.factor", "1"),
        ("offset.storage.min.insync.replicas", "2"),
        ("offset.storage.cleanup.policy", "delete"),
        ("config.storage.partitions", "3"),
        ("config.storage.segment.bytes", "1000"),
    ];
    let offset = settings(InternalTopic::Offset, &more);
    assert_eq!(
        (
            offset.new_topic.partitions,
            offset.new_topic.replication_factor
        ),
        (-1, 1)
    );
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let compact = pair("cleanup.policy", "compact");
    assert_eq!(
        offset.new_topic.configs,
        [pair("min.insync.replicas", "2"), compact.clone()]
    );
    let texts: Vec<_> = offset.warnings.iter().map(ToString::to_string).collect();
    let text =
        "Ignoring 'offset.storage.cleanup.policy=delete' setting, since compaction is always used";
    assert_eq!(texts, [text]);

    let config = settings(InternalTopic::Config, &more);
    assert_eq!(config.new_topic.partitions, 1);
    assert_eq!(
        config.new_topic.configs,
        [pair("segment.bytes", "1000"), compact]
    );
    let texts: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    let text =
        "Ignoring 'config.storage.partitions=3' setting, since config topic partitions is always 1";
    assert_eq!(texts, [text]);

    let own = InternalTopic::Offset.settings_as(&worker(&more), "own");
    assert_eq!(own.unwrap().new_topic.name, "own");
}

#[test]
fn a_topic_needs_a_name() {
    for (topic, text) in [
        (
            InternalTopic::Config,
            "Must specify topic for connector configuration.",
        ),
        (
            InternalTopic::Offset,
            "Offset storage topic must be specified",
        ),
        (
            InternalTopic::Status,
            "Must specify topic for connector status.",
        ),
    ] {
        let key = topic.topic_key();
        let error = topic.settings(&worker(&[(key.as_str(), " ")])).unwrap_err();
        assert_eq!(error.message(), text);
    }
}

#[test]
fn a_topic_that_loses_records_is_refused() {
    let check = |topic: InternalTopic, policy: Option<&str>| {
        let described = DescribedTopic {
            partitions: 1,
            cleanup_policy: policy.map(str::to_owned),
        };
        topic.check("t", &described)
    };
    for topic in InternalTopic::ALL {
        assert_eq!(check(topic, Some(" Compact,")).unwrap(), Verdict::Compacted);
        assert_eq!(check(topic, None).unwrap(), Verdict::Unknown);
        assert_eq!(check(topic, Some(" , ")).unwrap(), Verdict::Unknown);
    }
    let error = check(InternalTopic::Status, Some("delete")).unwrap_err();
    assert_eq!(
        error.message(),
        "Topic 't' supplied via the 'status.storage.topic' property is required to have \
         'cleanup.policy=compact' to guarantee consistency and durability of connector and task \
         statuses, but found the topic currently has 'cleanup.policy=delete'. Continuing would likely \
         result in eventually losing connector and task statuses and problems restarting this Connect \
         cluster in the future. Change the 'status.storage.topic' property in the Connect worker \
         configurations to use a topic with 'cleanup.policy=compact'."
    );
    let error = check(InternalTopic::Config, Some("compact,delete")).unwrap_err();
    assert!(
        error.message().contains("connector configurations"),
        "{error}"
    );
}

#[test]
fn a_config_topic_has_one_partition() {
    let described = DescribedTopic {
        partitions: 3,
        cleanup_policy: Some("compact".to_owned()),
    };
    let error = InternalTopic::Config.check("t", &described).unwrap_err();
    assert_eq!(
        error.message(),
        "Topic 't' supplied via the 'config.storage.topic' property is required to have a single \
         partition in order to guarantee consistency of connector configurations, but found 3 partitions."
    );
    for topic in [InternalTopic::Offset, InternalTopic::Status] {
        assert_eq!(topic.check("t", &described).unwrap(), Verdict::Compacted);
    }
}

fn api(code: i16, kind: ApiErrorKind, message: Option<&str>) -> ClientError {
    ClientError::Api {
        context: "creating topic t".to_owned(),
        code,
        name: "N",
        kind,
        message: message.map(str::to_owned),
    }
}

#[test]
fn a_creation_is_tried_again_refused_or_taken_as_done() {
    assert!(matches!(after_creation("t", Ok(true)), Creation::Created));
    assert!(matches!(after_creation("t", Ok(false)), Creation::Existing));
    for code in [29, 31] {
        let denied = Err(api(code, ApiErrorKind::Authorization, None));
        assert!(matches!(after_creation("t", denied), Creation::Existing));
    }
    let old = Err(api(35, ApiErrorKind::Fatal, None));
    assert!(matches!(after_creation("t", old), Creation::Existing));
    for (error, text) in [
        (
            api(38, ApiErrorKind::Fatal, Some("too few")),
            "Unable to create topic(s) 't': too few",
        ),
        (
            api(7, ApiErrorKind::Retriable, None),
            "Timed out while checking for or creating topic(s) 't'.",
        ),
    ] {
        match after_creation("t", Err(error)) {
            Creation::Again(error) => assert!(error.message().starts_with(text), "{error}"),
            other => panic!("{other:?}"),
        }
    }
    for (error, text) in [
        (
            api(40, ApiErrorKind::Fatal, Some("bad")),
            "Unable to create topic(s) 't': bad",
        ),
        (
            api(44, ApiErrorKind::Fatal, None),
            "Error while attempting to create/find topic(s) 't'",
        ),
    ] {
        match after_creation("t", Err(error)) {
            Creation::Failed(error) => assert_eq!(error.message(), text),
            other => panic!("{other:?}"),
        }
    }
}
