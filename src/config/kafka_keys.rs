//! Holds the definitions to Kafka's. `kafka_keys_4_3_1.tsv` was printed once from the `ConfigDef`s in
//! Kafka 4.3.1's jars: section, name, type, default, importance, group, place in the group, width and
//! display name of each key.

use super::clients::{self, ClientKind};
use super::worker;
use crate::api::config_def::ConfigDef;

/// Keys whose default is ours; the reference says so where it matters.
const OUR_DEFAULTS: [&str; 25] = [
    "producer batch.size",
    "producer buffer.memory",
    "producer delivery.timeout.ms",
    "producer key.serializer",
    "producer linger.ms",
    "producer max.block.ms",
    "producer value.serializer",
    "producer enable.metrics.push",
    "producer metric.reporters",
    "producer receive.buffer.bytes",
    "producer send.buffer.bytes",
    "consumer auto.offset.reset",
    "consumer enable.auto.commit",
    "consumer enable.metrics.push",
    "consumer fetch.max.bytes",
    "consumer key.deserializer",
    "consumer max.poll.records",
    "consumer metric.reporters",
    "consumer receive.buffer.bytes",
    "consumer send.buffer.bytes",
    "consumer value.deserializer",
    "admin metric.reporters",
    "admin bootstrap.servers",
    "admin receive.buffer.bytes",
    "admin send.buffer.bytes",
];

/// Keys of share consumers and of Kafka's own tests.
const NOT_OURS: [&str; 3] = [
    "share.acknowledgement.mode",
    "share.acquire.mode",
    "internal.throw.on.fetch.stable.offset.unsupported",
];

fn sections() -> Vec<(&'static str, ConfigDef)> {
    vec![
        ("producer", clients::def(ClientKind::Producer)),
        ("consumer", clients::def(ClientKind::Consumer)),
        ("admin", clients::def(ClientKind::Admin)),
        ("standalone", worker::standalone_def()),
        ("distributed", {
            let sasl = clients::def(ClientKind::Admin);
            worker::distributed_def().extend(&sasl)
        }),
    ]
}

#[test]
fn every_key_of_kafka_is_defined_with_its_type_and_default() {
    let mut wrong = Vec::new();
    for (section, def) in sections() {
        for row in include_str!("kafka_keys_4_3_1.tsv").lines() {
            let columns: Vec<&str> = row.split('\t').collect();
            if columns[0] != section || NOT_OURS.contains(&columns[1]) {
                continue;
            }
            let (name, kind, default) = (columns[1], columns[2], columns[3]);
            let Some(key) = def.key(name) else {
                wrong.push(format!("{section} {name} is missing"));
                continue;
            };
            if key.kind.name() != kind {
                wrong.push(format!("{section} {name} is {kind}"));
            }
            let ours = match key.default_text() {
                Some(text) => text,
                None if key.is_required() => "<required>".to_owned(),
                None => "<null>".to_owned(),
            };
            let listed = OUR_DEFAULTS.contains(&format!("{section} {name}").as_str());
            if (ours != default) != listed {
                wrong.push(format!("{section} {name}: {ours}, in Kafka {default}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
