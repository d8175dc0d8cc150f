//! A Kafka cluster in KRaft mode: one node, or three, each broker and controller at once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::{Client, Kafka, PATIENCE, Process, Properties, free_port, scratch_dir};

pub(crate) const CLUSTER_ID: &str = "cmluZ21haW4tdGVzdHMtMQ";

/// How to start a cluster.
#[derive(Debug, Clone)]
pub(crate) struct ClusterOptions {
    /// 1 or 3.
    pub(crate) brokers: usize,
    pub(crate) auto_create_topics: bool,
    /// More broker settings; they win over ours.
    pub(crate) settings: Properties,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            brokers: 1,
            auto_create_topics: true,
            settings: Properties::new(),
        }
    }
}

/// Brokers on fixed ports and directories, which can be stopped, killed, paused and restarted.
/// Brokers are counted from 0; everything is killed when dropped.
#[derive(Debug)]
pub(crate) struct KafkaCluster {
    brokers: Vec<Broker>,
    _dir: TempDir,
}

#[derive(Debug)]
struct Broker {
    port: u16,
    dir: PathBuf,
    process: Mutex<Option<Process>>,
    command: JavaCommand,
}

/// What a broker is started with each time.
#[derive(Debug)]
struct JavaCommand {
    args: Vec<std::ffi::OsString>,
}

impl KafkaCluster {
    /// Starts the cluster and waits until every broker serves.
    pub(crate) fn start(kafka: &Kafka, options: &ClusterOptions) -> Self {
        let dir = scratch_dir("kafka");
        let ports: Vec<(u16, u16)> = (0..options.brokers)
            .map(|_| (free_port(), free_port()))
            .collect();
        let brokers: Vec<Broker> = (0..options.brokers)
            .map(|index| prepare(kafka, options, &ports, index, dir.path()))
            .collect();
        let cluster = Self { brokers, _dir: dir };
        for index in 0..options.brokers {
            cluster.launch(index);
        }
        for index in 0..options.brokers {
            cluster.wait_until_serving(index);
        }
        cluster
    }

    /// `host:port` of every broker, by commas.
    pub(crate) fn bootstrap(&self) -> String {
        let names: Vec<String> = self
            .brokers
            .iter()
            .map(|b| format!("127.0.0.1:{}", b.port))
            .collect();
        names.join(",")
    }

    /// A client that shares no code with the product.
    pub(crate) fn client(&self) -> Client {
        Client::connect(&self.bootstrap())
    }

    /// Where broker `index` keeps a partition.
    pub(crate) fn partition_dir(&self, index: usize, topic: &str, partition: i32) -> PathBuf {
        self.brokers[index]
            .dir
            .join(format!("data/{topic}-{partition}"))
    }

    /// SIGTERM, and gone when this returns.
    pub(crate) fn stop(&self, index: usize) {
        self.end(index, Signal::TERM);
    }

    /// SIGKILL, and gone when this returns.
    pub(crate) fn kill(&self, index: usize) {
        self.end(index, Signal::KILL);
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub(crate) fn pause(&self, index: usize) {
        self.signal(index, Signal::STOP);
    }

    pub(crate) fn resume(&self, index: usize) {
        self.signal(index, Signal::CONT);
    }

    /// Starts a stopped or killed broker on its port and data, and waits until it serves.
    pub(crate) fn restart(&self, index: usize) {
        self.launch(index);
        self.wait_until_serving(index);
    }

    /// As [`KafkaCluster::restart`], without waiting.
    pub(crate) fn launch(&self, index: usize) {
        let broker = &self.brokers[index];
        let mut java = std::process::Command::new("java");
        java.args(&broker.command.args);
        let mut process = broker.process.lock().unwrap();
        assert!(process.is_none(), "broker {index} runs already");
        *process = Some(Process::spawn("broker", java, &broker.dir));
    }

    pub(crate) fn wait_until_serving(&self, index: usize) {
        let process = self.brokers[index].process.lock().unwrap();
        let process = process.as_ref().expect("the broker was not started");
        process.wait_for_line("Kafka Server started", PATIENCE);
    }

    fn signal(&self, index: usize, signal: Signal) {
        let process = self.brokers[index].process.lock().unwrap();
        process
            .as_ref()
            .expect("the broker is not running")
            .signal(signal);
    }

    fn end(&self, index: usize, signal: Signal) {
        let process = self.brokers[index].process.lock().unwrap().take();
        let process = process.expect("the broker is not running");
        process.signal(signal);
        process.wait(Duration::from_secs(60));
    }
}

fn prepare(
    kafka: &Kafka,
    options: &ClusterOptions,
    ports: &[(u16, u16)],
    index: usize,
    dir: &Path,
) -> Broker {
    let id = index + 1;
    let (port, controller_port) = ports[index];
    let dir = dir.join(format!("broker-{id}"));
    let data = dir.join("data");
    copy_dir(&kafka.formatted(id), &data);
    let voters: Vec<String> = ports
        .iter()
        .enumerate()
        .map(|(other, (_, port))| format!("{}@127.0.0.1:{port}", other + 1))
        .collect();
    let replicas = options.brokers.min(3);
    let mut settings = Properties::new()
        .set("node.id", id)
        .set("process.roles", "broker,controller")
        .set(
            "listeners",
            format!("PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}"),
        )
        .set(
            "advertised.listeners",
            format!("PLAINTEXT://127.0.0.1:{port}"),
        )
        .set("controller.listener.names", "CONTROLLER")
        .set("controller.quorum.voters", voters.join(","))
        .set("log.dirs", data.display())
        .set("auto.create.topics.enable", options.auto_create_topics)
        .set("default.replication.factor", replicas)
        .set("offsets.topic.replication.factor", replicas)
        .set("offsets.topic.num.partitions", 1)
        .set("transaction.state.log.replication.factor", replicas)
        .set("transaction.state.log.min.isr", 1)
        .set("transaction.state.log.num.partitions", 1)
        .set("share.coordinator.state.topic.replication.factor", replicas)
        .set("share.coordinator.state.topic.min.isr", 1)
        .set("group.initial.rebalance.delay.ms", 0)
        // A broker that was killed may come back soon only if its old session is over soon.
        .set("broker.session.timeout.ms", 3000)
        .set("broker.heartbeat.interval.ms", 500)
        .set("log.cleaner.enable", false);
    settings = options
        .settings
        .iter()
        .fold(settings, |all, (key, value)| all.set(key, value));
    let file = settings.write(&dir.join("server.properties"));
    let mut java = kafka.java(256, "WARN");
    java.arg("kafka.Kafka").arg(file);
    let args = java.get_args().map(std::ffi::OsStr::to_owned).collect();
    Broker {
        port,
        dir,
        process: Mutex::new(None),
        command: JavaCommand { args },
    }
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
