//! Standard input: read on one thread for the whole process, one block at a time, and only when a task
//! asks for it.
//!
//! A read of standard input cannot be called back. So a block that arrives after its task has gone stays
//! here for the next one.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, Waker};

/// Bytes per block: what a pipe holds.
const BLOCK: usize = 64 << 10;
/// Stack of the thread, beside its block on the heap.
const STACK: usize = 128 << 10;

/// A reader on its own thread.
pub(super) struct ByteStream {
    state: Mutex<State>,
    wanted: Condvar,
}

#[derive(Default)]
struct State {
    wanted: bool,
    block: Option<Vec<u8>>,
    end: Option<End>,
    waiting: Vec<Waker>,
}

/// Nothing will come any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// End of the input.
    Closed,
    /// A read failed.
    Failed(String),
}

impl ByteStream {
    /// Standard input.
    pub(super) fn stdin() -> std::io::Result<Arc<Self>> {
        static STDIN: OnceLock<Arc<ByteStream>> = OnceLock::new();
        if let Some(stream) = STDIN.get() {
            return Ok(Arc::clone(stream));
        }
        // Two tasks may start at once; the loser's thread never reads.
        let stream = Self::start(std::io::stdin())?;
        Ok(Arc::clone(STDIN.get_or_init(|| stream)))
    }

    /// Reads `input` on a new thread.
    pub(super) fn start(input: impl Read + Send + 'static) -> std::io::Result<Arc<Self>> {
        let stream = Arc::new(Self {
            state: Mutex::default(),
            wanted: Condvar::new(),
        });
        let theirs = Arc::clone(&stream);
        std::thread::Builder::new()
            .name("stdin".to_owned())
            .stack_size(STACK)
            .spawn(move || theirs.read(input))?;
        Ok(stream)
    }

    /// The next bytes, at least one. Cancel-safe: a block not taken waits.
    pub(super) async fn next(&self) -> Result<Vec<u8>, End> {
        std::future::poll_fn(|cx| {
            let mut state = self.lock();
            if let Some(block) = state.block.take() {
                return Poll::Ready(Ok(block));
            }
            if let Some(end) = &state.end {
                return Poll::Ready(Err(end.clone()));
            }
            if !state.waiting.iter().any(|w| w.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            if !state.wanted {
                state.wanted = true;
                self.wanted.notify_one();
            }
            Poll::Pending
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut input: impl Read) {
        let mut buffer = vec![0; BLOCK];
        loop {
            let mut state = self.lock();
            while !state.wanted {
                state = self
                    .wanted
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            drop(state);
            let result = input.read(&mut buffer);
            let mut state = self.lock();
            match result {
                Ok(0) => state.end = Some(End::Closed),
                Ok(count) => state.block = Some(buffer[..count].to_vec()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => state.end = Some(End::Failed(error.to_string())),
            }
            state.wanted = false;
            let ended = state.end.is_some();
            for waker in std::mem::take(&mut state.waiting) {
                waker.wake();
            }
            if ended {
                return;
            }
        }
    }
}

impl std::fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ByteStream")
    }
}
