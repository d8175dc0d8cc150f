//! Records that the producer refuses, at once or later, and dead letters of a source.

use super::{Kept, Runner, batches, send_failed};
use crate::api::{ConnectError, SourceRecord};
use crate::clients::{Ack, ClientError, RecordToken};
use crate::task::conversion::materialize_one;
use crate::task::errors::{Origin, SourceOrigin, Stage};

/// What Kafka names as the failing class.
const CLASS: &str = "org.apache.kafka.connect.runtime.WorkerSourceTask";
/// What a task fails with when Kafka does not take a record.
const SEND_FAILED: &str = "Unrecoverable exception from producer send callback";

impl Runner {
    /// The producer did not take a record: done with where that is tolerated.
    pub(super) async fn refused(
        &mut self,
        token: RecordToken,
        error: ClientError,
    ) -> Result<(), ConnectError> {
        if !matches!(error, ClientError::RecordTooLarge { .. }) {
            return Err(send_failed(error));
        }
        self.report_refused(token, &error).await?;
        if self.parts.task.wants_commit_record()
            && let Some(record) = self.record(token)
        {
            self.committed_record(&record, None);
        }
        if !self.parts.errors.has_dead_letters() {
            self.submitted.acknowledge(token.batch, token.index, 1);
            self.forget(token.batch);
        }
        Ok(())
    }

    /// Records were given up by the producer after it had taken them: done with where that is tolerated.
    pub(super) async fn refused_later(
        &mut self,
        ack: &Ack,
        error: &ClientError,
    ) -> Result<(), ConnectError> {
        for index in ack.first..ack.first.saturating_add(ack.count) {
            let token = RecordToken {
                batch: ack.batch,
                index,
            };
            self.report_refused(token, error).await?;
        }
        if !self.parts.errors.has_dead_letters() {
            self.submitted.acknowledge(ack.batch, ack.first, ack.count);
        }
        self.report_committed(ack);
        Ok(())
    }

    /// Reports a refused record. Without tolerance Kafka reports nothing; here a dead letter queue gets
    /// the record in any case.
    async fn report_refused(
        &mut self,
        token: RecordToken,
        error: &ClientError,
    ) -> Result<(), ConnectError> {
        let failed = |cause: ConnectError| ConnectError::connect(SEND_FAILED).with_source(cause);
        let cause = || ConnectError::connect(error.to_string()).with_class(exception_class(error));
        let errors = &self.parts.errors;
        if !errors.tolerates() && !errors.has_dead_letters() {
            let place = self.place(token);
            let text = format!("{error} ({place})");
            return Err(failed(
                ConnectError::connect(text).with_class(exception_class(error)),
            ));
        }
        let record = self.record(token);
        let place = match record {
            Some(_) => String::new(),
            None => self.place(token),
        };
        let origin = match &record {
            Some(record) => Origin::Source(SourceOrigin {
                record,
                converters: Some(self.parts.conversion.converters()),
                token: Some(token),
            }),
            None => Origin::Gone(&place),
        };
        let failure = (Stage::KafkaProduce, CLASS, cause());
        let reported = self
            .parts
            .errors
            .execute_failed(failure, origin, false)
            .await;
        reported.map_err(failed)
    }

    /// The record that was submitted under a token, if it was kept.
    fn record(&self, token: RecordToken) -> Option<SourceRecord> {
        let index = token.index as usize;
        match self.kept.get(&token.batch)? {
            Kept::Records(records) => records.get(index).cloned(),
            Kept::Slices(batch) => Some(materialize_one(batch, index)),
            Kept::Whole(all, batch) => batches::record_of(all, batch, index),
        }
    }

    /// Where the record of a token came from, as far as it is known.
    fn place(&self, token: RecordToken) -> String {
        let RecordToken { batch, index } = token;
        match self.submitted.positions(batch, index, index) {
            Some((partition, at, _)) => format!(
                "source partition {}, source position {at}",
                serde_json::to_string(partition).unwrap_or_default()
            ),
            None => format!("record {index} of a batch"),
        }
    }

    /// Source offsets wait no longer for dead letters that are settled.
    pub(super) fn settle_dead_letters(&mut self) -> Result<(), ConnectError> {
        self.parts.errors.settle()?;
        for token in self.parts.errors.take_settled() {
            self.submitted.acknowledge(token.batch, token.index, 1);
            self.forget(token.batch);
        }
        Ok(())
    }
}

/// Kafka's exception for a refusal.
fn exception_class(error: &ClientError) -> &'static str {
    match error {
        ClientError::RecordTooLarge { .. } => {
            "org.apache.kafka.common.errors.RecordTooLargeException"
        }
        ClientError::Api { name, .. } => match *name {
            "MESSAGE_TOO_LARGE" => "org.apache.kafka.common.errors.RecordTooLargeException",
            "TOPIC_AUTHORIZATION_FAILED" => {
                "org.apache.kafka.common.errors.TopicAuthorizationException"
            }
            "INVALID_RECORD" => "org.apache.kafka.common.InvalidRecordException",
            "INVALID_TIMESTAMP" => "org.apache.kafka.common.errors.InvalidTimestampException",
            "UNKNOWN_TOPIC_OR_PARTITION" => {
                "org.apache.kafka.common.errors.UnknownTopicOrPartitionException"
            }
            _ => "org.apache.kafka.common.KafkaException",
        },
        ClientError::Timeout { .. } => "org.apache.kafka.common.errors.TimeoutException",
        ClientError::Authentication { .. } => {
            "org.apache.kafka.common.errors.AuthenticationException"
        }
        ClientError::Disconnected { .. } => "org.apache.kafka.common.errors.DisconnectException",
        _ => "org.apache.kafka.common.KafkaException",
    }
}
