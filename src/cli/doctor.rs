//! `ringmain doctor`: checks of this machine and the brokers, each with what to do.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::{Exit, print_error, print_line};
use crate::clients::CommonClientConfig;
use crate::config::clients::worker_admin;
use crate::config::worker::{self, Log};
use crate::kafka;
use crate::shard::{
    self, RuntimeChoice, RuntimeKind, TaskIo, affinity_cpus, choose_runtime, probe_io_uring,
};

/// How long a broker may take.
const BROKER_LIMIT: Duration = Duration::from_secs(10);
/// Fewer open files than this are too few for a busy worker.
const OPEN_FILES_LEAST: u64 = 4096;

/// Findings as they are printed; `true` = fine.
struct Report {
    healthy: bool,
}

impl Report {
    fn fine(&mut self, name: &str, text: &str) {
        print_line(&format!("ok    {name}: {text}"));
    }

    fn warn(&mut self, name: &str, text: &str) {
        print_line(&format!("warn  {name}: {text}"));
    }

    fn bad(&mut self, name: &str, text: &str) {
        self.healthy = false;
        print_line(&format!("FAIL  {name}: {text}"));
    }
}

/// Runs all checks.
pub(super) fn run(worker: Option<&Path>, bootstrap_servers: Option<&str>) -> Exit {
    let mut report = Report { healthy: true };
    check_runtime(&mut report);
    check_limits(&mut report);
    let brokers = match (bootstrap_servers, worker) {
        (Some(list), _) => Some(CommonClientConfig {
            bootstrap_servers: list
                .split(',')
                .map(|server| server.trim().to_owned())
                .collect(),
            ..CommonClientConfig::default()
        }),
        (None, Some(path)) => match brokers_of(path, &mut report) {
            Ok(brokers) => brokers,
            Err(exit) => return exit,
        },
        (None, None) => {
            report.warn(
                "brokers",
                "not checked; name a worker file or --bootstrap-servers",
            );
            None
        }
    };
    if let Some(brokers) = brokers {
        check_brokers(&mut report, brokers);
    }
    if report.healthy {
        Exit::Clean
    } else {
        Exit::Failure
    }
}

fn check_runtime(report: &mut Report) {
    let cpus = affinity_cpus();
    report.fine(
        "CPUs",
        &format!("{} usable ({cpus:?}), one shard each", cpus.len()),
    );
    let probe = probe_io_uring();
    match &probe.io_uring_problem {
        None => report.fine("io_uring", &format!("works (kernel {})", probe.kernel)),
        Some(problem) => report.warn(
            "io_uring",
            &format!("{problem}; shards run on epoll instead, which costs little. In a container, allow io_uring in the seccomp profile to use it"),
        ),
    }
    let chosen =
        |io| choose_runtime(RuntimeChoice::Auto, io, &probe).map_or("none", RuntimeKind::name);
    report.fine(
        "shard.runtime=auto",
        &format!(
            "chooses {} with brokers, {} with the embedded log",
            chosen(TaskIo::Brokers),
            chosen(TaskIo::Files)
        ),
    );
    match probe.memlock {
        None => report.fine("locked memory", "unlimited"),
        Some(bytes) if bytes >= 8 << 20 => {
            report.fine("locked memory", &format!("{} KiB", bytes >> 10));
        }
        Some(bytes) => report.warn(
            "locked memory",
            &format!("{} KiB; each io_uring shard locks 192 KiB: raise it (ulimit -l 8192) for many cores", bytes >> 10),
        ),
    }
}

fn check_limits(report: &mut Report) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.maximum {
        Some(files) if files < OPEN_FILES_LEAST => report.warn(
            "open files",
            &format!("at most {files}; raise the hard limit (ulimit -Hn {OPEN_FILES_LEAST}) for many connectors"),
        ),
        Some(files) => report.fine("open files", &format!("up to {files}")),
        None => report.fine("open files", "unlimited"),
    }
}

/// How the worker's own clients reach its brokers; `None` with an embedded log.
fn brokers_of(path: &Path, report: &mut Report) -> Result<Option<CommonClientConfig>, Exit> {
    let file = worker::load_either(path).map_err(|error| {
        print_error(&error.to_string());
        Exit::Usage
    })?;
    for warning in &file.warnings {
        report.warn("worker file", &warning.to_string());
    }
    report.fine("worker file", &format!("{} can be used", path.display()));
    match file.config.log {
        Log::Kafka(_) => match worker_admin(&file.config.originals) {
            Ok(admin) => Ok(Some(admin.common)),
            Err(problems) => {
                for problem in problems {
                    print_error(&problem.message);
                }
                Err(Exit::Usage)
            }
        },
        Log::Embedded(dir) => {
            report.fine("log", &format!("embedded in {}", dir.display()));
            Ok(None)
        }
    }
}

fn check_brokers(report: &mut Report, brokers: CommonClientConfig) {
    let list = brokers.bootstrap_servers.join(",");
    let (sender, receiver) = mpsc::channel();
    let ran = shard::run(RuntimeKind::Epoll, None, async move {
        // The receiver outlives this future.
        sender
            .send(kafka::probe(&brokers, BROKER_LIMIT).await)
            .unwrap_or(());
    });
    match (ran, receiver.try_recv()) {
        (Ok(()), Ok(Ok(found))) => {
            let brokers: Vec<_> = found
                .brokers
                .iter()
                .map(|(id, address)| format!("{id} at {address}"))
                .collect();
            report.fine(
                "brokers",
                &format!(
                    "Kafka {}, cluster {}, brokers {}",
                    found.kafka_version,
                    found.cluster_id,
                    brokers.join(", ")
                ),
            );
        }
        (Ok(()), Ok(Err(error))) => report.bad(
            "brokers",
            &format!(
                "{list}: {error}; check that they run, their advertised.listeners, and firewalls"
            ),
        ),
        (Err(error), _) => report.bad("brokers", &error.to_string()),
        (Ok(()), Err(_)) => report.bad("brokers", "the check gave no answer"),
    }
}
