//! The layers of a task's clients: what the worker gives, its `producer.` (`consumer.`, `admin.`) keys,
//! and the connector's `*.override.*` keys, each above the one before (Kafka: `Worker`).

use indexmap::IndexMap;

use super::{ClientKind, admin_from_config, consumer_from_config, def, producer_from_config};
use crate::api::ConfigMap;
use crate::api::config_def::{ConfigDef, ConfigProblem};
use crate::clients::{AdminConfig, ConsumerConfig, ProducerConfig};

/// Which `*.override.*` keys connectors may set (`connector.client.config.override.policy`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverridePolicy {
    /// Any.
    All,
    /// None.
    None,
    /// `sasl.jaas.config`, `sasl.mechanism` and `security.protocol`; deprecated by Kafka.
    Principal,
    /// Those of `connector.client.config.override.allowlist`.
    Allowlist(Vec<String>),
}

impl OverridePolicy {
    /// The policy of that name or Java class; `allowlist` is only kept by the last.
    pub fn from_name(name: &str, allowlist: &[String]) -> Option<Self> {
        let simple = name
            .strip_prefix("org.apache.kafka.connect.connector.policy.")
            .unwrap_or(name);
        let simple = simple
            .strip_suffix("ConnectorClientConfigOverridePolicy")
            .unwrap_or(simple);
        match simple {
            "All" => Some(Self::All),
            "None" => Some(Self::None),
            "Principal" => Some(Self::Principal),
            "Allowlist" => Some(Self::Allowlist(allowlist.to_vec())),
            _ => None,
        }
    }

    /// The name in messages.
    pub fn name(&self) -> &'static str {
        match self {
            Self::All => "All",
            Self::None => "None",
            Self::Principal => "Principal",
            Self::Allowlist(_) => "Allowlist",
        }
    }

    /// Whether the client key `key` (without prefix) may be overridden.
    pub fn allows(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Principal => {
                matches!(
                    key,
                    "sasl.jaas.config" | "sasl.mechanism" | "security.protocol"
                )
            }
            Self::Allowlist(keys) => keys.iter().any(|allowed| allowed == key),
        }
    }

    /// The overrides in a connector's configuration that the policy forbids, under their full keys.
    pub fn violations(&self, config: &ConfigMap) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        for full in config.keys() {
            let key = ClientKind::ALL
                .into_iter()
                .find_map(|kind| full.strip_prefix(kind.override_prefix()));
            if let Some(key) = key.filter(|key| !self.allows(key)) {
                let message = format!(
                    "The '{}' policy does not allow '{key}' to be overridden in the connector \
                     configuration.",
                    self.name()
                );
                problems.push(ConfigProblem::new(full, message));
            }
        }
        problems
    }
}

/// Settings with the full key that each came from, for messages.
pub(super) struct Layers {
    kind: ClientKind,
    entries: IndexMap<String, (Option<String>, String)>,
}

impl Layers {
    pub(super) fn new(kind: ClientKind, worker: &ConfigMap) -> Self {
        let mut layers = Self {
            kind,
            entries: IndexMap::new(),
        };
        for (key, value) in worker {
            let inherited = match kind {
                // Kafka: admin clients inherit every key of the worker, security included.
                ClientKind::Admin => !ClientKind::ALL
                    .iter()
                    .any(|kind| key.starts_with(kind.prefix())),
                ClientKind::Producer | ClientKind::Consumer => key == "bootstrap.servers",
            };
            if inherited {
                layers.put(key, value.clone(), key.clone());
            }
        }
        layers
    }

    /// A client of the worker itself: every key of the worker's own, whatever the kind.
    pub(super) fn of_worker(kind: ClientKind, worker: &ConfigMap) -> Self {
        let mut layers = Self {
            kind,
            entries: IndexMap::new(),
        };
        let prefixed = |key: &str| {
            let mut kinds = ClientKind::ALL.iter();
            kinds.any(|kind| key.starts_with(kind.prefix()))
        };
        for (key, value) in worker {
            if !prefixed(key) {
                layers.put(key, value.clone(), key.clone());
            }
        }
        layers
    }

    /// As [`Self::set`], where nobody has set the key.
    pub(super) fn set_default(self, key: &str, value: &str) -> Self {
        match self.entries.contains_key(key) {
            true => self,
            false => self.set(key, value.to_owned()),
        }
    }

    /// Leaves keys out.
    pub(super) fn without(mut self, keys: &[&str]) -> Self {
        self.entries.retain(|key, _| !keys.contains(&key.as_str()));
        self
    }

    fn put(&mut self, key: &str, value: Option<String>, from: String) {
        self.entries.insert(key.to_owned(), (value, from));
    }

    pub(super) fn set(mut self, key: &str, value: String) -> Self {
        self.put(key, Some(value), key.to_owned());
        self
    }

    fn prefixed(mut self, config: &ConfigMap, prefix: &str) -> Self {
        for (full, value) in config {
            if let Some(key) = full.strip_prefix(prefix).filter(|key| !key.is_empty()) {
                self.put(key, value.clone(), full.clone());
            }
        }
        self
    }

    pub(super) fn worker_and_overrides(self, worker: &ConfigMap, connector: &ConfigMap) -> Self {
        let kind = self.kind;
        self.prefixed(worker, kind.prefix())
            .prefixed(connector, kind.override_prefix())
    }

    /// What stood before `key` where the user wrote it.
    fn prefix_of(&self, key: &str) -> &str {
        let from = self.entries.get(key).map(|(_, from)| from.as_str());
        from.and_then(|from| from.strip_suffix(key))
            .unwrap_or_default()
    }

    pub(super) fn parse<T>(
        self,
        parse: fn(&ConfigMap) -> Result<T, Vec<ConfigProblem>>,
    ) -> Result<T, Vec<ConfigProblem>> {
        let config = self
            .entries
            .iter()
            .map(|(key, (value, _))| (key.clone(), value.clone()))
            .collect();
        parse(&config).map_err(|mut problems| {
            for problem in &mut problems {
                if let Some((_, from)) = self.entries.get(&problem.key) {
                    problem.key.clone_from(from);
                } else if problem.key.starts_with("sasl.") || problem.key.starts_with("ssl.") {
                    // It is missing where the protocol was chosen that needs it.
                    let full = format!("{}{}", self.prefix_of("security.protocol"), problem.key);
                    problem.message = problem.message.replace(&problem.key, &full);
                    problem.key = full;
                }
            }
            problems
        })
    }
}

/// The producer of a source task. `worker` and `connector` are raw configurations with references
/// replaced.
///
/// # Errors
/// All problems together, each under the key that the user wrote.
pub fn task_producer(
    worker: &ConfigMap,
    connector: &ConfigMap,
    name: &str,
    task: u32,
) -> Result<ProducerConfig, Vec<ConfigProblem>> {
    producer(
        worker,
        connector,
        format!("connector-producer-{name}-{task}"),
    )
}

/// The producer that writes a sink task's dead letters.
///
/// # Errors
/// As [`task_producer`].
pub fn dlq_producer(
    worker: &ConfigMap,
    connector: &ConfigMap,
    name: &str,
    task: u32,
) -> Result<ProducerConfig, Vec<ConfigProblem>> {
    producer(
        worker,
        connector,
        format!("connector-dlq-producer-{name}-{task}"),
    )
}

fn producer(
    worker: &ConfigMap,
    connector: &ConfigMap,
    client_id: String,
) -> Result<ProducerConfig, Vec<ConfigProblem>> {
    Layers::new(ClientKind::Producer, worker)
        .set("client.id", client_id)
        .worker_and_overrides(worker, connector)
        .parse(producer_from_config)
}

/// The consumer of a sink task; its group is `connect-NAME` unless a layer says otherwise.
///
/// # Errors
/// As [`task_producer`].
pub fn task_consumer(
    worker: &ConfigMap,
    connector: &ConfigMap,
    name: &str,
    task: u32,
) -> Result<ConsumerConfig, Vec<ConfigProblem>> {
    Layers::new(ClientKind::Consumer, worker)
        .set("client.id", format!("connector-consumer-{name}-{task}"))
        .set("group.id", format!("connect-{name}"))
        .worker_and_overrides(worker, connector)
        .parse(consumer_from_config)
}

/// The admin client with which a source task creates topics.
///
/// # Errors
/// As [`task_producer`].
pub fn task_admin(
    worker: &ConfigMap,
    connector: &ConfigMap,
    name: &str,
    task: u32,
) -> Result<AdminConfig, Vec<ConfigProblem>> {
    admin(
        worker,
        connector,
        format!("connector-adminclient-{name}-{task}"),
    )
}

/// The admin client with which a sink task creates its dead letter queue.
///
/// # Errors
/// As [`task_producer`].
pub fn dlq_admin(
    worker: &ConfigMap,
    connector: &ConfigMap,
    name: &str,
    task: u32,
) -> Result<AdminConfig, Vec<ConfigProblem>> {
    admin(
        worker,
        connector,
        format!("connector-dlq-adminclient-{name}-{task}"),
    )
}

/// The admin client that reads and changes a sink connector's offsets.
///
/// # Errors
/// As [`task_producer`].
pub fn offsets_admin(
    worker: &ConfigMap,
    connector: &ConfigMap,
    name: &str,
) -> Result<AdminConfig, Vec<ConfigProblem>> {
    admin(
        worker,
        connector,
        format!("connector-worker-adminclient-{name}"),
    )
}

fn admin(
    worker: &ConfigMap,
    connector: &ConfigMap,
    client_id: String,
) -> Result<AdminConfig, Vec<ConfigProblem>> {
    Layers::new(ClientKind::Admin, worker)
        .set("client.id", client_id)
        .worker_and_overrides(worker, connector)
        .parse(admin_from_config)
}

/// The worker's own admin client, made of its top-level keys alone.
///
/// # Errors
/// As [`task_producer`].
pub fn worker_admin(worker: &ConfigMap) -> Result<AdminConfig, Vec<ConfigProblem>> {
    Layers::new(ClientKind::Admin, worker).parse(admin_from_config)
}

/// A cluster that a connector names beside the worker's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteCluster {
    /// `source.cluster.*`.
    Source,
    /// `target.cluster.*`.
    Target,
}

impl RemoteCluster {
    /// `source.` or `target.`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Source => "source.",
            Self::Target => "target.",
        }
    }
}

/// A client of a cluster that the connector names (Kafka: `MirrorConnectorConfig`): connection and
/// security from `source.cluster.`, then every key below `consumer.` and below `source.consumer.`, or
/// their like.
#[derive(Debug, Clone, Copy)]
pub struct RemoteClient<'a> {
    /// Which cluster.
    pub cluster: RemoteCluster,
    /// The connector's configuration, references replaced.
    pub config: &'a ConfigMap,
    /// What the client is for; follows a `client.id` of the user.
    pub label: &'a str,
}

impl RemoteClient<'_> {
    fn parse<T>(
        self,
        kind: ClientKind,
        parse: fn(&ConfigMap) -> Result<T, Vec<ConfigProblem>>,
    ) -> Result<T, Vec<ConfigProblem>> {
        let side = self.cluster.prefix();
        let cluster = format!("{side}cluster.");
        let mut layers = Layers::new(kind, &ConfigMap::new()).prefixed(self.config, &cluster);
        layers.entries.retain(|key, _| is_connection_key(key));
        let own = format!("{side}{}", kind.prefix());
        let mut layers = layers
            .prefixed(self.config, kind.prefix())
            .prefixed(self.config, &own);
        let id = match layers.entries.get("client.id") {
            Some((Some(users), _)) => format!("{users}|{}", self.label),
            _ => self.label.to_owned(),
        };
        layers = layers.set("client.id", id);
        if kind == ClientKind::Consumer {
            // Positions are the connector's, whatever the user wrote.
            layers = layers.set("enable.auto.commit", "false".to_owned());
        }
        layers.parse(parse).map_err(|problems| {
            let full = |problem: ConfigProblem| {
                let named = [side, kind.prefix()];
                let is_full = self.config.contains_key(&problem.key)
                    || named.iter().any(|prefix| problem.key.starts_with(prefix));
                let place = if is_full { "" } else { cluster.as_str() };
                let key = format!("{place}{}", problem.key);
                let message = format!("{key}: {}", problem.message);
                ConfigProblem::new(key, message)
            };
            problems.into_iter().map(full).collect()
        })
    }

    /// A consumer without a group.
    ///
    /// # Errors
    /// All problems together, each under the key that the user wrote and named in the text.
    pub fn consumer(self) -> Result<ConsumerConfig, Vec<ConfigProblem>> {
        self.parse(ClientKind::Consumer, consumer_from_config)
    }

    /// A producer.
    ///
    /// # Errors
    /// As [`Self::consumer`].
    pub fn producer(self) -> Result<ProducerConfig, Vec<ConfigProblem>> {
        self.parse(ClientKind::Producer, producer_from_config)
    }

    /// An admin client.
    ///
    /// # Errors
    /// As [`Self::consumer`].
    pub fn admin(self) -> Result<AdminConfig, Vec<ConfigProblem>> {
        self.parse(ClientKind::Admin, admin_from_config)
    }
}

/// Every key that [`RemoteClient`] reads, under its full name, for clients of these clusters.
pub fn remote_keys(clusters: &[RemoteCluster]) -> ConfigDef {
    let mut keys = ConfigDef::new();
    for kind in ClientKind::ALL {
        for key in def(kind).keys() {
            let mut prefixes = vec![kind.prefix().to_owned()];
            for cluster in clusters {
                let side = cluster.prefix();
                prefixes.push(format!("{side}{}", kind.prefix()));
                if is_connection_key(&key.name) {
                    prefixes.push(format!("{side}cluster."));
                }
            }
            for prefix in prefixes {
                let mut full = key.clone();
                full.name = format!("{prefix}{}", key.name);
                keys = keys.define(full);
            }
        }
    }
    keys
}

/// The keys that hold for every client of a cluster (Kafka: `MirrorClientConfig.CLIENT_CONFIG_DEF`).
fn is_connection_key(key: &str) -> bool {
    matches!(key, "bootstrap.servers" | "security.protocol")
        || key.starts_with("ssl.")
        || key.starts_with("sasl.")
}
