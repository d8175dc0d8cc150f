//! A connector instance on its shard (Kafka: `WorkerConnector`).

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use super::WorkerShared;
use super::activity::{Activity, Call};
use super::instance::{Clients, EventSink, InstanceEvent, InstanceId, supervise};
use super::sources::{Prepared, prepare};
use crate::api::connector::ConnectorRequest;
use crate::api::{ConfigMap, ConnectError, Connector, ConnectorContext};
use crate::config::connector::ConnectorConfig;
use crate::config::provider::has_reference;
use crate::task::InstanceState;
use crate::task::control::{Control, Wish};

/// What a connector instance starts from.
pub(super) struct ConnectorStart {
    pub(super) instance: InstanceId,
    pub(super) name: String,
    pub(super) config: ConfigMap,
    pub(super) control: Control,
    pub(super) activity: Activity,
    pub(super) events: EventSink,
    pub(super) shared: Arc<WorkerShared>,
}

/// Runs an instance to its end.
pub(super) async fn run(start: ConnectorStart) {
    let (instance, events) = (start.instance, start.events.clone());
    supervise(instance, events, Clients::default(), Box::pin(live(start))).await;
}

enum Event {
    Wish(Wish),
    Request(ConnectorRequest),
    Ran(Result<(), ConnectError>),
}

async fn live(start: ConnectorStart) -> Result<(), ConnectError> {
    let tell = |state| {
        start
            .events
            .send(start.instance, InstanceEvent::State(state))
    };
    // Paused from creation: nothing starts until the first resume.
    let mut wish = start.control.wish();
    if wish == Wish::Pause {
        tell(InstanceState::Paused);
    }
    while wish == Wish::Pause {
        wish = start.control.changed_from(wish).await;
    }
    if wish == Wish::Stop {
        return Ok(());
    }
    let Prepared {
        config,
        connector: parsed,
        mask,
    } = prepare(&start.shared, start.config.clone()).await?;
    let plugin = start.shared.plugins.connector(&parsed.class);
    let plugin = plugin.map_err(|error| ConnectError::config(error.to_string()))?;
    let context = ConnectorContext::new(&start.name);
    let mut connector = (plugin.connector)();
    let outcome = async {
        let begun = connector.start(context.clone(), &config);
        start.activity.during(Call::Start, begun).await?;
        generate_tasks(&start, &parsed, &mut *connector, plugin.task_class).await?;
        tell(InstanceState::Running);
        serve(
            &start,
            &parsed,
            &mut *connector,
            &context,
            plugin.task_class,
        )
        .await
    }
    .await;
    start.activity.during(Call::Stop, connector.stop()).await;
    outcome.map_err(|error| mask.hide_in(error))
}

/// Serves wishes and the connector's own requests until a stop.
async fn serve(
    start: &ConnectorStart,
    parsed: &ConnectorConfig,
    connector: &mut dyn Connector,
    context: &ConnectorContext,
    task_class: &str,
) -> Result<(), ConnectError> {
    let tell = |state| {
        start
            .events
            .send(start.instance, InstanceEvent::State(state))
    };
    let mut known = Wish::Run;
    loop {
        match next_event(start, connector, context, known).await {
            Event::Wish(Wish::Stop) => return Ok(()),
            Event::Wish(wish) => {
                known = wish;
                tell(match wish {
                    Wish::Pause => InstanceState::Paused,
                    Wish::Run | Wish::Stop => InstanceState::Running,
                });
            }
            Event::Request(ConnectorRequest::Fail(error)) => return Err(error),
            Event::Request(ConnectorRequest::Reconfigure) => {
                generate_tasks(start, parsed, connector, task_class).await?;
            }
            Event::Ran(outcome) => return outcome,
        }
    }
}

async fn next_event(
    start: &ConnectorStart,
    connector: &mut dyn Connector,
    context: &ConnectorContext,
    known: Wish,
) -> Event {
    let mut changed = pin!(start.control.changed_from(known));
    let mut request = pin!(context.request());
    let mut ran = pin!(connector.run());
    let paused = known == Wish::Pause;
    std::future::poll_fn(|cx| {
        if let Poll::Ready(wish) = changed.as_mut().poll(cx) {
            return Poll::Ready(Event::Wish(wish));
        }
        if paused {
            return Poll::Pending;
        }
        if let Poll::Ready(request) = request.as_mut().poll(cx) {
            return Poll::Ready(Event::Request(request));
        }
        ran.as_mut().poll(cx).map(Event::Ran)
    })
    .await
}

async fn generate_tasks(
    start: &ConnectorStart,
    parsed: &ConnectorConfig,
    connector: &mut dyn Connector,
    task_class: &str,
) -> Result<(), ConnectError> {
    let most = parsed.tasks_max as usize;
    let configs = connector.task_configs(most);
    let configs = start.activity.during(Call::Config, configs).await?;
    if configs.len() > most {
        too_many(&start.name, configs.len(), parsed)?;
    }
    let finished = configs
        .into_iter()
        .map(|config| finish(&start.config, config, task_class));
    start.events.send(
        start.instance,
        InstanceEvent::TaskConfigs(finished.collect()),
    );
    Ok(())
}

fn too_many(name: &str, count: usize, parsed: &ConnectorConfig) -> Result<(), ConnectError> {
    let text = format!(
        "The connector {name} has generated {count} tasks, which is greater than {}, the maximum number of tasks it is configured to create. ",
        parsed.tasks_max
    );
    if parsed.tasks_max_enforce {
        return Err(ConnectError::connect(format!(
            "{text}This behaviour should be considered a bug and is disallowed. If necessary, it can be permitted by reconfiguring the connector with 'tasks.max.enforce' set to false; however, this option will be removed in a future release of Kafka Connect."
        )));
    }
    tracing::warn!("{text}It is permitted because 'tasks.max.enforce' is false.");
    Ok(())
}

/// The task's configuration as it is stored: with the task's class and the sink's topics, and raw
/// wherever the connector's own configuration has a reference.
pub(super) fn finish(connector: &ConfigMap, mut task: ConfigMap, task_class: &str) -> ConfigMap {
    for (key, value) in connector {
        let is_reference = value.as_deref().is_some_and(has_reference);
        if is_reference && task.contains_key(key) {
            task.insert(key.clone(), value.clone());
        }
    }
    task.insert("task.class".to_owned(), Some(task_class.to_owned()));
    for key in ["topics", "topics.regex"] {
        if let Some(value) = connector.get(key) {
            task.insert(key.to_owned(), value.clone());
        }
    }
    task
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_keeps_references_raw_and_gets_its_class_and_topics() {
        let map = |pairs: &[(&str, &str)]| -> ConfigMap {
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned())))
                .collect()
        };
        let connector = map(&[
            ("password", "${file:/x:p}"),
            ("topics", "a,b"),
            ("plain", "1"),
        ]);
        let task = map(&[("password", "secret"), ("plain", "2")]);
        let expected = map(&[
            ("password", "${file:/x:p}"),
            ("plain", "2"),
            ("task.class", "T"),
            ("topics", "a,b"),
        ]);
        assert_eq!(finish(&connector, task, "T"), expected);
    }
}
