//! Clients of a distributed worker's internal topics: the worker's top-level keys with what Kafka Connect
//! sets for them (Kafka: `KafkaConfigBackingStore`, `KafkaStatusBackingStore`, `KafkaOffsetBackingStore`,
//! `KafkaBasedLog`; contract 2.5, 4.1).

use super::layers::Layers;
use super::{ClientKind, admin_from_config, consumer_from_config, producer_from_config};
use crate::api::ConfigMap;
use crate::api::config_def::ConfigProblem;
use crate::clients::{AdminConfig, ConsumerConfig, ProducerConfig};

/// What a client of the worker itself is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InternalClient {
    /// The config topic.
    Configs,
    /// The status topic.
    Statuses,
    /// The worker's offset topic.
    Offsets,
    /// The admin client of all three.
    SharedAdmin,
}

impl InternalClient {
    fn suffix(self) -> &'static str {
        match self {
            Self::Configs => "configs",
            Self::Statuses => "statuses",
            Self::Offsets => "offsets",
            Self::SharedAdmin => "shared-admin",
        }
    }

    /// Its `client.id` (Kafka: `ConnectUtils.clientIdBase`): the group's id, the worker's `client.id` if it
    /// has one, and what it is for.
    pub fn client_id(self, worker: &ConfigMap) -> String {
        let text = |key: &str| worker.get(key).and_then(Option::as_deref);
        let group = text("group.id").unwrap_or("connect");
        let suffix = self.suffix();
        match text("client.id").filter(|id| !id.trim().is_empty()) {
            Some(id) => format!("{group}-{id}-{suffix}"),
            None => format!("{group}-{suffix}"),
        }
    }

    fn layers(self, kind: ClientKind, worker: &ConfigMap) -> Layers {
        Layers::of_worker(kind, worker).set("client.id", self.client_id(worker))
    }

    /// The producer. It is not idempotent, acknowledged by all replicas, with one request in flight, whatever
    /// the worker's file says; that of the status topic does not retry by itself, since what it
    /// writes may be outdated by then.
    ///
    /// # Errors
    /// All problems together, each under the key that the user wrote.
    pub fn producer(self, worker: &ConfigMap) -> Result<ProducerConfig, Vec<ConfigProblem>> {
        let layers = self.layers(ClientKind::Producer, worker);
        let mut layers = reliable(layers).set("delivery.timeout.ms", i32::MAX.to_string());
        if self == Self::Statuses {
            layers = layers.set("retries", "0".to_owned());
        }
        layers.parse(producer_from_config)
    }

    /// The consumer: without a group, from the beginning. With `read_committed`, which goes for the
    /// config and offset topics when exactly-once sources are prepared or enabled, records of
    /// aborted transactions are left out.
    ///
    /// # Errors
    /// As [`Self::producer`].
    pub fn consumer(
        self,
        worker: &ConfigMap,
        read_committed: bool,
    ) -> Result<ConsumerConfig, Vec<ConfigProblem>> {
        let mut layers = without_group(self.layers(ClientKind::Consumer, worker));
        if read_committed {
            layers = layers.set("isolation.level", "read_committed".to_owned());
        }
        layers.parse(consumer_from_config)
    }

    /// The admin client.
    ///
    /// # Errors
    /// As [`Self::producer`].
    pub fn admin(self, worker: &ConfigMap) -> Result<AdminConfig, Vec<ConfigProblem>> {
        self.layers(ClientKind::Admin, worker)
            .parse(admin_from_config)
    }
}

/// Clients of the offset topic that a source connector has for itself (`offsets.storage.topic`; Kafka:
/// `Worker.offsetStoreForRegularSourceTask`): a task's layers, with what an internal topic needs.
#[derive(Debug, Clone)]
pub struct ConnectorOffsetClients {
    /// Creates and describes the topic.
    pub admin: AdminConfig,
    /// Writes.
    pub producer: ProducerConfig,
    /// Reads, without records of aborted transactions unless the user wants them.
    pub consumer: ConsumerConfig,
}

impl ConnectorOffsetClients {
    /// `worker` and `connector` are raw configurations with references replaced.
    ///
    /// # Errors
    /// All problems together, each under the key that the user wrote.
    pub fn new(
        worker: &ConfigMap,
        connector: &ConfigMap,
        name: &str,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let layers = |kind, client: &str| {
            Layers::new(kind, worker)
                .set("client.id", format!("connector-offset-{client}-{name}"))
                .worker_and_overrides(worker, connector)
        };
        let consumer = without_group(layers(ClientKind::Consumer, "consumer"));
        Ok(Self {
            admin: layers(ClientKind::Admin, "adminclient").parse(admin_from_config)?,
            producer: reliable(layers(ClientKind::Producer, "producer"))
                .parse(producer_from_config)?,
            consumer: consumer
                .set_default("isolation.level", "read_committed")
                .parse(consumer_from_config)?,
        })
    }
}

/// What the producer of an internal topic has in any case (Kafka: `KafkaBasedLog.createProducer`).
pub(super) fn reliable(layers: Layers) -> Layers {
    layers
        // A task's producer waits for ever; nobody should for one of these.
        .set_default("max.block.ms", "60000")
        .set("enable.idempotence", "false".to_owned())
        .set("acks", "all".to_owned())
        .set("max.in.flight.requests.per.connection", "1".to_owned())
}

/// What the consumer of an internal topic has in any case (Kafka: `KafkaBasedLog.createConsumer`). It has
/// no group, so the group settings of the worker's own membership are not for it.
pub(super) fn without_group(layers: Layers) -> Layers {
    let group = [
        "group.id",
        "group.instance.id",
        "session.timeout.ms",
        "heartbeat.interval.ms",
    ];
    layers
        .without(&group)
        .set("auto.offset.reset", "earliest".to_owned())
        .set("enable.auto.commit", "false".to_owned())
        .set("allow.auto.create.topics", "false".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clients::{Acks, AutoOffsetReset, IsolationLevel};

    fn worker(entries: &[(&str, &str)]) -> ConfigMap {
        let ours = [("bootstrap.servers", "a:1,b:2"), ("group.id", "cluster")];
        let all = ours.iter().chain(entries);
        all.map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect()
    }

    #[test]
    fn client_ids_are_kafkas() {
        let plain = worker(&[]);
        assert_eq!(InternalClient::Configs.client_id(&plain), "cluster-configs");
        let named = worker(&[("client.id", "w1")]);
        assert_eq!(
            InternalClient::Statuses.client_id(&named),
            "cluster-w1-statuses"
        );
        assert_eq!(
            InternalClient::SharedAdmin.client_id(&worker(&[("client.id", " ")])),
            "cluster-shared-admin"
        );
    }

    #[test]
    fn producers_are_reliable_whatever_the_worker_s_file_says() {
        let file = worker(&[
            ("acks", "1"),
            ("enable.idempotence", "true"),
            ("max.in.flight.requests.per.connection", "5"),
            ("delivery.timeout.ms", "200000"),
            ("retries", "3"),
            ("linger.ms", "7"),
            ("producer.linger.ms", "100"),
        ]);
        let producer = InternalClient::Configs.producer(&file).unwrap();
        assert_eq!(producer.acks, Acks::All);
        assert!(!producer.idempotence);
        assert_eq!(producer.max_in_flight, 1);
        assert_eq!(producer.delivery_timeout.as_millis(), i32::MAX as u128);
        assert_eq!((producer.retries, producer.linger.as_millis()), (3, 7));
        assert_eq!(producer.max_block.as_secs(), 60);
        assert_eq!(producer.common.client_id, "cluster-configs");
        assert_eq!(producer.common.bootstrap_servers, ["a:1", "b:2"]);
        let producer = InternalClient::Statuses.producer(&file).unwrap();
        assert_eq!(producer.retries, 0);
    }

    #[test]
    fn consumers_have_no_group_and_start_at_the_beginning() {
        let file = worker(&[
            ("auto.offset.reset", "latest"),
            ("session.timeout.ms", "3000"),
            ("heartbeat.interval.ms", "3000"),
            ("isolation.level", "read_uncommitted"),
            ("fetch.max.wait.ms", "77"),
        ]);
        let consumer = InternalClient::Offsets.consumer(&file, false).unwrap();
        assert_eq!(consumer.group_id, None);
        assert_eq!(consumer.auto_offset_reset, AutoOffsetReset::Earliest);
        assert_eq!(consumer.isolation, IsolationLevel::ReadUncommitted);
        assert_eq!(consumer.fetch_max_wait.as_millis(), 77);
        assert!(!consumer.allow_auto_create_topics);
        let consumer = InternalClient::Configs.consumer(&file, true).unwrap();
        assert_eq!(consumer.isolation, IsolationLevel::ReadCommitted);
    }

    #[test]
    fn a_connector_s_own_offset_topic_has_a_task_s_layers() {
        let worker = worker(&[
            ("acks", "1"),
            ("producer.linger.ms", "7"),
            ("consumer.fetch.max.wait.ms", "70"),
        ]);
        let overrides = [
            ("producer.override.bootstrap.servers", "c:3"),
            ("producer.override.enable.idempotence", "true"),
            ("consumer.override.isolation.level", "read_uncommitted"),
            ("consumer.override.group.id", "g"),
        ];
        let entry = |(key, value): (&str, &str)| (key.to_owned(), Some(value.to_owned()));
        let connector = overrides.map(entry).into_iter().collect();
        let clients = ConnectorOffsetClients::new(&worker, &connector, "c").unwrap();
        let producer = clients.producer;
        assert_eq!(producer.common.client_id, "connector-offset-producer-c");
        assert_eq!(producer.common.bootstrap_servers, ["c:3"]);
        assert_eq!((producer.acks, producer.linger.as_millis()), (Acks::All, 7));
        assert!(!producer.idempotence);
        let consumer = clients.consumer;
        assert_eq!(consumer.group_id, None);
        assert_eq!(consumer.isolation, IsolationLevel::ReadUncommitted);
        assert_eq!(consumer.fetch_max_wait.as_millis(), 70);
        assert_eq!(clients.admin.common.bootstrap_servers, ["a:1", "b:2"]);
        let plain = ConnectorOffsetClients::new(&worker, &ConfigMap::new(), "c").unwrap();
        assert_eq!(plain.consumer.isolation, IsolationLevel::ReadCommitted);
    }

    #[test]
    fn security_is_the_worker_s_own_and_problems_name_its_keys() {
        let file = worker(&[("security.protocol", "SASL_PLAINTEXT")]);
        let problems = InternalClient::Configs.producer(&file).unwrap_err();
        assert!(
            problems
                .iter()
                .any(|problem| problem.key.starts_with("sasl.")),
            "{problems:?}"
        );
        let file = worker(&[("producer.security.protocol", "SASL_PLAINTEXT")]);
        InternalClient::Configs.producer(&file).unwrap();
    }
}
