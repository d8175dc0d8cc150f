//! The mailbox between threads: there and back when both sides sleep, and one way in bulk. By the clock,
//! since waking a sleeping shard is what it is about; "records" are messages.

#![allow(
    missing_docs,
    reason = "criterion's macros make undocumented functions"
)]
#![allow(clippy::unwrap_used, reason = "a bench has nobody to report to")]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use common::{Amount, runtimes, set};
use criterion::{Criterion, criterion_group, criterion_main};
use ringmain::shard::{Mailbox, MailboxFull, RuntimeKind, mailbox, run};

/// Capacity of a mailbox.
const CAPACITY: usize = 1024;
/// Messages of one measured call in bulk.
const BULK: u64 = 10_000;

/// Sends, again and again while the mailbox is full.
fn send(mailbox: &Mailbox<u64>, message: u64) {
    let mut message = message;
    while let Err(MailboxFull(back)) = mailbox.send(message) {
        message = back;
        thread::yield_now();
    }
}

/// Time of `times` messages there and back, between two shards that have nothing else to do.
fn round_trips(kind: RuntimeKind, times: u64) -> Duration {
    let (there, arrived) = mailbox(CAPACITY);
    let (back, answered) = mailbox(CAPACITY);
    let echo = thread::spawn(move || {
        let echoing = async move {
            while let Some(message) = arrived.receive().await {
                send(&back, message);
            }
        };
        run(kind, None, echoing).unwrap();
    });
    let asking = async move {
        // The other shard is up when the first answer is there.
        send(&there, 0);
        answered.receive().await.unwrap();
        let started = Instant::now();
        for message in 0..times {
            send(&there, message);
            assert_eq!(answered.receive().await, Some(message));
        }
        started.elapsed()
    };
    let taken = run(kind, None, asking).unwrap();
    echo.join().unwrap();
    taken
}

/// Time until `count` messages of another thread were received.
fn bulk(kind: RuntimeKind, count: u64) -> Duration {
    let (sender, receiver) = mailbox(CAPACITY);
    let sending = thread::spawn(move || (0..=count).for_each(|message| send(&sender, message)));
    let receiving = async move {
        receiver.receive().await.unwrap();
        let started = Instant::now();
        while receiver.receive().await.is_some() {}
        started.elapsed()
    };
    let taken = run(kind, None, receiving).unwrap();
    sending.join().unwrap();
    taken
}

fn between_threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("mailbox");
    let messages = |count: u64| Amount {
        records: usize::try_from(count).unwrap(),
        bytes: usize::try_from(count).unwrap() * size_of::<u64>(),
    };
    for kind in runtimes() {
        set(&mut group, messages(1));
        group.bench_function(format!("there and back, {}", kind.name()), |b| {
            b.iter_custom(|times| round_trips(kind, times));
        });
        set(&mut group, messages(BULK));
        group.bench_function(format!("one way, {}", kind.name()), |b| {
            b.iter_custom(|times| bulk(kind, times * BULK));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = common::by_the_clock();
    targets = between_threads
}
criterion_main!(benches);
