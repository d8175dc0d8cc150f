//! The load generator: a thread that sends what is due, and one that takes the answers.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use kafka_protocol::messages::ProduceRequest;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};

use super::batches;
use super::schedule::{FIRST, Schedule};
use crate::error::{Error, Result};
use crate::input::{Data, Generator};
use crate::wire::{Connection, topic_name};

/// Due records go out together so often.
const TICK: Duration = Duration::from_millis(1);
/// Bytes of records in a request at most, for what has gathered behind a stall.
const REQUEST_BYTES: u64 = 256 << 10;
/// Produce requests on their way at most: more than any broker needs; when reached, records wait, and
/// their latency counts on.
const IN_FLIGHT: usize = 256;
const VERSION: i16 = 7;

/// What is sent.
#[derive(Debug)]
pub(super) struct Load {
    pub(super) topic: String,
    pub(super) schedule: Schedule,
    pub(super) record_size: usize,
}

/// Sends the records that go ahead of the schedule, and waits until they are acknowledged.
pub(super) fn ahead(topic: &str, record_size: usize, mut requests: Connection) -> Result<()> {
    let generator = Generator::new(Data::Text, record_size);
    let mut sending = || {
        let records = batches::encode(&generator, 0..FIRST, epoch_millis())?;
        let number = requests.send(VERSION, &request(topic, records))?;
        take_answer(&mut requests, number)
    };
    let failed = |e| Error::Kafka(format!("sending the first record to {topic}: {e}"));
    sending().map_err(failed)
}

/// Sends in the background until all records were acknowledged, or `stop`, which a failure sets.
pub(super) fn start(
    load: Load,
    requests: Connection,
    stop: Arc<AtomicBool>,
) -> Result<JoinHandle<Result<()>>> {
    let failed = |e| Error::Kafka(format!("sending at a fixed rate: {e}"));
    let answers = requests.try_clone().map_err(failed)?;
    Ok(std::thread::spawn(move || {
        let (sent, expected) = sync_channel(IN_FLIGHT);
        let answering = std::thread::spawn(move || take_answers(answers, &expected));
        let sending = send(&load, requests, &sent, &stop);
        drop(sent);
        let answered = answering
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread for answers panicked")));
        // A refused request explains why no more could be sent.
        let outcome = answered.and(sending);
        if outcome.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        outcome.map_err(failed)
    }))
}

fn send(
    load: &Load,
    mut requests: Connection,
    sent: &SyncSender<i32>,
    stop: &AtomicBool,
) -> io::Result<()> {
    let Load {
        schedule,
        record_size,
        ..
    } = load;
    let generator = Generator::new(Data::Text, *record_size);
    let most = (REQUEST_BYTES / *record_size as u64).max(1);
    let mut next = FIRST;
    let mut tick = schedule.start;
    while next < schedule.records && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(tick.saturating_duration_since(Instant::now()));
        let due = schedule.due_at(Instant::now());
        while next < due {
            let end = due.min(next + most);
            let records = batches::encode(&generator, next..end, epoch_millis())?;
            let number = requests.send(VERSION, &request(&load.topic, records))?;
            if sent.send(number).is_err() {
                return Err(io::Error::other("nobody takes the answers"));
            }
            next = end;
        }
        tick = (tick + TICK).max(Instant::now());
    }
    Ok(())
}

fn request(topic: &str, records: bytes::Bytes) -> ProduceRequest {
    let data = PartitionProduceData::default()
        .with_index(0)
        .with_records(Some(records));
    let topic = TopicProduceData::default()
        .with_name(topic_name(topic))
        .with_partition_data(vec![data]);
    ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![topic])
}

/// Takes the answers to what was sent, in that order.
fn take_answers(mut answers: Connection, expected: &Receiver<i32>) -> io::Result<()> {
    while let Ok(number) = expected.recv() {
        take_answer(&mut answers, number)?;
    }
    Ok(())
}

fn take_answer(answers: &mut Connection, number: i32) -> io::Result<()> {
    let answer = answers.receive::<ProduceRequest>(VERSION, number)?;
    let mut partitions = answer.responses.iter().flat_map(|t| &t.partition_responses);
    match partitions.find(|partition| partition.error_code != 0) {
        None => Ok(()),
        Some(refused) => Err(io::Error::other(format!(
            "the broker refused records, error {}",
            refused.error_code
        ))),
    }
}

/// Not a fixed date: the broker starts a new segment for records a week apart.
fn epoch_millis() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(0))
}
