//! What the benches share: input, the counter of heap allocations, CPU time as criterion's measure, and
//! the settings that keep a bench short.
//!
//! Times are CPU time of the process, which other work on the machine disturbs little; a bench that is
//! about waiting says that it measures by the clock.
#![allow(dead_code, reason = "each bench uses its part")]

pub(crate) mod allocations;
pub(crate) mod cpu_time;
pub(crate) mod input;

use std::time::Duration;

use criterion::measurement::{Measurement, WallTime};
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput};
use ringmain::shard::{RuntimeKind, probe_io_uring};

use allocations::{Counting, of_this_thread};
use cpu_time::CpuTime;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Half a second per figure.
pub(crate) fn by_cpu_time() -> Criterion<CpuTime> {
    by_the_clock().with_measurement(CpuTime)
}

/// Half a second per figure, by the clock.
pub(crate) fn by_the_clock() -> Criterion<WallTime> {
    Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300))
        .sample_size(15)
        .nresamples(5_000)
        .without_plots()
}

/// What one call of a bench's work handles.
#[derive(Clone, Copy)]
pub(crate) struct Amount {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

/// Measures `work`, which handles `amount`, and prints beside its times how many heap allocations it
/// makes per record once its buffers have grown.
pub(crate) fn stage<M: Measurement>(
    group: &mut BenchmarkGroup<'_, M>,
    name: &str,
    amount: Amount,
    mut work: impl FnMut(),
) {
    work();
    let before = of_this_thread();
    work();
    let count = of_this_thread() - before;
    println!(
        "{name}: {:.4} heap allocations per record",
        count as f64 / amount.records as f64
    );
    set(group, amount);
    group.bench_function(name, |b| b.iter(&mut work));
}

/// Sets what one iteration handles.
pub(crate) fn set<M: Measurement>(group: &mut BenchmarkGroup<'_, M>, amount: Amount) {
    group.sampling_mode(SamplingMode::Flat);
    group.throughput(Throughput::ElementsAndBytes {
        elements: amount.records as u64,
        bytes: amount.bytes as u64,
    });
}

/// The runtimes that work on this machine.
pub(crate) fn runtimes() -> Vec<RuntimeKind> {
    let mut kinds = vec![RuntimeKind::Epoll];
    if probe_io_uring().io_uring_problem.is_none() {
        kinds.push(RuntimeKind::IoUring);
    }
    kinds
}
