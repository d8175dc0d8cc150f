//! Secrets stay where they are: what a provider gave and what stands in password keys is in no answer of
//! the REST interface and in no line of the log, at its most talkative.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::ringmain::Standalone;
use crate::common::{PATIENCE, Properties, Ringmain, http, scratch_dir, wait_until};

/// Stands only in files that providers read.
const PROVIDED: &str = "hunter2-provided";
/// Stands in the worker's file, in keys of the type password or of plugins.
const WORKERS: &str = "hunter2-worker";
/// Stands in connectors' configurations, in keys of the type password.
const PASSWORD: &str = "hunter2-password";

fn worker(dir: &Path) -> Properties {
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let secrets = dir.join("secrets.properties");
    fs::write(&secrets, format!("file={PROVIDED}\nkey={PROVIDED}\n")).unwrap();
    Properties::new()
        .set(
            "bootstrap.servers",
            format!("embedded:{}", dir.join("log").display()),
        )
        .set("key.converter", string)
        .set("value.converter", string)
        .set("value.converter.token", WORKERS)
        .set("ssl.key.password", WORKERS)
        .set("ssl.keystore.password", WORKERS)
        .set("producer.ssl.truststore.password", WORKERS)
        .set("sasl.jaas.config", WORKERS)
        .set("config.providers", "file")
        .set(
            "config.providers.file.class",
            "org.apache.kafka.common.config.provider.FileConfigProvider",
        )
        .set(
            "metrics.context.note",
            format!("${{file:{}:key}}", secrets.display()),
        )
}

/// Every path that reads something of connector `name`.
fn paths(name: &str) -> Vec<String> {
    let mut paths: Vec<String> = [
        "/",
        "/health",
        "/connectors?expand=info&expand=status",
        "/connector-plugins",
    ]
    .map(str::to_owned)
    .to_vec();
    for of_connector in [
        "",
        "/config",
        "/status",
        "/tasks",
        "/tasks/0/status",
        "/topics",
        "/offsets",
    ] {
        paths.push(format!("/connectors/{name}{of_connector}"));
    }
    paths
}

fn assert_silent(what: &str, text: &str) {
    for secret in [PROVIDED, WORKERS, PASSWORD] {
        assert!(!text.contains(secret), "{what} shows {secret}: {text}");
    }
}

fn put(ringmain: &Ringmain, name: &str, config: &Value) -> http::Answer {
    let url = ringmain.url(&format!("/connectors/{name}/config"));
    http::request("PUT", &url, Some(config))
}

fn read_everything(ringmain: &Ringmain, name: &str) {
    for path in paths(name) {
        let answer = http::get(&ringmain.url(&path));
        // What its owner wrote in plain text comes back to him, as in Kafka.
        let own = answer.body.replace(&format!("\"{PASSWORD}\""), "");
        assert_silent(&path, &own);
    }
}

#[test]
fn no_answer_and_no_log_line_shows_what_a_provider_gave_or_a_password() {
    let dir = scratch_dir("secrets");
    let worker = worker(dir.path());
    let reference = |key: &str| {
        format!(
            "${{file:{}:{key}}}",
            dir.path().join("secrets.properties").display()
        )
    };
    let files = Standalone::new(&worker, &[]);
    let ringmain = files.launch_with(|command| command.env("RINGMAIN_LOG", "trace"));
    ringmain.wait_until_serving();

    // A source with a secret of its own, a sink whose file is one (and fails), both with passwords.
    let input = dir.path().join("in.txt");
    fs::write(&input, "line\n").unwrap();
    let source = json!({
        "connector.class": "FileStreamSource", "file": input, "topic": "lines",
        "producer.override.ssl.key.password": PASSWORD, "some.key": reference("key"),
    });
    let sink = json!({
        "connector.class": "FileStreamSink", "topics": "lines", "file": format!("/nowhere/{}", reference("file")),
        "consumer.override.ssl.keystore.password": reference("key"),
    });
    let wrong = json!({
        "connector.class": "FileStreamSource", "file": input, "topic": "t",
        "tasks.max": reference("key"), "producer.override.acks": reference("key"),
    });
    for (name, config) in [("source", &source), ("sink", &sink)] {
        let answer = put(&ringmain, name, config);
        assert_eq!(answer.status, 201, "{answer:?}");
        let status = ringmain.url(&format!("/connectors/{name}/status"));
        wait_until("a task", PATIENCE, || {
            !http::get(&status).json()["tasks"][0].is_null()
        });
    }
    let refused = put(&ringmain, "wrong", &wrong);
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_silent("a refusal", &refused.body);
    wait_until("the failed sink", PATIENCE, || {
        ringmain.status("sink")["tasks"][0]["state"] == "FAILED"
    });

    for name in ["source", "sink"] {
        read_everything(&ringmain, name);
    }
    for config in [&source, &sink, &wrong] {
        let class = config["connector.class"].as_str().unwrap();
        let url = ringmain.url(&format!("/connector-plugins/{class}/config/validate"));
        let answer = http::request("PUT", &url, Some(config));
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_silent("a validation", &answer.body);
    }
    http::request(
        "POST",
        &ringmain.url("/connectors/source/restart?includeTasks=true"),
        None,
    );
    for name in ["source", "sink"] {
        http::request(
            "DELETE",
            &ringmain.url(&format!("/connectors/{name}")),
            None,
        );
    }
    ringmain.stop_cleanly();
    let log = ringmain.process().output();
    assert!(
        log.contains("TRACE") && log.contains("connector"),
        "no trace log: {log}"
    );
    assert_silent("the log", &log);
}
