//! The herder's thread: requests and instance events in, worker calls and answers out. It never runs
//! connector code and never waits for a shard.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::entities::HerderError;
use super::handle::HerderHandle;
use super::standalone::{Machine, Output, Reply, Request, RequestId};
use crate::task::InstanceState;
use crate::worker::{
    EventSink, Instance, InstanceEvent, InstanceId, TaskToStart, Worker, WorkerEvent,
};

/// Messages that may wait for the herder. Requests wait for room with their deadline; instance events
/// are retried by the shard.
const QUEUE: usize = 16 << 10;
/// Longest wait without a deadline.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What reaches the herder's thread. Small: the queue's memory is there from the start.
#[derive(Debug)]
pub(super) enum Message {
    Request(Box<Request>, Sender<Result<Reply, HerderError>>),
    Event(Box<WorkerEvent>),
    ShutDown,
}

/// Settings of the herder.
#[derive(Debug, Clone, Copy)]
pub struct HerderSettings {
    /// `task.shutdown.graceful.timeout.ms`: total for all instances of a stop.
    pub graceful_timeout: Duration,
}

/// The running herder thread.
#[derive(Debug)]
pub struct Herder {
    handle: HerderHandle,
    thread: thread::JoinHandle<bool>,
}

impl Herder {
    /// Starts the thread with a worker that it owns from now on.
    ///
    /// # Errors
    /// The thread can't be made.
    pub fn start(worker: Worker, settings: HerderSettings) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(QUEUE);
        let handle = HerderHandle::new(sender.clone());
        let thread = thread::Builder::new()
            .name("herder".to_owned())
            .stack_size(1 << 20)
            .spawn(move || Driver::new(worker, settings, sender, receiver).run())?;
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

    /// Waits for the end; `true` when every instance stopped by itself.
    pub fn join(self) -> bool {
        drop(self.handle);
        self.thread.join().unwrap_or(false)
    }
}

struct Driver {
    worker: Worker,
    machine: Machine,
    receiver: Receiver<Message>,
    events: EventSink,
    instances: BTreeMap<InstanceId, Instance>,
    waiting: BTreeMap<RequestId, Sender<Result<Reply, HerderError>>>,
    next_request: u64,
    exit: Option<bool>,
}

impl Driver {
    fn new(
        worker: Worker,
        settings: HerderSettings,
        sender: Sender<Message>,
        receiver: Receiver<Message>,
    ) -> Self {
        let kinds = worker.kinds();
        let kind_of = Box::new(move |config: &crate::api::ConfigMap| {
            kinds(config).map_err(HerderError::BadRequest)
        });
        let events = EventSink::new(move |event| {
            use crossbeam::channel::TrySendError;
            sender
                .try_send(Message::Event(Box::new(event)))
                .map_err(|refused| match refused {
                    TrySendError::Full(Message::Event(event)) => Some(*event),
                    TrySendError::Full(_) | TrySendError::Disconnected(_) => None,
                })
        });
        Self {
            machine: Machine::new(settings.graceful_timeout, kind_of),
            worker,
            receiver,
            events,
            instances: BTreeMap::new(),
            waiting: BTreeMap::new(),
            next_request: 0,
            exit: None,
        }
    }

    fn run(mut self) -> bool {
        while self.exit.is_none() {
            let now = Instant::now();
            let deadline = self.machine.next_deadline().unwrap_or(now + LONGEST_WAIT);
            match self.receiver.recv_deadline(deadline) {
                Ok(message) => self.take(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.machine.shut_down(Instant::now()),
            }
            self.machine.tick(Instant::now());
            self.carry_out();
        }
        self.worker.stop();
        self.exit.unwrap_or(false)
    }

    fn take(&mut self, message: Message) {
        let now = Instant::now();
        match message {
            Message::Request(request, answer) => {
                self.next_request += 1;
                let id = RequestId(self.next_request);
                self.waiting.insert(id, answer);
                self.machine.request(id, *request, now);
            }
            Message::Event(event) => {
                let WorkerEvent { instance, event } = *event;
                if event == InstanceEvent::Ended {
                    self.instances.remove(&instance);
                    self.worker.ended(instance);
                }
                self.machine.event(instance, event, now);
            }
            Message::ShutDown => self.machine.shut_down(now),
        }
    }

    /// Carries out what the machine wants; failures to start come back as events at once.
    fn carry_out(&mut self) {
        loop {
            let outputs = self.machine.take_outputs();
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
                    // Whoever asked may have given up meanwhile.
                    drop(answer.try_send(result));
                }
            }
            Output::Exit { clean } => self.exit = Some(clean),
        }
    }

    fn started(&mut self, instance: InstanceId, started: Result<Instance, String>) {
        match started {
            Ok(running) => {
                self.instances.insert(instance, running);
            }
            Err(trace) => {
                let now = Instant::now();
                let failed = InstanceEvent::State(InstanceState::Failed(trace));
                self.machine.event(instance, failed, now);
                self.machine.event(instance, InstanceEvent::Ended, now);
            }
        }
    }
}
