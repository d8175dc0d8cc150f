//! What to do about errors that records meet again and again.

use crate::task::errors::Stage;
use crate::task::preview::Failed;

/// The key to look at, and what to do, for a failure that is known; `alias` is the transform's.
pub fn hint(failed: &Failed, alias: Option<&str>) -> Option<(String, String)> {
    let message = failed.error.message();
    let converter = match failed.stage {
        Stage::KeyConverter => "key.converter",
        Stage::ValueConverter => "value.converter",
        Stage::HeaderConverter => "header.converter",
        Stage::Transformation => return of_transform(message, alias?),
        _ => return None,
    };
    let is_json = failed.plugin.ends_with(".JsonConverter");
    if is_json && message.contains("requires \"schema\" and \"payload\" fields") {
        let key = format!("{converter}.schemas.enable");
        let fix = format!("for JSON without schemas set {key}=false");
        return Some((key, fix));
    }
    if message.contains("serialization error") || message.contains("Failed to deserialize") {
        let fix = format!(
            "the bytes are not what {} reads: set {converter} to the converter that wrote them",
            short(failed.plugin)
        );
        return Some((converter.to_owned(), fix));
    }
    None
}

fn of_transform(message: &str, alias: &str) -> Option<(String, String)> {
    let key = format!("transforms.{alias}.type");
    let fix = if message.starts_with("Only Struct objects supported") {
        "the schema is not that of a struct: the transform needs one, or no schema and a map"
    } else if message.starts_with("Only Map objects supported") {
        "without a schema the transform needs a map: use a converter that gives one, such as JsonConverter, or put a transform like HoistField before it"
    } else {
        return None;
    };
    Some((key, fix.to_owned()))
}

/// The class without its package.
pub fn short(class: &str) -> &str {
    class.rsplit('.').next().unwrap_or(class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::ConnectError;

    fn of(stage: Stage, plugin: &'static str, message: &str) -> Option<(String, String)> {
        let failed = Failed {
            stage,
            plugin,
            error: ConnectError::data(message),
        };
        hint(&failed, Some("a"))
    }

    #[test]
    fn known_failures_name_the_key_to_change() {
        let json = "org.apache.kafka.connect.json.JsonConverter";
        let envelope = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional fields.";
        let (key, fix) = of(Stage::ValueConverter, json, envelope).unwrap();
        assert_eq!(key, "value.converter.schemas.enable");
        assert!(fix.contains("schemas.enable=false"), "{fix}");
        let bytes = "Converting byte[] to Kafka Connect data failed due to serialization error: x";
        let (key, _) = of(Stage::KeyConverter, json, bytes).unwrap();
        assert_eq!(key, "key.converter");
        let map = "Only Map objects supported in absence of schema for [x], found: y";
        let (key, _) = of(Stage::Transformation, "t", map).unwrap();
        assert_eq!(key, "transforms.a.type");
        assert_eq!(of(Stage::ValueConverter, json, "else"), None);
    }
}
