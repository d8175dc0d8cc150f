//! The source end to end: files, their fates and where reading goes on.

use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures_util::FutureExt as _;

use super::*;
use crate::api::connector::OffsetReader;
use crate::api::{LocalFuture, SliceBatch, SourceBatch, SourceMap, SourceTask, SourceTaskContext};
use crate::connectors::on_each_runtime;
use crate::shard::timeout;

mod watched;

/// For what must come, on a machine however busy.
const PATIENCE: Duration = Duration::from_secs(120);

/// Answers every partition with one offset.
struct Stored(Option<SourceMap>);

impl OffsetReader for Stored {
    fn offset<'a>(
        &'a self,
        partition: &'a SourceMap,
    ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>> {
        assert!(partition.contains_key("filename"));
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn config(file: &Path, more: &[(&str, &str)]) -> ConfigMap {
    let mut config = ConfigMap::new();
    config.insert("file".into(), Some(file.to_str().unwrap().into()));
    config.insert("topic".into(), Some("lines".into()));
    for (key, value) in more {
        config.insert((*key).into(), Some((*value).into()));
    }
    config
}

async fn start_at(config: ConfigMap, position: Option<serde_json::Value>) -> FileStreamSourceTask {
    let stored = position.map(|position| {
        let mut offset = SourceMap::new();
        offset.insert("position".into(), position);
        offset
    });
    let context = SourceTaskContext {
        connector: "c".into(),
        task: 0,
        offsets: Rc::new(Stored(stored)),
        preview: false,
    };
    let mut task = FileStreamSourceTask::default();
    task.start(context, &config).await.unwrap();
    task
}

async fn start(file: &Path) -> FileStreamSourceTask {
    start_at(config(file, &[]), None).await
}

/// A line and the position after it.
type Line = (Vec<u8>, i64);

fn lines_of(batch: &SliceBatch) -> Vec<Line> {
    assert_eq!(batch.values.len(), batch.positions.len());
    let spans = batch.values.iter().zip(&batch.positions);
    spans
        .map(|(span, end)| {
            let line = span.of(&batch.buffer).unwrap().to_vec();
            (line, batch.base_position + i64::from(*end))
        })
        .collect()
}

async fn next(task: &mut FileStreamSourceTask) -> Vec<Line> {
    let polled = timeout(PATIENCE, task.poll()).await.unwrap();
    let SourceBatch::Slices(batch) = polled.unwrap() else {
        panic!("not slices")
    };
    assert!(!batch.values.is_empty());
    lines_of(&batch)
}

async fn lines(task: &mut FileStreamSourceTask, count: usize) -> Vec<Line> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(next(task).await);
    }
    all
}

async fn nothing_comes(task: &mut FileStreamSourceTask) {
    assert!(
        timeout(Duration::from_millis(40), task.poll())
            .await
            .is_err()
    );
}

fn append(file: &Path, bytes: &[u8]) {
    let mut file = std::fs::File::options().append(true).open(file).unwrap();
    file.write_all(bytes).unwrap();
}

fn line(text: &str, position: i64) -> Line {
    (text.as_bytes().to_vec(), position)
}

#[test]
fn a_batch_carries_what_a_record_of_apaches_task_has() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        std::fs::write(&file, "one\n\ntwo\n").unwrap();
        let mut task = start(&file).await;
        let SourceBatch::Slices(batch) = task.poll().await.unwrap() else {
            panic!("not slices")
        };
        assert_eq!(&*batch.topic, "lines");
        assert_eq!((batch.kafka_partition, batch.keys.is_none()), (None, true));
        assert!(batch.timestamp.unwrap() > 1_700_000_000_000);
        let schema = batch.value_schema.as_ref().unwrap();
        assert_eq!(schema.kind(), crate::api::SchemaType::String);
        assert!(!schema.is_optional());
        let partition = batch.source_partition.as_ref().unwrap();
        assert_eq!(partition["filename"], file.to_str().unwrap());
        assert_eq!(partition.len(), 1);
        assert_eq!(&*batch.position_field, "position");
        let expected = [line("one", 4), line("", 5), line("two", 9)];
        assert_eq!(lines_of(&batch), expected);
    });
}

#[test]
fn a_last_line_waits_for_its_terminator_and_a_carriage_return_for_its_next_byte() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        std::fs::write(&file, "one\ntw").unwrap();
        let mut task = start(&file).await;
        assert_eq!(next(&mut task).await, [line("one", 4)]);
        nothing_comes(&mut task).await;
        append(&file, b"o\r");
        nothing_comes(&mut task).await;
        append(&file, b"\nthree\rfour");
        assert_eq!(next(&mut task).await, [line("two", 9), line("three", 15)]);
    });
}

#[test]
fn reading_goes_on_at_the_stored_position_in_bytes() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        std::fs::write(&file, "größe\nzwei\ndrei\n").unwrap();
        let mut task = start(&file).await;
        let first = lines(&mut task, 3).await;
        let mut resumed = start_at(config(&file, &[]), Some(first[0].1.into())).await;
        assert_eq!(lines(&mut resumed, 2).await, first[1..]);
        let mut at_null = start_at(config(&file, &[]), Some(serde_json::Value::Null)).await;
        assert_eq!(lines(&mut at_null, 3).await, first);
    });
}

#[test]
fn a_stored_position_that_is_no_long_fails_the_task() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        std::fs::write(&file, "one\n").unwrap();
        for wrong in [serde_json::json!("4"), serde_json::json!(1.5)] {
            let mut task = start_at(config(&file, &[]), Some(wrong)).await;
            let error = task.poll().await.unwrap_err();
            assert_eq!(error.message(), "Offset position is the incorrect type");
            assert!(!error.is_retriable());
        }
    });
}

#[test]
fn a_missing_file_is_waited_for() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        let mut task = start(&file).await;
        nothing_comes(&mut task).await;
        std::fs::write(&file, "late\n").unwrap();
        assert_eq!(next(&mut task).await, [line("late", 5)]);
    });
}

#[test]
fn a_directory_fails_the_task_and_is_named() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let mut task = start(directory.path()).await;
        let error = task.poll().await.unwrap_err();
        assert!(!error.is_retriable());
        let name = directory.path().to_str().unwrap();
        assert!(error.message().contains(name), "{error}");
        assert!(error.message().contains("directory"), "{error}");
    });
}

#[test]
fn an_open_file_is_kept_when_it_is_replaced_or_truncated() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let (file, old) = (directory.path().join("in"), directory.path().join("old"));
        std::fs::write(&file, "one\n").unwrap();
        let mut task = start(&file).await;
        assert_eq!(next(&mut task).await, [line("one", 4)]);
        std::fs::rename(&file, &old).unwrap();
        std::fs::write(&file, "another file\n").unwrap();
        nothing_comes(&mut task).await;
        append(&old, b"two\n");
        assert_eq!(next(&mut task).await, [line("two", 8)]);
        std::fs::File::options()
            .write(true)
            .open(&old)
            .unwrap()
            .set_len(2)
            .unwrap();
        nothing_comes(&mut task).await;
        append(&old, b"345678nine\n");
        assert_eq!(next(&mut task).await, [line("nine", 13)]);
    });
}

#[test]
fn batch_size_bounds_a_batch_and_the_rest_of_the_block_follows_at_once() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        std::fs::write(&file, "1\n2\n3\n4\n5\n").unwrap();
        let mut task = start_at(config(&file, &[("batch.size", "2")]), None).await;
        assert_eq!(next(&mut task).await, [line("1", 2), line("2", 4)]);
        assert_eq!(next(&mut task).await, [line("3", 6), line("4", 8)]);
        assert_eq!(next(&mut task).await, [line("5", 10)]);
    });
}

/// Bytes with every kind of line: NULs, invalid UTF-8, all terminators, lengths around block borders.
fn mixture() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut bytes = Vec::new();
    while bytes.len() < 3 << 20 {
        let len = match random.u8(..) {
            0 => random.usize(..700_000),
            1..=9 => 0,
            _ => random.usize(..300),
        };
        let text = std::iter::repeat_with(|| random.u8(..)).filter(|b| !b"\r\n".contains(b));
        bytes.extend(text.take(len));
        bytes.extend_from_slice([&b"\n"[..], b"\r\n", b"\r"][random.usize(..3)]);
    }
    bytes.extend_from_slice(b"x\n");
    bytes
}

fn expected(bytes: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        let end = at;
        at += 1;
        match bytes[end] {
            b'\r' if bytes.get(at) == Some(&b'\n') => at += 1,
            b'\r' | b'\n' => {}
            _ => continue,
        }
        lines.push((bytes[start..end].to_vec(), i64::try_from(at).unwrap()));
        start = at;
    }
    lines
}

#[test]
fn every_byte_arrives_whatever_the_lines_are_made_of() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        let bytes = mixture();
        std::fs::write(&file, &bytes).unwrap();
        let expected = expected(&bytes);
        let mut task = start(&file).await;
        let found = lines(&mut task, expected.len()).await;
        assert!(found == expected);
    });
}

#[test]
fn no_line_is_lost_when_polls_are_dropped_at_any_await() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        let bytes = mixture();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        let expected = expected(&bytes);
        let mut task = start(&file).await;
        let mut found = next(&mut task).await;
        // Reads that have to wait, as on a cold disk.
        task.force_offload();
        let mut written = false;
        let half = bytes.len() / 2;
        while found.len() < expected.len() {
            // One look, then the future is dropped.
            let polled = futures_util::poll!(std::pin::pin!(task.poll()));
            if let std::task::Poll::Ready(batch) = polled {
                let SourceBatch::Slices(batch) = batch.unwrap() else {
                    panic!("not slices")
                };
                found.extend(lines_of(&batch));
            } else {
                crate::shard::sleep(Duration::from_millis(1)).await;
                let position = found.last().map_or(0, |(_, end)| *end);
                if !written && position > i64::try_from(half / 2).unwrap() {
                    append(&file, &bytes[half..]);
                    written = true;
                }
            }
        }
        assert!(found == expected);
    });
}

#[test]
fn a_line_of_a_hundred_megabytes_passes() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        // Mostly a hole, for the disk's sake.
        let mut sparse = std::fs::File::create(&file).unwrap();
        sparse.write_all(b"begin").unwrap();
        sparse.seek(SeekFrom::Start((100 << 20) - 3)).unwrap();
        sparse.write_all(b"end\nshort\n").unwrap();
        let mut task = start(&file).await;
        let first = next(&mut task).await;
        assert_eq!(first[0].0.len(), 100 << 20);
        assert!(first[0].0.starts_with(b"begin") && first[0].0.ends_with(b"end"));
        let all = if first.len() == 1 {
            next(&mut task).await
        } else {
            first[1..].to_vec()
        };
        assert_eq!(all[0].0, b"short");
    });
}

#[test]
fn a_line_beyond_the_limit_fails_the_task_and_is_named() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("in");
        std::fs::write(&file, "one\n").unwrap();
        // A hole: zeros without a line end.
        let sparse = std::fs::File::options().write(true).open(&file).unwrap();
        sparse.set_len(LINE_MAX as u64 + (1 << 20)).unwrap();
        let mut task = start(&file).await;
        assert_eq!(next(&mut task).await, [line("one", 4)]);
        let error = task.poll().await.unwrap_err();
        assert!(error.message().contains("position 4"), "{error}");
        assert!(!error.is_retriable());
    });
}

fn make_pipe(path: &Path) {
    let made = rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    );
    made.unwrap();
}

#[test]
fn a_pipe_is_read_and_its_writer_may_come_late() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        make_pipe(&pipe);
        let mut task = start(&pipe).await;
        nothing_comes(&mut task).await;
        append(&pipe, b"through a pipe\n");
        assert_eq!(next(&mut task).await, [line("through a pipe", 15)]);
    });
}

#[test]
fn a_stream_hands_over_its_blocks_and_keeps_those_that_nobody_took() {
    on_each_runtime(|| async {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stream = stream::ByteStream::start(reader).unwrap();
        let first = timeout(Duration::from_millis(5), stream.next()).await;
        assert!(first.is_err());
        writer.write_all(b"for whoever comes").unwrap();
        drop(writer);
        assert_eq!(stream.next().await.unwrap(), b"for whoever comes");
        assert_eq!(stream.next().await, Err(stream::End::Closed));
        assert_eq!(stream.next().await, Err(stream::End::Closed));
    });
}

#[test]
fn there_is_one_source_task_and_as_many_sink_tasks_as_allowed() {
    on_each_runtime(|| async {
        let config = config(Path::new("/tmp/x"), &[("extra", "kept")]);
        let mut source = FileStreamSource::default();
        source
            .start(ConnectorContext::default(), &config)
            .await
            .unwrap();
        let one = std::slice::from_ref(&config);
        assert_eq!(source.task_configs(4).await.unwrap(), one);
        let mut sink = FileStreamSink::default();
        sink.start(ConnectorContext::default(), &config)
            .await
            .unwrap();
        assert_eq!(sink.task_configs(3).await.unwrap(), vec![config; 3]);
    });
}

#[test]
fn exactly_once_needs_a_file() {
    let mut config = config(Path::new("/tmp/x"), &[]);
    assert!(supports_exactly_once(&config).unwrap());
    config.shift_remove("file");
    assert!(!supports_exactly_once(&config).unwrap());
}

#[test]
fn offsets_that_users_store_are_checked_as_apache_checks_them() {
    let map = |json: serde_json::Value| json.as_object().cloned();
    let config = config(Path::new("/tmp/x"), &[]);
    let partition = || map(serde_json::json!({"filename": "/tmp/x"}));
    let check = |partition: Option<SourceMap>, offset: serde_json::Value| {
        let result = alter_offsets(&config, &[(partition, map(offset))]);
        result.map_err(|error| error.message().to_owned())
    };
    assert_eq!(
        check(partition(), serde_json::json!({"position": 7})),
        Ok(())
    );
    assert_eq!(check(None, serde_json::Value::Null), Ok(()));
    let cases = [
        (
            partition(),
            serde_json::json!({}),
            "either be null or contain the key 'position'",
        ),
        (
            partition(),
            serde_json::json!({"position": "7"}),
            "expected to be a Long value",
        ),
        (
            partition(),
            serde_json::json!({"position": -1}),
            "should be a non-negative value",
        ),
        (
            None,
            serde_json::json!({"position": 7}),
            "Partition objects cannot be null",
        ),
        (
            map(serde_json::json!({})),
            serde_json::json!({"position": 7}),
            "contain the key 'filename'",
        ),
    ];
    for (partition, offset, text) in cases {
        let error = check(partition, offset).unwrap_err();
        assert!(error.contains(text), "{error}");
    }
    let stdin = ConfigMap::from_iter([("topic".to_owned(), Some("t".to_owned()))]);
    assert!(
        alter_offsets(&stdin, &[])
            .unwrap_err()
            .message()
            .contains("stdin")
    );
}

#[test]
fn a_pipe_that_is_opened_by_a_dropped_poll_stays_open() {
    on_each_runtime(|| async {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        make_pipe(&pipe);
        let mut task = start(&pipe).await;
        let first = task.poll().now_or_never();
        assert!(first.is_none(), "it only begins to open the pipe");
        // The writer's open waits for a reader; it has come and gone before the next poll.
        append(&pipe, b"not lost\n");
        assert_eq!(next(&mut task).await, [line("not lost", 9)]);
    });
}
