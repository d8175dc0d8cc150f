//! Whole batches: headers written anew, what may pass, batches made of decoded records.

use std::rc::Rc;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::api::{RawBatch, SharedBuffer};

const FIELDS: ProducerFields = ProducerFields {
    producer_id: 77,
    producer_epoch: 3,
    base_sequence: 1234,
    transactional: false,
};

fn raw(bytes: Vec<u8>) -> RawBatch {
    raw_from(bytes, i64::MIN).unwrap()
}

fn raw_from(bytes: Vec<u8>, start_offset: i64) -> Result<RawBatch, RecordError> {
    let bytes = Bytes::from(bytes);
    let batch = Batches::new(&bytes).check_crc(false).next().unwrap()?;
    let buffer = SharedBuffer::new(bytes.len());
    raw_batch(&batch, bytes.clone(), &buffer, start_offset)
}

fn read_raw(batch: &RawBatch) -> Result<Vec<Owned>, RecordError> {
    let (mut decompressed, mut refs) = (Vec::new(), Vec::new());
    let bytes: &[u8] = match decode_raw(batch, 1 << 20, &mut decompressed, &mut refs)? {
        RecordBytes::Fetched => &batch.bytes,
        RecordBytes::Decompressed => &decompressed,
    };
    refs.iter().map(|record| owned(bytes, record)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_header_written_anew_has_the_crc_that_reading_all_the_bytes_gives(
        records in some_records(),
        config in proptest::sample::select(configs()),
        fields in (any::<i64>(), any::<i16>(), any::<i32>(), any::<bool>()),
    ) {
        let fields = ProducerFields {
            producer_id: fields.0,
            producer_epoch: fields.1,
            base_sequence: fields.2,
            transactional: fields.3,
        };
        let old = build(config, &records, 500);
        let header = rewritten_header(&old, &fields, 9).unwrap();
        let mut new = [&header[..], &old[HEADER_BYTES..]].concat();
        Batches::new(&new).next().unwrap().unwrap().verify_crc().unwrap();
        let parsed = BatchHeader::parse(&new).unwrap().unwrap();
        prop_assert_eq!(parsed.producer(), fields);
        prop_assert_eq!(parsed.base_offset, 9);
        let mut slow = old.clone();
        rewrite_producer_fields(&mut slow, &fields).unwrap();
        set_base_offset(&mut slow, 9, -1).unwrap();
        prop_assert_eq!(&new, &slow);
        // And back again.
        let back = rewritten_header(&new, &ProducerFields::NONE, 500).unwrap();
        new[..HEADER_BYTES].copy_from_slice(&back);
        prop_assert_eq!(&new, &old);
    }
}

#[test]
fn bytes_that_do_not_fit_their_crc_do_not_fit_the_new_one() {
    let mut bytes = build(CompressionConfig::NONE, &lines(40, 0), 0);
    let last = bytes.len() - 1;
    bytes[last] ^= 4;
    let header = rewritten_header(&bytes, &FIELDS, 0).unwrap();
    bytes[..HEADER_BYTES].copy_from_slice(&header);
    let found = Batches::new(&bytes).next().unwrap();
    assert!(matches!(found, Err(RecordError::Crc { .. })));
}

#[test]
fn headers_of_what_is_not_one_batch_are_refused() {
    let whole = build(CompressionConfig::NONE, &lines(4, 0), 0);
    let mut longer = whole.clone();
    longer.push(0);
    let mut old = whole.clone();
    old[16] = 1;
    for bytes in [&whole[..whole.len() - 1], &longer, &old, &whole[..30], &[]] {
        let refused = rewritten_header(bytes, &FIELDS, 0);
        assert!(matches!(refused, Err(RecordError::NotABatch { .. })));
        let mut batch = raw(whole.clone());
        batch.bytes = Bytes::copy_from_slice(bytes);
        assert!(passes(&batch, None).is_err());
    }
}

#[test]
fn only_batches_that_a_broker_takes_from_a_producer_pass() {
    let good = build(Compression::Zstd.into(), &lines(10, 100), 100);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        passes(&raw(bytes), None)
    };
    let attribute = |bit: u8| move |bytes: &mut Vec<u8>| bytes[22] |= 1 << bit;
    assert_eq!(with(&|_| {}), Ok(()));
    // Transactional: the bit is cleared on the way.
    assert_eq!(with(&attribute(4)), Ok(()));
    for (change, reason) in [
        (&attribute(3) as &dyn Fn(&mut Vec<u8>), "LogAppendTime"),
        (&attribute(5), "marker"),
        (&attribute(6), "delete horizon"),
        (&|bytes: &mut Vec<u8>| bytes[60] = 9, "compaction"),
        (&|bytes: &mut Vec<u8>| bytes[60] = 0, "compaction"),
    ] {
        let refused = with(change);
        assert!(refused.unwrap_err().contains(reason), "{refused:?}");
    }
    let mut straddling = raw(good.clone());
    straddling.skip_before = 105;
    assert!(passes(&straddling, None).unwrap_err().contains("start"));
    assert_eq!(read_raw(&straddling).unwrap(), lines(10, 100)[5..]);
    assert_eq!(passes(&raw(good.clone()), Some(Compression::Zstd)), Ok(()));
    let other = passes(&raw(good), Some(Compression::Gzip));
    assert!(other.unwrap_err().contains("compression.type"));
}

#[test]
fn counts_that_no_bytes_can_hold_and_old_messages_are_refused() {
    let good = build(CompressionConfig::NONE, &lines(10, 0), 0);
    for count in [-1, i32::MAX, 1 << 20] {
        let mut bytes = good.clone();
        bytes[57..61].copy_from_slice(&i32::to_be_bytes(count));
        let refused = raw_from(bytes, 0);
        assert!(matches!(refused, Err(RecordError::CountMismatch { .. })));
    }
    let mut unknown = good.clone();
    unknown[22] = 7;
    let refused = raw_from(unknown, 0);
    assert!(matches!(
        refused,
        Err(RecordError::UnknownCompression { .. })
    ));
    let mut fewer = raw(good.clone());
    let mut bytes = good;
    bytes[60] = 9;
    fewer.bytes = Bytes::from(bytes);
    let refused = read_raw(&fewer);
    assert!(matches!(refused, Err(RecordError::CountMismatch { .. })));
}

#[test]
fn decoded_records_become_batches_with_their_offsets_that_break_at_gaps_and_at_their_size() {
    let mut records = lines(3, 10);
    records.extend(lines(2, 20));
    for index in 0..5 {
        let mut large = lines(1, 22 + index).remove(0);
        large.value = Some(vec![b'v'; 200 << 10]);
        large.key = Some(b"k".to_vec());
        large.headers = vec![(b"h".to_vec(), None), (b"h".to_vec(), Some(b"x".to_vec()))];
        records.push(large);
    }
    let (mut buffer, mut refs) = (Vec::new(), Vec::new());
    for run in [&records[..3], &records[3..]] {
        let base = buffer.len();
        buffer.extend(build(CompressionConfig::NONE, run, run[0].offset));
        let options = DecodeOptions {
            base,
            ..DecodeOptions::default()
        };
        let batch = Batches::new(&buffer[base..]).next().unwrap().unwrap();
        decode(&batch, &options, &mut Vec::new(), &mut refs).unwrap();
    }
    let batches = encode_raw(&buffer, &refs).unwrap();
    assert_eq!(batches.len(), 3);
    assert!(batches.iter().all(|batch| batch.bytes.len() < 1 << 20));
    let again: Vec<Owned> = batches.iter().flat_map(|b| read_raw(b).unwrap()).collect();
    assert_eq!(again, records);
    for batch in &batches {
        assert_eq!(passes(batch, Some(Compression::None)), Ok(()));
        assert_eq!(
            batch.next_offset,
            batch.base_offset + i64::from(batch.count)
        );
        Batches::new(&batch.bytes).next().unwrap().unwrap();
    }
    assert!(encode_raw(&buffer, &[]).unwrap().is_empty());
}

#[test]
fn a_shared_buffer_costs_its_first_holder_and_is_free_with_the_last() {
    let buffer = SharedBuffer::new(1000);
    let other = Rc::clone(&buffer);
    assert_eq!((buffer.cost(), buffer.hold()), (1000, 1000));
    assert_eq!((other.cost(), other.hold()), (0, 0));
    assert_eq!(buffer.release(), 0);
    assert_eq!(other.release(), 1000);
}
