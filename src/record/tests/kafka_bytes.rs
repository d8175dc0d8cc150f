//! Batches that Kafka's own classes wrote, see `fixtures/kafka-4.3.1.hex`.

use super::*;

const FIXTURES: &str = include_str!("../fixtures/kafka-4.3.1.hex");

pub(super) fn fixture(name: &str) -> Vec<u8> {
    let hex = FIXTURES
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        .unwrap();
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

type Row<'a> = (i64, Option<&'a str>, Option<&'a str>);

/// What the fixtures' note says was appended.
fn appended(base_offset: i64) -> Vec<Owned> {
    let json: String = (0..40)
        .map(|id| format!("{{\"id\":{id},\"name\":\"ringmain\"}}"))
        .collect();
    let rows: [Row<'_>; 6] = [
        (1_700_000_000_000, Some("key-0"), Some("value-0")),
        (1_700_000_000_005, None, Some("no key")),
        (1_699_999_999_000, Some("tombstone"), None),
        (1_700_000_000_005, None, None),
        (1_700_000_086_400_000, Some(""), Some("")),
        (1_700_000_000_006, Some("json"), Some(&json)),
    ];
    let mut records: Vec<_> = rows
        .into_iter()
        .zip(base_offset..)
        .map(|((timestamp, key, value), offset)| Owned {
            offset,
            timestamp,
            key: key.map(|key| key.as_bytes().to_vec()),
            value: value.map(|value| value.as_bytes().to_vec()),
            headers: Vec::new(),
        })
        .collect();
    records[3].headers = vec![
        (b"trace".to_vec(), Some(b"abc".to_vec())),
        (b"trace".to_vec(), None),
        (Vec::new(), Some(Vec::new())),
        ("\u{e4}".into(), Some(vec![0, 0xff])),
    ];
    records
}

#[test]
fn every_codec_of_kafka_is_read() {
    for codec in Compression::ALL {
        let batch = fixture(codec.name());
        let header = BatchHeader::parse(&batch).unwrap().unwrap();
        assert_eq!(header.compression().unwrap(), codec);
        assert_eq!((header.partition_leader_epoch, header.count), (5, 6));
        assert_eq!(header.timestamp_type(), TimestampType::CreateTime);
        let found = read(&batch, &DecodeOptions::default()).unwrap();
        assert_eq!(found, appended(1000), "{codec}");
    }
}

#[test]
fn the_same_records_make_the_same_bytes_as_kafkas() {
    let mut batch = build(CompressionConfig::NONE, &appended(1000), 1000);
    set_base_offset(&mut batch, 1000, 5).unwrap();
    assert_eq!(batch, fixture("none"));

    let mut batch = build(CompressionConfig::NONE, &appended(7), 7);
    let fields = ProducerFields {
        producer_id: 4711,
        producer_epoch: 3,
        base_sequence: 42,
        transactional: true,
    };
    rewrite_producer_fields(&mut batch, &fields).unwrap();
    set_base_offset(&mut batch, 7, 5).unwrap();
    assert_eq!(batch, fixture("transactional"));
}

#[test]
fn the_brokers_time_stands_for_every_records() {
    let found = read(&fixture("log-append-time"), &DecodeOptions::default()).unwrap();
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|r| r.timestamp == 1_700_000_099_999));
}

#[test]
fn transaction_markers_are_read_and_give_no_records() {
    for (name, record) in [
        ("commit", ControlRecord::Commit),
        ("abort", ControlRecord::Abort),
    ] {
        let bytes = fixture(name);
        let batch = Batches::new(&bytes).next().unwrap().unwrap();
        assert!(batch.header.is_control() && batch.header.is_transactional());
        let marker = ControlBatch {
            record,
            coordinator_epoch: 12,
        };
        assert_eq!(ControlBatch::parse(&batch).unwrap(), marker);
        assert_eq!(read(&bytes, &DecodeOptions::default()).unwrap(), []);

        let fields = batch.header.producer();
        let mut own = control_batch(marker, &fields, 1_700_000_000_000, 50).unwrap();
        set_base_offset(&mut own, 50, 9).unwrap();
        assert_eq!(own, bytes);
    }
}

#[test]
fn a_batch_of_records_is_no_marker() {
    let bytes = fixture("none");
    let batch = Batches::new(&bytes).next().unwrap().unwrap();
    assert!(ControlBatch::parse(&batch).is_err());
}

#[test]
fn the_upper_bound_of_a_records_size_is_kafkas() {
    // AbstractRecords.estimateSizeInBytesUpperBound of kafka-clients 4.3.1.
    let headers = [
        RecordHeader {
            key: b"trace",
            value: Some(b"abc"),
        },
        RecordHeader {
            key: b"n",
            value: None,
        },
    ];
    let (key, value) = (Some(&[0u8; 5][..]), Some(&[0u8; 100][..]));
    assert_eq!(size_upper_bound(Some(&[]), Some(&[]), &[]), 85);
    assert_eq!(size_upper_bound(None, None, &[]), 85);
    assert_eq!(size_upper_bound(key, value, &[]), 191);
    assert_eq!(size_upper_bound(key, value, &headers), 204);
}

/// What the fixtures' note says of the old formats.
fn appended_to_old(magic: i8) -> Vec<Owned> {
    let timestamp = |delta: i64| {
        if magic == 0 {
            -1
        } else {
            1_700_000_000_000 + delta
        }
    };
    let rows: [Row<'_>; 3] = [
        (timestamp(0), Some("key-0"), Some("value-0")),
        (timestamp(5), None, Some("no key")),
        (timestamp(0), Some("tombstone"), None),
    ];
    rows.into_iter()
        .zip(30..)
        .map(|((timestamp, key, value), offset)| Owned {
            offset,
            timestamp,
            key: key.map(|key| key.as_bytes().to_vec()),
            value: value.map(|value| value.as_bytes().to_vec()),
            headers: Vec::new(),
        })
        .collect()
}

pub(super) fn old_fixtures() -> impl Iterator<Item = (&'static str, i8)> {
    FIXTURES
        .lines()
        .filter(|line| line.starts_with("magic"))
        .map(|line| {
            let magic = if line.starts_with("magic0") { 0 } else { 1 };
            (line.split(' ').next().unwrap(), magic)
        })
}

#[test]
fn the_formats_before_kafka_0_11_are_read() {
    assert_eq!(old_fixtures().count(), 8);
    for (name, magic) in old_fixtures() {
        let bytes = [fixture(name), fixture("none")].concat();
        let expected = [appended_to_old(magic), appended(1000)].concat();
        let found = read(&bytes, &DecodeOptions::default()).unwrap();
        assert_eq!(found, expected, "{name}");
        let options = DecodeOptions {
            start_offset: 32,
            ..DecodeOptions::default()
        };
        assert_eq!(read(&bytes, &options).unwrap(), expected[2..], "{name}");
        let old = fixture(name);
        let last = Batches::new(&old).last().unwrap().unwrap();
        assert_eq!(last.header.next_offset(), 33);
        for cut in 1..old.len() {
            assert!(read(&old[..cut], &DecodeOptions::default()).unwrap().len() < 3);
        }
    }
}

#[test]
fn an_old_message_set_over_the_cap_is_refused() {
    let options = DecodeOptions {
        max_decompressed: 50,
        ..DecodeOptions::default()
    };
    for (name, _) in old_fixtures().filter(|(name, _)| !name.ends_with("none")) {
        let error = read(&fixture(name), &options).unwrap_err();
        let too_large = matches!(error, RecordError::TooLargeDecompressed { cap: 50, .. });
        assert!(too_large, "{name}: {error}");
    }
}

#[test]
fn old_messages_are_no_record_batches() {
    for (name, magic) in old_fixtures() {
        let mut bytes = fixture(name);
        let Err(RecordError::OldMessageFormat { magic: found, .. }) = BatchHeader::parse(&bytes)
        else {
            panic!("{name}");
        };
        assert_eq!(found, magic);
        assert!(set_base_offset(&mut bytes, 5, 5).is_err());
        assert!(rewrite_producer_fields(&mut bytes, &ProducerFields::NONE).is_err());
        let batch = Batches::new(&bytes).next().unwrap().unwrap();
        assert!(ControlBatch::parse(&batch).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]
    #[test]
    fn damaged_old_messages_never_panic_nor_pass_for_records(
        which in 0usize..8,
        at in any::<prop::sample::Index>(),
        byte: u8,
    ) {
        let (name, magic) = old_fixtures().nth(which).unwrap();
        let whole = fixture(name);
        let mut bytes = whole.clone();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let options = DecodeOptions { max_decompressed: 1 << 16, ..DecodeOptions::default() };
        drop(read_checked(&bytes, &options, false));
        // The offset is the broker's, and not covered by the CRC.
        let in_message = Batches::new(&whole)
            .map(|message| message.unwrap().position())
            .filter(|start| *start <= at)
            .map(|start| at - start)
            .last();
        if in_message >= Some(8) && let Ok(found) = read(&bytes, &options) {
            prop_assert_eq!(&found[..], &appended_to_old(magic)[..found.len()]);
        }
    }
}
