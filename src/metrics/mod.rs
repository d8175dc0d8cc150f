//! What tasks count: totals, windows and latencies, written once per batch or call by the one task that
//! owns them and read by the control plane at any time.
//!
//! Plain atomics, each written by one thread: no lock and, after the first batch, no allocation on a shard;
//! a reader stops nobody. Times are passed in. Names follow Kafka Connect's metrics (contract 11).

mod latency;
mod rebalance;
mod requests;
mod sampled;
mod state;
mod task;
mod watch;

pub use latency::{LatencyReading, Stage};
pub use rebalance::{GroupState, RebalanceReading, RebalanceTracker};
pub use requests::{RequestReading, RequestTimes, request_times, requests};
pub use sampled::{Frequency, StatReading, Times, WindowConfig};
pub use state::{RunState, StateTracker};
pub use task::{TaskMetrics, TaskPlugins, TaskReading, TaskWindows};
pub use watch::Stall;
