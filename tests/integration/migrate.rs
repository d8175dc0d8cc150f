//! `ringmain migrate` against a cluster of Apache's: by REST and by its topics it reports the same, says of
//! each connector whether it would run here, and changes nothing.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use testbed::client::Client;

use crate::common::lines::append_lines;
use crate::common::ringmain::binary;
use crate::common::{
    ConnectOracle, Kafka, PATIENCE, Process, Properties, http, kafka, pipeline, scratch_dir,
    wait_until,
};

const GROUP: &str = "migrated";
const CHECKPOINTS: &str = "org.apache.kafka.connect.mirror.MirrorCheckpointConnector";
const UNKNOWN_STEP: &str = "com.example.connect.Redact$Value";
const FILE_PROVIDER: &str = "org.apache.kafka.common.config.provider.FileConfigProvider";

/// A topic of the cluster's own.
fn topic(of: &str) -> String {
    format!("{GROUP}-{of}")
}

fn worker(bootstrap: &str) -> Properties {
    let worker = pipeline::worker(bootstrap)
        .set("group.id", GROUP)
        .set("config.providers", "file")
        .set("config.providers.file.class", FILE_PROVIDER)
        .set("offset.storage.partitions", 3);
    ["config", "offset", "status"]
        .iter()
        .fold(worker, |worker, of| {
            worker
                .set(&format!("{of}.storage.topic"), topic(of))
                .set(&format!("{of}.storage.replication.factor"), 1)
        })
}

/// What a run gave: exit code, standard output and standard error.
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

fn migrate(args: &[&OsStr]) -> Ran {
    let dir = scratch_dir("migrate");
    let mut command = Command::new(binary());
    command.arg("migrate").args(args).stdin(Stdio::null());
    let process = Process::spawn_with_input("migrate", command, dir.path());
    let status = process.wait(PATIENCE);
    Ran {
        code: status.code(),
        out: process.stdout(),
        err: process.stderr(),
    }
}

fn report(args: &[&OsStr], code: i32) -> Value {
    let mut all: Vec<&OsStr> = vec!["--json".as_ref()];
    all.extend(args);
    let ran = migrate(&all);
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("no JSON ({e}): {}", ran.out))
}

/// Connectors of a report by name.
fn by_name(report: &Value) -> BTreeMap<&str, &Value> {
    let all = report["connectors"].as_array().unwrap().iter();
    all.map(|connector| (connector["name"].as_str().unwrap(), connector))
        .collect()
}

/// Apache's cluster with connectors of every kind.
struct Migrated {
    oracle: ConnectOracle,
    client: Client,
    _files: tempfile::TempDir,
}

impl Migrated {
    fn start(kafka: &Kafka) -> Self {
        let cluster = kafka.shared_cluster();
        let client = cluster.client();
        let files = scratch_dir("migrated");
        let oracle = ConnectOracle::start_distributed(kafka, &worker(&cluster.bootstrap()));
        let migrated = Self {
            oracle,
            client,
            _files: files,
        };
        migrated.create_pipeline();
        migrated.create_checkpoints(&cluster.bootstrap());
        migrated.inject_unknown_step();
        migrated
    }

    fn path(&self, name: &str) -> PathBuf {
        self._files.path().join(name)
    }

    /// A file into a topic and out of it; the source's topic comes from a provider.
    fn create_pipeline(&self) {
        self.client.create_topic(&topic("lines"), 2);
        append_lines(&self.path("in.txt"), 0..200);
        let secrets = self.path("secrets.properties");
        fs::write(&secrets, format!("topic={}\n", topic("lines"))).unwrap();
        let reference = format!("${{file:{}:topic}}", secrets.display());
        let source = pipeline::file_source("m-source", &self.path("in.txt"), &reference);
        self.oracle.create(&source);
        let sink = pipeline::file_sink("m-sink", &self.path("out.txt"), &topic("lines"));
        self.oracle.create(&sink);
        for name in ["m-source", "m-sink"] {
            wait_until(&format!("offsets of {name}"), PATIENCE, || {
                !self.offsets(name).is_empty()
            });
        }
    }

    fn offsets(&self, name: &str) -> Vec<Value> {
        let url = self.oracle.url(&format!("/connectors/{name}/offsets"));
        let answer = http::get(&url).json();
        answer["offsets"].as_array().cloned().unwrap_or_default()
    }

    /// A class that Ringmain does not have.
    fn create_checkpoints(&self, bootstrap: &str) {
        let connector = Properties::new()
            .set("name", "m-checkpoints")
            .set("connector.class", CHECKPOINTS)
            .set("source.cluster.alias", "a")
            .set("target.cluster.alias", "b")
            .set("source.cluster.bootstrap.servers", bootstrap)
            .set("target.cluster.bootstrap.servers", bootstrap)
            .set("emit.checkpoints.interval.seconds", 3600);
        self.oracle.put(&connector);
        self.wait_for_state("m-checkpoints", "RUNNING");
    }

    /// A transformation that Apache's worker does not have either: it would be refused by REST.
    fn inject_unknown_step(&self) {
        let config = json!({"properties": {
            "name": "m-redacted",
            "connector.class": "FileStreamSource",
            "tasks.max": "1",
            "file": self.path("in.txt"),
            "topic": topic("lines"),
            "transforms": "redact",
            "transforms.redact.type": UNKNOWN_STEP,
            "transforms.redact.fields": "a",
        }});
        let (key, value) = (
            "connector-m-redacted".into(),
            config.to_string().into_bytes(),
        );
        self.client.produce(
            &topic("config"),
            0,
            testbed::client::Compression::NoCompression,
            vec![(Some(key), Some(value))],
        );
        self.wait_for_state("m-redacted", "FAILED");
    }

    fn wait_for_state(&self, name: &str, state: &str) {
        let url = self.oracle.url(&format!("/connectors/{name}/status"));
        wait_until(&format!("{name} to be {state}"), PATIENCE, || {
            let answer = http::try_request("GET", &url, None);
            answer.is_ok_and(|answer| {
                answer.status == 200 && answer.json()["connector"]["state"] == state
            })
        });
    }

    /// Where the topics end that only somebody who changes something would add to.
    fn ends(&self) -> (i64, Vec<Value>) {
        let config = self.client.end_offset(&topic("config"));
        (config, self.offsets("m-sink"))
    }
}

#[test]
fn by_rest_and_by_topics_the_same_is_reported_and_nothing_is_changed() {
    let Some(kafka) = kafka() else { return };
    let migrated = Migrated::start(kafka);
    let before = migrated.ends();
    let url = migrated.oracle.url("");
    let file = migrated.oracle.worker_file();
    let (url, file): (&OsStr, &OsStr) = (url.as_ref(), file.as_ref());
    let from: &OsStr = "--from".as_ref();

    let by_topics = report(&[from, file], 3);
    let by_rest = report(&[from, url, "--worker".as_ref(), file], 3);
    for part in ["summary", "worker"] {
        assert_eq!(by_topics[part], by_rest[part], "{part}");
    }
    same_connectors(&by_topics, &by_rest);
    assert_eq!(by_rest["source"]["by"], "rest");
    assert_eq!(by_rest["source"]["version"], "4.3.1");
    assert_eq!(by_topics["source"]["by"], "topics");
    let id = &by_rest["source"]["kafka_cluster_id"];
    assert!(id.is_string() && *id == by_topics["source"]["kafka_cluster_id"]);
    let counts = json!({"native": 2, "differs": 0, "unsupported": 2});
    assert_eq!(by_topics["summary"], counts, "{by_topics:#}");
    is_right(&by_topics);
    // The harness sets plugin.path, which is worth a word and no more.
    assert_eq!(by_topics["worker"]["verdict"], "native", "{by_topics:#}");
    assert_eq!(migrated.ends(), before, "something was changed");

    // Without the file the worker's own converters and providers are unknown.
    let alone = report(&[from, url], 3);
    let connectors = by_name(&alone);
    assert_eq!(connectors["m-sink"]["verdict"], "differs", "{alone:#}");
    assert!(connectors["m-sink"].to_string().contains("--worker"));
    assert_eq!(connectors["m-checkpoints"]["verdict"], "unsupported");

    let people = migrate(&[from, file]);
    assert_eq!(people.code, Some(3), "{}", people.err);
    for part in [
        "4 connectors: 2 native, 0 differs, 2 unsupported",
        "m-source",
        "connector.class: connector org.apache.kafka.connect.mirror.MirrorCheckpointConnector is not here",
        "To take it over at the same offsets:",
        "m-checkpoints, m-redacted can't run in Ringmain",
        "To go back:",
    ] {
        assert!(
            people.out.contains(part),
            "{part} is not in:\n{}",
            people.out
        );
    }

    for name in ["m-checkpoints", "m-redacted"] {
        migrated.oracle.delete(name);
        let url = migrated.oracle.url(&format!("/connectors/{name}"));
        wait_until("the connector to be gone", PATIENCE, || {
            http::get(&url).status == 404
        });
    }
    let clean = report(&[from, file], 0);
    let counts = json!({"native": 2, "differs": 0, "unsupported": 0});
    assert_eq!(clean["summary"], counts, "{clean:#}");
}

/// All is the same but for one thing: a worker does not tell the offsets of a connector of which it lacks a
/// class, and the topics do.
fn same_connectors(by_topics: &Value, by_rest: &Value) {
    let mut told = by_topics["connectors"].as_array().unwrap().clone();
    let mut asked = by_rest["connectors"].as_array().unwrap().clone();
    for connector in told.iter_mut().chain(&mut asked) {
        if connector["name"] == "m-redacted" {
            connector.as_object_mut().unwrap().remove("offsets");
            let findings = connector["findings"].as_array_mut().unwrap();
            findings.retain(|finding| {
                let what = finding["what"].as_str().unwrap();
                !what.starts_with("its offsets can't be read: ")
            });
        }
    }
    assert_eq!(told, asked);
    assert_eq!(by_name(by_topics)["m-redacted"]["offsets"], 0);
    assert_eq!(by_name(by_rest)["m-redacted"]["offsets"], Value::Null);
}

/// The verdicts of the four connectors, and what they rest on.
fn is_right(report: &Value) {
    let connectors = by_name(report);
    let source = connectors["m-source"];
    let expected = json!({
        "name": "m-source",
        "type": "source",
        "class": "FileStreamSource",
        "state": "RUNNING",
        "tasks": 1,
        "offsets": 1,
        "verdict": "native",
        "findings": [],
    });
    assert_eq!(*source, expected);
    let sink = connectors["m-sink"];
    assert_eq!(sink["verdict"], "native", "{sink:#}");
    assert!(sink["offsets"].as_u64().unwrap() > 0, "{sink:#}");
    let finding = |name: &str, key: &str| {
        let all = connectors[name]["findings"].as_array().unwrap().clone();
        let found = all.into_iter().find(|finding| finding["key"] == key);
        found.unwrap_or_else(|| panic!("{key}: {:#}", connectors[name]))
    };
    let class = finding("m-checkpoints", "connector.class");
    assert_eq!(class["weight"], "unsupported");
    assert_eq!(
        class["what"],
        format!("connector {CHECKPOINTS} is not here")
    );
    assert!(class["needed"].is_string());
    assert_eq!(connectors["m-redacted"]["state"], "FAILED");
    let step = finding("m-redacted", "transforms.redact.type");
    assert_eq!(
        step["what"],
        format!("transformation {UNKNOWN_STEP} is not here")
    );
}

#[test]
fn what_can_t_be_read_fails_with_what_to_do() {
    let dir = scratch_dir("migrate");
    let file = dir.path().join("worker.properties");
    let json: &OsStr = "--json".as_ref();
    let run = |from: &Path| migrate(&["--from".as_ref(), from.as_os_str(), json]);
    let ran = run(Path::new("http://127.0.0.1:1"));
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let error: Value = serde_json::from_str(ran.err.lines().last().unwrap()).unwrap();
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("127.0.0.1:1"), "{message}");
    assert!(error["error"]["hint"].is_string());

    let ran = run(&file);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(ran.err.contains("worker.properties"), "{}", ran.err);

    let standalone = "bootstrap.servers=127.0.0.1:1\nkey.converter=StringConverter\n\
                      value.converter=StringConverter\noffset.storage.file.filename=x\n";
    fs::write(&file, standalone).unwrap();
    let ran = run(&file);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert!(
        ran.err
            .contains("a standalone worker has no topics to read"),
        "{}",
        ran.err
    );
}
