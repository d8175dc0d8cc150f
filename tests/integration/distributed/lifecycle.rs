//! What Apache's own system tests of distributed mode look at (`connect_distributed_test.py`): pipelines on
//! several workers, REST through any of them, states that outlive workers, restarts of what failed.

use serde_json::json;

use super::group::Group;
use crate::common::lines::{Tally, append_lines};
use crate::common::pipeline::{file_sink, file_source};
use crate::common::{PATIENCE, Properties, heavy, kafka, scratch_dir, wait_until};

const LINES: u64 = 2000;

#[test]
fn a_file_goes_through_a_topic_into_a_file_on_three_workers() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-pipeline");
    let workers = group.start_all(3);
    let dir = scratch_dir("dist-pipeline");
    let (input, output) = (dir.path().join("in"), dir.path().join("out"));
    append_lines(&input, 0..LINES);
    workers[0].put(&file_source("dist-source", &input, "dist-pipeline-lines"));
    workers[1].put(&file_sink("dist-sink", &output, "dist-pipeline-lines"));
    workers[2].wait_until_running("dist-source", 1);
    workers[2].wait_until_running("dist-sink", 1);
    let read = || {
        let mut tally = Tally::default();
        if output.exists() {
            tally.add_file(&output);
        }
        tally
    };
    wait_until("the lines", PATIENCE, || read().distinct() >= LINES);
    read().assert_exactly(LINES);
    for worker in &workers {
        let names = worker.get("/connectors").json();
        let mut names: Vec<&str> = names
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|n| n.as_str())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["dist-sink", "dist-source"]);
    }
    workers[2].request("DELETE", "/connectors/dist-source", None);
    wait_until("the status to be gone", PATIENCE, || {
        workers
            .iter()
            .all(|worker| worker.get("/connectors/dist-source/status").status == 404)
    });
    for worker in &workers {
        worker.stop_cleanly();
    }
}

/// `VerifiableSource`s that send nothing much.
pub(super) fn idle(name: &str, tasks: usize) -> Properties {
    Properties::new()
        .set("name", name)
        .set(
            "connector.class",
            "org.apache.kafka.connect.tools.VerifiableSourceConnector",
        )
        .set("tasks.max", tasks)
        .set("topic", format!("{name}-topic"))
        .set("throughput", 1)
}

#[test]
fn every_worker_takes_every_request_and_tasks_are_spread_within_one() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-rest");
    let workers = group.start_all(3);
    for (number, worker) in workers.iter().enumerate() {
        let name = format!("any-{number}");
        let answer = worker.put(&idle(&name, 4));
        assert_eq!(answer.status, 201, "{}", answer.body);
        let location = format!("/connectors/{name}");
        assert!(
            answer
                .header("location")
                .is_some_and(|url| url.ends_with(&location))
        );
    }
    let mut tasks_of: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for number in 0..3 {
        let status = workers[0].wait_until_running(&format!("any-{number}"), 4);
        for task in status["tasks"].as_array().unwrap() {
            *tasks_of
                .entry(task["worker_id"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    assert_eq!(
        tasks_of.values().copied().collect::<Vec<_>>(),
        [4, 4, 4],
        "{tasks_of:?}"
    );
    for (number, worker) in workers.iter().enumerate() {
        let name = format!("any-{}", (number + 1) % 3);
        let at = |path: &str| format!("/connectors/{name}{path}");
        assert_eq!(worker.request("PUT", &at("/pause"), None).status, 202);
        worker.wait_until(&name, "PAUSED");
        assert_eq!(worker.request("PUT", &at("/resume"), None).status, 202);
        worker.wait_until_running(&name, 4);
        assert_eq!(worker.request("POST", &at("/restart"), None).status, 204);
        assert_eq!(
            worker.request("POST", &at("/tasks/3/restart"), None).status,
            204
        );
        let all = at("/restart?includeTasks=true");
        assert_eq!(worker.request("POST", &all, None).status, 202);
        worker.wait_until_running(&name, 4);
        let patch = json!({"throughput": "2"});
        let patched = worker.request("PATCH", &at("/config"), Some(&patch));
        assert_eq!(
            (
                patched.status,
                patched.json()["config"]["throughput"].as_str()
            ),
            (200, Some("2"))
        );
        assert_eq!(worker.request("PUT", &at("/stop"), None).status, 204);
        let stopped = worker.wait_until(&name, "STOPPED");
        assert_eq!(worker.get(&at("/tasks")).json(), json!([]), "{stopped}");
        let offsets = worker.get(&at("/offsets"));
        assert_eq!(offsets.status, 200, "{}", offsets.body);
        let reset = worker.request("DELETE", &at("/offsets"), None);
        assert_eq!(reset.status, 200, "{}", reset.body);
        assert_eq!(worker.request("DELETE", &at(""), None).status, 204);
    }
    wait_until("no connector to be left", PATIENCE, || {
        workers
            .iter()
            .all(|worker| worker.get("/connectors").json() == json!([]))
    });
}

#[test]
fn a_pause_outlives_all_workers() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-pause");
    let workers = group.start_all(2);
    workers[0].put(&idle("kept", 2));
    workers[0].wait_until_running("kept", 2);
    workers[1].request("PUT", "/connectors/kept/pause", None);
    for worker in &workers {
        worker.wait_until("kept", "PAUSED");
        worker.stop_cleanly();
    }
    let again = group.start();
    let paused = wait_for_paused(&again);
    assert_eq!(paused["tasks"].as_array().unwrap().len(), 2);
    again.request("PUT", "/connectors/kept/resume", None);
    again.wait_until_running("kept", 2);
}

fn wait_for_paused(worker: &super::group::Member) -> serde_json::Value {
    crate::common::wait_for("everything to be paused", PATIENCE, || {
        let status = worker.status("kept");
        let paused = |part: &serde_json::Value| {
            part["state"] == "PAUSED" && part["worker_id"] == worker.id().as_str()
        };
        let tasks = status["tasks"].as_array()?;
        (paused(&status["connector"]) && tasks.iter().all(paused)).then_some(status.clone())
    })
}

#[test]
fn a_failed_connector_and_a_failed_task_are_restarted_through_another_worker() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-restart");
    let workers = group.start_all(2);
    let mock = |name: &str, mode: &str| {
        Properties::new()
            .set("name", name)
            .set(
                "connector.class",
                "org.apache.kafka.connect.tools.MockSourceConnector",
            )
            .set("tasks.max", 1)
            .set("mock_mode", mode)
            .set("delay_ms", 500)
    };
    workers[0].put(&mock("bad-connector", "connector-failure"));
    workers[0].put(&mock("bad-task", "task-failure"));
    let failed_task = || {
        crate::common::wait_for("a failed task", PATIENCE, || {
            let status = workers[0].status("bad-task");
            (status["tasks"][0]["state"] == "FAILED").then(|| status["tasks"][0].clone())
        })
    };
    workers[0].wait_until("bad-connector", "FAILED");
    let task = failed_task();
    assert!(
        task["trace"]
            .as_str()
            .is_some_and(|trace| trace.contains("RuntimeException"))
    );
    // Through whoever does not run it.
    let other = |id: &serde_json::Value| {
        workers
            .iter()
            .find(|worker| *id != worker.id().as_str())
            .unwrap()
    };
    let restarted =
        other(&task["worker_id"]).request("POST", "/connectors/bad-task/tasks/0/restart", None);
    assert_eq!(restarted.status, 204, "{}", restarted.body);
    let connector = workers[0].status("bad-connector")["connector"].clone();
    let restarted =
        other(&connector["worker_id"]).request("POST", "/connectors/bad-connector/restart", None);
    assert_eq!(restarted.status, 204, "{}", restarted.body);
    // They fail again, and anew.
    workers[0].wait_until("bad-connector", "FAILED");
    failed_task();
}

#[test]
fn a_log_level_of_the_cluster_reaches_every_worker() {
    let Some(kafka) = kafka() else { return };
    let _heavy = heavy();
    let group = Group::new(kafka, "dist-loggers");
    let workers = group.start_all(3);
    let level = |worker: &super::group::Member| {
        let answer = worker.get("/admin/loggers/org.apache.kafka.connect");
        answer.json()["level"].as_str().map(str::to_owned)
    };
    let body = json!({"level": "DEBUG"});
    let path = "/admin/loggers/org.apache.kafka.connect?scope=cluster";
    let answer = workers[1].request("PUT", path, Some(&body));
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    wait_until("the level everywhere", PATIENCE, || {
        workers
            .iter()
            .all(|worker| level(worker).as_deref() == Some("DEBUG"))
    });
}
