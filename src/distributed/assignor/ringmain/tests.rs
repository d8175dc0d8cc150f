//! Groups with workers that say what they can run.

use super::super::tests::{Assign, Group, MAX_DELAY_MS, of, runs};
use super::*;
use crate::distributed::protocol::PluginClasses;

impl Assign for GroupAssignor {
    fn assign(&mut self, round: Round<'_>) -> Result<GroupAssignment, AssignorError> {
        self.perform_assignment(round)
    }
}

/// A connector's plugin is its name here.
fn group(workers: &[(&str, &[&str])], connectors: &[(&str, i32)]) -> Group<GroupAssignor> {
    let assignor = GroupAssignor::new(MAX_DELAY_MS, LostTasks::default());
    let mut group = Group::new(assignor, &[], connectors);
    for (worker, plugins) in workers {
        join(&mut group, worker, plugins);
    }
    group
}

fn join(group: &mut Group<GroupAssignor>, worker: &str, plugins: &[&str]) {
    group.join(worker);
    let plugins = PluginClasses::new(plugins.iter().copied()).unwrap();
    group.workers.get_mut(worker).unwrap().plugins = Some(plugins);
}

fn connectors_of(group: &Group<GroupAssignor>, worker: &str) -> Vec<String> {
    let work = runs(&group.workers[worker]);
    let of_tasks = work.tasks.iter().map(|task| task.connector.to_string());
    let mut names: Vec<String> = work.connectors.iter().map(ToString::to_string).collect();
    names.extend(of_tasks);
    names.sort();
    names.dedup();
    names
}

const ALL: &[&str] = &["a", "b"];
const TWO: &[(&str, i32)] = &[("a", 4), ("b", 4)];

#[test]
fn among_ringmain_workers_lost_tasks_move_in_the_same_round() {
    let mut group = group(&[("w1", ALL), ("w2", ALL)], TWO);
    group.settle();
    group.leave("w2");
    group.round();
    assert_eq!((group.counts(), group.delay_ms), (vec![(2, 8)], 0));
    group.assert_complete();
}

#[test]
fn lost_tasks_wait_where_it_is_set_or_where_an_apache_worker_is_or_was() {
    let mut set = group(&[("w1", ALL), ("w2", ALL)], TWO);
    set.assignor = GroupAssignor::new(MAX_DELAY_MS, LostTasks::AfterDelay);
    set.settle();
    set.leave("w2");
    set.round();
    assert_eq!((set.counts(), set.delay_ms), (vec![(1, 4)], MAX_DELAY_MS));

    let mut mixed = group(&[("w1", ALL), ("w2", ALL)], TWO);
    mixed.join("w3");
    mixed.settle();
    mixed.leave("w2");
    mixed.round();
    assert_eq!(mixed.delay_ms, MAX_DELAY_MS);
    mixed.now_ms += i64::from(MAX_DELAY_MS);
    mixed.settle();
    // The Apache worker goes, and a round later only Ringmain workers are remembered.
    join(&mut mixed, "w4", ALL);
    mixed.settle();
    mixed.leave("w3");
    mixed.round();
    mixed.now_ms += 10_000;
    mixed.round();
    assert_eq!(mixed.delay_ms, MAX_DELAY_MS - 10_000);
    mixed.now_ms += i64::from(MAX_DELAY_MS);
    mixed.round();
    mixed.assert_complete();
    // From then on it is a group of Ringmain workers.
    mixed.settle();
    mixed.leave("w4");
    mixed.round();
    assert_eq!(mixed.delay_ms, 0);
    mixed.assert_complete();
}

#[test]
fn a_pause_between_revocations_does_not_hold_up_what_was_lost() {
    let mut group = group(&[("w1", ALL)], TWO);
    group.settle();
    join(&mut group, "w2", ALL);
    group.round();
    join(&mut group, "w3", ALL);
    group.round();
    assert_eq!(group.delay_ms, 40);
    group.leave("w2");
    group.now_ms += 10;
    group.round();
    group.assert_complete();
    assert_eq!(group.delay_ms, 30);
    group.now_ms += 30;
    group.settle();
    assert_eq!(group.counts(), [(1, 4), (1, 4)]);
}

#[test]
fn a_connector_and_its_tasks_go_to_workers_that_can_run_it() {
    let mut group = group(&[("w1", ALL), ("w2", &["b"]), ("w3", &["b"])], TWO);
    assert_eq!(group.settle(), 2);
    assert_eq!(connectors_of(&group, "w1"), ["a"]);
    assert_eq!(group.counts(), [(1, 4), (1, 2), (0, 2)]);
    // An Apache worker does not say, and is given what is too much for the first one.
    group.join("w4");
    group.settle();
    assert_eq!(group.counts(), [(1, 2), (1, 2), (0, 2), (0, 2)]);
    assert_eq!(connectors_of(&group, "w4"), ["a"]);
}

#[test]
fn a_connector_that_nobody_can_run_is_given_to_somebody_all_the_same() {
    let mut group = group(&[("w1", &["b"]), ("w2", &["b"])], TWO);
    group.settle();
    assert_eq!(group.counts(), [(1, 4), (1, 4)]);
}

#[test]
fn what_a_worker_can_not_run_is_taken_from_it() {
    let mut group = group(&[("w1", &["b"])], TWO);
    group.settle();
    assert_eq!(group.counts(), [(2, 8)]);
    join(&mut group, "w2", ALL);
    let assigned = group.round();
    let revoked = &of(&assigned, "w1").revoked;
    assert_eq!((revoked.connectors.len(), revoked.tasks.len()), (1, 4));
    group.settle();
    assert_eq!(connectors_of(&group, "w1"), ["b"]);
    assert_eq!(connectors_of(&group, "w2"), ["a"]);
}

#[test]
fn a_worker_that_can_run_little_does_not_make_the_group_rebalance_for_ever() {
    let mut group = group(&[("w1", ALL), ("w2", ALL)], &[("a", 9), ("b", 1)]);
    group.settle();
    join(&mut group, "w3", &["b"]);
    // One task moves in two rounds; the third shows that there is no more.
    assert_eq!(group.settle(), 3);
    assert_eq!(connectors_of(&group, "w3"), ["b"]);
    let tasks: Vec<usize> = group.counts().iter().map(|(_, tasks)| *tasks).collect();
    assert!(tasks == [5, 4, 1] || tasks == [4, 5, 1], "{tasks:?}");
}

/// Four, three and two tasks: no single move makes that more even, but the first worker can pass one on to
/// the second, which passes another one on to the third.
#[test]
fn work_is_passed_on_along_a_chain_of_workers() {
    let workers: [(&str, &[&str]); 3] = [("w1", &["a"]), ("w2", ALL), ("w3", &["b"])];
    let mut group = group(&workers, &[("a", 6), ("b", 3)]);
    group.settle();
    let tasks = |group: &Group<GroupAssignor>| -> Vec<usize> {
        group.counts().iter().map(|(_, tasks)| *tasks).collect()
    };
    assert_eq!(tasks(&group), [3, 3, 3]);
    pass_on(&mut group, "w2", "w1", "a");
    pass_on(&mut group, "w3", "w2", "b");
    assert_eq!(tasks(&group), [4, 3, 2]);
    let assigned = group.round();
    assert_eq!(of(&assigned, "w1").revoked.tasks.len(), 1);
    assert_eq!(of(&assigned, "w2").revoked.tasks.len(), 1);
    group.settle();
    assert_eq!(tasks(&group), [3, 3, 3]);
    assert_eq!(connectors_of(&group, "w3"), ["b"]);
}

/// A worker reports a task of this connector that another one had.
fn pass_on(group: &mut Group<GroupAssignor>, from: &str, to: &str, connector: &str) {
    let work = runs(&group.workers[from]);
    let mut tasks = work.tasks.iter();
    let task = tasks.find(|task| &*task.connector == connector).unwrap();
    for (worker, gets) in [(from, false), (to, true)] {
        let state = group.workers.get_mut(worker).unwrap();
        let tasks = &mut state.assignment.as_mut().unwrap().assigned.tasks;
        match gets {
            true => tasks.insert(task.clone()),
            false => tasks.shift_remove(task),
        };
    }
}

#[test]
fn eager_groups_pass_over_who_can_not_run_something() {
    let mut group = group(&[("w1", ALL), ("w2", &["b"])], TWO);
    group.protocol = ConnectProtocol::Eager;
    group.round();
    group.assert_complete();
    assert_eq!(connectors_of(&group, "w2"), ["b"]);
}

/// Random groups end where no move makes them more even, and stay there.
#[test]
fn random_groups_settle_with_everything_where_it_can_run() {
    let mut rng = fastrand::Rng::with_seed(7);
    let names: Vec<String> = (0..6).map(|n| format!("c{n}")).collect();
    for _ in 0..150 {
        let mut group = group(&[], &[]);
        for name in &names {
            group.configure(name, rng.i32(0..9));
        }
        for worker in 0..rng.usize(1..5) {
            let able = names.iter().map(String::as_str).filter(|_| rng.bool());
            let able: Vec<&str> = able.collect();
            join(&mut group, &format!("w{worker}"), &able);
        }
        for step in 0..4 {
            let able = names.iter().map(String::as_str).filter(|_| rng.bool());
            let able: Vec<&str> = able.collect();
            join(&mut group, &format!("late{step}"), &able);
            if rng.bool() {
                let some = rng
                    .choice(group.workers.keys().cloned().collect::<Vec<_>>())
                    .unwrap();
                group.leave(&some);
            }
            assert!(group.settle() <= 6);
            assert_placed(&group, &names);
        }
    }
}

fn assert_placed(group: &Group<GroupAssignor>, names: &[String]) {
    let able = |worker: &str, name: &str| {
        let plugins = group.workers[worker].plugins.as_ref();
        plugins.is_none_or(|plugins| plugins.contains(name))
    };
    for worker in group.workers.keys() {
        for name in connectors_of(group, worker) {
            let anybody = group.workers.keys().any(|other| able(other, &name));
            assert!(able(worker, &name) || !anybody, "{worker} runs {name}");
        }
    }
    // No single task has a better place.
    let loads: HashMap<&String, usize> = group
        .workers
        .iter()
        .map(|(worker, state)| (worker, runs(state).tasks.len()))
        .collect();
    for (worker, state) in &group.workers {
        for task in &runs(state).tasks {
            let better = group
                .workers
                .keys()
                .find(|other| able(other, &task.connector) && loads[*other] + 1 < loads[worker]);
            assert_eq!(better, None, "{task} of {worker}, {names:?}: {loads:?}");
        }
    }
}
