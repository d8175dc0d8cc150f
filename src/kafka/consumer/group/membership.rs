//! Joining, and joining again.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use super::assignor::{self, Member, PartitionCounts};
use super::wire::{SubscriptionData, decode_assignment, encode_assignment};
use super::{Event, Interrupted, NO_GENERATION, Phase, wait};
use crate::api::TopicPartition;
use crate::clients::{ClientError, GroupAssignor, Subscription};
use crate::kafka::consumer::core::Core;
use crate::kafka::errors::{check, code};
use crate::kafka::group::{JoinTerms, Remedy, SyncTerms, remedy};
use crate::shard;

/// `protocol.type` of consumers.
const PROTOCOL_TYPE: &str = "consumer";
/// A topic that is missing is looked for this often.
const MISSING_TOPIC_RETRY: Duration = Duration::from_secs(1);

/// Why a round ended without an assignment.
#[derive(Debug)]
enum Setback {
    /// Begin again at once.
    Again,
    /// Begin again after a pause.
    Later(ClientError),
    /// Tell the caller.
    Fatal(ClientError),
}

impl From<Interrupted> for Setback {
    fn from(_: Interrupted) -> Self {
        Self::Again
    }
}

/// The membership from the first poll on.
pub(super) async fn run(core: Rc<Core>) {
    let membership = &core.membership;
    let mut failures = 0;
    polled_since(&core, 0).await;
    while !core.is_closed() && membership.fatal().is_none() {
        let mark = membership.wake.mark();
        note_metadata(&core);
        if !membership.rejoin.get() {
            let again = missing_topics(&core).then(|| Instant::now() + MISSING_TOPIC_RETRY);
            wait(membership, mark, again).await;
            if again.is_some_and(|again| again <= Instant::now()) {
                core.cluster.request_refresh();
            }
            continue;
        }
        if let Some(polls) = membership.unpolled.take() {
            polled_since(&core, polls).await;
        }
        match join_round(&core).await {
            Ok(()) => failures = 0,
            Err(Setback::Again) => {}
            Err(Setback::Later(error)) => {
                tracing::debug!(%error, "joining the group failed, trying again");
                membership.rejoin.set(true);
                shard::sleep(core.cluster.retry_backoff(failures)).await;
                failures += 1;
            }
            Err(Setback::Fatal(error)) => {
                membership.rejoin.set(true);
                give_up_until_polled(&core, error).await;
            }
        }
    }
}

/// The caller hears of the error; another attempt follows when it polls on nevertheless.
async fn give_up_until_polled(core: &Core, error: ClientError) {
    let membership = &core.membership;
    let fenced =
        matches!(&error, ClientError::Api { code, .. } if *code == code::FENCED_INSTANCE_ID);
    membership.set_phase(Phase::Unjoined);
    if fenced {
        membership.end(core, error);
        return;
    }
    let polls = core.polls();
    core.fail(error);
    shard::sleep(core.cluster.retry_backoff(0)).await;
    polled_since(core, polls).await;
}

/// Completes when a poll has begun after the first `polls`.
async fn polled_since(core: &Core, polls: u64) {
    loop {
        let mark = core.membership.wake.mark();
        if core.polls() > polls || core.is_closed() {
            return;
        }
        wait(&core.membership, mark, None).await;
    }
}

/// Joins anew where metadata calls for it.
fn note_metadata(core: &Core) {
    let membership = &core.membership;
    if update_pattern_topics(core) {
        membership.request_rejoin("other topics match the pattern");
    }
    if membership.phase.get() != Phase::Stable {
        return;
    }
    let changed = membership.led.borrow().as_ref().is_some_and(|led| {
        let differs =
            |(topic, old): (&Rc<str>, &i32)| count(core, topic).is_some_and(|count| count != *old);
        led.iter().any(differs)
    });
    if changed {
        membership.request_rejoin("the number of partitions changed");
    }
}

/// Whether a topic subscribed to does not exist (yet).
fn missing_topics(core: &Core) -> bool {
    let topics = core.membership.topics.borrow();
    topics.iter().any(|topic| count(core, topic) == Some(0))
}

/// Looks for topics that match the pattern; says whether they changed.
fn update_pattern_topics(core: &Core) -> bool {
    let membership = &core.membership;
    let subscription = membership.subscription.borrow();
    let Some(Subscription::Pattern(pattern)) = subscription.as_ref() else {
        return false;
    };
    let anchored = regex::Regex::new(&format!("^(?:{})$", pattern.as_str())).ok();
    let mut topics: Vec<String> = core
        .cluster
        .topics()
        .iter()
        .filter(|topic| topic.error == 0 && !topic.internal)
        .filter(|topic| matches_whole(pattern, anchored.as_ref(), &topic.name))
        .map(|topic| topic.name.to_string())
        .collect();
    topics.sort_unstable();
    let mut known = membership.topics.borrow_mut();
    let changed = *known != topics;
    *known = topics;
    changed
}

/// Whether the whole of a name matches: `anchored` finds what `plain`'s preference for the first
/// alternative would miss.
fn matches_whole(plain: &regex::Regex, anchored: Option<&regex::Regex>, name: &str) -> bool {
    let whole = |found: regex::Match<'_>| found.start() == 0 && found.end() == name.len();
    anchored.is_some_and(|anchored| anchored.is_match(name)) || plain.find(name).is_some_and(whole)
}

/// Partitions of topics; 0 for one that does not exist.
fn counts<'a>(core: &Core, topics: impl Iterator<Item = &'a str>) -> PartitionCounts {
    topics
        .map(|name| (Rc::from(name), count(core, name).unwrap_or(0)))
        .collect()
}

/// Partitions of a topic; `None` when the brokers don't tell just now.
fn count(core: &Core, topic: &str) -> Option<i32> {
    let known = core.cluster.topic(topic)?;
    match known.error {
        0 => Some(i32::try_from(known.partitions.len()).unwrap_or(i32::MAX)),
        code::UNKNOWN_TOPIC_OR_PARTITION => Some(0),
        _ => None,
    }
}

/// From the wish to join to an assignment that the caller was told of.
async fn join_round(core: &Rc<Core>) -> Result<(), Setback> {
    let membership = &core.membership;
    if !core.membership.is_subscribed() {
        wait(membership, membership.wake.mark(), None).await;
        return Ok(());
    }
    core.group_id().map_err(Setback::Fatal)?;
    prepare(core).await?;
    look_up_topics(core).await?;
    let resets = membership.resets.get();
    membership.rejoin.set(false);
    membership.set_phase(Phase::Joining);
    let result = join_and_sync(core).await;
    if membership.phase.get() == Phase::Joining {
        let joined = result.is_ok() && membership.resets.get() == resets;
        let member = membership.identity().generation != NO_GENERATION;
        membership.set_phase(match joined || member {
            true => Phase::Stable,
            false => Phase::Unjoined,
        });
    }
    let assigned = result?;
    if membership.resets.get() != resets {
        return Err(Setback::Again);
    }
    take_over(core, assigned).await?;
    Ok(())
}

/// What has to be given up before joining (Kafka: `ConsumerCoordinator.onJoinPrepare`).
async fn prepare(core: &Core) -> Result<(), Interrupted> {
    let membership = &core.membership;
    let identity = membership.identity();
    if identity.generation == NO_GENERATION {
        if !core.partitions.borrow().is_empty() {
            // Not to be interrupted: there is no generation to lose.
            membership.tell(core, Event::LostAll).await?;
        }
        return Ok(());
    }
    membership.set_phase(Phase::Preparing);
    if !membership.cooperative {
        membership.tell(core, Event::RevokedAll).await?;
        membership.owned.borrow_mut().clear();
        return Ok(());
    }
    let unwanted: Vec<TopicPartition> = {
        let topics = membership.topics.borrow();
        let owned = membership.owned.borrow();
        let wanted =
            |partition: &&TopicPartition| !topics.iter().any(|topic| *topic == *partition.topic);
        owned.iter().filter(wanted).cloned().collect()
    };
    if !unwanted.is_empty() {
        membership
            .tell(core, Event::Revoked(unwanted.clone()))
            .await?;
        let mut owned = membership.owned.borrow_mut();
        owned.retain(|partition| !unwanted.contains(partition));
    }
    Ok(())
}

/// Has the metadata of what is subscribed to.
async fn look_up_topics(core: &Core) -> Result<(), Setback> {
    let pattern = matches!(
        *core.membership.subscription.borrow(),
        Some(Subscription::Pattern(_))
    );
    if pattern {
        let result = core.cluster.fetch_all_metadata().await;
        result.map_err(setback)?;
        update_pattern_topics(core);
        return Ok(());
    }
    let topics = core.membership.topics.borrow().clone();
    if topics.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let create = core.config.allow_auto_create_topics;
    let result = core.cluster.fetch_topic_metadata(&names, create).await;
    result.map_err(setback)?;
    for topic in &topics {
        let error = core.cluster.topic(topic).map_or(0, |topic| topic.error);
        if matches!(
            error,
            code::TOPIC_AUTHORIZATION_FAILED | code::INVALID_TOPIC_EXCEPTION
        ) {
            let result = check(error, || format!("metadata of topic {topic}"));
            result.map_err(Setback::Fatal)?;
        }
    }
    Ok(())
}

fn setback(error: ClientError) -> Setback {
    match error.is_retriable() {
        true => Setback::Later(error),
        false => Setback::Fatal(error),
    }
}

// ---- JoinGroup and SyncGroup

async fn join_and_sync(core: &Core) -> Result<Vec<TopicPartition>, Setback> {
    let joined = match join(core).await {
        Ok(joined) => joined,
        Err(error) => return Err(note(core, error)),
    };
    if let Some(again) = take_join_error(core, &joined)? {
        return Err(again);
    }
    let membership = &core.membership;
    {
        let mut identity = membership.identity.borrow_mut();
        identity.member_id = joined.member_id.to_string();
        identity.generation = joined.generation_id;
    }
    let assignor = chosen(core, &joined)?;
    tracing::info!(
        generation = joined.generation_id,
        member = %joined.member_id.as_str(),
        leader = joined.leader == joined.member_id,
        assignor = assignor::name(assignor),
        "joined the group"
    );
    let mut assignments = Vec::new();
    membership.led.borrow_mut().take();
    if joined.leader == joined.member_id {
        assignments = lead(core, assignor, &joined).await?;
    }
    let synced = match sync(core, assignor, assignments).await {
        Ok(synced) => synced,
        Err(error) => return Err(note(core, error)),
    };
    take_sync_error(core, &synced)?;
    decode_assignment(&synced.assignment).map_err(|error| {
        Setback::Fatal(ClientError::Malformed {
            context: "reading the assignment".to_owned(),
            broker: "(the group's leader)".to_owned(),
            reason: error.to_string(),
        })
    })
}

/// A failed call: the coordinator may be elsewhere.
fn note(core: &Core, error: ClientError) -> Setback {
    core.note_coordinator(&error);
    setback(error)
}

async fn join(core: &Core) -> Result<JoinGroupResponse, ClientError> {
    let config = &core.config;
    let reason = *core.membership.reason.borrow();
    let terms = JoinTerms {
        protocol_type: PROTOCOL_TYPE,
        protocols: protocols(core),
        session_timeout: config.session_timeout,
        rebalance_timeout: config.max_poll_interval,
        reason,
    };
    let identity = core.membership.identity();
    core.group_calls()?.join(&identity, terms).await
}

/// One entry per assignor, in order of preference.
fn protocols(core: &Core) -> Vec<(&'static str, Bytes)> {
    let membership = &core.membership;
    let generation = membership.identity().generation;
    let list = core.config.assignors.iter().map(|assignor| {
        let user_data = match assignor {
            GroupAssignor::CooperativeSticky => {
                Some(Bytes::copy_from_slice(&generation.to_be_bytes()))
            }
            GroupAssignor::Range | GroupAssignor::RoundRobin => None,
        };
        let data = SubscriptionData {
            topics: membership.topics.borrow().clone(),
            user_data,
            owned: membership.owned.borrow().clone(),
            generation: (generation != NO_GENERATION).then_some(generation),
            rack: core.config.client_rack.clone(),
        };
        (assignor::name(*assignor), data.encode())
    });
    list.collect()
}

/// What a JoinGroup error asks for; `None` when there is no error.
fn take_join_error(core: &Core, joined: &JoinGroupResponse) -> Result<Option<Setback>, Setback> {
    let membership = &core.membership;
    let Err(error) = check(joined.error_code, || "joining the group".to_owned()) else {
        return Ok(None);
    };
    let again = match remedy(&error) {
        Remedy::TakeMemberId => {
            membership.identity.borrow_mut().member_id = joined.member_id.to_string();
            membership.rejoin.set(true);
            Setback::Again
        }
        Remedy::ForgetMember => {
            membership.reset(true, "the coordinator does not know this member");
            Setback::Again
        }
        Remedy::ForgetGeneration => {
            membership.reset(false, "the generation is over");
            Setback::Again
        }
        Remedy::Rejoin => Setback::Later(error),
        Remedy::Later | Remedy::GiveUp => note(core, error),
    };
    Ok(Some(again))
}

fn take_sync_error(core: &Core, synced: &SyncGroupResponse) -> Result<(), Setback> {
    let membership = &core.membership;
    let Err(error) = check(synced.error_code, || "syncing the group".to_owned()) else {
        return Ok(());
    };
    membership.rejoin.set(true);
    Err(match remedy(&error) {
        Remedy::Rejoin => Setback::Again,
        Remedy::ForgetMember => {
            membership.reset(true, "the coordinator does not know this member");
            Setback::Again
        }
        Remedy::ForgetGeneration => {
            membership.reset(false, "the generation is over");
            Setback::Again
        }
        Remedy::TakeMemberId | Remedy::Later | Remedy::GiveUp => note(core, error),
    })
}

/// The assignor that the coordinator chose among all members'.
fn chosen(core: &Core, joined: &JoinGroupResponse) -> Result<GroupAssignor, Setback> {
    let name = joined
        .protocol_name
        .as_ref()
        .map_or("", |name| name.as_str());
    let mut known = core.config.assignors.iter();
    known
        .find(|assignor| assignor::name(**assignor) == name)
        .copied()
        .ok_or_else(|| {
            Setback::Fatal(ClientError::Malformed {
                context: "joining the group".to_owned(),
                broker: "(the coordinator)".to_owned(),
                reason: format!("it chose the assignor '{name}', which was not offered"),
            })
        })
}

async fn sync(
    core: &Core,
    assignor: GroupAssignor,
    assignments: Vec<(String, Bytes)>,
) -> Result<SyncGroupResponse, ClientError> {
    let terms = SyncTerms {
        protocol_type: PROTOCOL_TYPE,
        protocol: assignor::name(assignor),
        assignments,
        rebalance_timeout: core.config.max_poll_interval,
    };
    let identity = core.membership.identity();
    core.group_calls()?.sync(&identity, terms).await
}

/// The leader's work: an assignment for every member.
async fn lead(
    core: &Core,
    assignor: GroupAssignor,
    joined: &JoinGroupResponse,
) -> Result<Vec<(String, Bytes)>, Setback> {
    let members: Vec<Member> = joined.members.iter().map(member).collect();
    let topics: BTreeSet<String> = members
        .iter()
        .flat_map(|member| member.subscription.topics.iter().cloned())
        .collect();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    if !names.is_empty() {
        let fetched = core.cluster.with_retries(
            "metadata for the group's assignment",
            core.config.common.default_api_timeout,
            async || core.cluster.fetch_topic_metadata(&names, false).await,
        );
        fetched.await.map_err(setback)?;
    }
    let counts = counts(core, topics.iter().map(String::as_str));
    let mut assigned = Vec::new();
    // A static member that came back leads without assigning anew (KIP-814).
    if !joined.skip_assignment {
        let lists = assignor::assign(assignor, &counts, &members);
        tracing::debug!(?counts, members = members.len(), "assigned partitions");
        assigned = members
            .iter()
            .zip(&lists)
            .map(|(member, list)| (member.id.clone(), encode_assignment(list)))
            .collect();
    }
    *core.membership.led.borrow_mut() = Some(counts);
    Ok(assigned)
}

fn member(told: &JoinGroupResponseMember) -> Member {
    let subscription = SubscriptionData::decode(&told.metadata).unwrap_or_else(|error| {
        // It gets nothing; the others go on.
        tracing::warn!(member = %told.member_id.as_str(), %error, "a member's subscription can't be read");
        SubscriptionData::default()
    });
    Member {
        id: told.member_id.to_string(),
        instance_id: told.group_instance_id.as_ref().map(ToString::to_string),
        subscription,
    }
}

// ---- the assignment

/// Tells the caller what comes and goes.
async fn take_over(core: &Core, assigned: Vec<TopicPartition>) -> Result<(), Interrupted> {
    let membership = &core.membership;
    let wanted = |partition: &TopicPartition| {
        let topics = membership.topics.borrow();
        topics.iter().any(|topic| *topic == *partition.topic)
    };
    let (assigned, unwanted): (Vec<_>, Vec<_>) = assigned.into_iter().partition(wanted);
    if !unwanted.is_empty() {
        // The subscription changed while the leader assigned.
        membership.request_rejoin("the assignment is of an older subscription");
    }
    let owned = membership.owned.borrow().clone();
    let gone: Vec<TopicPartition> = owned
        .iter()
        .filter(|partition| !assigned.contains(partition))
        .cloned()
        .collect();
    if !gone.is_empty() {
        membership.tell(core, Event::Revoked(gone)).await?;
        // The group can give them to others only in another round (KIP-429).
        membership.request_rejoin("partitions were revoked");
    }
    let new: Vec<TopicPartition> = assigned
        .iter()
        .filter(|partition| !owned.contains(partition))
        .cloned()
        .collect();
    *membership.owned.borrow_mut() = assigned;
    if !new.is_empty() {
        membership.push(core, Event::Assigned(new));
    }
    Ok(())
}
