//! End-to-end latency at a fixed rate, without coordinated omission.
//!
//! An open loop: record *n* is due at *n* / rate after the start, whatever happened to the ones before,
//! and carries that time. Latency counts from the due time until the harness reads the record at the
//! destination, so what waits behind a stall counts with its wait.
//!
//! What the harness and the broker add (a produce request per millisecond, a fetch or a look at the file)
//! is the same for every system, and part of the figures. So right before each run the same load goes
//! through the broker without any worker: the *floor* of the run, which no system can be below. It
//! warms up the broker's code for every system alike, too.
//!
//! The clock starts when a first record has come through: what gathers while a system starts up is no latency
//! at a fixed rate.
//!
//! Sending and reading are threads with connections of their own (`send`, `read`), as cheap as they can be.
//! What arrived is checked through rskafka afterwards, every record of it.

mod batches;
mod read;
mod schedule;
mod send;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use self::read::Shared;
use self::schedule::{FIRST, Found, Schedule};
use self::send::Load;
use crate::error::{Error, Result};
use crate::input::{Data, Generator};
use crate::interrupt;
use crate::results::{Latency, LatencyFloor, Run};
use crate::scenario::{Flow, Scenario};
use crate::session::Session;
use crate::start_up;
use crate::systems::{self, Job, System};
use crate::throughput::{samples, span};
use crate::verify::{self, Expected, Tally};
use crate::worker::Worker;

/// How long the last records may take.
const STRAGGLERS: Duration = Duration::from_secs(20);
/// How long a system may take from its first REST answer to its first record.
const BEGINNING: Duration = Duration::from_secs(60);
/// The floor's part of a run's seconds before counting: the broker alone is warm sooner.
const FLOOR_WARM_UP: f64 = 0.25;
/// The floor's part of a run's counted seconds.
const FLOOR_COUNTED: f64 = 0.5;

/// One run.
pub(crate) fn measure(
    session: &mut Session,
    scenario: &Scenario,
    system: System,
    run: &mut Run,
) -> Result<()> {
    let floor = floor(session, scenario)?;
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
        registry: None,
    };
    let outcome = with_worker(session, &job, system, run);
    if let Some(latency) = &mut run.latency {
        latency.floor = Some(floor);
    }
    let deleted = session.wire.delete_topic(&input);
    let deleted = deleted.and(session.wire.delete_topic(&output));
    outcome.and(deleted)
}

/// The same load without a worker.
fn floor(session: &mut Session, scenario: &Scenario) -> Result<LatencyFloor> {
    let topic = session.unique("floor");
    session.wire.create_topic(&topic, 1, &[])?;
    let outcome = measure_floor(session, scenario, &topic);
    let deleted = session.wire.delete_topic(&topic);
    let floor = outcome?;
    deleted?;
    Ok(floor)
}

fn measure_floor(session: &mut Session, scenario: &Scenario, topic: &str) -> Result<LatencyFloor> {
    let settings = &scenario.settings;
    let (warm_up, counted) = (settings.warm_up_seconds, settings.duration);
    send::ahead(topic, settings.record_size, session.wire.connect(topic)?)?;
    let schedule = Schedule::new(
        settings.rate,
        warm_up * FLOOR_WARM_UP,
        counted * FLOOR_COUNTED,
    );
    let loop_ = Loop::start(
        session,
        scenario,
        topic,
        Destination::Topic(topic),
        schedule,
    )?;
    let what = "records without a worker";
    let (found, watched) = loop_.until_all_arrived(session, what, |_, _| Ok(()));
    watched?;
    let found = found?;
    if !found.whole() {
        return Err(Error::Run(format!(
            "without a worker {} records of {} came through the broker in time",
            found.numbers.distinct(),
            found.schedule.records
        )));
    }
    let quantile = |at| ms(found.histogram.value_at_quantile(at));
    Ok(LatencyFloor {
        count: found.histogram.len(),
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        p999_ms: quantile(0.999),
        max_ms: ms(found.histogram.max()),
    })
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
    outcome?;
    check(session, job, run)
}

fn at_rate(session: &mut Session, job: &Job<'_>, worker: &mut Worker, run: &mut Run) -> Result<()> {
    let destination = match job.scenario.flow {
        Flow::TopicToTopic => Destination::Topic(&job.output_topic),
        Flow::TopicToFile => Destination::File(job.output_file.clone()),
        flow => return Err(Error::Usage(format!("no latency of {flow:?}"))),
    };
    wait_for_first(session, job, &destination, worker)?;
    let settings = &job.scenario.settings;
    let schedule = Schedule::new(settings.rate, settings.warm_up_seconds, settings.duration);
    let loop_ = Loop::start(
        session,
        job.scenario,
        &job.input_topic,
        destination,
        schedule,
    )?;
    let what = "records at a fixed rate";
    let (found, watched) = loop_.until_all_arrived(session, what, |session, records| match worker
        .look(session.broker.as_ref(), records)?
        .ended
    {
        true => Err(Error::Run(format!("the worker ended\n{}", worker.tail()))),
        false => Ok(()),
    });
    watched?;
    record(worker, &found?, settings.record_size, run);
    Ok(())
}

/// Sends the records ahead of the schedule, and waits until something is at the destination.
fn wait_for_first(
    session: &mut Session,
    job: &Job<'_>,
    destination: &Destination<'_>,
    worker: &mut Worker,
) -> Result<()> {
    let requests = session.wire.connect(&job.input_topic)?;
    send::ahead(
        &job.input_topic,
        job.scenario.settings.record_size,
        requests,
    )?;
    let deadline = Instant::now() + BEGINNING;
    loop {
        interrupt::sleep(Duration::from_millis(20))?;
        let is_there = match destination {
            Destination::Topic(output) => session.wire.end_of(output)? >= FIRST,
            Destination::File(path) => path.metadata().is_ok_and(|file| file.len() > 0),
        };
        if is_there {
            return Ok(());
        }
        let ended = worker.look(session.broker.as_ref(), 0)?.ended;
        if ended || Instant::now() > deadline {
            return Err(Error::Run(format!("no first record\n{}", worker.tail())));
        }
    }
}

/// Where the reader waits.
enum Destination<'a> {
    Topic(&'a str),
    File(PathBuf),
}

/// Generator and reader at work.
struct Loop {
    schedule: Schedule,
    shared: Shared,
    sending: JoinHandle<Result<()>>,
    reading: JoinHandle<Result<Found>>,
}

impl Loop {
    fn start(
        session: &mut Session,
        scenario: &Scenario,
        input: &str,
        destination: Destination<'_>,
        schedule: Schedule,
    ) -> Result<Self> {
        let shared = Shared::default();
        let found = Found::new(schedule.clone())?;
        let of_reader = shared.clone();
        let requests = session.wire.connect(input)?;
        let stop = Arc::clone(&shared.stop);
        let ending = move |outcome: Result<Found>| {
            if outcome.is_err() {
                stop.store(true, Ordering::Relaxed);
            }
            outcome
        };
        let reading = match destination {
            Destination::Topic(output) => {
                let connection = session.wire.connect(output)?;
                let output = output.to_owned();
                std::thread::spawn(move || {
                    ending(read::topic(&output, connection, found, &of_reader))
                })
            }
            Destination::File(path) => {
                std::thread::spawn(move || ending(read::file(&path, found, &of_reader)))
            }
        };
        let load = Load {
            topic: input.to_owned(),
            schedule: schedule.clone(),
            record_size: scenario.settings.record_size,
        };
        Ok(Self {
            sending: send::start(load, requests, Arc::clone(&shared.stop))?,
            schedule,
            shared,
            reading,
        })
    }

    /// Calls `look` now and then, with the records that have arrived, until they all have or time is up.
    /// What was found, and how the watching ended.
    fn until_all_arrived(
        self,
        session: &Session,
        what: &str,
        mut look: impl FnMut(&Session, u64) -> Result<()>,
    ) -> (Result<Found>, Result<()>) {
        let deadline = self.schedule.due(self.schedule.records) + STRAGGLERS;
        session.progress.begin(what, self.schedule.records);
        let watched = loop {
            if let Err(interrupted) = interrupt::sleep(Duration::from_millis(100)) {
                break Err(interrupted);
            }
            let records = self.shared.arrived.load(Ordering::Relaxed);
            session.progress.at(records);
            if let Err(error) = look(session, records) {
                break Err(error);
            }
            let ended = self.reading.is_finished() && self.sending.is_finished();
            if ended || Instant::now() > deadline {
                break Ok(());
            }
        };
        self.shared.stop.store(true, Ordering::Relaxed);
        let (sent, found) = (joined(self.sending), joined(self.reading));
        (sent.and(found), watched)
    }
}

fn joined<T>(thread: JoinHandle<Result<T>>) -> Result<T> {
    let panicked = |_| Err(Error::Run("a thread of the harness panicked".to_owned()));
    thread.join().unwrap_or_else(panicked)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds with six digits")]
fn ms(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

#[expect(clippy::cast_precision_loss, reason = "a rate with six digits")]
fn record(worker: &Worker, found: &Found, size: usize, run: &mut Run) {
    let schedule = &found.schedule;
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
        floor: None,
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
        let steady = span(from, to, size as u64);
        let broker = steady.broker_user_seconds + steady.broker_system_seconds;
        run.broker_cores_busy = (broker > 0.0).then_some(broker / steady.seconds);
        run.steady = Some(steady);
    }
    run.samples = samples(&worker.points);
}

/// Reads the whole output again, by other means than those that timed it.
fn check(session: &Session, job: &Job<'_>, run: &mut Run) -> Result<()> {
    let settings = &job.scenario.settings;
    let records = Schedule::new(settings.rate, settings.warm_up_seconds, settings.duration).records;
    session.progress.begin("verifying", records);
    let mut tally = Tally::new(records);
    let reader = match job.scenario.flow {
        Flow::TopicToFile => {
            verify::read_lines(&job.output_file, &mut tally, true)?;
            "the file"
        }
        _ => {
            let topics = &session.topics.0;
            topics.read(&job.output_topic, 1, |value| tally.add(value))?;
            "rskafka"
        }
    };
    let generator = Generator::new(Data::Text, settings.record_size);
    let expected = Expected {
        generator: &generator,
        form: crate::input::Form::Plain,
        records,
        one_of: 1,
    };
    let verification = tally.verdict(&expected, true, reader);
    let holds = verify::holds(&verification);
    let words = verify::in_words(&verification);
    run.verification = Some(verification);
    if holds {
        Ok(())
    } else {
        Err(Error::Run(words))
    }
}
