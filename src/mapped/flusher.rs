//! The flusher thread: one per process, started with the first store.

use std::panic::AssertUnwindSafe;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

/// Something with dirty state to bring to disk.
pub(super) trait Flush: Send + Sync {
    /// Brings everything that is dirty now to disk, lets go of the store and tells who waits for it.
    fn flush_now(self: Arc<Self>);
}

static FLUSHER: Mutex<Option<Sender<Arc<dyn Flush>>>> = Mutex::new(None);

/// Hands a store to the flusher thread. A store is queued once at a time, which bounds the queue by the
/// number of stores.
///
/// # Errors
/// The thread can't be started.
pub(super) fn submit(store: Arc<dyn Flush>) -> std::io::Result<()> {
    let mut flusher = FLUSHER.lock().unwrap_or_else(PoisonError::into_inner);
    let store = match flusher.as_ref() {
        Some(sender) => match sender.send(store) {
            Ok(()) => return Ok(()),
            Err(refused) => refused.0,
        },
        None => store,
    };
    let (sender, receiver) = channel::<Arc<dyn Flush>>();
    std::thread::Builder::new()
        .name("flusher".to_owned())
        .stack_size(256 << 10)
        .spawn(move || {
            crate::shard::unpin_current_thread();
            while let Ok(store) = receiver.recv() {
                let flush = AssertUnwindSafe(|| store.flush_now());
                if std::panic::catch_unwind(flush).is_err() {
                    tracing::error!("the flusher panicked; the offsets stay dirty");
                }
            }
        })?;
    // The new thread holds the receiver.
    drop(sender.send(store));
    *flusher = Some(sender);
    Ok(())
}
