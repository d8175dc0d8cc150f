//! What appending and sending costs: CPU time per 93-byte record against a broker.
//!
//! `cargo run --release --example kafka_producer_cost -- HOST:PORT [records] [runtime] [batch.size] [partitions]`
#![allow(clippy::unwrap_used, reason = "an example")]

use std::time::{Duration, Instant};

use ringmain::api::Span;
use ringmain::clients::{
    Admin, AdminConfig, CommonClientConfig, NewTopic, Producer, ProducerConfig, Slices,
};
use ringmain::kafka::{KafkaAdmin, KafkaProducer};
use ringmain::shard::{RuntimeKind, run, yield_now};

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

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let server = args[1].clone();
    let records: u64 = args.get(2).map_or(10_000_000, |n| n.parse().unwrap());
    let kind = match args.get(3).map(String::as_str) {
        Some("epoll") => RuntimeKind::Epoll,
        _ => RuntimeKind::IoUring,
    };
    let batch_size: usize = args.get(4).map_or(1 << 20, |n| n.parse().unwrap());
    let partitions: i32 = args.get(5).map_or(1, |n| n.parse().unwrap());
    run(kind, Some(0), async move {
        let common = CommonClientConfig {
            bootstrap_servers: vec![server],
            client_id: "cost".to_owned(),
            ..CommonClientConfig::default()
        };
        let admin = KafkaAdmin::new(AdminConfig { common: common.clone() });
        let name = format!("cost-{}", std::process::id());
        let topic = NewTopic {
            name: name.clone(),
            partitions,
            replication_factor: 1,
            configs: Vec::new(),
        };
        assert!(admin.create_topic(&topic).await.unwrap());
        let producer = KafkaProducer::new(ProducerConfig {
            common,
            batch_size,
            ..ProducerConfig::default()
        });
        let topic = producer.topic(&name).await.unwrap();
        let line = b"the quick brown fox jumps over the lazy dog 0123456789 the quick brown fox jumps over the laz";
        assert_eq!(line.len(), 93);
        let buffer = line.repeat(2000);
        let values: Vec<Span> = (0..2000)
            .map(|at| Span { start: at * 93, len: 93 })
            .collect();
        let slices = Slices {
            partition: None,
            timestamp: 1_700_000_000_000,
            buffer: &buffer,
            values: &values,
            keys: None,
        };
        let (start, start_cpu) = (Instant::now(), cpu());
        let mut appending = Duration::ZERO;
        let mut acks = Vec::new();
        let (mut sent, mut acked, mut full) = (0, 0, 0);
        while sent < records {
            let mut from = 0;
            while from < 2000 {
                let before = Instant::now();
                from = producer.append_slices(topic, &slices, from, sent).unwrap();
                appending += before.elapsed();
                if from < 2000 {
                    full += 1;
                    producer.ready().await.unwrap();
                }
            }
            sent += 2000;
            producer.take_acks(&mut acks);
            for ack in acks.drain(..) {
                ack.result.unwrap();
                acked += u64::from(ack.count);
            }
            yield_now().await;
        }
        producer.flush().await;
        producer.take_acks(&mut acks);
        for ack in acks.drain(..) {
            ack.result.unwrap();
            acked += u64::from(ack.count);
        }
        assert_eq!(acked, sent);
        let (took, cpu) = (start.elapsed(), cpu() - start_cpu);
        let per = |time: Duration| time.as_nanos() as f64 / sent as f64;
        println!(
            "{kind:?}: {sent} records in {took:?} ({:.2} M/s); CPU {:.1} ns per record, of it append {:.1}; full {full} times",
            sent as f64 / took.as_secs_f64() / 1e6,
            per(cpu),
            per(appending),
        );
        producer.close(Duration::from_secs(5)).await;
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        for line in status.lines().filter(|line| line.starts_with("VmHWM") || line.starts_with("VmRSS")) {
            println!("{line}");
        }
        admin.delete_topic(&name).await.unwrap();
    })
    .unwrap();
}
