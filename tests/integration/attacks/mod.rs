//! Clients that want to bring the REST interface down, on loopback and for some seconds each. All the while
//! and afterwards a good client has its answer within a second, and resident memory stays bounded.

mod exhaustion;
mod floods;
mod pipelines;
mod smuggling;

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::common::ringmain::Standalone;
use crate::common::{Heavy, Properties, Ringmain, heavy, scratch_dir};

/// What a good client may wait for a whole answer, connecting included.
const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// How much resident memory an attack may add, in bytes: 256 threads' stacks, 16 MiB of large bodies and as
/// much of small ones, copies of those that are being handled, and what the allocator keeps of all that.
const MEMORY_LIMIT: u64 = 96 << 20;

/// Attacks go one after the other: each takes what the machine has.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A worker without brokers and connectors that is to be attacked.
struct Target {
    _alone: MutexGuard<'static, ()>,
    _heavy: Heavy,
    ringmain: Ringmain,
    address: SocketAddr,
    resident_before: u64,
    _dir: tempfile::TempDir,
    _files: Standalone,
}

/// What a good client saw.
#[derive(Default)]
struct Waits {
    answers: Vec<Duration>,
    /// How much longer than asked its pauses were at most: what the machine, busy with other things, adds to
    /// an answer, too.
    lag: Duration,
}

impl Target {
    fn start() -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let heavy = heavy();
        let dir = scratch_dir("attacked");
        let string = "org.apache.kafka.connect.storage.StringConverter";
        let worker = Properties::new()
            .set(
                "bootstrap.servers",
                format!("embedded:{}", dir.path().join("log").display()),
            )
            .set("key.converter", string)
            .set("value.converter", string);
        let files = Standalone::new(&worker, &[]);
        let ringmain = files.launch();
        ringmain.wait_until_serving();
        let url = ringmain.url("");
        let address = url.trim_start_matches("http://").parse().unwrap();
        Self {
            _alone: alone,
            _heavy: heavy,
            resident_before: ringmain.process().resident_bytes(),
            ringmain,
            address,
            _dir: dir,
            _files: files,
        }
    }

    /// Files that the worker has open.
    fn open_files(&self) -> u64 {
        let dir = format!("/proc/{}/fd", self.ringmain.process().pid());
        fs::read_dir(dir).unwrap().count() as u64
    }

    /// By how much its resident memory has grown, in bytes.
    fn resident_added(&self) -> u64 {
        let now = self.ringmain.process().resident_bytes();
        now.saturating_sub(self.resident_before)
    }

    fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        Ok(stream)
    }

    /// Sends bytes and gives everything that comes back until the server closes.
    fn say(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().unwrap();
        // The server may close before it has read everything.
        drop(stream.write_all(bytes));
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
        }
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Runs an attack beside a good client and holds both to the limits, during it and afterwards.
    fn endures(&self, what: &str, attack: impl FnOnce()) {
        let ended = AtomicBool::new(false);
        let waits = std::thread::scope(|scope| {
            let good = scope.spawn(|| self.good_client(&ended));
            attack();
            ended.store(true, Ordering::Release);
            good.join().unwrap()
        });
        let Waits { answers, lag } = waits.unwrap_or_else(|why| panic!("during {what}: {why}"));
        let worst = answers.iter().max().copied().unwrap_or_default();
        let peak = self.ringmain.process().peak_resident_bytes();
        let added = peak.saturating_sub(self.resident_before);
        eprintln!(
            "{what}: {} good requests, the slowest {worst:?} (the machine lags {lag:?}); resident memory: \
             {} MiB before, {} MiB more at most, {} MiB more at the end",
            answers.len(),
            self.resident_before >> 20,
            added >> 20,
            self.resident_added() >> 20
        );
        assert!(
            answers.len() > 3,
            "during {what}: only {} good requests",
            answers.len()
        );
        assert!(
            worst <= ANSWER_LIMIT + lag,
            "during {what}: a good request took {worst:?}"
        );
        assert!(added <= MEMORY_LIMIT, "{what}: {} MiB more", added >> 20);
        let after = self
            .good_request()
            .unwrap_or_else(|why| panic!("after {what}: {why}"));
        assert!(
            after <= ANSWER_LIMIT,
            "after {what}: a good request took {after:?}"
        );
        assert!(
            self.ringmain.process().try_wait().is_none(),
            "{what}: the worker ended"
        );
    }

    /// A request every 50 ms, each on a connection of its own, to the end of an attack.
    fn good_client(&self, ended: &AtomicBool) -> Result<Waits, String> {
        let mut waits = Waits::default();
        let pause = Duration::from_millis(50);
        while !ended.load(Ordering::Acquire) {
            waits.answers.push(self.good_request()?);
            let begun = Instant::now();
            std::thread::sleep(pause);
            waits.lag = waits.lag.max(begun.elapsed().saturating_sub(pause));
        }
        Ok(waits)
    }

    fn good_request(&self) -> Result<Duration, String> {
        let begun = Instant::now();
        let ask = || -> io::Result<String> {
            let mut stream = self.connect()?;
            stream
                .write_all(b"GET /connectors HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer =
            ask().map_err(|error| format!("a good client: {error} after {:?}", begun.elapsed()))?;
        let right = answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n[]");
        if !right {
            return Err(format!(
                "a good client was answered {answer:?} after {:?}",
                begun.elapsed()
            ));
        }
        Ok(begun.elapsed())
    }
}

/// Runs `attack` in so many threads until `time` is over; it is called again and again.
fn for_some_time(threads: usize, time: Duration, attack: impl Fn(usize) + Sync) {
    let deadline = Instant::now() + time;
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let attack = &attack;
            scope.spawn(move || {
                while Instant::now() < deadline {
                    attack(thread);
                }
            });
        }
    });
}

/// Lets this process open as many files as it may: attackers need a socket each.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}
