//! Memory-mapped, doubled, checksummed slot files: small key-value stores that survive `kill -9` and
//! power loss. `storage/` keeps source offsets in one, `embedded/` the offsets of consumer groups.
//!
//! ```text
//! page 0, 1   header, two copies: magic, format version, page size, uuid, generation, pages, extents
//! extent      n slots of one size class, first all first copies, then all second copies,
//!             each half in pages of its own
//! slot        magic, CRC-32C, sequence number, lengths, key, value
//! ```
//!
//! Invariants:
//! * A write goes to the copy of a slot that is not the last durable one, and only the flusher writes:
//!   what was once flushed is never touched before its successor is on disk.
//! * Recovery takes the copy with a valid checksum and the highest sequence number.
//! * The file grows by `fallocate` and `fsync` before it is mapped again: storing into a hole on a full
//!   disk would be SIGBUS. Its length is checked against the header at open and before each commit,
//!   and an exclusive `flock` keeps other workers out.
//! * `msync` runs on the flusher thread only (one per process, group commit), never on a shard.
//!
//! Uses `shard/` for thread placement; used by `storage/` and `embedded/`. `unsafe` are the
//! mapping itself, in `mmap_file.rs`, and giving the program's own mappings back, in `resident.rs`.

mod error;
mod flusher;
mod mmap_file;
mod resident;
mod slot_file;
mod slot_store;

pub use error::SlotError;
pub use mmap_file::{LockedFile, lock_holder, sync_parent};
pub use resident::give_back;
pub use slot_file::{Entry, PAYLOAD_MAX};
pub use slot_store::SlotStore;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
pub(crate) mod tests;
