//! A whole REST session with Apache's worker and ours, from a script that people can read
//! (`session.txt`): statuses, headers and bodies are the same after what must differ was taken out.
//!
//! What must differ: addresses and directories; the order of what Java keeps in hash maps; the words of
//! documentation; plugins that only one of the two has; times; names of loggers that are ours. Calls that
//! differ on purpose stand in DESIGN.md and not in the script.

mod script;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use self::script::{Step, steps};
use crate::common::ringmain::Standalone;
use crate::common::{ConnectOracle, PATIENCE, Properties, http, kafka, scratch_dir, wait_until};

/// One of the two workers.
struct Worker {
    /// Stands for `$W`; of one length at both, since texts of errors count columns.
    tag: &'static str,
    /// Begins its URLs.
    base: String,
    /// Stands for `$DIR`.
    dir: PathBuf,
}

/// What is compared.
#[derive(Debug, PartialEq)]
struct Answer {
    status: u16,
    content_type: Option<String>,
    location: Option<String>,
    allow: Option<Vec<String>>,
    body: Value,
}

impl Worker {
    fn fill(&self, text: &str) -> String {
        let dir = self.dir.display().to_string();
        text.replace("$W", self.tag).replace("$DIR", &dir)
    }

    /// Takes out what names this worker.
    fn plain(&self, text: &str) -> String {
        let address = self.base.strip_prefix("http://").unwrap();
        let dir = self.dir.display().to_string();
        text.replace(address, "WORKER")
            .replace(&dir, "$DIR")
            .replace(self.tag, "$W")
    }

    fn ask(&self, method: &str, path: &str, body: Option<&str>) -> Answer {
        let url = format!("{}{}", self.base, self.fill(path));
        let body = body.map(|body| self.fill(body));
        let answer = http::try_text(method, &url, body.as_deref()).unwrap();
        let has_body = answer.status < 400 && !matches!(answer.status, 202 | 204);
        let is_options = method == "OPTIONS";
        let header = |name| answer.header(name).map(|value| self.plain(value));
        // RFC 9110 wants it with 405, too, where Apache leaves it out.
        let allow = header("allow").filter(|_| is_options).map(|methods| {
            let mut methods: Vec<_> = methods.split(',').map(|m| m.trim().to_owned()).collect();
            methods.sort();
            methods
        });
        let text = self.plain(&answer.body);
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Answer {
            status: answer.status,
            content_type: header("content-type").filter(|_| has_body),
            location: header("location"),
            allow,
            body: normalised(method, path, body),
        }
    }

    fn shows(&self, connector: &str, state: &str) -> bool {
        let path = self.fill(&format!("/connectors/{connector}/status"));
        let status = http::get(&format!("{}{path}", self.base)).json();
        let tasks = status["tasks"].as_array().cloned().unwrap_or_default();
        let all = tasks.iter().all(|task| task["state"] == state);
        // Paused from creation, a connector has none.
        let fits = match state {
            "RUNNING" => !tasks.is_empty(),
            "STOPPED" => tasks.is_empty(),
            _ => true,
        };
        status["connector"]["state"] == state && all && fits
    }

    fn write(&self, file: &str, text: &str, append: bool) {
        let path = self.dir.join(file);
        let before = if append {
            fs::read_to_string(&path).unwrap()
        } else {
            String::new()
        };
        // The file stays the same one: a source has it open.
        fs::write(&path, before + text).unwrap();
    }
}

/// Takes out of a body what differs by nature.
fn normalised(method: &str, path: &str, mut body: Value) -> Value {
    let path = path.split('?').next().unwrap();
    if path == "/connector-plugins" && body.is_array() {
        return plugins(&body);
    }
    if method == "OPTIONS" {
        let methods = body.as_str().unwrap_or_default().split(',');
        let mut methods: Vec<_> = methods.map(|method| method.trim().to_owned()).collect();
        methods.sort();
        return json!(methods);
    }
    if path.starts_with("/admin/loggers") {
        return loggers(body);
    }
    if path.ends_with("/validate") && body["configs"].is_array() {
        return validation(body);
    }
    if path.ends_with("/config") && body.is_array() {
        let keys = body.as_array_mut().unwrap();
        for key in keys.iter_mut() {
            key["documentation"] = Value::Null;
        }
        sort(keys);
    }
    for member in ["offsets", "topics"] {
        if let Some(list) = body.get_mut(member).and_then(Value::as_array_mut) {
            sort(list);
        }
    }
    if path.trim_end_matches('/') == "/connectors"
        && let Some(names) = body.as_array_mut()
    {
        sort(names);
    }
    body
}

fn sort(list: &mut [Value]) {
    list.sort_by_key(canonical);
}

/// A text that is the same for equal values.
fn canonical(value: &Value) -> String {
    let mut value = value.clone();
    value.sort_all_objects();
    value.to_string()
}

/// Kafka's own plugins that both have.
fn plugins(body: &Value) -> Value {
    let shared = [
        "org.apache.kafka.connect.file.",
        "org.apache.kafka.connect.mirror.MirrorSourceConnector",
        "org.apache.kafka.connect.tools.",
    ];
    let is_shared = |plugin: &&Value| {
        let class = plugin["class"].as_str().unwrap_or_default();
        shared.iter().any(|prefix| class.starts_with(prefix))
    };
    let mut plugins: Vec<_> = body
        .as_array()
        .unwrap()
        .iter()
        .filter(is_shared)
        .cloned()
        .collect();
    sort(&mut plugins);
    json!(plugins)
}

fn loggers(mut body: Value) -> Value {
    if let Some(names) = body.as_array_mut() {
        names.retain(|name| !name.as_str().unwrap().starts_with("ringmain"));
    }
    if body["last_modified"].is_number() {
        body["last_modified"] = json!("TIME");
    }
    body
}

/// Everything but the documentation, keyed by name.
fn validation(mut body: Value) -> Value {
    sort(body["groups"].as_array_mut().unwrap());
    let configs = body["configs"].as_array().unwrap().iter().map(|config| {
        let mut config = config.clone();
        if config["definition"].is_object() {
            config["definition"]["documentation"] = Value::Null;
        }
        if let Some(offered) = config["value"]["recommended_values"].as_array_mut() {
            let is_confluents = |class: &str| class.starts_with("io.confluent.");
            offered.retain(|class| !class.as_str().is_some_and(is_confluents));
        }
        (config["value"]["name"].as_str().unwrap().to_owned(), config)
    });
    body["configs"] = configs.collect::<serde_json::Map<_, _>>().into();
    body
}

/// Does a step with both; gives what differs.
fn run(step: &Step, workers: &[Worker; 2]) -> Option<String> {
    match step {
        Step::Ask { method, path, body } => {
            let [apache, ours] = workers;
            let theirs = apache.ask(method, path, body.as_deref());
            let ours = ours.ask(method, path, body.as_deref());
            (ours != theirs).then(|| format!("ours   {ours:?}\nApache {theirs:?}"))
        }
        Step::Wait { connector, state } => {
            for worker in workers {
                let what = format!("{connector} to be {state} at {}", worker.base);
                wait_until(&what, PATIENCE, || worker.shows(connector, state));
            }
            None
        }
        Step::Until { path, body } => {
            let expected: Value = serde_json::from_str(body).unwrap();
            let expected = normalised("GET", path, expected);
            for worker in workers {
                let what = format!("{path} to be {body} at {}", worker.base);
                wait_until(&what, PATIENCE, || {
                    worker.ask("GET", path, None).body == expected
                });
            }
            None
        }
        Step::Write { file, text, append } => {
            for worker in workers {
                worker.write(file, text, *append);
            }
            None
        }
    }
}

#[test]
fn a_session_of_three_hundred_requests_reads_alike_at_apaches_worker_and_ours() {
    let Some(kafka) = kafka() else { return };
    let cluster = kafka.shared_cluster();
    let settings = Properties::new()
        .set("bootstrap.servers", cluster.bootstrap())
        .set("offset.flush.interval.ms", "500")
        .set(
            "key.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        )
        .set(
            "value.converter",
            "org.apache.kafka.connect.storage.StringConverter",
        );
    let apache = ConnectOracle::start(kafka, &settings, &[]);
    let files = Standalone::new(&settings, &[]);
    let ringmain = files.launch();
    ringmain.wait_until_serving();
    let dir = scratch_dir("rest-session");
    let worker = |tag: &'static str, base: String| {
        let dir = dir.path().join(tag);
        fs::create_dir(&dir).unwrap();
        Worker { tag, base, dir }
    };
    let workers = [
        worker("wq7a", apache.url("")),
        worker("wq7r", ringmain.url("")),
    ];
    wait_until("both workers to be healthy", PATIENCE, || {
        workers
            .iter()
            .all(|worker| worker.ask("GET", "/health", None).status == 200)
    });
    let steps = steps(include_str!("session.txt"));
    let requests = steps.iter().filter(|step| step.is_request()).count();
    assert!(requests >= 300, "{requests} requests");
    let mut differences = String::new();
    for step in &steps {
        if let Some(difference) = run(step, &workers) {
            eprintln!("{step}\n{difference}\n");
            writeln!(differences, "{step}").unwrap();
        }
    }
    assert!(
        differences.is_empty(),
        "different answers to\n{differences}"
    );
}
