//! Batches on their way: open, waiting to be sent, in flight; and which records of the caller are in
//! them.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;

use crate::api::RawBatch;
use crate::clients::HeldBuffer;
use crate::record::{
    BatchBuilder, Batches, CompressionConfig, DecodeOptions, HEADER_BYTES, ProducerFields,
    RecordBytes, RecordError, RecordHeader, RecordRef, codec_of, decode, headers,
    rewrite_producer_fields, rewritten_header,
};
use crate::shard::{PooledVec, take_vec};

/// Records of one of the caller's batches, consecutive there and here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) batch: u64,
    pub(super) first: u32,
    pub(super) count: u32,
}

/// Adds records to a list of runs.
#[inline]
pub(super) fn note(runs: &mut Vec<Run>, batch: u64, first: u32, count: u32) {
    match runs.last_mut() {
        Some(last) if last.batch == batch && last.first + last.count == first => {
            last.count += count;
        }
        _ => runs.push(Run {
            batch,
            first,
            count,
        }),
    }
}

/// A batch that takes records.
#[derive(Debug)]
pub(super) struct OpenBatch {
    pub(super) builder: BatchBuilder,
    pub(super) runs: Vec<Run>,
    pub(super) created: Instant,
    /// Bytes that it may have, header included, before more memory must be asked for.
    pub(super) limit: usize,
    /// Bytes of `buffer.memory` that it holds.
    pub(super) memory: usize,
}

/// Producer id and epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: i64,
    pub(super) epoch: i16,
}

/// What an idempotent producer has given a batch at its first sending; retries keep it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    pub(super) identity: Identity,
    pub(super) base: i32,
}

impl Sequence {
    fn fields(sequence: Option<Self>) -> ProducerFields {
        sequence.map_or(ProducerFields::NONE, |sequence| ProducerFields {
            producer_id: sequence.identity.id,
            producer_epoch: sequence.identity.epoch,
            base_sequence: sequence.base,
            transactional: false,
        })
    }
}

/// `sequence + count`, which starts again at 0 after the largest (Kafka:
/// `DefaultRecordBatch.incrementSequence`).
pub(super) fn sequence_after(sequence: i32, count: u32) -> i32 {
    let sum = i64::from(sequence) + i64::from(count);
    i32::try_from(sum & i64::from(i32::MAX)).unwrap_or(0)
}

#[derive(Debug)]
pub(super) enum Payload {
    /// Neither compressed nor given a header.
    Raw(BatchBuilder),
    /// As it goes over the wire.
    Finished(Rc<PooledVec>),
    /// A whole batch of the caller's.
    Whole(Whole),
}

/// A batch of the caller's: its bytes, shared with the buffer that it was read into, and the header that
/// it gets here.
#[derive(Debug)]
pub(super) struct Whole {
    bytes: Bytes,
    header: Option<[u8; HEADER_BYTES]>,
    _held: HeldBuffer,
}

/// The bytes of a finished batch.
#[derive(Debug)]
pub(super) enum Wire<'a> {
    /// Header and records.
    Built(&'a Rc<PooledVec>),
    /// The header, and the records of a batch that came whole.
    Whole(&'a [u8; HEADER_BYTES], Bytes),
}

/// A batch that can't be finished or split, and why.
#[derive(Debug)]
pub(super) struct Unsendable {
    pub(super) batch: Batch,
    pub(super) error: RecordError,
}

/// A batch that takes no more records.
#[derive(Debug)]
pub(super) struct Batch {
    /// Order within its partition.
    pub(super) serial: u64,
    pub(super) payload: Payload,
    pub(super) runs: Vec<Run>,
    pub(super) count: u32,
    pub(super) created: Instant,
    pub(super) attempts: u32,
    pub(super) sequence: Option<Sequence>,
    pub(super) memory: usize,
}

impl Batch {
    pub(super) fn new(open: OpenBatch, serial: u64) -> Self {
        Self {
            serial,
            count: open.builder.count(),
            payload: Payload::Raw(open.builder),
            runs: open.runs,
            created: open.created,
            attempts: 0,
            sequence: None,
            memory: open.memory,
        }
    }

    /// A batch that was appended whole. What it is a slice of counts in `shared`.
    pub(super) fn whole(
        raw: &RawBatch,
        number: u64,
        serial: u64,
        shared: &Rc<Cell<usize>>,
    ) -> Self {
        Self {
            serial,
            count: raw.count,
            payload: Payload::Whole(Whole {
                bytes: raw.bytes.clone(),
                header: None,
                _held: HeldBuffer::new(&raw.buffer, shared),
            }),
            runs: vec![Run {
                batch: number,
                first: 0,
                count: raw.count,
            }],
            created: Instant::now(),
            attempts: 0,
            sequence: None,
            memory: 0,
        }
    }

    /// Bytes so far; after [`Batch::finish`] those on the wire.
    pub(super) fn len(&self) -> usize {
        match &self.payload {
            Payload::Raw(builder) => builder.len_bytes(),
            Payload::Finished(bytes) => bytes.len(),
            Payload::Whole(whole) => whole.bytes.len(),
        }
    }

    /// Makes the bytes for the wire, or gives the same bytes other producer fields.
    pub(super) fn finish(&mut self, sequence: Option<Sequence>) -> Result<(), RecordError> {
        let fields = Sequence::fields(sequence);
        let unchanged = self.sequence == sequence;
        self.sequence = sequence;
        match &mut self.payload {
            Payload::Raw(builder) => {
                builder.finish(&fields, 0)?;
                let empty = BatchBuilder::new(Vec::new(), CompressionConfig::NONE);
                let done = std::mem::replace(builder, empty);
                self.payload = Payload::Finished(Rc::new(PooledVec::from(done.into_bytes())));
                Ok(())
            }
            Payload::Whole(whole) => {
                if whole.header.is_none() || !unchanged {
                    whole.header = Some(rewritten_header(&whole.bytes, &fields, 0)?);
                }
                Ok(())
            }
            Payload::Finished(_) if unchanged => Ok(()),
            Payload::Finished(bytes) => match Rc::get_mut(bytes) {
                Some(bytes) => rewrite_producer_fields(bytes, &fields),
                None => {
                    // A write that was cut off has not let go of it yet.
                    let mut copy = take_vec(bytes.len());
                    copy.extend_from_slice(bytes);
                    rewrite_producer_fields(&mut copy, &fields)?;
                    *bytes = Rc::new(copy);
                    Ok(())
                }
            },
        }
    }

    /// The finished bytes.
    pub(super) fn wire(&self) -> Option<Wire<'_>> {
        match &self.payload {
            Payload::Raw(_) => None,
            Payload::Finished(bytes) => Some(Wire::Built(bytes)),
            Payload::Whole(whole) => {
                let header = whole.header.as_ref()?;
                Some(Wire::Whole(header, whole.bytes.slice(HEADER_BYTES..)))
            }
        }
    }

    /// Finished bytes to read records from, and the codec for those of its parts: a batch that came whole
    /// keeps its own. Its header is the one that it came with.
    fn to_split(&self, configured: CompressionConfig) -> (&[u8], CompressionConfig) {
        let bytes: &[u8] = match &self.payload {
            Payload::Raw(_) => &[],
            Payload::Finished(bytes) => bytes,
            Payload::Whole(whole) => &whole.bytes,
        };
        match codec_of(bytes) {
            codec if codec == configured.codec => (bytes, configured),
            codec => (bytes, codec.into()),
        }
    }

    /// Cuts a finished batch of several records in two (KIP-126). The halves share its sequences.
    pub(super) fn split(
        self,
        compression: CompressionConfig,
        max_decompressed: usize,
    ) -> Result<[Self; 2], Box<Unsendable>> {
        match self.halves(compression, max_decompressed) {
            Ok(halves) => Ok(halves),
            Err(error) => Err(Box::new(Unsendable { batch: self, error })),
        }
    }

    fn halves(
        &self,
        compression: CompressionConfig,
        max_decompressed: usize,
    ) -> Result<[Self; 2], RecordError> {
        let (bytes, compression) = self.to_split(compression);
        let mut records = Vec::new();
        let mut decompressed = Vec::new();
        let mut buffer = bytes;
        if let Some(batch) = Batches::new(bytes).next() {
            let options = DecodeOptions {
                max_decompressed,
                ..DecodeOptions::default()
            };
            let place = decode(&batch?, &options, &mut decompressed, &mut records)?;
            if place == RecordBytes::Decompressed {
                buffer = &decompressed;
            }
        }
        let (first, second) = records.split_at(records.len() / 2);
        let base = self.sequence;
        let middle = u32::try_from(first.len()).unwrap_or(u32::MAX);
        let later = base.map(|base| Sequence {
            base: sequence_after(base.base, middle),
            ..base
        });
        let (runs, later_runs) = split_runs(&self.runs, middle);
        Ok([
            self.half(buffer, first, compression, (runs, base))?,
            self.half(buffer, second, compression, (later_runs, later))?,
        ])
    }

    fn half(
        &self,
        buffer: &[u8],
        records: &[RecordRef],
        compression: CompressionConfig,
        (runs, sequence): (Vec<Run>, Option<Sequence>),
    ) -> Result<Self, RecordError> {
        let room = take_vec(buffer.len() / 2 + HEADER_BYTES).into_inner();
        let mut builder = BatchBuilder::new(room, compression);
        for record in records {
            let fields: Vec<RecordHeader<'_>> =
                headers(buffer, record.headers, record.header_count).collect::<Result<_, _>>()?;
            let (key, value) = (record.key.of(buffer), record.value.of(buffer));
            builder.append(record.timestamp, key, value, &fields);
        }
        let mut half = Self {
            serial: self.serial,
            count: builder.count(),
            payload: Payload::Raw(builder),
            runs,
            created: self.created,
            // Sent alone, as a retry is.
            attempts: self.attempts.max(1),
            sequence: None,
            memory: 0,
        };
        half.finish(sequence)?;
        half.memory = half.len();
        Ok(half)
    }
}

/// Splits runs after `middle` records.
fn split_runs(runs: &[Run], middle: u32) -> (Vec<Run>, Vec<Run>) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut seen = 0;
    for run in runs {
        let here = middle.saturating_sub(seen).min(run.count);
        if here > 0 {
            note(&mut first, run.batch, run.first, here);
        }
        if here < run.count {
            note(&mut second, run.batch, run.first + here, run.count - here);
        }
        seen += run.count;
    }
    (first, second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_wrap_round_to_zero_as_in_java() {
        assert_eq!(sequence_after(0, 5), 5);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 1, 5), 3);
    }

    #[test]
    fn runs_are_joined_and_split_where_asked() {
        let mut runs = Vec::new();
        note(&mut runs, 7, 0, 1);
        note(&mut runs, 7, 1, 4);
        note(&mut runs, 8, 0, 2);
        note(&mut runs, 7, 9, 1);
        assert_eq!(runs.len(), 3);
        let (first, second) = split_runs(&runs, 6);
        let count = |runs: &[Run]| runs.iter().map(|run| run.count).sum::<u32>();
        assert_eq!((count(&first), count(&second)), (6, 2));
        let last = Run {
            batch: 8,
            first: 0,
            count: 1,
        };
        assert_eq!(first.last(), Some(&last));
    }
}
