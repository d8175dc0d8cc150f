//! A Connect schema as a .proto text (Confluent: `ProtobufData.fromConnectSchema`).

use std::collections::{BTreeSet, HashSet};

use super::logical_message::{DATE, DECIMAL, TIME, TIMESTAMP};
use super::names::{
    DEFAULT_NAME, entry_name, message_name, scalar, simple_name, type_name, wrapper,
};
use super::numbers::Numbers;
use super::{ENUM, PRECISION, ProtobufSettings, TYPE, UNION, WRAPPER};
use crate::api::data::{SchemaRef, logical};
use crate::api::{ConnectError, Schema, SchemaType};
use crate::converters::registry::limits::{DEPTH_MAX, NODES_MAX};

type Composed<T> = Result<T, ConnectError>;

/// Google's wrapper messages with the types in them, in the order of their file.
const WRAPPERS: [(&str, &str); 9] = [
    ("DoubleValue", "double"),
    ("FloatValue", "float"),
    ("Int64Value", "int64"),
    ("UInt64Value", "uint64"),
    ("Int32Value", "int32"),
    ("UInt32Value", "uint32"),
    ("BoolValue", "bool"),
    ("StringValue", "string"),
    ("BytesValue", "bytes"),
];

/// The text for a schema.
///
/// # Errors
/// A name that Protobuf does not allow, a list of lists, a schema that is too large.
pub(super) fn compose(schema: &SchemaRef, settings: ProtobufSettings) -> Composed<String> {
    if schema.kind() != SchemaType::Struct {
        return compose_wrappers(schema);
    }
    let full_name = message_name(schema, settings)?;
    let (package, name) = match full_name.rsplit_once('.') {
        Some((package, name)) => (format!("package {package};\n"), name),
        None => (String::new(), full_name.as_str()),
    };
    // Within such a package the names of the imported messages would lead into it.
    let is_theirs = |part: &str| part == "google" || part == "confluent";
    let mut composer = Composer {
        settings,
        imports: BTreeSet::new(),
        root: if full_name.split('.').any(is_theirs) {
            "."
        } else {
            ""
        },
        unnamed: usize::from(schema.name().is_none_or(str::is_empty)),
        left: NODES_MAX,
    };
    let body = composer.message(name, schema, 0)?;
    let imports = composer.imports.iter();
    let imports: String = imports
        .map(|file| format!("import \"{file}\";\n"))
        .collect();
    Ok(format!(
        "syntax = \"proto3\";\n{package}\n{imports}\n{body}"
    ))
}

/// A single value: the file of Google's wrapper messages.
fn compose_wrappers(schema: &Schema) -> Composed<String> {
    wrapper(schema.kind(), None)?;
    if let Some(name @ (logical::DECIMAL | logical::DATE | logical::TIME | logical::TIMESTAMP)) =
        schema.name()
    {
        return Err(ConnectError::data(format!(
            "a single value of type {name} has no message in Protobuf; make it a field of a struct, for \
             example with the transformation HoistField"
        )));
    }
    let messages =
        WRAPPERS.map(|(name, kind)| format!("message {name} {{\n  {kind} value = 1;\n}}\n"));
    let head = "syntax = \"proto3\";\npackage google.protobuf;\n\n";
    Ok(format!("{head}{}", messages.concat()))
}

struct Composer {
    settings: ProtobufSettings,
    imports: BTreeSet<&'static str>,
    /// What full names begin with.
    root: &'static str,
    /// Structs and maps without a name so far.
    unnamed: usize,
    left: usize,
}

/// What a message is made of.
#[derive(Default)]
struct Body {
    /// Names of fields, which types in the message cannot have.
    taken: HashSet<String>,
    /// Names of the messages and enums in it, with what they stand for.
    known: Vec<(String, SchemaRef)>,
    fields: String,
    types: String,
}

impl Body {
    /// The name of a type in the message, `wish` with a number where another thing has that name, and
    /// whether it is new.
    fn place(&mut self, wish: &str, suffix: &str, schema: &SchemaRef) -> (String, bool) {
        let mut name = format!("{wish}{suffix}");
        for number in 2_usize.. {
            match self.known.iter().find(|(known, _)| *known == name) {
                Some((_, known)) if is_same_type(known, schema) => return (name, false),
                None if !self.taken.contains(&name) => break,
                _ => name = format!("{wish}{number}{suffix}"),
            }
        }
        self.known.push((name.clone(), SchemaRef::clone(schema)));
        (name, true)
    }
}

/// Whether two schemas stand for one type; number and whether null is allowed belong to the field.
fn is_same_type(one: &Schema, other: &Schema) -> bool {
    let symbols = |schema: &Schema| -> Vec<(String, String)> {
        let all = schema.parameters().into_iter().flatten();
        let symbols = all.filter(|(key, _)| key.starts_with(ENUM));
        symbols
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    one.kind() == other.kind()
        && one.name() == other.name()
        && match one.kind() {
            SchemaType::Struct => one.fields() == other.fields(),
            SchemaType::Map => {
                one.key_schema() == other.key_schema() && one.value_schema() == other.value_schema()
            }
            _ => symbols(one) == symbols(other),
        }
}

/// A field's name and number, and where it stands.
struct Place<'a> {
    name: &'a str,
    number: i64,
    depth: usize,
    within: Within,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Message,
    Oneof,
    MapEntry,
}

impl Composer {
    fn message(&mut self, name: &str, schema: &Schema, depth: usize) -> Composed<String> {
        let mut numbers = Numbers::of(schema)?;
        let mut body = Body {
            taken: self.field_names(schema)?,
            ..Body::default()
        };
        for field in schema.fields() {
            let own = &field.schema;
            // Java counts a oneof, too.
            let number = numbers.take(own)?;
            if is_union(own) {
                self.oneof(&field.name, own, &mut numbers, depth, &mut body)?;
                continue;
            }
            let place = Place {
                name: &simple_name(&field.name, self.settings)?,
                number,
                depth,
                within: Within::Message,
            };
            self.field(own, &place, &mut body)?;
        }
        Ok(around(name, &body, depth))
    }

    fn field_names(&self, schema: &Schema) -> Composed<HashSet<String>> {
        let mut names = HashSet::new();
        for field in schema.fields() {
            let members = is_union(&field.schema).then(|| field.schema.fields());
            for field in members.into_iter().flatten() {
                names.insert(simple_name(&field.name, self.settings)?.into_owned());
            }
            names.insert(match is_union(&field.schema) {
                true => self.oneof_name(&field.name, &field.schema)?,
                false => simple_name(&field.name, self.settings)?.into_owned(),
            });
        }
        Ok(names)
    }

    fn oneof_name(&self, field: &str, schema: &Schema) -> Composed<String> {
        let own = schema.name().and_then(|name| name.strip_prefix(UNION));
        let own = own.and_then(|name| name.rsplit('.').next());
        let name = own.filter(|name| !name.is_empty()).unwrap_or(field);
        Ok(simple_name(name, self.settings)?.into_owned())
    }

    fn oneof(
        &mut self,
        field: &str,
        schema: &Schema,
        numbers: &mut Numbers,
        depth: usize,
        body: &mut Body,
    ) -> Composed<()> {
        let name = self.oneof_name(field, schema)?;
        let indent = "  ".repeat(depth + 1);
        body.fields += &format!("{indent}oneof {name} {{\n");
        for member in schema.fields() {
            if matches!(member.schema.kind(), SchemaType::Array | SchemaType::Map) {
                return Err(ConnectError::data(format!(
                    "{} of the union {name} is a list or a map, which cannot be in a oneof of Protobuf",
                    member.name
                )));
            }
            let place = Place {
                name: &simple_name(&member.name, self.settings)?,
                number: numbers.take(&member.schema)?,
                depth,
                within: Within::Oneof,
            };
            self.field(&member.schema, &place, body)?;
        }
        body.fields += &format!("{indent}}}\n");
        Ok(())
    }

    fn field(&mut self, schema: &SchemaRef, place: &Place<'_>, body: &mut Body) -> Composed<()> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            ConnectError::data(format!(
                "the Connect schema has more than {NODES_MAX} fields"
            ))
        })?;
        if place.depth > DEPTH_MAX {
            return Err(ConnectError::data(format!(
                "the Connect schema is nested more than {DEPTH_MAX} deep"
            )));
        }
        let may_be_null = self.settings.optional_for_nullables && schema.is_optional();
        let label = match schema.kind() {
            SchemaType::Array | SchemaType::Map => "repeated ",
            _ if may_be_null && place.within == Within::Message => "optional ",
            _ => "",
        };
        let inner = match schema.kind() {
            SchemaType::Array => part(schema.value_schema())?,
            _ => schema,
        };
        let is_list = schema.kind() == SchemaType::Array;
        if is_list && inner.kind() == SchemaType::Map {
            return Err(ConnectError::data("a list of maps has no form in Protobuf"));
        }
        if is_union(inner) {
            return Err(ConnectError::data(
                "a union in a list or a map has no form in Protobuf, where a oneof is part of a message",
            ));
        }
        let kind = self.type_of(inner, place, body)?;
        let options = self.options(inner);
        let indent = "  ".repeat(place.depth + 1);
        let (name, number) = (place.name, place.number);
        body.fields += &format!("{indent}{label}{kind} {name} = {number}{options};\n");
        Ok(())
    }

    /// `[(confluent.field_meta) = …]` for what the type does not say.
    fn options(&mut self, schema: &Schema) -> String {
        let given = |key: &'static str, shown: &'static str| {
            let text = schema.parameters()?.get(key)?;
            Some((shown, text.clone()))
        };
        let pairs: Vec<(&str, String)> = match (schema.kind(), schema.name()) {
            (_, Some(logical::DECIMAL)) => {
                let precision = given(PRECISION, "precision");
                let scale = given(logical::SCALE, "scale");
                precision.into_iter().chain(scale).collect()
            }
            (SchemaType::Int8, _) => vec![("connect.type", "int8".to_owned())],
            (SchemaType::Int16, _) => vec![("connect.type", "int16".to_owned())],
            _ => return String::new(),
        };
        if pairs.is_empty() {
            return String::new();
        }
        self.imports.insert("confluent/meta.proto");
        let pair = |(key, value): (&str, String)| {
            let value = value.escape_default();
            format!("{{ key: \"{key}\", value: \"{value}\" }}")
        };
        let pairs: Vec<String> = pairs.into_iter().map(pair).collect();
        let pairs = pairs.join(", ");
        format!(" [(confluent.field_meta) = {{ params: [ {pairs} ] }}]")
    }

    fn imported(&mut self, file: &'static str, name: &str) -> String {
        self.imports.insert(file);
        format!("{}{name}", self.root)
    }

    fn type_of(
        &mut self,
        schema: &SchemaRef,
        place: &Place<'_>,
        body: &mut Body,
    ) -> Composed<String> {
        let (file, name) = match schema.name() {
            Some(logical::DECIMAL) => ("confluent/type/decimal.proto", DECIMAL),
            Some(logical::DATE) => ("google/type/date.proto", DATE),
            Some(logical::TIME) => ("google/type/timeofday.proto", TIME),
            Some(logical::TIMESTAMP) => ("google/protobuf/timestamp.proto", TIMESTAMP),
            _ => ("", ""),
        };
        if !file.is_empty() {
            return Ok(self.imported(file, name));
        }
        let parameter = |key: &str| schema.parameters()?.get(key).map(String::as_str);
        match schema.kind() {
            SchemaType::String | SchemaType::Int32 if parameter(ENUM).is_some() => {
                self.symbols(schema, place.depth, body)
            }
            SchemaType::Array => Err(ConnectError::data("Array cannot be nested")),
            SchemaType::Map => self.map_entry(schema, place, body),
            SchemaType::Struct => self.inner_message(schema, place, body),
            kind => {
                let typed = parameter(TYPE);
                let marked = parameter(WRAPPER) == Some("true");
                let nullable = schema.is_optional() && (place.within != Within::Oneof || marked);
                if self.settings.wrapper_for_nullables && nullable {
                    let name = format!("google.protobuf.{}", wrapper(kind, typed)?);
                    return Ok(self.imported("google/protobuf/wrappers.proto", &name));
                }
                Ok(scalar(kind, typed)?.to_owned())
            }
        }
    }

    fn next_default_name(&mut self) -> String {
        self.unnamed += 1;
        format!("{DEFAULT_NAME}{}", self.unnamed)
    }

    /// A map is a list of messages with key and value, as Confluent's converter writes it: a change to
    /// Protobuf's own maps would be an incompatible one for registries.
    fn map_entry(
        &mut self,
        schema: &SchemaRef,
        place: &Place<'_>,
        body: &mut Body,
    ) -> Composed<String> {
        let name = match type_name(schema.name(), self.settings)? {
            Some(name) => name,
            None => self.next_default_name(),
        };
        let entry = entry_name(&name);
        let stem = entry.strip_suffix("Entry").unwrap_or(&entry);
        let (name, is_new) = body.place(stem, "Entry", schema);
        if is_new {
            let depth = place.depth + 1;
            let mut entry = Body::default();
            let parts = [
                ("key", schema.key_schema()),
                ("value", schema.value_schema()),
            ];
            entry.taken = parts.iter().map(|(name, _)| (*name).to_owned()).collect();
            for ((name, schema), number) in parts.into_iter().zip(1..) {
                let place = Place {
                    name,
                    number,
                    depth,
                    within: Within::MapEntry,
                };
                self.field(part(schema)?, &place, &mut entry)?;
            }
            body.types += &around(&name, &entry, depth);
        }
        Ok(name)
    }

    fn inner_message(
        &mut self,
        schema: &SchemaRef,
        place: &Place<'_>,
        body: &mut Body,
    ) -> Composed<String> {
        let mut name = match type_name(schema.name(), self.settings)? {
            Some(name) => name,
            None => self.next_default_name(),
        };
        if name == place.name {
            name.push_str("Message");
        }
        let (name, is_new) = body.place(&name, "", schema);
        if is_new {
            body.types += &self.message(&name, schema, place.depth + 1)?;
        }
        Ok(name)
    }

    fn symbols(&mut self, schema: &SchemaRef, depth: usize, body: &mut Body) -> Composed<String> {
        let named = schema.parameters().and_then(|all| all.get(ENUM));
        let named = type_name(named.map(String::as_str), self.settings)?;
        let name = match named {
            Some(name) => name,
            None => type_name(schema.name(), self.settings)?.unwrap_or_else(|| "Enum".to_owned()),
        };
        let (name, is_new) = body.place(&name, "", schema);
        if !is_new {
            return Ok(name);
        }
        let indent = "  ".repeat(depth + 1);
        let (mut symbols, mut numbers, mut has_alias) = (String::new(), HashSet::new(), false);
        for (key, number) in schema.parameters().into_iter().flatten() {
            let symbol = key
                .strip_prefix(ENUM)
                .and_then(|rest| rest.strip_prefix('.'));
            let Some(symbol) = symbol else {
                continue;
            };
            let symbol = simple_name(symbol, self.settings)?;
            let number: i32 = number.parse().map_err(|_| {
                ConnectError::data(format!(
                    "the symbol {symbol} of {name} has {number} for its number"
                ))
            })?;
            has_alias |= !numbers.insert(number);
            symbols += &format!("{indent}  {symbol} = {number};\n");
        }
        let alias = match has_alias {
            true => format!("{indent}  option allow_alias = true;\n"),
            false => String::new(),
        };
        body.types += &format!("{indent}enum {name} {{\n{alias}{symbols}{indent}}}\n");
        Ok(name)
    }
}

fn around(name: &str, body: &Body, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let Body { fields, types, .. } = body;
    format!("{indent}message {name} {{\n{fields}{types}{indent}}}\n")
}

/// Whether a schema is Confluent's struct for a oneof.
pub(super) fn is_union(schema: &Schema) -> bool {
    schema.kind() == SchemaType::Struct && schema.name().is_some_and(|name| name.starts_with(UNION))
}

fn part(schema: Option<&SchemaRef>) -> Composed<&SchemaRef> {
    schema.ok_or_else(|| ConnectError::data("an array or a map without a schema for its parts"))
}
