//! A segment: a `.log` file of record batches, its sparse `.index` and its `.timeindex`, as Kafka's
//! `LogSegment`, `OffsetIndex` and `TimeIndex` write them. Blocking calls.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::error;
use crate::clients::ClientError;
use crate::record::{BatchHeader, HEADER_BYTES};

/// An index entry at most every so many bytes (Kafka: `index.interval.bytes`).
const INDEX_INTERVAL: u64 = 4096;
const INDEX_ENTRY: u64 = 8;
const TIME_ENTRY: u64 = 12;
/// The CRC covers a batch from here to its end.
const CRC_FROM: u64 = 21;
/// Piece size of scans.
const SCAN_BYTES: usize = 1 << 20;

/// What readers share. Files of sealed segments are opened when read and closed with the last reader.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) base_offset: i64,
    /// Path of the `.log` file.
    pub(super) path: PathBuf,
    /// Bytes of whole batches: what may be read.
    pub(super) visible: AtomicU64,
    /// Largest timestamp, in milliseconds since the epoch; −1 without.
    pub(super) max_timestamp: AtomicI64,
    file: Mutex<Weak<File>>,
}

/// What a look at a batch's header in a file finds.
#[derive(Debug)]
pub(super) enum Look {
    /// A header, and the whole batch fits before the end.
    Batch(BatchHeader),
    /// No whole batch here, with the reason.
    Broken(String),
    /// The end.
    End,
}

impl Segment {
    pub(super) fn new(dir: &Path, base_offset: i64) -> Self {
        Self {
            base_offset,
            path: dir.join(format!("{base_offset:020}.log")),
            visible: AtomicU64::new(0),
            max_timestamp: AtomicI64::new(-1),
            file: Mutex::new(Weak::new()),
        }
    }

    pub(super) fn index_path(&self) -> PathBuf {
        self.path.with_extension("index")
    }

    pub(super) fn time_index_path(&self) -> PathBuf {
        self.path.with_extension("timeindex")
    }

    pub(super) fn len(&self) -> u64 {
        self.visible.load(Ordering::Acquire)
    }

    /// The open file, shared with whoever has it open already.
    pub(super) fn file(&self) -> Result<Arc<File>, ClientError> {
        let mut known = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = known.upgrade() {
            return Ok(file);
        }
        let file = OpenOptions::new().read(true).write(true).open(&self.path);
        let file = file.map_err(|error| error::storage(&self.path, "can't open it", &error))?;
        let file = Arc::new(file);
        *known = Arc::downgrade(&file);
        Ok(file)
    }

    /// Position to start scanning from for `offset`: of the last indexed batch that ends at or before it.
    pub(super) fn lookup(&self, offset: i64) -> u64 {
        // Without an index the scan starts at the front, which is slow and right.
        self.lookup_index(offset).unwrap_or(0)
    }

    fn lookup_index(&self, offset: i64) -> io::Result<u64> {
        let index = File::open(self.index_path())?;
        let entries = index.metadata()?.len() / INDEX_ENTRY;
        let entry = |at: u64| -> io::Result<(i64, u64)> {
            let mut bytes = [0; 8];
            index.read_exact_at(&mut bytes, at * INDEX_ENTRY)?;
            let [a, b, c, d, e, f, g, h] = bytes;
            let relative = i64::from(u32::from_be_bytes([a, b, c, d]));
            let position = u64::from(u32::from_be_bytes([e, f, g, h]));
            Ok((self.base_offset + relative, position))
        };
        let (mut low, mut high) = (0, entries);
        while low < high {
            let middle = low + (high - low) / 2;
            if entry(middle)?.0 <= offset {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let position = if low == 0 { 0 } else { entry(low - 1)?.1 };
        Ok(position.min(self.len()))
    }

    /// Largest timestamp that the time index of a sealed segment tells of.
    pub(super) fn load_max_timestamp(&self) {
        let load = || -> io::Result<i64> {
            let index = File::open(self.time_index_path())?;
            let entries = index.metadata()?.len() / TIME_ENTRY;
            let mut bytes = [0; 8];
            if entries == 0 {
                return Ok(-1);
            }
            index.read_exact_at(&mut bytes, (entries - 1) * TIME_ENTRY)?;
            Ok(i64::from_be_bytes(bytes))
        };
        let timestamp = load().unwrap_or(-1);
        self.max_timestamp.store(timestamp, Ordering::Relaxed);
    }

    /// Removes the files; readers that have them open go on.
    pub(super) fn remove(&self) -> Result<(), ClientError> {
        for path in [self.path.clone(), self.index_path(), self.time_index_path()] {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(error::storage(&path, "can't remove it", &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the header of the batch at `position` of a file whose batches end at `end`.
pub(super) fn look(file: &File, position: u64, end: u64) -> io::Result<Look> {
    if position >= end {
        return Ok(Look::End);
    }
    let mut bytes = [0; HEADER_BYTES];
    let left = end - position;
    let len = usize::try_from(left)
        .unwrap_or(usize::MAX)
        .min(HEADER_BYTES);
    file.read_exact_at(&mut bytes[..len], position)?;
    Ok(match BatchHeader::parse(&bytes[..len]) {
        Err(error) => Look::Broken(error.to_string()),
        Ok(None) => Look::Broken("the file ends within a batch's header".to_owned()),
        Ok(Some(header)) if header.total_bytes() as u64 > left => Look::Broken(format!(
            "a batch of {} bytes has {left} left",
            header.total_bytes()
        )),
        Ok(Some(header)) => Look::Batch(header),
    })
}

/// Whether the checksum of the batch at `position` is right.
fn crc_is_right(file: &File, position: u64, header: &BatchHeader) -> io::Result<bool> {
    let mut buffer = vec![0; SCAN_BYTES.min(header.total_bytes())];
    let (mut at, end) = (position + CRC_FROM, position + header.total_bytes() as u64);
    let mut crc = 0;
    while at < end {
        let len = usize::try_from(end - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        file.read_exact_at(&mut buffer[..len], at)?;
        crc = crc32c::crc32c_append(crc, &buffer[..len]);
        at += len as u64;
    }
    Ok(crc == header.crc)
}

/// Writes `head` and `records` one behind the other.
fn write_pieces(file: &File, head: &[u8], records: &[u8], at: u64) -> io::Result<()> {
    if records.is_empty() {
        return file.write_all_at(head, at);
    }
    let pieces = [io::IoSlice::new(head), io::IoSlice::new(records)];
    let written = match rustix::io::pwritev(file, &pieces, at) {
        Ok(written) => written,
        Err(rustix::io::Errno::INTR) => 0,
        Err(error) => return Err(error.into()),
    };
    // What one call did not take follows piece by piece.
    let rest = head.get(written..).unwrap_or_default();
    file.write_all_at(rest, at + written as u64)?;
    let from = written.saturating_sub(head.len());
    file.write_all_at(&records[from..], at + (head.len() + from) as u64)
}

/// What a scan of the last segment found.
pub(super) struct Scan {
    /// End of the last whole batch.
    pub(super) end: u64,
    /// Offset after it.
    pub(super) next_offset: i64,
    /// Why the scan stopped before the end of the file.
    pub(super) broken: Option<String>,
}

/// The writing side of the active segment.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) segment: Arc<Segment>,
    file: Arc<File>,
    index: IndexFile,
    time_index: IndexFile,
    size: u64,
    since_index: u64,
    max_timestamp: i64,
    offset_of_max: i64,
    time_indexed: i64,
}

/// An index file that entries are appended to. Indexes can be rebuilt, so that a failed write is only
/// logged.
#[derive(Debug)]
struct IndexFile {
    file: File,
    path: PathBuf,
    len: u64,
}

impl IndexFile {
    fn open(path: PathBuf) -> Result<Self, ClientError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let opened = file.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (len, file) = opened.map_err(|error| error::storage(&path, "can't open it", &error))?;
        Ok(Self { file, path, len })
    }

    fn push(&mut self, entry: &[u8]) {
        match self.file.write_all_at(entry, self.len) {
            Ok(()) => self.len += entry.len() as u64,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "an index entry is left out");
                self.cut(self.len);
            }
        }
    }

    fn cut(&mut self, len: u64) {
        self.len = len;
        if let Err(error) = self.file.set_len(len) {
            tracing::warn!(path = %self.path.display(), %error, "can't cut the index");
        }
    }
}

impl Active {
    /// Opens or creates the files of `segment` for appending after `visible`.
    pub(super) fn open(segment: Arc<Segment>) -> Result<Self, ClientError> {
        let made = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&segment.path);
        made.map_err(|error| error::storage(&segment.path, "can't create it", &error))?;
        let file = segment.file()?;
        let size = file.metadata().map(|metadata| metadata.len());
        let size = size.map_err(|error| error::storage(&segment.path, "can't open it", &error))?;
        segment.visible.store(size, Ordering::Release);
        segment.load_max_timestamp();
        let max_timestamp = segment.max_timestamp.load(Ordering::Relaxed);
        Ok(Self {
            file,
            index: IndexFile::open(segment.index_path())?,
            time_index: IndexFile::open(segment.time_index_path())?,
            size,
            since_index: 0,
            max_timestamp,
            offset_of_max: segment.base_offset,
            time_indexed: max_timestamp,
            segment,
        })
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads on from the last index entry: enough after a clean shutdown. `None` when the files do not
    /// fit together.
    pub(super) fn quick_scan(&mut self) -> io::Result<Option<i64>> {
        if !self.index.len.is_multiple_of(INDEX_ENTRY) {
            return Ok(None);
        }
        let mut position = self.segment.lookup(i64::MAX);
        let mut next_offset = self.segment.base_offset;
        loop {
            match look(&self.file, position, self.size)? {
                Look::End => break,
                Look::Broken(_) => return Ok(None),
                Look::Batch(header) => {
                    self.note_timestamp(&header);
                    position += header.total_bytes() as u64;
                    next_offset = header.next_offset();
                }
            }
        }
        let consistent = position == self.size && next_offset >= self.segment.base_offset;
        Ok(consistent.then_some(next_offset))
    }

    /// Reads every batch, checks its checksum and writes the indexes anew.
    pub(super) fn full_scan(&mut self) -> io::Result<Scan> {
        self.index.cut(0);
        self.time_index.cut(0);
        self.since_index = 0;
        self.max_timestamp = -1;
        self.time_indexed = -1;
        let mut position = 0;
        let mut next_offset = self.segment.base_offset;
        let broken = loop {
            let header = match look(&self.file, position, self.size)? {
                Look::End => break None,
                Look::Broken(reason) => break Some(reason),
                Look::Batch(header) => header,
            };
            // Nothing is compacted here, so that offsets have no gaps. No checksum covers this field.
            if header.base_offset != next_offset {
                break Some(format!(
                    "offset {} where {next_offset} is next",
                    header.base_offset
                ));
            }
            if !crc_is_right(&self.file, position, &header)? {
                break Some("wrong checksum".to_owned());
            }
            self.note(&header, position);
            position += header.total_bytes() as u64;
            next_offset = header.next_offset();
        };
        Ok(Scan {
            end: position,
            next_offset,
            broken,
        })
    }

    /// Position of a good batch after `from`: then what is broken there is no torn tail.
    pub(super) fn good_batch_after(&self, from: u64, next_offset: i64) -> io::Result<Option<u64>> {
        const MAGIC_AT: u64 = 16;
        let mut buffer = vec![0; SCAN_BYTES];
        let mut at = from + 1 + MAGIC_AT;
        while at < self.size {
            let len = usize::try_from(self.size - at)
                .unwrap_or(usize::MAX)
                .min(buffer.len());
            self.file.read_exact_at(&mut buffer[..len], at)?;
            for found in memchr::memchr_iter(2, &buffer[..len]) {
                let position = at + found as u64 - MAGIC_AT;
                let Look::Batch(header) = look(&self.file, position, self.size)? else {
                    continue;
                };
                if header.base_offset > next_offset
                    && header.count > 0
                    && crc_is_right(&self.file, position, &header)?
                {
                    return Ok(Some(position));
                }
            }
            at += len as u64;
        }
        Ok(None)
    }

    /// Cuts the file off at `end`.
    pub(super) fn truncate(&mut self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.size = end;
        self.segment.visible.store(end, Ordering::Release);
        self.file.sync_data()
    }

    /// Writes one batch whose offsets are set, in one or two pieces. After an error the file is as it was.
    pub(super) fn append(
        &mut self,
        head: &[u8],
        records: &[u8],
        header: &BatchHeader,
    ) -> Result<(), ClientError> {
        if let Err(error) = write_pieces(&self.file, head, records, self.size) {
            if let Err(error) = self.file.set_len(self.size) {
                // The next append goes over the torn bytes, and recovery would cut them off.
                tracing::warn!(path = %self.segment.path.display(), %error, "can't cut off a torn write");
            }
            return Err(error::storage(&self.segment.path, "can't append", &error));
        }
        self.note(header, self.size);
        self.size += header.total_bytes() as u64;
        self.segment.visible.store(self.size, Ordering::Release);
        Ok(())
    }

    fn note_timestamp(&mut self, header: &BatchHeader) {
        if header.max_timestamp > self.max_timestamp {
            self.max_timestamp = header.max_timestamp;
            self.offset_of_max = header.last_offset();
            self.segment
                .max_timestamp
                .store(header.max_timestamp, Ordering::Relaxed);
        }
    }

    /// Index entries for the batch at `position`, as Kafka's `LogSegment.append`.
    fn note(&mut self, header: &BatchHeader, position: u64) {
        self.note_timestamp(header);
        if self.since_index > INDEX_INTERVAL {
            let relative = u32::try_from(header.last_offset() - self.segment.base_offset);
            if let (Ok(relative), Ok(position)) = (relative, u32::try_from(position)) {
                let entry = u64::from(relative) << 32 | u64::from(position);
                self.index.push(&entry.to_be_bytes());
            }
            self.push_time();
            self.since_index = 0;
        }
        self.since_index += header.total_bytes() as u64;
    }

    fn push_time(&mut self) {
        if self.max_timestamp <= self.time_indexed {
            return;
        }
        let Ok(relative) = u32::try_from(self.offset_of_max - self.segment.base_offset) else {
            return;
        };
        let mut entry = [0; 12];
        entry[..8].copy_from_slice(&self.max_timestamp.to_be_bytes());
        entry[8..].copy_from_slice(&relative.to_be_bytes());
        self.time_index.push(&entry);
        self.time_indexed = self.max_timestamp;
    }

    /// Last time index entry, and everything to disk: at roll and at close.
    pub(super) fn seal(&mut self) -> Result<(), ClientError> {
        self.push_time();
        let synced = self
            .file
            .sync_all()
            .and_then(|()| self.index.file.sync_all());
        let synced = synced.and_then(|()| self.time_index.file.sync_all());
        synced.map_err(|error| error::storage(&self.segment.path, "can't sync it", &error))
    }
}
