//! A wake-up between futures of one shard: many waiters, no value.

use std::cell::{Cell, RefCell};
use std::task::{Poll, Waker};

/// Wakes every future that waits in [`Notify::notified`]. A notification with no waiter is kept for the
/// next one, so that nothing is missed between a check and the wait.
#[derive(Debug, Default)]
pub struct Notify {
    epoch: Cell<u64>,
    waiters: RefCell<Vec<Waker>>,
}

impl Notify {
    /// A notification that has not happened.
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes all waiters.
    pub fn notify(&self) {
        self.epoch.set(self.epoch.get().wrapping_add(1));
        for waker in self.waiters.take() {
            waker.wake();
        }
    }

    /// A mark for [`Notify::changed_since`]: take it, check the state, then wait.
    pub fn mark(&self) -> u64 {
        self.epoch.get()
    }

    /// Completes at the first notification after `mark`. Cancel-safe.
    pub async fn changed_since(&self, mark: u64) {
        std::future::poll_fn(|cx| {
            if self.epoch.get() != mark {
                return Poll::Ready(());
            }
            let mut waiters = self.waiters.borrow_mut();
            if !waiters.iter().any(|waker| waker.will_wake(cx.waker())) {
                waiters.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}
