//! A worker with an HTTPS listener, and with a password if one is wanted, for clients of all kinds.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::certificates::Certificates;
pub(crate) use super::certificates::PASSWORD;
use crate::common::{Properties, Ringmain, Standalone, free_port, kafka, pipeline, scratch_dir};
use crate::rest_access::{EXTENSION, jaas};

/// Ours with one HTTPS listener and an embedded log.
#[derive(Debug)]
pub(crate) struct GuardedWorker {
    pub(crate) url: String,
    pub(crate) ringmain: Ringmain,
    pub(crate) made: Certificates,
    dir: TempDir,
}

/// What asks for a password.
pub(crate) fn basic_auth() -> Properties {
    Properties::new().set("rest.extension.classes", EXTENSION)
}

impl GuardedWorker {
    /// With these settings beside the server's key; `AUTHORITY` in them is the file of who signs clients.
    /// Users are those of `credentials`. `None` without Java, whose keytool makes some of the stores.
    pub(crate) fn start(settings: &Properties, credentials: &str) -> Option<Self> {
        kafka()?;
        let (made, dir, port) = (
            Certificates::make(),
            scratch_dir("guarded-worker"),
            free_port(),
        );
        let bootstrap = format!("embedded:{}", dir.path().join("log").display());
        let mut worker =
            pipeline::worker(&bootstrap).set("listeners", format!("https://localhost:{port}"));
        let key = made.key_store("listeners.https.", "PEM");
        let authority = made.path("ca.crt").display().to_string();
        for (name, value) in key.iter().chain(settings.iter()) {
            worker = worker.set(name, value.replace("AUTHORITY", &authority));
        }
        let login = jaas(dir.path(), credentials);
        let option = format!("-Djava.security.auth.login.config={}", login.display());
        let files = Standalone::new(&worker, &[]);
        let ringmain = files.launch_with(|command| command.env("KAFKA_OPTS", &option));
        ringmain.wait_for_line("Kafka Connect started");
        Some(Self {
            url: format!("https://localhost:{port}"),
            ringmain,
            made,
            dir,
        })
    }

    /// Writes a file beside its own.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }
}
