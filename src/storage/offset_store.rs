//! Source offsets by connector and source partition.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;

use super::StorageError;
use super::java_map::{self, MapEntry, MapError};
use super::offset_key::{self, OffsetKey};
use crate::api::SourceMap;
use crate::mapped::{Entry, LockedFile, SlotError, SlotStore, sync_parent};

/// Most backups of one offset file: more means that something imports again and again.
const BACKUPS_MAX: usize = 100;

/// Offsets of source partitions (Kafka: `OffsetBackingStore` with its reader and writer). Clones share
/// the store; it is used from any thread.
#[derive(Clone)]
pub struct OffsetStore(Arc<Inner>);

struct Inner {
    offsets: Mutex<Offsets>,
    /// `None` keeps the offsets in memory alone.
    file: Option<SlotStore>,
}

/// Offsets by the canonical form of their key.
type Offsets = IndexMap<Box<[u8]>, Stored>;

struct Stored {
    connector: Box<str>,
    /// As first met; written back unchanged.
    key: Arc<[u8]>,
    /// JSON object; `None` after a removal.
    offset: Option<Arc<[u8]>>,
}

impl OffsetStore {
    /// Offsets that end with the process (Kafka: `MemoryOffsetBackingStore`).
    pub fn in_memory() -> Self {
        Self(Arc::new(Inner {
            offsets: Mutex::default(),
            file: None,
        }))
    }

    /// Offsets in a file (Kafka: `FileOffsetBackingStore`). A missing or empty file is created; one
    /// written by Apache's standalone worker is imported and kept beside as `.java.bak`. Blocks.
    ///
    /// # Errors
    /// In use by another worker, corrupt, truncated, of a newer version, no offset file, disk full.
    pub fn open_file(path: &Path) -> Result<Self, StorageError> {
        let locked = LockedFile::open(path)?;
        let (file, entries) = if java_map::is_java(&locked.read_head(4)?) {
            import(&locked)?
        } else {
            SlotStore::from_locked(locked)?
        };
        Ok(Self(Arc::new(Inner {
            offsets: Mutex::new(offsets_of(path, entries)),
            file: Some(file),
        })))
    }

    /// What a file says now, in memory: for looking. The file is neither locked nor changed nor created,
    /// and a worker may be using it. Blocks.
    ///
    /// # Errors
    /// It can't be read, or is none of the two kinds of offset file.
    pub fn read_file(path: &Path) -> Result<Self, StorageError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let error = SlotError::Io {
                    path: path.to_owned(),
                    doing: "can't read it",
                    source: Arc::new(error),
                };
                return Err(error.into());
            }
        };
        let entries = if java_map::is_java(&bytes) {
            let entries = java_entries(path, &bytes)?.into_iter();
            entries
                .filter_map(|(key, value)| Some((key?, value?)))
                .collect()
        } else if bytes.is_empty() {
            Vec::new()
        } else {
            SlotStore::read_copy(&bytes)?
        };
        Ok(Self(Arc::new(Inner {
            offsets: Mutex::new(offsets_of(path, entries)),
            file: None,
        })))
    }

    /// The stored offset of a partition.
    pub fn get(&self, connector: &str, partition: &SourceMap) -> Option<SourceMap> {
        let canonical = offset_key::canonical(connector, partition);
        let offset = {
            let offsets = self.offsets();
            Arc::clone(offsets.get(canonical.as_slice())?.offset.as_ref()?)
        };
        parse_offset(connector, &offset)
    }

    /// Stores offsets (`None` removes one), visible at once and durable after [`Self::flush`].
    ///
    /// # Errors
    /// Nested values; an entry above 1 MiB. Nothing is stored then.
    pub fn put<'a>(
        &self,
        connector: &str,
        entries: impl IntoIterator<Item = (&'a SourceMap, Option<&'a SourceMap>)>,
    ) -> Result<(), StorageError> {
        let mut encoded = Vec::new();
        for (partition, offset) in entries {
            offset_key::check_primitive(partition)?;
            offset.map_or(Ok(()), offset_key::check_primitive)?;
            let canonical = offset_key::canonical(connector, partition);
            let offset: Option<Arc<[u8]>> = offset.map(|map| offset_key::to_json(map).into());
            let key = offset_key::encode(connector, partition);
            if let Some(file) = &self.0.file {
                file.check_size(key.len() + offset.as_ref().map_or(0, |offset| offset.len()))?;
            }
            encoded.push((canonical, key, offset));
        }
        let mut offsets = self.offsets();
        for (canonical, key, offset) in encoded {
            let stored = offsets.entry(canonical.into()).or_insert_with(|| Stored {
                connector: connector.into(),
                key: key.into(),
                offset: None,
            });
            stored.offset.clone_from(&offset);
            if let Some(file) = &self.0.file {
                file.put(&stored.key, offset.as_deref())?;
            }
        }
        Ok(())
    }

    /// Completes when everything put so far is on disk. Works on a shard of either runtime; dropping the
    /// future does not stop the flush.
    ///
    /// # Errors
    /// Disk full, the system's. The offsets stay in memory, and the next flush tries them again.
    pub async fn flush(&self) -> Result<(), StorageError> {
        match &self.0.file {
            Some(file) => Ok(file.flush().await?),
            None => Ok(()),
        }
    }

    /// As [`Self::flush`], blocking the calling thread.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub fn flush_blocking(&self) -> Result<(), StorageError> {
        match &self.0.file {
            Some(file) => Ok(file.flush_blocking()?),
            None => Ok(()),
        }
    }

    /// Every partition of a connector that has an offset, in the order first stored.
    pub fn partitions(&self, connector: &str) -> Vec<(SourceMap, SourceMap)> {
        let found: Vec<Entry> = {
            let offsets = self.offsets();
            let own = offsets
                .values()
                .filter(|stored| stored.connector.as_ref() == connector);
            own.filter_map(|stored| Some((Arc::clone(&stored.key), stored.offset.clone()?)))
                .collect()
        };
        let both = found.iter().filter_map(|(key, offset)| {
            let partition = offset_key::parse(key)?.partition;
            Some((partition, parse_offset(connector, offset)?))
        });
        both.collect()
    }

    fn offsets(&self) -> MutexGuard<'_, Offsets> {
        let offsets = self.0.offsets.lock();
        offsets.unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for OffsetStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OffsetStore")
            .field("file", &self.0.file)
            .finish_non_exhaustive()
    }
}

/// Reads a value. One that is no object gives none, with an error in the log, as in Apache's reader.
fn parse_offset(connector: &str, bytes: &[u8]) -> Option<SourceMap> {
    match serde_json::from_slice(bytes) {
        Ok(map) => Some(map),
        Err(error) => {
            tracing::error!(connector, %error, value = %String::from_utf8_lossy(bytes),
                "a stored offset can't be read; the connector will start without it");
            None
        }
    }
}

fn offsets_of(path: &Path, entries: Vec<Entry>) -> Offsets {
    let mut offsets = Offsets::new();
    for (key, value) in entries {
        let Some(OffsetKey {
            connector,
            partition,
        }) = offset_key::parse(&key)
        else {
            tracing::warn!(path = %path.display(), key = %String::from_utf8_lossy(&key),
                "a key of the offset file is no [connector, partition] array and is ignored");
            continue;
        };
        let canonical = offset_key::canonical(&connector, &partition);
        let stored = Stored {
            connector: connector.into(),
            key,
            offset: Some(value),
        };
        // Entries come in the order they were written: the last one wins.
        offsets.insert(canonical.into(), stored);
    }
    offsets
}

type Opened = (SlotStore, Vec<Entry>);

/// Makes a file of ours from Java's, which stays locked until ours is in its place.
fn import(java: &LockedFile) -> Result<Opened, StorageError> {
    let path = java.path();
    let bytes = java.read_head(usize::MAX)?;
    let entries = java_entries(path, &bytes)?;
    let new = beside(path, ".import");
    let imported = write_imported(&new, &entries).and_then(|store| {
        let backup = back_up(path)?;
        store.rename(path)?;
        tracing::info!(path = %path.display(), entries = entries.len(),
            backup = %backup.display(), "imported the offset file of Apache's standalone worker");
        Ok(store)
    });
    match imported {
        Ok(store) => {
            let entries = store.entries();
            Ok((store, entries))
        }
        Err(error) => {
            if let Err(left) = std::fs::remove_file(&new) {
                tracing::debug!(path = %new.display(), error = %left, "not removed");
            }
            Err(error)
        }
    }
}

fn java_entries(path: &Path, bytes: &[u8]) -> Result<Vec<MapEntry>, StorageError> {
    match java_map::read(bytes) {
        Ok(entries) => Ok(entries),
        Err(MapError::EndOfFile) => {
            tracing::warn!(path = %path.display(),
                "the offset file of Apache's worker ends early: no offsets, as there");
            Ok(Vec::new())
        }
        Err(MapError::NotAHashMap(class)) => Err(StorageError::NotAHashMap {
            path: path.to_owned(),
            class,
        }),
        Err(MapError::Unreadable { position, reason }) => Err(StorageError::UnreadableMap {
            path: path.to_owned(),
            position,
            reason,
        }),
    }
}

fn write_imported(path: &Path, entries: &[MapEntry]) -> Result<SlotStore, StorageError> {
    let (store, _) = SlotStore::from_locked(LockedFile::create(path)?)?;
    for (key, value) in entries {
        match key {
            Some(key) => store.put(key, value.as_deref())?,
            None => tracing::warn!("an offset without a key is not imported"),
        }
    }
    store.flush_blocking()?;
    Ok(store)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Gives the file a second name, so that at no moment it has none. An older backup is kept.
fn back_up(path: &Path) -> Result<PathBuf, StorageError> {
    let mut backup = beside(path, ".java.bak");
    for number in 1..=BACKUPS_MAX {
        let linked = std::fs::hard_link(path, &backup).or_else(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => Err(error),
            // A file system without links.
            _ => copy_new(path, &backup),
        });
        match linked {
            Ok(()) => {
                sync_parent(path)?;
                return Ok(backup);
            }
            Err(error)
                if error.kind() == std::io::ErrorKind::AlreadyExists && number < BACKUPS_MAX =>
            {
                backup = beside(path, &format!(".java.bak.{number}"));
            }
            Err(error) => {
                return Err(StorageError::Backup {
                    path: path.to_owned(),
                    backup,
                    source: Arc::new(error),
                });
            }
        }
    }
    Ok(backup)
}

fn copy_new(from: &Path, to: &Path) -> std::io::Result<()> {
    let mut target = std::fs::File::create_new(to)?;
    std::io::copy(&mut std::fs::File::open(from)?, &mut target)?;
    target.sync_all()
}
