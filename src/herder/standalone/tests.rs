//! The machine alone: what it wants done after each input.

use std::time::{Duration, Instant};

use super::*;
use crate::api::{ConfigMap, ConnectorKind};
use crate::herder::{ConnectorState, HerderError, InitialState};
use crate::task::InstanceState;
use crate::task::control::Wish;
use crate::worker::{InstanceEvent, InstanceId};

const GRACE: Duration = Duration::from_secs(5);

/// A machine, its clock and the numbers of requests.
pub(super) struct Bench {
    pub(super) machine: Machine,
    pub(super) now: Instant,
    requests: u64,
}

impl Bench {
    fn new() -> Self {
        let machine = Machine::new(GRACE, Box::new(|_| Ok(ConnectorKind::Source)));
        Self {
            machine,
            now: Instant::now(),
            requests: 0,
        }
    }

    pub(super) fn ask(&mut self, request: Request) -> Vec<Output> {
        self.requests += 1;
        self.machine
            .request(RequestId(self.requests), request, self.now);
        self.machine.take_outputs()
    }

    pub(super) fn tell(&mut self, instance: u64, event: InstanceEvent) -> Vec<Output> {
        self.machine.event(InstanceId(instance), event, self.now);
        self.machine.take_outputs()
    }

    fn state(&mut self, instance: u64, state: InstanceState) -> Vec<Output> {
        self.tell(instance, InstanceEvent::State(state))
    }

    /// Creates connector `c` as instance 1 with tasks as instances 2 and up.
    pub(super) fn running(tasks: usize) -> Self {
        let mut bench = Self::new();
        bench.ask(create(InitialState::Running));
        bench.tell(1, InstanceEvent::TaskConfigs(vec![ConfigMap::new(); tasks]));
        bench.state(1, InstanceState::Running);
        for task in 0..tasks {
            bench.state(2 + task as u64, InstanceState::Running);
        }
        bench
    }

    pub(super) fn status(&mut self) -> (ConnectorState, Vec<ConnectorState>) {
        match self.ask(Request::Status("c".to_owned())).remove(0) {
            Output::Answer(_, Ok(Reply::Status(status))) => (
                status.state,
                status.tasks.iter().map(|task| task.state).collect(),
            ),
            other => panic!("{other:?}"),
        }
    }
}

fn create(initial_state: InitialState) -> Request {
    Request::Create {
        name: "c".to_owned(),
        config: ConfigMap::new(),
        initial_state,
    }
}

fn config(value: &str) -> ConfigMap {
    std::iter::once(("file".to_owned(), Some(value.to_owned()))).collect()
}

#[test]
fn create_is_answered_when_the_tasks_exist() {
    let mut bench = Bench::new();
    let started = bench.ask(create(InitialState::Running));
    assert!(matches!(
        &started[..],
        [Output::StartConnector {
            wish: Wish::Run,
            ..
        }]
    ));
    let tasks = bench.tell(1, InstanceEvent::TaskConfigs(vec![ConfigMap::new(); 2]));
    assert!(matches!(
        &tasks[..],
        [Output::StartTask { .. }, Output::StartTask { .. }]
    ));
    let answered = bench.state(1, InstanceState::Running);
    let [Output::Answer(_, Ok(Reply::Created(true, info)))] = &answered[..] else {
        panic!("{answered:?}")
    };
    assert_eq!(info.tasks.len(), 2);
}

#[test]
fn a_second_create_of_a_name_conflicts() {
    let mut bench = Bench::running(1);
    let answer = bench.ask(create(InitialState::Running));
    assert!(matches!(
        &answer[..],
        [Output::Answer(_, Err(HerderError::AlreadyExists(text)))] if text == "Connector c already exists"
    ));
}

#[test]
fn a_connector_that_fails_to_start_answers_with_its_error_and_stays_visible_as_failed() {
    let mut bench = Bench::new();
    bench.ask(create(InitialState::Running));
    let answer = bench.state(1, InstanceState::Failed("boom".to_owned()));
    assert!(
        matches!(&answer[..], [Output::Answer(_, Err(HerderError::Failed(t)))] if t.contains("boom"))
    );
    bench.tell(1, InstanceEvent::Ended);
    assert_eq!(bench.status().0, ConnectorState::Failed);
}

#[test]
fn a_new_configuration_starts_only_after_every_old_instance_has_ended() {
    let mut bench = Bench::running(1);
    let put = Request::PutConfig {
        name: "c".to_owned(),
        config: config("b"),
    };
    let stops = bench.ask(put);
    assert_eq!(
        stops,
        [
            Output::Wish(InstanceId(1), Wish::Stop),
            Output::Wish(InstanceId(2), Wish::Stop)
        ]
    );
    assert_eq!(bench.tell(1, InstanceEvent::Ended), []);
    let started = bench.tell(2, InstanceEvent::Ended);
    assert!(matches!(
        &started[..],
        [Output::StartConnector { instance: InstanceId(3), config: new, .. }] if *new == config("b")
    ));
}

#[test]
fn an_event_of_a_replaced_instance_means_nothing() {
    let mut bench = Bench::running(1);
    bench.ask(Request::PutConfig {
        name: "c".to_owned(),
        config: config("b"),
    });
    bench.tell(1, InstanceEvent::Ended);
    bench.tell(2, InstanceEvent::Ended);
    bench.state(2, InstanceState::Failed("late".to_owned()));
    assert_eq!(bench.status().1, []);
}

#[test]
fn an_instance_that_does_not_stop_in_time_is_cancelled_and_the_change_goes_on() {
    let mut bench = Bench::running(1);
    bench.ask(Request::Delete("c".to_owned()));
    bench.tell(1, InstanceEvent::Ended);
    assert_eq!(bench.machine.next_deadline(), Some(bench.now + GRACE));
    bench.now += GRACE;
    bench.machine.tick(bench.now);
    let outputs = bench.machine.take_outputs();
    assert!(matches!(
        &outputs[..],
        [
            Output::Cancel(InstanceId(2)),
            Output::Answer(_, Ok(Reply::Done)),
            Output::Forget(_)
        ]
    ));
    assert!(matches!(
        &bench.ask(Request::Info("c".to_owned()))[..],
        [Output::Answer(_, Err(HerderError::NotFound(_)))]
    ));
}

#[test]
fn pause_and_resume_reach_every_instance() {
    let mut bench = Bench::running(1);
    let paused = bench.ask(Request::Pause("c".to_owned()));
    assert_eq!(
        paused[..2],
        [
            Output::Wish(InstanceId(1), Wish::Pause),
            Output::Wish(InstanceId(2), Wish::Pause)
        ]
    );
    bench.state(1, InstanceState::Paused);
    bench.state(2, InstanceState::Paused);
    assert_eq!(
        bench.status(),
        (ConnectorState::Paused, vec![ConnectorState::Paused])
    );
    let resumed = bench.ask(Request::Resume("c".to_owned()));
    assert_eq!(resumed[0], Output::Wish(InstanceId(1), Wish::Run));
}

#[test]
fn stop_removes_the_tasks_and_resume_generates_them_again() {
    let mut bench = Bench::running(1);
    bench.ask(Request::Stop("c".to_owned()));
    assert_eq!(bench.status(), (ConnectorState::Stopped, vec![]));
    let waiting = bench.ask(Request::Resume("c".to_owned()));
    assert!(
        matches!(&waiting[..], [Output::Answer(..)]),
        "old instances still stop: {waiting:?}"
    );
    bench.tell(1, InstanceEvent::Ended);
    let started = bench.tell(2, InstanceEvent::Ended);
    assert!(matches!(&started[..], [Output::StartConnector { .. }]));
}

#[test]
fn a_failed_task_restarts_alone() {
    let mut bench = Bench::running(2);
    bench.state(3, InstanceState::Failed("boom".to_owned()));
    bench.tell(3, InstanceEvent::Ended);
    let restart = Request::Restart {
        name: "c".to_owned(),
        include_tasks: true,
        only_failed: true,
    };
    let outputs = bench.ask(restart);
    assert!(
        outputs
            .iter()
            .any(|output| matches!(output, Output::StartTask { id, .. } if id.task == 1))
    );
    assert!(
        !outputs
            .iter()
            .any(|output| matches!(output, Output::Wish(..)))
    );
}

#[test]
fn the_same_task_configurations_again_leave_the_tasks_alone() {
    let mut bench = Bench::running(1);
    let unchanged = bench.tell(1, InstanceEvent::TaskConfigs(vec![ConfigMap::new()]));
    assert_eq!(unchanged, []);
    let changed = bench.tell(1, InstanceEvent::TaskConfigs(vec![config("x")]));
    assert_eq!(changed, [Output::Wish(InstanceId(2), Wish::Stop)]);
    let started = bench.tell(2, InstanceEvent::Ended);
    assert!(matches!(&started[..], [Output::StartTask { .. }]));
}

#[test]
fn shutdown_exits_when_the_last_instance_has_ended_and_refuses_changes_meanwhile() {
    let mut bench = Bench::running(1);
    bench.machine.shut_down(bench.now);
    bench.machine.take_outputs();
    assert!(matches!(
        &bench.ask(Request::Pause("c".to_owned()))[..],
        [Output::Answer(_, Err(HerderError::ShuttingDown))]
    ));
    assert_eq!(bench.tell(1, InstanceEvent::Ended), []);
    assert_eq!(
        bench.tell(2, InstanceEvent::Ended),
        [Output::Exit { clean: true }]
    );
}

const POLICY: &[(&str, &str)] = &[
    ("errors.restart.policy", "transient"),
    ("errors.restart.backoff.ms", "1000"),
    ("errors.restart.backoff.max.ms", "60000"),
    ("errors.restart.max.attempts", "2"),
];

impl Bench {
    /// As [`Bench::running`] with one task and a restart policy.
    fn with_policy() -> Self {
        let texts = POLICY.iter();
        let texts = texts.map(|(key, text)| ((*key).to_owned(), Some((*text).to_owned())));
        let mut bench = Self::new();
        bench.ask(Request::Create {
            name: "c".to_owned(),
            config: texts.collect(),
            initial_state: InitialState::Running,
        });
        bench.tell(1, InstanceEvent::TaskConfigs(vec![ConfigMap::new()]));
        bench.state(1, InstanceState::Running);
        bench.state(2, InstanceState::Running);
        bench
    }

    /// The task fails with an error that may pass, and is gone.
    fn fail(&mut self, instance: u64) {
        self.tell(instance, InstanceEvent::Transient);
        self.state(
            instance,
            InstanceState::Failed("a.RetriableException: later".to_owned()),
        );
        self.tell(instance, InstanceEvent::Ended);
    }

    fn after(&mut self, wait: Duration) -> Vec<Output> {
        self.now += wait;
        self.machine.tick(self.now);
        self.machine.take_outputs()
    }

    fn task(&mut self) -> crate::herder::TaskState {
        match self.ask(Request::Status("c".to_owned())).remove(0) {
            Output::Answer(_, Ok(Reply::Status(mut status))) => status.tasks.remove(0),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_policy_starts_a_failed_task_again_after_longer_and_longer_waits_up_to_its_cap() {
    let mut bench = Bench::with_policy();
    for (instance, wait) in [(2, 1000), (3, 2000)] {
        bench.fail(instance);
        let wait = Duration::from_millis(wait);
        assert_eq!(bench.machine.next_deadline(), Some(bench.now + wait));
        assert_eq!(bench.task().state, ConnectorState::Failed);
        assert_eq!(bench.after(wait - Duration::from_millis(1)), []);
        let outputs = bench.after(Duration::from_millis(1));
        assert!(
            matches!(&outputs[..], [Output::Restarting { reason, .. }, Output::StartTask { .. }] if reason == "a.RetriableException: later"),
            "{outputs:?}"
        );
        assert_eq!(bench.task().state, ConnectorState::Restarting);
        bench.state(instance + 1, InstanceState::Running);
    }
    bench.fail(4);
    assert_eq!(bench.machine.next_deadline(), None);
    assert_eq!(bench.after(Duration::from_secs(1000)), []);
    let restarts = bench.task().restarts.unwrap();
    assert_eq!(
        (restarts.count, restarts.in_row, restarts.due),
        (2, 2, None)
    );
}

#[test]
fn a_long_run_starts_a_new_row_of_restarts() {
    let mut bench = Bench::with_policy();
    for instance in 2..8 {
        bench.now += Duration::from_secs(61);
        bench.fail(instance);
        let outputs = bench.after(Duration::from_secs(1));
        assert!(
            matches!(&outputs[..], [_, Output::StartTask { .. }]),
            "{outputs:?}"
        );
        bench.state(instance + 1, InstanceState::Running);
    }
    assert_eq!(bench.task().restarts.unwrap().count, 6);
}

#[test]
fn an_error_that_will_not_pass_leaves_the_task_failed_under_the_transient_policy() {
    let mut bench = Bench::with_policy();
    bench.state(2, InstanceState::Failed("a.DataException: bad".to_owned()));
    bench.tell(2, InstanceEvent::Ended);
    assert_eq!(bench.machine.next_deadline(), None);
    assert_eq!(bench.after(Duration::from_secs(1000)), []);
    assert_eq!(bench.task().restarts, None);
}

#[test]
fn a_failed_task_that_has_not_ended_is_waited_for() {
    let mut bench = Bench::with_policy();
    bench.tell(2, InstanceEvent::Transient);
    bench.state(2, InstanceState::Failed("a.B: c".to_owned()));
    assert_eq!(bench.machine.next_deadline(), None);
    assert_eq!(bench.after(Duration::from_secs(5)), []);
    bench.tell(2, InstanceEvent::Ended);
    let outputs = bench.after(Duration::ZERO);
    assert!(
        matches!(&outputs[..], [_, Output::StartTask { .. }]),
        "{outputs:?}"
    );
}

#[test]
fn pause_stop_and_shutdown_end_the_wait_for_a_restart() {
    let mut bench = Bench::with_policy();
    bench.fail(2);
    bench.ask(Request::Pause("c".to_owned()));
    assert_eq!(bench.after(Duration::from_secs(5)), []);
    assert_eq!(bench.machine.next_deadline(), None);

    let mut bench = Bench::with_policy();
    bench.fail(2);
    bench.ask(Request::Stop("c".to_owned()));
    let outputs = bench.after(Duration::from_secs(3));
    assert_eq!(outputs, []);

    let mut bench = Bench::with_policy();
    bench.fail(2);
    bench.machine.shut_down(bench.now);
    bench.machine.take_outputs();
    assert_eq!(bench.after(Duration::from_secs(3)), []);
}

#[test]
fn a_restart_that_somebody_asked_for_takes_the_place_of_the_policys() {
    let mut bench = Bench::with_policy();
    bench.fail(2);
    let restart = Request::RestartTask {
        name: "c".to_owned(),
        task: 0,
    };
    let outputs = bench.ask(restart);
    assert!(
        matches!(&outputs[..], [Output::StartTask { .. }, Output::Answer(..)]),
        "{outputs:?}"
    );
    assert_eq!(bench.machine.next_deadline(), None);
    assert_eq!(bench.after(Duration::from_secs(5)), []);
}
