//! Futures of a shard: started with [`spawn`], joined or cancelled through a [`JoinHandle`], and fenced
//! so that a panic ends one future and not the executor (glommio dies of an unfenced one).

use std::any::Any;
use std::cell::RefCell;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, Abortable};

use super::executor::{RuntimeKind, current_runtime};
use super::notify::Notify;

/// A future panicked; the text is the panic's message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("panicked: {0}")]
pub struct Panicked(pub String);

/// How a spawned future ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskEnd<T> {
    /// It ran to its end.
    Done(T),
    /// It panicked.
    Panicked(Panicked),
    /// It was cancelled.
    Cancelled,
}

/// The message of a panic's payload.
pub fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "(no message)".to_owned())
}

#[derive(Debug)]
struct Shared<T> {
    end: RefCell<Option<TaskEnd<T>>>,
    ended: Notify,
}

/// A spawned future. Dropping the handle lets the future run on.
#[derive(Debug)]
pub struct JoinHandle<T> {
    shared: Rc<Shared<T>>,
    abort: AbortHandle,
}

impl<T> JoinHandle<T> {
    /// Completes when the future has ended. Cancel-safe.
    pub async fn join(&self) -> TaskEnd<T> {
        loop {
            let mark = self.shared.ended.mark();
            if let Some(end) = self.shared.end.borrow_mut().take() {
                return end;
            }
            self.shared.ended.changed_since(mark).await;
        }
    }

    /// Drops the future at its next await and completes when it is gone.
    pub async fn cancel(&self) -> TaskEnd<T> {
        self.abort.abort();
        self.join().await
    }

    /// Asks for the drop without waiting.
    pub fn abort(&self) {
        self.abort.abort();
    }
}

/// How long futures of a shard were polled: their CPU time, as long as nobody takes the CPU away from the
/// shard's thread. Written by one shard, read by anybody; clones are the same.
#[derive(Debug, Clone, Default)]
pub struct BusyTime(Arc<AtomicU64>);

impl BusyTime {
    /// The sum up to now, without a poll that is under way.
    pub fn read(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn add(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let before = self.0.load(Ordering::Relaxed);
        self.0
            .store(before.saturating_add(nanos), Ordering::Relaxed);
    }
}

thread_local! {
    /// Where the time of the future that is polled now goes.
    static BUSY: RefCell<Option<BusyTime>> = const { RefCell::new(None) };
}

/// Starts a future whose time is added to `busy`, and with it that of every future that it starts, theirs
/// included: clients' readers and senders, say. Two looks at the clock for each poll of them.
pub fn spawn_metered<T: 'static>(
    future: impl Future<Output = T> + 'static,
    busy: BusyTime,
) -> JoinHandle<T> {
    let before = BUSY.replace(Some(busy));
    let handle = spawn(future);
    BUSY.set(before);
    handle
}

/// Starts a future on this shard.
pub fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
    let shared = Rc::new(Shared {
        end: RefCell::new(None),
        ended: Notify::new(),
    });
    let (abort, registration) = AbortHandle::new_pair();
    let result = Rc::clone(&shared);
    // Boxed out here: the block below would keep room for it beside the box.
    let future = CatchUnwind {
        inner: Box::pin(future),
        busy: BUSY.with_borrow(Option::clone),
    };
    let fenced = async move {
        YieldOnce::default().await;
        let outcome = Abortable::new(future, registration).await;
        let end = match outcome {
            Ok(Ok(value)) => TaskEnd::Done(value),
            Ok(Err(panicked)) => TaskEnd::Panicked(panicked),
            Err(_) => TaskEnd::Cancelled,
        };
        *result.end.borrow_mut() = Some(end);
        result.ended.notify();
    };
    match current_runtime() {
        RuntimeKind::IoUring => {
            glommio::spawn_local(fenced).detach();
        }
        RuntimeKind::Epoll => {
            tokio::task::spawn_local(fenced);
        }
    }
    JoinHandle { shared, abort }
}

/// Puts the first poll off: glommio polls a new future inside of its `spawn_local`, where the caller may
/// hold a borrow that the future wants; tokio does not.
#[derive(Default)]
struct YieldOnce {
    yielded: bool,
}

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Polls the inner future behind `catch_unwind`, and drops it there too.
struct CatchUnwind<F> {
    inner: Pin<Box<F>>,
    /// Where its time goes; what it starts gets the same.
    busy: Option<BusyTime>,
}

impl<F: Future> Future for CatchUnwind<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { inner, busy } = &mut *self;
        let mut poll = || std::panic::catch_unwind(AssertUnwindSafe(|| inner.poll_unpin(cx)));
        let polled = match busy.take() {
            None => poll(),
            Some(own) => {
                let before = BUSY.replace(Some(own));
                let began = Instant::now();
                let polled = poll();
                let took = began.elapsed();
                *busy = BUSY.replace(before);
                if let Some(busy) = busy {
                    busy.add(took);
                }
                polled
            }
        };
        match polled {
            Ok(poll) => poll.map(Ok),
            Err(payload) => Poll::Ready(Err(Panicked(panic_message(payload.as_ref())))),
        }
    }
}
