//! Processes whose wall clock is wrong: libfaketime in front of the C library. `CLOCK_MONOTONIC` stays right,
//! as it does on a machine whose date is wrong.

use std::path::PathBuf;
use std::process::Command;

/// A library that tells another time.
#[derive(Debug)]
pub(crate) struct WrongClock(PathBuf);

/// Where Debian has it.
fn installed() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    let libraries = folders.filter_map(|folder| {
        let library = folder
            .ok()?
            .path()
            .join("faketime")
            .join("libfaketime.so.1");
        library.exists().then_some(library)
    });
    libraries.min()
}

impl WrongClock {
    /// Installs Debian's libfaketime when there is none and the machine lets us; `None`, said on standard
    /// error, where that can't be done.
    pub(crate) fn find() -> Option<Self> {
        installed().map(Self).or_else(|| {
            let install =
                "apt-get update -qq && apt-get install -y -qq --no-install-recommends libfaketime";
            let limited = Command::new("timeout")
                .args(["300", "sh", "-c", install])
                .output();
            let found = installed();
            if found.is_none() {
                eprintln!("no libfaketime here, and none could be installed: {limited:?}");
            }
            found.map(Self)
        })
    }

    /// The process's clock differs by this, as in `+2h`.
    pub(crate) fn shift(&self, command: &mut Command, by: &str) {
        command
            .env("LD_PRELOAD", &self.0)
            .env("FAKETIME", by)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DISABLE_SHM", "1");
    }
}
