//! A record on its way, for tests of what shows it.

use super::{Consumed, Fate, Origin, Step, Trace};
use crate::api::{ConnectRecord, SchemaAndValue, TopicPartition, Value};

/// A record of the number 1.
pub(crate) fn record(topic: &str) -> ConnectRecord {
    ConnectRecord {
        topic: topic.into(),
        kafka_partition: Some(0),
        key: SchemaAndValue::NULL,
        value: SchemaAndValue::schemaless(Value::Int64(1)),
        timestamp: Some(5),
        headers: Vec::new(),
    }
}

/// A record of topic `t` that a router sent to `u`, and what became of it.
pub(crate) fn trace(fate: Fate) -> Trace {
    Trace {
        origin: Origin::Consumed(Consumed {
            at: TopicPartition::new("t", 2),
            offset: 41,
            timestamp: 5,
            key: None,
            value: Some(b"1".to_vec()),
            headers: vec![("h".to_owned(), Some(vec![0]))],
        }),
        entered: Some(record("t")),
        steps: vec![Step {
            alias: "r".into(),
            class: "p.RegexRouter",
            record: record("u"),
        }],
        fate,
    }
}
