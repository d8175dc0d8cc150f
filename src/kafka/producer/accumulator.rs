//! Where appended records gather: per partition one open batch and a queue of closed ones.
//!
//! All of it is plain state without I/O. The hot path compares the record's size with what the open
//! batch may still take and encodes it; everything else (opening, growing, closing, memory, too large)
//! is the slow path.

use std::cell::Cell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::batch::{Batch, Identity, OpenBatch, note};
use crate::api::RawBatch;
use crate::clients::{
    Ack, Acked, Append, AppendBatch, ClientError, ProducerConfig, ProducerRecord, RecordToken,
    Slices, TopicHandle, partition_for_key,
};
use crate::kafka::errors::{api_error, code};
use crate::record::{BatchBuilder, Compression, HEADER_BYTES, passes};
use crate::shard::take_vec;

/// Size of a partition's first batch, and how much a keyless stream writes to one partition before the
/// next is taken (Kafka's default `batch.size`, KIP-794).
const SMALL: usize = 16 << 10;

/// So many bytes of `buffer.memory` have to be free, or an eighth of it, before a refused append is worth
/// another try.
const WORTH_WAKING: usize = 1 << 20;

/// A partition.
#[derive(Debug, Default)]
pub(super) struct Partition {
    pub(super) open: Option<OpenBatch>,
    /// Closed batches in order; retried ones are in front.
    pub(super) closed: VecDeque<Batch>,
    /// Batches in flight, all of them at `broker`.
    pub(super) in_flight: usize,
    /// Where the batches in flight are. Meaningless while there are none.
    pub(super) broker: i32,
    /// The batch in flight was sent before: nothing follows it until it is settled.
    pub(super) retrying: bool,
    /// Producer id and epoch of the batches that have sequences and are not acknowledged yet.
    pub(super) identity: Option<Identity>,
    pub(super) next_sequence: i32,
    /// A batch of `identity` was acknowledged.
    pub(super) is_established: bool,
    /// Serial number of the next batch.
    next_serial: u64,
    /// Not before this: back-off after a failure.
    pub(super) retry_at: Option<Instant>,
    pub(super) failures: u32,
    /// Waits for its batches in flight, then sends on with a new epoch (KIP-360).
    pub(super) bump: bool,
    /// Has no leader now; keyless records go elsewhere.
    pub(super) leaderless: bool,
    /// Capacity for the next batch, from the sizes of the last.
    size_hint: usize,
}

impl Partition {
    /// Puts a batch back in its place. The halves of a split batch share its serial number: the later
    /// half must be put back first.
    pub(super) fn requeue(&mut self, batch: Batch) {
        let at = self
            .closed
            .partition_point(|queued| queued.serial < batch.serial);
        self.closed.insert(at, batch);
    }

    /// Closes the open batch.
    fn close(&mut self, largest: usize) {
        let Some(open) = self.open.take() else { return };
        let size = open.builder.len_bytes().next_power_of_two().min(largest);
        self.size_hint = size.max(self.size_hint / 2).max(SMALL);
        self.closed.push_back(Batch::new(open, self.next_serial));
        self.next_serial += 1;
    }

    /// Whether a next batch may go to `broker` beside what is in flight.
    ///
    /// A broker remembers the last five batches of an idempotent producer. Were a batch whose fate is
    /// open passed by others (behind its retry, or at the partition's next leader), it could leave that
    /// window and be written again; without idempotence the order would be lost. And a broker that does
    /// not know the producer yet takes any sequence: were the first batch refused, by a broker that is
    /// about to become the leader say, the second would be written before it.
    pub(super) fn may_follow(&self, broker: i32) -> bool {
        let is_known = self.is_established || self.identity.is_none();
        self.in_flight == 0 || (self.broker == broker && !self.retrying && is_known)
    }

    /// Goes on under another producer id or epoch.
    pub(super) fn take_identity(&mut self, identity: Identity) {
        self.identity = Some(identity);
        self.is_established = false;
    }

    /// Whether nothing is in flight and the open batch has `bytes`.
    #[inline]
    fn fills(&self, bytes: usize) -> bool {
        let open = self.open.as_ref();
        self.in_flight == 0 && open.is_some_and(|open| open.builder.len_bytes() >= bytes)
    }

    fn open_bytes(&self) -> usize {
        let open = self.open.as_ref();
        open.map_or(0, |open| open.builder.len_bytes())
    }

    /// Size of the batch that goes next.
    pub(super) fn next_bytes(&self) -> usize {
        let closed = self.closed.front();
        closed.map_or_else(|| self.open_bytes(), Batch::len)
    }

    fn queued_bytes(&self) -> usize {
        self.open_bytes() + self.closed.iter().map(Batch::len).sum::<usize>()
    }
}

/// A topic that was asked for.
#[derive(Debug)]
pub(super) struct Topic {
    pub(super) name: Rc<str>,
    pub(super) partitions: Vec<Partition>,
    /// Partition for records without key and partition.
    sticky: usize,
    /// Bytes that went there since it was chosen.
    sticky_bytes: usize,
    /// Batches over this size were refused by the broker.
    pub(super) largest: usize,
}

/// Everything between append and acknowledgement.
#[derive(Debug)]
pub(super) struct Accumulator {
    pub(super) topics: Vec<Topic>,
    pub(super) by_name: HashMap<Rc<str>, TopicHandle>,
    batch_size: usize,
    max_request_size: usize,
    buffer_memory: usize,
    compression: crate::record::CompressionConfig,
    /// The codec that whole batches must have; `None` when they keep theirs.
    codec: Option<Compression>,
    /// Bytes of `buffer.memory` in use, without those of `shared`.
    pub(super) memory: usize,
    /// Bytes of the buffers that whole batches are slices of.
    shared: Rc<Cell<usize>>,
    /// What the last refused append needed; 0 when none was refused since memory came back.
    pub(super) memory_wanted: usize,
    /// Records appended whose fate is open.
    pub(super) unresolved: usize,
    /// Records appended and not yet handed over by `take_acks`.
    pub(super) unreported: usize,
    pub(super) acks: Vec<Ack>,
    pub(super) fatal: Option<Rc<ClientError>>,
    pub(super) closed: bool,
    /// The sender has something to look at.
    pub(super) sender_due: bool,
    /// A batch of so many bytes waits no longer for `linger.ms` when nothing of its partition is in flight:
    /// Kafka's `batch.size`, unless the user set one.
    pub(super) eager_from: usize,
}

/// What the slow path did.
#[derive(Debug, PartialEq, Eq)]
enum Room {
    /// Try again.
    Changed,
    /// No memory.
    Full,
}

impl Accumulator {
    pub(super) fn new(config: &ProducerConfig) -> Self {
        Self {
            topics: Vec::new(),
            by_name: HashMap::new(),
            batch_size: config.batch_size,
            max_request_size: config.max_request_size,
            buffer_memory: config.buffer_memory,
            compression: config.compression,
            codec: config.compression_set.then_some(config.compression.codec),
            memory: 0,
            shared: Rc::default(),
            memory_wanted: 0,
            unresolved: 0,
            unreported: 0,
            acks: Vec::new(),
            fatal: None,
            closed: false,
            sender_due: false,
            eager_from: match config.batch_size_set || config.linger.is_zero() {
                true => usize::MAX,
                false => SMALL,
            },
        }
    }

    /// Takes a topic in; a known one gets the partitions that are new.
    pub(super) fn add_topic(&mut self, name: &Rc<str>, partitions: usize) -> TopicHandle {
        if let Some(known) = self.by_name.get(name).copied() {
            if let Some(topic) = self.topics.get_mut(known.0 as usize)
                && topic.partitions.len() < partitions
            {
                topic.partitions.resize_with(partitions, Partition::default);
            }
            return known;
        }
        let handle = TopicHandle(u32::try_from(self.topics.len()).unwrap_or(u32::MAX));
        self.topics.push(Topic {
            name: Rc::clone(name),
            partitions: std::iter::repeat_with(Partition::default)
                .take(partitions)
                .collect(),
            sticky: fastrand::usize(..partitions.max(1)),
            sticky_bytes: 0,
            largest: usize::MAX,
        });
        self.by_name.insert(Rc::clone(name), handle);
        handle
    }

    fn check_usable(&self) -> Result<(), ClientError> {
        if let Some(fatal) = &self.fatal {
            return Err(ClientError::clone(fatal));
        }
        if self.closed {
            return Err(ClientError::Closed);
        }
        Ok(())
    }

    /// See [`crate::clients::Producer::append`].
    #[inline]
    pub(super) fn append(
        &mut self,
        handle: TopicHandle,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<Append, ClientError> {
        self.check_usable()?;
        self.append_one(handle, record, token)
    }

    #[inline]
    fn append_one(
        &mut self,
        handle: TopicHandle,
        record: &ProducerRecord<'_>,
        token: RecordToken,
    ) -> Result<Append, ClientError> {
        let need = BatchBuilder::estimate(record.key, record.value, record.headers);
        let eager_from = self.eager_from;
        loop {
            let (at, partition) = self.select(handle, record.partition, record.key)?;
            if let Some(open) = &mut partition.open
                && open.builder.len_bytes() + need <= open.limit
            {
                let (key, value) = (record.key, record.value);
                open.builder
                    .append(record.timestamp, key, value, record.headers);
                note(&mut open.runs, token.batch, token.index, 1);
                let fills = partition.fills(eager_from);
                self.sender_due |= fills;
                self.unresolved += 1;
                self.unreported += 1;
                return Ok(Append::Taken);
            }
            if self.make_room(handle, at, need)? == Room::Full {
                return Ok(Append::Full);
            }
        }
    }

    /// See [`crate::clients::Producer::append_slices`].
    pub(super) fn append_slices(
        &mut self,
        handle: TopicHandle,
        slices: &Slices<'_>,
        from: u32,
        batch: u64,
    ) -> Result<u32, (u32, ClientError)> {
        self.check_usable().map_err(|error| (from, error))?;
        let mut index = from;
        let eager_from = self.eager_from;
        let keyed = slices.partition.is_none() && slices.keys.is_some();
        while let Some(record) = slices.record(index as usize) {
            if keyed {
                let token = RecordToken { batch, index };
                match self.append_one(handle, &record, token) {
                    Ok(Append::Taken) => index += 1,
                    Ok(Append::Full) => break,
                    Err(error) => return Err((index, error)),
                }
                continue;
            }
            let chosen = self.select(handle, slices.partition, None);
            let (at, partition) = chosen.map_err(|error| (index, error))?;
            let taken = match &mut partition.open {
                Some(open) => fill(open, slices, index, batch),
                None => 0,
            };
            let fills = partition.fills(eager_from);
            self.sender_due |= fills;
            self.unresolved += taken as usize;
            self.unreported += taken as usize;
            index += taken;
            let Some(next) = slices.record(index as usize) else {
                break;
            };
            let need = BatchBuilder::estimate(next.key, next.value, &[]);
            match self.make_room(handle, at, need) {
                Ok(Room::Changed) => {}
                Ok(Room::Full) => break,
                Err(error) => return Err((index, error)),
            }
        }
        Ok(index)
    }

    /// See [`crate::clients::Producer::append_batch`].
    pub(super) fn append_batch(
        &mut self,
        handle: TopicHandle,
        partition: i32,
        raw: &RawBatch,
        number: u64,
    ) -> Result<AppendBatch, ClientError> {
        self.check_usable()?;
        let (at, _) = self.select(handle, Some(partition), None)?;
        let refused_from = self.topics[handle.0 as usize].largest;
        if let Err(reason) = passes(raw, self.codec) {
            return Ok(AppendBatch::Unfit(reason));
        }
        let size = raw.bytes.len();
        if size > self.max_request_size {
            return Ok(AppendBatch::Unfit("it is larger than max.request.size"));
        }
        // One record can't be made smaller.
        if size > refused_from && raw.count > 1 {
            return Ok(AppendBatch::Unfit("the topic refuses batches of its size"));
        }
        let cost = raw.buffer.cost();
        if self.used() > 0 && self.used() + cost > self.buffer_memory {
            self.refuse(cost);
            return Ok(AppendBatch::Full);
        }
        self.close_batch(handle, at);
        let partition = &mut self.topics[handle.0 as usize].partitions[at];
        let batch = Batch::whole(raw, number, partition.next_serial, &self.shared);
        partition.next_serial += 1;
        partition.closed.push_back(batch);
        self.unresolved += raw.count as usize;
        self.unreported += raw.count as usize;
        self.sender_due = true;
        Ok(AppendBatch::Taken)
    }

    /// The partition of a record.
    #[inline]
    fn select(
        &mut self,
        handle: TopicHandle,
        partition: Option<i32>,
        key: Option<&[u8]>,
    ) -> Result<(usize, &mut Partition), ClientError> {
        let Some(topic) = self.topics.get_mut(handle.0 as usize) else {
            return Err(ClientError::Config {
                key: "topic",
                reason: "a handle of another producer".to_owned(),
            });
        };
        let count = topic.partitions.len();
        let index = match (partition, key) {
            (Some(partition), _) => usize::try_from(partition).unwrap_or(usize::MAX),
            (None, Some(key)) => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                usize::try_from(partition_for_key(key, count)).unwrap_or(0)
            }
            (None, None) => topic.sticky,
        };
        match topic.partitions.get_mut(index) {
            Some(found) => Ok((index, found)),
            None => Err(api_error(
                code::UNKNOWN_TOPIC_OR_PARTITION,
                format!(
                    "partition {} of topic {} (it has {count} partitions)",
                    partition.unwrap_or(-1),
                    topic.name
                ),
                None,
            )),
        }
    }

    /// Makes room for a record of up to `need` bytes in a partition: grows, closes or opens a batch.
    #[cold]
    fn make_room(
        &mut self,
        handle: TopicHandle,
        at: usize,
        need: usize,
    ) -> Result<Room, ClientError> {
        let size = HEADER_BYTES + need;
        let free = self.buffer_memory.saturating_sub(self.used());
        let unused = self.used() == 0;
        let Some(topic) = self.topics.get_mut(handle.0 as usize) else {
            return Err(ClientError::Closed);
        };
        let largest = self
            .batch_size
            .min(self.max_request_size)
            .min(topic.largest);
        if size > self.max_request_size {
            return Err(ClientError::RecordTooLarge {
                topic: topic.name.to_string(),
                size,
                max: self.max_request_size,
            });
        }
        if size > self.buffer_memory {
            return Err(ClientError::Config {
                key: "buffer.memory",
                reason: format!(
                    "the record is {size} bytes when serialized which is larger than the total \
                     memory buffer of {} bytes",
                    self.buffer_memory
                ),
            });
        }
        let Some(partition) = topic.partitions.get_mut(at) else {
            return Err(ClientError::Closed);
        };
        if let Some(open) = &mut partition.open {
            let wanted = open.builder.len_bytes() + need;
            if wanted > largest {
                self.close_batch(handle, at);
                return Ok(Room::Changed);
            }
            let grown = (open.limit * 2).max(wanted).min(largest);
            let more = grown - open.limit;
            if more > free {
                return Ok(self.refuse(more));
            }
            open.limit = grown;
            open.memory += more;
            self.memory += more;
            return Ok(Room::Changed);
        }
        let capacity = partition.size_hint.max(SMALL).min(largest).max(size);
        if capacity > free && !unused {
            return Ok(self.refuse(capacity));
        }
        let buffer = take_vec(capacity).into_inner();
        let memory = buffer.capacity();
        partition.open = Some(OpenBatch {
            builder: BatchBuilder::new(buffer, self.compression),
            runs: Vec::new(),
            created: Instant::now(),
            limit: memory.min(largest).max(size),
            memory,
        });
        self.memory += memory;
        self.sender_due = true;
        Ok(Room::Changed)
    }

    /// Who was refused is woken for more than the one record: with memory for many batches, not once for
    /// each.
    fn refuse(&mut self, wanted: usize) -> Room {
        let worth_while = (self.buffer_memory / 8).min(WORTH_WAKING);
        self.memory_wanted = self.memory_wanted.max(wanted).max(worth_while);
        self.sender_due = true;
        Room::Full
    }

    /// Closes the open batch of a partition, and moves the keyless stream on.
    pub(super) fn close_batch(&mut self, handle: TopicHandle, at: usize) {
        let largest = self.batch_size.min(self.max_request_size);
        let Some(topic) = self.topics.get_mut(handle.0 as usize) else {
            return;
        };
        let Some(partition) = topic.partitions.get_mut(at) else {
            return;
        };
        let bytes = partition
            .open
            .as_ref()
            .map_or(0, |open| open.builder.len_bytes());
        partition.close(largest.min(topic.largest));
        self.sender_due = true;
        if topic.sticky == at {
            topic.sticky_bytes += bytes;
            if topic.sticky_bytes >= SMALL.min(largest) {
                topic.sticky_bytes = 0;
                topic.sticky = topic.next_sticky();
            }
        }
    }

    /// Whether an append that was refused may succeed now.
    pub(super) fn has_room(&self) -> bool {
        self.used() == 0 || self.used() + self.memory_wanted <= self.buffer_memory
    }

    /// Bytes of `buffer.memory` in use.
    pub(super) fn used(&self) -> usize {
        self.memory + self.shared.get()
    }

    /// Records the fate of a batch: acknowledged at a base offset (−1 = unknown), or given up.
    pub(super) fn settle(
        &mut self,
        handle: TopicHandle,
        partition: i32,
        batch: Batch,
        result: &Result<i64, Rc<ClientError>>,
    ) {
        let mut offset = 0;
        for run in &batch.runs {
            self.acks.push(Ack {
                batch: run.batch,
                first: run.first,
                count: run.count,
                topic: handle,
                result: match result {
                    Ok(base) => Ok(Acked {
                        partition,
                        base_offset: if *base < 0 { -1 } else { base + offset },
                    }),
                    Err(error) => Err(Rc::clone(error)),
                },
            });
            offset += i64::from(run.count);
        }
        self.unresolved = self.unresolved.saturating_sub(batch.count as usize);
        self.memory = self.memory.saturating_sub(batch.memory);
    }

    /// Gives up everything that is not in flight.
    pub(super) fn fail_queued(&mut self, error: &Rc<ClientError>) {
        for index in 0..self.topics.len() {
            let handle = TopicHandle(u32::try_from(index).unwrap_or(u32::MAX));
            for at in 0..self.topics[index].partitions.len() {
                self.close_batch(handle, at);
                let queued = std::mem::take(&mut self.topics[index].partitions[at].closed);
                let number = i32::try_from(at).unwrap_or(i32::MAX);
                for batch in queued {
                    self.settle(handle, number, batch, &Err(Rc::clone(error)));
                }
            }
        }
    }

    /// When the open batch of a partition is to be sent, if it is to be sent without being full.
    pub(super) fn open_due(
        partition: &Partition,
        linger: Duration,
        eager_from: usize,
        at_once: bool,
    ) -> Option<Instant> {
        let open = partition
            .open
            .as_ref()
            .filter(|open| !open.builder.is_empty())?;
        if at_once {
            return Some(open.created);
        }
        if linger.is_zero() {
            // While something is in flight, records gather: the answer brings the next look.
            return (partition.in_flight == 0).then_some(open.created);
        }
        if partition.fills(eager_from) {
            return Some(open.created);
        }
        Some(open.created + linger)
    }
}

impl Topic {
    /// Makes batches of at most `size` bytes from now on.
    pub(super) fn limit_batches(&mut self, size: usize) {
        self.largest = self.largest.min(size.max(SMALL));
    }

    /// Another partition for keyless records: of two at random the one with less queued. Partitions
    /// without a leader are passed over while others have one.
    fn next_sticky(&self) -> usize {
        let count = self.partitions.len().max(1);
        let leaderless = self.partitions.iter().filter(|one| one.leaderless).count();
        let pick = || match leaderless {
            0 => fastrand::usize(..count),
            all if all == count => fastrand::usize(..count),
            some => {
                let mut led = (0..count).filter(|at| !self.partitions[*at].leaderless);
                led.nth(fastrand::usize(..count - some)).unwrap_or(0)
            }
        };
        let (one, two) = (pick(), pick());
        let queued = |at: usize| self.partitions.get(at).map_or(0, Partition::queued_bytes);
        if queued(two) < queued(one) { two } else { one }
    }

    /// Takes over which partitions have a leader; keyless records leave one that has lost it.
    pub(super) fn note_leaders(&mut self, has_leader: impl Fn(i32) -> bool) {
        for (number, partition) in (0..).zip(&mut self.partitions) {
            partition.leaderless = !has_leader(number);
        }
        let sticky = self.partitions.get(self.sticky);
        if sticky.is_some_and(|partition| partition.leaderless) {
            self.sticky = self.next_sticky();
        }
    }
}

/// Appends records from `from` on while they fit; gives how many. The inner loop of the slice road.
#[inline]
fn fill(open: &mut OpenBatch, slices: &Slices<'_>, from: u32, batch: u64) -> u32 {
    let limit = open.limit;
    let timestamp = slices.timestamp;
    let mut taken = 0;
    match slices.keys {
        None => {
            for span in slices.values.get(from as usize..).unwrap_or_default() {
                let value = span.of(slices.buffer);
                let need = BatchBuilder::estimate(None, value, &[]);
                if open.builder.len_bytes() + need > limit {
                    break;
                }
                open.builder.append(timestamp, None, value, &[]);
                taken += 1;
            }
        }
        Some(_) => {
            while let Some(record) = slices.record((from + taken) as usize) {
                let need = BatchBuilder::estimate(record.key, record.value, &[]);
                if open.builder.len_bytes() + need > limit {
                    break;
                }
                open.builder
                    .append(timestamp, record.key, record.value, &[]);
                taken += 1;
            }
        }
    }
    if taken > 0 {
        note(&mut open.runs, batch, from, taken);
    }
    taken
}
