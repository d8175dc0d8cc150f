//! The worker's group member on the cluster's thread: its events to the herder, the herder's commands to
//! it, and the lease that tasks write by.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::events::tell;
use super::{ClusterEvent, EventSink, GroupNews};
use crate::clients::Lease;
use crate::kafka::{GroupEvent, GroupMember, GroupMemberConfig};
use crate::shard;

/// How often the lease is extended by what the coordinator answered.
const RENEW: Duration = Duration::from_millis(500);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_secs(3);

/// See [`super::ClusterHandle`].
#[derive(Debug)]
pub(super) enum GroupCommand {
    RequestJoin(&'static str),
    Join(u64, Vec<(&'static str, Vec<u8>)>),
    Assign(u64, Result<Vec<(String, Vec<u8>)>, String>),
    Leave(&'static str),
    Alive,
}

/// The member and what hangs on it.
pub(super) struct Group {
    member: Rc<GroupMember>,
    lease: Lease,
}

impl Group {
    pub(super) fn start(config: GroupMemberConfig, lease: Lease, sink: Arc<dyn EventSink>) -> Self {
        let session = config.session_timeout;
        let member = Rc::new(GroupMember::new(config));
        shard::spawn(follow(Rc::clone(&member), lease.clone(), sink));
        shard::spawn(renew(Rc::clone(&member), lease.clone(), session));
        Self { member, lease }
    }

    pub(super) fn obey(&self, command: GroupCommand) {
        match command {
            GroupCommand::RequestJoin(reason) => self.member.request_join(reason),
            GroupCommand::Join(round, metadata) => {
                self.member.join(round, shared(metadata));
            }
            GroupCommand::Assign(round, assignments) => {
                self.member.assign(round, assignments.map(shared));
            }
            GroupCommand::Leave(reason) => {
                self.lease.end();
                let member = Rc::clone(&self.member);
                shard::spawn(async move { member.leave(LEAVE, reason).await });
            }
            GroupCommand::Alive => self.member.polled(),
        }
    }

    pub(super) async fn stop(&self) {
        self.lease.end();
        self.member
            .leave(LEAVE, "the worker is shutting down")
            .await;
    }
}

fn shared<N>(bytes: Vec<(N, Vec<u8>)>) -> Vec<(N, Bytes)> {
    let pairs = bytes.into_iter();
    pairs.map(|(name, bytes)| (name, bytes.into())).collect()
}

/// Tells what happens, for as long as the thread lives.
async fn follow(member: Rc<GroupMember>, lease: Lease, sink: Arc<dyn EventSink>) {
    loop {
        let event = member.next().await;
        let news = match event {
            GroupEvent::Prepare { round, .. } => GroupNews::Prepare { round },
            GroupEvent::Lead {
                round,
                generation,
                protocol,
                leader,
                members,
            } => GroupNews::Lead {
                round,
                generation,
                protocol,
                leader,
                members: members
                    .into_iter()
                    .map(|(id, bytes)| (id, bytes.to_vec()))
                    .collect(),
            },
            GroupEvent::Joined {
                generation,
                member_id,
                protocol,
                assignment,
                ..
            } => GroupNews::Joined {
                generation,
                member_id,
                protocol,
                assignment: assignment.to_vec(),
            },
            GroupEvent::SessionLost { reason } => {
                // Before anybody else hears of it.
                lease.end();
                GroupNews::SessionLost(reason.to_string())
            }
            GroupEvent::CoordinatorUnknown { .. } => {
                // Tasks go on until the session is over: the next coordinator may know this member.
                tracing::warn!("the coordinator of the worker group can't be reached");
                continue;
            }
            GroupEvent::Failed(error) => {
                lease.end();
                GroupNews::Failed(format!(
                    "this worker can't be a member of its group: {error}"
                ))
            }
        };
        tell(&sink, ClusterEvent::Group(news)).await;
    }
}

/// Extends the lease to the end of the session that the coordinator's last answer vouches for.
async fn renew(member: Rc<GroupMember>, lease: Lease, session: Duration) {
    loop {
        if let Some(answered) = member.last_heartbeat() {
            lease.extend(answered + session);
        }
        shard::sleep(RENEW).await;
    }
}
