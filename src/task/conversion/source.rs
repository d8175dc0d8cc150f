//! Source side: records to bytes. Order as Kafka's: transforms, header, key, value.

use std::ops::Range;
use std::rc::Rc;

use super::{Converters, slice_value};
use crate::api::{
    ConnectError, ConnectRecord, Header, RecordOrigin, SchemaAndValue, SliceBatch, SliceForm,
    SourceRecord, Span,
};
use crate::metrics::TaskMetrics;
use crate::shard::{PooledVec, take_vec};
use crate::task::errors::{ErrorHandler, Stage};
use crate::task::plan::{Plan, Road};
use crate::task::transformation_chain::TransformationChain;

/// Converts what a source task yields.
#[derive(Debug)]
pub struct SourceConversion {
    converters: Converters,
    chain: TransformationChain,
}

/// Keys and values of a slice batch after conversion; spans of skipped records are unspecified.
#[derive(Debug)]
pub struct Rewritten {
    /// What `values` index; `None` = the batch's own buffer.
    pub value_buffer: Option<PooledVec>,
    /// One per record; `None` = the batch's own spans.
    pub values: Option<Vec<Span>>,
    /// Buffer and ranges of keys; `None` = the batch's own.
    pub keys: Option<(PooledVec, Vec<Span>)>,
    /// Records to send, as runs of indexes; the others were skipped.
    pub runs: Vec<Range<u32>>,
}

/// One record as ranges into [`EncodedRecords::buffer`].
#[derive(Debug)]
pub struct Encoded {
    /// Index in the batch that the task yielded.
    pub index: usize,
    /// Topic after transforms.
    pub topic: Rc<str>,
    /// Partition after transforms.
    pub partition: Option<i32>,
    /// Timestamp after transforms.
    pub timestamp: Option<i64>,
    /// Key.
    pub key: Span,
    /// Value.
    pub value: Span,
    /// Headers: name and value.
    pub headers: Vec<(String, Span)>,
}

/// Records that are ready to send.
#[derive(Debug)]
pub struct EncodedRecords {
    /// What the spans index.
    pub buffer: PooledVec,
    /// Those that were neither filtered nor skipped, in order.
    pub records: Vec<Encoded>,
}

/// A failure of one record: stage, failing class, error.
type Failure = (Stage, &'static str, ConnectError);

impl SourceConversion {
    /// Converts through these.
    pub fn new(converters: Converters, chain: TransformationChain) -> Self {
        Self { converters, chain }
    }

    /// The roads of slice batches of `form`.
    pub fn plan(&self, form: SliceForm) -> Plan {
        let Converters { key, value, .. } = &self.converters;
        Plan::source(form, &**key, &**value, !self.chain.is_empty())
    }

    /// The roads of whole record batches.
    pub fn plan_batches(&self) -> Plan {
        let Converters { key, value, header } = &self.converters;
        Plan::batches(&**key, &**value, &**header, !self.chain.is_empty())
    }

    /// Whether a slice batch can be sent without building records. Converters rewrite values of a
    /// required schema; anything else takes the struct road.
    pub fn takes_slices(&self, batch: &SliceBatch) -> bool {
        let plan = self.plan(batch.form);
        let required = batch
            .value_schema
            .as_ref()
            .is_some_and(|schema| !schema.is_optional());
        let fits = |road| match road {
            Road::PassThrough | Road::Slice => true,
            Road::Rewrite => required,
            Road::Struct => false,
        };
        fits(plan.value) && (batch.keys.is_none() || fits(plan.key))
    }

    /// Converts a slice batch that [`Self::takes_slices`].
    ///
    /// # Errors
    /// A record failed and is not tolerated.
    pub fn rewrite(
        &mut self,
        batch: &SliceBatch,
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> Result<Rewritten, ConnectError> {
        let count = u32::try_from(batch.values.len()).unwrap_or(u32::MAX);
        let plan = self.plan(batch.form);
        let mut done = Rewritten {
            value_buffer: None,
            values: None,
            keys: None,
            runs: std::iter::once(0..count).collect(),
        };
        let mut skipped: Vec<u32> = Vec::new();
        if let (Some(keys), Road::Rewrite) = (&batch.keys, plan.key) {
            let column = Column {
                batch,
                spans: keys,
                converter: &mut *self.converters.key,
            };
            let (buffer, spans) =
                column.rewrite(Stage::KeyConverter, &mut skipped, errors, metrics)?;
            done.keys = Some((buffer, spans));
        }
        if plan.value == Road::Rewrite {
            let converter = &mut *self.converters.value;
            let column = Column {
                batch,
                spans: &batch.values,
                converter,
            };
            let (buffer, spans) =
                column.rewrite(Stage::ValueConverter, &mut skipped, errors, metrics)?;
            done.value_buffer = Some(buffer);
            done.values = Some(spans);
        }
        if !skipped.is_empty() {
            done.runs = runs_without(count, skipped);
        }
        Ok(done)
    }

    /// Converts full records.
    ///
    /// # Errors
    /// A record failed and is not tolerated.
    pub async fn encode(
        &mut self,
        records: &[SourceRecord],
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> Result<EncodedRecords, ConnectError> {
        let mut done = EncodedRecords {
            buffer: take_vec(64 << 10),
            records: Vec::with_capacity(records.len()),
        };
        for (index, source) in records.iter().enumerate() {
            let start = done.buffer.len();
            match self
                .encode_with_retries(index, source, &mut done.buffer, errors)
                .await
            {
                Ok(Some(encoded)) => done.records.push(encoded),
                Ok(None) => metrics.add_skipped(1),
                Err((stage, class, error)) => {
                    done.buffer.truncate(start);
                    errors.handle(stage, class, &describe(source), error, metrics)?;
                }
            }
        }
        Ok(done)
    }

    pub(in crate::task) async fn encode_with_retries(
        &mut self,
        index: usize,
        source: &SourceRecord,
        buffer: &mut Vec<u8>,
        errors: &ErrorHandler,
    ) -> Result<Option<Encoded>, Failure> {
        let start = buffer.len();
        let mut retries = None;
        loop {
            match self.encode_one(index, source, buffer) {
                Err((_, _, error)) if error.is_retriable() => {
                    buffer.truncate(start);
                    let retries = retries.get_or_insert_with(|| errors.retries());
                    if !errors.wait_to_retry(retries).await {
                        return self.encode_one(index, source, buffer);
                    }
                }
                done => return done,
            }
        }
    }

    fn encode_one(
        &mut self,
        index: usize,
        source: &SourceRecord,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Encoded>, Failure> {
        let origin = RecordOrigin::Source {
            partition: source.source_partition.as_deref(),
            offset: source.source_offset.as_deref(),
        };
        let transformed = self
            .chain
            .apply(source.record.clone(), origin)
            .map_err(|(class, error)| (Stage::Transformation, class, error))?;
        let Some(record) = transformed else {
            return Ok(None);
        };
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in &record.headers {
            headers.push((
                header.key.clone(),
                self.encode_header(&record.topic, header, buffer)?,
            ));
        }
        let key = convert(
            &mut *self.converters.key,
            &record.topic,
            &record.key,
            buffer,
        )
        .map_err(|e| (Stage::KeyConverter, self.converters.key.class_name(), e))?;
        let value = convert(
            &mut *self.converters.value,
            &record.topic,
            &record.value,
            buffer,
        )
        .map_err(|e| (Stage::ValueConverter, self.converters.value.class_name(), e))?;
        Ok(Some(Encoded {
            index,
            topic: record.topic,
            partition: record.kafka_partition,
            timestamp: record.timestamp,
            key,
            value,
            headers,
        }))
    }

    fn encode_header(
        &mut self,
        topic: &str,
        header: &Header,
        buffer: &mut Vec<u8>,
    ) -> Result<Span, Failure> {
        let converter = &mut self.converters.header;
        let start = buffer.len();
        let SchemaAndValue { schema, value } = &header.value;
        converter
            .write_header(topic, &header.key, schema.as_ref(), value, buffer)
            .and_then(|present| span_from(start, buffer.len(), present))
            .map_err(|error| (Stage::HeaderConverter, converter.class_name(), error))
    }
}

fn convert(
    converter: &mut dyn crate::api::Converter,
    topic: &str,
    data: &SchemaAndValue,
    buffer: &mut Vec<u8>,
) -> Result<Span, ConnectError> {
    let start = buffer.len();
    let present = converter.write(topic, data.schema.as_ref(), &data.value, buffer)?;
    span_from(start, buffer.len(), present)
}

fn span_from(start: usize, end: usize, present: bool) -> Result<Span, ConnectError> {
    if !present {
        return Ok(Span::NULL);
    }
    let too_large = |_| ConnectError::data("a batch of converted records is larger than 4 GiB");
    let len = u32::try_from(end - start).map_err(too_large)?;
    Ok(Span {
        start: u32::try_from(start).map_err(too_large)?,
        len,
    })
}

/// The keys or the values of a slice batch and their converter.
struct Column<'a> {
    batch: &'a SliceBatch,
    spans: &'a [Span],
    converter: &'a mut dyn crate::api::Converter,
}

impl Column<'_> {
    fn rewrite(
        self,
        stage: Stage,
        skipped: &mut Vec<u32>,
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> Result<(PooledVec, Vec<Span>), ConnectError> {
        let Self {
            batch,
            spans,
            converter,
        } = self;
        let is_bytes = batch.form == SliceForm::Bytes;
        let payload: usize = spans
            .iter()
            .filter(|s| !s.is_null())
            .map(|s| s.len as usize)
            .sum();
        let mut out = take_vec(payload + payload / 2 + 64);
        let mut rewritten = Vec::with_capacity(spans.len());
        for (index, span) in spans.iter().enumerate() {
            let Some(text) = span.of(&batch.buffer) else {
                rewritten.push(Span::NULL);
                continue;
            };
            let start = out.len();
            let written = converter
                .write_text(&batch.topic, text, is_bytes, &mut out)
                .and_then(|()| span_from(start, out.len(), true));
            match written {
                Ok(span) => rewritten.push(span),
                Err(error) => {
                    out.truncate(start);
                    rewritten.push(Span::NULL);
                    let place = describe_slice(batch, index);
                    errors.handle(stage, converter.class_name(), &place, error, metrics)?;
                    skipped.push(u32::try_from(index).unwrap_or(u32::MAX));
                }
            }
        }
        Ok((out, rewritten))
    }
}

/// The runs of `0..count` between the `skipped` indexes.
fn runs_without(count: u32, mut skipped: Vec<u32>) -> Vec<Range<u32>> {
    skipped.sort_unstable();
    skipped.dedup();
    let mut runs = Vec::with_capacity(skipped.len() + 1);
    let mut from = 0;
    for index in skipped {
        if index > from {
            runs.push(from..index);
        }
        from = index + 1;
    }
    if from < count {
        runs.push(from..count);
    }
    runs
}

/// The full records that a slice batch stands for.
pub(in crate::task) fn materialize(batch: &SliceBatch) -> Vec<SourceRecord> {
    let string = batch.value_schema.clone();
    let offset_of = |index: usize| {
        let position = batch.positions.get(index).copied().unwrap_or(0);
        let mut map = crate::api::SourceMap::new();
        let position = batch.base_position + i64::from(position);
        map.insert(batch.position_field.to_string(), position.into());
        Rc::new(map)
    };
    let data = |span: Span, schema: Option<crate::api::data::SchemaRef>| {
        span.of(&batch.buffer)
            .map_or(SchemaAndValue::NULL, |bytes| SchemaAndValue {
                schema,
                value: slice_value(batch.form, bytes),
            })
    };
    let record = |(index, value): (usize, &Span)| SourceRecord {
        record: ConnectRecord {
            topic: Rc::clone(&batch.topic),
            kafka_partition: batch.kafka_partition,
            key: batch
                .keys
                .as_ref()
                .and_then(|keys| keys.get(index))
                .map_or(SchemaAndValue::NULL, |span| data(*span, string.clone())),
            value: data(*value, string.clone()),
            timestamp: batch.timestamp,
            headers: Vec::new(),
        },
        source_partition: batch.source_partition.as_ref().map(Rc::clone),
        source_offset: batch.source_partition.as_ref().map(|_| offset_of(index)),
    };
    batch.values.iter().enumerate().map(record).collect()
}

fn describe_slice(batch: &SliceBatch, index: usize) -> String {
    let position = batch
        .positions
        .get(index)
        .map(|p| batch.base_position + i64::from(*p));
    let partition = batch.source_partition.as_deref().map(serde_json::to_string);
    let partition = partition
        .and_then(Result::ok)
        .unwrap_or_else(|| "none".to_owned());
    match position {
        Some(position) => format!(
            "topic '{}', source partition {partition}, {} {position}",
            batch.topic, batch.position_field
        ),
        None => format!("topic '{}', source partition {partition}", batch.topic),
    }
}

fn describe(source: &SourceRecord) -> String {
    let json = |map: &Option<Rc<crate::api::SourceMap>>| {
        map.as_deref()
            .and_then(|map| serde_json::to_string(map).ok())
            .unwrap_or_else(|| "none".to_owned())
    };
    format!(
        "topic '{}', source partition {}, source offset {}",
        source.record.topic,
        json(&source.source_partition),
        json(&source.source_offset)
    )
}
