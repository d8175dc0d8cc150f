//! `/connectors/NAME/metrics`: Kafka's groups as objects, Ringmain's own beside them. What is not a number
//! (a mean of nothing) is null.

use serde_json::{Map, Value, json};

use super::families::{
    CONNECTOR_TEXTS, Group, OWN_TASK, QUANTILES, STEP_GROUPS, TASK, TASK_GROUPS, TASK_TEXTS,
    WORKER_CONNECTOR,
};
use super::view::{ConnectorView, Measured, TaskView};
use crate::metrics::{LatencyReading, TaskPlugins};
use crate::plugins::PLUGIN_VERSION;

pub(super) fn connector(connector: &ConnectorView) -> Value {
    let mut texts = Map::new();
    texts.insert("status".to_owned(), json!(connector.state.lower_case()));
    for (name, text) in CONNECTOR_TEXTS {
        texts.insert(name.to_owned(), json!(text(connector)));
    }
    let tasks = connector
        .tasks
        .iter()
        .map(|task| self::task(task, connector));
    json!({
        "name": connector.name,
        "type": connector.kind.name(),
        "connector-metrics": texts,
        WORKER_CONNECTOR.name: numbers(&WORKER_CONNECTOR, connector),
        "tasks": tasks.collect::<Vec<_>>(),
    })
}

fn task(task: &TaskView, connector: &ConnectorView) -> Value {
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(task.number));
    let mut general = Map::new();
    general.insert("status".to_owned(), json!(task.state.lower_case()));
    let restarts = task.restarts.iter();
    let restarts: Map<String, Value> = restarts
        .map(|(reason, count)| (reason.clone(), json!(count)))
        .collect();
    let Some(measured) = &task.measured else {
        members.insert(TASK.name.to_owned(), Value::Object(general));
        return Value::Object(members);
    };
    if let Some(plugins) = &measured.plugins {
        general.insert("connector-type".to_owned(), json!(connector.kind.name()));
        for (name, text) in TASK_TEXTS {
            general.insert(name.to_owned(), json!(text(plugins)));
        }
    }
    members.insert(TASK.name.to_owned(), Value::Object(general));
    for group in TASK_GROUPS.iter().filter(|group| (group.fits)(measured)) {
        let found = numbers(group, measured);
        match members.get_mut(group.name) {
            Some(Value::Object(before)) => before.extend(found),
            _ => {
                members.insert(group.name.to_owned(), Value::Object(found));
            }
        }
    }
    if let Some(plugins) = &measured.plugins {
        steps(&mut members, plugins);
    }
    if let Some(Value::Object(own)) = members.get_mut(OWN_TASK.name) {
        own.insert("restarts".to_owned(), Value::Object(restarts));
        let stage = measured.stall.map(|stall| stall.stage.name());
        own.insert("stalled_stage".to_owned(), json!(stage));
        own.insert("stages".to_owned(), stages(measured));
    }
    Value::Object(members)
}

fn numbers<T: 'static>(group: &Group<T>, item: &T) -> Map<String, Value> {
    let values = group.attributes.iter().filter_map(|attribute| {
        let value = (attribute.value)(item)?;
        Some((attribute.name.to_owned(), number(value)))
    });
    values.collect()
}

/// Whole numbers without a point.
fn number(value: f64) -> Value {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "compared with the original"
    )]
    let whole = value as i64;
    match whole as f64 == value {
        true => json!(whole),
        false => json!(value),
    }
}

/// Transforms and predicates, by alias.
fn steps(members: &mut Map<String, Value>, plugins: &TaskPlugins) {
    for group in &STEP_GROUPS {
        let found = (group.steps)(plugins);
        if found.is_empty() {
            continue;
        }
        let step = |(alias, class): &(String, &'static str)| {
            let texts = json!({
                format!("{}-class", group.tag): class,
                format!("{}-version", group.tag): PLUGIN_VERSION,
            });
            (alias.clone(), texts)
        };
        let steps: Map<String, Value> = found.iter().map(step).collect();
        members.insert(group.name.to_owned(), Value::Object(steps));
    }
}

/// Durations in milliseconds, by stage.
fn stages(measured: &Measured) -> Value {
    let stages = measured.latencies.iter();
    let stages = stages.map(|(stage, reading)| (stage.name().to_owned(), latency(reading)));
    Value::Object(stages.collect())
}

fn latency(reading: &LatencyReading) -> Value {
    let millis = |seconds: f64| number(seconds * 1000.0);
    let mut members = Map::new();
    members.insert("count".to_owned(), json!(reading.count));
    members.insert("sum_ms".to_owned(), millis(reading.sum.as_secs_f64()));
    for (quantile, _, name) in QUANTILES {
        let value = reading.quantile(quantile);
        let value = value.map_or(Value::Null, |value| millis(value.as_secs_f64()));
        members.insert(format!("{name}_ms"), value);
    }
    members.insert("max_ms".to_owned(), millis(reading.max.as_secs_f64()));
    Value::Object(members)
}
