//! rskafka behind plain calls: the client that shares no code with the product.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use chrono::DateTime;
pub use rskafka::client::partition::Compression;
use rskafka::client::partition::{OffsetAt, PartitionClient, UnknownTopicHandling};
pub use rskafka::record::Record;
use rskafka::record::RecordAndOffset;

use crate::wait_for;

/// Bytes of one fetch; large, as tests read whole topics.
const FETCH_BYTES: i32 = 8 << 20;

/// Key and value of a record, as most tests compare them.
pub type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// A connected client with a runtime of its own; every call is bounded.
#[expect(
    missing_debug_implementations,
    reason = "neither has the client inside"
)]
pub struct Client {
    runtime: tokio::runtime::Runtime,
    client: rskafka::client::Client,
    partitions: Mutex<HashMap<(String, i32), Arc<PartitionClient>>>,
}

impl Client {
    /// Connects to one of the brokers, given as `host:port` by commas.
    pub fn connect(bootstrap: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let brokers = bootstrap.split(',').map(str::to_owned).collect();
        let connecting = rskafka::client::ClientBuilder::new(brokers).build();
        let client = bounded(&runtime, "a connection to Kafka", connecting).unwrap();
        Self {
            runtime,
            client,
            partitions: Mutex::default(),
        }
    }

    /// Topics and how many partitions each has.
    pub fn topics(&self) -> BTreeMap<String, usize> {
        let topics = self
            .run("the list of topics", self.client.list_topics())
            .unwrap();
        topics
            .into_iter()
            .map(|t| (t.name, t.partitions.len()))
            .collect()
    }

    /// Creates a topic of one replica and waits until it is there.
    pub fn create_topic(&self, name: &str, partitions: i32) {
        let controller = self.client.controller_client().unwrap();
        self.run(
            "a new topic",
            controller.create_topic(name, partitions, 1, 30_000),
        )
        .unwrap();
        wait_for(&format!("topic {name}"), Duration::from_secs(30), || {
            self.topics().contains_key(name).then_some(())
        });
    }

    /// Writes values without keys.
    pub fn produce_values<V: AsRef<[u8]>>(
        &self,
        topic: &str,
        compression: Compression,
        values: impl IntoIterator<Item = V>,
    ) {
        let pairs = values
            .into_iter()
            .map(|v| (None, Some(v.as_ref().to_vec())))
            .collect();
        self.produce(topic, 0, compression, pairs);
    }

    /// Writes records in batches of up to 5,000.
    pub fn produce(&self, topic: &str, partition: i32, compression: Compression, pairs: Vec<Pair>) {
        let client = self.partition(topic, partition);
        // Not a fixed date: the broker starts a new segment for records a week apart.
        let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let timestamp = i64::try_from(timestamp.as_millis()).unwrap();
        let timestamp = DateTime::from_timestamp_millis(timestamp).unwrap();
        for chunk in pairs.chunks(5_000) {
            let records = chunk.iter().cloned();
            let records = records.map(|(key, value)| Record {
                key,
                value,
                headers: BTreeMap::new(),
                timestamp,
            });
            let sending = client.produce(records.collect(), compression);
            self.run("a produce request", sending).unwrap();
        }
    }

    /// Writes records as they are, in one batch.
    pub fn produce_records(
        &self,
        topic: &str,
        partition: i32,
        compression: Compression,
        records: Vec<Record>,
    ) {
        let client = self.partition(topic, partition);
        let sending = client.produce(records, compression);
        self.run("a produce request", sending).unwrap();
    }

    /// First offset and the one after the last.
    pub fn offsets(&self, topic: &str, partition: i32) -> (i64, i64) {
        let client = self.partition(topic, partition);
        let first = self
            .run("offsets", client.get_offset(OffsetAt::Earliest))
            .unwrap();
        let end = self
            .run("offsets", client.get_offset(OffsetAt::Latest))
            .unwrap();
        (first, end)
    }

    /// The offset after the last; 0 while there is no such topic.
    pub fn end_offset(&self, topic: &str) -> i64 {
        if self.topics().contains_key(topic) {
            self.offsets(topic, 0).1
        } else {
            0
        }
    }

    /// Waits until partition 0 holds that many records; gives the offset after the last.
    pub fn wait_for_end_offset(&self, topic: &str, at_least: i64, limit: Duration) -> i64 {
        wait_for(&format!("{at_least} records in {topic}"), limit, || {
            let end = self.end_offset(topic);
            (end >= at_least).then_some(end)
        })
    }

    /// Every record of a partition, up to where it ends now.
    pub fn read_all(&self, topic: &str, partition: i32) -> Vec<RecordAndOffset> {
        let mut all = Vec::new();
        self.visit(topic, partition, |record| all.push(record));
        all
    }

    /// Keys and values of partition 0.
    pub fn read_pairs(&self, topic: &str) -> Vec<Pair> {
        let mut all = Vec::new();
        self.visit(topic, 0, |found| {
            all.push((found.record.key, found.record.value))
        });
        all
    }

    /// The values of partition 0.
    pub fn read_values(&self, topic: &str) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        self.visit(topic, 0, |found| all.push(found.record.value.unwrap()));
        all
    }

    /// Hands over record by record, so that a large topic need not fit in memory.
    pub fn visit(&self, topic: &str, partition: i32, mut each: impl FnMut(RecordAndOffset)) {
        let client = self.partition(topic, partition);
        let (mut next, end) = self.offsets(topic, partition);
        let deadline = Instant::now() + Duration::from_secs(120);
        while next < end {
            assert!(
                Instant::now() < deadline,
                "{topic} could not be read beyond offset {next}"
            );
            let fetching = client.fetch_records(next, 1..FETCH_BYTES, 500);
            let (records, _) = self.run("a fetch", fetching).unwrap();
            // A fetch gives whole batches, the first of which may begin before the offset asked for.
            for record in records {
                if record.offset >= next {
                    next = record.offset + 1;
                    each(record);
                }
            }
        }
    }

    fn partition(&self, topic: &str, partition: i32) -> Arc<PartitionClient> {
        let key = (topic.to_owned(), partition);
        if let Some(client) = self.partitions.lock().unwrap().get(&key) {
            return Arc::clone(client);
        }
        let opening = self
            .client
            .partition_client(topic, partition, UnknownTopicHandling::Retry);
        let client = Arc::new(self.run("a partition's leader", opening).unwrap());
        self.partitions
            .lock()
            .unwrap()
            .insert(key, Arc::clone(&client));
        client
    }

    fn run<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        bounded(&self.runtime, what, work)
    }
}

fn bounded<T>(runtime: &tokio::runtime::Runtime, what: &str, work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    runtime
        .block_on(async { tokio::time::timeout(limit, work).await })
        .unwrap_or_else(|_| panic!("waited {limit:?} in vain for {what}"))
}
