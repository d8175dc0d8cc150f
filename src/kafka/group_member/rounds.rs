//! Joining, and joining again (Kafka: `AbstractCoordinator.joinGroupIfNeeded` and its handlers).

use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use super::state::{Core, Phase};
use super::{GroupEvent, GroupMetadata, LossReason};
use crate::clients::ClientError;
use crate::kafka::errors::{api_error, check, code};
use crate::kafka::group::{Identity, JoinTerms, Remedy, SyncTerms, remedy};
use crate::shard;

/// Why a round ended without a generation.
#[derive(Debug)]
enum Setback {
    /// Begin again; at once when it is the first in a row.
    Again(ClientError),
    /// Begin again after a pause.
    Later(ClientError),
    /// The leader gave no assignments.
    Unassigned(String),
    /// Give up.
    Fatal(ClientError),
}

/// Joins whenever that is wanted.
pub(super) async fn run(core: Rc<Core>) {
    if let Err(error) = check_settings(&core) {
        return core.fail(error);
    }
    let mut failures: u32 = 0;
    while !core.is_over() {
        let mark = core.wake.mark();
        if !core.may_join() {
            core.wake.changed_since(mark).await;
            continue;
        }
        let ended = core.unless_lost(round(&core)).await;
        settle(&core);
        let pauses = match ended {
            // The generation was lost meanwhile, which is told already.
            None => continue,
            Some(Ok(())) => {
                failures = 0;
                continue;
            }
            Some(Err(Setback::Fatal(error))) => return core.fail(error),
            Some(Err(Setback::Again(error))) => {
                again(&core, &error.to_string());
                failures
            }
            Some(Err(Setback::Later(error))) => {
                again(&core, &error.to_string());
                failures + 1
            }
            Some(Err(Setback::Unassigned(reason))) => {
                tracing::warn!(
                    group = core.config.group_id,
                    reason,
                    "the group's leader could not assign"
                );
                again(&core, &reason);
                failures + 1
            }
        };
        failures += 1;
        if let Some(before) = pauses.checked_sub(1) {
            shard::sleep(core.cluster.retry_backoff(before)).await;
        }
    }
}

/// As Kafka's `Heartbeat` has it.
fn check_settings(core: &Core) -> Result<(), ClientError> {
    let config = &core.config;
    if config.heartbeat_interval < config.session_timeout {
        return Ok(());
    }
    Err(ClientError::Config {
        key: "heartbeat.interval.ms",
        reason: format!(
            "{} ms is not below session.timeout.ms, {} ms",
            config.heartbeat_interval.as_millis(),
            config.session_timeout.as_millis()
        ),
    })
}

fn again(core: &Core, reason: &str) {
    tracing::debug!(
        group = core.config.group_id,
        reason,
        "joining the group failed, trying again"
    );
    core.want_join(&format!("rebalance failed due to {reason}"));
}

/// A round that came to nothing leaves the member in the generation that it has, if any.
fn settle(core: &Core) {
    if matches!(core.phase(), Phase::Preparing | Phase::Joining) {
        core.set_phase(match core.has_generation() {
            true => Phase::Preparing,
            false => Phase::Unjoined,
        });
    }
}

/// From the wish to join to a generation that the caller is told of.
async fn round(core: &Core) -> Result<(), Setback> {
    core.find_coordinator().await.map_err(setback)?;
    if core.has_generation() {
        core.set_phase(Phase::Preparing);
    }
    let (round, metadata) = core.ask_for_metadata().await;
    core.set_phase(Phase::Joining);
    let joined = join(core, metadata).await?;
    let mut assignments = Vec::new();
    if joined.is_leader() && joined.skip_assignment {
        tracing::info!(
            group = core.config.group_id,
            "the coordinator wants no new assignment of this leader"
        );
    } else if joined.is_leader() {
        let asked = core.ask_for_assignments(round, joined.lead_event(round));
        assignments = asked.await.map_err(Setback::Unassigned)?;
    }
    let (sent, synced) = sync(core, &joined, assignments).await?;
    core.complete(sent, joined.joined_event(&synced.assignment));
    Ok(())
}

/// A generation as the coordinator told of it.
struct Joined {
    identity: Identity,
    leader: String,
    protocol: String,
    skip_assignment: bool,
    members: Vec<(String, Bytes)>,
}

impl Joined {
    fn of(response: &JoinGroupResponse) -> Self {
        let protocol = response.protocol_name.as_ref();
        let members = response.members.iter().map(|member| {
            let metadata = Bytes::copy_from_slice(&member.metadata);
            (member.member_id.to_string(), metadata)
        });
        Self {
            identity: Identity {
                member_id: response.member_id.to_string(),
                generation: response.generation_id,
            },
            leader: response.leader.to_string(),
            protocol: protocol.map_or_else(String::new, ToString::to_string),
            skip_assignment: response.skip_assignment,
            // Copied, as an assignment is: they would hold a whole answer's buffer.
            members: members.collect(),
        }
    }

    fn is_leader(&self) -> bool {
        self.leader == self.identity.member_id
    }

    fn lead_event(&self, round: u64) -> GroupEvent {
        GroupEvent::Lead {
            round,
            generation: self.identity.generation,
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: self.members.clone(),
        }
    }

    fn joined_event(&self, assignment: &[u8]) -> GroupEvent {
        GroupEvent::Joined {
            generation: self.identity.generation,
            member_id: self.identity.member_id.clone(),
            protocol: self.protocol.clone(),
            is_leader: self.is_leader(),
            leader: self.leader.clone(),
            assignment: Bytes::copy_from_slice(assignment),
        }
    }
}

/// JoinGroup, once more with a member id if the coordinator wants one.
async fn join(core: &Core, metadata: GroupMetadata) -> Result<Joined, Setback> {
    let reason = core.reason();
    let mut response = JoinGroupResponse::default();
    let mut sent = Instant::now();
    for _ in 0..2 {
        let identity = core.identity();
        let terms = JoinTerms {
            protocol_type: core.config.protocol_type,
            protocols: metadata.clone(),
            session_timeout: core.config.session_timeout,
            rebalance_timeout: core.config.rebalance_timeout,
            reason: &reason,
        };
        tracing::info!(
            group = core.config.group_id,
            member = identity.member_id,
            reason,
            "joining the group"
        );
        sent = Instant::now();
        let answer = core.in_flight(core.calls().join(&identity, terms)).await;
        core.note_call(&answer);
        response = answer.map_err(setback)?;
        if response.error_code != code::MEMBER_ID_REQUIRED {
            break;
        }
        core.take_member_id(response.member_id.to_string());
    }
    take_error(core, response.error_code, "joining")?;
    let joined = Joined::of(&response);
    let protocol_type = response.protocol_type.as_deref();
    check_agreed(core, "type", core.config.protocol_type, protocol_type)?;
    if !metadata.iter().any(|(name, _)| *name == joined.protocol) {
        let told = format!("it chose '{}', which was not offered", joined.protocol);
        return Err(inconsistent(core, &told));
    }
    tracing::info!(
        group = core.config.group_id,
        generation = joined.identity.generation,
        member = joined.identity.member_id,
        leader = joined.leader,
        protocol = joined.protocol,
        "joined the group"
    );
    core.enter(joined.identity.clone(), sent);
    Ok(joined)
}

/// SyncGroup; gives when it was sent, too.
async fn sync(
    core: &Core,
    joined: &Joined,
    assignments: Vec<(String, Bytes)>,
) -> Result<(Instant, SyncGroupResponse), Setback> {
    let terms = SyncTerms {
        protocol_type: core.config.protocol_type,
        protocol: &joined.protocol,
        assignments,
        rebalance_timeout: core.config.rebalance_timeout,
    };
    let sent = Instant::now();
    let answer = core
        .in_flight(core.calls().sync(&joined.identity, terms))
        .await;
    core.note_call(&answer);
    let response = answer.map_err(setback)?;
    take_error(core, response.error_code, "syncing")?;
    let (protocol_type, protocol) = (&response.protocol_type, &response.protocol_name);
    let own_type = core.config.protocol_type;
    check_agreed(core, "type", own_type, protocol_type.as_deref())?;
    check_agreed(core, "name", &joined.protocol, protocol.as_deref())?;
    Ok((sent, response))
}

/// What an error code in an answer asks for.
fn take_error(core: &Core, error: i16, doing: &str) -> Result<(), Setback> {
    let context = || format!("{doing} group {}", core.config.group_id);
    let Err(error) = check(error, context) else {
        return Ok(());
    };
    let lost = match remedy(&error) {
        Remedy::ForgetMember => LossReason::UnknownMember,
        Remedy::ForgetGeneration => LossReason::IllegalGeneration,
        Remedy::Rejoin => return Err(Setback::Again(error)),
        _ => {
            let answer: Result<(), _> = Err(error.clone());
            core.note_call(&answer);
            return Err(setback(error));
        }
    };
    core.lose(lost);
    Err(Setback::Again(error))
}

fn setback(error: ClientError) -> Setback {
    match remedy(&error) {
        // A damaged answer ended its connection; the next need not be one.
        Remedy::GiveUp if !matches!(error, ClientError::Malformed { .. }) => Setback::Fatal(error),
        _ => Setback::Later(error),
    }
}

/// The kind or name of protocol in an answer has to be ours, where there is one.
fn check_agreed(core: &Core, what: &str, ours: &str, theirs: Option<&str>) -> Result<(), Setback> {
    match theirs {
        Some(theirs) if theirs != ours => {
            let told = format!("the protocol's {what} is '{theirs}' there and '{ours}' here");
            Err(inconsistent(core, &told))
        }
        _ => Ok(()),
    }
}

fn inconsistent(core: &Core, told: &str) -> Setback {
    let context = format!("joining group {}", core.config.group_id);
    let error = code::INCONSISTENT_GROUP_PROTOCOL;
    Setback::Fatal(api_error(error, context, Some(told)))
}
