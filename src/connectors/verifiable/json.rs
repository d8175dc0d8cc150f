//! Values as Jackson's `ObjectMapper` prints them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::api::Value;
use crate::api::data::text;

/// Appends a value; the error is the rest of Jackson's message about member `path`.
pub(super) fn append(value: &Value, path: &str, out: &mut Vec<u8>) -> Result<(), String> {
    match value {
        Value::String(string) => append_string(string, out),
        Value::Bytes(bytes) => append_string(&BASE64.encode(bytes), out),
        Value::Float32(number) if !number.is_finite() => append_string(&text::to_text(value), out),
        Value::Float64(number) if !number.is_finite() => append_string(&text::to_text(value), out),
        Value::Date(millis) | Value::Time(millis) | Value::Timestamp(millis) => {
            text::append_integer(*millis, out);
        }
        Value::Array(items) => append_array(items, path, out)?,
        Value::Map(entries) => append_map(entries, path, out)?,
        Value::Struct(_) => {
            return Err(format!(
                "No serializer found for class org.apache.kafka.connect.data.Struct and no \
                 properties discovered to create BeanSerializer (to avoid exception, disable \
                 SerializationFeature.FAIL_ON_EMPTY_BEANS) (through reference chain: {path})"
            ));
        }
        // Null, booleans, numbers and decimals print as Java prints them.
        _ => text::append(value, out),
    }
    Ok(())
}

fn append_array(items: &[Value], path: &str, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        append(item, &format!("{path}->java.util.ArrayList[{index}]"), out)?;
    }
    out.push(b']');
    Ok(())
}

fn append_map(entries: &[(Value, Value)], path: &str, out: &mut Vec<u8>) -> Result<(), String> {
    out.push(b'{');
    for (index, (key, value)) in entries.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let name = text::to_text(key);
        let path = format!("{path}->java.util.HashMap[\"{name}\"]");
        if key.is_null() {
            return Err(format!(
                "Null key for a Map not allowed in JSON (use a converting NullKeySerializer?) \
                 (through reference chain: {path})"
            ));
        }
        append_string(&name, out);
        out.push(b':');
        append(value, &path, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// Appends a string; beyond quotes, backslashes and control characters nothing is escaped.
pub(super) fn append_string(string: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'"');
    for byte in string.bytes() {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}

/// Builds one line: `{"a":1,"b":"c"}`.
pub(super) struct Line(Vec<u8>);

impl Line {
    pub(super) fn new() -> Self {
        Self(vec![b'{'])
    }

    fn name(&mut self, name: &str) {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        append_string(name, &mut self.0);
        self.0.push(b':');
    }

    /// A number, or other JSON that is finished.
    pub(super) fn raw(mut self, name: &str, json: impl std::fmt::Display) -> Self {
        self.name(name);
        self.0.extend_from_slice(json.to_string().as_bytes());
        self
    }

    /// A text or null.
    pub(super) fn text(mut self, name: &str, text: Option<&str>) -> Self {
        self.name(name);
        match text {
            Some(text) => append_string(text, &mut self.0),
            None => self.0.extend_from_slice(b"null"),
        }
        self
    }

    pub(super) fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// A value's JSON, or the line that Kafka prints when a record has none.
pub(super) fn value(value: &Value, member: &str) -> Result<String, String> {
    let mut out = Vec::new();
    append(value, &format!("java.util.HashMap[\"{member}\"]"), &mut out)
        .map_err(|error| format!("Bad data can't be written as json: {error}"))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right sides are what Apache's task printed.
    #[test]
    fn values_print_as_jackson_prints_them() {
        let text = |text: &str| Value::String(text.to_owned());
        let decimal: bigdecimal::BigDecimal = "1.50".parse().unwrap();
        for (given, json) in [
            (Value::Int64(7), "7"),
            (text("a\"bé/\u{1}\u{2028}"), "\"a\\\"bé/\\u0001\u{2028}\""),
            (Value::Null, "null"),
            (Value::Bytes(vec![1, 2, 3].into()), "\"AQID\""),
            (Value::Map(vec![(text("k"), Value::Int32(1))]), "{\"k\":1}"),
            (
                Value::Array(vec![
                    Value::Float64(1.5),
                    Value::Float32(2.0),
                    Value::Float64(1e10),
                    Value::Float64(1e-5),
                    Value::Boolean(true),
                ]),
                "[1.5,2.0,1.0E10,1.0E-5,true]",
            ),
            (Value::Decimal(decimal), "1.50"),
            (Value::Timestamp(5), "5"),
            (Value::Float64(f64::NAN), "\"NaN\""),
            (Value::Float64(1e7), "1.0E7"),
            (Value::Float32(3e38), "3.0E38"),
            (
                Value::Map(vec![(Value::Int64(1), Value::Int64(2))]),
                "{\"1\":2}",
            ),
            (Value::Float32(f32::INFINITY), "\"Infinity\""),
        ] {
            assert_eq!(value(&given, "seqno").as_deref(), Ok(json));
        }
        let null_key = Value::Map(vec![(Value::Null, Value::Int32(1))]);
        assert_eq!(
            value(&null_key, "seqno").unwrap_err(),
            "Bad data can't be written as json: Null key for a Map not allowed in JSON (use a \
             converting NullKeySerializer?) (through reference chain: \
             java.util.HashMap[\"seqno\"]->java.util.HashMap[\"null\"])"
        );
    }
}
