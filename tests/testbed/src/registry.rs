//! A schema registry on this machine: Apicurio Registry with the interface of Confluent's, in memory,
//! fetched once with Maven; and the serializers of the Python package `confluent-kafka`, installed once
//! into an environment of their own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::kafka::target_dir;
use crate::{PATIENCE, Process, free_port, scratch_dir, wait_until};

/// Version of Apicurio Registry.
const APICURIO: &str = "2.6.13.Final";
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
    /// Java or Maven are missing or cannot fetch it; says which.
    pub fn start() -> Result<Self, String> {
        let home = fetch()?;
        let (port, dir) = (free_port(), scratch_dir("registry"));
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .arg(format!("-Dquarkus.http.port={port}"))
            .args(["-Dquarkus.http.host=127.0.0.1", "-Dquarkus.log.level=WARN"])
            .arg("-jar")
            .arg(home.join(format!("apicurio-registry-app-{APICURIO}-runner.jar")))
            .current_dir(dir.path());
        let process = Process::spawn("registry", command, dir.path());
        let registry = Self {
            port,
            process,
            _dir: dir,
        };
        wait_until("the schema registry to answer", PATIENCE, || {
            let ended = registry.process.try_wait();
            assert!(
                ended.is_none(),
                "the registry ended: {}",
                registry.process.output()
            );
            registry.answers()
        });
        Ok(registry)
    }

    /// What `schema.registry.url` is.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/apis/ccompat/v7", self.port)
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
    let home = target_dir()?.join(format!("apicurio-{APICURIO}"));
    let _lock = lock(&home)?;
    let stamp = home.join("stamp");
    if stamp.exists() {
        return Ok(home);
    }
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
    tar.arg("-xzf").arg(&archive).arg("-C").arg(&home);
    run(&mut tar, "tar, to unpack Apicurio Registry")?;
    fs::write(stamp, APICURIO).map_err(|e| e.to_string())?;
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

fn run(command: &mut Command, need: &str) -> Result<(), String> {
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
