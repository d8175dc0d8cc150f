//! A line of input: one record as JSON, made into what a consumer's fetch gives.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::api::TopicPartition;
use crate::clients::FetchedRecords;
use crate::record::{
    BatchBuilder, Batches, CompressionConfig, DecodeOptions, ProducerFields, RecordHeader, decode,
};

/// Kafka's "no timestamp".
const NO_TIMESTAMP: i64 = -1;

/// The members of a line; those that are not here are ignored.
#[derive(Deserialize)]
struct Line {
    topic: String,
    partition: Option<i32>,
    offset: Option<i64>,
    timestamp: Option<i64>,
    #[serde(rename = "timestampType")]
    timestamp_type: Option<String>,
    key: Option<String>,
    value: Option<String>,
    headers: Option<Vec<(String, Option<String>)>>,
}

/// Reads a line. What is missing: partition 0, the line's number from 1 as offset, no timestamp, null as
/// key and value, no headers. The topic must be there.
///
/// # Errors
/// What is wrong with the line, without its number.
pub(super) fn parse(line: &[u8], number: u64) -> Result<FetchedRecords, String> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err("not a JSON object".to_owned());
    }
    let line: Line = serde_json::from_slice(line).map_err(|error| reason(&error))?;
    let partition = line.partition.unwrap_or(0);
    if partition < 0 {
        return Err(format!("partition: {partition} is negative"));
    }
    let offset = line
        .offset
        .unwrap_or(i64::try_from(number).unwrap_or(i64::MAX));
    if offset < 0 {
        return Err(format!("offset: {offset} is negative"));
    }
    let timestamp = line.timestamp.unwrap_or(NO_TIMESTAMP);
    if timestamp < NO_TIMESTAMP {
        return Err(format!(
            "timestamp: Invalid record timestamp {timestamp}; -1 or null is none"
        ));
    }
    let key = bytes("key", line.key.as_deref())?;
    let value = bytes("value", line.value.as_deref())?;
    let mut headers = Vec::new();
    for (name, value) in line.headers.iter().flatten() {
        let value = bytes(&format!("header '{name}'"), value.as_deref())?;
        headers.push((name.as_bytes(), value));
    }
    let headers: Vec<_> = headers
        .iter()
        .map(|(key, value)| RecordHeader {
            key,
            value: value.as_deref(),
        })
        .collect();
    let mut batch = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
    batch.append(timestamp, key.as_deref(), value.as_deref(), &headers);
    let mut fetched = fetch(batch, offset)?;
    fetched.source = TopicPartition::new(line.topic, partition);
    fetched.log_append_time = is_append_time(line.timestamp_type.as_deref())?;
    Ok(fetched)
}

/// The batch as a fetch gives it.
fn fetch(mut batch: BatchBuilder, offset: i64) -> Result<FetchedRecords, String> {
    let failed = |error: crate::record::RecordError| error.to_string();
    batch
        .finish(&ProducerFields::NONE, offset)
        .map_err(failed)?;
    let buffer = batch.into_bytes();
    let mut records = Vec::with_capacity(1);
    for batch in Batches::new(&buffer).check_crc(false) {
        let options = DecodeOptions::default();
        decode(
            &batch.map_err(failed)?,
            &options,
            &mut Vec::new(),
            &mut records,
        )
        .map_err(failed)?;
    }
    Ok(FetchedRecords {
        source: TopicPartition::new("", 0),
        buffer: buffer.into(),
        records,
        next_offset: offset.saturating_add(1),
        log_append_time: false,
    })
}

fn bytes(what: &str, text: Option<&str>) -> Result<Option<Vec<u8>>, String> {
    let Some(text) = text else {
        return Ok(None);
    };
    match BASE64.decode(text) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) => Err(format!("{what}: not base64: {error}")),
    }
}

fn is_append_time(text: Option<&str>) -> Result<bool, String> {
    match text {
        Some("LogAppendTime") => Ok(true),
        None | Some("CreateTime" | "NoTimestampType") => Ok(false),
        Some(other) => Err(format!(
            "timestampType: '{other}' is none of CreateTime, LogAppendTime, NoTimestampType"
        )),
    }
}

/// serde_json counts lines within the line: only the column tells something.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((text, _)) if error.column() > 0 => format!("{text} (column {})", error.column()),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::headers;

    #[test]
    fn a_full_line_becomes_a_fetched_record() {
        let line = br#"{"topic":"t","partition":3,"offset":7,"timestamp":12,
            "timestampType":"LogAppendTime","key":"aw==","value":"dg==",
            "headers":[["h","eA=="],["h",null]],"further":1}"#;
        let fetched = parse(line, 1).unwrap();
        let [record] = fetched.records[..] else {
            panic!("{:?}", fetched.records)
        };
        assert_eq!(fetched.source, TopicPartition::new("t", 3));
        assert_eq!((record.offset, record.timestamp), (7, 12));
        assert!(fetched.log_append_time);
        assert_eq!(record.key.of(&fetched.buffer), Some(&b"k"[..]));
        assert_eq!(record.value.of(&fetched.buffer), Some(&b"v"[..]));
        let found: Vec<_> = headers(&fetched.buffer, record.headers, record.header_count)
            .map(|header| header.map(|header| (header.key.to_vec(), header.value.is_some())))
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(found, [(b"h".to_vec(), true), (b"h".to_vec(), false)]);
    }

    #[test]
    fn missing_members_have_defaults_and_an_empty_value_is_no_tombstone() {
        let fetched = parse(br#"{"topic":"t","value":""}"#, 42).unwrap();
        let record = fetched.records[0];
        assert_eq!(fetched.source, TopicPartition::new("t", 0));
        assert_eq!((record.offset, record.timestamp), (42, -1));
        assert!(record.key.is_null());
        assert_eq!(record.value.of(&fetched.buffer), Some(&b""[..]));
        assert_eq!(record.header_count, 0);
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        for (line, part) in [
            (r#"[1]"#, "not a JSON object"),
            ("", "not a JSON object"),
            (r#"{"topic":"t""#, "column"),
            (r#"{"value":null}"#, "missing field `topic`"),
            (r#"{"topic":"t","key":"a"}"#, "key: not base64"),
            (r#"{"topic":"t","value":"a-_="}"#, "value: not base64"),
            (
                r#"{"topic":"t","headers":[["h","?"]]}"#,
                "header 'h': not base64",
            ),
            (r#"{"topic":"t","headers":[["h"]]}"#, "column"),
            (r#"{"topic":"t","partition":-1}"#, "partition: -1"),
            (r#"{"topic":"t","offset":-1}"#, "offset: -1"),
            (r#"{"topic":"t","timestamp":-2}"#, "timestamp -2"),
            (r#"{"topic":"t","timestampType":"Later"}"#, "'Later'"),
            (r#"{"topic":"t"} x"#, "trailing characters"),
        ] {
            let error = parse(line.as_bytes(), 1).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
            assert!(!error.contains("at line"), "{line}: {error}");
        }
    }
}
