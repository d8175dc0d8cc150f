//! A task on its shard: built from its configurations, then run by `task/` (Kafka: `Worker.buildTask`).

use std::rc::Rc;
use std::sync::Arc;

use tracing::Instrument;

use super::activity::{Activity, WatchedSink, WatchedSource};
use super::instance::{
    Client, Clients, ConnectorTaskId, EventSink, InstanceEvent, InstanceId, supervise,
};
use super::sources::{Prepared, expand, prepare, problems};
use super::{WorkerShared, records};
use crate::api::{ConfigMap, ConnectError, ConnectorKind, SinkTask, SourceTask};
use crate::clients::{Producer, ProducerConfig, Subscription};
use crate::config::clients::{dlq_admin, dlq_producer, task_admin, task_consumer, task_producer};
use crate::config::connector::{ConnectorConfig, KindConfig, SinkTopics};
use crate::metrics::{TaskMetrics, TaskPlugins};
use crate::plugins::{ConnectorPlugin, TaskFactory};
use crate::storage::{ConnectorOffsetStore, TopicTracker, WriteGate};
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
    pub(super) activity: Activity,
    pub(super) events: EventSink,
    pub(super) metrics: Arc<TaskMetrics>,
    pub(super) offsets: WriteGate,
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
    let Prepared {
        config,
        connector,
        mask,
    } = prepare(&start.shared, connector_config).await?;
    let task_config = expand(&start.shared, start.task.task_config.clone()).await?;
    let build = Build {
        start,
        clients,
        config,
        connector,
    };
    let plugin = build.start.shared.plugins.connector(&build.connector.class);
    let plugin = plugin.map_err(|error| ConnectError::config(error.to_string()))?;
    let plugin = *plugin;
    let ran = build.run(plugin, &task_config).await;
    ran.map_err(|error| mask.hide_in(error))
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
    async fn run(self, plugin: ConnectorPlugin, task: &ConfigMap) -> Result<(), ConnectError> {
        let activity = self.start.activity.clone();
        match plugin.tasks {
            TaskFactory::Source(new) => {
                let watched = WatchedSource {
                    task: new(),
                    activity,
                };
                source::run(self.source(Box::new(watched), plugin)?, task).await
            }
            TaskFactory::Sink(new) => {
                let watched = WatchedSink {
                    task: new(),
                    activity,
                };
                sink::run(self.sink(Box::new(watched), plugin)?, task).await
            }
        }
    }

    fn source(
        self,
        task: Box<dyn SourceTask>,
        plugin: ConnectorPlugin,
    ) -> Result<SourceParts, ConnectError> {
        let id = self.start.task.id.clone();
        let shared = Arc::clone(&self.start.shared);
        let worker = &shared.config.originals;
        let (converters, chain) = (self.converters()?, self.chain()?);
        self.describe(plugin, &converters, &chain);
        let conversion = SourceConversion::new(converters, chain);
        let producer = task_producer(worker, &self.config, &id.connector, id.task);
        let producer = self.producer(producer.map_err(problems)?);
        Ok(SourceParts {
            connector: id.connector.as_str().into(),
            number: id.task,
            task,
            conversion,
            producer,
            topics: self.topics(&id)?,
            offsets: self.offsets(&id)?,
            active_topics: self.tracker(&id),
            lease: shared.lease.clone(),
            metrics: Arc::clone(&self.start.metrics),
            errors: self.errors(&id)?,
            report: self.reporter(),
            flush_interval: shared.config.offset_flush_interval,
            flush_timeout: shared.config.offset_flush_timeout,
            control: self.start.control,
        })
    }

    fn sink(
        self,
        task: Box<dyn SinkTask>,
        plugin: ConnectorPlugin,
    ) -> Result<SinkParts, ConnectError> {
        let id = self.start.task.id.clone();
        let shared = Arc::clone(&self.start.shared);
        let worker = &shared.config.originals;
        let subscription = self.subscription()?;
        let converters = self.converters()?;
        let chain = self.chain()?;
        self.describe(plugin, &converters, &chain);
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
            active_topics: self.tracker(&id),
            lease: shared.lease.clone(),
            metrics: Arc::clone(&self.start.metrics),
            errors: self.errors(&id)?,
            report: self.reporter(),
            flush_interval: shared.config.offset_flush_interval,
            flush_timeout: shared.config.offset_flush_timeout,
            control: self.start.control,
        })
    }

    /// A producer that sends nothing once others may run the worker's tasks.
    fn producer(&self, mut config: ProducerConfig) -> Rc<dyn Producer> {
        let shared = &self.start.shared;
        config.lease = shared.lease.clone();
        let producer = shared.log.producer(config);
        self.clients.add(Client::Producer(Rc::clone(&producer)));
        producer
    }

    fn offsets(&self, id: &ConnectorTaskId) -> Result<ConnectorOffsetStore, ConnectError> {
        let gate = self.start.offsets.clone();
        let store = &self.start.shared.offsets;
        store.connector(&id.connector, &self.config, gate)
    }

    fn tracker(&self, id: &ConnectorTaskId) -> TopicTracker {
        let shared = &self.start.shared;
        if !shared.config.topic_tracking_enable {
            return TopicTracker::off();
        }
        shared.active_topics.tracker(&id.connector, id.task)
    }

    fn converters(&self) -> Result<Converters, ConnectError> {
        let shared = &self.start.shared;
        records::converters(&shared.plugins, &shared.config, &self.connector)
    }

    fn chain(&self) -> Result<TransformationChain, ConnectError> {
        records::chain(&self.start.shared.plugins, &self.connector)
    }

    /// Tells the metrics which classes the task is made of.
    fn describe(
        &self,
        plugin: ConnectorPlugin,
        converters: &Converters,
        chain: &TransformationChain,
    ) {
        let steps = chain.steps();
        let transforms = steps
            .iter()
            .map(|step| (step.alias.clone(), step.transformation.class_name()));
        let conditions = steps.iter().zip(&self.connector.transforms);
        let predicates = conditions.filter_map(|(step, config)| {
            let class = step.condition.as_ref()?.predicate.class_name();
            Some((config.predicate.clone()?, class))
        });
        let mut predicates: Vec<_> = predicates.collect();
        // Two transforms may hang on one predicate.
        predicates.sort();
        predicates.dedup();
        self.start.metrics.describe(TaskPlugins {
            connector_class: plugin.class,
            version: plugin.version,
            task_class: plugin.task_class,
            key_converter: converters.key.class_name(),
            value_converter: converters.value.class_name(),
            header_converter: converters.header.class_name(),
            transforms: transforms.collect(),
            predicates,
        });
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
        let producer = self.producer(producer.map_err(problems)?);
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
