//! What a task is doing and when it got on last, for the control plane's watchdog.
//!
//! The task says which stage it is in when it calls somebody else's code or waits for room, and counts each
//! batch that got on. Whoever looks compares that with the time; the task itself is not asked, so it is seen
//! also when it holds up its shard.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::latency::Stage;

/// A task that does not get on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// The stage that does not end, or that brings nothing.
    pub stage: Stage,
    /// For how long.
    pub lasting: Duration,
}

/// What a task is doing. One thread writes; times are milliseconds of the task's clock.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// 0 between stages, else one more than the stage's number.
    stage: AtomicU32,
    since: AtomicU64,
    progressed: AtomicU64,
    /// A sink holds a batch that its task refused.
    is_refused: AtomicBool,
}

impl Watch {
    pub(super) fn enter(&self, stage: Stage, now: u64) {
        self.since.store(now, Ordering::Relaxed);
        self.stage.store(stage as u32 + 1, Ordering::Release);
    }

    pub(super) fn leave(&self) {
        self.stage.store(0, Ordering::Relaxed);
    }

    pub(super) fn progressed(&self, now: u64) {
        self.progressed.store(now, Ordering::Relaxed);
    }

    pub(super) fn set_refused(&self, is_refused: bool) {
        self.is_refused.store(is_refused, Ordering::Relaxed);
    }

    /// `waiting` names the stage that ought to bring something, when something is known to wait.
    pub(super) fn stalled(
        &self,
        waiting: Option<Stage>,
        limit: Duration,
        now: u64,
    ) -> Option<Stall> {
        let since = |then: &AtomicU64| {
            let then = then.load(Ordering::Relaxed);
            Duration::from_millis(now.saturating_sub(then))
        };
        let code = self.stage.load(Ordering::Acquire);
        let entered = Stage::ALL
            .into_iter()
            .find(|stage| *stage as u32 + 1 == code);
        let (stage, lasting) = match (entered, waiting) {
            (Some(stage), _) => (stage, since(&self.since)),
            (None, _) if self.is_refused.load(Ordering::Relaxed) => {
                (Stage::Put, since(&self.progressed))
            }
            (None, Some(stage)) => (stage, since(&self.progressed)),
            (None, None) => return None,
        };
        (lasting >= limit).then_some(Stall { stage, lasting })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn stalled(watch: &Watch, waiting: Option<Stage>, seconds: u64) -> Option<(Stage, u64)> {
        let stall = watch.stalled(waiting, LIMIT, seconds * 1000)?;
        Some((stall.stage, stall.lasting.as_secs()))
    }

    #[test]
    fn a_stage_that_does_not_end_is_named_once_the_limit_is_over() {
        let watch = Watch::default();
        watch.enter(Stage::Put, 10_000);
        assert_eq!(stalled(&watch, None, 69), None);
        assert_eq!(
            stalled(&watch, Some(Stage::Fetch), 70),
            Some((Stage::Put, 60))
        );
        watch.leave();
        assert_eq!(stalled(&watch, None, 700), None);
    }

    #[test]
    fn without_input_a_task_may_rest_for_ever_and_with_it_progress_is_expected() {
        let watch = Watch::default();
        watch.progressed(5_000);
        assert_eq!(stalled(&watch, None, 9_000), None);
        assert_eq!(stalled(&watch, Some(Stage::Fetch), 64), None);
        assert_eq!(
            stalled(&watch, Some(Stage::Fetch), 65),
            Some((Stage::Fetch, 60))
        );
        watch.progressed(65_000);
        assert_eq!(stalled(&watch, Some(Stage::Fetch), 66), None);
    }

    #[test]
    fn a_batch_that_is_refused_again_and_again_stalls_in_put() {
        let watch = Watch::default();
        watch.set_refused(true);
        assert_eq!(
            stalled(&watch, Some(Stage::Fetch), 61),
            Some((Stage::Put, 61))
        );
        watch.set_refused(false);
        assert_eq!(stalled(&watch, None, 62), None);
    }
}
