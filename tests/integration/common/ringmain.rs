//! Our binary, started as users start it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::oracle::all_tasks_run;
use super::{PATIENCE, Process, Properties, free_port, http, scratch_dir, wait_until};

/// The binary under test. `RINGMAIN_TEST_BINARY` names another, such as a script that starts
/// Apache's Connect: so a test can be checked against what it says Apache does.
pub(crate) fn binary() -> String {
    std::env::var("RINGMAIN_TEST_BINARY")
        .unwrap_or_else(|_| env!("CARGO_BIN_EXE_ringmain").to_owned())
}

/// How long a clean stop may take: Connect's 5 s for the tasks and some for the rest.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// A running `ringmain`; killed when dropped.
#[derive(Debug)]
pub(crate) struct Ringmain {
    process: Process,
    port: u16,
    /// Holds the logs and the offset file, also when the [`Standalone`] was a passing value.
    _dir: Arc<TempDir>,
}

/// Worker and connector files in one directory, which outlives a single run of the binary.
#[derive(Debug)]
pub(crate) struct Standalone {
    dir: Arc<TempDir>,
    port: u16,
    worker: PathBuf,
    connectors: Vec<PathBuf>,
    names: Vec<String>,
}

impl Ringmain {
    /// Runs any command to its end: exit code and output.
    pub(crate) fn run(args: &[&OsStr], limit: Duration) -> (Option<i32>, String) {
        Self::run_with_input(args, Stdio::null(), limit)
    }

    /// As [`Ringmain::run`], with a standard input.
    pub(crate) fn run_with_input(
        args: &[&OsStr],
        input: Stdio,
        limit: Duration,
    ) -> (Option<i32>, String) {
        let dir = scratch_dir("run");
        let mut command = Command::new(binary());
        command.args(args).current_dir(dir.path()).stdin(input);
        let process = Process::spawn_with_input("ringmain", command, dir.path());
        let status = process.wait(limit);
        (status.code(), process.output())
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub(crate) fn wait_for_line(&self, text: &str) -> String {
        self.process.wait_for_line(text, PATIENCE)
    }

    /// Waits until the REST interface answers.
    pub(crate) fn wait_until_serving(&self) {
        wait_until("ringmain's REST interface", PATIENCE, || {
            assert!(self.process.try_wait().is_none(), "ringmain ended");
            self.log_without_rest().is_some()
                || http::try_request("GET", &self.url("/"), None).is_ok_and(|a| a.status == 200)
        });
    }

    /// The log of a worker that started without a REST interface, which then has to do instead.
    fn log_without_rest(&self) -> Option<String> {
        Some(self.process.output()).filter(|log| log.contains("started rest=[]"))
    }

    pub(crate) fn status(&self, connector: &str) -> serde_json::Value {
        http::get(&self.url(&format!("/connectors/{connector}/status"))).json()
    }

    pub(crate) fn wait_until_running(&self, connector: &str) {
        let url = self.url(&format!("/connectors/{connector}/status"));
        wait_until(&format!("ringmain to run {connector}"), PATIENCE, || {
            assert!(self.process.try_wait().is_none(), "ringmain ended");
            if self.process.output().contains("rest=[]") {
                return self
                    .process
                    .output()
                    .contains(&format!("task {connector}-0 started"));
            }
            let answer = http::try_request("GET", &url, None);
            answer.is_ok_and(|a| a.status == 200 && all_tasks_run(&a.json()))
        });
    }

    /// Waits until task 0 of a connector has failed, and gives its trace.
    pub(crate) fn wait_until_failed(&self, connector: &str) -> String {
        let url = self.url(&format!("/connectors/{connector}/status"));
        super::wait_for(&format!("a failed task of {connector}"), PATIENCE, || {
            assert!(self.process.try_wait().is_none(), "ringmain ended");
            if let Some(log) = self.log_without_rest() {
                let task = format!("connector={connector} ");
                let mut lines = log.lines().filter(|line| line.contains(&task));
                return lines
                    .find(|line| line.contains("will not recover"))
                    .map(str::to_owned);
            }
            let answer = http::try_request("GET", &url, None).ok()?;
            if answer.status != 200 {
                return None;
            }
            let task = &answer.json()["tasks"][0];
            let failed = task["state"] == "FAILED";
            failed.then(|| task["trace"].as_str().unwrap_or_default().to_owned())
        })
    }

    /// SIGTERM, and the exit code.
    pub(crate) fn stop(&self) -> Option<i32> {
        self.process.signal(Signal::TERM);
        self.process.wait(STOP_LIMIT).code()
    }

    /// SIGTERM, and exit code 0.
    pub(crate) fn stop_cleanly(&self) {
        let code = self.stop();
        assert_eq!(code, Some(0), "the exit code of a clean stop");
    }

    /// SIGINT, as from a terminal, and exit code 0.
    pub(crate) fn interrupt_cleanly(&self) {
        self.process.signal(Signal::INT);
        let code = self.process.wait(STOP_LIMIT).code();
        assert_eq!(code, Some(0), "the exit code of a clean stop by SIGINT");
    }

    /// SIGKILL, and gone when this returns.
    pub(crate) fn kill(&self) {
        self.process.kill();
    }
}

impl Standalone {
    /// Files for a worker and its connectors. `listeners` is set to a free port, the offset file
    /// into the directory, unless given.
    pub(crate) fn new(worker: &Properties, connectors: &[Properties]) -> Self {
        let dir = Arc::new(scratch_dir("standalone"));
        let port = free_port();
        let file = dir.path().join("worker.properties");
        let empty = Vec::new();
        let files = Self {
            dir,
            port,
            worker: file,
            connectors: empty,
            names: Vec::new(),
        };
        files.set_worker(worker);
        files.with_connectors(connectors)
    }

    /// Takes these connectors instead: for those whose files lie in the directory.
    pub(crate) fn with_connectors(mut self, connectors: &[Properties]) -> Self {
        self.names = connectors
            .iter()
            .map(|c| c.get("name").unwrap().to_owned())
            .collect();
        let write = |(index, connector): (usize, &Properties)| {
            connector.write(&self.dir().join(format!("connector-{index}.properties")))
        };
        self.connectors = connectors.iter().enumerate().map(write).collect();
        self
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn offset_file(&self) -> PathBuf {
        self.dir.path().join("connect.offsets")
    }

    pub(crate) fn worker_file(&self) -> &Path {
        &self.worker
    }

    /// For files that stand in the directory `dir` already; `port` is what `listeners` names.
    pub(crate) fn of_files(dir: TempDir, port: u16, worker: &str, connectors: &[&str]) -> Self {
        let path = |name: &str| dir.path().join(name);
        let (worker, connectors) = (path(worker), connectors.iter().map(|c| path(c)).collect());
        Self {
            dir: Arc::new(dir),
            port,
            worker,
            connectors,
            names: Vec::new(),
        }
    }

    /// Writes the worker's file anew.
    pub(crate) fn set_worker(&self, worker: &Properties) {
        let mut worker = worker.clone();
        if worker.get("listeners").is_none() {
            worker = worker.set("listeners", format!("http://127.0.0.1:{}", self.port));
        }
        if worker.get("offset.storage.file.filename").is_none() {
            worker = worker.set("offset.storage.file.filename", self.offset_file().display());
        }
        worker.write(&self.worker);
    }

    /// Starts the binary as `ringmain standalone …` and does not wait.
    pub(crate) fn launch(&self) -> Ringmain {
        self.launch_with(|command| command)
    }

    /// As [`Standalone::launch`], with changes to the command such as its environment.
    pub(crate) fn launch_with(
        &self,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Ringmain {
        let mut command = Command::new(binary());
        command
            .arg("standalone")
            .arg(&self.worker)
            .args(&self.connectors);
        change(command.current_dir(self.dir()));
        self.watch(command)
    }

    /// Starts the binary under the name of Apache's script.
    pub(crate) fn launch_as_connect_standalone(&self) -> Ringmain {
        let mut command = Command::new(binary());
        command
            .arg0("connect-standalone")
            .arg(&self.worker)
            .args(&self.connectors);
        command.current_dir(self.dir());
        self.watch(command)
    }

    /// Starts the binary and waits until every connector runs.
    pub(crate) fn start(&self) -> Ringmain {
        let ringmain = self.launch();
        for name in &self.names {
            ringmain.wait_until_running(name);
        }
        ringmain
    }

    fn watch(&self, command: Command) -> Ringmain {
        let process = Process::spawn("ringmain", command, self.dir());
        Ringmain {
            process,
            port: self.port,
            _dir: Arc::clone(&self.dir),
        }
    }

    /// Bytes of a file in the directory; empty while there is none.
    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir().join(name)).unwrap_or_default()
    }
}
