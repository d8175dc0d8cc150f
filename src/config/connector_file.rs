//! The connector files on the command line, in their three shapes (Kafka:
//! `ConnectStandalone.parseConnectorConfigurationFile`):
//!
//! 1. a JSON object of texts: the flat configuration, `name` among it;
//! 2. a JSON object `{"name", "config": {…}, "initial_state"}`, other members ignored;
//! 3. Java properties.

use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ConfigError, file, properties};
use crate::api::ConfigMap;

/// A connector to create.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectorFile {
    /// Its name.
    pub name: String,
    /// Its raw configuration, `name` included.
    pub config: ConfigMap,
    /// State to create it in; `None` runs it.
    pub initial_state: Option<InitialState>,
}

impl std::fmt::Debug for ConnectorFile {
    /// Without values: some of them are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorFile")
            .field("name", &self.name)
            .field("keys", &self.config.keys().collect::<Vec<_>>())
            .field("initial_state", &self.initial_state)
            .finish()
    }
}

/// `initial_state` of a new connector (KIP-980).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InitialState {
    /// `RUNNING`.
    Running,
    /// `PAUSED`.
    Paused,
    /// `STOPPED`.
    Stopped,
}

impl InitialState {
    /// Reads the name in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            ("RUNNING", Self::Running),
            ("PAUSED", Self::Paused),
            ("STOPPED", Self::Stopped),
        ]
        .into_iter()
        .find_map(|(text, state)| text.eq_ignore_ascii_case(name).then_some(state))
    }
}

/// Shape 2. Only these members are looked at.
#[derive(Deserialize)]
struct CreateRequest<'a> {
    name: Option<String>,
    #[serde(borrow)]
    config: Option<IndexMap<String, &'a RawValue>>,
    initial_state: Option<String>,
}

/// Reads a connector file.
///
/// # Errors
/// The file cannot be read, or Kafka's text for a missing or contradicting `name`. Text that looks like
/// JSON but is not says where it breaks.
pub fn load(path: &Path) -> Result<ConnectorFile, ConfigError> {
    parse(path, &file::read(path)?)
}

/// Reads the bytes of the file `path`, which only messages use.
///
/// # Errors
/// As [`load`].
pub fn parse(path: &Path, bytes: &[u8]) -> Result<ConnectorFile, ConfigError> {
    let without_mark = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let looks_like_json = without_mark.trim_ascii_start().first() == Some(&b'{');
    if !looks_like_json {
        return flat(path, properties::parse_file(path, bytes)?, "");
    }
    let entries: IndexMap<String, &RawValue> = match serde_json::from_slice(without_mark) {
        Ok(entries) => entries,
        // Kafka goes on with properties, whose only mistake can be the missing name.
        Err(error) => {
            let hint = format!(" (the file begins like JSON but is none: {error})");
            return flat(path, properties::parse_file(path, bytes)?, &hint);
        }
    };
    match texts(&entries) {
        Some(config) => flat(path, config, ""),
        None => create_request(path, without_mark),
    }
}

/// The entries as texts; `None` when one of them is an object or a list. Numbers and flags keep their
/// spelling, as Jackson does it for a map of strings.
fn texts(entries: &IndexMap<String, &RawValue>) -> Option<ConfigMap> {
    entries
        .iter()
        .map(|(key, raw)| Some((key.clone(), text(raw)?)))
        .collect()
}

fn text(raw: &RawValue) -> Option<Option<String>> {
    let raw = raw.get();
    match raw.as_bytes().first()? {
        b'{' | b'[' => None,
        b'"' => serde_json::from_str(raw).ok().map(Some),
        b'n' => Some(None),
        _ => Some(Some(raw.to_owned())),
    }
}

fn flat(path: &Path, config: ConfigMap, hint: &str) -> Result<ConnectorFile, ConfigError> {
    match config.get("name") {
        Some(Some(name)) => Ok(ConnectorFile {
            name: name.clone(),
            config,
            initial_state: None,
        }),
        _ => Err(missing_name(path, hint)),
    }
}

fn missing_name(path: &Path, hint: &str) -> ConfigError {
    let message = format!(
        "Connector configuration at '{}' is missing the mandatory 'name' configuration{hint}",
        path.display()
    );
    connector_error(path, message)
}

fn connector_error(path: &Path, message: String) -> ConfigError {
    ConfigError::Connector {
        path: path.to_owned(),
        message,
    }
}

fn create_request(path: &Path, bytes: &[u8]) -> Result<ConnectorFile, ConfigError> {
    let request: CreateRequest<'_> =
        serde_json::from_slice(bytes).map_err(|error| not_a_connector(path, &error.to_string()))?;
    let name = request.name.ok_or_else(|| missing_name(path, ""))?;
    let entries = request
        .config
        .ok_or_else(|| not_a_connector(path, "the object 'config' is missing"))?;
    let mut config = texts(&entries)
        .ok_or_else(|| not_a_connector(path, "'config' must hold texts, no objects or lists"))?;
    let inner = config
        .entry("name".to_owned())
        .or_insert_with(|| Some(name.clone()));
    if inner.as_ref() != Some(&name) {
        let message = format!(
            "Connector name configuration in 'config' doesn't match the one specified in 'name' at '{}'",
            path.display()
        );
        return Err(connector_error(path, message));
    }
    let initial_state = match request.initial_state.as_deref() {
        None => None,
        Some(state) => Some(InitialState::from_name(state).ok_or_else(|| {
            let reason = format!("initial_state is '{state}', not RUNNING, PAUSED or STOPPED");
            not_a_connector(path, &reason)
        })?),
    };
    Ok(ConnectorFile {
        name,
        config,
        initial_state,
    })
}

fn not_a_connector(path: &Path, reason: &str) -> ConfigError {
    let message = format!(
        "Connector configuration at '{}' is neither a flat JSON object of texts nor an object with \
         'name' and 'config': {reason}",
        path.display()
    );
    connector_error(path, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConnectorFile, String> {
        parse(Path::new("/c/f"), text.as_bytes()).map_err(|error| error.to_string())
    }

    fn entries(file: &ConnectorFile) -> Vec<(&str, Option<&str>)> {
        file.config
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_deref()))
            .collect()
    }

    #[test]
    fn a_flat_object_keeps_the_spelling_of_its_values() {
        let file =
            read(r#"{"name":"n","tasks.max":1,"x":1.10,"on":true,"gone":null,"u":"\u00e4"}"#);
        assert_eq!(
            entries(&file.unwrap()),
            [
                ("name", Some("n")),
                ("tasks.max", Some("1")),
                ("x", Some("1.10")),
                ("on", Some("true")),
                ("gone", None),
                ("u", Some("ä")),
            ]
        );
    }

    #[test]
    fn a_request_gets_its_name_into_the_config_and_ignores_other_members() {
        let file = read(
            r#"{"name":"n","config":{"a":"b"},"initial_state":"paused","tasks":[{"x":1}],"type":null}"#,
        )
        .unwrap();
        assert_eq!(entries(&file), [("a", Some("b")), ("name", Some("n"))]);
        assert_eq!(file.initial_state, Some(InitialState::Paused));
    }

    #[test]
    fn properties_are_read_when_it_is_no_json() {
        let file = read("# hi\nname=n\nfile : x\n").unwrap();
        assert_eq!(entries(&file), [("name", Some("n")), ("file", Some("x"))]);
        assert_eq!(file.initial_state, None);
    }

    #[test]
    fn a_missing_name_has_the_text_of_kafka_in_all_shapes() {
        let text =
            "Connector configuration at '/c/f' is missing the mandatory 'name' configuration";
        assert_eq!(read(r#"{"a":"b"}"#).unwrap_err(), text);
        assert_eq!(read(r#"{"config":{"a":"b"}}"#).unwrap_err(), text);
        assert_eq!(read("a=b").unwrap_err(), text);
        assert_eq!(read("").unwrap_err(), text);
        assert_eq!(read(r#"{"name":null}"#).unwrap_err(), text);
        let broken = read("{\n\"name\": \"n\",\n}").unwrap_err();
        assert!(
            broken.starts_with(text) && broken.contains("line 3"),
            "{broken}"
        );
    }

    #[test]
    fn two_names_that_differ_are_refused() {
        assert_eq!(
            read(r#"{"name":"n","config":{"name":"m"}}"#).unwrap_err(),
            "Connector name configuration in 'config' doesn't match the one specified in 'name' at '/c/f'"
        );
        assert!(read(r#"{"name":"n","config":{"name":"n"}}"#).is_ok());
    }

    #[test]
    fn nested_values_and_unknown_states_are_named() {
        let nested = read(r#"{"name":"n","config":{"a":{}}}"#).unwrap_err();
        assert!(
            nested.contains("'/c/f'") && nested.contains("no objects"),
            "{nested}"
        );
        let state = read(r#"{"name":"n","config":{},"initial_state":"LOST"}"#).unwrap_err();
        assert!(state.contains("'LOST'"), "{state}");
        let list = read(r#"{"name":"n","x":["a"]}"#).unwrap_err();
        assert!(list.contains("'config' is missing"), "{list}");
    }

    #[test]
    fn debug_shows_no_values() {
        let file = read("name=n\npassword=hunter2").unwrap();
        assert!(!format!("{file:?}").contains("hunter2"));
    }
}
