//! From the bytes that a fetch brought for one partition to [`FetchedRecords`] or [`FetchedBatches`].
//!
//! Decoding happens when the caller polls, not when the bytes come, so that what waits is as small as
//! it was on the wire. Records of uncompressed batches are ranges of the answer's own buffer; those of
//! compressed ones are ranges of a pooled buffer, which holds about [`DECOMPRESSED_TARGET`] at a time.

use std::collections::HashSet;
use std::rc::Rc;

use bytes::Bytes;

use crate::api::{RawBatch, SharedBuffer, TopicPartition};
use crate::clients::{ClientError, FetchedBatches, FetchedRecords};
use crate::record::{
    Batch, Batches, Compression, ControlBatch, ControlRecord, DecodeOptions, MAGIC_V2, RawEncoder,
    RecordBytes, RecordError, RecordRef, TimestampType, decode, encode_raw, raw_batch,
};
use crate::shard::{PooledVec, take_vec};

/// Compressed batches are opened until their records take this many bytes; the rest waits for the next
/// poll. One larger batch is opened whole.
const DECOMPRESSED_TARGET: usize = 1 << 20;

/// How batches are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadOptions {
    /// `check.crcs`.
    pub(super) check_crcs: bool,
    /// Cap on one batch after decompression.
    pub(super) max_decompressed: usize,
    /// Leave out records of aborted transactions.
    pub(super) read_committed: bool,
}

/// Which transactions of a fetched range were aborted (Kafka: `CompletedFetch`).
#[derive(Debug, Default)]
pub(super) struct Aborted {
    /// First offset and producer, the last one first.
    waiting: Vec<(i64, i64)>,
    /// Producers inside of an aborted transaction.
    open: HashSet<i64>,
}

impl Aborted {
    /// From the answer's list: producer id and first offset, in any order.
    pub(super) fn new(list: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let list = list.into_iter().map(|(producer, first)| (first, producer));
        let mut waiting: Vec<(i64, i64)> = list.collect();
        waiting.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            waiting,
            open: HashSet::new(),
        }
    }

    /// Whether the batch belongs to an aborted transaction. Has to see every batch, in order.
    fn covers(&mut self, batch: &Batch<'_>) -> Result<bool, RecordError> {
        let header = &batch.header;
        if header.producer_id < 0 || (self.waiting.is_empty() && self.open.is_empty()) {
            return Ok(false);
        }
        while let Some((first, producer)) = self.waiting.last().copied()
            && first <= header.last_offset()
        {
            self.open.insert(producer);
            self.waiting.pop();
        }
        if !self.open.contains(&header.producer_id) {
            return Ok(false);
        }
        if header.is_control() {
            if ControlBatch::parse(batch)?.record == ControlRecord::Abort {
                self.open.remove(&header.producer_id);
            }
            return Ok(true);
        }
        Ok(header.is_transactional())
    }
}

/// Records that were decoded and not yet handed over.
#[derive(Debug)]
struct Rest {
    buffer: Bytes,
    records: Vec<RecordRef>,
    from: usize,
    log_append_time: bool,
}

/// What a fetch brought for one partition.
#[derive(Debug)]
pub(super) struct Chunk {
    /// Of which partition.
    pub(super) partition: TopicPartition,
    /// The partition's stamp when it was asked for.
    pub(super) stamp: u64,
    /// Who sent it.
    pub(super) broker: i32,
    /// Number of the answer that it came with.
    pub(super) answer: u64,
    /// A poll is about to use it up, so that more may be fetched.
    pub(super) released: bool,
    /// The answer's buffer, which `data` is a slice of.
    pub(super) buffer: Rc<SharedBuffer>,
    data: Bytes,
    /// Byte of `data` where the next batch starts.
    at: usize,
    /// Offset wanted next.
    offset: i64,
    aborted: Aborted,
    rest: Option<Rest>,
}

impl Chunk {
    /// `data` was asked for from `offset` on.
    pub(super) fn new(
        partition: TopicPartition,
        stamp: u64,
        broker: i32,
        offset: i64,
        data: Bytes,
        aborted: Aborted,
    ) -> Self {
        Self {
            partition,
            stamp,
            broker,
            answer: 0,
            released: false,
            buffer: SharedBuffer::new(data.len()),
            data,
            at: 0,
            offset,
            aborted,
            rest: None,
        }
    }

    /// Offset after the last whole batch, and how many records the headers count, from a look at the
    /// headers alone. Stops quietly at what can't be read: [`Self::take`] tells of it.
    pub(super) fn survey(&self) -> (i64, u64) {
        let mut end = self.offset;
        let mut count = 0;
        for batch in Batches::new(&self.data[self.at..]).check_crc(false) {
            let Ok(batch) = batch else { break };
            end = end.max(batch.header.next_offset());
            count += u64::try_from(batch.header.count).unwrap_or(0);
        }
        (end, count)
    }

    /// Whether there is nothing but the start of a batch.
    pub(super) fn is_cut_off(&self) -> bool {
        Batches::new(&self.data[self.at..])
            .check_crc(false)
            .next()
            .is_none()
    }

    /// Decodes the next run of records, at most `max`; `None` when nothing is left.
    ///
    /// # Errors
    /// `Corrupt`, naming the offset that can't be read. What comes before it was handed over by earlier
    /// calls.
    pub(super) fn take(
        &mut self,
        max: usize,
        options: &ReadOptions,
    ) -> Result<Option<FetchedRecords>, ClientError> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(self.hand_over(rest, max)));
        }
        let before = self.offset;
        let mut run = Run::default();
        let outcome = self.read_run(&mut run, max, options);
        if let Err(error) = outcome
            && run.records.is_empty()
            && self.offset == before
        {
            return Err(self.corrupt(&error));
        }
        if run.records.is_empty() && self.offset == before {
            return Ok(None);
        }
        let buffer = match run.kind {
            Some((RecordBytes::Decompressed, _)) => run.decompressed.into_bytes(),
            Some((RecordBytes::Fetched, _)) => self.data.clone(),
            None => Bytes::new(),
        };
        let rest = Rest {
            buffer,
            records: run.records,
            from: 0,
            log_append_time: run.kind.is_some_and(|(_, append_time)| append_time),
        };
        Ok(Some(self.hand_over(rest, max)))
    }

    /// As [`Self::take`], whole batches as they are: until they have `max` records or more.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(super) fn take_batches(
        &mut self,
        max: usize,
        options: &ReadOptions,
    ) -> Result<Option<FetchedBatches>, ClientError> {
        if let Some(rest) = &self.rest {
            // An earlier call for records has decoded them already.
            let left = rest.records.get(rest.from..).unwrap_or_default();
            let batches = encode_raw(&rest.buffer, left).map_err(|error| self.corrupt(&error))?;
            self.rest = None;
            return Ok(Some(self.batches(batches)));
        }
        let before = self.offset;
        let mut run = RawRun::default();
        let outcome = self.read_raw(&mut run, max, options);
        let outcome = outcome.and(run.end_encoded());
        if let Err(error) = outcome
            && run.batches.is_empty()
            && self.offset == before
        {
            return Err(self.corrupt(&error));
        }
        if run.batches.is_empty() && self.offset == before {
            return Ok(None);
        }
        Ok(Some(self.batches(run.batches)))
    }

    fn batches(&self, batches: Vec<RawBatch>) -> FetchedBatches {
        FetchedBatches {
            source: self.partition.clone(),
            batches,
            next_offset: self.offset,
        }
    }

    fn corrupt(&self, error: &RecordError) -> ClientError {
        ClientError::Corrupt {
            topic: self.partition.topic.to_string(),
            partition: self.partition.partition,
            offset: self.offset,
            reason: error.to_string(),
        }
    }

    /// Whether [`Self::take`] may give more.
    pub(super) fn has_more(&self) -> bool {
        self.rest.is_some() || self.at < self.data.len()
    }

    /// Reads batches that can share a [`FetchedRecords`].
    fn read_run(
        &mut self,
        run: &mut Run,
        max: usize,
        options: &ReadOptions,
    ) -> Result<(), RecordError> {
        let data = self.data.clone();
        let base = self.at;
        let mut batches = Batches::new(&data[base..]).check_crc(options.check_crcs);
        while run.records.len() < max && run.decompressed.len() < DECOMPRESSED_TARGET {
            let Some(batch) = batches.next() else {
                // A cut-off batch at the end comes whole with a later fetch.
                self.at = data.len();
                return Ok(());
            };
            let batch = batch?;
            let skip = self.passes_over(&batch, options)?;
            if !skip && !run.take_batch(&batch, base, self.offset, options)? {
                return Ok(());
            }
            self.at = base + batches.position();
            self.offset = self.offset.max(batch.header.next_offset());
        }
        Ok(())
    }

    /// Whether a batch has nothing for the caller. Has to see every batch, in order.
    fn passes_over(
        &mut self,
        batch: &Batch<'_>,
        options: &ReadOptions,
    ) -> Result<bool, RecordError> {
        let header = &batch.header;
        let below = header.last_offset() < self.offset;
        Ok(below
            || (options.read_committed && self.aborted.covers(batch)?)
            || header.is_control()
            || header.count == 0)
    }

    /// Takes batches as they are. Those of old formats are made into new ones.
    fn read_raw(
        &mut self,
        run: &mut RawRun,
        max: usize,
        options: &ReadOptions,
    ) -> Result<(), RecordError> {
        let data = self.data.clone();
        let base = self.at;
        let mut batches = Batches::new(&data[base..]).check_crc(options.check_crcs);
        while run.records < max {
            let Some(batch) = batches.next() else {
                // A cut-off batch at the end comes whole with a later fetch.
                self.at = data.len();
                return Ok(());
            };
            let batch = batch?;
            if !self.passes_over(&batch, options)? {
                if batch.header.magic == MAGIC_V2 {
                    let at = base + batch.position();
                    let bytes = data.slice(at..at + batch.bytes().len());
                    let taken = raw_batch(&batch, bytes, &self.buffer, self.offset)?;
                    run.push(taken)?;
                } else {
                    run.encode_old(&batch, self.offset, options)?;
                }
            }
            self.at = base + batches.position();
            self.offset = self.offset.max(batch.header.next_offset());
        }
        Ok(())
    }

    fn hand_over(&mut self, mut rest: Rest, max: usize) -> FetchedRecords {
        let end = rest.from.saturating_add(max);
        let all = end >= rest.records.len();
        let records = match (rest.from, all) {
            (0, true) => std::mem::take(&mut rest.records),
            (from, true) => rest.records.split_off(from),
            (from, false) => rest.records[from..end].to_vec(),
        };
        let next_offset = match records.last() {
            Some(last) if !all => last.offset + 1,
            _ => self.offset,
        };
        let fetched = FetchedRecords {
            source: self.partition.clone(),
            buffer: rest.buffer.clone(),
            records,
            next_offset,
            log_append_time: rest.log_append_time,
        };
        if !all {
            rest.from = end;
            self.rest = Some(rest);
        }
        fetched
    }
}

/// Batches as they are.
#[derive(Default)]
struct RawRun {
    batches: Vec<RawBatch>,
    records: usize,
    /// What is made into batches; ended before a batch is taken as it is.
    encoder: RawEncoder,
}

impl RawRun {
    fn push(&mut self, batch: RawBatch) -> Result<(), RecordError> {
        self.end_encoded()?;
        self.records += batch.count as usize;
        self.batches.push(batch);
        Ok(())
    }

    fn encode_old(
        &mut self,
        batch: &Batch<'_>,
        start_offset: i64,
        options: &ReadOptions,
    ) -> Result<(), RecordError> {
        let decode_options = DecodeOptions {
            base: 0,
            start_offset,
            max_decompressed: options.max_decompressed,
        };
        let (mut decompressed, mut records) = (Vec::new(), Vec::new());
        // The spans of a message that is not compressed begin at its own first byte.
        let own = Batches::new(batch.bytes()).check_crc(false).next();
        let own = own.transpose()?.unwrap_or(*batch);
        let buffer = match decode(&own, &decode_options, &mut decompressed, &mut records)? {
            RecordBytes::Fetched => batch.bytes(),
            RecordBytes::Decompressed => &decompressed,
        };
        self.records += records.len();
        for record in &records {
            self.encoder.append(buffer, record)?;
        }
        Ok(())
    }

    fn end_encoded(&mut self) -> Result<(), RecordError> {
        self.encoder.end(&mut self.batches)
    }
}

/// Batches of one kind, decoded.
#[derive(Debug, Default)]
struct Run {
    /// Which buffer the records index, and whether the broker set the timestamps.
    kind: Option<(RecordBytes, bool)>,
    decompressed: PooledVec,
    records: Vec<RecordRef>,
}

impl Run {
    /// Decodes `batch` into the run; `false` when it is of another kind than those before.
    fn take_batch(
        &mut self,
        batch: &Batch<'_>,
        base: usize,
        start_offset: i64,
        options: &ReadOptions,
    ) -> Result<bool, RecordError> {
        let bytes = match batch.header.compression()? {
            Compression::None => RecordBytes::Fetched,
            _ => RecordBytes::Decompressed,
        };
        let append_time = batch.header.timestamp_type() == TimestampType::LogAppendTime;
        if self.kind.is_some_and(|kind| kind != (bytes, append_time)) {
            return Ok(false);
        }
        if bytes == RecordBytes::Decompressed && self.kind.is_none() {
            self.decompressed = take_vec(DECOMPRESSED_TARGET);
        }
        let decode_options = DecodeOptions {
            base,
            start_offset,
            max_decompressed: options.max_decompressed,
        };
        decode(
            batch,
            &decode_options,
            &mut self.decompressed,
            &mut self.records,
        )?;
        self.kind = Some((bytes, append_time));
        Ok(true)
    }
}

#[cfg(test)]
#[path = "chunk_tests.rs"]
mod tests;
