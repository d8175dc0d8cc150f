//! The library's converters before the registry of the tests.

use std::sync::LazyLock;

use ringmain::api::{ConfigMap, ConnectError, Converter, SchemaAndValue};
use ringmain::plugins::Plugins;
use ringmain::shard::{RuntimeKind, run};

use crate::common::registry::shared_registry;

static PLUGINS: LazyLock<Plugins> = LazyLock::new(Plugins::builtin);

/// A converter for the values of one topic.
#[derive(Debug, Clone)]
pub(super) struct Ours {
    pub(super) class: &'static str,
    pub(super) topic: &'static str,
    pub(super) settings: &'static [(&'static str, &'static str)],
}

impl Ours {
    /// What each of the records is read as.
    pub(super) fn read(&self, records: &[Vec<u8>]) -> Vec<SchemaAndValue> {
        let topic = self.topic;
        self.convert(records.to_vec(), move |converter, bytes| {
            converter.read(topic, Some(bytes))
        })
    }

    /// The record for each value; none for Kafka's null.
    pub(super) fn write(&self, values: Vec<SchemaAndValue>) -> Vec<Option<Vec<u8>>> {
        let topic = self.topic;
        self.convert(values, move |converter, data| {
            let mut out = Vec::new();
            let present = converter.write(topic, data.schema.as_ref(), &data.value, &mut out)?;
            Ok(present.then_some(out))
        })
    }

    fn config(&self) -> ConfigMap {
        let url = ("schema.registry.url", shared_registry().url());
        let settings = self.settings.iter();
        let settings = settings.map(|(key, value)| (*key, (*value).to_owned()));
        let all = settings.chain([url]);
        all.map(|(key, value)| (key.to_owned(), Some(value)))
            .collect()
    }

    /// As a task does: a call that has to look something up first is made again.
    fn convert<I: 'static, O: 'static>(
        &self,
        inputs: Vec<I>,
        call: impl Fn(&mut dyn Converter, &I) -> Result<O, ConnectError> + 'static,
    ) -> Vec<O> {
        let converter = PLUGINS.converter(self.class, &self.config(), false);
        let mut converter = converter.unwrap();
        let work = async move {
            let mut outputs = Vec::with_capacity(inputs.len());
            for input in &inputs {
                let output = loop {
                    match call(converter.as_mut(), input) {
                        Err(error) if error.is_pending() => converter.resolve().await,
                        done => break done,
                    }
                };
                outputs.push(output.unwrap_or_else(|error| panic!("{error:?}")));
            }
            outputs
        };
        run(RuntimeKind::Epoll, None, work).unwrap()
    }
}
