//! Rounds: every system once in each, in alternating order, so that what drifts on the machine meets all.

use crate::error::{Error, Result};
use crate::machine::Theft;
use crate::results::{Kind, Run, ScenarioResult};
use crate::scenario::Scenario;
use crate::session::Session;
use crate::systems::System;
use crate::throughput::{self, Input};
use crate::{cluster, idle, latency, start_up};

/// Who takes part, and how often.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// In place of the scenarios' own; peers have no more than these.
    pub(crate) rounds: Option<u32>,
    /// The systems that may take part.
    pub(crate) systems: Vec<System>,
    /// Whether one scenario runs Ringmain twice in each round: the noise floor.
    pub(crate) same_twice: bool,
    /// Options of this call, for the commands that repeat a row.
    pub(crate) repeat: String,
}

/// A system's turn in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    round: u32,
    system: System,
    series: &'static str,
}

impl Plan {
    /// All turns of a scenario; `twice` adds the second series.
    fn turns(&self, scenario: &Scenario, twice: bool) -> Vec<Turn> {
        let rounds = self.rounds.unwrap_or(scenario.rounds);
        let peer_rounds = match self.rounds {
            Some(rounds) => rounds,
            None => scenario.peer_rounds,
        };
        let mut turns = Vec::new();
        for round in 1..=rounds {
            let turn = |system, series| Turn {
                round,
                system,
                series,
            };
            let mut of_round = vec![turn(System::Ringmain, "a")];
            if twice {
                of_round.push(turn(System::Ringmain, "b"));
            }
            let peers = self.systems.iter().copied().filter(|&system| {
                let named = scenario.peers.iter().any(|peer| peer == system.id());
                system != System::Ringmain && named && round <= peer_rounds
            });
            of_round.extend(peers.map(|system| turn(system, "a")));
            if round % 2 == 0 {
                of_round.reverse();
            }
            turns.extend(of_round);
        }
        turns
    }

    /// The scenario that runs twice: the first that measures throughput.
    fn twice(&self, scenarios: &[Scenario]) -> Option<usize> {
        let first = scenarios.iter().position(|s| s.kind == Kind::Throughput);
        first.filter(|_| self.same_twice)
    }

    /// How many runs there will be.
    pub(crate) fn runs(&self, scenarios: &[Scenario]) -> u64 {
        let twice = self.twice(scenarios);
        let each = scenarios.iter().enumerate();
        each.map(|(at, scenario)| self.turns(scenario, twice == Some(at)).len() as u64)
            .sum()
    }
}

/// Runs all scenarios, and hands over each result when it is whole. What an interrupted scenario has
/// done by then is handed over too.
///
/// # Errors
/// [`Error::Interrupted`], or the brokers are lost.
pub(crate) fn run_all(
    session: &mut Session,
    scenarios: &[Scenario],
    plan: &Plan,
    mut finished: impl FnMut(ScenarioResult) -> Result<()>,
) -> Result<()> {
    let twice = plan.twice(scenarios);
    for (at, scenario) in scenarios.iter().enumerate() {
        let turns = plan.turns(scenario, twice == Some(at));
        let mut result = ScenarioResult {
            name: scenario.name.clone(),
            title: scenario.title.clone(),
            group: scenario.group.clone(),
            axis: scenario.axis.clone(),
            kind: scenario.kind,
            parameters: scenario.parameters(),
            repeat: format!("{} {}", plan.repeat, scenario.name),
            aims: scenario.aims,
            limits: scenario.limits,
            runs: Vec::new(),
        };
        let outcome = run_turns(session, scenario, &turns, &mut result.runs);
        let stop = matches!(outcome, Err(Error::Interrupted));
        if let Err(error) = &outcome
            && !stop
        {
            session.progress.say(&format!("{}: {error}", scenario.name));
        }
        if !result.runs.is_empty() {
            finished(result)?;
        }
        if stop {
            return outcome;
        }
    }
    Ok(())
}

fn run_turns(
    session: &mut Session,
    scenario: &Scenario,
    turns: &[Turn],
    runs: &mut Vec<Run>,
) -> Result<()> {
    session
        .progress
        .say(&format!("== {}: {}", scenario.name, scenario.title));
    let input = Input::prepare(session, scenario)?;
    let mut outcome = Ok(());
    for turn in turns {
        let mut run = blank(*turn);
        let theft = Theft::watch();
        let measured = measure(session, scenario, &input, turn.system, &mut run);
        run.stolen_cores = theft.cores();
        if let Err(Error::Interrupted) = measured {
            outcome = measured;
            break;
        }
        run.error = measured.err().map(|error| error.to_string());
        session.progress.end(&in_words(scenario, &run));
        runs.push(run);
    }
    // An interruption says more than an error of the clean-up.
    outcome.and(input.discard(session))
}

fn measure(
    session: &mut Session,
    scenario: &Scenario,
    input: &Input,
    system: System,
    run: &mut Run,
) -> Result<()> {
    match scenario.kind {
        Kind::Throughput => throughput::measure(session, scenario, input, system, run),
        Kind::Latency => latency::measure(session, scenario, system, run),
        Kind::Idle => idle::measure(session, scenario, system, run),
        Kind::StartUp => start_up::measure(session, scenario, system, run),
        Kind::Cluster => cluster::measure(session, scenario, system, run),
    }
}

fn blank(turn: Turn) -> Run {
    Run {
        system: turn.system.id().to_owned(),
        series: turn.series.to_owned(),
        round: turn.round,
        commands: Vec::new(),
        files: std::collections::BTreeMap::new(),
        error: None,
        verification: None,
        whole: crate::results::Span::default(),
        steady: None,
        first_answer_seconds: None,
        first_record_seconds: None,
        peak_resident_bytes: 0,
        mean_resident_bytes: 0,
        voluntary_switches: 0,
        involuntary_switches: 0,
        broker_cores_busy: None,
        stolen_cores: None,
        latency: None,
        idle: None,
        cluster: None,
        samples: Vec::new(),
    }
}

/// A run in a line.
#[expect(clippy::cast_precision_loss, reason = "figures with four digits")]
fn in_words(scenario: &Scenario, run: &Run) -> String {
    let head = format!("{} {} round {}", scenario.name, run.system, run.round);
    let memory = run.peak_resident_bytes as f64 / 1e6;
    if let Some(error) = &run.error {
        return format!("{head}: FAILED: {error}");
    }
    if let Some(latency) = &run.latency {
        return format!(
            "{head}: p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.1} ms, {memory:.0} MB",
            latency.p50_ms, latency.p99_ms, latency.p999_ms, latency.max_ms
        );
    }
    if let Some(idle) = &run.idle {
        return format!(
            "{head}: created in {:.2} s, {:.2} % of a core at rest, {:.0} MB",
            idle.create_seconds,
            idle.cpu_seconds / idle.seconds * 100.0,
            idle.resident_bytes as f64 / 1e6
        );
    }
    if let Some(cluster) = &run.cluster {
        return format!("{head}: {}", cluster::in_words(cluster));
    }
    if scenario.kind == Kind::StartUp {
        let answer = run.first_answer_seconds.unwrap_or(f64::NAN);
        return format!("{head}: first answer after {answer:.3} s, {memory:.0} MB");
    }
    let (span, part) = match run.steady {
        Some(span) => (span, "steady"),
        None => (run.whole, "whole run, too short for a steady part"),
    };
    let records = span.records as f64;
    format!(
        "{head}: {:.0} records/s, {:.0} ns CPU a record ({part}), broker {:.2} cores, {memory:.0} MB",
        records / span.seconds,
        (span.user_seconds + span.system_seconds) * 1e9 / records,
        run.broker_cores_busy.unwrap_or(0.0),
    )
}
