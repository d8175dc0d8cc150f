//! Made-up results for the tests of this room: plausible shapes, figures that can be checked in the head.

use std::collections::BTreeMap;

use crate::results::{
    Aims, Axis, Cluster, FORMAT, Idle, Kind, Latency, LatencyFloor, Limits, Machine, Results, Run,
    Sample, ScenarioResult, Span, SystemInfo, Verification,
};

/// How much slower and larger than Ringmain a system is.
#[derive(Clone, Copy)]
struct Shape {
    seconds: f64,
    cpu: f64,
    resident: f64,
    start: Option<f64>,
}

fn shape(system: &str) -> Shape {
    let of = |seconds, cpu, resident, start| Shape {
        seconds,
        cpu,
        resident,
        start,
    };
    match system {
        "apache-connect" => of(20.0, 64.0, 30.0, Some(3.2)),
        "kcat" => of(0.9, 4.0, 0.8, None),
        _ => of(1.0, 1.0, 1.0, Some(0.04)),
    }
}

/// Rounds differ by some percent: the second is the median, the first the best.
fn wobble(round: u32) -> f64 {
    1.0 + (f64::from(round) - 1.0) * 0.02
}

fn whole(value: f64) -> u64 {
    format!("{value:.0}").parse().unwrap()
}

/// A run of a million 100-byte records: Ringmain's takes 0.5 s and 100 ns of CPU per record in round 1.
pub(super) fn run(system: &str, round: u32) -> Run {
    let shape = shape(system);
    let slow = wobble(round);
    let seconds = 0.5 * shape.seconds * slow;
    let cpu = 0.1 * shape.cpu * slow;
    let resident = whole(11_000_000.0 * shape.resident * slow);
    let span = |share: f64| Span {
        seconds: seconds * share,
        records: whole(1_000_000.0 * share),
        bytes: whole(100_000_000.0 * share),
        user_seconds: cpu * share * 0.75,
        system_seconds: cpu * share * 0.25,
        broker_user_seconds: 0.3 * share,
        broker_system_seconds: 0.2 * share,
    };
    Run {
        system: system.into(),
        series: "a".into(),
        round,
        commands: vec![
            format!("{system} standalone worker.properties file-source.properties"),
            "kafka-server-start.sh server.properties".into(),
        ],
        files: BTreeMap::from([(
            "worker.properties".into(),
            "bootstrap.servers=127.0.0.1:9092\nkey.converter=<string> & \"more\"\n".into(),
        )]),
        error: None,
        verification: Some(Verification {
            expected: 1_000_000,
            found: 1_000_000,
            expected_checksum: "00c0ffee".into(),
            checksum: "00c0ffee".into(),
            reader: "rskafka".into(),
        }),
        whole: span(1.0),
        steady: Some(span(0.8)),
        first_answer_seconds: shape.start.map(|start| start * slow),
        first_record_seconds: Some(shape.start.unwrap_or(0.02) * 1.3 * slow),
        peak_resident_bytes: resident,
        mean_resident_bytes: resident / 10 * 9,
        voluntary_switches: whole(2_000.0 * shape.seconds),
        involuntary_switches: whole(100.0 * shape.seconds),
        broker_cores_busy: Some(1.0 / shape.seconds.max(1.0)),
        stolen_cores: Some(0.05),
        latency: None,
        idle: None,
        cluster: None,
        samples: samples(seconds, cpu, resident),
    }
}

fn samples(seconds: f64, cpu: f64, resident: u64) -> Vec<Sample> {
    (1..=60_u32)
        .map(|at| {
            let share = f64::from(at) / 60.0;
            let saw = 0.75 + 0.25 * (1.0 - (-6.0 * share).exp()) - 0.04 * f64::from(at % 5);
            Sample {
                seconds: seconds * share,
                records: whole(1_000_000.0 * share),
                cpu_seconds: cpu * share,
                resident_bytes: whole(resident as f64 * saw),
                broker_cpu_seconds: 0.5 * share,
            }
        })
        .collect()
}

/// A latency run at 50,000 records a second.
fn latency_run(system: &str, round: u32) -> Run {
    let mut run = run(system, round);
    let slow = wobble(round) * if system == "ringmain" { 1.0 } else { 3.5 };
    let percentiles = [
        (0.0, 0.4),
        (25.0, 1.1),
        (50.0, 1.6),
        (75.0, 2.4),
        (90.0, 3.0),
        (95.0, 3.6),
        (99.0, 5.2),
        (99.5, 6.0),
        (99.9, 9.0),
        (99.99, 15.0),
        (99.999, 22.0),
        (100.0, 24.0),
    ];
    run.latency = Some(Latency {
        rate: 50_000.0,
        count: 1_000_000,
        mean_ms: 1.9 * slow,
        p50_ms: 1.6 * slow,
        p99_ms: 5.2 * slow,
        p999_ms: 9.0 * slow,
        max_ms: 24.0 * slow,
        percentiles: percentiles
            .iter()
            .map(|(at, ms)| (*at, ms * slow))
            .collect(),
        floor: Some(LatencyFloor {
            count: 500_000,
            p50_ms: 0.9 * wobble(round),
            p99_ms: 2.1 * wobble(round),
            p999_ms: 3.5 * wobble(round),
            max_ms: 7.0 * wobble(round),
        }),
    });
    run
}

/// A rest of a minute with that many connectors.
fn idle_run(system: &str, round: u32, connectors: u32) -> Run {
    let mut run = run(system, round);
    let (many, peer) = (f64::from(connectors), system != "ringmain");
    let base = if peer { 300_000_000.0 } else { 9_000_000.0 };
    let each = if peer { 900_000.0 } else { 40_000.0 };
    let resident = whole(base + each * many);
    run.whole = Span {
        seconds: 70.0,
        user_seconds: 1.0,
        ..Span::default()
    };
    run.steady = None;
    run.verification = None;
    run.first_record_seconds = None;
    run.broker_cores_busy = None;
    run.peak_resident_bytes = resident;
    run.mean_resident_bytes = resident;
    run.idle = Some(Idle {
        connectors,
        create_seconds: many * if peer { 0.08 } else { 0.002 },
        seconds: 60.0,
        cpu_seconds: (0.006 + many * if peer { 0.02 } else { 0.000_6 }) * wobble(round),
        resident_bytes: resident,
    });
    run.samples = samples(70.0, 1.0, resident);
    run
}

fn start_run(system: &str, round: u32) -> Run {
    let mut run = run(system, round);
    run.whole = Span {
        seconds: run.first_answer_seconds.unwrap_or(0.0),
        user_seconds: if system == "ringmain" { 0.02 } else { 4.1 },
        ..Span::default()
    };
    run.steady = None;
    run.verification = None;
    run.first_record_seconds = None;
    run.broker_cores_busy = None;
    run.samples.clear();
    run
}

/// A third worker joined: Ringmain's tasks paused for 20 and 40 ms, the peer's ten times as long.
fn cluster_run(system: &str, round: u32) -> Run {
    let mut run = start_run(system, round);
    let slow = wobble(round) * if system == "ringmain" { 1.0 } else { 10.0 };
    run.whole = Span::default();
    run.first_answer_seconds = None;
    (run.peak_resident_bytes, run.mean_resident_bytes) = (0, 0);
    run.cluster = Some(Cluster {
        workers: 2,
        connectors: 20,
        join_to_running_seconds: Some(0.5 * slow),
        pauses_ms: [20.0, 40.0, 20.0].map(|pause| pause * slow).to_vec(),
        moved_tasks: Some(3),
        disturbed_tasks: Some(0),
        ..Cluster::default()
    });
    run
}

/// With aims of which the ratio is met, the longest pause is not.
pub(super) fn cluster() -> ScenarioResult {
    let mut made = scenario("cluster-grow", "A third worker joins", Kind::Cluster);
    made.aims.running = Some(9.0);
    made.limits = Limits {
        pause_ms: Some(41.0),
        disturbed_tasks: Some(0.0),
        idle_bytes: Some(15e6),
        ..Limits::default()
    };
    made.runs = rounds(&["ringmain", "apache-connect"], cluster_run);
    made
}

/// An empty scenario of that name.
pub(super) fn scenario(name: &str, title: &str, kind: Kind) -> ScenarioResult {
    ScenarioResult {
        name: name.into(),
        title: title.into(),
        group: name.split('@').next().unwrap_or(name).into(),
        axis: None,
        kind,
        parameters: BTreeMap::from([
            ("record.size".into(), "100".into()),
            ("records".into(), "1000000".into()),
            ("partitions".into(), "1".into()),
            ("tasks".into(), "1".into()),
            ("compression".into(), "none".into()),
            ("batch.size".into(), "16384".into()),
        ]),
        repeat: format!("cargo run --release -p perf -- compare {name}"),
        aims: Aims::default(),
        limits: Limits::default(),
        runs: Vec::new(),
    }
}

/// Rounds in alternation, three of each system.
fn rounds(systems: &[&str], make: impl Fn(&str, u32) -> Run) -> Vec<Run> {
    let make = &make;
    (1..=3)
        .flat_map(|round| systems.iter().map(move |system| make(system, round)))
        .collect()
}

/// File to topic: three systems and a second series of Ringmain that is 1 % slower.
pub(super) fn throughput() -> ScenarioResult {
    let mut made = scenario(
        "file-to-topic-string",
        "File to topic, String",
        Kind::Throughput,
    );
    made.aims = Aims {
        cpu: Some(60.0),
        rate: Some(25.0),
        memory: Some(31.0),
        cpu_kcat: Some(3.0),
        ..Aims::default()
    };
    made.runs = rounds(&["ringmain", "apache-connect", "kcat"], run);
    made.runs.extend((1..=3).map(|round| {
        let mut again = run("ringmain", round);
        again.series = "b".into();
        let steady = again.steady.as_mut().unwrap();
        steady.user_seconds *= 1.01;
        steady.system_seconds *= 1.01;
        again
    }));
    made
}

/// Ringmain's output was short in one round, Connect never came up.
fn failing() -> ScenarioResult {
    let mut made = scenario(
        "topic-to-file-json",
        "Topic to file, JSON without schemas",
        Kind::Throughput,
    );
    made.aims.cpu = Some(20.0);
    made.runs = rounds(&["ringmain", "apache-connect"], run);
    for run in &mut made.runs {
        if run.system == "apache-connect" {
            run.error = Some("no REST answer within 60 s\n<java.net.BindException: Address already in use>\n  at java.base/sun.nio.ch.Net.bind0".into());
        } else if run.round == 2 {
            run.verification.as_mut().unwrap().found = 999_998;
        }
    }
    made
}

fn scaled(size: f64) -> ScenarioResult {
    let name = format!("file-to-topic-string@record-size={size}");
    let title = format!("File to topic, String, {size}-byte records");
    let mut made = scenario(&name, &title, Kind::Throughput);
    made.axis = Some(Axis {
        name: "record size (bytes)".into(),
        value: size,
    });
    made.runs = rounds(&["ringmain", "apache-connect", "kcat"], |system, round| {
        let mut run = run(system, round);
        let heavier = 0.7 + size / 350.0;
        for span in [Some(&mut run.whole), run.steady.as_mut()]
            .into_iter()
            .flatten()
        {
            span.seconds *= heavier;
            span.user_seconds *= heavier;
            span.system_seconds *= heavier;
            span.bytes = whole(span.records as f64 * size);
        }
        run
    });
    made
}

fn idle(connectors: u32) -> ScenarioResult {
    let name = format!("idle@connectors={connectors}");
    let title = format!("{connectors} idle connectors");
    let mut made = scenario(&name, &title, Kind::Idle);
    made.axis = Some(Axis {
        name: "connectors".into(),
        value: f64::from(connectors),
    });
    if connectors == 500 {
        made.aims.cpu = Some(20.0);
        made.aims.memory = Some(10.0);
    }
    made.runs = rounds(&["ringmain", "apache-connect"], |system, round| {
        idle_run(system, round, connectors)
    });
    made
}

fn latency() -> ScenarioResult {
    let mut made = scenario(
        "latency-50k",
        "File to topic at 50,000 records per second",
        Kind::Latency,
    );
    made.aims.latency_p50 = Some(1.0);
    made.aims.latency_p999 = Some(3.0);
    made.runs = rounds(&["ringmain", "apache-connect"], latency_run);
    made
}

fn start() -> ScenarioResult {
    let mut made = scenario("start-up", "Start-up to first REST answer", Kind::StartUp);
    made.aims.start = Some(50.0);
    made.runs = rounds(&["ringmain", "apache-connect"], start_run);
    made
}

/// One of every kind.
pub(super) fn results() -> Results {
    let mut scenarios = vec![throughput(), failing(), latency(), start()];
    scenarios.extend([16.0, 100.0, 1_000.0, 10_000.0, 100_000.0].map(scaled));
    scenarios.push(cluster());
    scenarios.extend([1, 10, 100, 500].map(idle));
    with(scenarios)
}

/// A file of these scenarios.
pub(super) fn with(scenarios: Vec<ScenarioResult>) -> Results {
    let system = |id: &str, title: &str, version: &str| SystemInfo {
        id: id.into(),
        title: title.into(),
        version: version.into(),
    };
    Results {
        format: FORMAT,
        started: "2026-11-22T21:00:00Z".into(),
        finished: "2026-11-22T22:10:00Z".into(),
        command: "cargo run --release -p perf -- compare".into(),
        machine: Machine {
            cpu: "AMD EPYC 7B13".into(),
            cores: 2,
            memory_bytes: 8_323_000_000,
            kernel: "6.12.0-amd64".into(),
            os: "Debian GNU/Linux 13 (trixie)".into(),
            filesystem: "ext4".into(),
            java: Some("openjdk version \"21.0.9\" 2026-10-20".into()),
            load_before: 0.12,
        },
        systems: vec![
            system("ringmain", "Ringmain", "0.1.0, release, 1a2b3c4"),
            system("apache-connect", "Apache Kafka Connect", "4.3.1"),
            system("kcat", "kcat", "1.7.1, librdkafka 2.8.0"),
        ],
        scenarios,
        interrupted: false,
    }
}
