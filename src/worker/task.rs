//! A task on its shard: built from its configurations, then run by `task/` (Kafka: `Worker.buildTask`).

use std::rc::Rc;
use std::sync::Arc;

use tracing::Instrument;

use super::instance::{
    Client, Clients, ConnectorTaskId, EventSink, InstanceEvent, InstanceId, supervise,
};
use super::sources::{Prepared, expand, prepare, problems};
use super::{WorkerShared, records};
use crate::api::{ConfigMap, ConnectError, ConnectorKind, SinkTask, SourceTask};
use crate::clients::Subscription;
use crate::config::clients::{dlq_admin, dlq_producer, task_admin, task_consumer, task_producer};
use crate::config::connector::{ConnectorConfig, KindConfig, SinkTopics};
use crate::metrics::TaskMetrics;
use crate::plugins::TaskFactory;
use crate::task::control::{Control, Wish};
use crate::task::conversion::{Converters, SourceConversion};
use crate::task::errors::{DeadLetters, ErrorHandler, ErrorPolicy, Tolerance};
use crate::task::sink::SinkParts;
use crate::task::source::SourceParts;
use crate::task::topic_creation::TopicCreation;
use crate::task::transformation_chain::TransformationChain;
use crate::task::{Reporter, sink, source};

/// A task to start.
#[derive(Debug, Clone)]
pub struct TaskToStart {
    /// Which task.
    pub id: ConnectorTaskId,
    /// Source or sink.
    pub kind: ConnectorKind,
    /// Raw configuration of the connector.
    pub connector_config: ConfigMap,
    /// Configuration of the task, raw where the connector's is.
    pub task_config: ConfigMap,
    /// First wish.
    pub wish: Wish,
}

/// What a task instance starts from.
pub(super) struct TaskStart {
    pub(super) instance: InstanceId,
    pub(super) task: TaskToStart,
    pub(super) control: Control,
    pub(super) events: EventSink,
    pub(super) metrics: Arc<TaskMetrics>,
    pub(super) shared: Arc<WorkerShared>,
}

/// Runs a task to its end.
pub(super) async fn run(start: TaskStart) {
    let span = tracing::info_span!("task", connector = %start.task.id.connector, task = start.task.id.task);
    let (instance, events, clients) = (start.instance, start.events.clone(), Clients::default());
    let running = Box::pin(live(start, clients.clone()).instrument(span.clone()));
    supervise(instance, events, clients, running)
        .instrument(span)
        .await;
}

async fn live(start: TaskStart, clients: Clients) -> Result<(), ConnectError> {
    let connector_config = start.task.connector_config.clone();
    let Prepared { config, connector } = prepare(&start.shared, connector_config).await?;
    let task_config = expand(&start.shared, start.task.task_config.clone()).await?;
    let build = Build {
        start,
        clients,
        config,
        connector,
    };
    let plugin = build.start.shared.plugins.connector(&build.connector.class);
    let plugin = plugin.map_err(|error| ConnectError::config(error.to_string()))?;
    match plugin.tasks {
        TaskFactory::Source(new) => source::run(build.source(new())?, &task_config).await,
        TaskFactory::Sink(new) => sink::run(build.sink(new())?, &task_config).await,
    }
}

/// What a task is built from.
struct Build {
    start: TaskStart,
    clients: Clients,
    /// The connector's, references replaced.
    config: ConfigMap,
    connector: ConnectorConfig,
}

impl Build {
    fn source(self, task: Box<dyn SourceTask>) -> Result<SourceParts, ConnectError> {
        let id = self.start.task.id.clone();
        let shared = Arc::clone(&self.start.shared);
        let worker = &shared.config.originals;
        let conversion = SourceConversion::new(self.converters()?, self.chain()?);
        let producer = task_producer(worker, &self.config, &id.connector, id.task);
        let producer = shared.log.producer(producer.map_err(problems)?);
        self.clients.add(Client::Producer(Rc::clone(&producer)));
        Ok(SourceParts {
            connector: id.connector.as_str().into(),
            number: id.task,
            task,
            conversion,
            producer,
            topics: self.topics(&id)?,
            offsets: shared.offsets.clone(),
            metrics: Arc::clone(&self.start.metrics),
            errors: self.errors(&id)?,
            report: self.reporter(),
            flush_interval: shared.config.offset_flush_interval,
            flush_timeout: shared.config.offset_flush_timeout,
            control: self.start.control,
        })
    }

    fn sink(self, task: Box<dyn SinkTask>) -> Result<SinkParts, ConnectError> {
        let id = self.start.task.id.clone();
        let shared = Arc::clone(&self.start.shared);
        let worker = &shared.config.originals;
        let subscription = self.subscription()?;
        let converters = self.converters()?;
        let chain = self.chain()?;
        let consumer = task_consumer(worker, &self.config, &id.connector, id.task);
        let consumer = shared.log.consumer(consumer.map_err(problems)?);
        self.clients.add(Client::Consumer(Rc::clone(&consumer)));
        Ok(SinkParts {
            connector: id.connector.as_str().into(),
            number: id.task,
            task,
            converters,
            chain,
            consumer,
            subscription,
            metrics: Arc::clone(&self.start.metrics),
            errors: self.errors(&id)?,
            report: self.reporter(),
            flush_interval: shared.config.offset_flush_interval,
            flush_timeout: shared.config.offset_flush_timeout,
            control: self.start.control,
        })
    }

    fn converters(&self) -> Result<Converters, ConnectError> {
        let shared = &self.start.shared;
        records::converters(&shared.plugins, &shared.config, &self.connector)
    }

    fn chain(&self) -> Result<TransformationChain, ConnectError> {
        records::chain(&self.start.shared.plugins, &self.connector)
    }

    fn topics(&self, id: &ConnectorTaskId) -> Result<TopicCreation, ConnectError> {
        let shared = &self.start.shared;
        let KindConfig::Source(source) = &self.connector.kind else {
            return Ok(TopicCreation::default());
        };
        let Some(rules) = source.topic_creation.clone() else {
            return Ok(TopicCreation::default());
        };
        if !shared.config.topic_creation_enable {
            return Ok(TopicCreation::default());
        }
        let worker = &shared.config.originals;
        let admin = task_admin(worker, &self.config, &id.connector, id.task).map_err(problems)?;
        let admin = shared.log.admin(admin);
        self.clients.add(Client::Admin(Rc::clone(&admin)));
        Ok(TopicCreation::new(rules, admin))
    }

    fn subscription(&self) -> Result<Subscription, ConnectError> {
        let KindConfig::Sink(sink) = &self.connector.kind else {
            return Err(ConnectError::config("a sink task of a source connector"));
        };
        Ok(match &sink.topics {
            SinkTopics::List(topics) => Subscription::Topics(topics.clone()),
            SinkTopics::Pattern(pattern) => Subscription::Pattern(pattern.clone()),
        })
    }

    fn errors(&self, id: &ConnectorTaskId) -> Result<ErrorHandler, ConnectError> {
        let errors = ErrorHandler::new(id.to_string(), self.error_policy());
        let Some(queue) = self.connector.dead_letters.clone() else {
            return Ok(errors);
        };
        let shared = &self.start.shared;
        let worker = &shared.config.originals;
        let producer = dlq_producer(worker, &self.config, &id.connector, id.task);
        let producer = shared.log.producer(producer.map_err(problems)?);
        self.clients.add(Client::Producer(Rc::clone(&producer)));
        let admin = dlq_admin(worker, &self.config, &id.connector, id.task).map_err(problems)?;
        let admin = shared.log.admin(admin);
        self.clients.add(Client::Admin(Rc::clone(&admin)));
        let connector = id.connector.clone();
        let queue = DeadLetters::new(queue, connector, id.task, producer, admin);
        Ok(errors.with_dead_letters(queue))
    }

    fn error_policy(&self) -> ErrorPolicy {
        let errors = &self.connector.errors;
        let tolerance = if errors.tolerate_all {
            Tolerance::All
        } else {
            Tolerance::None
        };
        ErrorPolicy {
            tolerance,
            retry_timeout: errors.retry_timeout,
            retry_delay_max: errors.retry_delay_max,
            log: errors.log,
            log_messages: errors.log_messages,
        }
    }

    fn reporter(&self) -> Reporter {
        let (events, instance) = (self.start.events.clone(), self.start.instance);
        Reporter::new(move |state| events.send(instance, InstanceEvent::State(state)))
    }
}
