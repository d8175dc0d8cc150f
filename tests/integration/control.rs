//! Control by REST, and failures that show in statuses.

use std::fs;
use std::path::Path;

use crate::common::client::Compression;
use crate::common::lines::append_lines;
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{
    PATIENCE, Properties, Ringmain, Standalone, free_port, http, kafka, scratch_dir, wait_until,
};

#[test]
fn rest_answers_as_kafkas_version_and_lists_what_runs() {
    let dir = scratch_dir("rest");
    let worker = pipeline::worker(&format!("embedded:{}", dir.path().join("log").display()));
    let source = file_source("seen-by-rest", &dir.path().join("absent.txt"), "seen");
    let ringmain = Standalone::new(&worker, &[source]).start();
    let root = http::get(&ringmain.url("/")).json();
    assert_eq!(root["version"], "4.3.1");
    assert!(root["kafka_cluster_id"].is_string(), "{root}");
    assert_eq!(
        http::get(&ringmain.url("/connectors")).json(),
        serde_json::json!(["seen-by-rest"])
    );
    let missing = http::get(&ringmain.url("/connectors/absent"));
    let body = serde_json::json!({"error_code": 404, "message": "Connector absent not found"});
    assert_eq!((missing.status, missing.json()), (404, body));
    let deleted = http::request("DELETE", &ringmain.url("/connectors/seen-by-rest"), None);
    assert_eq!(deleted.status, 204, "{deleted:?}");
    ringmain.stop_cleanly();
}

#[test]
fn two_connectors_and_a_json_file_run_in_one_worker() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let dir = scratch_dir("json-file");
    let input = dir.path().join("in.txt");
    append_lines(&input, 0..10);
    let config = serde_json::json!({
        "name": "from-json",
        "config": {
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector",
            "file": input, "topic": "json-file", "tasks.max": "1",
        }
    });
    fs::write(dir.path().join("source.json"), config.to_string()).unwrap();
    let sink = file_sink("json-file-sink", &dir.path().join("out.txt"), "json-file");
    sink.write(&dir.path().join("sink.properties"));
    let port = free_port();
    let worker = with_rest(pipeline::worker(&cluster.bootstrap()), port, dir.path());
    worker.write(&dir.path().join("worker.properties"));
    let files = Standalone::of_files(
        dir,
        port,
        "worker.properties",
        &["source.json", "sink.properties"],
    );
    let ringmain: Ringmain = files.launch();
    wait_until("the output", PATIENCE, || {
        files.read("out.txt") == fs::read(&input).unwrap()
    });
    let names = http::get(&ringmain.url("/connectors")).json();
    let mut names: Vec<&str> = names
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|n| n.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["from-json", "json-file-sink"]);
    ringmain.stop_cleanly();
}

fn with_rest(worker: Properties, port: u16, dir: &Path) -> Properties {
    worker
        .set("listeners", format!("http://127.0.0.1:{port}"))
        .set(
            "offset.storage.file.filename",
            dir.join("connect.offsets").display(),
        )
}

#[test]
fn mock_connectors_fail_as_told_and_leave_the_rest_alone() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let client = cluster.client();
    client.create_topic("mock", 1);
    client.produce_values("mock", Compression::NoCompression, ["x"]);
    let mock = |class: &str, name: &str, mode: &str| {
        let mock = Properties::new()
            .set("name", name)
            .set("connector.class", class)
            .set("tasks.max", 1)
            .set("mock_mode", mode)
            .set("delay_ms", 200);
        if class == "MockSink" {
            mock.set("topics", "mock")
        } else {
            mock
        }
    };
    let files = Standalone::new(
        &pipeline::worker(&cluster.bootstrap()),
        &[
            mock("MockSource", "mock-source-task", "task-failure"),
            mock("MockSource", "mock-source-connector", "connector-failure"),
            mock("MockSink", "mock-sink-task", "task-failure"),
            Properties::new()
                .set("name", "beside")
                .set("connector.class", "VerifiableSource")
                .set("topic", "mock-beside")
                .set("throughput", 100),
        ],
    );
    let ringmain = files.launch();
    ringmain.wait_until_failed("mock-source-task");
    ringmain.wait_until_failed("mock-sink-task");
    wait_until("the connector to fail", PATIENCE, || {
        ringmain.status("mock-source-connector")["connector"]["state"] == "FAILED"
    });
    ringmain.wait_until_running("beside");
    let before = client.end_offset("mock-beside");
    client.wait_for_end_offset("mock-beside", before + 20, PATIENCE);
    ringmain.stop_cleanly();
}
