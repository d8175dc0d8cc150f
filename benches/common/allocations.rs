//! An allocator that counts: what the benches print, what `tests/allocations.rs` holds the data path to,
//! and what the fuzz targets (`src/fuzz`) hold decoders to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

static OF_ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Without a destructor, so that it may be used while a thread ends.
    static OF_THREAD: Cell<u64> = const { Cell::new(0) };
    // Below zero where a thread frees what others allocated.
    static BYTES: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator; each allocation, and each growth of one, counts as one.
pub(crate) struct Counting;

fn count(bytes: i64) {
    OF_ALL.fetch_add(1, Ordering::Relaxed);
    OF_THREAD.set(OF_THREAD.get() + 1);
    hold(bytes);
}

fn hold(bytes: i64) {
    let held = BYTES.get() + bytes;
    BYTES.set(held);
    PEAK.set(PEAK.get().max(held));
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[expect(unsafe_code, reason = "only so can allocations be counted")]
// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller's promise for `layout` is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(signed(layout.size()));
        // SAFETY: the caller's promise for `layout` is the one that is asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(signed(new_size) - signed(layout.size()));
        // SAFETY: `old` came from the system's allocator with `layout`, as the caller promises.
        unsafe { System.realloc(old, layout, new_size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        hold(-signed(layout.size()));
        // SAFETY: `old` came from the system's allocator with `layout`, as the caller promises.
        unsafe { System.dealloc(old, layout) }
    }
}

/// Allocations that this thread has made so far.
pub(crate) fn of_this_thread() -> u64 {
    OF_THREAD.get()
}

/// Allocations that all threads of the process have made so far.
pub(crate) fn of_all_threads() -> u64 {
    OF_ALL.load(Ordering::Relaxed)
}

/// The most bytes that this thread held at a time during `run`, above what it held before.
pub(crate) fn peak_of_this_thread<T>(run: impl FnOnce() -> T) -> (T, u64) {
    let before = BYTES.get();
    PEAK.set(before);
    let done = run();
    let peak = PEAK.get().saturating_sub(before);
    (done, u64::try_from(peak).unwrap_or(0))
}
