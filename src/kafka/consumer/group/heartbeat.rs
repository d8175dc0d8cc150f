//! Keeps the membership alive while the caller works, and ends it when the caller polls no more.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::{Phase, wait};
use crate::clients::ClientError;
use crate::kafka::cluster::Purpose;
use crate::kafka::consumer::core::Core;
use crate::kafka::errors::code;
use crate::kafka::group::Identity;

/// Heartbeats at `heartbeat.interval.ms` for as long as the consumer lives.
pub(super) async fn run(core: Rc<Core>) {
    let membership = &core.membership;
    let interval = core.config.heartbeat_interval;
    let mut next = Instant::now() + interval;
    while !core.is_closed() {
        let mark = membership.wake.mark();
        if !matches!(membership.phase.get(), Phase::Preparing | Phase::Stable) {
            wait(membership, mark, None).await;
            next = Instant::now() + interval;
            continue;
        }
        let now = Instant::now();
        let overdue = core.poll_deadline().is_some_and(|deadline| deadline <= now);
        if overdue {
            leave_unpolled(&core).await;
            continue;
        }
        if next <= now {
            next = now + beat(&core).await;
            continue;
        }
        let at = core.poll_deadline().map_or(next, |at| at.min(next));
        wait(membership, mark, Some(at)).await;
    }
}

/// `max.poll.interval.ms` is over: others shall get the partitions.
async fn leave_unpolled(core: &Core) {
    tracing::warn!(
        max_poll_interval_ms = core.config.max_poll_interval.as_millis(),
        "poll was not called in time, leaving the group: put takes too long; raise \
         max.poll.interval.ms or lower max.poll.records"
    );
    let limit = core.config.common.request_timeout;
    let polls = core.polls();
    core.membership
        .leave(core, limit, "consumer poll timeout has expired")
        .await;
    core.membership.unpolled.set(Some(polls));
    core.membership.reset(true, "poll was not called in time");
}

/// One heartbeat; gives the time until the next.
async fn beat(core: &Core) -> Duration {
    let membership = &core.membership;
    let identity = membership.identity();
    match send(core, &identity).await {
        Ok(()) => core.config.heartbeat_interval,
        Err(error) => {
            tracing::debug!(%error, "heartbeat failed");
            core.note_coordinator(&error);
            if let ClientError::Api { code, .. } = &error {
                membership.note_error(*code, &identity);
                if *code == code::FENCED_INSTANCE_ID || *code == code::GROUP_AUTHORIZATION_FAILED {
                    membership.end(core, error);
                    return core.config.heartbeat_interval;
                }
                if *code == code::REBALANCE_IN_PROGRESS {
                    return core.config.heartbeat_interval;
                }
            }
            core.config
                .common
                .retry_backoff
                .min(core.config.heartbeat_interval)
        }
    }
}

async fn send(core: &Core, identity: &Identity) -> Result<(), ClientError> {
    let config = &core.config;
    let limit = config.common.request_timeout.min(config.session_timeout);
    let calls = core.group_calls()?;
    calls.heartbeat(identity, Purpose::Coordinator, limit).await
}
