//! Offset keys: `["connector",{partition}]`, compared by meaning.

use serde_json::Value;

use super::StorageError;
use crate::api::SourceMap;

/// A key that was read back.
pub(super) struct OffsetKey {
    pub(super) connector: String,
    pub(super) partition: SourceMap,
}

/// Reads a key; `None` when it is no array of a string and an object.
pub(super) fn parse(key: &[u8]) -> Option<OffsetKey> {
    let Ok(Value::Array(parts)) = serde_json::from_slice(key) else {
        return None;
    };
    let [Value::String(connector), Value::Object(partition)] =
        <[Value; 2]>::try_from(parts).ok()?
    else {
        return None;
    };
    Some(OffsetKey {
        connector,
        partition,
    })
}

/// The bytes that are stored for a key not met before: a compact JSON array, members as they come.
pub(super) fn encode(connector: &str, partition: &SourceMap) -> Vec<u8> {
    to_json(&(connector, partition))
}

/// The same bytes for all keys of the same meaning: members in order of their names.
pub(crate) fn canonical(connector: &str, partition: &SourceMap) -> Vec<u8> {
    if partition.len() < 2 {
        return encode(connector, partition);
    }
    let sorted: std::collections::BTreeMap<&String, &Value> = partition.iter().collect();
    to_json(&(connector, sorted))
}

pub(super) fn to_json(value: &impl serde::Serialize) -> Vec<u8> {
    // Strings, numbers and maps with string keys always have a JSON form.
    serde_json::to_vec(value).unwrap_or_default()
}

/// Refuses what a source partition or an offset may not hold, as Apache does (`OffsetUtils
/// .validateFormat`): nested values, and numbers above 64 bits.
///
/// # Errors
/// [`StorageError::NotPrimitive`].
pub fn check_format(map: &SourceMap) -> Result<(), StorageError> {
    check_primitive(map)?;
    let too_large = |value: &Value| value.is_u64() && value.as_i64().is_none();
    match map.iter().find(|(_, value)| too_large(value)) {
        None => Ok(()),
        Some((field, _)) => Err(StorageError::NotPrimitive {
            field: field.clone(),
            found: "class java.math.BigInteger",
        }),
    }
}

/// Refuses nested values.
pub(crate) fn check_primitive(map: &SourceMap) -> Result<(), StorageError> {
    let nested = map.iter().find_map(|(field, value)| match value {
        Value::Array(_) => Some((field, "ARRAY")),
        Value::Object(_) => Some((field, "MAP")),
        _ => None,
    });
    match nested {
        None => Ok(()),
        Some((field, found)) => Err(StorageError::NotPrimitive {
            field: field.clone(),
            found,
        }),
    }
}
