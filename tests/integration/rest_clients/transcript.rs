//! What a script printed: a line of JSON per call, `[name, answer]`.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::common::{Process, scratch_dir};

/// Longest time that a script may take: its own limit per change is 60 s.
const LIMIT: Duration = Duration::from_secs(150);

/// The calls of a script that ended well, without what differs between workers.
#[derive(Debug)]
pub(super) struct Transcript(Vec<(String, Value)>);

impl Transcript {
    /// Runs `script URL DIR` with a directory of its own.
    ///
    /// # Panics
    /// When it fails or takes too long, with what it printed.
    pub(super) fn of(mut script: Command, url: &str) -> Self {
        let dir = scratch_dir("rest-client");
        script.arg(url).arg(dir.path()).current_dir(dir.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().to_lowercase().ends_with("_proxy") {
                script.env_remove(name);
            }
        }
        let process = Process::spawn("rest-client", script, dir.path());
        let status = process.wait(LIMIT);
        assert!(status.success(), "{url}: {status}: {}", process.output());
        let printed = process.stdout();
        let printed = printed.replace(&dir.path().display().to_string(), "DIR");
        let lines = printed.lines().map(|line| {
            let (name, mut answer): (String, Value) =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            hide_workers(&mut answer);
            (name, answer)
        });
        let mut lines: Vec<_> = lines.collect();
        let last = lines.pop().map(|(name, _)| name);
        assert_eq!(last.as_deref(), Some("done"), "{printed}");
        Self(lines)
    }

    /// Number of calls.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Compares with what another worker answered.
    pub(super) fn is_as(&self, apache: &Self) {
        for (ours, theirs) in self.0.iter().zip(&apache.0) {
            assert_eq!(ours, theirs, "ours, then Apache's");
        }
        assert_eq!(self.len(), apache.len());
    }
}

/// A worker's address is its own.
fn hide_workers(answer: &mut Value) {
    match answer {
        Value::Array(values) => values.iter_mut().for_each(hide_workers),
        Value::Object(members) => {
            for (name, value) in members {
                if matches!(name.as_str(), "worker_id" | "workerId") && value.is_string() {
                    *value = "WORKER".into();
                } else {
                    hide_workers(value);
                }
            }
        }
        _ => {}
    }
}
