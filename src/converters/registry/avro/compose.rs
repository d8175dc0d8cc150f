//! A Connect schema as an Avro schema (Confluent: `AvroData.fromConnectSchema`), property by property in
//! Java's order.

use serde_json::{Map, Value as Json};

use super::AvroSettings;
use super::default::to_json;
use super::names::{Name, is_valid, scrub, scrub_full};
use super::schema::{AvroSchema, Field, Fixed, Kind, NodeId, Record, Symbols};
use crate::api::data::{Field as ConnectField, SchemaRef, logical};
use crate::api::{ConnectError, Schema, SchemaBuilder, SchemaType};
use crate::converters::registry::limits::{DEPTH_MAX, NODES_MAX};

/// Where Confluent's own names live.
pub(super) const NAMESPACE: &str = "io.confluent.connect.avro";
/// Name of structs that have none; further ones get a number.
pub(super) const DEFAULT_NAME: &str = "ConnectDefault";
/// Name of a struct that stands for a union.
pub(super) const UNION: &str = "io.confluent.connect.avro.Union";
/// Parameter of a string that stands for an enum: the enum's name. With `.` and a symbol: the symbol.
pub(super) const ENUM: &str = "io.confluent.connect.avro.Enum";
/// Entry of a map whose keys are no strings.
pub(super) const MAP_ENTRY: &str = "MapEntry";
/// Marks the entry of a named map.
pub(super) const INTERNAL_TYPE: &str = "connect.internal.type";
/// Parameter of bytes that stand for a fixed.
pub(super) const FIXED_SIZE: &str = "connect.fixed.size";
/// Parameter of a decimal whose precision is not [`DEFAULT_PRECISION`].
pub(super) const PRECISION: &str = "connect.decimal.precision";
/// Precision of a decimal that has none.
pub(super) const DEFAULT_PRECISION: i64 = 64;
/// Parameter that says that a default came from an Avro field.
pub(super) const FIELD_DEFAULT: &str = "io.confluent.connect.avro.field.default";
/// Parameter with the documentation of a record.
pub(super) const RECORD_DOC: &str = "io.confluent.connect.avro.record.doc";
/// The same with `discard.type.doc.default`.
pub(super) const CONNECT_RECORD_DOC: &str = "connect.record.doc";
/// Start of the parameters with the documentation of fields.
pub(super) const FIELD_DOC: &str = "io.confluent.connect.avro.field.doc.";
/// Start of the parameter with the documentation of an enum.
pub(super) const ENUM_DOC: &str = "io.confluent.connect.avro.enum.doc.";
/// The same with `discard.type.doc.default`.
pub(super) const CONNECT_ENUM_DOC: &str = "connect.enum.doc";
/// Start of the parameter with the default symbol of an enum.
pub(super) const ENUM_DEFAULT: &str = "io.confluent.connect.avro.enum.default.";

/// Whether a schema is Confluent's struct for a union.
pub(super) fn is_union(schema: &Schema) -> bool {
    schema.kind() == SchemaType::Struct && schema.name() == Some(UNION)
}

/// A parameter of a schema.
pub(super) fn parameter<'a>(schema: &'a Schema, key: &str) -> Option<&'a str> {
    schema.parameters()?.get(key).map(String::as_str)
}

/// Whether a map becomes an Avro map, and not a list of entries.
pub(super) fn has_string_keys(schema: &Schema, settings: AvroSettings) -> bool {
    schema.key_schema().is_some_and(|keys| {
        keys.kind() == SchemaType::String && (!keys.is_optional() || settings.optional_map_keys)
    })
}

/// The size of bytes that stand for a fixed.
pub(super) fn fixed_size(schema: &Schema) -> Option<usize> {
    let is_fixed = schema.kind() == SchemaType::Bytes && schema.name().is_some();
    let size = parameter(schema, FIXED_SIZE).filter(|_| is_fixed)?;
    size.parse().ok()
}

/// The Avro schema of a Connect schema.
///
/// # Errors
/// A name that Avro does not allow, one name for two schemas, a schema that is too deep or too large.
pub(super) fn compose(schema: &Schema, settings: AvroSettings) -> Result<AvroSchema, ConnectError> {
    let mut composer = Composer {
        settings,
        avro: AvroSchema::default(),
        known: Vec::new(),
        unnamed: 0,
        seen: Vec::new(),
        left: NODES_MAX,
    };
    composer.avro.root = composer.schema(schema, false, 0)?;
    Ok(composer.avro)
}

struct Composer {
    settings: AvroSettings,
    avro: AvroSchema,
    /// Named types by the Connect schema, required, that they were made of.
    known: Vec<(SchemaRef, NodeId)>,
    /// Structs without a name so far.
    unnamed: usize,
    /// Names of field schemas so far.
    seen: Vec<String>,
    left: usize,
}

type Composed<T> = Result<T, ConnectError>;

impl Composer {
    /// The node of a schema; with `ignore_optional` as if null were not allowed.
    fn schema(&mut self, schema: &Schema, ignore_optional: bool, depth: usize) -> Composed<NodeId> {
        self.left = self.left.saturating_sub(1);
        if depth > DEPTH_MAX || self.left == 0 {
            return Err(ConnectError::data(format!(
                "the Connect schema is too large for Avro: more than {DEPTH_MAX} levels or {NODES_MAX} types"
            )));
        }
        if is_union(schema) {
            return self.union(schema, depth);
        }
        if schema.kind() == SchemaType::Struct {
            let id = self.named(schema, depth)?;
            if !schema.is_optional() {
                return Ok(id);
            }
            let null = self.avro.push(Kind::Null);
            return Ok(self.avro.push(Kind::Union(vec![null, id])));
        }
        let id = if self.is_named(schema) {
            self.named(schema, depth)?
        } else {
            self.base(schema, depth)?
        };
        if ignore_optional || !schema.is_optional() {
            return Ok(id);
        }
        let null = self.avro.push(Kind::Null);
        let members = match schema.default() {
            Some(_) => vec![id, null],
            None => vec![null, id],
        };
        Ok(self.avro.push(Kind::Union(members)))
    }

    /// Whether a schema that is no struct becomes a type with a name.
    fn is_named(&self, schema: &Schema) -> bool {
        fixed_size(schema).is_some() || self.is_enum(schema)
    }

    fn is_enum(&self, schema: &Schema) -> bool {
        self.settings.enhanced
            && schema.kind() == SchemaType::String
            && parameter(schema, ENUM).is_some()
    }

    /// A named type, the same node for the same schema.
    fn named(&mut self, schema: &Schema, depth: usize) -> Composed<NodeId> {
        let required = SchemaBuilder::from_schema(schema).required().build();
        if let Some((_, id)) = self.known.iter().find(|(known, _)| *known == required) {
            return Ok(*id);
        }
        let id = self.base(&required, depth)?;
        self.check_defined(id)?;
        self.known.push((required, id));
        Ok(id)
    }

    /// One name, one type: Avro knows no second one.
    fn check_defined(&self, id: NodeId) -> Composed<()> {
        let Some(name) = self.avro.node(id).kind.named() else {
            return Ok(());
        };
        let taken = self.known.iter().map(|(_, known)| *known);
        let mut taken = taken.filter(|known| self.avro.node(*known).kind.named() == Some(name));
        if taken.next().is_none() {
            return Ok(());
        }
        Err(ConnectError::data(format!(
            "Can't redefine: {}: two different Connect schemas of one record have this name",
            name.full()
        )))
    }

    fn union(&mut self, schema: &Schema, depth: usize) -> Composed<NodeId> {
        let mut members = Vec::with_capacity(schema.fields().len() + 1);
        if schema.is_optional() {
            members.push(self.avro.push(Kind::Null));
        }
        for field in schema.fields() {
            let required = SchemaBuilder::from_schema(&field.schema).required().build();
            members.push(self.schema(&required, true, depth + 1)?);
        }
        Ok(self.avro.push(Kind::Union(members)))
    }

    /// The type without regard to null, with its properties.
    fn base(&mut self, schema: &Schema, depth: usize) -> Composed<NodeId> {
        let id = match schema.kind() {
            SchemaType::Int8 | SchemaType::Int16 | SchemaType::Int32 => self.avro.push(Kind::Int),
            SchemaType::Int64 => self.avro.push(Kind::Long),
            SchemaType::Float32 => self.avro.push(Kind::Float),
            SchemaType::Float64 => self.avro.push(Kind::Double),
            SchemaType::Boolean => self.avro.push(Kind::Boolean),
            SchemaType::String if self.is_enum(schema) => self.symbols(schema)?,
            SchemaType::String => self.avro.push(Kind::String),
            SchemaType::Bytes => self.bytes(schema)?,
            SchemaType::Array => {
                let items = self.part(schema.value_schema(), depth)?;
                self.avro.push(Kind::Array(items))
            }
            SchemaType::Map => self.map(schema, depth)?,
            SchemaType::Struct => self.record(schema, depth)?,
        };
        self.add_meta_data(schema, id)?;
        self.add_logical_type(schema, id);
        let parameters = schema.parameters().into_iter().flatten();
        for (key, value) in parameters.filter(|(key, _)| key.starts_with("avro")) {
            self.put(id, key, value.clone());
        }
        Ok(id)
    }

    fn put(&mut self, id: NodeId, key: &str, value: impl Into<Json>) {
        self.avro
            .node_mut(id)
            .props
            .insert(key.to_owned(), value.into());
    }

    fn part(&mut self, schema: Option<&SchemaRef>, depth: usize) -> Composed<NodeId> {
        let schema = schema.ok_or_else(|| {
            ConnectError::data(
                "an array or a map without a schema for its parts has no Avro schema",
            )
        })?;
        self.schema(schema, false, depth + 1)
    }

    fn name_or_default(&mut self, schema: &Schema) -> Composed<Name> {
        let Some(name) = schema.name().filter(|name| !name.is_empty()) else {
            self.unnamed += 1;
            let number = match self.unnamed {
                1 => String::new(),
                more => more.to_string(),
            };
            return Ok(Name::new(
                &format!("{DEFAULT_NAME}{number}"),
                Some(NAMESPACE),
            ));
        };
        self.name(name)
    }

    fn name(&self, name: &str) -> Composed<Name> {
        let name = match self.settings.scrub {
            true => Name::new(&scrub_full(name), None),
            false => Name::new(name, None),
        };
        check_name(&name.simple)?;
        Ok(name)
    }

    fn symbols(&mut self, schema: &Schema) -> Composed<NodeId> {
        let own = self.name_or_default(schema)?;
        let parameters = schema.parameters().into_iter().flatten();
        let symbols = parameters.filter_map(|(key, _)| {
            let symbol = key.strip_prefix(ENUM)?.strip_prefix('.')?;
            Some(symbol.to_owned())
        });
        let symbols: Vec<String> = symbols.collect();
        symbols.iter().try_for_each(|symbol| check_name(symbol))?;
        let of = |start: &str| parameter(schema, &format!("{start}{}", own.simple));
        let (doc, default) = match self.settings.discard_type_doc {
            true => (parameter(schema, CONNECT_ENUM_DOC), None),
            false => (of(ENUM_DOC), of(ENUM_DEFAULT)),
        };
        let kind = Kind::Enum(Symbols {
            name: Name::new(parameter(schema, ENUM).unwrap_or_default(), None),
            doc: doc.map(str::to_owned),
            default: default.map(str::to_owned),
            symbols,
        });
        Ok(self.avro.push(kind))
    }

    fn bytes(&mut self, schema: &Schema) -> Composed<NodeId> {
        let id = match fixed_size(schema) {
            Some(size) => {
                let name = self.name_or_default(schema)?;
                self.avro.push(Kind::Fixed(Fixed { name, size }))
            }
            None => self.avro.push(Kind::Bytes),
        };
        if schema.name() == Some(logical::DECIMAL) {
            let (scale, precision) = decimal(schema)?;
            self.put(id, "scale", scale);
            self.put(id, "precision", precision);
        }
        Ok(id)
    }

    fn map(&mut self, schema: &Schema, depth: usize) -> Composed<NodeId> {
        if has_string_keys(schema, self.settings) {
            let values = self.part(schema.value_schema(), depth)?;
            return Ok(self.avro.push(Kind::Map(values)));
        }
        let entry = Record {
            name: match schema.name() {
                None => Name::new(MAP_ENTRY, Some(NAMESPACE)),
                Some(name) => self.name(name)?,
            },
            doc: None,
            fields: Vec::new(),
        };
        let is_taken =
            |(_, id): &(SchemaRef, NodeId)| self.avro.node(*id).kind.named() == Some(&entry.name);
        let taken = self.known.iter().any(is_taken);
        let name = entry.name.full();
        let id = self.avro.push(Kind::Record(entry));
        let fields = vec![
            self.entry_part("key", schema.key_schema(), depth)?,
            self.entry_part("value", schema.value_schema(), depth)?,
        ];
        if schema.name().is_some() {
            self.put(id, INTERNAL_TYPE, MAP_ENTRY);
        }
        if let Kind::Record(record) = &mut self.avro.node_mut(id).kind {
            record.fields = fields;
        }
        let marker = SchemaBuilder::from_schema(schema).required().build();
        let known = self.known.iter().find(|(known, _)| *known == marker);
        match known.map(|(_, known)| *known) {
            Some(entry) => return Ok(self.avro.push(Kind::Array(entry))),
            None if taken => {
                return Err(ConnectError::data(format!(
                    "Can't redefine: {name}: a record has two different maps whose keys are no strings; \
                     give their schemas names"
                )));
            }
            None => self.known.push((marker, id)),
        }
        Ok(self.avro.push(Kind::Array(id)))
    }

    fn entry_part(
        &mut self,
        name: &str,
        schema: Option<&SchemaRef>,
        depth: usize,
    ) -> Composed<Field> {
        let schema = schema.ok_or_else(|| {
            ConnectError::data("a map without schemas for keys and values has no Avro schema")
        })?;
        self.field(name, schema, None, depth)
    }

    fn record(&mut self, schema: &Schema, depth: usize) -> Composed<NodeId> {
        let doc = match self.settings.discard_type_doc {
            true => CONNECT_RECORD_DOC,
            false => RECORD_DOC,
        };
        let record = Record {
            name: self.name_or_default(schema)?,
            doc: parameter(schema, doc).map(str::to_owned),
            fields: Vec::new(),
        };
        let id = self.avro.push(Kind::Record(record));
        let mut fields = Vec::with_capacity(schema.fields().len());
        for ConnectField {
            name, schema: part, ..
        } in schema.fields()
        {
            let doc = match self.settings.discard_type_doc {
                true => None,
                false => parameter(schema, &format!("{FIELD_DOC}{name}")),
            };
            let name = match self.settings.scrub {
                true => scrub(name),
                false => name.as_str().into(),
            };
            check_name(&name)?;
            fields.push(self.field(&name, part, doc, depth)?);
        }
        if let Kind::Record(record) = &mut self.avro.node_mut(id).kind {
            record.fields = fields;
        }
        Ok(id)
    }

    fn field(
        &mut self,
        name: &str,
        schema: &Schema,
        doc: Option<&str>,
        depth: usize,
    ) -> Composed<Field> {
        let default = match schema.default() {
            Some(default) => to_json(schema, default, self.settings)?,
            None => schema.is_optional().then_some(Json::Null),
        };
        let own = schema.name().map(|name| match self.settings.scrub {
            true => scrub_full(name),
            false => name.to_owned(),
        });
        let seen = own.is_some_and(|own| {
            let seen = self.seen.contains(&own);
            if !seen {
                self.seen.push(own);
            }
            seen
        });
        let doc = match self.settings.discard_type_doc {
            true => schema.doc(),
            false => doc,
        };
        let id = self.schema(schema, false, depth + 1)?;
        let mut props = Map::new();
        if seen && self.settings.meta_data && self.holds_named(id) {
            let parameters = self.parameters(schema);
            if !parameters.is_empty() {
                props.insert("connect.parameters".to_owned(), parameters.into());
            }
        }
        Ok(Field {
            name: name.to_owned(),
            schema: id,
            doc: doc.map(str::to_owned),
            default,
            props,
        })
    }

    fn holds_named(&self, id: NodeId) -> bool {
        let is_named = |id: &NodeId| self.avro.node(*id).kind.named().is_some();
        match &self.avro.node(id).kind {
            Kind::Union(members) => members.iter().any(is_named),
            _ => is_named(&id),
        }
    }

    fn parameters(&self, schema: &Schema) -> Map<String, Json> {
        let all = schema.parameters().into_iter().flatten();
        all.filter(|(key, _)| self.settings.discard_type_doc || *key != FIELD_DEFAULT)
            .map(|(key, value)| (key.clone(), value.clone().into()))
            .collect()
    }

    fn add_meta_data(&mut self, schema: &Schema, id: NodeId) -> Composed<()> {
        if !self.settings.meta_data {
            return Ok(());
        }
        if let Some(doc) = schema.doc() {
            self.put(id, "connect.doc", doc);
        }
        if let Some(version) = schema.version() {
            self.put(id, "connect.version", version);
        }
        let parameters = self.parameters(schema);
        if !parameters.is_empty() {
            self.put(id, "connect.parameters", parameters);
        }
        let of_field = parameter(schema, FIELD_DEFAULT).is_some();
        if let Some(default) = schema.default()
            && (self.settings.discard_type_doc || !of_field)
            && let Some(json) = to_json(schema, default, self.settings)?
        {
            self.put(id, "connect.default", json);
        }
        if let Some(name) = schema.name() {
            self.put(id, "connect.name", name);
        }
        match schema.kind() {
            SchemaType::Int8 => self.put(id, "connect.type", "int8"),
            SchemaType::Int16 => self.put(id, "connect.type", "int16"),
            _ => {}
        }
        Ok(())
    }

    fn add_logical_type(&mut self, schema: &Schema, id: NodeId) {
        let logical_type = match schema.name() {
            Some(logical::DATE) => "date",
            Some(logical::TIME) => "time-millis",
            Some(logical::TIMESTAMP) => "timestamp-millis",
            Some(logical::DECIMAL) => "decimal",
            _ => return,
        };
        self.put(id, "logicalType", logical_type);
    }
}

/// Scale and precision of a decimal.
fn decimal(schema: &Schema) -> Composed<(i64, i64)> {
    let number = |key: &str| parameter(schema, key).map(str::parse::<i64>).transpose();
    let bad = |key: &str| ConnectError::data(format!("the {key} of a Decimal schema is no number"));
    let scale = number(logical::SCALE).map_err(|_| bad(logical::SCALE))?;
    let scale = scale
        .ok_or_else(|| ConnectError::data("Invalid Decimal schema: scale parameter not found."))?;
    let precision = number(PRECISION).map_err(|_| bad(PRECISION))?;
    Ok((scale, precision.unwrap_or(DEFAULT_PRECISION)))
}

fn check_name(name: &str) -> Composed<()> {
    if is_valid(name) {
        return Ok(());
    }
    Err(ConnectError::data(format!(
        "Illegal character in: {name}: Avro's names consist of letters, digits and _; \
         scrub.invalid.names=true replaces what else there is"
    )))
}
