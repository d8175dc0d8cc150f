//! One offset topic as read so far.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::record::TopicRecord;
use super::{KeyProblem, OffsetCodec};
use crate::api::{ConnectError, SourceMap};
use crate::storage::offset_key::canonical;

/// A key and its last value.
#[derive(Debug, Clone)]
struct Spelling {
    key: Arc<[u8]>,
    value: Arc<[u8]>,
}

/// All spellings of a partition that have an offset; the one written last comes last. One, but for
/// connectors whose maps have no fixed order.
type Spellings = Vec<Spelling>;

/// What an offset topic says, by connector and partition (Kafka: `KafkaOffsetBackingStore`).
#[derive(Debug, Default)]
pub struct OffsetTopic {
    /// By connector, then by the canonical form of the key.
    connectors: HashMap<Box<str>, HashMap<Arc<[u8]>, Spellings>>,
}

impl OffsetTopic {
    /// Nothing read.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a record. Records of a partition come in order.
    ///
    /// # Errors
    /// The key names no source partition; nothing changes.
    pub fn apply(
        &mut self,
        codec: &mut OffsetCodec,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<(), KeyProblem> {
        let read = codec.read_key(key)?;
        let key = key.unwrap_or_default();
        let meaning = canonical(&read.connector, &read.partition);
        match value {
            Some(value) => self.put(&read.connector, &meaning, key, value),
            None => self.remove(&read.connector, &meaning, key),
        }
        Ok(())
    }

    fn put(&mut self, connector: &str, meaning: &[u8], key: &[u8], value: &[u8]) {
        let partitions = self.connectors.entry(connector.into()).or_default();
        let value = Arc::from(value);
        let Some(spellings) = partitions.get_mut(meaning) else {
            let meaning: Arc<[u8]> = Arc::from(meaning);
            let key = if *meaning == *key {
                Arc::clone(&meaning)
            } else {
                Arc::from(key)
            };
            partitions.insert(meaning, vec![Spelling { key, value }]);
            return;
        };
        let known = spellings.iter().position(|known| *known.key == *key);
        let key = match known {
            Some(place) => spellings.remove(place).key,
            None => Arc::from(key),
        };
        spellings.push(Spelling { key, value });
    }

    fn remove(&mut self, connector: &str, meaning: &[u8], key: &[u8]) {
        let Some(partitions) = self.connectors.get_mut(connector) else {
            return;
        };
        if let Some(spellings) = partitions.get_mut(meaning) {
            spellings.retain(|known| *known.key != *key);
            if spellings.is_empty() {
                partitions.remove(meaning);
            }
        }
        if partitions.is_empty() {
            self.connectors.remove(connector);
        }
    }

    fn spellings(&self, connector: &str, partition: &SourceMap) -> &[Spelling] {
        let meaning = canonical(connector, partition);
        let partitions = self.connectors.get(connector);
        let found = partitions.and_then(|partitions| partitions.get(meaning.as_slice()));
        found.map(Vec::as_slice).unwrap_or_default()
    }

    /// The bytes of a partition's offset.
    pub fn raw(&self, connector: &str, partition: &SourceMap) -> Option<&[u8]> {
        let last = self.spellings(connector, partition).last()?;
        Some(&last.value)
    }

    /// A partition's offset.
    ///
    /// # Errors
    /// What is stored can't be read; the partition counts as one without offset then (Kafka:
    /// `OffsetStorageReaderImpl`).
    pub fn offset(
        &self,
        codec: &mut OffsetCodec,
        connector: &str,
        partition: &SourceMap,
    ) -> Result<Option<SourceMap>, ConnectError> {
        match self.raw(connector, partition) {
            Some(bytes) => codec.read_offset(bytes),
            None => Ok(None),
        }
    }

    /// The partitions of a connector that have an offset, in no order.
    pub fn partitions(&self, codec: &mut OffsetCodec, connector: &str) -> Vec<SourceMap> {
        let partitions = self.connectors.get(connector).into_iter().flatten();
        let keys = partitions.filter_map(|(_, spellings)| spellings.last());
        keys.filter_map(|last| codec.read_key(Some(&last.key)).ok())
            .map(|key| key.partition)
            .collect()
    }

    /// The keys under which an offset of a partition is written or removed: as they were met, or as the
    /// codec writes a new one.
    pub(super) fn keys_to_write(
        &self,
        codec: &mut OffsetCodec,
        connector: &str,
        partition: &SourceMap,
    ) -> Result<Vec<Vec<u8>>, ConnectError> {
        let met = self.spellings(connector, partition);
        if met.is_empty() {
            return Ok(vec![codec.write_key(connector, partition)?]);
        }
        Ok(met.iter().map(|met| met.key.to_vec()).collect())
    }

    /// How many keys have a value, over all connectors: what the memory that this takes goes by.
    pub fn len(&self) -> usize {
        let partitions = self.connectors.values().flat_map(HashMap::values);
        partitions.map(Vec::len).sum()
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.connectors.is_empty()
    }

    /// Every key that has a value, with it, in no order.
    pub fn records(&self) -> impl Iterator<Item = TopicRecord> {
        let spellings = self.connectors.values().flat_map(HashMap::values).flatten();
        spellings.map(|spelling| TopicRecord {
            key: spelling.key.to_vec(),
            value: Some(spelling.value.to_vec()),
        })
    }
}
