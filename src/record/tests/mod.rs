//! Round trips, Kafka's own bytes, and bytes that lie.

mod corruption;
mod frames;
mod fuzz;
mod kafka_bytes;
mod raw;

use proptest::prelude::*;

use super::*;

/// A record that owns its parts, for comparing.
#[derive(Debug, Clone, PartialEq)]
struct Owned {
    offset: i64,
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

fn build(config: CompressionConfig, records: &[Owned], base_offset: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(vec![7; 300], config);
    for record in records {
        let headers: Vec<_> = record
            .headers
            .iter()
            .map(|(key, value)| RecordHeader {
                key,
                value: value.as_deref(),
            })
            .collect();
        let before = builder.len_bytes();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        let delta = builder.append(record.timestamp, key, value, &headers);
        assert_eq!(i64::from(delta) + base_offset, record.offset);
        let estimate = BatchBuilder::estimate(key, value, &headers);
        assert!(builder.len_bytes() - before <= estimate);
    }
    builder.finish(&ProducerFields::NONE, base_offset).unwrap();
    builder.into_bytes()
}

/// Every record of a buffer of batches.
fn read(buffer: &[u8], options: &DecodeOptions) -> Result<Vec<Owned>, RecordError> {
    read_checked(buffer, options, true)
}

fn read_checked(
    buffer: &[u8],
    options: &DecodeOptions,
    check_crc: bool,
) -> Result<Vec<Owned>, RecordError> {
    let (mut decompressed, mut refs, mut records) = (Vec::new(), Vec::new(), Vec::new());
    for batch in Batches::new(buffer).check_crc(check_crc) {
        let from = refs.len();
        let bytes = match decode(&batch?, options, &mut decompressed, &mut refs)? {
            RecordBytes::Fetched => buffer,
            RecordBytes::Decompressed => &decompressed,
        };
        for record in &refs[from..] {
            records.push(owned(bytes, record)?);
        }
    }
    Ok(records)
}

fn owned(bytes: &[u8], record: &RecordRef) -> Result<Owned, RecordError> {
    Ok(Owned {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.of(bytes).map(<[u8]>::to_vec),
        value: record.value.of(bytes).map(<[u8]>::to_vec),
        headers: headers(bytes, record.headers, record.header_count)
            .map(|header| header.map(|h| (h.key.to_vec(), h.value.map(<[u8]>::to_vec))))
            .collect::<Result<_, _>>()?,
    })
}

fn lines(count: i64, base_offset: i64) -> Vec<Owned> {
    (0..count)
        .map(|index| Owned {
            offset: base_offset + index,
            timestamp: 1_700_000_000_000 + index,
            key: None,
            value: Some(format!("line {index}: the quick brown fox, {}", index * 7).into_bytes()),
            headers: Vec::new(),
        })
        .collect()
}

fn configs() -> Vec<CompressionConfig> {
    Compression::ALL.into_iter().map(Into::into).collect()
}

fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => proptest::collection::vec(any::<u8>(), 0..=max),
        1 => (any::<u8>(), 0..=max * 40).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn nullable(max: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::weighted(0.8, bytes(max))
}

fn some_headers() -> impl Strategy<Value = Vec<(Vec<u8>, Option<Vec<u8>>)>> {
    prop_oneof![
        3 => Just(Vec::new()),
        1 => proptest::collection::vec((bytes(5), nullable(20)), 0..70),
    ]
}

fn timestamp() -> impl Strategy<Value = i64> {
    prop_oneof![
        3 => 1_700_000_000_000i64..1_700_000_001_000,
        1 => any::<i64>(),
    ]
}

fn some_records() -> impl Strategy<Value = Vec<Owned>> {
    let record = (timestamp(), nullable(20), nullable(300), some_headers());
    proptest::collection::vec(record, 1..150).prop_map(|records| {
        records
            .into_iter()
            .zip(500..)
            .map(|((timestamp, key, value, headers), offset)| Owned {
                offset,
                timestamp,
                key,
                value,
                headers,
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_records_come_back_through_every_codec(records in some_records()) {
        for config in configs() {
            let batch = build(config, &records, 500);
            prop_assert_eq!(&read(&batch, &DecodeOptions::default()).unwrap(), &records);
        }
    }
}

#[test]
fn many_records_come_back_through_every_codec() {
    for config in configs() {
        let records = lines(8_000, 40);
        let batch = build(config, &records, 40);
        let found = read(&batch, &DecodeOptions::default()).unwrap();
        assert!(found == records, "{config:?}");
        let header = BatchHeader::parse(&batch).unwrap().unwrap();
        assert_eq!(header.compression().unwrap(), config.codec);
        assert_eq!(header.total_bytes(), batch.len());
        assert_eq!((header.count, header.last_offset()), (8_000, 8_039));
        assert_eq!(header.next_offset(), 8_040);
        assert_eq!(header.max_timestamp, 1_700_000_007_999);
        assert_eq!(header.producer(), ProducerFields::NONE);
        if config.codec != Compression::None {
            assert!(batch.len() < 250_000, "{config:?} does not compress");
        }
    }
}

#[test]
fn every_level_of_every_codec_is_read_back() {
    let records = lines(50, 0);
    let levels = [
        (Compression::Gzip, vec![-1, 1, 9]),
        (Compression::Lz4, vec![1, 9, 17]),
        (Compression::Zstd, vec![-131_072, -1, 1, 3, 19, 22]),
    ];
    for (codec, levels) in levels {
        for level in levels {
            let config = CompressionConfig::new(codec, Some(level)).unwrap();
            let batch = build(config, &records, 0);
            assert_eq!(read(&batch, &DecodeOptions::default()).unwrap(), records);
        }
    }
}

#[test]
fn a_level_outside_of_its_codecs_range_is_refused() {
    for (codec, level) in [
        (Compression::Gzip, 0),
        (Compression::Gzip, 10),
        (Compression::Lz4, 18),
        (Compression::Zstd, 23),
    ] {
        let error = CompressionConfig::new(codec, Some(level)).unwrap_err();
        assert!(matches!(error, RecordError::BadLevel { .. }), "{error}");
    }
}

#[test]
fn codecs_have_kafkas_names_and_ids() {
    for (name, id) in [
        ("none", 0),
        ("gzip", 1),
        ("snappy", 2),
        ("lz4", 3),
        ("zstd", 4),
    ] {
        let codec = Compression::from_config(name).unwrap();
        assert_eq!((codec.id(), codec.name()), (id, name));
        assert_eq!(Compression::from_id(id), Some(codec));
    }
    assert_eq!(Compression::from_id(5), None);
    let error = Compression::from_config("LZ4").unwrap_err().to_string();
    assert!(
        error.contains("\"LZ4\"") && error.contains("zstd"),
        "{error}"
    );
}

#[test]
fn a_fetch_response_that_is_cut_off_gives_its_whole_batches() {
    let first = build(Compression::Zstd.into(), &lines(100, 0), 0);
    let second = build(CompressionConfig::NONE, &lines(10, 100), 100);
    let whole = [first.clone(), second.clone()].concat();
    for cut in first.len()..whole.len() {
        let mut batches = Batches::new(&whole[..cut]);
        assert_eq!(batches.next().unwrap().unwrap().bytes(), first);
        assert!(batches.next().is_none());
        assert_eq!(batches.truncated_bytes(), cut - first.len());
        assert_eq!(batches.position(), first.len());
    }
    let mut batches = Batches::new(&whole);
    assert_eq!(batches.by_ref().count(), 2);
    assert_eq!(batches.truncated_bytes(), 0);
    assert_eq!(
        Batches::new(&whole).nth(1).unwrap().unwrap().bytes(),
        second
    );
}

#[test]
fn spans_count_from_the_base_that_the_caller_names() {
    let batch = build(CompressionConfig::NONE, &lines(3, 0), 0);
    let buffer = [&[9; 1000][..], &batch, &batch].concat();
    let options = DecodeOptions {
        base: 1000,
        ..DecodeOptions::default()
    };
    let mut refs = Vec::new();
    for batch in Batches::new(&buffer[1000..]) {
        let origin = decode(&batch.unwrap(), &options, &mut Vec::new(), &mut refs).unwrap();
        assert_eq!(origin, RecordBytes::Fetched);
    }
    let values: Vec<_> = refs
        .iter()
        .map(|r| owned(&buffer, r).unwrap().value)
        .collect();
    let expected: Vec<_> = lines(3, 0).into_iter().map(|r| r.value).collect();
    assert_eq!(values, [expected.clone(), expected].concat());
}

#[test]
fn compressed_batches_share_one_decompression_buffer() {
    let buffer: Vec<u8> = Compression::ALL[1..]
        .iter()
        .zip(0..)
        .flat_map(|(&codec, index)| build(codec.into(), &lines(50, index * 50), index * 50))
        .collect();
    let (mut decompressed, mut refs) = (Vec::new(), Vec::new());
    for batch in Batches::new(&buffer) {
        let options = DecodeOptions::default();
        decode(&batch.unwrap(), &options, &mut decompressed, &mut refs).unwrap();
    }
    assert_eq!(refs.len(), 200);
    for (record, offset) in refs.iter().zip(0..) {
        let found = owned(&decompressed, record).unwrap();
        assert_eq!(found.offset, offset);
        assert_eq!(found.value, lines(50, 0)[(offset % 50) as usize].value);
    }
}

#[test]
fn records_before_the_start_offset_are_left_out() {
    for config in configs() {
        let batch = build(config, &lines(100, 1000), 1000);
        let options = DecodeOptions {
            start_offset: 1090,
            ..DecodeOptions::default()
        };
        let found = read(&batch, &options).unwrap();
        assert_eq!(found, lines(100, 1000)[90..]);
    }
}

#[test]
fn a_batch_over_the_decompression_cap_is_refused_and_one_at_it_is_read() {
    let records = lines(5000, 0);
    let size = build(CompressionConfig::NONE, &records, 0).len() - HEADER_BYTES;
    for codec in &Compression::ALL[1..] {
        let batch = build((*codec).into(), &records, 0);
        for (cap, fits) in [(0, false), (1000, false), (size - 1, false), (size, true)] {
            let options = DecodeOptions {
                max_decompressed: cap,
                ..DecodeOptions::default()
            };
            let (mut decompressed, mut refs) = (b"kept".to_vec(), Vec::new());
            let parsed = Batches::new(&batch).next().unwrap().unwrap();
            let outcome = decode(&parsed, &options, &mut decompressed, &mut refs);
            assert!(decompressed.starts_with(b"kept"));
            assert!(decompressed.capacity() <= 2 * (4 + cap + 1));
            if fits {
                outcome.unwrap();
                assert_eq!((decompressed.len(), refs.len()), (4 + size, 5000));
                continue;
            }
            let error = outcome.unwrap_err();
            let too_large = matches!(error, RecordError::TooLargeDecompressed { .. });
            assert!(too_large, "{codec} cap {cap}: {error}");
            assert_eq!((decompressed.len(), refs.len()), (4, 0));
        }
    }
}

#[test]
fn a_batch_that_expands_beyond_the_first_guess_is_read() {
    let record = Owned {
        value: Some(vec![b'x'; 5 << 20]),
        ..lines(1, 0).remove(0)
    };
    for config in configs() {
        let batch = build(config, std::slice::from_ref(&record), 0);
        let found = read(&batch, &DecodeOptions::default()).unwrap();
        assert!(found == std::slice::from_ref(&record), "{config:?}");
    }
}

#[test]
fn bytes_that_do_not_compress_come_back() {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let value: Vec<u8> = std::iter::repeat_with(|| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random.to_be_bytes()[0]
    })
    .take(300_000)
    .collect();
    let record = Owned {
        value: Some(value),
        ..lines(1, 0).remove(0)
    };
    for config in configs() {
        let batch = build(config, std::slice::from_ref(&record), 0);
        assert!(batch.len() < 310_000);
        let found = read(&batch, &DecodeOptions::default()).unwrap();
        assert!(found == std::slice::from_ref(&record), "{config:?}");
    }
}

#[test]
fn new_producer_fields_make_the_batch_that_they_would_have_made_at_first() {
    let fields = ProducerFields {
        producer_id: 77,
        producer_epoch: 2,
        base_sequence: 1234,
        transactional: true,
    };
    for config in configs() {
        let mut batch = build(config, &lines(10, 0), 0);
        let first = batch.clone();
        rewrite_producer_fields(&mut batch, &fields).unwrap();
        let found = Batches::new(&batch).next().unwrap().unwrap();
        assert_eq!(found.header.producer(), fields);
        assert_eq!(
            read(&batch, &DecodeOptions::default()).unwrap(),
            lines(10, 0)
        );
        rewrite_producer_fields(&mut batch, &ProducerFields::NONE).unwrap();
        assert_eq!(batch, first);
    }
}

#[test]
fn finishing_again_only_patches_the_header() {
    let mut builder = BatchBuilder::new(Vec::new(), Compression::Lz4.into());
    builder.append(5, None, Some(b"value"), &[]);
    builder.finish(&ProducerFields::NONE, 3).unwrap();
    let first = builder.as_bytes().to_vec();
    let fields = ProducerFields {
        producer_id: 1,
        ..ProducerFields::NONE
    };
    builder.finish(&fields, 9).unwrap();
    assert_eq!(
        read(builder.as_bytes(), &DecodeOptions::default()).unwrap()[0].offset,
        9
    );
    builder.finish(&ProducerFields::NONE, 3).unwrap();
    assert_eq!(builder.into_bytes(), first);
}

#[test]
fn patches_refuse_what_is_not_one_batch() {
    let mut two = build(CompressionConfig::NONE, &lines(1, 0), 0).repeat(2);
    let fields = ProducerFields::NONE;
    for bytes in [&mut [][..], &mut [0; 60], &mut two] {
        assert!(matches!(
            rewrite_producer_fields(bytes, &fields),
            Err(RecordError::NotABatch { .. })
        ));
    }
    assert!(set_base_offset(&mut [0; 60], 1, 1).is_err());
}

#[test]
fn an_empty_batch_is_not_finished() {
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
    assert!(builder.is_empty());
    let outcome = builder.finish(&ProducerFields::NONE, 0);
    assert!(matches!(outcome, Err(RecordError::EmptyBatch)));
}

#[test]
fn a_buffer_with_room_for_the_batch_does_not_grow() {
    let buffer = Vec::with_capacity(4096);
    let capacity = buffer.capacity();
    let mut builder = BatchBuilder::new(buffer, CompressionConfig::NONE);
    let value = [b'v'; 90];
    while builder.len_bytes() + BatchBuilder::estimate(None, Some(&value), &[]) <= capacity {
        builder.append(0, None, Some(&value), &[]);
    }
    builder.finish(&ProducerFields::NONE, 0).unwrap();
    assert!(builder.count() > 35);
    assert_eq!(builder.into_bytes().capacity(), capacity);
}

#[test]
fn a_batch_that_compaction_emptied_is_passed_over() {
    let mut batch = build(CompressionConfig::NONE, &lines(1, 0), 0);
    batch.truncate(HEADER_BYTES);
    batch[8..12].copy_from_slice(&49i32.to_be_bytes());
    batch[23..27].copy_from_slice(&9i32.to_be_bytes());
    batch[57..61].copy_from_slice(&0i32.to_be_bytes());
    rewrite_producer_fields(&mut batch, &ProducerFields::NONE).unwrap();
    assert_eq!(read(&batch, &DecodeOptions::default()).unwrap(), []);
    assert_eq!(
        BatchHeader::parse(&batch).unwrap().unwrap().next_offset(),
        10
    );
}
