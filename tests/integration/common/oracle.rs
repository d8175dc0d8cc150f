//! Apache's own Connect worker, which says what is right.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{
    Kafka, PATIENCE, Process, Properties, free_port, http, scratch_dir, wait_for, wait_until,
};

/// A running `ConnectStandalone`; killed when dropped.
#[derive(Debug)]
pub(crate) struct ConnectOracle {
    process: Process,
    port: u16,
    dir: TempDir,
}

impl ConnectOracle {
    /// Starts a worker with these settings and connectors, and waits until all tasks run.
    /// Puts its own plugins before those of `plugin.path`; adds `listeners` and, when absent,
    /// `offset.storage.file.filename`.
    pub(crate) fn start(kafka: &Kafka, worker: &Properties, connectors: &[Properties]) -> Self {
        Self::start_as(kafka.java(256, "INFO"), kafka, worker, connectors)
    }

    /// As [`ConnectOracle::start`], by a `java` with options or jars of its own.
    pub(crate) fn start_as(
        java: Command,
        kafka: &Kafka,
        worker: &Properties,
        connectors: &[Properties],
    ) -> Self {
        let dir = scratch_dir("oracle");
        let mut worker = worker.clone();
        if worker.get("offset.storage.file.filename").is_none() {
            let offsets = dir.path().join("connect.offsets");
            worker = worker.set("offset.storage.file.filename", offsets.display());
        }
        let write = |(index, connector): (usize, &Properties)| {
            connector.write(&dir.path().join(format!("connector-{index}.properties")))
        };
        let files: Vec<PathBuf> = connectors.iter().enumerate().map(write).collect();
        let main = "org.apache.kafka.connect.cli.ConnectStandalone";
        let oracle = Self::launch(java, kafka, main, &worker, &files, dir);
        for connector in connectors {
            oracle.wait_until_running(connector.get("name").unwrap());
        }
        oracle
    }

    /// Starts a member of a cluster and waits until it answers. The settings have `group.id` and the topics.
    pub(crate) fn start_distributed(kafka: &Kafka, worker: &Properties) -> Self {
        let main = "org.apache.kafka.connect.cli.ConnectDistributed";
        let dir = scratch_dir("oracle-distributed");
        Self::launch(kafka.java(256, "INFO"), kafka, main, worker, &[], dir)
    }

    /// Starts a worker and waits until it answers.
    fn launch(
        mut java: Command,
        kafka: &Kafka,
        main: &str,
        worker: &Properties,
        connectors: &[PathBuf],
        dir: TempDir,
    ) -> Self {
        let port = free_port();
        let own = kafka.plugin_path().display().to_string();
        let plugin_path = match worker.get("plugin.path") {
            Some(more) => format!("{own},{more}"),
            None => own,
        };
        let worker = worker
            .clone()
            .set("plugin.path", plugin_path)
            .set("plugin.discovery", "service_load")
            .set("listeners", format!("http://127.0.0.1:{port}"));
        java.arg(main)
            .arg(worker.write(&dir.path().join("worker.properties")))
            .args(connectors);
        let process = Process::spawn("oracle", java, dir.path());
        let oracle = Self { process, port, dir };
        wait_until("Apache's Connect to answer", PATIENCE, || {
            assert!(
                oracle.process.try_wait().is_none(),
                "Apache's Connect ended"
            );
            // It may ask for a password.
            http::try_request("GET", &oracle.url("/health"), None)
                .is_ok_and(|answer| matches!(answer.status, 200 | 401))
        });
        oracle
    }

    /// The file that it was started with.
    pub(crate) fn worker_file(&self) -> PathBuf {
        self.dir.path().join("worker.properties")
    }

    /// Creates a connector by REST and waits until all its tasks run.
    pub(crate) fn create(&self, connector: &Properties) {
        let name = self.put(connector);
        self.wait_until_running(&name);
    }

    /// Creates a connector by REST and waits until its first task failed; gives the trace.
    pub(crate) fn create_and_fail(&self, connector: &Properties) -> String {
        let name = self.put(connector);
        let url = self.url(&format!("/connectors/{name}/status"));
        wait_for(
            &format!("{name} to fail in Apache's Connect"),
            PATIENCE,
            || {
                let status = http::get(&url).json();
                let task = &status["tasks"][0];
                (task["state"] == "FAILED").then(|| task["trace"].as_str().unwrap().to_owned())
            },
        )
    }

    /// Creates a connector by REST and does not wait.
    pub(crate) fn put(&self, connector: &Properties) -> String {
        let name = connector.get("name").unwrap();
        let config: serde_json::Map<String, serde_json::Value> = connector
            .iter()
            .map(|(k, v)| (k.to_owned(), v.into()))
            .collect();
        let url = self.url(&format!("/connectors/{name}/config"));
        let answer = http::request("PUT", &url, Some(&config.into()));
        assert_eq!(
            answer.status, 201,
            "Apache's Connect refused {name}: {}",
            answer.body
        );
        name.to_owned()
    }

    /// Takes a connector away again.
    pub(crate) fn delete(&self, connector: &str) {
        http::request(
            "DELETE",
            &self.url(&format!("/connectors/{connector}")),
            None,
        );
    }

    /// An absolute URL of its REST interface.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Where it keeps source offsets, unless the worker's settings said otherwise.
    pub(crate) fn offset_file(&self) -> PathBuf {
        self.dir.path().join("connect.offsets")
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    pub(crate) fn wait_until_running(&self, connector: &str) {
        let url = self.url(&format!("/connectors/{connector}/status"));
        wait_until(
            &format!("Apache's Connect to run {connector}"),
            PATIENCE,
            || {
                assert!(self.process.try_wait().is_none(), "Apache's Connect ended");
                let Ok(answer) = http::try_request("GET", &url, None) else {
                    return false;
                };
                answer.status == 200 && all_tasks_run(&answer.json())
            },
        );
    }

    /// A clean stop; the directory with the offset file stays until the value is dropped.
    ///
    /// The connectors are stopped by REST first, which ends their tasks and commits their offsets:
    /// on SIGTERM the worker stops its REST server before its tasks, while Jetty's own shutdown hook
    /// takes the same server down, and once it got no further while its tasks went on. A worker
    /// without tasks has nothing to lose by a SIGKILL.
    pub(crate) fn stop(&self) {
        let names = http::get(&self.url("/connectors")).json();
        for name in names.as_array().unwrap() {
            self.stop_connector(name.as_str().unwrap());
        }
        let ended = self.process.end(Duration::from_secs(20));
        assert!(ended.is_some(), "Apache's Connect is still there");
    }

    fn stop_connector(&self, name: &str) {
        let stop = self.url(&format!("/connectors/{name}/stop"));
        let answer = http::request("PUT", &stop, None);
        assert!(
            matches!(answer.status, 202 | 204),
            "Apache's Connect did not stop {name}: {}",
            answer.body
        );
        let status = self.url(&format!("/connectors/{name}/status"));
        wait_until(
            &format!("Apache's Connect to stop {name}"),
            PATIENCE,
            || {
                let status = http::get(&status).json();
                let tasks = status["tasks"].as_array();
                status["connector"]["state"] == "STOPPED" && tasks.is_some_and(Vec::is_empty)
            },
        );
    }
}

/// Whether a status body shows a running connector with at least one task, all running.
pub(crate) fn all_tasks_run(status: &serde_json::Value) -> bool {
    let runs = |part: &serde_json::Value| part["state"] == "RUNNING";
    let tasks = status["tasks"].as_array();
    runs(&status["connector"]) && tasks.is_some_and(|t| !t.is_empty() && t.iter().all(runs))
}
