//! The readers: a thread that waits for records at the destination, and notes when each was there.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest};

use super::batches;
use super::schedule::Found;
use crate::error::{Error, Naming, Result};
use crate::wire::{Connection, topic_name};

/// Between two looks at a file.
const LOOK: Duration = Duration::from_micros(500);
const FETCH_BYTES: i32 = 4 << 20;
/// How long a broker holds a fetch that finds nothing.
const FETCH_WAIT_MS: i32 = 100;
const VERSION: i16 = 11;

/// What a reader shares with who waits for it.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    pub(super) stop: Arc<AtomicBool>,
    /// Different records so far.
    pub(super) arrived: Arc<AtomicU64>,
}

impl Shared {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn tell(&self, found: &Found) {
        self.arrived
            .store(found.numbers.distinct(), Ordering::Relaxed);
    }
}

/// Reads partition 0 from its start, one fetch after the other, each answered as soon as there is a record.
pub(super) fn topic(
    topic: &str,
    mut connection: Connection,
    mut found: Found,
    shared: &Shared,
) -> Result<Found> {
    let failed = |e: &dyn std::fmt::Display| Error::Kafka(format!("reading {topic}: {e}"));
    let mut next = 0;
    while !shared.stopped() && !found.whole() {
        let answer = connection
            .call(VERSION, &request(topic, next))
            .map_err(|e| failed(&e))?;
        let now = Instant::now();
        let partitions = answer.responses.iter().flat_map(|t| &t.partitions);
        for partition in partitions {
            if partition.error_code != 0 {
                return Err(failed(&format!("error {}", partition.error_code)));
            }
            let records = partition.records.as_deref().unwrap_or_default();
            let from = next;
            let read = batches::walk(records, |offset, value| {
                if offset >= from {
                    found.add(value, now);
                }
            });
            next = read.map_err(|e| failed(&e))?.unwrap_or(next);
        }
        shared.tell(&found);
    }
    Ok(found)
}

fn request(topic: &str, offset: i64) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_partition(0)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(FETCH_BYTES);
    let topic = FetchTopic::default()
        .with_topic(topic_name(topic))
        .with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(FETCH_WAIT_MS)
        .with_min_bytes(1)
        .with_max_bytes(FETCH_BYTES)
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

/// Reads a file that grows.
pub(super) fn file(path: &Path, mut found: Found, shared: &Shared) -> Result<Found> {
    let mut file = None;
    let mut rest = Vec::new();
    let mut block = vec![0; 1 << 20];
    while !shared.stopped() && !found.whole() {
        if file.is_none() {
            file = File::open(path).ok();
        }
        let count = match &mut file {
            Some(file) => file.read(&mut block).at("read", path)?,
            None => 0,
        };
        if count == 0 {
            std::thread::sleep(LOOK);
            continue;
        }
        let now = Instant::now();
        rest.extend_from_slice(&block[..count]);
        let newline = rest.iter().rposition(|&b| b == b'\n');
        let end = newline.map_or(0, |at| at + 1);
        let lines = rest[..end].split(|&b| b == b'\n');
        for line in lines.filter(|line| !line.is_empty()) {
            found.add(line, now);
        }
        rest.drain(..end);
        shared.tell(&found);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::schedule::Schedule;
    use super::*;
    use crate::input::{Data, Generator};

    #[test]
    fn lines_are_read_while_the_file_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (shared, seen) = (Shared::default(), path.clone());
        let reader = {
            let found = Found::new(Schedule::new(1000, 0.0, 0.02)).unwrap();
            let shared = shared.clone();
            std::thread::spawn(move || file(&seen, found, &shared))
        };
        let mut text = Vec::new();
        let generator = Generator::new(Data::Text, 40);
        generator.write_lines(0..21, &mut text).unwrap();
        let mut out = File::create(&path).unwrap();
        // In the midst of a line.
        for part in text.chunks(150) {
            out.write_all(part).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        let found = reader.join().unwrap().unwrap();
        assert!(found.whole());
        assert_eq!(shared.arrived.load(Ordering::Relaxed), 21);
    }
}
