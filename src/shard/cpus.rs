//! Which CPUs this process may use, and pinning to one of them.

use std::fs;
use std::sync::OnceLock;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::executor::StartError;

/// CPUs of the process's affinity mask (which `taskset` and cpusets set), ascending; never empty.
pub fn affinity_cpus() -> Vec<usize> {
    let cpus: Vec<usize> = match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|cpu| set.is_set(*cpu))
            .collect(),
        Err(_) => Vec::new(),
    };
    if cpus.is_empty() { vec![0] } else { cpus }
}

/// Reads a list like `0-3,6` (`shard.cpus`).
///
/// # Errors
/// Says which part is no number or range.
pub fn parse_cpu_list(text: &str) -> Result<Vec<usize>, String> {
    let mut cpus = Vec::new();
    for part in text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
    {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let parse = |text: &str| {
            text.trim()
                .parse::<usize>()
                .ok()
                .filter(|cpu| *cpu < CpuSet::MAX_CPU)
                .ok_or_else(|| format!("'{part}' is no CPU number or range like 0-3"))
        };
        let (first, last) = (parse(first)?, parse(last)?);
        if first > last {
            return Err(format!("'{part}' runs backwards"));
        }
        cpus.extend(
            (first..=last)
                .filter(|cpu| !cpus.contains(cpu))
                .collect::<Vec<_>>(),
        );
    }
    if cpus.is_empty() {
        Err("names no CPU".to_owned())
    } else {
        Ok(cpus)
    }
}

/// Pins the calling thread.
pub(super) fn pin_current_thread(cpu: usize) -> Result<(), StartError> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(|error| StartError::Thread {
        cpu,
        reason: error.to_string(),
    })
}

/// Lets the calling thread run on every CPU that the process was started with: threads made by a pinned
/// shard inherit its mask.
pub(crate) fn unpin_current_thread() {
    static START: OnceLock<Vec<usize>> = OnceLock::new();
    let mut set = CpuSet::new();
    for cpu in START.get_or_init(process_cpus) {
        set.set(*cpu);
    }
    if let Err(error) = sched_setaffinity(None, &set) {
        tracing::debug!(%error, "a blocking thread stays on its shard's CPU");
    }
}

/// CPUs of the main thread's mask, which no shard pins.
fn process_cpus() -> Vec<usize> {
    let main = rustix::process::getpid();
    match sched_getaffinity(Some(main)) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|cpu| set.is_set(*cpu))
            .collect(),
        Err(_) => affinity_cpus(),
    }
}

/// Whether glommio can be pinned to `cpu`: it takes its topology from sysfs.
pub(super) fn in_sysfs(cpu: usize) -> bool {
    fs::metadata(format!("/sys/devices/system/cpu/cpu{cpu}")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_ranges_are_read_and_nonsense_is_named() {
        assert_eq!(parse_cpu_list("0-2, 5").unwrap(), [0, 1, 2, 5]);
        assert_eq!(parse_cpu_list("3,3,1-3").unwrap(), [3, 1, 2]);
        assert!(parse_cpu_list("2-0").unwrap_err().contains("backwards"));
        assert!(parse_cpu_list("x").unwrap_err().contains("'x'"));
        assert!(parse_cpu_list(" , ").is_err());
    }
}
