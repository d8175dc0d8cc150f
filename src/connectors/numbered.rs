//! What Apache's test connectors share: equal tasks that know their number, sequence numbers that go on
//! after a restart, and settings that no definition declares.

use std::rc::Rc;
use std::str::FromStr;

use async_trait::async_trait;

use crate::api::connector::OffsetReader;
use crate::api::{ConfigMap, ConnectError, Connector, ConnectorContext, SourceMap};

/// A connector of `tasks.max` tasks that have its configuration and their number as `id`.
#[derive(Debug, Default)]
pub struct NumberedTasks {
    config: ConfigMap,
}

#[async_trait(?Send)]
impl Connector for NumberedTasks {
    async fn start(
        &mut self,
        _context: ConnectorContext,
        config: &ConfigMap,
    ) -> Result<(), ConnectError> {
        self.config = config.clone();
        Ok(())
    }

    async fn task_configs(&mut self, max_tasks: usize) -> Result<Vec<ConfigMap>, ConnectError> {
        let configs = (0..max_tasks).map(|task| {
            let mut config = self.config.clone();
            config.insert("id".to_owned(), Some(task.to_string()));
            config
        });
        Ok(configs.collect())
    }
}

/// Reads settings as Java's `Integer.parseInt` and `Long.parseLong` do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings<'a> {
    pub(super) config: &'a ConfigMap,
    /// What a setting that is missing or no number fails the task with.
    pub(super) failure: &'static str,
}

impl<'a> Settings<'a> {
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        self.config.get(key).and_then(Option::as_deref)
    }

    pub(super) fn required(&self, key: &str) -> Result<&'a str, ConnectError> {
        let missing = || ConnectError::connect(format!("{}: {key} is not set", self.failure));
        self.text(key).ok_or_else(missing)
    }

    pub(super) fn number<T: FromStr<Err = std::num::ParseIntError>>(
        &self,
        key: &str,
    ) -> Result<T, ConnectError> {
        let Some(text) = self.text(key) else {
            return Err(ConnectError::connect(self.failure)
                .with_source(format!("{key}: Cannot parse null string: null")));
        };
        text.parse().map_err(|_| {
            ConnectError::connect(self.failure)
                .with_source(format!("{key}: For input string: \"{text}\""))
        })
    }

    pub(super) fn is_true(&self, key: &str) -> bool {
        self.text(key)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    }
}

/// `{"<name>":<number>}`.
pub(super) fn map_of(name: &str, number: i64) -> Rc<SourceMap> {
    Rc::new(SourceMap::from_iter([(name.to_owned(), number.into())]))
}

/// The sequence number after the stored one, 0 without one.
pub(super) async fn next_seqno(
    offsets: &dyn OffsetReader,
    partition: &SourceMap,
) -> Result<i64, ConnectError> {
    let Some(offset) = offsets.offset(partition).await? else {
        return Ok(0);
    };
    let seqno = offset.get("seqno").and_then(serde_json::Value::as_i64);
    seqno
        .and_then(|seqno| seqno.checked_add(1))
        .ok_or_else(|| ConnectError::connect("The stored offset has no number 'seqno'"))
}
