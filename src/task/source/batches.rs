//! Whole record batches of a task that reads another log: on untouched where that is possible, else taken
//! apart. Either way records are appended to one partition in the order they came.

use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::{Either, select};

use super::{Kept, Runner, TOPIC_RETRY, send_failed};
use crate::api::data::SchemaRef;
use crate::api::data::text::decode_utf8;
use crate::api::{
    ConnectError, ConnectRecord, Header, RawBatch, RecordBatches, Schema, SchemaAndValue,
    SchemaBuilder, SchemaType, SourceMap, SourceRecord, Span, Value,
};
use crate::clients::{AppendBatch, ProducerRecord, RecordToken, TopicHandle};
use crate::record::{
    Compression, RecordBytes, RecordError, RecordHeader, RecordRef, codec_of, decode_raw, headers,
};
use crate::shard::{self, take_vec};
use crate::task::control::Wish;
use crate::task::plan::Road;
use crate::task::submitted_records::Positions;

/// Most bytes that one batch may become when it is taken apart.
const DECOMPRESSED_MAX: usize = 128 << 20;
/// A smaller uncompressed batch does not travel alone while others are on their way: a request costs as
/// much as copying a thousand records (45 µs; DESIGN.md, Performance).
const JOINED_BELOW: usize = 64 << 10;
/// Records that are built at a time.
const RECORDS_AT_ONCE: usize = 1024;

/// A batch that was taken apart.
struct Opened {
    buffer: Bytes,
    records: Vec<RecordRef>,
}

impl Runner {
    pub(super) async fn send_batches(&mut self, all: RecordBatches) -> Result<(), ConnectError> {
        let plan = self.parts.conversion.plan_batches();
        if !std::mem::replace(&mut self.batches_seen, true) {
            tracing::info!(%plan, "the road of record batches");
        }
        let Some(topic) = self.topic(&all.topic).await? else {
            return Ok(());
        };
        if !self.wait_for_partition(topic, &all).await? {
            return Ok(());
        }
        for batch in &all.batches {
            let goes_on = match plan.value {
                Road::PassThrough => self.pass_batch(topic, &all, batch).await?,
                _ => self.send_apart(&all, batch).await?,
            };
            if !goes_on {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits until the producer knows the partition, which may be so new that brokers do not name it yet
    /// (Kafka: `KafkaProducer.waitOnMetadata`); `false` on a stop.
    async fn wait_for_partition(
        &self,
        topic: TopicHandle,
        all: &RecordBatches,
    ) -> Result<bool, ConnectError> {
        let producer = Rc::clone(&self.parts.producer);
        let partition = all.kafka_partition;
        let is_known = || u32::try_from(partition).is_ok_and(|at| at < producer.partitions(topic));
        if is_known() {
            return Ok(true);
        }
        let found = pin!(async {
            loop {
                match producer.topic(&all.topic).await {
                    Err(error) if !error.is_retriable() => return Err(send_failed(error)),
                    _ if is_known() => return Ok(true),
                    _ => {}
                }
                let topic = &*all.topic;
                tracing::warn!(
                    topic,
                    partition,
                    "the partition is not there yet; trying again"
                );
                shard::sleep(TOPIC_RETRY).await;
            }
        });
        let stopped = pin!(self.parts.control.stopped());
        match select(found, stopped).await {
            Either::Left((found, _)) => found,
            Either::Right(((), _)) => Ok(false),
        }
    }

    /// Appends a batch as it is, or its records where that can't be; `false` on a stop.
    async fn pass_batch(
        &mut self,
        topic: TopicHandle,
        all: &RecordBatches,
        batch: &RawBatch,
    ) -> Result<bool, ConnectError> {
        if joins(batch, self.parts.producer.in_flight()) {
            return self.append_apart(topic, all, batch).await;
        }
        let number = self.submitted.number();
        loop {
            let producer = &self.parts.producer;
            let appended = producer.append_batch(topic, all.kafka_partition, batch, number);
            match appended.map_err(send_failed)? {
                AppendBatch::Taken => break,
                AppendBatch::Full => {
                    if !self.wait_for_room().await? {
                        return Ok(false);
                    }
                }
                AppendBatch::Unfit(reason) => {
                    tracing::debug!(
                        topic = &*all.topic,
                        partition = all.kafka_partition,
                        offset = batch.base_offset,
                        reason,
                        "a batch is taken apart"
                    );
                    return self.append_apart(topic, all, batch).await;
                }
            }
        }
        let positions = Positions {
            field: Rc::clone(&all.position_field),
            base: batch.base_offset,
            listed: None,
        };
        let partition = all.source_partition.as_ref();
        self.submitted
            .submit_run(number, partition, positions, batch.count);
        self.keep_whole(number, all, batch);
        self.parts.metrics.add_bytes(batch.bytes.len() as u64);
        Ok(true)
    }

    /// Appends the records of a batch one by one, bytes as they are; `false` on a stop.
    async fn append_apart(
        &mut self,
        topic: TopicHandle,
        all: &RecordBatches,
        batch: &RawBatch,
    ) -> Result<bool, ConnectError> {
        let Opened { buffer, records } = open(all, batch)?;
        let number = self.submitted.number();
        let positions = Positions {
            field: Rc::clone(&all.position_field),
            base: batch.base_offset,
            listed: Some(positions(&records, batch.base_offset)),
        };
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let partition = all.source_partition.as_ref();
        self.submitted
            .submit_run(number, partition, positions, count);
        self.keep_whole(number, all, batch);
        let mut fields: Vec<RecordHeader<'_>> = Vec::new();
        for (index, record) in (0..).zip(&records) {
            fields.clear();
            for header in headers(&buffer, record.headers, record.header_count) {
                fields.push(header.map_err(|error| corrupt(all, batch, &error))?);
            }
            let produced = ProducerRecord {
                partition: Some(all.kafka_partition),
                timestamp: record.timestamp,
                key: record.key.of(&buffer),
                value: record.value.of(&buffer),
                headers: &fields,
            };
            let spans = [record.key, record.value];
            self.parts.metrics.add_bytes(super::payload(&spans));
            let token = RecordToken {
                batch: number,
                index,
            };
            if !self.append_record(topic, &produced, token).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Keeps a batch, should records of it be refused.
    fn keep_whole(&mut self, number: u64, all: &RecordBatches, batch: &RawBatch) {
        if !self.parts.errors.wants_records() {
            return;
        }
        let common = RecordBatches {
            topic: Rc::clone(&all.topic),
            kafka_partition: all.kafka_partition,
            batches: Vec::new(),
            source_partition: all.source_partition.as_ref().map(Rc::clone),
            position_field: Rc::clone(&all.position_field),
        };
        self.kept.insert(number, Kept::Whole(common, batch.clone()));
    }

    /// Sends the records of a batch through transforms and converters; `false` on a stop.
    async fn send_apart(
        &mut self,
        all: &RecordBatches,
        batch: &RawBatch,
    ) -> Result<bool, ConnectError> {
        let opened = open(all, batch)?;
        let schemas = Schemas::new();
        for records in opened.records.chunks(RECORDS_AT_ONCE) {
            if self.parts.control.wish() == Wish::Stop {
                return Ok(false);
            }
            let records = records.iter().map(|record| {
                let built = schemas.record(all, &opened.buffer, record);
                built.map_err(|error| corrupt(all, batch, &error))
            });
            let records = records.collect::<Result<_, _>>()?;
            self.send_records(records).await?;
        }
        Ok(true)
    }
}

/// Whether a batch's records are better off in a larger one. At low rates nothing is in flight, and each
/// batch goes at once as it is.
fn joins(batch: &RawBatch, in_flight: usize) -> bool {
    in_flight > 0 && batch.bytes.len() < JOINED_BELOW && codec_of(&batch.bytes) == Compression::None
}

/// The records of whole batches, as [`Runner::send_apart`] sends them through transforms and converters.
pub(in crate::task) fn records_of(all: &RecordBatches) -> Result<Vec<SourceRecord>, ConnectError> {
    let schemas = Schemas::new();
    let mut found = Vec::with_capacity(all.len());
    for batch in &all.batches {
        let opened = open(all, batch)?;
        for record in &opened.records {
            let built = schemas.record(all, &opened.buffer, record);
            found.push(built.map_err(|error| corrupt(all, batch, &error))?);
        }
    }
    Ok(found)
}

/// Record `index` of a batch that was kept.
pub(super) fn record_of(
    all: &RecordBatches,
    batch: &RawBatch,
    index: usize,
) -> Option<SourceRecord> {
    let Opened { buffer, records } = open(all, batch).ok()?;
    Schemas::new()
        .record(all, &buffer, records.get(index)?)
        .ok()
}

fn open(all: &RecordBatches, batch: &RawBatch) -> Result<Opened, ConnectError> {
    let mut decompressed = take_vec(0);
    let mut records = Vec::new();
    let bytes = decode_raw(batch, DECOMPRESSED_MAX, &mut decompressed, &mut records)
        .map_err(|error| corrupt(all, batch, &error))?;
    let buffer = match bytes {
        RecordBytes::Fetched => batch.bytes.clone(),
        RecordBytes::Decompressed => decompressed.into_bytes(),
    };
    Ok(Opened { buffer, records })
}

/// Each record's offset after `base`.
fn positions(records: &[RecordRef], base: i64) -> Vec<u32> {
    let after = |record: &RecordRef| u32::try_from(record.offset.saturating_sub(base));
    let positions = records.iter().map(|record| after(record).unwrap_or(0));
    positions.collect()
}

fn corrupt(all: &RecordBatches, batch: &RawBatch, error: &RecordError) -> ConnectError {
    let partition = all.source_partition.as_deref().map(serde_json::to_string);
    let partition = partition
        .and_then(Result::ok)
        .unwrap_or_else(|| "none".to_owned());
    ConnectError::data(format!(
        "the record batch at offset {} of source partition {partition} (for topic '{}') can't be read: \
         {error}. Move the connector's offset past {} to leave it out",
        batch.base_offset,
        all.topic,
        batch.next_offset - 1,
    ))
}

/// Schemas of what was bytes in a log (Kafka: `MirrorSourceTask.convertRecord`).
struct Schemas {
    required: SchemaRef,
    optional: SchemaRef,
}

impl Schemas {
    fn new() -> Self {
        Self {
            required: SchemaBuilder::new(SchemaType::Bytes).build(),
            optional: Schema::optional(SchemaType::Bytes),
        }
    }

    fn record(
        &self,
        all: &RecordBatches,
        buffer: &Bytes,
        record: &RecordRef,
    ) -> Result<SourceRecord, RecordError> {
        let bytes = |span: Span| match span.of(buffer) {
            Some(bytes) => Value::Bytes(buffer.slice_ref(bytes)),
            None => Value::Null,
        };
        let value =
            |schema: &SchemaRef, value| SchemaAndValue::new(SchemaRef::clone(schema), value);
        let headers = headers(buffer, record.headers, record.header_count).map(|header| {
            let header = header?;
            let (schema, content) = match header.value {
                Some(bytes) => (&self.required, Value::Bytes(buffer.slice_ref(bytes))),
                None => (&self.optional, Value::Null),
            };
            Ok(Header {
                key: decode_utf8(header.key),
                value: value(schema, content),
            })
        });
        let mut offset = SourceMap::new();
        offset.insert(all.position_field.to_string(), record.offset.into());
        Ok(SourceRecord {
            record: ConnectRecord {
                topic: Rc::clone(&all.topic),
                kafka_partition: Some(all.kafka_partition),
                key: value(&self.optional, bytes(record.key)),
                value: value(&self.required, bytes(record.value)),
                timestamp: (record.timestamp >= 0).then_some(record.timestamp),
                headers: headers.collect::<Result<_, RecordError>>()?,
            },
            source_partition: all.source_partition.as_ref().map(Rc::clone),
            source_offset: all.source_partition.as_ref().map(|_| Rc::new(offset)),
        })
    }
}
