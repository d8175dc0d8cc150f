//! [`Consumer`] over the embedded log: reads whole batches into pooled buffers and hands out ranges.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::error;
use super::groups::{Key, MemberId};
use super::log::EmbeddedLog;
use super::partition::{Chunk, Cursor, Partition, Read};
use super::wake::WakeUp;
use crate::api::{RawBatch, SharedBuffer, TopicPartition};
use crate::clients::{
    AutoOffsetReset, ClientError, Consumer, ConsumerConfig, FetchedBatches, FetchedRecords, Polled,
    Subscription, encode_batches,
};
use crate::record::{
    Batch, Batches, DecodeOptions, RecordBytes, RecordRef, TimestampType, decode, raw_batch,
};
use crate::shard::{PooledVec, blocking, take_filled, take_vec, timeout, yield_now};

/// A consumer of an embedded log, for one shard. A group is spread over the members in this process.
pub struct EmbeddedConsumer {
    log: Arc<EmbeddedLog>,
    config: ConsumerConfig,
    wake: Arc<WakeUp>,
    state: RefCell<State>,
}

#[derive(Debug, Default)]
struct State {
    mode: Mode,
    held: Vec<Held>,
    /// Whose turn it is.
    next: usize,
    /// Given away at the next poll.
    leaving: Vec<TopicPartition>,
    closed: bool,
    /// Numbers the places that reads started from.
    moves: u64,
}

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Idle,
    Manual,
    /// Subscribed; a member from the first poll on.
    Subscribed(Subscription),
    Member {
        group: String,
        id: MemberId,
    },
}

/// A partition that is held.
#[derive(Debug)]
struct Held {
    name: TopicPartition,
    /// `None` while the topic is not there.
    partition: Option<Arc<Partition>>,
    /// Offset of the next record that a poll gives.
    position: Option<i64>,
    /// Offset of the next record to read: ahead of `position` by what is buffered.
    fetch: i64,
    cursor: Option<Cursor>,
    buffered: VecDeque<FetchedRecords>,
    paused: bool,
    /// Changes with each seek, so that a read under way is dropped.
    place: u64,
}

/// A read to do.
struct Wanted {
    name: TopicPartition,
    partition: Arc<Partition>,
    offset: i64,
    cursor: Option<Cursor>,
    place: u64,
}

fn key(partition: &TopicPartition) -> Key {
    (Arc::from(&*partition.topic), partition.partition)
}

fn name(key: &Key) -> TopicPartition {
    TopicPartition::new(&*key.0, key.1)
}

impl EmbeddedConsumer {
    /// A consumer of `log`.
    pub fn new(log: Arc<EmbeddedLog>, config: ConsumerConfig) -> Self {
        Self {
            log,
            config,
            wake: Arc::default(),
            state: RefCell::default(),
        }
    }

    fn hold(&self, state: &mut State, name: TopicPartition) {
        state.moves += 1;
        let place = state.moves;
        state.held.push(Held {
            name,
            partition: None,
            position: None,
            fetch: 0,
            cursor: None,
            buffered: VecDeque::new(),
            paused: false,
            place,
        });
    }

    fn let_go(&self, state: &mut State, gone: &[TopicPartition]) {
        state.held.retain(|held| !gone.contains(&held.name));
        for partition in gone {
            if let Some(found) = self.log.partition(&partition.topic, partition.partition) {
                found.listeners.remove(&self.wake);
            }
        }
    }

    fn leave(&self) {
        let mut state = self.state.borrow_mut();
        if let Mode::Member { group, id } = std::mem::take(&mut state.mode) {
            self.log.groups.leave(&group, id, &self.log.topics());
        }
        let all: Vec<_> = state.held.iter().map(|held| held.name.clone()).collect();
        self.let_go(&mut state, &all);
        state.leaving.clear();
        self.log.listeners.remove(&self.wake);
    }

    /// Becomes a member, creating topics that are subscribed to by name.
    async fn join(&self) -> Result<(), ClientError> {
        let subscription = match &self.state.borrow().mode {
            Mode::Subscribed(subscription) => subscription.clone(),
            _ => return Ok(()),
        };
        let group = self
            .config
            .group_id
            .clone()
            .ok_or_else(|| ClientError::Config {
                key: "group.id",
                reason: "a subscription needs one".to_owned(),
            })?;
        self.create_missing(&subscription).await?;
        let topics = self.log.topics();
        let id = self
            .log
            .groups
            .join(&group, subscription, &self.wake, &topics);
        let mut state = self.state.borrow_mut();
        if matches!(state.mode, Mode::Subscribed(_)) {
            state.mode = Mode::Member { group, id };
        } else {
            self.log.groups.leave(&group, id, &topics);
        }
        Ok(())
    }

    async fn create_missing(&self, subscription: &Subscription) -> Result<(), ClientError> {
        let Subscription::Topics(names) = subscription else {
            return Ok(());
        };
        if !self.config.allow_auto_create_topics || !self.log.config().auto_create {
            return Ok(());
        }
        for name in names.iter().filter(|name| self.log.topic(name).is_none()) {
            let (log, name) = (Arc::clone(&self.log), name.clone());
            let created = blocking(move || log.create_topic(&name, -1, &[])).await;
            created.map_err(|error| error::blocking(self.log.dir(), &error))??;
        }
        Ok(())
    }

    /// The next step of a rebalance, if any.
    fn rebalance(&self) -> Option<Polled> {
        let mut state = self.state.borrow_mut();
        let Mode::Member { group, id } = &state.mode else {
            return None;
        };
        let (group, id) = (group.clone(), *id);
        let leaving = std::mem::take(&mut state.leaving);
        if !leaving.is_empty() {
            self.let_go(&mut state, &leaving);
            let keys: Vec<Key> = leaving.iter().map(key).collect();
            self.log.groups.release(&group, id, &keys);
        }
        let target = self.log.groups.target(&group, id);
        let held: Vec<Key> = state.held.iter().map(|held| key(&held.name)).collect();
        let gone = held.iter().filter(|key| !target.contains(key)).map(name);
        let gone: Vec<TopicPartition> = gone.collect();
        if !gone.is_empty() {
            state.leaving.clone_from(&gone);
            return Some(Polled::Revoked(gone));
        }
        let wanted: Vec<Key> = target
            .into_iter()
            .filter(|key| !held.contains(key))
            .collect();
        if wanted.is_empty() {
            return None;
        }
        let claimed = self.log.groups.claim(&group, id, wanted);
        let new: Vec<TopicPartition> = claimed.iter().map(name).collect();
        if new.is_empty() {
            return None;
        }
        for name in &new {
            self.hold(&mut state, name.clone());
        }
        Some(Polled::Assigned(new))
    }

    /// Finds the partition of an entry and where to start in it.
    fn prepare(&self, held: &mut Held) -> Result<Option<Arc<Partition>>, ClientError> {
        let deleted = |partition: &Arc<Partition>| partition.is_deleted();
        if held.partition.as_ref().is_none_or(deleted) {
            held.partition = self.log.partition(&held.name.topic, held.name.partition);
            held.cursor = None;
            match &held.partition {
                Some(partition) => partition.listeners.add(&self.wake),
                None => self.log.listeners.add(&self.wake),
            }
        }
        let Some(partition) = held.partition.as_ref().map(Arc::clone) else {
            return Ok(None);
        };
        if held.position.is_none() {
            let (topic, number) = (&held.name.topic, held.name.partition);
            let group = self.config.group_id.as_deref();
            let committed = group.and_then(|group| self.log.committed(group, topic, number));
            let start = match committed {
                Some(offset) => offset,
                None => self.reset_offset(&partition, &held.name)?,
            };
            held.position = Some(start);
            held.fetch = start;
        }
        Ok(Some(partition))
    }

    fn reset_offset(
        &self,
        partition: &Partition,
        name: &TopicPartition,
    ) -> Result<i64, ClientError> {
        match self.config.auto_offset_reset {
            AutoOffsetReset::Earliest => Ok(partition.start_offset()),
            AutoOffsetReset::Latest => Ok(partition.end_offset()),
            AutoOffsetReset::None => Err(ClientError::NoOffset {
                topic: name.topic.to_string(),
                partition: name.partition,
            }),
        }
    }

    /// What is buffered, or else what to read next, each partition in its turn.
    fn choose(&self) -> Result<Choice, ClientError> {
        let mut state = self.state.borrow_mut();
        let count = state.held.len();
        for step in 0..count {
            let index = (state.next + step) % count;
            let held = &mut state.held[index];
            if held.paused {
                continue;
            }
            if let Some(records) = self.take_buffered(held) {
                state.next = index + 1;
                return Ok(Choice::Records(records));
            }
            let Some(partition) = self.prepare(held)? else {
                continue;
            };
            if held.fetch == partition.end_offset() {
                continue;
            }
            let wanted = Wanted {
                name: held.name.clone(),
                partition,
                offset: held.fetch,
                cursor: held.cursor.take(),
                place: held.place,
            };
            // What it brings is handed out before another partition is read.
            state.next = index;
            return Ok(Choice::Read(wanted));
        }
        Ok(Choice::Nothing)
    }

    /// Up to `max.poll.records` of what a read brought.
    fn take_buffered(&self, held: &mut Held) -> Option<FetchedRecords> {
        let mut first = held.buffered.pop_front()?;
        let limit = self.config.max_poll_records.unwrap_or(usize::MAX).max(1);
        if first.records.len() > limit {
            let rest = first.records.split_off(limit);
            let next_offset = rest
                .first()
                .map_or(first.next_offset, |record| record.offset);
            held.buffered.push_front(FetchedRecords {
                source: first.source.clone(),
                buffer: first.buffer.clone(),
                records: rest,
                next_offset: first.next_offset,
                log_append_time: first.log_append_time,
            });
            first.next_offset = next_offset;
        }
        held.position = Some(first.next_offset);
        Some(first)
    }

    /// Reads, and buffers what came.
    async fn read(&self, wanted: Wanted) -> Result<(), ClientError> {
        let Some(chunk) = self.read_chunk(&wanted).await? else {
            return Ok(());
        };
        let (mut decoded, cursor) = self.decode(&wanted, chunk)?;
        let fetch = decoded.back().map(|records| records.next_offset);
        let mut state = self.state.borrow_mut();
        let held = state
            .held
            .iter_mut()
            .find(|held| held.place == wanted.place);
        // Moved or taken away while the read was under way: what came is not wanted any more.
        if let Some(held) = held {
            held.fetch = fetch.unwrap_or(wanted.offset);
            held.cursor = Some(cursor);
            held.buffered.append(&mut decoded);
        }
        Ok(())
    }

    /// Reads; `None` when there is nothing or the position was moved.
    async fn read_chunk(&self, wanted: &Wanted) -> Result<Option<Chunk>, ClientError> {
        let max_bytes = self.config.max_partition_fetch_bytes.max(1).unsigned_abs() as usize;
        let mut buffer = take_filled(max_bytes);
        let partition = &wanted.partition;
        let cached = wanted.cursor.as_ref().and_then(|cursor| {
            let len = partition.read_cached(cursor, wanted.offset, &mut buffer, max_bytes)?;
            Some((cursor.clone(), len))
        });
        let read = match cached {
            Some((cursor, len)) => {
                // Nothing was waited for, and others live on this shard too.
                yield_now().await;
                Ok(Read::Chunk(Chunk {
                    buffer,
                    len,
                    cursor,
                }))
            }
            None => {
                let partition = Arc::clone(partition);
                let (cursor, offset) = (wanted.cursor.clone(), wanted.offset);
                let done =
                    blocking(move || partition.read(cursor, offset, buffer, max_bytes)).await;
                done.map_err(|error| error::blocking(self.log.dir(), &error))?
            }
        };
        if partition.is_deleted() {
            return Ok(None);
        }
        match read? {
            Read::End => Ok(None),
            Read::OutOfRange => {
                let start = self.reset_offset(partition, &wanted.name)?;
                tracing::warn!(partition = %wanted.name, offset = wanted.offset, start,
                    "the offset is not in the log (any more), going on from auto.offset.reset");
                self.seek(&wanted.name, start);
                Ok(None)
            }
            Read::Chunk(chunk) => Ok(Some(chunk)),
        }
    }

    /// Reads whole batches and moves the position behind them; `None` when there is nothing.
    async fn read_batches(&self, wanted: Wanted) -> Result<Option<FetchedBatches>, ClientError> {
        let Some(chunk) = self.read_chunk(&wanted).await? else {
            return Ok(None);
        };
        let (batches, cursor) = self.slice(&wanted, chunk)?;
        let mut state = self.state.borrow_mut();
        let held = state
            .held
            .iter_mut()
            .find(|held| held.place == wanted.place);
        let Some(held) = held else {
            return Ok(None);
        };
        let next_offset = batches.last().map(|batch| batch.next_offset);
        let next_offset = next_offset.unwrap_or(wanted.offset);
        held.fetch = next_offset;
        held.position = Some(next_offset);
        held.cursor = Some(cursor);
        Ok(Some(FetchedBatches {
            source: wanted.name,
            batches,
            next_offset,
        }))
    }

    /// The batches of a chunk, as slices of it. What is broken is told when nothing comes before it.
    fn slice(&self, wanted: &Wanted, chunk: Chunk) -> Result<(Vec<RawBatch>, Cursor), ClientError> {
        let mut cursor = chunk.cursor.clone();
        let buffer = SharedBuffer::new(chunk.buffer.len());
        let bytes = chunk.buffer.into_bytes(0..chunk.len);
        let mut all = Batches::new(&bytes).check_crc(self.config.check_crcs);
        let mut batches = Vec::new();
        let mut good = 0;
        while let Some(batch) = all.next() {
            let raw = batch.and_then(|batch| {
                let slice = bytes.slice_ref(batch.bytes());
                raw_batch(&batch, slice, &buffer, wanted.offset)
            });
            match raw {
                // A read starts at the batch that holds the offset.
                Ok(raw) if raw.next_offset <= wanted.offset => {}
                Ok(raw) => batches.push(raw),
                Err(_) if !batches.is_empty() => break,
                Err(error) => {
                    cursor.advance(good);
                    let partition = &wanted.partition;
                    return Err(partition.corrupt(wanted.offset, &cursor, &error.to_string()));
                }
            }
            good = all.position();
        }
        cursor.advance(good);
        Ok((batches, cursor))
    }

    /// Decodes whole batches. Those that are not compressed stay in the buffer they were read into.
    fn decode(
        &self,
        wanted: &Wanted,
        chunk: Chunk,
    ) -> Result<(VecDeque<FetchedRecords>, Cursor), ClientError> {
        let mut decoding = Decoding {
            options: DecodeOptions {
                base: 0,
                start_offset: wanted.offset,
                max_decompressed: self.config.max_decompressed_bytes,
            },
            parts: Vec::new(),
        };
        let mut cursor = chunk.cursor.clone();
        let bytes = &chunk.buffer[..chunk.len];
        let mut batches = Batches::new(bytes).check_crc(self.config.check_crcs);
        loop {
            let at = batches.position();
            let Some(batch) = batches.next() else {
                break;
            };
            let decoded = batch.and_then(|batch| decoding.add(&batch));
            decoded.map_err(|error| {
                let mut place = chunk.cursor.clone();
                place.advance(at);
                wanted
                    .partition
                    .corrupt(wanted.offset, &place, &error.to_string())
            })?;
        }
        cursor.advance(batches.position());
        let fetched = chunk.buffer.into_bytes(0..chunk.len);
        let records = decoding.parts.into_iter().map(|part| FetchedRecords {
            source: wanted.name.clone(),
            buffer: match part.decompressed {
                Some(buffer) => buffer.into_bytes(),
                None => fetched.clone(),
            },
            records: part.records,
            next_offset: part.next_offset,
            log_append_time: part.log_append_time,
        });
        Ok((records.collect(), cursor))
    }

    fn closed(&self) -> Result<(), ClientError> {
        if self.state.borrow().closed {
            return Err(ClientError::Closed);
        }
        Ok(())
    }

    async fn next_batches(&self) -> Result<Option<FetchedBatches>, ClientError> {
        loop {
            match self.choose()? {
                // An earlier poll for records has decoded them.
                Choice::Records(records) => return encode_batches(&records).map(Some),
                Choice::Read(wanted) => {
                    if let Some(batches) = self.read_batches(wanted).await? {
                        return Ok(Some(batches));
                    }
                }
                Choice::Nothing => return Ok(None),
            }
        }
    }

    async fn next_event(&self) -> Result<Option<Polled>, ClientError> {
        self.join().await?;
        if let Some(event) = self.rebalance() {
            return Ok(Some(event));
        }
        loop {
            match self.choose()? {
                Choice::Records(records) => return Ok(Some(Polled::Records(vec![records]))),
                Choice::Read(wanted) => self.read(wanted).await?,
                Choice::Nothing => return Ok(None),
            }
        }
    }
}

/// What a poll does next.
enum Choice {
    Records(FetchedRecords),
    Read(Wanted),
    Nothing,
}

/// Records of batches that share a buffer.
struct Part {
    decompressed: Option<PooledVec>,
    records: Vec<RecordRef>,
    next_offset: i64,
    log_append_time: bool,
}

struct Decoding {
    options: DecodeOptions,
    parts: Vec<Part>,
}

impl Decoding {
    fn add(&mut self, batch: &Batch<'_>) -> Result<(), crate::record::RecordError> {
        // A read starts at the batch that holds the offset.
        if batch.header.next_offset() <= self.options.start_offset {
            return Ok(());
        }
        let log_append_time = batch.header.timestamp_type() == TimestampType::LogAppendTime;
        let plain = batch.header.compression()? == crate::record::Compression::None;
        let fits = |part: &Part| {
            plain && part.decompressed.is_none() && part.log_append_time == log_append_time
        };
        if !self.parts.last().is_some_and(fits) {
            let count = usize::try_from(batch.header.count).unwrap_or(0);
            self.parts.push(Part {
                decompressed: None,
                records: Vec::with_capacity(count.min(batch.bytes().len())),
                next_offset: 0,
                log_append_time,
            });
        }
        let Some(part) = self.parts.last_mut() else {
            return Ok(());
        };
        let mut decompressed = take_vec(0);
        if !plain {
            decompressed = take_vec(batch.bytes().len() * 4);
        }
        let bytes = decode(batch, &self.options, &mut decompressed, &mut part.records)?;
        if bytes == RecordBytes::Decompressed {
            part.decompressed = Some(decompressed);
        }
        part.next_offset = batch.header.next_offset();
        Ok(())
    }
}

#[async_trait(?Send)]
impl Consumer for EmbeddedConsumer {
    fn subscribe(&self, subscription: Subscription) {
        self.leave();
        self.state.borrow_mut().mode = Mode::Subscribed(subscription);
        self.wake.ring();
    }

    fn assign(&self, partitions: Vec<TopicPartition>) {
        self.leave();
        let mut state = self.state.borrow_mut();
        state.mode = Mode::Manual;
        for partition in partitions {
            self.hold(&mut state, partition);
        }
        drop(state);
        self.wake.ring();
    }

    async fn poll(&self, limit: Duration) -> Result<Polled, ClientError> {
        let started = Instant::now();
        loop {
            self.closed()?;
            if let Some(event) = self.next_event().await? {
                return Ok(event);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() || timeout(left, self.wake.wait()).await.is_err() {
                return Ok(Polled::Idle);
            }
        }
    }

    async fn poll_batches(&self, limit: Duration) -> Result<Vec<FetchedBatches>, ClientError> {
        let started = Instant::now();
        loop {
            self.closed()?;
            if !matches!(self.state.borrow().mode, Mode::Idle | Mode::Manual) {
                return Err(ClientError::Config {
                    key: "assignment",
                    reason: "whole batches are for partitions that were assigned by hand"
                        .to_owned(),
                });
            }
            if let Some(batches) = self.next_batches().await? {
                return Ok(vec![batches]);
            }
            let left = limit.saturating_sub(started.elapsed());
            if left.is_zero() || timeout(left, self.wake.wait()).await.is_err() {
                return Ok(Vec::new());
            }
        }
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        self.state
            .borrow()
            .held
            .iter()
            .map(|held| held.name.clone())
            .collect()
    }

    async fn position(&self, partition: &TopicPartition) -> Result<i64, ClientError> {
        self.closed()?;
        let mut state = self.state.borrow_mut();
        let held = state.held.iter_mut().find(|held| held.name == *partition);
        let unknown = || error::unknown_topic(format!("position of {partition}"));
        let held = held.ok_or_else(unknown)?;
        self.prepare(held)?;
        held.position.ok_or_else(unknown)
    }

    fn seek(&self, partition: &TopicPartition, offset: i64) {
        let mut state = self.state.borrow_mut();
        state.moves += 1;
        let place = state.moves;
        if let Some(held) = state.held.iter_mut().find(|held| held.name == *partition) {
            held.position = Some(offset);
            held.fetch = offset;
            held.cursor = None;
            held.buffered.clear();
            held.place = place;
        }
        self.wake.ring();
    }

    fn pause(&self, partitions: &[TopicPartition]) {
        let mut state = self.state.borrow_mut();
        for held in state
            .held
            .iter_mut()
            .filter(|held| partitions.contains(&held.name))
        {
            held.paused = true;
        }
    }

    fn resume(&self, partitions: &[TopicPartition]) {
        let mut state = self.state.borrow_mut();
        for held in state
            .held
            .iter_mut()
            .filter(|held| partitions.contains(&held.name))
        {
            held.paused = false;
        }
        self.wake.ring();
    }

    async fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        self.closed()?;
        let group = self
            .config
            .group_id
            .as_deref()
            .ok_or_else(|| ClientError::Config {
                key: "group.id",
                reason: "a commit needs one".to_owned(),
            })?;
        {
            let state = self.state.borrow();
            for (partition, _) in offsets {
                let refused = || format!("commit of {partition} for group {group}");
                let groups = &self.log.groups;
                match &state.mode {
                    Mode::Member { group, id } if groups.owns(group, *id, &key(partition)) => {}
                    Mode::Member { .. } => return Err(error::illegal_generation(refused())),
                    _ if groups.has_members(group) => return Err(error::unknown_member(refused())),
                    _ => {}
                }
            }
            for (partition, offset) in offsets {
                self.log
                    .commit(group, &partition.topic, partition.partition, *offset)?;
            }
        }
        self.log.flush_offsets().await
    }

    async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        self.closed()?;
        let group = self.config.group_id.as_deref();
        let committed = partitions.iter().map(|partition| {
            let (topic, number) = (&partition.topic, partition.partition);
            let offset = group.and_then(|group| self.log.committed(group, topic, number));
            (partition.clone(), offset)
        });
        Ok(committed.collect())
    }

    fn lag(&self) -> Option<u64> {
        let state = self.state.borrow();
        let lags = state.held.iter().filter_map(|held| {
            let end = held.partition.as_ref()?.end_offset();
            Some(end.saturating_sub(held.position?).max(0).unsigned_abs())
        });
        Some(lags.sum())
    }

    async fn close(&self, _timeout: Duration) {
        self.leave();
        self.state.borrow_mut().closed = true;
        self.wake.ring();
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.leave();
    }
}

impl std::fmt::Debug for EmbeddedConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedConsumer")
            .field("log", &self.log)
            .field("group", &self.config.group_id)
            .finish_non_exhaustive()
    }
}
