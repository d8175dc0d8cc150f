//! Source partitions and offsets as Apache writes them (Kafka: `MirrorUtils`).

use serde_json::Value;

use crate::api::{ConfigMap, ConnectError, SourceMap, TopicPartition};

const CLUSTER: &str = "cluster";
const TOPIC: &str = "topic";
const PARTITION: &str = "partition";
/// Member of a source offset: the offset in the source of the last record that was written.
pub(super) const OFFSET: &str = "offset";

/// `{"cluster":alias,"partition":n,"topic":t}`, in the order of a Java `HashMap`.
pub(super) fn source_partition(alias: &str, at: &TopicPartition) -> SourceMap {
    let mut map = SourceMap::new();
    map.insert(CLUSTER.to_owned(), alias.into());
    map.insert(PARTITION.to_owned(), at.partition.into());
    map.insert(TOPIC.to_owned(), (*at.topic).into());
    map
}

/// The topic and partition of a source partition; `None` for one of another form.
pub(super) fn partition_of(source_partition: &SourceMap) -> Option<TopicPartition> {
    let topic = source_partition.get(TOPIC)?.as_str()?;
    let partition = source_partition.get(PARTITION)?.as_i64()?;
    Some(TopicPartition::new(topic, i32::try_from(partition).ok()?))
}

/// The offset to go on from after a stored one; `None` when nothing was stored.
///
/// # Errors
/// The stored offset holds no number.
pub(super) fn next_offset(
    at: &TopicPartition,
    stored: Option<&SourceMap>,
) -> Result<Option<i64>, ConnectError> {
    let offset = match stored.and_then(|stored| stored.get(OFFSET)) {
        None | Some(Value::Null) => return Ok(None),
        Some(offset) => offset.as_i64(),
    };
    match offset {
        Some(offset) => Ok((offset >= 0).then_some(offset.saturating_add(1))),
        None => Err(ConnectError::connect(format!(
            "the stored offset of {at} holds no integer '{OFFSET}'; alter or remove it"
        ))),
    }
}

/// Reads `topic-partition`; the topic may have dashes itself.
///
/// # Errors
/// Names the text.
pub(super) fn topic_partition(text: &str) -> Result<TopicPartition, ConnectError> {
    let parts = text.rsplit_once('-');
    let read = parts.and_then(|(topic, number)| Some((topic, number.parse().ok()?)));
    read.map(|(topic, number)| TopicPartition::new(topic, number))
        .ok_or_else(|| ConnectError::config(format!("'{text}' is not topic-partition")))
}

/// Checks offsets that a user wants to store; `None` as the offset removes it (Kafka:
/// `MirrorSourceConnector.alterOffsets`).
///
/// # Errors
/// Apache's texts.
pub fn alter_offsets(
    _config: &ConfigMap,
    offsets: &[(Option<SourceMap>, Option<SourceMap>)],
) -> Result<(), ConnectError> {
    for (partition, offset) in offsets {
        // Anything may be removed, garbage above all.
        let Some(offset) = offset else { continue };
        let Some(partition) = partition else {
            return refuse("Source partitions may not be null".to_owned());
        };
        check_text(partition, CLUSTER)?;
        check_text(partition, TOPIC)?;
        check_number(partition)?;
        check_offset(partition, offset)?;
    }
    Ok(())
}

fn refuse(text: String) -> Result<(), ConnectError> {
    Err(ConnectError::connect(text))
}

fn check_text(partition: &SourceMap, key: &str) -> Result<(), ConnectError> {
    let shown = shown(partition);
    match partition.get(key) {
        None => refuse(format!(
            "Source partition {shown} is missing the '{key}' key, which is required"
        )),
        Some(Value::String(_)) => Ok(()),
        Some(value) => refuse(format!(
            "Source partition {shown} has an invalid value {} for the '{key}' key, which must be a \
             string",
            plain(value)
        )),
    }
}

fn check_number(partition: &SourceMap) -> Result<(), ConnectError> {
    let shown = shown(partition);
    let Some(value) = partition.get(PARTITION) else {
        return refuse(format!(
            "Source partition {shown} is missing the '{PARTITION}' key, which is required"
        ));
    };
    let invalid = format!(
        "Source partition {shown} has an invalid value {} for the '{PARTITION}' key, which",
        plain(value)
    );
    match value.as_i64() {
        Some(..0) => refuse(format!("{invalid} cannot be negative")),
        Some(number) if number <= i64::from(i32::MAX) => Ok(()),
        _ => refuse(format!("{invalid} must be an integer")),
    }
}

fn check_offset(partition: &SourceMap, offset: &SourceMap) -> Result<(), ConnectError> {
    let about = format!(
        "Source offset {} for source partition {}",
        shown(offset),
        shown(partition)
    );
    let Some(value) = offset.get(OFFSET) else {
        return refuse(format!(
            "{about} is missing the '{OFFSET}' key, which is required"
        ));
    };
    let invalid = format!(
        "{about} has an invalid value {} for the '{OFFSET}' key, which",
        plain(value)
    );
    match value.as_i64() {
        None => refuse(format!("{invalid} must be an integer")),
        Some(..0) => refuse(format!("{invalid} cannot be negative")),
        Some(_) => Ok(()),
    }
}

/// `{a=1, b=x}`, as Java prints a map.
fn shown(map: &SourceMap) -> String {
    let entry = |(key, value): (&String, &Value)| format!("{key}={}", plain(value));
    let entries: Vec<String> = map.iter().map(entry).collect();
    format!("{{{}}}", entries.join(", "))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> SourceMap {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn partitions_and_offsets_have_apaches_form() {
        let at = TopicPartition::new("t-1", 3);
        let partition = source_partition("A", &at);
        let text = serde_json::to_string(&partition).unwrap();
        assert_eq!(text, r#"{"cluster":"A","partition":3,"topic":"t-1"}"#);
        assert_eq!(partition_of(&partition).unwrap(), at);
        assert_eq!(topic_partition("t-1-3").unwrap(), at);
        for wrong in ["t", "t-", "t-x"] {
            let error = topic_partition(wrong).unwrap_err();
            assert!(error.message().contains(wrong), "{error}");
        }
    }

    #[test]
    fn a_stored_offset_is_that_of_the_last_record_written() {
        let at = TopicPartition::new("t", 0);
        let next = |json: &str| next_offset(&at, Some(&map(json)));
        assert_eq!(next_offset(&at, None).unwrap(), None);
        assert_eq!(next(r#"{"offset":41}"#).unwrap(), Some(42));
        assert_eq!(next(r#"{"offset":-1}"#).unwrap(), None);
        assert_eq!(next("{}").unwrap(), None);
        let error = next(r#"{"offset":"x"}"#).unwrap_err();
        assert!(error.message().contains("t-0"), "{error}");
    }

    #[test]
    fn offsets_of_a_user_are_checked_with_apaches_texts() {
        let good = r#"{"cluster":"A","partition":1,"topic":"t"}"#;
        let check = |partition: &str, offset: &str| {
            let offsets = [(Some(map(partition)), Some(map(offset)))];
            let checked = alter_offsets(&ConfigMap::new(), &offsets);
            checked.err().map(|error| error.message().to_owned())
        };
        assert_eq!(check(good, r#"{"offset":0}"#), None);
        for (partition, offset, text) in [
            (
                r#"{"partition":1,"topic":"t"}"#,
                r#"{"offset":0}"#,
                "Source partition {partition=1, topic=t} is missing the 'cluster' key, which is required",
            ),
            (
                r#"{"cluster":"A","partition":1,"topic":7}"#,
                r#"{"offset":0}"#,
                "Source partition {cluster=A, partition=1, topic=7} has an invalid value 7 for the 'topic' key, which must be a string",
            ),
            (
                r#"{"cluster":"A","partition":-1,"topic":"t"}"#,
                r#"{"offset":0}"#,
                "Source partition {cluster=A, partition=-1, topic=t} has an invalid value -1 for the 'partition' key, which cannot be negative",
            ),
            (
                r#"{"cluster":"A","partition":2147483648,"topic":"t"}"#,
                r#"{"offset":0}"#,
                "Source partition {cluster=A, partition=2147483648, topic=t} has an invalid value 2147483648 for the 'partition' key, which must be an integer",
            ),
            (
                good,
                "{}",
                "Source offset {} for source partition {cluster=A, partition=1, topic=t} is missing the 'offset' key, which is required",
            ),
            (
                good,
                r#"{"offset":"x"}"#,
                "Source offset {offset=x} for source partition {cluster=A, partition=1, topic=t} has an invalid value x for the 'offset' key, which must be an integer",
            ),
            (
                good,
                r#"{"offset":-1}"#,
                "Source offset {offset=-1} for source partition {cluster=A, partition=1, topic=t} has an invalid value -1 for the 'offset' key, which cannot be negative",
            ),
        ] {
            assert_eq!(check(partition, offset).as_deref(), Some(text));
        }
        let removed = [(Some(map(r#"{"x":1}"#)), None), (None, None)];
        alter_offsets(&ConfigMap::new(), &removed).unwrap();
    }
}
