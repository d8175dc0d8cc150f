//! What a JSON Schema is made of, as the library that Confluent uses sees it: one part, or several that
//! hold together.

use serde_json::{Map, Value as Json};

/// One thing that a schema says of a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// Everything is allowed.
    Anything,
    /// `$ref`.
    Reference(&'a str),
    /// `type`, or the type that other keywords imply, with the keywords.
    Type(&'a str, &'a Map<String, Json>),
    /// `type` with a list.
    Types(&'a [Json], &'a Map<String, Json>),
    /// `enum`.
    Enum(&'a [Json]),
    /// `const`.
    Const(&'a Json),
    /// `oneOf` or `anyOf`.
    OneOf(&'a [Json]),
    /// `allOf`.
    AllOf(&'a [Json]),
}

const NO_KEYWORDS: &[Json] = &[];

/// The parts of a schema, one at least.
pub(super) fn parts(schema: &Json) -> Vec<Part<'_>> {
    let Some(object) = schema.as_object() else {
        return vec![Part::Anything];
    };
    if let Some(reference) = object.get("$ref").and_then(Json::as_str) {
        return vec![Part::Reference(reference)];
    }
    let list = |key: &str| object.get(key).and_then(Json::as_array).map(Vec::as_slice);
    let mut parts = Vec::new();
    if let Some(symbols) = list("enum") {
        parts.push(Part::Enum(symbols));
    }
    if let Some(value) = object.get("const") {
        parts.push(Part::Const(value));
    }
    for key in ["oneOf", "anyOf"] {
        parts.extend(list(key).map(Part::OneOf));
    }
    parts.extend(list("allOf").map(Part::AllOf));
    match object.get("type") {
        Some(Json::String(name)) => parts.push(Part::Type(name, object)),
        Some(Json::Array(names)) => parts.push(Part::Types(names, object)),
        _ => parts.extend(implied(object).map(|name| Part::Type(name, object))),
    }
    if parts.is_empty() {
        parts.push(Part::Anything);
    }
    parts
}

/// The type that keywords without `type` speak of.
fn implied(object: &Map<String, Json>) -> Option<&'static str> {
    let has = |keys: &[&str]| keys.iter().any(|key| object.contains_key(*key));
    if has(&[
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
    ]) {
        Some("object")
    } else if has(&["items", "minItems", "maxItems", "uniqueItems"]) {
        Some("array")
    } else if has(&["minimum", "maximum", "multipleOf"]) {
        Some("number")
    } else if has(&["minLength", "maxLength", "pattern", "format"]) {
        Some("string")
    } else {
        None
    }
}

/// Whether a schema is that of null alone.
pub(super) fn is_null(schema: &Json) -> bool {
    matches!(parts(schema).as_slice(), [Part::Type("null", _)])
}

/// The properties of an object schema.
pub(super) fn properties(object: &Map<String, Json>) -> impl Iterator<Item = (&String, &Json)> {
    let properties = object.get("properties").and_then(Json::as_object);
    properties.into_iter().flatten()
}

/// Whether an object schema requires a property.
pub(super) fn requires(object: &Map<String, Json>, name: &str) -> bool {
    let required = object.get("required").and_then(Json::as_array);
    let required = required.map_or(NO_KEYWORDS, Vec::as_slice);
    required.iter().any(|item| item.as_str() == Some(name))
}
