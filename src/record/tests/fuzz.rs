//! Damaged batches of every codec, with and without a CRC that fits: what a broken broker, a broken disk
//! or a producer with ill will sends.

use super::*;
use crate::fuzz::{Blob, Outcome, mutated, search, within};

/// Most bytes that a batch may become.
const MAX_DECOMPRESSED: usize = 4 << 20;

fn samples() -> Vec<Vec<u8>> {
    let mut records = lines(6, 0);
    records[1].headers = vec![(b"h".to_vec(), Some(b"1".to_vec())), (b"i".to_vec(), None)];
    records[2].value = None;
    records[3].key = Some(b"key".to_vec());
    records[4].value = Some(vec![0; 3000]);
    let mut samples: Vec<_> = configs()
        .into_iter()
        .map(|config| build(config, &records, 0))
        .collect();
    let marker = ControlBatch {
        record: ControlRecord::Abort,
        coordinator_epoch: 1,
    };
    samples.push(control_batch(marker, &ProducerFields::NONE, 1000, 0).unwrap());
    samples
}

/// Makes length and CRC fit, so that the damage is met where records are read.
fn mended(mut batch: Vec<u8>) -> Vec<u8> {
    if batch.len() >= HEADER_BYTES {
        let length = i32::try_from(batch.len() - 12).unwrap();
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = 2;
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    batch
}

/// Everything that is done with fetched bytes.
fn take_apart(bytes: &[u8], check_crc: bool) -> Outcome {
    let options = DecodeOptions {
        max_decompressed: MAX_DECOMPRESSED,
        ..DecodeOptions::default()
    };
    // The output grows by doubling, and is copied once by `read`.
    let limit = 5 * MAX_DECOMPRESSED as u64 + (1 << 20) + 300 * bytes.len() as u64;
    let read = within(limit, || read_checked(bytes, &options, check_crc))?;
    if let Err(error) = &read {
        prop_assert!(!error.to_string().is_empty());
    }
    for batch in Batches::new(bytes).check_crc(check_crc) {
        let Ok(batch) = batch else { break };
        drop(ControlBatch::parse(&batch));
        if batch.header.magic == MAGIC_V2 {
            let shared = crate::api::SharedBuffer::new(bytes.len());
            let whole = bytes::Bytes::copy_from_slice(batch.bytes());
            drop(rewritten_header(&whole, &ProducerFields::NONE, 0));
            if let Ok(raw) = raw_batch(&batch, whole, &shared, 0) {
                prop_assert!(
                    passes(&raw, None)
                        .err()
                        .is_none_or(|reason| !reason.is_empty())
                );
                drop(decode_raw(
                    &raw,
                    MAX_DECOMPRESSED,
                    &mut Vec::new(),
                    &mut Vec::new(),
                ));
            }
        }
    }
    Ok(())
}

#[test]
fn damaged_batches_are_records_or_an_error() {
    search(
        600,
        || mutated(samples()),
        |bytes| {
            take_apart(&bytes, true)?;
            take_apart(&bytes, false)
        },
    );
}

#[test]
fn damaged_batches_whose_crc_fits_are_records_or_an_error() {
    search(
        1200,
        || mutated(samples()),
        |bytes| take_apart(&mended(bytes.0), true),
    );
}

/// Old messages, whole and in a compressed set.
fn old_samples() -> Vec<Vec<u8>> {
    let names = kafka_bytes::old_fixtures().map(|(name, _)| name);
    names.map(kafka_bytes::fixture).collect()
}

#[test]
fn damaged_messages_of_old_formats_are_records_or_an_error() {
    search(
        600,
        || mutated(old_samples()),
        |bytes: Blob| take_apart(&bytes, false),
    );
}

/// A bomb: a batch whose CRC fits, some kilobytes that become gigabytes if one lets them.
#[test]
fn a_decompression_bomb_is_an_error_of_the_limits_size() {
    for codec in &Compression::ALL[1..] {
        let mut records = lines(1, 0);
        records[0].value = Some(vec![b'x'; 3 * MAX_DECOMPRESSED]);
        let bomb = build((*codec).into(), &records, 0);
        let options = DecodeOptions {
            max_decompressed: MAX_DECOMPRESSED,
            ..DecodeOptions::default()
        };
        let (mut decompressed, mut refs) = (Vec::new(), Vec::new());
        let batch = Batches::new(&bomb).next().unwrap().unwrap();
        let limit = 3 * MAX_DECOMPRESSED as u64 + (2 << 20);
        let decoding = || decode(&batch, &options, &mut decompressed, &mut refs);
        let error = within(limit, decoding).unwrap().unwrap_err().to_string();
        assert!(error.contains(codec.name()), "{error}");
        assert!(error.contains("larger than 4194304 bytes"), "{error}");
        assert!(refs.is_empty());
    }
}
