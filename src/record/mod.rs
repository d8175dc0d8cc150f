//! Kafka's record batches, format v2 (KIP-98): one codec for the wire and for the embedded log.
//!
//! ```text
//! append, append, … ─→ BatchBuilder::finish ─→ bytes of one batch ─→ a produce request, a segment
//! a fetch response, a segment ─→ Batches ─→ Batch ─→ decode ─→ RecordRef, RecordRef, … (spans)
//!                                             └─→ raw_batch ─→ RawBatch ─→ rewritten_header ─→ another log
//! ```
//!
//! It does no I/O and uses [`crate::api`] alone: [`crate::api::Span`] and [`crate::api::RawBatch`]. `kafka` and
//! `embedded` call it from shards.
//!
//! # Invariants
//! * Bytes stay where they are: records of uncompressed batches are spans of the fetched buffer, those
//!   of compressed ones are spans of a buffer that the caller lends and pools. No heap object per record.
//! * Bytes that others wrote are not trusted: each length is checked, memory is reserved for what the
//!   bytes can hold and for [`DecodeOptions::max_decompressed`] at most, and a bad batch is a
//!   [`RecordError`] that says what and where, never a panic. With CRCs checked, changed bytes do not
//!   pass for records. A batch that fails to decode gives none of its records.
//! * What is written is what Kafka's own classes write, and the other way round; `fixtures/` holds
//!   batches of theirs. Codecs may choose other bytes for the same content.
//!
//! # Threads
//! Nothing is shared between threads. Each thread keeps its own codec contexts and work space.
//!
//! # Old formats
//! Messages of before Kafka 0.11 (magic 0 and 1), which brokers up to 3.x return for old segments, are
//! read: each message, or compressed set of messages, is a [`Batch`]. They are never written, and
//! [`BatchHeader::parse`] and the patches of a batch refuse them.

mod batches;
mod builder;
mod compression;
mod decode;
mod error;
mod header;
mod legacy;
mod raw;
mod varint;

#[cfg(test)]
mod tests;

pub use batches::{Batch, Batches};
pub use builder::{BatchBuilder, control_batch, size_upper_bound};
pub use compression::{Compression, CompressionConfig};
pub use decode::{
    ControlBatch, ControlRecord, DecodeOptions, Headers, RecordBytes, RecordHeader, RecordRef,
    decode, headers,
};
pub use error::{DecompressFault, RecordError, RecordFault};
pub use header::{
    BatchHeader, HEADER_BYTES, MAGIC_V2, ProducerFields, TimestampType, rewrite_producer_fields,
    set_base_offset,
};
pub use raw::{RawEncoder, codec_of, decode_raw, encode_raw, passes, raw_batch, rewritten_header};
