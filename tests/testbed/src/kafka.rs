//! Apache Kafka 4.3.1 on this machine: fetched once with Maven into the target directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The version of Kafka.
pub const VERSION: &str = "4.3.1";

/// The version of the logging library that Kafka's own artifacts ask for.
const LOG4J: &str = "2.25.4";

const ARTIFACTS: [&str; 8] = [
    "kafka_2.13",
    "kafka-tools",
    "connect-runtime",
    "connect-json",
    "connect-transforms",
    "connect-mirror",
    "connect-file",
    "connect-test-plugins",
];

/// Not on Connect's class path in Apache's distribution either: users name it in `plugin.path`.
const PLUGIN: &str = "connect-file-4.3.1.jar";

const LOG4J_PROPERTIES: &str = "\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.target=SYSTEM_ERR
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{HH:mm:ss.SSS} %p %X{connector.context}%m (%c{1})%n
rootLogger.level=${sys:ringmain.log.level:-WARN}
rootLogger.appenderRef.console.ref=console
logger.started.name=kafka.server.KafkaRaftServer
logger.started.level=INFO
";

/// How a JVM is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jvm {
    /// Quick to start, with this many MiB of heap at most: for tests.
    Small(u32),
    /// With the flags of Apache's `kafka-server-start.sh`: what a user's broker has.
    Server,
    /// With the flags of Apache's `connect-standalone.sh`.
    Connect,
    /// With the flags of Apache's other tools.
    Tool,
}

impl Jvm {
    fn flags(self) -> Vec<String> {
        let heap = match self {
            Self::Small(heap) => {
                return [
                    &format!("-Xmx{heap}m"),
                    "-XX:TieredStopAtLevel=1",
                    "-XX:+UseSerialGC",
                    "-Xshare:auto",
                ]
                .map(str::to_owned)
                .to_vec();
            }
            Self::Server => &["-Xmx1G", "-Xms1G"][..],
            Self::Connect => &["-Xms256M", "-Xmx2G"],
            Self::Tool => &["-Xmx512M"],
        };
        // KAFKA_JVM_PERFORMANCE_OPTS of kafka-run-class.sh.
        let performance = [
            "-server",
            "-XX:+UseG1GC",
            "-XX:MaxGCPauseMillis=20",
            "-XX:InitiatingHeapOccupancyPercent=35",
            "-XX:+ExplicitGCInvokesConcurrent",
            "-Djava.awt.headless=true",
        ];
        let flags = heap.iter().chain(&performance);
        flags.map(|&flag| flag.to_owned()).collect()
    }
}

/// The jars, and through them everything that runs on Java.
#[derive(Debug)]
pub struct Kafka {
    home: PathBuf,
}

impl Kafka {
    /// Kafka in the target directory of the running program, fetched with Maven if it is not there.
    ///
    /// # Errors
    /// Java or Maven are missing or cannot fetch the jars; says which.
    pub fn fetch() -> Result<Self, String> {
        fetch()
    }

    /// `java` with small settings, our jars and log settings; the caller adds the main class.
    /// `heap` is the most heap in MiB.
    pub fn java(&self, heap: u32, log_level: &str) -> Command {
        self.java_as(Jvm::Small(heap), log_level)
    }

    /// As [`Kafka::java`], with the flags of `jvm`.
    pub fn java_as(&self, jvm: Jvm, log_level: &str) -> Command {
        self.java_with(jvm, log_level, &[])
    }

    /// As [`Kafka::java_as`], with further jars on the class path.
    pub fn java_with(&self, jvm: Jvm, log_level: &str, jars: &[PathBuf]) -> Command {
        let mut command = Command::new("java");
        command
            .args(jvm.flags())
            .arg(format!("-Dringmain.log.level={log_level}"))
            .arg(format!(
                "-Dlog4j2.configurationFile={}/log4j2.properties",
                self.home.display()
            ))
            .arg("-cp")
            .arg(self.class_path(jars));
        command
    }

    fn class_path(&self, jars: &[PathBuf]) -> String {
        let own = format!("{}/libs/*", self.home.display());
        let jars = jars.iter().map(|jar| jar.display().to_string());
        [own].into_iter().chain(jars).collect::<Vec<_>>().join(":")
    }

    /// What `plugin.path` of Apache's Connect has to name for the file connectors.
    pub fn plugin_path(&self) -> PathBuf {
        self.home.join("plugins")
    }

    /// A formatted log directory of node `id`, made once: formatting takes a JVM start.
    pub fn formatted(&self, id: usize) -> PathBuf {
        self.home.join(format!("formatted/{id}"))
    }
}

/// The directory that cargo marks as its target, above the running program.
///
/// # Errors
/// There is none.
pub fn target_dir() -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|e| format!("where am I? {e}"))?;
    let mut above = program.ancestors();
    above
        .find(|dir| dir.join("CACHEDIR.TAG").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| {
            format!(
                "no directory with a CACHEDIR.TAG above {}",
                program.display()
            )
        })
}

fn fetch() -> Result<Kafka, String> {
    let home = target_dir()?.join(format!("kafka-{VERSION}"));
    fs::create_dir_all(&home).map_err(|e| format!("cannot create {}: {e}", home.display()))?;
    let lock = File::create(home.join("lock")).map_err(|e| e.to_string())?;
    lock.lock()
        .map_err(|e| format!("cannot lock {}: {e}", home.display()))?;
    run(Command::new("java").arg("-version"), "Java 17 or newer")?;
    let pom = pom();
    let stamp = home.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|was| was == pom) {
        return Ok(Kafka { home });
    }
    for part in ["libs", "plugins", "formatted"] {
        let part = home.join(part);
        if part.exists() {
            fs::remove_dir_all(&part).map_err(|e| e.to_string())?;
        }
        fs::create_dir_all(part).map_err(|e| e.to_string())?;
    }
    fs::write(home.join("pom.xml"), &pom).map_err(|e| e.to_string())?;
    fs::write(home.join("log4j2.properties"), LOG4J_PROPERTIES).map_err(|e| e.to_string())?;
    let libs = home.join("libs");
    let mut maven = Command::new("mvn");
    maven
        .args(["-q", "-B", "-f"])
        .arg(home.join("pom.xml"))
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", libs.display()));
    run(&mut maven, "Maven, to fetch Apache Kafka")?;
    let plugin = home.join("plugins/connect-file");
    fs::create_dir_all(&plugin).map_err(|e| e.to_string())?;
    fs::rename(libs.join(PLUGIN), plugin.join(PLUGIN)).map_err(|e| e.to_string())?;
    let kafka = Kafka { home };
    for id in 1..=3 {
        format_storage(&kafka, id)?;
    }
    fs::write(stamp, pom).map_err(|e| e.to_string())?;
    Ok(kafka)
}

fn format_storage(kafka: &Kafka, id: usize) -> Result<(), String> {
    let config = kafka.home.join(format!("format-{id}.properties"));
    let text = format!(
        "node.id={id}\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://:1,C://:2\n\
         controller.listener.names=C\ncontroller.quorum.voters={id}@127.0.0.1:2\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,C:PLAINTEXT\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:1\nlog.dirs={}\n",
        kafka.formatted(id).display()
    );
    fs::write(&config, text).map_err(|e| e.to_string())?;
    let mut tool = kafka.java(128, "WARN");
    tool.args([
        "kafka.tools.StorageTool",
        "format",
        "-t",
        crate::cluster::CLUSTER_ID,
        "-c",
    ])
    .arg(config);
    run(&mut tool, "formatting Kafka's storage")
}

fn run(command: &mut Command, need: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|e| format!("{need} is needed: {command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let out = String::from_utf8_lossy(&output.stdout);
    let err = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{need}: {command:?} failed ({})\n{out}\n{err}",
        output.status
    ))
}

fn pom() -> String {
    let dependency = |group: &str, artifact: &str, version: &str| {
        format!(
            "    <dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>\n"
        )
    };
    let mut dependencies: String = ARTIFACTS
        .iter()
        .map(|a| dependency("org.apache.kafka", a, VERSION))
        .collect();
    dependencies += &dependency("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J);
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
         <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>ringmain</groupId><artifactId>kafka-for-tests</artifactId>\
         <version>1</version><packaging>pom</packaging>\n  \
         <build><pluginManagement><plugins><plugin>\
         <artifactId>maven-dependency-plugin</artifactId><version>2.8</version>\
         </plugin></plugins></pluginManagement></build>\n  \
         <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    )
}
