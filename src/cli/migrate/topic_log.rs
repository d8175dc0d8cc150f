//! One internal topic, read from its beginning to where it ended when the reading began.

use std::time::{Duration, Instant};

use crate::api::TopicPartition;
use crate::clients::{
    Admin, ClientError, CommonClientConfig, Consumer, ConsumerConfig, FetchedRecords,
    IsolationLevel, OffsetSpec, Polled,
};
use crate::kafka::{KafkaAdmin, KafkaConsumer};

/// How long nothing may come before the reading is given up.
const SILENCE: Duration = Duration::from_secs(30);
const CLOSE: Duration = Duration::from_secs(2);

/// Reads topics of one cluster.
pub(super) struct TopicReader<'a> {
    pub(super) admin: &'a KafkaAdmin,
    pub(super) common: CommonClientConfig,
    /// As the cluster's own workers read: committed records alone where they write in transactions.
    pub(super) isolation: IsolationLevel,
}

impl TopicReader<'_> {
    /// Hands every record of a topic to `apply` with offset, key and value; in order within a partition.
    ///
    /// # Errors
    /// Authorization, a damaged batch, or nothing came for half a minute.
    pub(super) async fn read(
        &self,
        topic: &str,
        partitions: u32,
        mut apply: impl FnMut(i64, Option<&[u8]>, Option<&[u8]>),
    ) -> Result<(), ClientError> {
        let partitions = (0..partitions).filter_map(|index| i32::try_from(index).ok());
        let all: Vec<_> = partitions
            .map(|index| TopicPartition::new(topic, index))
            .collect();
        let specs: Vec<_> = all
            .iter()
            .map(|at| (at.clone(), OffsetSpec::Latest))
            .collect();
        let mut unread = self.admin.list_offsets(&specs).await?;
        let consumer = KafkaConsumer::new(ConsumerConfig {
            common: self.common.clone(),
            isolation: self.isolation,
            allow_auto_create_topics: false,
            ..ConsumerConfig::default()
        });
        consumer.assign(all);
        let read = follow(&consumer, topic, &mut unread, &mut apply).await;
        consumer.close(CLOSE).await;
        read
    }
}

/// Polls until every partition's position is at the end that `unread` names.
async fn follow(
    consumer: &KafkaConsumer,
    topic: &str,
    unread: &mut Vec<(TopicPartition, i64)>,
    apply: &mut impl FnMut(i64, Option<&[u8]>, Option<&[u8]>),
) -> Result<(), ClientError> {
    let mut last = Instant::now();
    loop {
        let mut left = Vec::new();
        for (at, end) in unread.drain(..) {
            if consumer.position(&at).await? < end {
                left.push((at, end));
            }
        }
        *unread = left;
        if unread.is_empty() {
            return Ok(());
        }
        match consumer.poll(Duration::from_secs(1)).await? {
            Polled::Records(fetched) => {
                last = Instant::now();
                fetched.iter().for_each(|fetched| hand_over(fetched, apply));
            }
            _ if last.elapsed() > SILENCE => {
                return Err(ClientError::Timeout {
                    context: format!("reading topic {topic} to its end"),
                    after: SILENCE,
                    hint: String::new(),
                });
            }
            _ => {}
        }
    }
}

fn hand_over(fetched: &FetchedRecords, apply: &mut impl FnMut(i64, Option<&[u8]>, Option<&[u8]>)) {
    for record in &fetched.records {
        let bytes = |span: crate::api::Span| span.of(&fetched.buffer);
        apply(record.offset, bytes(record.key), bytes(record.value));
    }
}
