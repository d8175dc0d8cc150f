//! Waking a consumer from any thread.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// One consumer's bell. It keeps one ring until it is waited for.
#[derive(Debug, Default)]
pub(super) struct WakeUp {
    rung: AtomicBool,
    waker: AtomicWaker,
}

impl WakeUp {
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Completes after a ring since the last wait. Cancel-safe.
    pub(super) async fn wait(&self) {
        std::future::poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.rung.swap(false, Ordering::AcqRel) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }
}

/// Who wants to hear of something. Those that are gone drop out by themselves.
#[derive(Debug, Default)]
pub(super) struct Listeners(Mutex<Vec<Weak<WakeUp>>>);

impl Listeners {
    pub(super) fn add(&self, wake: &Arc<WakeUp>) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|known| known.strong_count() > 0);
        if !list
            .iter()
            .any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(wake)))
        {
            list.push(Arc::downgrade(wake));
        }
    }

    pub(super) fn remove(&self, wake: &Arc<WakeUp>) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|known| !std::ptr::eq(known.as_ptr(), Arc::as_ptr(wake)));
    }

    pub(super) fn ring(&self) {
        let list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for wake in list.iter().filter_map(Weak::upgrade) {
            wake.ring();
        }
    }
}
