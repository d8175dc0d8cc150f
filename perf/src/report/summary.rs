//! Everything that is derived from raw results, once; the table and the page only print it.

use super::OURS;
use super::aims::{self, Verdict};
use super::comparison::{Comparison, noise_percent};
use super::counted;
use super::figures::{FIGURES, Figure, Key, figure};
use super::spread::Spread;
use crate::results::{Kind, Results, Run, ScenarioResult};

/// Results with their medians, ratios and verdicts.
#[derive(Debug)]
pub(super) struct Summary<'a> {
    pub(super) results: &'a Results,
    pub(super) scenarios: Vec<Scenario<'a>>,
}

/// A scenario, a column per system and a row per figure.
#[derive(Debug)]
pub(super) struct Scenario<'a> {
    pub(super) result: &'a ScenarioResult,
    pub(super) columns: Vec<Column<'a>>,
    /// Only those that some system has.
    pub(super) rows: Vec<Row>,
    /// In the order of the aims; none when nobody ran beside Ringmain.
    pub(super) verdicts: Vec<Verdict<'a>>,
    pub(super) excluded: Vec<Excluded<'a>>,
    /// Noise floors of this file, for scenarios without a second series.
    noise: Vec<(Key, f64)>,
}

/// A system in a scenario.
#[derive(Debug)]
pub(super) struct Column<'a> {
    pub(super) id: &'a str,
    pub(super) title: &'a str,
    /// Place in the palette: 0 is Ringmain's.
    pub(super) slot: usize,
    /// Runs of the first series that give figures.
    pub(super) runs: Vec<&'a Run>,
    /// Those of the second series of an A/A run.
    pub(super) again: Vec<&'a Run>,
}

/// A figure of all systems.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) figure: &'static Figure,
    /// As many as the scenario has columns.
    pub(super) cells: Vec<Cell>,
    /// How far two series of the same system lie apart in this scenario, in percent.
    pub(super) noise: Option<f64>,
}

/// A figure of one system.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Cell {
    /// None when no run gave it.
    pub(super) spread: Option<Spread>,
    /// Beside Ringmain's; none in Ringmain's own column.
    pub(super) beside: Option<Comparison>,
}

/// Characters of a reason in a table.
const REASON: usize = 300;

/// A run that gives no figure.
#[derive(Debug)]
pub(super) struct Excluded<'a> {
    pub(super) run: &'a Run,
    pub(super) system: &'a str,
    reason: String,
}

impl Excluded<'_> {
    /// Its first two lines in one, cut when long: the rest, e.g. the end of a log, is for the raw data.
    pub(super) fn reason(&self) -> String {
        let lines: Vec<&str> = self.reason.lines().map(str::trim).take(2).collect();
        let text = lines.join(": ");
        match text.char_indices().nth(REASON) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text,
        }
    }

    /// `2`, or `2, second series`.
    pub(super) fn round(&self) -> String {
        let series = if self.run.series == "b" {
            ", second series"
        } else {
            ""
        };
        format!("{}{series}", self.run.round)
    }
}

/// What people compare first. Some have a figure to fall back on, the same one for both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    Rate,
    Cpu,
    Memory,
    Start,
    LatencyP50,
    LatencyP999,
    Running,
}

/// A measure of Ringmain and of a peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) figure: &'static Figure,
    pub(super) ours: Spread,
    pub(super) peer: Spread,
    pub(super) comparison: Comparison,
}

impl Measure {
    pub(super) const ALL: [Self; 7] = [
        Self::Rate,
        Self::Cpu,
        Self::Memory,
        Self::Start,
        Self::LatencyP50,
        Self::LatencyP999,
        Self::Running,
    ];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Rate => "Rate",
            Self::Cpu => "CPU",
            Self::Memory => "Peak memory",
            Self::Start => "First REST answer",
            Self::LatencyP50 => "Latency p50",
            Self::LatencyP999 => "Latency p99.9",
            Self::Running => "Until all run",
        }
    }

    /// Best first: a run too short for a steady part is compared by its whole life.
    pub(super) fn figures(self, kind: Kind) -> &'static [Key] {
        match (self, kind) {
            (Self::Rate, _) => &[Key::Rate, Key::WholeRate],
            (Self::Cpu, Kind::Idle) => &[Key::IdleCpu],
            (Self::Cpu, Kind::StartUp) => &[Key::WholeCpuSeconds],
            (Self::Cpu, Kind::Cluster) => &[Key::LeaderCpu],
            (Self::Cpu, _) => &[Key::Cpu, Key::WholeCpu],
            (Self::Memory, Kind::Cluster) => &[Key::LeaderResident],
            (Self::Memory, _) => &[Key::Peak],
            (Self::Start, _) => &[Key::FirstAnswer],
            (Self::LatencyP50, _) => &[Key::LatencyP50],
            (Self::LatencyP999, _) => &[Key::LatencyP999],
            (Self::Running, _) => &[Key::CreateToRunning, Key::KillToRunning, Key::JoinToRunning],
        }
    }
}

impl<'a> Summary<'a> {
    pub(super) fn of(results: &'a Results) -> Self {
        let columns: Vec<Vec<Column<'a>>> = results
            .scenarios
            .iter()
            .map(|scenario| columns(results, scenario))
            .collect();
        let noise = largest_noise(&columns);
        let scenarios = results
            .scenarios
            .iter()
            .zip(columns)
            .map(|(result, columns)| Scenario::of(results, result, columns, &noise))
            .collect();
        Self { results, scenarios }
    }

    /// How a verdict or a legend calls the system.
    pub(super) fn title(&self, id: &'a str) -> &'a str {
        title(self.results, id)
    }

    /// Systems other than Ringmain that have figures anywhere.
    pub(super) fn peers(&self) -> Vec<&'a str> {
        let mut peers = Vec::new();
        for column in self.scenarios.iter().flat_map(|scenario| &scenario.columns) {
            if column.id != OURS && !peers.contains(&column.id) {
                peers.push(column.id);
            }
        }
        peers
    }

    /// Per figure, the largest distance between two series of the same system, in percent.
    pub(super) fn noise_floor(&self) -> Vec<(&'static Figure, f64)> {
        let largest = self.scenarios.first().map(|scenario| &scenario.noise);
        FIGURES
            .iter()
            .filter_map(|row| Some((row, noise_of(largest?, row.key)?)))
            .collect()
    }
}

impl<'a> Scenario<'a> {
    fn of(
        results: &'a Results,
        result: &'a ScenarioResult,
        columns: Vec<Column<'a>>,
        noise: &[(Key, f64)],
    ) -> Self {
        let rows = FIGURES
            .iter()
            .filter(|figure| figure.applies(result.kind))
            .map(|figure| row(figure, result.kind, &columns, noise))
            .filter(|row| row.cells.iter().any(|cell| cell.spread.is_some()))
            .collect();
        let mut scenario = Self {
            result,
            columns,
            rows,
            verdicts: Vec::new(),
            excluded: excluded(results, result),
            noise: noise.to_vec(),
        };
        scenario.verdicts = aims::verdicts(&scenario, results.machine.cores);
        scenario
    }

    pub(super) fn column(&self, id: &str) -> Option<&Column<'a>> {
        self.columns.iter().find(|column| column.id == id)
    }

    /// The columns other than Ringmain's.
    pub(super) fn peers(&self) -> impl Iterator<Item = &Column<'a>> {
        self.columns.iter().filter(|column| column.id != OURS)
    }

    /// A system's figure; none when no run of it counts.
    pub(super) fn spread(&self, id: &str, key: Key) -> Option<Spread> {
        spread(figure(key), &self.column(id)?.runs)
    }

    /// Ringmain and a peer in the best figure that both have.
    pub(super) fn beside(&self, measure: Measure, peer: &str) -> Option<Beside> {
        let kind = self.result.kind;
        measure.figures(kind).iter().find_map(|&key| {
            let figure = figure(key);
            let (ours, peer) = (self.spread(OURS, key)?, self.spread(peer, key)?);
            let noise = noise_of(&self.noise, key);
            let comparison = Comparison::of(figure.better(kind), ours.median, peer.median, noise)?;
            Some(Beside {
                figure,
                ours,
                peer,
                comparison,
            })
        })
    }
}

fn title<'a>(results: &'a Results, id: &'a str) -> &'a str {
    let known = results.systems.iter().find(|system| system.id == id);
    known
        .map(|system| system.title.as_str())
        .filter(|title| !title.is_empty())
        .unwrap_or(id)
}

/// The systems that have runs, in the order of the file's list; unlisted ones follow.
fn columns<'a>(results: &'a Results, scenario: &'a ScenarioResult) -> Vec<Column<'a>> {
    let mut ids: Vec<&str> = results.systems.iter().map(|system| &*system.id).collect();
    for run in results.scenarios.iter().flat_map(|scenario| &scenario.runs) {
        if !ids.contains(&run.system.as_str()) {
            ids.push(&run.system);
        }
    }
    let mut palette: Vec<&str> = ids.clone();
    palette.sort_by_key(|id| *id != OURS);
    let has_runs = |id: &&str| scenario.runs.iter().any(|run| run.system == **id);
    ids.into_iter()
        .filter(has_runs)
        .map(|id| {
            let runs = scenario
                .runs
                .iter()
                .filter(|run| run.system == id && counted::why_not(scenario.kind, run).is_none());
            let (again, runs) = runs.partition(|run| run.series == "b");
            Column {
                id,
                title: title(results, id),
                slot: palette.iter().position(|other| *other == id).unwrap_or(0),
                runs,
                again,
            }
        })
        .collect()
}

fn excluded<'a>(results: &'a Results, scenario: &'a ScenarioResult) -> Vec<Excluded<'a>> {
    let runs = scenario.runs.iter();
    runs.filter_map(|run| {
        Some(Excluded {
            run,
            system: title(results, &run.system),
            reason: counted::why_not(scenario.kind, run)?,
        })
    })
    .collect()
}

fn spread(figure: &Figure, runs: &[&Run]) -> Option<Spread> {
    Spread::of(runs.iter().filter_map(|run| figure.of(run)))
}

fn row(figure: &'static Figure, kind: Kind, columns: &[Column<'_>], noise: &[(Key, f64)]) -> Row {
    let own = noisiest(figure, columns);
    let ours = columns
        .iter()
        .find(|column| column.id == OURS)
        .and_then(|column| spread(figure, &column.runs));
    let cells = columns.iter().map(|column| {
        let spread = spread(figure, &column.runs);
        let beside = ours.zip(spread).filter(|_| column.id != OURS);
        Cell {
            spread,
            beside: beside.and_then(|(ours, peer)| {
                let noise = noise_of(noise, figure.key);
                Comparison::of(figure.better(kind), ours.median, peer.median, noise)
            }),
        }
    });
    Row {
        figure,
        cells: cells.collect(),
        noise: own,
    }
}

fn noise_of(noise: &[(Key, f64)], key: Key) -> Option<f64> {
    let known = noise.iter().find(|(other, _)| *other == key);
    known.map(|(_, percent)| *percent)
}

/// The largest noise of a figure over these systems.
fn noisiest(figure: &Figure, columns: &[Column<'_>]) -> Option<f64> {
    columns
        .iter()
        .filter_map(|column| {
            noise_percent(
                spread(figure, &column.runs)?,
                spread(figure, &column.again)?,
            )
        })
        .reduce(f64::max)
}

/// The largest noise of each figure over all scenarios: the floor that every comparison has to clear.
fn largest_noise(scenarios: &[Vec<Column<'_>>]) -> Vec<(Key, f64)> {
    FIGURES
        .iter()
        .filter_map(|figure| {
            let all = scenarios
                .iter()
                .filter_map(|columns| noisiest(figure, columns));
            Some((figure.key, all.reduce(f64::max)?))
        })
        .collect()
}
