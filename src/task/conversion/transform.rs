//! Sink records through transforms without values: on a tape, or beside values that nobody looks into.
//!
//! Whatever is odd about a record (a key, header or value that cannot be read, an operation that the
//! tape leaves to others) sends that record down the struct road, which has its value or its error.

use std::rc::Rc;

use super::sink::SinkConversion;
use crate::api::data::text;
use crate::api::{ConnectError, ConnectRecord, SinkBatch, SinkForm, SliceColumn, SliceForm, Span};
use crate::clients::FetchedRecords;
use crate::metrics::TaskMetrics;
use crate::record::RecordRef;
use crate::shard::{PooledVec, take_vec};
use crate::task::errors::{ErrorHandler, Origin};
use crate::task::plan::Road;
use crate::task::tape::{Incoming, Odd, Passed, RawHeaders, Tape};

/// The records that were let through.
struct Columns {
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
    spans: Vec<Span>,
    routed: Option<Vec<(Rc<str>, Option<i32>)>>,
    out: PooledVec,
}

impl Columns {
    /// Takes a record in whose text, if it has any, has been appended to `out` from `start` on.
    #[inline]
    fn push(
        &mut self,
        fetched: &FetchedRecords,
        record: &RecordRef,
        start: usize,
        (topic, span): (Rc<str>, Span),
    ) {
        if self.out.len() > start {
            // As `Converter::read_texts` has it: sinks of lines take many at once.
            self.out.push(b'\n');
        }
        self.offsets.push(record.offset);
        self.timestamps.push(record.timestamp.max(-1));
        self.spans.push(span);
        if let Some(routed) = &mut self.routed {
            routed.push((topic, Some(fetched.source.partition)));
        }
    }
}

impl SinkConversion {
    /// Converts the records of one partition and applies the transforms.
    pub(super) async fn transform(
        &mut self,
        fetched: FetchedRecords,
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> Result<SinkBatch, ConnectError> {
        // It is gone only when a conversion was given up half-way.
        let Some(mut tape) = self.tape.take() else {
            return self.build_records(fetched, errors, metrics).await;
        };
        let count = fetched.records.len();
        let is_slice = self.plan.value == Road::Slice;
        let has_out = self.form == SinkForm::Text && !is_slice;
        let mut columns = Columns {
            offsets: Vec::with_capacity(count),
            timestamps: Vec::with_capacity(count),
            spans: Vec::with_capacity(count),
            routed: tape.routes().then(|| Vec::with_capacity(count)),
            out: take_vec(if has_out {
                fetched.buffer.len().min(4 << 20)
            } else {
                0
            }),
        };
        let done = self
            .transform_all(&mut tape, &fetched, &mut columns, errors, metrics)
            .await;
        self.tape = Some(tape);
        done?;
        let values = match self.form {
            SinkForm::Nothing => SliceColumn::Omitted,
            _ => SliceColumn::Slices {
                form: SliceForm::Text,
                buffer: match is_slice {
                    true => fetched.buffer,
                    false => columns.out.into_bytes(),
                },
                spans: columns.spans,
            },
        };
        Ok(SinkBatch {
            source: fetched.source,
            offsets: columns.offsets,
            timestamps: columns.timestamps,
            log_append_time: fetched.log_append_time,
            keys: SliceColumn::Omitted,
            values,
            headers: Vec::new(),
            routed: columns.routed,
            next_offset: fetched.next_offset,
            originals: None,
        })
    }

    async fn transform_all(
        &mut self,
        tape: &mut Tape,
        fetched: &FetchedRecords,
        columns: &mut Columns,
        errors: &mut ErrorHandler,
        metrics: &TaskMetrics,
    ) -> Result<(), ConnectError> {
        let mut next = 0;
        while let Some(odd) = self.transform_run(tape, fetched, next, columns, metrics) {
            let record = &fetched.records[odd];
            let start = columns.out.len();
            match self.build_with_retries(fetched, record, errors).await {
                Ok(built) => match self.keep_built(built, record, columns)? {
                    Some(passed) => columns.push(fetched, record, start, passed),
                    None => metrics.add_filtered(1),
                },
                Err(failure) => {
                    errors
                        .failed(failure, Origin::Consumed { fetched, record })
                        .await?;
                }
            }
            next = odd + 1;
        }
        Ok(())
    }

    /// Transforms records `from..` up to the first odd one; gives its index.
    fn transform_run(
        &mut self,
        tape: &mut Tape,
        fetched: &FetchedRecords,
        from: usize,
        columns: &mut Columns,
        metrics: &TaskMetrics,
    ) -> Option<usize> {
        let records = fetched.records.iter().enumerate().skip(from);
        let (mut dropped, mut odd) = (0, None);
        for (index, record) in records {
            let start = columns.out.len();
            match self.transform_one(tape, fetched, record, columns) {
                Ok(Some(passed)) => columns.push(fetched, record, start, passed),
                Ok(None) => {
                    columns.out.truncate(start);
                    dropped += 1;
                }
                Err(Odd) => {
                    columns.out.truncate(start);
                    odd = Some(index);
                    break;
                }
            }
        }
        metrics.add_filtered(dropped);
        odd
    }

    /// Topic and value of a record after its transforms; `None` when it was dropped.
    #[inline]
    fn transform_one(
        &mut self,
        tape: &mut Tape,
        fetched: &FetchedRecords,
        record: &RecordRef,
        columns: &mut Columns,
    ) -> Result<Option<(Rc<str>, Span)>, Odd> {
        let FetchedRecords { source, buffer, .. } = fetched;
        let checks_key = !record.key.is_null() && self.plan.key != Road::Slice;
        self.check_key(&source.topic, record, buffer, checks_key)
            .map_err(|_| Odd)?;
        let incoming = Incoming {
            topic: &source.topic,
            partition: source.partition,
            offset: record.offset,
            timestamp: (record.timestamp >= 0).then_some(record.timestamp),
            headers: RawHeaders {
                buffer,
                span: record.headers,
                count: record.header_count,
            },
        };
        let unseen = match self.plan.value {
            Road::Tape => tape.drops_unseen(&incoming)?,
            _ => None,
        };
        let knows_headers = unseen.is_some_and(|unseen| unseen.knows_headers);
        if record.header_count > 0 && !(knows_headers && self.converters.header.reads_anything()) {
            self.check_headers(&source.topic, record, buffer)
                .map_err(|_| Odd)?;
        }
        let start = columns.out.len();
        let routed = |passed: Option<Passed>, span| passed.map(|passed| (passed.topic, span));
        match self.plan.value {
            Road::Tape => {
                let value = record.value.of(buffer);
                if unseen.is_some() && value.is_none_or(|value| tape.is_surely_json(value)) {
                    return Ok(None);
                }
                let out = (self.form == SinkForm::Text).then_some(&mut *columns.out);
                let passed = tape.run(value, incoming, out)?;
                let span = match &passed {
                    Some(passed) if !passed.is_null => {
                        Span::between(start, columns.out.len()).map_err(|_| Odd)?
                    }
                    _ => Span::NULL,
                };
                Ok(routed(passed, span))
            }
            Road::Slice => {
                let passed = tape.route(record.value.is_null(), incoming)?;
                Ok(routed(passed, record.value))
            }
            Road::PassThrough | Road::Rewrite | Road::Struct => {
                let span = self
                    .read_text(&source.topic, record, buffer, &mut columns.out)
                    .map_err(|_| Odd)?;
                let passed = tape.route(record.value.is_null(), incoming)?;
                Ok(routed(passed, span))
            }
        }
    }

    /// What the struct road made of an odd record.
    fn keep_built(
        &self,
        built: Option<ConnectRecord>,
        record: &RecordRef,
        columns: &mut Columns,
    ) -> Result<Option<(Rc<str>, Span)>, ConnectError> {
        let Some(built) = built else {
            return Ok(None);
        };
        let span = match (self.plan.value, self.form) {
            // Nothing has changed it.
            (Road::Slice, _) => record.value,
            (_, SinkForm::Text) => {
                let start = columns.out.len();
                text::append(&built.value.value, &mut columns.out);
                Span::between(start, columns.out.len())?
            }
            _ => Span::NULL,
        };
        Ok(Some((built.topic, span)))
    }
}
