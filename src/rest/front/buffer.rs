//! Bytes that were read and not used yet.

/// A short buffer: bodies go elsewhere.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    used: usize,
}

impl Buffer {
    pub(super) fn unread(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    /// Passes over `count` bytes, which are there.
    pub(super) fn consume(&mut self, count: usize) {
        self.used += count;
    }

    /// Used bytes are moved out of the way here, once for many of them.
    pub(super) fn fill(&mut self, bytes: &[u8]) {
        if self.used > 0 {
            self.bytes.drain(..self.used);
            self.used = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }
}
