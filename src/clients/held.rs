//! What whole batches keep in memory.

use std::cell::Cell;
use std::rc::Rc;

use crate::api::SharedBuffer;

/// Counts a shared buffer in a producer's total once, for as long as one of its batches is held there.
#[derive(Debug)]
pub struct HeldBuffer {
    buffer: Rc<SharedBuffer>,
    total: Rc<Cell<usize>>,
}

impl HeldBuffer {
    /// Holds `buffer`; its bytes count in `total` until the last holder is dropped.
    pub fn new(buffer: &Rc<SharedBuffer>, total: &Rc<Cell<usize>>) -> Self {
        total.set(total.get() + buffer.hold());
        Self {
            buffer: Rc::clone(buffer),
            total: Rc::clone(total),
        }
    }
}

impl Drop for HeldBuffer {
    fn drop(&mut self) {
        let freed = self.buffer.release();
        self.total.set(self.total.get().saturating_sub(freed));
    }
}
