//! How a client and its brokers prove to each other who they are: `security.protocol` and what belongs to
//! it, as typed settings.

use std::time::Duration;

use crate::api::config_def::Password;
use crate::tls::Settings;

/// `security.protocol` and its parts. The default is `PLAINTEXT`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SecurityConfig {
    /// With TLS (`SSL`, `SASL_SSL`): its settings.
    pub tls: Option<Settings>,
    /// With SASL (`SASL_PLAINTEXT`, `SASL_SSL`): the mechanism and what it needs.
    pub sasl: Option<SaslConfig>,
}

impl SecurityConfig {
    /// Kafka's name of the protocol.
    pub fn protocol(&self) -> &'static str {
        match (self.tls.is_some(), self.sasl.is_some()) {
            (false, false) => "PLAINTEXT",
            (true, false) => "SSL",
            (false, true) => "SASL_PLAINTEXT",
            (true, true) => "SASL_SSL",
        }
    }
}

/// A user name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User name.
    pub username: String,
    /// Password.
    pub password: Password,
}

/// The hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScramHash {
    /// `SCRAM-SHA-256`
    Sha256,
    /// `SCRAM-SHA-512`
    Sha512,
}

/// `sasl.mechanism` with its login.
#[derive(Debug, Clone, PartialEq)]
pub enum SaslConfig {
    /// `PLAIN`
    Plain(Credentials),
    /// `SCRAM-SHA-256`, `SCRAM-SHA-512`
    Scram {
        /// Which.
        hash: ScramHash,
        /// Who.
        credentials: Credentials,
        /// The password is the HMAC of a delegation token, and the name its id (`tokenauth=true`).
        token: bool,
    },
    /// `OAUTHBEARER`
    Oauth(OauthConfig),
}

impl SaslConfig {
    /// Kafka's name of the mechanism.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain(_) => "PLAIN",
            Self::Scram { hash, .. } => match hash {
                ScramHash::Sha256 => "SCRAM-SHA-256",
                ScramHash::Sha512 => "SCRAM-SHA-512",
            },
            Self::Oauth(_) => "OAUTHBEARER",
        }
    }
}

/// OAUTHBEARER: where tokens come from and what is sent with them.
#[derive(Debug, Clone, PartialEq)]
pub struct OauthConfig {
    /// Where they come from.
    pub source: TokenSource,
    /// SASL extensions by name.
    pub extensions: Vec<(String, String)>,
    /// When one is replaced.
    pub refresh: Refresh,
}

/// Where a token comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum TokenSource {
    /// An identity provider, asked with client credentials.
    Endpoint(Box<TokenEndpoint>),
    /// A file that another program keeps fresh.
    File(String),
    /// Nobody: Kafka's login for tests.
    Unsecured(UnsecuredToken),
}

/// `sasl.oauthbearer.token.endpoint.url` and the request to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenEndpoint {
    /// `http:` or `https:`.
    pub url: String,
    /// Value of the header `Authorization`.
    pub authorization: Password,
    /// The form that is posted.
    pub body: String,
    /// `sasl.login.connect.timeout.ms`; 10 s unless set.
    pub connect_timeout: Duration,
    /// `sasl.login.read.timeout.ms`; 30 s unless set.
    pub read_timeout: Duration,
    /// Whom to trust there.
    pub tls: Settings,
}

/// What a token without a signature says.
#[derive(Debug, Clone, PartialEq)]
pub struct UnsecuredToken {
    /// Its claims but for `iat` and `exp`.
    pub claims: serde_json::Map<String, serde_json::Value>,
    /// How long it is good for.
    pub lifetime: Duration,
}

/// `sasl.login.refresh.*`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Refresh {
    /// `window.factor`: the share of its life after which a token is replaced.
    pub window: f64,
    /// `window.jitter`: at most so much more.
    pub jitter: f64,
    /// `min.period.seconds`: used at least so long.
    pub min_period: Duration,
    /// `buffer.seconds`: replaced so long before its end.
    pub buffer: Duration,
}
