//! Topics and leaders as the brokers last told.

use std::collections::HashMap;
use std::rc::Rc;

use kafka_protocol::messages::MetadataResponse;
use kafka_protocol::messages::metadata_response::MetadataResponseTopic;

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka) struct PartitionMetadata {
    /// Number.
    pub(in crate::kafka) partition: i32,
    /// Broker id of the leader; −1 = none now.
    pub(in crate::kafka) leader: i32,
    /// Its epoch; −1 = not told.
    pub(in crate::kafka) leader_epoch: i32,
    /// Replicas.
    pub(in crate::kafka) replicas: usize,
}

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) struct TopicMetadata {
    /// Name.
    pub(in crate::kafka) name: Rc<str>,
    /// Kafka error code; 0 = none.
    pub(in crate::kafka) error: i16,
    /// Whether it is one of Kafka's own.
    pub(in crate::kafka) internal: bool,
    /// Partitions by number.
    pub(in crate::kafka) partitions: Vec<PartitionMetadata>,
    id: u128,
}

/// Everything told.
#[derive(Debug, Default)]
pub(super) struct Metadata {
    pub(super) cluster_id: Option<String>,
    pub(super) controller: Option<i32>,
    pub(super) topics: HashMap<Rc<str>, Rc<TopicMetadata>>,
}

impl Metadata {
    /// Takes over an answer; `complete` when it lists every topic.
    pub(super) fn update(&mut self, response: MetadataResponse, complete: bool) {
        if let Some(id) = &response.cluster_id {
            self.cluster_id = Some(id.to_string());
        }
        self.controller = Some(response.controller_id.0).filter(|id| *id >= 0);
        let mut old = HashMap::new();
        if complete {
            old = std::mem::take(&mut self.topics);
        }
        for topic in &response.topics {
            let Some(name) = topic.name.as_ref() else {
                continue;
            };
            let known = old
                .get(name.as_str())
                .or_else(|| self.topics.get(name.as_str()));
            let topic = Rc::new(merge(topic, name, known));
            self.topics.insert(Rc::clone(&topic.name), topic);
        }
    }

    pub(super) fn leader(&self, topic: &str, partition: i32) -> Option<(i32, i32)> {
        let partitions = &self.topics.get(topic)?.partitions;
        let index = usize::try_from(partition).ok()?;
        let found = partitions
            .get(index)
            .filter(|found| found.partition == partition)
            .or_else(|| partitions.iter().find(|found| found.partition == partition))?;
        (found.leader >= 0).then_some((found.leader, found.leader_epoch))
    }

    /// Whether it was news.
    pub(super) fn learn_leader(
        &mut self,
        topic: &str,
        partition: i32,
        leader: i32,
        epoch: i32,
    ) -> bool {
        let Some(topic) = self.topics.get_mut(topic) else {
            return false;
        };
        let topic = Rc::make_mut(topic);
        let mut partitions = topic.partitions.iter_mut();
        let Some(found) = partitions.find(|found| found.partition == partition) else {
            return false;
        };
        if epoch <= found.leader_epoch {
            return false;
        }
        found.leader = leader;
        found.leader_epoch = epoch;
        true
    }
}

/// A broker that lags behind may name an older leader than one known: the newer epoch wins, unless the
/// topic was created anew (Kafka: `Metadata.updateLatestMetadata`).
fn merge(
    told: &MetadataResponseTopic,
    name: &str,
    known: Option<&Rc<TopicMetadata>>,
) -> TopicMetadata {
    let id = told.topic_id.as_u128();
    let known = known.filter(|known| known.id == id && id != 0);
    let mut partitions: Vec<PartitionMetadata> = told
        .partitions
        .iter()
        .map(|partition| PartitionMetadata {
            partition: partition.partition_index,
            leader: partition.leader_id.0,
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.len(),
        })
        .collect();
    partitions.sort_unstable_by_key(|partition| partition.partition);
    for partition in &mut partitions {
        let newer = known.and_then(|known| {
            let mut all = known.partitions.iter();
            all.find(|old| old.partition == partition.partition)
                .filter(|old| old.leader_epoch > partition.leader_epoch)
        });
        if let Some(newer) = newer {
            *partition = *newer;
        }
    }
    TopicMetadata {
        name: known.map_or_else(|| name.into(), |known| Rc::clone(&known.name)),
        error: told.error_code,
        internal: told.is_internal,
        partitions,
        id,
    }
}
