//! Converts timestamps between text, Unix time and Connect's Date, Time and Timestamp (Kafka:
//! `TimestampConverter`).

use std::sync::Arc;

use super::cast::struct_fields;
use super::config::{REPLACE_NULL, replace_null};
use super::fields::carried;
use super::hash_map::HashMap;
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_struct};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, ParsedConfig, Validator};
use crate::api::data::logical_type::{self, MILLIS_PER_DAY};
use crate::api::data::simple_date_format::SimpleDateFormat;
use crate::api::data::{Field, Schema, SchemaRef, logical};
use crate::api::{
    ConnectError, ConnectRecord, RecordOrigin, SchemaAndValue, SchemaBuilder, SchemaType,
    Transformation, Value,
};

const PURPOSE: &str = "converting timestamp formats";
const FIELD: &str = "field";
const TARGET_TYPE: &str = "target.type";
const FORMAT: &str = "format";
const UNIX_PRECISION: &str = "unix.precision";

/// The forms of a timestamp, by the words of `target.type`.
const FORMS: [(&str, Form); 5] = [
    ("string", Form::Text),
    ("unix", Form::Unix),
    ("Date", Form::Date),
    ("Time", Form::Time),
    ("Timestamp", Form::Timestamp),
];

/// The words of `unix.precision`.
const PRECISIONS: [(&str, Precision); 4] = [
    ("nanoseconds", Precision::Finer(1_000_000)),
    ("microseconds", Precision::Finer(1000)),
    ("milliseconds", Precision::Finer(1)),
    ("seconds", Precision::Seconds),
];

/// How a timestamp is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Unix,
    Date,
    Time,
    Timestamp,
}

impl Form {
    fn schema(self, optional: bool) -> SchemaRef {
        let builder = match self {
            Self::Text => SchemaBuilder::new(SchemaType::String),
            Self::Unix => SchemaBuilder::new(SchemaType::Int64),
            Self::Date => logical_type::date_schema(),
            Self::Time => logical_type::time_schema(),
            Self::Timestamp => logical_type::timestamp_schema(),
        };
        match optional {
            true => builder.optional().build(),
            false => builder.build(),
        }
    }

    /// By the schema of what is to be converted.
    fn of_schema(schema: &Schema) -> Result<Self, ConnectError> {
        Ok(match (schema.name(), schema.kind()) {
            (Some(logical::TIMESTAMP), _) => Self::Timestamp,
            (Some(logical::DATE), _) => Self::Date,
            (Some(logical::TIME), _) => Self::Time,
            (_, SchemaType::String) => Self::Text,
            (_, SchemaType::Int64) => Self::Unix,
            _ => {
                return Err(ConnectError::connect(format!(
                    "Schema {schema} does not correspond to a known timestamp type format"
                )));
            }
        })
    }

    /// By the class of what is to be converted.
    fn of_value(value: &Value) -> Result<Self, ConnectError> {
        Ok(match value {
            Value::Date(_) | Value::Time(_) | Value::Timestamp(_) => Self::Timestamp,
            Value::Int64(_) => Self::Unix,
            Value::String(_) => Self::Text,
            other => {
                return Err(ConnectError::data(format!(
                    "TimestampConverter does not support class {} objects as timestamps",
                    other.java_class()
                )));
            }
        })
    }
}

/// The unit of Unix time. Numbers that become too large stop at the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Seconds,
    /// So many to a millisecond.
    Finer(i64),
}

impl Precision {
    fn to_millis(self, unix: i64) -> i64 {
        match self {
            Self::Seconds => unix.saturating_mul(1000),
            Self::Finer(each) => unix / each,
        }
    }

    fn of_millis(self, millis: i64) -> i64 {
        match self {
            Self::Seconds => millis / 1000,
            Self::Finer(each) => millis.saturating_mul(each),
        }
    }
}

/// From one form to another.
#[derive(Debug)]
struct Conversion {
    target: Form,
    format: Option<SimpleDateFormat>,
    precision: Precision,
}

impl Conversion {
    /// Null stays null.
    fn convert(&self, value: Value, form: Form) -> Result<Value, ConnectError> {
        if value.is_null() {
            return Ok(value);
        }
        let millis = self.read(&value, form)?;
        Ok(match self.target {
            Form::Text => Value::String(self.format()?.format(millis)),
            Form::Unix => Value::Int64(self.precision.of_millis(millis)),
            Form::Date => {
                let day = millis.div_euclid(MILLIS_PER_DAY);
                Value::Date(day.wrapping_mul(MILLIS_PER_DAY))
            }
            Form::Time => Value::Time(millis.rem_euclid(MILLIS_PER_DAY)),
            Form::Timestamp => Value::Timestamp(millis),
        })
    }

    /// Milliseconds since the epoch.
    fn read(&self, value: &Value, form: Form) -> Result<i64, ConnectError> {
        let (expected, class) = match (form, value) {
            (Form::Text, Value::String(text)) => return self.parse(text),
            (Form::Unix, Value::Int64(unix)) => return Ok(self.precision.to_millis(*unix)),
            (
                Form::Date | Form::Time | Form::Timestamp,
                Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis),
            ) => return Ok(*millis),
            (Form::Text, _) => ("string timestamp", "String"),
            (Form::Unix, _) => ("Unix timestamp", "Long"),
            (Form::Date, _) => ("Date", "java.util.Date"),
            (Form::Time, _) => ("Time", "java.util.Date"),
            (Form::Timestamp, _) => ("Timestamp", "java.util.Date"),
        };
        Err(ConnectError::data(format!(
            "Expected {expected} to be a {class}, but found class {}",
            value.java_class()
        )))
    }

    fn parse(&self, text: &str) -> Result<i64, ConnectError> {
        let format = self.format()?;
        format.parse(text).map_err(|unparseable| {
            let pattern = format.pattern();
            ConnectError::data(format!(
                "Could not parse timestamp: value ({text}) does not match pattern ({pattern})"
            ))
            .with_source(unparseable)
        })
    }

    /// Java runs into a null pointer where text comes and no format was given.
    fn format(&self) -> Result<&SimpleDateFormat, ConnectError> {
        self.format.as_ref().ok_or_else(|| {
            ConnectError::connect(
                "Cannot invoke \"java.text.SimpleDateFormat.parse(String)\" because \"config.format\" is null",
            )
            .with_class("java.lang.NullPointerException")
        })
    }
}

/// The transformation.
#[derive(Debug)]
pub struct TimestampConverter {
    part: Part,
    /// `None` for the whole key or value.
    field: Option<String>,
    conversion: Conversion,
    replace_null: bool,
    schemas: SchemaCache<SchemaRef>,
}

impl OfPart for TimestampConverter {
    const CLASSES: Classes = kafka_classes!("TimestampConverter");

    fn config_def() -> ConfigDef {
        ConfigDef::new()
            .define(
                ConfigKey::string(FIELD)
                    .default("")
                    .importance(Importance::High)
                    .doc("The field with the timestamp; empty if the whole key or value is one."),
            )
            .define(
                ConfigKey::string(TARGET_TYPE)
                    .validator(Validator::one_of(FORMS.map(|(word, _)| word)))
                    .importance(Importance::High)
                    .doc("The form that is wanted: string, unix, Date, Time, or Timestamp."),
            )
            .define(
                ConfigKey::string(FORMAT)
                    .default("")
                    .doc("Pattern of a timestamp in text, as <code>java.text.SimpleDateFormat</code> has them, to print or to parse; UTC."),
            )
            .define(
                ConfigKey::string(UNIX_PRECISION)
                    .default("milliseconds")
                    .validator(Validator::one_of(PRECISIONS.map(|(word, _)| word)))
                    .importance(Importance::Low)
                    .doc("Unit of Unix time, both read and written: seconds, milliseconds, microseconds, or nanoseconds. What is finer than a millisecond is lost."),
            )
            .define(replace_null())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let target = word(&FORMS, config.str(TARGET_TYPE)?)?;
        let pattern = config.str(FORMAT)?;
        let is_blank = pattern.chars().all(|character| character <= ' ');
        if target == Form::Text && is_blank {
            return Err(ConnectError::config(
                "TimestampConverter requires format option to be specified when using string timestamps",
            ));
        }
        let format = (!is_blank).then(|| format(pattern)).transpose()?;
        let field = config.str(FIELD)?;
        Ok(Self {
            part,
            field: (!field.is_empty()).then(|| field.to_owned()),
            conversion: Conversion {
                target,
                format,
                precision: word(&PRECISIONS, config.str(UNIX_PRECISION)?)?,
            },
            replace_null: config.bool(REPLACE_NULL)?,
            schemas: SchemaCache::default(),
        })
    }
}

/// What a word stands for. The definition lets no other pass.
fn word<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, ConnectError> {
    let found = words.iter().find(|(word, _)| *word == text);
    found
        .map(|(_, meaning)| *meaning)
        .ok_or_else(|| ConnectError::connect(format!("Unsupported timestamp type: {text}")))
}

fn format(pattern: &str) -> Result<SimpleDateFormat, ConnectError> {
    let now = jiff::Timestamp::now().as_millisecond();
    SimpleDateFormat::new(pattern, now).map_err(|illegal| {
        ConnectError::config(format!(
            "Invalid value java.lang.IllegalArgumentException: {illegal} for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: {pattern}"
        ))
        .with_source(illegal)
    })
}

impl TimestampConverter {
    fn schemaless(&self, value: Value) -> Result<SchemaAndValue, ConnectError> {
        let convert = |value: Value| {
            if value.is_null() {
                return Ok(value);
            }
            let form = Form::of_value(&value)?;
            self.conversion.convert(value, form)
        };
        let Some(name) = self.field.as_ref().filter(|_| !value.is_null()) else {
            return Ok(SchemaAndValue::schemaless(convert(value)?));
        };
        let mut map = HashMap::copy_of(require_map(value, PURPOSE)?);
        let old = map
            .get_mut(name)
            .map(|value| std::mem::replace(value, Value::Null));
        let new = convert(old.unwrap_or(Value::Null))?;
        map.put(name, new);
        Ok(SchemaAndValue::schemaless(map.into_value()))
    }

    fn with_schema(
        &mut self,
        schema: &SchemaRef,
        value: Value,
    ) -> Result<SchemaAndValue, ConnectError> {
        let Self {
            field,
            conversion,
            schemas,
            ..
        } = self;
        let Some(name) = field.as_deref() else {
            let updated = conversion.target.schema(schema.is_optional());
            let value = conversion.convert(value, Form::of_schema(schema)?)?;
            return Ok(SchemaAndValue::new(updated, value));
        };
        let inner = match value {
            Value::Null => None,
            value => Some(require_struct(value, PURPOSE)?),
        };
        let target = conversion.target;
        let updated = schemas.get(schema, |schema| updated_schema(schema, name, target))?;
        let Some(mut inner) = inner else {
            return Ok(SchemaAndValue::new(SchemaRef::clone(updated), Value::Null));
        };
        for (old, (new, value)) in inner
            .schema
            .fields()
            .iter()
            .zip(updated.fields().iter().zip(&mut inner.values))
        {
            let taken = std::mem::replace(value, Value::Null);
            *value = if old.name == name {
                let read = or_default(taken, old, self.replace_null);
                let converted = conversion.convert(read, Form::of_schema(&old.schema)?)?;
                new.validate(&converted)?;
                converted
            } else {
                carried(taken, old, self.replace_null)?
            };
        }
        inner.schema = Arc::clone(updated);
        Ok(SchemaAndValue::new(
            SchemaRef::clone(&inner.schema),
            Value::Struct(inner),
        ))
    }
}

fn or_default(value: Value, field: &Field, replace_null: bool) -> Value {
    match field.schema.default() {
        Some(default) if replace_null && value.is_null() => default.clone(),
        _ => value,
    }
}

/// The struct stays optional if it was. It has no default to keep: no struct schema has one here.
fn updated_schema(schema: &Schema, name: &str, target: Form) -> Result<SchemaRef, ConnectError> {
    let mut builder = SchemaBuilder::structure().basics_of(schema);
    for field in struct_fields(schema)? {
        let new = if field.name == name {
            target.schema(field.schema.is_optional())
        } else {
            SchemaRef::clone(&field.schema)
        };
        builder = builder.field(&field.name, new)?;
    }
    if schema.is_optional() {
        builder = builder.optional();
    }
    Ok(builder.build())
}

impl Transformation for TimestampConverter {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let SchemaAndValue { schema, value } = self.part.take(&mut record);
        let changed = match schema {
            None => self.schemaless(value)?,
            Some(schema) => self.with_schema(&schema, value)?,
        };
        *self.part.of_mut(&mut record) = changed;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::parse;
    use super::super::test_records::{
        config, failure, map, named, optional, required, shown, structure, text, value_after,
    };
    use super::*;

    fn converter(entries: &[(&str, &str)]) -> Result<TimestampConverter, ConnectError> {
        let parsed = parse(&TimestampConverter::config_def(), &config(entries))?;
        TimestampConverter::new(Part::Value, &parsed)
    }

    #[test]
    fn a_field_changes_its_form_and_stays_optional() {
        let mut to_text = converter(&[
            ("target.type", "string"),
            ("field", "ts"),
            ("format", "yyyy-MM-dd HH:mm:ss"),
        ])
        .unwrap();
        let data = structure(&[
            (
                "ts",
                optional(SchemaType::Int64),
                Value::Int64(1_700_000_000_000),
            ),
            ("n", required(SchemaType::Int8), Value::Int8(1)),
        ]);
        let changed = value_after(&mut to_text, data);
        assert!(changed.schema.as_ref().unwrap().is_optional());
        assert_eq!(
            shown(&changed),
            [
                "ts: Schema{STRING}? = String(\"2023-11-14 22:13:20\")",
                "n: Schema{INT8} = Int8(1)",
            ]
        );
    }

    #[test]
    fn schemaless_text_becomes_unix_time_in_the_wanted_unit() {
        let mut to_unix = converter(&[
            ("target.type", "unix"),
            ("field", "ts"),
            ("format", "yyyy-MM-dd"),
            ("unix.precision", "seconds"),
        ])
        .unwrap();
        let data = SchemaAndValue::schemaless(map(&[("ts", text("1970-01-02 and more"))]));
        let expected = SchemaAndValue::schemaless(map(&[("ts", Value::Int64(86_400))]));
        assert_eq!(value_after(&mut to_unix, data), expected);
        let wrong = SchemaAndValue::schemaless(map(&[("ts", text("never"))]));
        assert_eq!(
            failure(&mut to_unix, wrong),
            "DataException: Could not parse timestamp: value (never) does not match pattern (yyyy-MM-dd)"
        );
    }

    #[test]
    fn a_pattern_must_be_there_and_right_when_text_is_wanted() {
        for (format, expected) in [
            (
                "  ",
                "ConfigException: TimestampConverter requires format option to be specified when using string timestamps",
            ),
            (
                "bbb",
                "ConfigException: Invalid value java.lang.IllegalArgumentException: Illegal pattern character 'b' for configuration TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: bbb",
            ),
        ] {
            let made = converter(&[("target.type", "string"), ("format", format)]);
            assert_eq!(named(&made.unwrap_err()), expected);
        }
    }
}
