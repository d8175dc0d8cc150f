//! The worker's internal topics on real brokers: created, refused, written and read, through brokers'
//! restarts, compaction and deletion, and together with Apache's own distributed worker.
//!
//! The library's `cluster` is driven as the herder drives it: commands in, events out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, bounded};
use ringmain::cluster::topic_log::LogRecord;
use ringmain::cluster::{Cluster, ClusterEvent, ClusterHandle, ClusterSettings, Outcome};
use ringmain::distributed::TopicRecord;
use serde_json::json;

use super::common::{
    ClusterOptions, Kafka, KafkaCluster, PATIENCE, Process, Properties, free_port, heavy, http,
    kafka, scratch_dir, wait_until,
};

const LIMIT: Duration = Duration::from_secs(30);
/// Events that wait: few, so that the thread meets a sink without room.
const ROOM: usize = 2;

/// A worker's side of its internal topics.
pub(super) struct Worker {
    pub(super) cluster: Cluster,
    handle: ClusterHandle,
    events: Receiver<ClusterEvent>,
    configs: Vec<LogRecord>,
    statuses: Vec<LogRecord>,
    tokens: u64,
}

/// Settings of a worker whose topics begin with `name`.
pub(super) fn settings(bootstrap: &str, name: &str) -> Properties {
    Properties::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", name)
        .set(
            "key.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        )
        .set(
            "value.converter",
            "org.apache.kafka.connect.json.JsonConverter",
        )
        .set("config.storage.topic", format!("{name}-configs"))
        .set("offset.storage.topic", format!("{name}-offsets"))
        .set("status.storage.topic", format!("{name}-statuses"))
        .set("config.storage.replication.factor", "1")
        .set("offset.storage.replication.factor", "1")
        .set("status.storage.replication.factor", "1")
        .set("offset.storage.partitions", "3")
        .set("status.storage.partitions", "2")
}

impl Worker {
    fn launch(settings: &Properties) -> Self {
        let config = settings
            .iter()
            .map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
        let settings = ClusterSettings::from_worker(&config.collect()).unwrap();
        let (sender, events) = bounded(ROOM);
        let sink = move |event| {
            let refused = sender.try_send(event);
            refused.map_err(crossbeam::channel::TrySendError::into_inner)
        };
        let cluster = Cluster::start(settings, Arc::new(sink)).unwrap();
        Self {
            handle: cluster.handle(),
            cluster,
            events,
            configs: Vec::new(),
            statuses: Vec::new(),
            tokens: 0,
        }
    }

    /// A worker whose three topics were read to their ends.
    pub(super) fn start(settings: &Properties) -> Self {
        let mut worker = Self::launch(settings);
        let mut started = 0;
        while started < 3 {
            match worker.next() {
                ClusterEvent::ConfigStarted
                | ClusterEvent::StatusStarted
                | ClusterEvent::OffsetsStarted => started += 1,
                other => panic!("{other:?}"),
            }
        }
        worker
    }

    /// Why it does not start.
    fn refusal(settings: &Properties) -> String {
        let mut worker = Self::launch(settings);
        loop {
            if let ClusterEvent::Failed(text) = worker.next() {
                return text;
            }
        }
    }

    /// The next event that brings no records.
    fn next(&mut self) -> ClusterEvent {
        loop {
            match self.events.recv_timeout(PATIENCE).unwrap() {
                ClusterEvent::ConfigRecords(records) => self.configs.extend(records),
                ClusterEvent::StatusRecords(records) => self.statuses.extend(records),
                other => return other,
            }
        }
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    fn read_to_end(&mut self, limit: Duration) -> Outcome {
        let wanted = self.token();
        self.handle.read_config_to_end(wanted, limit).unwrap();
        match self.next() {
            ClusterEvent::ConfigReadToEnd { token, result } if token == wanted => result,
            other => panic!("{other:?}"),
        }
    }

    fn append(&mut self, records: Vec<TopicRecord>) -> Outcome {
        let wanted = self.token();
        self.handle.append_config(wanted, records, LIMIT).unwrap();
        match self.next() {
            ClusterEvent::ConfigAppended { token, result } if token == wanted => result,
            other => panic!("{other:?}"),
        }
    }

    fn append_status(&mut self, records: Vec<TopicRecord>) -> Outcome {
        let wanted = self.token();
        self.handle.append_status(wanted, records).unwrap();
        match self.next() {
            ClusterEvent::StatusAppended { token, result } if token == wanted => result,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn stop(mut self) {
        self.handle.stop(LIMIT).unwrap();
        let last = self.next();
        assert!(matches!(last, ClusterEvent::Stopped), "{last:?}");
        assert!(self.cluster.join(PATIENCE));
    }
}

fn record(key: &str, value: &str) -> TopicRecord {
    TopicRecord {
        key: key.as_bytes().to_vec(),
        value: Some(value.as_bytes().to_vec()),
    }
}

fn text(bytes: Option<&Vec<u8>>) -> String {
    let bytes = bytes.map(Vec::as_slice).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

/// Keys and values in the order of delivery.
fn pairs(records: &[LogRecord]) -> Vec<(String, String)> {
    let pair = |record: &LogRecord| (text(record.key.as_ref()), text(record.value.as_ref()));
    records.iter().map(pair).collect()
}

/// The last value of each key.
fn last(records: &[LogRecord]) -> BTreeMap<String, String> {
    pairs(records).into_iter().collect()
}

fn delete_topic(kafka: &Kafka, bootstrap: &str, topic: &str) {
    let mut tool = kafka.java(256, "WARN");
    tool.arg("org.apache.kafka.tools.TopicCommand")
        .args(["--bootstrap-server", bootstrap, "--delete"])
        .args(["--topic", topic]);
    let ended = tool.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{said}");
}

#[test]
fn internal_topics_are_created_compacted_written_and_read_by_a_later_worker() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let settings = settings(&cluster.bootstrap(), "logs-plain");
    let mut first = Worker::start(&settings);
    let topics = cluster.client().topics();
    let partitions = |kind: &str| topics[&format!("logs-plain-{kind}")];
    assert_eq!(
        (
            partitions("configs"),
            partitions("offsets"),
            partitions("statuses")
        ),
        (1, 3, 2)
    );
    let many: Vec<_> = (0..1500)
        .map(|number| record(&format!("k{number}"), "v"))
        .collect();
    first.append(many).unwrap();
    first.append(vec![record("last", "v")]).unwrap();
    first.append_status(vec![record("s", "1")]).unwrap();
    first.read_to_end(LIMIT).unwrap();
    let expected: Vec<_> = (0..1500)
        .map(|number| (format!("k{number}"), "v".to_owned()))
        .chain([("last".to_owned(), "v".to_owned())])
        .collect();
    assert_eq!(pairs(&first.configs), expected);
    first.stop();
    // What is there now is checked: it has to be compacted.
    let second = Worker::start(&settings);
    assert_eq!(pairs(&second.configs), expected);
    assert_eq!(pairs(&second.statuses), [("s".to_owned(), "1".to_owned())]);
    second.stop();
}

#[test]
fn topics_that_lose_records_or_order_stop_the_start_with_apache_s_text() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let bootstrap = cluster.bootstrap();
    cluster.client().create_topic("logs-deleting-statuses", 1);
    let refusal = Worker::refusal(&settings(&bootstrap, "logs-deleting"));
    assert!(
        refusal.contains("'logs-deleting-statuses' supplied via the 'status.storage.topic'")
            && refusal.contains("'cleanup.policy=delete'"),
        "{refusal}"
    );
    let compacted = ["cleanup.policy=compact"];
    kafka.create_topic(&bootstrap, "logs-split-configs", 2, 1, &compacted);
    let refusal = Worker::refusal(&settings(&bootstrap, "logs-split"));
    assert!(
        refusal.contains("required to have a single partition"),
        "{refusal}"
    );
}

#[test]
fn too_few_brokers_stop_the_start_when_the_time_is_over() {
    let Some(kafka) = kafka() else { return };
    let settings = settings(&kafka.shared_cluster().bootstrap(), "logs-replicas")
        .set("config.storage.replication.factor", "3")
        .set("default.api.timeout.ms", "2000")
        .set("request.timeout.ms", "1000");
    let began = Instant::now();
    let refusal = Worker::refusal(&settings);
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert!(
        refusal.contains("Unable to create topic(s) 'logs-replicas-configs'"),
        "{refusal}"
    );
}

#[test]
fn a_broker_that_restarts_delays_appends_and_reads_and_loses_none() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let cluster = KafkaCluster::start(kafka, &ClusterOptions::default());
    let mut worker = Worker::start(&settings(&cluster.bootstrap(), "logs-restart"));
    worker.append(vec![record("before", "1")]).unwrap();
    cluster.kill(0);
    worker
        .handle
        .append_config(100, vec![record("meanwhile", "2")], PATIENCE)
        .unwrap();
    worker
        .handle
        .read_config_to_end(101, Duration::from_secs(1))
        .unwrap();
    let answer = worker.next();
    let ClusterEvent::ConfigReadToEnd {
        token: 101,
        result: Err(error),
    } = answer
    else {
        panic!("{answer:?}");
    };
    assert!(
        error.to_string().contains("logs-restart-configs"),
        "{error}"
    );
    cluster.launch(0);
    cluster.wait_until_serving(0);
    let answer = worker.next();
    assert!(
        matches!(
            answer,
            ClusterEvent::ConfigAppended {
                token: 100,
                result: Ok(())
            }
        ),
        "{answer:?}"
    );
    worker.append(vec![record("after", "3")]).unwrap();
    worker.read_to_end(PATIENCE).unwrap();
    let keys = |records| pairs(records).into_iter().map(|(key, _)| key);
    let mut keys: Vec<_> = keys(&worker.configs).collect();
    // The producer is not idempotent: what was on its way may be there twice, beside itself.
    keys.dedup();
    assert_eq!(keys, ["before", "meanwhile", "after"]);
    worker.stop();
}

#[test]
fn a_compacted_topic_is_read_to_its_end_though_records_are_gone() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let options = ClusterOptions {
        settings: Properties::new()
            .set("log.cleaner.enable", "true")
            .set("log.cleaner.dedupe.buffer.size", "10485760")
            .set("log.cleaner.backoff.ms", "100"),
        ..ClusterOptions::default()
    };
    let cluster = KafkaCluster::start(kafka, &options);
    let settings = settings(&cluster.bootstrap(), "logs-compacted")
        .set("config.storage.segment.ms", "200")
        .set("config.storage.min.cleanable.dirty.ratio", "0.01")
        .set("config.storage.delete.retention.ms", "0");
    let mut first = Worker::start(&settings);
    let topic = "logs-compacted-configs";
    let client = cluster.client();
    let mut written = 0;
    // A segment is closed by the next record after its time, and compacted then.
    wait_until("records to be compacted away", PATIENCE, || {
        for key in ["a", "b", "c"] {
            first
                .append(vec![record(key, &written.to_string())])
                .unwrap();
            written += 1;
        }
        let gone = TopicRecord {
            key: b"gone".to_vec(),
            value: None,
        };
        first.append(vec![record("gone", "x"), gone]).unwrap();
        std::thread::sleep(Duration::from_millis(100));
        let (_, end) = client.offsets(topic, 0);
        let left = client.read_all(topic, 0).len();
        i64::try_from(left).unwrap() < end / 2
    });
    first.read_to_end(LIMIT).unwrap();
    let mut second = Worker::start(&settings);
    assert_eq!(last(&second.configs), last(&first.configs));
    assert!(second.configs.len() < first.configs.len());
    second.append(vec![record("a", "end")]).unwrap();
    second.read_to_end(LIMIT).unwrap();
    assert_eq!(last(&second.configs)["a"], "end");
    first.stop();
    second.stop();
}

#[test]
fn a_topic_that_is_deleted_and_made_anew_is_read_from_its_beginning() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let options = ClusterOptions {
        auto_create_topics: false,
        ..ClusterOptions::default()
    };
    let cluster = KafkaCluster::start(kafka, &options);
    let bootstrap = cluster.bootstrap();
    let mut worker = Worker::start(&settings(&bootstrap, "logs-anew"));
    for number in 0..5 {
        worker
            .append(vec![record("old", &number.to_string())])
            .unwrap();
    }
    worker.read_to_end(LIMIT).unwrap();
    let topic = "logs-anew-configs";
    delete_topic(kafka, &bootstrap, topic);
    let error = worker.read_to_end(Duration::from_secs(3)).unwrap_err();
    assert!(error.to_string().contains(topic), "{error}");
    kafka.create_topic(&bootstrap, topic, 1, 1, &["cleanup.policy=compact"]);
    worker.configs.clear();
    worker.append(vec![record("new", "1")]).unwrap();
    worker.read_to_end(PATIENCE).unwrap();
    assert_eq!(pairs(&worker.configs), [("new".to_owned(), "1".to_owned())]);
    assert_eq!(worker.configs[0].offset, 0);
    worker.append(vec![record("new", "2")]).unwrap();
    worker.read_to_end(LIMIT).unwrap();
    assert_eq!(last(&worker.configs)["new"], "2");
    worker.stop();
}

/// A running `ConnectDistributed`; killed when dropped.
pub(super) struct ApacheWorker {
    process: Process,
    port: u16,
    _dir: tempfile::TempDir,
}

impl ApacheWorker {
    pub(super) fn start(kafka: &Kafka, settings: &Properties) -> Self {
        let dir = scratch_dir("apache-distributed");
        let port = free_port();
        let worker = settings
            .clone()
            .set("plugin.path", kafka.plugin_path().display())
            .set("plugin.discovery", "service_load")
            .set("listeners", format!("http://127.0.0.1:{port}"));
        let mut java = kafka.java(256, "INFO");
        java.arg("org.apache.kafka.connect.cli.ConnectDistributed")
            .arg(worker.write(&dir.path().join("worker.properties")));
        let process = Process::spawn("apache-distributed", java, dir.path());
        let worker = Self {
            process,
            port,
            _dir: dir,
        };
        wait_until("Apache's worker to serve", PATIENCE, || {
            assert!(worker.process.try_wait().is_none(), "Apache's worker ended");
            let answer = http::try_request("GET", &worker.url("/connectors"), None);
            answer.is_ok_and(|answer| answer.status == 200)
        });
        worker
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

#[test]
fn apache_s_worker_and_ours_read_each_other_s_records() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let settings = settings(&kafka.shared_cluster().bootstrap(), "logs-apache");
    // Ours makes the topics: Apache's worker starts only when it finds them as it wants them.
    let mut ours = Worker::start(&settings);
    let config = json!({
        "connector.class": "org.apache.kafka.connect.tools.MockSourceConnector",
        "name": "ours",
        "mock_mode": "none",
    });
    let properties = json!({ "properties": config });
    let written = record("connector-ours", &properties.to_string());
    ours.append(vec![
        record(
            "target-state-ours",
            r#"{"state":"PAUSED","state.v2":"STOPPED"}"#,
        ),
        written,
    ])
    .unwrap();
    let apache = ApacheWorker::start(kafka, &settings);
    let found = http::get(&apache.url("/connectors/ours/config")).json();
    assert_eq!(found, config);
    let theirs = json!({
        "connector.class": "org.apache.kafka.connect.tools.MockSourceConnector",
        "tasks.max": "1",
        "mock_mode": "none",
    });
    let url = apache.url("/connectors/theirs/config");
    wait_until("Apache's worker to take a connector", PATIENCE, || {
        // 409 while it rebalances.
        http::request("PUT", &url, Some(&theirs)).status == 201
    });
    wait_until(
        "the connector and its tasks to be written",
        PATIENCE,
        || {
            ours.read_to_end(LIMIT).unwrap();
            last(&ours.configs).contains_key("commit-theirs")
        },
    );
    let seen = last(&ours.configs);
    let properties: serde_json::Value = serde_json::from_str(&seen["connector-theirs"]).unwrap();
    assert_eq!(properties["properties"]["name"], "theirs");
    assert!(seen["commit-theirs"].contains("\"tasks\":1"), "{seen:?}");
    wait_until("its status to be read", PATIENCE, || {
        ours.read_to_end(LIMIT).unwrap();
        let seen = last(&ours.statuses);
        let status = seen.get("status-task-theirs-0");
        status.is_some_and(|status| status.contains("RUNNING"))
    });
    // A tombstone of ours is a deletion there.
    let gone = TopicRecord {
        key: b"connector-ours".to_vec(),
        value: None,
    };
    ours.append(vec![gone]).unwrap();
    wait_until("Apache's worker to see the deletion", PATIENCE, || {
        http::get(&apache.url("/connectors")).json() == json!(["theirs"])
    });
    ours.stop();
}
