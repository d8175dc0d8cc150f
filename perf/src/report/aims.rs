//! The aims, and whether they are met.

use super::OURS;
use super::figures::{Figure, Key, figure, worker_cores};
use super::spread::Spread;
use super::summary::{Beside, Measure, Scenario};
use crate::results::{Kind, Run};

const CONNECT: &str = "apache-connect";
const KCAT: &str = "kcat";

/// A broker that keeps this share of the CPUs left to it busy is what limits the rate.
const SATURATED: f64 = 0.9;

/// The rule, for readers.
pub(super) const BROKER_BOUND_RULE: &str = "Broker-bound: in Ringmain's runs (median over rounds, \
    steady part) the broker kept at least 90 % of the CPUs busy that were left to it, which are the \
    machine's CPUs less those that the worker kept busy. The rate is then the broker's, and counts as met.";

/// An aim and what came of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict<'a> {
    /// What is aimed at, e.g. `CPU per record`.
    pub(super) what: &'static str,
    pub(super) aim: Aim<'a>,
    pub(super) outcome: Outcome,
}

/// What is asked for, and what was measured of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Aim<'a> {
    /// A ratio to a peer.
    Beside {
        peer: &'a str,
        least: f64,
        /// None when one side has no figure.
        beside: Option<Beside>,
    },
    /// A bound of Ringmain's own figure, in every round.
    AtMost {
        figure: &'static Figure,
        most: f64,
        /// None when no run gave it.
        ours: Option<Spread>,
    },
}

/// What came of an aim.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Outcome {
    Met,
    NotMet,
    /// Below the aim, but the broker kept this share of the CPUs left to it busy.
    BrokerBound(f64),
    /// One side took no part, or none of its runs counts.
    NoFigure,
}

/// The verdicts on the scenario's aims. None at all when Ringmain didn't run, and none beside others when
/// nobody did.
pub(super) fn verdicts<'a>(scenario: &Scenario<'a>, cores: u32) -> Vec<Verdict<'a>> {
    if scenario.column(OURS).is_none() {
        return Vec::new();
    }
    let mut verdicts = limits(scenario);
    if scenario.peers().next().is_some() {
        verdicts.extend(ratios(scenario, cores));
    }
    verdicts
}

fn limits<'a>(scenario: &Scenario<'a>) -> Vec<Verdict<'a>> {
    let limits = scenario.result.limits;
    let all = [
        (limits.join_seconds, Key::JoinToRunning),
        (limits.after_session_seconds, Key::AfterSession),
        (limits.given_up_seconds, Key::GivenUpToRunning),
        (limits.leave_seconds, Key::LeaveToRunning),
        (limits.pause_ms, Key::PauseMax),
        (limits.disturbed_tasks, Key::DisturbedTasks),
        (limits.idle_bytes, Key::NoConnectorsResident),
    ];
    all.into_iter()
        .filter_map(|(most, key)| {
            let (most, figure) = (most?, figure(key));
            let ours = scenario.spread(OURS, key);
            let outcome = match ours {
                None => Outcome::NoFigure,
                Some(ours) if ours.most <= most => Outcome::Met,
                Some(_) => Outcome::NotMet,
            };
            Some(Verdict {
                what: words(key),
                aim: Aim::AtMost { figure, most, ours },
                outcome,
            })
        })
        .collect()
}

/// A figure's name in a verdict; those in a table can lean on the line above.
fn words(key: Key) -> &'static str {
    match key {
        Key::AfterSession => "SIGKILL to tasks RUNNING elsewhere, less the session time-out",
        Key::GivenUpToRunning => {
            "The broker's giving a killed worker up to its tasks RUNNING elsewhere"
        }
        key => figure(key).title,
    }
}

fn ratios<'a>(scenario: &Scenario<'a>, cores: u32) -> Vec<Verdict<'a>> {
    let aims = scenario.result.aims;
    let cpu = match scenario.result.kind {
        Kind::Idle => "CPU at rest",
        Kind::StartUp => "CPU of starting up",
        Kind::Cluster => "Leader's CPU",
        Kind::Throughput | Kind::Latency => "CPU per record",
    };
    let all = [
        (aims.cpu, cpu, Measure::Cpu, CONNECT),
        (aims.rate, "Rate", Measure::Rate, CONNECT),
        (aims.memory, "Peak memory", Measure::Memory, CONNECT),
        (
            aims.start,
            "Start to first REST answer",
            Measure::Start,
            CONNECT,
        ),
        (
            aims.latency_p50,
            "Latency p50",
            Measure::LatencyP50,
            CONNECT,
        ),
        (
            aims.latency_p999,
            "Latency p99.9",
            Measure::LatencyP999,
            CONNECT,
        ),
        (aims.cpu_kcat, cpu, Measure::Cpu, KCAT),
        (aims.running, "Until all run", Measure::Running, CONNECT),
    ];
    all.into_iter()
        .filter_map(|(aim, what, measure, peer)| {
            let (least, beside) = (aim?, scenario.beside(measure, peer));
            Some(Verdict {
                what,
                aim: Aim::Beside {
                    peer,
                    least,
                    beside,
                },
                outcome: outcome(scenario, measure, least, beside, cores),
            })
        })
        .collect()
}

fn outcome(
    scenario: &Scenario<'_>,
    measure: Measure,
    aim: f64,
    beside: Option<Beside>,
    cores: u32,
) -> Outcome {
    let Some(beside) = beside else {
        return Outcome::NoFigure;
    };
    if beside.comparison.ratio >= aim {
        return Outcome::Met;
    }
    match broker_share(scenario, cores) {
        Some(share) if measure == Measure::Rate && share >= SATURATED => {
            Outcome::BrokerBound(share)
        }
        _ => Outcome::NotMet,
    }
}

/// Which part of the CPUs that Ringmain left over the broker kept busy; median over rounds.
pub(super) fn broker_share(scenario: &Scenario<'_>, cores: u32) -> Option<f64> {
    let runs = &scenario.column(OURS)?.runs;
    let share = |run: &&Run| {
        let left = f64::from(cores) - worker_cores(run)?;
        (left > 0.0).then_some(run.broker_cores_busy? / left)
    };
    Some(Spread::of(runs.iter().filter_map(share))?.median)
}
