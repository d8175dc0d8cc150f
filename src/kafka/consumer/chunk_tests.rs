//! Fetched bytes and what comes out of them.

use super::*;
use crate::record::{
    BatchBuilder, CompressionConfig, ProducerFields, control_batch, set_base_offset,
};

const OPTIONS: ReadOptions = ReadOptions {
    check_crcs: true,
    max_decompressed: 1 << 20,
    read_committed: false,
};
const COMMITTED: ReadOptions = ReadOptions {
    read_committed: true,
    ..OPTIONS
};

fn producer(id: i64, transactional: bool) -> ProducerFields {
    ProducerFields {
        producer_id: id,
        producer_epoch: 0,
        base_sequence: 0,
        transactional,
    }
}

fn batch_of(values: &[&str], base: i64, codec: Compression, fields: &ProducerFields) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig { codec, level: None });
    for value in values {
        builder.append(1000, None, Some(value.as_bytes()), &[]);
    }
    builder.finish(fields, base).unwrap();
    builder.into_bytes()
}

fn plain(values: &[&str], base: i64) -> Vec<u8> {
    batch_of(values, base, Compression::None, &ProducerFields::NONE)
}

fn marker(id: i64, base: i64, record: ControlRecord) -> Vec<u8> {
    let marker = ControlBatch {
        record,
        coordinator_epoch: 0,
    };
    control_batch(marker, &producer(id, true), 1000, base).unwrap()
}

fn chunk(offset: i64, batches: &[Vec<u8>], aborted: &[(i64, i64)]) -> Chunk {
    Chunk::new(
        TopicPartition::new("t", 3),
        1,
        1,
        offset,
        Bytes::from(batches.concat()),
        Aborted::new(aborted.iter().copied()),
    )
}

fn values(fetched: &FetchedRecords) -> Vec<String> {
    let text = |record: &RecordRef| {
        let bytes = record.value.of(&fetched.buffer).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    fetched.records.iter().map(text).collect()
}

/// All that a chunk gives: values and the next offset of each piece.
fn drain(chunk: &mut Chunk, max: usize, options: &ReadOptions) -> Vec<(Vec<String>, i64)> {
    let mut out = Vec::new();
    while let Some(fetched) = chunk.take(max, options).unwrap() {
        out.push((values(&fetched), fetched.next_offset));
    }
    out
}

fn pieces(list: &[(&[&str], i64)]) -> Vec<(Vec<String>, i64)> {
    let owned = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect();
    list.iter().map(|(v, next)| (owned(v), *next)).collect()
}

#[test]
fn several_uncompressed_batches_come_as_ranges_of_the_answers_own_buffer() {
    let mut chunk = chunk(0, &[plain(&["a", "b"], 0), plain(&["c"], 2)], &[]);
    let data = chunk.data.as_ptr();
    let fetched = chunk.take(usize::MAX, &OPTIONS).unwrap().unwrap();
    assert_eq!(values(&fetched), ["a", "b", "c"]);
    assert_eq!(fetched.next_offset, 3);
    assert_eq!(fetched.buffer.as_ptr(), data);
    assert!(chunk.take(usize::MAX, &OPTIONS).unwrap().is_none());
    assert!(!chunk.has_more());
}

#[test]
fn records_below_the_wanted_offset_are_left_out_and_a_cut_off_tail_is_ignored() {
    let whole = plain(&["d", "e"], 3);
    let batches = [
        plain(&["a", "b", "c"], 0),
        whole[..whole.len() - 1].to_vec(),
    ];
    let mut chunk = chunk(2, &batches, &[]);
    assert_eq!(chunk.survey(), (3, 3));
    assert_eq!(drain(&mut chunk, 100, &OPTIONS), pieces(&[(&["c"], 3)]));
    let mut nothing = self::chunk(3, &[whole[..40].to_vec()], &[]);
    assert!(nothing.take(100, &OPTIONS).unwrap().is_none());
}

#[test]
fn compressed_and_plain_batches_come_apart_each_with_its_own_buffer() {
    for codec in [
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Zstd,
    ] {
        let none = ProducerFields::NONE;
        let batches = [
            plain(&["a"], 0),
            batch_of(&["b", "c"], 1, codec, &none),
            batch_of(&["d"], 3, codec, &none),
            plain(&["e"], 4),
        ];
        let mut chunk = chunk(0, &batches, &[]);
        let expected = pieces(&[(&["a"], 1), (&["b", "c", "d"], 4), (&["e"], 5)]);
        assert_eq!(drain(&mut chunk, 100, &OPTIONS), expected, "{codec}");
    }
}

#[test]
fn max_poll_records_cuts_within_a_batch_and_loses_nothing() {
    let batches = [plain(&["a", "b", "c", "d", "e"], 10), plain(&["f"], 15)];
    let expected = pieces(&[
        (&["a", "b"], 12),
        (&["c", "d"], 14),
        (&["e"], 15),
        (&["f"], 16),
    ]);
    assert_eq!(drain(&mut chunk(10, &batches, &[]), 2, &OPTIONS), expected);
}

#[test]
fn read_committed_leaves_out_aborted_transactions_and_markers_but_goes_past_them() {
    let (one, two) = (producer(1, true), producer(2, true));
    let batches = [
        batch_of(&["1a"], 0, Compression::None, &one),
        batch_of(&["2a"], 1, Compression::None, &two),
        plain(&["plain"], 2),
        batch_of(&["1b"], 3, Compression::None, &one),
        marker(1, 4, ControlRecord::Abort),
        batch_of(&["1c"], 5, Compression::None, &one),
        marker(2, 6, ControlRecord::Commit),
        marker(1, 7, ControlRecord::Commit),
    ];
    let committed = drain(&mut chunk(0, &batches, &[(1, 0)]), 100, &COMMITTED);
    assert_eq!(committed, pieces(&[(&["2a", "plain", "1c"], 8)]));
    let all = drain(&mut chunk(0, &batches, &[(1, 0)]), 100, &OPTIONS);
    assert_eq!(all, pieces(&[(&["1a", "2a", "plain", "1b", "1c"], 8)]));
}

#[test]
fn a_range_of_nothing_but_aborted_records_still_moves_the_position() {
    let batches = [
        batch_of(&["x"], 0, Compression::None, &producer(1, true)),
        marker(1, 1, ControlRecord::Abort),
    ];
    let mut chunk = chunk(0, &batches, &[(1, 0)]);
    assert_eq!(drain(&mut chunk, 100, &COMMITTED), pieces(&[(&[], 2)]));
}

#[test]
fn a_corrupt_batch_is_an_error_with_its_offset_after_the_good_ones_before_it() {
    let mut bad = plain(&["c"], 2);
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let mut chunk = chunk(0, &[plain(&["a", "b"], 0), bad, plain(&["d"], 3)], &[]);
    let good = chunk.take(100, &OPTIONS).unwrap().unwrap();
    assert_eq!((values(&good).len(), good.next_offset), (2, 2));
    assert!(chunk.has_more());
    let error = chunk.take(100, &OPTIONS).unwrap_err();
    assert!(
        matches!(&error, ClientError::Corrupt { topic, partition: 3, offset: 2, reason }
            if topic == "t" && reason.contains("CRC")),
        "{error}"
    );
    assert!(!error.is_retriable());
}

#[test]
fn without_check_crcs_the_sum_is_not_looked_at() {
    let mut odd = plain(&["c"], 0);
    odd[17] ^= 1;
    let options = ReadOptions {
        check_crcs: false,
        ..OPTIONS
    };
    assert_eq!(
        drain(&mut chunk(0, &[odd], &[]), 9, &options),
        pieces(&[(&["c"], 1)])
    );
}

#[test]
fn an_unknown_format_and_a_decompression_bomb_are_told_as_such() {
    let mut old = plain(&["c"], 0);
    old[16] = 3;
    let error = chunk(0, &[old], &[]).take(9, &OPTIONS).unwrap_err();
    assert!(error.to_string().contains("unknown magic"), "{error}");
    let zeros = "0".repeat(100_000);
    let bomb = batch_of(&[&zeros], 0, Compression::Gzip, &ProducerFields::NONE);
    let options = ReadOptions {
        max_decompressed: 1000,
        ..OPTIONS
    };
    let error = chunk(0, &[bomb], &[]).take(9, &options).unwrap_err();
    assert!(error.to_string().contains("larger than 1000"), "{error}");
}

#[test]
fn timestamps_of_the_broker_are_told_and_kept_apart_from_those_of_producers() {
    let mut stamped = plain(&["b"], 1);
    stamped[22] |= 0b1000;
    stamped[35..43].copy_from_slice(&77_i64.to_be_bytes());
    crate::record::rewrite_producer_fields(&mut stamped, &ProducerFields::NONE).unwrap();
    let mut chunk = chunk(0, &[plain(&["a"], 0), stamped], &[]);
    let first = chunk.take(9, &OPTIONS).unwrap().unwrap();
    assert!(!first.log_append_time);
    let second = chunk.take(9, &OPTIONS).unwrap().unwrap();
    assert!(second.log_append_time);
    assert_eq!(second.records[0].timestamp, 77);
}

#[test]
fn compressed_data_is_opened_a_target_at_a_time() {
    let big = "x".repeat(600_000);
    let batches: Vec<Vec<u8>> = (0..4)
        .map(|base| batch_of(&[&big], base, Compression::Gzip, &ProducerFields::NONE))
        .collect();
    let mut chunk = chunk(0, &batches, &[]);
    let first = chunk.take(100, &OPTIONS).unwrap().unwrap();
    assert_eq!((first.records.len(), first.next_offset), (2, 2));
    let second = chunk.take(100, &OPTIONS).unwrap().unwrap();
    assert_eq!((second.records.len(), second.next_offset), (2, 4));
    let mut moved = plain(&["z"], 0);
    set_base_offset(&mut moved, 9, 0).unwrap();
    assert_eq!(self::chunk(0, &[moved], &[]).survey(), (10, 1));
}
