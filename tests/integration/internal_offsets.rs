//! Source offsets in Kafka, as tasks and offset requests use them: across workers, over two topics, with tasks
//! that were given up, and together with Apache's own distributed worker.

use std::time::Duration;

use ringmain::api::{ConfigMap, SourceMap};
use ringmain::shard::{self, RuntimeKind};
use ringmain::storage::{ConnectorOffsetStore, WriteGate};
use serde_json::{Value, json};

use super::common::{
    ClusterOptions, KafkaCluster, PATIENCE, Properties, heavy, http, kafka, pipeline, scratch_dir,
    wait_until,
};
use super::internal_logs::{ApacheWorker, Worker, settings};

fn map(value: &Value) -> SourceMap {
    value.as_object().unwrap().clone().into_iter().collect()
}

fn on_shard<T: 'static>(future: impl Future<Output = T> + 'static) -> T {
    shard::run(RuntimeKind::Epoll, None, future).unwrap()
}

/// A connector's offsets as a task has them.
struct Task {
    store: ConnectorOffsetStore,
    gate: WriteGate,
}

impl Task {
    fn new(worker: &Worker, connector: &str, config: &[(&str, &str)]) -> Self {
        let entries = config
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
        let config: ConfigMap = entries.collect();
        let gate = WriteGate::default();
        let offsets = worker.cluster.offsets();
        let store = offsets.connector(connector, &config, gate.clone()).unwrap();
        Self { store, gate }
    }

    fn put(&self, partition: &Value, offset: &Value) {
        let offset = (!offset.is_null()).then(|| map(offset));
        self.store
            .put([(&map(partition), offset.as_ref())])
            .unwrap();
    }

    fn flush(&self) -> Result<(), String> {
        let store = self.store.clone();
        let flushed = on_shard(async move { shard::timeout(PATIENCE, store.flush()).await });
        flushed.unwrap().map_err(|error| error.to_string())
    }

    fn get(&self, partition: &Value) -> Option<Value> {
        let (store, partition) = (self.store.clone(), map(partition));
        let found = on_shard(async move { store.get(&partition).await }).unwrap();
        found.map(|offset| json!(offset))
    }

    fn partitions(&self) -> Vec<(Value, Value)> {
        let store = self.store.clone();
        let found = on_shard(async move { store.partitions().await }).unwrap();
        let mut found: Vec<_> = found
            .iter()
            .map(|(partition, offset)| (json!(partition), json!(offset)))
            .collect();
        found.sort_by_key(|(partition, _)| partition.to_string());
        found
    }
}

#[test]
fn what_a_task_has_flushed_is_read_by_its_successor_on_another_worker() {
    let Some(kafka) = kafka() else { return };
    let settings = settings(&kafka.shared_cluster().bootstrap(), "offsets-two");
    let (first, second) = (Worker::start(&settings), Worker::start(&settings));
    for round in 0..20 {
        let writer = Task::new(&first, "c", &[]);
        writer.put(&json!({"p": 1}), &json!({"o": round}));
        writer.put(&json!({"b": 1, "a": 2}), &json!({"o": -round}));
        writer.flush().unwrap();
        // A new task: nothing of what it knew before counts.
        let reader = Task::new(&second, "c", &[]);
        assert_eq!(reader.get(&json!({"p": 1})), Some(json!({"o": round})));
        assert_eq!(
            reader.get(&json!({"a": 2, "b": 1})),
            Some(json!({"o": -round}))
        );
    }
    let request = Task::new(&second, "c", &[]);
    assert_eq!(request.partitions().len(), 2);
    request.put(&json!({"p": 1}), &Value::Null);
    request.flush().unwrap();
    let left = Task::new(&first, "c", &[]).partitions();
    assert_eq!(left, [(json!({"a": 2, "b": 1}), json!({"o": -19}))]);
    assert!(Task::new(&first, "other", &[]).partitions().is_empty());
    first.stop();
    second.stop();
}

#[test]
fn a_connector_s_own_topic_is_created_written_beside_the_worker_s_and_wins() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let settings = settings(&cluster.bootstrap(), "offsets-own");
    let worker = Worker::start(&settings);
    let global = Task::new(&worker, "c", &[]);
    global.put(&json!({"p": 1}), &json!({"from": "worker"}));
    global.put(&json!({"p": 2}), &json!({"from": "worker"}));
    global.flush().unwrap();
    let own = [("offsets.storage.topic", "offsets-own-c")];
    let task = Task::new(&worker, "c", &own);
    assert_eq!(task.get(&json!({"p": 1})), Some(json!({"from": "worker"})));
    task.put(&json!({"p": 2}), &json!({"from": "own"}));
    task.flush().unwrap();
    assert_eq!(
        cluster.client().topics()["offsets-own-c"],
        3,
        "as the worker's"
    );
    let fresh = || Task::new(&worker, "c", &own);
    assert_eq!(
        fresh().partitions(),
        [
            (json!({"p": 1}), json!({"from": "worker"})),
            (json!({"p": 2}), json!({"from": "own"})),
        ]
    );
    wait_until("the worker's topic to have it, too", PATIENCE, || {
        let offset = Task::new(&worker, "c", &[]).get(&json!({"p": 2}));
        offset == Some(json!({"from": "own"}))
    });
    // What is removed shows through from nowhere.
    task.put(&json!({"p": 1}), &Value::Null);
    task.flush().unwrap();
    assert_eq!(fresh().get(&json!({"p": 1})), None);
    // The worker's topic by its name is no topic of its own.
    let same = [("offsets.storage.topic", "offsets-own-offsets")];
    let same = Task::new(&worker, "c", &same);
    assert_eq!(same.get(&json!({"p": 2})), Some(json!({"from": "own"})));
    drop(task);
    // Its log was closed; the next task reads the topic anew.
    assert_eq!(fresh().get(&json!({"p": 2})), Some(json!({"from": "own"})));
    worker.stop();
}

#[test]
fn an_own_topic_that_is_not_compacted_fails_reads_and_writes_with_the_reason() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    cluster.client().create_topic("offsets-deleted-c", 1);
    let worker = Worker::start(&settings(&cluster.bootstrap(), "offsets-deleted"));
    let own = [("offsets.storage.topic", "offsets-deleted-c")];
    let task = Task::new(&worker, "c", &own);
    task.put(&json!({"p": 1}), &json!({"o": 1}));
    let error = task.flush().unwrap_err();
    assert!(error.contains("'cleanup.policy=delete'"), "{error}");
    let store = task.store.clone();
    let error = on_shard(async move { store.get(&SourceMap::new()).await }).unwrap_err();
    assert!(
        error.to_string().contains("'cleanup.policy=delete'"),
        "{error}"
    );
    worker.stop();
}

#[test]
fn a_task_that_was_given_up_writes_nothing_though_brokers_come_back() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let cluster = KafkaCluster::start(kafka, &ClusterOptions::default());
    // A small buffer, so that what is appended waits outside of the producer.
    let settings = settings(&cluster.bootstrap(), "offsets-zombie")
        .set("buffer.memory", "200000")
        .set("max.block.ms", "600000");
    let worker = Worker::start(&settings);
    let zombie = Task::new(&worker, "c", &[]);
    zombie.put(&json!({"p": 1}), &json!({"o": "before"}));
    zombie.flush().unwrap();
    cluster.kill(0);
    let filler = Task::new(&worker, "filler", &[]);
    let large = "x".repeat(150_000);
    for partition in 0..3 {
        filler.put(&json!({"p": partition}), &json!({"o": large}));
    }
    let (fills, writes) = (filler.store.clone(), zombie.store.clone());
    let filling = std::thread::spawn(move || on_shard(async move { fills.flush().await }));
    std::thread::sleep(Duration::from_secs(1));
    zombie.put(&json!({"p": 1}), &json!({"o": "after"}));
    let writing = std::thread::spawn(move || on_shard(async move { writes.flush().await }));
    std::thread::sleep(Duration::from_secs(1));
    zombie.gate.close();
    cluster.launch(0);
    cluster.wait_until_serving(0);
    filling.join().unwrap().unwrap();
    let error = writing.join().unwrap().unwrap_err();
    assert!(error.to_string().contains("given up"), "{error}");
    let successor = Task::new(&worker, "c", &[]);
    assert_eq!(
        successor.get(&json!({"p": 1})),
        Some(json!({"o": "before"}))
    );
    worker.stop();
}

#[test]
fn a_flush_that_takes_too_long_keeps_its_offsets_for_the_next_one() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let cluster = KafkaCluster::start(kafka, &ClusterOptions::default());
    let worker = Worker::start(&settings(&cluster.bootstrap(), "offsets-late"));
    let task = Task::new(&worker, "c", &[]);
    task.put(&json!({"p": 1}), &json!({"o": 1}));
    task.flush().unwrap();
    cluster.kill(0);
    task.put(&json!({"p": 1}), &json!({"o": 2}));
    let store = task.store.clone();
    let late = on_shard(async move {
        let limit = Duration::from_secs(1);
        shard::timeout(limit, store.flush()).await.is_err()
    });
    assert!(late);
    cluster.launch(0);
    cluster.wait_until_serving(0);
    task.flush().unwrap();
    let successor = Task::new(&worker, "c", &[]);
    assert_eq!(successor.get(&json!({"p": 1})), Some(json!({"o": 2})));
    worker.stop();
}

#[test]
fn offsets_of_apache_s_worker_are_read_and_ours_are_read_by_it() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let settings = settings(&kafka.shared_cluster().bootstrap(), "offsets-apache")
        .set("offset.flush.interval.ms", "500");
    let ours = Worker::start(&settings);
    let apache = ApacheWorker::start(kafka, &settings);
    let dir = scratch_dir("offsets-apache");
    let file = dir.path().join("lines.txt");
    std::fs::write(&file, "one\ntwo\n").unwrap();
    let source: Properties = pipeline::file_source("lines", &file, "offsets-apache-lines");
    let config: serde_json::Map<String, Value> = source
        .iter()
        .map(|(key, value)| (key.to_owned(), value.into()))
        .collect();
    let url = |path: &str| apache.url(&format!("/connectors/lines{path}"));
    wait_until("Apache's worker to take a connector", PATIENCE, || {
        // 409 while it rebalances.
        http::request("PUT", &url("/config"), Some(&Value::Object(config.clone()))).status == 201
    });
    let partition = json!({"filename": file.to_str().unwrap()});
    wait_until("its offset to be read by ours", PATIENCE, || {
        let offset = Task::new(&ours, "lines", &[]).get(&partition);
        offset == Some(json!({"position": 8}))
    });
    http::request("PUT", &url("/stop"), None);
    wait_until("the connector to stop", PATIENCE, || {
        let status = http::get(&url("/status")).json();
        status["connector"]["state"] == "STOPPED" && status["tasks"] == json!([])
    });
    let task = Task::new(&ours, "lines", &[]);
    task.put(&partition, &json!({"position": 4}));
    task.flush().unwrap();
    let read = http::get(&url("/offsets")).json();
    let expected = json!({"offsets": [{"partition": partition, "offset": {"position": 4}}]});
    assert_eq!(read, expected);
    http::request("DELETE", &url("/offsets"), None);
    assert_eq!(Task::new(&ours, "lines", &[]).get(&partition), None);
    ours.stop();
}
