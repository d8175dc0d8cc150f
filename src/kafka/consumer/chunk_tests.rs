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

/// All batches of a chunk, and the offset after each piece.
fn drain_raw(chunk: &mut Chunk, max: usize, options: &ReadOptions) -> (Vec<RawBatch>, Vec<i64>) {
    let (mut batches, mut offsets) = (Vec::new(), Vec::new());
    while let Some(fetched) = chunk.take_batches(max, options).unwrap() {
        batches.extend(fetched.batches);
        offsets.push(fetched.next_offset);
    }
    (batches, offsets)
}

fn raw_values(batch: &RawBatch) -> Vec<String> {
    let (mut decompressed, mut records) = (Vec::new(), Vec::new());
    let decoded = crate::record::decode_raw(batch, 1 << 20, &mut decompressed, &mut records);
    let buffer: &[u8] = match decoded.unwrap() {
        RecordBytes::Fetched => &batch.bytes,
        RecordBytes::Decompressed => &decompressed,
    };
    let text = |record: &RecordRef| {
        let bytes = record.value.of(buffer).unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    records.iter().map(text).collect()
}

#[test]
fn batches_come_as_they_are_and_say_where_the_wanted_records_begin() {
    let all = [
        plain(&["a", "b", "c"], 10),
        batch_of(&["d", "e"], 13, Compression::Zstd, &producer(5, false)),
        plain(&["f"], 15),
    ];
    for max in [usize::MAX, 1] {
        let mut chunk = chunk(11, &all, &[]);
        let (batches, offsets) = drain_raw(&mut chunk, max, &OPTIONS);
        let bytes: Vec<&[u8]> = batches.iter().map(|batch| &batch.bytes[..]).collect();
        assert_eq!(bytes, all.each_ref().map(Vec::as_slice));
        assert_eq!(raw_values(&batches[0]), ["b", "c"]);
        assert_eq!(raw_values(&batches[1]), ["d", "e"]);
        assert!(batches[1].skip_before <= batches[1].base_offset);
        let facts = |batch: &RawBatch| (batch.base_offset, batch.next_offset, batch.count);
        assert_eq!(facts(&batches[1]), (13, 15, 2));
        let whole: Vec<i64> = if max == 1 { vec![13, 15, 16] } else { vec![16] };
        assert_eq!(offsets, whole);
        // No byte was copied, and the buffer counts once.
        assert!(
            batches
                .iter()
                .all(|batch| Rc::ptr_eq(&batch.buffer, &chunk.buffer))
        );
        assert_eq!(chunk.buffer.cost(), all.concat().len());
        assert!(batches[2].bytes.as_ptr() > batches[0].bytes.as_ptr());
    }
}

#[test]
fn markers_and_aborted_batches_are_passed_over_and_the_offset_goes_on() {
    let all = [
        batch_of(&["kept"], 0, Compression::None, &producer(1, true)),
        batch_of(&["gone"], 1, Compression::None, &producer(2, true)),
        marker(2, 2, ControlRecord::Abort),
        marker(1, 3, ControlRecord::Commit),
    ];
    let values = |options| {
        let (batches, offsets) = drain_raw(&mut chunk(0, &all, &[(2, 1)]), usize::MAX, options);
        let values: Vec<String> = batches.iter().flat_map(raw_values).collect();
        (values, offsets)
    };
    assert_eq!(values(&COMMITTED), (vec!["kept".to_owned()], vec![4]));
    let all = vec!["kept".to_owned(), "gone".to_owned()];
    assert_eq!(values(&OPTIONS), (all, vec![4]));
}

#[test]
fn a_corrupt_batch_is_told_after_the_ones_before_it() {
    let mut bad = plain(&["bad"], 2);
    let last = bad.len() - 1;
    bad[last] ^= 1;
    let mut lying = plain(&["lie"], 2);
    lying[57..61].copy_from_slice(&999_i32.to_be_bytes());
    let unchecked = ReadOptions {
        check_crcs: false,
        ..OPTIONS
    };
    for (broken, options) in [(bad.clone(), &OPTIONS), (lying, &unchecked)] {
        let mut chunk = chunk(0, &[plain(&["a", "b"], 0), broken], &[]);
        let first = chunk.take_batches(usize::MAX, options).unwrap().unwrap();
        assert_eq!((first.batches.len(), first.next_offset), (1, 2));
        let error = chunk.take_batches(usize::MAX, options).unwrap_err();
        assert!(
            matches!(
                &error,
                ClientError::Corrupt {
                    offset: 2,
                    partition: 3,
                    ..
                }
            ),
            "{error}"
        );
    }
    // A batch that is cut off comes with a later fetch.
    let cut = plain(&["whole"], 2);
    let mut chunk = chunk(
        0,
        &[plain(&["a", "b"], 0), cut[..cut.len() - 1].to_vec()],
        &[],
    );
    let (batches, offsets) = drain_raw(&mut chunk, usize::MAX, &OPTIONS);
    assert_eq!((batches.len(), offsets), (1, vec![2]));
}

#[test]
fn records_that_a_poll_left_come_as_batches_afterwards() {
    let mut chunk = chunk(0, &[plain(&["a", "b", "c"], 0), plain(&["d"], 3)], &[]);
    let first = chunk.take(2, &OPTIONS).unwrap().unwrap();
    assert_eq!(values(&first), ["a", "b"]);
    let (batches, _) = drain_raw(&mut chunk, usize::MAX, &OPTIONS);
    let left: Vec<String> = batches.iter().flat_map(raw_values).collect();
    assert_eq!(left, ["c", "d"]);
    assert_eq!(batches[0].base_offset, 2);
    assert_eq!(batches.last().unwrap().next_offset, 4);
}

/// A message of an old format, without key and with a CRC that is not looked at.
fn message(magic: u8, offset: i64, timestamp: i64, value: &[u8]) -> Vec<u8> {
    let mut rest = vec![0, 0, 0, 0, magic, 0];
    if magic == 1 {
        rest.extend(timestamp.to_be_bytes());
    }
    rest.extend((-1_i32).to_be_bytes());
    rest.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
    rest.extend(value);
    let length = i32::try_from(rest.len()).unwrap();
    [&offset.to_be_bytes()[..], &length.to_be_bytes(), &rest].concat()
}

#[test]
fn messages_of_old_formats_become_batches_with_their_offsets() {
    let all = [
        message(1, 7, 1234, b"one"),
        message(1, 8, 1235, b"two"),
        message(0, 12, -1, b"three"),
        plain(&["new"], 13),
    ];
    let unchecked = ReadOptions {
        check_crcs: false,
        ..OPTIONS
    };
    let (batches, offsets) = drain_raw(&mut chunk(8, &all, &[]), usize::MAX, &unchecked);
    let facts: Vec<_> = batches
        .iter()
        .map(|batch| (batch.base_offset, batch.next_offset, raw_values(batch)))
        .collect();
    let text = |values: &[&str]| values.iter().map(|v| (*v).to_owned()).collect::<Vec<_>>();
    let expected = [
        (8, 9, text(&["two"])),
        (12, 13, text(&["three"])),
        (13, 14, text(&["new"])),
    ];
    assert_eq!(facts, expected);
    assert_eq!(offsets, [14]);
    let (joined, _) = drain_raw(&mut chunk(0, &all, &[]), usize::MAX, &unchecked);
    assert_eq!(raw_values(&joined[0]), ["one", "two"]);
    assert!(
        joined
            .iter()
            .all(|batch| crate::record::passes(batch, None).is_ok())
    );
}
