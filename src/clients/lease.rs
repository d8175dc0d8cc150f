//! Until when a task may write.
//!
//! A distributed worker that its group has not heard of for the time of a session may have been replaced:
//! others run its tasks then. It may not know that yet, because it was stopped, or its network was. So a
//! task looks at the clock before it hands records on, and once the session may be over it waits, until
//! the group has answered again or the control plane drops it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::shard;

/// Wait before a lease that is over is looked at again.
const RETRY: Duration = Duration::from_millis(20);

/// A worker's right to write. Clones are the same; used from any thread.
#[derive(Debug, Clone, Default)]
pub struct Lease(Option<Arc<Shared>>);

#[derive(Debug)]
struct Shared {
    origin: Instant,
    /// Nanoseconds after `origin`.
    until: AtomicU64,
}

impl Lease {
    /// For ever: the worker is in no group.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// One that is over until it is extended.
    pub fn of_group() -> Self {
        Self(Some(Arc::new(Shared {
            origin: Instant::now(),
            until: AtomicU64::new(0),
        })))
    }

    /// The group has the worker as its member until then at least. An earlier time than before is none.
    pub fn extend(&self, until: Instant) {
        if let Some(shared) = &self.0 {
            let until = until.saturating_duration_since(shared.origin).as_nanos();
            let until = u64::try_from(until).unwrap_or(u64::MAX);
            shared.until.fetch_max(until, Ordering::Release);
        }
    }

    /// The worker is no member any more.
    pub fn end(&self) {
        if let Some(shared) = &self.0 {
            shared.until.store(0, Ordering::Release);
        }
    }

    /// Whether somebody else may be running the worker's tasks.
    pub fn is_over(&self) -> bool {
        let Some(shared) = &self.0 else {
            return false;
        };
        let now = shared.origin.elapsed().as_nanos();
        now >= u128::from(shared.until.load(Ordering::Acquire))
    }

    /// Completes when the worker may write. Cancel-safe.
    pub async fn held(&self) {
        while self.is_over() {
            shard::sleep(RETRY).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_of_a_group_holds_from_an_extension_to_its_time() {
        let lease = Lease::of_group();
        assert!(lease.is_over());
        let held = lease.clone();
        lease.extend(Instant::now() + Duration::from_secs(3600));
        assert!(!held.is_over());
        lease.extend(Instant::now());
        assert!(!held.is_over(), "an extension never shortens it");
        lease.end();
        assert!(held.is_over());
        assert!(!Lease::unlimited().is_over());
    }

    #[test]
    fn what_waits_for_a_lease_goes_on_with_its_extension_and_not_before() {
        shard::run(shard::RuntimeKind::Epoll, None, async {
            let lease = Lease::of_group();
            let waits = shard::timeout(Duration::from_millis(60), lease.held()).await;
            assert!(waits.is_err());
            lease.extend(Instant::now() + Duration::from_secs(60));
            lease.held().await;
        })
        .unwrap();
    }
}
