//! Puts nothing, or a fixed text or number, in the place of what a field holds (Kafka: `MaskField`).

use std::collections::HashSet;

use bigdecimal::BigDecimal;

use super::config::{REPLACE_NULL, replace_null};
use super::fields::carried;
use super::hash_map::HashMap;
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_struct};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, ParsedConfig, Validator};
use crate::api::data::java_hash::{DEFAULT_CAPACITY, capacity_for_copy, sort_entries};
use crate::api::data::{Schema, SchemaRef, values};
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, Transformation, Value,
};

const PURPOSE: &str = "mask fields";
const FIELDS: &str = "fields";
const REPLACEMENT: &str = "replacement";

/// What the configured replacement is as each type, made once.
#[derive(Debug)]
struct Replacement {
    text: String,
    /// `None` if the text is no number.
    number: Option<Number>,
}

#[derive(Debug)]
struct Number {
    decimal: BigDecimal,
    long: i64,
    double: f64,
}

impl Replacement {
    fn of(text: &str) -> Self {
        let number = values::parse_decimal(text).map(|decimal| Number {
            long: values::decimal_to_long(&decimal),
            double: values::decimal_to_double(&decimal),
            decimal,
        });
        Self {
            text: text.to_owned(),
            number,
        }
    }

    /// The replacement with the type of a value that is not null.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "Java's narrowing casts wrap whole numbers and round others"
    )]
    fn for_value(&self, value: &Value) -> Result<Value, ConnectError> {
        let number = || {
            self.number
                .as_ref()
                .ok_or_else(|| self.no_number("a number"))
        };
        Ok(match value {
            Value::Int8(_) => Value::Int8(number()?.long as i8),
            Value::Int16(_) => Value::Int16(number()?.long as i16),
            Value::Int32(_) => Value::Int32(number()?.long as i32),
            Value::Int64(_) => Value::Int64(number()?.long),
            Value::Float32(_) => Value::Float32(number()?.double as f32),
            Value::Float64(_) => Value::Float64(number()?.double),
            Value::String(_) => Value::String(self.text.clone()),
            Value::Decimal(_) => match &self.number {
                Some(number) => Value::Decimal(number.decimal.clone()),
                None => return Err(self.no_number("number")),
            },
            other => {
                return Err(ConnectError::data(format!(
                    "Cannot mask value of type class {} with custom replacement.",
                    other.java_class()
                )));
            }
        })
    }

    fn no_number(&self, what: &str) -> ConnectError {
        let text = &self.text;
        ConnectError::data(format!(
            "Unable to convert {text} (class java.lang.String) to {what}"
        ))
    }
}

/// Masks fields of keys or values.
#[derive(Debug)]
pub struct MaskField {
    part: Part,
    /// In the order in which Java's set of them iterates.
    fields: Vec<String>,
    replacement: Option<Replacement>,
    replace_null: bool,
    /// For each field of a schema, whether it is to be masked.
    masks: SchemaCache<Vec<bool>>,
}

impl OfPart for MaskField {
    const CLASSES: Classes = kafka_classes!("MaskField");

    fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::list(FIELDS)
                    .validator(Validator::non_empty_list())
                    .importance(Importance::High)
                    .doc("Names of the fields to mask."),
            )
            .define(
                ConfigKey::string(REPLACEMENT)
                    .default_null()
                    .validator(Validator::non_empty_string())
                    .importance(Importance::Low)
                    .doc(
                        "Text or number to put there, for fields that hold texts or numbers; zero, false or nothing \
                         without it.",
                    ),
            )
            .define(replace_null())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        Ok(Self {
            part,
            fields: in_set_order(config.list(FIELDS)?),
            replacement: config.opt_str(REPLACEMENT)?.map(Replacement::of),
            replace_null: config.bool(REPLACE_NULL)?,
            masks: SchemaCache::default(),
        })
    }
}

/// Names in the order of a Java `HashSet` made of their list.
fn in_set_order(names: &[String]) -> Vec<String> {
    let key = |name: &String| (Value::String(name.clone()), Value::Null);
    let mut entries: Vec<_> = names.iter().map(key).collect();
    let capacity = capacity_for_copy(entries.len()).max(DEFAULT_CAPACITY);
    sort_entries(&mut entries, capacity);
    let name = |(key, _)| match key {
        Value::String(name) => Some(name),
        _ => None,
    };
    entries.into_iter().filter_map(name).collect()
}

impl MaskField {
    fn schemaless(&self, value: Value) -> Result<Value, ConnectError> {
        let mut map = HashMap::copy_of(require_map(value, PURPOSE)?);
        for name in &self.fields {
            match map.get_mut(name) {
                Some(value) => *value = masked(value, self.replacement.as_ref())?,
                None => map.put(name, Value::Null),
            }
        }
        Ok(map.into_value())
    }

    fn with_schema(&mut self, value: Value) -> Result<Value, ConnectError> {
        let mut inner = require_struct(value, PURPOSE)?;
        let schema = SchemaRef::clone(&inner.schema);
        let (masks, replacement) = (&mut self.masks, self.replacement.as_ref());
        let masks = masks.get(&schema, |schema| Ok(masks_of(schema, &self.fields)))?;
        let fields = schema.fields().iter().zip(masks);
        for ((field, mask), value) in fields.zip(&mut inner.values) {
            if *mask {
                let read = match field.schema.default() {
                    Some(default) if value.is_null() && self.replace_null => default,
                    _ => &*value,
                };
                let masked = masked(read, replacement)?;
                field.validate(&masked)?;
                *value = masked;
            } else if value.is_null() {
                *value = carried(Value::Null, field, self.replace_null)?;
            }
        }
        Ok(Value::Struct(inner))
    }
}

/// For each field of a schema, whether it is one of these.
fn masks_of(schema: &Schema, names: &[String]) -> Vec<bool> {
    let names: HashSet<&String> = names.iter().collect();
    let fields = schema.fields().iter();
    fields.map(|field| names.contains(&field.name)).collect()
}

fn masked(value: &Value, replacement: Option<&Replacement>) -> Result<Value, ConnectError> {
    match replacement {
        Some(replacement) if !value.is_null() => replacement.for_value(value),
        _ => nothing(value),
    }
}

/// What stands for nothing in the type of a value.
fn nothing(value: &Value) -> Result<Value, ConnectError> {
    Ok(match value {
        Value::Boolean(_) => Value::Boolean(false),
        Value::Int8(_) => Value::Int8(0),
        Value::Int16(_) => Value::Int16(0),
        Value::Int32(_) => Value::Int32(0),
        Value::Int64(_) => Value::Int64(0),
        Value::Float32(_) => Value::Float32(0.0),
        Value::Float64(_) => Value::Float64(0.0),
        Value::String(_) => Value::String(String::new()),
        Value::Array(_) => Value::Array(Vec::new()),
        Value::Map(_) => Value::Map(Vec::new()),
        Value::Decimal(_) => Value::Decimal(BigDecimal::from(0)),
        Value::Date(_) => Value::Date(0),
        Value::Time(_) => Value::Time(0),
        Value::Timestamp(_) => Value::Timestamp(0),
        Value::Null => Value::Null,
        Value::Bytes(_) | Value::Struct(_) => {
            return Err(ConnectError::data(format!(
                "Cannot mask value of type: class {}",
                value.java_class()
            )));
        }
    })
}

impl Transformation for MaskField {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let SchemaAndValue { schema, value } = self.part.take(&mut record);
        *self.part.of_mut(&mut record) = match schema {
            None => SchemaAndValue::schemaless(self.schemaless(value)?),
            Some(schema) => SchemaAndValue::new(schema, self.with_schema(value)?),
        };
        Ok(Some(record))
    }
}

#[cfg(test)]
#[path = "mask_field_tests.rs"]
mod tests;
