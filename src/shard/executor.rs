//! Starting an executor on the calling thread, and knowing which one runs there.

use std::cell::Cell;
use std::fs::File;
use std::future::poll_fn;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_util::task::AtomicWaker;

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
    /// A thread beside the shards could not be made.
    #[error("thread {name}: {reason}; is the limit of processes (ulimit -u) reached?")]
    SideThread {
        /// Its name.
        name: String,
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
/// Entries of each ring. The kernel keeps sockets that wait in a table of a size after this, and walks
/// through one of its rows when a timer is cancelled, before and after each sleep: with glommio's 128 and
/// 1,000 connections, a fifth of an idle shard's CPU.
const RING_DEPTH: usize = 512;
/// glommio 0.9 goes to sleep over futures that are ready to run when its preemption timer fires between
/// its being armed and the first look at the queues (`run_task_queues` then says that nothing ran): about
/// once in 20,000 sleeps on two executors per core, once in 60 starts on a machine that is overloaded.
/// Nothing in the shard wakes it then, not even a timer, whose future may be among those in the queue. A
/// pulse from another thread bounds the stall.
const PULSE: Duration = Duration::from_millis(5);
/// A beat costs a shard at rest up to 150 µs. One that does next to nothing hardly ever sleeps at a bad
/// moment, so its beats go apart, doubling up to this.
const PULSE_AT_REST: Duration = Duration::from_millis(800);
/// A shard that used less than this part of the time between two beats is at rest, or less than
/// [`BEAT`], which they use themselves.
const REST: u32 = 50;
/// See [`REST`].
const BEAT: Duration = Duration::from_micros(200);
/// Futures that the pulse wakes in turn: one that is in the queue already can't be woken, so it takes as
/// many bad moments in a row for a shard to sleep on.
const PULSED: usize = 8;
/// How long futures may hog a shard before I/O is looked at and `yield_if_needed` yields. Ten times the 2 ms
/// that idle neighbours would like: before the first look at the queues there is no [`PULSE`] to help, so
/// a thread must not be off its CPU for as long then.
const PREEMPT: Duration = Duration::from_millis(20);

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
        .ring_depth(RING_DEPTH)
        .preempt_timer(PREEMPT)
        .make()
        .map_err(|error| StartError::IoUring(error.to_string()))?;
    let pulse = Pulse::start()?;
    Ok(executor.run(async move {
        let pulsed = pulse
            .futures()
            .map(glommio::spawn_local)
            .collect::<Vec<_>>();
        // glommio's first timer of a process takes about 9 ms longer (membarrier registration).
        glommio::timer::sleep(Duration::from_millis(1)).await;
        let output = main.await;
        for future in pulsed {
            future.cancel().await;
        }
        drop(pulse);
        output
    }))
}

/// A thread that wakes one executor again and again, see [`PULSE`]. Ends when dropped.
struct Pulse {
    shared: Arc<PulseShared>,
    thread: Option<thread::JoinHandle<()>>,
}

struct PulseShared {
    wakers: [AtomicWaker; PULSED],
    ended: AtomicBool,
}

impl Pulse {
    fn start() -> Result<Self, StartError> {
        let shared = Arc::new(PulseShared {
            wakers: std::array::from_fn(|_| AtomicWaker::new()),
            ended: AtomicBool::new(false),
        });
        let theirs = Arc::clone(&shared);
        let mut pace = Pace::of_this_thread();
        let beat = move || {
            for waker in theirs.wakers.iter().cycle() {
                thread::park_timeout(pace.next());
                if theirs.ended.load(Ordering::Acquire) {
                    return;
                }
                waker.wake();
            }
        };
        let thread = thread::Builder::new()
            .name("shard-pulse".to_owned())
            .stack_size(64 << 10)
            .spawn(beat)
            .map_err(|error| StartError::IoUring(error.to_string()))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }
}

impl Pulse {
    /// The futures to run on the executor.
    fn futures(&self) -> impl Iterator<Item = impl Future<Output = ()> + 'static> + '_ {
        (0..PULSED).map(|index| {
            let shared = Arc::clone(&self.shared);
            poll_fn(move |cx| {
                shared.wakers[index].register(cx.waker());
                Poll::Pending
            })
        })
    }
}

/// How far apart beats are: after how much CPU time the shard used since the last one.
struct Pace {
    /// The shard's `schedstat`; none where the kernel keeps none, and the beat is constant then.
    spent: Option<File>,
    last: Duration,
    pause: Duration,
}

impl Pace {
    fn of_this_thread() -> Self {
        Self {
            spent: File::open("/proc/thread-self/schedstat").ok(),
            last: Duration::ZERO,
            pause: PULSE,
        }
    }

    fn next(&mut self) -> Duration {
        let spent = self.spent.as_ref().and_then(time_on_cpu);
        let worked = spent.map_or(Duration::MAX, |spent| spent.saturating_sub(self.last));
        self.last = spent.unwrap_or_default();
        self.pause = after(self.pause, worked);
        self.pause
    }
}

/// The pause after one of `pause` in which the shard `worked` for so long.
fn after(pause: Duration, worked: Duration) -> Duration {
    match worked < (pause / REST).max(BEAT) {
        true => (pause * 2).min(PULSE_AT_REST),
        false => PULSE,
    }
}

/// The first number of a `schedstat`: nanoseconds on a CPU.
pub(super) fn time_on_cpu(schedstat: &File) -> Option<Duration> {
    let mut text = [0; 64];
    let read = schedstat.read_at(&mut text, 0).ok()?;
    let first = text.get(..read)?.split(|byte| *byte == b' ').next()?;
    let nanos = std::str::from_utf8(first).ok()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

impl Drop for Pulse {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It never panics, and there is nothing to do about it if it did.
            drop(thread.join());
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_go_apart_at_rest_and_come_close_again_with_work() {
        let mut pause = PULSE;
        for _ in 0..10 {
            let longer = after(pause, BEAT / 2);
            assert!(longer >= pause);
            pause = longer;
        }
        assert_eq!(pause, PULSE_AT_REST);
        assert_eq!(after(pause, pause / REST), PULSE);
        assert_eq!(after(PULSE, BEAT), PULSE);
    }

    #[test]
    fn the_kernel_tells_how_long_a_thread_was_on_a_cpu() {
        let file = File::open("/proc/thread-self/schedstat").unwrap();
        let before = time_on_cpu(&file).unwrap();
        let from = std::time::Instant::now();
        while from.elapsed() < Duration::from_millis(30) {
            std::hint::spin_loop();
        }
        assert!(time_on_cpu(&file).unwrap() > before);
    }
}
