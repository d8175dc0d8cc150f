//! Configuration definitions: every key declared once, with what parsing, validation over REST and
//! the reference table need (Kafka: `org.apache.kafka.common.config.ConfigDef`).
//!
//! ```
//! use ringmain::api::config_def::{ConfigDef, ConfigKey, Importance, Validator, Width};
//!
//! let def = ConfigDef::new().define(
//!     ConfigKey::int("tasks.max")
//!         .default(1)
//!         .validator(Validator::at_least(1))
//!         .importance(Importance::High)
//!         .doc("How many tasks the connector may have.")
//!         .group("Common", 4)
//!         .display("Tasks max")
//!         .width(Width::Short),
//! );
//! let mut config = ringmain::api::ConfigMap::new();
//! config.insert("tasks.max".into(), Some("4".into()));
//! assert_eq!(def.parse(&config).unwrap().int("tasks.max").unwrap(), 4);
//! ```
//!
//! Texts of problems are Kafka's. Values of type PASSWORD never show in `Debug`, `Display` or a
//! problem's text.

mod parsed;
#[cfg(test)]
mod tests;
mod validator;
mod value;

use indexmap::IndexMap;

pub use parsed::{ParsedConfig, with_prefix};
pub use validator::{Bound, Validator};
pub(crate) use value::java_trim;
pub use value::{ConfigData, ConfigType, Password};

use super::ConfigMap;

/// How likely a user needs to set a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Importance {
    /// Most users look at it.
    High,
    /// Some do.
    Medium,
    /// Few do.
    Low,
}

impl Importance {
    /// `HIGH`, `MEDIUM` or `LOW`.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "HIGH",
            Self::Medium => "MEDIUM",
            Self::Low => "LOW",
        }
    }
}

/// How wide a form field for the key should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Width {
    /// No opinion.
    #[default]
    None,
    /// A number or a flag.
    Short,
    /// A name.
    Medium,
    /// A list or a class name.
    Long,
}

impl Width {
    /// `NONE`, `SHORT`, `MEDIUM` or `LONG`.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Short => "SHORT",
            Self::Medium => "MEDIUM",
            Self::Long => "LONG",
        }
    }
}

/// What a key has when it is not set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyDefault {
    /// Nothing: the key must be set.
    Required,
    /// Kafka's null.
    Null,
    /// This text, parsed like a user's.
    Text(String),
}

/// One configuration key.
#[derive(Debug, Clone)]
pub struct ConfigKey {
    /// Name, as it stands in the file.
    pub name: String,
    /// Type of its value.
    pub kind: ConfigType,
    /// Value when it is not set.
    pub default: KeyDefault,
    /// Further check of the parsed value.
    pub validator: Option<Validator>,
    /// How likely a user needs it.
    pub importance: Importance,
    /// What it does.
    pub documentation: String,
    /// Section of a form, if any.
    pub group: Option<String>,
    /// Place in the section, −1 for none.
    pub order_in_group: i32,
    /// Width of a form field.
    pub width: Width,
    /// Title of a form field.
    pub display_name: String,
    /// Keys whose meaning hangs on this one.
    pub dependents: Vec<String>,
    /// Values to offer to the user.
    pub recommended: Vec<String>,
}

impl ConfigKey {
    /// A required key of `kind`, of medium importance and without further checks.
    pub fn new(name: impl Into<String>, kind: ConfigType) -> Self {
        let name = name.into();
        Self {
            display_name: name.clone(),
            name,
            kind,
            default: KeyDefault::Required,
            validator: None,
            importance: Importance::Medium,
            documentation: String::new(),
            group: None,
            order_in_group: -1,
            width: Width::None,
            dependents: Vec::new(),
            recommended: Vec::new(),
        }
    }

    /// A BOOLEAN key.
    pub fn boolean(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::Boolean)
    }

    /// A STRING key.
    pub fn string(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::String)
    }

    /// An INT key (32 bits).
    pub fn int(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::Int)
    }

    /// A SHORT key (16 bits).
    pub fn short(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::Short)
    }

    /// A LONG key (64 bits).
    pub fn long(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::Long)
    }

    /// A DOUBLE key.
    pub fn double(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::Double)
    }

    /// A LIST key: text split at commas.
    pub fn list(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::List)
    }

    /// A CLASS key: the name of a plugin. Whether it exists is the plugin list's question.
    pub fn class(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::Class)
    }

    /// A PASSWORD key: text that never shows.
    pub fn password(name: impl Into<String>) -> Self {
        Self::new(name, ConfigType::Password)
    }

    /// Sets the default; it is parsed like a user's text.
    #[must_use]
    pub fn default(mut self, value: impl ToString) -> Self {
        self.default = KeyDefault::Text(value.to_string());
        self
    }

    /// Makes null the default.
    #[must_use]
    pub fn default_null(mut self) -> Self {
        self.default = KeyDefault::Null;
        self
    }

    /// Sets the check of the parsed value.
    #[must_use]
    pub fn validator(mut self, validator: Validator) -> Self {
        self.validator = Some(validator);
        self
    }

    /// Sets the importance.
    #[must_use]
    pub fn importance(mut self, importance: Importance) -> Self {
        self.importance = importance;
        self
    }

    /// Sets the documentation.
    #[must_use]
    pub fn doc(mut self, text: impl Into<String>) -> Self {
        self.documentation = text.into();
        self
    }

    /// Sets the section of a form and the place in it.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>, order: i32) -> Self {
        self.group = Some(group.into());
        self.order_in_group = order;
        self
    }

    /// Sets the title of a form field.
    #[must_use]
    pub fn display(mut self, name: impl Into<String>) -> Self {
        self.display_name = name.into();
        self
    }

    /// Sets the width of a form field.
    #[must_use]
    pub fn width(mut self, width: Width) -> Self {
        self.width = width;
        self
    }

    /// Names keys whose meaning hangs on this one.
    #[must_use]
    pub fn dependents<I: IntoIterator<Item: Into<String>>>(mut self, names: I) -> Self {
        self.dependents = names.into_iter().map(Into::into).collect();
        self
    }

    /// Names values to offer to the user.
    #[must_use]
    pub fn recommended<I: IntoIterator<Item: Into<String>>>(mut self, values: I) -> Self {
        self.recommended = values.into_iter().map(Into::into).collect();
        self
    }

    /// Whether the key must be set.
    pub fn is_required(&self) -> bool {
        self.default == KeyDefault::Required
    }

    /// The default as the REST API shows it; `None` when the key is required or its default null.
    pub fn default_text(&self) -> Option<String> {
        match &self.default {
            KeyDefault::Required | KeyDefault::Null => None,
            KeyDefault::Text(text) => Some(
                ConfigData::parse(&self.name, text, self.kind)
                    .map_or_else(|_| text.clone(), |data| data.to_string()),
            ),
        }
    }

    /// The value in `config`, or the default; unchecked by the validator.
    fn read(&self, config: &ConfigMap) -> Result<Option<ConfigData>, String> {
        let text = match (config.get(&self.name), &self.default) {
            (Some(None), _) | (None, KeyDefault::Null) => return Ok(None),
            (Some(Some(text)), _) | (None, KeyDefault::Text(text)) => text,
            (None, KeyDefault::Required) => {
                return Err(format!(
                    "Missing required configuration \"{}\" which has no default value.",
                    self.name
                ));
            }
        };
        ConfigData::parse(&self.name, text, self.kind).map(Some)
    }

    fn check(&self, value: Option<&ConfigData>) -> Result<(), String> {
        self.validator
            .as_ref()
            .map_or(Ok(()), |validator| validator.check(&self.name, value))
    }
}

/// A key at fault and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The key.
    pub key: String,
    /// Kafka's text, which names the key.
    pub message: String,
}

impl ConfigProblem {
    /// A problem of `key` with a full text.
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            message: message.into(),
        }
    }

    /// A problem in Kafka's form "Invalid value V for configuration K: reason".
    pub fn invalid(key: &str, value: &str, reason: &str) -> Self {
        Self::new(key, invalid_text(key, Some(value), reason))
    }
}

impl std::fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ConfigProblem {}

/// The answer about one key: the value half of Kafka's `ConfigInfos`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigValue {
    /// Key.
    pub name: String,
    /// Parsed value as text; lists joined by commas, passwords as `[hidden]`.
    pub value: Option<String>,
    /// Values to offer.
    pub recommended_values: Vec<String>,
    /// What is wrong with it.
    pub errors: Vec<String>,
    /// Whether a form should show it.
    pub visible: bool,
}

/// A set of keys, in the order of their definition.
#[derive(Debug, Clone, Default)]
pub struct ConfigDef {
    keys: IndexMap<String, ConfigKey>,
}

impl ConfigDef {
    /// An empty definition.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key. A key of the same name is replaced at its place: the later definition says more.
    #[must_use]
    pub fn define(mut self, key: ConfigKey) -> Self {
        self.keys.insert(key.name.clone(), key);
        self
    }

    /// Adds the keys of `other` that are not defined yet.
    #[must_use]
    pub fn extend(mut self, other: &Self) -> Self {
        for key in other.keys() {
            if !self.contains(&key.name) {
                self.keys.insert(key.name.clone(), key.clone());
            }
        }
        self
    }

    /// The keys in the order of their definition.
    pub fn keys(&self) -> impl Iterator<Item = &ConfigKey> {
        self.keys.values()
    }

    /// The key `name`.
    pub fn key(&self, name: &str) -> Option<&ConfigKey> {
        self.keys.get(name)
    }

    /// Whether `name` is defined.
    pub fn contains(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    /// The groups in the order of their first key.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups = Vec::new();
        for group in self.keys().filter_map(|key| key.group.as_deref()) {
            if !groups.contains(&group) {
                groups.push(group);
            }
        }
        groups
    }

    /// Parses and checks every defined key (Kafka: `ConfigDef.parse`).
    ///
    /// # Errors
    /// All problems together, where Kafka stops at the first; at most one per key.
    pub fn parse(&self, config: &ConfigMap) -> Result<ParsedConfig, Vec<ConfigProblem>> {
        let mut values = IndexMap::with_capacity(self.keys.len());
        let mut problems = Vec::new();
        for key in self.keys() {
            match self.parse_key(key, config) {
                Ok(value) => {
                    values.insert(key.name.clone(), value);
                }
                Err(message) => problems.push(ConfigProblem::new(&key.name, message)),
            }
        }
        if problems.is_empty() {
            Ok(ParsedConfig::new(values, config.clone()))
        } else {
            Err(problems)
        }
    }

    fn parse_key(&self, key: &ConfigKey, config: &ConfigMap) -> Result<Option<ConfigData>, String> {
        let mut value = key.read(config)?;
        if let (Some(ConfigData::List(items)), Some(Validator::List { .. })) =
            (&mut value, &key.validator)
        {
            drop_duplicates(&key.name, items);
        }
        key.check(value.as_ref())?;
        Ok(value)
    }

    /// What a form needs to know of every defined key (Kafka: `ConfigDef.validate`). A text that does
    /// not parse is checked once more as null, as Kafka does.
    pub fn validate(&self, config: &ConfigMap) -> Vec<ConfigValue> {
        self.keys().map(|key| validate_key(key, config)).collect()
    }
}

fn validate_key(key: &ConfigKey, config: &ConfigMap) -> ConfigValue {
    let mut errors = Vec::new();
    let value = key.read(config).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    if let Err(error) = key.check(value.as_ref()) {
        errors.push(error);
    }
    ConfigValue {
        name: key.name.clone(),
        value: value.map(|data| data.to_string()),
        recommended_values: key.recommended.clone(),
        errors,
        visible: true,
    }
}

fn drop_duplicates(name: &str, items: &mut Vec<String>) {
    let before = items.len();
    let unique: indexmap::IndexSet<String> = items.drain(..).collect();
    items.extend(unique);
    if items.len() < before {
        tracing::warn!(
            key = name,
            "configuration value lists an entry twice; the duplicates are left out"
        );
    }
}

/// Kafka's `ConfigException(name, value, message)`.
pub(crate) fn invalid_text(name: &str, value: Option<&str>, reason: &str) -> String {
    let value = value.unwrap_or("null");
    format!("Invalid value {value} for configuration {name}: {reason}")
}
