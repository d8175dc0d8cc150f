//! Members of a group against pretended brokers.

mod coordinator;
mod failing;
mod joining;
mod sessions;

use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::ApiKey;

use self::coordinator::{Coordinator, Trick};
use super::{GroupEvent, GroupMember, GroupMemberConfig, GroupMetadata, LossReason};
use crate::kafka::mock_broker::{MockCluster, on_each_runtime, test_config};
use crate::shard;

/// Longest wait for something that has to happen.
const SOON: Duration = Duration::from_secs(10);
const KIND: &str = "test";

fn config(cluster: &MockCluster) -> GroupMemberConfig {
    GroupMemberConfig {
        common: test_config(cluster),
        group_id: "g".to_owned(),
        protocol_type: KIND,
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(20),
        heartbeat_interval: Duration::from_millis(20),
        group_instance_id: None,
    }
}

/// Two brokers, the group's coordinator, and a member that was asked to join.
fn start(change: impl Fn(&mut GroupMemberConfig)) -> (MockCluster, Coordinator, GroupMember) {
    let cluster = MockCluster::start(2);
    let coordinator = Coordinator::on(&cluster);
    coordinator.state().strict = true;
    let mut config = config(&cluster);
    change(&mut config);
    let member = GroupMember::new(config);
    member.request_join("a test begins");
    (cluster, coordinator, member)
}

fn metadata(text: &'static str) -> GroupMetadata {
    let second = Bytes::from_static(b"second choice");
    vec![
        ("first", Bytes::from_static(text.as_bytes())),
        ("second", second),
    ]
}

async fn next(member: &GroupMember) -> GroupEvent {
    let event = shard::timeout(SOON, member.next()).await;
    event.expect("an event in time")
}

/// Nothing is told for a while.
async fn quiet(member: &GroupMember, how_long: Duration) {
    if let Ok(event) = shard::timeout(how_long, member.next()).await {
        panic!("{event:?}");
    }
}

/// The next event asks for metadata; gives the round, and the earlier generation and whether it was lost.
async fn prepare(member: &GroupMember) -> (u64, Option<i32>, bool) {
    match next(member).await {
        GroupEvent::Prepare {
            round,
            previous,
            lost,
        } => (round, previous, lost),
        other => panic!("{other:?}"),
    }
}

/// The next event asks for assignments.
async fn lead(member: &GroupMember) -> (u64, Vec<(String, Bytes)>) {
    match next(member).await {
        GroupEvent::Lead { round, members, .. } => (round, members),
        other => panic!("{other:?}"),
    }
}

/// The next event tells of a generation; gives it and what was assigned.
async fn joined(member: &GroupMember) -> (i32, Bytes) {
    match next(member).await {
        GroupEvent::Joined {
            generation,
            assignment,
            ..
        } => (generation, assignment),
        other => panic!("{other:?}"),
    }
}

async fn lost(member: &GroupMember) -> LossReason {
    match next(member).await {
        GroupEvent::SessionLost { reason } => reason,
        other => panic!("{other:?}"),
    }
}

async fn failed(member: &GroupMember) -> String {
    match next(member).await {
        GroupEvent::Failed(error) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

fn assign_all(member: &GroupMember, round: u64, members: &[(String, Bytes)]) {
    let assignments = members.iter().map(|(id, metadata)| {
        let work = [b"work for ", &metadata[..]].concat();
        (id.clone(), Bytes::from(work))
    });
    member.assign(round, Ok(assignments.collect()));
}

/// From the request for metadata to the generation, answering with `text`.
async fn go_through(member: &GroupMember, text: &'static str) -> (i32, Bytes) {
    let (round, ..) = prepare(member).await;
    member.join(round, metadata(text));
    finish(member).await
}

/// From JoinGroup to the generation; further requests for metadata are answered, too.
async fn finish(member: &GroupMember) -> (i32, Bytes) {
    loop {
        match next(member).await {
            GroupEvent::Prepare { round, .. } => member.join(round, metadata("again")),
            GroupEvent::Lead { round, members, .. } => assign_all(member, round, &members),
            GroupEvent::Joined {
                generation,
                assignment,
                ..
            } => return (generation, assignment),
            other => panic!("{other:?}"),
        }
    }
}

/// Waits until `condition` holds.
async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            shard::sleep(Duration::from_millis(2)).await;
        }
    };
    shard::timeout(SOON, wait).await.expect("in time");
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
