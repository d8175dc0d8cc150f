//! The API over a real herder, a real shard and the embedded log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::front::FrontSettings;
use super::*;
use crate::config::worker::{self, Listener, Log};
use crate::herder::{Herder, HerderSettings};
use crate::plugins::Plugins;
use crate::shard::{RuntimeKind, Shards, affinity_cpus};
use crate::storage::OffsetStore;
use crate::worker::{EmbeddedAccess, MetricsRegistry, Worker, WorkerShared};

/// A worker with its API on a port of its own.
pub(super) struct Fixture {
    pub(super) server: Option<RestServer>,
    herder: Option<Herder>,
    pub(super) context: Arc<RestContext>,
    pub(super) dir: TempDir,
}

/// An answer with its head as text.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

impl Fixture {
    pub(super) fn start() -> Self {
        Self::start_with(FrontSettings::default(), "")
    }

    pub(super) fn start_with(settings: FrontSettings, more: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("worker.properties");
        let text = format!(
            "bootstrap.servers=embedded:{0}/log\noffset.storage.file.filename={0}/offsets\n\
             key.converter=org.apache.kafka.connect.storage.StringConverter\n\
             value.converter=org.apache.kafka.connect.storage.StringConverter\n{more}",
            dir.path().display()
        );
        std::fs::write(&path, text).unwrap();
        let file = worker::load(&path).unwrap();
        let Log::Embedded(log) = &file.config.log else {
            panic!("not embedded");
        };
        let log = EmbeddedAccess::open(log, &file.config.embedded).unwrap();
        let mut rest = file.config.rest.clone();
        rest.listeners = Some(vec![Listener::parse("http://127.0.0.1:0").unwrap()]);
        let shared = Arc::new(WorkerShared {
            config: file.config,
            providers: file.providers,
            plugins: Plugins::builtin(),
            offsets: OffsetStore::in_memory(),
            log: Box::new(log),
        });
        let shards = Shards::start(RuntimeKind::Epoll, &affinity_cpus()[..1]).unwrap();
        let worker = Worker::new(Arc::clone(&shared), shards, MetricsRegistry::default());
        let settings_of_herder = HerderSettings {
            graceful_timeout: Duration::from_secs(5),
        };
        let herder = Herder::start(worker, settings_of_herder).unwrap();
        let cluster_id = Arc::new(OnceLock::new());
        cluster_id.set("cluster".to_owned()).unwrap();
        let context = Arc::new(RestContext::new(shared, cluster_id));
        let server = RestServer::start_with(&rest, herder.handle(), Arc::clone(&context), settings);
        Self {
            server: Some(server.unwrap()),
            herder: Some(herder),
            context,
            dir,
        }
    }

    pub(super) fn server(&self) -> &RestServer {
        self.server.as_ref().unwrap()
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server().addresses()[0]).unwrap();
        // Longer than any wait of these tests; a hang fails instead of hanging.
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
            .set_write_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    pub(super) fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/json\r\n"
        };
        self.call_with(method, path, kind, body)
    }

    fn call_with(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        let mut stream = self.connect();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: a\r\n{fields}Content-Length: {length}\r\nConnection: \
             close\r\n\r\n{body}"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        answer(&text)
    }

    fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "")
    }

    /// Asks until the answer's body fits.
    fn wait(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..1000 {
            let body = self.get(path).json();
            if fits(&body) {
                return body;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{path} stays {}", self.get(path).body);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let herder = self.herder.take().unwrap();
        herder.handle().shut_down();
        assert!(herder.join(), "a clean stop");
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

pub(super) fn answer(text: &str) -> Answer {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .unwrap_or_else(|| panic!("{text:?}"));
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn source(name: &str, fixture: &Fixture) -> String {
    let file = fixture.dir.path().join("in.txt");
    std::fs::write(&file, "").unwrap();
    json!({"name": name, "config": {
        "connector.class": "FileStreamSource", "topic": "t", "file": file, "tasks.max": 1,
    }})
    .to_string()
}

#[test]
fn the_root_shows_kafkas_version_and_ours() {
    let fixture = Fixture::start();
    let root = fixture.get("/");
    let version = env!("CARGO_PKG_VERSION");
    let expected = format!(
        r#"{{"version":"4.3.1","commit":"26b251a451ce941d","kafka_cluster_id":"cluster","ringmain_version":"{version}"}}"#
    );
    assert_eq!(root.body, expected);
    assert!(
        root.head
            .contains(&format!("X-Ringmain-Version: {version}")),
        "{root:?}"
    );
    assert_eq!(fixture.get("/health").status, 503);
    fixture.context.set_ready();
    let health = fixture.get("/health/");
    assert_eq!(
        health.body,
        r#"{"status":"healthy","message":"Worker has completed startup and is ready to handle requests."}"#
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "one life in its order")]
fn a_connector_lives_through_all_calls() {
    let fixture = Fixture::start();
    let worker = fixture.server().worker_id().to_owned();
    let made = fixture.call("POST", "/connectors", &source("src", &fixture));
    assert_eq!(made.status, 201, "{made:?}");
    let location = format!("Location: http://{worker}/connectors/src");
    assert!(made.head.contains(&location), "{made:?}");
    let file = fixture.dir.path().join("in.txt").display().to_string();
    let info = format!(
        r#"{{"name":"src","config":{{"connector.class":"FileStreamSource","topic":"t","file":"{file}","tasks.max":"1","name":"src"}},"tasks":[{{"connector":"src","task":0}}],"type":"source"}}"#
    );
    assert_eq!(made.body, info);
    assert_eq!(fixture.get("/connectors/src").body, info);
    assert_eq!(fixture.get("/connectors").body, r#"["src"]"#);
    let again = fixture.call("POST", "/connectors", &source("src", &fixture));
    assert_eq!(
        (again.status, again.message()),
        (409, "Connector src already exists".to_owned())
    );

    let runs = |status: &Value| status["tasks"][0]["state"] == "RUNNING";
    fixture.wait("/connectors/src/status", runs);
    let state = format!(r#"{{"state":"RUNNING","worker_id":"{worker}","version":"4.3.1"}}"#);
    let task = state.replacen('{', r#"{"id":0,"#, 1);
    let status =
        format!(r#"{{"name":"src","connector":{state},"tasks":[{task}],"type":"source"}}"#);
    assert_eq!(fixture.get("/connectors/src/status").body, status);
    assert_eq!(fixture.get("/connectors/src/tasks/0/status").body, task);
    let expanded = fixture.get("/connectors?expand=status&expand=info&expand=foo");
    assert_eq!(
        expanded.body,
        format!(r#"{{"src":{{"status":{status},"info":{info}}}}}"#)
    );
    assert_eq!(fixture.get("/connectors?expand=foo").body, r#"{"src":{}}"#);

    assert_eq!(fixture.call("PUT", "/connectors/src/pause", "").status, 202);
    fixture.wait("/connectors/src/status", |status| {
        status["tasks"][0]["state"] == "PAUSED"
    });
    assert_eq!(fixture.call("PUT", "/connectors/src/stop", "").status, 204);
    fixture.wait("/connectors/src/status", |status| {
        status["tasks"] == json!([])
    });
    assert_eq!(
        fixture.call("PUT", "/connectors/src/resume", "").status,
        202
    );
    fixture.wait("/connectors/src/status", runs);
    assert_eq!(
        fixture.call("POST", "/connectors/src/restart", "").status,
        204
    );
    fixture.wait("/connectors/src/status", runs);
    let plan = fixture.call("POST", "/connectors/src/restart?includeTasks=true", "");
    assert_eq!(
        (plan.status, &plan.json()["connector"]["state"]),
        (202, &json!("RESTARTING"))
    );
    fixture.wait("/connectors/src/status", runs);
    assert_eq!(
        fixture
            .call("POST", "/connectors/src/tasks/0/restart", "")
            .status,
        204
    );
    fixture.wait("/connectors/src/status", runs);

    let patched = fixture.call(
        "PATCH",
        "/connectors/src/config",
        r#"{"tasks.max":null,"x":"y"}"#,
    );
    assert_eq!(patched.status, 200, "{patched:?}");
    let config = patched.json()["config"].clone();
    assert_eq!((config.get("tasks.max"), &config["x"]), (None, &json!("y")));
    assert_eq!(fixture.get("/connectors/src/config").json(), config);
    assert_eq!(fixture.call("DELETE", "/connectors/src", "").status, 204);
    let gone = fixture.get("/connectors/src");
    assert_eq!(
        (gone.status, gone.message()),
        (404, "Connector src not found".to_owned())
    );
}

#[test]
fn names_are_percent_decoded_and_locations_encoded() {
    let fixture = Fixture::start();
    let made = fixture.call("POST", "/connectors", &source(" a b/ü+? ", &fixture));
    assert!(
        made.head.contains("/connectors/a%20b%2F%C3%BC+%3F\r\n"),
        "{made:?}"
    );
    let found = fixture.get("/connectors/a%20b%2F%C3%BC%2B%3f/config");
    assert_eq!(found.json()["name"], "a b/ü+?");
    for bad in [
        "/connectors/%zz",
        "/connectors/%",
        "/connectors/%ff",
        "/connectors//status",
    ] {
        assert_eq!(fixture.get(bad).status, 400, "{bad}");
    }
}

/// Statuses and texts as Apache Kafka Connect 4.3.1 gave them.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn refusals_read_as_kafkas() {
    let fixture = Fixture::start();
    let null_request = "Cannot invoke \"org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.name()\" because \"createRequest\" is null";
    let null_config =
        "Cannot invoke \"java.util.Map.get(Object)\" because \"connectorConfig\" is null";
    let invalid = |errors: &str, count: u32| {
        format!(
            "Connector configuration is invalid and contains the following {count} error(s):\n{errors}\nYou \
             can also find the above list of errors at the endpoint \
             `/connector-plugins/{{connectorType}}/config/validate`"
        )
    };
    let topic = invalid(
        "Missing required configuration \"topic\" which has no default value.",
        1,
    );
    let empty = invalid(
        "Invalid value  for configuration name: String may not be empty",
        1,
    );
    let file = r#"{"connector.class":"FileStreamSource","topic":"t"}"#;
    let named = |name: &str| format!(r#"{{"name":"{name}","config":{file}}}"#);
    let cases = [
        ("GET", "/nope", "", 404, "HTTP 404 Not Found"),
        ("DELETE", "/", "", 405, "HTTP 405 Method Not Allowed"),
        ("FOO", "/connectors", "", 405, "HTTP 405 Method Not Allowed"),
        ("POST", "/connectors", "null", 500, null_request),
        ("POST", "/connectors", "{}", 500, null_config),
        ("PUT", "/connectors/a/config", "null", 500, null_config),
        (
            "POST",
            "/connectors",
            r#"{"config":{}}"#,
            400,
            "Connector config {name=} contains no connector type",
        ),
        (
            "POST",
            "/connectors",
            r#"{"name":"a","config":{"name":"b"}}"#,
            400,
            "Connector name configuration (b) doesn't match connector name in the URL (a)",
        ),
        (
            "POST",
            "/connectors",
            r#"{"name":"a","config":{"connector.class":"FileStreamSource"}}"#,
            400,
            &topic,
        ),
        ("POST", "/connectors", &named(""), 400, &empty),
        (
            "PUT",
            "/connectors/a/config",
            r#"{"name":"b"}"#,
            400,
            "Connector name configuration (b) doesn't match connector name in the URL (a)",
        ),
        (
            "PATCH",
            "/connectors/a/config",
            "{}",
            404,
            "Connector a not found",
        ),
        ("GET", "/connectors/a", "", 404, "Connector a not found"),
        (
            "GET",
            "/connectors/a/config",
            "",
            404,
            "Connector a not found",
        ),
        (
            "GET",
            "/connectors/a/tasks",
            "",
            404,
            "Connector a not found",
        ),
        (
            "GET",
            "/connectors/a/status",
            "",
            404,
            "No status found for connector a",
        ),
        (
            "GET",
            "/connectors/%20a%20/status",
            "",
            404,
            "No status found for connector  a ",
        ),
        (
            "GET",
            "/connectors/a/tasks/0/status",
            "",
            404,
            "No status found for task a-0",
        ),
        (
            "GET",
            "/connectors/a/tasks/-1/status",
            "",
            404,
            "No status found for task a--1",
        ),
        (
            "GET",
            "/connectors/a/tasks/x/status",
            "",
            404,
            "HTTP 404 Not Found",
        ),
        (
            "GET",
            "/connectors/a/tasks/99999999999/status",
            "",
            404,
            "HTTP 404 Not Found",
        ),
        ("PUT", "/connectors/a/pause", "", 404, "Unknown connector a"),
        (
            "PUT",
            "/connectors/a/resume",
            "",
            404,
            "Unknown connector a",
        ),
        (
            "POST",
            "/connectors/a/restart?includeTasks=true",
            "",
            404,
            "Unknown connector: a",
        ),
        ("DELETE", "/connectors/a", "", 404, "Connector a not found"),
        (
            "GET",
            "/connector-plugins/Nope/config",
            "",
            404,
            "Unknown plugin Nope.",
        ),
        (
            "PUT",
            "/connector-plugins/FileStreamSource/config/validate",
            r#"{"connector.class":"FileStreamSink"}"#,
            400,
            "Included connector type FileStreamSink does not match request type FileStreamSource",
        ),
        (
            "PUT",
            "/connector-plugins/FileStreamSource/config/validate",
            "{}",
            500,
            "org.apache.kafka.connect.runtime.rest.errors.BadRequestException: Connector config {} contains no connector type",
        ),
    ];
    for (method, path, body, status, message) in cases {
        let answer = fixture.call(method, path, body);
        let found = (answer.status, answer.json());
        let expected = (status, json!({"error_code": status, "message": message}));
        assert_eq!(found, expected, "{method} {path} {body}");
    }
    for path in [
        "/connectors/a/offsets",
        "/connectors/a/topics",
        "/admin/loggers",
    ] {
        let answer = fixture.get(path);
        assert_eq!(answer.status, 404);
        assert!(answer.message().contains("does not offer"), "{answer:?}");
    }
    let unknown = fixture.call(
        "POST",
        "/connectors",
        r#"{"config":{"connector.class":"Nope"}}"#,
    );
    assert_eq!(unknown.status, 400);
    assert!(
        unknown.message().contains("FileStreamSinkConnector"),
        "{unknown:?}"
    );
}

#[test]
fn media_types_and_options_follow_jersey() {
    let fixture = Fixture::start();
    let status = |fields: &str, body: &str| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        fixture
            .call_with(method, "/connectors", fields, body)
            .status
    };
    assert_eq!(status("Content-Type: text/plain\r\n", "x"), 415);
    assert_eq!(status("", "x"), 415);
    assert_eq!(status("Content-Type: text/plain\r\n", ""), 415);
    assert_eq!(
        status("Content-Type: application/json; charset=utf-8\r\n", "null"),
        500
    );
    assert_eq!(status("Accept: text/html\r\n", ""), 406);
    assert_eq!(status("Accept: text/html, */*;q=0.1\r\n", ""), 200);
    let options = fixture.call("OPTIONS", "/connectors/x/config", "");
    assert_eq!(
        (options.status, options.body.as_str()),
        (200, "HEAD, GET, OPTIONS, PUT, PATCH")
    );
    assert!(
        options.head.contains("Content-Type: text/plain"),
        "{options:?}"
    );
    let head = fixture.call("HEAD", "/connectors", "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert!(head.head.contains("Content-Length: 2"), "{head:?}");
}

#[test]
fn other_origins_are_let_in_only_when_configured() {
    let origin = "Origin: http://b\r\n";
    let fixture = Fixture::start();
    assert!(
        !fixture
            .call_with("GET", "/", origin, "")
            .head
            .contains("Access-Control")
    );
    drop(fixture);
    let allowed = "access.control.allow.origin=http://b\naccess.control.allow.methods=GET,PUT\n";
    let fixture = Fixture::start_with(FrontSettings::default(), allowed);
    let answer = fixture.call_with("GET", "/", origin, "");
    assert!(
        answer
            .head
            .contains("Access-Control-Allow-Origin: http://b\r\n"),
        "{answer:?}"
    );
    let other = fixture.call_with("GET", "/", "Origin: http://c\r\n", "");
    assert!(!other.head.contains("Access-Control"), "{other:?}");
    let preflight = format!("{origin}Access-Control-Request-Method: PUT\r\n");
    let answer = fixture.call_with("OPTIONS", "/connectors", &preflight, "");
    assert!(
        answer
            .head
            .contains("Access-Control-Allow-Methods: GET,PUT\r\n"),
        "{answer:?}"
    );
}

#[test]
fn configured_headers_are_on_every_answer() {
    let rules = "response.http.headers.config=set X-Frame-Options: DENY\n";
    let fixture = Fixture::start_with(FrontSettings::default(), rules);
    for path in ["/connectors", "/nope"] {
        let answer = fixture.get(path);
        assert!(
            answer.head.contains("X-Frame-Options: DENY\r\n"),
            "{answer:?}"
        );
    }
}

#[test]
fn plugins_are_listed_sinks_first_and_described() {
    let fixture = Fixture::start();
    let list = fixture.get("/connector-plugins").json();
    assert_eq!(
        list[0],
        json!({"class": "io.ringmain.connect.NullSinkConnector", "type": "sink", "version": "4.3.1"})
    );
    let all = fixture
        .get("/connector-plugins?connectorsOnly=false")
        .json();
    let kinds: Vec<_> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["type"].clone())
        .collect();
    let mut order = kinds.clone();
    order.dedup();
    let expected = [
        "sink",
        "source",
        "transformation",
        "predicate",
        "converter",
        "header_converter",
    ];
    assert_eq!(order, expected);
    let keys = fixture
        .get("/connector-plugins/FileStreamSink/config")
        .json();
    assert_eq!(
        (&keys[0]["name"], &keys[1]["name"]),
        (&json!("file"), &json!("name"))
    );
    let converter = fixture.get("/connector-plugins/JsonConverter/config");
    assert_eq!(converter.status, 200);
    let class = "org.apache.kafka.connect.transforms.HoistField$Key";
    let path = format!("/connector-plugins/{class}/config");
    let keys = fixture.get(&path).json();
    assert_eq!(keys[0]["name"], "field");
}

#[test]
fn a_taken_address_and_https_are_start_errors_that_name_the_listener() {
    let fixture = Fixture::start();
    let address = fixture.server().addresses()[0];
    let start = |listener: &str| {
        let mut config = fixture.context.shared.config.rest.clone();
        config.listeners = Some(vec![Listener::parse(listener).unwrap()]);
        let herder = fixture.herder.as_ref().unwrap().handle();
        let started = RestServer::start(&config, herder, Arc::clone(&fixture.context));
        started.err().unwrap().to_string()
    };
    let taken = start(&format!("http://{address}"));
    assert!(
        taken.contains(&format!("can't listen on http://{address}")),
        "{taken}"
    );
    assert!(taken.contains("another process listens there"), "{taken}");
    let https = start("https://127.0.0.1:0");
    assert!(
        https.contains("https://127.0.0.1:0: HTTPS is not supported"),
        "{https}"
    );
}
