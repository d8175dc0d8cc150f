//! Child processes with their output in files, and the watchdog that ends them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

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

fn watchdog(verb: &str, what: impl std::fmt::Display) -> io::Result<()> {
    static SHELL: Mutex<Option<Child>> = Mutex::new(None);
    let mut shell = SHELL.lock().unwrap_or_else(PoisonError::into_inner);
    if shell.is_none() {
        let started = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        *shell = Some(started.map_err(|e| {
            io::Error::other(format!("sh is needed to watch the child processes: {e}"))
        })?);
    }
    match shell.as_mut().and_then(|shell| shell.stdin.as_mut()) {
        Some(pipe) => pipe.write_all(format!("{verb} {what}\n").as_bytes()),
        None => Err(io::Error::other("the watchdog is gone")),
    }
}

/// Where scratch directories go, see [`place_scratch_in`].
static PLACE: OnceLock<PathBuf> = OnceLock::new();

/// Puts everything that this process writes below `dir`, in place of the temporary directory. Has an
/// effect before the first scratch directory only.
pub fn place_scratch_in(dir: &Path) {
    PLACE.get_or_init(|| dir.to_owned());
}

/// One directory for all this process writes, removed at its end.
fn scratch_root() -> io::Result<PathBuf> {
    static ROOT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut root = ROOT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(root) = &*root {
        return Ok(root.clone());
    }
    let parent = PLACE.get().cloned().unwrap_or_else(std::env::temp_dir);
    let dir = parent.join(format!("ringmain-tests-{}", std::process::id()));
    fs::create_dir_all(&dir)?;
    if !files_are_kept() {
        watchdog("dir", dir.display())?;
    }
    *root = Some(dir.clone());
    Ok(dir)
}

static KEPT: AtomicBool = AtomicBool::new(false);

/// Keeps scratch directories from now on: call it before the first.
pub fn keep_scratch() {
    KEPT.store(true, Ordering::Relaxed);
}

/// By [`keep_scratch`], or because `RINGMAIN_KEEP_TEST_FILES` is set.
fn files_are_kept() -> bool {
    KEPT.load(Ordering::Relaxed) || std::env::var_os("RINGMAIN_KEEP_TEST_FILES").is_some()
}

/// A new directory, removed when dropped (unless files are to be kept).
///
/// # Panics
/// When it cannot be made.
pub fn scratch_dir(name: &str) -> TempDir {
    try_scratch_dir(name).unwrap_or_else(|e| panic!("no scratch directory: {e}"))
}

/// As [`scratch_dir`].
///
/// # Errors
/// It cannot be made.
pub fn try_scratch_dir(name: &str) -> io::Result<TempDir> {
    let mut dir = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(scratch_root()?)?;
    dir.disable_cleanup(files_are_kept());
    Ok(dir)
}

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Mutex<Child>,
    pid: Pid,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts `command`; its output goes to `DIR/NAME.<n>.out` and `.err`, its input is empty.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(name: &str, mut command: Command, dir: &Path) -> Self {
        command.stdin(Stdio::null());
        Self::spawn_with_input(name, command, dir)
    }

    /// As [`Process::spawn`], with the standard input `command` has.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn_with_input(name: &str, mut command: Command, dir: &Path) -> Self {
        let (stdout, stderr) = output_files(name, dir);
        command.stdout(File::create(&stdout).unwrap());
        Self::try_spawn(name, command, &stdout, &stderr)
            .unwrap_or_else(|e| panic!("cannot start {name}: {e}"))
    }

    /// Starts `command` with the standard input and output it has, in a process group of its own;
    /// `stdout` says where that output goes, and what it writes to standard error goes to `stderr`.
    ///
    /// # Errors
    /// The file cannot be created, the program not started, or the watchdog is gone.
    pub fn try_spawn(
        name: &str,
        mut command: Command,
        stdout: &Path,
        stderr: &Path,
    ) -> io::Result<Self> {
        command.stderr(File::create(stderr)?).process_group(0);
        let child = command
            .spawn()
            .map_err(|e| io::Error::new(e.kind(), format!("{command:?}: {e}")))?;
        let pid = Pid::from_child(&child);
        let process = Self {
            name: name.to_owned(),
            child: Mutex::new(child),
            pid,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        watchdog("add", pid.as_raw_nonzero())?;
        Ok(process)
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends a signal, unless it has ended.
    ///
    /// # Panics
    /// When that is refused.
    pub fn signal(&self, signal: Signal) {
        if self.try_wait().is_none() {
            rustix::process::kill_process(self.pid, signal).unwrap();
        }
    }

    /// The exit status, once it has ended.
    pub fn try_wait(&self) -> Option<ExitStatus> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.try_wait().unwrap_or_default();
        if status.is_some() {
            // Without a watchdog there is nothing to tell it.
            let _ = watchdog("del", self.pid.as_raw_nonzero());
        }
        status
    }

    /// The exit status, unless it is still there after `limit`.
    pub fn wait_at_most(&self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        loop {
            match self.try_wait() {
                Some(status) => return Some(status),
                None if Instant::now() >= deadline => return None,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// SIGTERM, and SIGKILL when it is still there after `limit`: gone when this returns.
    pub fn end(&self, limit: Duration) -> Option<ExitStatus> {
        for (signal, limit) in [
            (Signal::TERM, limit),
            (Signal::KILL, Duration::from_secs(30)),
        ] {
            if self.try_wait().is_none() {
                // It may have ended meanwhile; what counts is whether it is gone.
                let _ = rustix::process::kill_process(self.pid, signal);
            }
            if let Some(status) = self.wait_at_most(limit) {
                return Some(status);
            }
        }
        None
    }

    /// The exit status.
    ///
    /// # Panics
    /// With the output when the process is still there after `limit`.
    pub fn wait(&self, limit: Duration) -> ExitStatus {
        wait_for(&format!("the end of {}", self.name), limit, || {
            self.try_wait()
        })
    }

    /// SIGKILL, and gone when this returns.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        self.wait(Duration::from_secs(30));
    }

    /// What it wrote to standard output.
    pub fn stdout(&self) -> String {
        read_lossy(&self.stdout)
    }

    /// What it wrote to standard error.
    pub fn stderr(&self) -> String {
        read_lossy(&self.stderr)
    }

    /// Standard output and standard error, one after the other.
    pub fn output(&self) -> String {
        self.stdout() + &self.stderr()
    }

    /// Waits for a line of output that holds `text`.
    ///
    /// # Panics
    /// When there is none within `limit`; at once when the process ended without.
    pub fn wait_for_line(&self, text: &str, limit: Duration) -> String {
        self.try_wait_for_line(text, limit)
            .unwrap_or_else(|why| panic!("{why}"))
    }

    /// As [`Process::wait_for_line`].
    ///
    /// # Errors
    /// Says what was waited for and how the process ended.
    pub fn try_wait_for_line(&self, text: &str, limit: Duration) -> Result<String, String> {
        let what = format!("{text:?} in the output of {}", self.name);
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.try_wait();
            let output = self.output();
            if let Some(line) = output.lines().find(|line| line.contains(text)) {
                return Ok(line.to_owned());
            }
            if let Some(status) = ended {
                return Err(format!(
                    "{} ended ({}) before {what}",
                    self.name,
                    describe(status)
                ));
            }
            if Instant::now() >= deadline {
                return Err(format!("waited {limit:?} in vain for {what}"));
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// CPU time used so far, in user and kernel mode, by all threads.
    ///
    /// # Panics
    /// When it has ended.
    pub fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// Resident memory now, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    pub fn resident_bytes(&self) -> u64 {
        self.status_kilobytes("VmRSS:") * 1024
    }

    /// The most resident memory so far, in bytes.
    ///
    /// # Panics
    /// When it has ended.
    pub fn peak_resident_bytes(&self) -> u64 {
        self.status_kilobytes("VmHWM:") * 1024
    }

    fn status_kilobytes(&self, key: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        let line = line.unwrap_or_else(|| panic!("{} has ended", self.name));
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Process {
    fn end_at_once(&self) {
        // It may have ended meanwhile; what counts is whether it is gone.
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
        self.wait_at_most(Duration::from_secs(30));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.try_wait().is_none() {
            self.end_at_once();
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

/// Where the output of the next process of this name goes: `DIR/NAME.<n>.out` and `.err`.
pub fn output_files(name: &str, dir: &Path) -> (PathBuf, PathBuf) {
    static RUN: AtomicU32 = AtomicU32::new(1);
    let run = RUN.fetch_add(1, Ordering::Relaxed);
    let file = |ending| dir.join(format!("{name}.{run}.{ending}"));
    (file("out"), file("err"))
}

fn read_lossy(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

/// "exit code 3" or "signal 9".
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => format!("{status:?}"),
    }
}
