//! Settings of the pipelines most tests run: file → topic → file.

use std::path::Path;

use super::Properties;

pub(crate) const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
pub(crate) const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";
pub(crate) const BYTES: &str = "org.apache.kafka.connect.converters.ByteArrayConverter";

/// A worker with String converters, which flushes offsets often and whose sinks leave the group
/// soon after a crash.
pub(crate) fn worker(bootstrap: &str) -> Properties {
    Properties::new()
        .set("bootstrap.servers", bootstrap)
        .set("key.converter", STRING)
        .set("value.converter", STRING)
        .set("offset.flush.interval.ms", 500)
        .set("consumer.session.timeout.ms", 6000)
        .set("consumer.heartbeat.interval.ms", 500)
        .set("consumer.metadata.max.age.ms", 2000)
}

pub(crate) fn file_source(name: &str, file: &Path, topic: &str) -> Properties {
    Properties::new()
        .set("name", name)
        .set("connector.class", "FileStreamSource")
        .set("tasks.max", 1)
        .set("file", file.display())
        .set("topic", topic)
}

pub(crate) fn file_sink(name: &str, file: &Path, topics: &str) -> Properties {
    Properties::new()
        .set("name", name)
        .set("connector.class", "FileStreamSink")
        .set("tasks.max", 1)
        .set("file", file.display())
        .set("topics", topics)
}

/// Apache's source of structs, of two schemas in turn, in one partition.
pub(crate) fn schema_source(name: &str, topic: &str, count: usize) -> Properties {
    Properties::new()
        .set("name", name)
        .set(
            "connector.class",
            "org.apache.kafka.connect.tools.SchemaSourceConnector",
        )
        .set("tasks.max", 1)
        .set("topic", topic)
        .set("num.messages", count)
        .set("throughput", 100)
        .set("multiple.schema", true)
        .set("partition.count", 1)
}

/// Gives a connector a value converter of its own; `schemas` is JsonConverter's `schemas.enable`.
pub(crate) fn with_converter(
    connector: Properties,
    converter: &str,
    schemas: Option<bool>,
) -> Properties {
    let connector = connector.set("value.converter", converter);
    match schemas {
        Some(on) => connector.set("value.converter.schemas.enable", on),
        None => connector,
    }
}
