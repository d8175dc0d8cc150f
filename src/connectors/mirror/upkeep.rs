//! The two clusters side by side: which topics there are, which are missing, how they are set
//! (Kafka: `MirrorSourceConnector`).

use std::collections::BTreeMap;
use std::rc::Rc;

use super::config::MirrorConfig;
use super::filter::Property;
use crate::clients::{
    ClientError, ClusterAdmin, NewTopic, TopicConfigChange, TopicConfigEntry, TopicDescription,
};
use crate::config::clients::RemoteCluster;

/// Partitions by topic, in order of their names.
pub(super) type Topics = BTreeMap<String, u32>;

/// What is known of both clusters, and the clients to learn and change it.
pub(super) struct Upkeep {
    config: Rc<MirrorConfig>,
    source: Rc<dyn ClusterAdmin>,
    target: Rc<dyn ClusterAdmin>,
    known_source: Topics,
    known_target: Topics,
}

impl Upkeep {
    pub(super) fn new(
        config: Rc<MirrorConfig>,
        source: Rc<dyn ClusterAdmin>,
        target: Rc<dyn ClusterAdmin>,
    ) -> Self {
        Self {
            config,
            source,
            target,
            known_source: Topics::new(),
            known_target: Topics::new(),
        }
    }

    /// The topics that are mirrored, as last seen.
    pub(super) fn topics(&self) -> &Topics {
        &self.known_source
    }

    /// Makes the topic that offset syncs go to. Nothing stops when that fails: the brokers may make it
    /// when the first sync comes.
    pub(super) async fn create_offset_syncs_topic(&self) {
        let Some(syncs) = &self.config.offset_syncs else {
            return;
        };
        let topic = NewTopic {
            name: syncs.topic.clone(),
            partitions: 1,
            replication_factor: syncs.replication_factor,
            configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
        };
        let admin = match syncs.location {
            RemoteCluster::Source => &self.source,
            RemoteCluster::Target => &self.target,
        };
        let topic_name = syncs.topic.as_str();
        match admin.create_topic(&topic).await {
            Ok(true) => tracing::info!(topic = topic_name, "created topic of offset syncs"),
            Ok(false) => {}
            Err(error) => tracing::error!(topic = topic_name, %error,
                "could not create topic of offset syncs; if brokers are too few, set \
                 offset-syncs.topic.replication.factor"),
        }
    }

    /// Looks at both clusters, makes what is missing on the target, and says whether the tasks have to
    /// be dealt out anew. Cancel-safe: what was not finished is found again by the next call.
    ///
    /// # Errors
    /// A cluster did not answer. A topic that can't be made is logged and does not stop the others.
    pub(super) async fn refresh(&mut self) -> Result<bool, ClientError> {
        let source = self.find_source().await?;
        let target = self.find_target().await?;
        let missing = self.missing_partitions(&source, &target);
        let changed = source != self.known_source;
        if !changed && missing == 0 {
            self.known_target = target;
            return Ok(false);
        }
        let (found, gone) = difference(&self.known_source, &source);
        tracing::info!(
            source = self.config.source,
            target = self.config.target,
            new = found,
            deleted = gone,
            missing,
            "topic partitions: new and deleted on the source, missing on the target"
        );
        self.create(&source, &target).await?;
        self.known_target = self.find_target().await?;
        self.known_source = source;
        Ok(true)
    }

    /// Looks at the source alone and makes nothing.
    ///
    /// # Errors
    /// It did not answer.
    pub(super) async fn look(&mut self) -> Result<(), ClientError> {
        self.known_source = self.find_source().await?;
        Ok(())
    }

    async fn find_source(&self) -> Result<Topics, ClientError> {
        let all = self.source.describe_topics().await?.into_iter();
        let mirrored = all.filter(|topic| self.config.mirrors(&topic.name));
        Ok(mirrored.map(counted).collect())
    }

    /// Remote topics of the source on the target.
    async fn find_target(&self) -> Result<Topics, ClientError> {
        let config = &self.config;
        let checkpoints = config.policy.checkpoints_topic(&config.source);
        let all = self.target.describe_topics().await?.into_iter();
        let remote = all.filter(|topic| {
            let source = config.policy.topic_source(&topic.name);
            source == Some(config.source.as_str()) && topic.name != checkpoints
        });
        Ok(remote.map(counted).collect())
    }

    /// Partitions of the source that the target has not.
    fn missing_partitions(&self, source: &Topics, target: &Topics) -> u32 {
        let missing = source.iter().map(|(topic, count)| {
            let remote = target.get(&self.config.remote_topic(topic));
            count.saturating_sub(remote.copied().unwrap_or(0))
        });
        missing.sum()
    }

    async fn create(&self, source: &Topics, target: &Topics) -> Result<(), ClientError> {
        let mut new = Vec::new();
        for (topic, &count) in source {
            let remote = self.config.remote_topic(topic);
            match target.get(&remote) {
                None => new.push(topic.clone()),
                Some(&has) if has < count => self.add_partitions(&remote, count).await,
                Some(_) => {}
            }
        }
        let configs = self.source.describe_topic_configs(&new).await?;
        for (topic, entries) in configs {
            let count = source.get(&topic).copied().unwrap_or(1);
            self.create_topic(&topic, count, &entries).await;
        }
        Ok(())
    }

    async fn create_topic(&self, topic: &str, partitions: u32, entries: &[TopicConfigEntry]) {
        let filter = &self.config.properties;
        let kept = entries
            .iter()
            .filter(|entry| filter.decide(entry) == Property::Set);
        let configs = kept.filter_map(|entry| Some((entry.name.clone(), entry.value.clone()?)));
        let new = NewTopic {
            name: self.config.remote_topic(topic),
            partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            replication_factor: self.config.replication_factor,
            configs: configs.collect(),
        };
        let topic = &new.name;
        match self.target.create_topic(&new).await {
            Ok(true) => tracing::info!(topic, partitions, "created remote topic"),
            Ok(false) => tracing::debug!(topic, "remote topic exists already"),
            Err(error) => tracing::warn!(topic, %error,
                "could not create remote topic; if brokers are too few, set replication.factor"),
        }
    }

    async fn add_partitions(&self, topic: &str, total: u32) {
        match self.target.create_partitions(topic, total).await {
            Ok(true) => tracing::info!(topic, total, "added partitions to remote topic"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(topic, total, %error, "could not add partitions to remote topic");
            }
        }
    }

    /// Copies the settings of topics that are mirrored to their remote topics.
    ///
    /// # Errors
    /// A cluster did not answer, or the target's brokers are older than 2.3. A topic that refuses its
    /// settings is logged and does not stop the others.
    pub(super) async fn sync_configs(&self) -> Result<(), ClientError> {
        let mirrored = self.known_source.keys();
        let mirrored: Vec<String> = mirrored
            .filter(|topic| {
                let remote = self.config.remote_topic(topic);
                self.known_target.contains_key(&remote)
            })
            .cloned()
            .collect();
        let configs = self.source.describe_topic_configs(&mirrored).await?;
        let changes: Vec<TopicConfigChange> = configs
            .iter()
            .map(|(topic, entries)| self.change(topic, entries))
            .collect();
        let fates = self.target.alter_topic_configs(&changes).await?;
        for (change, fate) in changes.iter().zip(fates) {
            if let Err(error) = fate {
                tracing::warn!(topic = change.topic, %error, "could not copy settings of a topic");
            }
        }
        Ok(())
    }

    fn change(&self, topic: &str, entries: &[TopicConfigEntry]) -> TopicConfigChange {
        let decided = entries.iter().filter_map(|entry| {
            let value = match self.config.properties.decide(entry) {
                Property::Skip => return None,
                Property::Default => None,
                Property::Set => Some(entry.value.clone()?),
            };
            Some((entry.name.clone(), value))
        });
        TopicConfigChange {
            topic: self.config.remote_topic(topic),
            entries: decided.collect(),
        }
    }

    /// Closes both clients.
    pub(super) async fn close(&self) {
        self.source.close().await;
        self.target.close().await;
    }
}

fn counted(topic: TopicDescription) -> (String, u32) {
    (topic.name, topic.partitions)
}

/// Partitions that `new` has and `old` has not, and the other way round.
fn difference(old: &Topics, new: &Topics) -> (u32, u32) {
    let beyond = |some: &Topics, others: &Topics| {
        let more = some
            .iter()
            .map(|(topic, count)| count.saturating_sub(others.get(topic).copied().unwrap_or(0)));
        more.sum()
    };
    (beyond(new, old), beyond(old, new))
}
