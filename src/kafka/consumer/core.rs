//! What the parts of a consumer share, and the driver that keeps positions known and fetches going.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::answer_size::AnswerSize;
use super::chunk::{Chunk, ReadOptions};
use super::group::Membership;
use super::subscription::{PartitionState, Partitions, Position, no_offset};
use super::{fetch, offsets};
use crate::api::TopicPartition;
use crate::clients::{
    AutoOffsetReset, ClientError, ConsumerConfig, FetchedBatches, FetchedRecords, IsolationLevel,
};
use crate::kafka::cluster::Cluster;
use crate::kafka::errors::{api_error, code};
use crate::shard::{self, JoinHandle, Notify};

/// What a poll takes of a chunk.
pub(super) trait Taken {
    /// How many records.
    fn count(&self) -> usize;
    /// The offset to go on from.
    fn next_offset(&self) -> i64;
}

/// Takes from a chunk up to so many records.
type Take<T> = fn(&mut Chunk, usize, &ReadOptions) -> Result<Option<T>, ClientError>;

impl Taken for FetchedRecords {
    fn count(&self) -> usize {
        self.records.len()
    }

    fn next_offset(&self) -> i64 {
        self.next_offset
    }
}

impl Taken for FetchedBatches {
    fn count(&self) -> usize {
        self.batches.iter().map(|batch| batch.count as usize).sum()
    }

    fn next_offset(&self) -> i64 {
        self.next_offset
    }
}

/// Errors that wait for a poll; further ones are dropped, since each comes again with the next try.
const ERRORS_MAX: usize = 16;

/// What failed is left alone for a while.
#[derive(Debug, Clone, Copy)]
struct Rest {
    until: Instant,
    failures: u32,
}

/// State of a consumer. Futures in the background hold it, too, until [`Core::close`].
pub(super) struct Core {
    pub(super) config: ConsumerConfig,
    pub(super) cluster: Rc<Cluster>,
    pub(super) partitions: RefCell<Partitions>,
    pub(super) membership: Membership,
    ready: RefCell<VecDeque<Chunk>>,
    errors: RefCell<VecDeque<ClientError>>,
    /// Something for a poll or a position lookup may have come.
    pub(super) news: Notify,
    /// The driver has something to look at.
    pub(super) work: Notify,
    closed: Cell<bool>,
    polls_running: Cell<usize>,
    last_poll: Cell<Instant>,
    polls: Cell<u64>,
    answers: Cell<u64>,
    /// Fetches in a row that brought no records, while nothing else changed either.
    quiet_fetches: Cell<u32>,
    looking_committed: Cell<bool>,
    fetching: RefCell<HashSet<i32>>,
    /// By broker.
    answer_sizes: RefCell<HashMap<i32, AnswerSize>>,
    resting: RefCell<HashMap<i32, Rest>>,
    /// Partitions have no leader; when the metadata may be refreshed again for that.
    leaderless: Cell<Option<Rest>>,
    background: RefCell<Vec<JoinHandle<()>>>,
}

impl Core {
    pub(super) fn new(config: ConsumerConfig) -> Rc<Self> {
        Rc::new(Self {
            cluster: Cluster::new(config.common.clone()),
            membership: Membership::new(&config),
            config,
            partitions: RefCell::default(),
            ready: RefCell::default(),
            errors: RefCell::default(),
            news: Notify::new(),
            work: Notify::new(),
            closed: Cell::new(false),
            polls_running: Cell::new(0),
            last_poll: Cell::new(Instant::now()),
            polls: Cell::new(0),
            answers: Cell::new(0),
            quiet_fetches: Cell::new(0),
            looking_committed: Cell::new(false),
            fetching: RefCell::default(),
            answer_sizes: RefCell::default(),
            resting: RefCell::default(),
            leaderless: Cell::new(None),
            background: RefCell::default(),
        })
    }

    /// Starts the futures in the background, once.
    pub(super) fn start(self: &Rc<Self>) {
        if !self.background.borrow().is_empty() || self.is_closed() {
            return;
        }
        let driver = shard::spawn(drive(Rc::clone(self)));
        let relay = shard::spawn(relay_metadata(Rc::clone(self)));
        self.background.borrow_mut().extend([driver, relay]);
    }

    /// Keeps a future to be ended by [`Core::close`].
    pub(super) fn keep(&self, future: JoinHandle<()>) {
        self.background.borrow_mut().push(future);
    }

    /// Ends everything in the background. Connections stay open.
    pub(super) fn stop(&self) {
        self.closed.set(true);
        for future in self.background.take() {
            future.abort();
        }
        self.ready.borrow_mut().clear();
        self.news.notify();
        self.work.notify();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    // ---- errors

    /// Keeps an error for the next poll.
    pub(super) fn fail(&self, error: ClientError) {
        let mut errors = self.errors.borrow_mut();
        if errors.len() < ERRORS_MAX {
            errors.push_back(error);
        }
        drop(errors);
        self.news.notify();
    }

    pub(super) fn take_error(&self) -> Option<ClientError> {
        self.errors.borrow_mut().pop_front()
    }

    fn has_errors(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    // ---- the poll clock

    /// A poll runs until the guard is dropped.
    pub(super) fn poll_begins(&self) -> PollGuard<'_> {
        self.polls_running.set(self.polls_running.get() + 1);
        self.polls.set(self.polls.get() + 1);
        PollGuard(self)
    }

    /// How many polls have begun.
    pub(super) fn polls(&self) -> u64 {
        self.polls.get()
    }

    /// When `max.poll.interval.ms` is over; `None` while a poll runs.
    pub(super) fn poll_deadline(&self) -> Option<Instant> {
        if self.polls_running.get() > 0 {
            return None;
        }
        self.last_poll
            .get()
            .checked_add(self.config.max_poll_interval)
    }

    // ---- partitions

    /// Holds these partitions as well; their topics' metadata is looked up.
    pub(super) fn add_partitions(&self, partitions: &[TopicPartition]) {
        for partition in partitions {
            let create = self.config.allow_auto_create_topics;
            self.cluster.track(&partition.topic, create);
        }
        self.partitions.borrow_mut().add(partitions);
        self.busy();
        self.work.notify();
    }

    /// Lets partitions go, with what was fetched of them.
    pub(super) fn remove_partitions(&self, partitions: &[TopicPartition]) {
        self.partitions.borrow_mut().remove(partitions);
        self.drop_stale_chunks();
        self.work.notify();
    }

    /// Drops fetched records that nobody waits for any more.
    pub(super) fn drop_stale_chunks(&self) {
        let mut partitions = self.partitions.borrow_mut();
        self.ready
            .borrow_mut()
            .retain(|chunk| partitions.current(&chunk.partition, chunk.stamp).is_some());
    }

    pub(super) fn seek(&self, partition: &TopicPartition, position: Position) {
        self.partitions.borrow_mut().move_to(partition, position);
        self.busy();
        self.drop_stale_chunks();
        self.work.notify();
        self.news.notify();
    }

    /// A paused partition's records are fetched anew when it goes on: what waits here would hold a
    /// whole answer's buffer.
    pub(super) fn set_paused(&self, list: &[TopicPartition], paused: bool) {
        let mut partitions = self.partitions.borrow_mut();
        for partition in list {
            let changes = |held: &PartitionState| held.paused != paused;
            if partitions.get(partition).is_some_and(changes)
                && let Some(state) = partitions.restamp(partition)
            {
                state.paused = paused;
            }
        }
        drop(partitions);
        self.drop_stale_chunks();
        self.busy();
        self.work.notify();
    }

    /// No more records of these from now on.
    pub(super) fn set_revoking(&self, list: &[TopicPartition]) {
        let mut partitions = self.partitions.borrow_mut();
        for partition in list {
            if let Some(state) = partitions.restamp(partition) {
                state.revoking = true;
            }
        }
        drop(partitions);
        self.drop_stale_chunks();
    }

    // ---- how long fetches wait

    /// `fetch.max.wait.ms`, doubled with each fetch that brought nothing. A broker answers as soon as
    /// there is a record; but while a fetch is under way its broker is asked for nothing else, so that a
    /// change of what is wanted must not wait for long.
    pub(super) fn fetch_wait(&self) -> Duration {
        let least = self.config.fetch_max_wait;
        let doublings = self.quiet_fetches.get().min(16);
        let idle = least.saturating_mul(1 << doublings);
        idle.min(self.config.fetch_idle_wait).max(least)
    }

    /// A fetch was answered.
    pub(super) fn quiet(&self) {
        let more = self.quiet_fetches.get().saturating_add(1);
        self.quiet_fetches.set(more);
    }

    /// Records came, or other records are wanted.
    pub(super) fn busy(&self) {
        self.quiet_fetches.set(0);
    }

    // ---- fetched records

    /// Number of the next answer.
    pub(super) fn next_answer(&self) -> u64 {
        self.answers.set(self.answers.get() + 1);
        self.answers.get()
    }

    pub(super) fn push_chunk(&self, chunk: Chunk) {
        self.ready.borrow_mut().push_back(chunk);
    }

    /// Whether a broker's last answer still waits, or two of them that polls take bit by bit.
    fn has_ready_from(&self, broker: i32) -> bool {
        let ready = self.ready.borrow();
        let mut chunks = ready.iter().filter(|chunk| chunk.broker == broker);
        let Some(first) = chunks.clone().next() else {
            return false;
        };
        chunks.any(|chunk| !chunk.released || chunk.answer != first.answer)
    }

    /// Numbers of the answers that wait.
    #[cfg(test)]
    pub(super) fn answers_waiting(&self) -> Vec<u64> {
        let mut answers: Vec<u64> = self.ready.borrow().iter().map(|c| c.answer).collect();
        answers.dedup();
        answers
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Lets the next fetch go out before the records of the last one are decoded. What is left of the
    /// poll's records says whether a chunk will be used up.
    pub(super) fn release_ready(&self) {
        let mut left = self.max_records();
        let mut partitions = self.partitions.borrow_mut();
        for chunk in self.ready.borrow_mut().iter_mut() {
            let (end, count) = chunk.survey();
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            if count > left {
                break;
            }
            left -= count;
            chunk.released = true;
            if let Some(state) = partitions.current(&chunk.partition, chunk.stamp) {
                state.buffered = false;
                state.fetch_at = state.fetch_at.max(end);
            }
        }
        drop(partitions);
        self.work.notify();
    }

    fn max_records(&self) -> usize {
        self.config
            .max_poll_records
            .map_or(usize::MAX, |max| max.max(1))
    }

    fn read_options(&self) -> ReadOptions {
        ReadOptions {
            check_crcs: self.config.check_crcs,
            max_decompressed: self.config.max_decompressed_bytes,
            read_committed: self.config.isolation == IsolationLevel::ReadCommitted,
        }
    }

    /// Decodes what waits, up to `max.poll.records`, and moves the positions.
    ///
    /// # Errors
    /// `Corrupt`, when nothing could be read before it.
    pub(super) fn take_records(&self) -> Result<Vec<FetchedRecords>, ClientError> {
        self.take_ready(Chunk::take)
    }

    /// As [`Self::take_records`], batches as they are.
    ///
    /// # Errors
    /// As [`Self::take_records`].
    pub(super) fn take_batches(&self) -> Result<Vec<FetchedBatches>, ClientError> {
        self.take_ready(Chunk::take_batches)
    }

    fn take_ready<T: Taken>(&self, take: Take<T>) -> Result<Vec<T>, ClientError> {
        let options = self.read_options();
        let mut left = self.max_records();
        let mut out = Vec::new();
        let mut later = VecDeque::new();
        while left > 0 {
            let next = self.ready.borrow_mut().pop_front();
            let Some(mut chunk) = next else { break };
            let same = |other: &Chunk| other.partition == chunk.partition;
            if later.iter().any(same) {
                // Offsets of a partition go up: what came before is not used up yet.
                later.push_back(chunk);
                continue;
            }
            match self.take_from(&mut chunk, take, left, &options) {
                Ok(Some(fetched)) => {
                    left = left.saturating_sub(fetched.count());
                    out.push(fetched);
                    // One piece per poll and partition when compressed data is opened bit by bit.
                    if chunk.has_more() {
                        match self.config.max_poll_records {
                            Some(_) => self.ready.borrow_mut().push_front(chunk),
                            None => later.push_back(chunk),
                        }
                    } else {
                        self.used_up(&chunk);
                    }
                }
                Ok(None) => self.used_up(&chunk),
                Err(error) => {
                    self.refuse(&chunk);
                    self.put_back(later);
                    self.work.notify();
                    if out.is_empty() {
                        return Err(error);
                    }
                    self.fail(error);
                    return Ok(out);
                }
            }
        }
        self.put_back(later);
        self.work.notify();
        Ok(out)
    }

    /// Chunks that are not used up come first with the next poll.
    fn put_back(&self, mut later: VecDeque<Chunk>) {
        let mut ready = self.ready.borrow_mut();
        while let Some(mut chunk) = later.pop_back() {
            chunk.released = false;
            ready.push_front(chunk);
        }
    }

    fn take_from<T: Taken>(
        &self,
        chunk: &mut Chunk,
        take: Take<T>,
        max: usize,
        options: &ReadOptions,
    ) -> Result<Option<T>, ClientError> {
        let current = |partitions: &mut Partitions| {
            partitions.current(&chunk.partition, chunk.stamp).is_some()
        };
        if !current(&mut self.partitions.borrow_mut()) {
            return Ok(None);
        }
        let Some(fetched) = take(chunk, max, options)? else {
            return Ok(None);
        };
        let mut partitions = self.partitions.borrow_mut();
        if let Some(state) = partitions.current(&chunk.partition, chunk.stamp) {
            state.position = Position::At(fetched.next_offset());
            state.fetch_at = state.fetch_at.max(fetched.next_offset());
        }
        Ok(Some(fetched))
    }

    fn used_up(&self, chunk: &Chunk) {
        let mut partitions = self.partitions.borrow_mut();
        if let Some(state) = partitions.current(&chunk.partition, chunk.stamp) {
            state.buffered = false;
        }
    }

    /// A batch can't be read: what came after it is void, and the next fetch starts with it again.
    fn refuse(&self, chunk: &Chunk) {
        let mut partitions = self.partitions.borrow_mut();
        if let Some(state) = partitions.current(&chunk.partition, chunk.stamp) {
            state.back_off(|failures| self.cluster.retry_backoff(failures));
            partitions.restamp(&chunk.partition);
        }
    }

    // ---- brokers in trouble

    pub(super) fn broker_failed(&self, broker: i32) {
        let mut resting = self.resting.borrow_mut();
        let failures = resting.get(&broker).map_or(0, |rest| rest.failures);
        let rest = Rest {
            until: Instant::now() + self.cluster.retry_backoff(failures),
            failures: failures.saturating_add(1),
        };
        resting.insert(broker, rest);
    }

    pub(super) fn broker_answered(&self, broker: i32) {
        self.resting.borrow_mut().remove(&broker);
    }

    /// Bytes to ask a broker for.
    pub(super) fn answer_bytes(&self, broker: i32) -> i32 {
        self.with_answer_size(broker, |size| size.bytes())
    }

    /// A broker answered a fetch with so many bytes after so long.
    pub(super) fn answered(&self, broker: i32, bytes: usize, took: Duration) {
        self.with_answer_size(broker, |size| size.learn(bytes, took));
    }

    fn with_answer_size<T>(&self, broker: i32, act: impl FnOnce(&mut AnswerSize) -> T) -> T {
        let config = &self.config;
        let (partition, most) = (config.max_partition_fetch_bytes, config.fetch_max_bytes);
        let mut sizes = self.answer_sizes.borrow_mut();
        let new = || AnswerSize::new(partition, most, config.fetch_max_bytes_set);
        act(sizes.entry(broker).or_insert_with(new))
    }

    pub(super) fn fetch_ended(&self, broker: i32) {
        self.fetching.borrow_mut().remove(&broker);
    }

    pub(super) fn committed_lookup_ended(&self) {
        self.looking_committed.set(false);
    }

    /// The driver's one look at everything: starts what can be started, and says when to look again if
    /// nothing happens before.
    fn step(self: &Rc<Self>) -> Option<Instant> {
        let now = Instant::now();
        let mut agenda = Agenda::default();
        self.plan(now, &mut agenda);
        if !agenda.committed.is_empty() && !self.looking_committed.replace(true) {
            let partitions = std::mem::take(&mut agenda.committed);
            shard::spawn(offsets::look_up_committed(Rc::clone(self), partitions));
        }
        for (broker, wanted) in std::mem::take(&mut agenda.resets) {
            shard::spawn(offsets::look_up_resets(Rc::clone(self), broker, wanted));
        }
        for (broker, wanted) in std::mem::take(&mut agenda.fetches) {
            self.fetching.borrow_mut().insert(broker);
            shard::spawn(fetch::fetch(Rc::clone(self), broker, wanted));
        }
        self.seek_leaders(now, &mut agenda);
        agenda.look_again
    }

    /// Has the metadata refreshed while a partition has no leader: at once, then ever more rarely.
    fn seek_leaders(&self, now: Instant, agenda: &mut Agenda) {
        if !agenda.leader_missing {
            self.leaderless.set(None);
            return;
        }
        let known = self.leaderless.get();
        match known.filter(|rest| rest.until > now) {
            Some(rest) => agenda.again_at(rest.until),
            None => {
                let failures = known.map_or(0, |rest| rest.failures);
                let until = now + self.cluster.retry_backoff(failures);
                self.leaderless.set(Some(Rest {
                    until,
                    failures: failures.saturating_add(1),
                }));
                self.cluster.request_refresh();
                agenda.again_at(until);
            }
        }
    }

    fn plan(&self, now: Instant, agenda: &mut Agenda) {
        let has_group = self.config.group_id.is_some();
        let looking_committed = self.looking_committed.get();
        let failed = self.has_errors();
        let mut partitions = self.partitions.borrow_mut();
        for state in partitions.iter_mut() {
            if state.looking {
                continue;
            }
            if let Some(until) = state.waits_until(now) {
                agenda.again_at(until);
                continue;
            }
            if state.position == Position::Committed && !has_group {
                state.position = Position::Reset(self.config.auto_offset_reset);
            }
            match state.position {
                // What failed is told first: the caller may want to stop.
                Position::Committed | Position::Reset(_) if failed => {}
                Position::Committed if looking_committed => {}
                Position::Committed => {
                    state.looking = true;
                    let wanted = (state.partition.clone(), state.stamp);
                    agenda.committed.push(wanted);
                }
                Position::Reset(AutoOffsetReset::None) => {
                    state.back_off(|_| self.config.common.retry_backoff_max);
                    agenda.missing.push(state.partition.clone());
                }
                Position::Reset(to) => self.plan_reset(state, to, now, agenda),
                Position::At(_) => self.plan_fetch(state, now, agenda),
            }
        }
        drop(partitions);
        for partition in std::mem::take(&mut agenda.missing) {
            self.fail(no_offset(&partition));
        }
        self.drop_busy(agenda);
    }

    fn plan_reset(
        &self,
        state: &mut PartitionState,
        to: AutoOffsetReset,
        now: Instant,
        agenda: &mut Agenda,
    ) {
        let Some((broker, _)) = self.leader(&state.partition, agenda) else {
            return;
        };
        if let Some(until) = self.rests_until(broker, now) {
            agenda.again_at(until);
            return;
        }
        state.looking = true;
        let wanted = offsets::ResetWanted {
            partition: state.partition.clone(),
            stamp: state.stamp,
            to,
        };
        agenda.resets.entry(broker).or_default().push(wanted);
    }

    fn plan_fetch(&self, state: &PartitionState, now: Instant, agenda: &mut Agenda) {
        if !state.is_fetchable() {
            return;
        }
        let Some((leader, epoch)) = self.leader(&state.partition, agenda) else {
            return;
        };
        let broker = state.preferred_replica(now).unwrap_or(leader);
        if let Some(until) = self.rests_until(broker, now) {
            agenda.again_at(until);
            return;
        }
        let wanted = fetch::FetchWanted {
            partition: state.partition.clone(),
            stamp: state.stamp,
            offset: state.fetch_at,
            leader_epoch: epoch,
            served: state.served,
        };
        agenda.fetches.entry(broker).or_default().push(wanted);
    }

    /// Leaves out brokers that are still busy with the last fetch, or whose answer waits for a poll.
    fn drop_busy(&self, agenda: &mut Agenda) {
        let fetching = self.fetching.borrow();
        agenda
            .fetches
            .retain(|broker, _| !fetching.contains(broker) && !self.has_ready_from(*broker));
        let mut partitions = self.partitions.borrow_mut();
        for wanted in agenda.fetches.values_mut().flatten() {
            if let Some(state) = partitions.current(&wanted.partition, wanted.stamp) {
                state.fetching = true;
            }
        }
        for wanted in agenda.fetches.values_mut() {
            wanted.sort_by(|a, b| (a.served, &a.partition).cmp(&(b.served, &b.partition)));
        }
    }

    fn rests_until(&self, broker: i32, now: Instant) -> Option<Instant> {
        let resting = self.resting.borrow();
        let until = resting.get(&broker)?.until;
        (until > now).then_some(until)
    }

    /// Leader and epoch, noting when it is missing.
    fn leader(&self, partition: &TopicPartition, agenda: &mut Agenda) -> Option<(i32, i32)> {
        let found = self.cluster.leader(&partition.topic, partition.partition);
        if found.is_none() {
            agenda.leader_missing = true;
        }
        found
    }

    /// Topic errors that waiting does not mend go to the caller.
    fn check_topics(&self) {
        let mut topics: Vec<TopicPartition> = self.partitions.borrow().list();
        topics.dedup_by(|a, b| a.topic == b.topic);
        for partition in topics {
            let error = self
                .cluster
                .topic(&partition.topic)
                .map_or(0, |topic| topic.error);
            let tell = matches!(
                error,
                code::TOPIC_AUTHORIZATION_FAILED | code::INVALID_TOPIC_EXCEPTION
            );
            if tell && !self.has_errors() {
                self.fail(api_error(
                    error,
                    format!("metadata of topic {}", partition.topic),
                    None,
                ));
            }
        }
    }
}

/// See [`Core::poll_begins`].
pub(super) struct PollGuard<'a>(&'a Core);

impl Drop for PollGuard<'_> {
    fn drop(&mut self) {
        let core = self.0;
        core.polls_running
            .set(core.polls_running.get().saturating_sub(1));
        core.last_poll.set(Instant::now());
    }
}

/// What a look at the partitions found to do.
#[derive(Default)]
struct Agenda {
    committed: Vec<(TopicPartition, u64)>,
    resets: BTreeMap<i32, Vec<offsets::ResetWanted>>,
    fetches: BTreeMap<i32, Vec<fetch::FetchWanted>>,
    missing: Vec<TopicPartition>,
    leader_missing: bool,
    look_again: Option<Instant>,
}

impl Agenda {
    fn again_at(&mut self, at: Instant) {
        self.look_again = Some(self.look_again.map_or(at, |known| known.min(at)));
    }
}

async fn drive(core: Rc<Core>) {
    while !core.is_closed() {
        let mark = core.work.mark();
        match core.step() {
            Some(at) => {
                let wait = at.saturating_duration_since(Instant::now());
                let wait = wait.max(Duration::from_millis(1));
                // Either news or the time: both lead to the next look.
                shard::timeout(wait, core.work.changed_since(mark))
                    .await
                    .unwrap_or(());
            }
            None => core.work.changed_since(mark).await,
        }
    }
}

/// Passes changes of the metadata on to the driver and to the group's leader.
async fn relay_metadata(core: Rc<Core>) {
    while !core.is_closed() {
        let mark = core.cluster.mark();
        core.cluster.changed_since(mark).await;
        if let Some(refusal) = core.cluster.take_refusal() {
            core.fail(refusal);
        }
        core.check_topics();
        core.membership.metadata_changed();
        core.work.notify();
    }
}
