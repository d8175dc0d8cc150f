//! The API over a real herder, a real shard and the embedded log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::front::FrontSettings;
use super::*;
use crate::clients::Lease;
use crate::config::worker::{self, Listener, Log};
use crate::herder::{Herder, HerderSettings};
use crate::logging::Loggers;
use crate::plugins::Plugins;
use crate::shard::{RuntimeKind, ShardHandle, Shards, affinity_cpus};
use crate::storage::{ActiveTopics, OffsetStore};
use crate::worker::{EmbeddedAccess, MetricsRegistry, Worker, WorkerShared};

/// What a worker has whose file says nothing about REST.
pub(super) fn rest_config() -> RestConfig {
    RestConfig {
        listeners: None,
        admin_listeners: None,
        advertised_host: None,
        advertised_port: None,
        advertised_listener: None,
        allow_origin: String::new(),
        allow_methods: String::new(),
        response_headers: String::new(),
        basic_auth: false,
        jaas_file: None,
        bearer_token_file: None,
        https: None,
        admin_https: None,
    }
}

/// A worker with its API on a port of its own.
pub(super) struct Fixture {
    pub(super) server: Option<RestServer>,
    herder: Option<Herder>,
    /// The only one.
    pub(super) shard: ShardHandle,
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

    pub(super) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

/// What a worker is made of.
pub(super) struct Parts {
    pub(super) dir: TempDir,
    pub(super) rest: RestConfig,
    pub(super) shared: Arc<WorkerShared>,
    pub(super) shards: Shards,
}

impl Parts {
    /// With `more` lines in its file.
    pub(super) fn make(more: &str, plugins: Plugins) -> Self {
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
        let own_port = || vec![Listener::parse("http://127.0.0.1:0").unwrap()];
        rest.listeners.get_or_insert_with(own_port);
        let shared = Arc::new(WorkerShared {
            config: file.config,
            providers: file.providers,
            plugins,
            offsets: OffsetStore::in_memory().into(),
            active_topics: ActiveTopics::default(),
            log: Box::new(log),
            lease: Lease::unlimited(),
        });
        let shards = Shards::start(RuntimeKind::Epoll, &affinity_cpus()[..1]).unwrap();
        Self {
            dir,
            rest,
            shared,
            shards,
        }
    }
}

/// What its API looks at.
pub(super) fn context(shared: Arc<WorkerShared>, shard: &ShardHandle) -> RestContext {
    let cluster_id = Arc::new(OnceLock::new());
    cluster_id.set("cluster".to_owned()).unwrap();
    let loggers = Arc::new(Loggers::parse("info").unwrap());
    RestContext::new(shared, cluster_id, shard.clone()).with_loggers(loggers)
}

impl Fixture {
    pub(super) fn start() -> Self {
        Self::start_with(FrontSettings::default(), "")
    }

    pub(super) fn start_with(settings: FrontSettings, more: &str) -> Self {
        let of_herder = HerderSettings::new(Duration::from_secs(5));
        Self::start_full(settings, more, Plugins::builtin(), of_herder)
    }

    pub(super) fn start_full(
        settings: FrontSettings,
        more: &str,
        plugins: Plugins,
        of_herder: HerderSettings,
    ) -> Self {
        let Parts {
            dir,
            rest,
            shared,
            shards,
        } = Parts::make(more, plugins);
        let shard = shards.handles()[0].clone();
        let metrics = MetricsRegistry::default();
        let worker = Worker::new(Arc::clone(&shared), shards, metrics.clone());
        let herder = Herder::start(worker, of_herder).unwrap();
        let context = context(shared, &shard).with_metrics(metrics);
        let context = Arc::new(context);
        let listeners = RestListeners::bind(&rest);
        let server = listeners.and_then(|listeners| {
            let (handle, context) = (herder.handle(), Arc::clone(&context));
            RestServer::start_with(listeners, &rest, handle, context, settings)
        });
        Self {
            server: Some(server.unwrap()),
            herder: Some(herder),
            shard,
            context,
            dir,
        }
    }

    pub(super) fn server(&self) -> &RestServer {
        self.server.as_ref().unwrap()
    }

    pub(super) fn connect(&self) -> TcpStream {
        self.connect_to(0)
    }

    /// Connects to a listener by its index.
    fn connect_to(&self, listener: usize) -> TcpStream {
        connect(self.server().addresses()[listener])
    }

    pub(super) fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let kind = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/json\r\n"
        };
        self.call_with(method, path, kind, body)
    }

    pub(super) fn call_with(&self, method: &str, path: &str, fields: &str, body: &str) -> Answer {
        exchange(self.connect(), method, path, fields, body)
    }

    pub(super) fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "")
    }

    /// Asks until the answer's body fits.
    pub(super) fn wait(&self, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
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
        assert!(herder.join().clean, "a clean stop");
        if let Some(server) = self.server.take() {
            server.stop();
        }
    }
}

pub(super) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    // Longer than any wait of these tests; a hang fails instead of hanging.
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
        .set_write_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// One request on a connection, which ends with it. `fields` are whole lines.
pub(super) fn exchange(
    mut stream: TcpStream,
    method: &str,
    path: &str,
    fields: &str,
    body: &str,
) -> Answer {
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
    let allowed =
        "access.control.allow.origin=http://x,http://b\naccess.control.allow.methods=GET,PUT\n";
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
    // The resource answers, too.
    assert!(
        answer.head.contains("Allow: HEAD,POST,GET,OPTIONS\r\n"),
        "{answer:?}"
    );
    assert_eq!(answer.body, "HEAD, POST, GET, OPTIONS");
    let elsewhere = fixture.call_with("OPTIONS", "/nope", &preflight, "");
    assert_eq!(elsewhere.status, 404);
    assert!(
        elsewhere
            .head
            .contains("Access-Control-Allow-Origin: http://b\r\n"),
        "{elsewhere:?}"
    );
}

#[test]
fn a_page_of_another_site_changes_nothing_unless_its_origin_is_let_in() {
    let status = |fixture: &Fixture, method: &str, site: &str, origin: &str| {
        let fields = format!("Sec-Fetch-Site: {site}\r\nOrigin: {origin}\r\n");
        let answer = fixture.call_with(method, "/connectors/none/restart", &fields, "");
        answer.status
    };
    let fixture = Fixture::start();
    assert_eq!(status(&fixture, "POST", "cross-site", "http://evil"), 403);
    assert_eq!(status(&fixture, "POST", "same-origin", "http://good"), 404);
    let read = fixture.call_with("GET", "/", "Sec-Fetch-Site: cross-site\r\n", "");
    assert_eq!(read.status, 200, "reading is what CORS is for: {read:?}");
    drop(fixture);
    let allowed = "access.control.allow.origin=http://good\n";
    let fixture = Fixture::start_with(FrontSettings::default(), allowed);
    assert_eq!(status(&fixture, "POST", "cross-site", "http://good"), 404);
    assert_eq!(status(&fixture, "POST", "cross-site", "http://evil"), 403);
}

/// `OPTIONS` says whether a path is there, whatever its resource would do.
fn options(fixture: &Fixture, listener: usize, path: &str) -> u16 {
    let stream = fixture.connect_to(listener);
    exchange(stream, "OPTIONS", path, "Origin: http://b\r\n", "").status
}

#[test]
fn admin_paths_are_beside_the_others_unless_they_have_listeners_or_are_off() {
    let fixture = Fixture::start();
    assert_eq!(options(&fixture, 0, "/admin/loggers"), 200);
    drop(fixture);

    let settings = "admin.listeners=http://127.0.0.1:0,http://[::1]:0\n\
                    access.control.allow.origin=*\nresponse.http.headers.config=set X: y\n";
    let fixture = Fixture::start_with(FrontSettings::default(), settings);
    assert_eq!(fixture.server().addresses().len(), 3);
    for path in ["/admin/loggers", "/admin/loggers/root"] {
        assert_eq!(options(&fixture, 0, path), 404, "{path}");
        assert_eq!(options(&fixture, 1, path), 200, "{path}");
        assert_eq!(options(&fixture, 2, path), 200, "{path}");
    }
    for path in ["/", "/connectors", "/health", "/nope"] {
        let answer = exchange(fixture.connect_to(1), "GET", path, "", "");
        assert_eq!(
            (answer.status, answer.message().as_str()),
            (404, "HTTP 404 Not Found"),
            "{path}"
        );
    }
    assert_eq!(options(&fixture, 0, "/connectors"), 200);
    // What main listeners add, admin listeners do not.
    let main = fixture.call_with("GET", "/connectors", "Origin: http://b\r\n", "");
    let stream = fixture.connect_to(1);
    let admin = exchange(
        stream,
        "OPTIONS",
        "/admin/loggers",
        "Origin: http://b\r\n",
        "",
    );
    for (answer, expected) in [(main, true), (admin, false)] {
        for field in [
            "Access-Control-Allow-Origin: http://b\r\n",
            "Vary: Origin\r\n",
            "X: y\r\n",
        ] {
            assert_eq!(
                answer.head.contains(field),
                expected,
                "{field} in {answer:?}"
            );
        }
    }
    // Nobody gets to the admin paths by claiming to come from there.
    let claim = "X-Ringmain-Surface: admin\r\n";
    assert_eq!(
        fixture
            .call_with("OPTIONS", "/admin/loggers", claim, "")
            .status,
        404
    );
    drop(fixture);

    let fixture = Fixture::start_with(FrontSettings::default(), "admin.listeners=\n");
    assert_eq!(options(&fixture, 0, "/admin/loggers"), 404);
    assert_eq!(options(&fixture, 0, "/connectors"), 200);
}

#[test]
fn what_would_be_answered_asks_for_credentials_and_nothing_else_does() {
    let dir = TempDir::new().unwrap();
    let (users, jaas) = (dir.path().join("users"), dir.path().join("jaas"));
    std::fs::write(&users, "user=secret").unwrap();
    let entry = format!(
        "KafkaConnect {{ org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule \
         required file=\"{}\"; }};",
        users.display()
    );
    std::fs::write(&jaas, entry).unwrap();
    let settings = format!(
        "rest.extension.classes={}\nrest.basic.auth.jaas.file={}\nadmin.listeners=http://127.0.0.1:0\n",
        worker::BASIC_AUTH_EXTENSION,
        jaas.display()
    );
    let fixture = Fixture::start_with(FrontSettings::default(), &settings);
    let right = "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n";
    let status = |method: &str, path: &str, fields: &str, body: &str| {
        fixture.call_with(method, path, fields, body).status
    };
    assert_eq!(status("GET", "/connectors", right, ""), 200);
    let refused = fixture.call("GET", "/connectors", "");
    assert_eq!(
        (refused.status, refused.body.as_str()),
        (401, "User cannot access the resource.")
    );
    assert!(
        refused.head.starts_with("HTTP/1.1 401 Unauthorized\r\n"),
        "{refused:?}"
    );
    let wrong = "Authorization: Basic dXNlcjpzZWNyZXRz\r\n";
    assert_eq!(status("GET", "/", wrong, ""), 401);
    assert_eq!(status("GET", "/health", "", ""), 401);
    assert_eq!(status("OPTIONS", "/connectors", "", ""), 401);
    assert_eq!(status("GET", "/nope", "", ""), 404);
    assert_eq!(status("DELETE", "/connectors", "", ""), 405);
    assert_eq!(
        status("GET", "/connectors", "Accept: text/html\r\n", ""),
        406
    );
    assert_eq!(
        status("POST", "/connectors", "Content-Type: text/plain\r\n", "x"),
        415
    );
    let malformed = fixture.call_with("GET", "/connectors", "Authorization: Basic !!!!\r\n", "");
    assert_eq!(
        (malformed.status, malformed.message().as_str()),
        (500, "Illegal base64 character 21")
    );
    // Nothing is done before.
    let create = fixture.call("POST", "/connectors", &source("c", &fixture));
    assert_eq!(create.status, 401);
    let list = fixture.call_with("GET", "/connectors", right, "");
    assert_eq!(list.body, "[]");
    // The admin listeners are guarded as well.
    assert_eq!(options(&fixture, 1, "/admin/loggers"), 401);
    let stream = fixture.connect_to(1);
    assert_eq!(
        exchange(stream, "OPTIONS", "/admin/loggers", right, "").status,
        200
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
        https.starts_with("ssl.keystore.location") && https.ends_with("for https://127.0.0.1:0"),
        "{https}"
    );
}

#[test]
fn the_page_is_for_browsers_and_runs_its_own_script_alone() {
    let fixture = Fixture::start();
    let accept = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    let page = fixture.call_with("GET", "/ui", accept, "");
    assert_eq!(page.status, 200);
    assert!(
        page.head.contains("Content-Type: text/html;charset=utf-8"),
        "{}",
        page.head
    );
    assert!(page.head.contains("script-src 'nonce-"), "{}", page.head);
    assert!(page.body.starts_with("<!doctype html>"));
    let json = "Accept: application/json\r\n";
    assert_eq!(fixture.call_with("GET", "/ui", json, "").status, 406);
    assert_eq!(fixture.call("POST", "/ui", "{}").status, 405);
}

#[test]
fn a_preview_reads_and_converts_and_leaves_no_trace() {
    let fixture = Fixture::start();
    let file = fixture.dir.path().join("in.txt");
    std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
    let config = json!({
        "name": "p", "connector.class": "FileStreamSource", "topic": "t", "file": file,
        "transforms": "r", "transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouter",
        "transforms.r.regex": "t", "transforms.r.replacement": "routed",
    });
    let path = "/connector-plugins/FileStreamSource/preview";
    let body = config.to_string();
    let answer = fixture.call("PUT", &format!("{path}?limit=2"), &body);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let seen = answer.json();
    assert_eq!(seen["records"].as_array().unwrap().len(), 2);
    assert_eq!(seen["records"][1]["written"]["topic"], "routed");
    assert_eq!(seen["records"][1]["written"]["value"], "dHdv");
    assert_eq!(seen["records"][0]["steps"][0]["transform"], "r");
    // The next one begins at the beginning again, and there is no such connector.
    let again = fixture
        .call("PUT", &format!("{path}?limit=1"), &body)
        .json();
    assert_eq!(again["records"][0]["written"]["value"], "b25l");
    assert_eq!(fixture.get("/connectors").body, "[]");
    for (path, status) in [
        (format!("{path}?limit=0"), 400),
        (path.replace("Source", "Sink"), 400),
    ] {
        assert_eq!(fixture.call("PUT", &path, &body).status, status, "{path}");
    }
    let mut wrong = config.clone();
    wrong["tasks.max"] = json!("0");
    let refused = fixture.call("PUT", path, &wrong.to_string());
    assert_eq!(refused.status, 400);
    assert!(
        refused.body.contains("Value must be at least 1"),
        "{}",
        refused.body
    );
}
