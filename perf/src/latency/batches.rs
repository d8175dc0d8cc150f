//! Record batches as the load generator writes and the reader sees them: no more than is needed, so that
//! the harness takes little of the machine that it measures.
//!
//! Timing alone depends on this; what arrived is checked through rskafka after the run.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, Record,
    RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::input::{Form, Generator};

/// Before the length of a batch: its base offset.
const LENGTH_AT: usize = 8;
/// Up to where the length counts from.
const LENGTH_END: usize = 12;
const ATTRIBUTES_AT: usize = 21;
const LAST_DELTA_AT: usize = 23;
const COUNT_AT: usize = 57;
const RECORDS_AT: usize = 61;
/// Codec and control bit.
const NOT_PLAIN: i16 = 0b10_0111;

/// Records without keys, one for each index, as one batch.
pub(super) fn encode(
    generator: &Generator,
    indexes: Range<u64>,
    timestamp: i64,
) -> std::io::Result<Bytes> {
    let records: Vec<Record> = (0..)
        .zip(NO_SEQUENCE..)
        .zip(indexes)
        .map(|((offset, sequence), index)| {
            let mut value = Vec::new();
            generator.append(index, Form::Plain, &mut value);
            Record {
                transactional: false,
                control: false,
                delete_horizon: false,
                partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
                producer_id: NO_PRODUCER_ID,
                producer_epoch: NO_PRODUCER_EPOCH,
                timestamp_type: TimestampType::Creation,
                offset,
                // The encoder begins a new batch where offsets and sequences do not go up together.
                sequence,
                timestamp,
                key: None,
                value: Some(value.into()),
                headers: IndexMap::new(),
            }
        })
        .collect();
    let options = RecordEncodeOptions {
        version: 2,
        compression: Compression::None,
    };
    let mut batch = BytesMut::new();
    RecordBatchEncoder::encode(&mut batch, &records, &options).map_err(std::io::Error::other)?;
    Ok(batch.freeze())
}

/// Hands over offset and value of each record in the whole batches of a fetch, and gives the offset to
/// go on from; none without a whole batch.
///
/// # Errors
/// A batch is compressed, a control batch, or torn: the harness asked for none of these.
pub(super) fn walk(fetched: &[u8], mut each: impl FnMut(i64, &[u8])) -> Result<Option<i64>, Odd> {
    let mut next = None;
    let mut rest = fetched;
    // A broker cuts the last batch off where the size that was asked for ends.
    while let Some(length) = rest.get(LENGTH_AT..LENGTH_END) {
        let length = usize::try_from(number(length)).map_err(|_| Odd)?;
        let Some(batch) = rest.get(..LENGTH_END + length) else {
            break;
        };
        rest = &rest[LENGTH_END + length..];
        if batch.len() < RECORDS_AT {
            return Err(Odd);
        }
        let attributes = (&batch[ATTRIBUTES_AT..]).get_i16();
        if attributes & NOT_PLAIN != 0 {
            return Err(Odd);
        }
        let base = (&batch[..LENGTH_AT]).get_i64();
        let mut records = &batch[RECORDS_AT..];
        for _ in 0..number(&batch[COUNT_AT..RECORDS_AT]) {
            let (offset, value) = record(&mut records).ok_or(Odd)?;
            each(base + offset, value);
        }
        next = Some(base + i64::from(number(&batch[LAST_DELTA_AT..])) + 1);
    }
    Ok(next)
}

/// What [`walk`] does not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Odd;

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a batch that is compressed, of control records, or torn")
    }
}

fn number(mut bytes: &[u8]) -> i32 {
    bytes.get_i32()
}

/// Offset after the batch's first and value of the next record; a null value is an empty one.
fn record<'a>(rest: &mut &'a [u8]) -> Option<(i64, &'a [u8])> {
    let length = usize::try_from(varint(rest)?).ok()?;
    let (mut body, after) = rest.split_at_checked(length)?;
    *rest = after;
    body = body.get(1..)?;
    varint(&mut body)?;
    let offset = varint(&mut body)?;
    for is_value in [false, true] {
        let length = usize::try_from(varint(&mut body)?.max(0)).ok()?;
        let (bytes, after) = body.split_at_checked(length)?;
        if is_value {
            return Some((offset, bytes));
        }
        body = after;
    }
    None
}

/// A zigzag number of up to 64 bits.
fn varint(rest: &mut &[u8]) -> Option<i64> {
    let mut bits = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        bits |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let magnitude = i64::try_from(bits >> 1).ok()?;
            return Some(magnitude ^ -i64::from(bits & 1 == 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Data, index_of};

    fn batch(indexes: Range<u64>) -> Vec<u8> {
        let generator = Generator::new(Data::Text, 100);
        encode(&generator, indexes, 1_700_000_000_000)
            .unwrap()
            .to_vec()
    }

    fn at_offset(mut batch: Vec<u8>, offset: i64) -> Vec<u8> {
        batch[..8].copy_from_slice(&offset.to_be_bytes());
        batch
    }

    #[test]
    fn whole_batches_are_read_and_a_cut_off_one_is_left_for_the_next_fetch() {
        let mut fetched = at_offset(batch(0..200), 1000);
        fetched.extend(at_offset(batch(200..203), 1200));
        let whole = fetched.len();
        fetched.extend(&at_offset(batch(203..300), 1203)[..90]);
        for end in [whole, whole + 5, whole + 90] {
            let mut found = Vec::new();
            let next = walk(&fetched[..end], |offset, value| {
                found.push((offset, index_of(value).unwrap(), value.len()));
            });
            assert_eq!(next, Ok(Some(1203)));
            let expected: Vec<_> = (0..203).map(|i| (1000 + i as i64, i, 100)).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(walk(&fetched[..40], |_, _| unreachable!()), Ok(None));
    }

    #[test]
    fn records_are_one_batch_as_brokers_want_it() {
        let batch = batch(7..57);
        let length = usize::try_from(number(&batch[LENGTH_AT..])).unwrap();
        assert_eq!(batch.len(), LENGTH_END + length);
        assert_eq!(number(&batch[COUNT_AT..]), 50);
        // Producer id, epoch and first sequence: none.
        assert_eq!(batch[43..COUNT_AT], [0xff; 14]);
    }

    #[test]
    fn batches_that_cannot_be_read_are_refused() {
        let mut compressed = batch(0..3);
        compressed[22] |= 4;
        let mut control = batch(0..3);
        control[22] |= 0x20;
        let mut torn = batch(0..3);
        torn[60] = 9;
        for odd in [compressed, control, torn] {
            assert_eq!(walk(&odd, |_, _| {}), Err(Odd));
        }
    }
}
