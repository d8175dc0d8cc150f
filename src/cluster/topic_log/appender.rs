//! Appending: calls wait in a queue, one future hands their records to the producer in order, another
//! gathers what became of them.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::LogError;
use crate::clients::{
    Ack, Append, ClientError, Producer, ProducerRecord, RecordToken, TopicHandle,
};
use crate::distributed::TopicRecord;
use crate::shard::{self, JoinHandle, Notify};

/// Appends that may wait for the producer.
pub const APPENDS_MAX: usize = 4096;

/// The fate of a record, once it is known.
type Fate = Option<Result<(), LogError>>;

/// One call.
struct Call {
    records: Vec<TopicRecord>,
    fates: RefCell<Vec<Fate>>,
    /// How many fates are open.
    open: Cell<usize>,
    /// Nobody waits any more.
    abandoned: Cell<bool>,
    wanted: Rc<dyn Fn() -> bool>,
}

impl Call {
    fn new(records: Vec<TopicRecord>, wanted: Rc<dyn Fn() -> bool>) -> Self {
        Self {
            fates: RefCell::new(vec![None; records.len()]),
            open: Cell::new(records.len()),
            abandoned: Cell::new(false),
            wanted,
            records,
        }
    }

    fn is_wanted(&self) -> bool {
        !self.abandoned.get() && (self.wanted)()
    }

    fn decide(&self, index: usize, fate: Result<(), LogError>) {
        if let Some(place) = self.fates.borrow_mut().get_mut(index)
            && place.is_none()
        {
            *place = Some(fate);
            self.open.set(self.open.get() - 1);
        }
    }
}

struct Shared {
    topic: Rc<str>,
    producer: Rc<dyn Producer>,
    queue: RefCell<VecDeque<Rc<Call>>>,
    /// Calls with records at the producer, by the number of their batch.
    sent: RefCell<HashMap<u64, Rc<Call>>>,
    next_batch: Cell<u64>,
    /// The first future has something to do.
    queued: Notify,
    /// Fates were decided.
    decided: Notify,
    /// Why nothing is taken any more.
    closed: RefCell<Option<LogError>>,
}

/// Appends to one topic.
pub(super) struct Appender {
    shared: Rc<Shared>,
    futures: RefCell<Vec<JoinHandle<()>>>,
}

/// A caller's side of a call; when it is dropped nobody waits any more.
struct Waiting {
    shared: Rc<Shared>,
    call: Rc<Call>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.call.abandoned.set(true);
    }
}

impl Waiting {
    /// The fates of all records, once they are decided.
    async fn fates(self) -> Vec<Result<(), LogError>> {
        let Self { shared, call } = &self;
        loop {
            let mark = shared.decided.mark();
            if call.open.get() == 0 {
                break;
            }
            shared.decided.changed_since(mark).await;
        }
        let fates = call.fates.take().into_iter();
        let open = || Err(closed(&shared.topic));
        fates.map(|fate| fate.unwrap_or_else(open)).collect()
    }
}

impl Appender {
    pub(super) fn new(topic: Rc<str>, producer: Rc<dyn Producer>) -> Self {
        let shared = Rc::new(Shared {
            topic,
            producer,
            queue: RefCell::default(),
            sent: RefCell::default(),
            next_batch: Cell::new(0),
            queued: Notify::new(),
            decided: Notify::new(),
            closed: RefCell::default(),
        });
        Self {
            shared,
            futures: RefCell::default(),
        }
    }

    /// Lets what was appended, and what will be, go to the producer. Once.
    pub(super) fn open(&self) {
        if self.shared.closed.borrow().is_some() {
            return;
        }
        self.futures.borrow_mut().extend([
            shard::spawn(hand_over(Rc::clone(&self.shared))),
            shard::spawn(gather(Rc::clone(&self.shared))),
        ]);
    }

    /// See [`super::TopicLog::append`].
    pub(super) fn append(
        &self,
        records: Vec<TopicRecord>,
        wanted: Rc<dyn Fn() -> bool>,
    ) -> impl Future<Output = Vec<Result<(), LogError>>> + 'static {
        let count = records.len();
        let queued = self.shared.enqueue(records, wanted);
        async move {
            match queued {
                Ok(waiting) => waiting.fates().await,
                Err(refusal) => vec![Err(refusal); count],
            }
        }
    }

    /// Refuses everything, what waits included.
    pub(super) fn abandon(&self, why: &LogError) {
        self.shared.closed.borrow_mut().get_or_insert(why.clone());
        for future in self.futures.take() {
            future.abort();
        }
        self.shared.give_up(why);
    }

    /// Lets what was appended be written for up to `limit`, then gives the rest up.
    pub(super) async fn close(&self, limit: Duration) {
        let shared = &self.shared;
        let idle = async {
            loop {
                let mark = shared.decided.mark();
                if shared.queue.borrow().is_empty() && shared.sent.borrow().is_empty() {
                    return;
                }
                shared.decided.changed_since(mark).await;
            }
        };
        if shard::timeout(limit, idle).await.is_err() {
            tracing::warn!(topic = %shared.topic, limit_ms = limit.as_millis(),
                "not everything was written to the internal topic in time");
        }
        // What is still open has had its time.
        shared.producer.close(Duration::ZERO).await;
        shared.settle_acks();
        self.abandon(&closed(&shared.topic));
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        self.abandon(&closed(&self.shared.topic));
    }
}

fn closed(topic: &str) -> LogError {
    LogError::Closed {
        topic: topic.to_owned(),
    }
}

impl Shared {
    fn refusal(&self) -> Option<LogError> {
        let topic = || self.topic.to_string();
        let waiting = self.queue.borrow().len() + self.sent.borrow().len();
        if let Some(why) = self.closed.borrow().clone() {
            return Some(why);
        }
        (waiting >= APPENDS_MAX).then(|| LogError::Busy {
            topic: topic(),
            waiting,
        })
    }

    fn enqueue(
        self: &Rc<Self>,
        records: Vec<TopicRecord>,
        wanted: Rc<dyn Fn() -> bool>,
    ) -> Result<Waiting, LogError> {
        if let Some(refusal) = self.refusal() {
            return Err(refusal);
        }
        let call = Rc::new(Call::new(records, wanted));
        self.queue.borrow_mut().push_back(Rc::clone(&call));
        self.queued.notify();
        Ok(Waiting {
            shared: Rc::clone(self),
            call,
        })
    }

    /// Decides every call that is left.
    fn give_up(&self, why: &LogError) {
        let queued = self.queue.take().into_iter();
        let sent = self.sent.take().into_values();
        for call in queued.chain(sent) {
            for index in 0..call.records.len() {
                call.decide(index, Err(why.clone()));
            }
        }
        self.decided.notify();
    }

    /// Decides what the producer has told.
    fn settle_acks(&self) {
        let mut acks = Vec::new();
        self.producer.take_acks(&mut acks);
        for ack in acks {
            self.settle(&ack);
        }
        self.decided.notify();
    }

    fn settle(&self, ack: &Ack) {
        let mut sent = self.sent.borrow_mut();
        let Some(call) = sent.get(&ack.batch) else {
            return;
        };
        for index in ack.first..ack.first.saturating_add(ack.count) {
            match &ack.result {
                Ok(_) => call.decide(index as usize, Ok(())),
                Err(error) => self.refuse(call, index as usize, ClientError::clone(error)),
            }
        }
        if call.open.get() == 0 {
            sent.remove(&ack.batch);
        }
    }

    fn refuse(&self, call: &Call, index: usize, error: ClientError) {
        if let Some(record) = call.records.get(index) {
            call.decide(
                index,
                Err(LogError::append(&self.topic, &record.key, error)),
            );
        }
    }

    /// Hands one call's records to the producer; those that nobody waits for any more are left out.
    async fn send(&self, call: &Call, batch: u64) {
        let topic = match self.producer.topic(&self.topic).await {
            Ok(topic) => topic,
            Err(error) => {
                for index in 0..call.records.len() {
                    self.refuse(call, index, error.clone());
                }
                return;
            }
        };
        for (index, record) in call.records.iter().enumerate() {
            if !call.is_wanted() {
                self.refuse(call, index, ClientError::Closed);
                continue;
            }
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            let token = RecordToken {
                batch,
                index: number,
            };
            if let Err(error) = self.send_one(topic, record, token).await {
                self.refuse(call, index, error);
            }
        }
    }

    async fn send_one(
        &self,
        topic: TopicHandle,
        record: &TopicRecord,
        token: RecordToken,
    ) -> Result<(), ClientError> {
        let record = ProducerRecord {
            partition: None,
            timestamp: now_ms(),
            key: Some(&record.key),
            value: record.value.as_deref(),
            headers: &[],
        };
        while self.producer.append(topic, &record, token)? == Append::Full {
            self.producer.ready().await?;
        }
        Ok(())
    }
}

async fn hand_over(shared: Rc<Shared>) {
    loop {
        let mark = shared.queued.mark();
        let next = shared.queue.borrow_mut().pop_front();
        let Some(call) = next else {
            shared.queued.changed_since(mark).await;
            continue;
        };
        let batch = shared.next_batch.get();
        shared.next_batch.set(batch + 1);
        shared.sent.borrow_mut().insert(batch, Rc::clone(&call));
        shared.send(&call, batch).await;
        if call.open.get() == 0 {
            shared.sent.borrow_mut().remove(&batch);
        }
        shared.decided.notify();
    }
}

async fn gather(shared: Rc<Shared>) {
    loop {
        shared.producer.acked().await;
        shared.settle_acks();
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(0)
}
