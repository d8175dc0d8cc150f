//! What a connector's records go through besides its own code: converters and transforms, made from
//! configurations alone, so that records can be converted where no task runs (Kafka:
//! `Worker.buildTask`, `ConnectorConfig.transformationStages`).

use crate::api::ConnectError;
use crate::config::connector::{ConnectorConfig, PredicateConfig, TransformConfig};
use crate::config::{PluginConfig, WorkerConfig};
use crate::plugins::Plugins;
use crate::task::conversion::Converters;
use crate::task::tape;
use crate::task::transformation_chain::{Condition, TransformationChain, TransformationStep};

/// The converters of a connector. One of its own hides the worker's with all its settings (contract
/// 2.7).
///
/// # Errors
/// Unknown class or a bad configuration.
pub fn converters(
    plugins: &Plugins,
    worker: &WorkerConfig,
    connector: &ConnectorConfig,
) -> Result<Converters, ConnectError> {
    let own = |own: &Option<PluginConfig>, workers: &PluginConfig| {
        own.as_ref().unwrap_or(workers).clone()
    };
    let key = own(&connector.key_converter, &worker.key_converter);
    let value = own(&connector.value_converter, &worker.value_converter);
    let header = own(&connector.header_converter, &worker.header_converter);
    Ok(Converters {
        key: plugins.converter(&key.class, &key.config, true)?,
        value: plugins.converter(&value.class, &value.config, false)?,
        header: plugins.header_converter(&header.class, &header.config)?,
    })
}

/// The transforms of a connector with their predicates. Each step has a predicate of its own, also where
/// two name the same.
///
/// # Errors
/// As Kafka has it: a `ConnectException` whose text is class and text of the problem.
pub fn chain(
    plugins: &Plugins,
    connector: &ConnectorConfig,
) -> Result<TransformationChain, ConnectError> {
    let step = |config: &TransformConfig| step(plugins, config, &connector.predicates);
    let steps: Result<Vec<_>, ConnectError> = connector.transforms.iter().map(step).collect();
    let steps = steps.map_err(|error| {
        ConnectError::connect(format!("{}: {error}", error.java_class())).with_source(error)
    })?;
    let tape = tape::compile::compile(&entries(&steps, connector));
    Ok(TransformationChain::new(steps).with_tape(tape))
}

/// The steps by their full class names, with their configurations.
fn entries<'a>(
    steps: &'a [TransformationStep],
    connector: &'a ConnectorConfig,
) -> Vec<tape::compile::Entry<'a>> {
    let entry = |(step, config): (&'a TransformationStep, &'a TransformConfig)| {
        let predicates = &connector.predicates;
        let condition = step.condition.as_ref().and_then(|condition| {
            let alias = config.predicate.as_ref()?;
            let listed = predicates.iter().find(|listed| listed.alias == *alias)?;
            let plugin = tape::compile::Plugin {
                class: condition.predicate.class_name(),
                config: &listed.plugin.config,
            };
            Some((plugin, condition.negate))
        });
        tape::compile::Entry {
            transformation: tape::compile::Plugin {
                class: step.transformation.class_name(),
                config: &config.plugin.config,
            },
            condition,
        }
    };
    steps.iter().zip(&connector.transforms).map(entry).collect()
}

fn step(
    plugins: &Plugins,
    config: &TransformConfig,
    predicates: &[PredicateConfig],
) -> Result<TransformationStep, ConnectError> {
    let TransformConfig {
        alias,
        plugin,
        predicate,
        negate,
    } = config;
    let condition = |name: &String| {
        let listed = predicates.iter().find(|listed| listed.alias == *name);
        let listed = listed.ok_or_else(|| {
            ConnectError::config(format!(
                "Unknown configuration 'predicates.{name}.type', which transforms.{alias}.predicate names"
            ))
        })?;
        let predicate = plugins.predicate(&listed.plugin.class, &listed.plugin.config)?;
        Ok::<_, ConnectError>(Condition {
            predicate,
            negate: *negate,
        })
    };
    Ok(TransformationStep {
        alias: alias.clone(),
        transformation: plugins.transformation(&plugin.class, &plugin.config)?,
        condition: predicate.as_ref().map(condition).transpose()?,
    })
}
