//! Names of messages and fields, from and to those of Connect.

use std::borrow::Cow;

use super::ProtobufSettings;
use crate::api::{ConnectError, Schema, SchemaType};
use crate::converters::registry::names::{is_valid, scrub};

/// Name of structs without one, before their number.
pub(super) const DEFAULT_NAME: &str = "ConnectDefault";
/// What the names of the messages end with that are the entries of maps.
const ENTRY: &str = "Entry";

/// Names of types that a message cannot have, since a field with them would be a number or a text.
const SCALARS: [&str; 17] = [
    "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32",
    "fixed64", "sfixed32", "sfixed64", "bool", "string", "bytes", "group", "map",
];

/// A name as Protobuf allows it.
///
/// # Errors
/// It is none, and names are not scrubbed.
pub(super) fn simple_name(
    name: &str,
    settings: ProtobufSettings,
) -> Result<Cow<'_, str>, ConnectError> {
    if settings.scrub {
        return Ok(match name.starts_with('_') {
            true => Cow::Owned(format!("x{}", scrub(name))),
            false => scrub(name),
        });
    }
    if is_valid(name) {
        return Ok(Cow::Borrowed(name));
    }
    Err(ConnectError::data(format!(
        "{name:?} is no name in Protobuf, where names consist of letters, digits and _; \
         scrub.invalid.names=true replaces what else there is"
    )))
}

/// The last part of a struct's or enum's name as that of a type; `None` without a name.
///
/// # Errors
/// It is no name in Protobuf.
pub(super) fn type_name(
    full_name: Option<&str>,
    settings: ProtobufSettings,
) -> Result<Option<String>, ConnectError> {
    let last = full_name.and_then(|name| name.rsplit('.').next());
    let Some(last) = last.filter(|last| !last.is_empty()) else {
        return Ok(None);
    };
    let mut name = simple_name(last, settings)?.into_owned();
    if SCALARS.contains(&name.as_str()) {
        name.push_str("Message");
    }
    Ok(Some(name))
}

/// Full name of the message that a record's schema stands for.
///
/// # Errors
/// Protobuf has no message for it.
pub(super) fn message_name(
    schema: &Schema,
    settings: ProtobufSettings,
) -> Result<String, ConnectError> {
    if schema.kind() != SchemaType::Struct {
        return Ok(format!("google.protobuf.{}", wrapper(schema.kind(), None)?));
    }
    let name = schema.name().filter(|name| !name.is_empty());
    let Some(name) = name else {
        return Ok(format!("{DEFAULT_NAME}1"));
    };
    let parts = name.split('.').map(|part| simple_name(part, settings));
    let parts: Result<Vec<_>, _> = parts.collect();
    Ok(parts?.join("."))
}

/// The message that is the entry of a map with this name: `foo_bar` makes `FooBarEntry`.
pub(super) fn entry_name(map: &str) -> String {
    if !map.contains('_') {
        return format!("{map}{ENTRY}");
    }
    let mut name = String::with_capacity(map.len() + ENTRY.len());
    for word in map.split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.extend(letters.map(|letter| letter.to_ascii_lowercase()));
    }
    name.push_str(ENTRY);
    name
}

/// The name of the map whose entry is called so, the other way round; packages stay as they are.
pub(super) fn map_name(entry: &str) -> String {
    let (scope, last) = match entry.rsplit_once('.') {
        Some((scope, last)) => (format!("{scope}."), last),
        None => (String::new(), entry),
    };
    let Some(last) = last.strip_suffix(ENTRY) else {
        return entry.to_owned();
    };
    let mut name = scope;
    for (index, letter) in last.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// Whether the entry of a map may be called so.
pub(super) fn is_entry_name(message: &str) -> bool {
    message.ends_with(ENTRY)
}

/// The wrapper message of a type.
///
/// # Errors
/// There is none.
pub(super) fn wrapper(kind: SchemaType, typed: Option<&str>) -> Result<&'static str, ConnectError> {
    Ok(match (kind, typed) {
        (SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32, _) => "Int32Value",
        (SchemaType::Int64, Some("uint32" | "fixed32")) => "UInt32Value",
        (SchemaType::Int64, Some("uint64" | "fixed64")) => "UInt64Value",
        (SchemaType::Int64, _) => "Int64Value",
        (SchemaType::Float32, _) => "FloatValue",
        (SchemaType::Float64, _) => "DoubleValue",
        (SchemaType::Boolean, _) => "BoolValue",
        (SchemaType::String, _) => "StringValue",
        (SchemaType::Bytes, _) => "BytesValue",
        (SchemaType::Array | SchemaType::Map | SchemaType::Struct, _) => {
            return Err(ConnectError::data(format!(
                "Unsupported root schema of type {}",
                kind.name()
            )));
        }
    })
}

/// The scalar of a type.
///
/// # Errors
/// There is none.
pub(super) fn scalar(kind: SchemaType, typed: Option<&str>) -> Result<&'static str, ConnectError> {
    Ok(match (kind, typed) {
        (SchemaType::Int32, Some("sint32")) => "sint32",
        (SchemaType::Int32, Some("sfixed32")) => "sfixed32",
        (SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32, _) => "int32",
        (SchemaType::Int64, Some("uint32")) => "uint32",
        (SchemaType::Int64, Some("fixed32")) => "fixed32",
        (SchemaType::Int64, Some("uint64")) => "uint64",
        (SchemaType::Int64, Some("sint64")) => "sint64",
        (SchemaType::Int64, Some("fixed64")) => "fixed64",
        (SchemaType::Int64, Some("sfixed64")) => "sfixed64",
        (SchemaType::Int64, _) => "int64",
        (SchemaType::Float32, _) => "float",
        (SchemaType::Float64, _) => "double",
        (SchemaType::Boolean, _) => "bool",
        (SchemaType::String, _) => "string",
        (SchemaType::Bytes, _) => "bytes",
        (SchemaType::Array | SchemaType::Map | SchemaType::Struct, _) => {
            return Err(ConnectError::data(format!(
                "the Connect type {} has no scalar in Protobuf",
                kind.name()
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_their_entries_are_named_as_in_java() {
        for (map, entry) in [
            ("ConnectDefault2", "ConnectDefault2Entry"),
            ("counts", "countsEntry"),
            ("foo_bar", "FooBarEntry"),
            ("foo_BAR", "FooBarEntry"),
        ] {
            assert_eq!(entry_name(map), entry);
        }
        for (entry, map) in [
            ("CountsEntry", "counts"),
            ("ConnectDefault2Entry", "connect_default2"),
            ("acme.Order.FooBarEntry", "acme.Order.foo_bar"),
            ("acme.Order.Other", "acme.Order.Other"),
        ] {
            assert_eq!(map_name(entry), map);
        }
    }
}
