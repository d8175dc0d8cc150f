//! A Kafka cluster in KRaft mode: one node, or three, each broker and controller at once.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::process::{output_files, try_scratch_dir};
use crate::{Client, Jvm, Kafka, PATIENCE, Process, Properties, try_free_port};

/// With which storage is formatted.
pub const CLUSTER_ID: &str = "cmluZ21haW4tdGVzdHMtMQ";

/// How to start a cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// 1 or 3.
    pub brokers: usize,
    /// Whether topics are created by use.
    pub auto_create_topics: bool,
    /// More broker settings; they win over ours.
    pub settings: Properties,
    /// Flags of the brokers' JVMs.
    pub jvm: Jvm,
    /// Listeners beside the plain one: name and security protocol. Each gets a port on `localhost`, see
    /// [`KafkaCluster::listener`]; what they need otherwise goes into `settings`.
    pub listeners: Vec<(&'static str, &'static str)>,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            brokers: 1,
            auto_create_topics: true,
            settings: Properties::new(),
            jvm: Jvm::Small(256),
            listeners: Vec::new(),
        }
    }
}

/// Brokers on fixed ports and directories, which can be stopped, killed, paused and restarted.
/// Brokers are counted from 0; everything is killed when dropped.
#[derive(Debug)]
pub struct KafkaCluster {
    brokers: Vec<Broker>,
    _dir: TempDir,
}

#[derive(Debug)]
struct Broker {
    port: u16,
    /// Of the further listeners, by name.
    listeners: Vec<(&'static str, u16)>,
    dir: PathBuf,
    process: Mutex<Option<Process>>,
    command: JavaCommand,
}

/// What a broker is started with each time.
#[derive(Debug)]
struct JavaCommand {
    args: Vec<std::ffi::OsString>,
}

impl Broker {
    fn running(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KafkaCluster {
    /// Starts the cluster and waits until every broker serves.
    ///
    /// # Panics
    /// When that fails.
    pub fn start(kafka: &Kafka, options: &ClusterOptions) -> Self {
        Self::try_start(kafka, options).unwrap_or_else(|why| panic!("{why}"))
    }

    /// As [`KafkaCluster::start`].
    ///
    /// # Errors
    /// Says what failed: files, ports, or a broker, with how it ended.
    pub fn try_start(kafka: &Kafka, options: &ClusterOptions) -> Result<Self, String> {
        let text = |e: io::Error| format!("Kafka could not be started: {e}");
        let dir = try_scratch_dir("kafka").map_err(text)?;
        let ports: Vec<(u16, u16)> = (0..options.brokers)
            .map(|_| Ok((try_free_port()?, try_free_port()?)))
            .collect::<io::Result<_>>()
            .map_err(text)?;
        let brokers = (0..options.brokers)
            .map(|index| prepare(kafka, options, &ports, index, dir.path()))
            .collect::<io::Result<_>>()
            .map_err(text)?;
        let cluster = Self { brokers, _dir: dir };
        for index in 0..options.brokers {
            cluster.try_launch(index).map_err(text)?;
        }
        for index in 0..options.brokers {
            cluster.try_wait_until_serving(index)?;
        }
        Ok(cluster)
    }

    /// Process id of broker `index`; none while it is stopped.
    pub fn pid(&self, index: usize) -> Option<i32> {
        let process = self.brokers.get(index)?.running();
        process.as_ref().map(Process::pid)
    }

    /// The command line of broker `index`.
    pub fn command_line(&self, index: usize) -> Option<String> {
        let command = &self.brokers.get(index)?.command;
        let words = command.args.iter().map(|arg| arg.to_string_lossy());
        Some(words.fold("java".to_owned(), |line, word| line + " " + &word))
    }

    /// `host:port` of every broker, by commas.
    pub fn bootstrap(&self) -> String {
        let names: Vec<String> = self
            .brokers
            .iter()
            .map(|b| format!("127.0.0.1:{}", b.port))
            .collect();
        names.join(",")
    }

    /// `localhost:port` of a further listener of every broker, by commas.
    ///
    /// # Panics
    /// There is no such listener.
    pub fn listener(&self, name: &str) -> String {
        let port = |broker: &Broker| {
            let found = broker.listeners.iter().find(|(known, _)| *known == name);
            format!(
                "localhost:{}",
                found.unwrap_or_else(|| panic!("no listener {name}")).1
            )
        };
        let ports: Vec<String> = self.brokers.iter().map(port).collect();
        ports.join(",")
    }

    /// A client that shares no code with the product.
    pub fn client(&self) -> Client {
        Client::connect(&self.bootstrap())
    }

    /// Where broker `index` keeps a partition.
    pub fn partition_dir(&self, index: usize, topic: &str, partition: i32) -> PathBuf {
        self.brokers[index]
            .dir
            .join(format!("data/{topic}-{partition}"))
    }

    /// SIGTERM, and gone when this returns.
    pub fn stop(&self, index: usize) {
        self.end(index, Signal::TERM);
    }

    /// SIGKILL, and gone when this returns.
    pub fn kill(&self, index: usize) {
        self.end(index, Signal::KILL);
    }

    /// SIGSTOP: connections stay open and nothing answers.
    pub fn pause(&self, index: usize) {
        self.signal(index, Signal::STOP);
    }

    /// SIGCONT.
    pub fn resume(&self, index: usize) {
        self.signal(index, Signal::CONT);
    }

    /// Starts a stopped or killed broker on its port and data, and waits until it serves.
    pub fn restart(&self, index: usize) {
        self.launch(index);
        self.wait_until_serving(index);
    }

    /// As [`KafkaCluster::restart`], without waiting.
    ///
    /// # Panics
    /// When it runs already or cannot be started.
    pub fn launch(&self, index: usize) {
        self.try_launch(index).unwrap_or_else(|e| panic!("{e}"));
    }

    fn try_launch(&self, index: usize) -> io::Result<()> {
        let broker = &self.brokers[index];
        let (stdout, stderr) = output_files("broker", &broker.dir);
        let mut java = Command::new("java");
        java.args(&broker.command.args)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?);
        let mut process = broker.running();
        if process.is_some() {
            return Err(io::Error::other(format!("broker {index} runs already")));
        }
        *process = Some(Process::try_spawn("broker", java, &stdout, &stderr)?);
        Ok(())
    }

    /// Waits until broker `index` serves.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_until_serving(&self, index: usize) {
        self.try_wait_until_serving(index)
            .unwrap_or_else(|why| panic!("{why}"));
    }

    fn try_wait_until_serving(&self, index: usize) -> Result<(), String> {
        let process = self.brokers[index].running();
        let process = process.as_ref().ok_or("the broker was not started")?;
        let waiting = process.try_wait_for_line("Kafka Server started", PATIENCE);
        waiting
            .map(|_| ())
            .map_err(|why| format!("{why}\n{}", process.output()))
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

/// Ports of the further listeners, and the settings of all listeners.
fn listeners(
    options: &ClusterOptions,
    (port, controller_port): (u16, u16),
) -> io::Result<(Vec<(&'static str, u16)>, Properties)> {
    let mut further = Vec::new();
    let (mut addresses, mut protocols) = (String::new(), String::new());
    for (name, protocol) in &options.listeners {
        let port = try_free_port()?;
        addresses += &format!(",{name}://localhost:{port}");
        protocols += &format!(",{name}:{protocol}");
        further.push((*name, port));
    }
    let plain = format!("PLAINTEXT://127.0.0.1:{port}");
    let controller = format!("CONTROLLER://127.0.0.1:{controller_port}");
    let settings = Properties::new()
        .set("listeners", format!("{plain},{controller}{addresses}"))
        .set("advertised.listeners", format!("{plain}{addresses}"))
        .set(
            "listener.security.protocol.map",
            format!("PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}"),
        )
        .set("inter.broker.listener.name", "PLAINTEXT");
    Ok((further, settings))
}

fn prepare(
    kafka: &Kafka,
    options: &ClusterOptions,
    ports: &[(u16, u16)],
    index: usize,
    dir: &Path,
) -> io::Result<Broker> {
    let id = index + 1;
    let (port, _) = ports[index];
    let dir = dir.join(format!("broker-{id}"));
    let data = dir.join("data");
    copy_dir(&kafka.formatted(id), &data)?;
    let voters: Vec<String> = ports
        .iter()
        .enumerate()
        .map(|(other, (_, port))| format!("{}@127.0.0.1:{port}", other + 1))
        .collect();
    let replicas = options.brokers.min(3);
    let (listeners, settings) = listeners(options, ports[index])?;
    let mut settings = settings
        .set("node.id", id)
        .set("process.roles", "broker,controller")
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
    let file = dir.join("server.properties");
    fs::write(&file, settings.text())?;
    let mut java = kafka.java_as(options.jvm, "WARN");
    java.arg("kafka.Kafka").arg(file);
    let args = java.get_args().map(std::ffi::OsStr::to_owned).collect();
    Ok(Broker {
        port,
        listeners,
        dir,
        process: Mutex::new(None),
        command: JavaCommand { args },
    })
}

fn copy_dir(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}
