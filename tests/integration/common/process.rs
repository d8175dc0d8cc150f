//! Child processes with their output in files, and the watchdog that ends them.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use super::wait_for;

/// Reads `add PID`, `del PID` and `dir PATH` lines. The pipe closes when the test process ends,
/// however it ends: then what is left is killed and removed. A shell, as `PR_SET_PDEATHSIG` needs
/// unsafe code and fires when the *thread* ends that started the child.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
pids=
while read -r verb what; do
  case $verb in
    add) pids="$pids $what" ;;
    del) left=; for p in $pids; do [ "$p" = "$what" ] || left="$left $p"; done; pids=$left ;;
    dir) set -- "$@" "$what" ;;
  esac
done
for p in $pids; do kill -9 "$p"; done
for d; do rm -rf -- "$d"; done
"#;

fn watchdog(verb: &str, what: impl std::fmt::Display) {
    static SHELL: OnceLock<Mutex<Child>> = OnceLock::new();
    let shell = SHELL.get_or_init(|| {
        let shell = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh is needed to watch the child processes");
        Mutex::new(shell)
    });
    let line = format!("{verb} {what}\n");
    let mut shell = shell.lock().unwrap();
    shell
        .stdin
        .as_mut()
        .unwrap()
        .write_all(line.as_bytes())
        .expect("the watchdog is gone");
}

/// One directory for all this test process writes, removed at its end.
fn scratch_root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let root = std::env::temp_dir().join(format!("ringmain-tests-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        if std::env::var_os("RINGMAIN_KEEP_TEST_FILES").is_none() {
            watchdog("dir", root.display());
        }
        root
    })
}

/// A new directory, removed when dropped (unless files are to be kept).
pub(crate) fn scratch_dir(name: &str) -> TempDir {
    let mut dir = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(scratch_root())
        .unwrap();
    if std::env::var_os("RINGMAIN_KEEP_TEST_FILES").is_some() {
        dir.disable_cleanup(true);
    }
    dir
}

/// A running child; killed when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: String,
    child: Mutex<Child>,
    pid: Pid,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command`; its output goes to `DIR/NAME.<n>.out` and `.err`, its input is empty.
    pub(crate) fn spawn(name: &str, mut command: Command, dir: &Path) -> Self {
        command.stdin(Stdio::null());
        Self::spawn_with_input(name, command, dir)
    }

    /// As [`Process::spawn`], with the standard input `command` has.
    pub(crate) fn spawn_with_input(name: &str, mut command: Command, dir: &Path) -> Self {
        static RUN: AtomicU32 = AtomicU32::new(1);
        let run = RUN.fetch_add(1, Ordering::Relaxed);
        let stdout = dir.join(format!("{name}.{run}.out"));
        let stderr = dir.join(format!("{name}.{run}.err"));
        command
            .stdout(File::create(&stdout).unwrap())
            .stderr(File::create(&stderr).unwrap())
            .process_group(0);
        let child = command
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let pid = Pid::from_child(&child);
        watchdog("add", pid.as_raw_nonzero());
        Self {
            name: name.to_owned(),
            child: Mutex::new(child),
            pid,
            stdout,
            stderr,
        }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if self.try_wait().is_none() {
            rustix::process::kill_process(self.pid, signal).unwrap();
        }
    }

    pub(crate) fn try_wait(&self) -> Option<ExitStatus> {
        let status = self.child.lock().unwrap().try_wait().unwrap();
        if status.is_some() {
            watchdog("del", self.pid.as_raw_nonzero());
        }
        status
    }

    /// The exit status; panics with the output when the process is still there after `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> ExitStatus {
        wait_for(&format!("the end of {}", self.name), limit, || {
            self.try_wait()
        })
    }

    /// SIGKILL, and gone when this returns.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(30));
    }

    pub(crate) fn stdout(&self) -> String {
        read_lossy(&self.stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        read_lossy(&self.stderr)
    }

    /// Standard output and standard error, one after the other.
    pub(crate) fn output(&self) -> String {
        self.stdout() + &self.stderr()
    }

    /// Waits for a line of output that holds `text`; fails at once when the process ended without.
    pub(crate) fn wait_for_line(&self, text: &str, limit: Duration) -> String {
        let what = format!("{text:?} in the output of {}", self.name);
        wait_for(&what, limit, || {
            let ended = self.try_wait();
            let found = self
                .output()
                .lines()
                .find(|line| line.contains(text))
                .map(str::to_owned);
            if let (None, Some(status)) = (&found, ended) {
                panic!("{} ended ({}) before {what}", self.name, describe(status));
            }
            found
        })
    }

    /// CPU time used so far, in user and kernel mode, by all threads.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// Resident memory now, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.status_kilobytes("VmRSS:") * 1024
    }

    /// The most resident memory so far, in bytes.
    pub(crate) fn peak_resident_bytes(&self) -> u64 {
        self.status_kilobytes("VmHWM:") * 1024
    }

    fn status_kilobytes(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let line = line.unwrap_or_else(|| panic!("{} has ended", self.name));
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.try_wait().is_none() {
            self.kill();
        }
        if std::thread::panicking() {
            for (stream, text) in [("stdout", self.stdout()), ("stderr", self.stderr())] {
                let lines: Vec<&str> = text.lines().collect();
                let tail = lines[lines.len().saturating_sub(40)..].join("\n");
                eprintln!("--- end of {stream} of {}:\n{tail}", self.name);
            }
        }
    }
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// "exit code 3" or "signal 9".
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => format!("{status:?}"),
    }
}
