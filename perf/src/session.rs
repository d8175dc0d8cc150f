//! What one call has at hand: brokers, clients, programs, a place for files.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;
use testbed::{ClusterOptions, Jvm, Kafka, KafkaCluster, Properties};

use crate::error::{Error, Naming, Result};
use crate::interrupt;
use crate::progress::Progress;
use crate::registry::Registry;
use crate::sampler::Sampler;
use crate::systems::Programs;
use crate::topics::Topics;
use crate::wire::Wire;

/// One call of `compare`, `run` or `smoke`.
#[derive(Debug)]
pub(crate) struct Session {
    /// What is installed.
    pub(crate) programs: Programs,
    /// Brokers as `host:port`.
    pub(crate) bootstrap: String,
    /// Fills and reads topics.
    pub(crate) topics: TopicsOf,
    /// Watches them.
    pub(crate) wire: Wire,
    /// Looks at the broker, when it is ours.
    pub(crate) broker: Option<Sampler>,
    /// Our broker's command line.
    pub(crate) broker_command: Option<String>,
    /// Shown on standard error.
    pub(crate) progress: Progress,
    /// Whether runs leave their directories.
    keep: bool,
    prefix: String,
    number: u64,
    scratch: TempDir,
    registry: Option<Arc<Registry>>,
    _cluster: Option<KafkaCluster>,
}

/// [`Topics`], which has no words for itself.
pub(crate) struct TopicsOf(pub(crate) Topics);

impl std::fmt::Debug for TopicsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Topics")
    }
}

/// How a session begins.
#[derive(Debug)]
pub(crate) struct Options {
    /// A user's brokers; without, real Kafka is started here.
    pub(crate) target: Option<String>,
    /// Ringmain's binary; without, the release is built.
    pub(crate) ringmain: Option<PathBuf>,
    /// Keep what runs leave behind.
    pub(crate) keep: bool,
}

impl Session {
    /// Builds Ringmain, fetches and starts Kafka, connects.
    pub(crate) fn open(options: &Options, progress: Progress) -> Result<Self> {
        let ringmain = ringmain(options.ringmain.as_deref(), &progress)?;
        let kafka = match &options.target {
            Some(_) => None,
            None => Some(Kafka::fetch().map_err(Error::Kafka)?),
        };
        interrupt::check()?;
        let cluster = match &kafka {
            Some(kafka) => {
                progress.say("starting Apache Kafka");
                Some(KafkaCluster::try_start(kafka, &cluster_options()).map_err(Error::Kafka)?)
            }
            None => None,
        };
        let bootstrap = match (&options.target, &cluster) {
            (Some(target), _) => target.clone(),
            (None, Some(cluster)) => cluster.bootstrap(),
            (None, None) => return Err(Error::Usage("neither a target nor Kafka".to_owned())),
        };
        let scratch = testbed::process::try_scratch_dir("perf");
        let mut scratch = scratch.at("make a directory in", &std::env::temp_dir())?;
        scratch.disable_cleanup(options.keep);
        let broker = cluster
            .as_ref()
            .and_then(|c| c.pid(0))
            .and_then(Sampler::new);
        Ok(Self {
            programs: Programs { ringmain, kafka },
            topics: TopicsOf(Topics::connect(&bootstrap)?),
            wire: Wire::new(&bootstrap),
            broker,
            broker_command: cluster.as_ref().and_then(|c| c.command_line(0)),
            progress,
            keep: options.keep,
            prefix: format!("perf{}", std::process::id()),
            number: 0,
            scratch,
            registry: None,
            bootstrap,
            _cluster: cluster,
        })
    }

    /// Where files and data go.
    pub(crate) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// A schema registry; started when it is asked for first.
    ///
    /// # Errors
    /// Java or Maven are missing, or it does not start.
    pub(crate) fn registry(&mut self) -> Result<Arc<Registry>> {
        if let Some(registry) = &self.registry {
            return Ok(Arc::clone(registry));
        }
        self.progress.say("starting a schema registry");
        let registry = Arc::new(Registry::start()?);
        self.registry = Some(Arc::clone(&registry));
        Ok(registry)
    }

    /// A name that no other run has, also not on a user's brokers.
    pub(crate) fn unique(&mut self, what: &str) -> String {
        self.number += 1;
        format!("{}-{what}-{}", self.prefix, self.number)
    }

    /// A new directory, removed when dropped unless files are kept.
    pub(crate) fn dir(&self, name: &str) -> Result<TempDir> {
        let dir = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(self.scratch());
        let mut dir = dir.at("make a directory in", self.scratch())?;
        dir.disable_cleanup(self.keep);
        Ok(dir)
    }
}

/// A broker as Apache's scripts start it, which gives the disk back soon after topics are deleted.
fn cluster_options() -> ClusterOptions {
    ClusterOptions {
        auto_create_topics: false,
        settings: Properties::new()
            .set("log.segment.delete.delay.ms", 500)
            .set("log.retention.check.interval.ms", 60_000),
        jvm: Jvm::Server,
        ..ClusterOptions::default()
    }
}

/// The workspace that this program was built in, if it is still there.
pub(crate) fn workspace() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    root.join("Cargo.lock").is_file().then(|| root.to_owned())
}

/// The binary and its version.
fn ringmain(given: Option<&Path>, progress: &Progress) -> Result<(PathBuf, String)> {
    let (path, built) = match given {
        Some(path) => {
            let path = std::fs::canonicalize(path).at("find", path)?;
            (path, "given by --ringmain".to_owned())
        }
        None => build(progress)?,
    };
    let output = Command::new(&path).arg("--version").output();
    let output = output.at("run", &path)?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok((path, format!("{version} ({built})")))
}

fn build(progress: &Progress) -> Result<(PathBuf, String)> {
    progress.say("building Ringmain's release binary");
    let path = cargo_build(&["--release"], "release")?;
    let commit = Command::new("git")
        .args(["describe", "--always", "--dirty"])
        .current_dir(workspace().unwrap_or_default())
        .output();
    let commit = commit.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    let built = format!("release build of commit {}", commit.unwrap_or_default());
    Ok((path, built))
}

/// The debug binary, built.
pub(crate) fn debug_build() -> Result<PathBuf> {
    cargo_build(&[], "debug")
}

fn cargo_build(flags: &[&str], folder: &str) -> Result<PathBuf> {
    let missing =
        || Error::Usage("the workspace is gone; name a binary with --ringmain PATH".to_owned());
    let root = workspace().ok_or_else(missing)?;
    let status = Command::new("cargo")
        .args(["build", "--package", "ringmain", "--bin", "ringmain"])
        .args(flags)
        .current_dir(&root)
        .status()
        .at("run cargo in", &root)?;
    // Ctrl-C on a terminal ends cargo as well.
    interrupt::check()?;
    if !status.success() {
        return Err(Error::Usage("cargo could not build Ringmain".to_owned()));
    }
    let target = testbed::kafka::target_dir().map_err(Error::Usage)?;
    Ok(target.join(folder).join("ringmain"))
}
