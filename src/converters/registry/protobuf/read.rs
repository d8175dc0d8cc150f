//! Dynamic messages to Connect values, along a plan (Confluent: `ProtobufData.toConnectData`).

use std::borrow::Cow;

use prost_reflect::{DynamicMessage, FieldDescriptor, MapKey, Value as Proto};

use super::connect::{Read, ReadEntry, ReadMessage};
use super::logical_message::{to_date, to_decimal, to_time, to_timestamp};
use crate::api::data::SchemaRef;
use crate::api::data::java_hash::{self, UniqueEntries};
use crate::api::{ConnectError, SchemaType, Struct, Value};
use crate::converters::registry::limits::ABSENT_VALUES_MAX;

type Decoded = Result<Value, ConnectError>;

fn mismatch(kind: &str) -> ConnectError {
    ConnectError::data(format!("Invalid type for {kind} in a Protobuf message"))
}

/// How many values without any bytes the rest of a record may still have.
pub(super) struct Budget {
    absent_left: usize,
}

impl Budget {
    /// That of a record.
    pub(super) fn of_record() -> Self {
        Self {
            absent_left: ABSENT_VALUES_MAX,
        }
    }

    fn spend(&mut self) -> Result<(), ConnectError> {
        self.absent_left = self.absent_left.checked_sub(1).ok_or_else(|| {
            ConnectError::data(format!(
                "the record leaves out more than {ABSENT_VALUES_MAX} fields of its messages; so many are \
                 not supported in one record"
            ))
        })?;
        Ok(())
    }
}

impl Read {
    /// The value of a whole message.
    ///
    /// # Errors
    /// A part of it is out of range.
    pub(super) fn message(&self, message: &DynamicMessage, budget: &mut Budget) -> Decoded {
        match self {
            Self::Message(schema, plan) => plan.value(schema, message, budget),
            Self::Decimal => to_decimal(message),
            Self::Date => to_date(message),
            Self::Time => to_time(message),
            Self::Timestamp => to_timestamp(message),
            Self::Wrapped(kind) => match message.get_field_by_name("value") {
                Some(value) => scalar(*kind, &value),
                None => Err(mismatch(kind.name())),
            },
            _ => Err(mismatch("STRUCT")),
        }
    }

    fn value(&self, value: &Proto, budget: &mut Budget) -> Decoded {
        match (self, value) {
            (_, Proto::Message(message)) => self.message(message, budget),
            (Self::Scalar(kind), value) => scalar(*kind, value),
            (Self::Enum(_, true), Proto::EnumNumber(number)) => Ok(Value::Int32(*number)),
            (Self::Enum(symbols, false), Proto::EnumNumber(number)) => {
                let unknown = || format!("UNKNOWN_ENUM_VALUE_{}_{number}", symbols.name());
                let symbol = symbols.get_value(*number);
                let symbol = symbol.map_or_else(unknown, |symbol| symbol.name().to_owned());
                Ok(Value::String(symbol))
            }
            (Self::List(items), Proto::List(values)) => {
                let values = values.iter().map(|value| items.value(value, budget));
                Ok(Value::Array(values.collect::<Result<_, _>>()?))
            }
            (Self::Map(entry), Proto::Map(entries)) => {
                let mut sorted: Vec<(&MapKey, &Proto)> = entries.iter().collect();
                // The message keeps no order; within a bucket of Java's map it has to be some.
                sorted.sort_unstable_by_key(|(key, _)| *key);
                let mut read = Vec::with_capacity(sorted.len());
                for (key, value) in sorted {
                    let key = entry.key.value(&Proto::from(key.clone()), budget)?;
                    read.push((key, entry.value.value(value, budget)?));
                }
                java_hash::sort_entries(&mut read, java_hash::DEFAULT_CAPACITY);
                Ok(Value::Map(read))
            }
            (Self::Map(entry), Proto::List(messages)) => entry.map(messages, budget),
            _ => Err(mismatch("a field")),
        }
    }
}

impl ReadEntry {
    /// A map from a list of its entries.
    fn map(&self, messages: &[Proto], budget: &mut Budget) -> Decoded {
        let mut unique = UniqueEntries::default();
        for message in messages {
            let message = message.as_message().ok_or_else(|| mismatch("MAP"))?;
            let key = present(message, &self.key_field, budget)?;
            let key = self.key.value(&key, budget)?;
            let value = present(message, &self.value_field, budget)?;
            unique.put(key, self.value.value(&value, budget)?);
        }
        let mut entries = unique.into_entries();
        java_hash::sort_entries(&mut entries, java_hash::DEFAULT_CAPACITY);
        Ok(Value::Map(entries))
    }
}

/// A field's value, or what stands for one that is left out.
fn present<'a>(
    message: &'a DynamicMessage,
    field: &FieldDescriptor,
    budget: &mut Budget,
) -> Result<Cow<'a, Proto>, ConnectError> {
    if !message.has_field(field) {
        budget.spend()?;
    }
    Ok(message.get_field(field))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "Java narrows with byteValue and shortValue"
)]
fn scalar(kind: SchemaType, value: &Proto) -> Decoded {
    Ok(match (kind, value) {
        (SchemaType::Int8, Proto::I32(number)) => Value::Int8(*number as i8),
        (SchemaType::Int16, Proto::I32(number)) => Value::Int16(*number as i16),
        (SchemaType::Int32, Proto::I32(number)) => Value::Int32(*number),
        (SchemaType::Int64, Proto::I64(number)) => Value::Int64(*number),
        (SchemaType::Int64, Proto::U32(number)) => Value::Int64(i64::from(*number)),
        // Java has no unsigned numbers: the same bits.
        (SchemaType::Int64, Proto::U64(number)) => Value::Int64(number.cast_signed()),
        (SchemaType::Float32, Proto::F32(number)) => Value::Float32(*number),
        (SchemaType::Float64, Proto::F64(number)) => Value::Float64(*number),
        (SchemaType::Boolean, Proto::Bool(flag)) => Value::Boolean(*flag),
        (SchemaType::String, Proto::String(text)) => Value::String(text.clone()),
        (SchemaType::Bytes, Proto::Bytes(bytes)) => Value::Bytes(bytes.clone()),
        (kind, _) => return Err(mismatch(kind.name())),
    })
}

impl ReadMessage {
    fn value(&self, schema: &SchemaRef, message: &DynamicMessage, budget: &mut Budget) -> Decoded {
        // A message without fields has a size, too.
        if self.fields.is_empty() {
            budget.spend()?;
        }
        let mut values = vec![Value::Null; schema.fields().len()];
        for union in &self.unions {
            let mut members = union.members.iter();
            let set = members.find(|(_, field, _)| message.has_field(field));
            let Some((index, field, read)) = set else {
                budget.spend()?;
                continue;
            };
            let mut members = vec![Value::Null; union.members.len()];
            for _ in 1..members.len() {
                budget.spend()?;
            }
            let value = read.value(&message.get_field(field), budget);
            put(&mut members, *index, value, field.name())?;
            let value = structure(&union.schema, members);
            put(&mut values, union.index, Ok(value), field.name())?;
        }
        for plan in &self.fields {
            if message.has_field(&plan.field) {
                let value = plan.read.value(&message.get_field(&plan.field), budget);
                put(&mut values, plan.index, value, plan.field.name())?;
                continue;
            }
            budget.spend()?;
            if plan.required {
                return Err(ConnectError::data(format!(
                    "Message missing required fields: {}",
                    plan.field.name()
                )));
            }
            if plan.always {
                let value = plan.read.value(&message.get_field(&plan.field), budget);
                put(&mut values, plan.index, value, plan.field.name())?;
            }
        }
        Ok(structure(schema, values))
    }
}

fn put(values: &mut [Value], index: usize, value: Decoded, name: &str) -> Result<(), ConnectError> {
    let value = value.map_err(|error| ConnectError::data(format!("field {name}: {error}")))?;
    if let Some(slot) = values.get_mut(index) {
        *slot = value;
    }
    Ok(())
}

fn structure(schema: &SchemaRef, values: Vec<Value>) -> Value {
    Value::Struct(Box::new(Struct {
        schema: SchemaRef::clone(schema),
        values,
    }))
}
