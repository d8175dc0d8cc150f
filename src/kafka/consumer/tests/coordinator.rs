//! A pretended group coordinator for one member at a time, which does what a test tells it to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;

use super::super::group::testing::{SubscriptionData, decode_assignment, encode_assignment};
use crate::api::TopicPartition;
use crate::kafka::mock_broker::{Call, MockCluster, Reply, World, answer};

/// What a coordinator knows and is told to do.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) generation: i32,
    /// Member ids given out.
    pub(super) ids: i32,
    /// Assignments to give out in this order; without any the member leads.
    pub(super) assignments: VecDeque<Vec<(String, i32)>>,
    /// Error codes to answer with, by API, before anything else.
    pub(super) errors: BTreeMap<i16, VecDeque<i16>>,
    /// Brokers that are not the coordinator say so.
    pub(super) strict: bool,
    /// Committed offsets.
    pub(super) committed: BTreeMap<(String, i32), i64>,
    /// JoinGroup requests.
    pub(super) joins: Vec<JoinGroupRequest>,
    /// How many assignments the leader made.
    pub(super) made: usize,
    pub(super) heartbeats: usize,
    pub(super) leaves: Vec<LeaveGroupRequest>,
    pub(super) commits: Vec<OffsetCommitRequest>,
    members: Vec<(String, Bytes)>,
}

impl State {
    /// The next scripted error of an API.
    fn error(&mut self, call: &Call, world: &World) -> i16 {
        if self.strict && call.broker != world.coordinator {
            return 16;
        }
        let errors = self.errors.get_mut(&call.api_key);
        errors.and_then(VecDeque::pop_front).unwrap_or(0)
    }
}

type Handler = fn(&Call, &World, &mut State) -> Reply;

/// Handles the group requests of a mock cluster.
#[derive(Clone, Default)]
pub(super) struct Coordinator(Arc<Mutex<State>>);

impl Coordinator {
    pub(super) fn on(cluster: &MockCluster) -> Self {
        let coordinator = Self::default();
        let handlers: [(ApiKey, Handler); 6] = [
            (ApiKey::JoinGroup, join),
            (ApiKey::SyncGroup, sync),
            (ApiKey::Heartbeat, heartbeat),
            (ApiKey::LeaveGroup, leave),
            (ApiKey::OffsetCommit, commit),
            (ApiKey::OffsetFetch, fetch),
        ];
        for (api, handler) in handlers {
            let state = coordinator.clone();
            cluster.on(api, move |call, world| {
                handler(call, world, &mut state.state())
            });
        }
        coordinator
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next requests of an API get these error codes.
    pub(super) fn fail(&self, api: ApiKey, codes: &[i16]) {
        let mut state = self.state();
        state.errors.entry(api as i16).or_default().extend(codes);
    }

    pub(super) fn joins(&self) -> usize {
        self.state().joins.len()
    }

    /// What JoinGroup request `index` said of the member, for its first assignor.
    pub(super) fn subscription(&self, index: usize) -> SubscriptionData {
        SubscriptionData::decode(&self.state().joins[index].protocols[0].metadata).unwrap()
    }
}

fn join(call: &Call, world: &World, state: &mut State) -> Reply {
    let request: JoinGroupRequest = call.request();
    let metadata = request.protocols[0].metadata.clone();
    state.joins.push(request.clone());
    let response = JoinGroupResponse::default();
    let error = state.error(call, world);
    if error != 0 {
        return answer(call, &response.with_error_code(error));
    }
    let mut id = request.member_id.to_string();
    if id.is_empty() {
        state.ids += 1;
        id = format!("member-{}", state.ids);
        if request.group_instance_id.is_none() {
            let response = response
                .with_error_code(79)
                .with_member_id(StrBytes::from_string(id));
            return answer(call, &response);
        }
    }
    state.generation += 1;
    state.members = vec![(id.clone(), metadata.clone())];
    let lead = state.assignments.is_empty();
    let leader = if lead { id.clone() } else { "other".to_owned() };
    let mut response = response
        .with_generation_id(state.generation)
        .with_protocol_name(Some(request.protocols[0].name.clone()))
        .with_leader(StrBytes::from_string(leader))
        .with_member_id(StrBytes::from_string(id.clone()));
    if call.version >= 7 {
        response.protocol_type = Some(request.protocol_type.clone());
    }
    if lead {
        response.members = vec![
            JoinGroupResponseMember::default()
                .with_member_id(StrBytes::from_string(id))
                .with_metadata(metadata),
        ];
    }
    answer(call, &response)
}

fn sync(call: &Call, world: &World, state: &mut State) -> Reply {
    let request: SyncGroupRequest = call.request();
    let response = SyncGroupResponse::default();
    let error = state.error(call, world);
    if error != 0 {
        return answer(call, &response.with_error_code(error));
    }
    assert_eq!(request.generation_id, state.generation);
    let assignment = match state.assignments.pop_front() {
        Some(list) => {
            let list: Vec<TopicPartition> = list
                .into_iter()
                .map(|(topic, number)| TopicPartition::new(topic, number))
                .collect();
            encode_assignment(&list)
        }
        None => {
            let own = request.assignments.first().expect("the leader assigns");
            decode_assignment(&own.assignment).unwrap();
            state.made += 1;
            own.assignment.clone()
        }
    };
    answer(call, &response.with_assignment(assignment))
}

fn heartbeat(call: &Call, world: &World, state: &mut State) -> Reply {
    state.heartbeats += 1;
    let error = state.error(call, world);
    answer(call, &HeartbeatResponse::default().with_error_code(error))
}

fn leave(call: &Call, world: &World, state: &mut State) -> Reply {
    state.leaves.push(call.request());
    let error = state.error(call, world);
    answer(call, &LeaveGroupResponse::default().with_error_code(error))
}

fn commit(call: &Call, world: &World, state: &mut State) -> Reply {
    let request: OffsetCommitRequest = call.request();
    let error = state.error(call, world);
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            if error == 0 {
                let key = (topic.name.to_string(), partition.partition_index);
                state.committed.insert(key, partition.committed_offset);
            }
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(error)
        });
        OffsetCommitResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    let response = OffsetCommitResponse::default().with_topics(topics.collect());
    let reply = answer(call, &response);
    state.commits.push(request);
    reply
}

fn fetch(call: &Call, world: &World, state: &mut State) -> Reply {
    let request: OffsetFetchRequest = call.request();
    let error = state.error(call, world);
    let find = |topic: &str, partition: i32| {
        let key = (topic.to_owned(), partition);
        state.committed.get(&key).copied().unwrap_or(-1)
    };
    let response = OffsetFetchResponse::default();
    if call.version >= 8 {
        let asked = &request.groups[0];
        let topics = asked.topics.iter().flatten().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                OffsetFetchResponsePartitions::default()
                    .with_partition_index(*index)
                    .with_committed_offset(find(&topic.name, *index))
            });
            OffsetFetchResponseTopics::default()
                .with_name(topic.name.clone())
                .with_partitions(partitions.collect())
        });
        let group = OffsetFetchResponseGroup::default()
            .with_group_id(asked.group_id.clone())
            .with_error_code(error)
            .with_topics(topics.collect());
        return answer(call, &response.with_groups(vec![group]));
    }
    let topics = request.topics.iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(*index)
                .with_committed_offset(find(&topic.name, *index))
        });
        OffsetFetchResponseTopic::default()
            .with_name(topic.name.clone())
            .with_partitions(partitions.collect())
    });
    let response = response
        .with_topics(topics.collect())
        .with_error_code(error);
    answer(call, &response)
}
