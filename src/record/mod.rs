//! Kafka's record batch format v2: one codec for the wire and for the embedded log's segments.

use crate::api::Span;

/// A compression codec (attribute bits 0-2 of a batch).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the variants are the names of the codecs")]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// A codec and its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompressionConfig {
    /// The codec.
    pub codec: Compression,
    /// Its level; `None` is the codec's default.
    pub level: Option<i32>,
}

/// A record's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    /// Name, UTF-8.
    pub key: &'a [u8],
    /// Value.
    pub value: Option<&'a [u8]>,
}

/// A record as ranges into its batch's buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordRef {
    /// Kafka offset.
    pub offset: i64,
    /// Milliseconds since the epoch; −1 = none.
    pub timestamp: i64,
    /// Key.
    pub key: Span,
    /// Value.
    pub value: Span,
    /// The encoded headers.
    pub headers: Span,
    /// How many.
    pub header_count: u32,
}
