//! Offsets of a source and a sink, shown, set and forgotten.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::workers::{Worker, workers};
use super::{arg, ctl_with_input};
use crate::common::{PATIENCE, scratch_dir, wait_until};

fn shown(worker: &Worker, name: &str) -> serde_json::Value {
    worker
        .ctl(&["--json", "offsets", "show", name])
        .ends(0)
        .json()
}

/// A source of three lines and a sink, and when both have committed the source's partition.
fn start(worker: &Worker, dir: &Path) -> serde_json::Value {
    let input = dir.join("in.txt");
    fs::write(&input, "one\ntwo\nthree\n").unwrap();
    let (source, sink) = (dir.join("source.json"), dir.join("sink.json"));
    let config = json!({"name": "ctl-off-source", "config": {
        "connector.class": "FileStreamSource", "file": input, "topic": "ctl-off",
    }});
    fs::write(&source, config.to_string()).unwrap();
    let config = json!({"name": "ctl-off-sink", "config": {
        "connector.class": "FileStreamSink", "file": dir.join("out.txt"), "topics": "ctl-off",
    }});
    fs::write(&sink, config.to_string()).unwrap();
    worker.ctl(&["apply", arg(&source), arg(&sink)]).ends(0);
    let partition = json!({"filename": input});
    wait_until("the source's offset", PATIENCE, || {
        shown(worker, "ctl-off-source")
            == json!({"offsets": [{"partition": partition, "offset": {"position": 14}}]})
    });
    wait_until("the sink's offset", PATIENCE, || {
        shown(worker, "ctl-off-sink")["offsets"][0]["offset"] == json!({"kafka_offset": 3})
    });
    partition
}

#[test]
fn offsets_of_a_source_and_a_sink_are_shown_set_and_forgotten() {
    for worker in workers() {
        are_shown_set_and_forgotten(&worker);
    }
}

fn are_shown_set_and_forgotten(worker: &Worker) {
    let dir = scratch_dir("ctl-offsets");
    let partition = start(worker, dir.path());
    let ran = worker.ctl(&["offsets", "show", "ctl-off-sink"]).ends(0);
    let row: Vec<&str> = ran.out.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["ctl-off", "0", "3"]);
    worker
        .ctl(&["offsets", "show", "ctl-off-source"])
        .ends(0)
        .says(r#"{"position":14}"#);

    let wanted = dir.path().join("offsets.json");
    let offsets = json!({"comment": "mine", "offsets": [{"partition": partition, "offset": {"position": 4}}]});
    fs::write(&wanted, offsets.to_string()).unwrap();
    let alter = ["offsets", "alter", "ctl-off-source", arg(&wanted)];
    worker
        .ctl(&alter)
        .ends(1)
        .complains("STOPPED")
        .complains("ctl stop");
    worker
        .ctl(&["stop", "ctl-off-source", "ctl-off-sink"])
        .ends(0);
    worker
        .ctl(&["wait", "--for", "stopped", "ctl-off-source", "ctl-off-sink"])
        .ends(0);
    worker.ctl(&alter).ends(0).says("altered successfully");
    assert_eq!(
        shown(worker, "ctl-off-source")["offsets"][0]["offset"],
        json!({"position": 4})
    );
    // What was shown can be given back.
    fs::write(&wanted, shown(worker, "ctl-off-sink").to_string()).unwrap();
    let ran = ctl_with_input(
        &worker.url,
        &["--json", "offsets", "alter", "ctl-off-sink", "-"],
        &wanted,
    );
    let answer = ran.ends(0).json();
    assert_eq!(
        (&answer["name"], &answer["action"]),
        (&json!("ctl-off-sink"), &json!("alter"))
    );

    worker
        .ctl(&["offsets", "reset", "ctl-off-source"])
        .ends(2)
        .complains("--yes");
    worker
        .ctl(&["offsets", "reset", "ctl-off-source", "-y"])
        .ends(0)
        .says("reset successfully");
    worker
        .ctl(&["offsets", "show", "ctl-off-source"])
        .ends(0)
        .says("nothing has been committed yet");
    worker
        .ctl(&["offsets", "show", "ctl-nobody"])
        .ends(1)
        .complains("ctl list");
    worker
        .ctl(&["delete", "--yes", "ctl-off-source", "ctl-off-sink"])
        .ends(0);
}
