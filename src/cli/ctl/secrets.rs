//! Which values of a configuration are secrets, and hiding them.
//!
//! A value is hidden when the plugin's definition says `PASSWORD`, when its key's name says so, or when
//! the value itself holds a password (in an address) or a private key. A reference such as
//! `${file:/run/secrets:db}` is no secret and stays.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::LazyLock;

use regex::Regex;

use super::client::Client;
use crate::api::ConfigMap;

/// What stands in place of a secret, as in Kafka.
pub(super) const HIDDEN: &str = "[hidden]";

/// Parts of names that tell a secret.
const TELLING: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "credential",
    "apikey",
    "api.key",
    "api-key",
    "api_key",
    "accesskey",
    "access.key",
    "access-key",
    "access_key",
    "privatekey",
    "private.key",
    "private-key",
    "private_key",
    "jaas.config",
    "user.info",
    "keystore.key",
    "connection.string",
    "sas.key",
    "account.key",
];

/// Ends of names that say how to deal with a secret, or where it is, instead of holding one.
const HARMLESS_ENDS: &[&str] = &[
    "url",
    "uri",
    "file",
    "path",
    "location",
    "class",
    "type",
    "ms",
    "seconds",
    "provider",
    "source",
    "enable",
    "enabled",
    "algorithm",
    "claim",
    "name",
    "version",
    "endpoint",
    "scope",
    "converter",
];

/// Names with a telling part that are none.
const HARMLESS: &[&str] = &[
    "tokenizer",
    "tokens.per",
    "max.tokens",
    "continuation.token",
];

static REFERENCE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^(\$\{[^{}]+\})+$").ok());
/// `scheme://user:PASSWORD@`.
static USER_INFO: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(://[^/\s:@?#]*:)([^/\s@]+)(@)").ok());
/// `password=…` among the parameters of an address, a JDBC URL or a JAAS entry.
static PARAMETER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)((?:^|[?&;,\s])[\w.-]*(?:password|passwd|pwd|secret|token|accountkey|sharedaccesskey)\s*=\s*)("[^"]*"|'[^']*'|[^&;,\s"']+)()"#)
        .ok()
});

/// Secrets of one connector.
#[derive(Debug, Clone)]
pub(super) struct Secrets {
    show: bool,
    /// Keys that the plugin defines as `PASSWORD`.
    passwords: Rc<BTreeSet<String>>,
}

impl Secrets {
    /// Hides nothing if `show`; `passwords` are keys that are secrets whatever they are called.
    pub(super) fn new(show: bool, passwords: impl IntoIterator<Item = String>) -> Self {
        Self {
            show,
            passwords: Rc::new(passwords.into_iter().collect()),
        }
    }

    /// The value as it may be shown.
    pub(super) fn mask<'a>(&self, key: &str, value: &'a str) -> Cow<'a, str> {
        if self.show || value.is_empty() || matches(&REFERENCE, value) {
            return Cow::Borrowed(value);
        }
        let is_private_key = value.contains("-----BEGIN") && value.contains("PRIVATE KEY");
        if self.passwords.contains(key) || is_private_key || is_telling(key) {
            return Cow::Borrowed(HIDDEN);
        }
        let without_user = replaced(&USER_INFO, Cow::Borrowed(value));
        replaced(&PARAMETER, without_user)
    }

    /// The whole configuration as it may be shown.
    pub(super) fn masked(&self, config: &ConfigMap) -> ConfigMap {
        let mask = |(key, value): (&String, &Option<String>)| {
            let value = value
                .as_deref()
                .map(|value| self.mask(key, value).into_owned());
            (key.clone(), value)
        };
        config.iter().map(mask).collect()
    }

    /// A worker's message about `config`, which may quote a value, without the secrets of it.
    pub(super) fn scrub(&self, message: &str, config: &ConfigMap) -> String {
        let mut text = message.to_owned();
        for (key, value) in config {
            let Some(value) = value else { continue };
            let is_whole = self.mask(key, value) == HIDDEN;
            // A shorter one would tear words apart, and guesses nothing.
            if is_whole && value.chars().count() >= 4 {
                text = text.replace(value.as_str(), HIDDEN);
            }
        }
        text
    }
}

fn matches(pattern: &LazyLock<Option<Regex>>, value: &str) -> bool {
    pattern
        .as_ref()
        .is_some_and(|pattern| pattern.is_match(value))
}

fn replaced<'a>(pattern: &LazyLock<Option<Regex>>, value: Cow<'a, str>) -> Cow<'a, str> {
    let Some(pattern) = pattern.as_ref() else {
        return value;
    };
    if !pattern.is_match(&value) {
        return value;
    }
    let hidden = pattern.replace_all(&value, format!("${{1}}{HIDDEN}${{3}}"));
    Cow::Owned(hidden.into_owned())
}

fn is_telling(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let end = key.rsplit(['.', '-', '_']).next().unwrap_or_default();
    let tells = TELLING.iter().any(|part| key.contains(part));
    let is_harmless =
        HARMLESS_ENDS.contains(&end) || HARMLESS.iter().any(|part| key.contains(part));
    tells && !is_harmless
}

/// Asks the worker once per class which keys are passwords.
#[derive(Debug, Default)]
pub(super) struct PasswordKeys {
    known: RefCell<HashMap<String, Secrets>>,
}

impl PasswordKeys {
    /// The secrets of a connector of this class. A worker that can't say (before 3.2, or without the
    /// class) leaves the names of the keys.
    pub(super) fn of(&self, client: &Client, class: &str, show: bool) -> Secrets {
        if show || class.is_empty() {
            return Secrets::new(show, Vec::new());
        }
        if let Some(known) = self.known.borrow().get(class) {
            return known.clone();
        }
        let keys = client.definitions(class).unwrap_or_default();
        let passwords = keys.into_iter().filter(|key| key.kind == "PASSWORD");
        let secrets = Secrets::new(false, passwords.map(|key| key.name));
        let mut known = self.known.borrow_mut();
        known.insert(class.to_owned(), secrets.clone());
        secrets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden() -> Secrets {
        Secrets::new(false, ["db.pin".to_owned()])
    }

    #[test]
    fn patterns_can_be_used() {
        for pattern in [&REFERENCE, &USER_INFO, &PARAMETER] {
            assert!(pattern.is_some());
        }
    }

    #[test]
    fn keys_that_say_so_or_are_passwords_by_definition_are_hidden() {
        for key in [
            "connection.password",
            "aws.secret.access.key",
            "ssl.key.password",
            "value.converter.bearer.auth.token",
            "producer.override.sasl.jaas.config",
            "basic.auth.user.info",
            "DB_PASSWORD",
            "api.key",
            "db.pin",
            "ssl.keystore.key",
            "azure.account.key",
        ] {
            assert_eq!(hidden().mask(key, "hunter2"), HIDDEN, "{key}");
        }
    }

    #[test]
    fn other_keys_are_shown() {
        for key in [
            "key.converter",
            "topics",
            "name",
            "sasl.oauthbearer.token.endpoint.url",
            "ssl.truststore.location",
            "password.file",
            "basic.auth.credentials.source",
            "tasks.max",
            "key.ignore",
            "message.key.columns",
            "sasl.mechanism",
            "max.tokens.per.second",
        ] {
            assert_eq!(hidden().mask(key, "plain"), "plain", "{key}");
        }
    }

    #[test]
    fn references_stay_and_half_of_one_does_not() {
        let secrets = hidden();
        let reference = "${file:/run/secrets/db.properties:password}";
        assert_eq!(secrets.mask("db.password", reference), reference);
        assert_eq!(secrets.mask("db.password", "x${env:P}"), HIDDEN);
        assert_eq!(secrets.mask("db.password", ""), "");
    }

    #[test]
    fn passwords_inside_of_values_are_hidden() {
        let secrets = hidden();
        let mask = |value| secrets.mask("connection.url", value).into_owned();
        assert_eq!(
            mask("mongodb://ali:s3same@db:27017/x"),
            "mongodb://ali:[hidden]@db:27017/x"
        );
        assert_eq!(
            mask("jdbc:postgresql://db/x?user=ali&password=s3same&ssl=true"),
            "jdbc:postgresql://db/x?user=ali&password=[hidden]&ssl=true"
        );
        assert_eq!(mask("jdbc:mysql://db:3306/x"), "jdbc:mysql://db:3306/x");
        assert_eq!(
            secrets.mask("some.pem", "-----BEGIN PRIVATE KEY-----\nMII"),
            HIDDEN
        );
        assert_eq!(
            secrets.mask("x", "Module required username=\"a\" password=\"p w\";"),
            "Module required username=\"a\" password=[hidden];"
        );
    }

    #[test]
    fn messages_lose_the_secrets_they_quote() {
        let config: ConfigMap = [("db.password", "hunter2"), ("topic", "hunter")]
            .into_iter()
            .map(|(key, value)| (key.to_owned(), Some(value.to_owned())))
            .collect();
        let message = "Invalid value hunter2 for configuration db.password";
        assert_eq!(
            hidden().scrub(message, &config),
            "Invalid value [hidden] for configuration db.password"
        );
        let shown = Secrets::new(true, Vec::new());
        assert_eq!(shown.scrub(message, &config), message);
        assert_eq!(
            hidden().masked(&config)["db.password"].as_deref(),
            Some(HIDDEN)
        );
    }
}
