//! REST clients that others wrote for Apache's Connect, each driven through its whole interface by a script
//! in its own language (`tests/rest_clients/`).
//!
//! A script checks every answer itself and prints it. It runs against our worker and against Apache's, and
//! what it prints has to be the same: so a call that fails at Apache's worker has to fail at ours, too. Then
//! it comes to ours by HTTPS, with a password if the client has such a thing.

mod transcript;

use std::path::{Path, PathBuf};
use std::process::Command;

use testbed::rest_clients::{NODE, PYTHON, jars_of, node_modules_of, python_with};

use self::transcript::Transcript;
use crate::common::{Properties, Ringmain, Standalone, kafka, pipeline, scratch_dir};
use crate::rest_tls::guarded::{GuardedWorker, PASSWORD, basic_auth};

/// Ours with an embedded log.
fn ours() -> (Ringmain, tempfile::TempDir) {
    let log = scratch_dir("rest-clients-log");
    let bootstrap = format!("embedded:{}", log.path().display());
    let ringmain = Standalone::new(&pipeline::worker(&bootstrap), &[]).launch();
    ringmain.wait_until_serving();
    (ringmain, log)
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/rest_clients")
        .join(name)
}

/// Whether a client can say who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Credentials {
    Basic,
    None,
}

/// Runs a script, which makes `calls` calls, against both workers, and once more over HTTPS.
fn manages_connectors(calls: usize, credentials: Credentials, script: impl Fn() -> Command) {
    let (ringmain, _log) = ours();
    let answers = Transcript::of(script(), &ringmain.url(""));
    assert_eq!(answers.len(), calls, "{answers:?}");
    ringmain.stop_cleanly();
    let Some(kafka) = kafka() else { return };
    let apache = kafka.managed_oracle();
    let expected = Transcript::of(script(), &apache.url(""));
    drop(apache);
    answers.is_as(&expected);
    comes_by_https(&expected, credentials, script());
}

fn comes_by_https(expected: &Transcript, credentials: Credentials, mut script: Command) {
    let guard = match credentials {
        Credentials::Basic => basic_auth(),
        Credentials::None => Properties::new(),
    };
    let Some(worker) = GuardedWorker::start(&guard, "ali=open sesame\n") else {
        return;
    };
    let authority = worker.made.path("ca.crt");
    script
        .env("REQUESTS_CA_BUNDLE", &authority)
        .env("NODE_EXTRA_CA_CERTS", &authority)
        .env("CLIENT_TRUST_STORE", worker.made.trust_store())
        .env("CLIENT_TRUST_STORE_PASSWORD", PASSWORD);
    if credentials == Credentials::Basic {
        script
            .env("CLIENT_USER", "ali")
            .env("CLIENT_PASSWORD", "open sesame");
    }
    Transcript::of(script, &worker.url).is_as(expected);
    worker.ringmain.stop_cleanly();
}

fn python(script: &str) -> Option<impl Fn() -> Command> {
    if !PYTHON.is_there() {
        return None;
    }
    let program = python_with(&file("python/requirements.txt")).unwrap_or_else(|e| panic!("{e}"));
    let script = file(script);
    Some(move || {
        let mut command = Command::new(&program);
        command.arg("-B").arg(&script);
        command
    })
}

#[test]
fn kafka_connect_py_manages_connectors() {
    let Some(script) = python("python/with_kafka_connect_py.py") else {
        return;
    };
    manages_connectors(79, Credentials::Basic, script);
}

#[test]
fn kafka_connect_api_manages_connectors() {
    let Some(script) = python("python/with_kafka_connect_api.py") else {
        return;
    };
    manages_connectors(49, Credentials::Basic, script);
}

#[test]
fn kafka_connect_client_of_npm_manages_connectors() {
    if !NODE.is_there() {
        return;
    }
    let modules = node_modules_of(&file("node")).unwrap_or_else(|e| panic!("{e}"));
    manages_connectors(52, Credentials::None, || {
        let mut command = Command::new("node");
        command
            .arg(file("node/with_kafka_connect_client.js"))
            .env("NODE_PATH", &modules);
        command
    });
}

#[test]
fn kafka_connect_client_of_sourcelab_manages_connectors() {
    // Without Java there is none.
    if kafka().is_none() {
        return;
    }
    let jars = jars_of(&file("java/pom.xml")).unwrap_or_else(|e| panic!("{e}"));
    manages_connectors(44, Credentials::Basic, || {
        let mut command = Command::new("java");
        command
            .args(["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"])
            .arg("-cp")
            .arg(jars.join("*"))
            .arg(file("java/WithSourcelabClient.java"));
        command
    });
}
