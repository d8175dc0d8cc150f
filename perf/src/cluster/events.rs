//! What happens to a cluster, and what is counted of it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::interrupt;
use crate::results::{self, Run};
use crate::settings::Event;

use super::members::{Cluster, all_keys, names, task_keys};
use super::now_millis;
use super::statuses::{Mark, Moves};

/// Until connectors that exist, or were one worker's, run.
const RUNNING: Duration = Duration::from_secs(180);
/// Until all connectors are created and run: hundreds take Apache's workers minutes.
const CREATION: Duration = Duration::from_secs(900);
/// From joining to being at rest, for memory: a JVM's and ours change in the first seconds.
const REST: Duration = Duration::from_secs(15);

/// Makes it happen.
///
/// # Errors
/// A worker or a connector does not do what is waited for; interrupted.
pub(super) fn happen(
    cluster: &mut Cluster<'_>,
    event: Event,
    run: &mut Run,
) -> Result<results::Cluster> {
    let settings = &cluster.scenario.settings;
    let seen = results::Cluster {
        workers: settings.workers,
        connectors: settings.connectors,
        ..results::Cluster::default()
    };
    let workers = usize::try_from(settings.workers).unwrap_or(usize::MAX);
    cluster.start_all(workers, run)?;
    match event {
        Event::Join => join(cluster, seen),
        Event::KillLeader => kill(cluster, seen, true),
        Event::KillFollower => kill(cluster, seen, false),
        Event::Grow => grow(cluster, seen, run),
        Event::Burst => burst(cluster, seen),
        Event::Restart => restart(cluster, seen),
    }
}

/// From one time in milliseconds to another.
fn seconds(from: f64, to: f64) -> f64 {
    (to - from) / 1000.0
}

/// A record's time like the others.
#[expect(clippy::cast_precision_loss, reason = "thirteen digits")]
fn time(millis: i64) -> f64 {
    millis as f64
}

/// All connectors of the scenario, running and at rest.
fn fill(cluster: &mut Cluster<'_>) -> Result<Vec<String>> {
    let names = names(cluster.scenario);
    cluster.create(&names, CREATION)?;
    cluster.wait_until_quiet(RUNNING)?;
    Ok(names)
}

/// Who runs which task, and what is written from now on.
fn before(cluster: &mut Cluster<'_>) -> Result<(BTreeMap<String, String>, Mark)> {
    let history = cluster.history()?;
    Ok((history.running_tasks(), history.mark()))
}

/// The only worker starts again. Nobody else is in the group, and the broker waits for nobody
/// (`group.initial.rebalance.delay.ms` is 0).
fn join(cluster: &mut Cluster<'_>, mut seen: results::Cluster) -> Result<results::Cluster> {
    let tasks = task_keys(&fill(cluster)?);
    cluster.ask_to_stop(0);
    cluster.wait_for_end(0)?;
    cluster.wait_for_members(0)?;
    cluster.read_on()?;
    let (_, mark) = before(cluster)?;
    let start = now_millis();
    cluster.start_again(0)?;
    let last = cluster.wait_until("the tasks run again", RUNNING, |history| {
        history.all_running(&tasks, mark)
    })?;
    let joined = cluster.first_sight(start, |sight| sight.members > 0);
    seen.start_to_running_seconds = Some(seconds(start, time(last)));
    seen.join_to_running_seconds = joined.map(|joined| seconds(joined, time(last)));
    Ok(seen)
}

/// A worker is lost.
fn kill(
    cluster: &mut Cluster<'_>,
    mut seen: results::Cluster,
    leads: bool,
) -> Result<results::Cluster> {
    fill(cluster)?;
    let lost = choose(cluster, leads)?;
    let (members, id) = (cluster.alive().len(), cluster.worker_id(lost));
    let (before, mark) = before(cluster)?;
    with_tasks(&before, &id)?;
    let session = cluster.session_timeout();
    let killed = cluster.kill(lost);
    let patience = session + cluster.scheduled_delay() + RUNNING;
    let last = cluster.wait_until("its tasks run elsewhere", patience, |history| {
        history.all_elsewhere(&before, &id, mark)
    })?;
    let given_up = cluster.first_sight(killed, |sight| {
        !sight.is_stable() || sight.members < members
    });
    seen.kill_to_running_seconds = Some(seconds(killed, time(last)));
    seen.session_seconds = Some(session.as_secs_f64());
    seen.given_up_to_running_seconds = given_up.map(|given_up| seconds(given_up, time(last)));
    Ok(seen)
}

/// The leader, or the first of the others.
fn choose(cluster: &Cluster<'_>, leads: bool) -> Result<usize> {
    let leader = cluster.leader()?;
    let mut alive = cluster.alive().into_iter();
    let found = alive.find(|&at| (at == leader) == leads);
    found.ok_or_else(|| Error::Run("there is no follower".to_owned()))
}

/// A worker without tasks would have none to lose.
fn with_tasks(before: &BTreeMap<String, String>, id: &str) -> Result<()> {
    match before.values().any(|runner| runner == id) {
        true => Ok(()),
        false => Err(Error::Run(format!("worker {id} runs no task: {before:?}"))),
    }
}

/// One more worker.
fn grow(
    cluster: &mut Cluster<'_>,
    mut seen: results::Cluster,
    run: &mut Run,
) -> Result<results::Cluster> {
    fill(cluster)?;
    let members = cluster.alive().len();
    let (before, mark) = before(cluster)?;
    let start = now_millis();
    let new = cluster.add(run)?;
    wait_for_share(cluster, new, before.len())?;
    cluster.wait_until_quiet(RUNNING)?;
    let joined = cluster.first_sight(start, |sight| sight.members > members);
    count_moves(cluster, &before, mark, joined, &mut seen)?;
    Ok(seen)
}

/// Until all tasks run, and the worker has as many as each must have.
fn wait_for_share(cluster: &mut Cluster<'_>, worker: usize, tasks: usize) -> Result<()> {
    let id = cluster.worker_id(worker);
    let share = tasks / cluster.alive().len();
    let what = format!("all tasks run, {share} of them on {id}");
    cluster.wait_until(&what, RUNNING, |history| {
        let running = history.running_tasks();
        let given = running.values().filter(|runner| **runner == id).count();
        (running.len() == tasks && given >= share).then_some(())
    })
}

fn count_moves(
    cluster: &mut Cluster<'_>,
    before: &BTreeMap<String, String>,
    mark: Mark,
    joined: Option<f64>,
    seen: &mut results::Cluster,
) -> Result<()> {
    let moves = cluster.history()?.moves(before, mark);
    let Moves {
        pauses,
        moved,
        unseen,
        disturbed,
        last_millis,
    } = moves;
    if unseen > 0 {
        let what = format!("{unseen} tasks moved without an UNASSIGNED");
        return Err(Error::Run(what));
    }
    seen.pauses_ms = pauses.into_iter().map(time).collect();
    seen.moved_tasks = Some(moved);
    seen.disturbed_tasks = Some(disturbed);
    let last = last_millis.map(time);
    seen.join_to_running_seconds = joined.zip(last).map(|(from, to)| seconds(from, to));
    Ok(())
}

/// All connectors at once. One more is there before, whose generation is that in which they begin.
fn burst(cluster: &mut Cluster<'_>, mut seen: results::Cluster) -> Result<results::Cluster> {
    let (_, start) = before(cluster)?;
    cluster.create(&["first".to_owned()], RUNNING)?;
    cluster.wait_until_quiet(RUNNING)?;
    let history = cluster.history()?;
    let (first, mark) = (history.generation_since(start), history.mark());
    create_all(cluster, mark, &mut seen)?;
    cluster.wait_until_quiet(RUNNING)?;
    let last = cluster.history()?.generation_since(mark);
    let passed = first.zip(last).map(|(first, last)| last - first);
    seen.generations = passed.and_then(|passed| u32::try_from(passed).ok());
    Ok(seen)
}

fn create_all(cluster: &mut Cluster<'_>, mark: Mark, seen: &mut results::Cluster) -> Result<()> {
    let names = names(cluster.scenario);
    let (begin, conflicts) = cluster.create(&names, CREATION)?;
    let last = cluster.history()?.all_running(&all_keys(&names), mark);
    seen.create_to_running_seconds = last.map(|last| seconds(begin, time(last)));
    seen.conflicts = Some(conflicts);
    Ok(())
}

/// A follower stops, and starts again when its tasks run elsewhere.
fn restart(cluster: &mut Cluster<'_>, mut seen: results::Cluster) -> Result<results::Cluster> {
    cluster.wait_until_quiet(RUNNING)?;
    interrupt::sleep(REST)?;
    let of_all = resident(cluster)?;
    seen.idle_resident_bytes = of_all.values().max().copied();
    let (_, mark) = before(cluster)?;
    create_all(cluster, mark, &mut seen)?;
    cluster.wait_until_quiet(CREATION)?;
    let leader = cluster.leader()?;
    let mut of_all = resident(cluster)?;
    seen.leader_resident_bytes = of_all.remove(&leader);
    seen.follower_resident_bytes = of_all.values().max().copied();

    let stopped = choose(cluster, false)?;
    let (members, id) = (cluster.alive().len(), cluster.worker_id(stopped));
    let (before_it, mark) = before(cluster)?;
    with_tasks(&before_it, &id)?;
    let cpu = cluster.read(leader)?.cpu_seconds;
    let asked = cluster.ask_to_stop(stopped);
    let patience = cluster.scheduled_delay() + RUNNING;
    let last = cluster.wait_until("its tasks run elsewhere", patience, |history| {
        history.all_elsewhere(&before_it, &id, mark)
    })?;
    let leaving = cluster.read(leader)?.cpu_seconds - cpu;
    seen.leave_to_running_seconds = Some(seconds(asked, time(last)));
    cluster.wait_for_end(stopped)?;
    cluster.wait_for_members(members - 1)?;
    cluster.wait_until_quiet(RUNNING)?;

    let (before_it, mark) = before(cluster)?;
    let start = now_millis();
    cluster.start_again(stopped)?;
    let (joined, cpu) = cluster.wait_for_join(leader, start, members)?;
    wait_for_share(cluster, stopped, before_it.len())?;
    let joining = cluster.read(leader)?.cpu_seconds - cpu;
    seen.leader_cpu_seconds = Some(leaving + joining);
    cluster.wait_until_quiet(RUNNING)?;
    count_moves(cluster, &before_it, mark, Some(joined), &mut seen)?;
    Ok(seen)
}

/// Resident memory of the running workers.
fn resident(cluster: &mut Cluster<'_>) -> Result<BTreeMap<usize, u64>> {
    let alive = cluster.alive().into_iter();
    alive
        .map(|at| Ok((at, cluster.read(at)?.resident_bytes)))
        .collect()
}
