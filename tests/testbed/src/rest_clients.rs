//! Clients of Connect's REST interface that others wrote, fetched once into the target directory: with pip
//! into an environment of their own, with npm, and with Maven.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::registry::{fetched, run};

/// Seconds that fetching packages may take.
const LIMIT: &str = "300";

/// A program that is not everybody's, and Debian's packages that have it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// What it is for people.
    name: &'static str,
    /// Ends well where it is there.
    probe: &'static [&'static str],
    packages: &'static str,
}

/// Python with what makes environments.
pub const PYTHON: Tool = Tool {
    name: "python3 with venv and pip",
    probe: &["python3", "-c", "import venv, ensurepip"],
    packages: "python3 python3-venv",
};

/// Node.js with its package manager.
pub const NODE: Tool = Tool {
    name: "node with npm",
    probe: &["sh", "-c", "node --version && npm --version"],
    packages: "nodejs npm",
};

impl Tool {
    /// Looks for it, and installs Debian's where the machine lets us; `false`, said on standard error, where
    /// that can't be done.
    pub fn is_there(self) -> bool {
        if self.answers() {
            return true;
        }
        let install = format!(
            "apt-get update -qq && apt-get install -y -qq --no-install-recommends {}",
            self.packages
        );
        let tried = limited("sh").args(["-c", &install]).output();
        let is_there = self.answers();
        if !is_there {
            let name = self.name;
            eprintln!("skipped: no {name} here, and none could be installed: {tried:?}");
        }
        is_there
    }

    fn answers(self) -> bool {
        let [program, arguments @ ..] = self.probe else {
            return false;
        };
        let probed = Command::new(program).args(arguments).output();
        probed.is_ok_and(|output| output.status.success())
    }
}

/// A Python that has what the file `requirements` lists.
///
/// # Errors
/// The environment cannot be made, or the packages cannot be fetched.
pub fn python_with(requirements: &Path) -> Result<PathBuf, String> {
    let stamp = read(requirements)?;
    let home = fetched("rest-clients-python", &stamp, |home| {
        let mut venv = limited("python3");
        venv.args(["-m", "venv", "--clear"])
            .arg(home.join("environment"));
        run(&mut venv, "python3 with venv, for REST clients")?;
        let mut pip = limited(home.join("environment/bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(requirements);
        run(&mut pip, "pip, to fetch REST clients")
    })?;
    Ok(home.join("environment/bin/python"))
}

/// The directory `node_modules` of what the `package-lock.json` in `manifest` lists.
///
/// # Errors
/// The packages cannot be fetched.
pub fn node_modules_of(manifest: &Path) -> Result<PathBuf, String> {
    let stamp = read(&manifest.join("package-lock.json"))?;
    let home = fetched("rest-clients-node", &stamp, |home| {
        for file in ["package.json", "package-lock.json"] {
            let text = read(&manifest.join(file))?;
            fs::write(home.join(file), text).map_err(|e| e.to_string())?;
        }
        let mut npm = limited("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(home);
        run(&mut npm, "npm, to fetch a REST client")
    })?;
    Ok(home.join("node_modules"))
}

/// The directory with the jars that the file `pom` lists.
///
/// # Errors
/// Maven is missing or cannot fetch them.
pub fn jars_of(pom: &Path) -> Result<PathBuf, String> {
    let stamp = read(pom)?;
    let home = fetched("rest-clients-java", &stamp, |home| {
        let jars = home.join("jars");
        let mut maven = limited("mvn");
        maven
            .args(["-q", "-B", "-f"])
            .arg(pom)
            .args(["dependency:copy-dependencies", "-DincludeScope=runtime"])
            .arg(format!("-DoutputDirectory={}", jars.display()));
        run(&mut maven, "Maven, to fetch a REST client")
    })?;
    Ok(home.join("jars"))
}

/// A command that is ended when it takes too long.
fn limited(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("timeout");
    command.arg(LIMIT).arg(program);
    command
}

fn read(file: &Path) -> Result<String, String> {
    fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))
}
