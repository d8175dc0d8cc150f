//! The file connectors and Datagen by themselves: from a cached file, or from nothing, to batches, and
//! from batches to a file.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::hint::black_box;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use common::cpu_time::{self, CpuTime};
use common::input::LINE_BYTES;
use common::{Amount, input, set};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::api::connector::OffsetReader;
use ringmain::api::{
    ConfigMap, ConnectError, LocalFuture, SinkBatch, SinkTask, SinkTaskContext, SliceColumn,
    SliceForm, SourceMap, SourceTask, SourceTaskContext, TopicPartition,
};
use ringmain::connectors::datagen::DatagenTask;
use ringmain::connectors::file_stream::{FileStreamSinkTask, FileStreamSourceTask};
use ringmain::shard::{RuntimeKind, run};

/// Records of one measured call.
const RECORDS: usize = 200_000;
/// Records of one put, as a fetch brings them.
const PUT: usize = 10_000;

const AMOUNT: Amount = Amount {
    records: RECORDS,
    bytes: RECORDS * LINE_BYTES,
};

struct NoOffsets;

impl OffsetReader for NoOffsets {
    fn offset<'a>(
        &'a self,
        _partition: &'a SourceMap,
    ) -> LocalFuture<'a, Result<Option<SourceMap>, ConnectError>> {
        Box::pin(async { Ok(None) })
    }
}

/// CPU time of polling `RECORDS` records out of a task.
async fn poll_all(mut task: impl SourceTask, config: ConfigMap) -> Duration {
    let context = SourceTaskContext {
        connector: "bench".into(),
        task: 0,
        offsets: Rc::new(NoOffsets),
        preview: false,
    };
    task.start(context, &config).await.unwrap();
    let before = cpu_time::used();
    let mut records = 0;
    while records < RECORDS {
        records += black_box(task.poll().await.unwrap()).len();
    }
    cpu_time::used() - before
}

/// The sum of `times` runs.
fn runs<Fut>(times: u64, mut one: impl FnMut() -> Fut) -> Duration
where
    Fut: Future<Output = Duration> + 'static,
{
    let run_one = |_| run(RuntimeKind::Epoll, None, one()).unwrap();
    (0..times).map(run_one).sum()
}

fn sources(c: &mut Criterion<CpuTime>) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("in");
    std::fs::write(&file, input::lines(RECORDS, LINE_BYTES).buffer).unwrap();
    let name = file.to_str().unwrap();
    let mut group = c.benchmark_group("source");
    set(&mut group, AMOUNT);
    let from_file = input::config(&[("file", name), ("topic", "t")]);
    group.bench_function("cached file", |b| {
        b.iter_custom(|times| {
            runs(times, || {
                poll_all(FileStreamSourceTask::default(), from_file.clone())
            })
        });
    });
    let made = input::config(&[("topic", "t"), ("record.size", "93")]);
    group.bench_function("datagen", |b| {
        b.iter_custom(|times| runs(times, || poll_all(DatagenTask::default(), made.clone())));
    });
    group.finish();
}

/// CPU time of putting `RECORDS` records into a file, all threads.
async fn put_all(file: String) -> Duration {
    let lines = input::lines(PUT, LINE_BYTES);
    let batch = SinkBatch {
        source: TopicPartition::new("t", 0),
        offsets: vec![0; PUT],
        timestamps: vec![-1; PUT],
        log_append_time: false,
        keys: SliceColumn::Omitted,
        values: SliceColumn::Slices {
            form: SliceForm::Text,
            buffer: lines.buffer,
            spans: lines.spans,
        },
        headers: Vec::new(),
        routed: None,
        next_offset: 0,
        originals: None,
    };
    let mut task = FileStreamSinkTask::default();
    let config = input::config(&[("file", &file)]);
    task.start(SinkTaskContext::new("bench", 0), &config)
        .await
        .unwrap();
    let before = cpu_time::used();
    for _ in 0..RECORDS / PUT {
        task.put(std::slice::from_ref(&batch)).await.unwrap();
    }
    task.flush(&[]).await.unwrap();
    cpu_time::used() - before
}

fn sink(c: &mut Criterion<CpuTime>) {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut group = c.benchmark_group("sink");
    set(&mut group, AMOUNT);
    for (name, file) in [("/dev/null", Path::new("/dev/null")), ("file", &out)] {
        group.bench_function(name, |b| {
            b.iter_custom(|times| {
                runs(times, || {
                    if out.exists() {
                        std::fs::remove_file(&out).unwrap();
                    }
                    put_all(file.to_str().unwrap().to_owned())
                })
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = sources, sink
}
criterion_main!(benches);
