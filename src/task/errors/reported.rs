//! Records that a sink task reports itself (Kafka: `WorkerErrantRecordReporter`, KIP-610).

use std::pin::pin;

use futures_util::future::{Either, select};

use super::{ErrorHandler, Origin, Stage};
use crate::api::errant_records::Report;
use crate::api::{ConnectError, ErrantRecordReporter};
use crate::clients::FetchedRecords;

/// What Kafka names as the failing class.
const CLASS: &str = "org.apache.kafka.connect.sink.SinkTask";

impl ErrorHandler {
    /// What a sink task reports to; `None` when nobody would hear of it.
    pub fn reporter(&self) -> Option<ErrantRecordReporter> {
        self.reporter.clone()
    }

    /// Runs a call of a sink task, and deals with what it reports meanwhile.
    pub async fn attend<T>(&mut self, call: impl Future<Output = T>) -> T {
        let Some(reporter) = self.reporter.clone() else {
            return call.await;
        };
        let mut call = pin!(call);
        loop {
            match select(call.as_mut(), pin!(reporter.next())).await {
                Either::Left((done, _)) => {
                    while let Some(report) = reporter.try_next() {
                        self.take_report(report).await;
                    }
                    return done;
                }
                Either::Right((report, _)) => self.take_report(report).await,
            }
        }
    }

    /// Takes the error with which the task fails since it reported a record and nothing is tolerated,
    /// whatever the task made of it (Kafka: `maybeThrowAsyncError`).
    pub fn take_report_failure(&mut self) -> Option<ConnectError> {
        self.reported.take()
    }

    async fn take_report(&mut self, report: Report) {
        let answer = match self.write_report(&report).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let text = error.message().to_owned();
                self.reported.get_or_insert(error);
                Err(ConnectError::connect(text))
            }
        };
        report.answer(answer);
    }

    async fn write_report(&mut self, report: &Report) -> Result<(), ConnectError> {
        let fetched = report.originals.get::<FetchedRecords>();
        let found = fetched.and_then(|fetched| {
            let records = &fetched.records;
            let index = records.binary_search_by_key(&report.offset, |record| record.offset);
            Some((fetched, records.get(index.ok()?)?))
        });
        let Some((fetched, record)) = found else {
            return Err(ConnectError::connect(format!(
                "the task reported a record that its batch does not have, at offset {}",
                report.offset
            )));
        };
        let origin = Origin::Consumed { fetched, record };
        let failure = (Stage::TaskPut, CLASS, report.take_error());
        self.execute_failed(failure, origin, true).await
    }
}
