//! Time on a shard.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};

use super::executor::{RuntimeKind, current_runtime};

/// The time allowed is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out after {} ms", .0.as_millis())]
pub struct Elapsed(pub Duration);

/// Longest sleep that is armed at once; longer ones are as good as this (about ten years).
const LONGEST: Duration = Duration::from_secs(315_360_000);

/// Completes after `duration`, rounded up to the timer's 1 ms.
pub async fn sleep(duration: Duration) {
    let duration = duration.min(LONGEST);
    match current_runtime() {
        RuntimeKind::IoUring => {
            glommio::timer::sleep(duration).await;
        }
        RuntimeKind::Epoll => tokio::time::sleep(duration).await,
    }
}

/// Runs `future` for at most `duration`, then drops it.
///
/// # Errors
/// [`Elapsed`] when the time was over first.
pub async fn timeout<F: Future>(duration: Duration, future: F) -> Result<F::Output, Elapsed> {
    let future = pin!(future);
    let timer = pin!(sleep(duration));
    match select(future, timer).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(Elapsed(duration)),
    }
}

/// Lets other futures of the shard run when this one has used up its turn. Costs nanoseconds otherwise.
pub async fn yield_if_needed() {
    match current_runtime() {
        RuntimeKind::IoUring => {
            glommio::yield_if_needed().await;
        }
        RuntimeKind::Epoll => tokio::task::coop::consume_budget().await,
    }
}

/// Lets every other ready future of the shard run once.
pub async fn yield_now() {
    match current_runtime() {
        RuntimeKind::IoUring => {
            glommio::executor().yield_task_queue_now().await;
        }
        RuntimeKind::Epoll => tokio::task::yield_now().await,
    }
}
