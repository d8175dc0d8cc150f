//! The workers of a cluster: started one after the other, watched through their group and their status
//! topic, ended.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use testbed::try_free_port;

use crate::error::{Error, Naming, Result};
use crate::interrupt;
use crate::rest::Api;
use crate::results::Run;
use crate::sampler::Reading;
use crate::scenario::Scenario;
use crate::session::Session;
use crate::systems::{self, Member, System, internal_topic};
use crate::worker::Worker;

use super::burst::{Burst, Wanted};
use super::group::{GroupWatch, Sight};
use super::now_millis;
use super::status_log::StatusLog;
use super::statuses::{History, connector_key, task_key};

/// Until a started worker is a member, or a stopped one none.
const SETTLING: Duration = Duration::from_secs(120);
/// Between two looks at the status topic: times come from its records.
const LOOK: Duration = Duration::from_millis(50);

/// A cluster of one system; its workers are killed when it is dropped.
#[derive(Debug)]
pub(super) struct Cluster<'s> {
    pub(super) session: &'s mut Session,
    pub(super) scenario: &'s Scenario,
    system: System,
    /// `group.id`.
    name: String,
    dir: tempfile::TempDir,
    group: GroupWatch,
    log: Option<StatusLog>,
    workers: Vec<Seat>,
    /// The file that connectors read, and the topic that they would write to.
    idle: (PathBuf, String),
}

/// A worker's place, which it has again after a restart.
#[derive(Debug)]
struct Seat {
    port: u16,
    dir: PathBuf,
    worker: Option<Worker>,
    /// Whether it was asked to stop: its end is then no surprise.
    stopping: bool,
}

impl Seat {
    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl<'s> Cluster<'s> {
    /// Without a worker yet.
    pub(super) fn new(
        session: &'s mut Session,
        scenario: &'s Scenario,
        system: System,
    ) -> Result<Self> {
        let name = session.unique("cluster");
        let dir = session.dir(system.id())?;
        let file = dir.path().join("empty.txt");
        std::fs::write(&file, "").at("write", &file)?;
        let topic = internal_topic(&name, "idle");
        session.wire.create_topic(&topic, 1, &[])?;
        let group = GroupWatch::start(&mut session.wire, &name)?;
        Ok(Self {
            session,
            scenario,
            system,
            name,
            dir,
            group,
            log: None,
            workers: Vec::new(),
            idle: (file, topic),
        })
    }

    /// Starts workers one after the other until there are so many, each when the one before it is a
    /// member. Two JVMs that start at once on two CPUs would only measure each other.
    pub(super) fn start_all(&mut self, count: usize, run: &mut Run) -> Result<()> {
        while self.workers.len() < count {
            let at = self.add(run)?;
            self.wait_for_members(at + 1)?;
            self.wait_for_answer(at)?;
        }
        Ok(())
    }

    /// Starts one more worker and gives its number, without waiting for anything.
    pub(super) fn add(&mut self, run: &mut Run) -> Result<usize> {
        let at = self.workers.len();
        let dir = self.dir.path().join(format!("worker-{}", at + 1));
        std::fs::create_dir(&dir).at("create", &dir)?;
        self.workers.push(Seat {
            port: try_free_port().at("find a port for", &dir)?,
            dir,
            worker: None,
            stopping: false,
        });
        let launch = self.launch(at)?;
        run.commands.push(systems::in_shell_words(&launch.command));
        for (name, text) in &launch.files {
            let name = format!("{}-{name}", at + 1);
            run.files.insert(name, text.clone());
        }
        self.workers[at].worker = Some(Worker::start(self.system.id(), launch)?);
        Ok(at)
    }

    /// Starts a stopped worker on its port with its file.
    pub(super) fn start_again(&mut self, at: usize) -> Result<()> {
        let launch = self.launch(at)?;
        self.workers[at].stopping = false;
        self.workers[at].worker = Some(Worker::start(self.system.id(), launch)?);
        Ok(())
    }

    fn launch(&self, at: usize) -> Result<systems::Launch> {
        let kafka = self.session.programs.kafka.as_ref();
        let member = Member {
            scenario: self.scenario,
            dir: &self.workers[at].dir,
            bootstrap: &self.session.bootstrap,
            cluster: &self.name,
            port: self.workers[at].port,
            plugin_path: kafka.map(testbed::Kafka::plugin_path),
        };
        systems::distributed(self.system, &self.session.programs, &member)
    }

    /// Kills a worker at once; gives the time right before.
    pub(super) fn kill(&mut self, at: usize) -> f64 {
        let worker = self.workers[at].worker.take();
        let now = now_millis();
        drop(worker);
        now
    }

    /// SIGTERM for a worker; gives the time right before.
    pub(super) fn ask_to_stop(&mut self, at: usize) -> f64 {
        let seat = &mut self.workers[at];
        seat.stopping = true;
        let now = now_millis();
        if let Some(worker) = &seat.worker {
            worker.ask_to_stop();
        }
        now
    }

    /// Waits until a worker that was asked to stop has ended.
    pub(super) fn wait_for_end(&mut self, at: usize) -> Result<()> {
        match self.workers[at].worker.take() {
            Some(worker) => worker.end().map(|_| ()),
            None => Ok(()),
        }
    }

    /// Ends everything, and takes the topics away.
    pub(super) fn end(mut self) -> Result<()> {
        for at in 0..self.workers.len() {
            self.ask_to_stop(at);
        }
        for at in 0..self.workers.len() {
            self.wait_for_end(at)?;
        }
        self.delete_topics()
    }

    /// Kills what still runs, and takes the topics away.
    pub(super) fn abandon(mut self) -> Result<()> {
        for at in 0..self.workers.len() {
            self.kill(at);
        }
        self.delete_topics()
    }

    fn delete_topics(&mut self) -> Result<()> {
        for what in ["config", "offset", "status", "idle"] {
            let topic = internal_topic(&self.name, what);
            self.session.wire.delete_topic(&topic)?;
        }
        Ok(())
    }

    /// As its statuses name it.
    pub(super) fn worker_id(&self, at: usize) -> String {
        format!("127.0.0.1:{}", self.workers[at].port)
    }

    /// Numbers of the workers that run and shall go on to.
    pub(super) fn alive(&self) -> Vec<usize> {
        let all = self.workers.iter().enumerate();
        all.filter(|(_, seat)| seat.worker.is_some() && !seat.stopping)
            .map(|(at, _)| at)
            .collect()
    }

    /// The number of the worker that leads, of a stable group.
    pub(super) fn leader(&self) -> Result<usize> {
        let url = self.group.now()?.and_then(|sight| sight.leader_url);
        let url = url.ok_or_else(|| Error::Run("the group has no leader".to_owned()))?;
        let leads = |at: &usize| url.trim_end_matches('/') == self.workers[*at].url();
        let found = self.alive().into_iter().find(leads);
        found.ok_or_else(|| Error::Run(format!("{url} leads, which is none of the workers")))
    }

    /// CPU time and memory of a running worker.
    pub(super) fn read(&mut self, at: usize) -> Result<Reading> {
        let worker = self.workers[at].worker.as_mut();
        let worker = worker.ok_or_else(|| Error::Run("the worker is not running".to_owned()))?;
        worker.look(None, 0)
    }

    /// When the group was first seen as `wanted` says, at `from` or later.
    pub(super) fn first_sight(&self, from: f64, wanted: impl Fn(&Sight) -> bool) -> Option<f64> {
        self.group.first(from, wanted)
    }

    /// Waits until a stable group has so many members; none at all is an empty group.
    pub(super) fn wait_for_members(&mut self, count: usize) -> Result<()> {
        let deadline = Instant::now() + SETTLING + self.session_timeout();
        loop {
            let seen = self.group.now()?;
            let there = |sight: &Sight| sight.members == count && (sight.is_stable() || count == 0);
            if seen.as_ref().is_some_and(there) {
                return Ok(());
            }
            self.check(deadline, || {
                format!("the group has not {count} members, but is {seen:?}")
            })?;
        }
    }

    /// Waits until the group has so many members after `start`; gives the time, and the CPU time of the
    /// worker `of` right before.
    pub(super) fn wait_for_join(
        &mut self,
        of: usize,
        start: f64,
        members: usize,
    ) -> Result<(f64, f64)> {
        let deadline = Instant::now() + SETTLING;
        let mut cpu = self.read(of)?.cpu_seconds;
        loop {
            if let Some(joined) = self.first_sight(start, |sight| sight.members >= members) {
                return Ok((joined, cpu));
            }
            cpu = self.read(of)?.cpu_seconds;
            let seen = self.group.now()?;
            self.check(deadline, || format!("the worker does not join: {seen:?}"))?;
        }
    }

    /// Waits until a worker's REST API answers.
    fn wait_for_answer(&mut self, at: usize) -> Result<()> {
        let api = Api::new(self.workers[at].url());
        let deadline = Instant::now() + SETTLING;
        while !api.answers() {
            self.check(deadline, || "no REST answer".to_owned())?;
        }
        Ok(())
    }

    /// `session.timeout.ms`.
    pub(super) fn session_timeout(&self) -> Duration {
        let set = self.scenario.worker.get("session.timeout.ms");
        let millis = set.and_then(|millis| millis.parse().ok());
        Duration::from_millis(millis.unwrap_or(10_000))
    }

    /// `scheduled.rebalance.max.delay.ms`, for which Apache's workers wait for a lost one.
    pub(super) fn scheduled_delay(&self) -> Duration {
        let set = self.scenario.worker.get("scheduled.rebalance.max.delay.ms");
        let millis = set.and_then(|millis| millis.parse().ok());
        Duration::from_millis(millis.unwrap_or(300_000))
    }

    /// Everything that stands in the status topic, up to the last look.
    pub(super) fn history(&mut self) -> Result<&History> {
        Ok(&self.log()?.history)
    }

    fn log(&mut self) -> Result<&mut StatusLog> {
        let log = match self.log.take() {
            Some(log) => log,
            None => StatusLog::open(self.session, &internal_topic(&self.name, "status"))?,
        };
        Ok(self.log.insert(log))
    }

    /// Reads the status topic on up to its end.
    pub(super) fn read_on(&mut self) -> Result<()> {
        self.advance().map(|_| ())
    }

    /// Whether there was anything new.
    fn advance(&mut self) -> Result<bool> {
        self.log()?;
        match &mut self.log {
            Some(log) => log.advance(self.session),
            None => Ok(false),
        }
    }

    /// Creates connectors through all running workers, and waits until they and their tasks run. Gives
    /// the time of the first request and the number of requests that were answered with 409.
    pub(super) fn create(&mut self, names: &[String], patience: Duration) -> Result<(f64, u32)> {
        self.history()?;
        let urls: Vec<String> = self
            .alive()
            .iter()
            .map(|&at| self.workers[at].url())
            .collect();
        let deadline = Instant::now() + patience;
        let wanted = Wanted {
            names: names.to_vec(),
            file: self.idle.0.display().to_string(),
            topic: self.idle.1.clone(),
        };
        let begin = now_millis();
        let mut burst = Burst::start(wanted, &urls, deadline);
        let keys = all_keys(names);
        loop {
            let left = burst.advance()?;
            self.session.progress.at((names.len() - left) as u64);
            self.advance()?;
            let history = self.history()?;
            if let Some(key) = history.failed(&keys) {
                return Err(Error::Run(format!("{key} is FAILED")));
            }
            let running = history.running(&keys);
            if left == 0 && running == keys.len() {
                return Ok((begin, burst.conflicts));
            }
            self.check(deadline, || {
                format!(
                    "{left} of {} connectors are not created, {running} of {} connectors and tasks run",
                    names.len(),
                    keys.len()
                )
            })?;
        }
    }

    /// Looks at the status topic until `done` finds what it looks for.
    pub(super) fn wait_until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        done: impl Fn(&History) -> Option<T>,
    ) -> Result<T> {
        let deadline = Instant::now() + patience;
        loop {
            self.advance()?;
            if let Some(found) = done(self.history()?) {
                return Ok(found);
            }
            self.check(deadline, || format!("waited {patience:?} in vain: {what}"))?;
        }
    }

    /// Waits until the group is stable and nobody has written a status for a while.
    pub(super) fn wait_until_quiet(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        let quiet = Duration::from_secs_f64(self.scenario.settings.quiet);
        let mut since = Instant::now();
        while since.elapsed() < quiet {
            let stable = self.group.now()?.is_some_and(|sight| sight.is_stable());
            if self.advance()? || !stable {
                since = Instant::now();
            }
            self.check(deadline, || "the cluster does not come to rest".to_owned())?;
        }
        Ok(())
    }

    /// Between two looks: sleeps, and gives up on Ctrl-C, after the deadline, and when a worker has ended
    /// that nobody asked to.
    fn check(&mut self, deadline: Instant, what: impl FnOnce() -> String) -> Result<()> {
        interrupt::sleep(LOOK)?;
        for at in self.alive() {
            let ended = self.read(at)?.ended;
            let worker = self.workers[at].worker.as_ref();
            if let Some(worker) = worker.filter(|_| ended) {
                let what = format!("worker {} ended\n{}", at + 1, worker.tail());
                return Err(Error::Run(what));
            }
        }
        if Instant::now() > deadline {
            let tails = self.alive().into_iter().filter_map(|at| {
                let tail = self.workers[at].worker.as_ref()?.tail();
                Some(format!("worker {}:\n{tail}", at + 1))
            });
            let tails: Vec<String> = tails.collect();
            return Err(Error::Run(format!("{}\n{}", what(), tails.join("\n"))));
        }
        Ok(())
    }
}

/// Names of the scenario's connectors.
pub(super) fn names(scenario: &Scenario) -> Vec<String> {
    (0..scenario.settings.connectors)
        .map(|number| format!("idle-{number}"))
        .collect()
}

/// Of their tasks.
pub(super) fn task_keys(names: &[String]) -> BTreeSet<String> {
    names.iter().map(|name| task_key(name)).collect()
}

/// Of connectors and tasks.
pub(super) fn all_keys(names: &[String]) -> BTreeSet<String> {
    let connectors = names.iter().map(|name| connector_key(name));
    connectors.chain(task_keys(names)).collect()
}
