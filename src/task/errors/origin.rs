//! The record that failed, as its reporters need it (Kafka: `ProcessingContext.original`).

use crate::api::data::text;
use crate::api::{SchemaAndValue, SourceMap, SourceRecord};
use crate::clients::{FetchedRecords, RecordToken};
use crate::record::RecordRef;
use crate::task::conversion::Converters;

/// Longest text of a key, value or header in a line of the log; Kafka has no limit.
const TEXT_MAX: usize = 8 << 10;

/// A record that failed.
#[derive(Debug)]
pub enum Origin<'a> {
    /// It was consumed: its bytes are still there.
    Consumed {
        /// What it was fetched with.
        fetched: &'a FetchedRecords,
        /// The record.
        record: &'a RecordRef,
    },
    /// A source gave it.
    Source(SourceOrigin<'a>),
    /// Nobody kept it; the text says what is known.
    Gone(&'a str),
}

/// A record of a source, before transforms.
#[derive(Debug)]
pub struct SourceOrigin<'a> {
    /// The record.
    pub record: &'a SourceRecord,
    /// For its bytes, where somebody wants them.
    pub converters: Option<&'a mut Converters>,
    /// Under which the record was submitted, so that its offset waits for the dead letter.
    pub token: Option<RecordToken>,
}

impl<'a> Origin<'a> {
    /// A source's record for the log alone.
    pub fn of_record(record: &'a SourceRecord) -> Self {
        Self::Source(SourceOrigin {
            record,
            converters: None,
            token: None,
        })
    }

    /// Where it is, for the error that fails a task.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Consumed { fetched, record } => consumed(fetched, record),
            Self::Source(SourceOrigin { record, .. }) => format!(
                "topic '{}', source partition {}, source offset {}",
                record.record.topic,
                json(record.source_partition.as_deref()),
                json(record.source_offset.as_deref())
            ),
            Self::Gone(place) => (*place).to_owned(),
        }
    }

    /// The part of a line in the log that shows the record (Kafka: `LogReporter.appendMessage`).
    pub(super) fn in_log(&self) -> String {
        match self {
            Self::Consumed { .. } => format!(", where consumed record is {}", self.place()),
            Self::Source(SourceOrigin { record, .. }) => {
                format!(", where source record is = {}", source(record))
            }
            Self::Gone(place) => format!(", where source record is = {place}"),
        }
    }
}

fn consumed(fetched: &FetchedRecords, record: &RecordRef) -> String {
    let kind = match fetched.log_append_time {
        true => "LogAppendTime",
        false => "CreateTime",
    };
    format!(
        "{{topic='{}', partition={}, offset={}, timestamp={}, timestampType={kind}}}",
        fetched.source.topic, fetched.source.partition, record.offset, record.timestamp,
    )
}

/// A source partition or offset as JSON; `none` for none.
fn json(map: Option<&SourceMap>) -> String {
    map.and_then(|map| serde_json::to_string(map).ok())
        .unwrap_or_else(|| "none".to_owned())
}

/// Java's `SourceRecord.toString`.
fn source(source: &SourceRecord) -> String {
    let record = &source.record;
    let number = |number: Option<i64>| number.map_or("null".to_owned(), |n| n.to_string());
    let (key, key_schema) = value_and_schema(&record.key);
    let (value, value_schema) = value_and_schema(&record.value);
    let headers: Vec<String> = record
        .headers
        .iter()
        .map(|header| {
            let (value, schema) = value_and_schema(&header.value);
            format!(
                "ConnectHeader(key={}, value={value}, schema={schema})",
                header.key
            )
        })
        .collect();
    let headers = match headers.is_empty() {
        true => String::new(),
        false => format!("[{}]", headers.join(", ")),
    };
    format!(
        "SourceRecord{{sourcePartition={}, sourceOffset={}}} ConnectRecord{{topic='{}', \
         kafkaPartition={}, key={key}, keySchema={key_schema}, value={value}, \
         valueSchema={value_schema}, timestamp={}, headers=ConnectHeaders(headers={headers})}}",
        java_map(source.source_partition.as_deref()),
        java_map(source.source_offset.as_deref()),
        record.topic,
        number(record.kafka_partition.map(i64::from)),
        number(record.timestamp),
    )
}

fn value_and_schema(data: &SchemaAndValue) -> (String, String) {
    let schema = data.schema.as_ref();
    let schema = schema.map_or("null".to_owned(), ToString::to_string);
    (shortened(text::to_text(&data.value)), schema)
}

fn shortened(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        let left = whole - text.len();
        text.push_str(&format!("… ({left} bytes more)"));
    }
    text
}

/// A map as Java prints it, in the order of its members.
fn java_map(map: Option<&SourceMap>) -> String {
    let Some(map) = map else {
        return "null".to_owned();
    };
    let entries: Vec<String> = map
        .iter()
        .map(|(key, value)| match value.as_str() {
            Some(text) => format!("{key}={text}"),
            None => format!("{key}={value}"),
        })
        .collect();
    format!("{{{}}}", entries.join(", "))
}

#[cfg(test)]
pub(in crate::task) mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::api::{
        ConnectRecord, Header, SchemaBuilder, SchemaType, Span, TopicPartition, Value,
    };

    /// One record of partition 3: key `k`, value `{bad`, offset 7.
    pub(in crate::task) fn fetched() -> FetchedRecords {
        let record = RecordRef {
            offset: 7,
            timestamp: 11,
            key: Span { start: 0, len: 1 },
            value: Span { start: 1, len: 4 },
            headers: Span::NULL,
            header_count: 0,
        };
        FetchedRecords {
            source: TopicPartition::new("t", 3),
            buffer: bytes::Bytes::from_static(b"k{bad"),
            records: vec![record],
            next_offset: 8,
            log_append_time: false,
        }
    }

    fn map(key: &str, value: serde_json::Value) -> Option<Rc<SourceMap>> {
        let mut map = SourceMap::new();
        map.insert(key.to_owned(), value);
        Some(Rc::new(map))
    }

    /// A record with a string key, a schemaless map as value and one header.
    pub(in crate::task) fn source_record() -> SourceRecord {
        let schema = |kind| SchemaBuilder::new(kind).build();
        let entry = (Value::String("a".to_owned()), Value::Int64(1));
        SourceRecord {
            record: ConnectRecord {
                topic: "t".into(),
                kafka_partition: None,
                key: SchemaAndValue::new(schema(SchemaType::String), Value::String("k".to_owned())),
                value: SchemaAndValue {
                    schema: None,
                    value: Value::Map(vec![entry]),
                },
                timestamp: Some(9),
                headers: vec![Header {
                    key: "h".to_owned(),
                    value: SchemaAndValue::new(schema(SchemaType::Boolean), Value::Boolean(true)),
                }],
            },
            source_partition: map("filename", "f".into()),
            source_offset: map("position", 5.into()),
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_says_how_much_is_missing() {
        let text = shortened("ä".repeat(TEXT_MAX));
        assert!(text.len() < TEXT_MAX + 40, "{}", text.len());
        assert!(
            text.ends_with(&format!("… ({TEXT_MAX} bytes more)")),
            "{text}"
        );
    }
}
