//! What reading costs: CPU time per 93-byte record against a broker, receiving and decoding.
//!
//! `cargo run --release --example kafka_consumer_cost -- HOST:PORT [records] [runtime] [codec] [partitions]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "an example")]

use std::time::{Duration, Instant};

use ringmain::api::{Span, TopicPartition};
use ringmain::clients::{
    Admin, AdminConfig, CommonClientConfig, Consumer, ConsumerConfig, NewTopic, Polled, Producer,
    ProducerConfig, Slices,
};
use ringmain::kafka::{KafkaAdmin, KafkaConsumer, KafkaProducer};
use ringmain::record::{Compression, CompressionConfig};
use ringmain::shard::{RuntimeKind, run};

const LINE: &[u8] =
    b"the quick brown fox jumps over the lazy dog 0123456789 the quick brown fox jumps over the laz";

/// CPU time of all threads that live.
fn cpu() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = tasks.map(|task| {
        let path = task.unwrap().path().join("schedstat");
        let text = std::fs::read_to_string(path).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}

async fn fill(
    common: &CommonClientConfig,
    name: &str,
    partitions: i32,
    records: u64,
    codec: Compression,
) {
    let admin = KafkaAdmin::new(AdminConfig {
        common: common.clone(),
    });
    let topic = NewTopic {
        name: name.to_owned(),
        partitions,
        replication_factor: 1,
        configs: Vec::new(),
    };
    assert!(admin.create_topic(&topic).await.unwrap());
    let producer = KafkaProducer::new(ProducerConfig {
        common: common.clone(),
        compression: CompressionConfig { codec, level: None },
        ..ProducerConfig::default()
    });
    let topic = producer.topic(name).await.unwrap();
    let buffer = LINE.repeat(2000);
    let len = u32::try_from(LINE.len()).unwrap();
    let values: Vec<Span> = (0..2000)
        .map(|i| Span {
            start: i * len,
            len,
        })
        .collect();
    let mut acks = Vec::new();
    for batch in 0..records / 2000 {
        let slices = Slices {
            partition: Some(i32::try_from(batch).unwrap() / 50 % partitions),
            timestamp: 1_700_000_000_000,
            buffer: &buffer,
            values: &values,
            keys: None,
        };
        let mut from = 0;
        while from < 2000 {
            from = producer.append_slices(topic, &slices, from, batch).unwrap();
            if from < 2000 {
                producer.ready().await.unwrap();
            }
        }
        acks.clear();
        producer.take_acks(&mut acks);
    }
    producer.flush().await;
    producer.close(Duration::from_secs(10)).await;
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let server = args[1].clone();
    let records: u64 = args.get(2).map_or(10_000_000, |n| n.parse().unwrap());
    let kind = match args.get(3).map(String::as_str) {
        Some("epoll") => RuntimeKind::Epoll,
        _ => RuntimeKind::IoUring,
    };
    let codec = match args.get(4).map(String::as_str) {
        Some("lz4") => Compression::Lz4,
        Some("zstd") => Compression::Zstd,
        Some("gzip") => Compression::Gzip,
        Some("snappy") => Compression::Snappy,
        _ => Compression::None,
    };
    let partitions: i32 = args.get(5).map_or(1, |n| n.parse().unwrap());
    run(kind, Some(0), async move {
        let common = CommonClientConfig {
            bootstrap_servers: vec![server],
            client_id: "cost".to_owned(),
            ..CommonClientConfig::default()
        };
        let name = format!("read-cost-{}", std::process::id());
        fill(&common, &name, partitions, records, codec).await;
        for round in 0..3 {
            let consumer = KafkaConsumer::new(ConsumerConfig {
                common: common.clone(),
                ..ConsumerConfig::default()
            });
            let all = (0..partitions).map(|p| TopicPartition::new(name.as_str(), p));
            consumer.assign(all.collect());
            let (start, cpu_start) = (Instant::now(), cpu());
            let (mut seen, mut polls, mut bytes) = (0_u64, 0_u64, 0_u64);
            while seen < records {
                let Polled::Records(list) = consumer.poll(Duration::from_secs(10)).await.unwrap()
                else {
                    panic!("stalled after {seen}");
                };
                polls += 1;
                for fetched in &list {
                    seen += fetched.records.len() as u64;
                    bytes += fetched
                        .records
                        .iter()
                        .map(|r| u64::from(r.value.len))
                        .sum::<u64>();
                }
            }
            assert_eq!(bytes, seen * LINE.len() as u64);
            let (wall, cpu) = (start.elapsed(), cpu() - cpu_start);
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let peak = status
                .lines()
                .find(|line| line.starts_with("VmHWM"))
                .unwrap();
            println!(
                "round {round}: {:.1} ns CPU per record, {:.2} M records/s, {polls} polls, {peak}",
                cpu.as_secs_f64() * 1e9 / seen as f64,
                seen as f64 / wall.as_secs_f64() / 1e6,
            );
            consumer.close(Duration::from_secs(5)).await;
        }
    })
    .unwrap();
}
