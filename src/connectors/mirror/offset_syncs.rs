//! Which offset of the target belongs to which of the source, written down now and then so that
//! MirrorCheckpoint can translate offsets of groups (Kafka: `OffsetSyncWriter`, `OffsetSync`).
//!
//! Acknowledged runs come in by [`OffsetSyncs::add`] and never wait. A future in the background sends
//! what is due, at most ten syncs at a time; meanwhile a newer sync of a partition takes the place of an
//! older one, so what waits is bounded by the partitions of the task.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use indexmap::IndexMap;

use crate::api::TopicPartition;
use crate::clients::{Append, ClientError, Producer, ProducerRecord, RecordToken, TopicHandle};
use crate::connectors::now_ms;
use crate::shard::{self, JoinHandle, Notify};

/// Syncs on their way at one time.
const IN_FLIGHT: usize = 10;

/// Acknowledged records, consecutive on the target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// Offset in the source of the first.
    pub(super) first: i64,
    /// Offset in the source of the last.
    pub(super) last: i64,
    /// Offset in the target of the first.
    pub(super) base: i64,
    /// How many.
    pub(super) count: u32,
}

/// Two offsets of the same record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sync {
    upstream: i64,
    downstream: i64,
}

/// What is known of a partition (Kafka: `OffsetSyncWriter.PartitionState`).
#[derive(Debug, Clone, Copy)]
struct State {
    previous_upstream: i64,
    previous_downstream: i64,
    last_sync: i64,
}

/// Decides what is due.
#[derive(Debug)]
struct Queue {
    /// `offset.lag.max`.
    lag_max: i64,
    states: HashMap<TopicPartition, State>,
    /// To be sent.
    pending: IndexMap<TopicPartition, Sync>,
    /// To be sent with the next commit, unless something newer comes.
    delayed: IndexMap<TopicPartition, Sync>,
}

impl Queue {
    fn new(lag_max: i64) -> Self {
        Self {
            lag_max,
            states: HashMap::new(),
            pending: IndexMap::new(),
            delayed: IndexMap::new(),
        }
    }

    /// A sync is due for the first record, after a gap in the source, after a step back in the target, and
    /// whenever a translated offset would be `offset.lag.max` behind.
    fn add(&mut self, at: &TopicPartition, run: Run) {
        let end = run.base + i64::from(run.count) - 1;
        let known = self.states.get(at).copied();
        let due_at_first = known.is_none_or(|state| {
            run.first - state.previous_upstream != 1
                || run.base < state.previous_downstream
                || run.base - state.last_sync > self.lag_max.max(0)
        });
        let has_gaps = run.last - run.first + 1 != i64::from(run.count);
        let from = match known {
            Some(state) if !due_at_first => state.last_sync,
            _ => run.base,
        };
        // The last record for which a sync is due, each being `lag_max + 1` after the one before.
        let step = self.lag_max.max(0).saturating_add(1);
        let mut last_sync = from + (end - from) / step * step;
        if has_gaps {
            // Where they are is not known, but the two offsets of the last record are.
            last_sync = end;
        }
        if last_sync >= run.base {
            let upstream = if has_gaps {
                run.last
            } else {
                run.first + (last_sync - run.base)
            };
            let sync = Sync {
                upstream,
                downstream: last_sync,
            };
            self.delayed.shift_remove(at);
            self.pending.insert(at.clone(), sync);
        }
        if last_sync < end {
            let sync = Sync {
                upstream: run.last,
                downstream: end,
            };
            self.delayed.insert(at.clone(), sync);
        }
        let state = State {
            previous_upstream: run.last,
            previous_downstream: end,
            last_sync,
        };
        self.states.insert(at.clone(), state);
    }

    fn promote(&mut self) {
        self.pending.extend(self.delayed.drain(..));
    }
}

/// `{topic STRING, partition INT32}` in Kafka's classic encoding.
fn key(at: &TopicPartition) -> Vec<u8> {
    let len = i16::try_from(at.topic.len()).unwrap_or(i16::MAX);
    let mut key = len.to_be_bytes().to_vec();
    key.extend_from_slice(at.topic.as_bytes());
    key.extend_from_slice(&at.partition.to_be_bytes());
    key
}

/// `{upstreamOffset INT64, offset INT64}`.
fn value(sync: Sync) -> [u8; 16] {
    let mut value = [0; 16];
    value[..8].copy_from_slice(&sync.upstream.to_be_bytes());
    value[8..].copy_from_slice(&sync.downstream.to_be_bytes());
    value
}

struct Shared {
    queue: RefCell<Queue>,
    news: Notify,
    closing: Cell<bool>,
}

/// Writes offset syncs of a task.
pub(super) struct OffsetSyncs {
    shared: Rc<Shared>,
    producer: Rc<dyn Producer>,
    sender: JoinHandle<()>,
}

impl OffsetSyncs {
    /// Starts the future that sends to `topic`. Must be called on a shard.
    pub(super) fn start(producer: Rc<dyn Producer>, topic: String, lag_max: i64) -> Self {
        let shared = Rc::new(Shared {
            queue: RefCell::new(Queue::new(lag_max)),
            news: Notify::new(),
            closing: Cell::new(false),
        });
        let sender = Sender {
            shared: Rc::clone(&shared),
            producer: Rc::clone(&producer),
            topic,
            handle: None,
        };
        Self {
            shared,
            producer,
            sender: shard::spawn(sender.run()),
        }
    }

    /// Takes a run of records of a source partition that is in the target now.
    pub(super) fn add(&self, at: &TopicPartition, run: Run) {
        self.shared.queue.borrow_mut().add(at, run);
        self.shared.news.notify();
    }

    /// Has everything sent that was held back, so that the end of a quiet topic is not left behind.
    pub(super) fn promote(&self) {
        self.shared.queue.borrow_mut().promote();
        self.shared.news.notify();
    }

    /// Sends what is due, for up to `limit`, and closes the producer.
    pub(super) async fn close(&self, limit: Duration) {
        self.shared.closing.set(true);
        self.shared.news.notify();
        if shard::timeout(limit, self.sender.join()).await.is_err() {
            tracing::warn!("offset syncs were left unsent at the stop");
        }
        self.sender.abort();
        self.producer.close(Duration::ZERO).await;
    }
}

impl Drop for OffsetSyncs {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

struct Sender {
    shared: Rc<Shared>,
    producer: Rc<dyn Producer>,
    topic: String,
    handle: Option<TopicHandle>,
}

impl Sender {
    async fn run(mut self) {
        loop {
            let mark = self.shared.news.mark();
            let due: Vec<(TopicPartition, Sync)> = {
                let mut queue = self.shared.queue.borrow_mut();
                let count = queue.pending.len().min(IN_FLIGHT);
                queue.pending.drain(..count).collect()
            };
            if due.is_empty() {
                if self.shared.closing.get() {
                    return;
                }
                self.shared.news.changed_since(mark).await;
                continue;
            }
            if let Err(error) = self.send(&due).await {
                tracing::error!(topic = self.topic, %error, "could not write offset syncs");
            }
        }
    }

    /// Sends and waits for what becomes of it. As in Apache's connector, a sync that fails is lost: a
    /// newer one follows.
    async fn send(&mut self, due: &[(TopicPartition, Sync)]) -> Result<(), ClientError> {
        let topic = match self.handle {
            Some(topic) => topic,
            None => self.producer.topic(&self.topic).await?,
        };
        self.handle = Some(topic);
        for (at, sync) in due {
            let (key, value) = (key(at), value(*sync));
            let record = ProducerRecord {
                partition: Some(0),
                timestamp: now_ms(),
                key: Some(&key),
                value: Some(&value),
                headers: &[],
            };
            let token = RecordToken { batch: 0, index: 0 };
            while self.producer.append(topic, &record, token)? == Append::Full {
                self.producer.ready().await?;
            }
        }
        self.producer.flush().await;
        let mut acks = Vec::new();
        self.producer.take_acks(&mut acks);
        for ack in acks {
            ack.result.map_err(|error| (*error).clone())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> TopicPartition {
        TopicPartition::new("t", 3)
    }

    fn run(first: i64, base: i64, count: u32) -> Run {
        Run {
            first,
            last: first + i64::from(count) - 1,
            base,
            count,
        }
    }

    /// `(upstream, downstream)`.
    type Offsets = Option<(i64, i64)>;

    /// What is due after a run, now and with the next commit.
    fn after(queue: &mut Queue, run: Run) -> (Offsets, Offsets) {
        queue.pending.clear();
        queue.add(&at(), run);
        let of = |map: &IndexMap<TopicPartition, Sync>| {
            map.get(&at()).map(|sync| (sync.upstream, sync.downstream))
        };
        (of(&queue.pending), of(&queue.delayed))
    }

    /// Kafka's rule, record by record.
    fn record_by_record(lag_max: i64, runs: &[Run]) -> Vec<(i64, i64)> {
        let (mut up, mut down, mut last) = (-1, -1, -1);
        let mut last_due = Vec::new();
        for run in runs {
            for index in 0..i64::from(run.count) {
                let (upstream, downstream) = (run.first + index, run.base + index);
                let due = last == -1
                    || downstream - (last + 1) >= lag_max
                    || upstream - up != 1
                    || downstream < down;
                if due {
                    last = downstream;
                    last_due.push((upstream, downstream));
                }
                (up, down) = (upstream, downstream);
            }
        }
        last_due
    }

    #[test]
    fn a_sync_is_due_first_then_by_lag_gap_and_step_back() {
        let mut queue = Queue::new(100);
        let mut after = |run| after(&mut queue, run);
        assert_eq!(after(run(10, 5, 1)), (Some((10, 5)), None));
        assert_eq!(after(run(11, 6, 2)), (None, Some((12, 7))));
        // 101 records after the sync at 5.
        assert_eq!(after(run(13, 8, 98)), (None, Some((110, 105))));
        assert_eq!(after(run(111, 106, 1)), (Some((111, 106)), None));
        // A gap upstream, then a target that was truncated.
        assert_eq!(after(run(120, 107, 1)), (Some((120, 107)), None));
        assert_eq!(after(run(121, 3, 1)), (Some((121, 3)), None));
    }

    #[test]
    fn runs_end_where_kafkas_rule_ends_record_by_record() {
        for lag_max in [-1, 0, 1, 2, 7, 100] {
            let mut queue = Queue::new(lag_max);
            let mut runs = Vec::new();
            let mut random = fastrand::Rng::with_seed(7);
            let (mut first, mut base) = (0, 0);
            for _ in 0..200 {
                let run = run(first, base, random.u32(1..40));
                runs.push(run);
                queue.add(&at(), run);
                let expected = record_by_record(lag_max, &runs);
                let sync = queue.pending[&at()];
                let found = (sync.upstream, sync.downstream);
                assert_eq!(Some(&found), expected.last(), "lag_max {lag_max}: {run:?}");
                let is_last = found == (run.last, base + i64::from(run.count) - 1);
                assert_eq!(queue.delayed.is_empty(), is_last);
                (first, base) = (run.last + 1, base + i64::from(run.count));
                if random.u32(0..9) == 0 {
                    first += 3;
                }
            }
        }
    }

    #[test]
    fn gaps_inside_a_run_leave_the_last_record_as_the_sure_one() {
        let mut queue = Queue::new(100);
        let gaps = Run {
            first: 10,
            last: 30,
            base: 0,
            count: 5,
        };
        assert_eq!(after(&mut queue, gaps), (Some((30, 4)), None));
        assert_eq!(after(&mut queue, run(31, 5, 1)), (None, Some((31, 5))));
        queue.promote();
        assert_eq!(queue.pending[&at()].downstream, 5);
        assert!(queue.delayed.is_empty());
    }

    #[test]
    fn keys_and_values_have_kafkas_bytes() {
        assert_eq!(key(&at()), [0, 1, b't', 0, 0, 0, 3]);
        let sync = Sync {
            upstream: 258,
            downstream: 3,
        };
        let expected = [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3];
        assert_eq!(value(sync), expected);
    }
}
