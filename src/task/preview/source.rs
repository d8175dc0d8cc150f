//! A source task that is polled and whose records go nowhere.

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::trace::{Fate, Origin, Produced, Trace, Traced};
use super::{Failed, no_retries};
use crate::api::{
    ConfigMap, ConnectError, SliceForm, SourceBatch, SourceRecord, SourceTask, SourceTaskContext,
};
use crate::shard;
use crate::storage::ConnectorOffsetStore;
use crate::task::conversion::{SourceConversion, materialize};
use crate::task::errors::ErrorHandler;
use crate::task::plan::Plan;
use crate::task::source::{ConnectorOffsets, records_of};

/// Wait after a retriable error of `poll`, and after an empty batch.
const POLL_RETRY: Duration = Duration::from_millis(100);

/// Which roads records take, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roads {
    /// What the task hands over.
    pub form: &'static str,
    /// Roads of keys and values.
    pub plan: Plan,
}

/// A running task.
pub struct SourcePreview {
    task: Box<dyn SourceTask>,
    /// Through probes.
    conversion: SourceConversion,
    /// The same without probes, which plans.
    planned: SourceConversion,
    traced: Rc<Traced>,
    errors: ErrorHandler,
    pending: VecDeque<SourceRecord>,
    roads: Option<Roads>,
    buffer: Vec<u8>,
}

impl std::fmt::Debug for SourcePreview {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourcePreview").finish_non_exhaustive()
    }
}

impl SourcePreview {
    /// Will poll `task` and send its records through `conversion`, whose chain is watched by `traced`;
    /// `planned` is the same conversion without probes.
    pub fn new(
        task: Box<dyn SourceTask>,
        conversion: SourceConversion,
        traced: Rc<Traced>,
        planned: SourceConversion,
    ) -> Self {
        Self {
            task,
            conversion,
            planned,
            traced,
            errors: no_retries(),
            pending: VecDeque::new(),
            roads: None,
            buffer: Vec::new(),
        }
    }

    /// Starts the task, which finds the offsets of `offsets`.
    ///
    /// # Errors
    /// The task's own.
    pub async fn start(
        &mut self,
        connector: &str,
        offsets: ConnectorOffsetStore,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let connector: Rc<str> = connector.into();
        let context = SourceTaskContext {
            connector: Rc::clone(&connector),
            task: 0,
            offsets: Rc::new(ConnectorOffsets(offsets)),
            preview: true,
        };
        self.task.start(context, config).await
    }

    /// The roads, once there was a batch.
    pub fn roads(&self) -> Option<Roads> {
        self.roads
    }

    /// The transforms.
    pub fn traced(&self) -> &Traced {
        &self.traced
    }

    /// The next record's way; `None` when none came until `deadline`.
    ///
    /// # Errors
    /// The task's own; retriable ones are followed by another poll.
    pub async fn next(&mut self, deadline: Instant) -> Result<Option<Trace>, ConnectError> {
        while self.pending.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(polled) = shard::timeout(left, self.task.poll()).await else {
                return Ok(None);
            };
            match polled {
                Ok(batch) => self.take(batch)?,
                Err(error) if error.is_retriable() => {
                    tracing::warn!(%error, "the task could not poll; trying again");
                }
                Err(error) => return Err(error),
            }
            if self.pending.is_empty() {
                if left.is_zero() {
                    return Ok(None);
                }
                shard::sleep(POLL_RETRY.min(left)).await;
            }
        }
        let record = self.pending.pop_front();
        match record {
            Some(record) => Ok(Some(self.trace(record).await)),
            None => Ok(None),
        }
    }

    fn take(&mut self, batch: SourceBatch) -> Result<(), ConnectError> {
        if batch.is_empty() {
            return Ok(());
        }
        let roads = self.roads_of(&batch);
        self.roads.get_or_insert(roads);
        match batch {
            SourceBatch::Slices(batch) => self.pending.extend(materialize(&batch)),
            SourceBatch::Records(records) => self.pending.extend(records),
            SourceBatch::Batches(batches) => self.pending.extend(records_of(&batches)?),
        }
        Ok(())
    }

    fn roads_of(&self, batch: &SourceBatch) -> Roads {
        let (form, plan) = match batch {
            SourceBatch::Slices(batch) if self.planned.takes_slices(batch) => {
                let form = match batch.form {
                    SliceForm::Text => "slices of text",
                    SliceForm::Bytes => "slices of bytes",
                };
                (form, self.planned.plan(batch.form))
            }
            SourceBatch::Slices(_) => ("slices, made into records", self.planned.plan_records()),
            SourceBatch::Records(_) => ("records", self.planned.plan_records()),
            SourceBatch::Batches(_) => ("record batches", self.planned.plan_batches()),
        };
        Roads { form, plan }
    }

    async fn trace(&mut self, source: SourceRecord) -> Trace {
        self.buffer.clear();
        let encoded = self
            .conversion
            .encode_with_retries(0, &source, &mut self.buffer, &mut self.errors)
            .await;
        let (entered, steps) = self.traced.take();
        let alias = self.traced.next_alias(steps.len());
        let fate = match encoded {
            Ok(Some(encoded)) => Fate::Written(Produced::of(encoded, &self.buffer)),
            Ok(None) => Fate::Filtered {
                alias: alias.unwrap_or_else(|| "".into()),
            },
            Err(failed) => Fate::Failed {
                failed: Failed::from(failed),
                alias,
            },
        };
        Trace {
            origin: Origin::Polled {
                partition: source.source_partition,
                offset: source.source_offset,
            },
            entered: entered.or(Some(source.record)),
            steps,
            fate,
        }
    }

    /// Stops the task.
    pub async fn stop(&mut self) {
        self.task.stop().await;
    }
}
