//! Damaged fetches: what a chunk makes of them, records or an error that names topic, partition and offset.

use bytes::Bytes;
use proptest::prelude::*;

use super::chunk::{Aborted, Chunk, ReadOptions};
use super::group::testing::{SubscriptionData, decode_assignment, encode_assignment};
use crate::api::TopicPartition;
use crate::clients::ClientError;
use crate::fuzz::{Outcome, bounded, mutated, search, within};
use crate::record::{
    BatchBuilder, Compression, CompressionConfig, ControlBatch, ControlRecord, ProducerFields,
    control_batch,
};

const MAX_DECOMPRESSED: usize = 2 << 20;

fn batch(codec: Compression, base: i64, producer: &ProducerFields) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Vec::new(), CompressionConfig { codec, level: None });
    for number in 0..4 {
        let value = format!("{{\"n\":{number},\"text\":\"{}\"}}", "x".repeat(40));
        builder.append(1000 + number, None, Some(value.as_bytes()), &[]);
    }
    builder.finish(producer, base).unwrap();
    builder.into_bytes()
}

fn answers() -> Vec<Vec<u8>> {
    let transactional = ProducerFields {
        producer_id: 7,
        producer_epoch: 0,
        base_sequence: 0,
        transactional: true,
    };
    let marker = ControlBatch {
        record: ControlRecord::Abort,
        coordinator_epoch: 0,
    };
    let marker = control_batch(marker, &transactional, 1000, 8).unwrap();
    let none = &ProducerFields::NONE;
    let of = |codec| {
        [
            batch(codec, 0, none),
            batch(codec, 4, &transactional),
            marker.clone(),
        ]
        .concat()
    };
    Compression::ALL.map(of).to_vec()
}

fn take_all(bytes: &[u8], read_committed: bool, check_crcs: bool, whole: bool) -> Outcome {
    let options = ReadOptions {
        check_crcs,
        max_decompressed: MAX_DECOMPRESSED,
        read_committed,
    };
    let aborted = Aborted::new([(7, 4)]);
    let data = Bytes::copy_from_slice(bytes);
    let mut chunk = Chunk::new(TopicPartition::new("t", 3), 1, 1, 0, data, aborted);
    chunk.survey();
    // Each batch has at least a header, so there are at most so many pieces.
    for _ in 0..=bytes.len() / 16 + 1 {
        let taken = match whole {
            true => chunk
                .take_batches(100, &options)
                .map(|taken| taken.is_some()),
            false => chunk.take(100, &options).map(|taken| taken.is_some()),
        };
        match taken {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(ClientError::Corrupt {
                topic,
                partition,
                reason,
                ..
            }) => {
                prop_assert_eq!((&*topic, partition), ("t", 3));
                prop_assert!(!reason.is_empty());
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        }
    }
    Err(TestCaseError::fail("a chunk without end"))
}

#[test]
fn a_damaged_fetch_is_records_or_an_error_that_names_its_place() {
    let inputs = || (mutated(answers()), any::<[bool; 3]>()).boxed();
    search(800, inputs, |(bytes, [committed, crcs, whole])| {
        let limit = 6 * MAX_DECOMPRESSED as u64 + (4 << 20) + 300 * bytes.len() as u64;
        within(limit, || take_all(&bytes, committed, crcs, whole))?
    });
}

fn group_messages() -> Vec<Vec<u8>> {
    let partitions = [
        TopicPartition::new("t", 0),
        TopicPartition::new("t", 5),
        TopicPartition::new("u", 1),
    ];
    let subscription = SubscriptionData {
        topics: vec!["t".to_owned(), "u".to_owned()],
        user_data: Some(Bytes::from_static(b"data")),
        owned: partitions.to_vec(),
        generation: Some(3),
        rack: Some("r".to_owned()),
    };
    vec![
        subscription.encode().to_vec(),
        encode_assignment(&partitions).to_vec(),
    ]
}

#[test]
fn damaged_words_of_other_group_members_are_read_or_refused() {
    search(
        1000,
        || mutated(group_messages()),
        |bytes| {
            let bytes = Bytes::from(bytes.0);
            for error in [
                bounded(bytes.len(), || SubscriptionData::decode(&bytes))?.err(),
                bounded(bytes.len(), || decode_assignment(&bytes))?.err(),
            ] {
                prop_assert!(error.is_none_or(|error| !error.to_string().is_empty()));
            }
            Ok(())
        },
    );
}
