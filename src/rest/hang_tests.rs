//! Connectors that hang: each costs its own requests and nothing else.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::front::FrontSettings;
use super::tests::{Answer, Fixture};
use crate::api::config_def::{ConfigDef, ConfigKey, ConfigProblem};
use crate::api::{
    ConfigMap, ConnectError, Connector, ConnectorContext, SinkBatch, SinkTask, SinkTaskContext,
    SourceBatch, SourceTask, SourceTaskContext,
};
use crate::herder::{HerderSettings, Limits};
use crate::plugins::{ConnectorPlugin, Plugins, TaskFactory};

/// How long a request may take here.
const LIMIT: Duration = Duration::from_millis(600);
const GRACE: Duration = Duration::from_millis(300);
const SOURCE: &str = "test.HangingSource";
const SINK: &str = "test.HangingSink";

/// A connector that hangs in the call that `hang` names.
#[derive(Default)]
struct Hanging {
    config: ConfigMap,
}

fn hangs(config: &ConfigMap, call: &str) -> bool {
    config.get("hang").and_then(Option::as_deref) == Some(call)
}

async fn hang_in(config: &ConfigMap, call: &str) {
    if hangs(config, call) {
        std::future::pending::<()>().await;
    }
}

#[async_trait(?Send)]
impl Connector for Hanging {
    async fn start(&mut self, _: ConnectorContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        hang_in(config, "start").await;
        Ok(())
    }

    async fn task_configs(&mut self, _: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        hang_in(&self.config, "config").await;
        Ok(vec![self.config.clone()])
    }

    async fn stop(&mut self) {
        hang_in(&self.config, "connector-stop").await;
    }
}

#[derive(Default)]
struct HangingTask {
    config: ConfigMap,
}

#[async_trait(?Send)]
impl SourceTask for HangingTask {
    async fn start(
        &mut self,
        _: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        self.config = config.clone();
        hang_in(config, "task-start").await;
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        std::future::pending().await
    }

    async fn stop(&mut self) {
        hang_in(&self.config, "stop").await;
    }
}

#[async_trait(?Send)]
impl SinkTask for HangingTask {
    async fn start(&mut self, _: SinkTaskContext, config: &ConfigMap) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError> {
        if batches.iter().any(|batch| !batch.is_empty()) {
            hang_in(&self.config, "put").await;
        }
        Ok(())
    }
}

fn keys() -> ConfigDef {
    ConfigDef::new().define(ConfigKey::string("hang").default("").doc("Where to hang."))
}

fn problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    while hangs(config, "validate") {
        std::thread::park();
    }
    Vec::new()
}

fn fixture() -> Fixture {
    let connector = || Box::<Hanging>::default() as Box<dyn Connector>;
    let source = TaskFactory::Source(|| Box::<HangingTask>::default());
    let sink = TaskFactory::Sink(|| Box::<HangingTask>::default());
    let plugin = |class, tasks| ConnectorPlugin {
        problems: Some(problems),
        ..ConnectorPlugin::new(class, "test.HangingTask", keys, connector, tasks)
    };
    let plugins = Plugins::builtin()
        .with(plugin(SOURCE, source))
        .with(plugin(SINK, sink));
    let settings = HerderSettings {
        limits: Limits {
            request: LIMIT,
            ..Limits::default()
        },
        stall_after: Duration::from_millis(100),
        ..HerderSettings::new(GRACE)
    };
    Fixture::start_full(FrontSettings::default(), "", plugins, settings)
}

fn create(fixture: &Fixture, name: &str, class: &str, hang: &str) -> Answer {
    let config = json!({"connector.class": class, "hang": hang, "topics": "t"});
    let body = json!({"name": name, "config": config}).to_string();
    fixture.call("POST", "/connectors", &body)
}

/// Everything that is not the hanging connector's goes on.
fn others_go_on(fixture: &Fixture) {
    let begun = Instant::now();
    let made = create(fixture, "good", SOURCE, "");
    assert_eq!(made.status, 201, "{made:?}");
    fixture.wait("/connectors/good/status", |status| {
        status["tasks"][0]["state"] == "RUNNING"
    });
    assert_eq!(fixture.get("/connectors").status, 200);
    assert_ne!(fixture.get("/health").status, 500);
    assert_eq!(fixture.call("DELETE", "/connectors/good", "").status, 204);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

/// Deletes a connector, whatever it hangs in.
fn delete(fixture: &Fixture, name: &str) {
    let path = format!("/connectors/{name}");
    let deleted = fixture.call("DELETE", &path, "");
    assert_eq!(deleted.status, 204, "{deleted:?}");
    assert_eq!(fixture.get(&path).status, 404);
}

fn timed_out(answer: &Answer, stage: &str) {
    let message = answer.message();
    let begins = format!("Request timed out. The worker is currently {stage}, which began at 20");
    assert_eq!(answer.status, 500, "{answer:?}");
    assert!(message.starts_with(&begins), "{message}");
}

#[test]
fn a_connector_that_hangs_in_start_or_config_is_named_and_can_be_deleted() {
    let fixture = fixture();
    for call in ["start", "config"] {
        let begun = Instant::now();
        let answer = create(&fixture, "bad", SOURCE, call);
        assert!((LIMIT..LIMIT * 10).contains(&begun.elapsed()));
        timed_out(&answer, "starting the connector");
        assert!(answer.message().ends_with("Z."));
        let status = fixture.wait("/connectors/bad/status", |status| {
            status["connector"]["hanging"]["call"] == call
        });
        assert_eq!(status["connector"]["state"], "UNASSIGNED");
        assert!(
            status["connector"]["hanging"]["since"]
                .as_str()
                .unwrap()
                .starts_with("20")
        );
        others_go_on(&fixture);
        delete(&fixture, "bad");
    }
}

#[test]
fn a_validation_that_hangs_leaves_room_for_those_of_other_connectors() {
    let fixture = fixture();
    let path = format!("/connector-plugins/{SOURCE}/config/validate");
    let body = json!({"connector.class": SOURCE, "name": "n", "hang": "validate"}).to_string();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| fixture.call("PUT", &path, &body)))
            .collect();
        asked
            .into_iter()
            .map(|asked| asked.join().unwrap())
            .collect()
    });
    let waiting = "waiting for a new thread to become available for connector validation";
    let hanging = "performing multi-property validation for the connector";
    let count = |text: &str| {
        answers
            .iter()
            .filter(|a| a.message().contains(text))
            .count()
    };
    assert_eq!((count(hanging), count(waiting)), (4, 2), "{answers:?}");
    timed_out(&create(&fixture, "bad", SOURCE, "validate"), waiting);
    // The other class of the same code has its own threads.
    timed_out(&create(&fixture, "bad", SINK, "validate"), hanging);
    assert_eq!(fixture.get("/connectors/bad").status, 404);
    let file = fixture.dir.path().join("f");
    let good =
        json!({"connector.class": "FileStreamSink", "name": "n", "topics": "t", "file": file});
    let path = "/connector-plugins/FileStreamSink/config/validate";
    let validated = fixture.call("PUT", path, &good.to_string());
    assert_eq!(validated.json()["error_count"], 0, "{validated:?}");
}

#[test]
fn tasks_that_hang_are_named_and_can_be_deleted() {
    let fixture = fixture();
    let shows =
        |call: &'static str| move |status: &Value| status["tasks"][0]["hanging"]["call"] == call;
    assert_eq!(create(&fixture, "bad", SOURCE, "task-start").status, 201);
    let status = fixture.wait("/connectors/bad/status", shows("start"));
    assert_eq!(status["tasks"][0]["state"], "UNASSIGNED");
    let task = fixture.get("/connectors/bad/tasks/0/status").json();
    assert_eq!(task["hanging"]["call"], "start");
    others_go_on(&fixture);
    delete(&fixture, "bad");

    // A poll may take as long as it likes.
    assert_eq!(create(&fixture, "bad", SOURCE, "poll").status, 201);
    fixture.wait("/connectors/bad/status", |status| {
        status["tasks"][0]["state"] == "RUNNING"
    });
    std::thread::sleep(Duration::from_millis(150));
    assert!(fixture.get("/connectors/bad/status").json()["tasks"][0]["hanging"].is_null());
    delete(&fixture, "bad");

    let file = fixture.dir.path().join("in.txt");
    std::fs::write(&file, "one\n").unwrap();
    let config = json!({"connector.class": "FileStreamSource", "topic": "t", "file": file});
    let lines = json!({"name": "lines", "config": config}).to_string();
    assert_eq!(fixture.call("POST", "/connectors", &lines).status, 201);
    assert_eq!(create(&fixture, "bad", SINK, "put").status, 201);
    let status = fixture.wait("/connectors/bad/status", shows("put"));
    assert_eq!(status["tasks"][0]["state"], "RUNNING");
    others_go_on(&fixture);
    delete(&fixture, "bad");
}

#[test]
fn instances_that_hang_while_stopping_are_given_up_after_the_graceful_timeout() {
    let fixture = fixture();
    for call in ["stop", "connector-stop"] {
        assert_eq!(create(&fixture, "bad", SOURCE, call).status, 201);
        fixture.wait("/connectors/bad/status", |status| {
            status["tasks"][0]["state"] == "RUNNING"
        });
        let begun = Instant::now();
        delete(&fixture, "bad");
        assert!(begun.elapsed() >= GRACE, "{call}");
        assert_eq!(create(&fixture, "bad", SOURCE, "").status, 201);
        delete(&fixture, "bad");
    }
    // A restart waits for the stop, and says so when that takes longer than it may.
    others_go_on(&fixture);
}

#[test]
fn many_requests_that_hang_do_not_keep_others_from_changing_anything() {
    let fixture = fixture();
    std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12)
            .map(|number| {
                let name = format!("bad{number}");
                let fixture = &fixture;
                scope.spawn(move || create(fixture, &name, SOURCE, "start"))
            })
            .collect();
        others_go_on(&fixture);
        for asked in asked {
            timed_out(&asked.join().unwrap(), "starting the connector");
        }
    });
    for number in 0..12 {
        delete(&fixture, &format!("bad{number}"));
    }
}
