//! What failures come to, and how they are counted.

use super::origin_tests::fetched;
use super::*;
use crate::metrics::TaskReading;
use crate::shard::{RuntimeKind, run};
use crate::task::control::control;

fn handler(policy: ErrorPolicy) -> (ErrorHandler, Arc<TaskMetrics>) {
    let mut handler = ErrorHandler::new("c-0".to_owned(), policy);
    let metrics = Arc::new(TaskMetrics::new());
    let (handle, control) = control(Wish::Run);
    handler.attach(&metrics, &control);
    drop(handle);
    (handler, metrics)
}

fn tolerating(tolerance: Tolerance) -> ErrorPolicy {
    ErrorPolicy {
        tolerance,
        ..ErrorPolicy::default()
    }
}

/// Without the time of the last error, which has to be there.
fn counts(metrics: &TaskMetrics) -> TaskReading {
    let reading = metrics.read();
    assert!(reading.last_error_ms > 1_700_000_000_000, "{reading:?}");
    TaskReading {
        last_error_ms: 0,
        ..reading
    }
}

fn on_a_shard<Fut: Future<Output = ()> + 'static>(test: fn() -> Fut) {
    run(RuntimeKind::Epoll, None, test()).unwrap();
}

async fn fail(handler: &mut ErrorHandler, stage: Stage) -> Result<(), ConnectError> {
    let fetched = fetched();
    let origin = Origin::Consumed {
        fetched: &fetched,
        record: &fetched.records[0],
    };
    let failure = (stage, "org.x.Json", ConnectError::data("bad bytes"));
    handler.failed(failure, origin).await
}

#[test]
fn without_tolerance_the_task_fails_and_the_trace_names_record_stage_and_class() {
    on_a_shard(|| async {
        let (mut handler, metrics) = handler(tolerating(Tolerance::None));
        let error = fail(&mut handler, Stage::ValueConverter).await.unwrap_err();
        assert_eq!(error.message(), "Tolerance exceeded in error handler");
        let trace = error.trace();
        for part in [
            "VALUE_CONVERTER",
            "org.x.Json",
            "partition=3, offset=7",
            "DataException",
        ] {
            assert!(trace.contains(part), "{trace}");
        }
        let expected = TaskReading {
            failures: 1,
            errors: 1,
            ..TaskReading::default()
        };
        assert_eq!(counts(&metrics), expected);
    });
}

#[test]
fn tolerance_skips_records_but_not_failures_of_the_source_itself() {
    on_a_shard(|| async {
        let (mut handler, metrics) = handler(tolerating(Tolerance::All));
        assert!(fail(&mut handler, Stage::Transformation).await.is_ok());
        let error = fail(&mut handler, Stage::TaskPoll).await.unwrap_err();
        assert_eq!(error.message(), "Unhandled exception in error handler");
        let expected = TaskReading {
            failures: 2,
            errors: 2,
            skipped: 1,
            ..TaskReading::default()
        };
        assert_eq!(counts(&metrics), expected);
    });
}

#[test]
fn failures_outside_of_operations_are_counted_as_kafka_counts_them() {
    on_a_shard(|| async {
        for (tolerance, errors) in [(Tolerance::All, 0), (Tolerance::None, 1)] {
            let (mut handler, metrics) = handler(ErrorPolicy {
                log: true,
                ..tolerating(tolerance)
            });
            let failure = (Stage::TaskPut, "Sink", ConnectError::connect("refused"));
            let done = handler
                .execute_failed(failure, Origin::Gone("somewhere"), false)
                .await;
            assert_eq!(done.is_err(), tolerance == Tolerance::None);
            let expected = TaskReading {
                failures: 1,
                errors,
                errors_logged: 1,
                ..TaskReading::default()
            };
            assert_eq!(counts(&metrics), expected);
        }
    });
}

#[test]
fn a_retriable_failure_is_tried_again_until_the_deadline_and_each_time_is_counted() {
    on_a_shard(|| async {
        let (mut handler, metrics) = handler(ErrorPolicy {
            retry_timeout: Some(Duration::from_millis(60)),
            retry_delay_max: Duration::from_millis(10),
            ..tolerating(Tolerance::All)
        });
        let failure = (Stage::KeyConverter, "K", ConnectError::retriable("later"));
        let (mut retries, mut tries) = (None, 0);
        let begun = Instant::now();
        while handler.retry(&mut retries, &failure).await == Retry::Again {
            tries += 1;
        }
        assert!(begun.elapsed() >= Duration::from_millis(60));
        assert!(tries >= 6, "{tries}");
        let reading = metrics.read();
        assert_eq!((reading.failures, reading.retries), (tries + 1, tries));

        let permanent = (Stage::KeyConverter, "K", ConnectError::data("never"));
        assert_eq!(handler.retry(&mut None, &permanent).await, Retry::GiveUp);
        assert_eq!(metrics.read().failures, tries + 1);
    });
}

#[test]
fn a_stop_ends_the_wait_for_a_retry_at_once() {
    on_a_shard(|| async {
        let mut handler = ErrorHandler::new(
            "c-0".to_owned(),
            ErrorPolicy {
                retry_timeout: None,
                ..ErrorPolicy::default()
            },
        );
        let (handle, control) = control(Wish::Run);
        handler.attach(&Arc::default(), &control);
        drop(shard::spawn(async move {
            shard::sleep(Duration::from_millis(20)).await;
            handle.set(Wish::Stop);
        }));
        let failure = (Stage::Transformation, "T", ConnectError::retriable("later"));
        let begun = Instant::now();
        let first = handler.retry(&mut None, &failure).await;
        assert_eq!(first, Retry::Stopped);
        assert!(begun.elapsed() < Duration::from_millis(250));
        assert!(handler.is_interrupted());
    });
}
