//! The file connectors and Datagen, one stage at a time: cutting a block into lines, the source from a
//! cached file to batches, the sink from batches to a file, and making records.
//!
//! Throughput is per record of 93 bytes: criterion's "elements".

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ringmain::api::connector::OffsetReader;
use ringmain::api::{
    ConfigMap, ConnectError, LocalFuture, SinkBatch, SinkTask, SinkTaskContext, SliceColumn,
    SliceForm, SourceMap, SourceTask, SourceTaskContext, TopicPartition,
};
use ringmain::connectors::datagen::DatagenTask;
use ringmain::connectors::file_stream::{
    FileStreamSinkTask, FileStreamSourceTask, Lines, complete_end, split,
};
use ringmain::shard::{RuntimeKind, run};

const LINE_BYTES: usize = 93;
const BLOCK: usize = 256 << 10;
const RECORDS: usize = 200_000;

fn text(lines: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for line in 0..lines {
        let start = text.len();
        text.extend_from_slice(format!("{{\"id\":{line},\"note\":\"").as_bytes());
        text.resize(start + LINE_BYTES - 2, b'x');
        text.extend_from_slice(b"\"}\n");
    }
    text
}

fn split_block(c: &mut Criterion) {
    let lines = BLOCK / (LINE_BYTES + 1);
    let block = text(lines);
    let crlf: Vec<u8> = block
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .flat_map(|line| [line, b"\r\n"].concat())
        .collect();
    let mut group = c.benchmark_group("split");
    group.throughput(Throughput::Elements(lines as u64));
    for (name, block) in [("newline", &block), ("crlf", &crlf)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut found = Lines::with_capacity(block.len() / 32);
                let end = complete_end(black_box(block), 0);
                split(block, 0, end, usize::MAX, &mut found);
                found
            });
        });
    }
    group.finish();
}

struct NoOffsets;

impl OffsetReader for NoOffsets {
    fn offset<'a>(
        &'a self,
        _partition: &'a SourceMap,
    ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>> {
        Box::pin(async { Ok(None) })
    }
}

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
        .collect()
}

/// Time to poll `RECORDS` records out of a task.
async fn poll_all(mut task: impl SourceTask, config: ConfigMap) -> Duration {
    let context = SourceTaskContext {
        connector: "bench".into(),
        task: 0,
        offsets: Rc::new(NoOffsets),
    };
    task.start(context, &config).await.unwrap();
    let start = Instant::now();
    let mut records = 0;
    while records < RECORDS {
        records += black_box(task.poll().await.unwrap()).len();
    }
    start.elapsed()
}

fn sources(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("in");
    std::fs::write(&file, text(RECORDS)).unwrap();
    let name = file.to_str().unwrap().to_owned();
    let mut group = c.benchmark_group("source");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("file_cached", |b| {
        b.iter_custom(|times| {
            let config = config(&[("file", &name), ("topic", "t")]);
            (0..times)
                .map(|_| {
                    let all = poll_all(FileStreamSourceTask::default(), config.clone());
                    run(RuntimeKind::Epoll, None, all).unwrap()
                })
                .sum()
        });
    });
    group.bench_function("datagen", |b| {
        b.iter_custom(|times| {
            let config = config(&[("topic", "t"), ("record.size", "93")]);
            (0..times)
                .map(|_| {
                    let all = poll_all(DatagenTask::default(), config.clone());
                    run(RuntimeKind::Epoll, None, all).unwrap()
                })
                .sum()
        });
    });
    group.finish();
}

/// Time to put `RECORDS` records into a file, in batches as a fetch brings them.
async fn put_all(file: String) -> Duration {
    let count = 10_000;
    let bytes = text(count);
    let mut lines = Lines::default();
    split(&bytes, 0, bytes.len(), count, &mut lines);
    let batch = SinkBatch {
        source: TopicPartition::new("t", 0),
        offsets: vec![0; count],
        timestamps: vec![-1; count],
        log_append_time: false,
        keys: SliceColumn::Omitted,
        values: SliceColumn::Slices {
            form: SliceForm::Text,
            buffer: bytes.into(),
            spans: lines.spans,
        },
        headers: Vec::new(),
        routed: None,
        next_offset: 0,
    };
    let mut task = FileStreamSinkTask::default();
    let config = config(&[("file", &file)]);
    task.start(SinkTaskContext::new("bench", 0), &config)
        .await
        .unwrap();
    let start = Instant::now();
    for _ in 0..RECORDS / count {
        task.put(std::slice::from_ref(&batch)).await.unwrap();
    }
    task.flush(&[]).await.unwrap();
    start.elapsed()
}

fn sink(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let mut group = c.benchmark_group("sink");
    group.throughput(Throughput::Elements(RECORDS as u64));
    for (name, file) in [
        ("dev_null", Path::new("/dev/null").to_owned()),
        ("file", directory.path().join("out")),
    ] {
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                (0..times)
                    .map(|_| {
                        if name == "file" && file.exists() {
                            std::fs::remove_file(&file).unwrap();
                        }
                        let all = put_all(file.to_str().unwrap().to_owned());
                        run(RuntimeKind::Epoll, None, all).unwrap()
                    })
                    .sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, split_block, sources, sink);
criterion_main!(benches);
