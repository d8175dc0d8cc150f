use super::create::{CREATE_REQUEST, CreateRequest};
use super::reader::VALUES;
use super::*;

const AT: &str = " at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: ";

fn at(message: &str, column: u32, chain: &str) -> Result<Option<CreateRequest>, String> {
    let chain = match chain {
        "" => String::new(),
        chain => format!(" (through reference chain: {CREATE_REQUEST}{chain})"),
    };
    Err(format!("{message}\n{AT}{column}]{chain}"))
}

#[test]
fn scalars_become_texts_as_they_were_written_and_the_last_of_equal_keys_counts() {
    let body = br#" {"a": 1.50, "b":true,"c":null,"d":"x\u00fc\ud83d\ude00\n","a":1e3} "#;
    let map = config_map(body).unwrap().unwrap();
    let texts: Vec<_> = map
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_deref()))
        .collect();
    let expected = [
        ("a", Some("1e3")),
        ("b", Some("true")),
        ("c", None),
        ("d", Some("xü😀\n")),
    ];
    assert_eq!(texts, expected);
    assert_eq!(config_map(b""), Ok(None));
    assert_eq!(config_map(b" null "), Ok(None));
}

/// Every text as Apache Kafka Connect 4.3.1 gave it.
#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn malformed_creations_are_refused_with_jacksons_texts_and_positions() {
    let cases = [
        (
            "{",
            at(
                "Unexpected end-of-input: expected close marker for Object (start marker at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1])",
                2,
                "",
            ),
        ),
        (
            "garbage",
            at(
                &format!("Unrecognized token 'garbage': was expecting {VALUES}"),
                1,
                "",
            ),
        ),
        (
            "[]",
            at(
                "Cannot deserialize value of type `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest` from Array value (token `JsonToken.START_ARRAY`)",
                1,
                "",
            ),
        ),
        (
            "\"x\"",
            at(
                "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest` (although at least one Creator exists): no String-argument constructor/factory method to deserialize from String value ('x')",
                1,
                "",
            ),
        ),
        (
            "7",
            at(
                "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest` (although at least one Creator exists): no int/Int-argument constructor/factory method to deserialize from Number value (7)",
                1,
                "",
            ),
        ),
        (
            r#"{"name":"a","config":{"connector.class":{"a":1}}}"#,
            at(
                "Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)",
                41,
                r#"["config"]->java.util.LinkedHashMap["connector.class"]"#,
            ),
        ),
        (
            r#"{"name":{"a":1},"config":{}}"#,
            at(
                "Cannot deserialize value of type `java.lang.String` from Object value (token `JsonToken.START_OBJECT`)",
                9,
                r#"["name"]"#,
            ),
        ),
        (
            r#"{"name":"a","config":[]}"#,
            at(
                "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.String>` from Array value (token `JsonToken.START_ARRAY`)",
                22,
                r#"["config"]"#,
            ),
        ),
        (
            r#"{"name":"a","config":"x"}"#,
            at(
                "Cannot construct instance of `java.util.LinkedHashMap` (although at least one Creator exists): no String-argument constructor/factory method to deserialize from String value ('x')",
                22,
                r#"["config"]"#,
            ),
        ),
        (
            r#"{"name":"a","configs":{}}"#,
            at(
                "Unrecognized field \"configs\" (class org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest), not marked as ignorable (3 known properties: \"config\", \"name\", \"initial_state\")",
                26,
                r#"["configs"]"#,
            ),
        ),
        (
            r#"{"name":"a","config":{},"initial_state":"foo"}"#,
            at(
                "Cannot construct instance of `org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest$InitialState`, problem: No enum constant org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest.InitialState.FOO",
                41,
                r#"["initial_state"]"#,
            ),
        ),
        (
            r#"{"name":"a","config":{"connector.class":"Nope"}} trailing"#,
            at(
                &format!("Unrecognized token 'trailing': was expecting {VALUES}"),
                50,
                "",
            ),
        ),
        (
            r#"{"name":"a","config":{"connector.class":"Nope",}}"#,
            at(
                "Unexpected character ('}' (code 125)): was expecting double-quote to start field name",
                48,
                r#"["config"]"#,
            ),
        ),
        (
            r#"{"name":"a", config:{}}"#,
            at(
                "Unexpected character ('c' (code 99)): was expecting double-quote to start field name",
                14,
                "",
            ),
        ),
        (
            r#"{"name":"a","config":{"topic":tru}}"#,
            at(
                &format!("Unrecognized token 'tru': was expecting {VALUES}"),
                31,
                r#"["config"]"#,
            ),
        ),
        (
            r#"{"name":"a","config":{"topic":"x}}"#,
            at(
                "Unexpected end-of-input in VALUE_STRING",
                35,
                r#"["config"]"#,
            ),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(create_request(body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn malformed_maps_are_refused_with_jacksons_texts() {
    let cases = [
        (
            r#"{"a" 1}"#,
            "Unexpected character ('1' (code 49)): was expecting a colon to separate field name and value",
            6,
        ),
        (
            r#"{"a":1 "b""#,
            "Unexpected character ('\"' (code 34)): was expecting comma to separate Object entries",
            8,
        ),
        (
            r#"{"a":01}"#,
            "Invalid numeric value: Leading zeroes not allowed",
            7,
        ),
        (
            r#"{"a":"\x"}"#,
            "Unrecognized character escape 'x' (code 120)",
            8,
        ),
        (
            r#"{"a":?}"#,
            "Unexpected character ('?' (code 63)): expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')",
            6,
        ),
        (
            r#"{"a":-}"#,
            "Unexpected character ('}' (code 125)) in numeric value: expected digit (0-9) to follow minus sign, for valid numeric value",
            7,
        ),
        (
            "{\"a\":\"x\ny\"}",
            "Illegal unquoted character ((CTRL-CHAR, code 10)): has to be escaped using backslash to be included in string value",
            8,
        ),
        (
            r#"{"a":"b"} 5"#,
            "Trailing token (of type VALUE_NUMBER_INT) found after value (bound as `java.util.Map`): not allowed as per `DeserializationFeature.FAIL_ON_TRAILING_TOKENS`",
            11,
        ),
        (
            "true",
            "Cannot deserialize value of type `java.util.LinkedHashMap<java.lang.String,java.lang.String>` from Boolean value (token `JsonToken.VALUE_TRUE`)",
            1,
        ),
    ];
    for (body, message, column) in cases {
        let expected = Err(format!("{message}\n{AT}{column}]"));
        assert_eq!(config_map(body.as_bytes()), expected, "{body}");
    }
}

#[test]
fn deep_nesting_in_an_unknown_member_is_passed_over_without_recursion() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let body = format!(r#"{{"x":{deep},"y":{{"a":[1,{{}},[]]}},"name":"n"}}"#);
    let error = create_request(body.as_bytes()).unwrap_err();
    assert!(error.starts_with("Unrecognized field \"x\""), "{error}");
    let cut = create_request(&body.as_bytes()[..50_000]).unwrap_err();
    assert!(cut.starts_with("Unexpected end-of-input"), "{cut}");
}

proptest::proptest! {
    #[test]
    fn no_body_panics(body in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
        drop(create_request(&body));
        drop(config_map(&body));
    }

    #[test]
    fn no_text_of_json_characters_panics(body in "[\\[\\]{}\",:\\\\a-u0-9.\\- ]{0,64}") {
        drop(create_request(body.as_bytes()));
        drop(config_map(body.as_bytes()));
    }
}
