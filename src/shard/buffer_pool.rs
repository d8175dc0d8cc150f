//! Large buffers that come back: a fresh vector of 128 KiB or more goes through mmap and page faults
//! each time (feasibility 8), so shards keep a few.
//!
//! The pool is per thread. A buffer dropped on another thread is freed there.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut, Range};

use bytes::Bytes;

/// Bytes of idle buffers kept per thread and kind.
const KEPT_BYTES: usize = 6 << 20;
/// Smaller ones are left to the allocator.
const KEPT_LEAST: usize = 16 << 10;

#[derive(Default)]
struct Pool {
    vecs: Vec<Vec<u8>>,
    filled: Vec<Vec<u8>>,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// Takes the smallest kept vector that fits, so that big ones stay for big needs.
fn take(kept: &mut Vec<Vec<u8>>, least: usize) -> Option<Vec<u8>> {
    let fits =
        |vec: &Vec<u8>| vec.capacity() >= least && vec.capacity() / 4 <= least.max(KEPT_LEAST);
    let (index, _) = kept
        .iter()
        .enumerate()
        .filter(|(_, v)| fits(v))
        .min_by_key(|(_, v)| v.capacity())?;
    Some(kept.swap_remove(index))
}

fn give(kept: &mut Vec<Vec<u8>>, vec: Vec<u8>) {
    let sum: usize = kept.iter().map(Vec::capacity).sum();
    if vec.capacity() >= KEPT_LEAST && sum + vec.capacity() <= KEPT_BYTES {
        kept.push(vec);
    }
}

/// An empty growing buffer with room for at least `capacity` bytes.
pub fn take_vec(capacity: usize) -> PooledVec {
    let kept = POOL
        .try_with(|pool| take(&mut pool.borrow_mut().vecs, capacity))
        .ok()
        .flatten();
    let mut vec = kept.unwrap_or_default();
    vec.clear();
    vec.reserve(capacity);
    PooledVec(vec)
}

/// A buffer of exactly `len` readable bytes of unspecified content, for reading into.
pub fn take_filled(len: usize) -> FilledBuffer {
    let kept = POOL
        .try_with(|pool| take(&mut pool.borrow_mut().filled, len))
        .ok()
        .flatten();
    let mut vec = kept.unwrap_or_default();
    if vec.len() < len {
        // A vector that can't grow in place is not worth copying.
        if vec.capacity() < len {
            vec = Vec::with_capacity(len);
        }
        vec.resize(len, 0);
    }
    FilledBuffer { vec, len }
}

/// A vector that returns to its thread's pool when dropped.
#[derive(Debug, Default)]
pub struct PooledVec(Vec<u8>);

impl PooledVec {
    /// The vector itself, out of the pool for good.
    pub fn into_inner(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// Shares the content; the vector returns when the last clone is dropped.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl From<Vec<u8>> for PooledVec {
    fn from(vec: Vec<u8>) -> Self {
        Self(vec)
    }
}

impl Deref for PooledVec {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for PooledVec {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl AsRef<[u8]> for PooledVec {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for PooledVec {
    fn drop(&mut self) {
        let vec = std::mem::take(&mut self.0);
        // The thread is ending when its pool is gone: then the vector is simply freed.
        POOL.try_with(move |pool| give(&mut pool.borrow_mut().vecs, vec))
            .unwrap_or(());
    }
}

/// A buffer whose bytes are all initialised, so that it can be read into again and again.
#[derive(Debug)]
pub struct FilledBuffer {
    vec: Vec<u8>,
    len: usize,
}

impl FilledBuffer {
    /// Shares `range` of the content; the buffer returns when the last clone is dropped. A range past
    /// the end is cut off.
    pub fn into_bytes(self, range: Range<usize>) -> Bytes {
        let end = range.end.min(self.len);
        let start = range.start.min(end);
        Bytes::from_owner(self).slice(start..end)
    }

    /// Makes it `len` bytes long, keeping the content.
    pub fn grow(&mut self, len: usize) {
        if self.vec.len() < len {
            self.vec.resize(len, 0);
        }
        self.len = self.len.max(len);
    }
}

impl Deref for FilledBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.vec[..self.len]
    }
}

impl DerefMut for FilledBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.vec[..self.len]
    }
}

impl AsRef<[u8]> for FilledBuffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for FilledBuffer {
    fn drop(&mut self) {
        let vec = std::mem::take(&mut self.vec);
        // The thread is ending when its pool is gone: then the vector is simply freed.
        POOL.try_with(move |pool| give(&mut pool.borrow_mut().filled, vec))
            .unwrap_or(());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_handed_out_again_and_a_shared_one_only_after_its_last_clone() {
        let buffer = take_filled(100_000);
        let address = buffer.as_ptr();
        let bytes = buffer.into_bytes(0..50);
        let clone = bytes.clone();
        drop(bytes);
        assert_ne!(take_filled(100_000).as_ptr(), address);
        assert_eq!(clone.len(), 50);
        drop(clone);
        let pair = (take_filled(100_000), take_filled(100_000));
        assert!(pair.0.as_ptr() == address || pair.1.as_ptr() == address);
    }

    #[test]
    fn the_pool_keeps_a_bounded_number_of_bytes() {
        let many: Vec<_> = (0..64).map(|_| take_vec(1 << 20)).collect();
        drop(many);
        let kept = POOL.with(|pool| pool.borrow().vecs.iter().map(Vec::capacity).sum::<usize>());
        assert!(kept <= KEPT_BYTES, "{kept}");
        assert!(kept >= 1 << 20);
    }
}
