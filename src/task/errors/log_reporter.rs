//! Failed records in the log (Kafka: `LogReporter`), so many lines a second.

use super::{ErrorPolicy, LogLimit, Origin, Stage};
use crate::api::ConnectError;

/// Lines per second; a million bad records shall not fill a disk.
const LINES_PER_SECOND: u32 = 20;

/// Writes failures to the log.
#[derive(Debug)]
pub(super) struct LogReporter {
    task: String,
    enabled: bool,
    messages: bool,
    limit: LogLimit,
}

impl LogReporter {
    /// For `task` (`<connector>-<n>`).
    pub(super) fn new(task: String, policy: &ErrorPolicy) -> Self {
        Self {
            task,
            enabled: policy.log,
            messages: policy.log_messages,
            limit: LogLimit::new(LINES_PER_SECOND),
        }
    }

    /// Reports a failure; `false` when nothing was written.
    pub(super) fn report(
        &mut self,
        stage: Stage,
        class: &str,
        origin: &Origin<'_>,
        error: &ConnectError,
    ) -> bool {
        if !self.enabled {
            return false;
        }
        let Some(suppressed) = self.limit.admit() else {
            return false;
        };
        tracing::error!(
            trace = error.trace(),
            suppressed,
            "{}",
            self.message(stage, class, origin)
        );
        true
    }

    /// Kafka's text of a failure.
    fn message(&self, stage: Stage, class: &str, origin: &Origin<'_>) -> String {
        let record = match self.messages {
            true => origin.in_log(),
            false => String::new(),
        };
        format!(
            "Error encountered in task {}. Executing stage '{}' with class '{class}'{record}.",
            self.task,
            stage.name()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::tests::{fetched, source_record};
    use super::*;

    fn message(messages: bool, origin: &Origin<'_>) -> String {
        let policy = ErrorPolicy {
            log: true,
            log_messages: messages,
            ..ErrorPolicy::default()
        };
        LogReporter::new("c-0".to_owned(), &policy).message(
            Stage::ValueConverter,
            "org.x.Json",
            origin,
        )
    }

    #[test]
    fn lines_have_kafkas_form_with_and_without_the_record() {
        let (fetched, record) = (fetched(), source_record());
        let consumed = Origin::Consumed {
            fetched: &fetched,
            record: &fetched.records[0],
        };
        assert_eq!(
            message(false, &consumed),
            "Error encountered in task c-0. Executing stage 'VALUE_CONVERTER' with class 'org.x.Json'."
        );
        assert_eq!(
            message(true, &consumed),
            "Error encountered in task c-0. Executing stage 'VALUE_CONVERTER' with class 'org.x.Json', \
             where consumed record is {topic='t', partition=3, offset=7, timestamp=11, \
             timestampType=CreateTime}."
        );
        let source = Origin::of_record(&record);
        assert_eq!(
            message(true, &source),
            "Error encountered in task c-0. Executing stage 'VALUE_CONVERTER' with class 'org.x.Json', \
             where source record is = SourceRecord{sourcePartition={filename=f}, \
             sourceOffset={position=5}} ConnectRecord{topic='t', kafkaPartition=null, key=k, \
             keySchema=Schema{STRING}, value={a=1}, valueSchema=null, timestamp=9, \
             headers=ConnectHeaders(headers=[ConnectHeader(key=h, value=true, \
             schema=Schema{BOOLEAN})])}."
        );
    }
}
