//! Where a worker's source offsets are: a file of its own, or topics that it shares with others; and what
//! one connector sees of them.

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use super::{OffsetStore, StorageError, check_format, offset_key};
use crate::api::{ConfigMap, ConnectError, LocalFuture, SourceMap};
use crate::shard;

/// For so long what was read counts as what others have written: a task that asks for a thousand
/// partitions at its start waits for the topics once.
const FRESH: Duration = Duration::from_secs(1);

/// A partition and its new offset; `None` removes it.
pub type OffsetEntry = (SourceMap, Option<SourceMap>);

/// Source offsets that workers share (Kafka: `KafkaOffsetBackingStore`).
pub trait OffsetTopics: Debug + Send + Sync {
    /// Those of a connector, whose configuration (references replaced) may name a topic of its own. Does
    /// not wait for that topic.
    ///
    /// # Errors
    /// The connector's settings of clients.
    fn connector(
        &self,
        name: &str,
        config: &ConfigMap,
    ) -> Result<Arc<dyn ConnectorOffsetTopics>, ConnectError>;
}

/// The shared offsets of one connector (Kafka: `ConnectorOffsetBackingStore`). Used from any thread.
pub trait ConnectorOffsetTopics: Debug + Send + Sync {
    /// A partition's offset, as far as was read.
    fn get(&self, partition: &SourceMap) -> Option<SourceMap>;

    /// Every partition that has an offset, as far as was read. May take long.
    fn partitions(&self) -> Vec<(SourceMap, SourceMap)>;

    /// Completes when everything was read that is in the topics now.
    fn refresh(&self) -> LocalFuture<'_, Result<(), StorageError>>;

    /// Writes offsets; completes when they can't be lost. What is not on its way when `gate` closes or the
    /// future is dropped is not written.
    fn write(
        &self,
        entries: Vec<OffsetEntry>,
        gate: WriteGate,
    ) -> LocalFuture<'_, Result<(), StorageError>>;
}

/// Lets a task's offsets through until it is closed, from any thread: a task that was given up must not
/// overwrite what its successor, here or on another worker, has stored. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct WriteGate(Arc<AtomicBool>);

impl WriteGate {
    /// From now on nothing is stored.
    pub fn close(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether nothing may be stored any more.
    pub fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Where a worker's source offsets are (Kafka: `OffsetBackingStore`). Clones share them.
#[derive(Debug, Clone)]
pub enum OffsetBackingStore {
    /// In a file, or in memory.
    File(OffsetStore),
    /// In Kafka.
    Topics(Arc<dyn OffsetTopics>),
}

impl From<OffsetStore> for OffsetBackingStore {
    fn from(store: OffsetStore) -> Self {
        Self::File(store)
    }
}

impl OffsetBackingStore {
    /// What a connector sees; `config` is its configuration with references replaced. What is stored
    /// passes `gate`.
    ///
    /// # Errors
    /// The connector names a topic of its own, with settings of clients that can't be used.
    pub fn connector(
        &self,
        name: &str,
        config: &ConfigMap,
        gate: WriteGate,
    ) -> Result<ConnectorOffsetStore, ConnectError> {
        let place = match self {
            Self::File(store) => Place::File(store.clone()),
            Self::Topics(topics) => Place::Topics(Staged {
                topics: topics.connector(name, config)?,
                pending: Arc::default(),
                refreshed: Mutex::default(),
            }),
        };
        Ok(ConnectorOffsetStore(Arc::new(Kept {
            connector: name.into(),
            gate,
            place,
        })))
    }
}

/// The offsets of one connector, for one of its tasks or for a request. Clones are the same.
#[derive(Debug, Clone)]
pub struct ConnectorOffsetStore(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    connector: Box<str>,
    gate: WriteGate,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(OffsetStore),
    Topics(Staged),
}

/// Offsets by the canonical form of their key.
type Pending = IndexMap<Box<[u8]>, OffsetEntry>;

/// Offsets that wait here until they are flushed; the last one of each partition.
#[derive(Debug)]
struct Staged {
    topics: Arc<dyn ConnectorOffsetTopics>,
    pending: Arc<Mutex<Pending>>,
    refreshed: Mutex<Option<Instant>>,
}

impl ConnectorOffsetStore {
    /// A partition's stored offset: what other workers have stored up to now included.
    ///
    /// # Errors
    /// The topics can't be read now.
    pub async fn get(&self, partition: &SourceMap) -> Result<Option<SourceMap>, StorageError> {
        match &self.0.place {
            Place::File(store) => Ok(store.get(&self.0.connector, partition)),
            Place::Topics(staged) => {
                staged.refresh().await?;
                Ok(staged.topics.get(partition))
            }
        }
    }

    /// Every partition that has an offset. Looks off the shard.
    ///
    /// # Errors
    /// The topics can't be read now; no thread is free.
    pub async fn partitions(&self) -> Result<Vec<(SourceMap, SourceMap)>, StorageError> {
        if let Place::Topics(staged) = &self.0.place {
            staged.refresh().await?;
        }
        let own = self.clone();
        let look = move || match &own.0.place {
            Place::File(store) => store.partitions(&own.0.connector),
            Place::Topics(staged) => staged.topics.partitions(),
        };
        shard::blocking(look)
            .await
            .map_err(|error| StorageError::shared(error.to_string(), true))
    }

    /// Stores offsets (`None` removes one), durable after [`Self::flush`].
    ///
    /// # Errors
    /// Nested values, an entry that is too large, a closed gate. Nothing is stored then.
    pub fn put<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a SourceMap, Option<&'a SourceMap>)>,
    ) -> Result<(), StorageError> {
        let Kept {
            connector,
            gate,
            place,
        } = &*self.0;
        if gate.is_closed() {
            return Err(StorageError::closed(connector));
        }
        match place {
            Place::File(store) => store.put(connector, entries),
            Place::Topics(staged) => staged.put(connector, entries),
        }
    }

    /// Completes when everything put so far can't be lost. Dropping the future, or a failure, keeps the
    /// offsets for the next flush.
    ///
    /// # Errors
    /// Disk full, the system's; brokers or topics that don't take them.
    pub async fn flush(&self) -> Result<(), StorageError> {
        let Kept {
            connector,
            gate,
            place,
        } = &*self.0;
        match place {
            Place::File(store) => store.flush().await,
            Place::Topics(_) if gate.is_closed() => Err(StorageError::closed(connector)),
            Place::Topics(staged) => staged.flush(gate.clone()).await,
        }
    }

    /// What is stored passes it.
    pub fn gate(&self) -> &WriteGate {
        &self.0.gate
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Staged {
    async fn refresh(&self) -> Result<(), StorageError> {
        let fresh = lock(&self.refreshed).is_some_and(|at| at.elapsed() < FRESH);
        if fresh {
            return Ok(());
        }
        // What comes meanwhile may be missing in what is read.
        let asked = Instant::now();
        self.topics.refresh().await?;
        *lock(&self.refreshed) = Some(asked);
        Ok(())
    }

    fn put<'a>(
        &self,
        connector: &str,
        entries: impl IntoIterator<Item = (&'a SourceMap, Option<&'a SourceMap>)>,
    ) -> Result<(), StorageError> {
        let mut checked = Vec::new();
        for (partition, offset) in entries {
            check_format(partition)?;
            offset.map_or(Ok(()), check_format)?;
            let canonical = offset_key::canonical(connector, partition);
            checked.push((canonical, (partition.clone(), offset.cloned())));
        }
        let mut pending = lock(&self.pending);
        for (canonical, entry) in checked {
            pending.insert(canonical.into(), entry);
        }
        Ok(())
    }

    async fn flush(&self, gate: WriteGate) -> Result<(), StorageError> {
        let flushing = std::mem::take(&mut *lock(&self.pending));
        if flushing.is_empty() {
            return Ok(());
        }
        let mut kept = Unflushed {
            pending: Arc::clone(&self.pending),
            entries: flushing,
        };
        let entries = kept.entries.values().cloned().collect();
        self.topics.write(entries, gate).await?;
        kept.entries.clear();
        Ok(())
    }
}

/// Offsets that go back to those that wait unless they were written.
struct Unflushed {
    pending: Arc<Mutex<Pending>>,
    entries: Pending,
}

impl Drop for Unflushed {
    fn drop(&mut self) {
        let mut pending = lock(&self.pending);
        for (canonical, entry) in self.entries.drain(..) {
            // A newer one has come meanwhile.
            pending.entry(canonical).or_insert(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::shard::RuntimeKind;

    /// Topics that take what they are told to.
    #[derive(Debug, Default)]
    struct Fake {
        stored: Mutex<Vec<OffsetEntry>>,
        refreshes: Mutex<usize>,
        writes: Mutex<Vec<Answer>>,
    }

    #[derive(Debug)]
    enum Answer {
        Fail,
        Hang,
    }

    impl OffsetTopics for Arc<Fake> {
        fn connector(
            &self,
            _: &str,
            _: &ConfigMap,
        ) -> Result<Arc<dyn ConnectorOffsetTopics>, ConnectError> {
            Ok(Arc::clone(self) as Arc<dyn ConnectorOffsetTopics>)
        }
    }

    impl ConnectorOffsetTopics for Fake {
        fn get(&self, partition: &SourceMap) -> Option<SourceMap> {
            let stored = lock(&self.stored);
            let found = stored.iter().rev().find(|(known, _)| known == partition);
            found.and_then(|(_, offset)| offset.clone())
        }

        fn partitions(&self) -> Vec<(SourceMap, SourceMap)> {
            let stored = lock(&self.stored);
            let entries = stored.iter().cloned();
            entries
                .filter_map(|(partition, offset)| Some((partition, offset?)))
                .collect()
        }

        fn refresh(&self) -> LocalFuture<'_, Result<(), StorageError>> {
            *lock(&self.refreshes) += 1;
            Box::pin(async { Ok(()) })
        }

        fn write(
            &self,
            entries: Vec<OffsetEntry>,
            _: WriteGate,
        ) -> LocalFuture<'_, Result<(), StorageError>> {
            Box::pin(async move {
                let answer = lock(&self.writes).pop();
                match answer {
                    Some(Answer::Fail) => Err(StorageError::shared("no".to_owned(), true)),
                    Some(Answer::Hang) => std::future::pending().await,
                    None => {
                        lock(&self.stored).extend(entries);
                        Ok(())
                    }
                }
            })
        }
    }

    fn map(name: &str, number: i64) -> SourceMap {
        let mut map = SourceMap::new();
        map.insert(name.to_owned(), number.into());
        map
    }

    fn with_fake<F: Future<Output = ()> + 'static>(
        test: impl FnOnce(ConnectorOffsetStore, Arc<Fake>) -> F + 'static,
    ) {
        let fake = Arc::new(Fake::default());
        let topics = OffsetBackingStore::Topics(Arc::new(Arc::clone(&fake)));
        let store = topics.connector("c", &ConfigMap::new(), WriteGate::default());
        let test = test(store.unwrap(), fake);
        shard::run(RuntimeKind::Epoll, None, test).unwrap();
    }

    fn put(store: &ConnectorOffsetStore, partition: i64, offset: i64) {
        let (partition, offset) = (map("p", partition), map("o", offset));
        store.put([(&partition, Some(&offset))]).unwrap();
    }

    #[test]
    fn offsets_go_out_at_a_flush_the_last_one_of_each_partition() {
        with_fake(async |store, fake| {
            put(&store, 1, 1);
            put(&store, 2, 5);
            put(&store, 1, 2);
            assert!(lock(&fake.stored).is_empty());
            store.flush().await.unwrap();
            store.flush().await.unwrap();
            let expected = [
                (map("p", 1), Some(map("o", 2))),
                (map("p", 2), Some(map("o", 5))),
            ];
            assert_eq!(*lock(&fake.stored), expected);
            assert_eq!(store.get(&map("p", 1)).await.unwrap(), Some(map("o", 2)));
        });
    }

    #[test]
    fn what_a_flush_did_not_write_is_written_by_the_next_but_for_what_is_outdated() {
        with_fake(async |store, fake| {
            lock(&fake.writes).extend([Answer::Hang, Answer::Fail]);
            put(&store, 1, 1);
            put(&store, 2, 1);
            store.flush().await.unwrap_err();
            let given_up = shard::timeout(Duration::from_millis(20), async {
                let flushing = store.flush();
                let meanwhile = RefCell::new(Some(()));
                let newer = std::future::poll_fn(|_| {
                    if meanwhile.take().is_some() {
                        put(&store, 1, 2);
                    }
                    std::task::Poll::Ready(())
                });
                futures_util::future::join(flushing, newer).await
            });
            assert!(given_up.await.is_err());
            store.flush().await.unwrap();
            let mut stored = lock(&fake.stored).clone();
            stored.sort_by_key(|(partition, _)| partition["p"].as_i64());
            let expected = [
                (map("p", 1), Some(map("o", 2))),
                (map("p", 2), Some(map("o", 1))),
            ];
            assert_eq!(stored, expected);
        });
    }

    #[test]
    fn nothing_passes_a_closed_gate() {
        with_fake(async |store, fake| {
            put(&store, 1, 1);
            store.gate().close();
            let error = store.flush().await.unwrap_err();
            assert!(error.to_string().contains("connector c"), "{error}");
            let (partition, offset) = (map("p", 1), map("o", 1));
            store.put([(&partition, Some(&offset))]).unwrap_err();
            assert!(lock(&fake.stored).is_empty());
        });
        let file = OffsetBackingStore::from(OffsetStore::in_memory());
        let gate = WriteGate::default();
        let store = file
            .connector("c", &ConfigMap::new(), gate.clone())
            .unwrap();
        put(&store, 1, 1);
        gate.close();
        let (partition, offset) = (map("p", 1), map("o", 2));
        store.put([(&partition, Some(&offset))]).unwrap_err();
    }

    #[test]
    fn a_row_of_reads_waits_for_the_topics_once() {
        with_fake(async |store, fake| {
            for partition in 0..100 {
                store.get(&map("p", partition)).await.unwrap();
            }
            assert_eq!(*lock(&fake.refreshes), 1);
            shard::sleep(FRESH).await;
            store.partitions().await.unwrap();
            assert_eq!(*lock(&fake.refreshes), 2);
        });
    }

    #[test]
    fn nested_values_are_refused_before_anything_is_kept() {
        with_fake(async |store, fake| {
            let mut nested = SourceMap::new();
            nested.insert("a".to_owned(), serde_json::json!([1]));
            let good = map("p", 1);
            let refused = store.put([(&good, Some(&good)), (&good, Some(&nested))]);
            refused.unwrap_err();
            store.flush().await.unwrap();
            assert!(lock(&fake.stored).is_empty());
        });
    }
}
