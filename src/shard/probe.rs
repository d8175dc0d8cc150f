//! Finding out whether io_uring works here, before glommio finds out by panicking.

use super::executor::{RuntimeKind, StartError};

/// `shard.runtime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuntimeChoice {
    /// io_uring where the probe succeeds, else epoll.
    Auto,
    /// io_uring or fail.
    IoUring,
    /// epoll.
    Epoll,
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

/// Decides which executor the shards run.
///
/// # Errors
/// `shard.runtime=io_uring` where it can't work.
pub fn choose_runtime(
    choice: RuntimeChoice,
    report: &ProbeReport,
) -> Result<RuntimeKind, StartError> {
    match (choice, &report.io_uring_problem) {
        (RuntimeChoice::Epoll, _) | (RuntimeChoice::Auto, Some(_)) => Ok(RuntimeKind::Epoll),
        (_, None) => Ok(RuntimeKind::IoUring),
        (RuntimeChoice::IoUring, Some(problem)) => Err(StartError::Unavailable(problem.clone())),
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
