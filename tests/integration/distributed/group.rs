//! A Connect cluster: workers of ours, and of Apache's, with the same group and internal topics.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Map, Value};
use tempfile::TempDir;

use crate::common::http::{self, Answer};
use crate::common::oracle::all_tasks_run;
use crate::common::pipeline;
use crate::common::ringmain::binary;
use crate::common::{
    Kafka, KafkaCluster, PATIENCE, Process, Properties, free_port, scratch_dir, wait_for,
    wait_until,
};

/// The shortest session that brokers allow by default.
pub(crate) const SESSION: Duration = Duration::from_secs(6);
/// How long a clean stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(40);

/// What the workers of a cluster have in common.
pub(crate) struct Group<'a> {
    kafka: &'static Kafka,
    cluster: &'a KafkaCluster,
    name: String,
    more: Properties,
}

/// A running worker; killed when dropped.
pub(crate) struct Member {
    process: Process,
    port: u16,
    _dir: TempDir,
}

impl<'a> Group<'a> {
    /// A group of its own on the shared brokers.
    pub(crate) fn new(kafka: &'static Kafka, name: &str) -> Self {
        Self::on(kafka, kafka.shared_cluster(), name)
    }

    /// A group on these brokers.
    pub(crate) fn on(kafka: &'static Kafka, cluster: &'a KafkaCluster, name: &str) -> Self {
        Self {
            kafka,
            cluster,
            name: name.to_owned(),
            more: Properties::new(),
        }
    }

    /// The same with a further key in each worker's file.
    pub(crate) fn with(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.more = self.more.set(key, value);
        self
    }

    pub(crate) fn cluster(&self) -> &'a KafkaCluster {
        self.cluster
    }

    pub(crate) fn topic(&self, kind: &str) -> String {
        format!("{}-{kind}", self.name)
    }

    fn settings(&self, port: u16) -> Properties {
        let mut settings = pipeline::worker(&self.cluster.bootstrap())
            .set("group.id", &self.name)
            .set("config.storage.topic", self.topic("configs"))
            .set("offset.storage.topic", self.topic("offsets"))
            .set("status.storage.topic", self.topic("status"))
            .set("config.storage.replication.factor", 1)
            .set("offset.storage.replication.factor", 1)
            .set("status.storage.replication.factor", 1)
            .set("offset.storage.partitions", 5)
            .set("status.storage.partitions", 2)
            .set("session.timeout.ms", SESSION.as_millis())
            .set("heartbeat.interval.ms", 500)
            .set("scheduled.rebalance.max.delay.ms", 2000)
            .set("listeners", format!("http://127.0.0.1:{port}"));
        for (key, value) in self.more.iter() {
            settings = settings.set(key, value);
        }
        settings
    }

    /// Starts a worker of ours and does not wait.
    pub(crate) fn launch(&self) -> Member {
        self.launch_on(free_port())
    }

    /// As [`Group::launch`], on a port that another worker had before.
    pub(crate) fn launch_on(&self, port: u16) -> Member {
        self.launch_with(port, |_| {})
    }

    /// As [`Group::launch_on`]; `prepare` sees the command before it runs.
    pub(crate) fn launch_with(&self, port: u16, prepare: impl FnOnce(&mut Command)) -> Member {
        let dir = scratch_dir("distributed");
        let file = dir.path().join("worker.properties");
        let mut command = Command::new(binary());
        command
            .arg("distributed")
            .arg(self.settings(port).write(&file))
            .current_dir(dir.path());
        prepare(&mut command);
        let process = Process::spawn("ringmain", command, dir.path());
        Member {
            process,
            port,
            _dir: dir,
        }
    }

    /// Starts a worker of ours and waits until it is in the group.
    pub(crate) fn start(&self) -> Member {
        let member = self.launch();
        member.wait_until_healthy();
        member
    }

    /// Starts so many workers of ours and waits until all are in the group.
    pub(crate) fn start_all(&self, count: usize) -> Vec<Member> {
        let members: Vec<Member> = (0..count).map(|_| self.launch()).collect();
        members.iter().for_each(Member::wait_until_healthy);
        members
    }

    /// Starts so many workers of Apache's and waits until all are in the group.
    pub(crate) fn start_apaches(&self, count: usize) -> Vec<Member> {
        let members: Vec<Member> = (0..count).map(|_| self.launch_apache()).collect();
        members.iter().for_each(Member::wait_until_healthy);
        members
    }

    /// Starts a worker of Apache's and waits until it is in the group.
    pub(crate) fn start_apache(&self) -> Member {
        let member = self.launch_apache();
        member.wait_until_healthy();
        member
    }

    fn launch_apache(&self) -> Member {
        let dir = scratch_dir("distributed-oracle");
        let port = free_port();
        let settings = self
            .settings(port)
            .set("plugin.path", self.kafka.plugin_path().display())
            .set("plugin.discovery", "service_load");
        let mut java = self.kafka.java(256, "INFO");
        java.arg("org.apache.kafka.connect.cli.ConnectDistributed")
            .arg(settings.write(&dir.path().join("worker.properties")));
        let process = Process::spawn("oracle", java, dir.path());
        Member {
            process,
            port,
            _dir: dir,
        }
    }
}

impl Member {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// As statuses name it.
    pub(crate) fn id(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Whether it leads the group, as one of ours logs it when it has joined.
    pub(crate) fn leads(&self) -> bool {
        let log = self.process.output();
        let joined = log
            .lines()
            .rfind(|line| line.contains("joined the group group="));
        joined.is_some_and(|line| {
            let field = |name: &str| {
                let start = line.find(name)? + name.len();
                line[start..].split('"').next()
            };
            field("member=\"").is_some() && field("member=\"") == field("leader=\"")
        })
    }

    pub(crate) fn wait_until_healthy(&self) {
        wait_until("a worker to be in its group", PATIENCE, || {
            assert!(self.process.try_wait().is_none(), "the worker ended");
            let answer = http::try_request("GET", &self.url("/health"), None);
            answer.is_ok_and(|answer| answer.status == 200)
        });
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        http::get(&self.url(path))
    }

    /// A request that is made again while a rebalance is under way, as clients do.
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Answer {
        wait_for("an answer other than 409", PATIENCE, || {
            let answer = http::request(method, &self.url(path), body);
            (answer.status != 409).then_some(answer)
        })
    }

    /// Creates or changes a connector.
    pub(crate) fn put(&self, connector: &Properties) -> Answer {
        let name = connector.get("name").unwrap();
        let config = connector.iter();
        let config: Map<String, Value> = config.map(|(k, v)| (k.to_owned(), v.into())).collect();
        let path = format!("/connectors/{name}/config");
        let answer = self.request("PUT", &path, Some(&config.into()));
        assert!(
            matches!(answer.status, 200 | 201),
            "{name} is refused with {}: {}",
            answer.status,
            answer.body
        );
        answer
    }

    pub(crate) fn status(&self, connector: &str) -> Value {
        self.get(&format!("/connectors/{connector}/status")).json()
    }

    /// Waits until a connector and so many tasks of it run, and gives the status.
    pub(crate) fn wait_until_running(&self, connector: &str, tasks: usize) -> Value {
        let what = format!("{connector} to run with {tasks} tasks");
        wait_for(&what, PATIENCE, || {
            assert!(self.process.try_wait().is_none(), "the worker ended");
            let path = format!("/connectors/{connector}/status");
            let answer = http::try_request("GET", &self.url(&path), None).ok()?;
            let status = (answer.status == 200).then(|| answer.json())?;
            let has = status["tasks"]
                .as_array()
                .is_some_and(|found| found.len() == tasks);
            (has && all_tasks_run(&status)).then_some(status)
        })
    }

    /// Waits until the connector is in this state.
    pub(crate) fn wait_until(&self, connector: &str, state: &str) -> Value {
        let what = format!("{connector} to be {state}");
        wait_for(&what, PATIENCE, || {
            let status = self.status(connector);
            (status["connector"]["state"] == state).then_some(status)
        })
    }

    pub(crate) fn kill(&self) {
        self.process.kill();
    }

    pub(crate) fn freeze(&self) {
        self.process.signal(Signal::STOP);
    }

    pub(crate) fn thaw(&self) {
        self.process.signal(Signal::CONT);
    }

    /// SIGTERM, and exit code 0.
    pub(crate) fn stop_cleanly(&self) {
        self.process.signal(Signal::TERM);
        let code = self.process.wait(STOP_LIMIT).code();
        assert_eq!(code, Some(0), "the exit code of a clean stop");
    }

    /// SIGTERM, and gone when this returns, with whatever exit code.
    pub(crate) fn stop(&self) {
        let ended = self.process.end(STOP_LIMIT);
        assert!(ended.is_some(), "the worker is still there");
    }
}
