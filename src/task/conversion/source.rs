//! Source side: records to bytes. Order as Kafka's: transforms, header, key, value.

use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use super::{Converters, LOOKUPS_MAX, TransformTime, slice_value};
use crate::api::{
    ConnectError, ConnectRecord, Converter, Header, RecordOrigin, SchemaAndValue, SliceBatch,
    SliceForm, SourceRecord, Span,
};
use crate::clients::RecordToken;
use crate::metrics::TaskMetrics;
use crate::shard::{PooledVec, take_vec};
use crate::task::errors::{ErrorHandler, Failure, Origin, Retry, SourceOrigin, Stage};
use crate::task::plan::{Needs, Plan, Road};
use crate::task::tape::Tape;
use crate::task::transformation_chain::TransformationChain;

/// Converts what a source task yields.
#[derive(Debug)]
pub struct SourceConversion {
    converters: Converters,
    chain: TransformationChain,
    /// What the chain was compiled to.
    tape: Option<Box<Tape>>,
    transform_time: TransformTime,
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
    /// Records to send, as runs of indexes.
    pub runs: Vec<Range<u32>>,
    /// Records that were skipped, in order.
    pub skipped: Vec<u32>,
    /// The task fails with this when the runs, which end before the record at fault, are sent.
    pub failure: Option<ConnectError>,
}

/// One record as ranges into [`EncodedRecords::buffer`].
#[derive(Debug)]
pub struct Encoded {
    /// Index in the batch that the task yielded.
    pub index: usize,
    /// Index among the records that are tracked: those that are sent and those whose dead letter is.
    pub slot: u32,
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
    /// Indexes of skipped records whose source offsets wait for a dead letter, in order.
    pub dead: Vec<usize>,
    /// How many records of the batch were looked at: all, or those before the failing one.
    pub reached: usize,
    /// The task fails with this when `records` are sent.
    pub failure: Option<ConnectError>,
}

impl SourceConversion {
    /// Converts through these.
    pub fn new(converters: Converters, mut chain: TransformationChain) -> Self {
        Self {
            converters,
            tape: chain.take_tape(),
            chain,
            transform_time: TransformTime::default(),
        }
    }

    /// About how long the transforms took since the last call.
    pub fn take_transform_time(&mut self) -> Duration {
        self.transform_time.take()
    }

    /// What the chain needs to see; of a tape, only what it makes of topics is of use here.
    fn needs(&self) -> Needs {
        match &self.tape {
            _ if self.chain.is_empty() => Needs::Nothing,
            Some(tape) if tape.looks_at_topic_only() => Needs::Topic,
            _ => Needs::Values,
        }
    }

    /// The topic of a slice batch that [`Self::takes_slices`] after the transforms; `None` when only the
    /// struct road can tell, or drops its records.
    pub fn route(&mut self, topic: &Rc<str>) -> Option<Rc<str>> {
        match &mut self.tape {
            Some(tape) => tape.route_topic(topic).ok().flatten(),
            None => Some(Rc::clone(topic)),
        }
    }

    /// The roads of slice batches of `form`.
    pub fn plan(&self, form: SliceForm) -> Plan {
        let Converters { key, value, .. } = &self.converters;
        Plan::source(form, &**key, &**value, self.needs())
    }

    /// The roads of full records.
    pub fn plan_records(&self) -> Plan {
        Plan::full(!self.chain.is_empty())
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
            Road::Tape | Road::Struct => false,
        };
        fits(plan.value) && (batch.keys.is_none() || fits(plan.key))
    }

    /// Converts a slice batch that [`Self::takes_slices`], which will be tracked under `number`. Ends
    /// early when a stop comes ([`ErrorHandler::is_interrupted`]).
    pub async fn rewrite(
        &mut self,
        batch: &SliceBatch,
        number: u64,
        errors: &mut ErrorHandler,
    ) -> Rewritten {
        let count = u32::try_from(batch.values.len()).unwrap_or(u32::MAX);
        let plan = self.plan(batch.form);
        let mut failures: Vec<(usize, Failure)> = Vec::new();
        let mut columns = Columns::default();
        if let (Some(spans), Road::Rewrite) = (&batch.keys, plan.key) {
            let converter = &mut *self.converters.key;
            let mut column = Column::new(spans);
            column.rewrite(batch, spans, Stage::KeyConverter, converter, &mut failures);
            columns.keys = Some(column);
        }
        if plan.value == Road::Rewrite {
            let (spans, converter) = (&batch.values, &mut *self.converters.value);
            let mut column = Column::new(spans);
            column.rewrite(
                batch,
                spans,
                Stage::ValueConverter,
                converter,
                &mut failures,
            );
            columns.values = Some(column);
        }
        let mut end = None;
        if !failures.is_empty() {
            end = self
                .rewrite_again(batch, number, failures, &mut columns, errors)
                .await;
        }
        let (value_buffer, values) = match columns.values {
            Some(column) => (Some(column.out), Some(column.spans)),
            None => (None, None),
        };
        Rewritten {
            value_buffer,
            values,
            keys: columns.keys.map(|column| (column.out, column.spans)),
            runs: runs_without(end.unwrap_or(count), &columns.skipped),
            skipped: columns.skipped,
            failure: columns.failure,
        }
    }

    /// The slow way of the records that failed once, in their order: tries again where that may help,
    /// else reports them. Gives the index of the one that fails the task.
    async fn rewrite_again(
        &mut self,
        batch: &SliceBatch,
        number: u64,
        mut failures: Vec<(usize, Failure)>,
        columns: &mut Columns,
        errors: &mut ErrorHandler,
    ) -> Option<u32> {
        // Stable: of one record, the key comes first.
        failures.sort_by_key(|(index, _)| *index);
        for (index, failure) in failures {
            let position = u32::try_from(index).unwrap_or(u32::MAX);
            if columns.skipped.last() == Some(&position) {
                continue;
            }
            let Columns { keys, values, .. } = &mut *columns;
            let (column, spans, converter) = match failure.0 {
                Stage::KeyConverter => (keys, batch.keys.as_ref(), &mut self.converters.key),
                _ => (values, Some(&batch.values), &mut self.converters.value),
            };
            let (Some(column), Some(spans)) = (column, spans) else {
                continue;
            };
            let again = column
                .rewrite_until(batch, spans, index, failure, &mut **converter, errors)
                .await;
            let Err(failure) = again else {
                if errors.is_interrupted() {
                    return None;
                }
                continue;
            };
            columns.skipped.push(position);
            let record = materialize_one(batch, index);
            let origin = Origin::Source(SourceOrigin {
                record: &record,
                converters: Some(&mut self.converters),
                token: Some(RecordToken {
                    batch: number,
                    index: position,
                }),
            });
            if let Err(error) = errors.failed(failure, origin).await {
                columns.failure = Some(error);
                return Some(position);
            }
        }
        None
    }

    /// Converts full records, which will be tracked under `number`. Ends early when a stop comes
    /// ([`ErrorHandler::is_interrupted`]).
    pub async fn encode(
        &mut self,
        records: &[SourceRecord],
        number: u64,
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> EncodedRecords {
        let mut done = EncodedRecords {
            buffer: take_vec(64 << 10),
            records: Vec::with_capacity(records.len()),
            dead: Vec::new(),
            reached: records.len(),
            failure: None,
        };
        for (index, source) in records.iter().enumerate() {
            TransformTime::before(&mut self.chain, index, records.len());
            let start = done.buffer.len();
            let slot = u32::try_from(done.records.len() + done.dead.len()).unwrap_or(u32::MAX);
            let failure = match self
                .encode_with_retries(index, source, &mut done.buffer, errors)
                .await
            {
                Ok(Some(encoded)) => {
                    done.records.push(Encoded { slot, ..encoded });
                    continue;
                }
                Ok(None) if errors.is_interrupted() => return done,
                Ok(None) => {
                    metrics.add_filtered(1);
                    continue;
                }
                Err(failure) => failure,
            };
            done.buffer.truncate(start);
            let token = errors.has_dead_letters().then_some(RecordToken {
                batch: number,
                index: slot,
            });
            let origin = Origin::Source(SourceOrigin {
                record: source,
                converters: Some(&mut self.converters),
                token,
            });
            if let Err(error) = errors.failed(failure, origin).await {
                done.failure = Some(error);
                done.reached = index;
                return done;
            }
            if token.is_some() {
                done.dead.push(index);
            }
        }
        self.transform_time.after(&mut self.chain, records.len());
        done
    }

    /// For a record that the producer refused.
    pub fn converters(&mut self) -> &mut Converters {
        &mut self.converters
    }

    /// `None` when a transform dropped the record, or a stop came between two tries.
    pub(in crate::task) async fn encode_with_retries(
        &mut self,
        index: usize,
        source: &SourceRecord,
        buffer: &mut Vec<u8>,
        errors: &mut ErrorHandler,
    ) -> Result<Option<Encoded>, Failure> {
        let start = buffer.len();
        let mut retries = None;
        loop {
            let failure = match self.encode_resolved(index, source, buffer).await {
                Err(failure) => failure,
                done => return done,
            };
            buffer.truncate(start);
            match errors.retry(&mut retries, &failure).await {
                Retry::Again => {}
                Retry::Stopped => return Ok(None),
                Retry::GiveUp => return Err(failure),
            }
        }
    }

    /// As [`Self::encode_one`], after the look-ups that the converters ask for.
    async fn encode_resolved(
        &mut self,
        index: usize,
        source: &SourceRecord,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Encoded>, Failure> {
        let start = buffer.len();
        for _ in 0..LOOKUPS_MAX {
            match self.encode_one(index, source, buffer) {
                Err((stage, _, error)) if error.is_pending() => {
                    buffer.truncate(start);
                    self.converters.resolve(stage).await;
                }
                done => return done,
            }
        }
        self.encode_one(index, source, buffer)
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
            slot: 0,
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
    converter: &mut dyn Converter,
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

/// A slice batch while it is rewritten.
#[derive(Default)]
struct Columns {
    keys: Option<Column>,
    values: Option<Column>,
    skipped: Vec<u32>,
    failure: Option<ConnectError>,
}

/// The keys or the values of a slice batch, rewritten.
struct Column {
    out: PooledVec,
    /// One per record; null where it failed.
    spans: Vec<Span>,
}

impl Column {
    fn new(spans: &[Span]) -> Self {
        let payload: usize = spans
            .iter()
            .filter(|s| !s.is_null())
            .map(|s| s.len as usize)
            .sum();
        Self {
            out: take_vec(payload + payload / 2 + 64),
            spans: Vec::with_capacity(spans.len()),
        }
    }

    /// Rewrites all, and says which failed.
    fn rewrite(
        &mut self,
        batch: &SliceBatch,
        spans: &[Span],
        stage: Stage,
        converter: &mut dyn Converter,
        failures: &mut Vec<(usize, Failure)>,
    ) {
        for (index, span) in spans.iter().enumerate() {
            let rewritten = match self.rewrite_one(batch, *span, converter) {
                Ok(span) => span,
                Err(error) => {
                    failures.push((index, (stage, converter.class_name(), error)));
                    Span::NULL
                }
            };
            self.spans.push(rewritten);
        }
    }

    #[inline]
    fn rewrite_one(
        &mut self,
        batch: &SliceBatch,
        span: Span,
        converter: &mut dyn Converter,
    ) -> Result<Span, ConnectError> {
        let Some(text) = span.of(&batch.buffer) else {
            return Ok(Span::NULL);
        };
        let is_bytes = batch.form == SliceForm::Bytes;
        let start = self.out.len();
        let written = converter
            .write_text(&batch.topic, text, is_bytes, &mut self.out)
            .and_then(|()| span_from(start, self.out.len(), true));
        if written.is_err() {
            self.out.truncate(start);
        }
        written
    }

    /// Rewrites the text of a record that failed until it works or has failed for good.
    async fn rewrite_until(
        &mut self,
        batch: &SliceBatch,
        spans: &[Span],
        index: usize,
        failure: Failure,
        converter: &mut dyn Converter,
        errors: &mut ErrorHandler,
    ) -> Result<(), Failure> {
        let (mut retries, mut failure) = (None, failure);
        loop {
            match errors.retry(&mut retries, &failure).await {
                Retry::Stopped => return Ok(()),
                Retry::GiveUp => return Err(failure),
                Retry::Again => {}
            }
            match self.rewrite_one(batch, spans[index], converter) {
                Ok(span) => {
                    self.spans[index] = span;
                    return Ok(());
                }
                Err(error) => failure = (failure.0, failure.1, error),
            }
        }
    }
}

/// The runs of `0..count` between the `skipped` indexes.
fn runs_without(count: u32, skipped: &[u32]) -> Vec<Range<u32>> {
    let mut runs = Vec::with_capacity(skipped.len() + 1);
    let mut from = 0;
    for index in skipped {
        if *index > from {
            runs.push(from..*index);
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
    (0..batch.values.len())
        .map(|index| materialize_one(batch, index))
        .collect()
}

/// The full record that record `index` of a slice batch stands for.
pub(in crate::task) fn materialize_one(batch: &SliceBatch, index: usize) -> SourceRecord {
    let data = |span: Option<&Span>| {
        span.and_then(|span| span.of(&batch.buffer))
            .map_or(SchemaAndValue::NULL, |bytes| SchemaAndValue {
                schema: batch.value_schema.clone(),
                value: slice_value(batch.form, bytes),
            })
    };
    let offset = || {
        let position = batch.positions.get(index).copied().unwrap_or(0);
        let position = batch.base_position + i64::from(position);
        let mut map = crate::api::SourceMap::new();
        map.insert(batch.position_field.to_string(), position.into());
        Rc::new(map)
    };
    SourceRecord {
        record: ConnectRecord {
            topic: Rc::clone(&batch.topic),
            kafka_partition: batch.kafka_partition,
            key: data(batch.keys.as_ref().and_then(|keys| keys.get(index))),
            value: data(batch.values.get(index)),
            timestamp: batch.timestamp,
            headers: Vec::new(),
        },
        source_partition: batch.source_partition.as_ref().map(Rc::clone),
        source_offset: batch.source_partition.as_ref().map(|_| offset()),
    }
}
