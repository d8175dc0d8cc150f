//! Keys (Kafka: `MirrorConnectorConfig`, `MirrorSourceConfig`) and what they mean.

use std::time::Duration;

use super::filter::{self, Patterns, PropertyFilter};
use super::policy::{self, ReplicationPolicy};
use crate::api::config_def::{ConfigProblem, ParsedConfig};
use crate::api::{ConfigDef, ConfigKey, ConfigMap, ConnectError, Importance, Validator};
use crate::clients::{AdminConfig, ConsumerConfig, ProducerConfig};
use crate::config::clients::{ClientKind, EMBEDDED, RemoteClient, RemoteCluster, def, remote_keys};
use crate::connectors::parse;

pub(super) const SOURCE_ALIAS: &str = "source.cluster.alias";
const TARGET_ALIAS: &str = "target.cluster.alias";
const POLICY_CLASS: &str = "replication.policy.class";
const POLICY_SEPARATOR: &str = "replication.policy.separator";
const INTERNAL_SEPARATOR: &str = "replication.policy.internal.topic.separator.enabled";
const FORWARDING_ADMIN: &str = "forwarding.admin.class";
const FORWARDING_ADMIN_CLASS: &str = "org.apache.kafka.clients.admin.ForwardingAdmin";
const TOPICS: &str = "topics";
const TOPICS_EXCLUDE: &str = "topics.exclude";
const PROPERTIES_EXCLUDE: &str = "config.properties.exclude";
/// Known to Kafka's filter of settings alone, so no key of the connector.
const DEFAULTS_FROM: &str = "use.defaults.from";
const TOPIC_FILTER: &str = "topic.filter.class";
const PROPERTY_FILTER: &str = "config.property.filter.class";
const EMIT_OFFSET_SYNCS: &str = "emit.offset-syncs.enabled";
const SYNCS_LOCATION: &str = "offset-syncs.topic.location";
const SYNCS_REPLICATION: &str = "offset-syncs.topic.replication.factor";
const SYNC_ACLS: &str = "sync.topic.acls.enabled";
/// `topic-partition` of each partition of a task.
pub(super) const TASK_PARTITIONS: &str = "task.assigned.partitions";
/// Number of a task, from 0.
pub(super) const TASK_INDEX: &str = "task.index";

fn key(key: ConfigKey, importance: Importance, doc: &str) -> ConfigKey {
    key.importance(importance).doc(doc)
}

fn low(name: ConfigKey, doc: &str) -> ConfigKey {
    key(name, Importance::Low, doc)
}

/// `NAME.enabled` and `NAME.interval.seconds`.
fn interval(name: &str, enabled: &str, seconds: &str) -> [ConfigKey; 2] {
    let number = ConfigKey::long(format!("{name}.interval.seconds")).default(600);
    let flag = ConfigKey::boolean(format!("{name}.enabled")).default(true);
    [low(flag, enabled), low(number, seconds)]
}

fn list(name: &str) -> ConfigKey {
    ConfigKey::list(name).validator(Validator::unique_list(true, false))
}

/// Keys that all of MirrorMaker's connectors share.
fn base_keys() -> Vec<ConfigKey> {
    use Importance::High;
    let policy = ConfigKey::class(POLICY_CLASS).default(policy::DEFAULT_CLASS);
    let admin = ConfigKey::class(FORWARDING_ADMIN).default(FORWARDING_ADMIN_CLASS);
    let reporters = list("metric.reporters").default("org.apache.kafka.common.metrics.JmxReporter");
    vec![
        low(
            ConfigKey::boolean("enabled").default(true),
            "Whether anything is mirrored.",
        ),
        key(
            ConfigKey::string(SOURCE_ALIAS),
            High,
            "Name of the source cluster, as it stands before remote topics.",
        ),
        key(
            ConfigKey::string(TARGET_ALIAS).default("target"),
            High,
            "Name of the target cluster: topics that have been there are not sent back.",
        ),
        low(
            ConfigKey::long("admin.timeout.ms").default(60_000),
            "Bound on one piece of administration, such as looking for new topics.",
        ),
        low(
            policy,
            "How remote topics are named: DefaultReplicationPolicy or IdentityReplicationPolicy.",
        ),
        low(
            ConfigKey::string(POLICY_SEPARATOR).default("."),
            "Stands between alias and topic in the names of remote topics.",
        ),
        low(
            ConfigKey::boolean(INTERNAL_SEPARATOR).default(true),
            "Whether `replication.policy.separator` also stands in the names of MirrorMaker's own \
             topics, which have `.` otherwise.",
        ),
        low(admin, "Only ForwardingAdmin."),
        low(reporters, "Without effect: there is no JMX."),
    ]
}

/// Keys of the connector as such that Kafka defines and only a metrics reporter reads.
fn security_keys() -> Vec<ConfigKey> {
    const DOC: &str =
        "Without effect; clients have theirs below `source.cluster.` and `target.cluster.`.";
    let security = def(ClientKind::Admin);
    let mut keys: Vec<ConfigKey> = security
        .keys()
        .filter(|key| {
            let name = key.name.as_str();
            name == "security.protocol" || name.starts_with("ssl.") || name.starts_with("sasl.")
        })
        .map(|key| key.clone().doc(DOC))
        .collect();
    let providers = list("config.providers").default("");
    keys.insert(
        1,
        low(providers, "Without effect; providers are the worker's."),
    );
    keys
}

/// What is mirrored.
fn selection_keys() -> Vec<ConfigKey> {
    use Importance::High;
    vec![
        key(
            list(TOPICS).default(".*"),
            High,
            "Topics to mirror: names and regular expressions.",
        ),
        key(
            list(TOPICS_EXCLUDE).default(r"mm2.*\.internal, .*\.replica, __.*"),
            High,
            "Topics to leave out, even if `topics` has them.",
        ),
        key(
            list(PROPERTIES_EXCLUDE).default(
                "follower.replication.throttled.replicas, \
                 leader.replication.throttled.replicas, \
                 message.timestamp.difference.max.ms, log.message.timestamp.before.max.ms, \
                 log.message.timestamp.after.max.ms, message.timestamp.type, \
                 unclean.leader.election.enable, min.insync.replicas",
            ),
            High,
            "Settings of topics that are not copied: names and regular expressions.",
        ),
        low(
            ConfigKey::class(TOPIC_FILTER).default(filter::TOPIC_CLASS),
            "Only DefaultTopicFilter.",
        ),
        low(
            ConfigKey::class(PROPERTY_FILTER).default(filter::PROPERTY_CLASS),
            "Only DefaultConfigPropertyFilter; its `use.defaults.from` says whose defaults a \
             setting gets that the source has not set: `target` or `source`.",
        ),
        low(
            ConfigKey::long("consumer.poll.timeout.ms").default(1000),
            "How long a task waits for records before it looks around.",
        ),
    ]
}

/// What is done beside copying.
fn upkeep_keys() -> Vec<ConfigKey> {
    let location = ConfigKey::string(SYNCS_LOCATION)
        .default("source")
        .validator(Validator::one_of(["source", "target"]));
    let formats = ConfigKey::list("metric.names.formats")
        .default("legacy")
        .validator(Validator::list_of(false, ["legacy", "new"]));
    let mut keys = Vec::new();
    keys.extend(interval(
        "refresh.topics",
        "Whether new topics and partitions are looked for.",
        "Time between two looks.",
    ));
    keys.extend(interval(
        "sync.topic.configs",
        "Whether settings of topics are copied.",
        "Time between two copies.",
    ));
    keys.extend(interval(
        "sync.topic.acls",
        "ACLs of topics are not copied: leave it unset or set it to false.",
        "Without effect.",
    ));
    keys.extend([
        low(
            ConfigKey::int("replication.factor").default(2),
            "Replicas of new remote topics.",
        ),
        low(
            ConfigKey::short(SYNCS_REPLICATION).default(3),
            "Replicas of the offset syncs topic.",
        ),
        low(
            ConfigKey::long("offset.lag.max").default(100),
            "How far offsets of the two clusters may drift apart before they are written down.",
        ),
        low(
            location,
            "The cluster that has the offset syncs topic: source or target.",
        ),
        low(
            ConfigKey::boolean(EMIT_OFFSET_SYNCS).default(true),
            "Whether offsets of both clusters are written to the offset syncs topic, from which \
             MirrorCheckpointConnector translates offsets of groups.",
        ),
        low(
            ConfigKey::boolean("heartbeats.replication.enabled").default(true),
            "Whether heartbeats topics are mirrored although `topics` leaves them out.",
        ),
        low(formats, "Without effect: there is no JMX."),
    ]);
    keys
}

/// The connector's own keys, in Kafka's order.
pub fn config_def() -> ConfigDef {
    let keys = [
        base_keys(),
        security_keys(),
        selection_keys(),
        upkeep_keys(),
    ];
    keys.into_iter()
        .flatten()
        .fold(ConfigDef::new(), ConfigDef::define)
}

/// Keys of a task: the connector's, and its share.
fn task_config_def() -> ConfigDef {
    let partitions = ConfigKey::list(TASK_PARTITIONS).validator(Validator::non_empty_list());
    config_def()
        .define(partitions)
        .define(ConfigKey::int(TASK_INDEX).default_null())
}

/// The offset syncs topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OffsetSyncsConfig {
    /// Its name.
    pub(super) topic: String,
    /// `offset-syncs.topic.location`.
    pub(super) location: RemoteCluster,
    /// `offset-syncs.topic.replication.factor`.
    pub(super) replication_factor: i16,
    /// `offset.lag.max`.
    pub(super) lag_max: i64,
}

/// What connector and tasks read from the keys.
#[derive(Clone)]
pub(super) struct MirrorConfig {
    /// `enabled`.
    pub(super) enabled: bool,
    /// `source.cluster.alias`.
    pub(super) source: String,
    /// `target.cluster.alias`.
    pub(super) target: String,
    /// `admin.timeout.ms`.
    pub(super) admin_timeout: Duration,
    /// Names of remote topics.
    pub(super) policy: ReplicationPolicy,
    /// `topics`.
    pub(super) topics: Patterns,
    /// `topics.exclude`.
    pub(super) topics_exclude: Patterns,
    /// Which settings are copied.
    pub(super) properties: PropertyFilter,
    /// `heartbeats.replication.enabled`.
    pub(super) heartbeats: bool,
    /// `replication.factor`.
    pub(super) replication_factor: i16,
    /// `refresh.topics.*`; `None` never looks again.
    pub(super) refresh_topics: Option<Duration>,
    /// `sync.topic.configs.*`; `None` copies no settings.
    pub(super) sync_configs: Option<Duration>,
    /// `consumer.poll.timeout.ms`.
    pub(super) poll_timeout: Duration,
    /// Where offset syncs go; `None` writes none.
    pub(super) offset_syncs: Option<OffsetSyncsConfig>,
    raw: ConfigMap,
}

impl std::fmt::Debug for MirrorConfig {
    /// Without the raw configuration, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MirrorConfig")
            .field("source", &self.source)
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

impl MirrorConfig {
    /// Reads a connector's configuration.
    ///
    /// # Errors
    /// All problems in one error.
    pub(super) fn of_connector(config: &ConfigMap) -> Result<Self, ConnectError> {
        let problems = problems(config);
        if !problems.is_empty() {
            let texts: Vec<String> = problems.into_iter().map(|p| p.message).collect();
            return Err(ConnectError::config(texts.join("; ")));
        }
        Self::read(&parse(&config_def(), config)?)
    }

    /// Reads a task's configuration: what it is to mirror as well.
    ///
    /// # Errors
    /// As [`Self::of_connector`].
    pub(super) fn of_task(config: &ConfigMap) -> Result<(Self, Vec<String>), ConnectError> {
        let parsed = parse(&task_config_def(), config)?;
        let partitions = parsed.list(TASK_PARTITIONS)?.to_vec();
        Ok((Self::read(&parsed)?, partitions))
    }

    fn read(parsed: &ParsedConfig) -> Result<Self, ConnectError> {
        let text = |key: &str| parsed.str(key).map(str::to_owned);
        let ms = |key: &str| {
            let ms = u64::try_from(parsed.long(key)?).unwrap_or(0);
            Ok::<_, ConnectError>(Duration::from_millis(ms))
        };
        let patterns = |key: &str| {
            Patterns::new(parsed.list(key)?)
                .map_err(|error| ConnectError::config(format!("{key}: {error}")))
        };
        let raw = parsed.originals();
        Ok(Self {
            enabled: parsed.bool("enabled")?,
            source: text(SOURCE_ALIAS)?,
            target: text(TARGET_ALIAS)?,
            admin_timeout: ms("admin.timeout.ms")?,
            policy: replication_policy(parsed)?,
            topics: patterns(TOPICS)?,
            topics_exclude: patterns(TOPICS_EXCLUDE)?,
            properties: PropertyFilter {
                exclude: patterns(PROPERTIES_EXCLUDE)?,
                defaults_from_source: set(raw, DEFAULTS_FROM) == Some("source"),
            },
            heartbeats: parsed.bool("heartbeats.replication.enabled")?,
            replication_factor: i16::try_from(parsed.int("replication.factor")?)
                .unwrap_or(i16::MAX),
            refresh_topics: every(parsed, "refresh.topics")?,
            sync_configs: every(parsed, "sync.topic.configs")?,
            poll_timeout: ms("consumer.poll.timeout.ms")?,
            offset_syncs: offset_syncs(parsed)?,
            raw: raw.clone(),
        })
    }

    /// Whether a topic of the source is mirrored (Kafka: `MirrorSourceConnector.shouldReplicateTopic`).
    pub(super) fn mirrors(&self, topic: &str) -> bool {
        let wanted = self.topics.matches(topic) && !self.topics_exclude.matches(topic);
        let heartbeats = self.heartbeats && self.policy.is_heartbeats_topic(topic);
        (wanted || heartbeats)
            && !self.policy.is_internal_topic(topic)
            && !self.policy.is_cycle(topic, &self.target)
    }

    /// The name on the target of a topic of the source.
    pub(super) fn remote_topic(&self, topic: &str) -> String {
        self.policy.remote_topic(&self.source, topic)
    }

    /// What the user has to hear once: defaults of Kafka's that this version does not follow.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if set(&self.raw, SYNC_ACLS).is_none() {
            warnings.push(format!(
                "{SYNC_ACLS} is not set: this version does not copy ACLs of topics; set it to \
                 false to silence this warning"
            ));
        }
        warnings
    }

    /// The raw configuration.
    pub(super) fn raw(&self) -> &ConfigMap {
        &self.raw
    }

    /// Settings of the admin client of a cluster.
    ///
    /// # Errors
    /// All problems in one error.
    pub(super) fn admin(&self, cluster: RemoteCluster) -> Result<AdminConfig, ConnectError> {
        joined(
            self.remote(cluster, &self.label(admin_role(cluster)))
                .admin(),
        )
    }

    /// Settings of a task's consumer.
    ///
    /// # Errors
    /// All problems in one error.
    pub(super) fn consumer(&self) -> Result<ConsumerConfig, ConnectError> {
        let label = self.label("replication-consumer");
        joined(self.remote(RemoteCluster::Source, &label).consumer())
    }

    /// Settings of a task's producer of offset syncs.
    ///
    /// # Errors
    /// All problems in one error.
    pub(super) fn sync_producer(
        &self,
        cluster: RemoteCluster,
    ) -> Result<ProducerConfig, ConnectError> {
        let label = self.label(match cluster {
            RemoteCluster::Source => "offset-syncs-source-producer",
            RemoteCluster::Target => "offset-syncs-target-producer",
        });
        joined(self.remote(cluster, &label).producer())
    }

    fn remote<'a>(&'a self, cluster: RemoteCluster, label: &'a str) -> RemoteClient<'a> {
        RemoteClient {
            cluster,
            config: &self.raw,
            label,
        }
    }

    /// The client id: `A->B|NAME|ROLE`, for a task `A->B|NAME-INDEX|ROLE` (Kafka: `entityLabel`).
    fn label(&self, role: &str) -> String {
        let name = set(&self.raw, "name").unwrap_or_default();
        let task = set(&self.raw, TASK_INDEX).map_or(String::new(), |task| format!("-{task}"));
        format!("{}->{}|{name}{task}|{role}", self.source, self.target)
    }
}

fn admin_role(cluster: RemoteCluster) -> &'static str {
    match cluster {
        RemoteCluster::Source => "replication-source-admin",
        RemoteCluster::Target => "replication-target-admin",
    }
}

fn joined<T>(parsed: Result<T, Vec<ConfigProblem>>) -> Result<T, ConnectError> {
    parsed.map_err(|problems| {
        let texts: Vec<String> = problems.into_iter().map(|p| p.message).collect();
        ConnectError::config(texts.join("; "))
    })
}

/// The text that the user gave for `key`.
fn set<'a>(config: &'a ConfigMap, key: &str) -> Option<&'a str> {
    config.get(key).and_then(Option::as_deref).map(str::trim)
}

/// An interval; a negative one is as good as none.
fn every(parsed: &ParsedConfig, name: &str) -> Result<Option<Duration>, ConnectError> {
    let seconds = parsed.long(&format!("{name}.interval.seconds"))?;
    let enabled = parsed.bool(&format!("{name}.enabled"))?;
    let seconds = u64::try_from(seconds).ok().filter(|_| enabled);
    Ok(seconds.map(Duration::from_secs))
}

fn replication_policy(parsed: &ParsedConfig) -> Result<ReplicationPolicy, ConnectError> {
    let separator = parsed.str(POLICY_SEPARATOR)?.to_owned();
    let also_internal = parsed.bool(INTERNAL_SEPARATOR)?;
    let keeps_names = is_class(parsed.class(POLICY_CLASS)?, policy::IDENTITY_CLASS);
    let alias = parsed.str(SOURCE_ALIAS)?;
    Ok(ReplicationPolicy {
        internal_separator: if also_internal {
            separator.clone()
        } else {
            ".".to_owned()
        },
        separator,
        identity: keeps_names.then(|| alias.to_owned()),
    })
}

fn offset_syncs(parsed: &ParsedConfig) -> Result<Option<OffsetSyncsConfig>, ConnectError> {
    if !parsed.bool(EMIT_OFFSET_SYNCS)? {
        return Ok(None);
    }
    let (location, other) = match parsed.str(SYNCS_LOCATION)? {
        "target" => (RemoteCluster::Target, SOURCE_ALIAS),
        _ => (RemoteCluster::Source, TARGET_ALIAS),
    };
    Ok(Some(OffsetSyncsConfig {
        topic: replication_policy(parsed)?.offset_syncs_topic(parsed.str(other)?),
        location,
        replication_factor: parsed.short(SYNCS_REPLICATION)?,
        lag_max: parsed.long("offset.lag.max")?,
    }))
}

/// Keys that clients of both clusters read, and the one that Kafka's filter of settings knows alone.
pub fn further_keys() -> ConfigDef {
    let from = ConfigKey::string(DEFAULTS_FROM).default("target");
    remote_keys(&[RemoteCluster::Source, RemoteCluster::Target]).define(from)
}

/// Whether `name` is `class` or its last part.
fn is_class(name: &str, class: &str) -> bool {
    let name = name.trim();
    name == class || class.rsplit('.').next() == Some(name)
}

/// What the definitions of single keys cannot tell.
pub fn problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let mut problems = class_problems(config);
    problems.extend(pattern_problems(config));
    problems.extend(interval_problems(config));
    problems.extend(missing_features(config));
    problems.extend(client_problems(config));
    problems
}

fn class_problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let known: [(&str, &[&str]); 4] = [
        (
            POLICY_CLASS,
            &[policy::DEFAULT_CLASS, policy::IDENTITY_CLASS],
        ),
        (TOPIC_FILTER, &[filter::TOPIC_CLASS]),
        (PROPERTY_FILTER, &[filter::PROPERTY_CLASS]),
        (FORWARDING_ADMIN, &[FORWARDING_ADMIN_CLASS]),
    ];
    let mut problems = Vec::new();
    for (key, classes) in known {
        let Some(name) = set(config, key) else {
            continue;
        };
        if !classes.iter().any(|class| is_class(name, class)) {
            let reason = format!("there is {}", classes.join(" and "));
            problems.push(ConfigProblem::invalid(key, name, &reason));
        }
    }
    problems
}

fn pattern_problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    for key in [TOPICS, TOPICS_EXCLUDE, PROPERTIES_EXCLUDE] {
        let Some(text) = set(config, key) else {
            continue;
        };
        let list: Vec<String> = text.split(',').map(|part| part.trim().to_owned()).collect();
        if let Err(reason) = Patterns::new(&list) {
            problems.push(ConfigProblem::invalid(key, text, &reason));
        }
    }
    if let Some(from) =
        set(config, DEFAULTS_FROM).filter(|from| !["source", "target"].contains(from))
    {
        let reason = "String must be one of: source, target";
        problems.push(ConfigProblem::invalid(DEFAULTS_FROM, from, reason));
    }
    problems
}

fn interval_problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let keys = [
        "refresh.topics.interval.seconds",
        "sync.topic.configs.interval.seconds",
    ];
    let zero = |key: &&str| set(config, key) == Some("0");
    let problem = |key| ConfigProblem::invalid(key, "0", "Value must be at least 1");
    keys.into_iter().filter(zero).map(problem).collect()
}

/// What Kafka's connector does on an explicit wish and this one does not.
fn missing_features(config: &ConfigMap) -> Vec<ConfigProblem> {
    let is = |key: &str, value: &str| {
        set(config, key).is_some_and(|text| text.eq_ignore_ascii_case(value))
    };
    let mut problems = Vec::new();
    if is(SYNC_ACLS, "true") {
        let reason = "this version does not copy ACLs of topics; set it to false";
        problems.push(ConfigProblem::invalid(SYNC_ACLS, "true", reason));
    }
    if is("exactly.once.support", "required") {
        let reason = "this version mirrors at least once; leave it at requested";
        let key = "exactly.once.support";
        problems.push(ConfigProblem::invalid(key, "required", reason));
    }
    let about_syncs =
        |key: &&String| key.starts_with("offset-syncs-") || key.starts_with("offset-syncs.topic.");
    if is(EMIT_OFFSET_SYNCS, "false") && config.keys().any(|key| about_syncs(&key)) {
        problems.push(ConfigProblem::new(
            EMIT_OFFSET_SYNCS,
            format!(
                "MirrorSourceConnector can't setup offset-syncs feature while {EMIT_OFFSET_SYNCS} \
                 set to false"
            ),
        ));
    }
    problems
}

fn client_problems(config: &ConfigMap) -> Vec<ConfigProblem> {
    let mut problems: Vec<ConfigProblem> = Vec::new();
    let mut add = |found: Vec<ConfigProblem>| {
        let known: Vec<String> = problems.iter().map(|problem| problem.key.clone()).collect();
        problems.extend(found.into_iter().filter(|new| !known.contains(&new.key)));
    };
    for cluster in [RemoteCluster::Source, RemoteCluster::Target] {
        let remote = RemoteClient {
            cluster,
            config,
            label: "check",
        };
        add(remote.admin().err().unwrap_or_default());
        if cluster == RemoteCluster::Source {
            add(remote.consumer().err().unwrap_or_default());
        }
        let at_target = set(config, SYNCS_LOCATION) == Some("target");
        if at_target == (cluster == RemoteCluster::Target) {
            add(remote.producer().err().unwrap_or_default());
        }
        let key = format!("{}cluster.bootstrap.servers", cluster.prefix());
        if let Some(server) = set(config, &key).filter(|text| text.starts_with(EMBEDDED)) {
            let reason = "the mirror reads and writes topics of Kafka brokers only";
            add(vec![ConfigProblem::invalid(&key, server, reason)]);
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(entries: &[(&str, &str)]) -> ConfigMap {
        let base = [
            ("name", "m"),
            (SOURCE_ALIAS, "A"),
            (TARGET_ALIAS, "B"),
            ("source.cluster.bootstrap.servers", "a:1"),
            ("target.cluster.bootstrap.servers", "b:1"),
        ];
        let all = base.iter().chain(entries);
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
        all.map(pair).collect()
    }

    fn problem(entries: &[(&str, &str)]) -> String {
        let error = MirrorConfig::of_connector(&config(entries)).unwrap_err();
        error.message().to_owned()
    }

    #[test]
    fn defaults_are_kafkas_and_what_they_do_not_cover_is_warned_of() {
        let mirror = MirrorConfig::of_connector(&config(&[])).unwrap();
        assert!(mirror.enabled && mirror.heartbeats);
        assert_eq!(mirror.replication_factor, 2);
        assert_eq!(mirror.refresh_topics, Some(Duration::from_secs(600)));
        assert_eq!(mirror.sync_configs, Some(Duration::from_secs(600)));
        assert_eq!(mirror.poll_timeout, Duration::from_secs(1));
        assert_eq!(mirror.remote_topic("t"), "A.t");
        assert!(mirror.properties.exclude.matches("min.insync.replicas"));
        assert_eq!(mirror.warnings().len(), 1);
        let syncs = mirror.offset_syncs.unwrap();
        assert_eq!(syncs.topic, "mm2-offset-syncs.B.internal");
        assert_eq!(syncs.location, RemoteCluster::Source);
        assert_eq!((syncs.replication_factor, syncs.lag_max), (3, 100));
        let quiet = config(&[(EMIT_OFFSET_SYNCS, "false"), (SYNC_ACLS, "false")]);
        let quiet = MirrorConfig::of_connector(&quiet).unwrap();
        assert!(quiet.warnings().is_empty());
        assert_eq!(quiet.offset_syncs, None);
        let at_target = config(&[(SYNCS_LOCATION, "target")]);
        let at_target = MirrorConfig::of_connector(&at_target).unwrap();
        let syncs = at_target.offset_syncs.unwrap();
        assert_eq!(syncs.topic, "mm2-offset-syncs.A.internal");
        assert_eq!(syncs.location, RemoteCluster::Target);
    }

    #[test]
    fn topics_are_mirrored_by_filter_policy_and_cycle() {
        let mirror = MirrorConfig::of_connector(&config(&[])).unwrap();
        for topic in ["t", "C.t", "heartbeats"] {
            assert!(mirror.mirrors(topic), "{topic}");
        }
        for topic in [
            "B.t",
            "C.B.t",
            "t.replica",
            "__consumer_offsets",
            "mm2-configs.A.internal",
            "C.checkpoints.internal",
        ] {
            assert!(!mirror.mirrors(topic), "{topic}");
        }
        let few = config(&[(TOPICS, "t, u.*"), (TOPICS_EXCLUDE, "u2")]);
        let mut few = MirrorConfig::of_connector(&few).unwrap();
        let mirrored = ["t", "u1", "u2", "tt", "heartbeats"].map(|topic| few.mirrors(topic));
        assert_eq!(mirrored, [true, true, false, false, true]);
        few.heartbeats = false;
        assert!(!few.mirrors("heartbeats"));
    }

    #[test]
    fn every_client_has_its_own_name() {
        let mut given = config(&[("source.admin.client.id", "mine")]);
        let mirror = MirrorConfig::of_connector(&given).unwrap();
        let source = mirror.admin(RemoteCluster::Source).unwrap();
        assert_eq!(
            source.common.client_id,
            "mine|A->B|m|replication-source-admin"
        );
        given.insert(TASK_PARTITIONS.to_owned(), Some("t-0,u-1-12".to_owned()));
        given.insert(TASK_INDEX.to_owned(), Some("3".to_owned()));
        let (task, partitions) = MirrorConfig::of_task(&given).unwrap();
        assert_eq!(partitions, ["t-0", "u-1-12"]);
        let consumer = task.consumer().unwrap();
        assert_eq!(consumer.common.client_id, "A->B|m-3|replication-consumer");
    }

    #[test]
    fn what_is_not_offered_is_refused_by_its_name() {
        for (key, value, what) in [
            (SYNC_ACLS, "true", "does not copy ACLs"),
            ("exactly.once.support", "required", "at least once"),
            (POLICY_CLASS, "com.x.Own", policy::IDENTITY_CLASS),
            (TOPIC_FILTER, "com.x.Own", filter::TOPIC_CLASS),
            (PROPERTY_FILTER, "com.x.Own", filter::PROPERTY_CLASS),
            (FORWARDING_ADMIN, "com.x.Own", FORWARDING_ADMIN_CLASS),
            (TOPICS, "a(", "Syntax error"),
            (DEFAULTS_FROM, "nowhere", "source, target"),
            ("refresh.topics.interval.seconds", "0", "at least 1"),
            (
                "source.cluster.ssl.engine.factory.class",
                "com.x.Own",
                "Java classes can't run here",
            ),
            (
                "source.cluster.bootstrap.servers",
                "embedded:/d",
                "brokers only",
            ),
        ] {
            let text = problem(&[(key, value)]);
            assert!(text.contains(key) && text.contains(what), "{key}: {text}");
        }
        let both = [(EMIT_OFFSET_SYNCS, "false"), (SYNCS_LOCATION, "target")];
        assert!(problem(&both).contains("can't setup offset-syncs feature"));
    }

    #[test]
    fn a_cluster_without_servers_is_refused() {
        let mut given = config(&[]);
        given.shift_remove("target.cluster.bootstrap.servers");
        let found = problems(&given);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].key, "target.cluster.bootstrap.servers");
    }

    #[test]
    fn the_identity_policy_keeps_names() {
        let given = config(&[
            (POLICY_CLASS, "IdentityReplicationPolicy"),
            (POLICY_SEPARATOR, "_"),
            (INTERNAL_SEPARATOR, "false"),
        ]);
        let mirror = MirrorConfig::of_connector(&given).unwrap();
        assert_eq!(mirror.remote_topic("t"), "t");
        assert_eq!(mirror.remote_topic("heartbeats"), "A_heartbeats");
        assert_eq!(
            mirror.policy.checkpoints_topic("A"),
            "A.checkpoints.internal"
        );
    }
}
