//! What internal topics are created with and checked for.

use std::time::Duration;

use ringmain::api::ConfigMap;
use ringmain::clients::{ApiErrorKind, ClientError};
use ringmain::config::worker::distributed_def;
use ringmain::distributed::internal_topics::{Creation, InternalTopic, after_creation};
use serde_json::{Map, Value as Json, json};

use super::Case;

const POLICIES: [Option<&str>; 9] = [
    None,
    Some("compact"),
    Some("COMPACT "),
    Some("delete"),
    Some("compact,delete"),
    Some("delete,compact"),
    Some("delete, compact,"),
    Some(","),
    Some("compact,compact"),
];

/// What `createTopics` ends with: Java's class, and what our client gives.
const CREATIONS: [(&str, i16, ApiErrorKind); 8] = [
    ("InvalidTopicException", 17, ApiErrorKind::Fatal),
    ("InvalidReplicationFactorException", 38, ApiErrorKind::Fatal),
    ("InvalidConfigurationException", 40, ApiErrorKind::Fatal),
    (
        "TopicAuthorizationException",
        29,
        ApiErrorKind::Authorization,
    ),
    (
        "ClusterAuthorizationException",
        31,
        ApiErrorKind::Authorization,
    ),
    ("UnsupportedVersionException", 35, ApiErrorKind::Fatal),
    ("PolicyViolationException", 44, ApiErrorKind::Fatal),
    ("InvalidPartitionsException", 37, ApiErrorKind::Fatal),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, topic) in [
        ("config", InternalTopic::Config),
        ("offset", InternalTopic::Offset),
        ("status", InternalTopic::Status),
    ] {
        for policy in POLICIES {
            for (created, more) in [(false, &MORE[..]), (true, &[]), (false, &[])] {
                cases.push(created_or_checked(name, topic, created, policy, more));
            }
        }
    }
    for (class, code, kind) in CREATIONS {
        let error = ClientError::Api {
            context: "creating topic t".to_owned(),
            code,
            name: "",
            kind,
            message: Some("the brokers' words".to_owned()),
        };
        cases.push(creation(json!([class, "the brokers' words"]), Err(error)));
    }
    let late = ClientError::Timeout {
        context: "creating topic t".to_owned(),
        after: Duration::from_secs(60),
        hint: String::new(),
    };
    cases.push(creation(json!(["TimeoutException", "late"]), Err(late)));
    cases.push(creation(json!(["TopicExistsException", "t"]), Ok(false)));
    cases.push(creation(Json::Null, Ok(true)));
    for partitions in [1, 2, 1234] {
        let checked = InternalTopic::Config.check_partitions("configs", partitions);
        let error = checked.err().map(|error| error.message().to_owned());
        cases.push(Case {
            question: json!({"do": "partitions", "partitions": partitions}),
            ours: error.into(),
        });
    }
    cases
}

/// Keys of a worker beyond the necessary ones.
const MORE: [(&str, &str); 11] = [
    ("config.storage.topic", "c-1"),
    ("config.storage.partitions", "7"),
    ("config.storage.replication.factor", "-1"),
    ("config.storage.segment.bytes", "1000"),
    ("offset.storage.partitions", "-1"),
    ("offset.storage.replication.factor", "1"),
    ("offset.storage.cleanup.policy", "delete"),
    ("offset.storage.min.insync.replicas", "2"),
    ("status.storage.partitions", "3"),
    ("status.storage.file.delete.delay.ms", " 1 "),
    ("status.storage.", "nameless"),
];

fn created_or_checked(
    name: &str,
    topic: InternalTopic,
    created: bool,
    policy: Option<&str>,
    more: &[(&str, &str)],
) -> Case {
    let worker: ConfigMap = REQUIRED
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect();
    let settings = topic.settings(&distributed_def().parse(&worker).unwrap());
    let new = settings.unwrap().new_topic;
    let checked = if created {
        Ok(())
    } else {
        topic.check_cleanup_policy(&new.name, policy).map(drop)
    };
    let configs: Map<_, _> = new
        .configs
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    let create = if created {
        Json::Null
    } else {
        json!(["TopicExistsException", "it exists"])
    };
    Case {
        question: json!({
            "do": "topic", "topic": name, "worker": worker, "create": create, "policy": policy
        }),
        ours: json!({
            "error": checked.err().map(|error| error.message().to_owned()),
            "name": new.name,
            "partitions": new.partitions,
            "replicas": new.replication_factor,
            "configs": configs,
        }),
    }
}

const REQUIRED: [(&str, &str); 7] = [
    ("bootstrap.servers", "localhost:1"),
    ("group.id", "g"),
    (
        "key.converter",
        "org.apache.kafka.connect.json.JsonConverter",
    ),
    (
        "value.converter",
        "org.apache.kafka.connect.json.JsonConverter",
    ),
    ("config.storage.topic", "configs"),
    ("offset.storage.topic", "offsets"),
    ("status.storage.topic", "statuses"),
];

fn creation(create: Json, ours: Result<bool, ClientError>) -> Case {
    let ours = match after_creation("t", ours) {
        Creation::Created => json!(["created"]),
        Creation::Existing => json!(["existing"]),
        Creation::Again(error) => json!(["again", error.message()]),
        Creation::Failed(error) => json!(["failed", error.message()]),
    };
    Case {
        question: json!({"do": "create", "create": create}),
        ours,
    }
}
