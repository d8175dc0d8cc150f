//! What the kernel says about a process: CPU time, memory, state.

use std::fs;

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// A look at a process.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reading {
    /// CPU time of all threads, those that ended included, from the process's CPU clock: exact to the
    /// scheduler's last look (a few milliseconds at most), where `/proc` counts in ticks of 10 ms.
    pub(crate) cpu_seconds: f64,
    /// The part of it in user mode, by the shares that `/proc/PID/stat` gives.
    pub(crate) user_seconds: f64,
    /// VmRSS.
    pub(crate) resident_bytes: u64,
    /// VmHWM.
    pub(crate) peak_bytes: u64,
    /// It has ended and waits for its parent; memory is 0 then.
    pub(crate) ended: bool,
}

/// Looks at one process.
#[derive(Debug)]
pub(crate) struct Sampler {
    pid: i32,
    clock: ClockId,
}

impl Sampler {
    /// Nothing when there is no such process.
    pub(crate) fn new(pid: i32) -> Option<Self> {
        let clock = clock_getcpuclockid(Pid::from_raw(pid)).ok()?;
        Some(Self { pid, clock })
    }

    /// Nothing when the process is gone.
    #[expect(clippy::cast_precision_loss, reason = "seconds with nine digits")]
    pub(crate) fn read(&self) -> Option<Reading> {
        let time = clock_gettime(self.clock).ok()?;
        let cpu_seconds = time.tv_sec() as f64 + time.tv_nsec() as f64 / 1e9;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let (state, user, system) = ticks(&stat)?;
        let share = match user + system {
            0 => 0.0,
            all => user as f64 / all as f64,
        };
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        Some(Reading {
            cpu_seconds,
            user_seconds: cpu_seconds * share,
            resident_bytes: kilobytes(&status, "VmRSS:") * 1024,
            peak_bytes: kilobytes(&status, "VmHWM:") * 1024,
            ended: matches!(state, 'Z' | 'X'),
        })
    }
}

/// State, and ticks in user and kernel mode.
fn ticks(stat: &str) -> Option<(char, u64, u64)> {
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some((
        fields.first()?.chars().next()?,
        fields.get(11)?.parse().ok()?,
        fields.get(12)?.parse().ok()?,
    ))
}

fn kilobytes(status: &str, key: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or(0)
}

/// Context switches of children that have been waited for, all their threads included: voluntary and
/// involuntary.
pub(crate) fn switches_of_ended_children() -> (u64, u64) {
    use nix::sys::resource::{UsageWho, getrusage};
    getrusage(UsageWho::RUSAGE_CHILDREN).map_or((0, 0), |usage| {
        let count = |number| u64::try_from(number).unwrap_or(0);
        (
            count(usage.voluntary_context_switches()),
            count(usage.involuntary_context_switches()),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn our_own_work_and_memory_are_seen() {
        let sampler = Sampler::new(i32::try_from(std::process::id()).unwrap()).unwrap();
        let before = sampler.read().unwrap();
        let block = black_box(vec![1_u8; 64 << 20]);
        let start = Instant::now();
        let mut turns = 0_u64;
        // Other tests may share the core: enough work for ticks and clock to show.
        while start.elapsed() < Duration::from_millis(200) {
            turns = black_box(turns + 1);
        }
        let after = sampler.read().unwrap();
        let used = after.cpu_seconds - before.cpu_seconds;
        assert!(used > 0.005, "{used} s");
        assert!(after.user_seconds <= after.cpu_seconds);
        assert!(after.resident_bytes >= before.resident_bytes.min(64 << 20));
        assert!(after.peak_bytes >= 64 << 20);
        assert!(!after.ended);
        drop(block);
    }

    #[test]
    fn a_process_that_ended_is_seen_until_it_is_waited_for() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let sampler = Sampler::new(i32::try_from(child.id()).unwrap()).unwrap();
        while !sampler.read().unwrap().ended {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.wait().unwrap();
        assert!(sampler.read().is_none());
    }

    #[test]
    fn names_with_brackets_do_not_confuse() {
        let stat = "7 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 110 120 0 0";
        assert_eq!(ticks(stat), Some(('S', 110, 120)));
    }
}
