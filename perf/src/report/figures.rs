//! The figures: what can be read off one run, in which unit, and which way is better.

use Better::{Higher, Lower, Neither};
use Unit::{
    Bytes, BytesPerSecond, Count, Cpus, Milliseconds, Nanoseconds, PerSecond, Percent, Seconds,
};

use super::numbers::Unit;
use crate::results::{Cluster, Idle, Kind, Latency, LatencyFloor, Run, Span};

/// Names a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Rate,
    ByteRate,
    Cpu,
    UserCpu,
    SystemCpu,
    WholeCpu,
    WholeRate,
    WorkerCores,
    WholeCpuSeconds,
    Peak,
    Mean,
    Records,
    VoluntaryRate,
    InvoluntaryRate,
    VoluntarySwitches,
    InvoluntarySwitches,
    FirstAnswer,
    FirstRecord,
    BrokerCpu,
    BrokerCores,
    StolenCores,
    LatencyMean,
    LatencyP50,
    LatencyP99,
    LatencyP999,
    LatencyMax,
    FloorP50,
    FloorP999,
    IdleCpu,
    IdleResident,
    Create,
    StartToRunning,
    JoinToRunning,
    KillToRunning,
    AfterSession,
    GivenUpToRunning,
    LeaveToRunning,
    CreateToRunning,
    Conflicts,
    Generations,
    PauseP50,
    PauseMax,
    MovedTasks,
    DisturbedTasks,
    LeaderCpu,
    LeaderResident,
    FollowerResident,
    NoConnectorsResident,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Better {
    Higher,
    Lower,
    /// Says something about the run, but nobody wins by it.
    Neither,
}

/// A line of the tables.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) key: Key,
    pub(super) title: &'static str,
    pub(super) unit: Unit,
    better: Better,
    /// Whether the terminal's table has it; the page has all.
    pub(super) headline: bool,
    read: fn(&Run) -> Option<f64>,
}

impl Figure {
    /// The figure of one run; none where the run has none. Never a value that isn't finite.
    pub(super) fn of(&self, run: &Run) -> Option<f64> {
        (self.read)(run).filter(|value| value.is_finite() && *value >= 0.0)
    }

    /// Which way is better in scenarios of this kind: at a fixed rate, the rate is nobody's merit.
    pub(super) fn better(&self, kind: Kind) -> Better {
        match (self.key, kind) {
            (Key::Rate | Key::ByteRate | Key::WholeRate, Kind::Latency) => Neither,
            _ => self.better,
        }
    }

    /// Whether scenarios of this kind show it.
    pub(super) fn applies(&self, kind: Kind) -> bool {
        let moves = matches!(kind, Kind::Throughput | Kind::Latency);
        match self.key {
            Key::WholeCpuSeconds | Key::VoluntarySwitches | Key::InvoluntarySwitches => {
                matches!(kind, Kind::Idle | Kind::StartUp)
            }
            Key::Rate
            | Key::ByteRate
            | Key::Cpu
            | Key::UserCpu
            | Key::SystemCpu
            | Key::WholeCpu
            | Key::WholeRate
            | Key::Records
            | Key::VoluntaryRate
            | Key::InvoluntaryRate
            | Key::WorkerCores
            | Key::BrokerCpu
            | Key::BrokerCores => moves,
            _ => true,
        }
    }
}

/// The figure of that name.
pub(super) fn figure(key: Key) -> &'static Figure {
    let at = FIGURES
        .iter()
        .position(|figure| figure.key == key)
        .unwrap_or_default();
    &FIGURES[at]
}

const fn row(
    key: Key,
    title: &'static str,
    unit: Unit,
    better: Better,
    read: fn(&Run) -> Option<f64>,
) -> Figure {
    Figure {
        key,
        title,
        unit,
        better,
        headline: false,
        read,
    }
}

const fn headline(mut figure: Figure) -> Figure {
    figure.headline = true;
    figure
}

/// In the order of the tables. `steady` is the part after warming up, `whole life` starts with the process.
#[rustfmt::skip]
pub(super) static FIGURES: [Figure; 48] = [
    headline(row(Key::Rate, "Records per second, steady", PerSecond, Higher, |run| steady(run, |span| span.records as f64 / span.seconds))),
    headline(row(Key::ByteRate, "Payload per second, steady", BytesPerSecond, Higher, |run| steady(run, |span| span.bytes as f64 / span.seconds))),
    headline(row(Key::Cpu, "CPU per record, steady", Nanoseconds, Lower, |run| steady(run, |span| per_record(span, span.user_seconds + span.system_seconds)))),
    row(Key::UserCpu, "… of it in user mode", Nanoseconds, Neither, |run| steady(run, |span| per_record(span, user_seconds(span)))),
    row(Key::SystemCpu, "… of it in the kernel", Nanoseconds, Neither, |run| steady(run, |span| per_record(span, span.user_seconds + span.system_seconds - user_seconds(span)))),
    headline(row(Key::WholeCpu, "CPU per record, whole life", Nanoseconds, Lower, |run| Some(per_record(&run.whole, run.whole.user_seconds + run.whole.system_seconds)))),
    row(Key::WholeRate, "Records per second, whole life", PerSecond, Higher, |run| (run.whole.records > 0).then_some(run.whole.records as f64 / run.whole.seconds)),
    row(Key::Records, "Records moved, whole life", Count, Neither, |run| (run.whole.records > 0).then_some(run.whole.records as f64)),
    row(Key::WorkerCores, "CPUs kept busy by the worker, steady", Cpus, Neither, worker_cores),
    row(Key::WholeCpuSeconds, "CPU, whole life", Seconds, Lower, |run| of_one_process(run, run.whole.user_seconds + run.whole.system_seconds)),
    headline(row(Key::IdleCpu, "CPU at rest, of one CPU", Percent, Lower, |run| idle(run, |idle| idle.cpu_seconds / idle.seconds * 100.0))),
    headline(row(Key::IdleResident, "Resident memory at rest", Bytes, Lower, |run| idle(run, |idle| idle.resident_bytes as f64))),
    headline(row(Key::Create, "Creating all connectors", Seconds, Lower, |run| idle(run, |idle| idle.create_seconds))),
    headline(row(Key::CreateToRunning, "First request to all connectors and tasks RUNNING", Seconds, Lower, |run| cluster(run, |seen| seen.create_to_running_seconds))),
    headline(row(Key::Generations, "Generations of the group meanwhile", Count, Lower, |run| cluster(run, |seen| seen.generations.map(f64::from)))),
    row(Key::Conflicts, "Requests answered with 409 meanwhile", Count, Lower, |run| cluster(run, |seen| seen.conflicts.map(f64::from))),
    headline(row(Key::StartToRunning, "Start of the process to the last task RUNNING", Seconds, Lower, |run| cluster(run, |seen| seen.start_to_running_seconds))),
    headline(row(Key::KillToRunning, "SIGKILL to the last of its tasks RUNNING elsewhere", Seconds, Lower, |run| cluster(run, |seen| seen.kill_to_running_seconds))),
    headline(row(Key::AfterSession, "… less session.timeout.ms, 0 at least", Seconds, Lower, |run| cluster(run, after_session))),
    headline(row(Key::GivenUpToRunning, "… since the broker gave the worker up", Seconds, Lower, |run| cluster(run, |seen| seen.given_up_to_running_seconds))),
    headline(row(Key::LeaveToRunning, "SIGTERM to the last of its tasks RUNNING elsewhere", Seconds, Lower, |run| cluster(run, |seen| seen.leave_to_running_seconds))),
    headline(row(Key::JoinToRunning, "Joining the group to the last task RUNNING", Seconds, Lower, |run| cluster(run, |seen| seen.join_to_running_seconds))),
    row(Key::MovedTasks, "Tasks that moved to the worker", Count, Neither, |run| cluster(run, |seen| seen.moved_tasks.map(f64::from))),
    headline(row(Key::PauseP50, "Pause of a task that moved, p50", Milliseconds, Lower, |run| cluster(run, |seen| middle(&seen.pauses_ms)))),
    headline(row(Key::PauseMax, "Pause of a task that moved, largest", Milliseconds, Lower, |run| cluster(run, |seen| seen.pauses_ms.iter().copied().reduce(f64::max)))),
    headline(row(Key::DisturbedTasks, "Tasks disturbed that did not move", Count, Lower, |run| cluster(run, |seen| seen.disturbed_tasks.map(f64::from)))),
    headline(row(Key::LeaderCpu, "Leader's CPU while tasks went and came back", Seconds, Lower, |run| cluster(run, |seen| seen.leader_cpu_seconds))),
    headline(row(Key::LeaderResident, "Resident memory of the leader", Bytes, Lower, |run| cluster(run, |seen| seen.leader_resident_bytes.map(bytes)))),
    headline(row(Key::FollowerResident, "Resident memory of the largest follower", Bytes, Lower, |run| cluster(run, |seen| seen.follower_resident_bytes.map(bytes)))),
    headline(row(Key::NoConnectorsResident, "Resident memory without connectors, largest worker", Bytes, Lower, |run| cluster(run, |seen| seen.idle_resident_bytes.map(bytes)))),
    headline(row(Key::LatencyP50, "Latency p50", Milliseconds, Lower, |run| latency(run, |latency| latency.p50_ms))),
    headline(row(Key::LatencyP99, "Latency p99", Milliseconds, Lower, |run| latency(run, |latency| latency.p99_ms))),
    headline(row(Key::LatencyP999, "Latency p99.9", Milliseconds, Lower, |run| latency(run, |latency| latency.p999_ms))),
    headline(row(Key::LatencyMax, "Latency, largest", Milliseconds, Lower, |run| latency(run, |latency| latency.max_ms))),
    row(Key::LatencyMean, "Latency, mean", Milliseconds, Lower, |run| latency(run, |latency| latency.mean_ms)),
    headline(row(Key::FloorP50, "… without a worker, p50", Milliseconds, Neither, |run| floor(run, |floor| floor.p50_ms))),
    headline(row(Key::FloorP999, "… without a worker, p99.9", Milliseconds, Neither, |run| floor(run, |floor| floor.p999_ms))),
    headline(row(Key::Peak, "Peak resident memory", Bytes, Lower, |run| some_bytes(run.peak_resident_bytes))),
    row(Key::Mean, "Mean resident memory", Bytes, Lower, |run| some_bytes(run.mean_resident_bytes)),
    row(Key::VoluntaryRate, "Context switches per million records, voluntary", Count, Lower, |run| per_million(run, run.voluntary_switches)),
    row(Key::InvoluntaryRate, "Context switches per million records, involuntary", Count, Lower, |run| per_million(run, run.involuntary_switches)),
    row(Key::VoluntarySwitches, "Context switches, voluntary", Count, Lower, |run| of_one_process(run, run.voluntary_switches as f64)),
    row(Key::InvoluntarySwitches, "Context switches, involuntary", Count, Lower, |run| of_one_process(run, run.involuntary_switches as f64)),
    headline(row(Key::FirstAnswer, "Start to first REST answer", Seconds, Lower, |run| run.first_answer_seconds)),
    headline(row(Key::FirstRecord, "Start to first record", Seconds, Lower, |run| run.first_record_seconds)),
    row(Key::BrokerCpu, "Broker's CPU per record, steady", Nanoseconds, Lower, |run| steady(run, |span| per_record(span, span.broker_user_seconds + span.broker_system_seconds))),
    headline(row(Key::BrokerCores, "CPUs kept busy by the broker, steady", Cpus, Neither, |run| run.broker_cores_busy)),
    headline(row(Key::StolenCores, "CPUs taken away by the machine's host", Cpus, Neither, |run| run.stolen_cores)),
];

/// CPUs that the worker kept busy in the steady part.
pub(super) fn worker_cores(run: &Run) -> Option<f64> {
    steady(run, |span| {
        (span.user_seconds + span.system_seconds) / span.seconds
    })
    .filter(|cores| cores.is_finite())
}

/// Of the steady part, which counts only when records moved and time passed in it.
fn steady(run: &Run, read: impl Fn(&Span) -> f64) -> Option<f64> {
    run.steady
        .as_ref()
        .filter(|span| span.records > 0 && span.seconds > 0.0)
        .map(read)
}

/// Nanoseconds; not finite without records, which [`Figure::of`] leaves out.
fn per_record(span: &Span, seconds: f64) -> f64 {
    seconds * 1e9 / span.records as f64
}

/// The kernel keeps the sum exactly and estimates the parts, so that between two looks close to each
/// other one of them can seem to shrink.
fn user_seconds(span: &Span) -> f64 {
    let both = span.user_seconds + span.system_seconds;
    span.user_seconds.clamp(0.0, both.max(0.0))
}

/// Runs end when their time is used up too, with however many records: only the ratio compares.
fn per_million(run: &Run, count: u64) -> Option<f64> {
    (run.whole.records > 0).then(|| count as f64 * 1e6 / run.whole.records as f64)
}

fn latency(run: &Run, read: impl Fn(&Latency) -> f64) -> Option<f64> {
    run.latency
        .as_ref()
        .filter(|latency| latency.count > 0)
        .map(read)
}

fn floor(run: &Run, read: impl Fn(&LatencyFloor) -> f64) -> Option<f64> {
    let floor = run.latency.as_ref()?.floor.as_ref();
    floor.filter(|floor| floor.count > 0).map(read)
}

fn idle(run: &Run, read: impl Fn(&Idle) -> f64) -> Option<f64> {
    run.idle.as_ref().map(read)
}

/// A cluster has several, of which nobody makes a sum.
fn of_one_process(run: &Run, value: f64) -> Option<f64> {
    run.cluster.is_none().then_some(value)
}

fn cluster(run: &Run, read: impl Fn(&Cluster) -> Option<f64>) -> Option<f64> {
    run.cluster.as_ref().and_then(read)
}

/// The session began with the last heartbeat before the kill, so that the rest can be below zero: tasks that
/// ran elsewhere before the whole time-out was over are not late.
fn after_session(seen: &Cluster) -> Option<f64> {
    let rest = seen.kill_to_running_seconds? - seen.session_seconds?;
    Some(rest.max(0.0))
}

/// Half of them are no larger.
fn middle(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

fn bytes(count: u64) -> f64 {
    count as f64
}

/// A process has memory: zero means that nobody looked.
fn some_bytes(bytes: u64) -> Option<f64> {
    (bytes > 0).then_some(bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_figure_is_listed_once() {
        for figure in &FIGURES {
            let same = FIGURES.iter().filter(|other| other.key == figure.key);
            assert_eq!(same.count(), 1, "{}", figure.title);
            assert!(std::ptr::eq(super::figure(figure.key), figure));
        }
    }

    #[test]
    fn figures_are_per_record_of_the_steady_part() {
        let run = sample::run("ringmain", 1);
        let of = |key| figure(key).of(&run).unwrap();
        // 800,000 records of 100 bytes in 0.4 s with 0.06 s + 0.02 s of CPU; whole life 1,000,000 and 0.1 s.
        assert_eq!(of(Key::Rate), 2_000_000.0);
        assert_eq!(of(Key::ByteRate), 200_000_000.0);
        assert!((of(Key::Cpu) - 100.0).abs() < 1e-6);
        assert!((of(Key::UserCpu) - 75.0).abs() < 1e-6);
        assert!((of(Key::WholeCpu) - 100.0).abs() < 1e-6);
        assert!((of(Key::BrokerCpu) - 500.0).abs() < 1e-6);
        assert!((of(Key::WorkerCores) - 0.2).abs() < 1e-9);
        assert_eq!(of(Key::VoluntaryRate), 2_000.0);
    }

    #[test]
    fn pauses_have_a_middle_and_a_largest_and_a_session_no_negative_rest() {
        let mut run = sample::run("ringmain", 1);
        let of = |run: &Run, key| figure(key).of(run);
        assert_eq!(of(&run, Key::PauseP50), None);
        run.cluster = Some(Cluster::default());
        assert_eq!(of(&run, Key::PauseMax), None, "nothing moved");
        assert_eq!(of(&run, Key::AfterSession), None, "nobody was killed");
        let seen = run.cluster.as_mut().unwrap();
        seen.pauses_ms = vec![30.0, 9.0, 100.0, 20.0];
        (seen.kill_to_running_seconds, seen.session_seconds) = (Some(10.25), Some(10.0));
        assert_eq!(of(&run, Key::PauseP50), Some(20.0));
        assert_eq!(of(&run, Key::PauseMax), Some(100.0));
        assert_eq!(of(&run, Key::AfterSession), Some(0.25));
        run.cluster.as_mut().unwrap().kill_to_running_seconds = Some(8.0);
        assert_eq!(of(&run, Key::AfterSession), Some(0.0));
    }

    #[test]
    fn a_part_of_the_cpu_time_that_seems_to_shrink_is_none() {
        let mut run = sample::run("kcat", 1);
        let span = run.steady.as_mut().unwrap();
        (span.user_seconds, span.system_seconds) = (0.09, -0.01);
        assert_eq!(figure(Key::UserCpu).of(&run), figure(Key::Cpu).of(&run));
        assert_eq!(figure(Key::SystemCpu).of(&run), Some(0.0));
    }

    #[test]
    fn a_run_that_moved_nothing_has_no_figure_per_record() {
        let mut run = sample::run("ringmain", 1);
        run.whole = Span::default();
        run.steady = Some(Span::default());
        for key in [
            Key::Rate,
            Key::Cpu,
            Key::WholeCpu,
            Key::WholeRate,
            Key::WorkerCores,
        ] {
            assert_eq!(figure(key).of(&run), None, "{key:?}");
        }
    }
}
