//! Which call into connector code an instance is in, so that one that hangs can be named.
//!
//! Calls that wait by nature (a source's `poll`, a connector's `run`) are left out. The others happen once
//! per batch at most, and each costs two stores and a look at the clock.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use async_trait::async_trait;

use crate::api::connector::SourceTaskContext;
use crate::api::{
    CommittedRun, ConfigMap, ConnectError, SinkBatch, SinkForm, SinkTask, SinkTaskContext,
    SourceBatch, SourceRecord, SourceTask, TopicPartition,
};

/// A call into connector code, by its name.
const CALLS: [&str; 9] = [
    "", "start", "config", "put", "flush", "commit", "open", "close", "stop",
];

/// A call into connector code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Call {
    Start = 1,
    Config,
    Put,
    Flush,
    Commit,
    Open,
    Close,
    Stop,
}

/// The call that an instance is in; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Activity(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// 0 is none.
    call: AtomicU8,
    /// Milliseconds since [`first`].
    since: AtomicU64,
}

/// A call that goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ongoing {
    /// Name of the call.
    pub call: &'static str,
    /// When it began.
    pub since: SystemTime,
}

fn first() -> Instant {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    *FIRST.get_or_init(Instant::now)
}

impl Activity {
    /// The call, if it has gone on for at least `least`.
    pub fn stalled(&self, least: Duration) -> Option<Ongoing> {
        let call = self.0.call.load(Ordering::Acquire);
        let began = first() + Duration::from_millis(self.0.since.load(Ordering::Relaxed));
        let taken = began.elapsed();
        (call != 0 && taken >= least).then(|| Ongoing {
            call: CALLS.get(usize::from(call)).copied().unwrap_or_default(),
            since: SystemTime::now() - taken,
        })
    }

    /// Awaits a call; also one that is dropped half way has ended.
    pub(super) async fn during<T>(&self, call: Call, future: impl Future<Output = T>) -> T {
        let since = u64::try_from(first().elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.since.store(since, Ordering::Relaxed);
        self.0.call.store(call as u8, Ordering::Release);
        let _ended = Ended(&self.0.call);
        future.await
    }
}

struct Ended<'a>(&'a AtomicU8);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

/// A source task whose calls are noted.
pub(super) struct WatchedSource {
    pub(super) task: Box<dyn SourceTask>,
    pub(super) activity: Activity,
}

#[async_trait(?Send)]
impl SourceTask for WatchedSource {
    async fn start(
        &mut self,
        context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let start = self.task.start(context, config);
        self.activity.during(Call::Start, start).await
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        self.task.poll().await
    }

    fn wants_commit_record(&self) -> bool {
        self.task.wants_commit_record()
    }

    fn commit_record(
        &mut self,
        record: &SourceRecord,
        written: Option<(&TopicPartition, i64)>,
    ) -> Result<(), ConnectError> {
        self.task.commit_record(record, written)
    }

    fn commit_run(&mut self, run: &CommittedRun<'_>) -> Result<(), ConnectError> {
        self.task.commit_run(run)
    }

    async fn commit(&mut self) -> Result<(), ConnectError> {
        self.activity.during(Call::Commit, self.task.commit()).await
    }

    async fn stop(&mut self) {
        self.activity.during(Call::Stop, self.task.stop()).await;
    }
}

/// A sink task whose calls are noted.
pub(super) struct WatchedSink {
    pub(super) task: Box<dyn SinkTask>,
    pub(super) activity: Activity,
}

#[async_trait(?Send)]
impl SinkTask for WatchedSink {
    async fn start(
        &mut self,
        context: SinkTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let start = self.task.start(context, config);
        self.activity.during(Call::Start, start).await
    }

    fn form(&self) -> SinkForm {
        self.task.form()
    }

    fn reports_errors(&self) -> bool {
        self.task.reports_errors()
    }

    async fn open(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let open = self.task.open(partitions);
        self.activity.during(Call::Open, open).await
    }

    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError> {
        self.activity
            .during(Call::Put, self.task.put(batches))
            .await
    }

    async fn flush(&mut self, offsets: &[(TopicPartition, i64)]) -> Result<(), ConnectError> {
        let flush = self.task.flush(offsets);
        self.activity.during(Call::Flush, flush).await
    }

    async fn pre_commit(
        &mut self,
        offsets: Vec<(TopicPartition, i64)>,
    ) -> Result<Vec<(TopicPartition, i64)>, ConnectError> {
        let flush = self.task.pre_commit(offsets);
        self.activity.during(Call::Flush, flush).await
    }

    async fn close(&mut self, partitions: &[TopicPartition]) -> Result<(), ConnectError> {
        let close = self.task.close(partitions);
        self.activity.during(Call::Close, close).await
    }

    async fn stop(&mut self) {
        self.activity.during(Call::Stop, self.task.stop()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_call_is_named_while_it_goes_on_and_a_dropped_one_is_over() {
        let activity = Activity::default();
        assert_eq!(activity.stalled(Duration::ZERO), None);
        {
            let mut call = pin!(activity.during(Call::Put, std::future::pending::<()>()));
            let mut context = Context::from_waker(Waker::noop());
            assert!(call.as_mut().poll(&mut context).is_pending());
            let found = activity.stalled(Duration::ZERO).unwrap();
            assert_eq!(found.call, "put");
            assert_eq!(activity.stalled(Duration::from_secs(60)), None);
        }
        assert_eq!(activity.stalled(Duration::ZERO), None);
        assert_eq!(CALLS[Call::Stop as usize], "stop");
        assert_eq!(CALLS.len(), Call::Stop as usize + 1);
    }
}
