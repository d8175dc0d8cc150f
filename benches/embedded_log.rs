//! Appends to and reads from the embedded log: 93-byte records without keys, one partition, one shard,
//! cached files. CPU time of all threads of the process, system time included.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::cpu_time::{self, CpuTime};
use common::input::{LINE_BYTES, Lines};
use common::{Amount, input, runtimes, set};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::api::TopicPartition;
use ringmain::clients::{Consumer, ConsumerConfig, Polled, Producer, ProducerConfig, Slices};
use ringmain::embedded::{EmbeddedConfig, EmbeddedConsumer, EmbeddedLog, EmbeddedProducer};
use ringmain::shard::{RuntimeKind, run};

/// As many lines as a block of 256 KiB holds.
const PER_POLL: usize = 2800;
const POLLS: usize = 150;

/// Appends everything and closes.
async fn append(log: Arc<EmbeddedLog>, lines: Lines) {
    let slices = Slices {
        partition: None,
        timestamp: input::TIMESTAMP,
        buffer: &lines.buffer,
        values: &lines.spans,
        keys: None,
    };
    let producer = EmbeddedProducer::new(log, ProducerConfig::default());
    let topic = producer.topic("t").await.unwrap();
    let mut acks = Vec::new();
    for batch in 0..POLLS as u64 {
        let mut from = 0;
        while (from as usize) < PER_POLL {
            from = producer.append_slices(topic, &slices, from, batch).unwrap();
            if (from as usize) < PER_POLL {
                producer.ready().await.unwrap();
            }
        }
        producer.take_acks(&mut acks);
        acks.clear();
    }
    producer.close(Duration::from_secs(60)).await;
}

/// Reads everything.
async fn read(log: Arc<EmbeddedLog>) {
    let consumer = EmbeddedConsumer::new(log, ConsumerConfig::default());
    consumer.assign(vec![TopicPartition::new("t", 0)]);
    let mut left = POLLS * PER_POLL;
    while left > 0 {
        let Polled::Records(batches) = consumer.poll(Duration::from_secs(10)).await.unwrap() else {
            panic!("records expected");
        };
        for batch in batches {
            left -= batch.records.len();
        }
    }
}

/// CPU time of `times` appends, each to a new log, or of `times` reads of a log just written.
fn measure(kind: RuntimeKind, times: u64, reading: bool) -> Duration {
    let directory = tempfile::tempdir().unwrap();
    let mut taken = Duration::ZERO;
    for time in 0..times {
        let config = EmbeddedConfig {
            retention_ms: None,
            ..EmbeddedConfig::default()
        };
        let place = directory.path().join(time.to_string());
        let log = EmbeddedLog::open(&place, config).unwrap();
        let lines = input::lines(PER_POLL, LINE_BYTES);
        let before = cpu_time::used();
        run(kind, None, append(Arc::clone(&log), lines)).unwrap();
        let written = cpu_time::used();
        if reading {
            run(kind, None, read(log)).unwrap();
            taken += cpu_time::used() - written;
        } else {
            taken += written - before;
        }
        std::fs::remove_dir_all(&place).unwrap();
    }
    taken
}

fn embedded_log(c: &mut Criterion<CpuTime>) {
    let mut group = c.benchmark_group("embedded_log");
    set(
        &mut group,
        Amount {
            records: POLLS * PER_POLL,
            bytes: POLLS * PER_POLL * LINE_BYTES,
        },
    );
    for kind in runtimes() {
        for (what, reading) in [("append", false), ("read", true)] {
            group.bench_function(format!("{what}, {}", kind.name()), |b| {
                b.iter_custom(|times| measure(kind, times, reading));
            });
        }
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_cpu_time();
    targets = embedded_log
}
criterion_main!(benches);
