//! Connectors created at once: by a few threads, each through another worker than the one before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::interrupt;
use crate::rest::{Api, Created};

/// Clients at once.
const THREADS: usize = 6;
/// Between a refusal with 409 and the next try, as clients do.
const PAUSE: Duration = Duration::from_millis(50);

/// What is created.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Of the connectors.
    pub(super) names: Vec<String>,
    /// That they read.
    pub(super) file: String,
    /// That they would write to.
    pub(super) topic: String,
}

/// Threads that create; they stop at the next request when this is dropped.
#[derive(Debug)]
pub(super) struct Burst {
    answers: Receiver<Result<u32>>,
    left: usize,
    /// Requests answered with 409 so far.
    pub(super) conflicts: u32,
    enough: Arc<AtomicBool>,
}

impl Burst {
    /// Begins to create through the workers with these URLs; each connector has until `deadline`.
    pub(super) fn start(wanted: Wanted, urls: &[String], deadline: Instant) -> Self {
        let (sender, answers) = channel();
        let enough = Arc::new(AtomicBool::new(false));
        let burst = Self {
            answers,
            left: wanted.names.len(),
            conflicts: 0,
            enough: Arc::clone(&enough),
        };
        let wanted = Arc::new(wanted);
        for thread in 0..THREADS.min(wanted.names.len()) {
            let client = Client {
                wanted: Arc::clone(&wanted),
                apis: urls.iter().map(|url| Api::new(url.clone())).collect(),
                deadline,
                enough: Arc::clone(&enough),
            };
            let sender: Sender<Result<u32>> = sender.clone();
            // Not joined: a request that waits for a killed worker ends by itself.
            std::thread::spawn(move || client.create_every(thread, &sender));
        }
        burst
    }

    /// Takes what has been answered; how many connectors are still to be created.
    ///
    /// # Errors
    /// A connector was refused with another answer than 409, or only with that until the deadline.
    pub(super) fn advance(&mut self) -> Result<usize> {
        while let Ok(answer) = self.answers.try_recv() {
            self.conflicts += answer?;
            self.left -= 1;
        }
        Ok(self.left)
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.enough.store(true, Ordering::Relaxed);
    }
}

struct Client {
    wanted: Arc<Wanted>,
    apis: Vec<Api>,
    deadline: Instant,
    enough: Arc<AtomicBool>,
}

impl Client {
    /// Each [`THREADS`]th connector.
    fn create_every(&self, thread: usize, answers: &Sender<Result<u32>>) {
        for at in (thread..self.wanted.names.len()).step_by(THREADS) {
            if self.enough.load(Ordering::Relaxed) || interrupt::interrupted() {
                return;
            }
            // Nobody listens any more when the run was given up.
            if answers.send(self.create(at)).is_err() {
                return;
            }
        }
    }

    /// Until it is there; says how often it was refused before.
    fn create(&self, at: usize) -> Result<u32> {
        let Wanted { names, file, topic } = &*self.wanted;
        let api = &self.apis[at % self.apis.len()];
        let mut conflicts = 0;
        while api.create(&names[at], file, topic, conflicts > 0)? == Created::Conflict {
            conflicts += 1;
            interrupt::sleep(PAUSE)?;
            if Instant::now() > self.deadline || self.enough.load(Ordering::Relaxed) {
                let name = &names[at];
                let what = format!("{name} was refused {conflicts} times with 409");
                return Err(Error::Run(what));
            }
        }
        Ok(conflicts)
    }
}
