//! `perf smoke`: the harness from end to end with tiny counts, for the gate. Nothing about speed.

use std::io::Write;
use std::path::Path;

use crate::compare::{self, Call};
use crate::error::{Error, Result};
use crate::report;
use crate::results::{Kind, Results, Run};
use crate::scenario::{self, Scenario};
use crate::session;
use crate::settings::Event;
use crate::systems::System;
use crate::verify;

/// One of each kind and flow; Apache's Connect takes part in the first ones only, as each of its starts
/// takes seconds.
const WITH_PEERS: &[&str] = &["file-to-topic-string", "topic-to-file-json-objects"];
const ALONE: &[&str] = &[
    "topic-to-file-string",
    "file-to-topic-json",
    "file-to-topic-json-schemas",
    "topic-to-file-json",
    "topic-to-file-json-transforms",
    "topic-to-file-json-schemas-transforms",
    "topic-to-file-avro",
    "transforms-100-bytes@transform=TimestampConverter",
    "transforms-1-kb@transform=MaskField",
    "filter-by-header",
    "topic-to-topic",
    "topic-to-nothing",
    "generate",
    "latency-topic-to-file@rate=10000",
    "start-up",
    "idle@connectors=10",
    "embedded-files",
    "embedded-shards@shards=2",
    "cluster-join",
    "cluster-grow",
    "cluster-burst",
];

/// Runs it.
///
/// # Errors
/// A run failed or was not verified, or the report lacks a scenario.
pub(crate) fn smoke(ringmain: Option<&Path>) -> Result<()> {
    let ringmain = match ringmain {
        Some(path) => path.to_owned(),
        None => session::debug_build()?,
    };
    let dir = tempfile::tempdir().map_err(|source| Error::Io {
        what: "no temporary directory".to_owned(),
        source,
    })?;
    let (out, results) = compare::compare(&Call {
        scenarios: scenarios()?,
        systems: System::ALL.to_vec(),
        rounds: Some(1),
        target: None,
        same_twice: true,
        ringmain: Some(ringmain),
        keep: false,
        out: Some(dir.path().to_owned()),
        repeat: "cargo run -p perf -- smoke".to_owned(),
    })?;
    if results.interrupted {
        return Err(Error::Interrupted);
    }
    check(&out, &results)?;
    let runs: usize = results.scenarios.iter().map(|s| s.runs.len()).sum();
    // When standard error is gone nobody is left to tell.
    writeln!(std::io::stderr(), "smoke: {runs} runs did what they should").unwrap_or(());
    Ok(())
}

fn scenarios() -> Result<Vec<Scenario>> {
    let all = scenario::bundled_scenarios()?;
    let names: Vec<String> = WITH_PEERS
        .iter()
        .chain(ALONE)
        .map(|&n| n.to_owned())
        .collect();
    let mut chosen = scenario::named(&all, &names)?;
    for scenario in &mut chosen {
        let settings = &mut scenario.settings;
        settings.records = 20_000;
        settings.rate = 1000;
        settings.warm_up_seconds = 0.5;
        settings.duration = 1.0;
        settings.connectors = settings
            .connectors
            .min(if settings.event.is_some() { 2 } else { 3 });
        settings.quiet = 1.0;
        // A cluster that grows has two workers then.
        settings.workers = match settings.event {
            Some(Event::Burst) => 2,
            _ => 1,
        };
        if !WITH_PEERS.contains(&scenario.name.as_str()) {
            scenario.peers.clear();
        }
    }
    Ok(chosen)
}

/// Whether a cluster's run has what its event gives. How long things took is not judged.
fn measured(run: &Run) -> bool {
    run.cluster.as_ref().is_some_and(|seen| {
        let created = seen.create_to_running_seconds.is_some() && seen.generations.is_some();
        let joined = seen.join_to_running_seconds.is_some();
        let started = seen.start_to_running_seconds.is_some();
        let moved = seen.moved_tasks >= Some(1) && !seen.pauses_ms.is_empty();
        created || (joined && (started || moved))
    })
}

fn check(out: &Path, results: &Results) -> Result<()> {
    let wrong = |what: String| Err(Error::Run(format!("smoke: {what}")));
    let expected = scenarios()?.len();
    if results.scenarios.len() != expected {
        let names: Vec<&str> = results.scenarios.iter().map(|s| s.name.as_str()).collect();
        return wrong(format!(
            "{expected} scenarios were due, these ran: {names:?}"
        ));
    }
    let again = report::read(out).map_err(|error| Error::Run(error.to_string()))?;
    let runs = |results: &Results| -> Vec<(String, usize)> {
        let scenarios = results.scenarios.iter();
        scenarios.map(|s| (s.name.clone(), s.runs.len())).collect()
    };
    if runs(&again) != runs(results) {
        return wrong("results.json does not hold the runs".to_owned());
    }
    let page = report::html(results);
    for scenario in &results.scenarios {
        if !page.contains(&scenario.name) {
            return wrong(format!("the page lacks {}", scenario.name));
        }
        for run in &scenario.runs {
            let what = format!("{} {}", scenario.name, run.system);
            if let Some(error) = &run.error {
                return wrong(format!("{what}: {error}"));
            }
            if scenario.kind == Kind::Cluster && !measured(run) {
                return wrong(format!("{what} lacks figures: {:?}", run.cluster));
            }
            let verified = run.verification.as_ref().is_some_and(verify::holds);
            let moves = matches!(scenario.kind, Kind::Throughput | Kind::Latency);
            if run
                .latency
                .as_ref()
                .is_some_and(|l| l.max_ms < l.p50_ms || l.p50_ms <= 0.0)
            {
                return wrong(format!("{what} has no latency"));
            }
            if moves && !verified {
                return wrong(format!("{what} was not verified"));
            }
        }
    }
    Ok(())
}
