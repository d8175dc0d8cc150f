//! Wraps the whole key or value into a struct or map of one field (Kafka: `HoistField`).

use super::hash_map::HashMap;
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, ParsedConfig};
use crate::api::data::SchemaRef;
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, Struct,
    Transformation, Value,
};

const FIELD: &str = "field";

/// Wraps keys or values.
#[derive(Debug)]
pub struct HoistField {
    part: Part,
    field: String,
    schemas: SchemaCache<SchemaRef>,
}

impl OfPart for HoistField {
    const CLASSES: Classes = kafka_classes!("HoistField");

    fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(ConfigKey::string(FIELD).doc("Name of the one field of the struct or map."))
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            part,
            field: config.str(FIELD)?.to_owned(),
            schemas: SchemaCache::default(),
        })
    }
}

impl HoistField {
    fn hoisted(&mut self, data: SchemaAndValue) -> Result<SchemaAndValue, ConnectError> {
        let SchemaAndValue { schema, value } = data;
        let Some(schema) = schema else {
            let mut map = HashMap::new();
            map.put(&self.field, value);
            return Ok(SchemaAndValue::schemaless(map.into_value()));
        };
        let field = &self.field;
        let updated = self.schemas.get(&schema, |_| {
            let builder = SchemaBuilder::structure().field(field, SchemaRef::clone(&schema))?;
            Ok(builder.build())
        })?;
        let mut inner = Struct::new(SchemaRef::clone(updated))?;
        inner.put_at(0, value)?;
        Ok(SchemaAndValue::new(
            SchemaRef::clone(updated),
            Value::Struct(Box::new(inner)),
        ))
    }
}

impl Transformation for HoistField {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let data = self.part.take(&mut record);
        *self.part.of_mut(&mut record) = self.hoisted(data)?;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SchemaType;
    use crate::transforms::list::made_for_test;
    use crate::transforms::test_records::{
        failure, map, optional, required, shown, text, value_after,
    };

    #[test]
    fn a_value_becomes_the_only_field() {
        let mut hoist = made_for_test("HoistField$Value", &[("field", "x")]).unwrap();
        let schemaless = SchemaAndValue::schemaless(text("v"));
        let after = value_after(&mut *hoist, schemaless);
        assert_eq!(after, SchemaAndValue::schemaless(map(&[("x", text("v"))])));
        let after = value_after(&mut *hoist, SchemaAndValue::NULL);
        assert_eq!(
            after,
            SchemaAndValue::schemaless(map(&[("x", Value::Null)]))
        );
        for value in ["a", "b"] {
            let typed = SchemaAndValue::new(required(SchemaType::String), text(value));
            let after = value_after(&mut *hoist, typed);
            let expected = format!("x: Schema{{STRING}} = String(\"{value}\")");
            assert_eq!(shown(&after), [expected]);
        }
    }

    #[test]
    fn null_needs_an_optional_schema() {
        let mut hoist = made_for_test("HoistField$Value", &[("field", "x")]).unwrap();
        let null = |schema| SchemaAndValue::new(schema, Value::Null);
        let after = value_after(&mut *hoist, null(optional(SchemaType::Int8)));
        assert_eq!(shown(&after), ["x: Schema{INT8}? = Null"]);
        assert_eq!(
            failure(&mut *hoist, null(required(SchemaType::Int8))),
            "DataException: Invalid value: null used for required field: \"x\", schema type: INT8"
        );
    }
}
