//! Time on a shard.

use std::pin::pin;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};

use super::executor::{RuntimeKind, current_runtime};

/// The time allowed is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out after {} ms", .0.as_millis())]
pub struct Elapsed(pub Duration);

/// Longest sleep that is armed at once; longer ones are as good as this (about ten years).
const LONGEST: Duration = Duration::from_secs(315_360_000);

/// Shorter naps are not worth a common end.
const NAP_LEAST: Duration = Duration::from_millis(16);
/// Milliseconds between the points at which the longest naps end.
const LONGEST_TICK: u64 = 1 << 13;

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

/// Sleeps for up to `duration`, and wakes with the others that nap: naps end at common points in time, so
/// that hundreds of idle futures wake their shard as often as one. For waits without a deadline of their
/// own. Below 16 ms it is a [`sleep`].
pub async fn nap(duration: Duration) {
    sleep(nap_left(first_point().elapsed(), duration)).await;
}

/// The next of the points in time that lie `interval` (at least 1 ms) apart, the same for all that ask: for
/// what is due at intervals in hundreds of futures, which then wake their shard as often as one.
pub fn next_common(interval: Duration) -> Instant {
    let first = first_point();
    first + point_after(first.elapsed(), interval)
}

/// What common points are counted from.
fn first_point() -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    *FIRST.get_or_init(Instant::now)
}

fn point_after(past: Duration, interval: Duration) -> Duration {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let interval = millis(interval).max(1);
    let points = millis(past) / interval + 1;
    Duration::from_millis(points.saturating_mul(interval))
}

/// Time to the last point within `duration` that is common to naps of about that length, `past` after the
/// first point.
fn nap_left(past: Duration, duration: Duration) -> Duration {
    if duration < NAP_LEAST {
        return duration;
    }
    // A whole number of these fits into each longer nap, so that all meet.
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let tick = LONGEST_TICK.min(1 << millis.ilog2());
    let past = u64::try_from(past.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(past.saturating_add(millis) / tick * tick - past)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_of_one_length_end_together_whenever_they_began_and_never_last_longer() {
        let ms = Duration::from_millis;
        for began in 3000..3700 {
            let end = |nap| ms(began) + nap_left(ms(began), ms(nap));
            assert_eq!(end(1000).as_millis() % 512, 0);
            assert_eq!(end(100_000).as_millis() % 8192, 0);
            assert!(end(100_000) - ms(began) > ms(100_000 - 8192));
            assert!(end(100_000) - ms(began) <= ms(100_000));
            assert_eq!(end(1024).as_millis() % 1024, 0);
            assert!((ms(1)..=ms(1024)).contains(&(end(1024) - ms(began))));
            assert!((ms(1)..=ms(1000)).contains(&(end(1000) - ms(began))));
        }
        assert_eq!(nap_left(ms(77), ms(9)), ms(9));
    }

    #[test]
    fn common_points_lie_an_interval_apart_and_the_next_one_is_ahead() {
        let ms = Duration::from_millis;
        assert_eq!(point_after(ms(0), ms(1000)), ms(1000));
        let just_before = Duration::from_micros(999_999);
        assert_eq!(point_after(just_before, ms(1000)), ms(1000));
        assert_eq!(point_after(ms(1000), ms(1000)), ms(2000));
        assert_eq!(point_after(ms(7), Duration::ZERO), ms(8));
        let (now, next) = (Instant::now(), next_common(ms(60_000)));
        assert!(next > now && next <= Instant::now() + ms(60_000));
    }
}
