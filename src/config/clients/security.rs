//! `security.protocol`, `ssl.*` and `sasl.*` into [`SecurityConfig`].

use super::jaas::{self, Login};
use super::oauth;
use crate::api::config_def::{ConfigProblem, ParsedConfig, Password};
use crate::clients::{Credentials, SaslConfig, ScramHash, SecurityConfig};
use crate::tls::Settings;

const MECHANISM: &str = "sasl.mechanism";
const HANDLER: &str = "sasl.login.callback.handler.class";
const JAAS: &str = "sasl.jaas.config";
/// Where Kafka's scripts take the options of the JVM from.
const KAFKA_OPTS: &str = "KAFKA_OPTS";
const PLAIN_MODULE: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM_MODULE: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// What the keys ask for. Keys of `ssl.` and `sasl.` are looked at only when the protocol needs them, as in
/// Kafka.
///
/// # Errors
/// The first problem, under its key; no secret is in it.
pub(super) fn security(parsed: &ParsedConfig) -> Result<SecurityConfig, ConfigProblem> {
    let protocol = parsed
        .str("security.protocol")
        .unwrap_or("PLAINTEXT")
        .to_ascii_uppercase();
    let (tls, sasl) = match protocol.as_str() {
        "SSL" => (true, false),
        "SASL_PLAINTEXT" => (false, true),
        "SASL_SSL" => (true, true),
        _ => (false, false),
    };
    Ok(SecurityConfig {
        tls: tls
            .then(|| Settings::parse(parsed.originals()))
            .transpose()?,
        sasl: sasl.then(|| sasl_config(parsed)).transpose()?,
    })
}

fn sasl_config(parsed: &ParsedConfig) -> Result<SaslConfig, ConfigProblem> {
    let mechanism = parsed.str(MECHANISM).unwrap_or("GSSAPI").trim();
    if let Ok(Some(class)) = parsed.opt_class(HANDLER)
        && mechanism != "OAUTHBEARER"
        && !class.is_empty()
    {
        return Err(ConfigProblem::invalid(
            HANDLER,
            class,
            "Java classes can't run here; leave the key out",
        ));
    }
    match mechanism {
        "PLAIN" => Ok(SaslConfig::Plain(credentials(&login(parsed, mechanism)?)?)),
        "SCRAM-SHA-256" => scram(parsed, mechanism, ScramHash::Sha256),
        "SCRAM-SHA-512" => scram(parsed, mechanism, ScramHash::Sha512),
        "OAUTHBEARER" => {
            let opts = std::env::var(KAFKA_OPTS).unwrap_or_default();
            let login = login(parsed, mechanism)?;
            oauth::oauth(parsed, &login, &opts).map(SaslConfig::Oauth)
        }
        "GSSAPI" => Err(ConfigProblem::invalid(
            MECHANISM,
            mechanism,
            "Kerberos (Kafka's default mechanism) is not available here; there are SCRAM-SHA-512, \
             SCRAM-SHA-256, OAUTHBEARER and PLAIN, and client certificates with security.protocol=SSL",
        )),
        _ => Err(ConfigProblem::invalid(
            MECHANISM,
            mechanism,
            "there are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER",
        )),
    }
}

fn scram(
    parsed: &ParsedConfig,
    mechanism: &str,
    hash: ScramHash,
) -> Result<SaslConfig, ConfigProblem> {
    let login = login(parsed, mechanism)?;
    let token = login.options.get("tokenauth");
    Ok(SaslConfig::Scram {
        hash,
        credentials: credentials(&login)?,
        token: token.is_some_and(|token| token.eq_ignore_ascii_case("true")),
    })
}

/// The login module of `sasl.jaas.config`.
fn login(parsed: &ParsedConfig, mechanism: &str) -> Result<Login, ConfigProblem> {
    let text = match parsed.opt_password(JAAS) {
        Ok(Some(text)) => text.reveal(),
        _ => {
            return Err(ConfigProblem::new(
                JAAS,
                format!(
                    "{JAAS} is needed for {MECHANISM}={mechanism}, for example `{SCRAM_MODULE} required \
                     username=\"…\" password=\"…\";` (a JAAS file of the JVM is not looked at)"
                ),
            ));
        }
    };
    jaas::parse(text).map_err(|reason| ConfigProblem::new(JAAS, format!("{JAAS}: {reason}")))
}

fn credentials(login: &Login) -> Result<Credentials, ConfigProblem> {
    if ![PLAIN_MODULE, SCRAM_MODULE].contains(&login.module.as_str()) {
        return Err(ConfigProblem::new(
            JAAS,
            format!(
                "{JAAS}: there is no login module {}; there are {PLAIN_MODULE} and {SCRAM_MODULE}",
                login.module
            ),
        ));
    }
    let option = |name: &str| {
        let value = login.options.get(name);
        value.cloned().ok_or_else(|| {
            ConfigProblem::new(JAAS, format!("{JAAS}: the option {name} is missing"))
        })
    };
    Ok(Credentials {
        username: option("username")?,
        password: Password::new(option("password")?),
    })
}
