//! `sasl.mechanism=OAUTHBEARER`: where tokens come from (KIP-255, KIP-768), under Kafka's keys and the
//! options of its login module.
//!
//! As in Kafka, a URL or file that a connector names is asked for only when the operator allows it: Kafka
//! has a system property of the JVM for that, which is found here in `KAFKA_OPTS`, where its scripts take
//! it from.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::jaas::Login;
use crate::api::ConfigMap;
use crate::api::config_def::{ConfigProblem, ParsedConfig, Password, with_prefix};
use crate::clients::{OauthConfig, Refresh, TokenEndpoint, TokenSource, UnsecuredToken};
use crate::tls::Settings;

pub(super) const MODULE: &str =
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
const PACKAGE: &str = "org.apache.kafka.common.security.oauthbearer.";
const HANDLER: &str = "sasl.login.callback.handler.class";
const URL: &str = "sasl.oauthbearer.token.endpoint.url";
const RETRIEVER: &str = "sasl.oauthbearer.jwt.retriever.class";
const CLIENT_ID: &str = "sasl.oauthbearer.client.credentials.client.id";
const CLIENT_SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";
const SCOPE: &str = "sasl.oauthbearer.scope";
const JAAS: &str = "sasl.jaas.config";
const ALLOWED_URLS: &str = "org.apache.kafka.sasl.oauthbearer.allowed.urls";
const ALLOWED_FILES: &str = "org.apache.kafka.sasl.oauthbearer.allowed.files";
/// Bounds where Kafka has none.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// What `java.net.URLEncoder` leaves as it is, but for the blank, which becomes `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'.')
    .remove(b'-')
    .remove(b'*')
    .remove(b'_');

/// What the keys and the login's options ask for; `opts` are the JVM's options of Kafka's scripts.
///
/// # Errors
/// The first problem, under its key.
pub(super) fn oauth(
    parsed: &ParsedConfig,
    login: &Login,
    opts: &str,
) -> Result<OauthConfig, ConfigProblem> {
    if login.module != MODULE {
        return Err(ConfigProblem::new(
            JAAS,
            format!("{JAAS}: OAUTHBEARER needs the login module {MODULE}"),
        ));
    }
    let handler = parsed.opt_class(HANDLER).ok().flatten().unwrap_or_default();
    let simple = handler
        .strip_prefix(PACKAGE)
        .unwrap_or(handler)
        .trim_start_matches("secured.")
        .trim_start_matches("internals.unsecured.");
    let (source, prefix) = match simple {
        "" | "OAuthBearerUnsecuredLoginCallbackHandler" => (
            TokenSource::Unsecured(unsecured(login)?),
            "unsecuredLoginExtension_",
        ),
        "OAuthBearerLoginCallbackHandler" => (secured(parsed, login, opts)?, "extension_"),
        _ => {
            return Err(ConfigProblem::invalid(
                HANDLER,
                handler,
                "Java classes can't run here; there are Kafka's OAuthBearerLoginCallbackHandler and, for \
                 tests, OAuthBearerUnsecuredLoginCallbackHandler",
            ));
        }
    };
    Ok(OauthConfig {
        source,
        extensions: extensions(login, prefix)?,
        refresh: refresh(parsed),
    })
}

fn refresh(parsed: &ParsedConfig) -> Refresh {
    let seconds = |key: &str, default: u64| {
        let short = parsed.short(key).ok().and_then(|s| u64::try_from(s).ok());
        Duration::from_secs(short.unwrap_or(default))
    };
    let factor = |key: &str, default: f64| parsed.double(key).unwrap_or(default).clamp(0.0, 1.0);
    Refresh {
        window: factor("sasl.login.refresh.window.factor", 0.8),
        jitter: factor("sasl.login.refresh.window.jitter", 0.05),
        min_period: seconds("sasl.login.refresh.min.period.seconds", 60),
        buffer: seconds("sasl.login.refresh.buffer.seconds", 300),
    }
}

fn extensions(login: &Login, prefix: &str) -> Result<Vec<(String, String)>, ConfigProblem> {
    let mut found = Vec::new();
    for (key, value) in &login.options {
        let Some(name) = key.strip_prefix(prefix) else {
            continue;
        };
        let named = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphabetic());
        let printable = |b: u8| matches!(b, 0x21..=0x7e | b' ' | b'\t' | b'\r' | b'\n');
        if !named || name == "auth" || value.is_empty() || !value.bytes().all(printable) {
            let text = format!(
                "{JAAS}: {key} is no usable SASL extension (a name of letters, not auth, and \
                                a value of printable characters)"
            );
            return Err(ConfigProblem::new(JAAS, text));
        }
        found.push((name.to_owned(), value.clone()));
    }
    Ok(found)
}

// ---- tokens of an identity provider

fn secured(parsed: &ParsedConfig, login: &Login, opts: &str) -> Result<TokenSource, ConfigProblem> {
    let text = |key: &str| {
        let value = parsed.opt_str(key).ok().flatten().map(str::trim);
        value.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    for key in parsed.originals().keys() {
        if key.starts_with("sasl.oauthbearer.assertion.") {
            return Err(ConfigProblem::new(
                key,
                format!(
                    "{key}: client assertions are not supported; there are client id and secret"
                ),
            ));
        }
    }
    let url = text(URL).ok_or_else(|| {
        ConfigProblem::new(
            URL,
            format!("{URL} is needed for sasl.mechanism=OAUTHBEARER"),
        )
    })?;
    let retriever = parsed
        .opt_class(RETRIEVER)
        .ok()
        .flatten()
        .unwrap_or_default();
    let is_file = url.starts_with("file:");
    let fits = match retriever.strip_prefix(PACKAGE).unwrap_or(retriever) {
        "" | "DefaultJwtRetriever" => true,
        "FileJwtRetriever" => is_file,
        "ClientCredentialsJwtRetriever" => !is_file,
        _ => false,
    };
    if !fits {
        return Err(ConfigProblem::invalid(
            RETRIEVER,
            retriever,
            "there are DefaultJwtRetriever, ClientCredentialsJwtRetriever for http(s) and FileJwtRetriever for \
             file: URLs",
        ));
    }
    let (property, what) = match is_file {
        true => (ALLOWED_FILES, "file"),
        false => (ALLOWED_URLS, "URL"),
    };
    let path = url.strip_prefix("file://").or(url.strip_prefix("file:"));
    let asked = path.unwrap_or(&url);
    let allowed = allowed(opts, property);
    if !allowed.iter().any(|known| *known == asked || *known == url) {
        return Err(ConfigProblem::invalid(
            URL,
            &url,
            &format!(
                "the operator does not allow this {what}; set KAFKA_OPTS=-D{property}={asked} in the \
                 worker's environment, as for Kafka's clients"
            ),
        ));
    }
    if is_file {
        return Ok(TokenSource::File(asked.to_owned()));
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        return Err(ConfigProblem::invalid(
            URL,
            &url,
            "there are http, https and file URLs",
        ));
    }
    endpoint(parsed, login, url).map(|found| TokenSource::Endpoint(Box::new(found)))
}

/// The values of a property among JVM options: `-Dname=a,b`.
fn allowed<'a>(opts: &'a str, property: &str) -> Vec<&'a str> {
    let options = opts
        .split_whitespace()
        .map(|option| option.trim_matches(['"', '\'']));
    options
        .filter_map(|option| {
            option
                .strip_prefix("-D")?
                .strip_prefix(property)?
                .strip_prefix('=')
        })
        .flat_map(|list| list.trim_matches(['"', '\'']).split(','))
        .collect()
}

fn endpoint(
    parsed: &ParsedConfig,
    login: &Login,
    url: String,
) -> Result<TokenEndpoint, ConfigProblem> {
    // A key wins over the option of the login module.
    let option = |name: &str| login.options.get(name).cloned();
    let key = |name: &str| parsed.opt_str(name).ok().flatten().map(str::to_owned);
    let secret = parsed.opt_password(CLIENT_SECRET).ok().flatten();
    let secret = secret.map(|secret| secret.reveal().to_owned());
    let given = |value: Option<String>| {
        let value = value.map(|text| text.trim().to_owned());
        value.filter(|text| !text.is_empty())
    };
    let needed = |value: Option<String>, key: &str, option: &str| {
        given(value).ok_or_else(|| {
            let text = format!("{key} (or {option} in {JAAS}) is needed for OAUTHBEARER");
            ConfigProblem::new(key, text)
        })
    };
    let mut id = needed(
        key(CLIENT_ID).or_else(|| option("clientId")),
        CLIENT_ID,
        "clientId",
    )?;
    let secret = secret.or_else(|| option("clientSecret"));
    let mut secret = needed(secret, CLIENT_SECRET, "clientSecret")?;
    let mut scope = given(key(SCOPE).or_else(|| option("scope")));
    if parsed
        .bool("sasl.oauthbearer.header.urlencode")
        .unwrap_or(false)
    {
        id = form_encoded(&id);
        secret = form_encoded(&secret);
        scope = scope.map(|scope| form_encoded(&scope));
    }
    let mut body = "grant_type=client_credentials".to_owned();
    if let Some(scope) = scope {
        body += &format!("&scope={scope}");
    }
    let limit = |key: &str, default: Duration| {
        let millis = parsed.opt_int(key).ok().flatten();
        let millis = millis
            .and_then(|ms| u64::try_from(ms).ok())
            .filter(|ms| *ms > 0);
        millis.map_or(default, Duration::from_millis)
    };
    Ok(TokenEndpoint {
        url,
        authorization: Password::new(format!(
            "Basic {}",
            STANDARD.encode(format!("{id}:{secret}"))
        )),
        body,
        connect_timeout: limit("sasl.login.connect.timeout.ms", CONNECT_TIMEOUT),
        read_timeout: limit("sasl.login.read.timeout.ms", READ_TIMEOUT),
        tls: endpoint_tls(login)?,
    })
}

/// Whom to trust at the endpoint: options `ssl.*` of the login module (Kafka: `JaasOptionsUtils`).
fn endpoint_tls(login: &Login) -> Result<Settings, ConfigProblem> {
    let options: ConfigMap = login
        .options
        .iter()
        .filter(|(key, _)| key.starts_with("ssl."))
        .map(|(key, value)| (key.clone(), Some(value.clone())))
        .collect();
    let named = |problem: ConfigProblem| {
        ConfigProblem::new(
            JAAS,
            format!("{JAAS}: {}: {}", problem.key, problem.message),
        )
    };
    if !with_prefix(&options, "ssl.keystore.").is_empty() {
        let text = format!(
            "{JAAS}: ssl.keystore.*: client certificates for the token endpoint are not \
                            supported"
        );
        return Err(ConfigProblem::new(JAAS, text));
    }
    Settings::parse(&options).map_err(named)
}

fn form_encoded(text: &str) -> String {
    utf8_percent_encode(text, FORM)
        .to_string()
        .replace("%20", "+")
}

// ---- tokens of nobody

/// What Kafka's login for tests makes of its options: a token that says what the options say.
fn unsecured(login: &Login) -> Result<UnsecuredToken, ConfigProblem> {
    let wrong = |text: String| ConfigProblem::new(JAAS, format!("{JAAS}: {text}"));
    let option = |name: &str| login.options.get(&format!("unsecuredLogin{name}"));
    let seconds = option("LifetimeSeconds").map_or(Ok(3600), |text| {
        text.parse::<u64>()
            .map_err(|_| wrong("unsecuredLoginLifetimeSeconds is no number of seconds".to_owned()))
    })?;
    let mut claims = Map::new();
    for (key, text) in &login.options {
        let claim = |prefix: &str| {
            let name = key.strip_prefix("unsecuredLogin")?.strip_prefix(prefix)?;
            (!name.is_empty()).then(|| name.to_owned())
        };
        let (name, value) = if let Some(name) = claim("StringClaim_") {
            (name, json!(text))
        } else if let Some(name) = claim("NumberClaim_") {
            let number: f64 = text
                .parse()
                .map_err(|_| wrong(format!("{key} is no number")))?;
            (name, json!(number))
        } else if let Some(name) = claim("ListClaim_") {
            (name, list(text))
        } else {
            continue;
        };
        if name == "iat" || name == "exp" {
            return Err(wrong(format!("Cannot explicitly set the '{name}' claim")));
        }
        claims.insert(name, value);
    }
    let principal = option("PrincipalClaimName").map_or("sub", |name| name.trim());
    match claims.get(principal).and_then(Value::as_str) {
        Some(name) if !name.is_empty() => Ok(UnsecuredToken {
            claims,
            lifetime: Duration::from_secs(seconds),
        }),
        _ => Err(wrong(format!(
            "the token says no principal: unsecuredLoginStringClaim_{principal}=\"…\" is missing (or set {HANDLER} \
             to {PACKAGE}OAuthBearerLoginCallbackHandler for tokens of an identity provider)"
        ))),
    }
}

/// The first character separates what follows.
fn list(text: &str) -> Value {
    let mut chars = text.chars();
    match chars.next() {
        Some(separator) if !chars.as_str().is_empty() => {
            chars.as_str().split(separator).collect::<Vec<_>>().into()
        }
        _ => json!([]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_places_are_found_among_the_options_of_a_jvm() {
        let opts =
            "-Xmx1G -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=http://a/t,https://b -Dx=y";
        assert_eq!(allowed(opts, ALLOWED_URLS), ["http://a/t", "https://b"]);
        assert!(allowed(opts, ALLOWED_FILES).is_empty());
        assert!(allowed("", ALLOWED_URLS).is_empty());
    }

    #[test]
    fn forms_are_encoded_as_javas_are() {
        assert_eq!(form_encoded("a b+c/é*_-."), "a+b%2Bc%2F%C3%A9*_-.");
    }
}
