//! What appending and sending costs: CPU time per 93-byte record against a broker.
//!
//! `cargo run --release --example kafka_producer_cost -- HOST:PORT [records] [io_uring|epoll] [batch.size] [partitions]`
//!
//! It makes a topic of its own and deletes it at the end.
#![allow(clippy::unwrap_used, reason = "an example")]

use std::time::{Duration, Instant};

use ringmain::api::Span;
use ringmain::clients::{
    Ack, Admin, AdminConfig, CommonClientConfig, NewTopic, Producer, ProducerConfig, Slices,
    TopicHandle,
};
use ringmain::kafka::{KafkaAdmin, KafkaProducer};
use ringmain::shard::{RuntimeKind, run, yield_now};

/// Records per call of `append_slices`.
const BATCH: u32 = 2000;

#[derive(Debug, Clone)]
struct Options {
    server: String,
    records: u64,
    runtime: RuntimeKind,
    batch_size: usize,
    partitions: i32,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize, default: u64| args.get(at).map_or(default, |n| n.parse().unwrap());
    let options = Options {
        server: args.get(1).expect("HOST:PORT").clone(),
        records: number(2, 10_000_000),
        runtime: match args.get(3).map(String::as_str) {
            Some("epoll") => RuntimeKind::Epoll,
            _ => RuntimeKind::IoUring,
        },
        batch_size: usize::try_from(number(4, 1 << 20)).unwrap(),
        partitions: i32::try_from(number(5, 1)).unwrap(),
    };
    run(options.runtime, Some(0), measure(options)).unwrap();
}

async fn measure(options: Options) {
    let common = CommonClientConfig {
        bootstrap_servers: vec![options.server.clone()],
        client_id: "cost".to_owned(),
        ..CommonClientConfig::default()
    };
    let admin = KafkaAdmin::new(AdminConfig {
        common: common.clone(),
    });
    let topic = NewTopic {
        name: format!("cost-{}", std::process::id()),
        partitions: options.partitions,
        replication_factor: 1,
        configs: Vec::new(),
    };
    assert!(admin.create_topic(&topic).await.unwrap());
    let producer = KafkaProducer::new(ProducerConfig {
        common,
        batch_size: options.batch_size,
        ..ProducerConfig::default()
    });
    let handle = producer.topic(&topic.name).await.unwrap();
    let (start, start_cpu) = (Instant::now(), cpu());
    let (sent, appending) = produce(&producer, handle, options.records).await;
    let (took, cpu) = (start.elapsed(), cpu() - start_cpu);
    let nanos = |time: Duration| time.as_secs_f64() * 1e9 / sent;
    println!(
        "{}: {:.2} M records/s; CPU {:.1} ns per record, of it append {:.1}",
        options.runtime.name(),
        sent / took.as_secs_f64() / 1e6,
        nanos(cpu),
        nanos(appending),
    );
    producer.close(Duration::from_secs(5)).await;
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    for line in status.lines().filter(|line| line.starts_with("VmHWM")) {
        println!("{line}");
    }
    admin.delete_topic(&topic.name).await.unwrap();
}

/// Gives how many were sent, and the time that appending took.
async fn produce(producer: &KafkaProducer, topic: TopicHandle, records: u64) -> (f64, Duration) {
    let line: Vec<u8> = (b'!'..=b'}').collect();
    let size = u32::try_from(line.len()).unwrap();
    let buffer = line.repeat(BATCH as usize);
    let values: Vec<Span> = (0..BATCH)
        .map(|at| Span {
            start: at * size,
            len: size,
        })
        .collect();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let slices = Slices {
        partition: None,
        timestamp: i64::try_from(now.unwrap().as_millis()).unwrap(),
        buffer: &buffer,
        values: &values,
        keys: None,
    };
    let mut appending = Duration::ZERO;
    let mut acks = Vec::new();
    let (mut sent, mut acked) = (0, 0);
    while sent < records {
        let mut from = 0;
        while from < BATCH {
            let before = Instant::now();
            from = producer.append_slices(topic, &slices, from, sent).unwrap();
            appending += before.elapsed();
            if from < BATCH {
                producer.ready().await.unwrap();
            }
        }
        sent += u64::from(BATCH);
        producer.take_acks(&mut acks);
        acked += count(&mut acks);
        yield_now().await;
    }
    producer.flush().await;
    producer.take_acks(&mut acks);
    acked += count(&mut acks);
    assert_eq!(acked, sent);
    (sent as f64, appending)
}

fn count(acks: &mut Vec<Ack>) -> u64 {
    let counts = acks.drain(..).map(|ack| {
        ack.result.unwrap();
        u64::from(ack.count)
    });
    counts.sum()
}

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
