//! What the summaries say about made-up results, and that the pages hold together.

use super::aims::{Aim, Outcome, Verdict};
use super::comparison::Leader;
use super::figures::Key;
use super::summary::{Measure, Summary};
use super::{ReportError, html, read, sample, table, write};
use crate::results::{Kind, Results, Span};

fn near(value: f64, expected: f64) -> bool {
    (value - expected).abs() <= expected.abs() * 1e-6
}

#[test]
fn medians_ratios_and_ranges_of_three_rounds() {
    let results = sample::with(vec![sample::throughput()]);
    let summary = Summary::of(&results);
    let scenario = &summary.scenarios[0];

    // Round 2 is the median: 2 % slower than the first.
    let cpu = scenario.spread("ringmain", Key::Cpu).unwrap();
    assert!(near(cpu.median, 102.0) && near(cpu.least, 100.0) && near(cpu.most, 104.0));
    assert_eq!(cpu.rounds, 3, "the second series is not mixed in");
    let rate = scenario.spread("ringmain", Key::Rate).unwrap();
    assert!(near(rate.median, 2_000_000.0 / 1.02));
    let peak = scenario.spread("apache-connect", Key::Peak).unwrap();
    assert!(near(peak.median, 330_000_000.0 * 1.02));

    let row = scenario
        .rows
        .iter()
        .find(|row| row.figure.key == Key::Cpu)
        .unwrap();
    assert_eq!(row.cells[0].beside, None);
    assert!(near(row.cells[1].beside.unwrap().ratio, 64.0));
    assert!(near(row.cells[2].beside.unwrap().ratio, 4.0));
    assert!(near(row.noise.unwrap(), 1.0));
}

#[test]
fn a_peer_that_wins_is_said_to_win() {
    let results = sample::with(vec![sample::throughput()]);
    let summary = Summary::of(&results);
    let scenario = &summary.scenarios[0];
    let rate = scenario.beside(Measure::Rate, "kcat").unwrap().comparison;
    assert_eq!(rate.leader, Leader::Peer);
    assert!(near(rate.lead(), 1.0 / 0.9));
    assert!(html(&results).contains("▼ kcat 1.11×"));
    assert!(table(&results).contains("▼1.11×"));
}

#[test]
fn aims_are_met_or_not_beside_the_right_peer() {
    let results = sample::with(vec![sample::throughput()]);
    let summary = Summary::of(&results);
    let outcomes: Vec<_> = summary.scenarios[0]
        .verdicts
        .iter()
        .map(|verdict| {
            let Aim::Beside { peer, .. } = verdict.aim else {
                panic!("{verdict:?} is beside nobody");
            };
            (verdict.what, peer, verdict.outcome)
        })
        .collect();
    // CPU 64 of 60, rate 20 of 25, memory 30 of 31, kcat's CPU 4 of 3.
    assert_eq!(
        outcomes,
        [
            ("CPU per record", "apache-connect", Outcome::Met),
            ("Rate", "apache-connect", Outcome::NotMet),
            ("Peak memory", "apache-connect", Outcome::NotMet),
            ("CPU per record", "kcat", Outcome::Met),
        ]
    );
}

fn ratio(verdict: &Verdict<'_>) -> f64 {
    match verdict.aim {
        Aim::Beside { beside, .. } => beside.unwrap().comparison.ratio,
        Aim::AtMost { .. } => panic!("{verdict:?} is no ratio"),
    }
}

#[test]
fn a_bound_holds_in_every_round_and_needs_nobody_beside_it() {
    let mut scenario = sample::cluster();
    let judged = |scenario| {
        let results = sample::with(vec![scenario]);
        let summary = Summary::of(&results);
        let verdicts = summary.scenarios[0].verdicts.iter();
        let outcomes: Vec<_> = verdicts.map(|v| (v.what, v.outcome)).collect();
        (outcomes, table(&results), html(&results))
    };
    let (outcomes, text, page) = judged(scenario.clone());
    // 40, 40.8 and 41.6 ms of 41; the median would do.
    let (longest, disturbed) = (
        "Pause of a task that moved, largest",
        "Tasks disturbed that did not move",
    );
    let idle = "Resident memory without connectors, largest worker";
    let bounds = [
        (longest, Outcome::NotMet),
        (disturbed, Outcome::Met),
        (idle, Outcome::NoFigure),
    ];
    assert_eq!(outcomes[..3], bounds);
    assert_eq!(outcomes[3], ("Until all run", Outcome::Met));
    assert!(text.contains(&format!(
        "aim: {longest} ≤ 41 ms in every round: 41.6 ms, NOT MET"
    )));
    assert!(text.contains(&format!("{disturbed} ≤ 0 in every round: 0, met")));
    assert!(page.contains("≤ 15 MB in every round") && page.contains("A third worker joins"));
    for of_one_process in ["CPU, whole life", "Context switches, voluntary"] {
        assert!(!text.contains(of_one_process) && !page.contains(of_one_process));
    }

    scenario.runs.retain(|run| run.system == "ringmain");
    assert_eq!(
        judged(scenario).0,
        bounds,
        "beside nobody there is no ratio"
    );
}

#[test]
fn a_saturated_broker_excuses_the_rate_and_nothing_else() {
    let mut scenario = sample::throughput();
    for run in scenario
        .runs
        .iter_mut()
        .filter(|run| run.system == "ringmain")
    {
        // 2 CPUs less the worker's 0.2 leave 1.8.
        run.broker_cores_busy = Some(1.8 * 0.9 + 1e-9);
    }
    let outcomes = |scenario| {
        let results = sample::with(vec![scenario]);
        let summary = Summary::of(&results);
        let verdicts = summary.scenarios[0].verdicts.iter();
        verdicts.map(|verdict| verdict.outcome).collect::<Vec<_>>()
    };
    let bound = outcomes(scenario.clone());
    assert!(
        matches!(bound[1], Outcome::BrokerBound(share) if near(share, 0.9)),
        "{bound:?}"
    );
    assert_eq!(bound[2], Outcome::NotMet);

    for run in &mut scenario.runs {
        run.broker_cores_busy = Some(1.8 * 0.89);
    }
    assert_eq!(outcomes(scenario)[1], Outcome::NotMet);
}

#[test]
fn failed_and_unverified_runs_give_no_figure_but_their_reason() {
    let results = sample::results();
    let summary = Summary::of(&results);
    let failing = &summary.scenarios[1];
    assert_eq!(failing.excluded.len(), 4);
    assert_eq!(failing.spread("ringmain", Key::Cpu).unwrap().rounds, 2);
    assert_eq!(failing.spread("apache-connect", Key::Cpu), None);
    assert_eq!(failing.verdicts[0].outcome, Outcome::NoFigure);

    let page = html(&results);
    assert!(page.contains("&lt;java.net.BindException") && page.contains("999998"));
    assert!(!page.contains("<java.net"), "names and reasons are escaped");
    let text = table(&results);
    assert!(text.contains("round 1: no REST answer within 60 s: <java.net.BindException"));
    assert!(
        page.contains("Net.bind0") && !text.contains("Net.bind0"),
        "logs are raw data"
    );
}

#[test]
fn runs_too_short_for_a_steady_part_are_compared_by_their_whole_life() {
    let mut scenario = sample::throughput();
    for run in scenario.runs.iter_mut().filter(|run| run.system == "kcat") {
        run.steady = None;
    }
    let results = sample::with(vec![scenario]);
    let summary = Summary::of(&results);
    let beside = summary.scenarios[0].beside(Measure::Cpu, "kcat").unwrap();
    assert_eq!(beside.figure.key, Key::WholeCpu);
    let connect = summary.scenarios[0]
        .beside(Measure::Cpu, "apache-connect")
        .unwrap();
    assert_eq!(connect.figure.key, Key::Cpu);
}

#[test]
fn rest_and_start_up_have_figures_of_their_own() {
    let results = sample::results();
    let summary = Summary::of(&results);
    let idle = summary.scenarios.last().unwrap();
    let rest = idle.spread("ringmain", Key::IdleCpu).unwrap().median;
    assert!(near(rest, (0.006 + 0.3) * 1.02 / 60.0 * 100.0), "{rest}");
    assert!(near(
        idle.spread("apache-connect", Key::Create).unwrap().median,
        40.0
    ));
    assert_eq!(idle.spread("ringmain", Key::Cpu), None);

    let start = &summary.scenarios[3];
    assert!(near(ratio(&start.verdicts[0]), 80.0));
    assert_eq!(start.verdicts[0].outcome, Outcome::Met);
}

#[test]
fn the_page_needs_nothing_from_outside() {
    let page = html(&sample::results());
    for outside in [
        "http://", "https://", "src=", "@import", "url(", "<script", "<link",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

/// What must never be printed, whatever the data.
fn holds_together(results: &Results) {
    let page = html(results);
    let (_, body) = page.split_once("<body>").unwrap();
    for text in [body, &table(results)] {
        for nonsense in ["NaN", " inf", ">inf", " -0"] {
            let found = text
                .find(nonsense)
                .map(|at| &text[at..(at + 40).min(text.len())]);
            assert_eq!(found, None, "{nonsense}");
        }
    }
}

#[test]
fn odd_results_make_no_nonsense() {
    holds_together(&sample::results());
    holds_together(&sample::with(Vec::new()));
    holds_together(&sample::with(vec![sample::scenario(
        "empty",
        "",
        Kind::Latency,
    )]));

    let mut bare = sample::throughput();
    for run in &mut bare.runs {
        run.whole = Span::default();
        run.steady = Some(Span::default());
        run.peak_resident_bytes = 0;
        run.broker_cores_busy = Some(f64::NAN);
        run.first_record_seconds = Some(f64::INFINITY);
        run.samples.clear();
        run.commands.clear();
    }
    holds_together(&sample::with(vec![bare]));

    let mut alone = sample::results();
    for scenario in &mut alone.scenarios {
        scenario
            .runs
            .retain(|run| run.system == "ringmain" && run.round == 1);
    }
    alone
        .scenarios
        .retain(|scenario| scenario.kind != Kind::Cluster);
    alone.systems.truncate(1);
    alone.interrupted = true;
    holds_together(&alone);
    assert!(html(&alone).contains("Interrupted"));
    assert!(
        !html(&alone).contains("<h2>Aims"),
        "nobody to be compared with"
    );

    let mut unknown = sample::results();
    unknown.systems.clear();
    holds_together(&unknown);
    assert!(html(&unknown).contains("apache-connect"));
}

#[test]
fn a_folder_is_written_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("new");
    let results = sample::results();
    write(&folder, &results).unwrap();
    let again = read(&folder).unwrap();
    assert!(html(&again) == html(&results), "the page is the same again");
    assert_eq!(table(&again), table(&results));
    assert_eq!(
        std::fs::read_to_string(folder.join("report.html")).unwrap(),
        html(&results)
    );
    assert_eq!(
        std::fs::read_to_string(folder.join("table.txt")).unwrap(),
        table(&results)
    );
}

#[test]
fn other_layouts_and_other_files_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("results.json");
    assert!(matches!(
        read(dir.path()),
        Err(ReportError::File { action: "read", .. })
    ));

    std::fs::write(&file, r#"{"format": 9, "else": true}"#).unwrap();
    let error = read(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("results.json: layout 9") && error.contains("reads 1"),
        "{error}"
    );

    std::fs::write(&file, r#"{"format": 1}"#).unwrap();
    let error = read(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("results.json") && error.contains("started"),
        "{error}"
    );
}
