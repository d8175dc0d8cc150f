//! Validation behind a fence: connector code that hangs or panics costs its own request.
//!
//! Each validation has a thread of its own. There are at most [`THREADS_MAX`], and of one connector class
//! [`THREADS_OF_CLASS`], so that a class whose validation hangs leaves room for the others. A request waits
//! for a thread and for the answer until its limit is over; a thread that hangs is left alone and gives its
//! place back when it ends.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{RecvTimeoutError, bounded};

use super::{ConfigInfos, Validation, ValidationError};
use crate::api::ConfigMap;
use crate::herder::stage::{Stage, StageCell};
use crate::shard::panic_message;
use crate::worker::WorkerShared;

/// Most validations at a time.
const THREADS_MAX: usize = 32;
/// Most validations of one connector class at a time.
const THREADS_OF_CLASS: usize = 4;
/// Stack of a thread.
const STACK: usize = 1 << 20;
/// What a request does that waits for a thread.
const WAITING: &str = "waiting for a new thread to become available for connector validation";

/// Checks configurations on threads of its own. One per worker.
#[derive(Debug)]
pub struct Validator {
    shared: Arc<WorkerShared>,
    threads: Mutex<Threads>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Threads {
    all: usize,
    by_class: HashMap<String, usize>,
}

/// No answer of a validation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unvalidated {
    /// There is no such connector, or a reference can't be read.
    #[error("{0}")]
    Impossible(#[from] ValidationError),
    /// It takes too long; the stage says what.
    #[error("Request timed out")]
    Timeout(Option<Stage>),
    /// Connector code panicked, or no thread can be had.
    #[error("{0}")]
    Failed(String),
}

impl Validator {
    /// A validator for the connectors of a worker.
    pub fn new(shared: Arc<WorkerShared>) -> Arc<Self> {
        Arc::new(Self {
            shared,
            threads: Mutex::default(),
            freed: Condvar::new(),
        })
    }

    /// Checks a raw configuration, for at most `limit`. Blocks.
    ///
    /// # Errors
    /// [`Unvalidated`]; problems of values are in the answer.
    pub fn validate(
        self: &Arc<Self>,
        config: &ConfigMap,
        limit: Duration,
    ) -> Result<ConfigInfos, Unvalidated> {
        let deadline = Instant::now() + limit;
        let stage = StageCell::default();
        stage.begin(WAITING);
        let place = self.place(config, deadline);
        let place = place.ok_or_else(|| Unvalidated::Timeout(stage.current()))?;
        stage.complete();
        let (answer, answered) = bounded(1);
        let (config, steps) = (config.clone(), stage.clone());
        let work = move || {
            let shared = &place.validator.shared;
            let validation = Validation {
                plugins: &shared.plugins,
                worker: &shared.config,
                providers: &shared.providers,
                stage: &steps,
            };
            let found = catch_unwind(AssertUnwindSafe(|| validation.validate(&config)));
            // Whoever asked may have given up.
            drop(answer.send(found.map_err(|payload| panic_message(payload.as_ref()))));
        };
        let thread = thread::Builder::new()
            .name("validation".to_owned())
            .stack_size(STACK)
            .spawn(work);
        thread
            .map_err(|error| Unvalidated::Failed(format!("no thread for a validation: {error}")))?;
        match answered.recv_deadline(deadline) {
            Ok(Ok(found)) => Ok(found?),
            Ok(Err(panicked)) => Err(Unvalidated::Failed(format!(
                "the connector's validation panicked: {panicked}"
            ))),
            Err(RecvTimeoutError::Timeout) => Err(Unvalidated::Timeout(stage.current())),
            Err(RecvTimeoutError::Disconnected) => Err(Unvalidated::Failed(
                "the validation ended without an answer".to_owned(),
            )),
        }
    }

    /// A place for a thread; `None` when there was none in time.
    fn place(self: &Arc<Self>, config: &ConfigMap, deadline: Instant) -> Option<Place> {
        let class = config.get("connector.class").cloned().flatten();
        let class = class.unwrap_or_default().trim().to_owned();
        let mut threads = self.threads();
        loop {
            let of_class = threads.by_class.get(&class).copied().unwrap_or_default();
            if threads.all < THREADS_MAX && of_class < THREADS_OF_CLASS {
                threads.all += 1;
                threads.by_class.insert(class.clone(), of_class + 1);
                return Some(Place {
                    validator: Arc::clone(self),
                    class,
                });
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            let woken = self.freed.wait_timeout(threads, left);
            threads = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's place, free again when dropped.
struct Place {
    validator: Arc<Validator>,
    class: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut threads = self.validator.threads();
        threads.all -= 1;
        if let Some(count) = threads.by_class.get_mut(&self.class) {
            *count -= 1;
            if *count == 0 {
                threads.by_class.remove(&self.class);
            }
        }
        drop(threads);
        self.validator.freed.notify_all();
    }
}
