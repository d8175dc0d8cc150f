//! The two clusters side by side, on pretended ones.

use std::cell::RefCell;

use super::*;
use crate::api::TopicPartition;
use crate::clients::{
    Admin, ConfigSource, NewTopic, OffsetSpec, TopicConfigChange, TopicConfigEntry,
    TopicDescription,
};
use crate::connectors::on_each_runtime;

/// A cluster that remembers its topics and what was done to them.
#[derive(Default)]
struct FakeCluster {
    topics: RefCell<Topics>,
    settings: RefCell<Vec<TopicConfigEntry>>,
    created: RefCell<Vec<NewTopic>>,
    changes: RefCell<Vec<TopicConfigChange>>,
    /// Every call fails while it is set.
    down: RefCell<bool>,
    closed: RefCell<bool>,
}

fn unused<T>() -> Result<T, ClientError> {
    panic!("a mirror does not ask for this")
}

impl FakeCluster {
    fn with(topics: &[(&str, u32)]) -> Rc<Self> {
        let cluster = Self::default();
        let topics = topics
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count));
        cluster.topics.borrow_mut().extend(topics);
        Rc::new(cluster)
    }

    fn answer<T>(&self, answer: T) -> Result<T, ClientError> {
        if *self.down.borrow() {
            return Err(ClientError::Closed);
        }
        Ok(answer)
    }

    fn names(&self) -> Vec<(String, u32)> {
        let topics = self.topics.borrow();
        topics
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect()
    }
}

#[async_trait(?Send)]
impl Admin for FakeCluster {
    async fn cluster_id(&self) -> Result<String, ClientError> {
        unused()
    }
    async fn create_topic(&self, topic: &NewTopic) -> Result<bool, ClientError> {
        let count = u32::try_from(topic.partitions).unwrap();
        self.topics.borrow_mut().insert(topic.name.clone(), count);
        self.created.borrow_mut().push(topic.clone());
        self.answer(true)
    }
    async fn describe_topic(&self, _: &str) -> Result<Option<TopicDescription>, ClientError> {
        unused()
    }
    async fn list_topics(&self) -> Result<Vec<String>, ClientError> {
        unused()
    }
    async fn list_offsets(
        &self,
        _: &[(TopicPartition, OffsetSpec)],
    ) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        unused()
    }
    async fn delete_records(&self, _: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        unused()
    }
    async fn delete_topic(&self, _: &str) -> Result<bool, ClientError> {
        unused()
    }
    async fn group_offsets(&self, _: &str) -> Result<Vec<(TopicPartition, i64)>, ClientError> {
        unused()
    }
    async fn alter_group_offsets(
        &self,
        _: &str,
        _: &[(TopicPartition, i64)],
    ) -> Result<(), ClientError> {
        unused()
    }
    async fn delete_group_offsets(&self, _: &str, _: &[TopicPartition]) -> Result<(), ClientError> {
        unused()
    }
    async fn delete_group(&self, _: &str) -> Result<bool, ClientError> {
        unused()
    }
    async fn close(&self) {
        *self.closed.borrow_mut() = true;
    }
}

#[async_trait(?Send)]
impl ClusterAdmin for FakeCluster {
    async fn describe_topics(&self) -> Result<Vec<TopicDescription>, ClientError> {
        let topics = self
            .names()
            .into_iter()
            .map(|(name, partitions)| TopicDescription {
                name,
                partitions,
                replication_factor: 1,
            });
        self.answer(topics.collect())
    }
    async fn create_partitions(&self, topic: &str, total: u32) -> Result<bool, ClientError> {
        self.topics.borrow_mut().insert(topic.to_owned(), total);
        self.answer(true)
    }
    async fn describe_topic_configs(
        &self,
        topics: &[String],
    ) -> Result<Vec<(String, Vec<TopicConfigEntry>)>, ClientError> {
        let settings = self.settings.borrow().clone();
        let all = topics.iter().map(|topic| (topic.clone(), settings.clone()));
        self.answer(all.collect())
    }
    async fn alter_topic_configs(
        &self,
        changes: &[TopicConfigChange],
    ) -> Result<Vec<Result<(), ClientError>>, ClientError> {
        self.changes.borrow_mut().extend_from_slice(changes);
        self.answer(changes.iter().map(|_| Ok(())).collect())
    }
}

struct Bench {
    source: Rc<FakeCluster>,
    target: Rc<FakeCluster>,
    connector: MirrorSource,
    context: ConnectorContext,
}

fn bench(source: &[(&str, u32)], target: &[(&str, u32)], more: &[(&str, &str)]) -> Bench {
    let base = [
        ("name", "m"),
        ("source.cluster.alias", "A"),
        ("target.cluster.alias", "B"),
        ("source.cluster.bootstrap.servers", "a:1"),
        ("target.cluster.bootstrap.servers", "b:1"),
    ];
    let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), Some((*value).to_owned()));
    let config: ConfigMap = base.iter().chain(more).map(pair).collect();
    let config = Rc::new(MirrorConfig::of_connector(&config).unwrap());
    let (source, target) = (FakeCluster::with(source), FakeCluster::with(target));
    let context = ConnectorContext::new("m");
    let admin = |cluster: &Rc<FakeCluster>| Rc::clone(cluster) as Rc<dyn ClusterAdmin>;
    let upkeep = Upkeep::new(Rc::clone(&config), admin(&source), admin(&target));
    let running = Running::new(config, context.clone(), upkeep);
    Bench {
        source,
        target,
        connector: MirrorSource {
            running: Some(running),
        },
        context,
    }
}

impl Bench {
    fn running(&mut self) -> &mut Running {
        self.connector.running.as_mut().unwrap()
    }

    async fn shares(&mut self, max_tasks: usize) -> Vec<String> {
        let configs = self.connector.task_configs(max_tasks).await.unwrap();
        let share = |(index, config): (usize, ConfigMap)| {
            assert_eq!(config[TASK_INDEX], Some(index.to_string()));
            assert_eq!(config["name"].as_deref(), Some("m"));
            config[TASK_PARTITIONS].clone().unwrap()
        };
        configs.into_iter().enumerate().map(share).collect()
    }
}

fn setting(name: &str, value: &str, source: ConfigSource) -> TopicConfigEntry {
    TopicConfigEntry {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        source,
        read_only: false,
        sensitive: false,
    }
}

#[test]
fn partitions_are_dealt_out_in_turn_and_no_task_is_without() {
    let topics: Topics = [("t0".to_owned(), 3), ("t1".to_owned(), 2)].into();
    assert_eq!(
        deal(&topics, 2),
        [vec!["t0-0", "t0-2", "t1-1"], vec!["t0-1", "t1-0"]]
    );
    assert_eq!(deal(&topics, 9).len(), 5);
    assert!(deal(&Topics::new(), 3).is_empty());
}

#[test]
fn remote_topics_are_made_with_partitions_and_settings_of_the_source() {
    on_each_runtime(|| async {
        let source = [("t", 2), ("__hidden", 1), ("B.back", 1)];
        let mut bench = bench(&source, &[("mine", 1)], &[("replication.factor", "1")]);
        bench.source.settings.borrow_mut().extend([
            setting("cleanup.policy", "compact", ConfigSource::Topic),
            setting("retention.ms", "7", ConfigSource::Default),
            setting("min.insync.replicas", "2", ConfigSource::Topic),
        ]);
        bench.running().load().await;
        let created = bench.target.created.borrow().clone();
        assert_eq!(created.len(), 1);
        assert_eq!(
            (created[0].name.as_str(), created[0].partitions),
            ("A.t", 2)
        );
        assert_eq!(created[0].replication_factor, 1);
        let expected = [("cleanup.policy".to_owned(), "compact".to_owned())];
        assert_eq!(created[0].configs, expected);
        assert_eq!(bench.shares(4).await, ["t-0", "t-1"]);
    });
}

#[test]
fn a_look_deals_out_tasks_and_makes_nothing() {
    on_each_runtime(|| async {
        let mut bench = bench(&[("t", 2)], &[], &[("replication.factor", "1")]);
        bench.running().look().await.unwrap();
        assert_eq!(bench.shares(4).await, ["t-0", "t-1"]);
        assert!(bench.target.created.borrow().is_empty());
        assert!(bench.source.created.borrow().is_empty());
    });
}

#[test]
fn settings_are_copied_and_defaults_are_left_to_the_target() {
    on_each_runtime(|| async {
        let mut bench = bench(&[("t", 1), ("u", 1)], &[("A.t", 1), ("A.u", 1)], &[]);
        bench.source.settings.borrow_mut().extend([
            setting("cleanup.policy", "compact", ConfigSource::Topic),
            setting("retention.ms", "7", ConfigSource::Default),
        ]);
        bench.running().load().await;
        bench.running().sync().await.unwrap();
        let changes = bench.target.changes.borrow().clone();
        let topics: Vec<&str> = changes.iter().map(|change| change.topic.as_str()).collect();
        assert_eq!(topics, ["A.t", "A.u"]);
        let expected = [
            ("cleanup.policy".to_owned(), Some("compact".to_owned())),
            ("retention.ms".to_owned(), None),
        ];
        assert_eq!(changes[0].entries, expected);
    });
}

#[test]
fn new_topics_and_partitions_ask_for_new_tasks_and_quiet_clusters_do_not() {
    on_each_runtime(|| async {
        let mut bench = bench(
            &[("t", 1)],
            &[("A.t", 1), ("A.checkpoints.internal", 1)],
            &[],
        );
        bench.running().load().await;
        assert!(bench.target.created.borrow().is_empty());
        assert!(!bench.running().refresh().await);
        bench.source.topics.borrow_mut().insert("t".to_owned(), 3);
        bench.source.topics.borrow_mut().insert("u".to_owned(), 1);
        assert!(bench.running().refresh().await);
        let expected = [("A.checkpoints.internal", 1), ("A.t", 3), ("A.u", 1)];
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        assert_eq!(bench.target.names(), expected);
        assert_eq!(bench.shares(1).await, ["t-0,t-1,t-2,u-0"]);
        assert!(!bench.running().refresh().await);
        // Somebody deletes a remote topic.
        bench.target.topics.borrow_mut().remove("A.u");
        assert!(bench.running().refresh().await);
        assert!(bench.target.topics.borrow().contains_key("A.u"));
    });
}

#[test]
fn the_connector_looks_by_itself_and_tells_the_worker() {
    on_each_runtime(|| async {
        let often = [("refresh.topics.interval.seconds", "1")];
        let mut bench = bench(&[("t", 1)], &[], &often);
        bench.running().load().await;
        bench.source.topics.borrow_mut().insert("u".to_owned(), 1);
        let context = bench.context.clone();
        {
            let running = Box::pin(bench.connector.run());
            let asked = Box::pin(context.request());
            let both = futures_util::future::select(running, asked);
            let first = shard::timeout(Duration::from_secs(10), both).await;
            let futures_util::future::Either::Right((request, _)) = first.unwrap() else {
                panic!("the connector ended");
            };
            assert!(matches!(
                request,
                crate::api::connector::ConnectorRequest::Reconfigure
            ));
        }
        assert_eq!(bench.shares(1).await, ["t-0,u-0"]);
        bench.connector.stop().await;
        assert!(*bench.source.closed.borrow() && *bench.target.closed.borrow());
    });
}

#[test]
fn a_cluster_that_is_away_at_the_start_is_asked_again_soon() {
    on_each_runtime(|| async {
        let never = [("refresh.topics.enabled", "false")];
        let mut bench = bench(&[("t", 1)], &[], &never);
        *bench.source.down.borrow_mut() = true;
        bench.running().load().await;
        assert!(bench.shares(1).await.is_empty());
        let again = bench.running().schedule.refresh.unwrap();
        assert!(again <= Instant::now() + RETRY);
        *bench.source.down.borrow_mut() = false;
        assert!(bench.running().refresh().await);
        assert_eq!(bench.running().schedule.refresh, None);
        assert_eq!(bench.shares(1).await, ["t-0"]);
    });
}

#[test]
fn a_connector_that_is_not_enabled_has_no_tasks_and_needs_no_cluster() {
    on_each_runtime(|| async {
        let config: ConfigMap = [
            ("source.cluster.alias", "A"),
            ("source.cluster.bootstrap.servers", "a:1"),
            ("target.cluster.bootstrap.servers", "b:1"),
            ("enabled", "false"),
        ]
        .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
        .into_iter()
        .collect();
        let mut connector = MirrorSource::default();
        let context = ConnectorContext::new("m");
        connector.start(context, &config).await.unwrap();
        assert!(connector.task_configs(2).await.unwrap().is_empty());
        connector.stop().await;
    });
}
