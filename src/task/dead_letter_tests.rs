//! Records that fail, over clients that do as they are told: dead letters, reports of sinks, retries.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tempfile::TempDir;

use super::control::Wish;
use super::conversion::{Converters, SourceConversion};
use super::errors::{DeadLetters, ErrorHandler, ErrorPolicy, Tolerance};
use super::tests::*;
use super::transformation_chain::TransformationChain;
use crate::api::data::SchemaRef;
use crate::api::{
    ConfigMap, ConnectError, Converter, SchemaAndValue, SinkBatch, SinkTask, SinkTaskContext,
    TextRoad, TopicPartition, Value,
};
use crate::clients::Producer;
use crate::config::connector::DeadLetterQueue;
use crate::embedded::{EmbeddedAdmin, EmbeddedConfig, EmbeddedLog};
use crate::shard::{self, TaskEnd};

/// A converter whose texts say what becomes of them: `bad…` fails for good, `flaky…` for as often as it
/// is told. Everything else is itself.
struct Moody {
    failures: Rc<Cell<u32>>,
    roads: TextRoad,
}

impl Moody {
    fn judge(&self, text: &[u8]) -> Result<(), ConnectError> {
        if text.starts_with(b"bad") {
            return Err(ConnectError::data("no good"));
        }
        if text.starts_with(b"flaky") && self.failures.get() > 0 {
            self.failures.set(self.failures.get() - 1);
            return Err(ConnectError::retriable("not now"));
        }
        Ok(())
    }
}

impl Converter for Moody {
    fn class_name(&self) -> &'static str {
        "Moody"
    }

    fn write(
        &mut self,
        _: &str,
        _: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<bool, ConnectError> {
        let Value::String(text) = value else {
            return Ok(false);
        };
        self.judge(text.as_bytes())?;
        out.extend_from_slice(text.as_bytes());
        Ok(true)
    }

    fn read(&mut self, _: &str, bytes: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
        let Some(bytes) = bytes else {
            return Ok(SchemaAndValue::NULL);
        };
        self.judge(bytes)?;
        Ok(SchemaAndValue {
            schema: None,
            value: Value::String(String::from_utf8_lossy(bytes).into_owned()),
        })
    }

    fn write_text_road(&self) -> TextRoad {
        self.roads
    }

    fn read_text_road(&self) -> TextRoad {
        self.roads
    }

    fn write_text(
        &mut self,
        _: &str,
        text: &[u8],
        _: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        self.judge(text)?;
        out.extend_from_slice(text);
        Ok(())
    }

    fn read_text(&mut self, _: &str, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), ConnectError> {
        self.judge(bytes)?;
        out.extend_from_slice(bytes);
        Ok(())
    }
}

fn moody(failures: u32, roads: TextRoad) -> Converters {
    Converters {
        value: Box::new(Moody {
            failures: Rc::new(Cell::new(failures)),
            roads,
        }),
        ..converters()
    }
}

const ROADS: [TextRoad; 2] = [TextRoad::Rewrite, TextRoad::None];

fn tolerating(tolerance: Tolerance) -> ErrorPolicy {
    ErrorPolicy {
        tolerance,
        ..ErrorPolicy::default()
    }
}

/// A handler with a dead letter queue; the directory holds the topic.
fn queued(policy: ErrorPolicy, producer: &Rc<ScriptedProducer>) -> (ErrorHandler, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let log = EmbeddedLog::open(dir.path(), EmbeddedConfig::default()).unwrap();
    let settings = DeadLetterQueue {
        topic: "dead".to_owned(),
        replication_factor: 3,
        context_headers: true,
    };
    let queue = DeadLetters::new(
        settings,
        "c".to_owned(),
        0,
        Rc::clone(producer) as Rc<dyn Producer>,
        Rc::new(EmbeddedAdmin::new(log)),
    );
    let errors = ErrorHandler::new("c-0".to_owned(), policy).with_dead_letters(queue);
    (errors, dir)
}

fn texts(producer: &ScriptedProducer) -> Vec<String> {
    let values = producer.values.borrow();
    let texts = values.iter().map(|value| String::from_utf8_lossy(value));
    texts.map(std::borrow::Cow::into_owned).collect()
}

fn header(producer: &ScriptedProducer, letter: usize, name: &str) -> Option<String> {
    let headers = producer.headers.borrow();
    let name = format!("__connect.errors.{name}");
    let found = headers[letter].iter().find(|(known, _)| *known == name);
    found.and_then(|(_, value)| value.clone())
}

fn keep(
    events: Vec<crate::clients::Polled>,
    converters: Converters,
    errors: ErrorHandler,
) -> SinkRig {
    let seen = Rc::new(Seen::default());
    let task = Box::new(Keep(Rc::clone(&seen), SinkTaskContext::default()));
    sink_with(events, converters, errors, seen, task)
}

fn t0(offset: i64) -> (TopicPartition, i64) {
    (TopicPartition::new("t", 0), offset)
}

#[test]
fn a_failed_record_goes_to_the_queue_as_it_was_consumed_and_the_others_to_the_task() {
    on_each_runtime(|| async {
        for road in ROADS {
            let letters = ScriptedProducer::new(100, true);
            let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
            let events = vec![fetched(5, &[Some("a"), Some("bad 1"), None, Some("bad 2")])];
            let rig = keep(events, moody(0, road), errors);
            settle().await;
            rig.handle.set(Wish::Stop);
            assert!(matches!(rig.running.join().await, TaskEnd::Done(Ok(()))));
            assert_eq!(*rig.seen.texts.borrow(), ["a", "null"]);
            assert_eq!(texts(&letters), ["bad 1", "bad 2"]);
            assert_eq!(header(&letters, 0, "offset").as_deref(), Some("6"));
            assert_eq!(header(&letters, 1, "offset").as_deref(), Some("8"));
            assert_eq!(
                header(&letters, 0, "stage").as_deref(),
                Some("VALUE_CONVERTER")
            );
            assert_eq!(header(&letters, 0, "class.name").as_deref(), Some("Moody"));
            assert_eq!(*rig.consumer.committed.borrow(), [t0(9)]);
            let read = rig.metrics.read();
            assert_eq!((read.dead_letters, read.dead_letter_failures), (2, 0));
            assert_eq!((read.skipped, read.errors, read.failures), (2, 2, 2));
        }
    });
}

#[test]
fn offsets_stay_below_a_record_whose_letter_is_not_acknowledged() {
    on_each_runtime(|| async {
        for (acknowledged, committed) in [(0, 1), (1, 3), (2, 5)] {
            let letters = ScriptedProducer::new(100, false);
            let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
            let lines = ["a", "bad 1", "b", "bad 2", "c"].map(Some);
            let rig = keep(
                vec![fetched(0, &lines)],
                moody(0, TextRoad::Rewrite),
                errors,
            );
            settle().await;
            letters.acknowledge(acknowledged);
            rig.handle.set(Wish::Stop);
            rig.running.join().await;
            assert_eq!(*rig.consumer.committed.borrow(), [t0(committed)]);
            assert_eq!(*rig.seen.texts.borrow(), ["a", "b", "c"]);
        }
    });
}

#[test]
fn a_letter_that_can_not_be_written_is_counted_and_the_task_goes_on() {
    on_each_runtime(|| async {
        let letters = ScriptedProducer::new(100, false);
        letters.longest.set(8);
        let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
        let lines = ["bad 1", "bad, and too long", "b"].map(Some);
        let rig = keep(
            vec![fetched(0, &lines)],
            moody(0, TextRoad::Rewrite),
            errors,
        );
        settle().await;
        letters.give_up(1);
        rig.handle.set(Wish::Stop);
        assert!(matches!(rig.running.join().await, TaskEnd::Done(Ok(()))));
        assert_eq!(*rig.seen.texts.borrow(), ["b"]);
        let read = rig.metrics.read();
        assert_eq!((read.dead_letters, read.dead_letter_failures), (2, 2));
        assert_eq!(*rig.consumer.committed.borrow(), [t0(3)]);
    });
}

#[test]
fn without_tolerance_the_record_goes_to_the_queue_and_the_task_fails() {
    on_each_runtime(|| async {
        for road in ROADS {
            let letters = ScriptedProducer::new(100, true);
            let (errors, _dir) = queued(tolerating(Tolerance::None), &letters);
            let events = vec![fetched(0, &[Some("a"), Some("bad 1"), Some("bad 2")])];
            let rig = keep(events, moody(0, road), errors);
            let TaskEnd::Done(Err(error)) = rig.running.join().await else {
                panic!()
            };
            assert_eq!(error.message(), "Tolerance exceeded in error handler");
            assert_eq!(texts(&letters), ["bad 1"]);
            assert!(rig.seen.texts.borrow().is_empty());
            assert!(rig.consumer.committed.borrow().is_empty());
            let read = rig.metrics.read();
            assert_eq!((read.errors, read.skipped, read.dead_letters), (1, 0, 1));
        }
    });
}

#[test]
fn a_full_producer_of_letters_holds_the_task_back_until_a_stop() {
    on_each_runtime(|| async {
        let letters = ScriptedProducer::new(1, false);
        let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
        let lines = ["bad 1", "bad 2", "bad 3", "good"].map(Some);
        let rig = keep(
            vec![fetched(0, &lines)],
            moody(0, TextRoad::Rewrite),
            errors,
        );
        settle().await;
        assert_eq!(texts(&letters), ["bad 1"]);
        letters.acknowledge(1);
        settle().await;
        assert_eq!(texts(&letters), ["bad 1", "bad 2"]);
        assert!(rig.seen.texts.borrow().is_empty());
        rig.handle.set(Wish::Stop);
        assert!(matches!(rig.running.join().await, TaskEnd::Done(Ok(()))));
        assert_eq!(*rig.consumer.committed.borrow(), [t0(1)]);
    });
}

#[test]
fn an_operation_that_fails_for_a_while_is_tried_again_on_each_road() {
    on_each_runtime(|| async {
        for road in ROADS {
            let policy = ErrorPolicy {
                retry_timeout: Some(Duration::from_secs(30)),
                retry_delay_max: Duration::from_millis(4),
                ..tolerating(Tolerance::None)
            };
            let errors = ErrorHandler::new("c-0".to_owned(), policy.clone());
            let events = vec![fetched(0, &[Some("a"), Some("flaky"), Some("b")])];
            let rig = keep(events, moody(3, road), errors);
            settle().await;
            rig.handle.set(Wish::Stop);
            assert!(matches!(rig.running.join().await, TaskEnd::Done(Ok(()))));
            assert_eq!(*rig.seen.texts.borrow(), ["a", "flaky", "b"]);
            let read = rig.metrics.read();
            assert_eq!((read.failures, read.retries, read.errors), (3, 3, 0));

            let producer = ScriptedProducer::new(100, true);
            let mut rig = source(&[&["a", "flaky", "b"]], &producer, Tolerance::None);
            rig.parts.conversion =
                SourceConversion::new(moody(3, road), TransformationChain::default());
            rig.parts.errors = ErrorHandler::new("c-0".to_owned(), policy);
            let metrics = std::sync::Arc::clone(&rig.parts.metrics);
            let running = start(&mut rig);
            settle().await;
            rig.handle.set(Wish::Stop);
            running.join().await;
            assert_eq!(texts(&producer), ["a", "flaky", "b"]);
            assert_eq!(metrics.read().retries, 3);
            assert_eq!(rig.position(), Some(7));
        }
    });
}

#[test]
fn a_stop_between_two_tries_leaves_the_records_for_the_next_start() {
    on_each_runtime(|| async {
        for road in ROADS {
            let policy = ErrorPolicy {
                retry_timeout: None,
                ..tolerating(Tolerance::All)
            };
            let letters = ScriptedProducer::new(100, true);
            let (errors, _dir) = queued(policy.clone(), &letters);
            let events = vec![
                fetched(0, &[Some("a")]),
                fetched(1, &[Some("b"), Some("flaky")]),
            ];
            let rig = keep(events, moody(u32::MAX, road), errors);
            settle().await;
            let begun = Instant::now();
            rig.handle.set(Wish::Stop);
            assert!(matches!(rig.running.join().await, TaskEnd::Done(Ok(()))));
            assert!(begun.elapsed() < Duration::from_millis(250));
            assert_eq!(*rig.seen.texts.borrow(), ["a"]);
            assert_eq!(*rig.consumer.committed.borrow(), [t0(1)]);
            assert_eq!(texts(&letters), [""; 0]);

            let producer = ScriptedProducer::new(100, true);
            let mut rig = source(&[&["a", "flaky"]], &producer, Tolerance::All);
            rig.parts.conversion =
                SourceConversion::new(moody(u32::MAX, road), TransformationChain::default());
            rig.parts.errors = ErrorHandler::new("c-0".to_owned(), policy);
            let running = start(&mut rig);
            settle().await;
            rig.handle.set(Wish::Stop);
            assert!(matches!(running.join().await, TaskEnd::Done(Ok(()))));
            assert_eq!(rig.position(), None);
        }
    });
}

/// Reports the records that the test names, and what it then does with the answer.
struct Picky {
    context: SinkTaskContext,
    bad: Vec<usize>,
    swallows: bool,
    wants_originals: bool,
    answers: Rc<std::cell::RefCell<Vec<Result<(), String>>>>,
}

#[async_trait(?Send)]
impl SinkTask for Picky {
    async fn start(&mut self, context: SinkTaskContext, _: &ConfigMap) -> Result<(), ConnectError> {
        self.context = context;
        Ok(())
    }

    fn reports_errors(&self) -> bool {
        self.wants_originals
    }

    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError> {
        let reporter = self.context.errant_record_reporter().cloned();
        let reporter = reporter.ok_or_else(|| ConnectError::connect("nobody to report to"))?;
        for batch in batches {
            for index in &self.bad {
                let error = ConnectError::data("the target refuses it");
                let answer = reporter.report(batch, *index, error).await;
                let told = answer.as_ref().map_err(|error| error.message().to_owned());
                self.answers.borrow_mut().push(told.copied());
                if !self.swallows {
                    answer?;
                }
            }
        }
        Ok(())
    }
}

fn picky(bad: &[usize]) -> Picky {
    Picky {
        context: SinkTaskContext::default(),
        bad: bad.to_vec(),
        swallows: true,
        wants_originals: true,
        answers: Rc::default(),
    }
}

#[test]
fn records_that_a_sink_reports_go_to_the_queue_and_hold_their_partitions_offsets() {
    on_each_runtime(|| async {
        for (acknowledged, committed) in [(0, 11), (1, 12), (2, 13)] {
            let letters = ScriptedProducer::new(100, false);
            let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
            let lines = ["a", "b", "c"].map(Some);
            let task = picky(&[1, 2]);
            let answers = Rc::clone(&task.answers);
            let rig = sink_with(
                vec![fetched(10, &lines)],
                converters(),
                errors,
                Rc::default(),
                Box::new(task),
            );
            settle().await;
            assert_eq!(texts(&letters), ["b", "c"]);
            assert_eq!(*answers.borrow(), [Ok(()), Ok(())]);
            assert_eq!(header(&letters, 1, "stage").as_deref(), Some("TASK_PUT"));
            assert_eq!(
                header(&letters, 1, "class.name").as_deref(),
                Some("org.apache.kafka.connect.sink.SinkTask")
            );
            assert_eq!(header(&letters, 1, "offset").as_deref(), Some("12"));
            letters.acknowledge(acknowledged);
            rig.handle.set(Wish::Stop);
            assert!(matches!(rig.running.join().await, TaskEnd::Done(Ok(()))));
            assert_eq!(*rig.consumer.committed.borrow(), [t0(committed)]);
            let read = rig.metrics.read();
            assert_eq!((read.failures, read.errors, read.skipped), (2, 0, 0));
            assert_eq!(read.dead_letters, 2);
        }
    });
}

#[test]
fn a_report_without_tolerance_fails_the_task_whatever_it_does_with_the_answer() {
    on_each_runtime(|| async {
        for swallows in [true, false] {
            let letters = ScriptedProducer::new(100, true);
            let (errors, _dir) = queued(tolerating(Tolerance::None), &letters);
            let task = Picky {
                swallows,
                ..picky(&[0])
            };
            let rig = sink_with(
                vec![fetched(0, &[Some("a")])],
                converters(),
                errors,
                Rc::default(),
                Box::new(task),
            );
            let TaskEnd::Done(Err(error)) = rig.running.join().await else {
                panic!()
            };
            let trace = error.trace();
            for part in [
                "Exiting WorkerSinkTask due to unrecoverable exception.",
                "Tolerance exceeded in error handler",
                "the target refuses it",
            ] {
                assert!(trace.contains(part), "{trace}");
            }
            assert_eq!(texts(&letters), ["a"]);
            assert!(rig.consumer.committed.borrow().is_empty());
        }
    });
}

#[test]
fn a_lost_letter_of_a_reported_record_fails_the_task_before_its_offset_is_committed() {
    on_each_runtime(|| async {
        let letters = ScriptedProducer::new(100, false);
        let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
        let events = vec![fetched(0, &[Some("a"), Some("b")])];
        let rig = sink_with(
            events,
            converters(),
            errors,
            Rc::default(),
            Box::new(picky(&[1])),
        );
        settle().await;
        letters.give_up(1);
        // A pause makes the loop look around.
        rig.handle.set(Wish::Pause);
        let TaskEnd::Done(Err(error)) = rig.running.join().await else {
            panic!()
        };
        assert!(error.message().contains("t-0 at offset 1"), "{error}");
        assert_eq!(*rig.consumer.committed.borrow(), [t0(1)]);
    });
}

#[test]
fn who_does_not_ask_for_originals_or_names_no_record_gets_an_error_as_answer() {
    on_each_runtime(|| async {
        for (wants_originals, bad, part) in [
            (false, 0, "SinkTask::reports_errors"),
            (true, 7, "record 7 was reported of a batch of 1 (t-0)"),
        ] {
            let letters = ScriptedProducer::new(100, true);
            let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
            let task = Picky {
                wants_originals,
                ..picky(&[bad])
            };
            let answers = Rc::clone(&task.answers);
            let rig = sink_with(
                vec![fetched(0, &[Some("a")])],
                converters(),
                errors,
                Rc::default(),
                Box::new(task),
            );
            settle().await;
            rig.handle.set(Wish::Stop);
            rig.running.join().await;
            let answers = answers.borrow();
            let [Err(text)] = &answers[..] else { panic!() };
            assert!(text.contains(part), "{text}");
            assert!(letters.values.borrow().is_empty());
        }
    });
}

#[test]
fn without_queue_and_error_log_there_is_nobody_to_report_to() {
    on_each_runtime(|| async {
        let errors = ErrorHandler::new("c-0".to_owned(), tolerating(Tolerance::All));
        let events = vec![fetched(0, &[Some("a")])];
        let task = Box::new(picky(&[0]));
        let rig = sink_with(events, converters(), errors, Rc::default(), task);
        let TaskEnd::Done(Err(error)) = rig.running.join().await else {
            panic!()
        };
        assert!(error.trace().contains("nobody to report to"));
        let log = ErrorPolicy {
            log: true,
            ..tolerating(Tolerance::All)
        };
        let errors = ErrorHandler::new("c-0".to_owned(), log);
        assert!(errors.reporter().is_some());
    });
}

fn source_rig(
    lines: &[&'static str],
    road: TextRoad,
    tolerance: Tolerance,
    letters: &Rc<ScriptedProducer>,
) -> (Rig, Rc<ScriptedProducer>, TempDir) {
    let producer = ScriptedProducer::new(100, true);
    let mut rig = source(&[lines], &producer, tolerance);
    rig.parts.conversion = SourceConversion::new(moody(0, road), TransformationChain::default());
    let (errors, dir) = queued(tolerating(tolerance), letters);
    rig.parts.errors = errors;
    (rig, producer, dir)
}

#[test]
fn a_sources_offset_waits_for_dead_letters_and_a_skipped_record_does_not_advance_it() {
    on_each_runtime(|| async {
        for road in ROADS {
            let letters = ScriptedProducer::new(100, false);
            let lines = ["a", "bad 1", "bb", "bad 2"];
            let (mut rig, producer, _dir) = source_rig(&lines, road, Tolerance::All, &letters);
            let running = start(&mut rig);
            settle().await;
            assert_eq!(texts(&producer), ["a", "bb"]);
            assert_eq!(texts(&letters), ["\"bad 1\"", "\"bad 2\""]);
            let source = header(&letters, 0, "source.offset");
            assert_eq!(source.as_deref(), Some(r#"{"position":6}"#));
            let source = header(&letters, 0, "source.partition");
            assert_eq!(source.as_deref(), Some(r#"{"filename":"f"}"#));
            assert_eq!(header(&letters, 0, "topic").as_deref(), Some("t"));
            assert_eq!(rig.position(), Some(1));
            letters.acknowledge(1);
            settle().await;
            assert_eq!(rig.position(), Some(8));
            letters.acknowledge(1);
            rig.handle.set(Wish::Stop);
            assert!(matches!(running.join().await, TaskEnd::Done(Ok(()))));
            assert_eq!(rig.position(), Some(8));
        }
    });
}

#[test]
fn a_source_without_tolerance_sends_what_came_before_the_bad_record_and_fails() {
    on_each_runtime(|| async {
        for road in ROADS {
            let letters = ScriptedProducer::new(100, true);
            let lines = ["a", "b", "bad 1", "c", "bad 2"];
            let (mut rig, producer, _dir) = source_rig(&lines, road, Tolerance::None, &letters);
            let TaskEnd::Done(Err(error)) = start(&mut rig).join().await else {
                panic!()
            };
            assert_eq!(error.message(), "Tolerance exceeded in error handler");
            assert!(error.trace().contains(r#"{"position":7}"#));
            assert_eq!(texts(&producer), ["a", "b"]);
            assert_eq!(texts(&letters), ["\"bad 1\""]);
            assert_eq!(rig.position(), Some(2));
        }
    });
}

#[test]
fn a_record_that_the_topics_producer_refuses_goes_to_the_queue_without_its_value_if_need_be() {
    on_each_runtime(|| async {
        for road in ROADS {
            for (longest, value) in [(usize::MAX, "long!"), (4, "")] {
                let letters = ScriptedProducer::new(100, true);
                letters.longest.set(longest);
                let lines = ["a", "long!", "b"];
                let (mut rig, producer, _dir) = source_rig(&lines, road, Tolerance::All, &letters);
                producer.longest.set(4);
                let running = start(&mut rig);
                settle().await;
                rig.handle.set(Wish::Stop);
                assert!(matches!(running.join().await, TaskEnd::Done(Ok(()))));
                assert_eq!(texts(&producer), ["a", "b"]);
                assert_eq!(texts(&letters), [value]);
                assert_eq!(
                    header(&letters, 0, "stage").as_deref(),
                    Some("KAFKA_PRODUCE")
                );
                assert_eq!(
                    header(&letters, 0, "exception.class.name").as_deref(),
                    Some("org.apache.kafka.common.errors.RecordTooLargeException")
                );
                let omitted = header(&letters, 0, "value.omitted.bytes");
                assert_eq!(omitted.as_deref(), value.is_empty().then_some("5"));
                assert_eq!(rig.position(), Some(7));
            }
        }
    });
}

#[test]
fn a_record_that_kafka_gives_up_later_goes_to_the_queue_too() {
    on_each_runtime(|| async {
        for tolerance in [Tolerance::All, Tolerance::None] {
            let letters = ScriptedProducer::new(100, true);
            let (mut rig, producer, _dir) =
                source_rig(&["a", "b"], TextRoad::Rewrite, tolerance, &letters);
            producer.eager.set(false);
            let running = start(&mut rig);
            settle().await;
            producer.acknowledge(1);
            producer.give_up(1);
            settle().await;
            assert_eq!(texts(&letters), ["b"]);
            rig.handle.set(Wish::Stop);
            let end = running.join().await;
            match tolerance {
                Tolerance::All => {
                    assert!(matches!(end, TaskEnd::Done(Ok(()))));
                    assert_eq!(rig.position(), Some(2));
                }
                Tolerance::None => {
                    let TaskEnd::Done(Err(error)) = end else {
                        panic!()
                    };
                    assert_eq!(
                        error.message(),
                        "Unrecoverable exception from producer send callback"
                    );
                }
            }
        }
    });
}

#[test]
fn a_queue_that_can_not_be_made_fails_the_start_and_is_named() {
    on_each_runtime(|| async {
        let letters = ScriptedProducer::new(100, true);
        let dir = tempfile::tempdir().unwrap();
        let log = EmbeddedLog::open(dir.path(), EmbeddedConfig::default()).unwrap();
        let settings = DeadLetterQueue {
            topic: "no such name?".to_owned(),
            replication_factor: 1,
            context_headers: false,
        };
        let queue = DeadLetters::new(
            settings,
            "c".to_owned(),
            0,
            letters,
            Rc::new(EmbeddedAdmin::new(log)),
        );
        let errors = ErrorHandler::new("c-0".to_owned(), ErrorPolicy::default());
        let errors = errors.with_dead_letters(queue);
        let rig = keep(Vec::new(), converters(), errors);
        let TaskEnd::Done(Err(error)) = rig.running.join().await else {
            panic!()
        };
        assert_eq!(
            error.message(),
            "Could not initialize dead letter queue with topic=no such name?"
        );
        assert!(rig.seen.calls.borrow().is_empty());
    });
}

#[test]
fn a_shard_is_never_kept_waiting_by_the_queue() {
    // Letters of a batch in which everything fails, and a producer that never has room: the loop of the
    // task waits, and nothing else does.
    on_each_runtime(|| async {
        let letters = ScriptedProducer::new(0, false);
        let (errors, _dir) = queued(tolerating(Tolerance::All), &letters);
        let rig = keep(
            vec![fetched(0, &[Some("bad")])],
            moody(0, TextRoad::Rewrite),
            errors,
        );
        let begun = Instant::now();
        shard::sleep(Duration::from_millis(30)).await;
        assert!(begun.elapsed() < Duration::from_millis(500));
        rig.handle.set(Wish::Stop);
        rig.running.join().await;
        assert!(rig.consumer.committed.borrow().is_empty());
    });
}
