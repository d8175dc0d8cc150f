//! Values of the Connect data model, with or without a schema.

use bytes::Bytes;

use super::{Field, SchemaRef, SchemaType, validate};
use crate::api::error::ConnectError;

/// A value as Kafka Connect knows it: Java's boxed types, collections, [`Struct`] and the in-memory
/// forms of the logical types.
///
/// Two values are equal where Java's `equals` finds them so: NaN equals itself, 0.0 is not −0.0, and a
/// decimal equals those of the same scale only. Byte arrays are compared by content.
#[derive(Debug, Clone)]
pub enum Value {
    /// Java `null`.
    Null,
    /// `java.lang.Boolean`.
    Boolean(bool),
    /// `java.lang.Byte`.
    Int8(i8),
    /// `java.lang.Short`.
    Int16(i16),
    /// `java.lang.Integer`.
    Int32(i32),
    /// `java.lang.Long`.
    Int64(i64),
    /// `java.lang.Float`.
    Float32(f32),
    /// `java.lang.Double`.
    Float64(f64),
    /// `java.lang.String`.
    String(String),
    /// `byte[]` or `java.nio.ByteBuffer`.
    Bytes(Bytes),
    /// `java.util.List`.
    Array(Vec<Value>),
    /// `java.util.Map`, in the order in which the Java map iterates (see [`super::java_hash`]). Keys
    /// are unique.
    Map(Vec<(Value, Value)>),
    /// A struct with its schema.
    Struct(Box<Struct>),
    /// `java.math.BigDecimal` (logical Decimal).
    Decimal(bigdecimal::BigDecimal),
    /// `java.util.Date` under a Date schema: milliseconds since the epoch, UTC.
    Date(i64),
    /// `java.util.Date` under a Time schema: milliseconds since the epoch, UTC.
    Time(i64),
    /// `java.util.Date` under a Timestamp schema: milliseconds since the epoch, UTC.
    Timestamp(i64),
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Boolean(one), Self::Boolean(other)) => one == other,
            (Self::Int8(one), Self::Int8(other)) => one == other,
            (Self::Int16(one), Self::Int16(other)) => one == other,
            (Self::Int32(one), Self::Int32(other)) => one == other,
            (Self::Float32(one), Self::Float32(other)) => {
                one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
            }
            (Self::Float64(one), Self::Float64(other)) => {
                one.to_bits() == other.to_bits() || (one.is_nan() && other.is_nan())
            }
            (Self::String(one), Self::String(other)) => one == other,
            (Self::Bytes(one), Self::Bytes(other)) => one == other,
            (Self::Array(one), Self::Array(other)) => one == other,
            (Self::Map(one), Self::Map(other)) => one == other,
            (Self::Struct(one), Self::Struct(other)) => one == other,
            (Self::Decimal(one), Self::Decimal(other)) => {
                one.as_bigint_and_scale() == other.as_bigint_and_scale()
            }
            (Self::Int64(one), Self::Int64(other))
            | (Self::Date(one), Self::Date(other))
            | (Self::Time(one), Self::Time(other))
            | (Self::Timestamp(one), Self::Timestamp(other)) => one == other,
            _ => false,
        }
    }
}

impl Value {
    /// Name of the Java class, as `Class.getName` gives it.
    pub fn java_class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "java.lang.Boolean",
            Self::Int8(_) => "java.lang.Byte",
            Self::Int16(_) => "java.lang.Short",
            Self::Int32(_) => "java.lang.Integer",
            Self::Int64(_) => "java.lang.Long",
            Self::Float32(_) => "java.lang.Float",
            Self::Float64(_) => "java.lang.Double",
            Self::String(_) => "java.lang.String",
            Self::Bytes(_) => "[B",
            Self::Array(_) => "java.util.ArrayList",
            Self::Map(_) => "java.util.HashMap",
            Self::Struct(_) => "org.apache.kafka.connect.data.Struct",
            Self::Decimal(_) => "java.math.BigDecimal",
            Self::Date(_) | Self::Time(_) | Self::Timestamp(_) => "java.util.Date",
        }
    }

    /// The type that Java infers from the class of a schemaless value (Kafka:
    /// `ConnectSchema.schemaType`). `None` for null, decimals and dates.
    pub fn schema_type(&self) -> Option<SchemaType> {
        Some(match self {
            Self::Boolean(_) => SchemaType::Boolean,
            Self::Int8(_) => SchemaType::Int8,
            Self::Int16(_) => SchemaType::Int16,
            Self::Int32(_) => SchemaType::Int32,
            Self::Int64(_) => SchemaType::Int64,
            Self::Float32(_) => SchemaType::Float32,
            Self::Float64(_) => SchemaType::Float64,
            Self::String(_) => SchemaType::String,
            Self::Bytes(_) => SchemaType::Bytes,
            Self::Array(_) => SchemaType::Array,
            Self::Map(_) => SchemaType::Map,
            Self::Struct(_) => SchemaType::Struct,
            Self::Null | Self::Decimal(_) | Self::Date(_) | Self::Time(_) | Self::Timestamp(_) => {
                return None;
            }
        })
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Milliseconds since the epoch of a `java.util.Date`.
    pub fn date_millis(&self) -> Option<i64> {
        match self {
            Self::Date(millis) | Self::Time(millis) | Self::Timestamp(millis) => Some(*millis),
            _ => None,
        }
    }
}

/// A struct: one value per field of its schema, in field order.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    /// A schema of type struct.
    pub schema: SchemaRef,
    /// One value per field; [`Value::Null`] where unset.
    pub values: Vec<Value>,
}

impl Struct {
    /// A struct with every field unset.
    ///
    /// # Errors
    /// "Not a struct schema: …" for a schema of another type.
    pub fn new(schema: SchemaRef) -> Result<Self, ConnectError> {
        if schema.kind() != SchemaType::Struct {
            return Err(ConnectError::data(format!("Not a struct schema: {schema}")));
        }
        let values = vec![Value::Null; schema.fields().len()];
        Ok(Self { schema, values })
    }

    /// The value of a field, or the field's default when it is null.
    ///
    /// # Errors
    /// "… is not a valid field name".
    pub fn get(&self, name: &str) -> Result<&Value, ConnectError> {
        self.lookup(name).map(|field| self.get_field(field))
    }

    /// As [`Struct::get`] for a field of this struct's schema.
    pub fn get_field<'a>(&'a self, field: &'a Field) -> &'a Value {
        match self.values.get(field.index) {
            Some(value) if !value.is_null() => value,
            _ => field.schema.default().unwrap_or(&Value::Null),
        }
    }

    /// The value of a field as it was put, null when unset.
    ///
    /// # Errors
    /// "… is not a valid field name".
    pub fn get_without_default(&self, name: &str) -> Result<&Value, ConnectError> {
        let index = self.lookup(name)?.index;
        Ok(self.values.get(index).unwrap_or(&Value::Null))
    }

    /// Sets a field after checking the value against the field's schema.
    ///
    /// # Errors
    /// "… is not a valid field name", or why the value does not fit.
    pub fn put(&mut self, name: &str, value: Value) -> Result<&mut Self, ConnectError> {
        let index = self.lookup(name)?.index;
        self.put_at(index, value)
    }

    /// As [`Struct::put`] for the field at `index`.
    ///
    /// # Errors
    /// Why the value does not fit, "field cannot be null." for an index out of range.
    pub fn put_at(&mut self, index: usize, value: Value) -> Result<&mut Self, ConnectError> {
        let (Some(field), Some(slot)) =
            (self.schema.fields().get(index), self.values.get_mut(index))
        else {
            return Err(ConnectError::data("field cannot be null."));
        };
        validate::field(&field.name, &field.schema, &value)?;
        *slot = value;
        Ok(self)
    }

    /// Checks every field; an unset field with a default passes.
    ///
    /// # Errors
    /// Why the first bad field does not fit.
    pub fn validate(&self) -> Result<(), ConnectError> {
        for (field, value) in self.schema.fields().iter().zip(&self.values) {
            let lenient = field.schema.is_optional() || field.schema.default().is_some();
            if value.is_null() && lenient {
                continue;
            }
            validate::field(&field.name, &field.schema, value)?;
        }
        Ok(())
    }

    fn lookup(&self, name: &str) -> Result<&Field, ConnectError> {
        self.schema
            .field(name)
            .ok_or_else(|| ConnectError::data(format!("{name} is not a valid field name")))
    }
}

/// A value and its schema, if it has one.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaAndValue {
    /// `None` for schemaless data.
    pub schema: Option<SchemaRef>,
    /// The value.
    pub value: Value,
}

impl SchemaAndValue {
    /// No schema, null: what a tombstone or an absent key reads as.
    pub const NULL: Self = Self {
        schema: None,
        value: Value::Null,
    };
}

impl SchemaAndValue {
    /// A value with its schema.
    pub fn new(schema: SchemaRef, value: Value) -> Self {
        Self {
            schema: Some(schema),
            value,
        }
    }

    /// A schemaless value.
    pub fn schemaless(value: Value) -> Self {
        Self {
            schema: None,
            value,
        }
    }
}
