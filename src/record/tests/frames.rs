//! Compressed forms that other clients choose.

use std::io::Write;

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

use super::*;

/// A batch with these bytes in the place of its records.
fn with_payload(codec: Compression, records: &[Owned], payload: &[u8]) -> Vec<u8> {
    let mut batch = build(CompressionConfig::NONE, records, records[0].offset);
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(payload);
    let length = i32::try_from(batch.len() - 12).unwrap();
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    batch[22] = codec.id();
    rewrite_producer_fields(&mut batch, &ProducerFields::NONE).unwrap();
    batch
}

fn raw_records(records: &[Owned]) -> Vec<u8> {
    build(CompressionConfig::NONE, records, 0).split_off(HEADER_BYTES)
}

fn assert_read(codec: Compression, records: &[Owned], payload: &[u8]) {
    let batch = with_payload(codec, records, payload);
    assert!(read(&batch, &DecodeOptions::default()).unwrap() == records);
}

#[test]
fn lz4_frames_of_every_kind_are_read() {
    let records = lines(8000, 0);
    let raw = raw_records(&records);
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        for size in [BlockSize::Max64KB, BlockSize::Max256KB, BlockSize::Max4MB] {
            for checksums in [false, true] {
                let info = FrameInfo::new()
                    .block_mode(mode)
                    .block_size(size)
                    .block_checksums(checksums)
                    .content_checksum(checksums)
                    .content_size(checksums.then_some(raw.len() as u64));
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(&raw).unwrap();
                assert_read(Compression::Lz4, &records, &encoder.finish().unwrap());
            }
        }
    }
}

#[test]
fn lz4_frames_may_follow_each_other_and_skippable_ones() {
    let records = lines(100, 0);
    let raw = raw_records(&records);
    let mut payload = vec![0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    for part in [&raw[..1000], &raw[1000..]] {
        let mut encoder = FrameEncoder::new(payload);
        encoder.write_all(part).unwrap();
        payload = encoder.finish().unwrap();
    }
    assert_read(Compression::Lz4, &records, &payload);
}

#[test]
fn our_lz4_frames_pass_a_reader_that_checks_them() {
    let records = lines(8000, 0);
    let batch = build(Compression::Lz4.into(), &records, 0);
    let mut raw = Vec::new();
    let mut decoder = lz4_flex::frame::FrameDecoder::new(&batch[HEADER_BYTES..]);
    std::io::Read::read_to_end(&mut decoder, &mut raw).unwrap();
    assert!(raw == raw_records(&records));
}

#[test]
fn snappy_without_framing_is_read() {
    let records = lines(3000, 0);
    let payload = snap::raw::Encoder::new()
        .compress_vec(&raw_records(&records))
        .unwrap();
    assert_read(Compression::Snappy, &records, &payload);
}

#[test]
fn framed_snappy_streams_may_follow_each_other() {
    let records = lines(100, 0);
    let raw = raw_records(&records);
    let mut payload = Vec::new();
    for part in [&raw[..777], &raw[777..]] {
        payload.extend_from_slice(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01");
        let block = snap::raw::Encoder::new().compress_vec(part).unwrap();
        payload.extend_from_slice(&u32::try_from(block.len()).unwrap().to_be_bytes());
        payload.extend_from_slice(&block);
    }
    assert_read(Compression::Snappy, &records, &payload);
}

#[test]
fn gzip_members_may_follow_each_other() {
    let records = lines(100, 0);
    let raw = raw_records(&records);
    let mut payload = Vec::new();
    for part in [&raw[..777], &raw[777..]] {
        let level = flate2::Compression::default();
        let mut encoder = flate2::write::GzEncoder::new(payload, level);
        encoder.write_all(part).unwrap();
        payload = encoder.finish().unwrap();
    }
    assert_read(Compression::Gzip, &records, &payload);
}

#[test]
fn zstd_frames_without_a_content_size_are_read() {
    let records = lines(8000, 0);
    let raw = raw_records(&records);
    let payload = zstd::stream::encode_all(&raw[..], 3).unwrap();
    assert_read(Compression::Zstd, &records, &payload);
    let halves: Vec<u8> = [&raw[..50_000], &raw[50_000..]]
        .iter()
        .flat_map(|part| zstd::stream::encode_all(*part, 1).unwrap())
        .collect();
    assert_read(Compression::Zstd, &records, &halves);
}

#[test]
fn a_compressed_form_that_is_cut_off_is_refused() {
    let records = lines(60, 0);
    for codec in &Compression::ALL[1..] {
        let payload = build((*codec).into(), &records, 0).split_off(HEADER_BYTES);
        for cut in 0..payload.len() {
            let batch = with_payload(*codec, &records, &payload[..cut]);
            let outcome = read(&batch, &DecodeOptions::default());
            // Also where only LZ4's end mark or gzip's trailer is missing, which hold no records.
            assert!(
                outcome.is_err(),
                "{codec} cut at {cut} of {}",
                payload.len()
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn lying_compressed_bytes_with_a_right_crc_never_panic_or_pass_the_cap(
        records in some_records(),
        codec in 0u8..8,
        from in 0u8..5,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let source = Compression::from_id(from).unwrap();
        let mut payload = build(source.into(), &records, 500).split_off(HEADER_BYTES);
        for (at, byte) in edits {
            let at = at.index(payload.len());
            payload[at] = byte;
        }
        let mut batch = with_payload(Compression::None, &records, &payload);
        batch[22] = codec;
        rewrite_producer_fields(&mut batch, &ProducerFields::NONE).unwrap();
        let options = DecodeOptions { max_decompressed: 1 << 20, ..DecodeOptions::default() };
        let (mut decompressed, mut refs) = (Vec::new(), Vec::new());
        let parsed = Batches::new(&batch).next().unwrap().unwrap();
        match decode(&parsed, &options, &mut decompressed, &mut refs) {
            Ok(_) => prop_assert_eq!(refs.len(), records.len()),
            Err(_) => prop_assert!(decompressed.is_empty() && refs.is_empty()),
        }
        prop_assert!(decompressed.capacity() <= (1 << 20) + (64 << 10));
    }
}
