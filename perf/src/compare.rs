//! One call from its options to the folder of its report.

use std::path::{Path, PathBuf};

use jiff::{Timestamp, Unit};

use crate::error::{Error, Naming, Result};
use crate::machine;
use crate::progress::Progress;
use crate::report;
use crate::results::{FORMAT, Results, ScenarioResult};
use crate::rounds::{self, Plan};
use crate::scenario::Scenario;
use crate::session::{self, Session, workspace};
use crate::systems::System;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Call {
    /// In this order.
    pub(crate) scenarios: Vec<Scenario>,
    /// Who may take part; those that are missing are named and left out.
    pub(crate) systems: Vec<System>,
    /// In place of the scenarios' own.
    pub(crate) rounds: Option<u32>,
    /// A user's brokers in place of Kafka started here.
    pub(crate) target: Option<String>,
    /// Whether a scenario runs Ringmain twice, for the noise floor.
    pub(crate) same_twice: bool,
    /// Ringmain's binary; without, the release is built.
    pub(crate) ringmain: Option<PathBuf>,
    /// Keep what runs leave behind.
    pub(crate) keep: bool,
    /// Where results go.
    pub(crate) out: Option<PathBuf>,
    /// The command line of this call without its scenarios.
    pub(crate) repeat: String,
}

/// Runs everything, writes the report after each scenario, and gives its folder and content.
pub(crate) fn compare(call: &Call) -> Result<(PathBuf, Results)> {
    let started = now();
    let out = match &call.out {
        Some(out) => out.clone(),
        None => default_out(&started),
    };
    std::fs::create_dir_all(&out).at("create", &out)?;
    let mut plan = Plan {
        rounds: call.rounds,
        systems: call.systems.clone(),
        same_twice: call.same_twice,
        repeat: call.repeat.clone(),
    };
    let progress = Progress::new(plan.runs(&call.scenarios));
    place_scratch()?;
    if call.keep {
        testbed::process::keep_scratch();
    }
    let options = session::Options {
        target: call.target.clone(),
        ringmain: call.ringmain.clone(),
        keep: call.keep,
    };
    // Before our own work shows in it.
    let mut machine = machine::describe(&out, call.target.is_none());
    let mut session = Session::open(&options, progress)?;
    machine.filesystem = machine::describe(session.scratch(), false).filesystem;
    plan.systems.retain(|&system| {
        let missing = session.programs.missing(system);
        if let Some(why) = &missing {
            session.progress.say(why);
        }
        missing.is_none()
    });
    let part = |system: &&System| {
        let named = |s: &Scenario| s.peers.iter().any(|peer| peer == system.id());
        **system == System::Ringmain || call.scenarios.iter().any(named)
    };
    let taking_part = plan.systems.iter().filter(part);
    let mut results = Results {
        format: FORMAT,
        started,
        finished: now(),
        command: std::env::args().collect::<Vec<_>>().join(" "),
        machine,
        systems: taking_part
            .map(|&system| session.programs.info(system))
            .collect(),
        scenarios: Vec::new(),
        interrupted: false,
    };
    let outcome = rounds::run_all(&mut session, &call.scenarios, &plan, |result| {
        keep(&mut results, result, &out)
    });
    session.progress.finish();
    if call.keep {
        session.progress.say(&format!(
            "files are kept in {}",
            session.scratch().display()
        ));
    }
    results.interrupted = matches!(outcome, Err(Error::Interrupted));
    if !results.interrupted {
        outcome?;
    }
    results.finished = now();
    write(&out, &results)?;
    Ok((out, results))
}

/// What is whole is written at once: a machine may be switched off during a long comparison.
fn keep(results: &mut Results, result: ScenarioResult, out: &Path) -> Result<()> {
    results.scenarios.push(result);
    results.finished = now();
    write(out, results)
}

fn write(out: &Path, results: &Results) -> Result<()> {
    report::write(out, results).map_err(|error| Error::Run(error.to_string()))
}

fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}

/// `perf/results/TIME` in the workspace, or `results/TIME` here.
fn default_out(started: &str) -> PathBuf {
    let parent = workspace().map_or_else(|| PathBuf::from("results"), |w| w.join("perf/results"));
    parent.join(started.replace(':', "-"))
}

/// In the target directory: the temporary one lies in memory on many systems, and these are gigabytes.
fn place_scratch() -> Result<()> {
    if let Ok(target) = testbed::kafka::target_dir() {
        let place = target.join("perf-scratch");
        std::fs::create_dir_all(&place).at("create", &place)?;
        testbed::process::place_scratch_in(&place);
    }
    Ok(())
}
