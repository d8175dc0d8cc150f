//! JSON Schema (Confluent: `JsonSchemaConverter`, `JsonSchemaData`).
//!
//! `compose` makes a JSON Schema of a Connect schema, `connect` the other way; `keywords` says what a JSON
//! Schema is made of. Data is JSON, read and written along the Connect schema (`read`, `write`); what has
//! no parts goes through JsonConverter's code.

mod compose;
mod connect;
mod keywords;
mod read;
mod write;

#[cfg(test)]
mod tests;

use serde_json::Value as Json;

use self::write::JsonWriter;
use super::format::{Format, RegistrySchema};
use crate::api::config_def::{ConfigKey, Importance, ParsedConfig, Validator};
use crate::api::data::SchemaRef;
use crate::api::{ConnectError, SchemaAndValue, Value};
use crate::converters::config::serialization_error;
use crate::converters::json::access::JsonBuffer;

/// Name of a struct that stands for `oneOf`; its fields are called `….field.0` and so on.
const ONE_OF: &str = "io.confluent.connect.json.OneOf";
/// Parameter of a string that stands for an enum; with `.` and a symbol: the symbol.
const ENUM: &str = "io.confluent.connect.json.Enum";
/// How an enum's null is called in a parameter.
const NULL_SYMBOL: &str = "<NULL>";
/// Parameters that begin with it say what the JSON Schema says itself.
const NAMESPACE: &str = "io.confluent.connect.json";

/// The switches of `JsonSchemaDataConfig`.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
struct JsonSettings {
    /// `object.additional.properties`.
    additional_properties: bool,
    /// `use.optional.for.nonrequired`.
    optional_for_nonrequired: bool,
    /// `decimal.format=NUMERIC`.
    numeric_decimals: bool,
    /// `flatten.singleton.unions`.
    flatten_singletons: bool,
    /// `ignore.default.for.nullables`.
    ignore_default: bool,
}

/// JSON Schema with its settings.
#[derive(Debug)]
pub struct JsonSchemaFormat {
    settings: JsonSettings,
}

/// Reads data of one schema.
#[derive(Debug)]
pub struct JsonSchemaReader {
    schema: SchemaRef,
}

impl Format for JsonSchemaFormat {
    const CLASS: &'static str = "io.confluent.connect.json.JsonSchemaConverter";
    const NOUN: &'static str = "JSON";
    const SCHEMA_TYPE: &'static str = "JSON";

    type Reader = JsonSchemaReader;
    type Writer = ();

    fn keys() -> Vec<ConfigKey> {
        let flag = |name: &str, default: bool, doc: &str| {
            let key = ConfigKey::boolean(name).default(default);
            key.importance(Importance::Low).doc(doc)
        };
        vec![
            flag(
                "object.additional.properties",
                true,
                "Whether schemas of structs allow members that they do not name.",
            ),
            flag(
                "use.optional.for.nonrequired",
                false,
                "Whether a property that is not required reads as an optional field.",
            ),
            ConfigKey::string("decimal.format")
                .default("BASE64")
                .validator(Validator::one_of_ignore_case(["BASE64", "NUMERIC"]))
                .importance(Importance::Low)
                .doc("How decimals are written: BASE64 or NUMERIC."),
            flag(
                "flatten.singleton.unions",
                true,
                "Whether oneOf, anyOf and allOf of one schema read as that schema.",
            ),
            flag(
                "ignore.default.for.nullables",
                false,
                "Whether null stays null in an optional field that has a default.",
            ),
            flag(
                "ignore.modern.dialects",
                false,
                "Accepted; every dialect is read by the keywords that the dialects share.",
            ),
            super::settings::refused(
                "preserve.additional.properties",
                "false",
                "members that the schema does not name are left out",
            ),
            super::settings::refused(
                "json.fail.invalid.schema",
                "false",
                "values are not validated against their JSON Schema beyond their types",
            ),
        ]
    }

    fn new(config: &ParsedConfig) -> Result<Self, ConnectError> {
        let settings = JsonSettings {
            additional_properties: config.bool("object.additional.properties")?,
            optional_for_nonrequired: config.bool("use.optional.for.nonrequired")?,
            numeric_decimals: config
                .str("decimal.format")?
                .eq_ignore_ascii_case("NUMERIC"),
            flatten_singletons: config.bool("flatten.singleton.unions")?,
            ignore_default: config.bool("ignore.default.for.nullables")?,
        };
        Ok(Self { settings })
    }

    fn read_failure(topic: &str) -> String {
        format!(
            "Converting byte[] to Kafka Connect data failed due to serialization error of topic {topic}: "
        )
    }

    fn write_failure(topic: &str) -> String {
        format!(
            "Converting Kafka Connect data to byte[] failed due to serialization error of topic {topic}: "
        )
    }

    /// A required null without a default is Kafka's null; an optional one is JSON's.
    fn is_null(&self, schema: Option<&SchemaRef>, value: &Value) -> Result<bool, ConnectError> {
        let Some(schema) = schema.filter(|_| value.is_null()) else {
            return Ok(value.is_null());
        };
        let has_default = schema.default().is_some() && !self.settings.ignore_default;
        Ok(!has_default && !schema.is_optional())
    }

    fn compose(&self, schema: Option<&SchemaRef>) -> Result<RegistrySchema, ConnectError> {
        let schema = schema.ok_or_else(|| {
            ConnectError::data(
                "a record without a schema cannot be written with JSON Schema; use \
                 org.apache.kafka.connect.json.JsonConverter with schemas.enable=false, or a source that \
                 gives schemas",
            )
        })?;
        let json = compose::compose(schema, self.settings)?;
        Ok(RegistrySchema::of_text(json.to_string()))
    }

    fn record_name(&self, schema: &RegistrySchema) -> Result<Option<String>, ConnectError> {
        let json = parse(&schema.text)?;
        Ok(json.get("title").and_then(Json::as_str).map(str::to_owned))
    }

    fn check_reads(
        &self,
        latest: &RegistrySchema,
        own: &RegistrySchema,
    ) -> Result<(), ConnectError> {
        if parse(&latest.text)? == parse(&own.text)? {
            return Ok(());
        }
        Err(ConnectError::data(
            "JSON Schemas that differ are not compared any closer",
        ))
    }

    fn reader(
        &self,
        schema: &RegistrySchema,
        version: i32,
    ) -> Result<JsonSchemaReader, ConnectError> {
        let root = parse(&schema.text)?;
        let others = schema.resolved.iter();
        let others = others.map(|(name, text)| Ok((name.clone(), parse(text)?)));
        let others = others.collect::<Result<Vec<_>, ConnectError>>()?;
        let schema = connect::connect(&root, &others, version, self.settings)?;
        Ok(JsonSchemaReader { schema })
    }

    fn writer(&self, _: Option<&SchemaRef>, _: &RegistrySchema) -> Result<(), ConnectError> {
        Ok(())
    }

    fn read(&self, reader: &JsonSchemaReader, data: &[u8]) -> Result<SchemaAndValue, ConnectError> {
        let mut buffer = JsonBuffer::default();
        let (text, root) = buffer.parse(data)?;
        let Some(root) = root else {
            return Ok(SchemaAndValue::NULL);
        };
        let value = read::Read { text }.value(&reader.schema, Some(root))?;
        Ok(SchemaAndValue::new(SchemaRef::clone(&reader.schema), value))
    }

    fn write(
        &self,
        (): &(),
        schema: Option<&SchemaRef>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), ConnectError> {
        let schema = schema.ok_or_else(|| ConnectError::data("a record without a schema"))?;
        let writer = JsonWriter {
            settings: self.settings,
        };
        writer.value(schema, value, out).map(|_| ())
    }
}

fn parse(text: &str) -> Result<Json, ConnectError> {
    serde_json::from_str(text)
        .map_err(|error| serialization_error(format!("not a JSON Schema: {error}")))
}
