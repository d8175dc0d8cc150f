//! End-to-end latency at a fixed rate, without coordinated omission.
//!
//! An open loop: record *n* is due at *n* / rate after the start, whatever happened to the ones before,
//! and carries that time. Latency counts from the due time until the harness reads the record at the
//! destination, so what waits behind a stall counts with its wait. What the harness itself adds (a
//! produce request per millisecond, a fetch or a look at the file) is the same for every system.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rskafka::client::partition::{Compression, PartitionClient};

use crate::error::{Error, Naming, Result};
use crate::interrupt;
use crate::results::{Latency, Run};
use crate::scenario::{Flow, Scenario};
use crate::session::Session;
use crate::start_up;
use crate::systems::{self, Job, System};
use crate::throughput::{samples, span};
use crate::topics;
use crate::verify;
use crate::worker::Worker;

/// Due records go out together so often.
const TICK: Duration = Duration::from_millis(1);
/// Produce requests on their way at most: more than any broker needs; when reached, records wait, and
/// their latency counts on.
const IN_FLIGHT: usize = 256;
/// Between two looks at a file.
const LOOK: Duration = Duration::from_micros(500);
/// How long the last records may take.
const STRAGGLERS: Duration = Duration::from_secs(20);

/// Longer ones count as ten minutes.
const LONGEST_MICROS: u64 = 600_000_000;

/// Times that all parts of a run share.
#[derive(Debug, Clone)]
struct Schedule {
    start: Instant,
    rate: u64,
    records: u64,
    /// The first that counts.
    counted_from: u64,
}

impl Schedule {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few million records"
    )]
    fn new(scenario: &Scenario) -> Self {
        let settings = &scenario.settings;
        let rate = settings.rate as f64;
        let warm_up = (rate * settings.warm_up_seconds) as u64;
        Self {
            // A little later, when all parts run.
            start: Instant::now() + Duration::from_millis(200),
            rate: settings.rate,
            records: warm_up + (rate * settings.duration) as u64,
            counted_from: warm_up,
        }
    }

    fn due(&self, record: u64) -> Instant {
        self.start + Duration::from_nanos(record * 1_000_000_000 / self.rate)
    }
}

/// What the reader found.
#[derive(Debug)]
struct Found {
    histogram: Histogram<u64>,
    numbers: verify::Seen,
    schedule: Schedule,
}

impl Found {
    fn new(schedule: Schedule) -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, LONGEST_MICROS, 3)
            .map_err(|e| Error::Usage(format!("no histogram: {e}")))?;
        Ok(Self {
            histogram,
            numbers: verify::Seen::new(schedule.records),
            schedule,
        })
    }

    /// A record that was read at `now`.
    fn add(&mut self, value: &[u8], now: Instant) {
        let Some(record) = crate::input::index_of(value) else {
            self.numbers.add(None);
            return;
        };
        self.numbers.add(Some(record));
        if (self.schedule.counted_from..self.schedule.records).contains(&record) {
            let latency = now.saturating_duration_since(self.schedule.due(record));
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.histogram.saturating_record(micros.max(1));
        }
    }

    fn whole(&self) -> bool {
        self.numbers.distinct() >= self.schedule.records
    }
}

/// One run.
pub(crate) fn measure(
    session: &mut Session,
    scenario: &Scenario,
    system: System,
    run: &mut Run,
) -> Result<()> {
    let dir = session.dir(system.id())?;
    let (name, input) = (session.unique("run"), session.unique("in"));
    let output = format!("{name}.{input}");
    session.wire.create_topic(&input, 1, &[])?;
    if scenario.flow == Flow::TopicToTopic {
        session.wire.create_topic(&output, 1, &[])?;
    }
    let kafka = session.programs.kafka.as_ref();
    let job = Job {
        scenario,
        dir: dir.path(),
        bootstrap: session.bootstrap.clone(),
        name,
        input_file: PathBuf::new(),
        input_topic: input.clone(),
        output_topic: output.clone(),
        output_file: dir.path().join("output.txt"),
        plugin_path: kafka.map(testbed::Kafka::plugin_path),
    };
    let outcome = with_worker(session, &job, system, run);
    let deleted = session.wire.delete_topic(&input);
    let deleted = deleted.and(session.wire.delete_topic(&output));
    outcome.and(deleted)
}

fn with_worker(session: &mut Session, job: &Job<'_>, system: System, run: &mut Run) -> Result<()> {
    let launch = systems::launch(system, &session.programs, job)?;
    run.commands = vec![systems::in_shell_words(&launch.command)];
    run.commands.extend(session.broker_command.clone());
    run.files = launch.files.iter().cloned().collect();
    let mut worker = Worker::start(system.id(), launch)?;
    start_up::wait_for_answer(session, &mut worker)?;
    let outcome = at_rate(session, job, &mut worker, run);
    start_up::take_down(&worker, run)?;
    outcome
}

fn at_rate(session: &mut Session, job: &Job<'_>, worker: &mut Worker, run: &mut Run) -> Result<()> {
    let schedule = Schedule::new(job.scenario);
    let stop = Arc::new(AtomicBool::new(false));
    let arrived = Arc::new(AtomicU64::new(0));
    let found = Found::new(schedule.clone())?;
    let reader = match job.scenario.flow {
        Flow::TopicToTopic => {
            let client = session.topics.0.partition(&job.output_topic, 0)?;
            let handle = session.topics.0.runtime().handle().clone();
            let (stop, arrived) = (Arc::clone(&stop), Arc::clone(&arrived));
            std::thread::spawn(move || handle.block_on(read_topic(&client, found, &stop, &arrived)))
        }
        Flow::TopicToFile => {
            let path = job.output_file.clone();
            let (stop, arrived) = (Arc::clone(&stop), Arc::clone(&arrived));
            std::thread::spawn(move || read_file(&path, found, &stop, &arrived))
        }
        flow => return Err(Error::Usage(format!("no latency of {flow:?}"))),
    };
    let client = session.topics.0.partition(&job.input_topic, 0)?;
    let size = job.scenario.settings.record_size;
    let sending = {
        let schedule = schedule.clone();
        session
            .topics
            .0
            .runtime()
            .spawn(send(client, schedule, size, Arc::clone(&stop)))
    };
    let watched = watch(session, worker, &schedule, &arrived, &sending);
    stop.store(true, Ordering::Relaxed);
    let found = joined(reader)?;
    let sent = session.topics.0.runtime().block_on(sending);
    watched?;
    sent.map_err(|e| Error::Run(format!("sending: {e}")))??;
    record(&schedule, worker, &found?, size, run)
}

fn joined<T>(thread: JoinHandle<T>) -> Result<T> {
    let failed = |_| Error::Run("the reader panicked".to_owned());
    thread.join().map_err(failed)
}

/// Looks at the worker while records flow, until all have arrived or time is up.
fn watch(
    session: &Session,
    worker: &mut Worker,
    schedule: &Schedule,
    arrived: &AtomicU64,
    sending: &tokio::task::JoinHandle<Result<()>>,
) -> Result<()> {
    let deadline = schedule.due(schedule.records) + STRAGGLERS;
    session
        .progress
        .begin("records at a fixed rate", schedule.records);
    loop {
        interrupt::sleep(Duration::from_millis(100))?;
        let records = arrived.load(Ordering::Relaxed);
        session.progress.at(records);
        if worker.look(session.broker.as_ref(), records)?.ended {
            return Err(Error::Run(format!("the worker ended\n{}", worker.tail())));
        }
        let all = records >= schedule.records && sending.is_finished();
        if all || Instant::now() > deadline {
            return Ok(());
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds with six digits")]
fn record(
    schedule: &Schedule,
    worker: &Worker,
    found: &Found,
    size: usize,
    run: &mut Run,
) -> Result<()> {
    let size = size as u64;
    let ms = |micros: u64| micros as f64 / 1000.0;
    let h = &found.histogram;
    let curve = h
        .iter_quantiles(4)
        .map(|step| (step.percentile(), ms(step.value_iterated_to())));
    run.latency = Some(Latency {
        rate: schedule.rate as f64,
        count: h.len(),
        mean_ms: h.mean() / 1000.0,
        p50_ms: ms(h.value_at_quantile(0.5)),
        p99_ms: ms(h.value_at_quantile(0.99)),
        p999_ms: ms(h.value_at_quantile(0.999)),
        max_ms: ms(h.max()),
        percentiles: curve.collect(),
    });
    let counted = |point: &&crate::steady::Point| point.records >= schedule.counted_from;
    let from = worker.points.iter().find(counted);
    let to = worker
        .points
        .iter()
        .rfind(|point| point.records < schedule.records);
    if let (Some(from), Some(to)) = (from, to)
        && to.records > from.records
    {
        let steady = span(from, to, size);
        let broker = steady.broker_user_seconds + steady.broker_system_seconds;
        run.broker_cores_busy = (broker > 0.0).then_some(broker / steady.seconds);
        run.steady = Some(steady);
    }
    run.samples = samples(&worker.points);
    let verification = found.numbers.verdict("the latency reader");
    let holds = verify::holds(&verification);
    let words = verify::in_words(&verification);
    run.verification = Some(verification);
    if holds {
        Ok(())
    } else {
        Err(Error::Run(words))
    }
}

/// Sends what is due, a request each tick, without waiting for the answers of earlier ones.
async fn send(
    client: Arc<PartitionClient>,
    schedule: Schedule,
    size: usize,
    stop: Arc<AtomicBool>,
) -> Result<()> {
    let generator = crate::input::Generator::new(crate::input::Data::Text, size);
    let places = Arc::new(tokio::sync::Semaphore::new(IN_FLIGHT));
    let mut requests = tokio::task::JoinSet::new();
    let mut next = 0;
    while next < schedule.records && !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        let first = next;
        while next < schedule.records && schedule.due(next) <= now {
            next += 1;
        }
        if next > first {
            let batch = topics::batch(&generator, first..next, crate::input::Form::Plain);
            let client = Arc::clone(&client);
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                break;
            };
            requests.spawn(async move {
                let outcome = client.produce(batch, Compression::NoCompression).await;
                drop(place);
                outcome
            });
        }
        while let Some(done) = requests.try_join_next() {
            checked(done)?;
        }
        tokio::time::sleep_until((now + TICK).max(schedule.start).into()).await;
    }
    while let Some(done) = requests.join_next().await {
        checked(done)?;
    }
    Ok(())
}

fn checked<T, E: std::fmt::Display>(
    done: std::result::Result<std::result::Result<T, E>, tokio::task::JoinError>,
) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| Error::Kafka(format!("sending at a fixed rate: {e}"));
    done.map_err(|e| failed(&e))?.map_err(|e| failed(&e))?;
    Ok(())
}

async fn read_topic(
    client: &PartitionClient,
    mut found: Found,
    stop: &AtomicBool,
    arrived: &AtomicU64,
) -> Result<Found> {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) && !found.whole() {
        let fetched = client.fetch_records(next, 1..4 << 20, 100).await;
        let now = Instant::now();
        let (records, _) = fetched.map_err(|e| Error::Kafka(format!("reading the output: {e}")))?;
        for record in records.iter().filter(|record| record.offset >= next) {
            found.add(record.record.value.as_deref().unwrap_or_default(), now);
        }
        next = records.last().map_or(next, |last| last.offset + 1);
        arrived.store(found.numbers.distinct(), Ordering::Relaxed);
    }
    Ok(found)
}

fn read_file(
    path: &Path,
    mut found: Found,
    stop: &AtomicBool,
    arrived: &AtomicU64,
) -> Result<Found> {
    let mut file = None;
    let mut rest = Vec::new();
    let mut block = vec![0; 1 << 20];
    while !stop.load(Ordering::Relaxed) && !found.whole() {
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
        let end = rest
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        for line in rest[..end]
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty())
        {
            found.add(line, now);
        }
        rest.drain(..end);
        arrived.store(found.numbers.distinct(), Ordering::Relaxed);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::{Data, Form, Generator};

    #[test]
    fn latency_counts_from_the_time_a_record_was_due() {
        let schedule = Schedule {
            start: Instant::now(),
            rate: 1000,
            records: 20,
            counted_from: 10,
        };
        let mut found = Found::new(schedule.clone()).unwrap();
        let generator = Generator::new(Data::Text, 50);
        // A stall: everything arrives 100 ms after the start, whenever it was due.
        let now = schedule.start + Duration::from_millis(100);
        for record in 0..20 {
            let mut value = Vec::new();
            generator.append(record, Form::Plain, &mut value);
            found.add(&value, now);
        }
        assert!(found.whole());
        assert_eq!(found.histogram.len(), 10);
        let ms = |micros: u64| micros.div_ceil(1000);
        assert_eq!(ms(found.histogram.min()), 81);
        assert_eq!(ms(found.histogram.max()), 91);
    }
}
