//! As fast as it goes: a worker process moves all records, and is looked at every few milliseconds.
//!
//! Progress is read where the records arrive: the high watermark of the topic, the size of the file, the
//! committed offsets of a sink that drops. CPU time is read right after it, so that both belong to one
//! instant. A run that takes longer than its budget is measured on what it did in that time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::embedded;
use crate::error::{Error, Naming, Result};
use crate::input::Generator;
use crate::interrupt;
use crate::page_cache;
use crate::registry::Registry;
use crate::results::{Run, Sample, Span};
use crate::scenario::{Flow, Scenario};
use crate::session::Session;
use crate::settings::Converter;
use crate::steady::{self, Point};
use crate::systems::{self, Job, System};
use crate::topics::{Fill, compression};
use crate::verify::{self, Expected, Tally};
use crate::worker::Worker;

/// Time between two looks.
const LOOK: Duration = Duration::from_millis(20);
/// A run in which nothing moves for so long has failed.
const STANDSTILL: Duration = Duration::from_secs(60);
/// Samples that a result keeps.
const SAMPLES: usize = 300;

/// What all runs of a scenario read.
#[derive(Debug)]
pub(crate) struct Input {
    generator: Generator,
    dir: TempDir,
    topic: Option<String>,
    /// Of values in Avro.
    registry: Option<Arc<Registry>>,
}

impl Input {
    /// Writes the file, or fills the topic, once for all systems.
    pub(crate) fn prepare(session: &mut Session, scenario: &Scenario) -> Result<Self> {
        let settings = &scenario.settings;
        let mut input = Self {
            generator: settings.generator().map_err(Error::Usage)?,
            dir: session.dir("input")?,
            topic: None,
            registry: None,
        };
        match scenario.flow {
            Flow::FileToTopic | Flow::EmbeddedFiles => {
                let path = input.file();
                let file = std::fs::File::create(&path).at("create", &path)?;
                let lines = input.generator.write_lines(0..settings.records, file);
                lines.at("write", &path)?;
            }
            Flow::TopicToFile | Flow::TopicToTopic | Flow::TopicToNothing => {
                let topic = session.unique("in");
                if settings.converter == Converter::Avro {
                    let registry = session.registry()?;
                    let id = registry.register(&topic)?;
                    input.generator = input.generator.with_schema(id);
                    input.registry = Some(registry);
                }
                session
                    .wire
                    .create_topic(&topic, settings.partitions, &[])?;
                session
                    .progress
                    .begin("filling the topic", settings.records);
                let fill = Fill {
                    topic: &topic,
                    partitions: settings.partitions,
                    compression: compression(&settings.compression),
                    records: settings.records,
                    form: settings.form_in_topic(),
                    one_of: settings.one_of,
                };
                let progress = &session.progress;
                let filled = session
                    .topics
                    .0
                    .fill(&input.generator, fill, |n| progress.at(n));
                input.topic = Some(topic);
                filled?;
            }
            Flow::EmbeddedToNothing => embedded::fill(session, scenario, input.dir.path())?,
            Flow::Generate | Flow::None => {}
        }
        Ok(input)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("input.txt")
    }

    /// Gives the disk back.
    pub(crate) fn discard(&self, session: &mut Session) -> Result<()> {
        match &self.topic {
            Some(topic) => session.wire.delete_topic(topic),
            None => Ok(()),
        }
    }
}

/// Where progress is read.
#[derive(Debug)]
enum Destination {
    Topic(String),
    /// Bytes of a line, and of how many records one makes a line.
    File(PathBuf, u64, u64),
    Group {
        group: String,
        topic: String,
        partitions: i32,
    },
    /// What the worker has read of the embedded log, of how many bytes and records.
    Read {
        seen: u64,
        still: u32,
        bytes: u64,
        records: u64,
    },
}

/// A worker that reads less than this between two looks, so many times, has come to the log's end:
/// sockets and timers count as reading too.
const STILL: (u64, u32) = (64 << 10, 15);

impl Destination {
    fn records(&mut self, session: &mut Session, pid: i32) -> Result<u64> {
        match self {
            Self::Topic(topic) => session.wire.end_of(topic),
            Self::File(path, line, one_of) => {
                let lines = std::fs::metadata(path).map_or(0, |m| m.len()) / *line;
                Ok(lines * *one_of)
            }
            Self::Group {
                group,
                topic,
                partitions,
            } => session.wire.committed(group, topic, *partitions),
            Self::Read {
                seen,
                still,
                bytes,
                records,
            } => {
                let read = embedded::bytes_read(pid)?;
                let moved = read.saturating_sub(*seen) >= STILL.0;
                *still = if moved { 0 } else { *still + 1 };
                *seen = read;
                if read >= *bytes && *still >= STILL.1 {
                    return Ok(*records);
                }
                // Some is read twice; `follow` sets it right when the whole is known.
                let done = u128::from(read) * u128::from(*records) / u128::from(*bytes) / 4;
                Ok(u64::try_from(done).unwrap_or(0).min(*records - 1))
            }
        }
    }
}

/// One run of one system. `run` has what was seen also when an error comes back.
pub(crate) fn measure(
    session: &mut Session,
    scenario: &Scenario,
    input: &Input,
    system: System,
    run: &mut Run,
) -> Result<()> {
    let dir = session.dir(system.id())?;
    let job = job(session, scenario, input, dir.path());
    let written = writes_topic(scenario.flow).then(|| job.output_topic.clone());
    if let Some(topic) = &written {
        let partitions = scenario.settings.partitions;
        session.wire.create_topic(topic, partitions, &[])?;
    }
    let outcome = watch(session, &job, input, system, run);
    if let Some(topic) = &written {
        // An error of the run itself says more than one of the clean-up.
        let deleted = session.wire.delete_topic(topic);
        return outcome.and(deleted);
    }
    outcome
}

fn writes_topic(flow: Flow) -> bool {
    matches!(
        flow,
        Flow::FileToTopic | Flow::TopicToTopic | Flow::Generate
    )
}

fn job<'a>(session: &mut Session, scenario: &'a Scenario, input: &Input, dir: &'a Path) -> Job<'a> {
    let name = session.unique("run");
    let input_topic = input.topic.clone().unwrap_or_default();
    let output_topic = match scenario.flow {
        // MirrorSource's name for it, see systems/config.
        Flow::TopicToTopic => format!("{name}.{input_topic}"),
        _ => session.unique("out"),
    };
    let bootstrap = match scenario.flow {
        Flow::EmbeddedFiles => format!("embedded:{}", dir.join("log").display()),
        Flow::EmbeddedToNothing => format!("embedded:{}", input.dir.path().join("log").display()),
        _ => session.bootstrap.clone(),
    };
    let kafka = session.programs.kafka.as_ref();
    Job {
        scenario,
        dir,
        bootstrap,
        name,
        input_file: input.file(),
        input_topic,
        output_topic,
        output_file: dir.join("output.txt"),
        plugin_path: kafka.map(testbed::Kafka::plugin_path),
        registry: input.registry.clone(),
    }
}

fn destination(job: &Job<'_>, input: &Input) -> Destination {
    let settings = &job.scenario.settings;
    match job.scenario.flow {
        Flow::TopicToFile | Flow::EmbeddedFiles => {
            let line = input.generator.length(settings.form_in_file()) + 1;
            Destination::File(job.output_file.clone(), line as u64, settings.one_of)
        }
        Flow::TopicToNothing => Destination::Group {
            group: format!("connect-{}", job.name),
            topic: job.input_topic.clone(),
            partitions: settings.partitions,
        },
        Flow::EmbeddedToNothing => Destination::Read {
            seen: 0,
            still: 0,
            bytes: embedded::size(input.dir.path()).max(1),
            records: settings.records,
        },
        _ => Destination::Topic(job.output_topic.clone()),
    }
}

fn watch(
    session: &mut Session,
    job: &Job<'_>,
    input: &Input,
    system: System,
    run: &mut Run,
) -> Result<()> {
    let launch = systems::launch(system, &session.programs, job)?;
    run.commands = vec![systems::in_shell_words(&launch.command)];
    run.commands.extend(session.broker_command.clone());
    run.files = launch.files.iter().cloned().collect();
    let settings = &job.scenario.settings;
    let records = settings.records;
    page_cache::prepare(job.dir, records * (settings.record_size as u64 + 16))?;
    session
        .progress
        .begin(&format!("{} {}", job.scenario.name, system.id()), records);
    let mut worker = Worker::start(system.id(), launch)?;
    let mut destination = destination(job, input);
    let outcome = follow(session, job.scenario, &mut destination, &mut worker);
    take_down(job.scenario, &worker, run);
    let whole = outcome?;
    let (status, switches) = worker.end()?;
    (run.voluntary_switches, run.involuntary_switches) = switches;
    if !whole && !status.success() && !was_stopped(status) {
        return Err(worker.ended_badly(status));
    }
    let verification = verification(session, job, input, (system, &worker), whole)?;
    let holds = verify::holds(&verification);
    let words = verify::in_words(&verification);
    run.verification = Some(verification);
    if holds {
        Ok(())
    } else {
        Err(Error::Run(words))
    }
}

/// By our SIGTERM: kcat and the JVM (143) say so.
fn was_stopped(status: std::process::ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.code() == Some(143) || status.signal() == Some(15)
}

/// Looks until all records arrived (true), the budget is used up or the process ended.
fn follow(
    session: &mut Session,
    scenario: &Scenario,
    destination: &mut Destination,
    worker: &mut Worker,
) -> Result<bool> {
    let settings = &scenario.settings;
    let mut first = None;
    let mut moved = (0, Instant::now());
    loop {
        let next = Instant::now() + LOOK;
        interrupt::check()?;
        let records = destination.records(session, worker.pid())?;
        let ended = worker.look(session.broker.as_ref(), records)?.ended;
        session.progress.at(records);
        if records >= settings.records {
            if matches!(destination, Destination::Read { .. }) {
                worker.scale_to(records);
            }
            return Ok(true);
        }
        if records > moved.0 {
            moved = (records, Instant::now());
            first.get_or_insert(moved.1);
        }
        if first.is_some_and(|f: Instant| f.elapsed().as_secs_f64() > settings.budget) {
            return Ok(false);
        }
        if ended {
            let records = destination.records(session, worker.pid())?;
            worker.look(session.broker.as_ref(), records)?;
            return Ok(records >= settings.records);
        }
        if moved.1.elapsed() > STANDSTILL {
            return Err(Error::Run(format!(
                "no record moved for {} s; {} of {} arrived\n{}",
                STANDSTILL.as_secs(),
                moved.0,
                settings.records,
                worker.tail()
            )));
        }
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

/// What was seen, into the result.
fn take_down(scenario: &Scenario, worker: &Worker, run: &mut Run) {
    let points = &worker.points;
    let size = scenario.settings.record_size as u64;
    run.first_answer_seconds = worker.first_answer();
    run.peak_resident_bytes = worker.peak_bytes;
    let first = points.iter().find(|point| point.records > 0);
    run.first_record_seconds = first.map(|point| point.seconds);
    let Some(last) = points.last() else { return };
    // The broker was there before.
    let start = Point {
        broker: points[0].broker,
        ..Point::default()
    };
    run.whole = span(&start, last, size);
    if let Some((from, to)) = steady::window(points, scenario.settings.warm_up) {
        let steady = span(&points[from], &points[to], size);
        let broker = steady.broker_user_seconds + steady.broker_system_seconds;
        run.broker_cores_busy = (broker > 0.0).then_some(broker / steady.seconds);
        run.steady = Some(steady);
    }
    run.mean_resident_bytes = mean_resident(points);
    run.samples = samples(points);
}

/// Mean over the looks at a process that lived.
pub(crate) fn mean_resident(points: &[Point]) -> u64 {
    let alive: Vec<u64> = points
        .iter()
        .map(|p| p.resident_bytes)
        .filter(|&b| b > 0)
        .collect();
    alive.iter().sum::<u64>() / (alive.len() as u64).max(1)
}

/// As a result keeps them.
pub(crate) fn samples(points: &[Point]) -> Vec<Sample> {
    let few = steady::thinned(points, SAMPLES).into_iter();
    few.map(|point| Sample {
        seconds: point.seconds,
        records: point.records,
        cpu_seconds: point.cpu.0,
        resident_bytes: point.resident_bytes,
        broker_cpu_seconds: point.broker.0,
    })
    .collect()
}

/// What lies between two looks; `size` is that of a record.
pub(crate) fn span(from: &Point, to: &Point, size: u64) -> Span {
    let records = to.records - from.records;
    let user = to.cpu.1 - from.cpu.1;
    let broker_user = to.broker.1 - from.broker.1;
    Span {
        seconds: to.seconds - from.seconds,
        records,
        bytes: records * size,
        user_seconds: user,
        system_seconds: to.cpu.0 - from.cpu.0 - user,
        broker_user_seconds: broker_user,
        broker_system_seconds: to.broker.0 - from.broker.0 - broker_user,
    }
}

fn verification(
    session: &mut Session,
    job: &Job<'_>,
    input: &Input,
    (system, worker): (System, &Worker),
    whole: bool,
) -> Result<crate::results::Verification> {
    let settings = &job.scenario.settings;
    let expected = |form| Expected {
        generator: &input.generator,
        form,
        records: settings.records,
        one_of: settings.one_of,
    };
    session.progress.begin("verifying", settings.records);
    match job.scenario.flow {
        Flow::TopicToFile | Flow::EmbeddedFiles => {
            let form = settings.form_in_file();
            let mut tally = match input.generator.is_numbered(form) {
                true => Tally::new(settings.records),
                false => Tally::by_place(settings.records),
            };
            verify::read_lines(&job.output_file, &mut tally, whole)?;
            Ok(tally.verdict(&expected(form), whole, "the file"))
        }
        Flow::TopicToNothing => {
            let found = destination(job, input).records(session, worker.pid())?;
            let wanted = if whole { settings.records } else { found };
            Ok(verify::by_count(wanted, found, "committed offsets"))
        }
        Flow::EmbeddedToNothing => Ok(embedded::verification(
            &worker.output(),
            whole.then_some(settings.records),
        )),
        Flow::Generate => generated(session, job, system),
        _ => {
            let mut tally = Tally::new(settings.records);
            let topics = &session.topics.0;
            topics.read(&job.output_topic, settings.partitions, |value| {
                tally.add(value)
            })?;
            Ok(tally.verdict(&expected(settings.form_in_topic()), whole, "rskafka"))
        }
    }
}

/// Generators number their records from 0: each number must be there once, as many as there are
/// records. kafka-producer-perf-test's are random and can be counted only.
fn generated(
    session: &Session,
    job: &Job<'_>,
    system: System,
) -> Result<crate::results::Verification> {
    let partitions = job.scenario.settings.partitions;
    let mut numbers = verify::Numbers::default();
    let topics = &session.topics.0;
    topics.read(&job.output_topic, partitions, |value| numbers.add(value))?;
    Ok(match system {
        System::ProducerPerf => {
            verify::by_count(job.scenario.settings.records, numbers.found(), "rskafka")
        }
        _ => numbers.verdict("rskafka; by the records' numbers"),
    })
}
