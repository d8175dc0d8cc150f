//! Whole batches that pass from one log to another without a look at their records.
//!
//! Of such a batch the 61 bytes before the records change, nothing else. The CRC covers the last 40 of
//! them and all records; since a CRC is linear, the new one follows from the old one and the two versions
//! of those 40 bytes alone ([`rewritten_header`]). So the records are read once, for `check.crcs`, and
//! bytes that do not fit their CRC still do not fit the new one.

use bytes::Bytes;

use super::decode::{MIN_RECORD_BYTES, decode, headers};
use super::header::{
    ATTRIBUTES, BASE_OFFSET, BASE_SEQUENCE, CRC, HEADER_BYTES, MAGIC_V2, PARTITION_LEADER_EPOCH,
    PRODUCER_EPOCH, PRODUCER_ID, TRANSACTIONAL, put,
};
use super::{
    Batch, BatchBuilder, BatchHeader, Batches, Compression, CompressionConfig, DecodeOptions,
    ProducerFields, RecordBytes, RecordError, RecordHeader, RecordRef, TimestampType,
};
use crate::api::{RawBatch, SharedBuffer};

/// [`encode_raw`] begins a new batch when one is this long.
const ENCODED_TARGET: usize = 512 << 10;

/// CRC-32C's polynomial, reflected.
const POLYNOMIAL: u32 = 0x82f6_3b78;

/// `x` to the power of 2, 4, 8, … modulo the polynomial: entry `k` moves a CRC over 2^k bits.
const POWERS: [u32; 40] = {
    let mut powers = [1 << 30; 40];
    let mut at = 1;
    while at < powers.len() {
        powers[at] = multiply(powers[at - 1], powers[at - 1]);
        at += 1;
    }
    powers
};

/// Product of two polynomials modulo CRC-32C's; bit 31 is the constant term.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 32;
    while bit > 0 {
        bit -= 1;
        product ^= b & 0u32.wrapping_sub((a >> bit) & 1);
        b = (b >> 1) ^ (POLYNOMIAL & 0u32.wrapping_sub(b & 1));
    }
    product
}

/// What a difference of two CRCs becomes when `bytes` equal bytes follow. Costs 32 steps of a few
/// instructions for each bit set in `bytes`: some thousand instructions for a batch, however long it is.
fn carry_over(mut difference: u32, bytes: usize) -> u32 {
    for (bit, power) in POWERS[3..].iter().enumerate() {
        if bytes >> bit & 1 == 1 {
            difference = multiply(*power, difference);
        }
    }
    difference
}

/// What a consumer hands over for a batch whose bytes are `bytes`, a slice of `buffer`. Records below
/// `start_offset` are not wanted.
///
/// # Errors
/// [`RecordError::CountMismatch`] for a count that no bytes can hold. [`RecordError::OldMessageFormat`]
/// for a message: [`encode_raw`] makes batches of those.
pub fn raw_batch(
    batch: &Batch<'_>,
    bytes: Bytes,
    buffer: &std::rc::Rc<SharedBuffer>,
    start_offset: i64,
) -> Result<RawBatch, RecordError> {
    let header = &batch.header;
    if header.magic != MAGIC_V2 {
        return Err(RecordError::OldMessageFormat {
            base_offset: header.base_offset,
            magic: header.magic,
        });
    }
    let bytes_hold = match header.compression()? {
        Compression::None => batch.payload().len() / MIN_RECORD_BYTES,
        _ => usize::MAX,
    };
    let count = u32::try_from(header.count).ok();
    let count = count.filter(|count| *count as usize <= bytes_hold);
    Ok(RawBatch {
        bytes,
        buffer: std::rc::Rc::clone(buffer),
        base_offset: header.base_offset,
        next_offset: header.next_offset(),
        count: count.ok_or(RecordError::CountMismatch {
            base_offset: header.base_offset,
            declared: header.count,
            found: u32::try_from(bytes_hold).unwrap_or(u32::MAX),
            remaining: 0,
        })?,
        skip_before: start_offset,
    })
}

/// Whether a batch can be appended to another log as it is, keeping its codec or, when `codec` is given,
/// in that one. Brokers take from producers what has producers' timestamps and offsets without gaps.
///
/// # Errors
/// What stands against it, for a log line.
pub fn passes(batch: &RawBatch, codec: Option<Compression>) -> Result<(), &'static str> {
    let Ok(Some(header)) = BatchHeader::parse(&batch.bytes) else {
        return Err("it is not a record batch");
    };
    if header.total_bytes() != batch.bytes.len() {
        return Err("its length is not that of its bytes");
    }
    if header.is_control() {
        return Err("it is a marker of a transaction");
    }
    if header.timestamp_type() == TimestampType::LogAppendTime {
        return Err("its timestamps are those of the source's broker (LogAppendTime)");
    }
    if header.has_delete_horizon() {
        return Err("it has a delete horizon in the place of its first timestamp");
    }
    if header.count <= 0 || i64::from(header.last_offset_delta) + 1 != i64::from(header.count) {
        return Err("records are missing in it (compaction)");
    }
    if batch.skip_before > header.base_offset {
        return Err("records at its start are not wanted");
    }
    match (codec, header.compression()) {
        (_, Err(_)) => Err("its codec is unknown"),
        (Some(wanted), Ok(found)) if wanted != found => {
            Err("compression.type asks for another codec")
        }
        _ => Ok(()),
    }
}

/// The header of `batch` with other producer fields, base offset and leader epoch, and the CRC that goes
/// with it. The records are not read.
///
/// # Errors
/// [`RecordError::NotABatch`] when the bytes are not exactly one batch by their length.
pub fn rewritten_header(
    batch: &[u8],
    fields: &ProducerFields,
    base_offset: i64,
) -> Result<[u8; HEADER_BYTES], RecordError> {
    let parsed = BatchHeader::parse(batch).ok().flatten();
    let whole = parsed.filter(|header| header.total_bytes() == batch.len());
    let (Some(header), Some(old)) = (whole, batch.first_chunk::<HEADER_BYTES>()) else {
        return Err(RecordError::NotABatch { bytes: batch.len() });
    };
    let mut attributes = header.attributes & !TRANSACTIONAL;
    if fields.transactional {
        attributes |= TRANSACTIONAL;
    }
    let mut new = *old;
    put(&mut new, BASE_OFFSET, &base_offset.to_be_bytes());
    put(&mut new, PARTITION_LEADER_EPOCH, &(-1i32).to_be_bytes());
    put(&mut new, ATTRIBUTES, &attributes.to_be_bytes());
    put(&mut new, PRODUCER_ID, &fields.producer_id.to_be_bytes());
    put(
        &mut new,
        PRODUCER_EPOCH,
        &fields.producer_epoch.to_be_bytes(),
    );
    put(&mut new, BASE_SEQUENCE, &fields.base_sequence.to_be_bytes());
    let difference = crc32c::crc32c(&old[ATTRIBUTES..]) ^ crc32c::crc32c(&new[ATTRIBUTES..]);
    let crc = header.crc ^ carry_over(difference, batch.len() - HEADER_BYTES);
    put(&mut new, CRC, &crc.to_be_bytes());
    Ok(new)
}

/// Decodes the wanted records of `batch`, as [`decode`] does; the CRC is not compared again. Spans index
/// `batch.bytes` or `decompressed`.
///
/// # Errors
/// Any fault in the batch.
pub fn decode_raw(
    batch: &RawBatch,
    max_decompressed: usize,
    decompressed: &mut Vec<u8>,
    records: &mut Vec<RecordRef>,
) -> Result<RecordBytes, RecordError> {
    let options = DecodeOptions {
        start_offset: batch.skip_before,
        max_decompressed,
        base: 0,
    };
    match Batches::new(&batch.bytes).check_crc(false).next() {
        Some(found) => decode(&found?, &options, decompressed, records),
        None => Err(RecordError::NotABatch {
            bytes: batch.bytes.len(),
        }),
    }
}

/// Makes uncompressed batches of decoded records, keeping their offsets: a new one begins at each gap and
/// at some 512 KiB. See [`RawEncoder`].
///
/// # Errors
/// As [`RawEncoder::append`].
pub fn encode_raw(buffer: &[u8], records: &[RecordRef]) -> Result<Vec<RawBatch>, RecordError> {
    let (mut encoder, mut batches) = (RawEncoder::default(), Vec::new());
    for record in records {
        encoder.append(buffer, record)?;
    }
    encoder.end(&mut batches)?;
    Ok(batches)
}

/// Makes uncompressed batches of records that come one by one, see [`encode_raw`].
#[derive(Debug, Default)]
pub struct RawEncoder {
    open: Option<(i64, BatchBuilder)>,
    done: Vec<RawBatch>,
}

impl RawEncoder {
    /// Adds a record, whose spans index `buffer`.
    ///
    /// # Errors
    /// Malformed headers; a batch that can't be finished.
    pub fn append(&mut self, buffer: &[u8], record: &RecordRef) -> Result<(), RecordError> {
        let fields: Vec<RecordHeader<'_>> =
            headers(buffer, record.headers, record.header_count).collect::<Result<_, _>>()?;
        let joins = |(base, builder): &(i64, BatchBuilder)| {
            base.wrapping_add(i64::from(builder.count())) == record.offset
                && builder.len_bytes() < ENCODED_TARGET
        };
        if !self.open.as_ref().is_some_and(joins) {
            self.close()?;
        }
        let (_, builder) = self.open.get_or_insert_with(|| {
            let builder = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
            (record.offset, builder)
        });
        let (key, value) = (record.key.of(buffer), record.value.of(buffer));
        builder.append(record.timestamp, key, value, &fields);
        Ok(())
    }

    /// Moves what was made to `out`.
    ///
    /// # Errors
    /// A batch that can't be finished.
    pub fn end(&mut self, out: &mut Vec<RawBatch>) -> Result<(), RecordError> {
        let closed = self.close();
        out.append(&mut self.done);
        closed
    }

    fn close(&mut self) -> Result<(), RecordError> {
        if let Some((base, builder)) = self.open.take() {
            self.done.push(finish(builder, base)?);
        }
        Ok(())
    }
}

fn finish(mut builder: BatchBuilder, base_offset: i64) -> Result<RawBatch, RecordError> {
    builder.finish(&ProducerFields::NONE, base_offset)?;
    let count = builder.count();
    let bytes = Bytes::from(builder.into_bytes());
    Ok(RawBatch {
        buffer: SharedBuffer::new(bytes.len()),
        bytes,
        base_offset,
        next_offset: base_offset.saturating_add(i64::from(count)),
        count,
        skip_before: base_offset,
    })
}

/// Codec of a batch; none when it can't be told.
pub fn codec_of(batch: &[u8]) -> Compression {
    let header = BatchHeader::parse(batch).ok().flatten();
    let codec = header.and_then(|header| header.compression().ok());
    codec.unwrap_or(Compression::None)
}
