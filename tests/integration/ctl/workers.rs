//! Every command against Apache's worker and ours, in both forms of output.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Ran, arg, ctl, ctl_with_input};
use crate::common::kafka::ManagedOracle;
use crate::common::pipeline::{self, STRING};
use crate::common::{Kafka, PATIENCE, Ringmain, Standalone, http, kafka, scratch_dir, wait_until};

/// A worker to manage.
pub(super) struct Worker {
    pub(super) name: &'static str,
    pub(super) url: String,
    /// Keeps our own running.
    _ours: Option<(Ringmain, Standalone)>,
    /// Keeps other tests from Apache's.
    _turn: Option<ManagedOracle>,
}

/// Apache's, where there is Kafka, and one of ours on an embedded log.
pub(super) fn workers() -> Vec<Worker> {
    let ours = ours();
    kafka().map(apache).into_iter().chain([ours]).collect()
}

fn apache(kafka: &Kafka) -> Worker {
    let oracle = kafka.managed_oracle();
    Worker {
        name: "apache",
        url: oracle.url(""),
        _ours: None,
        _turn: Some(oracle),
    }
}

fn ours() -> Worker {
    let log = scratch_dir("ctl-log").keep();
    let bootstrap = format!("embedded:{}", log.display());
    let files = Standalone::new(&pipeline::worker(&bootstrap), &[]);
    let ringmain = files.launch();
    ringmain.wait_until_serving();
    Worker {
        name: "ringmain",
        url: ringmain.url(""),
        _ours: Some((ringmain, files)),
        _turn: None,
    }
}

impl Worker {
    pub(super) fn ctl(&self, args: &[&str]) -> Ran {
        ctl(&self.url, args)
    }

    /// The JSON of a command that succeeds.
    #[track_caller]
    fn json(&self, args: &[&str]) -> Value {
        let mut all = vec!["--json"];
        all.extend(args);
        self.ctl(&all).ends(0).json()
    }

    /// Takes away what a test made.
    fn delete(&self, names: &[&str]) {
        let mut args = vec!["delete", "--yes"];
        args.extend(names);
        self.ctl(&args).ends(0);
    }
}

fn source(name: &str, dir: &Path) -> String {
    let file = dir.join("in.txt");
    fs::write(&file, "one\ntwo\n").unwrap();
    // Names of topics are not as free as those of connectors.
    let topic: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
        .collect();
    format!(
        "name={name}\nconnector.class=FileStreamSource\ntasks.max=1\nfile={}\ntopic={topic}-topic\n",
        file.display()
    )
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    arg(&path).to_owned()
}

#[test]
fn files_of_every_shape_become_connectors() {
    for worker in workers() {
        let dir = scratch_dir("ctl-files");
        let dir = dir.path();
        let flat = format!(
            r#"{{"name":"ctl-flat","connector.class":"FileStreamSource","tasks.max":1,"topic":"t","file":"{0}/x","db.password":"hunter2"}}"#,
            dir.display()
        );
        let full = format!(
            r#"{{"name":"ctl-full","config":{{"connector.class":"FileStreamSource","topic":"t","file":"{0}/y"}},"initial_state":"paused"}}"#,
            dir.display()
        );
        write(dir, "1.properties", &source("ctl-plain", dir));
        write(dir, "2.json", &flat);
        write(dir, "3.json", &full);
        let ran = worker.ctl(&["diff", arg(dir)]).ends(3);
        let ran = ran
            .says("ctl-plain does not exist")
            .says("+ topic=ctl-plain-topic");
        assert!(!ran.out.contains("hunter2"), "{}: {ran:?}", worker.name);
        let rehearsed = worker.json(&["apply", "--dry-run", arg(dir)]);
        assert_eq!(rehearsed[0]["action"], "created");
        assert_eq!(rehearsed[0]["dry_run"], true);
        assert_eq!(rehearsed[0]["errors"], json!([]));
        worker
            .ctl(&["describe", "ctl-plain"])
            .ends(1)
            .complains("ctl list");

        let ran = worker.ctl(&["apply", arg(dir)]).ends(0);
        ran.says("ctl-plain created")
            .says("ctl-flat created")
            .says("ctl-full created");
        worker
            .ctl(&["wait", "ctl-plain", "ctl-flat"])
            .ends(0)
            .says("ctl-flat is running");
        worker.ctl(&["wait", "ctl-full", "--for", "paused"]).ends(0);
        let again = worker.json(&["apply", arg(dir)]);
        for (at, name) in ["ctl-plain", "ctl-flat", "ctl-full"]
            .into_iter()
            .enumerate()
        {
            assert_eq!(again[at]["name"], name);
            assert_eq!(again[at]["action"], "unchanged", "{}: {again}", worker.name);
            assert_eq!(
                (&again[at]["changes"], &again[at]["error"]),
                (&json!([]), &Value::Null)
            );
        }
        worker
            .ctl(&["diff", arg(dir)])
            .ends(0)
            .says("ctl-plain is the same");

        worker.delete(&["ctl-plain", "ctl-flat", "ctl-full"]);
    }
}

#[test]
fn changes_of_a_file_are_seen_before_they_are_made() {
    for worker in workers() {
        let dir = scratch_dir("ctl-change");
        let dir = dir.path();
        let properties = write(dir, "1.properties", &source("ctl-change", dir));
        worker.ctl(&["apply", &properties]).ends(0);
        let changed = source("ctl-change", dir).replace("tasks.max=1", "tasks.max=2\nx=y");
        fs::write(
            &properties,
            changed.replace("topic=", "# topic=") + "topic=other\n",
        )
        .unwrap();
        let ran = worker.ctl(&["diff", &properties]).ends(3);
        let ran = ran
            .says("- tasks.max=1")
            .says("+ tasks.max=2")
            .says("+ x=y");
        ran.says("- topic=ctl-change-topic").says("+ topic=other");
        let diff = ctl(&worker.url, &["--json", "diff", &properties])
            .ends(3)
            .json();
        let topic =
            json!({"key": "topic", "change": "changed", "old": "ctl-change-topic", "new": "other"});
        assert!(
            diff[0]["changes"].as_array().unwrap().contains(&topic),
            "{diff}"
        );
        assert_eq!(diff[0]["exists"], true);
        worker
            .ctl(&["apply", "--dry-run", &properties])
            .ends(0)
            .says("would be updated");
        assert_eq!(
            worker.json(&["describe", "ctl-change"])["config"]["tasks.max"],
            "1"
        );
        worker
            .ctl(&["apply", &properties])
            .ends(0)
            .says("ctl-change updated");
        assert_eq!(
            worker.json(&["describe", "ctl-change"])["config"]["topic"],
            "other"
        );

        let from_input = dir.join("in.properties");
        fs::write(&from_input, source("ctl-change", dir)).unwrap();
        ctl_with_input(&worker.url, &["apply", "-"], &from_input)
            .ends(0)
            .says("ctl-change updated (-)");
        worker.delete(&["ctl-change"]);
    }
}

#[test]
fn connectors_are_shown_without_their_secrets() {
    for worker in workers() {
        let dir = scratch_dir("ctl-show");
        let dir = dir.path();
        let text = source("ctl-show", dir) + "db.password=hunter2\nref.password=${file:/x:y}\n";
        worker
            .ctl(&["apply", &write(dir, "c.properties", &text)])
            .ends(0);
        worker.ctl(&["wait", "ctl-show"]).ends(0);
        let list = worker.ctl(&["list"]).ends(0).says("NAME").says("ctl-show");
        let row = list
            .out
            .lines()
            .find(|line| line.contains("ctl-show"))
            .unwrap();
        assert!(row.contains("source") && row.contains("RUNNING") && row.contains("1 running"));
        let all = worker.json(&["list", "--state", "running"]);
        let row = all
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == "ctl-show");
        let row = row.unwrap();
        assert_eq!(row["class"], "FileStreamSource");
        assert_eq!(row["tasks"][0]["state"], "RUNNING");

        let ran = worker.ctl(&["describe", "ctl-show"]).ends(0);
        let ran = ran.says("db.password").says("[hidden]").says("RUNNING");
        assert!(!ran.out.contains("hunter2"), "{}: {ran:?}", worker.name);
        let shown = worker.json(&["describe", "ctl-show"]);
        assert_eq!(shown["config"]["db.password"], "[hidden]");
        assert_eq!(shown["config"]["ref.password"], "${file:/x:y}");
        assert_eq!(shown["connector"]["state"], "RUNNING");
        assert_eq!(shown["tasks"][0]["id"], 0);
        let open = worker.json(&["describe", "ctl-show", "--show-secrets"]);
        assert_eq!(open["config"]["db.password"], "hunter2");
        worker.delete(&["ctl-show"]);
    }
}

#[test]
fn a_connectors_life_is_managed() {
    for worker in workers() {
        let dir = scratch_dir("ctl-life");
        let name = "ctl life ü";
        let file = write(dir.path(), "c.properties", &source(name, dir.path()));
        worker.ctl(&["apply", &file]).ends(0);
        worker.ctl(&["wait", name]).ends(0);
        worker
            .ctl(&["pause", name])
            .ends(0)
            .says("paused ctl life ü");
        let waited = worker.json(&["wait", name, "--for", "paused"]);
        assert_eq!(waited[0]["connector"]["state"], "PAUSED");
        let resumed = worker.json(&["resume", name]);
        assert_eq!(
            resumed,
            json!([{"name": name, "action": "resume", "error": null}])
        );
        worker.ctl(&["wait", name]).ends(0);
        worker
            .ctl(&["restart", name])
            .ends(0)
            .says("restarted ctl life ü");
        worker.ctl(&["wait", name]).ends(0);
        worker.ctl(&["restart", &format!("{name}/0")]).ends(0);
        worker.ctl(&["wait", name]).ends(0);
        let restarted = worker.json(&["restart", name, "--include-tasks"]);
        assert_eq!(restarted[0]["restarting"], json!(["connector", "task 0"]));
        worker.ctl(&["wait", name]).ends(0);
        let ran = worker
            .ctl(&["restart", name, "--only-failed", "--include-tasks"])
            .ends(0);
        ran.says("nothing had to be");
        worker.ctl(&["stop", name]).ends(0);
        worker
            .ctl(&["wait", name, "--for", "stopped"])
            .ends(0)
            .says("is stopped");
        let ran = worker.ctl(&["wait", name, "--within", "1"]).ends(4);
        ran.complains("connector STOPPED; tasks: none");
        let error = ctl(&worker.url, &["--json", "wait", name, "--within", "0"])
            .ends(4)
            .error();
        assert_eq!(error["kind"], "timed_out");
        worker.ctl(&["delete", name]).ends(2).complains("--yes");
        worker
            .ctl(&["delete", name, "--yes"])
            .ends(0)
            .says("deleted ctl life ü");
        worker.ctl(&["wait", name, "--for", "deleted"]).ends(0);
        worker
            .ctl(&["delete", name, "--yes"])
            .ends(1)
            .complains("not found");
    }
}

#[test]
fn a_slash_in_a_name_is_part_of_it() {
    // Apache's Jetty refuses `%2F` in paths.
    let worker = ours();
    let dir = scratch_dir("ctl-slash");
    let file = write(dir.path(), "c.properties", &source("ctl/slash", dir.path()));
    worker.ctl(&["apply", &file]).ends(0);
    worker.ctl(&["wait", "ctl/slash"]).ends(0);
    worker
        .ctl(&["restart", "ctl/slash/0"])
        .ends(0)
        .says("restarted ctl/slash/0");
    worker.delete(&["ctl/slash"]);
}

#[test]
fn a_failure_is_found_and_shown_with_its_trace() {
    for worker in workers() {
        let dir = scratch_dir("ctl-fail");
        let text = "name=ctl-fail\nconnector.class=org.apache.kafka.connect.tools.MockSourceConnector\n\
                    tasks.max=1\nmock_mode=task-failure\ndelay_ms=1\n";
        let file = write(dir.path(), "c.properties", text);
        worker.ctl(&["apply", &file]).ends(0);
        worker
            .ctl(&["wait", "ctl-fail", "--for", "failed"])
            .ends(0)
            .says("ctl-fail is failed");
        // It does not wait for what won't come.
        worker
            .ctl(&["wait", "ctl-fail"])
            .ends(1)
            .complains("task 0 failed: ");
        worker
            .ctl(&["list", "--state", "failed"])
            .ends(0)
            .says("1 failed");
        let ran = worker.ctl(&["describe", "ctl-fail", "--trace"]).ends(0);
        ran.says("task 0 failed:").says("Exception");
        let trace = worker.json(&["describe", "ctl-fail"])["tasks"][0]["trace"].clone();
        assert!(trace.as_str().unwrap().contains("Exception"), "{trace}");
        worker.delete(&["ctl-fail"]);
    }
}

#[test]
fn problems_of_a_file_are_shown_by_key() {
    for worker in workers() {
        let dir = scratch_dir("ctl-validate");
        let dir = dir.path();
        let good = write(dir, "good.properties", &source("ctl-good", dir));
        worker
            .ctl(&["validate", &good])
            .ends(0)
            .says("ctl-good is valid");
        let text = source("ctl-bad", dir) + "errors.tolerance=some\nvalue.converter=Nope\n";
        let bad = write(dir, "bad.properties", &text);
        let ran = worker.ctl(&["validate", &bad]).ends(1);
        let ran = ran
            .says("ctl-bad has")
            .says("! errors.tolerance: Invalid value");
        ran.says("! value.converter: ");
        let all = ctl(&worker.url, &["--json", "validate", &good, &bad])
            .ends(1)
            .json();
        assert_eq!(
            (&all[0]["valid"], &all[1]["valid"]),
            (&json!(true), &json!(false))
        );
        let errors = all[1]["errors"].as_array().unwrap();
        let keys: Vec<&str> = errors.iter().map(|e| e["key"].as_str().unwrap()).collect();
        assert!(keys.contains(&"errors.tolerance") && keys.contains(&"value.converter"));
        worker
            .ctl(&["apply", "--dry-run", &bad])
            .ends(1)
            .says("! errors.tolerance");
        let ran = worker.ctl(&["apply", &bad]).ends(1);
        ran.complains("Connector configuration is invalid")
            .complains("ctl validate");
        worker.ctl(&["describe", "ctl-bad"]).ends(1);
        let unknown = write(
            dir,
            "unknown.json",
            r#"{"name":"u","connector.class":"a.b.Nope"}"#,
        );
        worker
            .ctl(&["validate", &unknown])
            .ends(1)
            .complains("a.b.Nope");
        let none = write(dir, "none.json", r#"{"name":"n","x":"y"}"#);
        worker
            .ctl(&["validate", &none])
            .ends(1)
            .says("! connector.class");
    }
}

#[test]
fn plugins_and_their_keys_are_listed() {
    for worker in workers() {
        let class = "org.apache.kafka.connect.file.FileStreamSourceConnector";
        worker.ctl(&["plugins"]).ends(0).says("TYPE").says(class);
        let all = worker.json(&["plugins", "--all"]);
        let has = |class: &str| {
            all.as_array()
                .unwrap()
                .iter()
                .any(|plugin| plugin["class"] == class)
        };
        assert!(has(class) && has(STRING), "{}: {all}", worker.name);
        let keys = worker.ctl(&["plugins", "FileStreamSource"]).ends(0);
        let keys = keys.says("batch.size").says("\"2000\"").says("(required)");
        assert!(keys.out.lines().next().unwrap().starts_with("KEY"));
        worker
            .ctl(&["plugins", "FileStreamSource", "--docs"])
            .ends(0)
            .says("    ");
        let keys = worker.json(&["plugins", "FileStreamSource"]);
        assert!(
            keys.as_array()
                .unwrap()
                .iter()
                .any(|key| key["name"] == "batch.size")
        );
        worker
            .ctl(&["plugins", "Nope"])
            .ends(1)
            .complains("ctl plugins --all");
    }
}

#[test]
fn top_and_info_say_how_a_worker_is() {
    for worker in workers() {
        let dir = scratch_dir("ctl-top");
        let file = write(dir.path(), "c.properties", &source("ctl-top", dir.path()));
        worker.ctl(&["apply", &file]).ends(0);
        worker.ctl(&["wait", "ctl-top"]).ends(0);
        let ran = worker.ctl(&["top", "--once", "--interval", "1"]).ends(0);
        ran.says("connectors: ")
            .says("ctl-top")
            .says("RUNNING")
            .says("1 running");
        let top = worker.json(&["top", "--once", "--interval", "1"]);
        let row = top["connectors"]
            .as_array()
            .unwrap()
            .iter()
            .find(|row| row["name"] == "ctl-top");
        assert_eq!(
            row.unwrap()["tasks"],
            json!({"RUNNING": 1}),
            "{}",
            worker.name
        );
        let ran = worker.ctl(&["info"]).ends(0);
        ran.says("4.3.1").says("healthy");
        let info = worker.json(&["info"]);
        assert_eq!(info["version"], "4.3.1");
        assert_eq!(info["health"]["status"], "healthy");
        assert_eq!(info["url"], worker.url.as_str());
        worker.delete(&["ctl-top"]);
    }
}

#[test]
fn topics_of_a_connector_are_read_and_forgotten() {
    for worker in workers() {
        let dir = scratch_dir("ctl-topics");
        let text = source("ctl-topics", dir.path());
        let file = write(dir.path(), "c.properties", &text);
        worker.ctl(&["apply", &file]).ends(0);
        wait_until("the connector's topic", PATIENCE, || {
            let topics = worker.json(&["topics", "ctl-topics"]);
            topics == json!({"name": "ctl-topics", "topics": ["ctl-topics-topic"]})
        });
        let ran = worker.ctl(&["topics", "ctl-topics"]).ends(0);
        assert_eq!(ran.out, "ctl-topics-topic\n", "{}", worker.name);
        worker.ctl(&["stop", "ctl-topics"]).ends(0);
        worker
            .ctl(&["wait", "--for", "stopped", "ctl-topics"])
            .ends(0);
        worker
            .ctl(&["topics", "ctl-topics", "--reset", "--yes"])
            .ends(0)
            .says("forgot");
        worker
            .ctl(&["topics", "ctl-topics"])
            .ends(0)
            .says("no topic yet");
        let shown = worker.json(&["describe", "ctl-topics"]);
        assert_eq!(shown["topics"], json!([]), "{}", worker.name);
        worker.delete(&["ctl-topics"]);
        worker
            .ctl(&["topics", "ctl-nobody"])
            .ends(1)
            .complains("ctl-nobody");
    }
}

#[test]
fn log_levels_are_read_and_set() {
    for worker in workers() {
        worker
            .ctl(&["logs", "level"])
            .ends(0)
            .says("LOGGER")
            .says("root");
        assert!(worker.json(&["logs", "level"])["root"]["level"].is_string());
        let set = worker.json(&["logs", "level", "org.ctl.x", "warn"]);
        let expected = json!({"name": "org.ctl.x", "level": "WARN", "scope": "worker", "changed": ["org.ctl.x"]});
        assert_eq!(set, expected, "{}", worker.name);
        let ran = worker.ctl(&["logs", "level", "org.ctl.x"]).ends(0);
        assert_eq!(ran.out, "WARN\n");
        let level = worker.json(&["logs", "level", "org.ctl.x"]);
        assert!(level["last_modified"].is_i64(), "{}: {level}", worker.name);
        worker
            .ctl(&["logs", "level", "org.ctl.x", "ERROR"])
            .ends(0)
            .says("org.ctl.x is ERROR");
        worker
            .ctl(&["logs", "level", "org.ctl.nobody"])
            .ends(1)
            .complains("lists the loggers");
        let answer = http::get(&format!("{}/admin/loggers/org.ctl.x", worker.url)).json();
        assert_eq!(answer["level"], "ERROR", "{}", worker.name);
    }
}
