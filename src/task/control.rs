//! What the control plane wants of a task or connector instance, and what the instance reports back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// What an instance shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Move records.
    Run,
    /// Keep everything, move nothing.
    Pause,
    /// Settle what is under way and end.
    Stop,
}

impl Wish {
    fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Run,
            1 => Self::Pause,
            _ => Self::Stop,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Run => 0,
            Self::Pause => 1,
            Self::Stop => 2,
        }
    }
}

#[derive(Debug)]
struct Shared {
    wish: AtomicU8,
    waker: AtomicWaker,
}

/// The control plane's end: sets the wish from any thread. A stop can't be taken back.
#[derive(Debug, Clone)]
pub struct ControlHandle(Arc<Shared>);

/// The instance's end: reads the wish and waits for changes. One waiting future at a time, clones included.
#[derive(Debug, Clone)]
pub struct Control(Arc<Shared>);

/// A pair that begins with `wish`.
pub fn control(wish: Wish) -> (ControlHandle, Control) {
    let shared = Arc::new(Shared {
        wish: AtomicU8::new(wish.code()),
        waker: AtomicWaker::new(),
    });
    (ControlHandle(Arc::clone(&shared)), Control(shared))
}

impl ControlHandle {
    /// Sets the wish and wakes the instance.
    pub fn set(&self, wish: Wish) {
        let change = |now: u8| (now != Wish::Stop.code()).then_some(wish.code());
        if self
            .0
            .wish
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, change)
            .is_ok()
        {
            self.0.waker.wake();
        }
    }
}

impl Control {
    /// The wish now.
    pub fn wish(&self) -> Wish {
        Wish::from_code(self.0.wish.load(Ordering::Acquire))
    }

    /// Completes when the wish is another than `known`. Cancel-safe.
    pub async fn changed_from(&self, known: Wish) -> Wish {
        std::future::poll_fn(|cx| {
            if self.wish() == known {
                self.0.waker.register(cx.waker());
            }
            match self.wish() {
                wish if wish == known => Poll::Pending,
                wish => Poll::Ready(wish),
            }
        })
        .await
    }

    /// Completes when a stop is wished. Cancel-safe.
    pub async fn stopped(&self) {
        let mut wish = self.wish();
        while wish != Wish::Stop {
            wish = self.changed_from(wish).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_can_not_be_taken_back() {
        let (handle, control) = control(Wish::Run);
        handle.set(Wish::Pause);
        assert_eq!(control.wish(), Wish::Pause);
        handle.set(Wish::Stop);
        handle.set(Wish::Run);
        assert_eq!(control.wish(), Wish::Stop);
    }
}
