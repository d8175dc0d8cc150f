//! What a client knows of its cluster: brokers, connections to them, topics' leaders, coordinators.
//!
//! One [`Cluster`] per client. Connections open on demand and are shared; one broker has up to two, since
//! a broker works through a connection's requests one by one and a long Fetch or JoinGroup must not hold
//! up heartbeats ([`Purpose`]). A background future refreshes the metadata of the topics asked for (at
//! `metadata.max.age.ms`, or when [`Cluster::request_refresh`] was called, with back-off) and closes idle
//! connections. When no known broker can be reached, the bootstrap servers are tried again (KIP-899).

mod metadata;
mod node;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use kafka_protocol::messages::{FindCoordinatorRequest, MetadataRequest};

use self::metadata::Metadata;
pub(super) use self::metadata::TopicMetadata;
use self::node::Node;
pub(super) use self::node::{Purpose, jittered};
use super::connection::Connection;
use super::errors::api_error;
use super::protocol::text;
use super::security::Security;
use crate::clients::{ApiErrorKind, ClientError, CommonClientConfig};
use crate::shard::{self, JoinHandle, Notify};

/// Which kind of coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(dead_code, reason = "transactions come with exactly-once sources")]
pub(super) enum CoordinatorKind {
    /// Of a consumer group.
    Group,
    /// Of a transactional id.
    Transaction,
}

/// Which topics the refresh asks for.
#[derive(Debug, Default)]
struct Wanted {
    /// Tracked topics; the value says whether the broker may create it.
    topics: HashMap<Rc<str>, bool>,
    /// Every topic (pattern subscriptions).
    all: bool,
}

/// A client's view of the cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    config: CommonClientConfig,
    security: Rc<Security>,
    bootstrap: Vec<Rc<Node>>,
    nodes: RefCell<HashMap<i32, Rc<Node>>>,
    metadata: RefCell<Metadata>,
    wanted: RefCell<Wanted>,
    coordinators: RefCell<HashMap<(CoordinatorKind, String), i32>>,
    /// Brokers and this client did not accept each other; kept until somebody asks.
    refusal: RefCell<Option<ClientError>>,
    /// Metadata has changed, or an attempt has failed.
    changed: Notify,
    refresh_wanted: Cell<bool>,
    /// Wakes the background future; shared so that it does not keep the cluster alive.
    wake: Rc<Notify>,
    background: RefCell<Option<JoinHandle<()>>>,
    closed: Cell<bool>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.close();
    }
}

impl Cluster {
    /// Knows the bootstrap servers; connects when first asked. Must be called on a shard.
    pub(super) fn new(config: CommonClientConfig) -> Rc<Self> {
        let security = Rc::new(Security::new(config.security.clone()));
        let servers = config.bootstrap_servers.iter();
        let bootstrap = servers.filter_map(|server| {
            let parsed = split_host_port(server);
            if parsed.is_none() {
                tracing::warn!(server, "bootstrap.servers: not host:port, left out");
            }
            parsed.map(|(host, port)| Node::new(None, host, port, &security))
        });
        let cluster = Rc::new(Self {
            bootstrap: bootstrap.collect(),
            security,
            config,
            nodes: RefCell::default(),
            metadata: RefCell::default(),
            wanted: RefCell::default(),
            coordinators: RefCell::default(),
            refusal: RefCell::default(),
            changed: Notify::new(),
            refresh_wanted: Cell::new(false),
            wake: Rc::default(),
            background: RefCell::default(),
            closed: Cell::new(false),
        });
        let background = maintain(Rc::downgrade(&cluster), Rc::clone(&cluster.wake));
        *cluster.background.borrow_mut() = Some(shard::spawn(background));
        cluster
    }

    /// The settings it was made with.
    pub(super) fn config(&self) -> &CommonClientConfig {
        &self.config
    }

    /// Closes every connection; later calls fail with `Closed`.
    pub(super) fn close(&self) {
        self.closed.set(true);
        if let Some(background) = self.background.borrow_mut().take() {
            background.abort();
        }
        let nodes = self.nodes.take();
        for node in nodes.values().chain(&self.bootstrap) {
            node.close();
        }
        self.changed.notify();
    }

    fn check_open(&self) -> Result<(), ClientError> {
        if self.closed.get() {
            return Err(ClientError::Closed);
        }
        Ok(())
    }

    // ---- connections

    /// The connection to a broker, opened (after the reconnect back-off) if need be.
    ///
    /// # Errors
    /// `Disconnected` when one attempt failed or the broker is unknown (a metadata refresh is under way).
    pub(super) async fn connection(
        &self,
        broker: i32,
        purpose: Purpose,
    ) -> Result<Rc<Connection>, ClientError> {
        self.check_open()?;
        let node = self.nodes.borrow().get(&broker).map(Rc::clone);
        let Some(node) = node else {
            self.request_refresh();
            return Err(ClientError::Disconnected {
                context: "connecting".to_owned(),
                broker: broker.to_string(),
                reason: "the broker is not in the cluster's metadata".to_owned(),
            });
        };
        let result = node.connection(purpose, &self.config).await;
        if let Err(error) = &result {
            self.note_refusal(error);
            self.request_refresh();
        }
        result.map_err(|error| self.seen_from_outside(error, &node))
    }

    fn note_refusal(&self, error: &ClientError) {
        if error.is_refusal() {
            *self.refusal.borrow_mut() = Some(error.clone());
        }
    }

    /// The last refusal of a broker, once: whoever waits for metadata would not hear of it.
    pub(super) fn take_refusal(&self) -> Option<ClientError> {
        self.refusal.take()
    }

    /// A node is closed with the client, but also when its broker leaves the metadata, as one that died
    /// does: who waits for it then may try again.
    fn seen_from_outside(&self, error: ClientError, node: &Node) -> ClientError {
        match error {
            ClientError::Closed if !self.closed.get() => ClientError::Disconnected {
                context: "connecting".to_owned(),
                broker: node.address(),
                reason: "the broker left the cluster's metadata meanwhile".to_owned(),
            },
            other => other,
        }
    }

    /// An open connection to a broker, if there is one.
    pub(super) fn open_connection(&self, broker: i32, purpose: Purpose) -> Option<Rc<Connection>> {
        self.nodes.borrow().get(&broker)?.open_connection(purpose)
    }

    /// A connection to any broker: the least busy open one, else a known broker that is not in back-off,
    /// else a bootstrap server.
    ///
    /// # Errors
    /// `Disconnected` with the last reason when none can be reached.
    pub(super) async fn any_connection(&self) -> Result<Rc<Connection>, ClientError> {
        self.check_open()?;
        let mut known: Vec<Rc<Node>> = self.nodes.borrow().values().map(Rc::clone).collect();
        let open = known
            .iter()
            .chain(&self.bootstrap)
            .flat_map(|node| {
                [Purpose::Data, Purpose::Coordinator].map(|purpose| node.open_connection(purpose))
            })
            .flatten()
            .min_by_key(|connection| connection.waiting());
        if let Some(open) = open {
            return Ok(open);
        }
        fastrand::shuffle(&mut known);
        let mut bootstrap: Vec<Rc<Node>> = self.bootstrap.iter().map(Rc::clone).collect();
        fastrand::shuffle(&mut bootstrap);
        known.extend(bootstrap);
        // Those that may be tried at once come first; the others wait for their back-off.
        known.sort_by_key(|node| node.backoff_left());
        let mut last = None;
        for node in known {
            match node.connection(Purpose::Data, &self.config).await {
                Ok(connection) => return Ok(connection),
                // As in Kafka: what one broker refuses is not tried with the others.
                Err(error) if error.is_refusal() => {
                    self.note_refusal(&error);
                    return Err(error);
                }
                Err(error) => last = Some(self.seen_from_outside(error, &node)),
            }
            self.check_open()?;
        }
        Err(last.unwrap_or_else(|| ClientError::Config {
            key: "bootstrap.servers",
            reason: "no usable host:port in it".to_owned(),
        }))
    }

    /// Brokers known from metadata.
    pub(super) fn brokers(&self) -> Vec<i32> {
        let mut ids: Vec<i32> = self.nodes.borrow().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// `host:port` of a broker.
    pub(super) fn broker_address(&self, broker: i32) -> Option<String> {
        let nodes = self.nodes.borrow();
        nodes.get(&broker).map(|node| node.address())
    }

    /// The controller, or the broker that forwards to it.
    pub(super) fn controller(&self) -> Option<i32> {
        self.metadata.borrow().controller
    }

    /// The cluster's id, once metadata came.
    pub(super) fn cluster_id(&self) -> Option<String> {
        self.metadata.borrow().cluster_id.clone()
    }

    // ---- metadata

    /// What is known of a topic; its `error` says why it has no partitions.
    pub(super) fn topic(&self, topic: &str) -> Option<Rc<TopicMetadata>> {
        self.metadata.borrow().topics.get(topic).map(Rc::clone)
    }

    /// All topics known.
    pub(super) fn topics(&self) -> Vec<Rc<TopicMetadata>> {
        self.metadata
            .borrow()
            .topics
            .values()
            .map(Rc::clone)
            .collect()
    }

    /// Leader and leader epoch of a partition; `None` when unknown or without a leader.
    pub(super) fn leader(&self, topic: &str, partition: i32) -> Option<(i32, i32)> {
        self.metadata.borrow().leader(topic, partition)
    }

    /// A newer leader that a broker named in an answer (KIP-951). Ignored when it is not newer or the
    /// broker is unknown; then only the refresh helps.
    pub(super) fn learn_leader(&self, topic: &str, partition: i32, leader: i32, epoch: i32) {
        if self.nodes.borrow().contains_key(&leader)
            && self
                .metadata
                .borrow_mut()
                .learn_leader(topic, partition, leader, epoch)
        {
            self.changed.notify();
        }
    }

    /// Keeps a topic's metadata fresh from now on.
    pub(super) fn track(&self, topic: &str, allow_auto_create: bool) {
        let mut wanted = self.wanted.borrow_mut();
        wanted.topics.insert(topic.into(), allow_auto_create);
    }

    /// Forgets a topic.
    pub(super) fn untrack(&self, topic: &str) {
        self.wanted.borrow_mut().topics.remove(topic);
        self.metadata.borrow_mut().topics.remove(topic);
    }

    /// Asks for every topic with each refresh.
    pub(super) fn track_all(&self, all: bool) {
        self.wanted.borrow_mut().all = all;
    }

    /// Mark for [`Cluster::changed_since`].
    pub(super) fn mark(&self) -> u64 {
        self.changed.mark()
    }

    /// Completes when metadata was refreshed, or an attempt failed, after `mark`. Cancel-safe.
    pub(super) async fn changed_since(&self, mark: u64) {
        self.changed.changed_since(mark).await;
    }

    /// Has the metadata refreshed soon, in the background, at most once per back-off.
    pub(super) fn request_refresh(&self) {
        if !self.refresh_wanted.replace(true) {
            self.wake.notify();
        }
    }

    /// Asks one broker for these topics' metadata now, and tracks them.
    ///
    /// # Errors
    /// No broker reachable or answering. A topic's own error is in [`Cluster::topic`].
    pub(super) async fn fetch_topic_metadata(
        &self,
        topics: &[&str],
        allow_auto_create: bool,
    ) -> Result<(), ClientError> {
        for topic in topics {
            self.track(topic, allow_auto_create);
        }
        self.fetch_metadata(Some(topics), allow_auto_create).await
    }

    /// Asks one broker for the metadata of every topic now.
    ///
    /// # Errors
    /// No broker reachable or answering.
    pub(super) async fn fetch_all_metadata(&self) -> Result<(), ClientError> {
        self.fetch_metadata(None, false).await
    }

    /// Topics `None`: all.
    async fn fetch_metadata(
        &self,
        topics: Option<&[&str]>,
        allow_auto_create: bool,
    ) -> Result<(), ClientError> {
        let connection = self.any_connection().await?;
        let request = MetadataRequest::default()
            .with_allow_auto_topic_creation(allow_auto_create)
            .with_topics(topics.map(|topics| {
                let names = topics.iter().map(|topic| text(topic).into());
                names
                    .map(|name| {
                        kafka_protocol::messages::metadata_request::MetadataRequestTopic::default()
                            .with_name(Some(name))
                    })
                    .collect()
            }));
        let response = connection
            .call(request, self.config.request_timeout)
            .await?;
        if response.error_code != 0 {
            connection.close("the broker asked to bootstrap again");
            return Err(api_error(response.error_code, "Metadata request", None));
        }
        self.update_nodes(&response);
        self.metadata
            .borrow_mut()
            .update(response, topics.is_none());
        self.changed.notify();
        Ok(())
    }

    /// Takes over the list of brokers. An answer without brokers (one that is starting) changes nothing.
    fn update_nodes(&self, response: &kafka_protocol::messages::MetadataResponse) {
        if response.brokers.is_empty() {
            return;
        }
        let mut nodes = self.nodes.borrow_mut();
        let mut old = std::mem::take(&mut *nodes);
        for broker in &response.brokers {
            let port = u16::try_from(broker.port).unwrap_or(0);
            let id = broker.node_id.0;
            let node = old
                .remove(&id)
                .filter(|node| node.is_at(&broker.host, port))
                .unwrap_or_else(|| self.new_node(id, &broker.host, port));
            nodes.insert(id, node);
        }
        drop(nodes);
        for gone in old.values() {
            gone.close();
        }
    }

    /// A node for a broker that metadata named, with the connection that led there, if one did.
    fn new_node(&self, id: i32, host: &str, port: u16) -> Rc<Node> {
        let node = Node::new(Some(id), host.to_owned(), port, &self.security);
        let same = self.bootstrap.iter().find(|other| other.is_at(host, port));
        if let Some(bootstrap) = same {
            node.adopt(bootstrap);
        }
        node
    }

    /// One refresh of what is tracked.
    async fn refresh(&self) -> Result<(), ClientError> {
        let (topics, all) = {
            let wanted = self.wanted.borrow();
            let topics: Vec<(Rc<str>, bool)> = wanted
                .topics
                .iter()
                .map(|(topic, create)| (Rc::clone(topic), *create))
                .collect();
            (topics, wanted.all)
        };
        if all {
            return self.fetch_metadata(None, false).await;
        }
        // Brokers come with every answer, so an empty list is asked for as well.
        let create = topics.iter().any(|(_, create)| *create);
        let names: Vec<&str> = topics.iter().map(|(topic, _)| topic.as_ref()).collect();
        self.fetch_metadata(Some(&names), create).await
    }

    // ---- coordinators

    /// The connection to the coordinator of a group or transactional id: looked up once and cached.
    ///
    /// # Errors
    /// `Api` with `COORDINATOR_NOT_AVAILABLE` and the like (retriable), authorization, `Disconnected`.
    pub(super) async fn coordinator(
        &self,
        kind: CoordinatorKind,
        key: &str,
    ) -> Result<Rc<Connection>, ClientError> {
        let purpose = Purpose::Coordinator;
        self.coordinator_by(purpose, kind, key).await
    }

    /// As [`Self::coordinator`], over either connection to it.
    ///
    /// # Errors
    /// As [`Self::coordinator`].
    pub(super) async fn coordinator_by(
        &self,
        purpose: Purpose,
        kind: CoordinatorKind,
        key: &str,
    ) -> Result<Rc<Connection>, ClientError> {
        let known = self.known_coordinator(kind, key);
        let broker = match known {
            Some(broker) => broker,
            None => self.find_coordinator(kind, key).await?,
        };
        let result = self.connection(broker, purpose).await;
        if result.is_err() {
            self.forget_coordinator(kind, key);
        }
        result
    }

    /// The coordinator's broker id, when known.
    pub(super) fn known_coordinator(&self, kind: CoordinatorKind, key: &str) -> Option<i32> {
        self.coordinators
            .borrow()
            .get(&(kind, key.to_owned()))
            .copied()
    }

    /// The coordinator has moved, or its connection broke: the next call looks it up again.
    pub(super) fn forget_coordinator(&self, kind: CoordinatorKind, key: &str) {
        self.coordinators
            .borrow_mut()
            .remove(&(kind, key.to_owned()));
    }

    async fn find_coordinator(&self, kind: CoordinatorKind, key: &str) -> Result<i32, ClientError> {
        let connection = self.any_connection().await?;
        let version = connection.version_for::<FindCoordinatorRequest>()?;
        let key_type = match kind {
            CoordinatorKind::Group => 0,
            CoordinatorKind::Transaction => 1,
        };
        let request = FindCoordinatorRequest::default().with_key_type(key_type);
        let request = match version {
            4.. => request.with_coordinator_keys(vec![text(key)]),
            _ => request.with_key(text(key)),
        };
        let limit = self.config.request_timeout;
        let mut response = connection.call_version(request, version, limit).await?;
        let found = match response.coordinators.pop() {
            Some(found) => found,
            None => kafka_protocol::messages::find_coordinator_response::Coordinator::default()
                .with_node_id(response.node_id)
                .with_host(response.host)
                .with_port(response.port)
                .with_error_code(response.error_code)
                .with_error_message(response.error_message),
        };
        if found.error_code != 0 {
            let context = format!("looking for the coordinator of {key}");
            let message = found.error_message.as_deref();
            return Err(api_error(found.error_code, context, message));
        }
        let broker = found.node_id.0;
        let port = u16::try_from(found.port).unwrap_or(0);
        self.nodes.borrow_mut().entry(broker).or_insert_with(|| {
            Node::new(Some(broker), found.host.to_string(), port, &self.security)
        });
        self.coordinators
            .borrow_mut()
            .insert((kind, key.to_owned()), broker);
        Ok(broker)
    }

    // ---- retries

    /// Calls `attempt` until it succeeds, fails for good, or `limit` is over; waits with exponential
    /// back-off between, and has the metadata refreshed where the error asks for it.
    ///
    /// # Errors
    /// The first error that is not retriable; `Timeout` with the last error as hint.
    pub(super) async fn with_retries<T>(
        &self,
        context: &str,
        limit: Duration,
        mut attempt: impl AsyncFnMut() -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let start = Instant::now();
        let mut failures = 0;
        let mut hint = String::new();
        loop {
            self.check_open()?;
            let left = limit.saturating_sub(start.elapsed());
            match shard::timeout(left, attempt()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) if !error.is_retriable() => return Err(error),
                Ok(Err(error)) => {
                    self.refresh_if_needed(&error);
                    hint = format!(": {error}");
                }
                Err(_) => {}
            }
            let pause = self.retry_backoff(failures);
            failures = failures.saturating_add(1);
            if start.elapsed() + pause >= limit {
                return Err(ClientError::Timeout {
                    context: context.to_owned(),
                    after: limit,
                    hint,
                });
            }
            shard::sleep(pause).await;
        }
    }

    fn refresh_if_needed(&self, error: &ClientError) {
        let needed = match error {
            ClientError::Api { kind, .. } => *kind == ApiErrorKind::RefreshMetadata,
            ClientError::Disconnected { .. } => true,
            _ => false,
        };
        if needed {
            self.request_refresh();
        }
    }

    /// `retry.backoff.ms` doubled per failure up to `retry.backoff.max.ms`, with 20 % jitter (KIP-580).
    pub(super) fn retry_backoff(&self, failures: u32) -> Duration {
        jittered(
            self.config.retry_backoff,
            self.config.retry_backoff_max,
            failures,
        )
    }
}

/// Refreshes metadata and closes idle connections for as long as the cluster lives.
async fn maintain(cluster: Weak<Cluster>, wake: Rc<Notify>) {
    let mut failures = 0;
    let mut upkeep = Upkeep::default();
    loop {
        let mark = wake.mark();
        let Some(strong) = cluster.upgrade() else {
            return;
        };
        let idle = strong.config.connections_max_idle;
        strong.close_idle(idle);
        let Some(rest) = upkeep.rest(&strong, Instant::now()) else {
            failures = refresh_once(&strong, failures).await;
            upkeep.refreshed = Some(Instant::now());
            let pause = strong.retry_backoff(failures);
            drop(strong);
            // Even a good answer may be stale, so that the next one waits, too.
            shard::sleep(pause).await;
            continue;
        };
        drop(strong);
        // Either a wake-up or the time: both lead round the loop.
        shard::timeout(rest.min(idle / 2), wake.changed_since(mark))
            .await
            .unwrap_or(());
    }
}

/// Refreshes, after so many failures in a row; gives how many there are now.
async fn refresh_once(cluster: &Cluster, failures: u32) -> u32 {
    let refreshed = cluster.refresh().await;
    cluster.refresh_wanted.set(false);
    match refreshed {
        Ok(()) => 0,
        Err(error) => {
            tracing::debug!(%error, "metadata could not be refreshed");
            // Still wanted, after the back-off.
            cluster.refresh_wanted.set(true);
            cluster.changed.notify();
            failures + 1
        }
    }
}

/// When metadata is due.
#[derive(Debug, Default)]
struct Upkeep {
    /// The last time, or when there was nothing yet that could grow old.
    refreshed: Option<Instant>,
}

impl Upkeep {
    /// How long to wait; `None` when it is due now.
    fn rest(&mut self, cluster: &Cluster, now: Instant) -> Option<Duration> {
        let max_age = cluster.config.metadata_max_age;
        if !cluster.has_contact() {
            self.refreshed = Some(now);
            return Some(max_age);
        }
        let refreshed = *self.refreshed.get_or_insert(now);
        let left = max_age.checked_sub(now.saturating_duration_since(refreshed))?;
        (!cluster.refresh_wanted.get() && !left.is_zero())
            .then(|| left.max(Duration::from_millis(10)))
    }
}

impl Cluster {
    /// Nothing is refreshed for a client that has never asked for anything.
    fn has_contact(&self) -> bool {
        self.refresh_wanted.get() || !self.nodes.borrow().is_empty()
    }

    fn close_idle(&self, idle: Duration) {
        for node in self.nodes.borrow().values().chain(&self.bootstrap) {
            node.close_idle(idle);
        }
    }
}

/// `host:port`, `[v6]:port`, with an optional `PROTOCOL://` before (Kafka: `Utils.getHost`).
fn split_host_port(server: &str) -> Option<(String, u16)> {
    let server = server.trim();
    let server = server.split_once("://").map_or(server, |(_, rest)| rest);
    let (host, port) = server.rsplit_once(':')?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    if host.is_empty() {
        return None;
    }
    Some((host.to_owned(), port.parse().ok()?))
}

#[cfg(test)]
mod tests;
