//! Prometheus' own checker of what an exporter prints: `promtool` of the machine, else that of Debian's
//! package `prometheus`, fetched once with `apt-get` and unpacked without being installed.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::registry::{fetched, run};

/// The checker.
#[derive(Debug)]
pub struct Promtool(PathBuf);

/// What `promtool check metrics` said.
#[derive(Debug)]
pub struct Checked {
    /// Whether it could parse everything.
    pub is_parsed: bool,
    /// Its remarks about names and the like, a line each that begins with the metric's name.
    pub remarks: Vec<String>,
}

impl Promtool {
    /// Looks for it, and fetches it where it is missing.
    ///
    /// # Errors
    /// It is not installed and cannot be fetched.
    pub fn find() -> Result<Self, String> {
        let installed = Command::new("promtool").arg("--version").output();
        if installed.is_ok_and(|output| output.status.success()) {
            return Ok(Self("promtool".into()));
        }
        let home = fetched("promtool", "debian", |home| {
            if download(home).is_err() {
                let mut update = Command::new("apt-get");
                run(update.arg("update"), "apt-get, to fetch promtool")?;
                download(home)?;
            }
            unpack(home)
        })?;
        Ok(Self(home.join("usr/bin/promtool")))
    }

    /// Checks a scrape.
    ///
    /// # Panics
    /// When it cannot be run.
    pub fn check_metrics(&self, text: &str) -> Checked {
        let mut child = Command::new(&self.0)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.0.display()));
        let mut pipe = child.stdin.take().unwrap();
        let text = text.to_owned();
        let feed = std::thread::spawn(move || pipe.write_all(text.as_bytes()));
        let output = child.wait_with_output().unwrap();
        // It may stop to read at the first error.
        drop(feed.join().unwrap());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Checked {
            // 3: parsed, with remarks.
            is_parsed: matches!(output.status.code(), Some(0 | 3)),
            remarks: said.lines().map(str::to_owned).collect(),
        }
    }
}

fn download(home: &Path) -> Result<(), String> {
    let mut download = Command::new("apt-get");
    download.args(["download", "prometheus"]).current_dir(home);
    run(&mut download, "apt-get, to fetch promtool")
}

fn unpack(home: &Path) -> Result<(), String> {
    let files = fs::read_dir(home).map_err(|e| e.to_string())?;
    let mut packages = files.filter_map(|file| Some(file.ok()?.path()));
    let package = packages.find(|path| path.extension().is_some_and(|end| end == "deb"));
    let package = package.ok_or("apt-get left no package")?;
    let mut unpack = Command::new("dpkg-deb");
    unpack.arg("-x").arg(&package).arg(home);
    run(&mut unpack, "dpkg-deb, to unpack promtool")?;
    fs::remove_file(package).map_err(|e| e.to_string())
}
