//! The herder's thread: requests and instance events in, worker calls and answers out. It never runs
//! connector code and never waits for a shard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};

use super::distributed::{Connections, Link, PeerCall, PeerError, Settings, Token};
use super::entities::HerderError;
use super::handle::{HerderHandle, Limits};
use super::plane::Plane;
use super::stage::Stage;
use super::standalone::{Machine, Output, Reply, Request, RequestId};
use crate::api::ConfigMap;
use crate::cluster::{self, ClusterEvent};
use crate::shard;
use crate::storage::TopicNews;
use crate::task::InstanceState;
use crate::worker::{
    EventSink, Instance, InstanceEvent, InstanceId, OffsetsAnswer, OffsetsError, OffsetsJob,
    OffsetsRequest, TaskToStart, Worker, WorkerEvent,
};

/// Messages that may wait for the herder. Requests wait for room with their deadline; instance events
/// are retried by the shard.
const QUEUE: usize = 16 << 10;
/// Longest wait without a deadline.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// See [`HerderSettings::stall_after`].
const STALL_AFTER: Duration = Duration::from_secs(10);
/// How long a reset of topics may wait for the herder.
const RESET_LIMIT: Duration = Duration::from_secs(5);
/// Wait on a shard before a full queue is tried again.
const RETRY: Duration = Duration::from_millis(10);

/// What reaches the herder's thread. Small: the queue's memory is there from the start.
#[derive(Debug)]
pub(super) enum Message {
    Request(RequestId, Box<Request>, Sender<Result<Reply, HerderError>>),
    /// What is being done for a request.
    Stage(RequestId, Sender<Option<Stage>>),
    Event(Box<WorkerEvent>),
    Offsets(RequestId, Box<OffsetsDone>),
    /// Something that the cluster's thread tells.
    Cluster(Box<ClusterEvent>),
    /// What became of a connector's topics here.
    Topics(Box<TopicsMessage>),
    /// What the leader answered to a request of this worker's own.
    Peer(Token, Result<(), Box<PeerError>>),
    ShutDown,
}

/// What became of reading or changing the offsets of a connector.
#[derive(Debug)]
pub(super) struct OffsetsDone {
    name: String,
    result: Result<OffsetsAnswer, OffsetsError>,
}

/// What became of a connector's topics on this worker.
#[derive(Debug)]
pub(super) struct TopicsMessage {
    pub(super) connector: String,
    /// The task and the topic that it used; `None` for a reset.
    pub(super) used: Option<(u32, String)>,
}

/// Settings of the herder.
#[derive(Debug, Clone, Copy)]
pub struct HerderSettings {
    /// `task.shutdown.graceful.timeout.ms`: total for all instances of a stop.
    pub graceful_timeout: Duration,
    /// How long a request may take.
    pub limits: Limits,
    /// A call into connector code that takes longer is shown in the status.
    pub stall_after: Duration,
}

impl HerderSettings {
    /// Kafka's limits.
    pub fn new(graceful_timeout: Duration) -> Self {
        Self {
            graceful_timeout,
            limits: Limits::default(),
            stall_after: STALL_AFTER,
        }
    }
}

/// The queue in front of a herder that is not started yet: what it is connected to sends there.
#[derive(Debug)]
pub struct HerderQueue {
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

impl Default for HerderQueue {
    fn default() -> Self {
        let (sender, receiver) = bounded(QUEUE);
        Self { sender, receiver }
    }
}

impl HerderQueue {
    /// Where the cluster's thread tells what happens. Without a herder nobody listens.
    pub fn cluster_events(&self) -> Arc<dyn cluster::EventSink> {
        let sender = self.sender.clone();
        Arc::new(move |event| {
            let message = Message::Cluster(Box::new(event));
            match sender.try_send(message) {
                Err(TrySendError::Full(Message::Cluster(event))) => Err(*event),
                _ => Ok(()),
            }
        })
    }

    /// Where the use of topics is told, from shards and from REST.
    pub fn topic_news(&self) -> impl Fn(TopicNews<'_>) + Send + Sync + 'static {
        let sender = self.sender.clone();
        move |news| {
            let (connector, used) = match news {
                TopicNews::Reset(connector) => (connector, None),
                TopicNews::Used(used) => (used.connector, Some((used.task, used.topic.to_owned()))),
            };
            let connector = connector.to_owned();
            let message = Message::Topics(Box::new(TopicsMessage { connector, used }));
            match news {
                // REST's handlers may wait; without a herder nobody does.
                TopicNews::Reset(_) => drop(sender.send_timeout(message, RESET_LIMIT)),
                TopicNews::Used(_) => deliver(sender.clone(), message),
            }
        }
    }

    /// Where answers of the leader go.
    pub fn peer_answers(&self) -> impl Fn(PeerCall, Result<(), PeerError>) + Send + 'static {
        let sender = self.sender.clone();
        // A thread of its own sends them: it waits for room.
        move |call, result| drop(sender.send(Message::Peer(call.token, result.map_err(Box::new))))
    }
}

/// How a herder ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HerderEnd {
    /// Every instance stopped by itself.
    pub clean: bool,
    /// Why the worker could not go on.
    pub failure: Option<String>,
}

/// The running herder thread.
#[derive(Debug)]
pub struct Herder {
    handle: HerderHandle,
    thread: thread::JoinHandle<HerderEnd>,
}

impl Herder {
    /// Starts the thread of a standalone worker, which it owns from now on.
    ///
    /// # Errors
    /// The thread can't be made.
    pub fn start(worker: Worker, settings: HerderSettings) -> std::io::Result<Self> {
        let kinds = worker.kinds();
        let kind_of =
            Box::new(move |config: &ConfigMap| kinds(config).map_err(HerderError::BadRequest));
        let graceful_timeout = settings.graceful_timeout;
        let plane = move || Plane::Standalone(Machine::new(graceful_timeout, kind_of));
        Self::spawn(HerderQueue::default(), plane, worker, settings)
    }

    /// Starts the thread of a distributed worker, which it owns from now on.
    ///
    /// # Errors
    /// The thread can't be made.
    pub fn start_distributed(
        queue: HerderQueue,
        worker: Worker,
        settings: HerderSettings,
        machine: Settings,
        connections: Connections,
    ) -> std::io::Result<Self> {
        let plane = move || Plane::Distributed(Box::new(Link::new(machine, connections)));
        Self::spawn(queue, plane, worker, settings)
    }

    /// The machine is made on the thread that it stays on.
    fn spawn(
        queue: HerderQueue,
        plane: impl FnOnce() -> Plane + Send + 'static,
        worker: Worker,
        settings: HerderSettings,
    ) -> std::io::Result<Self> {
        let handle = HerderHandle::new(queue.sender.clone(), settings.limits);
        let thread = thread::Builder::new()
            .name("herder".to_owned())
            .stack_size(1 << 20)
            .spawn(move || Driver::new(queue, plane(), worker, settings).run())?;
        Ok(Self { handle, thread })
    }

    /// For asking.
    pub fn handle(&self) -> HerderHandle {
        self.handle.clone()
    }

    /// Whether the thread has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }

    /// Waits for the end.
    pub fn join(self) -> HerderEnd {
        drop(self.handle);
        self.thread.join().unwrap_or_default()
    }
}

struct Driver {
    worker: Worker,
    plane: Plane,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
    events: EventSink,
    instances: BTreeMap<InstanceId, Instance>,
    waiting: BTreeMap<RequestId, Sender<Result<Reply, HerderError>>>,
    settings: HerderSettings,
    exit: Option<bool>,
}

impl Driver {
    fn new(queue: HerderQueue, plane: Plane, worker: Worker, settings: HerderSettings) -> Self {
        let HerderQueue { sender, receiver } = queue;
        let own_sender = sender.clone();
        let events = EventSink::new(move |event| {
            sender
                .try_send(Message::Event(Box::new(event)))
                .map_err(|refused| match refused {
                    TrySendError::Full(Message::Event(event)) => Some(*event),
                    TrySendError::Full(_) | TrySendError::Disconnected(_) => None,
                })
        });
        Self {
            plane,
            worker,
            sender: own_sender,
            receiver,
            events,
            instances: BTreeMap::new(),
            waiting: BTreeMap::new(),
            settings,
            exit: None,
        }
    }

    fn run(mut self) -> HerderEnd {
        while self.exit.is_none() {
            let now = Instant::now();
            let deadline = self.plane.next_deadline().unwrap_or(now + LONGEST_WAIT);
            match self.receiver.recv_deadline(deadline) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.plane.shut_down(),
            }
            self.plane.tick();
            self.carry_out();
        }
        self.plane.close();
        self.worker.stop();
        HerderEnd {
            clean: self.exit.unwrap_or(false),
            failure: self.plane.failure().map(str::to_owned),
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Request(id, request, answer) => {
                self.waiting.insert(id, answer);
                self.plane.request(id, *request);
            }
            Message::Event(event) => {
                let WorkerEvent { instance, event } = *event;
                self.tell(instance, event);
            }
            Message::Stage(request, answer) => {
                // Whoever asked no longer counts on it.
                self.waiting.remove(&request);
                drop(answer.try_send(self.stage(request)));
            }
            Message::Offsets(request, done) => {
                self.plane.offsets_done(request, &done.name, done.result);
            }
            Message::Cluster(event) => self.plane.cluster(*event),
            Message::Topics(news) => self.plane.topics(*news),
            Message::Peer(token, result) => {
                self.plane
                    .peer_answered(token, result.map_err(|error| *error));
            }
            Message::ShutDown => self.plane.shut_down(),
        }
    }

    /// Tells worker and machine what an instance told.
    fn tell(&mut self, instance: InstanceId, event: InstanceEvent) {
        match &event {
            InstanceEvent::State(state) => self.worker.state_of(instance, state),
            InstanceEvent::Ended => {
                self.instances.remove(&instance);
                self.worker.ended(instance);
            }
            InstanceEvent::TaskConfigs(_) | InstanceEvent::Transient => {}
        }
        self.plane.event(instance, event);
    }

    /// Carries out what the machine wants; failures to start come back as events at once.
    fn carry_out(&mut self) {
        loop {
            let outputs = self.plane.take_outputs();
            if outputs.is_empty() {
                return;
            }
            for output in outputs {
                self.carry_out_one(output);
            }
        }
    }

    fn carry_out_one(&mut self, output: Output) {
        match output {
            Output::StartConnector {
                instance,
                name,
                config,
                wish,
            } => {
                let events = self.events.clone();
                let started = self
                    .worker
                    .start_connector(instance, &name, config, wish, events);
                self.started(instance, started);
            }
            Output::StartTask {
                instance,
                id,
                kind,
                connector_config,
                task_config,
                wish,
            } => {
                let task = TaskToStart {
                    id,
                    kind,
                    connector_config,
                    task_config,
                    wish,
                };
                let started = self.worker.start_task(instance, task, self.events.clone());
                self.started(instance, started);
            }
            Output::Offsets {
                request,
                name,
                config,
                what,
            } => self.offsets(request, name, config, what),
            Output::Wish(instance, wish) => {
                if let Some(instance) = self.instances.get(&instance) {
                    instance.control.set(wish);
                }
            }
            Output::Cancel(instance) => {
                if let Some(found) = self.instances.remove(&instance) {
                    tracing::warn!(
                        "{} did not stop within task.shutdown.graceful.timeout.ms and is cancelled",
                        found.name
                    );
                    self.worker.cancel(instance, &found);
                }
            }
            Output::Answer(request, result) => {
                if let Some(answer) = self.waiting.remove(&request) {
                    let result = result.map(|reply| self.with_stalls(reply));
                    // Whoever asked may have given up meanwhile.
                    drop(answer.try_send(result));
                }
            }
            Output::Restarting { id, reason } => {
                tracing::warn!(%reason, "task {id} had failed and is started again (errors.restart.policy)");
            }
            Output::Forget(connector) => self.worker.forget(&connector),
            Output::Exit { clean } => self.exit = Some(clean),
        }
    }

    fn offsets(
        &mut self,
        request: RequestId,
        name: String,
        config: ConfigMap,
        what: OffsetsRequest,
    ) {
        let job = OffsetsJob {
            name: name.clone(),
            config,
            request: what,
            limit: self.settings.limits.request,
        };
        let sender = self.sender.clone();
        let of = name.clone();
        let started = self.worker.offsets(job, move |result| {
            let done = Box::new(OffsetsDone { name: of, result });
            deliver(sender, Message::Offsets(request, done));
        });
        if let Err(error) = started {
            self.plane.offsets_done(request, &name, Err(error));
        }
    }

    fn stage(&self, request: RequestId) -> Option<Stage> {
        let (description, since) = self.plane.stage_of(request)?;
        Some(Stage {
            description,
            began: SystemTime::now() - since.elapsed(),
            completed: None,
        })
    }

    /// Adds what instances hang in.
    fn with_stalls(&self, mut reply: Reply) -> Reply {
        let hanging = |instance: Option<InstanceId>| {
            let activity = &self.instances.get(&instance?)?.activity;
            activity.stalled(self.settings.stall_after)
        };
        if let Reply::Status(status) = &mut reply {
            status.hanging = hanging(status.instance);
            for task in &mut status.tasks {
                task.hanging = hanging(task.instance);
            }
        }
        reply
    }

    fn started(&mut self, instance: InstanceId, started: Result<Instance, String>) {
        match started {
            Ok(running) => {
                self.instances.insert(instance, running);
            }
            Err(trace) => {
                let failed = InstanceEvent::State(InstanceState::Failed(trace));
                self.tell(instance, failed);
                self.tell(instance, InstanceEvent::Ended);
            }
        }
    }
}

/// Sends from a shard, without blocking it. Without the herder nobody waits.
fn deliver(sender: Sender<Message>, message: Message) {
    let Err(TrySendError::Full(mut refused)) = sender.try_send(message) else {
        return;
    };
    drop(shard::spawn(async move {
        loop {
            shard::sleep(RETRY).await;
            match sender.try_send(refused) {
                Err(TrySendError::Full(again)) => refused = again,
                Ok(()) | Err(TrySendError::Disconnected(_)) => return,
            }
        }
    }));
}
