//! Sink side: bytes to records. Order as Kafka's: key, value, header, then transforms.

use std::rc::Rc;
use std::time::Duration;

use super::{Converters, LOOKUPS_MAX, TransformTime};
use crate::api::data::text;
use crate::api::{
    ConnectError, ConnectRecord, Header, RecordOrigin, SchemaAndValue, SinkBatch, SinkForm,
    SliceColumn, SliceForm, Span,
};
use crate::clients::FetchedRecords;
use crate::metrics::TaskMetrics;
use crate::record::{RecordRef, headers};
use crate::shard::{PooledVec, take_vec};
use crate::task::errors::{ErrorHandler, Failure, Origin, Retry, Stage};
use crate::task::plan::{Plan, Road, Transforms};
use crate::task::tape::Tape;
use crate::task::transformation_chain::TransformationChain;

/// Converts what a consumer fetched into what a sink task wants.
#[derive(Debug)]
pub struct SinkConversion {
    pub(super) converters: Converters,
    chain: TransformationChain,
    transform_time: TransformTime,
    /// What the chain was compiled to; `None` also while it runs.
    pub(super) tape: Option<Box<Tape>>,
    pub(super) form: SinkForm,
    pub(super) plan: Plan,
    scratch: Vec<u8>,
}

impl SinkConversion {
    /// Plans the roads for a task that wants `form`.
    pub fn new(converters: Converters, mut chain: TransformationChain, form: SinkForm) -> Self {
        let plan = Plan::sink(form, &*converters.key, &*converters.value, chain.needs());
        Self {
            converters,
            tape: chain.take_tape(),
            chain,
            transform_time: TransformTime::default(),
            form,
            plan,
            scratch: Vec::new(),
        }
    }

    /// About how long the transforms took since the last call, where they are told apart from the rest.
    pub fn take_transform_time(&mut self) -> Duration {
        self.transform_time.take()
    }

    /// The roads.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// Converts the records of one partition.
    ///
    /// # Errors
    /// A record failed and is not tolerated.
    pub async fn convert(
        &mut self,
        fetched: FetchedRecords,
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> Result<SinkBatch, ConnectError> {
        let survey = Survey::of(&fetched);
        metrics.add_bytes(survey.bytes);
        match self.plan.transforms {
            Transforms::None if self.form != SinkForm::Values => {}
            Transforms::None | Transforms::Struct => {
                return self.build_records(fetched, errors, metrics).await;
            }
            Transforms::Beside | Transforms::Tape => {
                return self.transform(fetched, errors, metrics).await;
            }
        }
        let reads_any_header = self.converters.header.reads_anything();
        let needs_a_look = |record: &RecordRef| {
            record.header_count > 0 && !(reads_any_header && well_formed(record, &fetched.buffer))
        };
        let has_headers = survey.headers && fetched.records.iter().any(needs_a_look);
        let checks = (self.plan.key != Road::Slice && survey.keys) || has_headers;
        if self.plan.value == Road::Slice && !checks {
            return Ok(self.pass_slices(fetched));
        }
        self.read_texts(fetched, checks, errors).await
    }

    /// The slice road: nothing is looked at.
    fn pass_slices(&self, fetched: FetchedRecords) -> SinkBatch {
        let count = fetched.records.len();
        let mut offsets = Vec::with_capacity(count);
        let mut timestamps = Vec::with_capacity(count);
        let mut spans = Vec::with_capacity(count);
        // One pass: the records of an answer take half as much memory as their bytes.
        for record in &fetched.records {
            offsets.push(record.offset);
            timestamps.push(record.timestamp);
            spans.push(record.value);
        }
        let values = match self.form {
            SinkForm::Nothing => SliceColumn::Omitted,
            _ => SliceColumn::Slices {
                form: SliceForm::Text,
                buffer: fetched.buffer,
                spans,
            },
        };
        SinkBatch {
            source: fetched.source,
            offsets,
            timestamps,
            log_append_time: fetched.log_append_time,
            keys: SliceColumn::Omitted,
            values,
            headers: Vec::new(),
            routed: None,
            next_offset: fetched.next_offset,
            originals: None,
        }
    }

    /// The rewrite road (or the struct road, where a converter has no other): values as text in a new
    /// buffer; keys and headers are converted only to see whether they can be.
    async fn read_texts(
        &mut self,
        fetched: FetchedRecords,
        checks: bool,
        errors: &mut ErrorHandler,
    ) -> Result<SinkBatch, ConnectError> {
        let mut texts = Texts::with_capacity(&fetched);
        let mut next = 0;
        while let Some((failed, failure)) = self.read_run(&fetched, next, checks, &mut texts) {
            let record = &fetched.records[failed];
            self.read_again(&fetched, record, checks, failure, &mut texts, errors)
                .await?;
            next = failed + 1;
        }
        let values = match self.form {
            SinkForm::Nothing => SliceColumn::Omitted,
            _ => SliceColumn::Slices {
                form: SliceForm::Text,
                buffer: texts.out.into_bytes(),
                spans: texts.spans,
            },
        };
        Ok(SinkBatch {
            source: fetched.source,
            offsets: texts.offsets,
            timestamps: texts.timestamps,
            log_append_time: fetched.log_append_time,
            keys: SliceColumn::Omitted,
            values,
            headers: Vec::new(),
            routed: None,
            next_offset: fetched.next_offset,
            originals: None,
        })
    }

    /// Reads records `from..` up to the first that fails; gives its index.
    fn read_run(
        &mut self,
        fetched: &FetchedRecords,
        from: usize,
        checks: bool,
        texts: &mut Texts,
    ) -> Option<(usize, Failure)> {
        if !checks && self.plan.value == Road::Rewrite {
            return self.read_values(fetched, from, texts);
        }
        let records = fetched.records.iter().enumerate().skip(from);
        for (index, record) in records {
            if let Err(failure) = self.read_one(fetched, record, checks, texts) {
                return Some((index, failure));
            }
        }
        None
    }

    /// As [`Self::read_run`], when nothing but values is to be looked at.
    fn read_values(
        &mut self,
        fetched: &FetchedRecords,
        from: usize,
        texts: &mut Texts,
    ) -> Option<(usize, Failure)> {
        let records = fetched.records.get(from..).unwrap_or_default();
        let values: Vec<Span> = records.iter().map(|record| record.value).collect();
        let before = texts.spans.len();
        let converter = &mut self.converters.value;
        let read = converter.read_texts(
            &fetched.source.topic,
            &fetched.buffer,
            &values,
            &mut texts.out,
            &mut texts.spans,
        );
        let done = texts.spans.len() - before;
        for record in records.iter().take(done) {
            texts.offsets.push(record.offset);
            texts.timestamps.push(record.timestamp);
        }
        let error = read.err()?;
        let failure = (Stage::ValueConverter, converter.class_name(), error);
        Some((from + done, failure))
    }

    #[inline]
    fn read_one(
        &mut self,
        fetched: &FetchedRecords,
        record: &RecordRef,
        checks: bool,
        texts: &mut Texts,
    ) -> Result<(), Failure> {
        let topic = &fetched.source.topic;
        let start = texts.out.len();
        let read = self
            .check_key(topic, record, &fetched.buffer, checks)
            .and_then(|()| self.read_text(topic, record, &fetched.buffer, &mut texts.out))
            .and_then(|span| {
                self.check_headers(topic, record, &fetched.buffer)?;
                Ok(span)
            });
        match read {
            Ok(span) => {
                texts.spans.push(span);
                texts.offsets.push(record.offset);
                texts.timestamps.push(record.timestamp);
                Ok(())
            }
            Err(failure) => {
                texts.out.truncate(start);
                Err(failure)
            }
        }
    }

    /// What is left of a record whose text could not be read at once.
    async fn read_again(
        &mut self,
        fetched: &FetchedRecords,
        record: &RecordRef,
        checks: bool,
        failure: Failure,
        texts: &mut Texts,
        errors: &mut ErrorHandler,
    ) -> Result<(), ConnectError> {
        let read = |conversion: &mut Self| conversion.read_one(fetched, record, checks, texts);
        match self.try_again(failure, errors, read).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                let origin = Origin::Consumed { fetched, record };
                errors.failed(failure, origin).await
            }
        }
    }

    /// The slow way of a record that failed once: does the look-ups that its converters ask for, and
    /// `attempt` after each and wherever trying again may help. `None` when a stop came between two tries.
    async fn try_again<T>(
        &mut self,
        failure: Failure,
        errors: &mut ErrorHandler,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<Option<T>, Failure> {
        let (mut retries, mut failure) = (None, failure);
        loop {
            let mut lookups = 0;
            while failure.2.is_pending() && lookups < LOOKUPS_MAX {
                lookups += 1;
                self.converters.resolve(failure.0).await;
                failure = match attempt(self) {
                    Ok(done) => return Ok(Some(done)),
                    Err(failure) => failure,
                };
            }
            match errors.retry(&mut retries, &failure).await {
                Retry::Again => {}
                Retry::Stopped => return Ok(None),
                Retry::GiveUp => return Err(failure),
            }
            failure = match attempt(self) {
                Ok(done) => return Ok(Some(done)),
                Err(failure) => failure,
            };
        }
    }

    pub(super) fn check_key(
        &mut self,
        topic: &str,
        record: &RecordRef,
        buffer: &[u8],
        checks: bool,
    ) -> Result<(), Failure> {
        if !checks {
            return Ok(());
        }
        let converter = &mut self.converters.key;
        let bytes = record.key.of(buffer);
        let checked = match (self.plan.key, bytes) {
            (Road::Slice, _) => Ok(()),
            (Road::Rewrite, Some(bytes)) => {
                self.scratch.clear();
                converter.read_text(topic, bytes, &mut self.scratch)
            }
            (_, bytes) => converter.read(topic, bytes).map(|_| ()),
        };
        checked.map_err(|error| (Stage::KeyConverter, converter.class_name(), error))
    }

    pub(super) fn check_headers(
        &mut self,
        topic: &str,
        record: &RecordRef,
        buffer: &[u8],
    ) -> Result<(), Failure> {
        let reads_any = self.converters.header.reads_anything();
        if record.header_count == 0 || (reads_any && well_formed(record, buffer)) {
            return Ok(());
        }
        self.read_headers(topic, record, buffer).map(|_| ())
    }

    pub(super) fn read_text(
        &mut self,
        topic: &str,
        record: &RecordRef,
        buffer: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Span, Failure> {
        let converter = &mut self.converters.value;
        let start = out.len();
        let bytes = record.value.of(buffer);
        let read = match (self.plan.value, bytes) {
            (Road::PassThrough | Road::Slice, Some(bytes)) => {
                out.extend_from_slice(bytes);
                Ok(())
            }
            (Road::Rewrite, Some(bytes)) => converter.read_text(topic, bytes, out),
            (Road::PassThrough | Road::Slice | Road::Rewrite, None) => return Ok(Span::NULL),
            (Road::Tape | Road::Struct, bytes) => converter
                .read(topic, bytes)
                .map(|read| text::append(&read.value, out)),
        };
        read.and_then(|()| Span::between(start, out.len()))
            .map_err(|error| (Stage::ValueConverter, converter.class_name(), error))
    }

    fn read_headers(
        &mut self,
        topic: &str,
        record: &RecordRef,
        buffer: &[u8],
    ) -> Result<Vec<Header>, Failure> {
        let converter = &mut self.converters.header;
        let class = converter.class_name();
        let mut read = Vec::with_capacity(record.header_count as usize);
        for header in headers(buffer, record.headers, record.header_count) {
            let value = header
                .map_err(|error| ConnectError::data("malformed record headers").with_source(error))
                .and_then(|header| {
                    let key = String::from_utf8_lossy(header.key).into_owned();
                    let value = converter.read_header(topic, &key, header.value)?;
                    Ok(Header { key, value })
                })
                .map_err(|error| (Stage::HeaderConverter, class, error))?;
            read.push(value);
        }
        Ok(read)
    }

    /// The struct road.
    pub(super) async fn build_records(
        &mut self,
        fetched: FetchedRecords,
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> Result<SinkBatch, ConnectError> {
        let mut built = Built::new(&fetched, self.form);
        let count = fetched.records.len();
        for (index, record) in fetched.records.iter().enumerate() {
            TransformTime::before(&mut self.chain, index, count);
            match self.build_with_retries(&fetched, record, errors).await {
                Ok(Some(done)) => built.push(record, done)?,
                Ok(None) => metrics.add_filtered(1),
                Err(failure) => {
                    let origin = Origin::Consumed {
                        fetched: &fetched,
                        record,
                    };
                    errors.failed(failure, origin).await?;
                }
            }
        }
        self.transform_time.after(&mut self.chain, count);
        Ok(built.into_batch(fetched, !self.chain.is_empty()))
    }

    /// `None` when a transform dropped the record, or a stop came between two tries.
    pub(in crate::task) async fn build_with_retries(
        &mut self,
        fetched: &FetchedRecords,
        record: &RecordRef,
        errors: &mut ErrorHandler,
    ) -> Result<Option<ConnectRecord>, Failure> {
        match self.build_one(fetched, record) {
            Err(failure) => {
                let build = |conversion: &mut Self| conversion.build_one(fetched, record);
                let built = self.try_again(failure, errors, build).await?;
                Ok(built.flatten())
            }
            done => done,
        }
    }

    fn build_one(
        &mut self,
        fetched: &FetchedRecords,
        record: &RecordRef,
    ) -> Result<Option<ConnectRecord>, Failure> {
        let topic = &fetched.source.topic;
        let key = self
            .converters
            .key
            .read(topic, record.key.of(&fetched.buffer));
        let key = key.map_err(|e| (Stage::KeyConverter, self.converters.key.class_name(), e))?;
        let value = self
            .converters
            .value
            .read(topic, record.value.of(&fetched.buffer));
        let value =
            value.map_err(|e| (Stage::ValueConverter, self.converters.value.class_name(), e))?;
        let headers = self.read_headers(topic, record, &fetched.buffer)?;
        let built = ConnectRecord {
            topic: Rc::clone(topic),
            kafka_partition: Some(fetched.source.partition),
            key,
            value,
            timestamp: (record.timestamp >= 0).then_some(record.timestamp),
            headers,
        };
        let origin = RecordOrigin::Sink {
            topic,
            partition: fetched.source.partition,
            offset: record.offset,
            log_append_time: fetched.log_append_time,
        };
        self.chain
            .apply(built, origin)
            .map_err(|(class, error)| (Stage::Transformation, class, error))
    }
}

/// Columns of a batch being read on the rewrite road.
struct Texts {
    out: PooledVec,
    spans: Vec<Span>,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
}

impl Texts {
    fn with_capacity(fetched: &FetchedRecords) -> Self {
        let count = fetched.records.len();
        Self {
            out: take_vec(fetched.buffer.len().min(4 << 20)),
            spans: Vec::with_capacity(count),
            offsets: Vec::with_capacity(count),
            timestamps: Vec::with_capacity(count),
        }
    }
}

/// Columns of a batch being built on the struct road.
struct Built {
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    keys: Vec<SchemaAndValue>,
    values: BuiltValues,
    headers: Vec<Vec<Header>>,
    routed: Vec<(Rc<str>, Option<i32>)>,
}

/// Values of a batch being built, in the form that the task wants. A text is made at once, so that the
/// next record gets the memory of this one's value.
enum BuiltValues {
    Values(Vec<SchemaAndValue>),
    Texts(PooledVec, Vec<Span>),
    Omitted,
}

impl Built {
    fn new(fetched: &FetchedRecords, form: SinkForm) -> Self {
        let count = fetched.records.len();
        Self {
            offsets: Vec::with_capacity(count),
            timestamps: Vec::with_capacity(count),
            keys: Vec::new(),
            values: match form {
                SinkForm::Values => BuiltValues::Values(Vec::with_capacity(count)),
                SinkForm::Text => {
                    let out = take_vec(fetched.buffer.len().min(1 << 20));
                    BuiltValues::Texts(out, Vec::with_capacity(count))
                }
                SinkForm::Nothing => BuiltValues::Omitted,
            },
            headers: Vec::with_capacity(count),
            routed: Vec::with_capacity(count),
        }
    }

    fn push(&mut self, record: &RecordRef, done: ConnectRecord) -> Result<(), ConnectError> {
        match &mut self.values {
            BuiltValues::Values(values) => {
                values.push(done.value);
                self.keys.push(done.key);
            }
            BuiltValues::Texts(out, spans) => {
                let start = out.len();
                text::append(&done.value.value, out);
                spans.push(Span::between(start, out.len())?);
            }
            BuiltValues::Omitted => {}
        }
        self.offsets.push(record.offset);
        self.timestamps.push(done.timestamp.unwrap_or(-1));
        self.headers.push(done.headers);
        self.routed.push((done.topic, done.kafka_partition));
        Ok(())
    }

    fn into_batch(self, fetched: FetchedRecords, routed: bool) -> SinkBatch {
        let (keys, values) = match self.values {
            BuiltValues::Values(values) => {
                (SliceColumn::Values(self.keys), SliceColumn::Values(values))
            }
            BuiltValues::Texts(out, spans) => {
                let texts = SliceColumn::Slices {
                    form: SliceForm::Text,
                    buffer: out.into_bytes(),
                    spans,
                };
                (SliceColumn::Omitted, texts)
            }
            BuiltValues::Omitted => (SliceColumn::Omitted, SliceColumn::Omitted),
        };
        SinkBatch {
            source: fetched.source,
            offsets: self.offsets,
            timestamps: self.timestamps,
            log_append_time: fetched.log_append_time,
            keys,
            values,
            headers: self.headers,
            routed: routed.then_some(self.routed),
            next_offset: fetched.next_offset,
            originals: None,
        }
    }
}

/// What there is to do about the records of one partition, from one look at them.
#[derive(Default)]
struct Survey {
    /// Of keys and values.
    bytes: u64,
    /// Whether any record has a key.
    keys: bool,
    /// Whether any record has a header.
    headers: bool,
}

impl Survey {
    fn of(fetched: &FetchedRecords) -> Self {
        let len = |span: Span| {
            if span.is_null() {
                0
            } else {
                u64::from(span.len)
            }
        };
        fetched
            .records
            .iter()
            .fold(Self::default(), |sum, record| Self {
                bytes: sum.bytes + len(record.key) + len(record.value),
                keys: sum.keys | !record.key.is_null(),
                headers: sum.headers | (record.header_count > 0),
            })
    }
}

/// Whether the headers of a record can be told apart.
fn well_formed(record: &RecordRef, buffer: &[u8]) -> bool {
    headers(buffer, record.headers, record.header_count).all(|header| header.is_ok())
}
