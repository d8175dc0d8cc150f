//! The machine, as results name it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use nix::unistd::{SysconfVar, sysconf};

use crate::results::Machine;

/// Reads `/proc` and asks `java`, if a JVM takes part.
pub(crate) fn describe(data: &Path, java: bool) -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let unknown = || "unknown".to_owned();
    let after = |text: &str, key: &str, mark: char| {
        let line = text.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(mark)?.1.trim().to_owned())
    };
    let memory = after(&read("/proc/meminfo"), "MemTotal", ':');
    let memory = memory.and_then(|m| m.trim_end_matches(" kB").parse::<u64>().ok());
    let os = after(&read("/etc/os-release"), "PRETTY_NAME", '=');
    let load = read("/proc/loadavg");
    Machine {
        cpu: after(&cpuinfo, "model name", ':').unwrap_or_else(unknown),
        cores: std::thread::available_parallelism()
            .map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
        memory_bytes: memory.unwrap_or(0) * 1024,
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        os: os.map_or_else(unknown, |name| name.trim_matches('"').to_owned()),
        filesystem: filesystem(&read("/proc/self/mounts"), data).unwrap_or_else(unknown),
        java: java.then(java_version).flatten(),
        load_before: load
            .split(' ')
            .next()
            .and_then(|l| l.parse().ok())
            .unwrap_or(0.0),
    }
}

/// Watches how much CPU time the host of a virtual machine gives to others meanwhile: what no figure of a
/// process shows, and what decides the latencies that are seldom met.
#[derive(Debug)]
pub(crate) struct Theft {
    since: Instant,
    /// None where the kernel is not told.
    before: Option<f64>,
}

impl Theft {
    /// Begins to watch.
    pub(crate) fn watch() -> Self {
        Self {
            since: Instant::now(),
            before: stolen_seconds(),
        }
    }

    /// CPUs that were taken away, in the mean.
    pub(crate) fn cores(&self) -> Option<f64> {
        let seconds = self.since.elapsed().as_secs_f64();
        Some((stolen_seconds()? - self.before?) / seconds)
    }
}

/// Of all CPUs since the start of the machine.
fn stolen_seconds() -> Option<f64> {
    let ticks_per_second = sysconf(SysconfVar::CLK_TCK).ok()??;
    let ticks = stolen_ticks(&fs::read_to_string("/proc/stat").ok()?)?;
    #[expect(clippy::cast_precision_loss, reason = "seconds with a few digits")]
    Some(ticks as f64 / ticks_per_second as f64)
}

/// The eighth column of `/proc/stat`'s first line.
fn stolen_ticks(stat: &str) -> Option<u64> {
    let all = stat.lines().next()?.strip_prefix("cpu ")?;
    all.split_ascii_whitespace().nth(7)?.parse().ok()
}

/// Type of the file system that `path` lies on: that of the longest mount point above it.
fn filesystem(mounts: &str, path: &Path) -> Option<String> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let above = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (place, kind) = (words.nth(1)?, words.next()?);
        path.starts_with(place)
            .then(|| (place.len(), kind.to_owned()))
    });
    above
        .max_by_key(|(length, _)| *length)
        .map(|(_, kind)| kind)
}

fn java_version() -> Option<String> {
    let output = Command::new("java").arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // A JVM may talk of JAVA_TOOL_OPTIONS first.
    let line = text.lines().find(|line| line.contains("version"))?;
    Some(line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_mount_point_counts() {
        let mounts = "/dev/a / ext4 rw 0 0\nproc /proc proc rw 0 0\n";
        assert_eq!(
            filesystem(mounts, Path::new("/proc/self/x")).unwrap(),
            "proc"
        );
        assert_eq!(filesystem(mounts, Path::new("/etc")).unwrap(), "ext4");
    }

    #[test]
    fn stolen_time_is_the_eighth_column_of_all_cpus() {
        let stat = "cpu  1 2 3 4 5 6 7 80 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n";
        assert_eq!(stolen_ticks(stat), Some(80));
        assert_eq!(stolen_ticks("cpu 1 2 3\n"), None);
        assert_eq!(stolen_ticks(""), None);
        let cores = Theft::watch().cores().unwrap();
        assert!(cores >= 0.0, "{cores}");
    }

    #[test]
    fn this_machine_has_cores_memory_and_a_kernel() {
        let machine = describe(Path::new("/"), false);
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 20);
        assert!(!machine.kernel.is_empty());
        assert_eq!(machine.java, None);
    }
}
