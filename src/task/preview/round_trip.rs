//! There and back: consumed bytes to records, through the transforms, and to bytes again.

use super::{Failed, no_retries};
use crate::api::{ConnectError, ConnectRecord, SinkForm, SourceRecord};
use crate::clients::FetchedRecords;
use crate::record::RecordRef;
use crate::task::conversion::{Converters, Encoded, SinkConversion, SourceConversion};
use crate::task::errors::{ErrorHandler, Stage};
use crate::task::transformation_chain::TransformationChain;

/// A record that came through, as ranges into `bytes`.
#[derive(Debug)]
pub struct Written<'a> {
    /// Topic, partition, timestamp, and the ranges.
    pub record: Encoded,
    /// What the ranges index.
    pub bytes: &'a [u8],
}

/// Consumed records through a sink's converters and transforms, and back to bytes through the same
/// converters. `errors.tolerance` and `errors.retry.timeout` change nothing here: each record has one
/// fate.
#[derive(Debug)]
pub struct RoundTrip {
    there: SinkConversion,
    back: SourceConversion,
    errors: ErrorHandler,
    buffer: Vec<u8>,
}

impl RoundTrip {
    /// Through these; `back` are converters of the same configuration as `there`.
    pub fn new(there: Converters, chain: TransformationChain, back: Converters) -> Self {
        Self {
            there: SinkConversion::new(there, chain, SinkForm::Values),
            back: SourceConversion::new(back, TransformationChain::default()),
            errors: no_retries(),
            buffer: Vec::new(),
        }
    }

    /// Sends one record through: read in the order key, value, headers; transforms; written in the order
    /// headers, key, value. `None` when a transform dropped it.
    ///
    /// # Errors
    /// The first step that failed.
    pub async fn run(
        &mut self,
        fetched: &FetchedRecords,
        record: &RecordRef,
    ) -> Result<Option<Written<'_>>, Failed> {
        match self.read(fetched, record).await? {
            Some(record) => self.write(record).await.map(Some),
            None => Ok(None),
        }
    }

    /// The first half of [`Self::run`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn read(
        &mut self,
        fetched: &FetchedRecords,
        record: &RecordRef,
    ) -> Result<Option<ConnectRecord>, Failed> {
        let read = self
            .there
            .build_with_retries(fetched, record, &mut self.errors)
            .await?;
        Ok(read)
    }

    /// The second half of [`Self::run`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn write(&mut self, record: ConnectRecord) -> Result<Written<'_>, Failed> {
        self.buffer.clear();
        let record = SourceRecord {
            record,
            source_partition: None,
            source_offset: None,
        };
        let encoded = self
            .back
            .encode_with_retries(0, &record, &mut self.buffer, &mut self.errors)
            .await?;
        let record = encoded.ok_or_else(|| Failed {
            stage: Stage::Transformation,
            plugin: "",
            error: ConnectError::connect("an empty chain of transforms dropped a record"),
        })?;
        Ok(Written {
            record,
            bytes: &self.buffer,
        })
    }
}
