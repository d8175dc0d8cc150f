//! Buffers for large bodies: a few, made once and never freed, so that whatever clients send, resident memory
//! stays what it is. (An allocator keeps much of what threads allocate and free for itself, per thread.)

use std::sync::Mutex;

use super::lock;

/// All of them.
#[derive(Debug)]
pub(super) struct LargeBuffers {
    /// Bytes of each.
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: Vec<Vec<u8>>,
    /// How many may still be lent.
    left: usize,
}

impl LargeBuffers {
    /// `count` buffers of `size` bytes, each made when it is first needed.
    pub(super) fn new(count: usize, size: usize) -> Self {
        Self {
            size,
            state: Mutex::new(State {
                free: Vec::new(),
                left: count,
            }),
        }
    }

    /// An empty buffer; `None` while all are lent.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let mut state = lock(&self.state);
        state.left = state.left.checked_sub(1)?;
        let free = state.free.pop();
        Some(free.unwrap_or_else(|| Vec::with_capacity(self.size)))
    }

    /// Takes back a buffer, or the place of one that got lost on an error's way.
    pub(super) fn give(&self, mut buffer: Vec<u8>) {
        let mut state = lock(&self.state);
        state.left += 1;
        if buffer.capacity() >= self.size {
            buffer.clear();
            state.free.push(buffer);
        }
    }

    /// How many may still be lent.
    #[cfg(test)]
    pub(super) fn left(&self) -> usize {
        lock(&self.state).left
    }
}
