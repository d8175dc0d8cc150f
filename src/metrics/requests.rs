//! How long brokers take to answer, by broker and kind of request, over all clients of a shard.
//!
//! The histograms of a shard's thread are its own; a client looks its own up once per connection and kind.
//! They are found by the control plane through a queue that takes no lock. Kept until the process ends, so
//! their number is bounded.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crossbeam::queue::SegQueue;

use super::latency::{Histogram, LatencyReading};
use super::sampled::WindowConfig;

/// Most histograms of a thread; requests to more brokers are counted together.
const TIMES_MAX: usize = 512;
/// The broker of those that are counted together.
const OTHERS: &str = "others";

/// The histogram of one broker and kind of request on one shard. One thread writes.
#[derive(Debug)]
pub struct RequestTimes {
    broker: Box<str>,
    api: &'static str,
    histogram: Histogram,
}

impl RequestTimes {
    /// A broker took so long to answer, up to `now`.
    pub fn answered(&self, took: Duration, now: Instant) {
        self.histogram.record(took, millis(now), half_window());
    }
}

/// How long a broker took to answer requests of a kind.
#[derive(Debug, Clone)]
pub struct RequestReading {
    /// `host:port`.
    pub broker: String,
    /// Name of the request.
    pub api: &'static str,
    /// The times.
    pub times: LatencyReading,
}

/// Broker and request.
type Kind = (Rc<str>, &'static str);

thread_local! {
    /// Those of this thread.
    static OWN: RefCell<HashMap<Kind, Arc<RequestTimes>>> = RefCell::default();
}

/// Those that the reader has not found yet.
static FRESH: SegQueue<Arc<RequestTimes>> = SegQueue::new();
/// Those that it has found; readers alone take the lock.
static FOUND: Mutex<Vec<Arc<RequestTimes>>> = Mutex::new(Vec::new());

/// The calling thread's histogram of a broker and a kind of request.
pub fn request_times(broker: &Rc<str>, api: &'static str) -> Arc<RequestTimes> {
    OWN.with_borrow_mut(|own| {
        let name = match own.len() < TIMES_MAX {
            true => Rc::clone(broker),
            false => Rc::from(OTHERS),
        };
        if let Some(times) = own.get(&(Rc::clone(broker), api)) {
            return Arc::clone(times);
        }
        let times = own.entry((Rc::clone(&name), api)).or_insert_with(|| {
            let times = Arc::new(RequestTimes {
                broker: (&*name).into(),
                api,
                histogram: Histogram::new(millis(Instant::now())),
            });
            FRESH.push(Arc::clone(&times));
            times
        });
        Arc::clone(times)
    })
}

/// Readings of all shards together, by broker and kind, of those that were answered.
pub fn requests(now: Instant) -> Vec<RequestReading> {
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(times) = FRESH.pop() {
        found.push(times);
    }
    let mut sums: BTreeMap<(&str, &'static str), LatencyReading> = BTreeMap::new();
    for times in found.iter() {
        let read = times.histogram.read(millis(now), half_window());
        sums.entry((&times.broker, times.api))
            .and_modify(|sum| sum.merge(&read))
            .or_insert(read);
    }
    let answered = sums.into_iter().filter(|(_, times)| times.count > 0);
    let reading = |((broker, api), times): ((&str, &'static str), LatencyReading)| RequestReading {
        broker: broker.to_owned(),
        api,
        times,
    };
    answered.map(reading).collect()
}

/// On the process's clock.
fn millis(now: Instant) -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = *BEGAN.get_or_init(Instant::now);
    u64::try_from(now.saturating_duration_since(began).as_millis()).unwrap_or(u64::MAX)
}

fn half_window() -> u64 {
    WindowConfig::default().window_ms() / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_several_shards_measured_is_one_reading_per_broker_and_kind() {
        let measure = |micros| {
            let broker: Rc<str> = "requests-test:9092".into();
            let times = request_times(&broker, "Produce");
            assert!(Arc::ptr_eq(&times, &request_times(&broker, "Produce")));
            times.answered(Duration::from_micros(micros), Instant::now());
            drop(request_times(&broker, "Fetch"));
        };
        std::thread::scope(|scope| {
            scope.spawn(|| measure(100));
            scope.spawn(|| measure(9000));
        });
        for _ in 0..2 {
            let readings = requests(Instant::now());
            let ours = readings
                .iter()
                .filter(|read| read.broker == "requests-test:9092");
            let ours: Vec<_> = ours
                .map(|read| (read.api, read.times.count, read.times.max))
                .collect();
            assert_eq!(ours, [("Produce", 2, Duration::from_micros(9000))]);
        }
    }

    #[test]
    fn brokers_without_number_share_a_histogram() {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for broker in 0..TIMES_MAX * 2 {
                    let broker: Rc<str> = format!("many-{broker}:1").into();
                    drop(request_times(&broker, "Fetch"));
                }
                OWN.with_borrow(|own| assert!(own.len() <= TIMES_MAX + 1, "{}", own.len()));
            });
        });
    }
}
