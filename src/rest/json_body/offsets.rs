//! The body of `PATCH /connectors/NAME/offsets`.

use serde_json::Value;

use super::reader::{Chain, Reader, Token};
use crate::api::SourceMap;
use crate::worker::PartitionOffset;

const OFFSETS: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffsets";
const OFFSET: &str = "org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset";
const LIST: &str =
    "java.util.ArrayList<org.apache.kafka.connect.runtime.rest.entities.ConnectorOffset>";
const OFFSETS_KNOWN: &str = "(one known property: \"offsets\")";
const OFFSET_KNOWN: &str = "(2 known properties: \"partition\", \"offset\")";
const MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.Object>";

/// What stands under `offsets`: `None` for `null` or nothing; an item may be `null`, too.
pub(in crate::rest) type Offsets = Option<Vec<Option<PartitionOffset>>>;

/// Reads the body; `None` for an empty body and for `null`.
///
/// # Errors
/// Jackson's text.
pub(in crate::rest) fn connector_offsets(body: &[u8]) -> Result<Option<Offsets>, String> {
    let mut reader = Reader::new(body);
    if !reader.has_token() {
        return Ok(None);
    }
    let none = Chain::default();
    let Some(start) = reader.record(OFFSETS, &none)? else {
        reader.end(OFFSETS)?;
        return Ok(None);
    };
    let mut offsets = None;
    let mut unknown = None;
    let (mut first, mut complete) = (true, false);
    while let Some(member) = reader.member(first, start, &none)? {
        first = false;
        if member == "offsets" {
            offsets = reader.offsets(&Chain::of(OFFSETS, &member))?;
            complete = true;
        } else {
            reader.pass_unknown((OFFSETS, OFFSETS_KNOWN), &member, complete, &none)?;
            unknown.get_or_insert(member);
        }
    }
    if let Some(member) = unknown {
        return Err(reader.unknown_member(OFFSETS, OFFSETS_KNOWN, &member, &none));
    }
    reader.end(OFFSETS)?;
    Ok(Some(offsets))
}

impl Reader<'_> {
    fn offsets(&mut self, chain: &Chain) -> Result<Offsets, String> {
        self.skip_space();
        let start = self.pos;
        match self.token(chain)? {
            Token::Null => return Ok(None),
            Token::ArrayStart => {}
            other => return Err(self.wrong_shape(LIST, &other, start, chain)),
        }
        let mut offsets = Vec::new();
        while !self.array_ends(offsets.is_empty(), start, chain)? {
            let item = self.offset(&chain.then_item(offsets.len()))?;
            offsets.push(item);
        }
        Ok(Some(offsets))
    }

    fn offset(&mut self, chain: &Chain) -> Result<Option<PartitionOffset>, String> {
        let Some(start) = self.record(OFFSET, chain)? else {
            return Ok(None);
        };
        let mut found = PartitionOffset {
            partition: None,
            offset: None,
        };
        let mut unknown = None;
        let mut first = true;
        let (mut has_partition, mut has_offset) = (false, false);
        while let Some(member) = self.member(first, start, chain)? {
            first = false;
            let inner = chain.then(OFFSET, &member);
            match member.as_str() {
                "partition" => {
                    found.partition = self.values(&inner)?;
                    has_partition = true;
                }
                "offset" => {
                    found.offset = self.values(&inner)?;
                    has_offset = true;
                }
                _ => {
                    let complete = has_partition && has_offset;
                    self.pass_unknown((OFFSET, OFFSET_KNOWN), &member, complete, chain)?;
                    unknown.get_or_insert(member);
                }
            }
        }
        let Some(member) = unknown else {
            return Ok(Some(found));
        };
        Err(self.unknown_member(OFFSET, OFFSET_KNOWN, &member, chain))
    }

    /// A map of anything; the last of equal keys counts.
    fn values(&mut self, chain: &Chain) -> Result<Option<SourceMap>, String> {
        let Some(start) = self.map_start(MAP, chain)? else {
            return Ok(None);
        };
        let mut map = SourceMap::new();
        let mut first = true;
        while let Some(key) = self.member(first, start, chain)? {
            first = false;
            let value = self.value(chain)?;
            map.insert(key, value);
        }
        Ok(Some(map))
    }

    fn value(&mut self, chain: &Chain) -> Result<Value, String> {
        self.skip_space();
        let start = self.pos;
        Ok(match self.token(chain)? {
            Token::Null => Value::Null,
            Token::Boolean(value) => value.into(),
            Token::String(text) => text.into(),
            Token::Number(text) => serde_json::from_str(&text)
                .map_err(|error| self.fault(&error.to_string(), start, chain))?,
            Token::ObjectStart | Token::ArrayStart => {
                self.pos = start;
                self.skip_value(chain)?;
                serde_json::from_slice(&self.text[start..self.pos])
                    .map_err(|error| self.fault(&error.to_string(), start, chain))?
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: &str = " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: ";

    fn map(value: Value) -> Option<SourceMap> {
        match value {
            Value::Object(map) => Some(map),
            _ => None,
        }
    }

    #[test]
    fn offsets_keep_their_types_and_may_be_missing() {
        let body = br#"{"offsets":[
            {"partition":{"a":1,"b":"x","c":null,"d":1.5},"offset":{"position":9007199254740993}},
            {"offset":null,"partition":{"e":[1,{"f":true}]}}, null, {}]}"#;
        let found = connector_offsets(body).unwrap().unwrap().unwrap();
        let entry = |partition, offset| {
            Some(PartitionOffset {
                partition: map(partition),
                offset: map(offset),
            })
        };
        let expected = [
            entry(
                json!({"a": 1, "b": "x", "c": null, "d": 1.5}),
                json!({"position": 9_007_199_254_740_993_i64}),
            ),
            entry(json!({"e": [1, {"f": true}]}), Value::Null),
            None,
            entry(Value::Null, Value::Null),
        ];
        assert_eq!(found, expected);
        assert_eq!(connector_offsets(b""), Ok(None));
        assert_eq!(connector_offsets(b"null"), Ok(None));
        assert_eq!(connector_offsets(b"{}"), Ok(Some(None)));
        assert_eq!(connector_offsets(br#"{"offsets":null}"#), Ok(Some(None)));
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn malformed_offsets_are_refused_with_jacksons_texts() {
        let list = format!("{OFFSETS}[\"offsets\"]");
        let item = format!("{list}->java.util.ArrayList[0]");
        let partition = format!("{item}->{OFFSET}[\"partition\"]");
        let cases = [
            (
                "[]",
                format!(
                    "Cannot deserialize value of type `{OFFSETS}` from Array value (token `JsonToken.START_ARRAY`)"
                ),
                1,
                String::new(),
            ),
            (
                "7",
                format!(
                    "Cannot construct instance of `{OFFSETS}` (although at least one Creator exists): no int/Int-argument constructor/factory method to deserialize from Number value (7)"
                ),
                1,
                String::new(),
            ),
            (
                r#"{"offsets":{}}"#,
                format!(
                    "Cannot deserialize value of type `{LIST}` from Object value (token `JsonToken.START_OBJECT`)"
                ),
                12,
                list.clone(),
            ),
            (
                r#"{"offsets":[123]}"#,
                format!(
                    "Cannot construct instance of `{OFFSET}` (although at least one Creator exists): no int/Int-argument constructor/factory method to deserialize from Number value (123)"
                ),
                13,
                item.clone(),
            ),
            (
                r#"{"offsets":[{"partition":[]}]}"#,
                format!(
                    "Cannot deserialize value of type `{MAP}` from Array value (token `JsonToken.START_ARRAY`)"
                ),
                26,
                partition,
            ),
            (
                r#"{"offset":[]}"#,
                format!(
                    "Unrecognized field \"offset\" (class {OFFSETS}), not marked as ignorable (one known property: \"offsets\")"
                ),
                14,
                format!("{OFFSETS}[\"offset\"]"),
            ),
            (
                r#"{"offsets":[],"more":1}"#,
                format!(
                    "Unrecognized field \"more\" (class {OFFSETS}), not marked as ignorable (one known property: \"offsets\")"
                ),
                23,
                format!("{OFFSETS}[\"more\"]"),
            ),
            (
                r#"{"offsets":[{"partition":{"a":1},"offset":{"b":}}]}"#,
                "Unexpected character ('}' (code 125)): expected a value".to_owned(),
                48,
                format!("{item}->{OFFSET}[\"offset\"]"),
            ),
            (
                r#"{"offsets":[{"x":1}]}"#,
                format!(
                    "Unrecognized field \"x\" (class {OFFSET}), not marked as ignorable (2 known properties: \"partition\", \"offset\")"
                ),
                20,
                format!("{item}->{OFFSET}[\"x\"]"),
            ),
        ];
        for (body, message, column, chain) in cases {
            let chain = match chain.as_str() {
                "" => String::new(),
                chain => format!(" (through reference chain: {chain})"),
            };
            let expected = Err(format!("{message}\n{AT}{column}]{chain}"));
            assert_eq!(connector_offsets(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn deep_values_are_refused_without_recursion() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        let body = format!(r#"{{"offsets":[{{"partition":{{"a":{deep}}}}}]}}"#);
        let error = connector_offsets(body.as_bytes()).unwrap_err();
        assert!(error.contains("recursion limit"), "{error}");
    }

    proptest::proptest! {
        #[test]
        fn no_body_panics(body in "[\\[\\]{}\",:\\\\a-u0-9.\\- ]{0,64}") {
            drop(connector_offsets(body.as_bytes()));
            drop(connector_offsets(format!("{{\"offsets\":[{body}").as_bytes()));
        }
    }
}
