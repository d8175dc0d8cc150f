//! `ringmain ctl` from outside: against Apache's worker and ours ([`workers`]), and against servers that
//! answer anything but what they should ([`bad_servers`]).

mod bad_servers;
mod completion;
mod fake;
mod https;
mod offsets;
mod requests;
mod terminal;
mod workers;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::common::ringmain::binary;
use crate::common::{PATIENCE, Process, scratch_dir};

/// What a run of the command gave.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    /// Standard output as JSON.
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// The `error` that standard error has with `--json`.
    fn error(&self) -> Value {
        let line = self.err.lines().find(|line| line.starts_with("{\"error\""));
        let line = line.unwrap_or_else(|| panic!("no JSON error: {self:?}"));
        serde_json::from_str::<Value>(line).unwrap()["error"].clone()
    }

    /// Passes it on when it ended with this code.
    #[track_caller]
    fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    #[track_caller]
    fn says(self, part: &str) -> Self {
        assert!(self.out.contains(part), "{part:?} is not in {self:?}");
        self
    }

    #[track_caller]
    fn complains(self, part: &str) -> Self {
        assert!(self.err.contains(part), "{part:?} is not in {self:?}");
        self
    }
}

/// `ringmain ctl ARGS` with nothing of ours in its environment.
fn command(args: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.arg("ctl").args(args);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("RINGMAIN_") || name.to_lowercase().ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command
}

fn run(mut command: Command, input: Stdio, limit: Duration) -> Ran {
    let dir = scratch_dir("ctl");
    command.stdin(input);
    let process = Process::spawn_with_input("ctl", command, dir.path());
    let status = process.wait(limit);
    Ran {
        code: status.code(),
        out: process.stdout(),
        err: process.stderr(),
    }
}

/// Runs a command against a worker, without an input.
fn ctl(url: &str, args: &[&str]) -> Ran {
    let mut all = vec!["--url", url];
    all.extend(args);
    run(command(&all), Stdio::null(), PATIENCE)
}

/// As [`ctl`], with a file as its input.
fn ctl_with_input(url: &str, args: &[&str], file: &Path) -> Ran {
    let mut all = vec!["--url", url];
    all.extend(args);
    let input = std::fs::File::open(file).unwrap();
    run(command(&all), input.into(), PATIENCE)
}

/// A path as an argument.
fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}
