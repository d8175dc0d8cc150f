//! The keys that the three converters have in common (Confluent: `AbstractKafkaSchemaSerDeConfig`,
//! `SchemaRegistryClientConfig`). Defaults are Confluent's.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::subject::SubjectNameStrategy;
use super::tls::TlsSettings;
use crate::api::config_def::{
    ConfigData, ConfigDef, ConfigKey, Importance, ParsedConfig, Validator, with_prefix,
};
use crate::api::{ConfigMap, ConnectError};

const URL: &str = "schema.registry.url";
const BASIC_SOURCE: &str = "basic.auth.credentials.source";
const USER_INFO: &str = "basic.auth.user.info";
const OLD_USER_INFO: &str = "schema.registry.basic.auth.user.info";
const BEARER_SOURCE: &str = "bearer.auth.credentials.source";
const BEARER_TOKEN: &str = "bearer.auth.token";
const CACHE_SIZE: &str = "schemas.cache.config";
const HEADER_PREFIX: &str = "request.header.";
const SSL_PREFIX: &str = "schema.registry.ssl.";
const KINDS: &str = "JKS, PKCS12 or PEM. Without it a file is PEM unless its name ends as those of Java's stores do \
                     (.jks, .p12, .pfx, .keystore, .truststore).";

/// One registry of `schema.registry.url`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BaseUrl {
    /// Without user information and closing slash.
    pub(super) url: String,
    /// `Authorization` of the user information in the URL.
    authorization: Option<String>,
}

/// What a client needs to talk to a registry.
pub(super) struct ClientSettings {
    /// In the order in which they are tried.
    pub(super) urls: Vec<BaseUrl>,
    authorization: Authorization,
    /// Further headers of each request.
    pub(super) headers: Vec<(String, String)>,
    /// `http.connect.timeout.ms`.
    pub(super) connect_timeout: Duration,
    /// `http.read.timeout.ms`.
    pub(super) read_timeout: Duration,
    /// Tries after the first one, per URL.
    pub(super) retries_max: u32,
    /// Wait before the first of them; it doubles.
    pub(super) retries_wait: Duration,
    /// The most that it grows to.
    pub(super) retries_wait_max: Duration,
    /// `http://host:port` of a proxy.
    pub(super) proxy: Option<String>,
    /// `schema.registry.ssl.*`.
    pub(super) tls: TlsSettings,
}

impl std::fmt::Debug for ClientSettings {
    /// Without anything that may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let urls: Vec<_> = self.urls.iter().map(|base| &base.url).collect();
        f.debug_struct("ClientSettings")
            .field("urls", &urls)
            .finish_non_exhaustive()
    }
}

enum Authorization {
    OfUrl,
    Fixed(String),
}

impl ClientSettings {
    /// The `Authorization` header for a registry.
    pub(super) fn authorization<'a>(&'a self, base: &'a BaseUrl) -> Option<&'a str> {
        match &self.authorization {
            Authorization::Fixed(header) => Some(header),
            Authorization::OfUrl => base.authorization.as_deref(),
        }
    }
}

/// What decides which schema a record is written with.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub(super) struct SchemaSettings {
    /// Keys or values.
    pub(super) is_key: bool,
    /// `auto.register.schemas`.
    pub(super) auto_register: bool,
    /// `normalize.schemas`.
    pub(super) normalize: bool,
    /// `use.latest.version`; has no effect with `auto.register.schemas`.
    pub(super) use_latest: bool,
    /// `latest.compatibility.strict`.
    pub(super) latest_strict: bool,
    /// `latest.cache.ttl.sec`; `None` for ever.
    pub(super) latest_ttl: Option<Duration>,
    /// `key.` or `value.subject.name.strategy`.
    pub(super) strategy: SubjectNameStrategy,
    /// Most schemas kept per direction.
    pub(super) cache_size: usize,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Settings {
    /// For the client, shared with the calls that are under way.
    pub(super) client: Arc<ClientSettings>,
    /// For the converter.
    pub(super) schema: SchemaSettings,
}

/// The common keys; `extra` are the format's own.
pub(super) fn config_def(extra: Vec<ConfigKey>) -> ConfigDef {
    let keys = schema_keys().into_iter().chain(client_keys());
    let keys = keys.chain(tls_keys()).chain(absent_keys()).chain(extra);
    keys.fold(ConfigDef::new(), ConfigDef::define)
}

/// Reads the common keys.
///
/// # Errors
/// A key is at fault, or names what is not supported; the text names the key.
pub(super) fn read(config: &ParsedConfig, is_key: bool) -> Result<Settings, ConnectError> {
    let strategy_key = SubjectNameStrategy::key(is_key);
    let class = config.class(strategy_key)?;
    let strategy = SubjectNameStrategy::of_class(class).ok_or_else(|| {
        ConnectError::config(format!(
            "{strategy_key}={class} is not supported; there are TopicNameStrategy, RecordNameStrategy and \
             TopicRecordNameStrategy of io.confluent.kafka.serializers.subject"
        ))
    })?;
    let ttl = config.int("latest.cache.ttl.sec")?;
    let kept = config
        .int(CACHE_SIZE)?
        .min(config.int("max.schemas.per.subject")?);
    let schema = SchemaSettings {
        is_key,
        auto_register: config.bool("auto.register.schemas")?,
        normalize: config.bool("normalize.schemas")?,
        use_latest: config.bool("use.latest.version")?,
        latest_strict: config.bool("latest.compatibility.strict")?,
        latest_ttl: u64::try_from(ttl).ok().map(Duration::from_secs),
        strategy,
        cache_size: usize::try_from(kept).unwrap_or(0).max(1),
    };
    Ok(Settings {
        client: Arc::new(client(config)?),
        schema,
    })
}

fn client(config: &ParsedConfig) -> Result<ClientSettings, ConnectError> {
    let millis = |key: &str| -> Result<Duration, ConnectError> {
        let value = u64::try_from(config.int(key)?).unwrap_or(0);
        Ok(Duration::from_millis(value))
    };
    let (host, port) = (config.str("proxy.host")?, config.int("proxy.port")?);
    let headers = with_prefix(config.originals(), HEADER_PREFIX);
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    Ok(ClientSettings {
        urls: base_urls(config)?,
        authorization: authorization(config)?,
        headers: headers.collect(),
        connect_timeout: millis("http.connect.timeout.ms")?,
        read_timeout: millis("http.read.timeout.ms")?,
        retries_max: u32::try_from(config.int("max.retries")?).unwrap_or(0),
        retries_wait: millis("retries.wait.ms")?,
        retries_wait_max: millis("retries.max.wait.ms")?,
        proxy: (!host.is_empty() && port > 0).then(|| format!("http://{host}:{port}")),
        tls: TlsSettings::read(&with_prefix(config.originals(), "schema.registry."))?,
    })
}

fn base_urls(config: &ParsedConfig) -> Result<Vec<BaseUrl>, ConnectError> {
    let listed = config.list(URL)?;
    let mut urls = listed
        .iter()
        .map(|text| base_url(text))
        .collect::<Result<Vec<_>, _>>()?;
    if urls.is_empty() {
        return Err(ConnectError::config(format!(
            "{URL} has no URL; name the schema registry, for example http://localhost:8081"
        )));
    }
    if config.bool("schema.registry.url.randomize")? {
        let first = fastrand::usize(..urls.len());
        urls.rotate_left(first);
    }
    Ok(urls)
}

fn base_url(text: &str) -> Result<BaseUrl, ConnectError> {
    let text = text.trim();
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(ConnectError::config(format!(
            "Invalid value {text} for configuration {URL}: a URL begins with http:// or https://"
        )));
    };
    if !matches!(scheme, "http" | "https") {
        return Err(ConnectError::config(format!(
            "Invalid value {scheme}://… for configuration {URL}: the scheme {scheme} is not supported, \
             use http or https"
        )));
    }
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let decoded = user.map(|user| {
        let bytes: Vec<u8> = percent_encoding::percent_decode_str(user).collect();
        basic(&bytes)
    });
    Ok(BaseUrl {
        url: format!("{scheme}://{host}{path}")
            .trim_end_matches('/')
            .to_owned(),
        authorization: decoded,
    })
}

fn basic(user_info: &[u8]) -> String {
    format!("Basic {}", BASE64.encode(user_info))
}

fn authorization(config: &ParsedConfig) -> Result<Authorization, ConnectError> {
    let token = config.password(BEARER_TOKEN)?.reveal();
    if !token.is_empty() {
        return Ok(Authorization::Fixed(format!("Bearer {token}")));
    }
    match config.str(BASIC_SOURCE)? {
        "" | "URL" => Ok(Authorization::OfUrl),
        "USER_INFO" => {
            let mut info = config.password(USER_INFO)?.reveal();
            if info.is_empty() {
                info = config.password(OLD_USER_INFO)?.reveal();
            }
            if !info.contains(':') {
                return Err(ConnectError::config(format!(
                    "{BASIC_SOURCE}=USER_INFO needs {USER_INFO}=<user>:<password>"
                )));
            }
            Ok(Authorization::Fixed(basic(info.as_bytes())))
        }
        "SASL_INHERIT" => Err(ConnectError::config(format!(
            "{BASIC_SOURCE}=SASL_INHERIT is not supported; use USER_INFO with {USER_INFO}, or URL with \
             the user in {URL}"
        ))),
        other => Err(ConnectError::config(format!(
            "Invalid value {other} for configuration {BASIC_SOURCE}: there are URL and USER_INFO"
        ))),
    }
}

fn schema_keys() -> Vec<ConfigKey> {
    let flag =
        |name: &str, default: bool, doc: &str| ConfigKey::boolean(name).default(default).doc(doc);
    let strategy = |name: &str, part: &str| {
        ConfigKey::class(name)
            .default(SubjectNameStrategy::DEFAULT)
            .doc(format!(
                "The subject under which the schemas of {part}s are registered: TopicNameStrategy \
                 (<topic>-{part}), RecordNameStrategy (the record's full name) or TopicRecordNameStrategy \
                 (<topic>-<the record's full name>), of the package \
                 io.confluent.kafka.serializers.subject."
            ))
    };
    vec![
        ConfigKey::list(URL)
            .importance(Importance::High)
            .doc(
                "URLs of the schema registry, separated by commas. When one does not answer, the next \
                 is asked.",
            ),
        flag("auto.register.schemas", true, "Whether to register a schema that the subject does not have."),
        flag(
            "use.latest.version",
            false,
            "Without auto.register.schemas: write with the subject's latest schema instead of looking \
             up the record's own.",
        ),
        flag(
            "latest.compatibility.strict",
            true,
            "Whether the latest schema has to be able to read what the record's own schema describes.",
        ),
        flag(
            "normalize.schemas",
            false,
            "Whether the registry normalizes schemas before it compares them.",
        ),
        strategy("key.subject.name.strategy", "key"),
        strategy("value.subject.name.strategy", "value"),
        ConfigKey::int(CACHE_SIZE)
            .default(1000)
            .importance(Importance::Low)
            .doc("How many schemas a converter keeps for each direction."),
        ConfigKey::int("max.schemas.per.subject")
            .default(1000)
            .importance(Importance::Low)
            .doc("A second bound of what schemas.cache.config bounds; the smaller one holds."),
        ConfigKey::int("latest.cache.size")
            .default(1000)
            .importance(Importance::Low)
            .doc("Accepted; schemas.cache.config bounds the latest schemas, too."),
        ConfigKey::int("latest.cache.ttl.sec")
            .default(-1)
            .importance(Importance::Low)
            .doc("With use.latest.version: seconds after which the latest schema is asked for again, -1 for never."),
    ]
}

fn client_keys() -> Vec<ConfigKey> {
    let number = |name: &str, default: i32, doc: &str| {
        ConfigKey::int(name)
            .default(default)
            .validator(Validator::at_least(0))
            .importance(Importance::Low)
            .doc(doc)
    };
    let secret = |name: &str, doc: &str| ConfigKey::password(name).default("").doc(doc);
    vec![
        ConfigKey::string(BASIC_SOURCE).default("URL").doc(
            "Where user and password come from: URL (http://user:password@host) or USER_INFO \
             (basic.auth.user.info).",
        ),
        secret(USER_INFO, "<user>:<password>, for USER_INFO."),
        secret(OLD_USER_INFO, "The older name of basic.auth.user.info."),
        ConfigKey::string(BEARER_SOURCE)
            .default("STATIC_TOKEN")
            .validator(only("STATIC_TOKEN", "set bearer.auth.token"))
            .doc("Where a bearer token comes from."),
        secret(
            BEARER_TOKEN,
            "A bearer token; it is used instead of user and password.",
        ),
        number(
            "http.connect.timeout.ms",
            60_000,
            "How long a connection may take to come about.",
        ),
        number(
            "http.read.timeout.ms",
            60_000,
            "How long the registry may take to answer.",
        ),
        number(
            "max.retries",
            3,
            "How often a request is sent again to a URL before the next one is tried.",
        ),
        number(
            "retries.wait.ms",
            1000,
            "The wait before the first retry; it doubles with each.",
        ),
        number(
            "retries.max.wait.ms",
            20_000,
            "The longest wait before a retry.",
        ),
        ConfigKey::boolean("schema.registry.url.randomize")
            .default(false)
            .importance(Importance::Low)
            .doc("Whether to begin with any of the URLs instead of the first."),
        ConfigKey::string("proxy.host")
            .default("")
            .importance(Importance::Low)
            .doc("Host of an HTTP proxy."),
        ConfigKey::int("proxy.port")
            .default(-1)
            .importance(Importance::Low)
            .doc("Port of the proxy."),
    ]
}

fn tls_keys() -> Vec<ConfigKey> {
    let text = |name: &str, doc: &str| {
        ConfigKey::string(format!("{SSL_PREFIX}{name}"))
            .default_null()
            .doc(doc)
    };
    let secret = |name: &str, doc: &str| {
        ConfigKey::password(format!("{SSL_PREFIX}{name}"))
            .default_null()
            .doc(doc)
    };
    vec![
        text(
            "truststore.location",
            "The certificates to trust: a JKS or PKCS12 store, or a PEM file; without it those of Mozilla's \
             list are trusted.",
        ),
        text("truststore.type", KINDS),
        secret(
            "truststore.certificates",
            "The certificates to trust themselves, as PEM.",
        ),
        secret("truststore.password", "Password of a JKS or PKCS12 store."),
        text(
            "keystore.location",
            "The client's private key and certificate chain: a JKS or PKCS12 store, or a PEM file.",
        ),
        text("keystore.type", KINDS),
        secret("keystore.key", "The client's private key itself, as PEM."),
        secret(
            "keystore.certificate.chain",
            "The client's certificate chain itself, as PEM.",
        ),
        secret("keystore.password", "Password of a JKS or PKCS12 store."),
        secret(
            "key.password",
            "Password of the private key: of an encrypted key in PEM, or where it is not the store's.",
        ),
    ]
}

/// Keys of Confluent's converters that mean what is not there: anything but the default is refused.
fn absent_keys() -> Vec<ConfigKey> {
    let serde = "io.confluent.kafka.serializers";
    let id = format!("{serde}.schema.id");
    let mut keys = vec![
        (
            "use.schema.id",
            "-1".to_owned(),
            "use use.latest.version or auto.register.schemas",
        ),
        (
            "use.schema.guid",
            String::new(),
            "use use.latest.version or auto.register.schemas",
        ),
        (
            "use.latest.with.metadata",
            String::new(),
            "use use.latest.version",
        ),
        ("propagate.schema.tags", "false".to_owned(), "leave it out"),
        ("schema.format", String::new(), "leave it out"),
        ("schema.reflection", "false".to_owned(), "leave it out"),
        (
            "rule.executors",
            String::new(),
            "rules of schemas are not run; leave it out",
        ),
        (
            "rule.actions",
            String::new(),
            "rules of schemas are not run; leave it out",
        ),
        ("schema.backup.enabled", "false".to_owned(), "leave it out"),
        (
            "generalized.sum.type.support",
            "false".to_owned(),
            "leave it out",
        ),
        (
            "context.name.strategy",
            format!("{serde}.context.NullContextNameStrategy"),
            "put the context into schema.registry.url, as in http://host/contexts/.name",
        ),
    ];
    for part in ["key", "value"] {
        let (writes, reads) = match part {
            "key" => ("key.schema.id.serializer", "key.schema.id.deserializer"),
            _ => ("value.schema.id.serializer", "value.schema.id.deserializer"),
        };
        keys.push((
            writes,
            format!("{id}.PrefixSchemaIdSerializer"),
            "ids go in front of the data",
        ));
        keys.push((
            reads,
            format!("{id}.PrefixSchemaIdDeserializer"),
            "ids are read in front of the data",
        ));
    }
    let keys = keys.into_iter();
    keys.map(|(name, default, instead)| refused(name, &default, instead))
        .collect()
}

/// A key that means what is not there: anything but its default is refused.
pub(super) fn refused(name: &str, default: &str, instead: &str) -> ConfigKey {
    ConfigKey::string(name)
        .validator(only(default, instead))
        .default(default)
        .importance(Importance::Low)
        .doc(format!("Not supported: {instead}."))
}

/// Passes `default` alone; the text of the problem says what to do `instead`.
fn only(default: &str, instead: &str) -> Validator {
    let (expected, instead) = (default.to_owned(), instead.to_owned());
    Validator::Custom {
        describe: format!("[{default}]"),
        check: Arc::new(move |name: &str, value: Option<&ConfigData>| {
            let given = value.map(ToString::to_string).unwrap_or_default();
            if given.trim().eq_ignore_ascii_case(&expected) {
                return Ok(());
            }
            Err(format!("{name}={given} is not supported; {instead}"))
        }),
    }
}

/// A definition's value of a configuration, for the format's own keys and the common ones.
///
/// # Errors
/// The first problem.
pub(super) fn parse(
    def: &ConfigDef,
    config: &ConfigMap,
    is_key: bool,
) -> Result<ParsedConfig, ConnectError> {
    crate::converters::config::parse(def, config, is_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Result<Settings, ConnectError> {
        let config: ConfigMap = pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())))
            .collect();
        read(&parse(&config_def(Vec::new()), &config, false)?, false)
    }

    fn authorizations(settings: &Settings) -> Vec<Option<&str>> {
        let client = &settings.client;
        let urls = client.urls.iter();
        urls.map(|base| client.authorization(base)).collect()
    }

    #[test]
    fn urls_lose_their_user_and_give_it_as_credentials() {
        let settings = settings(&[(URL, "http://a%40b:c@one:1/x/, https://two")]).unwrap();
        let urls: Vec<_> = settings.client.urls.iter().map(|base| &*base.url).collect();
        assert_eq!(urls, ["http://one:1/x", "https://two"]);
        let expected = format!("Basic {}", BASE64.encode("a@b:c"));
        assert_eq!(authorizations(&settings), [Some(&*expected), None]);
    }

    #[test]
    fn user_information_and_tokens_are_sent_to_every_url() {
        let user = [
            (URL, "http://one,http://two"),
            (BASIC_SOURCE, "USER_INFO"),
            (OLD_USER_INFO, "u:p"),
        ];
        let basic = format!("Basic {}", BASE64.encode("u:p"));
        let found = settings(&user).unwrap();
        assert_eq!(authorizations(&found), [Some(&*basic), Some(&*basic)]);
        let found = settings(&[(URL, "http://one"), (BEARER_TOKEN, "t0")]).unwrap();
        assert_eq!(authorizations(&found), [Some("Bearer t0")]);
    }

    #[test]
    fn what_is_not_supported_is_refused_by_its_key() {
        let cases = [
            (BASIC_SOURCE, "SASL_INHERIT"),
            (BASIC_SOURCE, "USER_INFO"),
            (BEARER_SOURCE, "OAUTHBEARER"),
            ("use.schema.id", "7"),
            ("value.subject.name.strategy", "my.Strategy"),
            ("context.name.strategy", "my.Context"),
            ("schema.registry.ssl.truststore.type", "BKS"),
            ("rule.executors", "encrypt"),
        ];
        for (key, value) in cases {
            let error = settings(&[(URL, "http://one"), (key, value)]).unwrap_err();
            assert!(error.message().contains(key), "{key}: {error}");
        }
        for url in ["", "one:8081", "ftp://one"] {
            let error = settings(&[(URL, url)]).unwrap_err();
            assert!(error.message().contains(URL), "{url}: {error}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let settings = settings(&[(URL, "http://user:hunter2@one"), (BEARER_TOKEN, "hunter2")]);
        assert!(!format!("{:?}", settings.unwrap()).contains("hunter2"));
    }
}
