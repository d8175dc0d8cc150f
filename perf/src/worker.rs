//! The process under test while it runs: started, looked at, ended.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use testbed::Process;
use testbed::process::describe;

use crate::error::{Error, Naming, Result};
use crate::sampler::{Reading, Sampler, switches_of_ended_children};
use crate::steady::Point;
use crate::systems::Launch;

/// How long a worker may take to stop by itself.
const STOPPING: Duration = Duration::from_secs(40);
/// Lines of its log that an error shows.
const TAIL: usize = 12;

/// A running worker; killed when dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    process: Process,
    sampler: Sampler,
    started: Instant,
    answer: FirstAnswer,
    switches: (u64, u64),
    /// What was seen so far.
    pub(crate) points: Vec<Point>,
    /// The largest VmHWM so far.
    pub(crate) peak_bytes: u64,
}

impl Worker {
    /// Starts it; from here on its life is counted.
    pub(crate) fn start(name: &str, launch: Launch) -> Result<Self> {
        let Launch {
            mut command,
            rest_port,
            stdout,
            ..
        } = launch;
        let out = File::options().create(true).append(true).open(&stdout);
        command
            .stdin(Stdio::null())
            .stdout(out.at("write", &stdout)?);
        let dir = command.get_current_dir().unwrap_or("/tmp".as_ref());
        let stderr = dir.join("worker.err");
        let switches = switches_of_ended_children();
        let started = Instant::now();
        let process = Process::try_spawn(name, command, &stdout, &stderr)
            .map_err(|e| Error::Run(format!("{name} cannot be started: {e}")))?;
        let gone = || Error::Run(format!("{name} ended at once"));
        let sampler = Sampler::new(process.pid()).ok_or_else(gone)?;
        Ok(Self {
            process,
            sampler,
            started,
            answer: FirstAnswer::watch(rest_port, started),
            switches,
            points: Vec::new(),
            peak_bytes: 0,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        self.process.pid()
    }

    /// What it wrote to standard output and standard error.
    pub(crate) fn output(&self) -> String {
        self.process.output()
    }

    /// Since its start.
    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Seconds until the first REST answer, if there was one.
    pub(crate) fn first_answer(&self) -> Option<f64> {
        self.answer.seconds()
    }

    /// Looks at the worker and its broker at one instant, at which `records` had arrived.
    ///
    /// # Errors
    /// The process is gone: others waited for it.
    pub(crate) fn look(&mut self, broker: Option<&Sampler>, records: u64) -> Result<Reading> {
        let reading = self.sampler.read();
        let reading = reading.ok_or_else(|| Error::Run("the process is gone".to_owned()))?;
        let broker = broker.and_then(Sampler::read).unwrap_or_default();
        self.peak_bytes = self.peak_bytes.max(reading.peak_bytes);
        self.points.push(Point {
            seconds: self.seconds(),
            records,
            cpu: (reading.cpu_seconds, reading.user_seconds),
            broker: (broker.cpu_seconds, broker.user_seconds),
            resident_bytes: reading.resident_bytes,
        });
        Ok(reading)
    }

    /// Takes what was seen before the last look as parts of a whole of `records`, and leaves out the
    /// looks after the last of them had moved: for progress in a measure of its own.
    pub(crate) fn scale_to(&mut self, records: u64) {
        self.points.pop();
        let most = self.points.last().map_or(0, |point| point.records).max(1);
        let end = self.points.iter().position(|point| point.records == most);
        self.points
            .truncate(end.map_or(self.points.len(), |end| end + 1));
        for point in &mut self.points {
            let part = u128::from(point.records) * u128::from(records) / u128::from(most);
            point.records = u64::try_from(part).unwrap_or(records);
        }
    }

    /// SIGTERM, without waiting for its end.
    pub(crate) fn ask_to_stop(&self) {
        // It may have ended meanwhile; what counts is whether it is gone, which `end` says.
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.pid()),
            nix::sys::signal::Signal::SIGTERM,
        )
        .unwrap_or(());
    }

    /// SIGTERM and the exit status; its context switches are known then.
    pub(crate) fn end(&self) -> Result<(ExitStatus, (u64, u64))> {
        let status = self.process.end(STOPPING);
        let status = status.ok_or_else(|| Error::Run("it cannot be ended".to_owned()))?;
        let now = switches_of_ended_children();
        let switches = (now.0 - self.switches.0, now.1 - self.switches.1);
        Ok((status, switches))
    }

    /// The last lines that it wrote, for errors.
    pub(crate) fn tail(&self) -> String {
        let err = self.process.stderr();
        let text = if err.trim().is_empty() {
            self.process.stdout()
        } else {
            err
        };
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TAIL)..].join("\n")
    }

    /// "exit code 3" or "signal 9", with the last lines of its log.
    pub(crate) fn ended_badly(&self, status: ExitStatus) -> Error {
        Error::Run(format!(
            "it ended with {}\n{}",
            describe(status),
            self.tail()
        ))
    }
}

/// A thread that asks `GET /` until the answer is 200.
#[derive(Debug)]
struct FirstAnswer {
    nanos: Arc<AtomicU64>,
    enough: Arc<AtomicBool>,
}

impl FirstAnswer {
    fn watch(port: Option<u16>, started: Instant) -> Self {
        let nanos = Arc::new(AtomicU64::new(0));
        let enough = Arc::new(AtomicBool::new(false));
        if let Some(port) = port {
            let (nanos, enough) = (Arc::clone(&nanos), Arc::clone(&enough));
            std::thread::spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    if answers(port) {
                        let time = u64::try_from(started.elapsed().as_nanos()).unwrap_or(1);
                        nanos.store(time, Ordering::Relaxed);
                        return;
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
        }
        Self { nanos, enough }
    }

    #[expect(clippy::cast_precision_loss, reason = "seconds with nine digits")]
    fn seconds(&self) -> Option<f64> {
        match self.nanos.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(nanos as f64 / 1e9),
        }
    }
}

impl Drop for FirstAnswer {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

/// Whether `GET /` is answered with 200. By hand, as it is asked a thousand times a second.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let request = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    let mut answer = [0; 12];
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .and_then(|()| stream.write_all(request))
        .and_then(|()| stream.read_exact(&mut answer))
        .is_ok()
        && answer.ends_with(b" 200")
}
