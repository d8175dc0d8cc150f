//! Topics filled and read through rskafka, which shares no code with the systems under test.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::input::{Form, Generator};
use crate::interrupt;

/// Bytes of a batch that fills a topic, as a producer under load makes them.
pub(crate) const FILL_BATCH_BYTES: usize = 256 << 10;
/// Batches on their way at once while filling.
const IN_FLIGHT: usize = 6;
/// Bytes of a fetch while reading.
const FETCH_BYTES: i32 = 4 << 20;
const PATIENCE: Duration = Duration::from_secs(60);

/// rskafka behind calls that are bounded in time.
pub(crate) struct Topics {
    runtime: Runtime,
    client: Client,
}

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::Kafka(format!("{what}: {error}"))
}

/// What a topic is filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fill<'a> {
    /// Where to.
    pub(crate) topic: &'a str,
    /// Batches go to each in turn.
    pub(crate) partitions: i32,
    /// Of the batches.
    pub(crate) compression: Compression,
    /// How many records.
    pub(crate) records: u64,
    /// As they stand in the topic.
    pub(crate) form: Form,
    /// All but the first of so many in a row have a header `drop`.
    pub(crate) one_of: u64,
}

impl Topics {
    /// Connects to brokers given as `host:port` by commas.
    pub(crate) fn connect(bootstrap: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(|e| failed("no runtime", e))?;
        let brokers = bootstrap.split(',').map(str::to_owned).collect();
        let connecting = ClientBuilder::new(brokers).client_id("perf").build();
        let client = bounded(&runtime, "connecting", connecting)?
            .map_err(|e| failed(&format!("no broker at {bootstrap}"), e))?;
        Ok(Self { runtime, client })
    }

    /// A client of one partition.
    fn partition(&self, topic: &str, partition: i32) -> Result<Arc<PartitionClient>> {
        let opening = self
            .client
            .partition_client(topic, partition, UnknownTopicHandling::Retry);
        let client = bounded(&self.runtime, "finding a leader", opening)?;
        client
            .map(Arc::new)
            .map_err(|e| failed(&format!("{topic}-{partition}"), e))
    }

    /// Puts records 0 to `fill.records` into a topic, and tells `step` how many are there.
    pub(crate) fn fill(
        &self,
        generator: &Generator,
        fill: Fill<'_>,
        step: impl Fn(u64),
    ) -> Result<()> {
        let clients = (0..fill.partitions)
            .map(|partition| self.partition(fill.topic, partition))
            .collect::<Result<Vec<_>>>()?;
        let each = (FILL_BATCH_BYTES / generator.length(fill.form)).max(1) as u64;
        let places = Arc::new(Semaphore::new(IN_FLIGHT));
        let mut tasks = Vec::new();
        self.runtime.block_on(async {
            for (number, first) in (0..fill.records)
                .step_by(usize::try_from(each).unwrap_or(1))
                .enumerate()
            {
                interrupt::check()?;
                step(first);
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    break;
                };
                let indexes = first..(first + each).min(fill.records);
                let mut batch = batch(generator, indexes.clone(), fill.form);
                for (index, record) in indexes.zip(&mut batch) {
                    if index % fill.one_of != 0 {
                        let header = ("drop".to_owned(), b"by header".to_vec());
                        record.headers.extend([header]);
                    }
                }
                let client = Arc::clone(&clients[number % clients.len()]);
                tasks.push(tokio::spawn(async move {
                    let outcome = client.produce(batch, fill.compression).await;
                    drop(place);
                    outcome
                }));
            }
            for task in tasks {
                let outcome = task.await.map_err(|e| failed("filling", e))?;
                outcome.map_err(|e| failed(&format!("filling {}", fill.topic), e))?;
            }
            Ok(())
        })
    }

    /// Reads partitions up to where they end now, and hands over each value.
    pub(crate) fn read(
        &self,
        topic: &str,
        partitions: i32,
        mut each: impl FnMut(&[u8]),
    ) -> Result<()> {
        for partition in 0..partitions {
            self.read_partition(topic, partition, &mut each)?;
        }
        Ok(())
    }

    /// The next fetch travels while the last one is checked.
    fn read_partition(
        &self,
        topic: &str,
        partition: i32,
        each: &mut impl FnMut(&[u8]),
    ) -> Result<()> {
        let client = self.partition(topic, partition)?;
        let named = |e| failed(&format!("reading {topic}-{partition}"), e);
        let ending = client.get_offset(OffsetAt::Latest);
        let end = bounded(&self.runtime, "an end offset", ending)?.map_err(named)?;
        let mut next = 0;
        let mut fetching = (next < end).then(|| self.fetch(&client, next));
        while let Some(fetch) = fetching.take() {
            interrupt::check()?;
            let fetched = bounded(&self.runtime, "a fetch", fetch)?;
            let (records, _) = fetched.map_err(|e| failed("a fetch", e))?.map_err(named)?;
            let from = next;
            next = records.last().map_or(next, |last| last.offset + 1);
            fetching = (next < end).then(|| self.fetch(&client, next));
            for record in records.iter().filter(|record| record.offset >= from) {
                each(record.record.value.as_deref().unwrap_or_default());
            }
        }
        Ok(())
    }

    /// A partition from its beginning on, to be read bit by bit.
    pub(crate) fn tail(&self, topic: &str, partition: i32) -> Result<Tail> {
        Ok(Tail {
            name: format!("{topic}-{partition}"),
            client: self.partition(topic, partition)?,
            next: 0,
        })
    }

    /// Reads on up to where the partition ends now.
    pub(crate) fn advance(&self, tail: &mut Tail, mut each: impl FnMut(&Record)) -> Result<()> {
        let named = |e| failed(&format!("reading {}", tail.name), e);
        let ending = tail.client.get_offset(OffsetAt::Latest);
        let end = bounded(&self.runtime, "an end offset", ending)?.map_err(named)?;
        while tail.next < end {
            interrupt::check()?;
            let fetched = bounded(
                &self.runtime,
                "a fetch",
                self.fetch(&tail.client, tail.next),
            )?;
            let (records, _) = fetched.map_err(|e| failed("a fetch", e))?.map_err(named)?;
            let from = tail.next;
            // Records that no longer are there leave gaps, up to the end.
            tail.next = records.last().map_or(end, |last| last.offset + 1);
            for record in records.iter().filter(|record| record.offset >= from) {
                each(&record.record);
            }
        }
        Ok(())
    }

    fn fetch(&self, client: &Arc<PartitionClient>, next: i64) -> Fetch {
        let client = Arc::clone(client);
        self.runtime
            .spawn(async move { client.fetch_records(next, 1..FETCH_BYTES, 500).await })
    }
}

/// Where reading of a partition has come to.
#[derive(Debug)]
pub(crate) struct Tail {
    name: String,
    client: Arc<PartitionClient>,
    next: i64,
}

type Fetched = (Vec<rskafka::record::RecordAndOffset>, i64);
type Fetch = tokio::task::JoinHandle<rskafka::client::error::Result<Fetched>>;

/// Records without keys, one for each index.
fn batch(generator: &Generator, indexes: std::ops::Range<u64>, form: Form) -> Vec<Record> {
    let timestamp = now();
    indexes
        .map(|index| {
            let mut value = Vec::new();
            generator.append(index, form, &mut value);
            record(value, timestamp)
        })
        .collect()
}

fn record(value: Vec<u8>, timestamp: DateTime<Utc>) -> Record {
    Record {
        key: None,
        value: Some(value),
        headers: BTreeMap::new(),
        timestamp,
    }
}

/// Not a fixed date: the broker starts a new segment for records a week apart.
fn now() -> DateTime<Utc> {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let millis = i64::try_from(now.as_millis()).unwrap_or(0);
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}

/// rskafka's name of a `compression.type`.
pub(crate) fn compression(name: &str) -> Compression {
    match name {
        "gzip" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        "lz4" => Compression::Lz4,
        "zstd" => Compression::Zstd,
        _ => Compression::NoCompression,
    }
}

fn bounded<T>(runtime: &Runtime, what: &str, work: impl Future<Output = T>) -> Result<T> {
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, work).await })
        .map_err(|_| failed(what, format!("no answer within {PATIENCE:?}")))
}
