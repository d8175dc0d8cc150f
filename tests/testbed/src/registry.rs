//! A schema registry on this machine: Apicurio Registry with the interface of Confluent's, in memory,
//! and its converters for Apache's Connect, fetched once with Maven; and the serializers of the Python
//! package `confluent-kafka`, installed once into an environment of their own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::kafka::{Kafka, target_dir};
use crate::process::{describe, output_files, try_scratch_dir};
use crate::{PATIENCE, Process, try_free_port};

/// Version of Apicurio Registry.
const APICURIO: &str = "2.6.13.Final";
/// Version of Apicurio's serializers for Protobuf. Those of the registry's version write a message of their own
/// where Confluent has the message's indexes; here there is a choice.
const PROTOBUF_SERIALIZERS: &str = "3.1.7";
/// Version of Kotlin's library, which that version has older than its other parts need.
const KOTLIN: &str = "2.2.21";
/// What pip installs: the serializers, and protoc.
const PYTHON_PACKAGES: [&str; 2] = ["confluent-kafka[avro,json,protobuf]", "grpcio-tools"];

/// A running registry; killed when dropped.
#[derive(Debug)]
pub struct SchemaRegistry {
    port: u16,
    process: Process,
    _dir: TempDir,
}

impl SchemaRegistry {
    /// Fetches what is missing, starts the registry on a free loopback port and waits until it answers.
    ///
    /// # Errors
    /// Java or Maven are missing or cannot fetch it, or it does not start; says which.
    pub fn start() -> Result<Self, String> {
        let home = fetch()?;
        let failed = |e: std::io::Error| format!("the registry cannot be started: {e}");
        let port = try_free_port().map_err(failed)?;
        let dir = try_scratch_dir("registry").map_err(failed)?;
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .arg(format!("-Dquarkus.http.port={port}"))
            .args(["-Dquarkus.http.host=127.0.0.1", "-Dquarkus.log.level=WARN"])
            .arg("-jar")
            .arg(home.join(format!("apicurio-registry-app-{APICURIO}-runner.jar")))
            .current_dir(dir.path());
        let (out, err) = output_files("registry", dir.path());
        let printed = File::create(&out).map_err(failed)?;
        command.stdin(Stdio::null()).stdout(printed);
        let process = Process::try_spawn("registry", command, &out, &err).map_err(failed)?;
        let registry = Self {
            port,
            process,
            _dir: dir,
        };
        registry.wait()?;
        Ok(registry)
    }

    fn wait(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            if let Some(status) = self.process.try_wait() {
                let (status, output) = (describe(status), self.process.output());
                return Err(format!("the registry ended with {status}\n{output}"));
            }
            if Instant::now() > deadline {
                return Err(format!("the registry gave no answer within {PATIENCE:?}"));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        Ok(())
    }

    /// What `schema.registry.url` is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
    }

    /// What `apicurio.registry.url` is, of Apicurio's own converters.
    pub fn native_url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/registry/v2", self.port)
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<bool> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            let request = "GET /apis/ccompat/v7/subjects HTTP/1.0\r\nHost: localhost\r\n\r\n";
            stream.write_all(request.as_bytes())?;
            let mut head = [0; 12];
            stream.read_exact(&mut head)?;
            Ok(head.ends_with(b" 200"))
        };
        ask().unwrap_or(false)
    }
}

/// The directory with the registry's jars.
fn fetch() -> Result<PathBuf, String> {
    fetched(&format!("apicurio-{APICURIO}"), APICURIO, |home| {
        let artifact = format!("io.apicurio:apicurio-registry-app:{APICURIO}:tar.gz:all");
        let mut maven = Command::new("mvn");
        maven
            .args([
                "-q",
                "-B",
                "dependency:copy",
                "-Dmdep.overWriteSnapshots=false",
            ])
            .arg(format!("-Dartifact={artifact}"))
            .arg(format!("-DoutputDirectory={}", home.display()));
        run(&mut maven, "Maven, to fetch Apicurio Registry")?;
        let archive = home.join(format!("apicurio-registry-app-{APICURIO}-all.tar.gz"));
        let mut tar = Command::new("tar");
        tar.arg("-xzf").arg(&archive).arg("-C").arg(home);
        run(&mut tar, "tar, to unpack Apicurio Registry")
    })
}

/// A directory for `plugin.path` of Apache's Connect with Apicurio's converters, e.g.
/// `io.apicurio.registry.utils.converter.AvroConverter`, and all that they need. Kafka's own tool adds the
/// manifests of services that they lack.
///
/// # Errors
/// Maven is missing or cannot fetch them.
pub fn fetch_converters(kafka: &Kafka) -> Result<PathBuf, String> {
    let pom = pom("apicurio-registry-utils-converter", APICURIO, "");
    let home = fetched(&format!("apicurio-converters-{APICURIO}"), &pom, |home| {
        let jars = home.join("plugins/apicurio-converters");
        copy_dependencies(home, &pom, &jars, "Maven, to fetch Apicurio's converters")?;
        let mut sync = kafka.java(256, "WARN");
        sync.args(["org.apache.kafka.tools.ConnectPluginPath", "sync-manifests"])
            .arg("--plugin-location")
            .arg(&jars);
        run(&mut sync, "Kafka's connect-plugin-path, for manifests")
    })?;
    Ok(home.join("plugins"))
}

/// A directory with the jars of Apicurio's serializers for Protobuf, for [`Kafka::java_with`].
///
/// # Errors
/// Maven is missing or cannot fetch them.
pub fn fetch_protobuf_serializers() -> Result<PathBuf, String> {
    let kotlin = format!(
        "<dependency><groupId>org.jetbrains.kotlin</groupId>\
         <artifactId>kotlin-stdlib</artifactId><version>{KOTLIN}</version></dependency>"
    );
    let serde = "apicurio-registry-protobuf-serde-kafka";
    let pom = pom(serde, PROTOBUF_SERIALIZERS, &kotlin);
    let name = format!("apicurio-protobuf-{PROTOBUF_SERIALIZERS}");
    let home = fetched(&name, &pom, |home| {
        let need = "Maven, to fetch Apicurio's serializers for Protobuf";
        copy_dependencies(home, &pom, &home.join("jars"), need)
    })?;
    Ok(home.join("jars"))
}

fn copy_dependencies(home: &Path, pom: &str, jars: &Path, need: &str) -> Result<(), String> {
    let file = home.join("pom.xml");
    fs::write(&file, pom).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let mut maven = Command::new("mvn");
    maven
        .args(["-q", "-B", "-f"])
        .arg(&file)
        .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", jars.display()));
    run(&mut maven, need)
}

/// An artifact of Apicurio's without what Connect brings itself, and `more` dependencies.
fn pom(artifact: &str, version: &str, more: &str) -> String {
    let connects = ["connect-api", "connect-json", "kafka-clients"];
    let exclusions = connects.map(|artifact| {
        format!(
            "<exclusion><groupId>org.apache.kafka</groupId>\
             <artifactId>{artifact}</artifactId></exclusion>"
        )
    });
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
         <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>ringmain</groupId><artifactId>converters-for-perf</artifactId>\
         <version>1</version><packaging>pom</packaging>\n  \
         <dependencies><dependency><groupId>io.apicurio</groupId>\
         <artifactId>{artifact}</artifactId><version>{version}</version>\
         <exclusions>{}</exclusions></dependency>{more}</dependencies>\n</project>\n",
        exclusions.concat()
    )
}

/// A directory in the target directory, made by `make` unless it was made so before: `stamp` says what
/// is in it.
pub(crate) fn fetched(
    name: &str,
    stamp: &str,
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let home = target_dir()?.join(name);
    let _lock = lock(&home)?;
    let file = home.join("stamp");
    if fs::read_to_string(&file).is_ok_and(|was| was == stamp) {
        return Ok(home);
    }
    make(&home)?;
    fs::write(file, stamp).map_err(|e| e.to_string())?;
    Ok(home)
}

/// Python with the serializers of `confluent-kafka`.
#[derive(Debug)]
pub struct Python {
    program: PathBuf,
}

impl Python {
    /// Makes the environment if it is not there.
    ///
    /// # Errors
    /// `python3` with `venv` and `pip` is missing, or the packages cannot be fetched.
    pub fn install() -> Result<Self, String> {
        let home = target_dir()?.join("python-serializers");
        let _lock = lock(&home)?;
        let program = home.join("bin/python");
        let stamp = home.join("stamp");
        let packages = PYTHON_PACKAGES.join(" ");
        if fs::read_to_string(&stamp).is_ok_and(|was| was == packages) {
            return Ok(Self { program });
        }
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&home);
        run(&mut venv, "python3 with venv, for other serializers")?;
        let mut pip = Command::new(&program);
        pip.args(["-m", "pip", "install", "--quiet"])
            .args(PYTHON_PACKAGES);
        run(&mut pip, "pip, to fetch other serializers")?;
        fs::write(stamp, packages).map_err(|e| e.to_string())?;
        Ok(Self { program })
    }

    /// Runs a script with arguments and gives what it printed.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, script: &Path, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new(&self.program)
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(input.as_bytes()).unwrap();
        drop(pipe);
        let output = child.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            output.status.success(),
            "{} failed:\n{}\n{}",
            script.display(),
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }
}

fn lock(home: &Path) -> Result<File, String> {
    fs::create_dir_all(home).map_err(|e| format!("cannot create {}: {e}", home.display()))?;
    let lock = File::create(home.join("lock")).map_err(|e| e.to_string())?;
    lock.lock()
        .map_err(|e| format!("cannot lock {}: {e}", home.display()))?;
    Ok(lock)
}

pub(crate) fn run(command: &mut Command, need: &str) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|e| format!("{need} is needed: {command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    Err(format!(
        "{need}: {command:?} failed ({})\n{out}\n{err}",
        output.status
    ))
}
