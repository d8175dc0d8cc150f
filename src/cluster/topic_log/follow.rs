//! Reading: the future that follows the topic, and waiting for it to reach an end.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::{BATCH_BYTES, BATCH_RECORDS, Inner, LogError, LogRecord, Phase};
use crate::api::{ConnectError, TopicPartition};
use crate::clients::{ClientError, FetchedRecords, Polled};
use crate::record::RecordRef;
use crate::shard;

/// A poll that brings nothing ends after this.
const POLL: Duration = Duration::from_secs(60);
/// Wait after an error of reading; doubles up to [`FAILED_MAX`].
const FAILED: Duration = Duration::from_millis(100);
/// See [`FAILED`].
const FAILED_MAX: Duration = Duration::from_secs(10);
/// Wait before a sink without room is asked again; doubles up to [`FULL_MAX`].
const FULL: Duration = Duration::from_millis(1);
/// See [`FULL`].
const FULL_MAX: Duration = Duration::from_millis(50);

/// A partition and its end.
type End = (TopicPartition, i64);

/// Delivers what comes, until the log is closed.
pub(super) async fn run(inner: Rc<Inner>) {
    let mut wait = FAILED;
    while inner.phase.get() != Phase::Closed {
        match inner.clients.consumer.poll(POLL).await {
            Ok(Polled::Records(all)) => {
                wait = FAILED;
                inner.reading_error.replace(None);
                // A seek while the poll waited was heeded by it; one from now on makes these stale.
                let rewinds = inner.rewinds.get();
                for fetched in &all {
                    inner.deliver(fetched, rewinds).await;
                }
            }
            Ok(_) => {
                wait = FAILED;
                inner.look_for_topic().await;
            }
            Err(ClientError::Closed) => return,
            Err(error) => {
                tracing::error!(topic = inner.topic(), %error, retry_ms = wait.as_millis(),
                    "the internal topic can't be read now; trying again");
                if !error.is_retriable() {
                    inner.reading_error.replace(Some(error));
                    inner.changed.notify();
                }
                shard::sleep(wait).await;
                wait = (wait * 2).min(FAILED_MAX);
            }
        }
    }
}

impl Inner {
    pub(super) fn topic(&self) -> &str {
        &self.settings.new_topic.name
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        self.changed.notify();
    }

    /// Looks whether a topic that brings nothing is still there, and says so when it is not: the consumer
    /// waits for it in silence.
    pub(super) async fn look_for_topic(&self) {
        let topic = self.topic();
        // When brokers don't answer, reading says so.
        let Ok(partitions) = self.clients.admin.partitions(topic).await else {
            return;
        };
        let was_gone = self.gone.replace(partitions.is_none());
        match (was_gone, partitions) {
            (false, None) => tracing::error!(
                topic,
                "the internal topic is gone: connectors and tasks of this worker run on by what is in its \
                 memory, nothing can be changed, and a worker that starts now creates it anew and empty. \
                 Note the configurations that GET /connectors?expand=info shows before you restart workers"
            ),
            (true, Some(_)) => tracing::warn!(topic, "the internal topic is there again"),
            _ => {}
        }
    }

    /// Hands fetched records to the sink in batches, unless their partition was rewound after the first
    /// `rewinds` times.
    async fn deliver(&self, fetched: &FetchedRecords, rewinds: u64) {
        let partition = fetched.source.partition;
        let is_stale = || {
            let rewound = self.rewound.borrow();
            rewound.get(&partition).is_some_and(|at| *at > rewinds)
        };
        if let Some(first) = fetched.records.first() {
            self.note_rereading(&fetched.source, first.offset);
        }
        let mut left = fetched.records.as_slice();
        while !left.is_empty() && !is_stale() {
            let (batch, rest) = left.split_at(batch_length(left));
            left = rest;
            let records = batch.iter().map(|record| owned(fetched, record)).collect();
            self.offer(records).await;
            let next = batch.last().map_or(0, |record| record.offset + 1);
            if !is_stale() {
                self.delivered.borrow_mut().insert(partition, next);
                self.changed.notify();
            }
        }
        if !is_stale() {
            let next = fetched.next_offset;
            self.delivered.borrow_mut().insert(partition, next);
            self.changed.notify();
        }
    }

    /// The consumer went back by itself: its position was out of range.
    fn note_rereading(&self, source: &TopicPartition, first: i64) {
        let before = self.delivered.borrow().get(&source.partition).copied();
        if let Some(before) = before.filter(|before| first < *before) {
            tracing::warn!(partition = %source, read_up_to = before, again_from = first,
                "the internal topic was deleted and created again, or brokers lost its end: it is read \
                 again; what it has lost stays in this worker's memory until it restarts");
        }
    }

    async fn offer(&self, records: Vec<LogRecord>) {
        let (mut left, mut wait) = (records, FULL);
        while let Err(back) = self.sink.offer(left) {
            left = back;
            shard::sleep(wait).await;
            wait = (wait * 2).min(FULL_MAX);
        }
    }

    /// Completes when the log is running.
    pub(super) async fn started(&self) -> Result<(), LogError> {
        loop {
            let mark = self.changed.mark();
            match self.phase.get() {
                Phase::Running => return Ok(()),
                Phase::Closed => return Err(self.closed()),
                Phase::Starting => self.changed.changed_since(mark).await,
            }
        }
    }

    pub(super) fn closed(&self) -> LogError {
        let topic = self.topic().to_owned();
        match self.failure.borrow().clone() {
            Some(reason) => LogError::NotStarted { topic, reason },
            None => LogError::Closed { topic },
        }
    }

    fn partitions(&self) -> Vec<TopicPartition> {
        let delivered = self.delivered.borrow();
        let all = delivered.keys();
        all.map(|number| TopicPartition::new(self.topic(), *number))
            .collect()
    }

    /// Where the partitions end now. Partitions whose end went back are read from their beginning.
    async fn ends(&self) -> Result<Vec<End>, ClientError> {
        // What is delivered while the brokers are asked may lie behind the ends that they tell.
        let before = self.delivered.borrow().clone();
        let ends = self.clients.admin.ends(&self.partitions()).await?;
        for (partition, end) in &ends {
            let of = |delivered: &BTreeMap<i32, i64>| delivered.get(&partition.partition).copied();
            let before = of(&before).unwrap_or(0);
            // The consumer may have gone back by itself meanwhile.
            let now = of(&self.delivered.borrow()).unwrap_or(0);
            if *end < before.min(now) {
                self.rewind(partition, before, *end);
            }
        }
        Ok(ends)
    }

    /// A partition that ends before what was delivered of it is not the one that was read.
    fn rewind(&self, partition: &TopicPartition, before: i64, end: i64) {
        tracing::warn!(%partition, read_up_to = before, end,
            "the internal topic was deleted and created again, or brokers lost its end: it is read again \
             from its beginning; what it has lost stays in this worker's memory until it restarts");
        let rewinds = self.rewinds.get() + 1;
        self.rewinds.set(rewinds);
        self.rewound
            .borrow_mut()
            .insert(partition.partition, rewinds);
        self.delivered.borrow_mut().insert(partition.partition, 0);
        self.clients.consumer.seek(partition, 0);
    }

    fn has_reached(&self, ends: &[End]) -> bool {
        let delivered = self.delivered.borrow();
        ends.iter().all(|(partition, end)| {
            let next = delivered.get(&partition.partition);
            next.is_none_or(|next| next >= end)
        })
    }

    async fn until_reached(&self, ends: &[End]) -> Result<(), LogError> {
        loop {
            let mark = self.changed.mark();
            if self.has_reached(ends) {
                return Ok(());
            }
            if self.phase.get() == Phase::Closed {
                return Err(self.closed());
            }
            self.changed.changed_since(mark).await;
        }
    }

    /// The first reading. An error that waiting does not mend ends it.
    pub(super) async fn read_to_first_end(&self) -> Result<(), ConnectError> {
        let failed = |source: ClientError| {
            let text = format!("The topic '{}' can't be read to its end", self.topic());
            ConnectError::connect(text).with_source(source)
        };
        let ends = self.ends().await.map_err(failed)?;
        loop {
            let mark = self.changed.mark();
            if self.has_reached(&ends) {
                return Ok(());
            }
            if let Some(error) = self.reading_error.borrow_mut().take() {
                return Err(failed(error));
            }
            if self.phase.get() == Phase::Closed {
                return Err(ConnectError::connect(self.closed().to_string()));
            }
            self.changed.changed_since(mark).await;
        }
    }

    pub(super) async fn read_to_end(&self, limit: Duration) -> Result<(), LogError> {
        let hint = RefCell::new(String::new());
        let reading = async {
            self.started().await?;
            let ends = loop {
                match self.ends().await {
                    Ok(ends) => break ends,
                    Err(source) if source.is_retriable() => {
                        tracing::warn!(topic = self.topic(), error = %source,
                            "can't ask where the internal topic ends; trying again");
                        hint.replace(format!(": {source}"));
                        shard::sleep(self.settings.retry_backoff).await;
                    }
                    Err(source) => {
                        return Err(LogError::Read {
                            topic: self.topic().to_owned(),
                            source: Box::new(source),
                        });
                    }
                }
            };
            self.until_reached(&ends).await
        };
        let read = shard::timeout(limit, reading).await;
        read.unwrap_or_else(|_| {
            if let Some(error) = &*self.reading_error.borrow() {
                hint.replace(format!(": {error}"));
            }
            Err(LogError::Timeout {
                topic: self.topic().to_owned(),
                doing: "reading to its end",
                after: limit,
                hint: hint.take(),
            })
        })
    }
}

/// How many of `records`, at least one, make a batch.
fn batch_length(records: &[RecordRef]) -> usize {
    let mut bytes = 0;
    for (index, record) in records.iter().take(BATCH_RECORDS).enumerate() {
        bytes += length(record.key) + length(record.value);
        if bytes >= BATCH_BYTES {
            return index + 1;
        }
    }
    records.len().min(BATCH_RECORDS)
}

fn length(span: crate::api::Span) -> usize {
    match span.is_null() {
        true => 0,
        false => span.len as usize,
    }
}

fn owned(fetched: &FetchedRecords, record: &RecordRef) -> LogRecord {
    let bytes = |span: crate::api::Span| span.of(&fetched.buffer).map(<[u8]>::to_vec);
    LogRecord {
        partition: fetched.source.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: bytes(record.key),
        value: bytes(record.value),
    }
}
