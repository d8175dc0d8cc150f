//! The source task: blocks of a file, cut into lines.
//!
//! ```text
//! file ─pread→ Part (a block that is being filled) ─whole lines→ Block (shared) ─Lines→ SliceBatch
//!                 └─ the beginning of a line is carried to the front of the next block
//! ```
//! A read is first tried with `RWF_NOWAIT`, which the kernel answers from the page cache or not at all:
//! no thread hop while a file is cached. What isn't cached is read on a blocking thread, one block ahead.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::end_of_file::{EndOfFile, IDLE_MAX};
use super::lines::{Lines, complete_end, scanned, split};
use super::opening::{Opening, Origin};
use super::stream::{ByteStream, End};
use super::{BATCH_SIZE, FILE, FILENAME_FIELD, POSITION_FIELD, TOPIC, source_config};
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, SchemaBuilder, SchemaType, SliceBatch, SliceForm, SourceBatch,
    SourceMap, SourceTask, SourceTaskContext,
};
use crate::connectors::offload::Offload;
use crate::connectors::{now_ms, parse};
use crate::shard::{CachedRead, FilledBuffer, read_cached, sleep, take_filled};

/// Longest line in bytes. A line must be in memory as a whole; Kafka's own limit is below 2 GiB and
/// `max.request.size` usually 1 MiB.
pub const LINE_MAX: usize = 256 << 20;

/// Bytes per read: reading and cutting a cached file takes 13 to 15 ns a line of 93 bytes from 128 KiB to
/// 1 MiB, and memory counts.
const BLOCK: usize = 256 << 10;
/// Fewer free bytes than this are not worth a read.
const ROOM_LEAST: usize = BLOCK / 4;
/// Lines of less than this are copied out of their block rather than handed over with it, so that small
/// batches on their way to Kafka don't hold large buffers.
const COPY_BELOW: usize = BLOCK / 8;
/// A beginning of a line up to here waits for its end outside of a block.
const SHORT: usize = 4 << 10;
/// Most records of a batch without `batch.size`: ranges cost 12 bytes a record.
const BATCH_MAX: usize = 32 << 10;
/// Wait before a missing file is looked for again (Kafka: the same).
const MISSING_WAIT: Duration = Duration::from_secs(1);
/// After so many reads on a blocking thread, one without is tried again.
const OFFLOADED_READS: u32 = 16;

/// Kafka: `FileStreamSourceTask`.
#[derive(Debug, Default)]
pub struct FileStreamSourceTask {
    settings: Option<Settings>,
    opening: Opening,
    input: Option<Input>,
    block: Option<Block>,
    end: EndOfFile,
}

/// What the configuration says.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) context: SourceTaskContext,
    pub(super) file: Option<String>,
    topic: Rc<str>,
    records_max: usize,
    pub(super) partition: Option<Rc<SourceMap>>,
    schema: SchemaRef,
    position_field: Rc<str>,
}

/// Whole lines on their way out.
#[derive(Debug)]
struct Block {
    bytes: Bytes,
    /// Position of the first byte in the file.
    base: i64,
    /// Where the next line begins.
    from: usize,
}

/// A block that is being filled.
#[derive(Debug)]
struct Part {
    buffer: FilledBuffer,
    filled: usize,
    /// Bytes at the front without a complete line.
    scanned: usize,
}

#[derive(Debug)]
struct Input {
    origin: Origin,
    /// Away while a read fills it.
    part: Option<Part>,
    reading: Option<Offload<(Part, std::io::Result<usize>)>>,
    /// Position of the next read.
    position: u64,
}

#[async_trait(?Send)]
impl SourceTask for FileStreamSourceTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let parsed = parse(&source_config(), config)?;
        let file = parsed.opt_str(FILE)?.filter(|file| !file.is_empty());
        let records_max = if parsed.is_set(BATCH_SIZE) {
            // Apache looks at the limit after a line was added, so that it never is below 1.
            usize::try_from(parsed.int(BATCH_SIZE)?).map_or(1, |size| size.clamp(1, BATCH_MAX))
        } else {
            BATCH_MAX
        };
        let partition = file.map(|file| {
            let mut partition = SourceMap::new();
            partition.insert(FILENAME_FIELD.to_owned(), file.into());
            Rc::new(partition)
        });
        self.settings = Some(Settings {
            context,
            file: file.map(str::to_owned),
            topic: parsed.str(TOPIC)?.into(),
            records_max,
            partition,
            schema: SchemaBuilder::new(SchemaType::String).build(),
            position_field: POSITION_FIELD.into(),
        });
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        let Some(settings) = &self.settings else {
            return Err(ConnectError::connect("poll before start"));
        };
        loop {
            if let Some(batch) = self.block.take().and_then(|block| {
                let (batch, rest) = block.next_batch(settings);
                self.block = rest;
                batch
            }) {
                return Ok(SourceBatch::Slices(batch));
            }
            let Some(input) = &mut self.input else {
                match self.opening.open(settings).await? {
                    Some((origin, position)) => self.input = Some(Input::new(origin, position)),
                    None => sleep(MISSING_WAIT).await,
                }
                continue;
            };
            let read = match input.fill(settings).await {
                Err(error) if error.is_retriable() => {
                    sleep(IDLE_MAX).await;
                    return Err(error);
                }
                read => read?,
            };
            if read == 0 {
                self.end.wait(input.to_watch()).await;
                continue;
            }
            self.end.grew();
            self.block = input.take_lines();
        }
    }

    async fn stop(&mut self) {
        self.opening = Opening::Closed;
        self.input = None;
        self.block = None;
        self.end = EndOfFile::default();
    }
}

impl Block {
    /// The next lines, and what is left after them.
    fn next_batch(mut self, settings: &Settings) -> (Option<SliceBatch>, Option<Self>) {
        let to = self.bytes.len();
        // Most files have lines of 32 bytes and more; the vectors grow for others.
        let expected = ((to - self.from) / 32 + 1).min(settings.records_max);
        let mut lines = Lines::with_capacity(expected);
        self.from = split(&self.bytes, self.from, to, settings.records_max, &mut lines);
        if lines.spans.is_empty() {
            return (None, None);
        }
        let batch = SliceBatch {
            topic: Rc::clone(&settings.topic),
            kafka_partition: None,
            timestamp: Some(now_ms()),
            buffer: self.bytes.clone(),
            values: lines.spans,
            keys: None,
            form: SliceForm::Text,
            value_schema: Some(SchemaRef::clone(&settings.schema)),
            source_partition: settings.partition.as_ref().map(Rc::clone),
            position_field: Rc::clone(&settings.position_field),
            base_position: self.base,
            positions: lines.ends,
        };
        let left = (self.from < to).then_some(self);
        (Some(batch), left)
    }
}

impl Part {
    fn new(room: usize) -> Self {
        Self {
            buffer: take_filled(room),
            filled: 0,
            scanned: 0,
        }
    }

    fn unless_empty(self) -> Option<Self> {
        (self.filled > 0).then_some(self)
    }

    /// Moves a short beginning of a line out of its block.
    fn shrink(&mut self) {
        if (1..=SHORT).contains(&self.filled) && self.buffer.len() > SHORT {
            self.move_to(take_filled(self.filled));
        }
    }

    fn move_to(&mut self, mut buffer: FilledBuffer) {
        buffer[..self.filled].copy_from_slice(&self.buffer[..self.filled]);
        self.buffer = buffer;
    }

    /// The bytes to read into; grows while one line fills the block.
    fn make_room(&mut self, position: u64) -> Result<(), ConnectError> {
        if self.buffer.len() < BLOCK {
            self.move_to(take_filled(BLOCK));
        }
        let len = self.buffer.len();
        if len - self.filled >= ROOM_LEAST {
            return Ok(());
        }
        if self.filled + ROOM_LEAST > LINE_MAX {
            let start = position.saturating_sub(self.filled as u64);
            return Err(ConnectError::connect(format!(
                "The line at position {start} is longer than {LINE_MAX} bytes; is the file a text file?"
            )));
        }
        self.buffer.grow(len * 2);
        Ok(())
    }
}

impl Input {
    fn new(origin: Origin, position: u64) -> Self {
        Self {
            origin,
            part: None,
            reading: None,
            position,
        }
    }

    /// The file to watch for changes; `None` where the kernel doesn't tell of them.
    fn to_watch(&self) -> Option<&File> {
        match &self.origin {
            Origin::File {
                file, told: true, ..
            } => Some(file),
            _ => None,
        }
    }

    /// Reads once; 0 at the end of the input. Cancel-safe.
    async fn fill(&mut self, settings: &Settings) -> Result<usize, ConnectError> {
        if let Some(reading) = &mut self.reading {
            let (part, result) = reading.await?;
            self.reading = None;
            return self.filled(part, result, settings);
        }
        let mut part = self.part.take().unwrap_or_else(|| Part::new(BLOCK));
        if let Err(error) = part.make_room(self.position) {
            self.part = Some(part);
            return Err(error);
        }
        let stream = match &mut self.origin {
            Origin::Stream(stream) => Arc::clone(stream),
            Origin::Pipe(file) => {
                let result = read_pipe(file, &mut part);
                return self.filled(part, result, settings);
            }
            Origin::File {
                file,
                nowait,
                offloaded,
                ..
            } => {
                if *nowait && *offloaded == 0 {
                    let room = &mut part.buffer[part.filled..];
                    match read_cached(file, room, self.position) {
                        Ok(CachedRead::Read(count)) => {
                            return self.filled(part, Ok(count), settings);
                        }
                        Err(error) => return self.filled(part, Err(error), settings),
                        Ok(CachedRead::NotCached) => {}
                        Ok(CachedRead::Unsupported) => *nowait = false,
                    }
                }
                *offloaded = OFFLOADED_READS;
                let reading = offload_read(file, part, self.position);
                let (part, result) = self.reading.insert(reading).await?;
                self.reading = None;
                return self.filled(part, result, settings);
            }
        };
        self.part = Some(part);
        self.fill_from(&stream).await
    }

    /// Takes a block of standard input; never returns at its end.
    async fn fill_from(&mut self, stream: &ByteStream) -> Result<usize, ConnectError> {
        let bytes = match stream.next().await {
            Ok(bytes) => bytes,
            Err(End::Failed(error)) => {
                return Err(ConnectError::connect(format!(
                    "Couldn't read standard input: {error}"
                )));
            }
            Err(End::Closed) => {
                let unfinished = self.part.as_ref().map_or(0, |part| part.filled);
                tracing::info!(
                    unfinished,
                    "standard input has ended; bytes after the last line end are not sent"
                );
                return std::future::pending().await;
            }
        };
        let mut part = self.part.take().unwrap_or_else(|| Part::new(BLOCK));
        part.buffer[part.filled..part.filled + bytes.len()].copy_from_slice(&bytes);
        part.filled += bytes.len();
        self.position += bytes.len() as u64;
        self.part = Some(part);
        Ok(bytes.len())
    }

    fn filled(
        &mut self,
        mut part: Part,
        result: std::io::Result<usize>,
        settings: &Settings,
    ) -> Result<usize, ConnectError> {
        let outcome = match result {
            Ok(count) => {
                part.filled += count;
                self.position += count as u64;
                Ok(count)
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                Ok(0)
            }
            Err(error) => Err(ConnectError::retriable(format!(
                "Couldn't read file {} at position {}: {error}",
                settings.file.as_deref().unwrap_or("(standard input)"),
                self.position
            ))
            .with_source(error)),
        };
        if let (Ok(0), Origin::File { offloaded, .. }) = (&outcome, &mut self.origin) {
            // The end of a file is known without waiting.
            *offloaded = 0;
        }
        // An idle task needs no block.
        if matches!(outcome, Ok(0)) {
            part.shrink();
        }
        self.part = part.unless_empty();
        outcome
    }

    /// Takes the whole lines read so far; the rest becomes the front of the next block.
    fn take_lines(&mut self) -> Option<Block> {
        let mut part = self.part.take()?;
        let end = complete_end(&part.buffer[..part.filled], part.scanned);
        if end == 0 {
            part.scanned = scanned(&part.buffer[..part.filled]);
            self.part = Some(part);
            return None;
        }
        let rest = part.filled - end;
        let base = i64::try_from(self.position)
            .unwrap_or(i64::MAX)
            .saturating_sub_unsigned(part.filled as u64);
        let bytes = if end < COPY_BELOW && rest < COPY_BELOW {
            let bytes = Bytes::copy_from_slice(&part.buffer[..end]);
            part.buffer.copy_within(end..part.filled, 0);
            part.filled = rest;
            // What is sent first may have to wait for its topic, and hundreds of tasks for theirs.
            self.part = part.unless_empty();
            bytes
        } else {
            let room = BLOCK.max((rest + ROOM_LEAST).next_power_of_two());
            let mut next = Part::new(room);
            next.buffer[..rest].copy_from_slice(&part.buffer[end..part.filled]);
            next.filled = rest;
            self.part = Some(next);
            part.buffer.into_bytes(0..end)
        };
        if let Some(part) = &mut self.part {
            part.scanned = scanned(&part.buffer[..part.filled]);
        }
        self.read_ahead();
        Some(Block {
            bytes,
            base,
            from: 0,
        })
    }

    /// Starts the next read while the lines of this one are worked on, where reads have to wait.
    fn read_ahead(&mut self) {
        let Origin::File {
            file, offloaded, ..
        } = &mut self.origin
        else {
            return;
        };
        *offloaded = offloaded.saturating_sub(1);
        if *offloaded == 0 {
            return;
        }
        if let Some(part) = self.part.take_if(|part| part.make_room(0).is_ok()) {
            self.reading = Some(offload_read(file, part, self.position));
        }
    }
}

fn offload_read(
    file: &Arc<File>,
    mut part: Part,
    position: u64,
) -> Offload<(Part, std::io::Result<usize>)> {
    let file = Arc::clone(file);
    Offload::start(move || {
        let result = file.read_at(&mut part.buffer[part.filled..], position);
        (part, result)
    })
}

fn read_pipe(file: &mut File, part: &mut Part) -> std::io::Result<usize> {
    std::io::Read::read(file, &mut part.buffer[part.filled..])
}

#[cfg(test)]
impl FileStreamSourceTask {
    pub(super) fn end(&mut self) -> &mut EndOfFile {
        &mut self.end
    }

    /// Reads as if nothing were cached.
    pub(super) fn force_offload(&mut self) {
        if let Some(Input {
            origin: Origin::File { nowait, .. },
            ..
        }) = &mut self.input
        {
            *nowait = false;
        }
    }
}
