//! Workers with real APIs over herders that answer what a test wants.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api::{ConfigMap, ConnectorKind};
use crate::cluster::peers::{Peers, Signing};
use crate::config::worker::HttpsConfig;
use crate::distributed::config_topic::SessionKey;
use crate::distributed::signature::{MacAlgorithm, Verification};
use crate::herder::standalone::{Reply, Request};
use crate::herder::{
    ConnectorInfo, ConnectorState, ConnectorStateInfo, HerderError, Limits, RunsOn, TaskState, stub,
};
use crate::plugins::Plugins;
use crate::rest::front::FrontSettings;
use crate::rest::tests::{Answer, Parts, connect, context, exchange};
use crate::rest::{RestListeners, RestServer};
use crate::shard::Shards;

const JSON_BODY: &str = "Content-Type: application/json\r\n";

/// A worker's URL, for others that start before it.
#[derive(Clone, Default)]
struct Url(Arc<OnceLock<String>>);

impl Url {
    fn elsewhere<T>(&self) -> Result<T, HerderError> {
        let url = self.0.get().cloned();
        Err(HerderError::Elsewhere { url })
    }
}

struct FakeWorker {
    server: Option<RestServer>,
    shards: Option<Shards>,
    asked: Arc<Mutex<Vec<Request>>>,
    dir: TempDir,
}

impl FakeWorker {
    /// With `more` lines in its file, found at `url`.
    fn start(
        more: &str,
        url: &Url,
        limits: Limits,
        answer: impl Fn(Request) -> Result<Reply, HerderError> + Clone + Send + 'static,
    ) -> Self {
        let Parts {
            dir,
            rest,
            shared,
            shards,
        } = Parts::make(more, Plugins::builtin());
        let https = HttpsConfig::of_peers(&shared.config.originals).unwrap();
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let herder = stub::handle(limits, move |request| {
            seen.lock().unwrap().push(request.clone());
            answer(request)
        });
        let context = context(shared, &shards.handles()[0]).with_peers(Arc::new(Peers::new(https)));
        let settings = FrontSettings::default();
        let listeners = RestListeners::bind(&rest).unwrap();
        let context = Arc::new(context);
        let server = RestServer::start_with(listeners, &rest, herder, context, settings);
        let server = server.unwrap();
        let scheme = match rest.https {
            Some(_) => "https",
            None => "http",
        };
        url.0
            .set(format!("{scheme}://{}/", server.worker_id()))
            .unwrap();
        Self {
            server: Some(server),
            shards: Some(shards),
            asked,
            dir,
        }
    }

    /// One that has everything done elsewhere.
    fn passing(url: &Url, to: &Url) -> Self {
        let to = to.clone();
        Self::start("", url, Limits::default(), move |_| to.elsewhere())
    }

    fn address(&self) -> SocketAddr {
        self.server.as_ref().unwrap().addresses()[0]
    }

    fn worker_id(&self) -> &str {
        self.server.as_ref().unwrap().worker_id()
    }

    fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let fields = if body.is_empty() { "" } else { JSON_BODY };
        exchange(connect(self.address()), method, path, fields, body)
    }

    fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for FakeWorker {
    fn drop(&mut self) {
        self.server.take().unwrap().stop();
        self.shards.take().unwrap().stop(Duration::from_secs(5));
    }
}

fn urls<const N: usize>() -> [Url; N] {
    std::array::from_fn(|_| Url::default())
}

fn told(answer: &Answer) -> (u16, String) {
    (answer.status, answer.message())
}

fn config(worker: &FakeWorker) -> Value {
    let file = worker.dir.path().join("in.txt");
    json!({"connector.class": "FileStreamSource", "topic": "t", "file": file})
}

fn info_of(name: &str, config: ConfigMap) -> ConnectorInfo {
    ConnectorInfo {
        name: name.to_owned(),
        config,
        tasks: Vec::new(),
        kind: Some(ConnectorKind::Source),
    }
}

/// A leader that creates whatever it is asked to.
fn creates(request: Request) -> Result<Reply, HerderError> {
    match request {
        Request::Create { name, config, .. } => Ok(Reply::Info(info_of(&name, config))),
        Request::PutConfig { name, config } => {
            let is_new = name == "new";
            Ok(Reply::Created(is_new, info_of(&name, config)))
        }
        _ => Ok(Reply::Done),
    }
}

#[test]
fn a_follower_hands_what_changes_something_to_the_leader_and_answers_as_if_it_had_done_it() {
    let [of_follower, of_leader] = urls();
    let leader = FakeWorker::start("", &of_leader, Limits::default(), creates);
    let follower = FakeWorker::passing(&of_follower, &of_leader);
    let body = json!({"name": " a b/ü ", "config": config(&follower)});
    let made = follower.call("POST", "/connectors", &body.to_string());
    assert_eq!(made.status, 201, "{made:?}");
    let location = format!(
        "Location: http://{}/connectors/a%20b%2F%C3%BC\r\n",
        follower.worker_id()
    );
    assert!(made.head.contains(&location), "{made:?}");
    assert_eq!(made.json()["name"], "a b/ü");
    let asked = leader.asked();
    assert!(
        matches!(&asked[..], [Request::Create { name, config, .. }]
            if name == "a b/ü" && config["topic"].as_deref() == Some("t")),
        "{asked:?}"
    );

    let config = config(&follower).to_string();
    let replaced = follower.call("PUT", "/connectors/old/config", &config);
    assert_eq!(
        (replaced.status, &replaced.json()["name"]),
        (200, &json!("old"))
    );
    assert!(!replaced.head.contains("Location"), "{replaced:?}");
    let made = follower.call("PUT", "/connectors/new/config", &config);
    assert!(
        made.status == 201 && made.head.contains("/connectors/new\r\n"),
        "{made:?}"
    );
    let gone = follower.call("DELETE", "/connectors/a%20b%2F%C3%BC", "");
    assert_eq!((gone.status, &*gone.body), (204, ""));
    let stopped = follower.call("PUT", "/connectors/%2e%25%3Fx/stop", "");
    assert_eq!(stopped.status, 204);
    let asked = leader.asked();
    assert!(
        matches!(&asked[3..], [Request::Delete(deleted), Request::Stop(stopped)]
            if deleted == "a b/ü" && stopped == ".%?x"),
        "{asked:?}"
    );
}

#[test]
fn what_the_leader_refuses_is_refused_with_its_status_code_and_text() {
    let [of_follower, of_leader] = urls();
    let leader = FakeWorker::start("", &of_leader, Limits::default(), |request| {
        Err(match request {
            Request::Delete(name) => HerderError::NotFound(format!("Connector {name} not found")),
            Request::Stop(_) => HerderError::Stale,
            _ => HerderError::Unavailable("not yet: \"ü\"".to_owned()),
        })
    });
    let follower = FakeWorker::passing(&of_follower, &of_leader);
    let gone = follower.call("DELETE", "/connectors/c", "");
    assert_eq!(
        gone.body,
        r#"{"error_code":404,"message":"Connector c not found"}"#
    );
    let stale = "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent \
                 config change)";
    let stopped = follower.call("PUT", "/connectors/c/stop", "");
    assert_eq!(told(&stopped), (409, stale.to_owned()));
    let later = follower.call("DELETE", "/connectors/c/offsets", "");
    assert_eq!(told(&later), (503, "not yet: \"ü\"".to_owned()));
    // What can't be meant does not get that far.
    let before = leader.asked().len();
    let bad = follower.call(
        "POST",
        "/connectors",
        r#"{"name":"c","config":{"tasks.max":"0"}}"#,
    );
    assert_eq!(bad.status, 400);
    assert_eq!(leader.asked().len(), before);
    drop(leader);
    let nobody = follower.call("DELETE", "/connectors/c", "");
    let begin = "IO Error trying to forward REST request: http://127.0.0.1:";
    assert!(
        nobody.status == 500 && nobody.message().starts_with(begin),
        "{nobody:?}"
    );
}

#[test]
fn a_request_goes_from_worker_to_leader_to_owner_and_no_further() {
    let [of_worker, of_leader, of_owner] = urls();
    let owner = FakeWorker::start("", &of_owner, Limits::default(), {
        let nowhere = of_worker.clone();
        move |request| match request {
            Request::RestartTask { task: 7, .. } => nowhere.elsewhere(),
            _ => Ok(Reply::Done),
        }
    });
    let leader = FakeWorker::passing(&of_leader, &of_owner);
    let worker = FakeWorker::passing(&of_worker, &of_leader);
    let conflict =
        "Cannot complete request because of a conflicting operation (e.g. worker rebalance)";
    let restarted = worker.call("POST", "/connectors/c/tasks/2/restart", "");
    assert_eq!(restarted.status, 204, "{restarted:?}");
    let counts = || [&worker, &leader, &owner].map(|worker| worker.asked().len());
    assert_eq!(counts(), [1, 1, 1]);
    // The owner has not got it, either: a rebalance.
    let lost = worker.call("POST", "/connectors/c/tasks/7/restart", "");
    assert_eq!(told(&lost), (409, conflict.to_owned()));
    assert_eq!(counts(), [2, 2, 2]);
    let last = worker.call("POST", "/connectors/c/restart?forward=false", "");
    assert_eq!(told(&last), (409, conflict.to_owned()));
    assert_eq!(counts(), [3, 2, 2]);
    // Reading is never forwarded.
    let read = worker.call("GET", "/connectors/c", "");
    assert_eq!(read.status, 409);
    assert_eq!(counts(), [4, 2, 2]);
}

#[test]
fn without_a_known_leader_the_client_is_told_to_come_back() {
    let url = Url::default();
    let worker = FakeWorker::passing(&url, &Url::default());
    let text = "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was \
                underway.";
    let gone = worker.call("DELETE", "/connectors/c?forward=true", "");
    assert_eq!(told(&gone), (409, text.to_owned()));
}

#[test]
fn flags_of_a_restart_go_on_and_the_states_name_their_workers() {
    let on = |worker_id: &str, version: Option<&str>| RunsOn {
        worker_id: worker_id.to_owned(),
        version: version.map(str::to_owned),
    };
    let status = ConnectorStateInfo {
        name: "c".to_owned(),
        state: ConnectorState::Restarting,
        trace: None,
        runs_on: Some(on("h1:8083", Some("4.3.1"))),
        instance: None,
        hanging: None,
        tasks: [
            Some(on("h2:8083", Some("undefined"))),
            Some(on("h3:8083", None)),
            None,
        ]
        .into_iter()
        .zip(0..)
        .map(|(runs_on, id)| TaskState {
            id,
            state: ConnectorState::Running,
            trace: None,
            runs_on,
            restarts: None,
            instance: None,
            hanging: None,
        })
        .collect(),
        kind: Some(ConnectorKind::Source),
    };
    let [of_worker, of_leader] = urls();
    let leader = FakeWorker::start("", &of_leader, Limits::default(), move |_| {
        Ok(Reply::Status(status.clone()))
    });
    let worker = FakeWorker::passing(&of_worker, &of_leader);
    let path = "/connectors/c/restart?includeTasks=TRUE&onlyFailed=&x=%26forward";
    let plan = worker.call("POST", path, "");
    assert_eq!(plan.status, 202);
    let own = leader.worker_id();
    let expected = format!(
        r#"{{"name":"c","connector":{{"state":"RESTARTING","worker_id":"h1:8083","version":"4.3.1"}},"tasks":[{{"id":0,"state":"RUNNING","worker_id":"h2:8083"}},{{"id":1,"state":"RUNNING","worker_id":"h3:8083","version":null}},{{"id":2,"state":"RUNNING","worker_id":"{own}","version":"4.3.1"}}],"type":"source"}}"#
    );
    assert_eq!(plan.body, expected);
    let asked = leader.asked();
    let flags = [true, false];
    assert!(
        matches!(&asked[..], [Request::Restart { include_tasks, only_failed, .. }]
            if [*include_tasks, *only_failed] == flags),
        "{asked:?}"
    );
}

#[test]
fn credentials_go_on_with_the_request() {
    let dir = TempDir::new().unwrap();
    let tokens = dir.path().join("tokens");
    std::fs::write(&tokens, "0123456789abcdef-one\n").unwrap();
    let guarded = format!("rest.bearer.token.file={}\n", tokens.display());
    let [of_worker, of_leader] = urls();
    let leader = FakeWorker::start(&guarded, &of_leader, Limits::default(), creates);
    let to = of_leader.clone();
    let worker = FakeWorker::start("", &of_worker, Limits::default(), move |_| to.elsewhere());
    let delete = |fields: &str| {
        exchange(
            connect(worker.address()),
            "DELETE",
            "/connectors/c",
            fields,
            "",
        )
    };
    let right = delete("Authorization: Bearer 0123456789abcdef-one\r\n");
    assert_eq!(right.status, 204, "{right:?}");
    let wrong = delete("");
    assert_eq!(wrong.status, 500, "{wrong:?}");
    let text = wrong.message();
    assert!(
        text.contains("answered 401") && text.contains("User cannot access"),
        "{text}"
    );
    assert_eq!(leader.asked().len(), 1);
}

fn key() -> SessionKey {
    SessionKey {
        key: b"a secret of the group".to_vec(),
        algorithm: "HmacSHA256".to_owned(),
        creation_timestamp: 0,
    }
}

/// What a leader does with requests between workers.
fn verifies(request: Request) -> Result<Reply, HerderError> {
    let (Request::PutTaskConfigs { signature, .. } | Request::Fence { signature, .. }) = request
    else {
        return Err(HerderError::Failed(
            "not a request between workers".to_owned(),
        ));
    };
    let key = key();
    let verification = Verification {
        sessioned: true,
        key: Some(&key),
        algorithms: &["HmacSHA256".to_owned()],
    };
    verification.check(signature.as_ref())?;
    Ok(Reply::Done)
}

#[test]
fn a_signed_request_between_workers_still_holds_when_it_is_forwarded() {
    let [of_worker, of_leader] = urls();
    let leader = FakeWorker::start("", &of_leader, Limits::default(), verifies);
    let _worker = FakeWorker::passing(&of_worker, &of_leader);
    let peers = Peers::new(HttpsConfig::of_peers(&ConfigMap::new()).unwrap());
    let key = key();
    let signing = Some(Signing {
        key: &key,
        algorithm: MacAlgorithm::HmacSha256,
    });
    let limit = Duration::from_secs(20);
    let configs = [ConfigMap::from_iter([(
        "a".to_owned(),
        Some("ü".to_owned()),
    )])];
    for url in [&of_leader, &of_worker] {
        let url = url.0.get().unwrap();
        peers
            .put_task_configs(url, "c/d", &configs, signing, limit)
            .unwrap();
        peers.fence(url, "c/d", signing, limit).unwrap();
        let unsigned = peers.fence(url, "c", None, limit).unwrap_err();
        let missing = "Internal request missing required signature";
        assert_eq!((unsigned.status(), &*unsigned.to_string()), (400, missing));
        let other = SessionKey {
            key: b"another".to_vec(),
            ..key.clone()
        };
        let wrong = Signing {
            key: &other,
            algorithm: MacAlgorithm::HmacSha256,
        };
        let refused = peers.put_task_configs(url, "c", &configs, Some(wrong), limit);
        let refused = refused.unwrap_err();
        let invalid = "Internal request contained invalid signature.";
        assert_eq!((refused.status(), &*refused.to_string()), (403, invalid));
    }
    let asked = leader.asked();
    assert!(
        matches!(&asked[0], Request::PutTaskConfigs { name, configs: got, .. }
            if name == "c/d" && *got == configs),
        "{asked:?}"
    );
    assert_eq!(asked.len(), 8);
}

#[test]
fn bodies_and_headers_between_workers_are_read_as_apache_reads_them() {
    let url = Url::default();
    let worker = FakeWorker::start("", &url, Limits::default(), |_| Ok(Reply::Done));
    let put = |fields: &str, body: &str| {
        let fields = format!("{JSON_BODY}{fields}");
        exchange(
            connect(worker.address()),
            "POST",
            "/connectors/c/tasks",
            &fields,
            body,
        )
    };
    let source = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: ";
    let none = put("", "");
    assert_eq!(
        told(&none),
        (
            500,
            format!("No content to map due to end-of-input{source}1]")
        )
    );
    let wrong = put("", "{}");
    let shape = "Cannot deserialize value of type `java.util.ArrayList<java.util.Map<java.lang.String,java.lang.String>>` from Object value (token `JsonToken.START_OBJECT`)";
    assert_eq!(told(&wrong), (500, format!("{shape}{source}1]")));
    let item = put("", r#"[{"a":"b"},[]]"#);
    assert!(
        item.message()
            .contains("(through reference chain: java.util.ArrayList[1])"),
        "{item:?}"
    );
    for null in ["null", "[null]"] {
        assert_eq!(put("", null).status, 500, "{null}");
    }
    let unknown = put(
        "X-Connect-Authorization: AAAA\r\nX-Connect-Request-Signature-Algorithm: Sum\r\n",
        "[]",
    );
    assert_eq!(
        told(&unknown),
        (400, "Algorithm Sum not available".to_owned())
    );
    assert!(worker.asked().is_empty());
    // Numbers become texts, and nobody looks behind the list.
    assert_eq!(put("", r#" [{"a":1,"b":null}] x"#).status, 204);
    let asked = worker.asked();
    assert!(
        matches!(&asked[..], [Request::PutTaskConfigs { configs, signature: None, .. }]
            if configs[0]["a"].as_deref() == Some("1") && configs[0]["b"].is_none()),
        "{asked:?}"
    );
}

#[test]
fn a_log_level_of_the_cluster_is_for_the_herder_to_spread() {
    let url = Url::default();
    let worker = FakeWorker::start("", &url, Limits::default(), |_| Ok(Reply::Done));
    let put = |scope: &str, level: &str| {
        let path = format!("/admin/loggers/org.x{scope}");
        worker.call("PUT", &path, &json!({"level": level}).to_string())
    };
    let spread = put("?scope=CLUSTER", "debug");
    assert_eq!((spread.status, &*spread.body), (204, ""));
    let asked = worker.asked();
    assert!(
        matches!(&asked[..], [Request::SetLoggerLevel { logger, level }]
            if logger == "org.x" && level == "debug"),
        "{asked:?}"
    );
    let unchanged = worker.call("GET", "/admin/loggers/org.x", "");
    assert_eq!(unchanged.json()["last_modified"], Value::Null);
    assert_eq!(put("?scope=cluster", "loud").status, 404);
    assert_eq!(put("", "debug").status, 200);
    assert_eq!(worker.asked().len(), 1);
}

/// A worker on HTTPS that asks for certificates; the host is the one that the certificate is for.
fn https_lines(host: &str) -> String {
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/src/tls/samples");
    format!(
        "listeners=https://{host}:0\nlisteners.https.ssl.client.auth=required\n\
         listeners.https.ssl.keystore.type=PEM\nlisteners.https.ssl.keystore.location={samples}/own.pem\n\
         listeners.https.ssl.truststore.type=PEM\nlisteners.https.ssl.truststore.location={samples}/ca.pem\n\
         ssl.truststore.location=/nowhere\nssl.truststore.type=PEM\n"
    )
}

#[test]
fn workers_on_https_show_each_other_the_certificates_of_their_listeners() {
    let [of_worker, of_leader, of_stranger] = urls();
    let lines = https_lines("localhost");
    let _leader = FakeWorker::start(&lines, &of_leader, Limits::default(), creates);
    // Its client reads the same keys, though it listens on HTTP.
    let lines = lines.replace(
        "listeners=https://localhost:0",
        "listeners=http://127.0.0.1:0",
    );
    let to = of_leader.clone();
    let worker = FakeWorker::start(&lines, &of_worker, Limits::default(), move |_| {
        to.elsewhere()
    });
    for _ in 0..2 {
        let gone = worker.call("DELETE", "/connectors/c", "");
        assert_eq!(gone.status, 204, "{gone:?}");
    }
    let stranger = FakeWorker::passing(&of_stranger, &of_leader);
    let refused = stranger.call("DELETE", "/connectors/c", "");
    let text = refused.message();
    assert!(
        refused.status == 500 && text.contains("is not signed by anybody"),
        "{text}"
    );
}

/// Clients of each worker in the ring: as many as get a handler, and many that wait for one.
const CLIENTS: usize = 90;

#[test]
fn workers_that_forward_to_each_other_do_not_wait_in_a_ring() {
    let [of_one, of_other] = urls();
    let limits = Limits {
        // Were they to wait for each other, this would end it, with another status.
        request: Duration::from_secs(8),
        ..Limits::default()
    };
    let start = |url: &Url, to: &Url| {
        let to = to.clone();
        FakeWorker::start("", url, limits, move |request| match request {
            Request::Connectors => Ok(Reply::Names(Vec::new())),
            _ => {
                // So that all handlers are taken before the first request goes on.
                thread::sleep(Duration::from_millis(100));
                to.elsewhere()
            }
        })
    };
    let workers = [start(&of_one, &of_other), start(&of_other, &of_one)];
    let begun = Instant::now();
    let clients: Vec<_> = (0..2 * CLIENTS)
        .map(|number| {
            let address = workers[number % 2].address();
            thread::spawn(move || {
                let stream = connect(address);
                told(&exchange(stream, "DELETE", "/connectors/c", "", "")).0
            })
        })
        .collect();
    // Reading stays possible meanwhile.
    while clients.iter().any(|client| !client.is_finished()) {
        let asked = Instant::now();
        assert_eq!(workers[0].call("GET", "/connectors", "").status, 200);
        assert!(
            asked.elapsed() < Duration::from_secs(5),
            "{:?}",
            asked.elapsed()
        );
        thread::sleep(Duration::from_millis(50));
    }
    for client in clients {
        assert_eq!(client.join().unwrap(), 409);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_leader_that_hangs_costs_its_own_requests_and_their_time() {
    let [of_worker, of_leader] = urls();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    of_leader.0.set(format!("http://{address}")).unwrap();
    let limits = Limits {
        request: Duration::from_millis(200),
        ..Limits::default()
    };
    let worker = FakeWorker::start("", &of_worker, limits, move |_| of_leader.elsewhere());
    let begun = Instant::now();
    let late = worker.call("DELETE", "/connectors/c?forward=true", "");
    let text = late.message();
    assert!(
        late.status == 500 && text.ends_with("no answer in time"),
        "{text}"
    );
    let lasted = begun.elapsed();
    let grace = super::GRACE;
    assert!(lasted >= grace && lasted < grace * 3, "{lasted:?}");
}
