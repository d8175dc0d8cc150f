//! The sink's task.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::INVALID;
use super::json::{Line, value as json_of};
use crate::api::{
    ConfigMap, ConnectError, SinkBatch, SinkForm, SinkTask, SinkTaskContext, SliceColumn,
    SliceForm, TopicPartition, Value,
};
use crate::connectors::now_ms;
use crate::connectors::numbered::Settings;
use crate::connectors::stdout::StdoutLines;

/// Kafka: `VerifiableSinkTask`. Keeps what it printed until the next flush, as Kafka's does.
#[derive(Debug, Default)]
pub struct VerifiableSinkTask {
    name: Option<String>,
    id: i32,
    unflushed: BTreeMap<TopicPartition, Vec<Received>>,
    lines: StdoutLines,
}

/// A record's JSON, or what is printed when it has none.
#[derive(Debug)]
struct Received {
    task_and_seqno: Result<(String, String), String>,
    offset: i64,
}

#[async_trait(?Send)]
impl SinkTask for VerifiableSinkTask {
    async fn start(
        &mut self,
        _context: SinkTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let settings = Settings {
            config,
            failure: INVALID,
        };
        self.name = settings.text("name").map(str::to_owned);
        self.id = settings.number("id")?;
        Ok(())
    }

    fn form(&self) -> SinkForm {
        SinkForm::Values
    }

    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError> {
        let now = now_ms();
        for batch in batches {
            for (index, offset) in batch.offsets.iter().enumerate() {
                let received = Received::new(batch, index, *offset);
                let topic = routed_topic(batch, index);
                self.print(&received, topic, now, false);
                let key = TopicPartition::new(topic, batch.source.partition);
                self.unflushed.entry(key).or_default().push(received);
            }
        }
        self.lines.flush().await;
        Ok(())
    }

    async fn flush(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), ConnectError> {
        let now = now_ms();
        for (partition, _) in offsets {
            for received in self.unflushed.remove(partition).unwrap_or_default() {
                self.print(&received, &partition.topic, now, true);
            }
        }
        self.lines.flush().await;
        Ok(())
    }
}

/// The topic after transforms.
fn routed_topic(batch: &SinkBatch, index: usize) -> &str {
    let routed = batch.routed.as_ref().and_then(|routed| routed.get(index));
    routed.map_or(&batch.source.topic, |(topic, _)| topic)
}

impl Received {
    fn new(batch: &SinkBatch, index: usize, offset: i64) -> Self {
        let json = |column: &SliceColumn, member: &str| match column {
            SliceColumn::Values(values) => values
                .get(index)
                .map_or(Ok("null".to_owned()), |value| json_of(&value.value, member)),
            SliceColumn::Slices {
                form,
                buffer,
                spans,
            } => {
                let bytes = spans.get(index).and_then(|span| span.of(buffer));
                json_of(&slice_value(*form, bytes), member)
            }
            SliceColumn::Omitted => Ok("null".to_owned()),
        };
        let task = json(&batch.keys, "task");
        let task_and_seqno =
            task.and_then(|task| json(&batch.values, "seqno").map(|seqno| (task, seqno)));
        Self {
            task_and_seqno,
            offset,
        }
    }
}

fn slice_value(form: SliceForm, bytes: Option<&[u8]>) -> Value {
    match (form, bytes) {
        (_, None) => Value::Null,
        (SliceForm::Text, Some(bytes)) => Value::String(String::from_utf8_lossy(bytes).into()),
        (SliceForm::Bytes, Some(bytes)) => Value::Bytes(bytes.to_vec().into()),
    }
}

impl VerifiableSinkTask {
    fn print(&mut self, received: &Received, topic: &str, now: i64, flushed: bool) {
        let line = match &received.task_and_seqno {
            Err(bad) => bad.clone().into_bytes(),
            Ok((task, seqno)) => {
                let line = Line::new()
                    .raw("task", task)
                    .raw("seqno", seqno)
                    .raw("offset", received.offset)
                    .raw("time_ms", now)
                    .text("name", self.name.as_deref())
                    .text("topic", Some(topic))
                    .raw("sinkTask", self.id);
                if flushed {
                    line.raw("flushed", true).end()
                } else {
                    line.end()
                }
            }
        };
        self.lines.push(&line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SchemaAndValue;
    use crate::connectors::on_each_runtime;

    #[test]
    fn lines_are_those_of_apaches_task_and_come_again_once_with_the_flush() {
        on_each_runtime(|| async {
            let (lines, captured) = StdoutLines::captured();
            let mut task = VerifiableSinkTask {
                lines,
                ..VerifiableSinkTask::default()
            };
            let config = ConfigMap::from_iter([
                ("name".to_owned(), Some("verifiable-sink".to_owned())),
                ("id".to_owned(), Some("3".to_owned())),
            ]);
            task.start(SinkTaskContext::default(), &config)
                .await
                .unwrap();
            let schemaless = |value| SchemaAndValue {
                schema: None,
                value,
            };
            let partition = TopicPartition::new("t", 0);
            let batch = SinkBatch {
                source: partition.clone(),
                offsets: vec![12],
                timestamps: vec![-1],
                log_append_time: false,
                keys: SliceColumn::Values(vec![schemaless(Value::Int64(5))]),
                values: SliceColumn::Values(vec![schemaless(Value::Int64(7))]),
                headers: Vec::new(),
                routed: None,
                next_offset: 13,
                originals: None,
            };
            task.put(&[batch]).await.unwrap();
            let offsets = [(partition, 13)];
            task.flush(&offsets).await.unwrap();
            task.flush(&offsets).await.unwrap();
            let printed = String::from_utf8(captured.lock().unwrap().clone()).unwrap();
            let lines: Vec<&str> = printed.lines().collect();
            assert_eq!(lines.len(), 2);
            let start = r#"{"task":5,"seqno":7,"offset":12,"time_ms":"#;
            let end = r#","name":"verifiable-sink","topic":"t","sinkTask":3"#;
            assert!(lines[0].starts_with(start) && lines[0].ends_with(&format!("{end}}}")));
            assert!(lines[1].starts_with(start));
            assert!(lines[1].ends_with(&format!(r#"{end},"flushed":true}}"#)));
        });
    }
}
