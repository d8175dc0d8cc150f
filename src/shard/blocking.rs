//! Blocking calls off the shard: a bounded, lazily started pool of threads for the whole process.
//!
//! Not glommio's own pool, because a panic there leaves the caller waiting for ever (feasibility 4),
//! and because both runtimes shall behave alike.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::spawn::panic_message;

/// Most threads. A call that hangs (a dead NFS mount) costs one of them.
const THREADS_MAX: usize = 32;
/// Most calls that wait for a thread.
const QUEUE_MAX: usize = 4096;
/// An idle thread ends after this.
const IDLE: Duration = Duration::from_secs(10);
/// Stack of a thread: file and resolver calls need little, but schemas from a registry nest up to a hundred
/// levels, and JSON around them a few more. What is not touched costs address space alone.
const STACK: usize = 4 << 20;

/// A blocking call gave no result.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlockingError {
    /// The closure panicked.
    #[error("a blocking call panicked: {0}")]
    Panicked(String),
    /// All threads hang and the queue is full, or no thread can be made.
    #[error("no thread is free for a blocking call ({0}); is a file system hanging?")]
    Exhausted(String),
}

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

#[derive(Default)]
struct Pool {
    queue: Mutex<Queue>,
    work: Condvar,
}

struct Slot<T> {
    result: Option<Result<T, Box<dyn Any + Send>>>,
    waker: Option<Waker>,
}

/// Runs `call` on a pool thread. Dropping the future does not stop the call; its result is dropped.
///
/// # Errors
/// The call panicked, or the pool is exhausted.
pub async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let slot = Arc::new(Mutex::new(Slot {
        result: None,
        waker: None,
    }));
    let theirs = Arc::clone(&slot);
    pool().submit(Box::new(move || {
        let result = std::panic::catch_unwind(AssertUnwindSafe(call));
        let mut slot = theirs.lock().unwrap_or_else(PoisonError::into_inner);
        slot.result = Some(result);
        let waker = slot.waker.take();
        drop(slot);
        if let Some(waker) = waker {
            waker.wake();
        }
    }))?;
    let result = std::future::poll_fn(|cx| {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                slot.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    })
    .await;
    result.map_err(|payload| BlockingError::Panicked(panic_message(payload.as_ref())))
}

/// How much the pool has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockingLoad {
    /// Calls that wait for a thread.
    pub waiting: usize,
    /// Threads.
    pub threads: usize,
    /// Threads among them that have nothing to do.
    pub idle: usize,
}

/// Looks at the pool, from any thread.
pub fn blocking_load() -> BlockingLoad {
    let queue = pool().queue.lock().unwrap_or_else(PoisonError::into_inner);
    BlockingLoad {
        waiting: queue.jobs.len(),
        threads: queue.threads,
        idle: queue.idle,
    }
}

fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(Pool::default)
}

impl Pool {
    fn submit(&'static self, job: Job) -> Result<(), BlockingError> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.jobs.len() >= QUEUE_MAX {
            return Err(BlockingError::Exhausted(format!(
                "{QUEUE_MAX} calls are waiting"
            )));
        }
        let start = queue.idle <= queue.jobs.len() && queue.threads < THREADS_MAX;
        queue.jobs.push_back(job);
        if start {
            queue.threads += 1;
            let made = std::thread::Builder::new()
                .name("blocking".to_owned())
                .stack_size(STACK)
                .spawn(move || self.work());
            if let Err(error) = made {
                queue.threads -= 1;
                if queue.threads == 0 {
                    queue.jobs.pop_back();
                    return Err(BlockingError::Exhausted(error.to_string()));
                }
            }
        }
        drop(queue);
        self.work.notify_one();
        Ok(())
    }

    fn work(&self) {
        super::cpus::unpin_current_thread();
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                drop(queue);
                job();
                queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.idle += 1;
            let (next, waited) = self
                .work
                .wait_timeout(queue, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            queue = next;
            queue.idle -= 1;
            if waited.timed_out() && queue.jobs.is_empty() {
                queue.threads -= 1;
                return;
            }
        }
    }
}
