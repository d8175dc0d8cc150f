//! A bounded queue into a shard: crossbeam's `ArrayQueue` and a waker (35 µs round trip when parked, 30
//! ns of CPU per message in bulk, feasibility 4). For control messages; records never cross shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crossbeam::queue::ArrayQueue;
use futures_util::task::AtomicWaker;

struct Shared<T> {
    queue: ArrayQueue<T>,
    waker: AtomicWaker,
    senders: AtomicUsize,
}

/// The mailbox is full; the message comes back.
#[derive(Debug)]
pub struct MailboxFull<T>(pub T);

/// Sends into a shard from any thread.
pub struct Mailbox<T>(Arc<Shared<T>>);

/// Receives on the shard.
pub struct Receiver<T>(Arc<Shared<T>>);

/// A mailbox for up to `capacity` messages.
pub fn mailbox<T>(capacity: usize) -> (Mailbox<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        queue: ArrayQueue::new(capacity.max(1)),
        waker: AtomicWaker::new(),
        senders: AtomicUsize::new(1),
    });
    (Mailbox(Arc::clone(&shared)), Receiver(shared))
}

impl<T: Send + 'static> Mailbox<T> {
    /// Counts the messages that wait, without keeping the mailbox open.
    pub(super) fn gauge(&self) -> impl Fn() -> usize + Send + Sync + 'static {
        let shared = Arc::clone(&self.0);
        move || shared.queue.len()
    }
}

impl<T> Mailbox<T> {
    /// Puts a message in and wakes the shard.
    ///
    /// # Errors
    /// The mailbox is full: the shard is stuck or far behind.
    pub fn send(&self, message: T) -> Result<(), MailboxFull<T>> {
        self.0.queue.push(message).map_err(MailboxFull)?;
        self.0.waker.wake();
        Ok(())
    }
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        self.0.senders.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        if self.0.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.waker.wake();
        }
    }
}

impl<T> std::fmt::Debug for Mailbox<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox")
            .field("waiting", &self.0.queue.len())
            .finish()
    }
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("waiting", &self.0.queue.len())
            .finish()
    }
}

impl<T> Receiver<T> {
    /// The next message; `None` once every sender is gone and the queue is empty. Cancel-safe.
    pub async fn receive(&self) -> Option<T> {
        std::future::poll_fn(|cx| {
            if let Some(message) = self.0.queue.pop() {
                return Poll::Ready(Some(message));
            }
            self.0.waker.register(cx.waker());
            // Between the look and the registration a message may have come.
            match self.0.queue.pop() {
                Some(message) => Poll::Ready(Some(message)),
                None if self.0.senders.load(Ordering::Acquire) == 0 => {
                    Poll::Ready(self.0.queue.pop())
                }
                None => Poll::Pending,
            }
        })
        .await
    }
}
