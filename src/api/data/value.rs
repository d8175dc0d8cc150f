//! Values of the Connect data model, with or without a schema.

use bytes::Bytes;

use super::SchemaRef;

/// A value as Kafka Connect knows it: Java's boxed types, collections, [`Struct`] and the in-memory
/// forms of the logical types.
#[derive(Debug, Clone, PartialEq)]
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
    /// `java.util.Map`, in the order entries were put. Keys are unique.
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

/// A struct: one value per field of its schema, in field order.
#[derive(Debug, Clone, PartialEq)]
pub struct Struct {
    /// A schema of type struct.
    pub schema: SchemaRef,
    /// One value per field; [`Value::Null`] where unset.
    pub values: Vec<Value>,
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
