//! Starting an executor on the calling thread, and knowing which one runs there.

use std::cell::Cell;
use std::time::Duration;

use super::probe::RuntimeChoice;

/// Which executor a thread runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuntimeKind {
    /// glommio over io_uring.
    IoUring,
    /// tokio's current-thread runtime over epoll.
    Epoll,
}

impl RuntimeKind {
    /// `io_uring` or `epoll`, as `shard.runtime` spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::IoUring => "io_uring",
            Self::Epoll => "epoll",
        }
    }
}

/// An executor could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// glommio refused.
    #[error(
        "the io_uring executor does not start: {0}; raise the locked memory limit (ulimit -l, at least 512 KiB) or set shard.runtime=epoll"
    )]
    IoUring(String),
    /// tokio refused.
    #[error(
        "the epoll executor does not start: {0}; is the limit of open files (ulimit -n) reached?"
    )]
    Epoll(#[source] std::io::Error),
    /// The thread could not be made or pinned.
    #[error(
        "shard thread for CPU {cpu}: {reason}; check shard.cpus against the process's CPU mask"
    )]
    Thread {
        /// CPU number.
        cpu: usize,
        /// The system's words.
        reason: String,
    },
    /// `shard.runtime=io_uring` on a host without it.
    #[error("shard.runtime=io_uring, but {0}; set shard.runtime=auto or epoll")]
    Unavailable(String),
}

thread_local! {
    static KIND: Cell<RuntimeKind> = const { Cell::new(RuntimeKind::Epoll) };
}

/// The executor of the calling thread; epoll where none was started (tests under tokio).
pub fn current_runtime() -> RuntimeKind {
    KIND.get()
}

/// Memory registered with io_uring per executor: sockets and buffered files don't use it
/// (feasibility 4: glommio's default of 10 MiB would pin 30 MiB a shard).
const IO_MEMORY: usize = 64 << 10;
/// glommio 0.9 now and then sleeps over a socket that became readable, until its next timer: measured
/// about once in 20,000 sleeps with two executors per core, with a stall as long as the timer. A timer
/// that is always near bounds the stall, for 0.3 % of an idle core.
const TICK: Duration = Duration::from_millis(25);
/// How long a future may hog a shard before `yield_if_needed` yields.
const PREEMPT: Duration = Duration::from_millis(2);

/// Runs `main` to completion on this thread, pinned to `cpu` when given.
///
/// # Errors
/// The executor does not start. Nothing of `main` ran then.
pub fn run<T: 'static>(
    kind: RuntimeKind,
    cpu: Option<usize>,
    main: impl Future<Output = T> + 'static,
) -> Result<T, StartError> {
    let before = KIND.replace(kind);
    let result = match kind {
        RuntimeKind::IoUring => run_glommio(cpu, main),
        RuntimeKind::Epoll => run_tokio(cpu, main),
    };
    KIND.set(before);
    result
}

fn run_glommio<T: 'static>(
    cpu: Option<usize>,
    main: impl Future<Output = T> + 'static,
) -> Result<T, StartError> {
    let placement = match cpu {
        Some(cpu) => glommio::Placement::Fixed(cpu),
        None => glommio::Placement::Unbound,
    };
    let executor = glommio::LocalExecutorBuilder::new(placement)
        .io_memory(IO_MEMORY)
        .preempt_timer(PREEMPT)
        .make()
        .map_err(|error| StartError::IoUring(error.to_string()))?;
    Ok(executor.run(async move {
        // glommio's first timer of a process takes about 9 ms longer (membarrier registration).
        glommio::timer::sleep(Duration::from_millis(1)).await;
        let ticker = glommio::spawn_local(async {
            loop {
                glommio::timer::sleep(TICK).await;
            }
        });
        let output = main.await;
        ticker.cancel().await;
        output
    }))
}

fn run_tokio<T>(cpu: Option<usize>, main: impl Future<Output = T>) -> Result<T, StartError> {
    if let Some(cpu) = cpu {
        super::cpus::pin_current_thread(cpu)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(StartError::Epoll)?;
    let local = tokio::task::LocalSet::new();
    let output = local.block_on(&runtime, main);
    // Futures still pending are dropped here, inside the runtime that they belong to.
    let guard = runtime.enter();
    drop(local);
    drop(guard);
    Ok(output)
}

impl RuntimeChoice {
    /// The choice that `shard.runtime`'s text names.
    pub fn from_config(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "io_uring" => Some(Self::IoUring),
            "epoll" => Some(Self::Epoll),
            _ => None,
        }
    }
}
