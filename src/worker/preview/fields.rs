//! A record as lines of path and text, for people and for finding what a transform changed.

use crate::api::data::text::to_text;
use crate::api::data::{Schema, SchemaRef};
use crate::api::{ConnectRecord, SchemaAndValue, Value};

/// Most lines that one record becomes.
const LINES_MAX: usize = 1000;
/// Most characters shown of one value.
const TEXT_MAX: usize = 240;
/// Most bytes shown of a byte array.
const BYTES_MAX: usize = 120;

/// Something in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Where, e.g. `value.address.city`.
    pub path: String,
    /// Type and value.
    pub text: String,
}

/// What a step did to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub path: String,
    /// `None`: it is new.
    pub before: Option<String>,
    /// `None`: it is gone.
    pub after: Option<String>,
}

/// The lines of a record: topic, partition, timestamp, key, value, headers.
pub fn fields(record: &ConnectRecord) -> Vec<Field> {
    let mut out = Fields(Vec::new());
    out.push("topic", &quoted(&record.topic));
    let or_none = |number: Option<i64>| number.map_or_else(|| "none".to_owned(), |n| n.to_string());
    out.push("partition", &or_none(record.kafka_partition.map(i64::from)));
    out.push("timestamp", &or_none(record.timestamp));
    out.add("key", &record.key);
    out.add("value", &record.value);
    for (index, header) in record.headers.iter().enumerate() {
        let before = record.headers[..index].iter();
        match before.filter(|other| other.key == header.key).count() {
            0 => out.add(&format!("header {}", header.key), &header.value),
            nth => out.add(&format!("header {}#{}", header.key, nth + 1), &header.value),
        }
    }
    out.0
}

/// What differs, in the order of the fields.
fn changes(before: &[Field], after: &[Field]) -> Vec<Change> {
    let find = |all: &[Field], path: &str| {
        let found = all.iter().find(|field| field.path == path);
        found.map(|field| field.text.clone())
    };
    let gone_or_changed = before.iter().filter_map(|field| {
        let now = find(after, &field.path);
        (now.as_ref() != Some(&field.text)).then(|| Change {
            path: field.path.clone(),
            before: Some(field.text.clone()),
            after: now,
        })
    });
    let new = after
        .iter()
        .filter(|field| find(before, &field.path).is_none())
        .map(|field| Change {
            path: field.path.clone(),
            before: None,
            after: Some(field.text.clone()),
        });
    gone_or_changed.chain(new).collect()
}

/// What differs between a record and what a step made of it; all of it for the first.
pub fn changed(before: Option<&ConnectRecord>, after: &ConnectRecord) -> Vec<Change> {
    let before = before.map(fields).unwrap_or_default();
    changes(&before, &fields(after))
}

struct Fields(Vec<Field>);

impl Fields {
    fn push(&mut self, path: &str, text: &str) {
        let text = match self.0.len() {
            0..LINES_MAX => text,
            LINES_MAX => "…",
            _ => return,
        };
        self.0.push(Field {
            path: path.to_owned(),
            text: text.to_owned(),
        });
    }

    fn add(&mut self, path: &str, data: &SchemaAndValue) {
        if let Some(schema) = &data.schema {
            let text = described(schema);
            if !schema.fields().is_empty() || text.contains(' ') {
                self.push(&format!("{path} schema"), &text);
            }
        }
        self.add_value(path, data.schema.as_ref(), &data.value);
    }

    fn add_value(&mut self, path: &str, schema: Option<&SchemaRef>, value: &Value) {
        if self.0.len() > LINES_MAX {
            return;
        }
        match value {
            Value::Struct(inner) => {
                for (field, value) in inner.schema.fields().iter().zip(&inner.values) {
                    self.add_value(
                        &format!("{path}.{}", field.name),
                        Some(&field.schema),
                        value,
                    );
                }
            }
            Value::Map(entries) if !entries.is_empty() => {
                let values = schema.and_then(|schema| schema.value_schema());
                for (key, value) in entries {
                    self.add_value(&format!("{path}.{}", to_text(key)), values, value);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                let element = schema.and_then(|schema| schema.value_schema());
                for (index, item) in items.iter().enumerate() {
                    self.add_value(&format!("{path}[{index}]"), element, item);
                }
            }
            leaf => self.push(path, &leaf_text(schema, leaf)),
        }
    }
}

/// Type, and what else there is to say of a schema: `struct p.Order v2, optional`.
fn described(schema: &Schema) -> String {
    let mut text = schema.kind().name().to_ascii_lowercase();
    if let Some(name) = schema.name() {
        text.push(' ');
        text.push_str(name);
    }
    if let Some(version) = schema.version() {
        text.push_str(&format!(" v{version}"));
    }
    if schema.is_optional() && (schema.name().is_some() || !schema.fields().is_empty()) {
        text.push_str(", optional");
    }
    text
}

fn leaf_text(schema: Option<&SchemaRef>, value: &Value) -> String {
    let kind = schema.map(|schema| schema.kind()).or(value.schema_type());
    let kind = kind.map(|kind| kind.name().to_ascii_lowercase());
    let optional = match schema.is_some_and(|schema| schema.is_optional()) {
        true => "?",
        false => "",
    };
    let shown = match value {
        Value::String(text) => quoted(text),
        Value::Bytes(bytes) => excerpt(bytes),
        Value::Map(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => cut(&to_text(other)),
    };
    match kind {
        Some(kind) => format!("{kind}{optional} {shown}"),
        None => shown,
    }
}

fn quoted(text: &str) -> String {
    let shown = cut(text);
    format!("{shown:?}")
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_MAX) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The beginning of bytes: as text where they are printable, else in hexadecimal.
pub fn excerpt(bytes: &[u8]) -> String {
    let more = if bytes.len() > BYTES_MAX { "…" } else { "" };
    let head = &bytes[..bytes.len().min(BYTES_MAX)];
    let text = match std::str::from_utf8(head) {
        Ok(text) => Some(text),
        // A character that the cut went through.
        Err(error) if error.error_len().is_none() && !more.is_empty() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let is_shown = |c: char| !c.is_control() || matches!(c, '\n' | '\t' | '\r');
    match text.filter(|text| text.chars().all(is_shown)) {
        Some(text) => {
            let text = text.replace('\n', "\\n").replace('\r', "\\r");
            format!("{}{more}", text.replace('\t', "\\t"))
        }
        None => {
            let hex: String = head
                .iter()
                .take(BYTES_MAX / 2)
                .map(|b| format!("{b:02x}"))
                .collect();
            let more = if bytes.len() > BYTES_MAX / 2 {
                "…"
            } else {
                ""
            };
            format!("0x{hex}{more}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Header, SchemaBuilder, SchemaType, Struct};

    fn record(value: SchemaAndValue) -> ConnectRecord {
        ConnectRecord {
            topic: "t".into(),
            kafka_partition: Some(3),
            key: SchemaAndValue::NULL,
            value,
            timestamp: None,
            headers: Vec::new(),
        }
    }

    fn lines(record: &ConnectRecord) -> Vec<String> {
        let line = |field: Field| format!("{} = {}", field.path, field.text);
        fields(record).into_iter().map(line).collect()
    }

    #[test]
    fn structs_maps_and_lists_are_told_by_path_and_type() {
        let inner = SchemaBuilder::new(SchemaType::Struct)
            .name("p.Inner")
            .version(2)
            .field("n", Schema::optional(SchemaType::Int32))
            .unwrap()
            .build();
        let mut value = Struct::new(SchemaRef::clone(&inner)).unwrap();
        value.put("n", Value::Int32(5)).unwrap();
        let with_schema = record(SchemaAndValue::new(inner, Value::Struct(Box::new(value))));
        assert_eq!(
            lines(&with_schema),
            [
                "topic = \"t\"",
                "partition = 3",
                "timestamp = none",
                "key = null",
                "value schema = struct p.Inner v2",
                "value.n = int32? 5",
            ]
        );
        let items = Value::Array(vec![Value::Int64(1), Value::Null]);
        let entry = (Value::String("a".to_owned()), items);
        let schemaless = record(SchemaAndValue::schemaless(Value::Map(vec![entry])));
        assert_eq!(
            lines(&schemaless)[4..],
            ["value.a[0] = int64 1", "value.a[1] = null"]
        );
    }

    #[test]
    fn changes_are_what_differs_and_nothing_else() {
        let map = |entries: &[(&str, i64)]| {
            let entries = entries.iter();
            let entries = entries.map(|(k, v)| (Value::String((*k).to_owned()), Value::Int64(*v)));
            record(SchemaAndValue::schemaless(Value::Map(entries.collect())))
        };
        let mut after = map(&[("b", 3), ("c", 4)]);
        after.headers.push(Header {
            key: "h".to_owned(),
            value: SchemaAndValue::NULL,
        });
        let found = changes(&fields(&map(&[("a", 1), ("b", 2)])), &fields(&after));
        let text = |text: &str| Some(text.to_owned());
        let change = |path: &str, before, after| Change {
            path: path.to_owned(),
            before,
            after,
        };
        assert_eq!(
            found,
            [
                change("value.a", text("int64 1"), None),
                change("value.b", text("int64 2"), text("int64 3")),
                change("value.c", None, text("int64 4")),
                change("header h", None, text("null")),
            ]
        );
    }

    #[test]
    fn repeated_headers_are_told_apart_and_large_records_are_cut() {
        let mut twice = record(SchemaAndValue::NULL);
        let header = |n| Header {
            key: "h".to_owned(),
            value: SchemaAndValue::schemaless(Value::Int8(n)),
        };
        twice.headers = vec![header(1), header(2)];
        assert_eq!(
            lines(&twice)[5..],
            ["header h = int8 1", "header h#2 = int8 2"]
        );
        let many = Value::Array(vec![Value::Null; LINES_MAX * 2]);
        let many = fields(&record(SchemaAndValue::schemaless(many)));
        assert_eq!(many.len(), LINES_MAX + 1);
    }

    #[test]
    fn bytes_show_as_text_where_they_are_text() {
        assert_eq!(excerpt(b"{\"a\":1}\n"), "{\"a\":1}\\n");
        assert_eq!(excerpt(&[0, 1, 0xff]), "0x0001ff");
        let long = "ä".repeat(BYTES_MAX);
        assert!(excerpt(long.as_bytes()).ends_with("ä…"));
    }
}
