use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use super::*;
use crate::api::connector::OffsetReader;
use crate::api::{LocalFuture, SourceBatch, SourceMap, SourceTask, SourceTaskContext};
use crate::connectors::on_each_runtime;
use crate::shard::timeout;

struct Stored(Option<i64>);

impl OffsetReader for Stored {
    fn offset<'a>(
        &'a self,
        _partition: &'a SourceMap,
    ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>> {
        let map = |next: i64| SourceMap::from_iter([("sequence".to_owned(), next.into())]);
        Box::pin(async move { Ok(self.0.map(map)) })
    }
}

fn config(more: &[(&str, &str)]) -> ConfigMap {
    let pairs = [("topic", "t")].into_iter().chain(more.iter().copied());
    pairs
        .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
        .collect()
}

async fn start(config: &ConfigMap, stored: Option<i64>) -> DatagenTask {
    let context = SourceTaskContext {
        connector: "c".into(),
        task: 0,
        offsets: Rc::new(Stored(stored)),
        preview: false,
    };
    let mut task = DatagenTask::default();
    task.start(context, config).await.unwrap();
    task
}

/// Key, value and position of each record.
type Record = (Option<String>, String, i64);

async fn all(task: &mut DatagenTask) -> Vec<Record> {
    let mut records = Vec::new();
    while let Ok(batch) = timeout(Duration::from_millis(200), task.poll()).await {
        let SourceBatch::Slices(batch) = batch.unwrap() else {
            panic!("not slices")
        };
        let text = |span: crate::api::Span| {
            let bytes = span.of(&batch.buffer)?.to_vec();
            Some(String::from_utf8(bytes).unwrap())
        };
        for (index, value) in batch.values.iter().enumerate() {
            let key = batch.keys.as_ref().and_then(|keys| text(keys[index]));
            let position = batch.base_position + i64::from(batch.positions[index]);
            records.push((key, text(*value).unwrap(), position));
        }
    }
    records
}

#[test]
fn text_records_have_their_number_and_size_and_a_restart_makes_the_same_ones() {
    on_each_runtime(|| async {
        let config = config(&[("records", "5000"), ("record.size", "93")]);
        let records = all(&mut start(&config, None).await).await;
        assert_eq!(records.len(), 5000);
        for (index, (key, value, position)) in records.iter().enumerate() {
            assert_eq!((key, value.len()), (&None, 93));
            assert!(value.starts_with(&format!("{index} ")));
            assert_eq!(usize::try_from(*position).unwrap(), index + 1);
        }
        let resumed = all(&mut start(&config, Some(records[1233].2)).await).await;
        assert!(resumed == records[1234..]);
    });
}

#[test]
fn json_records_are_json_of_the_size_and_keys_are_as_asked_for() {
    on_each_runtime(|| async {
        let options = [
            ("records", "300"),
            ("record.size", "200"),
            ("format", "json"),
            ("key", "sequence"),
        ];
        for (index, (key, value, _)) in all(&mut start(&config(&options), None).await)
            .await
            .iter()
            .enumerate()
        {
            assert_eq!(value.len(), 200);
            let json: serde_json::Value = serde_json::from_str(value).unwrap();
            assert_eq!(json["sequence"], index);
            assert_eq!(key.as_deref(), Some(index.to_string().as_str()));
        }
        let options = [("records", "300"), ("key", "random"), ("key.count", "7")];
        let records = all(&mut start(&config(&options), None).await).await;
        let keys: BTreeSet<_> = records
            .iter()
            .map(|(key, ..)| key.clone().unwrap())
            .collect();
        assert_eq!(keys, (0..7).map(|key: i32| key.to_string()).collect());
    });
}

#[test]
fn values_are_never_shorter_than_their_number() {
    on_each_runtime(|| async {
        let options = [("records", "101"), ("record.size", "1")];
        let records = all(&mut start(&config(&options), None).await).await;
        assert_eq!(records[100].1, "100");
        let options = [("records", "1"), ("record.size", "1"), ("format", "json")];
        let records = all(&mut start(&config(&options), None).await).await;
        assert_eq!(records[0].1, r#"{"sequence":0,"payload":""}"#);
    });
}

#[test]
fn tasks_share_the_work_without_overlap() {
    on_each_runtime(|| async {
        let mut connector = Datagen::default();
        let config = config(&[("records", "1000")]);
        connector
            .start(ConnectorContext::default(), &config)
            .await
            .unwrap();
        let mut numbers = Vec::new();
        for config in connector.task_configs(3).await.unwrap() {
            for (_, value, _) in all(&mut start(&config, None).await).await {
                numbers.push(value.split(' ').next().unwrap().parse::<usize>().unwrap());
            }
        }
        numbers.sort_unstable();
        assert!(numbers == (0..1000).collect::<Vec<_>>());
    });
}

#[test]
fn wrong_settings_are_named() {
    let wrong = config(&[("format", "xml"), ("record.size", "0")]);
    let error = parse(&config_def(), &wrong).unwrap_err();
    assert!(error.message().contains("format") && error.message().contains("record.size"));
}
