//! What a seed is made of, and what goes wrong in it.

use fastrand::Rng;

use super::member::Stage;
use super::topics::Topic;
use super::worker::{Cut, Input, Profile, Task, Up};
use super::world::{Event, Ms, W, World};
use crate::distributed::TopicRecord;
use crate::distributed::assignor::ringmain::LostTasks;
use crate::distributed::protocol::ConnectProtocol;
use crate::task::control::Wish;
use crate::worker::{InstanceEvent, InstanceId};

/// How long things go wrong.
pub(super) const CHAOS: Ms = 90_000;

/// What a seed is made of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) profiles: Vec<Profile>,
    /// Names that the client uses.
    pub(super) connectors: u32,
    pub(super) requests: u32,
    /// Longest time between two of them.
    pub(super) request_gap: Ms,
    /// How many things go wrong.
    pub(super) troubles: u32,
    /// How often an instance fails when it starts, of 256.
    pub(super) failures: u8,
    /// `group.initial.rebalance.delay.ms`.
    pub(super) initial_delay: Ms,
}

impl Plan {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let workers = [1, 2, 2, 3, 3, 3, 4, 5][rng.usize(0..8)];
        let same_url = rng.u8(..) < 12;
        let protocols = match rng.u8(0..16) {
            0..=9 => vec![ConnectProtocol::Sessioned],
            10..=11 => vec![ConnectProtocol::Compatible],
            12..=13 => vec![ConnectProtocol::Eager],
            _ => ConnectProtocol::ALL.to_vec(),
        };
        let lost_tasks = match rng.u8(0..3) {
            0 => LostTasks::AfterDelay,
            _ => LostTasks::AtOnceAmongRingmain,
        };
        let max_delay = [0, 5_000, 20_000, 40_000][rng.usize(0..4)];
        let keeps_id = rng.bool();
        let mixed = rng.u8(..) < 16;
        let skews = rng.u8(..) < 40;
        let profile = |w: usize, rng: &mut Rng| {
            let host = if same_url && w == 1 { 0 } else { w };
            Profile {
                url: format!("http://w{host}:8083/").into(),
                protocol: protocols[rng.usize(0..protocols.len())],
                max_delay,
                lost_tasks,
                keeps_id,
                apache: mixed && rng.bool(),
                skew: if skews {
                    rng.i64(-90_000_000..90_000_000)
                } else {
                    0
                },
            }
        };
        Self {
            profiles: (0..workers).map(|w| profile(w, rng)).collect(),
            connectors: rng.u32(1..5),
            requests: rng.u32(4..24),
            request_gap: rng.u64(1_000..super::client::REQUEST_GAP),
            troubles: [0, 1, 2, 4, 8, 12][rng.usize(0..6)],
            failures: [0, 0, 8, 20][rng.usize(0..4)],
            initial_delay: [0, 3_000][rng.usize(0..2)],
        }
    }
}

/// Something goes wrong, or right again.
#[derive(Debug)]
pub(super) enum Chaos {
    /// The next thing goes wrong.
    Trouble,
    Start(W),
    Thaw(W),
    Join(W),
    ReadAgain(W),
    Faster(W),
    /// The coordinator forgets the group, if nobody is in it.
    Forget,
}

impl World {
    /// Every worker starts, the client begins, and things go wrong until [`CHAOS`].
    pub(super) fn begin(&mut self) {
        for w in 0..self.workers.len() {
            let wait = self.rng.u64(0..3_000);
            self.at(wait, Event::Chaos(Chaos::Start(w)));
        }
        self.client.left = self.plan.requests;
        let wait = self.rng.u64(0..10_000);
        self.at(wait, Event::Client);
        for _ in 0..self.plan.troubles {
            let wait = self.rng.u64(1_000..CHAOS);
            self.at(wait, Event::Chaos(Chaos::Trouble));
        }
    }

    pub(super) fn chaos(&mut self, chaos: Chaos) {
        match chaos {
            Chaos::Trouble if !self.calm => self.trouble(),
            Chaos::Trouble => {}
            Chaos::Start(w) => {
                if self.workers[w].up == Up::Down {
                    self.start_worker(w);
                }
            }
            Chaos::Thaw(w) => self.thaw(w),
            Chaos::Join(w) => self.workers[w].cut_group = Cut::No,
            Chaos::ReadAgain(w) => self.workers[w].cut_topics = false,
            Chaos::Faster(w) => self.workers[w].slow = 0,
            Chaos::Forget => self.coordinator.forget_empty(),
        }
    }

    fn trouble(&mut self) {
        self.disturbances += 1;
        let w = self.rng.usize(0..self.workers.len());
        match self.rng.u8(0..24) {
            0..=3 => self.crash(w),
            4..=6 => self.freeze(w),
            7..=8 => self.cut_group(w),
            9 => self.cut_topics(w),
            10 => {
                self.cut_group(w);
                self.cut_topics(w);
            }
            11..=12 => self.slow_topics(w),
            13..=14 => self.fail_over(),
            15 => self.garbage(),
            16 => self.compact(),
            17..=18 => self.shut_down(w),
            19 => self.rolling_restart(),
            20 => self.crash_all(),
            21 => self.crash_leader(),
            _ => self.disturb_instance(w),
        }
    }

    fn crash(&mut self, w: W) {
        if self.workers[w].up == Up::Down {
            return;
        }
        self.kill(w);
        let wait = self.rng.u64(50..20_000);
        self.at(wait, Event::Chaos(Chaos::Start(w)));
    }

    /// All at once; with luck, the coordinator has forgotten the group when they come back.
    fn crash_all(&mut self) {
        for w in 0..self.workers.len() {
            self.crash(w);
        }
        let wait = self.rng.u64(11_000..18_000);
        self.at(wait, Event::Chaos(Chaos::Forget));
    }

    /// Whoever has been asked to assign dies.
    fn crash_leader(&mut self) {
        let mut workers = self.workers.iter();
        let leads = workers.position(|worker| worker.member.stage == Stage::Leading);
        let machine_leads = || {
            let mut workers = self.workers.iter();
            workers.position(|worker| {
                let machine = worker.machine.as_ref();
                machine.is_some_and(|machine| machine.group.is_leader())
            })
        };
        if let Some(w) = leads.or_else(machine_leads) {
            self.crash(w);
        }
    }

    fn freeze(&mut self, w: W) {
        if self.workers[w].up != Up::Running {
            return;
        }
        self.trace(w, || "freezes".to_owned());
        self.workers[w].up = Up::Frozen;
        let wait = self.rng.u64(500..25_000);
        self.at(wait, Event::Chaos(Chaos::Thaw(w)));
    }

    fn thaw(&mut self, w: W) {
        if self.workers[w].up != Up::Frozen {
            return;
        }
        self.trace(w, || "thaws".to_owned());
        self.workers[w].up = Up::Running;
        for task in std::mem::take(&mut self.workers[w].backlog) {
            self.later(w, 0, task);
        }
    }

    fn cut_group(&mut self, w: W) {
        let kind = if self.rng.bool() {
            Cut::Silent
        } else {
            Cut::Refused
        };
        self.trace(w, || format!("is cut off from the coordinator: {kind:?}"));
        self.workers[w].cut_group = kind;
        let wait = self.rng.u64(500..25_000);
        self.at(wait, Event::Chaos(Chaos::Join(w)));
    }

    fn cut_topics(&mut self, w: W) {
        self.trace(w, || "is cut off from the topics".to_owned());
        self.workers[w].cut_topics = true;
        let wait = self.rng.u64(500..40_000);
        self.at(wait, Event::Chaos(Chaos::ReadAgain(w)));
    }

    fn slow_topics(&mut self, w: W) {
        self.workers[w].slow = self.rng.u64(50..4_000);
        let wait = self.rng.u64(1_000..30_000);
        self.at(wait, Event::Chaos(Chaos::Faster(w)));
    }

    fn fail_over(&mut self) {
        let until = self.now + self.rng.u64(100..15_000);
        self.note(|| format!("the coordinator moves until {until}"));
        let now = self.now;
        self.coordinator.fail_over(now, until);
        self.after_coordinator();
    }

    fn garbage(&mut self) {
        let topic = Topic::ALL[self.rng.usize(0..3)];
        let keys = [
            "connector-x0",
            "task-x0-0",
            "commit-x1",
            "unknown",
            "target-state-x2",
            "status-task-x0-0",
            "status-topic-x",
        ];
        let values: [&[u8]; 5] = [
            b"{",
            b"[1]",
            b"{\"tasks\":\"x\"}",
            b"\xff\xfe",
            b"{\"new\":{\"kind\":1}}",
        ];
        let record = TopicRecord {
            key: keys[self.rng.usize(0..keys.len())].as_bytes().to_vec(),
            value: Some(values[self.rng.usize(0..values.len())].to_vec()),
        };
        self.log(topic).append(record, None);
        self.appended(topic);
    }

    fn compact(&mut self) {
        for topic in Topic::ALL {
            let end = self.log(topic).end();
            let below = self.rng.usize(0..=end);
            let up = self.workers.iter().filter(|worker| worker.up != Up::Down);
            let read = up.map(|worker| worker.read[topic.index()]).min();
            self.log(topic).compact(below, read.unwrap_or(end));
        }
    }

    fn shut_down(&mut self, w: W) {
        if self.workers[w].up == Up::Running {
            self.tell(w, Input::ShutDown);
        }
    }

    fn rolling_restart(&mut self) {
        for w in 0..self.workers.len() {
            let wait = 1 + self.rng.u64(0..3_000) * w as u64;
            if self.workers[w].up == Up::Running {
                self.later(w, wait, Task::Machine(Input::ShutDown));
            }
        }
    }

    /// A running instance fails, or a connector makes task configurations anew.
    fn disturb_instance(&mut self, w: W) {
        if self.workers[w].up != Up::Running {
            return;
        }
        let fails = self.plan.failures > 0 && self.rng.bool();
        let live = self.workers[w].live.iter_mut();
        let mut running: Vec<(InstanceId, &mut super::instances::Fake)> = live
            .filter(|(_, fake)| {
                fake.said == Some(Wish::Run) && fake.wish == Wish::Run && !fake.failed
            })
            .map(|(id, fake)| (*id, fake))
            .collect();
        if running.is_empty() {
            return;
        }
        let at = self.rng.usize(0..running.len());
        let (instance, fake) = &mut running[at];
        let instance = *instance;
        let events = if fails {
            fake.fail()
        } else if fake.place.task.is_none() {
            fake.generated += 1;
            vec![InstanceEvent::TaskConfigs(fake.task_configs())]
        } else {
            return;
        };
        for event in events {
            self.later(w, 1, Task::Tells(instance, event));
        }
    }

    /// Chaos ceases: every worker runs, and everything comes through.
    pub(super) fn calm_down(&mut self) {
        self.note(|| "chaos ceases".to_owned());
        self.calm = true;
        self.client.left = 0;
        self.coordinator.away_until = self.coordinator.away_until.min(self.now);
        for w in 0..self.workers.len() {
            let worker = &mut self.workers[w];
            worker.cut_group = Cut::No;
            worker.cut_topics = false;
            worker.slow = 0;
            self.thaw(w);
            self.chaos(Chaos::Start(w));
        }
    }
}
