//! Which topics each connector used (Kafka: the topic statuses of `StatusBackingStore`, KIP-558).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A connector's first use of a topic since its last reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TopicUse<'a> {
    /// Connector.
    pub connector: &'a str,
    /// Number of the task that used it.
    pub task: u32,
    /// Topic.
    pub topic: &'a str,
}

/// What becomes of a connector's topics on this worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicNews<'a> {
    /// One was used; told on the shard of the task.
    Used(TopicUse<'a>),
    /// Those of this connector were reset; told on whatever thread asked for it.
    Reset(&'a str),
}

/// Told of news: it must not block.
type Told = dyn Fn(TopicNews<'_>) + Send + Sync;

/// Topics by connector, from the first record of each. Clones share them; used from any thread.
#[derive(Debug, Clone, Default)]
pub struct ActiveTopics(Arc<Inner>);

#[derive(Default)]
struct Inner {
    topics: Mutex<BTreeMap<Box<str>, BTreeSet<Box<str>>>>,
    /// Raised by each reset, so that trackers tell again what they told before.
    resets: AtomicU64,
    told: Option<Box<Told>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveTopics")
            .field("topics", &self.topics)
            .finish_non_exhaustive()
    }
}

impl ActiveTopics {
    /// Topics whose first use by a connector, the first after each reset, and resets are told to `told`: in
    /// distributed mode, other workers hear of it.
    pub fn telling(told: impl Fn(TopicNews<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            told: Some(Box::new(told)),
            ..Inner::default()
        }))
    }

    /// Topics that a connector used since its last reset, sorted; none of an unknown connector.
    pub fn of(&self, connector: &str) -> Vec<String> {
        let topics = self.topics();
        let used = topics.get(connector).into_iter().flatten();
        used.map(ToString::to_string).collect()
    }

    /// Forgets a connector's topics. They come back with the next record of each.
    pub fn reset(&self, connector: &str) {
        self.topics().remove(connector);
        self.0.resets.fetch_add(1, Ordering::Release);
        if let Some(told) = &self.0.told {
            told(TopicNews::Reset(connector));
        }
    }

    /// A worker of the cluster, this one or another, says that a connector uses a topic.
    pub fn learn(&self, connector: &str, topic: &str) {
        let mut topics = self.topics();
        let known = topics.entry(connector.into()).or_default();
        known.insert(topic.into());
    }

    /// A worker of the cluster says that a topic of a connector was reset.
    pub fn forget(&self, connector: &str, topic: &str) {
        let mut topics = self.topics();
        if let Some(known) = topics.get_mut(connector) {
            known.remove(topic);
            if known.is_empty() {
                topics.remove(connector);
            }
        }
        drop(topics);
        self.0.resets.fetch_add(1, Ordering::Release);
    }

    /// For a task of a connector.
    pub fn tracker(&self, connector: &str, task: u32) -> TopicTracker {
        TopicTracker {
            tracking: Some(Tracking {
                topics: self.clone(),
                connector: connector.into(),
                task,
                told: HashSet::new(),
                last: None,
                resets: 0,
            }),
        }
    }

    fn record(&self, used: TopicUse<'_>) {
        let is_new = {
            let mut topics = self.topics();
            let known = topics.entry(used.connector.into()).or_default();
            known.insert(used.topic.into())
        };
        if let Some(told) = self.0.told.as_ref().filter(|_| is_new) {
            told(TopicNews::Used(used));
        }
    }

    fn topics(&self) -> MutexGuard<'_, BTreeMap<Box<str>, BTreeSet<Box<str>>>> {
        self.0.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the topics of one task; asked once per batch and cheap when the batch's topic is the last one's.
#[derive(Debug, Default)]
pub struct TopicTracker {
    /// `None`: `topic.tracking.enable=false`.
    tracking: Option<Tracking>,
}

#[derive(Debug)]
struct Tracking {
    topics: ActiveTopics,
    connector: Box<str>,
    task: u32,
    told: HashSet<Rc<str>>,
    last: Option<Rc<str>>,
    resets: u64,
}

impl TopicTracker {
    /// A tracker that tells nothing.
    pub fn off() -> Self {
        Self::default()
    }

    /// A record of `topic` was consumed, or acknowledged.
    pub fn used(&mut self, topic: &Rc<str>) {
        if let Some(tracking) = &mut self.tracking {
            tracking.used(topic);
        }
    }
}

impl Tracking {
    fn used(&mut self, topic: &Rc<str>) {
        // Read before the record is made: a reset in between makes the next call tell it once more.
        let resets = self.topics.0.resets.load(Ordering::Acquire);
        if resets != self.resets {
            self.told.clear();
            self.last = None;
            self.resets = resets;
        }
        if self
            .last
            .as_ref()
            .is_some_and(|last| Rc::ptr_eq(last, topic))
        {
            return;
        }
        self.last = Some(Rc::clone(topic));
        if !self.told.contains(topic) {
            self.topics.record(TopicUse {
                connector: &self.connector,
                task: self.task,
                topic,
            });
            self.told.insert(Rc::clone(topic));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_kept_per_connector_and_come_back_after_a_reset() {
        let topics = ActiveTopics::default();
        let (mut a, mut other_task, mut b) = (
            topics.tracker("a", 0),
            topics.tracker("a", 1),
            topics.tracker("b", 0),
        );
        let (t, u): (Rc<str>, Rc<str>) = ("t".into(), "u".into());
        a.used(&u);
        a.used(&t);
        a.used(&t);
        other_task.used(&"t".into());
        b.used(&t);
        assert_eq!(topics.of("a"), ["t", "u"]);
        assert_eq!(topics.of("b"), ["t"]);
        assert!(topics.of("unknown").is_empty());
        topics.reset("a");
        assert!(topics.of("a").is_empty());
        assert_eq!(topics.of("b"), ["t"]);
        a.used(&t);
        b.used(&t);
        assert_eq!(topics.of("a"), ["t"]);
        assert_eq!(topics.of("b"), ["t"]);
    }

    #[test]
    fn the_first_use_of_a_topic_is_told_once_and_once_more_after_a_reset() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let topics = ActiveTopics::telling(move |news| {
            let text = match news {
                TopicNews::Used(used) => {
                    format!("{}-{} {}", used.connector, used.task, used.topic)
                }
                TopicNews::Reset(connector) => format!("reset {connector}"),
            };
            hears.lock().unwrap().push(text);
        });
        let (mut first, mut second) = (topics.tracker("a", 0), topics.tracker("a", 1));
        let (t, u): (Rc<str>, Rc<str>) = ("t".into(), "u".into());
        first.used(&t);
        first.used(&t);
        second.used(&t);
        second.used(&u);
        assert_eq!(*told.lock().unwrap(), ["a-0 t", "a-1 u"]);
        topics.reset("a");
        second.used(&t);
        first.used(&t);
        assert_eq!(told.lock().unwrap()[2..], ["reset a", "a-1 t"]);
    }

    #[test]
    fn what_other_workers_say_is_known_and_not_told_again() {
        let told = Arc::new(Mutex::new(0));
        let hears = Arc::clone(&told);
        let topics = ActiveTopics::telling(move |_| *hears.lock().unwrap() += 1);
        let mut tracker = topics.tracker("a", 0);
        let topic: Rc<str> = "t".into();
        topics.learn("a", "t");
        tracker.used(&topic);
        assert_eq!(
            (topics.of("a"), *told.lock().unwrap()),
            (vec!["t".to_owned()], 0)
        );
        topics.forget("a", "t");
        assert!(topics.of("a").is_empty());
        tracker.used(&topic);
        assert_eq!(
            (topics.of("a"), *told.lock().unwrap()),
            (vec!["t".to_owned()], 1)
        );
    }

    #[test]
    fn a_tracker_that_is_off_tells_nothing() {
        let mut off = TopicTracker::off();
        off.used(&"t".into());
        assert!(off.tracking.is_none());
    }
}
