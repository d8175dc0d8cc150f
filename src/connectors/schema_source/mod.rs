//! SchemaSource: structs with a schema, or with two in turn (Kafka: `SchemaSourceTask`).
//!
//! Keys, none of which a definition declares: `topic`, `num.messages`, `throughput` (per second, negative
//! without limit), `multiple.schema`, `partition.count` (1). Each record goes to the Kafka partition of its
//! task's number and is printed as `{"task": 0, "seqno": 0}`.

use std::rc::Rc;

use async_trait::async_trait;

use super::numbered::{Settings, map_of, next_seqno};
use super::stdout::StdoutLines;
use super::throttle::Throttle;
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, ConnectRecord, Schema, SchemaAndValue, SchemaBuilder, SchemaType,
    SourceBatch, SourceMap, SourceRecord, SourceTask, SourceTaskContext, Struct, Value,
};

/// Java class.
pub const CLASS: &str = "org.apache.kafka.connect.tools.SchemaSourceConnector";
/// Java class of the task.
pub const TASK_CLASS: &str = "org.apache.kafka.connect.tools.SchemaSourceTask";

/// Records per poll: Kafka's task yields one.
const BATCH: usize = 100;

/// Kafka: `SchemaSourceTask`.
#[derive(Debug, Default)]
pub struct SchemaSourceTask {
    running: Option<Running>,
    lines: StdoutLines,
    /// Made, and printed before they are handed over.
    ready: Vec<SourceRecord>,
}

#[derive(Debug)]
struct Running {
    id: i32,
    topic: Rc<str>,
    partition: Rc<SourceMap>,
    schemas: [SchemaRef; 2],
    throttle: Throttle,
    seqno: i64,
    count: i64,
    messages_max: i64,
    multiple_schema: bool,
    partition_count: i32,
}

#[async_trait(?Send)]
impl SourceTask for SchemaSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let settings = Settings {
            config,
            failure: "Invalid SchemaSourceTask configuration",
        };
        let id: i32 = settings.number("id")?;
        let partition = map_of("id", i64::from(id));
        let throughput: i64 = settings.number("throughput")?;
        let partition_count = match settings.text("partition.count") {
            None => 1,
            Some(_) => settings.number("partition.count")?,
        };
        let seqno = next_seqno(&*context.offsets, &partition).await?;
        self.running = Some(Running {
            id,
            topic: settings.required("topic")?.into(),
            partition,
            schemas: [schema(false)?, schema(true)?],
            #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
            throttle: Throttle::new(throughput as f64),
            seqno,
            count: 0,
            messages_max: settings.number("num.messages")?,
            multiple_schema: settings.is_true("multiple.schema"),
            partition_count,
        });
        let (connector, topic) = (&context.connector, settings.text("topic"));
        tracing::info!(%connector, task = id, topic, seqno, "started SchemaSourceTask");
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        let Some(running) = &mut self.running else {
            return Err(ConnectError::connect("poll before start"));
        };
        if self.ready.is_empty() {
            let left = running.messages_max.saturating_sub(running.count);
            let most = usize::try_from(left).unwrap_or(0).min(BATCH);
            if most == 0 {
                return std::future::pending().await;
            }
            let sent = u64::try_from(running.count).unwrap_or(0);
            for _ in 0..running.throttle.due(sent, most).await {
                let (task, seqno) = (running.id, running.seqno);
                self.ready.push(running.next_record()?);
                let line = format!("{{\"task\": {task}, \"seqno\": {seqno}}}");
                self.lines.push(line.as_bytes());
            }
        }
        self.lines.flush().await;
        Ok(SourceBatch::Records(std::mem::take(&mut self.ready)))
    }

    async fn stop(&mut self) {
        self.lines.flush().await;
    }
}

impl Running {
    fn next_record(&mut self) -> Result<SourceRecord, ConnectError> {
        let Some(partitioning) = self.seqno.checked_rem(i64::from(self.partition_count)) else {
            return Err(
                ConnectError::connect("/ by zero").with_class("java.lang.ArithmeticException")
            );
        };
        let second = self.multiple_schema && self.count % 2 != 0;
        let mut values = vec![
            Value::Boolean(true),
            Value::Int32(12),
            Value::Int64(12),
            Value::Float32(12.2),
            Value::Float64(12.2),
            Value::Int32(i32::try_from(partitioning).unwrap_or_default()),
        ];
        if second {
            values.push(Value::String("def".to_owned()));
        }
        values.extend([Value::Int32(self.id), Value::Int64(self.seqno)]);
        let schema = SchemaRef::clone(&self.schemas[usize::from(second)]);
        let inner = Struct {
            schema: SchemaRef::clone(&schema),
            values,
        };
        let record = SourceRecord {
            record: ConnectRecord {
                topic: Rc::clone(&self.topic),
                kafka_partition: Some(self.id),
                key: SchemaAndValue::new(
                    Schema::required(SchemaType::String),
                    Value::String("key".to_owned()),
                ),
                value: SchemaAndValue::new(schema, Value::Struct(Box::new(inner))),
                timestamp: None,
                headers: Vec::new(),
            },
            source_partition: Some(Rc::clone(&self.partition)),
            source_offset: Some(map_of("seqno", self.seqno)),
        };
        self.seqno += 1;
        self.count += 1;
        Ok(record)
    }
}

/// The first schema, or the second with one field more.
fn schema(second: bool) -> Result<SchemaRef, ConnectError> {
    let mut builder = SchemaBuilder::structure()
        .version(if second { 2 } else { 1 })
        .name("record");
    for (name, kind) in [
        ("boolean", SchemaType::Boolean),
        ("int", SchemaType::Int32),
        ("long", SchemaType::Int64),
        ("float", SchemaType::Float32),
        ("double", SchemaType::Float64),
        ("partitioning", SchemaType::Int32),
    ] {
        builder = builder.field(name, Schema::required(kind))?;
    }
    if second {
        let text = SchemaBuilder::new(SchemaType::String);
        let text = text.default_value(Value::String("abc".to_owned()))?;
        builder = builder.field("string", text.build())?;
    }
    let builder = builder.field("id", Schema::required(SchemaType::Int32))?;
    let builder = builder.field("seqno", Schema::required(SchemaType::Int64))?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::connectors::{on_each_runtime, stored_seqno};
    use crate::shard::timeout;

    fn config(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect()
    }

    const SETTINGS: &[(&str, &str)] = &[
        ("id", "2"),
        ("topic", "t"),
        ("num.messages", "4"),
        ("throughput", "-1"),
        ("multiple.schema", "true"),
        ("partition.count", "3"),
    ];

    #[test]
    fn records_and_lines_are_those_of_apaches_task_and_end_with_num_messages() {
        on_each_runtime(|| async {
            let (lines, captured) = StdoutLines::captured();
            let mut task = SchemaSourceTask {
                lines,
                ..SchemaSourceTask::default()
            };
            let context = stored_seqno(Some(9));
            task.start(context, &config(SETTINGS)).await.unwrap();
            let SourceBatch::Records(records) = task.poll().await.unwrap() else {
                panic!("not records")
            };
            assert_eq!(records.len(), 4);
            for (index, record) in (10i64..).zip(&records) {
                assert_eq!(record.source_offset, Some(map_of("seqno", index)));
                assert_eq!(record.source_partition, Some(map_of("id", 2)));
                assert_eq!(record.record.kafka_partition, Some(2));
                let Value::Struct(value) = &record.record.value.value else {
                    panic!("not a struct")
                };
                value.validate().unwrap();
                assert_eq!(value.get("seqno").unwrap(), &Value::Int64(index));
                let partitioning = i32::try_from(index % 3).unwrap();
                assert_eq!(
                    value.get("partitioning").unwrap(),
                    &Value::Int32(partitioning)
                );
                let version = if index % 2 == 0 { 1 } else { 2 };
                assert_eq!(value.schema.version(), Some(version));
                assert_eq!(value.get("string").is_ok(), version == 2);
            }
            let printed = String::from_utf8(captured.lock().unwrap().clone()).unwrap();
            let expected = "{\"task\": 2, \"seqno\": 10}\n{\"task\": 2, \"seqno\": 11}\n";
            assert!(printed.starts_with(expected), "{printed}");
            assert_eq!(printed.lines().count(), 4);
            let more = timeout(Duration::from_millis(10), task.poll()).await;
            assert!(more.is_err());
        });
    }

    #[test]
    fn a_setting_that_is_no_number_fails_the_task_with_apaches_text() {
        on_each_runtime(|| async {
            let mut wrong = config(SETTINGS);
            wrong.insert("num.messages".to_owned(), Some("many".to_owned()));
            let mut task = SchemaSourceTask::default();
            let error = task.start(stored_seqno(None), &wrong).await.unwrap_err();
            assert_eq!(error.message(), "Invalid SchemaSourceTask configuration");
            assert!(error.trace().contains("many"));
        });
    }
}
