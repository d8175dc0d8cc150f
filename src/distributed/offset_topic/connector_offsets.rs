//! What a connector sees of the offset topics, and how its offsets are written.

use super::super::record::TopicRecord;
use super::codec::check;
use super::{OffsetCodec, OffsetTopic};
use crate::api::{ConnectError, SourceMap};

/// The offset topics of a connector (Kafka: `ConnectorOffsetBackingStore`).
#[derive(Debug, Clone, Copy)]
pub enum ConnectorOffsets<'a> {
    /// The worker's topic.
    Worker(&'a OffsetTopic),
    /// A topic of its own; the worker's is on another cluster or not used.
    Connector(&'a OffsetTopic),
    /// A topic of its own over the worker's.
    Both {
        /// The worker's topic.
        worker: &'a OffsetTopic,
        /// The connector's own.
        connector: &'a OffsetTopic,
    },
}

/// One of a connector's two topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// The worker's topic.
    Worker,
    /// The connector's own.
    Connector,
}

/// What a failed step means for the write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The write has failed, and no step follows.
    Fail,
    /// A warning; the write has succeeded before.
    Warn,
}

/// A part of a write. Steps are taken in order, each when the one before it has succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteStep {
    /// Where to.
    pub store: Store,
    /// What; in any order.
    pub records: Vec<TopicRecord>,
    /// What it means when it fails.
    pub on_failure: OnFailure,
}

impl<'a> ConnectorOffsets<'a> {
    /// Topics from the one that wins to the one that is asked last.
    fn by_rank(self) -> impl Iterator<Item = &'a OffsetTopic> {
        let (first, second) = match self {
            Self::Worker(only) | Self::Connector(only) => (only, None),
            Self::Both { worker, connector } => (connector, Some(worker)),
        };
        std::iter::once(first).chain(second)
    }

    /// The offset of a partition: the own topic's, else the worker's.
    ///
    /// # Errors
    /// What is stored can't be read; the partition counts as one without offset then.
    pub fn offset(
        self,
        codec: &mut OffsetCodec,
        connector: &str,
        partition: &SourceMap,
    ) -> Result<Option<SourceMap>, ConnectError> {
        let mut raw = self
            .by_rank()
            .filter_map(|topic| topic.raw(connector, partition));
        match raw.next() {
            Some(bytes) => codec.read_offset(bytes),
            None => Ok(None),
        }
    }

    /// The partitions of a connector that have an offset in any of the topics, each once.
    pub fn partitions(self, codec: &mut OffsetCodec, connector: &str) -> Vec<SourceMap> {
        let mut found: Vec<SourceMap> = Vec::new();
        let mut earlier: Option<&OffsetTopic> = None;
        for topic in self.by_rank() {
            let more = topic.partitions(codec, connector).into_iter();
            let is_new = |partition: &SourceMap| {
                earlier.is_none_or(|earlier| earlier.raw(connector, partition).is_none())
            };
            found.extend(more.filter(is_new));
            earlier = Some(topic);
        }
        found
    }

    /// How offsets are written; `None` removes one.
    ///
    /// Over two topics, removals go to the worker's first, so that a failure in between leaves none there
    /// that would show through (KAFKA-15018); then all goes to the connector's own, which decides whether
    /// the write has succeeded; then what is no removal goes to the worker's.
    ///
    /// # Errors
    /// Nested values, with Apache's text; nothing is to be written then.
    pub fn write(
        self,
        codec: &mut OffsetCodec,
        connector: &str,
        offsets: &[(SourceMap, Option<SourceMap>)],
    ) -> Result<Vec<WriteStep>, ConnectError> {
        let mut encoded = Vec::with_capacity(offsets.len());
        for (partition, offset) in offsets {
            check(partition)?;
            let value = offset.as_ref().map(|offset| codec.write_offset(offset));
            encoded.push((partition, value.transpose()?));
        }
        let mut step = |store, topic: &OffsetTopic, on_failure, wanted: fn(bool) -> bool| {
            let mut records = Vec::new();
            for (partition, value) in &encoded {
                let keys = topic.keys_to_write(codec, connector, partition)?;
                let keys = keys.into_iter().filter(|_| wanted(value.is_none()));
                records.extend(keys.map(|key| TopicRecord {
                    key,
                    value: value.clone(),
                }));
            }
            Ok::<_, ConnectError>(WriteStep {
                store,
                records,
                on_failure,
            })
        };
        let mut steps = match self {
            Self::Worker(only) => vec![step(Store::Worker, only, OnFailure::Fail, all)?],
            Self::Connector(only) => vec![step(Store::Connector, only, OnFailure::Fail, all)?],
            Self::Both { worker, connector } => vec![
                step(Store::Worker, worker, OnFailure::Fail, removals)?,
                step(Store::Connector, connector, OnFailure::Fail, all)?,
                step(Store::Worker, worker, OnFailure::Warn, not_removals)?,
            ],
        };
        steps.retain(|step| !step.records.is_empty());
        Ok(steps)
    }
}

fn all(_: bool) -> bool {
    true
}

fn removals(is_removal: bool) -> bool {
    is_removal
}

fn not_removals(is_removal: bool) -> bool {
    !is_removal
}
