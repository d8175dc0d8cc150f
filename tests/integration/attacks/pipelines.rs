//! As many cheap requests as the worker takes, over as many connections as it takes.

use std::collections::HashSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{ANSWER_LIMIT, MEMORY_LIMIT, Target, raise_open_files};
use crate::common::{PATIENCE, wait_until};

const THREADS: usize = 4;
/// More in all than the worker has places for.
const CONNECTIONS_PER_THREAD: usize = 75;
/// Requests that are sent at once, before the first of their answers.
const PIPELINED: usize = 50;
/// Descriptors of at most 64 handlers, three for the connection to each, and of the sockets that lead there.
const HANDLERS_FILES: u64 = 64 * 3 + 64;
const TIME: Duration = Duration::from_secs(6);
const REQUEST: &[u8] = b"GET /connectors HTTP/1.1\r\nHost: a\r\n\r\n";
/// What stands once in every answer to it.
const ANSWER: &[u8] = b"HTTP/1.1 200";

/// A connection that is kept full of requests, and comes back when it is closed.
#[derive(Default)]
struct Pipeline {
    stream: Option<TcpStream>,
    /// Of `batch`, what the kernel has not taken yet.
    unsent: usize,
    awaited: usize,
    /// The end of what was read, which may be the start of [`ANSWER`].
    tail: Vec<u8>,
}

impl Pipeline {
    /// Sends and reads what goes without waiting; gives the number of answers, `None` when nothing went.
    fn turn(&mut self, target: &Target, batch: &[u8]) -> Option<usize> {
        let Some(stream) = &mut self.stream else {
            *self = Self::default();
            self.stream = target.connect().ok();
            let stream = self.stream.as_ref()?;
            stream.set_nonblocking(true).unwrap();
            return Some(0);
        };
        if self.awaited == 0 && self.unsent == 0 {
            (self.unsent, self.awaited) = (batch.len(), PIPELINED);
        }
        let mut moved = false;
        if self.unsent > 0 {
            match stream.write(&batch[batch.len() - self.unsent..]) {
                Ok(count) => (self.unsent, moved) = (self.unsent - count, true),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => self.stream = None,
            }
        }
        let answers = self.read();
        self.awaited = self.awaited.saturating_sub(answers.unwrap_or_default());
        (moved || answers.is_some()).then(|| answers.unwrap_or_default())
    }

    fn read(&mut self) -> Option<usize> {
        let mut chunk = [0; 32 << 10];
        match self.stream.as_mut()?.read(&mut chunk) {
            Ok(count @ 1..) => {
                self.tail.extend_from_slice(&chunk[..count]);
                let found = self.tail.windows(ANSWER.len());
                let answers = found.filter(|bytes| *bytes == ANSWER).count();
                let kept = self.tail.len().saturating_sub(ANSWER.len() - 1);
                self.tail.drain(..kept);
                Some(answers)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            _ => {
                self.stream = None;
                None
            }
        }
    }
}

/// Keeps all its connections full until the time is over; gives the number of answers.
fn flood(target: &Target, deadline: Instant) -> usize {
    // The worker and the good client share two CPUs with it, perhaps.
    rustix::process::setpriority_process(None, 19).unwrap();
    let batch = REQUEST.repeat(PIPELINED);
    let mut pipelines: Vec<Pipeline> = Vec::new();
    pipelines.resize_with(CONNECTIONS_PER_THREAD, Pipeline::default);
    let mut answered = 0;
    while Instant::now() < deadline {
        let mut moved = false;
        for pipeline in &mut pipelines {
            let answers = pipeline.turn(target, &batch);
            moved |= answers.is_some();
            answered += answers.unwrap_or_default();
        }
        if !moved {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    answered
}

impl Target {
    /// Sockets that are no Unix sockets, those included that the other end has reset.
    fn client_sockets(&self) -> usize {
        let pid = self.ringmain.process().pid();
        let ours = fs::read_to_string(format!("/proc/{pid}/net/unix")).unwrap();
        let ours: HashSet<&str> = ours
            .lines()
            .filter_map(|line| line.split_whitespace().nth(6))
            .collect();
        let open = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        // One may be closed while they are looked at.
        let open = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        let sockets = open.filter_map(|link| {
            let name = link.to_str()?.strip_prefix("socket:[")?;
            Some(name.trim_end_matches(']').to_owned())
        });
        sockets
            .filter(|inode| !ours.contains(inode.as_str()))
            .count()
    }
}

#[test]
fn a_flood_of_pipelined_requests_over_every_connection_leaves_the_good_client_its_second() {
    raise_open_files();
    let target = Target::start();
    let (files, clients) = (target.open_files(), target.client_sockets());
    let answered = AtomicUsize::new(0);
    target.endures("a flood of pipelined requests", || {
        let deadline = Instant::now() + TIME;
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    answered.fetch_add(flood(&target, deadline), Ordering::Relaxed);
                });
            }
        });
    });
    let answered = answered.into_inner();
    let rate = answered as f64 / TIME.as_secs_f64();
    eprintln!("{rate:.0} requests per second were answered");
    assert!(answered > 0, "the flood never reached the worker");
    wait_until("the descriptors to be given back", PATIENCE, || {
        target.client_sockets() <= clients
    });
    // What was made to handle so many at a time is kept, and has an end.
    let more = target.open_files().saturating_sub(files);
    assert!(more <= HANDLERS_FILES, "{more} more files stay open");
    // What the flood took is not kept for good, nor does a second look find a slow worker.
    for _ in 0..10 {
        let took = target.good_request().unwrap();
        assert!(
            took <= ANSWER_LIMIT,
            "afterwards a good request took {took:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let kept = target.resident_added();
    assert!(kept <= MEMORY_LIMIT, "{} MiB more are kept", kept >> 20);
    target.ringmain.stop_cleanly();
}
