//! From the start of the process to its first REST answer, without connectors.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::interrupt;
use crate::results::{Run, Span};
use crate::scenario::Scenario;
use crate::session::Session;
use crate::steady::Point;
use crate::systems::{self, Job, System};
use crate::throughput::{mean_resident, samples, span};
use crate::worker::Worker;

const PATIENCE: Duration = Duration::from_secs(90);
/// Looked at for so long after the answer, for memory.
const AFTERWARDS: Duration = Duration::from_millis(500);

/// One start.
pub(crate) fn measure(
    session: &mut Session,
    scenario: &Scenario,
    system: System,
    run: &mut Run,
) -> Result<()> {
    let dir = session.dir(system.id())?;
    let mut worker = start(session, scenario, system, dir.path(), run)?;
    let outcome = wait_for_answer(session, &mut worker);
    let answered = worker.points.len();
    if outcome.is_ok() {
        let deadline = Instant::now() + AFTERWARDS;
        while Instant::now() < deadline {
            interrupt::sleep(Duration::from_millis(50))?;
            worker.look(session.broker.as_ref(), 0)?;
        }
    }
    run.first_answer_seconds = worker.first_answer();
    run.whole = worker
        .points
        .get(answered.saturating_sub(1))
        .map_or_else(Span::default, |last| {
            let start = Point {
                broker: worker.points[0].broker,
                ..Point::default()
            };
            span(&start, last, 0)
        });
    take_down(&worker, run)?;
    outcome
}

/// Starts a worker without connectors.
pub(crate) fn start(
    session: &mut Session,
    scenario: &Scenario,
    system: System,
    dir: &std::path::Path,
    run: &mut Run,
) -> Result<Worker> {
    let kafka = session.programs.kafka.as_ref();
    let job = Job {
        scenario,
        dir,
        bootstrap: session.bootstrap.clone(),
        name: String::new(),
        input_file: dir.join("input.txt"),
        input_topic: String::new(),
        output_topic: String::new(),
        output_file: dir.join("output.txt"),
        plugin_path: kafka.map(testbed::Kafka::plugin_path),
        registry: None,
    };
    let launch = systems::launch(system, &session.programs, &job)?;
    run.commands = vec![systems::in_shell_words(&launch.command)];
    run.commands.extend(session.broker_command.clone());
    run.files = launch.files.iter().cloned().collect();
    let what = format!("{} {}", scenario.name, system.id());
    session
        .progress
        .begin(&what, u64::from(scenario.settings.connectors));
    Worker::start(system.id(), launch)
}

/// Looks at the worker until it has answered.
pub(crate) fn wait_for_answer(session: &Session, worker: &mut Worker) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while worker.first_answer().is_none() {
        interrupt::check()?;
        let ended = worker.look(session.broker.as_ref(), 0)?.ended;
        if ended || Instant::now() > deadline {
            return Err(Error::Run(format!("no REST answer\n{}", worker.tail())));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    worker.look(session.broker.as_ref(), 0).map(|_| ())
}

/// Ends the worker; what all kinds of runs record of it goes into `run`.
pub(crate) fn take_down(worker: &Worker, run: &mut Run) -> Result<()> {
    run.first_answer_seconds = worker.first_answer();
    run.peak_resident_bytes = worker.peak_bytes;
    run.mean_resident_bytes = mean_resident(&worker.points);
    run.samples = samples(&worker.points);
    let (_, switches) = worker.end()?;
    (run.voluntary_switches, run.involuntary_switches) = switches;
    Ok(())
}
