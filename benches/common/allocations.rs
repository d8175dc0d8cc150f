//! An allocator that counts: what the benches print and `tests/allocations.rs` holds the data path to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

static OF_ALL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    // Without a destructor, so that it may be used while a thread ends.
    static OF_THREAD: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator; each allocation, and each growth of one, counts as one.
pub(crate) struct Counting;

fn count() {
    OF_ALL.fetch_add(1, Ordering::Relaxed);
    OF_THREAD.set(OF_THREAD.get() + 1);
}

#[expect(unsafe_code, reason = "only so can allocations be counted")]
// SAFETY: every call goes to the system's allocator unchanged; counting neither allocates nor panics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise for `layout` is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise for `layout` is the one that is asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: `old` came from the system's allocator with `layout`, as the caller promises.
        unsafe { System.realloc(old, layout, new_size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
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
