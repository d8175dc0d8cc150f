//! Finding out whether io_uring works here, before glommio finds out by panicking.

use super::executor::{RuntimeKind, StartError};

/// `shard.runtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// The cheaper one for the tasks' I/O, see [`TaskIo`].
    Auto,
    /// io_uring or fail.
    IoUring,
    /// epoll.
    Epoll,
}

/// Where records come from and go to, beside a connector's own end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskIo {
    /// Brokers. Waiting for sockets is cheaper on epoll: 21 to 33 % less CPU per record from topics, as much
    /// to topics (medians of 6 to 14 runs in alternation, Linux 6.18). glommio arms and cancels timers and
    /// polls each socket anew around each sleep.
    Brokers,
    /// The embedded log. io_uring where the probe succeeds: 26 % less CPU per record than epoll.
    Files,
}

/// What the probe found.
#[derive(Debug, Clone)]
pub struct ProbeReport {
    /// `None` when io_uring can be used; else why not and what to do.
    pub io_uring_problem: Option<String>,
    /// Kernel release text.
    pub kernel: String,
    /// Soft limit of locked memory in bytes; `None` = unlimited.
    pub memlock: Option<u64>,
}

/// glommio refuses to start below this limit of locked memory, even as root.
const MEMLOCK_LEAST: u64 = 512 << 10;
/// Older kernels have open wake-up hangs with glommio (feasibility 4).
const KERNEL_LEAST: (u32, u32) = (5, 15);

/// Probes by a raw `io_uring_setup`, the kernel version and the limit of locked memory.
pub fn probe_io_uring() -> ProbeReport {
    let kernel = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let memlock = rustix::process::getrlimit(rustix::process::Resource::Memlock).current;
    let problem = setup_problem()
        .or_else(|| kernel_problem(&kernel))
        .or_else(|| memlock_problem(memlock));
    ProbeReport {
        io_uring_problem: problem,
        kernel,
        memlock,
    }
}

/// Decides which executor the shards run, for tasks that do `io`.
///
/// # Errors
/// `shard.runtime=io_uring` where it can't work.
pub fn choose_runtime(
    choice: RuntimeChoice,
    io: TaskIo,
    report: &ProbeReport,
) -> Result<RuntimeKind, StartError> {
    match (choice, io, &report.io_uring_problem) {
        (RuntimeChoice::IoUring, _, Some(problem)) => Err(StartError::Unavailable(problem.clone())),
        (RuntimeChoice::IoUring, _, None) | (RuntimeChoice::Auto, TaskIo::Files, None) => {
            Ok(RuntimeKind::IoUring)
        }
        (RuntimeChoice::Epoll | RuntimeChoice::Auto, _, _) => Ok(RuntimeKind::Epoll),
    }
}

#[expect(unsafe_code, reason = "io_uring_setup has no safe wrapper here")]
fn setup_problem() -> Option<String> {
    // struct io_uring_params is 120 bytes of zeros for a plain ring.
    let mut params = [0_u8; 120];
    // SAFETY: the kernel reads and writes at most the 120 bytes of `params`, which lives across the call.
    let fd = unsafe { libc::syscall(libc::SYS_io_uring_setup, 2_u32, params.as_mut_ptr()) };
    if fd >= 0 {
        let fd = i32::try_from(fd).unwrap_or(-1);
        // SAFETY: `fd` was just returned to us and nobody else knows it.
        unsafe { libc::close(fd) };
        return None;
    }
    let error = std::io::Error::last_os_error();
    let why = match error.raw_os_error() {
        Some(libc::EPERM) => {
            "io_uring is forbidden here (a container's seccomp profile or kernel.io_uring_disabled)"
        }
        Some(libc::ENOSYS) => "this kernel or container has no io_uring",
        Some(libc::ENOMEM) => "io_uring has no memory to lock (ulimit -l)",
        _ => "io_uring_setup failed",
    };
    Some(format!("{why}: {error}"))
}

fn kernel_problem(release: &str) -> Option<String> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
        return None;
    };
    ((major, minor) < KERNEL_LEAST).then(|| {
        format!(
            "kernel {release} is older than {}.{}, where io_uring wake-ups can hang",
            KERNEL_LEAST.0, KERNEL_LEAST.1
        )
    })
}

fn memlock_problem(limit: Option<u64>) -> Option<String> {
    let limit = limit.filter(|limit| *limit < MEMLOCK_LEAST)?;
    Some(format!(
        "the limit of locked memory is {limit} bytes, {MEMLOCK_LEAST} are needed (ulimit -l 8192)"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_takes_the_runtime_that_is_cheaper_for_the_log_and_never_one_that_cannot_work() {
        let works = ProbeReport {
            io_uring_problem: None,
            kernel: String::new(),
            memlock: None,
        };
        let blocked = ProbeReport {
            io_uring_problem: Some("forbidden".to_owned()),
            ..works.clone()
        };
        let chosen = |choice, io, report| choose_runtime(choice, io, report).ok();
        let auto = RuntimeChoice::Auto;
        let io_uring = Some(RuntimeKind::IoUring);
        let epoll = Some(RuntimeKind::Epoll);
        assert_eq!(chosen(auto, TaskIo::Files, &works), io_uring);
        assert_eq!(chosen(auto, TaskIo::Files, &blocked), epoll);
        assert_eq!(chosen(auto, TaskIo::Brokers, &works), epoll);
        for io in [TaskIo::Files, TaskIo::Brokers] {
            assert_eq!(chosen(RuntimeChoice::IoUring, io, &works), io_uring);
            assert_eq!(chosen(RuntimeChoice::IoUring, io, &blocked), None);
            assert_eq!(chosen(RuntimeChoice::Epoll, io, &works), epoll);
        }
    }
}
