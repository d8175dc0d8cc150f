//! The task: whole batches of its partitions, one partition at a time.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use super::config::MirrorConfig;
use super::offset_syncs::{OffsetSyncs, Run};
use super::offsets::{OFFSET, next_offset, partition_of, source_partition, topic_partition};
use crate::api::{
    CommittedRun, ConfigMap, ConnectError, RecordBatches, SourceBatch, SourceMap, SourceRecord,
    SourceTask, SourceTaskContext, TopicPartition,
};
use crate::clients::{ClientError, Consumer, FetchedBatches};
use crate::kafka::{KafkaConsumer, KafkaProducer};

/// Time for sending the last offset syncs, and for closing the consumer's connections.
const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Reads its partitions of the source.
#[derive(Default)]
pub struct MirrorSourceTask {
    running: Option<Running>,
}

impl std::fmt::Debug for MirrorSourceTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MirrorSourceTask").finish_non_exhaustive()
    }
}

struct Running {
    syncs: Option<OffsetSyncs>,
    consumer: Rc<dyn Consumer>,
    poll_timeout: Duration,
    places: HashMap<TopicPartition, Place>,
    position_field: Rc<str>,
    /// Fetched and not yet handed over: at most what one poll of the consumer brought.
    fetched: VecDeque<FetchedBatches>,
}

/// Where a source partition goes, and how its offsets are stored.
struct Place {
    topic: Rc<str>,
    source_partition: Rc<SourceMap>,
}

#[async_trait(?Send)]
impl SourceTask for MirrorSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let (config, partitions) = MirrorConfig::of_task(config)?;
        let consumer: Rc<dyn Consumer> = Rc::new(KafkaConsumer::new(config.consumer()?));
        let mut running = Running::start(&config, &partitions, consumer, &context).await?;
        if let Some(syncs) = config.offset_syncs.as_ref().filter(|_| !context.preview) {
            let producer = KafkaProducer::new(config.sync_producer(syncs.location)?);
            let topic = syncs.topic.clone();
            let syncs = OffsetSyncs::start(Rc::new(producer), topic, syncs.lag_max);
            running.syncs = Some(syncs);
        }
        self.running = Some(running);
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        match &mut self.running {
            Some(running) => running.poll().await,
            None => Err(ConnectError::connect("poll before start")),
        }
    }

    fn wants_commit_record(&self) -> bool {
        self.syncs().is_some()
    }

    fn commit_record(
        &mut self,
        record: &SourceRecord,
        written: Option<(&TopicPartition, i64)>,
    ) -> Result<(), ConnectError> {
        let stored = record.source_offset.as_ref();
        let offset = stored.and_then(|stored| stored.get(OFFSET)?.as_i64());
        let (Some(partition), Some(offset), Some((_, base))) =
            (&record.source_partition, offset, written)
        else {
            return Ok(());
        };
        let run = Run {
            first: offset,
            last: offset,
            base,
            count: 1,
        };
        self.sync(partition, run);
        Ok(())
    }

    fn commit_run(&mut self, run: &CommittedRun<'_>) -> Result<(), ConnectError> {
        let found = Run {
            first: run.first,
            last: run.last,
            base: run.base_offset,
            count: run.count,
        };
        self.sync(run.source_partition, found);
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), ConnectError> {
        if let Some(syncs) = self.syncs() {
            syncs.promote();
        }
        Ok(())
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            if let Some(syncs) = &running.syncs {
                syncs.close(CLOSE_LIMIT).await;
            }
            running.consumer.close(CLOSE_LIMIT).await;
        }
    }
}

impl MirrorSourceTask {
    fn syncs(&self) -> Option<&OffsetSyncs> {
        self.running.as_ref()?.syncs.as_ref()
    }

    /// Notes where records are; without an offset (`acks=0`) there is nothing to note.
    fn sync(&self, source_partition: &SourceMap, run: Run) {
        let at = partition_of(source_partition);
        if let (Some(syncs), Some(at)) = (self.syncs(), at)
            && run.base >= 0
            && run.count > 0
        {
            syncs.add(&at, run);
        }
    }
}

impl Running {
    /// Takes the partitions, each from where it was left.
    async fn start(
        config: &MirrorConfig,
        partitions: &[String],
        consumer: Rc<dyn Consumer>,
        context: &SourceTaskContext,
    ) -> Result<Self, ConnectError> {
        let mut places = HashMap::new();
        let mut seeks = Vec::new();
        for text in partitions {
            let at = topic_partition(text)?;
            let partition = source_partition(&config.source, &at);
            let stored = context.offsets.offset(&partition).await?;
            if let Some(next) = next_offset(&at, stored.as_ref())? {
                seeks.push((at.clone(), next));
            }
            let place = Place {
                topic: config.remote_topic(&at.topic).into(),
                source_partition: Rc::new(partition),
            };
            places.insert(at, place);
        }
        consumer.assign(places.keys().cloned().collect());
        for (at, next) in &seeks {
            consumer.seek(at, *next);
        }
        tracing::info!(
            source = config.source,
            target = config.target,
            partitions = partitions.join(","),
            resumed = seeks.len(),
            "mirror task starts"
        );
        Ok(Self {
            syncs: None,
            consumer,
            poll_timeout: config.poll_timeout,
            places,
            position_field: OFFSET.into(),
            fetched: VecDeque::new(),
        })
    }

    /// The next batches of one partition; empty when there is nothing new. Cancel-safe, since what was
    /// fetched stays here until it is handed over.
    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        if self.fetched.is_empty() {
            let fetched = self.consumer.poll_batches(self.poll_timeout).await;
            self.fetched.extend(fetched.map_err(failed)?);
        }
        while let Some(fetched) = self.fetched.pop_front() {
            if fetched.batches.is_empty() {
                continue;
            }
            let Some(place) = self.places.get(&fetched.source) else {
                let at = fetched.source;
                return Err(ConnectError::connect(format!(
                    "the source cluster gave records of {at}, which was not asked for"
                )));
            };
            return Ok(SourceBatch::Batches(RecordBatches {
                topic: Rc::clone(&place.topic),
                kafka_partition: fetched.source.partition,
                batches: fetched.batches,
                source_partition: Some(Rc::clone(&place.source_partition)),
                position_field: Rc::clone(&self.position_field),
            }));
        }
        Ok(SourceBatch::Records(Vec::new()))
    }
}

fn failed(error: ClientError) -> ConnectError {
    let text = format!("reading from the source cluster: {error}");
    let failed = if error.is_retriable() {
        ConnectError::retriable(text)
    } else {
        ConnectError::connect(text)
    };
    failed.with_source(error)
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
