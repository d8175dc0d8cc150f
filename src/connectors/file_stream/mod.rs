//! FileStreamSource and FileStreamSink: lines of a file, or of standard input and output.
//!
//! Keys, texts and file contents are those of Apache's `connect-file` 4.3.1. Differences, each of which
//! loses less or costs less:
//!
//! * Positions count **bytes**. Apache counts UTF-16 units and skips that many bytes on resume, which is
//!   the same for ASCII and drifts back for anything else.
//! * Lines never hang in a buffer until the file grows again.
//! * Bytes that are not UTF-8 pass through unharmed with converters that keep text as it is.
//! * `batch.size` bounds a batch only when it is set; otherwise a batch is a block of the file.
//! * A directory, or a line beyond [`LINE_MAX`], fails the task instead of keeping it busy for ever.
//! * The sink reports a full disk, where Apache's `PrintStream` loses the lines in silence.
//!
//! As Apache's, an open file is kept when it is renamed, deleted or truncated, a last line without a
//! terminator waits for one, and a missing file is waited for. Apache looks at a file at its end every
//! second; here a quiet local one waits for the kernel's word ([`watch`]).

mod end_of_file;
mod lines;
mod opening;
mod sink;
mod source;
mod stream;
mod watch;

use async_trait::async_trait;

pub use lines::{Lines, complete_end, scanned, split};
pub use sink::FileStreamSinkTask;
pub use source::{FileStreamSourceTask, LINE_MAX};

use super::parse;
use crate::api::{
    ConfigDef, ConfigKey, ConfigMap, ConnectError, Connector, ConnectorContext, Importance,
    SourceMap, Validator,
};

/// Java class of the source.
pub const SOURCE_CLASS: &str = "org.apache.kafka.connect.file.FileStreamSourceConnector";
/// Java class of the source's task.
pub const SOURCE_TASK_CLASS: &str = "org.apache.kafka.connect.file.FileStreamSourceTask";
/// Java class of the sink.
pub const SINK_CLASS: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";
/// Java class of the sink's task.
pub const SINK_TASK_CLASS: &str = "org.apache.kafka.connect.file.FileStreamSinkTask";

const FILE: &str = "file";
const TOPIC: &str = "topic";
const BATCH_SIZE: &str = "batch.size";
const FILENAME_FIELD: &str = "filename";
const POSITION_FIELD: &str = "position";

/// Keys of the source.
pub fn source_config() -> ConfigDef {
    ConfigDef::new()
        .define(
            ConfigKey::string(FILE)
                .default_null()
                .importance(Importance::High)
                .doc("Source filename. If not specified, the standard input will be used"),
        )
        .define(
            ConfigKey::string(TOPIC)
                .validator(Validator::non_empty_string())
                .importance(Importance::High)
                .doc("The topic to publish data to"),
        )
        .define(
            ConfigKey::int(BATCH_SIZE)
                .default(2000)
                .importance(Importance::Low)
                .doc(
                    "The maximum number of records the source task can read from the file each \
                     time it is polled",
                ),
        )
}

/// Keys of the sink.
pub fn sink_config() -> ConfigDef {
    ConfigDef::new().define(
        ConfigKey::string(FILE)
            .default_null()
            .importance(Importance::High)
            .doc("Destination filename. If not specified, the standard output will be used"),
    )
}

/// The file that `config` names; `None` for the standard stream.
fn file_of(def: &ConfigDef, config: &ConfigMap) -> Result<Option<String>, ConnectError> {
    let parsed = parse(def, config)?;
    let file = parsed.opt_str(FILE)?.filter(|file| !file.is_empty());
    Ok(file.map(str::to_owned))
}

/// The source connector: one task, whatever `tasks.max` says, since a file has one end.
#[derive(Debug, Default)]
pub struct FileStreamSource {
    config: ConfigMap,
}

#[async_trait(?Send)]
impl Connector for FileStreamSource {
    async fn start(
        &mut self,
        _context: ConnectorContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let file = file_of(&source_config(), config)?;
        // Not its name, which may come from a config provider.
        tracing::info!(is_file = file.is_some(), "starting file source connector");
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, _max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone()])
    }
}

/// The sink connector: `tasks.max` equal tasks that append to the same file.
#[derive(Debug, Default)]
pub struct FileStreamSink {
    config: ConfigMap,
}

#[async_trait(?Send)]
impl Connector for FileStreamSink {
    async fn start(
        &mut self,
        _context: ConnectorContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        let file = file_of(&sink_config(), config)?;
        tracing::info!(is_file = file.is_some(), "starting file sink connector");
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        Ok(vec![self.config.clone(); max_tasks])
    }
}

/// Whether the source can give exactly-once delivery with `config`: from a file, not from standard input
/// (Kafka: `FileStreamSourceConnector.exactlyOnceSupport`).
///
/// # Errors
/// `config` does not pass its definition.
pub fn supports_exactly_once(config: &ConfigMap) -> Result<bool, ConnectError> {
    Ok(file_of(&source_config(), config)?.is_some())
}

/// Checks offsets that a user wants to store: `None` as the offset removes it (Kafka:
/// `FileStreamSourceConnector.alterOffsets`).
///
/// # Errors
/// Apache's texts.
pub fn alter_offsets(
    config: &ConfigMap,
    offsets: &[(Option<SourceMap>, Option<SourceMap>)],
) -> Result<(), ConnectError> {
    if file_of(&source_config(), config)?.is_none() {
        return Err(ConnectError::connect(
            "Offsets cannot be modified if the 'file' configuration is unspecified. This is because \
             stdin is used for input and offsets are not tracked.",
        ));
    }
    offsets
        .iter()
        .try_for_each(|(partition, offset)| check_offset(partition.as_ref(), offset.as_ref()))
}

fn check_offset(
    partition: Option<&SourceMap>,
    offset: Option<&SourceMap>,
) -> Result<(), ConnectError> {
    // Anything may be removed, garbage above all.
    let Some(offset) = offset else {
        return Ok(());
    };
    let refuse = |text: &str| Err(ConnectError::connect(text));
    let Some(position) = offset.get(POSITION_FIELD) else {
        return refuse("Offset objects should either be null or contain the key 'position'");
    };
    let Some(position) = position.as_i64() else {
        return refuse(
            "The value for the 'position' key in the offset is expected to be a Long value",
        );
    };
    if position < 0 {
        return refuse(
            "The value for the 'position' key in the offset should be a non-negative value",
        );
    }
    match partition {
        None => refuse("Partition objects cannot be null"),
        Some(partition) if !partition.contains_key(FILENAME_FIELD) => {
            refuse("Partition objects should contain the key 'filename'")
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
