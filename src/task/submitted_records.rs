//! Which source offsets are safe to store (Kafka: `SubmittedRecords`).
//!
//! Per source partition, only the contiguous prefix of acknowledged records counts. Records are tracked
//! in the order they were submitted; a batch of slices and a whole record batch are one entry, however
//! many records they have.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::rc::Rc;

use crate::api::{SliceBatch, SourceMap};

/// Source offsets of records that share a source partition and differ in one number.
#[derive(Debug)]
pub struct Positions {
    /// Member of the source offset.
    pub field: Rc<str>,
    /// What `listed` counts from.
    pub base: i64,
    /// Position of each record after `base`; `None` when record `i` has `base + i`.
    pub listed: Option<Vec<u32>>,
}

impl Positions {
    /// The position of record `index`.
    fn of(&self, index: usize) -> Option<i64> {
        let position = match &self.listed {
            Some(listed) => i64::from(*listed.get(index)?),
            None => i64::try_from(index).ok()?,
        };
        Some(self.base.saturating_add(position))
    }

    /// The offset of record `index`.
    fn offset(&self, index: usize) -> Option<SourceMap> {
        let mut map = SourceMap::new();
        map.insert(self.field.to_string(), self.of(index)?.into());
        Some(map)
    }
}

#[derive(Debug)]
enum Offsets {
    Run(Positions),
    One(Option<Rc<SourceMap>>),
}

/// Records submitted together: `prefix` of `count` are acknowledged without a gap.
#[derive(Debug)]
struct Entry {
    count: u32,
    prefix: u32,
    /// Acknowledged runs beyond the prefix: first → count.
    beyond: BTreeMap<u32, u32>,
    /// Records that were skipped, in order: they are no obstacle, and their offsets do not count.
    skipped: Option<Box<[u32]>>,
    offsets: Offsets,
}

impl Entry {
    fn acknowledge(&mut self, first: u32, count: u32) {
        if first > self.prefix {
            self.beyond.insert(first, count);
            return;
        }
        self.prefix = self.prefix.max(first + count);
        while let Some((first, count)) = self.beyond.first_key_value() {
            if *first > self.prefix {
                return;
            }
            self.prefix = self.prefix.max(first + count);
            self.beyond.pop_first();
        }
    }

    fn is_done(&self) -> bool {
        self.prefix >= self.count
    }

    /// Whether [`Self::offset`] gives one.
    fn has_offset(&self) -> bool {
        self.last().is_some_and(|last| match &self.offsets {
            Offsets::Run(positions) => positions.of(last).is_some(),
            Offsets::One(offset) => offset.is_some(),
        })
    }

    /// The offset after the acknowledged prefix.
    fn offset(&self) -> Option<SourceMap> {
        let last = self.last()?;
        match &self.offsets {
            Offsets::Run(positions) => positions.offset(last),
            Offsets::One(offset) => offset.as_ref().map(|offset| (**offset).clone()),
        }
    }

    /// Index of the last record of the acknowledged prefix whose offset counts.
    fn last(&self) -> Option<usize> {
        let mut last = self.prefix.checked_sub(1)?;
        if let Some(skipped) = &self.skipped {
            while skipped.binary_search(&last).is_ok() {
                last = last.checked_sub(1)?;
            }
        }
        Some(last as usize)
    }
}

/// One source partition: its entries in order, the first with sequence number `front`.
#[derive(Debug)]
struct Queue {
    partition: Rc<SourceMap>,
    front: u64,
    entries: VecDeque<Entry>,
}

/// Where the records of a caller's batch are tracked.
#[derive(Debug)]
enum Batch {
    /// All of them in one entry.
    Run {
        queue: usize,
        sequence: u64,
        left: u32,
    },
    /// Each by itself: `(queue, sequence)`, `None` for records without a source partition; empty when
    /// none has one.
    Records {
        places: Vec<Option<(usize, u64)>>,
        left: u32,
    },
}

/// Tracks submitted records of one source task.
#[derive(Debug, Default)]
pub struct SubmittedRecords {
    queues: Vec<Queue>,
    by_partition: HashMap<String, usize>,
    last_partition: Option<(Rc<SourceMap>, usize)>,
    batches: HashMap<u64, Batch>,
    next_batch: u64,
    active: u64,
}

impl SubmittedRecords {
    /// Nothing submitted.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tracks a slice batch under a number from [`Self::number`]. Takes the batch's positions.
    pub fn submit_slices(&mut self, number: u64, batch: &mut SliceBatch) {
        let count = u32::try_from(batch.values.len()).unwrap_or(u32::MAX);
        let positions = Positions {
            field: Rc::clone(&batch.position_field),
            base: batch.base_position,
            listed: Some(std::mem::take(&mut batch.positions)),
        };
        self.submit_run(number, batch.source_partition.as_ref(), positions, count);
    }

    /// Tracks `count` records of one source partition in one entry, under a number from
    /// [`Self::number`].
    pub fn submit_run(
        &mut self,
        number: u64,
        partition: Option<&Rc<SourceMap>>,
        positions: Positions,
        count: u32,
    ) {
        let batch = match partition {
            Some(partition) => {
                let queue = self.queue(partition);
                let sequence = self.push(queue, count, Offsets::Run(positions));
                Batch::Run {
                    queue,
                    sequence,
                    left: count,
                }
            }
            None => Batch::Records {
                places: Vec::new(),
                left: count,
            },
        };
        self.insert(number, batch, count);
    }

    /// Tracks records one by one under a number from [`Self::number`]: `(source partition, source
    /// offset)` of each. An offset of `None` does not count, and holds up those behind it.
    pub fn submit_records<'a>(
        &mut self,
        number: u64,
        records: impl Iterator<Item = (Option<&'a Rc<SourceMap>>, Option<&'a Rc<SourceMap>>)>,
    ) {
        let (least, most) = records.size_hint();
        let mut places = Vec::with_capacity(most.unwrap_or(least));
        for (partition, offset) in records {
            let place = partition.map(|partition| {
                let queue = self.queue(partition);
                (
                    queue,
                    self.push(queue, 1, Offsets::One(offset.map(Rc::clone))),
                )
            });
            places.push(place);
        }
        let count = u32::try_from(places.len()).unwrap_or(u32::MAX);
        self.insert(
            number,
            Batch::Records {
                places,
                left: count,
            },
            count,
        );
    }

    /// The offsets of these records of batch `number`, which is tracked as a run, do not count
    /// (Kafka: a record that was dropped is never submitted). They hold up those behind them until they
    /// are acknowledged.
    pub fn skip(&mut self, number: u64, skipped: &[u32]) {
        let Some(Batch::Run {
            queue, sequence, ..
        }) = self.batches.get(&number)
        else {
            return;
        };
        let queue = &mut self.queues[*queue];
        if let Some(entry) = queue.entry(*sequence) {
            entry.skipped = Some(skipped.into());
        }
    }

    fn insert(&mut self, number: u64, batch: Batch, count: u32) {
        if count > 0 {
            self.batches.insert(number, batch);
            self.active += u64::from(count);
        }
    }

    /// A number for a batch, for record tokens.
    pub fn number(&mut self) -> u64 {
        self.next_batch += 1;
        self.next_batch
    }

    /// The number that was given last; 0 before the first.
    pub fn last_number(&self) -> u64 {
        self.next_batch
    }

    fn queue(&mut self, partition: &Rc<SourceMap>) -> usize {
        if let Some((last, queue)) = &self.last_partition
            && Rc::ptr_eq(last, partition)
        {
            return *queue;
        }
        let key = serde_json::to_string(&**partition).unwrap_or_default();
        let next = self.queues.len();
        let queue = *self.by_partition.entry(key).or_insert(next);
        if queue == next {
            let entries = VecDeque::new();
            self.queues.push(Queue {
                partition: Rc::clone(partition),
                front: 0,
                entries,
            });
        }
        self.last_partition = Some((Rc::clone(partition), queue));
        queue
    }

    fn push(&mut self, queue: usize, count: u32, offsets: Offsets) -> u64 {
        let queue = &mut self.queues[queue];
        queue.entries.push_back(Entry {
            count,
            prefix: 0,
            beyond: BTreeMap::new(),
            skipped: None,
            offsets,
        });
        queue.front + queue.entries.len() as u64 - 1
    }

    /// Records `first..first + count` of batch `number` are in Kafka.
    pub fn acknowledge(&mut self, number: u64, first: u32, count: u32) {
        if count == 0 {
            return;
        }
        let Some(batch) = self.batches.get_mut(&number) else {
            return;
        };
        let left = match batch {
            Batch::Run {
                queue,
                sequence,
                left,
            } => {
                self.queues[*queue].acknowledge(*sequence, first, count);
                *left -= count.min(*left);
                *left
            }
            Batch::Records { places, left } => {
                let run = places
                    .iter()
                    .skip(first as usize)
                    .take(count as usize)
                    .flatten();
                for (queue, sequence) in run {
                    self.queues[*queue].acknowledge(*sequence, 0, 1);
                }
                *left -= count.min(*left);
                *left
            }
        };
        self.active -= u64::from(count).min(self.active);
        if left == 0 {
            self.batches.remove(&number);
        }
    }

    /// Source partition of batch `number` and positions of its records `first` and `last`; `None` for
    /// records that are tracked one by one or not at all.
    pub fn positions(&self, number: u64, first: u32, last: u32) -> Option<(&SourceMap, i64, i64)> {
        let Batch::Run {
            queue, sequence, ..
        } = self.batches.get(&number)?
        else {
            return None;
        };
        let queue = self.queues.get(*queue)?;
        let index = usize::try_from(sequence.checked_sub(queue.front)?).ok()?;
        let Offsets::Run(positions) = &queue.entries.get(index)?.offsets else {
            return None;
        };
        let at = |record: u32| positions.of(record as usize);
        Some((&queue.partition, at(first)?, at(last)?))
    }

    /// Whether records of batch `number` are still unacknowledged.
    pub fn has_batch(&self, number: u64) -> bool {
        self.batches.contains_key(&number)
    }

    /// Records submitted and not yet acknowledged.
    pub fn active(&self) -> u64 {
        self.active
    }

    /// Takes the offsets that became safe to store since the last call: one per source partition.
    pub fn committable(&mut self) -> Vec<(Rc<SourceMap>, SourceMap)> {
        let found = self.queues.iter_mut().filter_map(|queue| {
            let offset = queue.take_committable()?;
            Some((Rc::clone(&queue.partition), offset))
        });
        found.collect()
    }
}

impl Queue {
    fn entry(&mut self, sequence: u64) -> Option<&mut Entry> {
        let index = usize::try_from(sequence.checked_sub(self.front)?).ok()?;
        self.entries.get_mut(index)
    }

    fn acknowledge(&mut self, sequence: u64, first: u32, count: u32) {
        if let Some(entry) = self.entry(sequence) {
            entry.acknowledge(first, count);
        }
    }

    fn take_committable(&mut self) -> Option<SourceMap> {
        // Only one offset becomes a map of its own, however many records became safe.
        let mut last = None;
        while let Some(entry) = self.entries.pop_front_if(|entry| entry.is_done()) {
            self.front += 1;
            last = Some(entry).filter(Entry::has_offset).or(last);
        }
        let partly = self.entries.front().and_then(Entry::offset);
        partly.or_else(|| last?.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(key: &str, value: i64) -> SourceMap {
        let mut map = SourceMap::new();
        map.insert(key.to_owned(), value.into());
        map
    }

    fn slices(partition: &Rc<SourceMap>, base: i64, positions: &[u32]) -> SliceBatch {
        SliceBatch {
            topic: "t".into(),
            kafka_partition: None,
            timestamp: None,
            buffer: bytes::Bytes::new(),
            values: vec![crate::api::Span { start: 0, len: 0 }; positions.len()],
            keys: None,
            form: crate::api::SliceForm::Text,
            value_schema: None,
            source_partition: Some(Rc::clone(partition)),
            position_field: "position".into(),
            base_position: base,
            positions: positions.to_vec(),
        }
    }

    fn submit(submitted: &mut SubmittedRecords, batch: &mut SliceBatch) -> u64 {
        let number = submitted.number();
        submitted.submit_slices(number, batch);
        number
    }

    #[test]
    fn offsets_of_skipped_records_do_not_count_and_hold_up_those_behind_them() {
        let partition = Rc::new(map("filename", 1));
        let mut submitted = SubmittedRecords::new();
        let batch = submit(
            &mut submitted,
            &mut slices(&partition, 100, &[5, 9, 20, 30]),
        );
        submitted.skip(batch, &[0, 2, 3]);
        submitted.acknowledge(batch, 1, 1);
        assert_eq!(submitted.committable(), []);
        submitted.acknowledge(batch, 0, 1);
        assert_eq!(
            submitted.committable(),
            [(Rc::clone(&partition), map("position", 109))]
        );
        submitted.acknowledge(batch, 2, 2);
        assert_eq!(
            submitted.committable(),
            [(Rc::clone(&partition), map("position", 109))]
        );
        assert!(!submitted.has_batch(batch));

        let all = submit(&mut submitted, &mut slices(&partition, 200, &[1, 2]));
        submitted.skip(all, &[0, 1]);
        submitted.acknowledge(all, 0, 2);
        assert_eq!(submitted.committable(), []);
    }

    #[test]
    fn only_the_contiguous_prefix_of_a_slice_batch_is_committable() {
        let partition = Rc::new(map("filename", 1));
        let mut submitted = SubmittedRecords::new();
        let batch = submit(
            &mut submitted,
            &mut slices(&partition, 100, &[5, 9, 20, 30]),
        );
        submitted.acknowledge(batch, 2, 1);
        assert_eq!(submitted.committable(), []);
        submitted.acknowledge(batch, 0, 1);
        assert_eq!(
            submitted.committable(),
            [(Rc::clone(&partition), map("position", 105))]
        );
        submitted.acknowledge(batch, 1, 1);
        assert_eq!(
            submitted.committable(),
            [(Rc::clone(&partition), map("position", 120))]
        );
        assert_eq!(submitted.active(), 1);
        submitted.acknowledge(batch, 3, 1);
        assert_eq!(submitted.committable(), [(partition, map("position", 130))]);
        assert_eq!(submitted.active(), 0);
        assert_eq!(submitted.committable(), []);
    }

    #[test]
    fn a_later_batch_waits_for_an_earlier_one_of_its_partition_alone() {
        let (a, b) = (Rc::new(map("f", 1)), Rc::new(map("f", 2)));
        let mut submitted = SubmittedRecords::new();
        let first = submit(&mut submitted, &mut slices(&a, 0, &[1]));
        let second = submit(&mut submitted, &mut slices(&a, 1, &[1]));
        let other = submit(&mut submitted, &mut slices(&b, 0, &[7]));
        submitted.acknowledge(second, 0, 1);
        submitted.acknowledge(other, 0, 1);
        assert_eq!(submitted.committable(), [(b, map("position", 7))]);
        submitted.acknowledge(first, 0, 1);
        assert_eq!(submitted.committable(), [(a, map("position", 2))]);
    }

    #[test]
    fn records_of_equal_partitions_share_a_queue_even_when_the_maps_are_different_objects() {
        let mut submitted = SubmittedRecords::new();
        let partitions = [Rc::new(map("id", 0)), Rc::new(map("id", 0))];
        let offsets = [Rc::new(map("seqno", 1)), Rc::new(map("seqno", 2))];
        let pairs = partitions.iter().map(Some).zip(offsets.iter().map(Some));
        let batch = submitted.number();
        submitted.submit_records(batch, pairs);
        submitted.acknowledge(batch, 1, 1);
        assert_eq!(submitted.committable(), []);
        submitted.acknowledge(batch, 0, 1);
        assert_eq!(submitted.committable().len(), 1);
    }
}
