//! A source that makes records: load for measurements, and something to look at on a first day.
//!
//! Record *n* is the same in every run with the same `seed`, `record.size`, `format` and `key`, so what
//! arrives can be checked. Task *i* of *k* makes the sequence numbers *i*, *i + k*, *i + 2k*, … below
//! `records`; its source partition is `{"task":i,"tasks":k}` and its offset `{"sequence":n}` with the
//! next number, so a restart goes on where it stopped, and another `tasks.max` begins anew.

mod source;

use async_trait::async_trait;

pub use source::DatagenTask;

use super::parse;
use crate::api::{
    ConfigDef, ConfigKey, ConfigMap, ConnectError, Connector, ConnectorContext, Importance,
    Validator,
};

/// Class name.
pub const CLASS: &str = "io.ringmain.connect.DatagenSourceConnector";
/// Class name of the task.
pub const TASK_CLASS: &str = "io.ringmain.connect.DatagenSourceTask";
/// Further names.
pub const ALIASES: &[&str] = &["Datagen", "DatagenConnector"];

const TASK: &str = "datagen.task";
const TASKS: &str = "datagen.tasks";

/// Keys.
pub fn config_def() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::string("topic")
                .validator(Validator::non_empty_string())
                .importance(Importance::High)
                .doc("The topic to produce to."),
        )
        .define(
            ConfigKey::long("records")
                .default(-1)
                .validator(Validator::at_least(-1))
                .importance(Importance::High)
                .doc("How many records all tasks make together; -1 is without end."),
        )
        .define(
            ConfigKey::long("rate")
                .default(0)
                .validator(Validator::at_least(0))
                .importance(Importance::High)
                .doc("Records per second and task; 0 is as many as go."),
        )
        .define(
            ConfigKey::int("record.size")
                .default(100)
                .validator(Validator::between(1, 16 << 20))
                .doc(
                    "Bytes of a value. A value is never shorter than its sequence number and, as \
                     JSON, its member names.",
                ),
        )
        .define(
            ConfigKey::string("format")
                .default("text")
                .validator(Validator::one_of(["text", "json"]))
                .doc(
                    "text: the sequence number, a space and letters. json: \
                     {\"sequence\":number,\"payload\":letters} as text.",
                ),
        )
        .define(
            ConfigKey::string("key")
                .default("none")
                .validator(Validator::one_of(["none", "sequence", "random"]))
                .doc("Keys: none, the sequence number, or one of key.count numbers."),
        )
        .define(
            ConfigKey::long("key.count")
                .default(1000)
                .validator(Validator::at_least(1))
                .importance(Importance::Low)
                .doc("How many different keys key=random has."),
        )
        .define(
            ConfigKey::int("partitions")
                .default(0)
                .validator(Validator::at_least(0))
                .importance(Importance::Low)
                .doc(
                    "Spreads batches over this many Kafka partitions in turn; 0 leaves the choice \
                     to the partitioner.",
                ),
        )
        .define(
            ConfigKey::long("seed")
                .default(42)
                .importance(Importance::Low)
                .doc("Another seed gives other letters and other random keys."),
        )
}

/// The connector: the work is dealt out to all tasks.
#[derive(Debug, Default)]
pub struct Datagen {
    config: ConfigMap,
}

#[async_trait(?Send)]
impl Connector for Datagen {
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
        let configs = (0..max_tasks).map(|task| {
            let mut config = self.config.clone();
            config.insert(TASK.to_owned(), Some(task.to_string()));
            config.insert(TASKS.to_owned(), Some(max_tasks.to_string()));
            config
        });
        Ok(configs.collect())
    }
}

/// Keys of a task: the connector's, and its share.
fn task_config_def() -> ConfigDef {
    let number = |name| ConfigKey::int(name).validator(Validator::at_least(0));
    config_def()
        .define(number(TASK).default(0))
        .define(number(TASKS).default(1))
}

#[cfg(test)]
mod tests;
