//! What a preview says of a record, for machines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

use super::fields::{Change, Field, changed, fields};
use super::hints::{hint, short};
use crate::api::ConnectRecord;
use crate::config::Warning;
use crate::task::plan::Plan;
use crate::task::preview::{Consumed, Fate, Origin, Trace};

/// A warning with its key and remedy.
pub fn warning_json(warning: &Warning) -> Json {
    json!({"key": warning.key, "message": warning.message, "fix": warning.fix})
}

/// The roads of keys and values, and what the connector hands over or wants.
pub fn roads_json((plan, form): &(Plan, &'static str)) -> Json {
    json!({"key": plan.key.to_string(), "value": plan.value.to_string(), "form": form})
}

/// The record `number` as a JSON object.
pub fn record_json(trace: &Trace, number: u64) -> Json {
    let mut object = match &trace.fate {
        Fate::Written(produced) => json!({
            "result": "record",
            "written": {
                "topic": &*produced.topic,
                "partition": produced.partition,
                "timestamp": produced.timestamp,
                "key": base64(produced.key.as_deref()),
                "value": base64(produced.value.as_deref()),
                "headers": headers(&produced.headers),
            },
        }),
        Fate::Delivered { record, text } => json!({
            "result": "record",
            "delivered": {
                "topic": &*record.topic,
                "partition": record.kafka_partition,
                "timestamp": record.timestamp,
                "text": text.as_deref().map(|text| String::from_utf8_lossy(text).into_owned()),
                "fields": fields_json(record),
            },
        }),
        Fate::Filtered { alias } => json!({"result": "filtered", "transform": &**alias}),
        Fate::Failed { failed, alias } => {
            let hint = hint(failed, alias.as_deref());
            json!({
                "result": "error",
                "stage": failed.stage.name(),
                "class": short(failed.error.java_class()),
                "message": failed.error.message(),
                "plugin": failed.plugin,
                "transform": alias.as_deref(),
                "hint": hint.map(|(key, fix)| json!({"key": key, "fix": fix})),
            })
        }
    };
    object["number"] = number.into();
    object["read"] = read_json(&trace.origin);
    object["fields"] = trace.entered.as_ref().map_or(Json::Null, fields_json);
    let mut before = trace.entered.as_ref();
    let mut steps = Vec::new();
    for step in &trace.steps {
        let changes: Vec<_> = changed(before, &step.record)
            .iter()
            .map(change_json)
            .collect();
        steps.push(json!({
            "transform": &*step.alias,
            "class": step.class,
            "changes": changes,
        }));
        before = Some(&step.record);
    }
    object["steps"] = steps.into();
    object
}

fn read_json(origin: &Origin) -> Json {
    match origin {
        Origin::Consumed(Consumed {
            at,
            offset,
            timestamp,
            key,
            value,
            headers: all,
        }) => json!({
            "topic": &*at.topic,
            "partition": at.partition,
            "offset": offset,
            "timestamp": timestamp,
            "key": base64(key.as_deref()),
            "value": base64(value.as_deref()),
            "headers": headers(all),
        }),
        Origin::Polled { partition, offset } => json!({
            "sourcePartition": partition.as_deref(),
            "sourceOffset": offset.as_deref(),
        }),
    }
}

fn fields_json(record: &ConnectRecord) -> Json {
    let field = |field: Field| json!({"path": field.path, "text": field.text});
    fields(record).into_iter().map(field).collect()
}

fn change_json(change: &Change) -> Json {
    json!({"path": change.path, "before": change.before, "after": change.after})
}

fn base64(bytes: Option<&[u8]>) -> Json {
    bytes.map_or(Json::Null, |bytes| BASE64.encode(bytes).into())
}

fn headers(headers: &[(String, Option<Vec<u8>>)]) -> Json {
    let header =
        |(name, value): &(String, Option<Vec<u8>>)| json!([name, base64(value.as_deref())]);
    headers.iter().map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConnectError;
    use crate::task::errors::Stage;
    use crate::task::preview::samples::trace;
    use crate::task::preview::{Failed, Produced};

    #[test]
    fn a_machine_sees_the_same_with_whole_bytes() {
        let fate = Fate::Written(Produced {
            topic: "u".into(),
            partition: None,
            timestamp: None,
            key: None,
            value: Some(b"1".to_vec()),
            headers: Vec::new(),
        });
        let object = record_json(&trace(fate), 1);
        assert_eq!(object["written"]["value"], "MQ==");
        assert_eq!(object["written"]["partition"], Json::Null);
        assert_eq!(object["read"]["offset"], 41);
        assert_eq!(object["read"]["headers"], json!([["h", "AA=="]]));
        assert_eq!(
            object["steps"][0]["changes"],
            json!([{"path": "topic", "before": "\"t\"", "after": "\"u\""}])
        );
    }

    #[test]
    fn a_failure_names_stage_class_and_remedy() {
        let failed = Failed {
            stage: Stage::ValueConverter,
            plugin: "org.apache.kafka.connect.json.JsonConverter",
            error: ConnectError::data("x due to serialization error: y"),
        };
        let object = record_json(
            &trace(Fate::Failed {
                failed,
                alias: None,
            }),
            3,
        );
        assert_eq!(object["number"], 3);
        assert_eq!(object["stage"], "VALUE_CONVERTER");
        assert_eq!(object["hint"]["key"], "value.converter");
        assert_eq!(object["class"], "DataException");
    }
}
