//! Connect values as dynamic messages (Confluent: `ProtobufData.fromConnectData`).

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, MapKey, MessageDescriptor,
    ReflectMessage as _, Value as Proto,
};

use super::compose::is_union;
use super::logical_message::{DATE, DECIMAL, TIME, TIMESTAMP, of_date, of_decimal, wrapped};
use super::names::simple_name;
use super::{ENUM, ProtobufSettings};
use crate::api::data::SchemaRef;
use crate::api::{ConnectError, Schema, SchemaType, Struct, Value};

/// Fills the message of a record with these settings.
#[derive(Debug)]
pub(super) struct Filler {
    pub(super) settings: ProtobufSettings,
    /// Whether there was a -0.0.
    pub(super) minus_zero: Cell<bool>,
}

type Filled<T> = Result<T, ConnectError>;

fn mismatch(kind: SchemaType, value: &Value) -> ConnectError {
    ConnectError::data(format!(
        "Invalid type for {}: class {}",
        kind.name(),
        value.java_class()
    ))
}

fn set_field(message: &mut DynamicMessage, field: &FieldDescriptor, value: Proto) -> Filled<()> {
    message
        .try_set_field(field, value)
        .map_err(|error| ConnectError::data(error.to_string()))
}

/// Whether a message can stand for the entry of a map.
fn is_entry(message: &MessageDescriptor) -> bool {
    let has = |name| message.get_field_by_name(name).is_some();
    has("key") && has("value")
}

impl Filler {
    /// The message of a record's value.
    ///
    /// # Errors
    /// The value does not fit its schema, or its schema the message.
    pub(super) fn root(
        &self,
        descriptor: &MessageDescriptor,
        schema: &SchemaRef,
        value: &Value,
    ) -> Filled<DynamicMessage> {
        match value {
            Value::Struct(inner) => self.structure(descriptor, schema, inner),
            value if wrapped(descriptor.full_name()).is_some() => {
                self.wrapper(descriptor, schema, value)
            }
            value => Err(mismatch(schema.kind(), value)),
        }
    }

    fn structure(
        &self,
        descriptor: &MessageDescriptor,
        schema: &SchemaRef,
        inner: &Struct,
    ) -> Filled<DynamicMessage> {
        let same = Arc::ptr_eq(&inner.schema, schema);
        if !same && inner.schema.fields() != schema.fields() {
            return Err(ConnectError::data("Mismatching struct schema"));
        }
        let mut message = DynamicMessage::new(descriptor.clone());
        for field in schema.fields() {
            let value = match self.settings.ignore_default {
                true => inner.values.get(field.index).unwrap_or(&Value::Null),
                false => inner.get_field(field),
            };
            self.set(&mut message, &field.name, &field.schema, value)
                .map_err(|error| in_field(&field.name, error))?;
        }
        Ok(message)
    }

    fn set(
        &self,
        message: &mut DynamicMessage,
        name: &str,
        schema: &SchemaRef,
        value: &Value,
    ) -> Filled<()> {
        if value.is_null() {
            return Ok(());
        }
        if is_union(schema) {
            return self.set_member(message, schema, value);
        }
        let name = simple_name(name, self.settings)?;
        let field = message.descriptor().get_field_by_name(&name);
        let field = field
            .ok_or_else(|| ConnectError::data(format!("Cannot find field with name {name}")))?;
        match self.field(&field, schema, value)? {
            Some(filled) => set_field(message, &field, filled),
            None => Ok(()),
        }
    }

    fn set_member(
        &self,
        message: &mut DynamicMessage,
        schema: &Schema,
        value: &Value,
    ) -> Filled<()> {
        let Value::Struct(union) = value else {
            return Err(mismatch(schema.kind(), value));
        };
        let members = union.schema.fields().iter();
        let mut members = members.map(|member| match self.settings.ignore_default {
            true => (
                member,
                union.values.get(member.index).unwrap_or(&Value::Null),
            ),
            false => (member, union.get_field(member)),
        });
        match members.find(|(_, value)| !value.is_null()) {
            Some((member, value)) => self
                .set(message, &member.name, &member.schema, value)
                .map_err(|error| in_field(&member.name, error)),
            None => Err(ConnectError::data("Cannot find non-null field")),
        }
    }

    /// The value of a field; `None` leaves it unset.
    fn field(
        &self,
        field: &FieldDescriptor,
        schema: &SchemaRef,
        value: &Value,
    ) -> Filled<Option<Proto>> {
        let kind = field.kind();
        match value {
            Value::Array(items) if field.is_list() => {
                let part = schema.value_schema();
                let part = part.ok_or_else(|| mismatch(schema.kind(), value))?;
                let items = items.iter().map(|item| self.item(&kind, part, item));
                let items = items.collect::<Filled<Vec<_>>>()?;
                Ok((!items.is_empty()).then_some(Proto::List(items)))
            }
            Value::Map(entries) if field.is_map() => {
                let map = self.map(&kind, schema, entries)?;
                Ok(Some(Proto::Map(map)))
            }
            Value::Map(entries) if field.is_list() => {
                let list = self.entries(&kind, schema, entries)?;
                Ok((!list.is_empty()).then_some(Proto::List(list)))
            }
            value if !field.is_list() && !field.is_map() => {
                self.single(&kind, schema, value).map(Some)
            }
            value => Err(mismatch(schema.kind(), value)),
        }
    }

    fn item(&self, kind: &Kind, schema: &SchemaRef, item: &Value) -> Filled<Proto> {
        if item.is_null() {
            return Err(ConnectError::data(
                "a null in a list has no form in Protobuf; take it out of the list",
            ));
        }
        self.single(kind, schema, item)
    }

    /// A map of Protobuf's own.
    fn map(
        &self,
        kind: &Kind,
        schema: &Schema,
        entries: &[(Value, Value)],
    ) -> Filled<HashMap<MapKey, Proto>> {
        let (entry, keys, values) = parts(kind, schema)?;
        let key_kind = entry.map_entry_key_field().kind();
        let value_kind = entry.map_entry_value_field().kind();
        let or_default = |kind: &Kind, schema: &SchemaRef, value: &Value| match value {
            Value::Null => Ok(Proto::default_value(kind)),
            value => self.single(kind, schema, value),
        };
        let mut map = HashMap::with_capacity(entries.len());
        for (key, value) in entries {
            let key = map_key(or_default(&key_kind, keys, key)?)?;
            map.insert(key, or_default(&value_kind, values, value)?);
        }
        Ok(map)
    }

    /// A map as a list of messages.
    fn entries(
        &self,
        kind: &Kind,
        schema: &Schema,
        entries: &[(Value, Value)],
    ) -> Filled<Vec<Proto>> {
        let (entry, keys, values) = parts(kind, schema)?;
        let fill = |(key, value): &(Value, Value)| {
            let mut message = DynamicMessage::new(entry.clone());
            self.set(&mut message, "key", keys, key)?;
            self.set(&mut message, "value", values, value)?;
            Ok(Proto::Message(message))
        };
        entries.iter().map(fill).collect()
    }

    fn single(&self, kind: &Kind, schema: &SchemaRef, value: &Value) -> Filled<Proto> {
        let is_minus_zero = match value {
            Value::Float32(number) => *number == 0.0 && number.is_sign_negative(),
            Value::Float64(number) => *number == 0.0 && number.is_sign_negative(),
            _ => false,
        };
        if is_minus_zero {
            self.minus_zero.set(true);
        }
        Ok(match (kind, value) {
            (Kind::Message(message), value) => {
                Proto::Message(self.message(message, schema, value)?)
            }
            (Kind::Enum(_), Value::Int32(number)) => Proto::EnumNumber(*number),
            (Kind::Enum(symbols), Value::String(symbol)) => {
                Proto::EnumNumber(symbol_number(symbols, schema, symbol)?)
            }
            (Kind::Bool, Value::Boolean(flag)) => Proto::Bool(*flag),
            (Kind::String, Value::String(text)) => Proto::String(text.clone()),
            (Kind::Bytes, Value::Bytes(bytes)) => Proto::Bytes(bytes.clone()),
            (Kind::Float, Value::Float32(number)) => Proto::F32(*number),
            (Kind::Double, Value::Float32(number)) => Proto::F64(f64::from(*number)),
            (Kind::Double, Value::Float64(number)) => Proto::F64(*number),
            (kind, value) => {
                let number = whole(value).ok_or_else(|| mismatch(schema.kind(), value))?;
                integer(kind, number).ok_or_else(|| {
                    ConnectError::data(format!(
                        "{number} of type {} does not fit the type {kind:?} of the field",
                        schema.kind().name()
                    ))
                })?
            }
        })
    }

    fn message(
        &self,
        descriptor: &MessageDescriptor,
        schema: &SchemaRef,
        value: &Value,
    ) -> Filled<DynamicMessage> {
        match (descriptor.full_name(), value) {
            (DECIMAL, Value::Decimal(decimal)) => of_decimal(descriptor, decimal),
            (DATE | TIME | TIMESTAMP, value) => of_date(descriptor, schema, value),
            (_, Value::Struct(inner)) => self.structure(descriptor, schema, inner),
            (name, value) if wrapped(name).is_some() => self.wrapper(descriptor, schema, value),
            (_, value) => Err(mismatch(schema.kind(), value)),
        }
    }

    fn wrapper(
        &self,
        descriptor: &MessageDescriptor,
        schema: &SchemaRef,
        value: &Value,
    ) -> Filled<DynamicMessage> {
        let mut message = DynamicMessage::new(descriptor.clone());
        let field = descriptor.get_field_by_name("value");
        let field = field.ok_or_else(|| mismatch(schema.kind(), value))?;
        let filled = self.single(&field.kind(), schema, value)?;
        set_field(&mut message, &field, filled)?;
        Ok(message)
    }
}

/// The number of a symbol in the message's enum, else that which the Connect schema says.
fn symbol_number(symbols: &EnumDescriptor, schema: &Schema, symbol: &str) -> Filled<i32> {
    let known = symbols.get_value_by_name(symbol);
    let known = known.map(|symbol| symbol.number());
    let parameters = schema.parameters();
    let given = parameters.and_then(|all| all.get(&format!("{ENUM}.{symbol}")));
    let given = given.and_then(|number| number.parse().ok());
    known.or(given).ok_or_else(|| {
        let name = symbols.full_name();
        ConnectError::data(format!("{symbol} is no symbol of the enum {name}"))
    })
}

fn in_field(name: &str, error: ConnectError) -> ConnectError {
    ConnectError::data(format!("field {name}: {error}"))
}

/// The message of a map's entries, and the schemas of keys and values.
fn parts<'a>(
    kind: &'a Kind,
    schema: &'a Schema,
) -> Filled<(&'a MessageDescriptor, &'a SchemaRef, &'a SchemaRef)> {
    match (kind, schema.key_schema(), schema.value_schema()) {
        (Kind::Message(entry), Some(keys), Some(values)) if is_entry(entry) => {
            Ok((entry, keys, values))
        }
        (_, Some(_), Some(_)) => Err(ConnectError::data("a map, but the field is none")),
        _ => Err(ConnectError::data(
            "a map without schemas for keys and values",
        )),
    }
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int8(number) => Some(i64::from(*number)),
        Value::Int16(number) => Some(i64::from(*number)),
        Value::Int32(number) => Some(i64::from(*number)),
        Value::Int64(number) => Some(*number),
        _ => None,
    }
}

/// A whole number of the field's type, if it fits. 64 bits without sign are those of Java's signed number.
fn integer(kind: &Kind, number: i64) -> Option<Proto> {
    Some(match kind {
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Proto::I32(i32::try_from(number).ok()?),
        Kind::Uint32 | Kind::Fixed32 => Proto::U32(u32::try_from(number).ok()?),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Proto::I64(number),
        Kind::Uint64 | Kind::Fixed64 => Proto::U64(number.cast_unsigned()),
        _ => return None,
    })
}

fn map_key(value: Proto) -> Filled<MapKey> {
    Ok(match value {
        Proto::Bool(flag) => MapKey::Bool(flag),
        Proto::I32(number) => MapKey::I32(number),
        Proto::I64(number) => MapKey::I64(number),
        Proto::U32(number) => MapKey::U32(number),
        Proto::U64(number) => MapKey::U64(number),
        Proto::String(text) => MapKey::String(text),
        _ => {
            return Err(ConnectError::data(
                "a map's key of a type that Protobuf does not allow",
            ));
        }
    })
}
