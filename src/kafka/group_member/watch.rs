//! Looks at the clock: sessions end, callers fall silent, coordinators are out of reach.

use std::rc::Rc;
use std::time::{Duration, Instant};

use super::state::Core;
use crate::kafka::group::Identity;
use crate::shard;

/// Notices deadlines when they come, whatever else goes on.
pub(super) async fn run(core: Rc<Core>) {
    while !core.is_over() {
        let mark = core.wake.mark();
        core.look_at_clock();
        if core.is_poll_overdue() {
            leave_unpolled(&core);
            continue;
        }
        wait(&core, mark, core.next_deadline()).await;
    }
}

/// The caller is silent: others shall get its work (Kafka: `handlePollTimeoutExpiry`).
fn leave_unpolled(core: &Rc<Core>) {
    let config = &core.config;
    tracing::warn!(
        group = config.group_id,
        rebalance_timeout_ms = config.rebalance_timeout.as_millis(),
        "the member was not polled for the rebalance timeout, leaving the group"
    );
    let identity = core.lose_unpolled();
    if config.group_instance_id.is_some() || identity.member_id.is_empty() {
        return;
    }
    let limit = config.common.request_timeout;
    let core = Rc::clone(core);
    // Ends by itself within the limit, or when the member is dropped.
    shard::spawn(async move {
        say_farewell(&core, &identity, limit, "poll timeout has expired").await;
    });
}

/// Tells the coordinator that a member leaves, within `limit`.
pub(super) async fn say_farewell(core: &Core, identity: &Identity, limit: Duration, reason: &str) {
    let calls = core.calls();
    let context = format!("leaving group {}", core.config.group_id);
    let attempt = async || {
        let left = calls.leave(identity, reason).await;
        core.note_call(&left);
        left
    };
    let group = core.config.group_id.as_str();
    match core.cluster.with_retries(&context, limit, attempt).await {
        Ok(()) => tracing::info!(group, reason, "left the group"),
        Err(error) => tracing::info!(%error, reason, "could not leave the group"),
    }
}

/// Waits for news of the membership, at the latest until `at`.
pub(super) async fn wait(core: &Core, mark: u64, at: Option<Instant>) {
    let changed = core.wake.changed_since(mark);
    match at {
        None => changed.await,
        Some(at) => {
            let left = at.saturating_duration_since(Instant::now());
            shard::timeout(left.max(Duration::from_millis(1)), changed)
                .await
                .unwrap_or(());
        }
    }
}
