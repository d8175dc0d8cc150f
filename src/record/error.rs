use thiserror::Error;

use super::Compression;

/// What is wrong with a batch, or why one could not be written.
///
/// `position` counts bytes from the start of the buffer that was handed in, `base_offset` is the
/// batch's first Kafka offset as its header has it, `record` counts records of the batch from 0.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// A format that Kafka does not have: not a record batch, or a newer Kafka's.
    #[error("record batch at byte {position} has unknown magic {magic}; 0, 1 and 2 are known")]
    BadMagic {
        /// Where the batch starts.
        position: usize,
        /// The magic byte.
        magic: i8,
    },
    /// A message of a format before Kafka 0.11 (KIP-98 brought magic 2) where only a record batch will
    /// do. [`super::Batches`] and [`super::decode`] read them.
    #[error("message with offset {base_offset} has the old message format v{magic}")]
    OldMessageFormat {
        /// Its offset.
        base_offset: i64,
        /// 0 or 1.
        magic: i8,
    },
    /// The batch announces a length that no batch can have.
    #[error("record batch at byte {position} (base offset {base_offset}) has bad length {length}")]
    BadLength {
        /// Where the batch starts.
        position: usize,
        /// First offset.
        base_offset: i64,
        /// The length field: bytes after it.
        length: i32,
    },
    /// The bytes are not those that were written.
    #[error(
        "record batch at byte {position} (base offset {base_offset}) is corrupt: \
         its CRC should be {expected:#010x}, found {found:#010x}"
    )]
    Crc {
        /// Where the batch starts.
        position: usize,
        /// First offset.
        base_offset: i64,
        /// What the header says.
        expected: u32,
        /// What the bytes give.
        found: u32,
    },
    /// Attribute bits of a codec that Kafka does not have.
    #[error("record batch with base offset {base_offset} names unknown compression {id}")]
    UnknownCompression {
        /// First offset.
        base_offset: i64,
        /// The lowest three bits of the attributes.
        id: u8,
    },
    /// A record does not fit what surrounds it.
    #[error(
        "record {record} of the batch with base offset {base_offset} is malformed at byte \
         {position} of the batch's records: {fault}"
    )]
    BadRecord {
        /// First offset of the batch.
        base_offset: i64,
        /// Which record.
        record: u32,
        /// Byte within the (decompressed) records.
        position: usize,
        /// What is wrong.
        fault: RecordFault,
    },
    /// More or fewer records than the header counts.
    #[error(
        "record batch with base offset {base_offset} declares {declared} records, \
         but {remaining} bytes are left after record {found}"
    )]
    CountMismatch {
        /// First offset.
        base_offset: i64,
        /// The header's count.
        declared: i32,
        /// Records that were read.
        found: u32,
        /// Bytes that belong to none of them.
        remaining: usize,
    },
    /// The compressed bytes cannot be read.
    #[error(
        "record batch with base offset {base_offset} cannot be decompressed ({codec}): {fault}"
    )]
    Decompress {
        /// First offset.
        base_offset: i64,
        /// The codec its attributes name.
        codec: Compression,
        /// What is wrong.
        fault: DecompressFault,
    },
    /// The records would be larger than the caller allows.
    #[error(
        "record batch with base offset {base_offset} ({codec}) is larger than {cap} bytes when \
         decompressed"
    )]
    TooLargeDecompressed {
        /// First offset.
        base_offset: i64,
        /// Its codec.
        codec: Compression,
        /// The cap, in bytes.
        cap: usize,
    },
    /// Spans count in 32 bits.
    #[error("{bytes} bytes of records are more than the 4 GiB that a span can address")]
    BufferTooLarge {
        /// Bytes in the buffer.
        bytes: usize,
    },
    /// A header of a record is malformed.
    #[error("header {header} of a record is malformed: {fault}")]
    BadHeader {
        /// Which header, from 0.
        header: u32,
        /// What is wrong.
        fault: RecordFault,
    },
    /// A control batch that does not hold a control record.
    #[error("control batch with base offset {base_offset} is malformed: {reason}")]
    BadControlBatch {
        /// First offset.
        base_offset: i64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A patch of bytes that are not one batch: fewer than a header, not as many as the length field
    /// says, or of an old format.
    #[error("{bytes} bytes that are not one whole record batch")]
    NotABatch {
        /// Bytes that there are.
        bytes: usize,
    },
    /// A batch is finished without any record in it.
    #[error("a record batch needs at least one record")]
    EmptyBatch,
    /// A batch's length and count are signed 32-bit numbers.
    #[error("record batch of {bytes} bytes and {count} records is over the format's 2 GiB")]
    BatchTooLarge {
        /// Bytes, header included.
        bytes: usize,
        /// Records.
        count: u32,
    },
    /// The codec failed.
    #[error("{codec} compression failed")]
    Compress {
        /// The codec.
        codec: Compression,
        /// Its error.
        #[source]
        source: std::io::Error,
    },
    /// A value of `compression.type` that Kafka does not know.
    #[error("unknown compression type {name:?}: use one of none, gzip, snappy, lz4 and zstd")]
    UnknownCompressionName {
        /// What was given.
        name: String,
    },
    /// A level outside of the codec's range.
    #[error("{codec} has no compression level {level}; {allowed}")]
    BadLevel {
        /// The codec.
        codec: Compression,
        /// What was given.
        level: i32,
        /// What is possible.
        allowed: &'static str,
    },
}

/// What is wrong with one record or header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordFault {
    /// The batch, or the record, ends within a field.
    #[error("it ends early")]
    Truncated,
    /// A variable-length number has more bits than its type.
    #[error("a variable-length number overflows")]
    VarintOverflow,
    /// A negative length other than null's −1, or null where null is not possible.
    #[error("a length is negative")]
    NegativeLength,
    /// A length that reaches beyond the record or batch.
    #[error("a length is out of bounds")]
    LengthOutOfBounds,
    /// A compressed message of an old format holds one of another version or one compressed again.
    #[error("a message in it is compressed again or of another version")]
    NestedCompression,
    /// Bytes between the last field and the record's end.
    #[error("bytes are left after its last field")]
    TrailingBytes,
}

/// Why compressed bytes cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DecompressFault {
    /// The bytes end within a block or frame.
    #[error("the data ends early")]
    Truncated,
    /// A frame or stream header that is not the codec's.
    #[error("bad frame: {0}")]
    BadFrame(&'static str),
    /// The codec refuses the bytes.
    #[error("{0}")]
    Codec(String),
}
