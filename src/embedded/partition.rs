//! One partition: its segments, appends and reads. Blocking calls, from any thread.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::error;
use super::segment::{Active, Look, Segment, look};
use super::wake::Listeners;
use crate::clients::ClientError;
use crate::record::{BatchHeader, Batches, DecodeOptions, HEADER_BYTES, decode, set_base_offset};
use crate::shard::{CachedRead, FilledBuffer, read_cached};

/// Settings of a topic, with Kafka's names and defaults.
#[derive(Debug, Clone, Copy)]
pub(super) struct TopicConfig {
    /// `segment.bytes`.
    pub(super) segment_bytes: u64,
    /// `retention.ms`; `None` keeps for ever.
    pub(super) retention_ms: Option<u64>,
    /// `retention.bytes`; `None` keeps all.
    pub(super) retention_bytes: Option<u64>,
}

/// A partition of the log.
#[derive(Debug)]
pub(super) struct Partition {
    pub(super) topic: Arc<str>,
    pub(super) number: i32,
    dir: PathBuf,
    config: TopicConfig,
    /// Held for one append at a time, by threads of the blocking pool.
    active: Mutex<Active>,
    /// All segments, the active one last; never empty. Held for look-ups only.
    segments: Mutex<Vec<Arc<Segment>>>,
    /// First offset that is left.
    start_offset: AtomicI64,
    /// Offset of the next record.
    end_offset: AtomicI64,
    deleted: AtomicBool,
    /// Consumers that wait for records.
    pub(super) listeners: Listeners,
}

/// Where a reader is: a place in a segment's file, so that reading on needs no look-up.
#[derive(Debug, Clone)]
pub(super) struct Cursor {
    segment: Arc<Segment>,
    file: Arc<File>,
    position: u64,
}

/// A finished batch to append.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// The header, and the records unless they are in `records`.
    pub(super) head: Vec<u8>,
    /// The records of a batch that was appended whole.
    pub(super) records: Bytes,
}

impl Finished {
    fn len(&self) -> usize {
        self.head.len() + self.records.len()
    }
}

/// Whole batches from [`Partition::read`], with perhaps a part of one more at the end.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) buffer: FilledBuffer,
    pub(super) len: usize,
    /// Where `buffer` begins.
    pub(super) cursor: Cursor,
}

impl Cursor {
    pub(super) fn advance(&mut self, bytes: usize) {
        self.position += bytes as u64;
    }

    /// Bytes of whole batches from here to the segment's end.
    fn left(&self) -> usize {
        let left = self.segment.len().saturating_sub(self.position);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// File and position, for messages.
    pub(super) fn place(&self) -> String {
        format!("{} at byte {}", self.segment.path.display(), self.position)
    }
}

/// What a read gave.
#[derive(Debug)]
pub(super) enum Read {
    Chunk(Chunk),
    /// The offset is the end: nothing there yet.
    End,
    /// Before the first offset left, or beyond the end.
    OutOfRange,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Base offsets of the segments in a folder, ascending; indexes without a log are removed.
fn base_offsets(dir: &Path) -> io::Result<Vec<i64>> {
    let mut offsets = Vec::new();
    let mut indexes = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .unwrap_or_default();
        let Some(offset) = (stem.len() == 20)
            .then(|| stem.parse::<i64>().ok())
            .flatten()
        else {
            continue;
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("log") => offsets.push(offset),
            Some("index" | "timeindex") => indexes.push((offset, path)),
            _ => {}
        }
    }
    offsets.sort_unstable();
    for (_, path) in indexes
        .iter()
        .filter(|(offset, _)| !offsets.contains(offset))
    {
        std::fs::remove_file(path)?;
    }
    Ok(offsets)
}

impl Partition {
    /// Opens, recovers or creates a partition. `clean` says that everything was closed properly, so that
    /// checksums need not be checked.
    pub(super) fn open(
        parent: &Path,
        topic: &Arc<str>,
        number: i32,
        config: TopicConfig,
        clean: bool,
    ) -> Result<Self, ClientError> {
        let dir = parent.join(format!("{topic}-{number}"));
        let failed = |error: io::Error| error::storage(&dir, "can't open the partition", &error);
        std::fs::create_dir_all(&dir).map_err(failed)?;
        let mut offsets = base_offsets(&dir).map_err(failed)?;
        if offsets.is_empty() {
            offsets.push(0);
        }
        let segments: Vec<Arc<Segment>> = offsets
            .iter()
            .map(|base| Arc::new(Segment::new(&dir, *base)))
            .collect();
        let (last, sealed) = segments
            .split_last()
            .ok_or_else(|| error::refused(&dir, "the partition has no segment"))?;
        for segment in sealed {
            let len = std::fs::metadata(&segment.path).map_err(failed)?.len();
            segment.visible.store(len, Ordering::Release);
            segment.load_max_timestamp();
        }
        let mut active = Active::open(Arc::clone(last))?;
        let end_offset = recover(&mut active, topic, number, clean)?;
        Ok(Self {
            topic: Arc::clone(topic),
            number,
            config,
            active: Mutex::new(active),
            start_offset: AtomicI64::new(offsets[0]),
            end_offset: AtomicI64::new(end_offset),
            deleted: AtomicBool::new(false),
            listeners: Listeners::default(),
            segments: Mutex::new(segments),
            dir,
        })
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn start_offset(&self) -> i64 {
        self.start_offset.load(Ordering::Acquire)
    }

    pub(super) fn end_offset(&self) -> i64 {
        self.end_offset.load(Ordering::Acquire)
    }

    pub(super) fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    fn unknown(&self) -> ClientError {
        error::unknown_topic(format!("{}-{}", self.topic, self.number))
    }

    /// Appends finished batches, giving them their offsets. Gives the base offsets of those written and
    /// the error that stopped it.
    pub(super) fn append(&self, batches: &mut [Finished]) -> (Vec<i64>, Option<ClientError>) {
        let mut offsets = Vec::with_capacity(batches.len());
        let mut active = locked(&self.active);
        let mut failure = None;
        for batch in batches {
            match self.append_one(&mut active, batch) {
                Ok(offset) => offsets.push(offset),
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        drop(active);
        if !offsets.is_empty() {
            self.listeners.ring();
        }
        (offsets, failure)
    }

    fn append_one(&self, active: &mut Active, batch: &mut Finished) -> Result<i64, ClientError> {
        if self.is_deleted() {
            return Err(self.unknown());
        }
        let offset = self.end_offset();
        let malformed = |reason: String| error::refused(&self.dir, reason);
        let head = &mut batch.head;
        set_base_offset(head, offset, 0).map_err(|error| malformed(error.to_string()))?;
        let header = BatchHeader::parse(head).map_err(|error| malformed(error.to_string()))?;
        let header = header.filter(|header| header.total_bytes() == batch.len());
        let header = header.ok_or_else(|| malformed("not one whole batch".to_owned()))?;
        let relative = header.last_offset() - active.segment.base_offset;
        let full = active.size() + batch.len() as u64 > self.config.segment_bytes
            || i32::try_from(relative).is_err();
        if full && active.size() > 0 {
            self.roll(active, offset)?;
        }
        active.append(&batch.head, &batch.records, &header)?;
        self.end_offset
            .store(header.next_offset(), Ordering::Release);
        Ok(offset)
    }

    /// Seals the active segment and starts the next.
    fn roll(&self, active: &mut Active, base_offset: i64) -> Result<(), ClientError> {
        active.seal()?;
        let segment = Arc::new(Segment::new(&self.dir, base_offset));
        *active = Active::open(Arc::clone(&segment))?;
        sync_dir(&self.dir)?;
        locked(&self.segments).push(segment);
        self.enforce_retention();
        Ok(())
    }

    /// Removes whole segments that are too old or too many, never the active one (Kafka:
    /// `UnifiedLog.deleteOldSegments`).
    pub(super) fn enforce_retention(&self) {
        let now = i64::try_from(now_ms()).unwrap_or(i64::MAX);
        let mut total: u64 = locked(&self.segments)
            .iter()
            .map(|segment| segment.len())
            .sum();
        let too_old = |segment: &Segment| {
            let timestamp = segment.max_timestamp.load(Ordering::Relaxed);
            let Some(limit) = self.config.retention_ms else {
                return false;
            };
            timestamp >= 0
                && now.saturating_sub(timestamp).unsigned_abs() > limit
                && now > timestamp
        };
        let mut keep_from = None;
        for segment in locked(&self.segments).windows(2) {
            let too_many = self
                .config
                .retention_bytes
                .is_some_and(|limit| total - segment[0].len() >= limit);
            if !too_many && !too_old(&segment[0]) {
                break;
            }
            total -= segment[0].len();
            keep_from = Some(segment[1].base_offset);
        }
        if let Some(offset) = keep_from {
            self.delete_before(offset);
        }
    }

    /// Raises the first offset and removes the segments that end before it.
    pub(super) fn delete_before(&self, offset: i64) {
        let offset = offset.min(self.end_offset());
        self.start_offset.fetch_max(offset, Ordering::AcqRel);
        let mut segments = locked(&self.segments);
        let keep = segments
            .windows(2)
            .take_while(|pair| pair[1].base_offset <= offset)
            .count();
        let removed: Vec<Arc<Segment>> = segments.drain(..keep).collect();
        drop(segments);
        for segment in removed {
            tracing::info!(path = %segment.path.display(), "removing a segment");
            if let Err(error) = segment.remove() {
                tracing::warn!(%error, "a segment that is no longer needed stays");
            }
        }
    }

    /// Reads whole batches from the one with `offset` on: at least one, else up to `max_bytes`.
    pub(super) fn read(
        &self,
        cursor: Option<Cursor>,
        offset: i64,
        mut buffer: FilledBuffer,
        max_bytes: usize,
    ) -> Result<Read, ClientError> {
        if self.is_deleted() {
            return Err(self.unknown());
        }
        if offset < self.start_offset() || offset > self.end_offset() {
            return Ok(Read::OutOfRange);
        }
        if offset == self.end_offset() {
            return Ok(Read::End);
        }
        let cursor = match cursor {
            Some(cursor) if cursor.position < cursor.segment.len() => cursor,
            _ => match self.locate(offset)? {
                Some(cursor) => cursor,
                None => return Ok(Read::OutOfRange),
            },
        };
        let left = cursor.left();
        let read = |buffer: &mut [u8], at: u64| {
            cursor
                .file
                .read_exact_at(buffer, at)
                .map_err(|error| error::storage(&cursor.segment.path, "can't read", &error))
        };
        let mut len = left.min(max_bytes.max(HEADER_BYTES));
        buffer.grow(len);
        read(&mut buffer[..len], cursor.position)?;
        let header = BatchHeader::parse(&buffer[..len])
            .map_err(|error| self.corrupt(offset, &cursor, &error.to_string()))?;
        let total = header.map_or(0, |header| header.total_bytes());
        if total > len {
            if total > left {
                return Err(self.corrupt(offset, &cursor, "a batch is longer than its file"));
            }
            buffer.grow(total);
            read(&mut buffer[len..total], cursor.position + len as u64)?;
            len = total;
        }
        Ok(Read::Chunk(Chunk {
            buffer,
            len,
            cursor,
        }))
    }

    /// What [`read`](Self::read) gives, if the page cache holds all of it: nothing waits, so that a shard
    /// may call it. Gives the number of bytes. `None` leaves it to `read`, errors and all else included.
    pub(super) fn read_cached(
        &self,
        cursor: &Cursor,
        offset: i64,
        buffer: &mut FilledBuffer,
        max_bytes: usize,
    ) -> Option<usize> {
        let there = self.start_offset()..self.end_offset();
        if self.is_deleted() || !there.contains(&offset) {
            return None;
        }
        let len = cursor.left().min(max_bytes.max(HEADER_BYTES));
        buffer.grow(len);
        let read = read_cached(&cursor.file, &mut buffer[..len], cursor.position);
        // A part is not taken: what is missing would be asked for once for each part, the disk's way of
        // reading ahead being small.
        let all = matches!(read, Ok(CachedRead::Read(count)) if count == len);
        let header = BatchHeader::parse(buffer.get(..len)?).ok()??;
        (all && header.total_bytes() <= len).then_some(len)
    }

    pub(super) fn corrupt(&self, offset: i64, cursor: &Cursor, reason: &str) -> ClientError {
        ClientError::Corrupt {
            topic: self.topic.to_string(),
            partition: self.number,
            offset,
            reason: format!("{}: {reason}", cursor.place()),
        }
    }

    /// The batch that holds `offset`, or the next one.
    fn locate(&self, offset: i64) -> Result<Option<Cursor>, ClientError> {
        let from = {
            let segments = locked(&self.segments);
            let after = segments.partition_point(|segment| segment.base_offset <= offset);
            segments[after.saturating_sub(1)..].to_vec()
        };
        for segment in from {
            let file = match segment.file() {
                Ok(file) => file,
                // Retention was faster.
                Err(_) if !segment.path.exists() => return Ok(None),
                Err(error) => return Err(error),
            };
            let mut cursor = Cursor {
                position: segment.lookup(offset),
                segment,
                file,
            };
            loop {
                let (position, end) = (cursor.position, cursor.segment.len());
                let looked = look(&cursor.file, position, end);
                let looked = looked
                    .map_err(|error| error::storage(&cursor.segment.path, "can't read", &error))?;
                match looked {
                    Look::End => break,
                    Look::Broken(reason) => return Err(self.corrupt(offset, &cursor, &reason)),
                    Look::Batch(header) if header.last_offset() >= offset => {
                        return Ok(Some(cursor));
                    }
                    Look::Batch(header) => cursor.advance(header.total_bytes()),
                }
            }
        }
        Ok(None)
    }

    /// First offset whose timestamp is at least `timestamp`.
    pub(super) fn offset_for_time(&self, timestamp: i64) -> Result<Option<i64>, ClientError> {
        let segments = locked(&self.segments).clone();
        let late =
            |segment: &Arc<Segment>| segment.max_timestamp.load(Ordering::Relaxed) >= timestamp;
        let Some(segment) = segments.into_iter().find(late) else {
            return Ok(None);
        };
        let mut offset = segment.base_offset.max(self.start_offset());
        while let Some(cursor) = self.locate(offset)? {
            let looked = look(&cursor.file, cursor.position, cursor.segment.len());
            let looked = looked
                .map_err(|error| error::storage(&cursor.segment.path, "can't read", &error))?;
            let Look::Batch(header) = looked else {
                return Ok(None);
            };
            if header.max_timestamp >= timestamp
                && let Some(found) = self.first_record(cursor, &header, timestamp)?
            {
                return Ok(Some(found));
            }
            offset = header.next_offset();
            if offset >= self.end_offset() {
                break;
            }
        }
        Ok(None)
    }

    fn first_record(
        &self,
        cursor: Cursor,
        header: &BatchHeader,
        timestamp: i64,
    ) -> Result<Option<i64>, ClientError> {
        let mut bytes = vec![0; header.total_bytes()];
        let read = cursor.file.read_exact_at(&mut bytes, cursor.position);
        read.map_err(|error| error::storage(&cursor.segment.path, "can't read", &error))?;
        let (mut decompressed, mut records) = (Vec::new(), Vec::new());
        let options = DecodeOptions {
            start_offset: self.start_offset(),
            ..DecodeOptions::default()
        };
        for batch in Batches::new(&bytes) {
            let decoded =
                batch.and_then(|batch| decode(&batch, &options, &mut decompressed, &mut records));
            decoded
                .map_err(|error| self.corrupt(header.base_offset, &cursor, &error.to_string()))?;
        }
        let found = records.iter().find(|record| record.timestamp >= timestamp);
        Ok(found.map(|record| record.offset))
    }

    /// Syncs what was written: at close.
    pub(super) fn seal(&self) -> Result<(), ClientError> {
        if self.is_deleted() {
            return Ok(());
        }
        locked(&self.active).seal()
    }

    /// Ends the partition and removes its folder.
    pub(super) fn delete(&self) -> Result<(), ClientError> {
        let active = locked(&self.active);
        self.deleted.store(true, Ordering::Release);
        let mut name = self.dir.as_os_str().to_owned();
        name.push(format!(".{:016x}-delete", fastrand::u64(..)));
        let renamed =
            std::fs::rename(&self.dir, &name).and_then(|()| std::fs::remove_dir_all(name));
        drop(active);
        self.listeners.ring();
        renamed.map_err(|error| error::storage(&self.dir, "can't remove the partition", &error))
    }
}

/// Finds the end of the last segment, cutting off a torn tail.
fn recover(
    active: &mut Active,
    topic: &str,
    partition: i32,
    clean: bool,
) -> Result<i64, ClientError> {
    let path = active.segment.path.clone();
    let failed = |error: io::Error| error::storage(&path, "can't recover it", &error);
    if clean && let Some(next_offset) = active.quick_scan().map_err(failed)? {
        return Ok(next_offset);
    }
    let scan = active.full_scan().map_err(failed)?;
    let Some(reason) = scan.broken else {
        return Ok(scan.next_offset);
    };
    let good = active
        .good_batch_after(scan.end, scan.next_offset)
        .map_err(failed)?;
    if let Some(good) = good {
        return Err(ClientError::Corrupt {
            topic: topic.to_owned(),
            partition,
            offset: scan.next_offset,
            reason: format!(
                "{} is damaged at byte {}: {reason}; good records follow from byte {good} on. Restore the file, or cut it off there (truncate -s {}) to give them up",
                path.display(),
                scan.end,
                scan.end
            ),
        });
    }
    tracing::warn!(path = %path.display(), position = scan.end, bytes = active.size() - scan.end,
        reason, "cutting off a torn tail");
    active.truncate(scan.end).map_err(failed)?;
    Ok(scan.next_offset)
}

pub(super) fn sync_dir(dir: &Path) -> Result<(), ClientError> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| error::storage(dir, "can't sync the folder", &error))
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}
