//! A sink in which records end: what the way from Kafka costs without a target.

use async_trait::async_trait;

use super::parse;
use crate::api::{
    ConfigDef, ConfigKey, ConfigMap, ConnectError, Connector, ConnectorContext, SinkBatch,
    SinkForm, SinkTask, SinkTaskContext, Validator,
};

/// Class name.
pub const CLASS: &str = "io.ringmain.connect.NullSinkConnector";
/// Class name of the task.
pub const TASK_CLASS: &str = "io.ringmain.connect.NullSinkTask";

/// Keys.
pub fn config_def() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::string("form")
            .default("nothing")
            .validator(Validator::one_of(["nothing", "text", "values"]))
            .doc(
                "How far records are converted before they are dropped: nothing (checked by the \
                 converter and left out), text (as a sink of lines wants it) or values (the full \
                 data model).",
            ),
    )
}

/// The connector.
#[derive(Debug, Default)]
pub struct NullSink {
    config: ConfigMap,
}

#[async_trait(?Send)]
impl Connector for NullSink {
    async fn start(
        &mut self,
        _context: ConnectorContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        parse(&config_def(), config)?;
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone(); max_tasks])
    }
}

/// Counts records and drops them.
#[derive(Debug)]
pub struct NullSinkTask {
    context: SinkTaskContext,
    form: SinkForm,
    records: u64,
}

impl Default for NullSinkTask {
    fn default() -> Self {
        Self {
            context: SinkTaskContext::default(),
            form: SinkForm::Nothing,
            records: 0,
        }
    }
}

#[async_trait(?Send)]
impl SinkTask for NullSinkTask {
    async fn start(
        &mut self,
        context: SinkTaskContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        self.context = context;
        self.form = match parse(&config_def(), config)?.str("form")? {
            "text" => SinkForm::Text,
            "values" => SinkForm::Values,
            _ => SinkForm::Nothing,
        };
        Ok(())
    }

    fn form(&self) -> SinkForm {
        self.form
    }

    async fn put(&mut self, batches: &[SinkBatch]) -> Result<(), ConnectError> {
        self.records += batches.iter().map(|batch| batch.len() as u64).sum::<u64>();
        Ok(())
    }

    async fn stop(&mut self) {
        let (connector, task) = (&self.context.connector, self.context.task);
        tracing::info!(connector, task, records = self.records, "records dropped");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connectors::on_each_runtime;

    #[test]
    fn the_form_of_records_is_as_configured() {
        on_each_runtime(|| async {
            for (text, form) in [
                (None, SinkForm::Nothing),
                (Some("text"), SinkForm::Text),
                (Some("values"), SinkForm::Values),
            ] {
                let mut config = ConfigMap::new();
                if let Some(text) = text {
                    config.insert("form".to_owned(), Some(text.to_owned()));
                }
                let mut task = NullSinkTask::default();
                task.start(SinkTaskContext::new("c", 0), &config)
                    .await
                    .unwrap();
                assert_eq!(task.form(), form);
            }
        });
    }
}
