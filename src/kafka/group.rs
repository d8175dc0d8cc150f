//! What members of a classic group say to its coordinator, whatever the group is for: JoinGroup,
//! SyncGroup, Heartbeat and LeaveGroup in the versions that the coordinator speaks, and what its errors
//! ask of a member. The states of a membership are its owner's: a consumer's are in `consumer::group`,
//! those of a member that brings its own metadata in `group_member`.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::{
    HeartbeatRequest, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, SyncGroupRequest,
    SyncGroupResponse,
};

use super::cluster::{Cluster, CoordinatorKind, Purpose};
use super::connection::Connection;
use super::errors::{check, code};
use super::protocol::text;
use crate::clients::ClientError;

/// `generation.id` of one that is no member.
pub(super) const NO_GENERATION: i32 = -1;
/// JoinGroup is answered when all members have joined or the rebalance timeout is over, and then some
/// (Kafka: `AbstractCoordinator.JOIN_GROUP_TIMEOUT_LAPSE`).
const JOIN_SLACK: Duration = Duration::from_secs(5);
/// Longest reason that is sent, in characters (Kafka: `JoinGroupRequest.maybeTruncateReason`).
const REASON_MAX: usize = 255;

/// As whom to talk to the coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// Empty before the first join.
    pub(super) member_id: String,
    /// [`NO_GENERATION`] outside of a generation.
    pub(super) generation: i32,
}

impl Identity {
    /// One that the coordinator has never heard of.
    pub(super) fn nobody() -> Self {
        Self {
            member_id: String::new(),
            generation: NO_GENERATION,
        }
    }
}

/// What a coordinator's error asks of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Join with the member id that came with the answer (KIP-394).
    TakeMemberId,
    /// The coordinator does not know the member (any more): join as a new one.
    ForgetMember,
    /// The generation is over; the member id may still be known.
    ForgetGeneration,
    /// The group rebalances.
    Rejoin,
    /// Call again after a pause; the coordinator may be elsewhere.
    Later,
    /// It will not get better.
    GiveUp,
}

/// See [`Remedy`].
pub(super) fn remedy(error: &ClientError) -> Remedy {
    match error {
        ClientError::Api { code, .. } => match *code {
            code::MEMBER_ID_REQUIRED => Remedy::TakeMemberId,
            code::UNKNOWN_MEMBER_ID => Remedy::ForgetMember,
            code::ILLEGAL_GENERATION => Remedy::ForgetGeneration,
            code::REBALANCE_IN_PROGRESS => Remedy::Rejoin,
            _ if error.is_retriable() => Remedy::Later,
            _ => Remedy::GiveUp,
        },
        _ if error.is_retriable() => Remedy::Later,
        _ => Remedy::GiveUp,
    }
}

/// What a JoinGroup request says beside who sends it.
pub(super) struct JoinTerms<'a> {
    pub(super) protocol_type: &'a str,
    /// Names and metadata, the preferred one first.
    pub(super) protocols: Vec<(&'a str, Bytes)>,
    /// Without heartbeats for so long, the coordinator counts the member out.
    pub(super) session_timeout: Duration,
    /// So long the coordinator waits for the member to join again.
    pub(super) rebalance_timeout: Duration,
    /// For the coordinator's log (KIP-800).
    pub(super) reason: &'a str,
}

/// What a SyncGroup request says beside who sends it.
pub(super) struct SyncTerms<'a> {
    pub(super) protocol_type: &'a str,
    /// The protocol that the coordinator chose.
    pub(super) protocol: &'a str,
    /// By member id; empty unless this member leads.
    pub(super) assignments: Vec<(String, Bytes)>,
    /// As in [`JoinTerms`].
    pub(super) rebalance_timeout: Duration,
}

/// Calls to the coordinator of one group.
pub(super) struct GroupCalls<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) group: &'a str,
    /// `group.instance.id` (KIP-345).
    pub(super) instance_id: Option<&'a str>,
}

impl GroupCalls<'_> {
    /// The coordinator, looked up if need be.
    ///
    /// # Errors
    /// As [`Cluster::coordinator`].
    pub(super) async fn coordinator(&self) -> Result<Rc<Connection>, ClientError> {
        let kind = CoordinatorKind::Group;
        self.cluster.coordinator(kind, self.group).await
    }

    /// The coordinator's broker, when known.
    pub(super) fn known_coordinator(&self) -> Option<i32> {
        let kind = CoordinatorKind::Group;
        self.cluster.known_coordinator(kind, self.group)
    }

    /// Has the next call look the coordinator up.
    pub(super) fn forget_coordinator(&self) {
        let kind = CoordinatorKind::Group;
        self.cluster.forget_coordinator(kind, self.group);
    }

    /// Looks the coordinator up anew with the next call, where `error` says that it is elsewhere or out
    /// of reach; gives whether it does.
    pub(super) fn note_coordinator(&self, error: &ClientError) -> bool {
        let moved = match error {
            ClientError::Api { code, .. } => matches!(
                *code,
                code::NOT_COORDINATOR | code::COORDINATOR_NOT_AVAILABLE | code::REQUEST_TIMED_OUT
            ),
            ClientError::Disconnected { .. } | ClientError::Timeout { .. } => true,
            _ => false,
        };
        if moved {
            self.forget_coordinator();
        }
        moved
    }

    /// Joins; an error code in the answer is the caller's to look at.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub(super) async fn join(
        &self,
        identity: &Identity,
        terms: JoinTerms<'_>,
    ) -> Result<JoinGroupResponse, ClientError> {
        let connection = self.coordinator().await?;
        let version = connection.version_for::<JoinGroupRequest>()?;
        let protocols = terms.protocols.into_iter().map(|(name, metadata)| {
            JoinGroupRequestProtocol::default()
                .with_name(text(name))
                .with_metadata(metadata)
        });
        let request = JoinGroupRequest::default()
            .with_group_id(text(self.group).into())
            .with_session_timeout_ms(millis(terms.session_timeout))
            .with_rebalance_timeout_ms(millis(terms.rebalance_timeout))
            .with_member_id(text(&identity.member_id))
            .with_group_instance_id(self.instance_id.map(text))
            .with_protocol_type(text(terms.protocol_type))
            .with_protocols(protocols.collect());
        let request = match version {
            8.. => request.with_reason(Some(text(truncated(terms.reason)))),
            _ => request,
        };
        let limit = self.rebalance_limit(terms.rebalance_timeout);
        connection.call_version(request, version, limit).await
    }

    /// Sends the leader's assignments, or asks for the own one; an error code in the answer is the
    /// caller's to look at.
    ///
    /// # Errors
    /// As [`Connection::call`].
    pub(super) async fn sync(
        &self,
        identity: &Identity,
        terms: SyncTerms<'_>,
    ) -> Result<SyncGroupResponse, ClientError> {
        let connection = self.coordinator().await?;
        let version = connection.version_for::<SyncGroupRequest>()?;
        let assignments = terms.assignments.into_iter().map(|(member, assignment)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(&member))
                .with_assignment(assignment)
        });
        let request = SyncGroupRequest::default()
            .with_group_id(text(self.group).into())
            .with_generation_id(identity.generation)
            .with_member_id(text(&identity.member_id))
            .with_group_instance_id(self.instance_id.map(text))
            .with_assignments(assignments.collect());
        let request = match version {
            5.. => request
                .with_protocol_type(Some(text(terms.protocol_type)))
                .with_protocol_name(Some(text(terms.protocol))),
            _ => request,
        };
        // The leader may take its time.
        let limit = self.rebalance_limit(terms.rebalance_timeout);
        connection.call_version(request, version, limit).await
    }

    /// One heartbeat. While JoinGroup or SyncGroup wait for their answers, no other request of their
    /// connection is looked at: then it is for the one with [`Purpose::Data`].
    ///
    /// # Errors
    /// As [`Connection::call`], and what the coordinator says.
    pub(super) async fn heartbeat(
        &self,
        identity: &Identity,
        purpose: Purpose,
        limit: Duration,
    ) -> Result<(), ClientError> {
        let kind = CoordinatorKind::Group;
        let connection = self.cluster.coordinator_by(purpose, kind, self.group);
        let connection = connection.await?;
        let request = HeartbeatRequest::default()
            .with_group_id(text(self.group).into())
            .with_generation_id(identity.generation)
            .with_member_id(text(&identity.member_id))
            .with_group_instance_id(self.instance_id.map(text));
        let response = connection.call(request, limit).await?;
        check(response.error_code, || {
            format!("heartbeat to group {}", self.group)
        })
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// As [`Connection::call`], and what the coordinator says.
    pub(super) async fn leave(&self, identity: &Identity, reason: &str) -> Result<(), ClientError> {
        let connection = self.coordinator().await?;
        let version = connection.version_for::<LeaveGroupRequest>()?;
        let member = MemberIdentity::default().with_member_id(text(&identity.member_id));
        let member = match version {
            5.. => member.with_reason(Some(text(truncated(reason)))),
            _ => member,
        };
        let request = LeaveGroupRequest::default().with_group_id(text(self.group).into());
        let request = match version {
            3.. => request.with_members(vec![member]),
            _ => request.with_member_id(text(&identity.member_id)),
        };
        let limit = self.cluster.config().request_timeout;
        let response = connection.call_version(request, version, limit).await?;
        let of_member = response.members.first().map_or(0, |told| told.error_code);
        let error = match response.error_code {
            0 => of_member,
            error => error,
        };
        check(error, || format!("leaving group {}", self.group))
    }

    fn rebalance_limit(&self, rebalance_timeout: Duration) -> Duration {
        let rebalance = rebalance_timeout.saturating_add(JOIN_SLACK);
        self.cluster.config().request_timeout.max(rebalance)
    }
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

fn truncated(reason: &str) -> &str {
    let end = reason.char_indices().nth(REASON_MAX);
    &reason[..end.map_or(reason.len(), |(end, _)| end)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_cut_to_255_characters_and_never_within_one() {
        assert_eq!(truncated("short"), "short");
        let long = "ä".repeat(300);
        assert_eq!(truncated(&long), "ä".repeat(255));
    }
}
