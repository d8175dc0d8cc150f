//! Bad records that a sink task finds itself (Kafka: `ErrantRecordReporter`, KIP-610).
//!
//! A task that says so in [`super::SinkTask::reports_errors`] gets batches that keep the consumed bytes
//! ([`Originals`]); with the reporter of its context it hands single records of a batch over to the error
//! log and the dead letter queue and goes on with the others.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::error::ConnectError;
use super::record::SinkBatch;

/// The consumed bytes of a batch's records. Opaque to tasks; a clone costs nothing and keeps the bytes in
/// memory.
#[derive(Clone)]
pub struct Originals(Rc<dyn Any>);

impl Originals {
    /// For the worker: keeps what was fetched.
    pub fn new<T: Any>(fetched: T) -> Self {
        Self(Rc::new(fetched))
    }

    /// For the worker: what was fetched.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Originals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Originals")
    }
}

/// Reports bad records, see [`super::SinkTaskContext::errant_record_reporter`]. Clones report to the same
/// place.
#[derive(Debug, Clone, Default)]
pub struct ErrantRecordReporter(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    reports: RefCell<VecDeque<Report>>,
    /// Of the worker, while it waits for reports.
    waker: RefCell<Option<Waker>>,
}

impl ErrantRecordReporter {
    /// Reports record `index` of `batch`, which the task will not write: the record goes to the error
    /// log and the dead letter queue. The worker commits no offset beyond it before the dead letter is
    /// acknowledged, so there is nothing to wait for. Usable during any call of the task and, with a
    /// clone of the batch, later on; completes when the worker has taken the report.
    ///
    /// # Errors
    /// `errors.tolerance=none`: the task fails, whatever it does with the error. Or there is no such
    /// record, or the batch keeps no originals.
    pub async fn report(
        &self,
        batch: &SinkBatch,
        index: usize,
        error: ConnectError,
    ) -> Result<(), ConnectError> {
        let Some(originals) = &batch.originals else {
            return Err(ConnectError::connect(
                "only tasks whose SinkTask::reports_errors is true can report records",
            ));
        };
        let Some(offset) = batch.offsets.get(index) else {
            return Err(ConnectError::connect(format!(
                "record {index} was reported of a batch of {} ({})",
                batch.len(),
                batch.source
            )));
        };
        let answer = Rc::new(Answer::default());
        self.0.reports.borrow_mut().push_back(Report {
            originals: originals.clone(),
            offset: *offset,
            error: RefCell::new(Some(error)),
            answer: Rc::clone(&answer),
        });
        if let Some(waker) = self.0.waker.take() {
            waker.wake();
        }
        answer.wait().await
    }

    /// For the worker: the next report. Cancel-safe; one waiting future at a time.
    pub async fn next(&self) -> Report {
        std::future::poll_fn(|cx| match self.try_next() {
            Some(report) => Poll::Ready(report),
            None => {
                *self.0.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }

    /// For the worker: the next report that is there.
    pub fn try_next(&self) -> Option<Report> {
        self.0.reports.borrow_mut().pop_front()
    }
}

/// For the worker: a reported record.
#[derive(Debug)]
pub struct Report {
    /// Where its bytes are.
    pub originals: Originals,
    /// Its offset.
    pub offset: i64,
    error: RefCell<Option<ConnectError>>,
    answer: Rc<Answer>,
}

impl Report {
    /// Why the task reported it.
    pub fn take_error(&self) -> ConnectError {
        let error = self.error.take();
        error.unwrap_or_else(|| ConnectError::connect("the error was taken before"))
    }

    /// Lets the task go on.
    pub fn answer(self, answer: Result<(), ConnectError>) {
        *self.answer.value.borrow_mut() = Some(answer);
        if let Some(waker) = self.answer.waker.take() {
            waker.wake();
        }
    }
}

#[derive(Debug, Default)]
struct Answer {
    value: RefCell<Option<Result<(), ConnectError>>>,
    waker: RefCell<Option<Waker>>,
}

impl Answer {
    async fn wait(&self) -> Result<(), ConnectError> {
        std::future::poll_fn(|cx| match self.value.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                *self.waker.borrow_mut() = Some(cx.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}
