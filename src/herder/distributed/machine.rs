//! The machine: its parts, and what happens after every input.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config_writes::ConfigWrites;
use super::group::Group;
use super::offsets::OffsetsChange;
use super::protocol::{Output, Token};
use super::publications::Publication;
use super::requests::Parked;
use super::session_keys::KeySettings;
use super::statuses::StatusWrites;
use super::work::Work;
use crate::api::{ConfigMap, ConnectorKind};
use crate::distributed::assignor::ringmain::LostTasks;
use crate::distributed::config_topic::{ConfigTopic, PendingRestarts};
use crate::distributed::protocol::{ConnectProtocol, PluginClasses};
use crate::distributed::status_topic::StatusTopic;
use crate::herder::entities::HerderError;
use crate::herder::standalone::{self, Reply, RequestId};

/// What a raw configuration is of: whether a source or a sink, and its plugin's version.
pub(crate) type Describe =
    Box<dyn Fn(&ConfigMap) -> Result<(ConnectorKind, String), HerderError> + Send>;
/// Makes the bytes of a new session key; `None` when the system gives no random ones.
pub(crate) type MakeKey = Box<dyn FnMut() -> Option<Vec<u8>> + Send>;

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For time-outs.
    pub at: Instant,
    /// Milliseconds since the epoch, for what other workers read. May be wrong.
    pub wall_ms: i64,
}

/// What the machine is told once.
pub struct Settings {
    /// `host:port` of the advertised URL.
    pub worker_id: String,
    /// The advertised URL.
    pub url: Arc<str>,
    /// `connect.protocol`.
    pub protocol: ConnectProtocol,
    /// `scheduled.rebalance.max.delay.ms`.
    pub rebalance_max_delay_ms: i32,
    /// When what a lost worker ran is handed out.
    pub lost_tasks: LostTasks,
    /// `task.shutdown.graceful.timeout.ms`.
    pub graceful_timeout: Duration,
    /// `worker.sync.timeout.ms`.
    pub sync_timeout: Duration,
    /// `worker.unsync.backoff.ms`.
    pub unsync_backoff: Duration,
    /// The session key of the cluster.
    pub keys: KeySettings,
    /// `inter.worker.verification.algorithms`.
    pub verification_algorithms: Vec<String>,
    /// Plugins of this worker.
    pub plugins: PluginClasses,
    /// What a configuration is of.
    pub(crate) describe: Describe,
    /// New session keys.
    pub(crate) make_key: MakeKey,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("worker_id", &self.worker_id)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// The worker's own stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Not asked for.
    No,
    /// Instances are ending.
    Stopping,
    /// The last statuses are being written, until then at most.
    Flushing(Instant),
    /// The driver was told.
    Over,
}

/// The herder of distributed mode.
pub struct Machine {
    pub(super) settings: Settings,
    pub(super) now: Now,
    pub(super) config: ConfigTopic,
    /// The config topic was read to its end for the first time; so was the status topic.
    pub(super) started: Started,
    pub(super) status: StatusTopic,
    pub(super) group: Group,
    pub(super) work: Work,
    pub(super) writes: ConfigWrites,
    pub(super) statuses: StatusWrites,
    pub(super) publications: BTreeMap<Arc<str>, Publication>,
    pub(super) restarts: PendingRestarts,
    pub(super) parked: Vec<Parked>,
    /// Changes of offsets that wait for the config topic.
    pub(super) offsets: BTreeMap<RequestId, OffsetsChange>,
    /// Connectors that were seen in the config topic.
    pub(super) known: BTreeSet<Arc<str>>,
    /// When the machine was made.
    pub(super) born: Instant,
    /// When the present session key was read.
    pub(super) key_read: Instant,
    pub(super) ending: Ending,
    pub(super) clean: bool,
    pub(super) outputs: Vec<Output>,
    next_token: u64,
}

/// Which topics were read to their ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Started {
    pub(super) config: bool,
    pub(super) status: bool,
    pub(super) offsets: bool,
}

impl Started {
    pub(super) fn all(self) -> bool {
        self.config && self.status && self.offsets
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine")
            .field("worker_id", &self.settings.worker_id)
            .field("group", &self.group)
            .field("work", &self.work)
            .finish_non_exhaustive()
    }
}

impl Machine {
    /// A worker that has read nothing and is in no group.
    pub fn new(settings: Settings, now: Now) -> Self {
        Self {
            group: Group::new(&settings),
            work: Work::default(),
            now,
            config: ConfigTopic::new(),
            started: Started::default(),
            status: StatusTopic::new(),
            writes: ConfigWrites::default(),
            statuses: StatusWrites::default(),
            publications: BTreeMap::new(),
            restarts: PendingRestarts::default(),
            parked: Vec::new(),
            offsets: BTreeMap::new(),
            known: BTreeSet::new(),
            born: now.at,
            key_read: now.at,
            ending: Ending::No,
            clean: true,
            outputs: Vec::new(),
            next_token: 0,
            settings,
        }
    }

    /// Takes what the driver shall do, in order.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        std::mem::take(&mut self.outputs)
    }

    pub(super) fn token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    pub(super) fn local(&mut self, output: standalone::Output) {
        self.outputs.push(Output::Local(output));
    }

    pub(super) fn answer(&mut self, request: RequestId, result: Result<Reply, HerderError>) {
        self.local(standalone::Output::Answer(request, result));
    }

    /// The offset topic was read to its end for the first time.
    pub fn offsets_started(&mut self, now: Now) {
        self.now = now;
        self.started.offsets = true;
        self.topic_started();
    }

    /// A topic was read to its end for the first time. With the last one the worker joins.
    pub(super) fn topic_started(&mut self) {
        if self.started.all() && self.ending == Ending::No {
            self.request_join("the worker has started");
        }
        self.go_on();
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        self.now = now;
        self.cancel_overdue();
        self.restart_failed();
        self.catch_up_overdue();
        self.rejoin_when_due();
        self.expire_parked();
        self.statuses_overdue();
        self.writes_overdue();
        self.go_on();
    }

    /// When [`Self::tick`] has something to do at the latest.
    pub fn next_deadline(&self) -> Option<Instant> {
        let parked = self.parked.iter().map(|parked| parked.deadline);
        let flushing = match self.ending {
            Ending::Flushing(until) => Some(until),
            _ => None,
        };
        [
            self.work.next_deadline(),
            self.group.next_deadline(),
            self.statuses.next_deadline(),
            self.writes.next_deadline(),
            self.key_deadline(),
            self.next_publication(),
            parked.min(),
            flushing,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Lets everything go on that can: the end of each input.
    pub(super) fn go_on(&mut self) {
        self.work.unsettle_all();
        self.advance();
    }

    /// As [`Self::go_on`], after an input that concerns no place of an instance, or those that were marked.
    pub(super) fn advance(&mut self) {
        let phase = self.group.phase;
        self.rebalance();
        if self.group.phase != phase {
            self.work.unsettle_all();
        }
        self.process_restarts();
        self.reconcile();
        self.rotate_key();
        self.publish();
        self.next_write();
        self.retry_parked();
        self.end();
    }

    /// Begins the worker's graceful stop (Kafka: `DistributedHerder.halt`).
    pub fn shut_down(&mut self, now: Now) {
        self.now = now;
        if self.ending != Ending::No {
            return;
        }
        self.ending = Ending::Stopping;
        for parked in std::mem::take(&mut self.parked) {
            self.answer(parked.id, Err(HerderError::ShuttingDown));
        }
        self.stop_everything();
        self.go_on();
    }

    fn end(&mut self) {
        if self.ending == Ending::Stopping && self.work.is_still() {
            self.ending = Ending::Flushing(self.now.at + self.settings.graceful_timeout);
        }
        let Ending::Flushing(until) = self.ending else {
            return;
        };
        if self.statuses.is_empty() || self.now.at >= until {
            self.ending = Ending::Over;
            self.give_up_changes();
            self.leave("the worker is shutting down");
            let clean = self.clean;
            self.local(standalone::Output::Exit { clean });
        }
    }
}
