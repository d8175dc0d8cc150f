//! Fake connectors and tasks: they start, stop, hang, fail and make task configurations after delays of
//! their own.

use crate::api::ConfigMap;
use crate::task::InstanceState;
use crate::task::control::Wish;
use crate::worker::InstanceEvent;

/// What runs: a connector, or one of its tasks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) connector: String,
    pub(super) task: Option<u32>,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.task {
            None => write!(f, "{}", self.connector),
            Some(task) => write!(f, "{}-{task}", self.connector),
        }
    }
}

/// An instance.
#[derive(Debug, Clone)]
pub(super) struct Fake {
    pub(super) place: Place,
    /// The connector's configuration, or the task's.
    pub(super) config: ConfigMap,
    pub(super) wish: Wish,
    /// What it said last of itself.
    pub(super) said: Option<Wish>,
    /// It said that it failed.
    pub(super) failed: bool,
    /// It was started, not only kept paused.
    pub(super) begun: bool,
    /// It will not end by itself.
    pub(super) hangs: bool,
    /// Times it generated task configurations.
    pub(super) generated: u32,
}

/// A number of a configuration.
pub(super) fn number(config: &ConfigMap, key: &str) -> u32 {
    let text = config.get(key).cloned().flatten();
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// What all tasks of one commit have in common: version of the connector's configuration, and how often it
/// generated tasks with it.
pub(super) fn commit_of(config: &ConfigMap) -> (u32, u32) {
    (number(config, "v"), number(config, "g"))
}

impl Fake {
    pub(super) fn new(place: Place, config: ConfigMap, wish: Wish) -> Self {
        Self {
            place,
            config,
            wish,
            said: None,
            failed: false,
            begun: false,
            hangs: false,
            generated: 0,
        }
    }

    /// Task configurations, of one `variant` or another. Those of a version do not depend on who makes them.
    pub(super) fn task_configs(&self) -> Vec<ConfigMap> {
        let tasks = number(&self.config, "tasks");
        let more = u32::from(self.generated % 2 == 1);
        let pairs = |task: u32| {
            [
                ("v", number(&self.config, "v").to_string()),
                ("g", more.to_string()),
                ("task", task.to_string()),
            ]
        };
        let config = |task| {
            let pairs = pairs(task).into_iter();
            pairs
                .map(|(key, value)| (key.to_owned(), Some(value)))
                .collect()
        };
        (0..tasks + more).map(config).collect()
    }

    /// What it tells when it has got round to its wish.
    pub(super) fn act(&mut self) -> Vec<InstanceEvent> {
        if self.failed || self.said == Some(self.wish) {
            return Vec::new();
        }
        self.said = Some(self.wish);
        match self.wish {
            Wish::Run if self.begun || self.place.task.is_some() => {
                self.begun = true;
                vec![InstanceEvent::State(InstanceState::Running)]
            }
            Wish::Run => {
                self.begun = true;
                vec![
                    InstanceEvent::TaskConfigs(self.task_configs()),
                    InstanceEvent::State(InstanceState::Running),
                ]
            }
            Wish::Pause => vec![InstanceEvent::State(InstanceState::Paused)],
            Wish::Stop => vec![
                InstanceEvent::State(InstanceState::Stopped),
                InstanceEvent::Ended,
            ],
        }
    }

    /// It fails.
    pub(super) fn fail(&mut self) -> Vec<InstanceEvent> {
        self.failed = true;
        let trace = "java.io.IOException: simulated\n".to_owned();
        vec![
            InstanceEvent::State(InstanceState::Failed(trace)),
            InstanceEvent::Ended,
        ]
    }
}
