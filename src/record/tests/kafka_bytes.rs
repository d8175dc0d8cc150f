//! Batches that Kafka's own classes wrote, see `fixtures/kafka-4.3.1.hex`.

use super::*;

const FIXTURES: &str = include_str!("../fixtures/kafka-4.3.1.hex");

fn fixture(name: &str) -> Vec<u8> {
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

#[test]
fn the_formats_before_kafka_0_11_are_named() {
    for line in FIXTURES.lines().filter(|line| line.starts_with("magic")) {
        let name = line.split(' ').next().unwrap();
        let error = read(&fixture(name), &DecodeOptions::default()).unwrap_err();
        let RecordError::OldMessageFormat { magic, .. } = error else {
            panic!("{name}: {error}");
        };
        assert!(name.starts_with(&format!("magic{magic}")));
        assert!(error.to_string().contains("before Kafka 0.11"));
    }
}
