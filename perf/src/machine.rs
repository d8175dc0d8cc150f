//! The machine, as results name it.

use std::fs;
use std::path::Path;
use std::process::Command;

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
    fn this_machine_has_cores_memory_and_a_kernel() {
        let machine = describe(Path::new("/"), false);
        assert!(machine.cores > 0 && machine.memory_bytes > 1 << 20);
        assert!(!machine.kernel.is_empty());
        assert_eq!(machine.java, None);
    }
}
