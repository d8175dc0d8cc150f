//! Keeps the membership alive (Kafka: `AbstractCoordinator.HeartbeatThread`).

use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use super::LossReason;
use super::state::{Core, Phase};
use super::watch::wait;
use crate::clients::{ApiErrorKind, ClientError};
use crate::kafka::cluster::Purpose;
use crate::kafka::group::{Identity, NO_GENERATION, Remedy, remedy};

/// Interval of heartbeats for a while after a round. Another one often follows, as what a member gave up is
/// handed out in the next, and it is by a heartbeat that the others hear of it.
const QUICK: Duration = Duration::from_millis(50);
/// How long that while is.
const QUICK_FOR: Duration = Duration::from_secs(4);

/// Heartbeats at `heartbeat.interval.ms` while there is a generation and more often in its first seconds,
/// at once when the connection to the coordinator has ended, and after a pause where one failed.
pub(super) async fn run(core: Rc<Core>) {
    let mut interval = core.config.heartbeat_interval;
    let mut next = Instant::now() + interval;
    let mut failures = 0;
    let (mut generation, mut since) = (NO_GENERATION, Instant::now());
    while !core.is_over() {
        let mark = core.wake.mark();
        core.look_at_clock();
        let identity = core.identity();
        if identity.generation != generation {
            (generation, since) = (identity.generation, Instant::now());
            next = next.min(since + QUICK);
        }
        interval = match since.elapsed() < QUICK_FOR {
            true => QUICK.min(core.config.heartbeat_interval),
            false => core.config.heartbeat_interval,
        };
        if identity.generation == NO_GENERATION {
            core.wake.changed_since(mark).await;
            next = Instant::now() + interval;
            failures = 0;
        } else if Instant::now() < next {
            if disconnected_before(&core, mark, next).await {
                core.unreached();
                next = Instant::now();
            }
        } else {
            let sent = Instant::now();
            if beat(&core, &identity, sent).await {
                (next, failures) = (sent + interval, 0);
                continue;
            }
            next = Instant::now() + core.cluster.retry_backoff(failures).min(interval);
            failures = failures.saturating_add(1);
        }
    }
}

/// Waits until `at` or for news of the membership; whether the connection to the coordinator ended before.
async fn disconnected_before(core: &Core, mark: u64, at: Instant) -> bool {
    let Some(connection) = core.open_connection() else {
        wait(core, mark, Some(at)).await;
        return false;
    };
    let ended = pin!(connection.ended());
    let waited = pin!(wait(core, mark, Some(at)));
    matches!(select(waited, ended).await, Either::Right(_))
}

/// One heartbeat; whether it was answered as one.
async fn beat(core: &Core, identity: &Identity, sent: Instant) -> bool {
    let purpose = match core.phase() {
        Phase::Joining => Purpose::Data,
        _ => Purpose::Coordinator,
    };
    let config = &core.config;
    let limit = config.common.request_timeout.min(config.session_timeout);
    let calls = core.calls();
    let call = calls.heartbeat(identity, purpose, limit);
    let Some(result) = core.unless_lost(call).await else {
        // What it says is of a membership that is over.
        return true;
    };
    core.note_call(&result);
    match result {
        Ok(()) => {
            core.vouch(sent);
            true
        }
        Err(error) => take_error(core, identity, sent, error),
    }
}

fn take_error(core: &Core, identity: &Identity, sent: Instant, error: ClientError) -> bool {
    let current = core.identity() == *identity;
    match remedy(&error) {
        Remedy::Rejoin => {
            core.vouch_in_round(sent);
            // Of an earlier generation, it is the rebalance that led to this one.
            if current && core.phase() == Phase::Stable {
                core.want_join("group is already rebalancing");
            }
            true
        }
        Remedy::ForgetMember if current => {
            core.lose(LossReason::UnknownMember);
            true
        }
        // While the member joins, the answer to that may be on its way.
        Remedy::ForgetGeneration if current && core.phase() != Phase::Joining => {
            core.lose(LossReason::IllegalGeneration);
            true
        }
        Remedy::ForgetMember | Remedy::ForgetGeneration => true,
        Remedy::GiveUp if is_final(&error) => {
            core.fail(error);
            true
        }
        Remedy::GiveUp | Remedy::Later | Remedy::TakeMemberId => {
            tracing::debug!(group = core.config.group_id, %error, "heartbeat failed");
            false
        }
    }
}

/// As in Kafka, other errors are tried again for as long as the session lasts.
fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Api { kind, .. } => {
            matches!(kind, ApiErrorKind::Fenced | ApiErrorKind::Authorization)
        }
        error => error.is_refusal(),
    }
}
