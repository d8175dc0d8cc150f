//! What stands in a dead letter: bytes of the record, and headers that say what happened.

use crate::api::data::text;
use crate::api::{ConfigMap, ConnectError, Converter, SchemaAndValue, SourceMap, SourceRecord};
use crate::clients::FetchedRecords;
use crate::converters::JsonConverter;
use crate::record::RecordRef;
use crate::task::conversion::Converters;
use crate::task::errors::Stage;

/// The header of a source's record whose value was left out, since no producer takes it.
pub(super) const OMITTED: &str = "__connect.errors.value.omitted.bytes";

/// A failure, as context headers tell it.
#[derive(Debug, Clone, Copy)]
pub(in crate::task::errors) struct Failed<'a> {
    pub(in crate::task::errors) stage: Stage,
    pub(in crate::task::errors) class: &'a str,
    pub(in crate::task::errors) error: &'a ConnectError,
}

/// Names and texts of context headers. What is not known is left out: some clients stumble over headers
/// without a value.
pub(super) type Context = Vec<(&'static str, String)>;

/// Most look-ups of a schema for one part of a letter: one that is new, and one that was forgotten since.
const LOOKUPS_MAX: usize = 2;

/// Who writes.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) connector: String,
    pub(super) task: u32,
}

impl Sender {
    /// Of a consumed record (Kafka: `DeadLetterQueueReporter.populateContextHeaders`).
    pub(super) fn of_consumed(
        &self,
        fetched: &FetchedRecords,
        record: &RecordRef,
        failed: &Failed<'_>,
    ) -> Context {
        let source = &fetched.source;
        let mut context = vec![
            ("__connect.errors.topic", source.topic.to_string()),
            ("__connect.errors.partition", source.partition.to_string()),
            ("__connect.errors.offset", record.offset.to_string()),
        ];
        self.append_failure(failed, &mut context);
        context
    }

    /// Of a source's record. Topic and partition are those that it was for; Kafka has no such letters,
    /// and the last two headers are ours.
    pub(super) fn of_source(&self, record: &SourceRecord, failed: &Failed<'_>) -> Context {
        let json = |map: Option<&SourceMap>| serde_json::to_string(map?).ok();
        let mut context = vec![("__connect.errors.topic", record.record.topic.to_string())];
        let add = |name: &'static str, text: Option<String>, context: &mut Context| {
            context.extend(text.map(|text| (name, text)));
        };
        let partition = record.record.kafka_partition;
        add(
            "__connect.errors.partition",
            partition.map(|partition| partition.to_string()),
            &mut context,
        );
        self.append_failure(failed, &mut context);
        add(
            "__connect.errors.source.partition",
            json(record.source_partition.as_deref()),
            &mut context,
        );
        add(
            "__connect.errors.source.offset",
            json(record.source_offset.as_deref()),
            &mut context,
        );
        context
    }

    fn append_failure(&self, failed: &Failed<'_>, context: &mut Context) {
        let Failed {
            stage,
            class,
            error,
        } = failed;
        let more = [
            ("__connect.errors.connector.name", self.connector.clone()),
            ("__connect.errors.task.id", self.task.to_string()),
            ("__connect.errors.stage", stage.name().to_owned()),
            ("__connect.errors.class.name", (*class).to_owned()),
            (
                "__connect.errors.exception.class.name",
                error.java_class().to_owned(),
            ),
            (
                "__connect.errors.exception.message",
                error.message().to_owned(),
            ),
            ("__connect.errors.exception.stacktrace", error.trace()),
        ];
        context.extend(more);
    }
}

/// A source's record as bytes.
#[derive(Debug)]
pub(super) struct SourceLetter {
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Makes bytes of records that may have failed in their converters.
#[derive(Default)]
pub(super) struct Renderer {
    json: Option<JsonConverter>,
}

impl Renderer {
    /// The record as the source gave it: each part through its converter, which may look up a schema, and
    /// what the converter refuses as JSON without schema, or as text.
    pub(super) async fn letter(
        &mut self,
        source: &SourceRecord,
        converters: Option<&mut Converters>,
    ) -> SourceLetter {
        let record = &source.record;
        let topic = &record.topic;
        let Some(converters) = converters else {
            return SourceLetter {
                key: self.render(topic, &record.key),
                value: self.render(topic, &record.value),
                headers: Vec::new(),
            };
        };
        let mut headers = Vec::with_capacity(record.headers.len());
        for header in &record.headers {
            let mut out = Vec::new();
            let SchemaAndValue { schema, value } = &header.value;
            let converter = &mut converters.header;
            let written =
                converter.write_header(topic, &header.key, schema.as_ref(), value, &mut out);
            let bytes = match written {
                Ok(present) => present.then_some(out),
                Err(_) => self.render(topic, &header.value),
            };
            headers.push((header.key.clone(), bytes));
        }
        SourceLetter {
            key: self.part(&mut *converters.key, topic, &record.key).await,
            value: self
                .part(&mut *converters.value, topic, &record.value)
                .await,
            headers,
        }
    }

    async fn part(
        &mut self,
        converter: &mut dyn Converter,
        topic: &str,
        data: &SchemaAndValue,
    ) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for _ in 0..=LOOKUPS_MAX {
            out.clear();
            match converter.write(topic, data.schema.as_ref(), &data.value, &mut out) {
                Ok(present) => return present.then_some(out),
                Err(error) if error.is_pending() => converter.resolve().await,
                Err(_) => break,
            }
        }
        self.render(topic, data)
    }

    fn render(&mut self, topic: &str, data: &SchemaAndValue) -> Option<Vec<u8>> {
        if data.value.is_null() {
            return None;
        }
        if self.json.is_none() {
            let mut config = ConfigMap::new();
            config.insert("schemas.enable".to_owned(), Some("false".to_owned()));
            self.json = JsonConverter::new(&config, false).ok();
        }
        let mut out = Vec::new();
        let json = self.json.as_mut();
        let written =
            json.map(|json| json.write(topic, data.schema.as_ref(), &data.value, &mut out));
        if let Some(Ok(true)) = written {
            return Some(out);
        }
        out.clear();
        text::append(&data.value, &mut out);
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;
    use crate::api::{ErrorKind, HeaderConverter, SchemaBuilder, SchemaType, Value};
    use crate::task::errors::origin::tests::{fetched, source_record};

    fn sender() -> Sender {
        Sender {
            connector: "c".to_owned(),
            task: 4,
        }
    }

    #[test]
    fn context_headers_have_kafkas_names_order_and_texts() {
        let error = ConnectError::data("bad bytes");
        let failed = Failed {
            stage: Stage::ValueConverter,
            class: "org.x.Json",
            error: &error,
        };
        let fetched = fetched();
        let context = sender().of_consumed(&fetched, &fetched.records[0], &failed);
        let told: Vec<(&str, &str)> = context
            .iter()
            .map(|(name, text)| {
                (
                    name.strip_prefix("__connect.errors.").unwrap(),
                    text.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("topic", "t"),
                ("partition", "3"),
                ("offset", "7"),
                ("connector.name", "c"),
                ("task.id", "4"),
                ("stage", "VALUE_CONVERTER"),
                ("class.name", "org.x.Json"),
                (
                    "exception.class.name",
                    "org.apache.kafka.connect.errors.DataException"
                ),
                ("exception.message", "bad bytes"),
                ("exception.stacktrace", error.trace().as_str()),
            ]
        );
        let context = sender().of_source(&source_record(), &failed);
        let names: Vec<&str> = context.iter().map(|(name, _)| *name).collect();
        assert_eq!(
            names[..2],
            ["__connect.errors.topic", "__connect.errors.connector.name"]
        );
        assert_eq!(
            context[8..],
            [
                (
                    "__connect.errors.source.partition",
                    r#"{"filename":"f"}"#.to_owned()
                ),
                (
                    "__connect.errors.source.offset",
                    r#"{"position":5}"#.to_owned()
                ),
            ]
        );
    }

    /// Refuses everything.
    struct Refuses;

    impl Converter for Refuses {
        fn class_name(&self) -> &'static str {
            "Refuses"
        }

        fn write(
            &mut self,
            _: &str,
            _: Option<&crate::api::data::SchemaRef>,
            _: &Value,
            _: &mut Vec<u8>,
        ) -> Result<bool, ConnectError> {
            Err(ConnectError::data("no"))
        }

        fn read(&mut self, _: &str, _: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
            Err(ConnectError::data("no"))
        }
    }

    impl HeaderConverter for Refuses {
        fn class_name(&self) -> &'static str {
            "Refuses"
        }

        fn write_header(
            &mut self,
            _: &str,
            _: &str,
            _: Option<&crate::api::data::SchemaRef>,
            _: &Value,
            _: &mut Vec<u8>,
        ) -> Result<bool, ConnectError> {
            Err(ConnectError::data("no"))
        }

        fn read_header(
            &mut self,
            _: &str,
            _: &str,
            _: Option<&[u8]>,
        ) -> Result<SchemaAndValue, ConnectError> {
            Err(ConnectError::data("no"))
        }
    }

    fn letter_of(record: &SourceRecord, converters: &mut Converters) -> SourceLetter {
        let mut renderer = Renderer::default();
        let letter = renderer.letter(record, Some(converters));
        letter.now_or_never().unwrap()
    }

    /// Knows a schema once it was looked up, as converters with a registry do.
    struct LooksUp {
        lookups: usize,
        forgets: bool,
    }

    impl Converter for LooksUp {
        fn class_name(&self) -> &'static str {
            "LooksUp"
        }

        fn resolve(&mut self) -> crate::api::LocalFuture<'_, ()> {
            self.lookups += 1;
            Box::pin(std::future::ready(()))
        }

        fn write(
            &mut self,
            _: &str,
            _: Option<&crate::api::data::SchemaRef>,
            _: &Value,
            out: &mut Vec<u8>,
        ) -> Result<bool, ConnectError> {
            if self.lookups == 0 || self.forgets {
                return Err(ConnectError::new(
                    ErrorKind::Pending,
                    "a schema is looked up",
                ));
            }
            out.extend_from_slice(b"with schema 1");
            Ok(true)
        }

        fn read(&mut self, _: &str, _: Option<&[u8]>) -> Result<SchemaAndValue, ConnectError> {
            Err(ConnectError::data("no"))
        }
    }

    #[test]
    fn a_schema_that_is_not_known_is_looked_up_for_a_letter_too() {
        let mut converters = Converters {
            key: Box::new(LooksUp {
                lookups: 0,
                forgets: false,
            }),
            value: Box::new(LooksUp {
                lookups: 0,
                forgets: true,
            }),
            header: Box::new(Refuses),
        };
        let letter = letter_of(&source_record(), &mut converters);
        assert_eq!(letter.key.as_deref(), Some(&b"with schema 1"[..]));
        // Looking up leads nowhere: it ends, and the record is told as JSON.
        assert_eq!(letter.value.as_deref(), Some(&br#"{"a":1}"#[..]));
    }

    #[test]
    fn what_a_converter_refuses_is_json_and_what_json_refuses_is_text() {
        let mut converters = Converters {
            key: Box::new(JsonConverter::new(&ConfigMap::new(), true).unwrap()),
            value: Box::new(Refuses),
            header: Box::new(Refuses),
        };
        let mut record = source_record();
        let letter = letter_of(&record, &mut converters);
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8(bytes.clone().unwrap()).unwrap();
        assert_eq!(
            text(&letter.key),
            r#"{"schema":{"type":"string","optional":false},"payload":"k"}"#
        );
        assert_eq!(text(&letter.value), r#"{"a":1}"#);
        assert_eq!(letter.headers.len(), 1);
        assert_eq!(text(&letter.headers[0].1), "true");

        record.record.value = SchemaAndValue::new(
            SchemaBuilder::new(SchemaType::Int32).build(),
            Value::String("no number".to_owned()),
        );
        let letter = letter_of(&record, &mut converters);
        assert_eq!(text(&letter.value), "no number");
        record.record.value = SchemaAndValue::NULL;
        let letter = letter_of(&record, &mut converters);
        assert_eq!(letter.value, None);
    }
}
