//! Instances: the running connectors and tasks, their numbers, their events, and the fence around each.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::activity::Activity;
use crate::api::{ConfigMap, ConnectError, LocalFuture};
use crate::clients::{Admin, ClientError, Consumer, Producer};
use crate::shard::{self, JoinHandle, ShardHandle, TaskEnd};
use crate::storage::WriteGate;
use crate::task::InstanceState;
use crate::task::control::ControlHandle;

/// Number of an instance, never used twice in a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub u64);

/// A task of a connector.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectorTaskId {
    /// Connector name.
    pub connector: String,
    /// Task number, from 0.
    pub task: u32,
}

impl std::fmt::Display for ConnectorTaskId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.connector, self.task)
    }
}

/// What an instance tells.
#[derive(Debug, Clone, PartialEq)]
pub enum InstanceEvent {
    /// A connector instance generated task configurations (again).
    TaskConfigs(Vec<ConfigMap>),
    /// Its state changed.
    State(InstanceState),
    /// The error that it reports next may pass by itself.
    Transient,
    /// It is gone; nothing more comes from it.
    Ended,
}

/// An event and whose it is.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerEvent {
    /// The instance.
    pub instance: InstanceId,
    /// What it tells.
    pub event: InstanceEvent,
}

/// Gives the event back when the receiver is full, `None` when it is gone.
type TrySend = dyn Fn(WorkerEvent) -> Result<(), Option<WorkerEvent>> + Send + Sync;

/// Where events go. Never blocks a shard: a full receiver is tried again.
#[derive(Clone)]
pub struct EventSink(Arc<TrySend>);

impl std::fmt::Debug for EventSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventSink")
    }
}

/// Wait before a full receiver is tried again.
const RETRY: Duration = Duration::from_millis(10);

impl EventSink {
    /// A sink over a non-blocking `try_send`.
    pub fn new(
        try_send: impl Fn(WorkerEvent) -> Result<(), Option<WorkerEvent>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(try_send))
    }

    /// Sends an event from a shard.
    pub fn send(&self, instance: InstanceId, event: InstanceEvent) {
        let Err(Some(mut refused)) = (self.0)(WorkerEvent { instance, event }) else {
            return;
        };
        let sink = self.clone();
        drop(shard::spawn(async move {
            loop {
                shard::sleep(RETRY).await;
                match (sink.0)(refused) {
                    Err(Some(again)) => refused = again,
                    Ok(()) | Err(None) => return,
                }
            }
        }));
    }
}

/// The control plane's hold on an instance.
#[derive(Debug)]
pub struct Instance {
    /// `<connector>` or `<connector>-<task>`.
    pub name: String,
    /// Sets the wish.
    pub control: ControlHandle,
    /// The call into connector code that it is in.
    pub activity: Activity,
    /// What its offsets pass on their way to the store.
    pub(super) offsets: WriteGate,
    /// Where it runs.
    pub(super) shard: ShardHandle,
}

/// Clients of an instance, so that they can be closed when its future is gone.
#[derive(Default, Clone)]
pub(super) struct Clients(Rc<RefCell<Vec<Client>>>);

pub(super) enum Client {
    Producer(Rc<dyn Producer>),
    Consumer(Rc<dyn Consumer>),
    Admin(Rc<dyn Admin>),
}

impl Clients {
    pub(super) fn add(&self, client: Client) {
        self.0.borrow_mut().push(client);
    }

    async fn close(&self) {
        let clients = self.0.take();
        for client in clients {
            match client {
                Client::Producer(producer) => producer.close(Duration::ZERO).await,
                Client::Consumer(consumer) => consumer.close(Duration::from_secs(1)).await,
                Client::Admin(admin) => admin.close().await,
            }
        }
    }
}

/// An instance's running future.
type Running = Rc<JoinHandle<Result<(), ConnectError>>>;

thread_local! {
    /// Futures of this shard's instances, for cancelling them.
    static RUNNING: RefCell<HashMap<InstanceId, Running>> = RefCell::default();
}

/// Runs an instance's future on the current shard behind a fence, and tells how it ended. A cancelled
/// instance tells nothing. Boxed, so that the future is in memory once.
pub(super) async fn supervise(
    instance: InstanceId,
    events: EventSink,
    clients: Clients,
    future: LocalFuture<'static, Result<(), ConnectError>>,
) {
    let handle = Rc::new(shard::spawn(future));
    RUNNING.with_borrow_mut(|running| running.insert(instance, Rc::clone(&handle)));
    let end = handle.join().await;
    RUNNING.with_borrow_mut(|running| running.remove(&instance));
    let state = match end {
        TaskEnd::Done(Ok(())) => InstanceState::Stopped,
        TaskEnd::Done(Err(error)) => {
            tracing::error!(
                trace = error.trace(),
                "failed and will not recover until restarted"
            );
            if is_transient(&error) {
                events.send(instance, InstanceEvent::Transient);
            }
            InstanceState::Failed(error.trace())
        }
        TaskEnd::Panicked(panicked) => {
            tracing::error!(%panicked, "connector code panicked; this instance alone has failed");
            clients.close().await;
            let error = ConnectError::connect(panicked.to_string());
            InstanceState::Failed(error.trace())
        }
        TaskEnd::Cancelled => {
            clients.close().await;
            return;
        }
    };
    events.send(instance, InstanceEvent::State(state));
    events.send(instance, InstanceEvent::Ended);
}

/// Whether an error, or what caused it, may pass: what is retriable, and what networks do.
fn is_transient(error: &ConnectError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let retriable = error
            .downcast_ref::<ConnectError>()
            .is_some_and(ConnectError::is_retriable)
            || error
                .downcast_ref::<ClientError>()
                .is_some_and(ClientError::is_retriable)
            || error
                .downcast_ref::<io::Error>()
                .is_some_and(|error| passes(error.kind()));
        if retriable {
            return true;
        }
        cause = error.source();
    }
    false
}

fn passes(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::*;
    matches!(
        kind,
        ConnectionRefused
            | ConnectionReset
            | ConnectionAborted
            | NotConnected
            | BrokenPipe
            | TimedOut
            | Interrupted
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
    )
}

/// Drops an instance's future; runs on its shard.
pub(super) async fn cancel(instance: InstanceId) {
    if let Some(handle) = RUNNING.with_borrow(|running| running.get(&instance).map(Rc::clone)) {
        handle.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_may_pass_when_one_of_its_causes_may() {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(is_transient(&ConnectError::retriable("later")));
        assert!(is_transient(
            &ConnectError::connect("no").with_source(refused())
        ));
        let inner = ConnectError::data("bad").with_source(io::Error::from(io::ErrorKind::NotFound));
        assert!(!is_transient(
            &ConnectError::connect("no").with_source(inner)
        ));
        let timeout = ClientError::Timeout {
            context: "a".to_owned(),
            after: Duration::ZERO,
            hint: String::new(),
        };
        assert!(is_transient(
            &ConnectError::connect("no").with_source(timeout)
        ));
    }
}
