//! Connectors that have nothing to do: how long they take to create, and what they cost at rest.

use std::time::{Duration, Instant};

use crate::error::{Error, Naming, Result};
use crate::interrupt;
use crate::rest::{Api, Created};
use crate::results::{Idle, Run};
use crate::scenario::Scenario;
use crate::session::Session;
use crate::start_up;
use crate::systems::System;
use crate::throughput::span;
use crate::worker::Worker;

/// Between the last task's start and the watched rest.
const SETTLING: Duration = Duration::from_secs(2);

/// One worker with its connectors.
pub(crate) fn measure(
    session: &mut Session,
    scenario: &Scenario,
    system: System,
    run: &mut Run,
) -> Result<()> {
    let dir = session.dir(system.id())?;
    let mut worker = start_up::start(session, scenario, system, dir.path(), run)?;
    let outcome = rest(session, scenario, dir.path(), &mut worker, run);
    start_up::take_down(&worker, run)?;
    outcome
}

fn rest(
    session: &mut Session,
    scenario: &Scenario,
    dir: &std::path::Path,
    worker: &mut Worker,
    run: &mut Run,
) -> Result<()> {
    start_up::wait_for_answer(session, worker)?;
    let listener = run.files.values().find_map(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("listeners="));
        line.map(str::to_owned)
    });
    let api = Api::new(listener.unwrap_or_default());
    let count = scenario.settings.connectors;
    let topic = session.unique("idle");
    session.wire.create_topic(&topic, 1, &[])?;
    let file = dir.join("empty.txt");
    std::fs::write(&file, "").at("write", &file)?;
    let begin = Instant::now();
    for number in 0..count {
        interrupt::check()?;
        let name = format!("idle-{number}");
        let file = file.display().to_string();
        if api.create(&name, &file, &topic, false)? == Created::Conflict {
            return Err(Error::Run(format!("{name} was not created: 409")));
        }
        session.progress.at(u64::from(number) + 1);
        if number % 10 == 0 {
            worker.look(session.broker.as_ref(), 0)?;
        }
    }
    api.wait_until_running(count)?;
    let create_seconds = begin.elapsed().as_secs_f64();
    interrupt::sleep(SETTLING)?;
    let from = worker.points.len();
    let deadline = Instant::now() + Duration::from_secs_f64(scenario.settings.duration);
    worker.look(session.broker.as_ref(), 0)?;
    while Instant::now() < deadline {
        interrupt::sleep(Duration::from_millis(250).min(deadline - Instant::now()))?;
        worker.look(session.broker.as_ref(), 0)?;
    }
    let (first, last) = (
        &worker.points[from],
        &worker.points[worker.points.len() - 1],
    );
    let watched = span(first, last, 0);
    run.idle = Some(Idle {
        connectors: count,
        create_seconds,
        seconds: watched.seconds,
        cpu_seconds: watched.user_seconds + watched.system_seconds,
        resident_bytes: last.resident_bytes,
    });
    run.broker_cores_busy =
        Some((watched.broker_user_seconds + watched.broker_system_seconds) / watched.seconds);
    session.wire.delete_topic(&topic)
}
