//! Moves or copies fields into headers (Kafka: `HeaderFrom`).

use super::config::{REPLACE_NULL, non_empty_list, replace_null};
use super::fields::carried;
use super::hash_map::{HashMap, get};
use super::part::{Classes, OfPart, Part, kafka_classes};
use super::requirements::{require_map, require_struct};
use super::schema_cache::SchemaCache;
use crate::api::config_def::{ConfigDef, ConfigKey, Importance, ParsedConfig, Validator};
use crate::api::data::{Schema, SchemaRef};
use crate::api::{
    ConnectError, ConnectRecord, Header, RecordOrigin, SchemaAndValue, SchemaBuilder,
    Transformation, Value,
};

const FIELDS: &str = "fields";
const HEADERS: &str = "headers";
const OPERATION: &str = "operation";
const MOVE: &str = "move";
const COPY: &str = "copy";

/// How a schema is taken apart.
#[derive(Debug)]
struct Plan {
    /// The schema of what stays.
    schema: SchemaRef,
    /// The fields that stay, by their place in the old schema.
    kept: Vec<usize>,
    /// Place and schema of the field for each header, `None` where there is none.
    taken: Vec<Option<(usize, SchemaRef)>>,
}

/// Moves or copies fields of keys or values into headers.
#[derive(Debug)]
pub struct HeaderFrom {
    part: Part,
    /// Fields and the headers that they go to.
    pairs: Vec<(String, String)>,
    moves: bool,
    replace_null: bool,
    plans: SchemaCache<Plan>,
}

impl OfPart for HeaderFrom {
    const CLASSES: Classes = kafka_classes!("HeaderFrom");

    fn config_def() -> ConfigDef {
        let list = |name, doc: &str| {
            ConfigKey::list(name)
                .validator(non_empty_list())
                .importance(Importance::High)
                .doc(doc)
        };
        ConfigDef::new()
            .define(list(FIELDS, "Names of the fields."))
            .define(list(
                HEADERS,
                "Names of the headers, one for each field, in the order of the fields.",
            ))
            .define(
                ConfigKey::string(OPERATION)
                    .validator(Validator::one_of([MOVE, COPY]))
                    .importance(Importance::High)
                    .doc("Whether the fields are moved away (`move`) or stay as well (`copy`)."),
            )
            .define(replace_null())
    }

    fn new(part: Part, config: &ParsedConfig) -> Result<Self, ConnectError> {
        let (fields, headers) = (config.list(FIELDS)?, config.list(HEADERS)?);
        if fields.len() != headers.len() {
            return Err(ConnectError::config(format!(
                "'{FIELDS}' config must have the same number of elements as '{HEADERS}' config."
            )));
        }
        Ok(Self {
            part,
            pairs: fields
                .iter()
                .cloned()
                .zip(headers.iter().cloned())
                .collect(),
            moves: config.str(OPERATION)? == MOVE,
            replace_null: config.bool(REPLACE_NULL)?,
            plans: SchemaCache::default(),
        })
    }
}

impl HeaderFrom {
    fn purpose(&self) -> &'static str {
        match self.moves {
            true => "header move",
            false => "header copy",
        }
    }

    fn schemaless(&self, value: Value, headers: &mut Vec<Header>) -> Result<Value, ConnectError> {
        let entries = require_map(value, self.purpose())?;
        for (field, header) in &self.pairs {
            // A copy also where the field is moved: it may go to a second header.
            let value = get(&entries, field).cloned().unwrap_or(Value::Null);
            headers.push(Header {
                key: header.clone(),
                value: SchemaAndValue::schemaless(value),
            });
        }
        let mut map = HashMap::copy_of(entries);
        if self.moves {
            for (field, _) in &self.pairs {
                map.remove(field);
            }
        }
        Ok(map.into_value())
    }

    fn with_schema(
        &mut self,
        schema: SchemaRef,
        value: Value,
        headers: &mut Vec<Header>,
    ) -> Result<SchemaAndValue, ConnectError> {
        let mut inner = require_struct(value, self.purpose())?;
        let (pairs, moves) = (&self.pairs, self.moves);
        let plan = self
            .plans
            .get(&schema, |schema| plan(schema, pairs, moves))?;
        let mut kept = Vec::with_capacity(plan.kept.len());
        if moves {
            for (field, source) in plan.schema.fields().iter().zip(&plan.kept) {
                let value = inner.values.get_mut(*source);
                let value =
                    value.map_or(Value::Null, |value| std::mem::replace(value, Value::Null));
                kept.push(carried(value, field, self.replace_null)?);
            }
        }
        for ((_, header), taken) in pairs.iter().zip(&plan.taken) {
            let (source, schema) = taken.as_ref().ok_or_else(no_field)?;
            let value = match (inner.values.get(*source), schema.default()) {
                (None | Some(Value::Null), Some(default)) if self.replace_null => default.clone(),
                (value, _) => value.cloned().unwrap_or(Value::Null),
            };
            headers.push(Header {
                key: header.clone(),
                value: SchemaAndValue {
                    schema: Some(SchemaRef::clone(schema)),
                    value,
                },
            });
        }
        if moves {
            inner.values = kept;
            inner.schema = SchemaRef::clone(&plan.schema);
            return Ok(SchemaAndValue::new(
                SchemaRef::clone(&plan.schema),
                Value::Struct(inner),
            ));
        }
        Ok(SchemaAndValue::new(schema, Value::Struct(inner)))
    }
}

fn plan(schema: &Schema, pairs: &[(String, String)], moves: bool) -> Result<Plan, ConnectError> {
    let mut builder = SchemaBuilder::structure().basics_of(schema);
    let mut kept = Vec::new();
    let stays = |name: &str| !pairs.iter().any(|(field, _)| field == name);
    for field in schema.fields().iter().filter(|_| moves) {
        if stays(&field.name) {
            builder = builder.field(&field.name, SchemaRef::clone(&field.schema))?;
            kept.push(field.index);
        }
    }
    let taken = |(name, _): &(String, String)| {
        let field = schema.field(name)?;
        Some((field.index, SchemaRef::clone(&field.schema)))
    };
    Ok(Plan {
        schema: builder.build(),
        kept,
        taken: pairs.iter().map(taken).collect(),
    })
}

fn no_field() -> ConnectError {
    ConnectError::connect(
        "Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \
         \"org.apache.kafka.connect.data.Schema.field(String)\" is null",
    )
    .with_class("java.lang.NullPointerException")
}

impl Transformation for HeaderFrom {
    fn class_name(&self) -> &'static str {
        Self::CLASSES.of(self.part)
    }

    fn apply(
        &mut self,
        mut record: ConnectRecord,
        _origin: RecordOrigin<'_>,
    ) -> Result<Option<ConnectRecord>, ConnectError> {
        let SchemaAndValue { schema, value } = self.part.take(&mut record);
        let headers = &mut record.headers;
        let changed = match schema {
            None => SchemaAndValue::schemaless(self.schemaless(value, headers)?),
            Some(schema) => self.with_schema(schema, value, headers)?,
        };
        *self.part.of_mut(&mut record) = changed;
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::SchemaType;
    use crate::transforms::list::made_for_test;
    use crate::transforms::test_records::{
        SOURCE, defaulted, failure, header, map, named, required, shown, structure, text, valued,
    };

    fn from(operation: &str, fields: &str, headers: &str) -> Box<dyn Transformation> {
        let keys = [
            ("operation", operation),
            ("fields", fields),
            ("headers", headers),
        ];
        made_for_test("HeaderFrom$Value", &keys).unwrap()
    }

    fn after(mut from: Box<dyn Transformation>, value: SchemaAndValue) -> ConnectRecord {
        let mut before = valued(value);
        before.headers.push(header("first"));
        let mut after = from.apply(before, SOURCE).unwrap().unwrap();
        assert_eq!(after.headers.remove(0), header("first"));
        after
    }

    fn shown_headers(record: &ConnectRecord) -> Vec<String> {
        let each = |header: &Header| {
            let schema = header.value.schema.as_ref();
            let schema = schema.map_or("none".to_owned(), ToString::to_string);
            format!("{}: {schema} = {:?}", header.key, header.value.value)
        };
        record.headers.iter().map(each).collect()
    }

    #[test]
    fn entries_of_maps_are_moved_or_copied_without_schema() {
        let value = map(&[("a", text("1")), ("b", text("2"))]);
        let value = SchemaAndValue::schemaless(value);
        let moved = after(from("move", "a,x,a", "h,i,j"), value.clone());
        let headers = [
            "h: none = String(\"1\")",
            "i: none = Null",
            "j: none = String(\"1\")",
        ];
        assert_eq!(shown_headers(&moved), headers);
        assert_eq!(moved.value.value, map(&[("b", text("2"))]));
        let copied = after(from("copy", "a", "h"), value.clone());
        assert_eq!(shown_headers(&copied), headers[..1]);
        assert_eq!(copied.value, value);
    }

    #[test]
    fn fields_of_structs_are_moved_or_copied_with_their_schemas() {
        let value = structure(&[
            ("a", required(SchemaType::Int8), Value::Int8(1)),
            (
                "b",
                defaulted(SchemaType::Int8, Value::Int8(9)),
                Value::Null,
            ),
            (
                "c",
                defaulted(SchemaType::Int8, Value::Int8(8)),
                Value::Null,
            ),
        ]);
        let moved = after(from("move", "b,a", "h,i"), value.clone());
        let headers = ["h: Schema{INT8} = Int8(9)", "i: Schema{INT8} = Int8(1)"];
        assert_eq!(shown_headers(&moved), headers);
        assert_eq!(shown(&moved.value), ["c: Schema{INT8}? = Int8(8)"]);
        let copied = after(from("copy", "b,a", "h,i"), value.clone());
        assert_eq!(shown_headers(&copied), headers);
        assert_eq!(copied.value, value);
    }

    #[test]
    fn what_has_no_fields_is_refused() {
        let null = "found: null";
        assert_eq!(
            failure(&mut *from("move", "a", "h"), SchemaAndValue::NULL),
            format!(
                "DataException: Only Map objects supported in absence of schema for [header move], {null}"
            )
        );
        let mut tombstone = structure(&[]);
        tombstone.value = Value::Null;
        assert_eq!(
            failure(&mut *from("copy", "a", "h"), tombstone),
            format!("DataException: Only Struct objects supported for [header copy], {null}")
        );
        assert_eq!(
            failure(&mut *from("copy", "a", "h"), structure(&[])),
            "NullPointerException: Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \"org.apache.kafka.connect.data.Schema.field(String)\" is null"
        );
    }

    #[test]
    fn there_are_as_many_headers_as_fields() {
        let refused = |fields: &str, operation: &str| {
            let keys = [
                ("operation", operation),
                ("fields", fields),
                ("headers", "a"),
            ];
            named(&made_for_test("HeaderFrom$Value", &keys).err().unwrap())
        };
        assert_eq!(
            refused("a,b", "move"),
            "ConfigException: 'fields' config must have the same number of elements as 'headers' config."
        );
        assert_eq!(
            refused("", "move"),
            "ConfigException: Invalid value [] for configuration fields: Empty list"
        );
        assert_eq!(
            refused("a", "take"),
            "ConfigException: Invalid value take for configuration operation: String must be one of: move, copy"
        );
    }
}
