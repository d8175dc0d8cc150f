//! Bytes that were changed or cut off on their way.

use super::*;

/// The offset and the leader's epoch, which brokers set after the CRC was computed.
fn covered_by_crc(position: usize) -> bool {
    !(0..8).contains(&position) && !(12..16).contains(&position)
}

/// A response of three batches.
fn response(records: &[Owned], codec: Compression) -> (Vec<u8>, Vec<Owned>) {
    let first = build(codec.into(), records, 500);
    let last = lines(5, 2000);
    let buffer = [first, build(CompressionConfig::NONE, &last, 2000)].concat();
    (buffer, [records, &last].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn flipped_bits_and_cuts_never_panic_nor_pass_for_records(
        records in some_records(),
        codec in 0u8..5,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let codec = Compression::from_id(codec).unwrap();
        let (whole, expected) = response(&records, codec);
        let first_len = BatchHeader::parse(&whole).unwrap().unwrap().total_bytes();
        let mut buffer = whole.clone();
        for (at, bit) in flips {
            let at = at.index(buffer.len());
            if covered_by_crc(at) && (at < first_len || covered_by_crc(at - first_len)) {
                buffer[at] ^= 1 << bit;
            }
        }
        let damaged = buffer != whole;
        let kept = cut.map_or(buffer.len(), |cut| cut.index(buffer.len()));
        buffer.truncate(kept);

        let options = DecodeOptions { max_decompressed: 8 << 20, ..DecodeOptions::default() };
        let found = read(&buffer, &options);
        if let Ok(found) = found {
            // Whole batches only, and those as they were written.
            prop_assert_eq!(&found[..], &expected[..found.len()]);
            let counts = [0, records.len(), expected.len()];
            prop_assert!(counts.contains(&found.len()));
            prop_assert!(!damaged || found.len() < expected.len() || cut.is_some());
        }
        // Without the CRC the bytes may say anything, and that is all they may do.
        if let Ok(found) = read_checked(&buffer, &options, false) {
            prop_assert!(found.len() <= buffer.len() + (16 << 20));
        }
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let options = DecodeOptions { max_decompressed: 1 << 16, ..DecodeOptions::default() };
        drop(read_checked(&bytes, &options, false));
        if bytes.len() >= HEADER_BYTES {
            // The same as something that looks like one whole batch.
            let length = i32::try_from(bytes.len() - 12).unwrap();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            bytes[16] = 2;
            drop(read_checked(&bytes, &options, false));
            for batch in Batches::new(&bytes).check_crc(false) {
                drop(ControlBatch::parse(&batch.unwrap()));
            }
        }
        let span = crate::api::Span { start: 0, len: u32::try_from(bytes.len()).unwrap() };
        prop_assert!(headers(&bytes, span, u32::MAX).count() <= bytes.len() + 1);
    }
}

/// A batch of one record with these bytes as its records, and a right CRC.
fn lying(count: i32, payload: &[u8]) -> Result<Vec<Owned>, RecordError> {
    let mut batch = build(CompressionConfig::NONE, &lines(1, 0), 0);
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(payload);
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    rewrite_producer_fields(&mut batch, &ProducerFields::NONE).unwrap();
    read(&batch, &DecodeOptions::default())
}

/// The fault of the first record.
fn fault(payload: &[u8]) -> RecordFault {
    match lying(1, payload).unwrap_err() {
        RecordError::BadRecord { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn each_lie_of_a_record_is_told() {
    // length, attributes, timestamp delta, offset delta, key, value, headers
    assert_eq!(lying(1, &[12, 0, 0, 0, 1, 1, 0]).unwrap().len(), 1);
    assert_eq!(
        fault(&[14, 0, 0, 0, 1, 1, 0]),
        RecordFault::LengthOutOfBounds
    );
    assert_eq!(fault(&[1, 0, 0, 0, 1, 1, 0]), RecordFault::NegativeLength);
    assert_eq!(fault(&[12, 0, 0, 0, 3, 1, 0]), RecordFault::NegativeLength);
    assert_eq!(
        fault(&[12, 0, 0, 0, 1, 100, 0]),
        RecordFault::LengthOutOfBounds
    );
    assert_eq!(
        fault(&[10, 0, 0, 0, 1, 1, 0]),
        RecordFault::LengthOutOfBounds
    );
    assert_eq!(
        fault(&[14, 0, 0, 0, 1, 1, 0, 9]),
        RecordFault::TrailingBytes
    );
    assert_eq!(fault(&[12, 0, 0, 0, 1, 1, 1]), RecordFault::NegativeLength);
    assert_eq!(
        fault(&[12, 0, 0, 0, 1, 1, 2]),
        RecordFault::LengthOutOfBounds
    );
    let overflow = [&[40u8, 0, 0][..], &[0xff; 10], &[1, 1, 0, 0, 0, 0, 0, 0]].concat();
    assert_eq!(fault(&overflow), RecordFault::VarintOverflow);
}

#[test]
fn a_count_that_does_not_match_is_told() {
    let record = [12, 0, 0, 0, 1, 1, 0];
    for (count, records) in [(0, 1), (-1, 0), (2, 1), (1, 2), (i32::MAX, 3)] {
        let error = lying(count, &record.repeat(records)).unwrap_err();
        let RecordError::CountMismatch { declared, .. } = error else {
            panic!("{count} for {records}: {error}");
        };
        assert_eq!(declared, count);
    }
}

#[test]
fn each_lie_of_a_header_is_told() {
    let found = |bytes: &[u8], count| -> Vec<_> {
        let span = crate::api::Span {
            start: 0,
            len: u32::try_from(bytes.len()).unwrap(),
        };
        headers(bytes, span, count)
            .map(|header| {
                header.map(|h| h.key.len()).map_err(|error| match error {
                    RecordError::BadHeader { header, fault } => (header, fault),
                    other => panic!("{other}"),
                })
            })
            .collect()
    };
    assert_eq!(found(&[2, b'k', 1], 1), [Ok(1)]);
    assert_eq!(found(&[1, 1], 1), [Err((0, RecordFault::NegativeLength))]);
    assert_eq!(found(&[0, 3], 1), [Err((0, RecordFault::NegativeLength))]);
    assert_eq!(
        found(&[0, 0, 8], 2),
        [Ok(0), Err((1, RecordFault::LengthOutOfBounds))]
    );
    assert_eq!(found(&[0, 0, 0], 1), [Err((0, RecordFault::TrailingBytes))]);
    assert_eq!(found(&[0, 0], 2), [Ok(0), Err((1, RecordFault::Truncated))]);
}

#[test]
fn errors_say_where_and_what() {
    let good = build(CompressionConfig::NONE, &lines(3, 70), 70);
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let buffer = [good.clone(), bad].concat();
    let mut batches = Batches::new(&buffer);
    batches.next().unwrap().unwrap();
    let error = batches.next().unwrap().unwrap_err();
    let RecordError::Crc {
        position,
        base_offset,
        expected,
        found,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((position, base_offset), (good.len(), 70));
    assert_ne!(expected, found);
    assert_eq!(batches.position(), good.len());
    assert!(batches.next().is_none());

    for (at, byte) in [(16, 3), (16, 0xff), (11, 48), (8, 0x80)] {
        let mut bad = good.clone();
        bad[8..11].fill(0);
        bad[at] = byte;
        let error = read(&bad, &DecodeOptions::default()).unwrap_err();
        match error {
            RecordError::BadMagic { position: 0, magic } => assert!(magic == 3 || magic == -1),
            RecordError::BadLength {
                position: 0,
                base_offset: 70,
                length,
            } => {
                assert!(length < 49);
            }
            other => panic!("{other}"),
        }
    }
}

#[test]
fn an_unknown_codec_is_named() {
    let mut batch = build(CompressionConfig::NONE, &lines(1, 3), 3);
    batch[22] = 6;
    rewrite_producer_fields(&mut batch, &ProducerFields::NONE).unwrap();
    let error = read(&batch, &DecodeOptions::default()).unwrap_err();
    assert!(matches!(
        error,
        RecordError::UnknownCompression {
            base_offset: 3,
            id: 6
        }
    ));
}

#[test]
fn a_span_beyond_4_gib_is_refused() {
    let bytes = build(CompressionConfig::NONE, &lines(1, 3), 3);
    let batch = Batches::new(&bytes).next().unwrap().unwrap();
    for base in [u32::MAX as usize - 70, usize::MAX - 70] {
        let options = DecodeOptions {
            base,
            ..DecodeOptions::default()
        };
        let error = decode(&batch, &options, &mut Vec::new(), &mut Vec::new()).unwrap_err();
        assert!(matches!(error, RecordError::BufferTooLarge { .. }));
    }
}
