//! The log as a whole: its folder, its topics, and the one instance of it in a process.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use base64::Engine;
use rustix::fs::FlockOperation;

use super::error;
use super::groups::{Groups, Topics};
use super::partition::{Partition, TopicConfig, sync_dir};
use super::wake::Listeners;
use crate::clients::ClientError;
use crate::mapped::{SlotStore, lock_holder};

const LOCK_FILE: &str = ".lock";
const CLEAN_FILE: &str = ".kafka_cleanshutdown";
const META_FILE: &str = "meta.properties";
const OFFSETS_FILE: &str = "group-offsets";
const TOPIC_FILE: &str = "topic.properties";
/// A worker that is ending needs a moment to let go, and a child just being started holds copies of
/// our descriptors.
const LOCK_TRIES: u32 = 10;
/// This process is closing the log on another thread, which may have to sync much.
const OWN_LOCK_TRIES: u32 = 1500;
const LOCK_PAUSE: std::time::Duration = std::time::Duration::from_millis(20);
/// Most partitions of a topic: each has files open.
const PARTITIONS_MAX: i32 = 1000;

/// Settings of an embedded log.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// `segment.bytes`: a segment is closed before it grows beyond this.
    pub segment_bytes: u64,
    /// `retention.ms`: sealed segments whose newest record is older are removed; `None` keeps them.
    pub retention_ms: Option<u64>,
    /// `retention.bytes` of a partition, in whole sealed segments; `None` keeps all.
    pub retention_bytes: Option<u64>,
    /// `num.partitions` of topics that are created on first use.
    pub num_partitions: i32,
    /// `auto.create.topics.enable`.
    pub auto_create: bool,
}

impl Default for EmbeddedConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            retention_ms: Some(7 * 24 * 3600 * 1000),
            retention_bytes: None,
            num_partitions: 1,
            auto_create: true,
        }
    }
}

/// An open log; see [`EmbeddedLog::open`].
pub struct EmbeddedLog {
    dir: PathBuf,
    config: EmbeddedConfig,
    cluster_id: String,
    topics: Mutex<BTreeMap<Arc<str>, Vec<Arc<Partition>>>>,
    /// Serialises creations and deletions, on threads of the blocking pool.
    changes: Mutex<()>,
    pub(super) offsets: SlotStore,
    pub(super) groups: Groups,
    /// Consumers that wait for topics.
    pub(super) listeners: Listeners,
    lock: File,
}

static OPEN: Mutex<Option<HashMap<PathBuf, Weak<EmbeddedLog>>>> = Mutex::new(None);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EmbeddedLog {
    /// Opens the log in `dir`, creating the folder when there is none. In one process there is one
    /// instance per folder: later calls get the same, with the settings of the first. Blocks. The last
    /// handle that is dropped syncs and closes the log.
    ///
    /// # Errors
    /// Another process holds it; files can't be read; a segment is damaged other than at its end.
    pub fn open(dir: &Path, config: EmbeddedConfig) -> Result<Arc<Self>, ClientError> {
        let failed = |error: io::Error| error::storage(dir, "can't open the folder", &error);
        std::fs::create_dir_all(dir).map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        // Held while opening, so that two callers don't open the same folder.
        let mut open = locked(&OPEN);
        let open = open.get_or_insert_default();
        if let Some(log) = open.get(&dir).and_then(Weak::upgrade) {
            return Ok(log);
        }
        let log = Arc::new(Self::open_new(&dir, config)?);
        open.retain(|_, log| log.strong_count() > 0);
        open.insert(dir, Arc::downgrade(&log));
        Ok(log)
    }

    fn open_new(dir: &Path, config: EmbeddedConfig) -> Result<Self, ClientError> {
        let lock = lock_folder(dir)?;
        let clean = take_clean_mark(dir)?;
        let offsets_path = dir.join(OFFSETS_FILE);
        let offsets =
            SlotStore::open(&offsets_path).map_err(|error| error::slots(&offsets_path, &error))?;
        let log = Self {
            cluster_id: cluster_id(dir)?,
            dir: dir.to_owned(),
            topics: Mutex::default(),
            changes: Mutex::default(),
            groups: Groups::default(),
            listeners: Listeners::default(),
            offsets,
            config,
            lock,
        };
        for (topic, partitions) in find_topics(dir)? {
            let topic: Arc<str> = topic.into();
            let config = log.stored_config(&topic)?;
            let opened = (0..partitions)
                .map(|number| log.open_partition(&topic, number, config, clean))
                .collect::<Result<Vec<_>, _>>()?;
            locked(&log.topics).insert(topic, opened);
        }
        Ok(log)
    }

    fn open_partition(
        &self,
        topic: &Arc<str>,
        number: i32,
        config: TopicConfig,
        clean: bool,
    ) -> Result<Arc<Partition>, ClientError> {
        let partition = Partition::open(&self.dir, topic, number, config, clean)?;
        let start = self.offsets.get(&start_key(topic, number));
        if let Some(start) = start.and_then(|text| parse_offset(&text)) {
            partition.delete_before(start);
        }
        partition.enforce_retention();
        Ok(Arc::new(partition))
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn config(&self) -> &EmbeddedConfig {
        &self.config
    }

    pub(super) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    pub(super) fn topic(&self, topic: &str) -> Option<Vec<Arc<Partition>>> {
        locked(&self.topics).get(topic).cloned()
    }

    pub(super) fn partition(&self, topic: &str, number: i32) -> Option<Arc<Partition>> {
        let topics = locked(&self.topics);
        let number = usize::try_from(number).ok()?;
        topics.get(topic)?.get(number).map(Arc::clone)
    }

    pub(super) fn topics(&self) -> Topics {
        let topics = locked(&self.topics);
        topics
            .iter()
            .map(|(topic, all)| (Arc::clone(topic), all.len()))
            .collect()
    }

    /// Creates a topic; `false` when there is one. Blocks.
    pub(super) fn create_topic(
        &self,
        name: &str,
        partitions: i32,
        configs: &[(String, String)],
    ) -> Result<bool, ClientError> {
        check_name(name)?;
        let partitions = match partitions {
            -1 => self.config.num_partitions.max(1),
            1..=PARTITIONS_MAX => partitions,
            _ => return Err(error::invalid_partitions(name, partitions)),
        };
        let config = self.topic_config(name, configs)?;
        let changes = locked(&self.changes);
        if self.topic(name).is_some() {
            return Ok(false);
        }
        let topic: Arc<str> = name.into();
        // The last one first: a crash half way leaves a gap, which the next open fills.
        let mut opened = (0..partitions)
            .rev()
            .map(|number| self.open_partition(&topic, number, config, false))
            .collect::<Result<Vec<_>, _>>()?;
        opened.reverse();
        write_configs(&self.dir.join(format!("{name}-0")), configs)?;
        sync_dir(&self.dir)?;
        locked(&self.topics).insert(topic, opened);
        drop(changes);
        self.topics_changed();
        Ok(true)
    }

    /// Deletes a topic; `false` when there is none. Blocks.
    pub(super) fn delete_topic(&self, name: &str) -> Result<bool, ClientError> {
        let changes = locked(&self.changes);
        let Some(partitions) = locked(&self.topics).remove(name) else {
            return Ok(false);
        };
        self.forget_offsets(name)?;
        let deleted = partitions
            .iter()
            .try_for_each(|partition| partition.delete());
        drop(changes);
        self.topics_changed();
        deleted.map(|()| true)
    }

    fn topics_changed(&self) {
        self.groups.topics_changed(&self.topics());
        self.listeners.ring();
    }

    fn topic_config(
        &self,
        topic: &str,
        configs: &[(String, String)],
    ) -> Result<TopicConfig, ClientError> {
        let mut config = TopicConfig {
            segment_bytes: self.config.segment_bytes,
            retention_ms: self.config.retention_ms,
            retention_bytes: self.config.retention_bytes,
        };
        for (key, value) in configs {
            let number = || {
                value
                    .trim()
                    .parse::<i64>()
                    .map_err(|_| ClientError::Config {
                        key: "topic.creation",
                        reason: format!("topic {topic}: {key}={value} is no whole number"),
                    })
            };
            match key.as_str() {
                "segment.bytes" => config.segment_bytes = number()?.max(1024).unsigned_abs(),
                "retention.ms" => config.retention_ms = u64::try_from(number()?).ok(),
                "retention.bytes" => config.retention_bytes = u64::try_from(number()?).ok(),
                _ => tracing::warn!(
                    topic,
                    key,
                    value,
                    "the embedded log does not know this topic setting and ignores it"
                ),
            }
        }
        // Positions in an index are 32 bits.
        config.segment_bytes = config.segment_bytes.min(i32::MAX.unsigned_abs().into());
        Ok(config)
    }

    fn stored_config(&self, topic: &str) -> Result<TopicConfig, ClientError> {
        let path = self.dir.join(format!("{topic}-0")).join(TOPIC_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error::storage(&path, "can't read it", &error)),
        };
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let configs: Vec<(String, String)> = pairs
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        self.topic_config(topic, &configs)
    }

    /// Committed offset of a group.
    pub(super) fn committed(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        parse_offset(&self.offsets.get(&group_key(group, topic, partition))?)
    }

    /// Stores a committed offset; durable after a flush of `offsets`.
    pub(super) fn commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<(), ClientError> {
        self.put_offset(&group_key(group, topic, partition), Some(offset))
    }

    /// Takes a committed offset away; durable after a flush of `offsets`.
    pub(super) fn forget_commit(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<(), ClientError> {
        self.put_offset(&group_key(group, topic, partition), None)
    }

    /// Stores the first offset of a partition.
    pub(super) fn store_start(&self, partition: &Partition) -> Result<(), ClientError> {
        let key = start_key(&partition.topic, partition.number);
        self.put_offset(&key, Some(partition.start_offset()))
    }

    fn put_offset(&self, key: &[u8], offset: Option<i64>) -> Result<(), ClientError> {
        let text = offset.map(|offset| offset.to_string());
        let put = self.offsets.put(key, text.as_deref().map(str::as_bytes));
        put.map_err(|error| error::slots(&self.dir.join(OFFSETS_FILE), &error))
    }

    /// Makes committed offsets durable.
    pub(super) async fn flush_offsets(&self) -> Result<(), ClientError> {
        let flushed = self.offsets.flush().await;
        flushed.map_err(|error| error::slots(&self.dir.join(OFFSETS_FILE), &error))
    }

    /// Committed offsets of a group: topic, partition, offset.
    pub(super) fn group_offsets(&self, group: &str) -> Vec<(String, i32, i64)> {
        let entries = self.offsets.entries().into_iter();
        let own = entries.filter_map(|(key, value)| {
            let (kind, of, topic, partition) = parse_key(&key)?;
            let offset = parse_offset(&value)?;
            (kind == "group" && of == group).then_some((topic, partition, offset))
        });
        let mut own: Vec<_> = own.collect();
        own.sort();
        own
    }

    fn forget_offsets(&self, deleted: &str) -> Result<(), ClientError> {
        for (key, _) in self.offsets.entries() {
            if parse_key(&key).is_some_and(|(_, _, topic, _)| topic == deleted) {
                self.put_offset(&key, None)?;
            }
        }
        let flushed = self.offsets.flush_blocking();
        flushed.map_err(|error| error::slots(&self.dir.join(OFFSETS_FILE), &error))
    }

    fn close(&self) -> Result<(), ClientError> {
        for partition in locked(&self.topics).values().flatten() {
            partition.seal()?;
        }
        let flushed = self.offsets.flush_blocking();
        flushed.map_err(|error| error::slots(&self.dir.join(OFFSETS_FILE), &error))?;
        let mark = self.dir.join(CLEAN_FILE);
        std::fs::write(&mark, "{\"version\":0}\n")
            .map_err(|error| error::storage(&mark, "can't write it", &error))?;
        sync_dir(&self.dir)
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::warn!(%error, "the embedded log was not closed properly; the next start will check it");
        }
        if let Err(error) = rustix::fs::flock(&self.lock, FlockOperation::Unlock) {
            tracing::debug!(%error, "unlock");
        }
    }
}

impl std::fmt::Debug for EmbeddedLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedLog")
            .field("dir", &self.dir)
            .field("topics", &self.topics())
            .finish_non_exhaustive()
    }
}

fn lock_folder(dir: &Path) -> Result<File, ClientError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let file = file.map_err(|error| error::storage(&path, "can't open it", &error))?;
    for tried in 0..OWN_LOCK_TRIES {
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(file);
        }
        let ours = lock_holder(&file).map(i32::unsigned_abs) == Some(std::process::id());
        if tried >= LOCK_TRIES && !ours {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
    }
    let holder = lock_holder(&file).map_or_else(String::new, |pid| format!(" (pid {pid})"));
    Err(error::refused(
        dir,
        format!("the folder is in use by another process{holder}; stop it or use another folder"),
    ))
}

/// Whether the log was closed properly. The mark goes before anything is written.
fn take_clean_mark(dir: &Path) -> Result<bool, ClientError> {
    match std::fs::remove_file(dir.join(CLEAN_FILE)) {
        Ok(()) => sync_dir(dir).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error::storage(
            dir,
            "can't remove the mark of a clean shutdown",
            &error,
        )),
    }
}

fn cluster_id(dir: &Path) -> Result<String, ClientError> {
    let path = dir.join(META_FILE);
    let failed = |error: io::Error| error::storage(&path, "can't use it", &error);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let id = text
                .lines()
                .find_map(|line| line.strip_prefix("cluster.id="));
            if let Some(id) = id {
                return Ok(id.to_owned());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // As Kafka's Uuid: 16 bytes in URL-safe base64.
    let id =
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(fastrand::u128(..).to_be_bytes());
    std::fs::write(&path, format!("version=1\ncluster.id={id}\n")).map_err(failed)?;
    Ok(id)
}

/// Topics with their numbers of partitions, from the names of folders; leftovers of deletions are
/// removed.
fn find_topics(dir: &Path) -> Result<BTreeMap<String, i32>, ClientError> {
    let failed = |error: io::Error| error::storage(dir, "can't list the folder", &error);
    let mut topics = BTreeMap::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !entry.file_type().map_err(failed)?.is_dir() {
            continue;
        }
        if name.ends_with("-delete") {
            std::fs::remove_dir_all(entry.path()).map_err(failed)?;
            continue;
        }
        let Some((topic, number)) = name.rsplit_once('-') else {
            continue;
        };
        let number = number
            .parse::<i32>()
            .ok()
            .filter(|number| (0..PARTITIONS_MAX).contains(number));
        if let (Some(number), Ok(())) = (number, check_name(topic)) {
            let count = topics.entry(topic.to_owned()).or_insert(0);
            *count = (number + 1).max(*count);
        }
    }
    Ok(topics)
}

fn write_configs(dir: &Path, configs: &[(String, String)]) -> Result<(), ClientError> {
    if configs.is_empty() {
        return Ok(());
    }
    let path = dir.join(TOPIC_FILE);
    let lines: String = configs
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    std::fs::write(&path, lines).map_err(|error| error::storage(&path, "can't write it", &error))
}

fn check_name(topic: &str) -> Result<(), ClientError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let dots = topic == "." || topic == "..";
    if topic.is_empty() || topic.len() > 249 || dots || !topic.chars().all(legal) {
        return Err(error::invalid_topic(topic));
    }
    Ok(())
}

fn group_key(group: &str, topic: &str, partition: i32) -> Vec<u8> {
    serde_json::json!(["group", group, topic, partition])
        .to_string()
        .into_bytes()
}

fn start_key(topic: &str, partition: i32) -> Vec<u8> {
    serde_json::json!(["log-start", "", topic, partition])
        .to_string()
        .into_bytes()
}

fn parse_key(key: &[u8]) -> Option<(String, String, String, i32)> {
    serde_json::from_slice(key).ok()
}

fn parse_offset(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
