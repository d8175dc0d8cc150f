//! The command line. Exit codes: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::compare::{self, Call};
use crate::error::{Error, Result};
use crate::scenario::{self, Scenario};
use crate::systems::System;
use crate::{interrupt, lines, report, smoke};

/// Measures Ringmain beside Apache Kafka Connect and other peers.
#[derive(Debug, Parser)]
#[command(name = "perf", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Brings up real Kafka and measures Ringmain and its peers in alternation.
    Compare(Compare),
    /// Measures Ringmain alone against brokers of yours; needs no Java.
    Run(Run),
    /// Renders the report in DIR again from its results.json.
    Report {
        /// What --out named.
        dir: PathBuf,
    },
    /// Tiny runs of every kind, verified: shows that the harness works, says nothing about speed.
    Smoke {
        /// Ringmain's binary; any build will do. Without, the debug build is made.
        #[arg(long)]
        ringmain: Option<PathBuf>,
    },
    /// Names the scenarios and the sets they are in.
    List,
    /// Prints COUNT lines of JSON, 93 bytes each with the line end, the same ones on every run.
    Lines {
        /// How many.
        count: u64,
    },
}

#[derive(Debug, Args)]
struct Compare {
    /// Names or groups, see `perf list`; without any, --set.
    scenarios: Vec<String>,
    /// All scenarios of a set: core (the aims, about half an hour), full (everything but single
    /// transforms, under two hours), transforms (those) or cluster (distributed workers).
    #[arg(long, value_parser = scenario::SETS)]
    set: Option<String>,
    /// Rounds of each system; without, what the scenario says (3 for most).
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,
    /// Peers beside Ringmain, by commas: apache-connect, kcat, producer-perf. Without, all found.
    #[arg(long, value_delimiter = ',')]
    peers: Option<Vec<String>>,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Run {
    /// Name of a scenario, see `perf list`.
    scenario: String,
    /// Brokers, host:port by commas. Topics get unique names and are deleted afterwards.
    #[arg(long)]
    target: String,
    /// Rounds.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Adds the scenarios of a file of your own, named after the file.
    #[arg(long, value_name = "PATH")]
    scenario_file: Vec<PathBuf>,
    /// Records per run.
    #[arg(long)]
    records: Option<String>,
    /// Bytes of a record.
    #[arg(long)]
    record_size: Option<String>,
    /// Partitions of each topic.
    #[arg(long)]
    partitions: Option<String>,
    /// tasks.max.
    #[arg(long)]
    tasks: Option<String>,
    /// none, gzip, snappy, lz4 or zstd.
    #[arg(long)]
    compression: Option<String>,
    /// Longest time of a throughput run after its first record, seconds.
    #[arg(long)]
    budget: Option<String>,
    /// Seconds counted of a latency run, or watched of an idle one.
    #[arg(long)]
    duration: Option<String>,
    /// Records per second of latency runs.
    #[arg(long)]
    rate: Option<String>,
    /// CPUs of the workers, as `taskset -c` takes them.
    #[arg(long)]
    cores: Option<String>,
    /// Where results go; without, perf/results/TIME.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Ringmain's binary; without, the release is built.
    #[arg(long, value_name = "PATH")]
    ringmain: Option<PathBuf>,
    /// Keeps inputs, outputs, logs and data of all runs, and says where.
    #[arg(long)]
    keep: bool,
}

impl Common {
    fn overrides(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("records", &self.records),
            ("record-size", &self.record_size),
            ("partitions", &self.partitions),
            ("tasks", &self.tasks),
            ("compression", &self.compression),
            ("budget", &self.budget),
            ("duration", &self.duration),
            ("rate", &self.rate),
            ("cores", &self.cores),
        ];
        let given = all.into_iter();
        given
            .filter_map(|(key, value)| Some((key, value.as_deref()?)))
            .collect()
    }

    /// The bundled scenarios and the user's own.
    fn scenarios(&self) -> Result<Vec<Scenario>> {
        let mut all = scenario::bundled_scenarios()?;
        for file in &self.scenario_file {
            all.extend(scenario::from_file(file)?);
        }
        Ok(all)
    }

    fn apply(&self, scenarios: &mut [Scenario]) -> Result<()> {
        for scenario in scenarios {
            for (key, value) in self.overrides() {
                scenario.settings.set(key, value)?;
            }
            scenario.check()?;
        }
        Ok(())
    }

    /// This call without its scenarios, for the commands that repeat a row.
    fn repeat(&self, begin: &str) -> String {
        let mut line = begin.to_owned();
        for (key, value) in self.overrides() {
            line += &format!(" --{key} {value}");
        }
        for file in &self.scenario_file {
            line += &format!(" --scenario-file {}", file.display());
        }
        line
    }
}

/// Runs the command of this process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match act(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is gone.
            writeln!(io::stderr(), "perf: {error}").unwrap_or(());
            match error {
                Error::Interrupted => ExitCode::from(130),
                Error::Usage(_) => ExitCode::from(2),
                _ => ExitCode::FAILURE,
            }
        }
    }
}

fn act(command: Command) -> Result<()> {
    match command {
        Command::Compare(compare) => compare_systems(&compare),
        Command::Run(run) => run_alone(&run),
        Command::Report { dir } => render(&dir),
        Command::Smoke { ringmain } => {
            interrupt::catch()?;
            smoke::smoke(ringmain.as_deref())
        }
        Command::List => list(),
        Command::Lines { count } => print_lines(count),
    }
}

fn compare_systems(compare: &Compare) -> Result<()> {
    let all = compare.common.scenarios()?;
    let mut chosen = match (&compare.set, compare.scenarios.is_empty()) {
        (None, false) => scenario::named(&all, &compare.scenarios)?,
        (set, true) => {
            let set = set.as_deref().unwrap_or("core");
            let inside = |s: &&Scenario| s.sets.iter().any(|name| name == set);
            all.iter().filter(inside).cloned().collect()
        }
        (Some(_), false) => {
            return Err(Error::Usage("either scenarios or --set".to_owned()));
        }
    };
    compare.common.apply(&mut chosen)?;
    let systems = match &compare.peers {
        None => System::ALL.to_vec(),
        Some(names) => {
            let peers = names.iter().filter(|name| !name.is_empty());
            let peers = peers
                .map(|name| System::of(name))
                .collect::<Result<Vec<_>>>()?;
            let mut systems = vec![System::Ringmain];
            systems.extend(peers.into_iter().filter(|&peer| peer != System::Ringmain));
            systems
        }
    };
    interrupt::catch()?;
    let repeat = compare
        .common
        .repeat("cargo run --release -p perf -- compare");
    let results = compare::compare(&Call {
        scenarios: chosen,
        systems,
        rounds: compare.rounds,
        target: None,
        same_twice: true,
        ringmain: compare.common.ringmain.clone(),
        keep: compare.common.keep,
        out: compare.common.out.clone(),
        repeat,
    })?;
    ended(&results.0, &results.1)
}

fn run_alone(run: &Run) -> Result<()> {
    let all = run.common.scenarios()?;
    let mut chosen = scenario::named(&all, std::slice::from_ref(&run.scenario))?;
    run.common.apply(&mut chosen)?;
    interrupt::catch()?;
    let begin = format!("cargo run --release -p perf -- run --target {}", run.target);
    let results = compare::compare(&Call {
        scenarios: chosen,
        systems: vec![System::Ringmain],
        rounds: Some(run.rounds),
        target: Some(run.target.clone()),
        same_twice: false,
        ringmain: run.common.ringmain.clone(),
        keep: run.common.keep,
        out: run.common.out.clone(),
        repeat: run.common.repeat(&begin),
    })?;
    ended(&results.0, &results.1)
}

/// The table, and what the exit code says.
fn ended(dir: &Path, results: &crate::results::Results) -> Result<()> {
    print(&report::table(results))?;
    print(&format!("\n{}\n", dir.join("report.html").display()))?;
    if results.interrupted {
        return Err(Error::Interrupted);
    }
    let runs = results.scenarios.iter().flat_map(|scenario| &scenario.runs);
    match runs.filter(|run| run.error.is_some()).count() {
        0 => Ok(()),
        failed => Err(Error::Run(format!(
            "{failed} runs gave no figure, see above"
        ))),
    }
}

fn render(dir: &Path) -> Result<()> {
    let failed = |error: report::ReportError| Error::Usage(error.to_string());
    let results = report::read(dir).map_err(failed)?;
    report::write(dir, &results).map_err(failed)?;
    print(&report::table(&results))
}

fn list() -> Result<()> {
    let mut text = String::new();
    for scenario in scenario::bundled_scenarios()? {
        let sets = scenario.sets.join(", ");
        text += &format!("{:55} {:12} {}\n", scenario.name, sets, scenario.title);
    }
    print(&text)
}

fn print_lines(count: u64) -> Result<()> {
    done(lines::print_lines(
        count,
        BufWriter::with_capacity(1 << 20, io::stdout().lock()),
    ))
}

fn print(text: &str) -> Result<()> {
    done(io::stdout().lock().write_all(text.as_bytes()))
}

fn done(outcome: io::Result<()>) -> Result<()> {
    match outcome {
        // A reader like `head` has had enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|source| Error::Io {
            what: "standard output".to_owned(),
            source,
        }),
    }
}
