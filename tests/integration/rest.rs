//! The REST API beside Apache's: the same calls to both workers, the same answers.
//!
//! What differs on purpose is not asked for here: order of map members, where Java uses hash maps;
//! `%2F` in names, which Jetty refuses; what this version does not offer yet; and two calls that Apache
//! answers with an internal error (restart and stop of an unknown connector).

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::ringmain::Standalone;
use crate::common::{ConnectOracle, PATIENCE, Properties, Ringmain, http, kafka, wait_until};

/// A worker's status and body, with what names the worker taken out.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    content_type: Option<String>,
    location: Option<String>,
    body: Value,
}

struct Both {
    apache: ConnectOracle,
    ringmain: Ringmain,
    _files: Standalone,
}

impl Both {
    /// `None` when tests do without Kafka.
    fn start() -> Option<Self> {
        let kafka = kafka()?;
        let cluster = kafka.shared_cluster();
        let worker = Properties::new()
            .set("bootstrap.servers", cluster.bootstrap())
            .set(
                "key.converter",
                "org.apache.kafka.connect.storage.StringConverter",
            )
            .set(
                "value.converter",
                "org.apache.kafka.connect.storage.StringConverter",
            );
        let apache = ConnectOracle::start(kafka, &worker, &[]);
        let files = Standalone::new(&worker, &[]);
        let ringmain = files.launch();
        ringmain.wait_until_serving();
        wait_until("Apache's REST interface", PATIENCE, || {
            let answer = http::try_request("GET", &apache.url("/health"), None);
            answer.is_ok_and(|answer| answer.status == 200)
        });
        Some(Self {
            apache,
            ringmain,
            _files: files,
        })
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>) -> (Answer, Answer) {
        let apache = ask(&self.apache.url(""), method, path, body);
        (apache, ask(&self.ringmain.url(""), method, path, body))
    }

    /// Both answer alike.
    fn same(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let (apache, ringmain) = self.ask(method, path, body);
        assert_eq!(
            ringmain, apache,
            "{method} {path} {body:?}: ours, then Apache's"
        );
        apache
    }

    /// Both come to show this state of every part of a connector.
    fn wait_for_state(&self, connector: &str, state: &str) {
        let path = format!("/connectors/{connector}/status");
        for url in [self.apache.url(&path), self.ringmain.url(&path)] {
            wait_until(&format!("{state} at {url}"), PATIENCE, || {
                let status = http::get(&url).json();
                let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
                let all_tasks = tasks.iter().all(|task| task["state"] == state);
                let none = state == "STOPPED" && tasks.is_empty();
                status["connector"]["state"] == state && all_tasks && (none || !tasks.is_empty())
            });
        }
    }
}

fn ask(base: &str, method: &str, path: &str, body: Option<&str>) -> Answer {
    let answer = http::try_text(method, &format!("{base}{path}"), body).unwrap();
    let address = base.strip_prefix("http://").unwrap();
    let plain = |text: &str| text.replace(address, "WORKER");
    let body = plain(&answer.body);
    // Texts of OPTIONS are no JSON.
    let body = serde_json::from_str(&body).unwrap_or(Value::String(body));
    let content_type = answer
        .header("content-type")
        .filter(|_| answer.status < 400);
    Answer {
        status: answer.status,
        content_type: content_type
            .filter(|_| answer.status != 202)
            .map(str::to_owned),
        location: answer.header("location").map(plain),
        body,
    }
}

fn source(name: &str, file: &Path) -> String {
    json!({"name": name, "config": {
        "connector.class": "FileStreamSource", "topic": "rest-lines", "file": file, "tasks.max": 2,
        "x": true,
    }})
    .to_string()
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn malformed_and_impossible_requests_are_refused_alike() {
    let Some(both) = Both::start() else { return };
    let no_body = [
        ("GET", "/nope"),
        ("DELETE", "/"),
        ("OPTIONS", "/"),
        ("OPTIONS", "/connectors"),
        ("OPTIONS", "/connectors/x"),
        ("OPTIONS", "/connectors/x/config"),
        ("OPTIONS", "/connectors/x/restart"),
        ("OPTIONS", "/connector-plugins/x/config/validate"),
        ("GET", "/health"),
        ("GET", "/connectors"),
        ("GET", "/connectors/"),
        ("GET", "/connectors?expand=status&expand=info"),
        ("GET", "/connectors/a"),
        ("GET", "/connectors/a/config"),
        ("GET", "/connectors/a/status"),
        ("GET", "/connectors/%20a%20/status"),
        ("GET", "/connectors/a/tasks"),
        ("GET", "/connectors/a/tasks/0/status"),
        ("GET", "/connectors/a/tasks/x/status"),
        ("GET", "/connectors/a/tasks/-1/status"),
        ("GET", "/connectors/a/tasks/99999999999/status"),
        ("PUT", "/connectors/a/pause"),
        ("PUT", "/connectors/a/resume"),
        ("POST", "/connectors/a/restart?includeTasks=true"),
        ("DELETE", "/connectors/a"),
        ("GET", "/connector-plugins/Nope/config"),
    ];
    for (method, path) in no_body {
        both.same(method, path, None);
    }
    for body in [
        "",
        "{",
        "garbage",
        "[]",
        "\"x\"",
        "null",
        "{}",
        "7",
        "true",
        r#"{"name":"a"}"#,
        r#"{"config":{}}"#,
        r#"{"name":"a","config":{}}"#,
        r#"{"name":"a","config":{"name":"b"}}"#,
        r#"{"name":"a","config":{"connector.class":"FileStreamSource"}}"#,
        r#"{"name":"a","config":{"connector.class":"FileStreamSource","topic":"t","tasks.max":"x"}}"#,
        r#"{"name":"","config":{"connector.class":"FileStreamSource","topic":"t"}}"#,
        r#"{"name":"a","config":{"connector.class":{"a":1}}}"#,
        r#"{"name":"a","config":{"connector.class":["a"]}}"#,
        r#"{"name":{"a":1},"config":{}}"#,
        r#"{"name":"a","config":[]}"#,
        r#"{"name":"a","config":"x"}"#,
        r#"{"name":"a","config":null}"#,
        r#"{"name":"a","configs":{}}"#,
        r#"{"name":"a","config":{},"initial_state":"foo"}"#,
        r#"{"name":"a","config":{},"initial_state":3}"#,
        r#"{"initial_state":{}}"#,
        r#"{"name":"a","config":{}} trailing"#,
        r#"{"name":"a","config":{"connector.class":"Nope",}}"#,
        r#"{"name":"a", config:{}}"#,
        r#"{"name":"a","config":{"topic":tru}}"#,
        r#"{"name":"a","config":{"topic":"x}}"#,
    ] {
        both.same("POST", "/connectors", Some(body));
    }
    for body in [
        "",
        "null",
        "[]",
        "5",
        "true",
        r#"{"a":{"b":1}}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b""#,
        r#"{"a":01}"#,
        r#"{"a":"\x"}"#,
        r#"{"a":?}"#,
        r#"{"a":-}"#,
        "{\"a\":\n\"x\ny\"}",
        r#"{"a":"b"} 5"#,
        r#"{"name":"b","connector.class":"FileStreamSource"}"#,
    ] {
        both.same("PUT", "/connectors/a/config", Some(body));
        both.same(
            "PUT",
            "/connector-plugins/FileStreamSource/config/validate",
            Some(body).filter(|body| !body.contains("class")),
        );
    }
    both.same("PATCH", "/connectors/a/config", Some(r#"{"x":"y"}"#));
    let other = Some(r#"{"connector.class":"FileStreamSink"}"#);
    both.same(
        "PUT",
        "/connector-plugins/FileStreamSource/config/validate",
        other,
    );
    // The root shows the same, and more.
    let (apache, ringmain) = both.ask("GET", "/", None);
    for member in ["version", "commit", "kafka_cluster_id"] {
        assert_eq!(ringmain.body[member], apache.body[member]);
    }
    assert!(ringmain.body["ringmain_version"].is_string());
}

#[test]
fn a_connectors_life_reads_alike() {
    let Some(both) = Both::start() else { return };
    let dir = crate::common::scratch_dir("rest");
    let file = dir.path().join("lines.txt");
    fs::write(&file, "").unwrap();
    let create = source("src", &file);
    let made = both.same("POST", "/connectors", Some(&create));
    assert_eq!(made.status, 201);
    assert_eq!(
        made.location.as_deref(),
        Some("http://WORKER/connectors/src")
    );
    assert_eq!(both.same("POST", "/connectors", Some(&create)).status, 409);
    both.wait_for_state("src", "RUNNING");
    let reads = [
        "/connectors",
        "/connectors?expand=status&expand=info&expand=foo",
        "/connectors?expand=foo",
        "/connectors/src",
        "/connectors/src/config",
        "/connectors/src/status",
        "/connectors/src/tasks",
        "/connectors/src/tasks/0/status",
        "/connectors/src/tasks/1/status",
    ];
    for path in reads {
        both.same("GET", path, None);
    }
    both.same("PUT", "/connectors/src/pause", None);
    both.wait_for_state("src", "PAUSED");
    both.same("GET", "/connectors/src/status", None);
    both.same("PUT", "/connectors/src/resume", None);
    both.wait_for_state("src", "RUNNING");
    both.same("PUT", "/connectors/src/stop", None);
    both.wait_for_state("src", "STOPPED");
    for path in reads {
        both.same("GET", path, None);
    }
    both.same("PUT", "/connectors/src/resume", None);
    both.wait_for_state("src", "RUNNING");
    both.same("POST", "/connectors/src/restart", None);
    both.wait_for_state("src", "RUNNING");
    both.same("POST", "/connectors/src/restart?includeTasks=true", None);
    both.wait_for_state("src", "RUNNING");
    both.same("POST", "/connectors/src/restart?onlyFailed=true", None);
    both.same("POST", "/connectors/src/tasks/0/restart", None);
    both.wait_for_state("src", "RUNNING");
    let patched = both.same(
        "PATCH",
        "/connectors/src/config",
        Some(r#"{"x":null,"y":"z"}"#),
    );
    assert_eq!(patched.body["config"]["y"], "z");
    let replaced =
        json!({"connector.class": "FileStreamSource", "topic": "rest-lines", "file": file});
    both.same("PUT", "/connectors/src/config", Some(&replaced.to_string()));
    let made = both.same(
        "PUT",
        "/connectors/a%20b+%C3%BC/config",
        Some(&replaced.to_string()),
    );
    assert_eq!(made.status, 201);
    both.same("GET", "/connectors/a%20b%2B%c3%bc", None);
    assert_eq!(both.same("DELETE", "/connectors/src", None).status, 204);
    both.same("DELETE", "/connectors/a%20b+%C3%BC", None);
    both.same("GET", "/connectors/src", None);
}

#[test]
fn a_connector_can_be_created_paused_or_stopped() {
    let Some(both) = Both::start() else { return };
    for (name, state) in [("p", "PAUSED"), ("s", "stopped")] {
        let body = json!({"name": name, "initial_state": state, "config": {
            "connector.class": "FileStreamSource", "topic": "t", "file": "/none",
        }});
        assert_eq!(
            both.same("POST", "/connectors", Some(&body.to_string()))
                .status,
            201
        );
        let path = format!("/connectors/{name}/status");
        let shows = |status: Answer| status.body["connector"]["state"] == state.to_uppercase();
        wait_until("the initial state", PATIENCE, || {
            let (apache, ringmain) = both.ask("GET", &path, None);
            shows(apache) && shows(ringmain)
        });
        both.same("GET", &path, None);
        both.same("GET", &format!("/connectors/{name}"), None);
    }
}

/// Everything but the documentation, which is in words of our own, keyed by name: Java's hash maps have
/// no order that could be kept.
fn validation(answer: &Answer) -> Value {
    let mut body = answer.body.clone();
    let mut groups: Vec<String> = serde_json::from_value(body["groups"].clone()).unwrap();
    groups.sort();
    body["groups"] = json!(groups);
    let configs = body["configs"].as_array().unwrap().iter().map(|config| {
        let mut config = config.clone();
        if config["definition"].is_object() {
            config["definition"]["documentation"] = Value::Null;
        }
        // Confluent's converters are built in here; Apache's Connect has none of them.
        if let Some(offered) = config["value"]["recommended_values"].as_array_mut() {
            let is_confluents = |class: &str| class.starts_with("io.confluent.");
            offered.retain(|class| !class.as_str().is_some_and(is_confluents));
        }
        (config["value"]["name"].as_str().unwrap().to_owned(), config)
    });
    body["configs"] = configs.collect::<serde_json::Map<_, _>>().into();
    body
}

#[test]
fn validations_find_the_same_and_define_the_same() {
    let Some(both) = Both::start() else { return };
    let json_converter = "org.apache.kafka.connect.json.JsonConverter";
    let cases = [
        json!({"connector.class": "FileStreamSource", "topic": "t"}),
        json!({"connector.class": "FileStreamSource", "tasks.max": "0", "topic": "t", "unknown": null}),
        json!({
            "connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "name": "x",
            "topic": "t", "batch.size": "x", "value.converter": json_converter,
            "value.converter.schemas.enable": "maybe",
            "key.converter": "org.apache.kafka.connect.converters.LongConverter",
        }),
        json!({
            "connector.class": "FileStreamSource", "topic": "t", "tasks.max": null, "name": null,
            "transforms": null, "key.converter": null,
        }),
    ];
    for config in &cases {
        let path = "/connector-plugins/FileStreamSource/config/validate";
        let (apache, ringmain) = both.ask("PUT", path, Some(&config.to_string()));
        assert_eq!(ringmain.status, apache.status);
        assert_eq!(
            validation(&ringmain),
            validation(&apache),
            "{config}: ours, then Apache's"
        );
    }
    let cases = [
        json!({
            "connector.class": "FileStreamSink", "name": "x", "topics": "t, u", "file": "f",
            "errors.tolerance": "all", "tasks.max": " 3 ", "errors.retry.timeout": "1.5",
            "consumer.override.foo": "1",
        }),
        json!({"connector.class": "FileStreamSink", "name": "x", "topics": "a", "topics.regex": "b"}),
        json!({
            "connector.class": "FileStreamSink", "name": "x\u{1}", "topics": "a,,b", "key.converter": "Foo",
            "header.converter": "Nope", "errors.tolerance": "bad",
        }),
    ];
    for config in &cases {
        let path = "/connector-plugins/FileStreamSinkConnector/config/validate";
        let (apache, ringmain) = both.ask("PUT", path, Some(&config.to_string()));
        assert_eq!(ringmain.status, apache.status);
        assert_eq!(
            validation(&ringmain),
            validation(&apache),
            "{config}: ours, then Apache's"
        );
    }
    for plugin in [
        "FileStreamSource",
        "FileStreamSink",
        "JsonConverter",
        "StringConverter",
    ] {
        let (apache, ringmain) =
            both.ask("GET", &format!("/connector-plugins/{plugin}/config"), None);
        let plain = |answer: &Answer| {
            let mut keys = answer.body.as_array().unwrap().clone();
            for key in &mut keys {
                key["documentation"] = Value::Null;
            }
            keys.sort_by_key(|key| key["name"].as_str().map(str::to_owned));
            keys
        };
        assert_eq!(
            plain(&ringmain),
            plain(&apache),
            "{plugin}: ours, then Apache's"
        );
    }
}
