//! A record as Kafka's `toString` shows it, for error texts.

use std::fmt::Write as _;

use crate::api::data::{SchemaRef, text};
use crate::api::{ConnectRecord, Header, RecordOrigin, SourceMap};

/// `SinkRecord{…} ConnectRecord{…}` or `SourceRecord{…} ConnectRecord{…}`.
pub(super) fn to_text(record: &ConnectRecord, origin: RecordOrigin<'_>) -> String {
    let mut out = String::new();
    let written = append_origin(origin, &mut out).and_then(|()| append_record(record, &mut out));
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    out
}

fn append_origin(origin: RecordOrigin<'_>, out: &mut String) -> std::fmt::Result {
    match origin {
        RecordOrigin::Source { partition, offset } => write!(
            out,
            "SourceRecord{{sourcePartition={}, sourceOffset={}}} ",
            map_text(partition),
            map_text(offset)
        ),
        RecordOrigin::Sink {
            topic,
            partition,
            offset,
            log_append_time,
        } => {
            let kind = if log_append_time {
                "LogAppendTime"
            } else {
                "CreateTime"
            };
            write!(
                out,
                "SinkRecord{{kafkaOffset={offset}, timestampType={kind}, originalTopic={topic}, originalKafkaPartition={partition}, originalKafkaOffset={offset}}} "
            )
        }
    }
}

fn append_record(record: &ConnectRecord, out: &mut String) -> std::fmt::Result {
    write!(
        out,
        "ConnectRecord{{topic='{}', kafkaPartition={}, key={}, keySchema={}, value={}, valueSchema={}, timestamp={}, headers=ConnectHeaders(headers={})}}",
        record.topic,
        or_null(record.kafka_partition),
        text::to_text(&record.key.value),
        schema_text(record.key.schema.as_ref()),
        text::to_text(&record.value.value),
        schema_text(record.value.schema.as_ref()),
        or_null(record.timestamp),
        headers_text(&record.headers)
    )
}

fn or_null(number: Option<impl ToString>) -> String {
    number.map_or_else(|| "null".to_owned(), |number| number.to_string())
}

fn schema_text(schema: Option<&SchemaRef>) -> String {
    or_null(schema)
}

fn headers_text(headers: &[Header]) -> String {
    if headers.is_empty() {
        return String::new();
    }
    let each = |header: &Header| {
        format!(
            "ConnectHeader(key={}, value={}, schema={})",
            header.key,
            text::to_text(&header.value.value),
            schema_text(header.value.schema.as_ref())
        )
    };
    let each: Vec<String> = headers.iter().map(each).collect();
    format!("[{}]", each.join(", "))
}

fn map_text(map: Option<&SourceMap>) -> String {
    let Some(map) = map else {
        return "null".to_owned();
    };
    let each = |(key, value): (&String, &serde_json::Value)| match value {
        serde_json::Value::String(text) => format!("{key}={text}"),
        other => format!("{key}={other}"),
    };
    let each: Vec<String> = map.iter().map(each).collect();
    format!("{{{}}}", each.join(", "))
}
