//! The task: a batch is one buffer, and a record a number and a piece of prepared letters.

use std::rc::Rc;

use async_trait::async_trait;

use super::{TASK, TASKS, task_config_def};
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, ParsedConfig, SchemaBuilder, SchemaType, SliceBatch, SliceForm,
    SourceBatch, SourceMap, SourceTask, SourceTaskContext, Span,
};
use crate::connectors::throttle::Throttle;
use crate::connectors::{now_ms, parse};
use crate::shard::take_vec;

/// Bytes of a batch, one record at least.
const BATCH_BYTES: usize = 256 << 10;
/// Records of a batch.
const BATCH_RECORDS: usize = 8 << 10;
/// Places at which the letters of a record may begin.
const PLACES: usize = 64 << 10;

/// Makes records.
#[derive(Debug, Default)]
pub struct DatagenTask {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    maker: Maker,
    topic: Rc<str>,
    schema: SchemaRef,
    partition: Rc<SourceMap>,
    position_field: Rc<str>,
    partitions: i32,
    next_partition: i32,
    throttle: Throttle,
    /// The next sequence number.
    next: u64,
    step: u64,
    end: u64,
    sent: u64,
}

/// Makes the bytes of records.
#[derive(Debug)]
struct Maker {
    letters: Vec<u8>,
    size: usize,
    json: bool,
    key: Key,
    seed: u64,
}

#[derive(Debug, Clone, Copy)]
enum Key {
    None,
    Sequence,
    Random { count: u64 },
}

#[async_trait(?Send)]
impl SourceTask for DatagenTask {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let config = parse(&task_config_def(), config)?;
        let (task, tasks) = (config.int(TASK)?, config.int(TASKS)?.max(1));
        let mut partition = SourceMap::new();
        partition.insert("task".to_owned(), task.into());
        partition.insert("tasks".to_owned(), tasks.into());
        let first = u64::try_from(task).unwrap_or(0);
        let next = match context.offsets.offset(&partition).await? {
            None => first,
            Some(offset) => offset
                .get("sequence")
                .and_then(serde_json::Value::as_u64)
                .ok_or_else(|| {
                    ConnectError::connect("The stored offset has no number 'sequence'")
                })?,
        };
        self.running = Some(Running {
            maker: Maker::new(&config)?,
            topic: config.str("topic")?.into(),
            schema: SchemaBuilder::new(SchemaType::String).build(),
            partition: Rc::new(partition),
            position_field: "sequence".into(),
            partitions: config.int("partitions")?,
            next_partition: 0,
            throttle: Throttle::new(match config.long("rate")? {
                0 => -1.0,
                #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
                rate => rate as f64,
            }),
            next,
            step: u64::try_from(tasks).unwrap_or(1),
            end: u64::try_from(config.long("records")?).unwrap_or(u64::MAX),
            sent: 0,
        });
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        let Some(running) = &mut self.running else {
            return Err(ConnectError::connect("poll before start"));
        };
        if running.next >= running.end {
            return std::future::pending().await;
        }
        let due = running.throttle.due(running.sent, BATCH_RECORDS).await;
        Ok(SourceBatch::Slices(running.batch(due)))
    }
}

impl Running {
    fn batch(&mut self, most: usize) -> SliceBatch {
        let bytes_each = self.maker.size + 64;
        let left = (self.end - self.next).div_ceil(self.step);
        let count = most
            .min(BATCH_BYTES / bytes_each)
            .max(1)
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        let mut buffer = take_vec(count * bytes_each);
        let mut values = Vec::with_capacity(count);
        let mut keys = (!matches!(self.maker.key, Key::None)).then(|| Vec::with_capacity(count));
        let mut positions = Vec::with_capacity(count);
        let base = self.next;
        for _ in 0..count {
            let (value, key) = self.maker.append(self.next, &mut buffer);
            values.push(value);
            if let Some(keys) = &mut keys {
                keys.push(key);
            }
            self.next += self.step;
            positions.push(narrow(usize::try_from(self.next - base).unwrap_or(0)));
        }
        self.sent += count as u64;
        SliceBatch {
            topic: Rc::clone(&self.topic),
            kafka_partition: self.turn(),
            timestamp: Some(now_ms()),
            buffer: buffer.into_bytes(),
            values,
            keys,
            form: SliceForm::Text,
            value_schema: Some(SchemaRef::clone(&self.schema)),
            source_partition: Some(Rc::clone(&self.partition)),
            position_field: Rc::clone(&self.position_field),
            base_position: i64::try_from(base).unwrap_or(i64::MAX),
            positions,
        }
    }

    fn turn(&mut self) -> Option<i32> {
        if self.partitions == 0 {
            return None;
        }
        let turn = self.next_partition;
        self.next_partition = (turn + 1) % self.partitions;
        Some(turn)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "ranges into a batch of some hundred kilobytes, or of one record of at most 16 MiB"
)]
fn narrow(number: usize) -> u32 {
    number as u32
}

impl Maker {
    fn new(config: &ParsedConfig) -> Result<Self, ConnectError> {
        let size = usize::try_from(config.int("record.size")?).unwrap_or(1);
        let seed = config.long("seed")?.cast_unsigned();
        let mut random = fastrand::Rng::with_seed(seed);
        let letters = std::iter::repeat_with(|| random.alphanumeric())
            .take(PLACES + size)
            .map(|letter| u8::try_from(letter).unwrap_or(b'x'))
            .collect();
        let count = u64::try_from(config.long("key.count")?).unwrap_or(1);
        Ok(Self {
            letters,
            size,
            json: config.str("format")? == "json",
            key: match config.str("key")? {
                "sequence" => Key::Sequence,
                "random" => Key::Random { count },
                _ => Key::None,
            },
            seed,
        })
    }

    /// Appends record `sequence`: the ranges of its value and key.
    fn append(&self, sequence: u64, out: &mut Vec<u8>) -> (Span, Span) {
        let start = out.len();
        let mixed = mix(sequence ^ self.seed);
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(sequence).as_bytes();
        let number_at = if self.json {
            out.extend_from_slice(b"{\"sequence\":");
            out.len()
        } else {
            start
        };
        out.extend_from_slice(digits);
        if self.json {
            out.extend_from_slice(b",\"payload\":\"");
            self.append_letters(mixed, self.size.saturating_sub(out.len() - start + 2), out);
            out.extend_from_slice(b"\"}");
        } else if out.len() - start < self.size {
            out.push(b' ');
            self.append_letters(mixed, self.size - (out.len() - start), out);
        }
        let value = span(start, out.len());
        let key = match self.key {
            Key::None => Span::NULL,
            // The number stands in the value already.
            Key::Sequence => span(number_at, number_at + digits.len()),
            Key::Random { count } => {
                let start = out.len();
                let mut digits = itoa::Buffer::new();
                out.extend_from_slice(digits.format(mix(mixed) % count).as_bytes());
                span(start, out.len())
            }
        };
        (value, key)
    }

    fn append_letters(&self, mixed: u64, count: usize, out: &mut Vec<u8>) {
        let place = usize::try_from(mixed % PLACES as u64).unwrap_or(0);
        out.extend_from_slice(&self.letters[place..place + count]);
    }
}

fn span(start: usize, end: usize) -> Span {
    Span {
        start: narrow(start),
        len: narrow(end - start),
    }
}

/// SplitMix64's finish: neighbouring numbers become unrelated ones.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
