//! The consumer: group membership or manual assignment, fetching, offsets.
//!
//! ```text
//! driver (core) ──→ committed offsets, starts and ends (offsets) ──→ positions (subscription)
//!    │  one fetch in flight per broker                                   ↑
//!    └────────→ fetch ──→ chunks, as they came ──→ poll: decode (chunk) ─┘──→ FetchedRecords
//!                                                    poll_batches: as they are ──→ FetchedBatches
//! membership, heartbeat (group) ──→ events ──→ poll
//! ```
//!
//! All the work is done by futures in the background, which share [`core::Core`]; a poll waits for what
//! they bring, so that dropping one at any await loses nothing.
//!
//! Bounds: a broker is asked again only when its last answer was taken by a poll, so that per broker one
//! answer (`fetch.max.bytes`, or one larger batch) waits while the caller works on the one before.
//! Paused partitions keep nothing: they are fetched anew.

mod answer_size;
mod chunk;
mod core;
mod fetch;
#[cfg(test)]
mod fuzz;
mod group;
mod offsets;
mod subscription;

use std::rc::Rc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use self::core::Core;
use self::subscription::Position;
use crate::api::TopicPartition;
use crate::clients::{ClientError, Consumer, ConsumerConfig, FetchedBatches, Polled, Subscription};
use crate::shard;

/// A consumer of a Kafka cluster (Kafka: `KafkaConsumer` with `group.protocol=classic`).
pub struct KafkaConsumer {
    core: Rc<Core>,
}

impl std::fmt::Debug for KafkaConsumer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaConsumer")
            .field("group_id", &self.core.config.group_id)
            .field("assignment", &self.core.partitions.borrow().list())
            .finish_non_exhaustive()
    }
}

impl KafkaConsumer {
    /// Connects when first used. Must be called on a shard.
    pub fn new(config: ConsumerConfig) -> Self {
        Self {
            core: Core::new(config),
        }
    }

    /// What a poll can give at once.
    async fn poll_now(&self) -> Result<Option<Polled>, ClientError> {
        let core = &self.core;
        if core.is_closed() {
            return Err(ClientError::Closed);
        }
        if let Some(event) = core.membership.next_event(core) {
            return Ok(Some(event));
        }
        if let Some(error) = core.membership.fatal().or_else(|| core.take_error()) {
            return Err(error);
        }
        if !core.has_ready() {
            return Ok(None);
        }
        // The next fetch goes out while this one is decoded and worked upon.
        core.release_ready();
        shard::yield_now().await;
        let records = core.take_records()?;
        Ok((!records.is_empty()).then_some(Polled::Records(records)))
    }

    /// What a poll for batches can give at once.
    async fn batches_now(&self) -> Result<Option<Vec<FetchedBatches>>, ClientError> {
        let core = &self.core;
        if core.is_closed() {
            return Err(ClientError::Closed);
        }
        if core.membership.is_subscribed() {
            return Err(ClientError::Config {
                key: "assignment",
                reason: "whole batches are for partitions that were assigned by hand".to_owned(),
            });
        }
        if let Some(error) = core.take_error() {
            return Err(error);
        }
        if !core.has_ready() {
            return Ok(None);
        }
        core.release_ready();
        shard::yield_now().await;
        let batches = core.take_batches()?;
        Ok((!batches.is_empty()).then_some(batches))
    }

    /// Asks `now` whenever there is news; `None` when the time is over.
    async fn wait_for<T, F>(
        &self,
        limit: Duration,
        now: impl Fn() -> F,
    ) -> Result<Option<T>, ClientError>
    where
        F: Future<Output = Result<Option<T>, ClientError>>,
    {
        let core = &self.core;
        let deadline = Instant::now().checked_add(limit);
        loop {
            let mark = core.news.mark();
            if let Some(found) = now().await? {
                return Ok(Some(found));
            }
            let left = deadline.map_or(Duration::MAX, |at| {
                at.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                // Polls without patience shall not starve what works for them.
                shard::yield_now().await;
                return Ok(None);
            }
            shard::timeout(left, core.news.changed_since(mark))
                .await
                .unwrap_or(());
        }
    }
}

impl Drop for KafkaConsumer {
    fn drop(&mut self) {
        self.core.stop();
        self.core.cluster.close();
    }
}

#[async_trait(?Send)]
impl Consumer for KafkaConsumer {
    fn subscribe(&self, subscription: Subscription) {
        self.core.start();
        self.core.membership.subscribe(&self.core, subscription);
    }

    fn assign(&self, partitions: Vec<TopicPartition>) {
        let core = &self.core;
        core.start();
        let held = core.partitions.borrow().list();
        let gone: Vec<TopicPartition> = held
            .into_iter()
            .filter(|p| !partitions.contains(p))
            .collect();
        core.remove_partitions(&gone);
        core.add_partitions(&partitions);
        core.cluster.request_refresh();
    }

    async fn poll(&self, timeout: Duration) -> Result<Polled, ClientError> {
        let core = &self.core;
        let _guard = core.poll_begins();
        core.membership.poll_begins(core);
        let polled = self.wait_for(timeout, || self.poll_now()).await?;
        Ok(polled.unwrap_or(Polled::Idle))
    }

    async fn poll_batches(&self, timeout: Duration) -> Result<Vec<FetchedBatches>, ClientError> {
        let _guard = self.core.poll_begins();
        let batches = self.wait_for(timeout, || self.batches_now()).await?;
        Ok(batches.unwrap_or_default())
    }

    fn assignment(&self) -> Vec<TopicPartition> {
        self.core.partitions.borrow().list()
    }

    async fn position(&self, partition: &TopicPartition) -> Result<i64, ClientError> {
        let core = &self.core;
        let limit = core.config.common.default_api_timeout;
        let look = async {
            loop {
                let mark = core.news.mark();
                if core.is_closed() {
                    return Err(ClientError::Closed);
                }
                let offset = core.partitions.borrow().get(partition).map(|s| s.offset());
                match offset {
                    None => return Err(not_held(partition)),
                    Some(Some(offset)) => return Ok(offset),
                    Some(None) => {}
                }
                if let Some(error) = core.membership.fatal().or_else(|| core.take_error()) {
                    return Err(error);
                }
                core.news.changed_since(mark).await;
            }
        };
        let timed_out = |_| {
            Err(ClientError::Timeout {
                context: format!("looking up the position of {partition}"),
                after: limit,
                hint: String::new(),
            })
        };
        shard::timeout(limit, look).await.unwrap_or_else(timed_out)
    }

    fn seek(&self, partition: &TopicPartition, offset: i64) {
        self.core.seek(partition, Position::At(offset.max(0)));
    }

    fn pause(&self, partitions: &[TopicPartition]) {
        self.core.set_paused(partitions, true);
    }

    fn resume(&self, partitions: &[TopicPartition]) {
        self.core.set_paused(partitions, false);
    }

    async fn commit(&self, offsets: &[(TopicPartition, i64)]) -> Result<(), ClientError> {
        offsets::commit(&self.core, offsets).await
    }

    async fn committed(
        &self,
        partitions: &[TopicPartition],
    ) -> Result<Vec<(TopicPartition, Option<i64>)>, ClientError> {
        offsets::committed(&self.core, partitions).await
    }

    fn lag(&self) -> Option<u64> {
        self.core.partitions.borrow().lag()
    }

    async fn close(&self, timeout: Duration) {
        let core = &self.core;
        if core.is_closed() {
            return;
        }
        core.stop();
        core.membership
            .leave(core, timeout, "the consumer is being closed")
            .await;
        core.cluster.close();
    }
}

fn not_held(partition: &TopicPartition) -> ClientError {
    ClientError::Config {
        key: "assignment",
        reason: format!("{partition} is not held by this consumer"),
    }
}

#[cfg(test)]
mod tests;
