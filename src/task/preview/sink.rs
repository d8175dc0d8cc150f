//! Topics that are read without a group, and whose records go nowhere.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::trace::{Consumed, Fate, Origin, Trace, Traced};
use super::{Failed, no_retries};
use crate::api::data::text;
use crate::api::{SinkForm, TopicPartition};
use crate::clients::{ClientError, Consumer, FetchedRecords, Polled};
use crate::record::{RecordRef, headers};
use crate::task::conversion::SinkConversion;
use crate::task::errors::ErrorHandler;
use crate::task::plan::Plan;

/// Offsets to read: from the first to before the second; without an end, what is still to come as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first record.
    pub from: i64,
    /// Offset after the last one.
    pub to: Option<i64>,
}

/// A consumer of some partitions.
pub struct SinkPreview {
    consumer: Rc<dyn Consumer>,
    /// Through probes.
    conversion: SinkConversion,
    traced: Rc<Traced>,
    plan: Plan,
    form: SinkForm,
    errors: ErrorHandler,
    /// Where each partition that is not read to its end yet ends.
    ends: BTreeMap<TopicPartition, Option<i64>>,
    pending: VecDeque<FetchedRecords>,
    /// The next record of the first of `pending`.
    next: usize,
}

impl std::fmt::Debug for SinkPreview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SinkPreview").finish_non_exhaustive()
    }
}

impl SinkPreview {
    /// Will read the partitions by `consumer` and send records through `conversion`, whose chain is
    /// watched by `traced`. `plan` is that of the sink, which wants `form`.
    pub fn new(
        consumer: Rc<dyn Consumer>,
        conversion: SinkConversion,
        traced: Rc<Traced>,
        plan: Plan,
        form: SinkForm,
    ) -> Self {
        Self {
            consumer,
            conversion,
            traced,
            plan,
            form,
            errors: no_retries(),
            ends: BTreeMap::new(),
            pending: VecDeque::new(),
            next: 0,
        }
    }

    /// Takes the partitions, without a group.
    pub fn assign(&mut self, partitions: Vec<(TopicPartition, Span)>) {
        let wanted: Vec<_> = partitions
            .into_iter()
            .filter(|(_, span)| span.to.is_none_or(|to| to > span.from))
            .collect();
        let names = wanted.iter().map(|(at, _)| at.clone()).collect();
        self.consumer.assign(names);
        for (at, span) in wanted {
            self.consumer.seek(&at, span.from);
            self.ends.insert(at, span.to);
        }
    }

    /// The roads.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// What the sink wants.
    pub fn form(&self) -> &'static str {
        match self.form {
            SinkForm::Text => "the text of values",
            SinkForm::Nothing => "nothing but counts",
            SinkForm::Values => "records",
        }
    }

    /// The transforms.
    pub fn traced(&self) -> &Traced {
        &self.traced
    }

    /// The next record's way; `None` when all partitions are read to their ends, or none came until
    /// `deadline`.
    ///
    /// # Errors
    /// The consumer's.
    pub async fn next(&mut self, deadline: Instant) -> Result<Option<Trace>, ClientError> {
        loop {
            if let Some(record) = self.next_record() {
                return Ok(self.trace(record).await);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.ends.is_empty() || left.is_zero() {
                return Ok(None);
            }
            if let Polled::Records(all) = self.consumer.poll(left).await? {
                self.pending.extend(all);
            }
        }
    }

    /// The next record within the spans.
    fn next_record(&mut self) -> Option<RecordRef> {
        while let Some(fetched) = self.pending.front() {
            let wanted = self.ends.get(&fetched.source).copied();
            let end = wanted.map(|end| end.unwrap_or(i64::MAX));
            let found = fetched.records.get(self.next).copied();
            self.next += 1;
            match (found, end) {
                (Some(record), Some(end)) if record.offset < end => return Some(record),
                (Some(_), _) => {}
                (None, end) => {
                    if end.is_some_and(|end| fetched.next_offset >= end) {
                        let done = fetched.source.clone();
                        self.ends.remove(&done);
                        self.consumer.pause(&[done]);
                    }
                    self.pending.pop_front();
                    self.next = 0;
                }
            }
        }
        None
    }

    /// The way of a record of the first of `pending`.
    async fn trace(&mut self, record: RecordRef) -> Option<Trace> {
        let fetched = self.pending.front()?;
        let built = self
            .conversion
            .build_with_retries(fetched, &record, &mut self.errors)
            .await;
        let (entered, steps) = self.traced.take();
        let alias = self.traced.next_alias(steps.len());
        let fate = match built {
            Ok(Some(record)) => {
                let text =
                    (self.form == SinkForm::Text && !record.value.value.is_null()).then(|| {
                        let mut out = Vec::new();
                        text::append(&record.value.value, &mut out);
                        out
                    });
                Fate::Delivered {
                    record: Box::new(record),
                    text,
                }
            }
            Ok(None) => Fate::Filtered {
                alias: alias.unwrap_or_else(|| "".into()),
            },
            Err(failed) => {
                let alias = entered.is_some().then_some(alias).flatten();
                Fate::Failed {
                    failed: Failed::from(failed),
                    alias,
                }
            }
        };
        Some(Trace {
            origin: Origin::Consumed(consumed(fetched, &record)),
            entered,
            steps,
            fate,
        })
    }

    /// Closes the consumer within `limit`.
    pub async fn stop(&self, limit: Duration) {
        self.consumer.close(limit).await;
    }
}

fn consumed(fetched: &FetchedRecords, record: &RecordRef) -> Consumed {
    let owned = |span: crate::api::Span| span.of(&fetched.buffer).map(<[u8]>::to_vec);
    let headers = headers(&fetched.buffer, record.headers, record.header_count);
    Consumed {
        at: fetched.source.clone(),
        offset: record.offset,
        timestamp: record.timestamp,
        key: owned(record.key),
        value: owned(record.value),
        // Headers that can't be read fail the record, which says why.
        headers: headers
            .map_while(Result::ok)
            .map(|header| {
                let name = String::from_utf8_lossy(header.key).into_owned();
                (name, header.value.map(<[u8]>::to_vec))
            })
            .collect(),
    }
}
