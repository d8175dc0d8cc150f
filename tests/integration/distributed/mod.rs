//! Distributed mode on real brokers: workers of ours, alone and together with Apache's.

mod bounce;
mod faults;
mod group;
mod lifecycle;
mod metrics;
mod mixed;
