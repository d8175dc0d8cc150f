//! The embedded log as a source of records: filled once by Ringmain's own Datagen, then read by every run.
//!
//! There is no broker to ask for progress. What the kernel says that the process has read tells it: the
//! log is read once, from its beginning. How many records the sink got says its own log at the end.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::{Error, Naming, Result};
use crate::interrupt;
use crate::results::Verification;
use crate::scenario::{Flow, Scenario};
use crate::session::Session;
use crate::systems::{self, Job, System};
use crate::verify;
use crate::worker::Worker;

/// The topic of the log.
pub(crate) const TOPIC: &str = "input";
const PATIENCE: Duration = Duration::from_secs(600);
/// A log that has not grown for so long is full.
const SETTLED: Duration = Duration::from_secs(2);

/// Fills the log in `dir` with the scenario's records.
pub(crate) fn fill(session: &mut Session, scenario: &Scenario, dir: &Path) -> Result<()> {
    let mut filling = scenario.clone();
    filling.flow = Flow::Generate;
    filling.settings.tasks = 1;
    filling.settings.shards = None;
    filling.worker.insert(
        "embedded.num.partitions".to_owned(),
        scenario.settings.partitions.to_string(),
    );
    let job = Job {
        scenario: &filling,
        dir,
        bootstrap: format!("embedded:{}", dir.join("log").display()),
        name: "fill".to_owned(),
        input_file: dir.join("input.txt"),
        input_topic: String::new(),
        output_topic: TOPIC.to_owned(),
        output_file: dir.join("output.txt"),
        plugin_path: None,
        registry: None,
    };
    let launch = systems::launch(System::Ringmain, &session.programs, &job)?;
    let mut worker = Worker::start("fill", launch)?;
    let wanted = scenario.settings.records * scenario.settings.record_size as u64;
    let deadline = Instant::now() + PATIENCE;
    let mut grown = (0, Instant::now());
    session.progress.begin("filling the log", wanted);
    while grown.0 < wanted || grown.1.elapsed() < SETTLED {
        interrupt::sleep(Duration::from_millis(50))?;
        if worker.look(None, 0)?.ended || Instant::now() > deadline {
            return Err(Error::Run(format!(
                "the log was not filled\n{}",
                worker.tail()
            )));
        }
        let size = size(dir);
        session.progress.at(size);
        if size > grown.0 {
            grown = (size, Instant::now());
        }
    }
    let (status, _) = worker.end()?;
    match status.success() {
        true => Ok(()),
        false => Err(worker.ended_badly(status)),
    }
}

/// Bytes of all segments below `dir`/log.
pub(crate) fn size(dir: &Path) -> u64 {
    let entries = |path: &Path| std::fs::read_dir(path).into_iter().flatten().flatten();
    entries(&dir.join("log"))
        .flat_map(|topic| entries(&topic.path()).collect::<Vec<_>>())
        .filter(|file| {
            file.path()
                .extension()
                .is_some_and(|ending| ending == "log")
        })
        .filter_map(|file| file.metadata().ok())
        .map(|data| data.len())
        .sum()
}

/// Bytes that a process has read through system calls.
pub(crate) fn bytes_read(pid: i32) -> Result<u64> {
    let path = format!("/proc/{pid}/io");
    let text = std::fs::read_to_string(&path).at("read", path.as_ref())?;
    let line = text.lines().find_map(|line| line.strip_prefix("rchar: "));
    Ok(line.and_then(|count| count.parse().ok()).unwrap_or(0))
}

/// The sinks of a worker that stopped say how many records they dropped: one line for each task.
/// A run that was cut short has no number to be held to.
pub(crate) fn verification(log: &str, expected: Option<u64>) -> Verification {
    let lines = log.lines().filter(|line| line.contains("records dropped"));
    let counts = lines.filter_map(|line| {
        let (_, rest) = line.split_once("records=")?;
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    });
    let found = counts.sum();
    verify::by_count(expected.unwrap_or(found), found, "the sink's own count")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_tasks_are_added() {
        let log = "INFO records dropped connector=\"c\" task=0 records=12\n\
                   INFO records dropped connector=\"c\" task=1 records=30\nINFO records=7\n";
        assert_eq!(verification(log, Some(42)).found, 42);
    }

    #[test]
    fn segments_are_counted_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let topic = dir.path().join("log/input-0");
        std::fs::create_dir_all(&topic).unwrap();
        std::fs::write(topic.join("0.log"), [0; 100]).unwrap();
        std::fs::write(topic.join("0.index"), [0; 7]).unwrap();
        assert_eq!(size(dir.path()), 100);
    }

    #[test]
    fn what_we_read_is_counted() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let before = bytes_read(pid).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, vec![0; 1 << 20]).unwrap();
        assert_eq!(std::fs::read(&file).unwrap().len(), 1 << 20);
        assert!(bytes_read(pid).unwrap() >= before + (1 << 20));
    }
}
