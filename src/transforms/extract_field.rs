//! Puts one field in the place of the whole key or value (Kafka: `ExtractField`).

use super::config::{REPLACE_NULL, replace_null};
use super::field_path::{FieldPath, syntax_version};
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_struct};
use crate::api::config_def::{ConfigDef, ConfigKey, ParsedConfig};
use crate::api::data::SchemaRef;
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, Transformation, Value,
};

const PURPOSE: &str = "field extraction";
const FIELD: &str = "field";

/// Extracts a field of keys or values.
#[derive(Debug)]
pub struct ExtractField {
    part: Part,
    path: FieldPath,
    /// The path as it was written.
    text: String,
    replace_null: bool,
}

impl OfPart for ExtractField {
    const CLASSES: Classes = kafka_classes!("ExtractField");

    fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::string(FIELD).doc("Name of the field, or the path to it."))
            .define(replace_null())
            .define(syntax_version())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let text = config.str(FIELD)?;
        Ok(Self {
            part,
            path: FieldPath::parse(text, config)?,
            text: text.to_owned(),
            replace_null: config.bool(REPLACE_NULL)?,
        })
    }
}

impl ExtractField {
    fn extracted(&self, data: SchemaAndValue) -> Result<SchemaAndValue, ConnectError> {
        let SchemaAndValue { schema, value } = data;
        let Some(schema) = schema else {
            let value = match value {
                Value::Null => Value::Null,
                value => self.path.value_in_map(require_map(value, PURPOSE)?)?,
            };
            return Ok(SchemaAndValue::schemaless(value));
        };
        let inner = match value {
            Value::Null => None,
            value => Some(require_struct(value, PURPOSE)?),
        };
        let field = self.path.field(&schema)?.ok_or_else(|| {
            ConnectError::connect(format!("Unknown field: {}", self.text))
                .with_class("java.lang.IllegalArgumentException")
        })?;
        let value = match inner {
            None => Value::Null,
            Some(inner) => self.path.value_in(inner, self.replace_null)?,
        };
        Ok(SchemaAndValue::new(SchemaRef::clone(&field.schema), value))
    }
}

impl Transformation for ExtractField {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let data = self.part.take(&mut record);
        *self.part.of_mut(&mut record) = self.extracted(data)?;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SchemaType;
    use crate::transforms::list::made_for_test;
    use crate::transforms::test_records::{
        defaulted, failure, map, required, structure, text, value_after,
    };

    fn extract(entries: &[(&str, &str)]) -> Box<dyn Transformation> {
        made_for_test("ExtractField$Value", entries).unwrap()
    }

    #[test]
    fn a_field_takes_the_place_of_its_map() {
        let nested = map(&[
            ("a", map(&[("b", text("x"))])),
            ("a.b", text("y")),
            ("c", text("z")),
        ]);
        let nested = SchemaAndValue::schemaless(nested);
        let after = |entries: &[(&str, &str)]| value_after(&mut *extract(entries), nested.clone());
        let plain = |value| SchemaAndValue::schemaless(value);
        assert_eq!(after(&[("field", "a.b")]), plain(text("y")));
        assert_eq!(after(&[("field", "none")]), plain(Value::Null));
        let v2 = ("field.syntax.version", "v2");
        assert_eq!(after(&[("field", "a.b"), v2]), plain(text("x")));
        assert_eq!(after(&[("field", "`a.b`"), v2]), plain(text("y")));
        assert_eq!(after(&[("field", "n.b"), v2]), plain(Value::Null));
        assert_eq!(
            failure(&mut *extract(&[("field", "c.d"), v2]), nested.clone()),
            "DataException: Only Map objects supported in absence of schema for [nested field access], found: java.lang.String"
        );
        assert_eq!(
            failure(&mut *extract(&[("field", ""), v2]), nested.clone()),
            "IllegalArgumentException: fromIndex(0) > toIndex(-1)"
        );
    }

    #[test]
    fn a_field_takes_the_place_of_its_struct_with_its_schema() {
        let inner = structure(&[(
            "b",
            defaulted(SchemaType::Int8, Value::Int8(5)),
            Value::Null,
        )]);
        let outer = structure(&[
            ("a", inner.schema.clone().unwrap(), inner.value),
            ("c", required(SchemaType::String), text("x")),
        ]);
        let v2 = ("field.syntax.version", "V2");
        let after = |entries: &[(&str, &str)]| value_after(&mut *extract(entries), outer.clone());
        let c = after(&[("field", "c")]);
        assert_eq!(
            c,
            SchemaAndValue::new(required(SchemaType::String), text("x"))
        );
        assert_eq!(after(&[("field", "a.b"), v2]).value, Value::Int8(5));
        let keep = ("replace.null.with.default", "false");
        assert_eq!(after(&[("field", "a.b"), v2, keep]).value, Value::Null);
        let failed = |path| failure(&mut *extract(&[("field", path), v2]), outer.clone());
        assert_eq!(
            failed("a.x"),
            "IllegalArgumentException: Unknown field: a.x"
        );
        assert_eq!(
            failed("x.y"),
            "IllegalArgumentException: Unknown field: x.y"
        );
        assert_eq!(
            failed("c.y"),
            "DataException: Cannot look up fields on non-struct type"
        );
        assert_eq!(
            failure(&mut *extract(&[("field", "a.b")]), outer.clone()),
            "IllegalArgumentException: Unknown field: a.b"
        );
    }

    #[test]
    fn null_stays_null_with_the_schema_of_the_field() {
        let mut extract = extract(&[("field", "a")]);
        assert_eq!(
            value_after(&mut *extract, SchemaAndValue::NULL),
            SchemaAndValue::NULL
        );
        let mut typed = structure(&[("a", required(SchemaType::Int8), Value::Int8(1))]);
        typed.value = Value::Null;
        let after = value_after(&mut *extract, typed);
        assert_eq!(
            after,
            SchemaAndValue::new(required(SchemaType::Int8), Value::Null)
        );
        let text_schema = SchemaAndValue::new(required(SchemaType::String), text("x"));
        assert_eq!(
            failure(&mut *extract, text_schema),
            "DataException: Only Struct objects supported for [field extraction], found: java.lang.String"
        );
        let null_text = SchemaAndValue::new(required(SchemaType::String), Value::Null);
        assert_eq!(
            failure(&mut *extract, null_text),
            "DataException: Cannot look up fields on non-struct type"
        );
    }
}
