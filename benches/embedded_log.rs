//! Appends to and reads from the embedded log: 93-byte records without keys, one partition, one shard,
//! cached files. Prints payload per second of wall clock and per second of CPU (all threads of the
//! process, system time included).
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringmain::api::{Span, TopicPartition};
use ringmain::clients::{Consumer, ConsumerConfig, Polled, Producer, ProducerConfig, Slices};
use ringmain::embedded::{EmbeddedConfig, EmbeddedConsumer, EmbeddedLog, EmbeddedProducer};
use ringmain::shard::{RuntimeKind, run};

const RECORD: u32 = 93;
const PER_POLL: u32 = 2800;
const POLLS: u64 = 1072;
const PAYLOAD: u64 = POLLS * PER_POLL as u64 * RECORD as u64;

/// User and system time of this process, to 10 ms.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields = after_name.split_whitespace().skip(11).take(2);
    let ticks: u64 = fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}

fn report(what: &str, started: Instant, cpu_before: Duration) {
    let megabytes = Duration::from_millis(PAYLOAD / 1000).as_secs_f64();
    let wall = started.elapsed().as_secs_f64();
    let used = (cpu() - cpu_before).as_secs_f64();
    println!(
        "{what}: {:.0} MB/s of wall clock, {:.0} MB/s of CPU ({:.1} ns a record)",
        megabytes / wall,
        megabytes / used,
        used * 1e9 * f64::from(RECORD) / (megabytes * 1e6),
    );
}

async fn append(log: Arc<EmbeddedLog>) {
    let block: Vec<u8> = (b'a'..=b'z')
        .cycle()
        .take((PER_POLL * RECORD) as usize)
        .collect();
    let values: Vec<Span> = (0..PER_POLL)
        .map(|index| Span {
            start: index * RECORD,
            len: RECORD,
        })
        .collect();
    let slices = Slices {
        partition: None,
        timestamp: 1_700_000_000_000,
        buffer: &block,
        values: &values,
        keys: None,
    };
    let producer = EmbeddedProducer::new(log, ProducerConfig::default());
    let topic = producer.topic("t").await.unwrap();
    let mut acks = Vec::new();
    for batch in 0..POLLS {
        let mut from = 0;
        while from < PER_POLL {
            from = producer.append_slices(topic, &slices, from, batch).unwrap();
            if from < PER_POLL {
                producer.ready().await.unwrap();
            }
        }
        producer.take_acks(&mut acks);
        acks.clear();
    }
    producer.close(Duration::from_secs(60)).await;
}

async fn read(log: Arc<EmbeddedLog>) {
    let consumer = EmbeddedConsumer::new(log, ConsumerConfig::default());
    consumer.assign(vec![TopicPartition::new("t", 0)]);
    let mut left = POLLS * u64::from(PER_POLL);
    while left > 0 {
        let Polled::Records(batches) = consumer.poll(Duration::from_secs(10)).await.unwrap() else {
            panic!("records expected");
        };
        for batch in batches {
            left -= batch.records.len() as u64;
        }
    }
}

fn main() {
    for kind in [RuntimeKind::Epoll, RuntimeKind::IoUring] {
        let dir = tempfile::tempdir().unwrap();
        let config = EmbeddedConfig {
            retention_ms: None,
            ..EmbeddedConfig::default()
        };
        let log = EmbeddedLog::open(dir.path(), config).unwrap();
        let (started, before) = (Instant::now(), cpu());
        run(kind, None, append(Arc::clone(&log))).unwrap();
        report(&format!("append ({})", kind.name()), started, before);
        let (started, before) = (Instant::now(), cpu());
        run(kind, None, read(Arc::clone(&log))).unwrap();
        report(&format!("read   ({})", kind.name()), started, before);
    }
}
