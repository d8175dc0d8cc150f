//! MockSource and MockSink: connectors that move nothing and fail when told to (Kafka: `MockConnector`,
//! `MockSourceTask`, `MockSinkTask`).
//!
//! `mock_mode=connector-failure` fails the connector, `mock_mode=task-failure` its task, `delay_ms`
//! (15000) after the start.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::api::{
    ConfigMap, ConnectError, Connector, ConnectorContext, SinkBatch, SinkForm, SinkTask,
    SinkTaskContext, SourceBatch, SourceTask, SourceTaskContext,
};
use crate::shard::sleep;

/// Java class of the source.
pub const SOURCE_CLASS: &str = "org.apache.kafka.connect.tools.MockSourceConnector";
/// Java class of the source's task.
pub const SOURCE_TASK_CLASS: &str = "org.apache.kafka.connect.tools.MockSourceTask";
/// Java class of the sink.
pub const SINK_CLASS: &str = "org.apache.kafka.connect.tools.MockSinkConnector";
/// Java class of the sink's task.
pub const SINK_TASK_CLASS: &str = "org.apache.kafka.connect.tools.MockSinkTask";

const CONNECTOR_FAILURE: &str = "connector-failure";
const TASK_FAILURE: &str = "task-failure";
const DEFAULT_DELAY: Duration = Duration::from_secs(15);
/// Longest time between two looks at the clock by a sink that gets no records.
const LOOK: Duration = Duration::from_millis(250);

/// When to fail, if `config` asks for `mode`.
#[derive(Debug, Clone, Copy)]
struct Failure {
    at: Instant,
    delay: Duration,
}

impl Failure {
    fn of(config: &ConfigMap, mode: &str) -> Result<Option<Self>, ConnectError> {
        let text = |key: &str| config.get(key).and_then(Option::as_deref);
        if text("mock_mode") != Some(mode) {
            return Ok(None);
        }
        let delay = match text("delay_ms") {
            None => DEFAULT_DELAY,
            Some(text) => {
                let delay: i64 = text.parse().map_err(|_| {
                    ConnectError::connect(format!("For input string: \"{text}\""))
                        .with_class("java.lang.NumberFormatException")
                })?;
                Duration::from_millis(u64::try_from(delay).unwrap_or(0))
            }
        };
        // Beyond what a clock can say is never.
        let at = Instant::now().checked_add(delay);
        Ok(at.map(|at| Self { at, delay }))
    }

    fn error(self, who: &str) -> ConnectError {
        let delay = self.delay.as_millis();
        ConnectError::connect(format!("mock {who} failure after {delay} ms"))
            .with_class("java.lang.RuntimeException")
    }

    async fn wait(failure: Option<Self>, who: &str) -> ConnectError {
        let Some(failure) = failure else {
            return std::future::pending().await;
        };
        sleep(failure.at.saturating_duration_since(Instant::now())).await;
        failure.error(who)
    }
}

/// Both connectors: one task with the connector's configuration.
#[derive(Debug, Default)]
pub struct MockConnector {
    config: ConfigMap,
    failure: Option<Failure>,
}

#[async_trait(?Send)]
impl Connector for MockConnector {
    async fn start(
        &mut self,
        _context: ConnectorContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        self.failure = Failure::of(config, CONNECTOR_FAILURE)?;
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, _max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone()])
    }

    async fn run(&mut self) -> Result<(), ConnectError> {
        Err(Failure::wait(self.failure, "connector").await)
    }
}

/// The source's task: no records.
#[derive(Debug, Default)]
pub struct MockSourceTask {
    failure: Option<Failure>,
}

#[async_trait(?Send)]
impl SourceTask for MockSourceTask {
    async fn start(
        &mut self,
        _context: SourceTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        self.failure = Failure::of(config, TASK_FAILURE)?;
        Ok(())
    }

    async fn poll(&mut self) -> Result<SourceBatch, ConnectError> {
        Err(Failure::wait(self.failure, "source task").await)
    }
}

/// The sink's task: drops records.
#[derive(Debug, Default)]
pub struct MockSinkTask {
    context: SinkTaskContext,
    failure: Option<Failure>,
}

#[async_trait(?Send)]
impl SinkTask for MockSinkTask {
    async fn start(
        &mut self,
        context: SinkTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        self.context = context;
        self.failure = Failure::of(config, TASK_FAILURE)?;
        self.look_again();
        Ok(())
    }

    fn form(&self) -> SinkForm {
        SinkForm::Nothing
    }

    async fn put(&mut self, _batches: &[SinkBatch]) -> Result<(), ConnectError> {
        if let Some(failure) = self.failure.filter(|failure| failure.at <= Instant::now()) {
            return Err(failure.error("sink task"));
        }
        self.look_again();
        Ok(())
    }
}

impl MockSinkTask {
    /// Has `put` called soon though there may be no records.
    fn look_again(&self) {
        if let Some(failure) = self.failure {
            self.context.set_timeout(failure.delay.min(LOOK));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::on_each_runtime;
    use crate::shard::timeout;

    fn config(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect()
    }

    #[test]
    fn only_the_part_that_the_mode_names_fails_and_after_the_delay() {
        on_each_runtime(|| async {
            let soon = Duration::from_secs(5);
            let mut connector = MockConnector::default();
            let failing = config(&[("mock_mode", CONNECTOR_FAILURE), ("delay_ms", "700")]);
            let context = ConnectorContext::default();
            connector.start(context.clone(), &failing).await.unwrap();
            assert_eq!(connector.task_configs(4).await.unwrap().len(), 1);
            let early = timeout(Duration::from_millis(5), connector.run()).await;
            assert!(early.is_err());
            let error = timeout(soon, connector.run()).await.unwrap().unwrap_err();
            assert_eq!(error.java_class(), "java.lang.RuntimeException");

            let task_failure = config(&[("mock_mode", TASK_FAILURE), ("delay_ms", "10")]);
            connector.start(context, &task_failure).await.unwrap();
            let run = timeout(Duration::from_millis(30), connector.run()).await;
            assert!(run.is_err());

            let mut task = MockSinkTask::default();
            let context = SinkTaskContext::new("c", 0);
            task.start(context.clone(), &task_failure).await.unwrap();
            assert_eq!(context.take_timeout(), Some(Duration::from_millis(10)));
            task.put(&[]).await.unwrap();
            assert_eq!(context.take_timeout(), Some(Duration::from_millis(10)));
            sleep(Duration::from_millis(15)).await;
            assert!(!task.put(&[]).await.unwrap_err().is_retriable());
            task.start(context, &failing).await.unwrap();
            task.put(&[]).await.unwrap();
        });
    }

    #[test]
    fn a_delay_that_is_no_number_fails_the_start() {
        let wrong = config(&[("mock_mode", TASK_FAILURE), ("delay_ms", "soon")]);
        assert!(Failure::of(&wrong, TASK_FAILURE).is_err());
        assert!(Failure::of(&wrong, CONNECTOR_FAILURE).unwrap().is_none());
    }
}
