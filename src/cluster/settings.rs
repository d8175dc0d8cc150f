//! What the cluster's thread needs of a distributed worker's configuration.

use std::time::Duration;

use super::topic_log::TopicLogSettings;
use crate::api::config_def::{ConfigProblem, ParsedConfig};
use crate::api::{ConfigMap, ConnectError};
use crate::clients::Lease;
use crate::clients::{AdminConfig, CommonClientConfig};
use crate::config::Warning;
use crate::config::clients::InternalClient;
use crate::config::worker::distributed_def;
use crate::distributed::internal_topics::InternalTopic;
use crate::distributed::protocol::PROTOCOL_TYPE;
use crate::kafka::GroupMemberConfig;

/// Between heartbeats, where the file says nothing. Kafka has 3 s; but a worker hears by its heartbeats that
/// another one is gone, and they cost next to nothing.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// `exactly.once.source.support`.
const EXACTLY_ONCE: &str = "exactly.once.source.support";

/// Everything that [`super::Cluster::start`] needs. Holds secrets.
#[derive(Clone)]
pub struct ClusterSettings {
    pub(super) configs: TopicLogSettings,
    pub(super) statuses: TopicLogSettings,
    pub(super) offsets: TopicLogSettings,
    /// The admin client of all three.
    pub(super) admin: AdminConfig,
    /// The worker's place in its group.
    pub(super) group: GroupMemberConfig,
    /// What tasks write by.
    pub(super) lease: Lease,
    /// The worker's texts, for clients that connectors change.
    pub(super) worker: ConfigMap,
    /// Keys of the worker's file about internal topics that have no effect.
    pub warnings: Vec<Warning>,
}

impl std::fmt::Debug for ClusterSettings {
    /// Without the clients' settings: some are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterSettings")
            .field("configs", &self.configs.new_topic)
            .field("statuses", &self.statuses.new_topic)
            .field("offsets", &self.offsets.new_topic)
            .finish_non_exhaustive()
    }
}

impl ClusterSettings {
    /// The same for a member with this client id, where the file has none, and this `group.instance.id`,
    /// that keeps this lease.
    #[must_use]
    pub fn as_member(mut self, client_id: &str, instance_id: Option<String>, lease: Lease) -> Self {
        if self.group.common.client_id.is_empty() {
            self.group.common.client_id = client_id.to_owned();
        }
        self.group.group_instance_id = instance_id;
        self.lease = lease;
        self
    }

    /// From the texts of a distributed worker's file, references replaced.
    ///
    /// # Errors
    /// All problems together, each under the key that the user wrote; exactly-once sources, which this
    /// worker does not have yet.
    pub fn from_worker(worker: &ConfigMap) -> Result<Self, Vec<ConfigProblem>> {
        let parsed = distributed_def().parse(worker)?;
        let support = parsed.str(EXACTLY_ONCE).map_err(|error| of_ours(&error))?;
        if !support.eq_ignore_ascii_case("disabled") {
            let reason = "source tasks do not write in transactions yet; only 'disabled' works";
            return Err(vec![ConfigProblem::invalid(EXACTLY_ONCE, support, reason)]);
        }
        Self::of(worker, &parsed, false)
    }

    fn of(
        worker: &ConfigMap,
        parsed: &ParsedConfig,
        transactions: bool,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let mut warnings = Vec::new();
        let admin = InternalClient::SharedAdmin.admin(worker)?;
        let mut log = |topic: InternalTopic, client: InternalClient, read_committed| {
            let settings = topic.settings(parsed).map_err(|error| of_ours(&error))?;
            warnings.extend(settings.warnings);
            Ok::<_, Vec<ConfigProblem>>(TopicLogSettings {
                topic,
                new_topic: settings.new_topic,
                producer: client.producer(worker)?,
                consumer: client.consumer(worker, read_committed)?,
                api_timeout: admin.common.default_api_timeout,
                retry_backoff: admin.common.retry_backoff.max(Duration::from_millis(1)),
            })
        };
        let configs = log(InternalTopic::Config, InternalClient::Configs, transactions)?;
        let statuses = log(InternalTopic::Status, InternalClient::Statuses, false)?;
        let offsets = log(InternalTopic::Offset, InternalClient::Offsets, transactions)?;
        Ok(Self {
            configs,
            statuses,
            offsets,
            group: group(parsed, admin.common.clone()).map_err(|error| of_ours(&error))?,
            lease: Lease::unlimited(),
            admin,
            worker: worker.clone(),
            warnings,
        })
    }
}

/// The group member of a worker: it talks to brokers as the worker's own clients do.
fn group(
    parsed: &ParsedConfig,
    mut common: CommonClientConfig,
) -> Result<GroupMemberConfig, ConnectError> {
    let ms = |key: &str| {
        let ms = u64::try_from(parsed.int(key)?).unwrap_or(0);
        Ok::<_, ConnectError>(Duration::from_millis(ms))
    };
    common.client_id = parsed.str("client.id")?.to_owned();
    Ok(GroupMemberConfig {
        common,
        group_id: parsed.str("group.id")?.to_owned(),
        protocol_type: PROTOCOL_TYPE,
        session_timeout: ms("session.timeout.ms")?,
        rebalance_timeout: ms("rebalance.timeout.ms")?,
        heartbeat_interval: match parsed.is_set("heartbeat.interval.ms") {
            true => ms("heartbeat.interval.ms")?,
            false => HEARTBEAT,
        },
        group_instance_id: None,
    })
}

fn of_ours(error: &ConnectError) -> Vec<ConfigProblem> {
    vec![ConfigProblem::new("", error.message())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::IsolationLevel;

    fn worker(entries: &[(&str, &str)]) -> ConfigMap {
        let ours = [
            ("bootstrap.servers", "127.0.0.1:9092"),
            ("group.id", "g"),
            ("key.converter", "JsonConverter"),
            ("value.converter", "JsonConverter"),
            ("config.storage.topic", "configs"),
            ("offset.storage.topic", "offsets"),
            ("status.storage.topic", "statuses"),
        ];
        let all = ours.iter().chain(entries);
        all.map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect()
    }

    #[test]
    fn each_log_has_its_topic_and_its_clients() {
        let settings = ClusterSettings::from_worker(&worker(&[
            ("config.storage.partitions", "7"),
            ("status.storage.partitions", "2"),
        ]))
        .unwrap();
        let shown = |log: &TopicLogSettings| {
            let id = &log.producer.common.client_id;
            assert_eq!(*id, log.consumer.common.client_id);
            let topic = &log.new_topic;
            (topic.name.clone(), topic.partitions, id.clone())
        };
        let text = |name: &str, partitions, id: &str| (name.to_owned(), partitions, id.to_owned());
        assert_eq!(shown(&settings.configs), text("configs", 1, "g-configs"));
        assert_eq!(shown(&settings.statuses), text("statuses", 2, "g-statuses"));
        assert_eq!(shown(&settings.offsets), text("offsets", 25, "g-offsets"));
        assert_eq!(settings.warnings.len(), 1, "{:?}", settings.warnings);
    }

    #[test]
    fn exactly_once_is_refused_by_name() {
        let problems = ClusterSettings::from_worker(&worker(&[(EXACTLY_ONCE, "preparing")]));
        let problems = problems.unwrap_err();
        assert_eq!(problems[0].key, EXACTLY_ONCE);
        assert!(problems[0].message.contains("preparing"), "{problems:?}");
    }

    #[test]
    fn transactions_hide_what_was_aborted_from_configs_and_offsets() {
        let worker = worker(&[]);
        let parsed = distributed_def().parse(&worker).unwrap();
        let settings = ClusterSettings::of(&worker, &parsed, true).unwrap();
        let isolation = |log: &TopicLogSettings| log.consumer.isolation;
        assert_eq!(isolation(&settings.configs), IsolationLevel::ReadCommitted);
        assert_eq!(isolation(&settings.offsets), IsolationLevel::ReadCommitted);
        assert_eq!(
            isolation(&settings.statuses),
            IsolationLevel::ReadUncommitted
        );
    }
}
