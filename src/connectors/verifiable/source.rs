//! The source's task.

use std::rc::Rc;

use async_trait::async_trait;

use super::INVALID;
use super::json::{Line, value as json_of};
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, ConnectRecord, Schema, SchemaAndValue, SchemaBuilder, SchemaType,
    SourceBatch, SourceMap, SourceRecord, SourceTask, SourceTaskContext, Struct, TopicPartition,
    Value,
};
use crate::connectors::now_ms;
use crate::connectors::numbered::{Settings, map_of, next_seqno};
use crate::connectors::stdout::StdoutLines;
use crate::connectors::throttle::Throttle;

/// Records per poll: Kafka's task yields one.
const BATCH: usize = 100;

/// Kafka: `VerifiableSourceTask`.
#[derive(Debug, Default)]
pub struct VerifiableSourceTask {
    running: Option<Running>,
    pub(super) lines: StdoutLines,
    /// Made, and printed before they are handed over.
    ready: Vec<SourceRecord>,
}

#[derive(Debug)]
struct Running {
    name: Option<String>,
    id: i32,
    topic: Rc<str>,
    partition: Rc<SourceMap>,
    key_schema: SchemaRef,
    value_schema: SchemaRef,
    complete: bool,
    throttle: Throttle,
    seqno: i64,
    sent: u64,
    /// Nothing is printed for a preview, whose output is its own.
    prints: bool,
}

#[async_trait(?Send)]
impl SourceTask for VerifiableSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let settings = Settings {
            config,
            failure: INVALID,
        };
        let id: i32 = settings.number("id")?;
        let throughput: i64 = settings.number("throughput")?;
        let partition = map_of("id", i64::from(id));
        let seqno = next_seqno(&*context.offsets, &partition).await?;
        let complete = settings.is_true("complete.record.data");
        self.running = Some(Running {
            name: settings.text("name").map(str::to_owned),
            id,
            topic: settings.required("topic")?.into(),
            partition,
            key_schema: Schema::required(SchemaType::Int32),
            value_schema: if complete {
                complete_schema()?
            } else {
                Schema::required(SchemaType::Int64)
            },
            complete,
            #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
            throttle: Throttle::new(throughput as f64),
            seqno,
            sent: 0,
            prints: !context.preview,
        });
        let (connector, topic) = (&context.connector, settings.text("topic"));
        tracing::info!(%connector, task = id, topic, seqno, "started VerifiableSourceTask");
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        let Some(running) = &mut self.running else {
            return Err(ConnectError::connect("poll before start"));
        };
        // Lines of acknowledgements must not wait for the next record.
        self.lines.flush().await;
        if self.ready.is_empty() {
            for _ in 0..running.throttle.due(running.sent, BATCH).await {
                let now = now_ms();
                if running.prints {
                    self.lines.push(&running.sent_line(now));
                }
                self.ready.push(running.next_record(now));
            }
        }
        self.lines.flush().await;
        Ok(SourceBatch::Records(std::mem::take(&mut self.ready)))
    }

    fn wants_commit_record(&self) -> bool {
        true
    }

    fn commit_record(
        &mut self,
        record: &SourceRecord,
        _written: Option<(&TopicPartition, i64)>,
    ) -> Result<(), ConnectError> {
        let Some(running) = &self.running else {
            return Ok(());
        };
        let line = match json_of(&record.record.value.value, "seqno") {
            Ok(seqno) => Line::new()
                .raw("committed", true)
                .raw("task", running.id)
                .raw("seqno", seqno)
                .raw("time_ms", now_ms())
                .text("name", running.name.as_deref())
                .text("topic", Some(&running.topic))
                .end(),
            Err(bad) => bad.into_bytes(),
        };
        self.lines.push(&line);
        Ok(())
    }

    async fn stop(&mut self) {
        self.lines.flush().await;
    }
}

impl Running {
    fn sent_line(&self, now: i64) -> Vec<u8> {
        Line::new()
            .raw("task", self.id)
            .raw("seqno", self.seqno)
            .raw("time_ms", now)
            .text("name", self.name.as_deref())
            .text("topic", Some(&self.topic))
            .end()
    }

    fn next_record(&mut self, now: i64) -> SourceRecord {
        let value = if self.complete {
            let name = self.name.clone().map_or(Value::Null, Value::String);
            Value::Struct(Box::new(Struct {
                schema: SchemaRef::clone(&self.value_schema),
                values: vec![
                    name,
                    Value::Int32(self.id),
                    Value::String(self.topic.as_ref().to_owned()),
                    Value::Int64(now),
                    Value::Int64(self.seqno),
                ],
            }))
        } else {
            Value::Int64(self.seqno)
        };
        let record = SourceRecord {
            record: ConnectRecord {
                topic: Rc::clone(&self.topic),
                kafka_partition: None,
                key: SchemaAndValue::new(SchemaRef::clone(&self.key_schema), Value::Int32(self.id)),
                value: SchemaAndValue::new(SchemaRef::clone(&self.value_schema), value),
                timestamp: None,
                headers: Vec::new(),
            },
            source_partition: Some(Rc::clone(&self.partition)),
            source_offset: Some(map_of("seqno", self.seqno)),
        };
        self.seqno += 1;
        self.sent += 1;
        record
    }
}

fn complete_schema() -> Result<SchemaRef, ConnectError> {
    let mut builder = SchemaBuilder::structure();
    for (name, kind) in [
        ("name", SchemaType::String),
        ("task", SchemaType::Int32),
        ("topic", SchemaType::String),
        ("time_ms", SchemaType::Int64),
        ("seqno", SchemaType::Int64),
    ] {
        builder = builder.field(name, Schema::required(kind))?;
    }
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::{on_each_runtime, stored_seqno};

    fn config(more: &[(&str, &str)]) -> ConfigMap {
        [
            ("name", "verifiable-source"),
            ("id", "0"),
            ("topic", "verifiable"),
            ("throughput", "1000"),
        ]
        .iter()
        .chain(more)
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect()
    }

    /// A line with its time replaced.
    fn timeless(line: &str) -> String {
        let at = line.find("\"time_ms\":").unwrap() + "\"time_ms\":".len();
        let end = at + line[at..].find(',').unwrap();
        format!("{}T{}", &line[..at], &line[end..])
    }

    #[test]
    fn lines_are_those_of_apaches_task() {
        on_each_runtime(|| async {
            let (lines, captured) = StdoutLines::captured();
            let mut task = VerifiableSourceTask {
                lines,
                ..VerifiableSourceTask::default()
            };
            task.start(stored_seqno(None), &config(&[])).await.unwrap();
            assert!(task.wants_commit_record());
            let SourceBatch::Records(records) = task.poll().await.unwrap() else {
                panic!("not records")
            };
            assert_eq!(records[0].record.value.value, Value::Int64(0));
            assert_eq!(records[0].record.key.value, Value::Int32(0));
            assert_eq!(records[0].source_partition, Some(map_of("id", 0)));
            assert_eq!(records[0].source_offset, Some(map_of("seqno", 0)));
            let sent = String::from_utf8(std::mem::take(&mut *captured.lock().unwrap())).unwrap();
            task.commit_record(&records[0], None).unwrap();
            task.stop().await;
            let acknowledged = String::from_utf8(captured.lock().unwrap().clone()).unwrap();
            assert_eq!(sent.lines().count(), records.len());
            assert_eq!(
                timeless(sent.lines().next().unwrap()),
                r#"{"task":0,"seqno":0,"time_ms":T,"name":"verifiable-source","topic":"verifiable"}"#
            );
            assert_eq!(
                timeless(acknowledged.trim_end()),
                r#"{"committed":true,"task":0,"seqno":0,"time_ms":T,"name":"verifiable-source","topic":"verifiable"}"#
            );
        });
    }

    #[test]
    fn complete_records_are_structs_and_numbers_go_on_after_the_stored_one() {
        on_each_runtime(|| async {
            let (lines, captured) = StdoutLines::captured();
            let mut task = VerifiableSourceTask {
                lines,
                ..VerifiableSourceTask::default()
            };
            let config = config(&[("complete.record.data", "TRUE")]);
            task.start(stored_seqno(Some(41)), &config).await.unwrap();
            let SourceBatch::Records(records) = task.poll().await.unwrap() else {
                panic!("not records")
            };
            let Value::Struct(value) = &records[0].record.value.value else {
                panic!("not a struct")
            };
            value.validate().unwrap();
            assert_eq!(value.get("seqno").unwrap(), &Value::Int64(42));
            captured.lock().unwrap().clear();
            task.commit_record(&records[0], None).unwrap();
            task.stop().await;
            let line = String::from_utf8(captured.lock().unwrap().clone()).unwrap();
            assert!(line.starts_with(
                "Bad data can't be written as json: No serializer found for class \
                 org.apache.kafka.connect.data.Struct"
            ));
            assert!(line.ends_with("(through reference chain: java.util.HashMap[\"seqno\"])\n"));
        });
    }

    #[test]
    fn a_missing_number_fails_the_task() {
        on_each_runtime(|| async {
            let mut config = config(&[]);
            config.shift_remove("throughput");
            let mut task = VerifiableSourceTask::default();
            let error = task.start(stored_seqno(None), &config).await.unwrap_err();
            assert_eq!(error.message(), INVALID);
        });
    }
}
