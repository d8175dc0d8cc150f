//! Where the worker is and who is asking: addresses, credentials, TLS, time limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, value_parser};
use ureq::http::Uri;
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::error::CtlError;

/// Where workers are looked for unless the user says otherwise.
const DEFAULT_URL: &str = "http://localhost:8083";
/// Largest file with a password or a token, in bytes.
const SECRET_MAX: u64 = 64 << 10;

/// Options of every command of `ringmain ctl`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Connection")]
pub(in crate::cli) struct ConnectionArgs {
    /// Address of a worker's REST interface [default: http://localhost:8083]. Several, by commas or
    /// repeated, are tried in turn.
    #[arg(
        long,
        global = true,
        env = "RINGMAIN_URL",
        value_name = "URL",
        value_delimiter = ','
    )]
    url: Vec<String>,
    /// User for basic authentication; the password comes from --password-file or RINGMAIN_PASSWORD.
    #[arg(long, global = true, env = "RINGMAIN_USER", value_name = "NAME")]
    user: Option<String>,
    /// File whose first line is the password.
    #[arg(
        long,
        global = true,
        env = "RINGMAIN_PASSWORD_FILE",
        value_name = "FILE"
    )]
    password_file: Option<PathBuf>,
    /// File whose first line is a bearer token.
    #[arg(long, global = true, env = "RINGMAIN_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// PEM file with the certificates of the authorities to trust, instead of Mozilla's.
    #[arg(long, global = true, env = "RINGMAIN_CA", value_name = "FILE.pem")]
    ca: Option<PathBuf>,
    /// PEM file with the client's certificate and its chain, where the worker asks for one.
    #[arg(long, global = true, env = "RINGMAIN_CERT", value_name = "FILE.pem")]
    cert: Option<PathBuf>,
    /// PEM file with the key of --cert, unless it is in the same file.
    #[arg(long, global = true, env = "RINGMAIN_KEY", value_name = "FILE.pem")]
    key: Option<PathBuf>,
    /// Accept any certificate: whoever is in between can read and change everything, credentials
    /// included.
    #[arg(long, global = true)]
    insecure: bool,
    /// Seconds that an answer may take; Connect itself gives up after 90.
    #[arg(
        long,
        global = true,
        env = "RINGMAIN_TIMEOUT",
        value_name = "SECONDS",
        default_value_t = 100,
        value_parser = value_parser!(u32).range(1..=3600)
    )]
    timeout: u32,
    /// Seconds to go on trying while the workers answer that they rebalance; 0 gives up at once.
    #[arg(
        long,
        global = true,
        value_name = "SECONDS",
        default_value_t = 30,
        value_parser = value_parser!(u32).range(0..=3600)
    )]
    retry: u32,
}

/// What the client is made of.
#[derive(Clone)]
pub(super) struct Connection {
    /// Addresses without a slash at the end, at least one.
    pub(super) urls: Vec<String>,
    /// The value of `Authorization`.
    pub(super) authorization: Option<String>,
    /// Whom to trust and what to show.
    pub(super) tls: TlsConfig,
    /// Limit of a request.
    pub(super) timeout: Duration,
    /// How long conflicts are tried again.
    pub(super) retry: Duration,
    /// Something that the user should know before anything is sent.
    pub(super) warnings: Vec<String>,
}

impl std::fmt::Debug for Connection {
    /// Without the credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("urls", &self.urls)
            .field("authorized", &self.authorization.is_some())
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

impl ConnectionArgs {
    /// Options for completion, which must not hold up the shell.
    pub(super) fn hasty(limit: Duration) -> Self {
        Self {
            timeout: u32::try_from(limit.as_secs()).unwrap_or(1).max(1),
            ..Self::default()
        }
    }

    /// Sets an option by its long name, as far as completion needs it.
    pub(super) fn set(&mut self, option: &str, value: &str) {
        let path = || Some(PathBuf::from(value));
        match option {
            "url" => self.url = value.split(',').map(str::to_owned).collect(),
            "user" => self.user = Some(value.to_owned()),
            "password-file" => self.password_file = path(),
            "token-file" => self.token_file = path(),
            "ca" => self.ca = path(),
            "cert" => self.cert = path(),
            "key" => self.key = path(),
            "insecure" => self.insecure = true,
            _ => {}
        }
    }

    /// Reads files and checks addresses.
    ///
    /// # Errors
    /// What can't be used; always [`CtlError::Usage`].
    pub(super) fn connection(&self) -> Result<Connection, CtlError> {
        let given = self.url.iter().map(|url| url.trim());
        let mut urls = Vec::new();
        for url in given.filter(|url| !url.is_empty()) {
            urls.push(address(url)?);
        }
        if urls.is_empty() {
            urls.push(DEFAULT_URL.to_owned());
        }
        let authorization = self.authorization()?;
        let mut warnings = Vec::new();
        if self.insecure {
            warnings.push("--insecure: certificates are not checked".to_owned());
        }
        if authorization.is_some() {
            let open = urls.iter().filter(|url| is_readable_on_the_way(url));
            warnings.extend(open.map(|url| format!("credentials go unencrypted to {url}")));
        }
        Ok(Connection {
            urls,
            authorization,
            tls: self.tls()?,
            timeout: Duration::from_secs(u64::from(self.timeout)),
            retry: Duration::from_secs(u64::from(self.retry)),
            warnings,
        })
    }

    fn authorization(&self) -> Result<Option<String>, CtlError> {
        if self.user.is_some() && self.token_file.is_some() {
            return usage("--user and --token-file exclude each other");
        }
        if let Some(file) = &self.token_file {
            let token = secret_of(file, "--token-file")?;
            return Ok(Some(format!("Bearer {token}")));
        }
        let Some(user) = &self.user else {
            if self.password_file.is_some() {
                return usage("--password-file needs --user");
            }
            return Ok(None);
        };
        if user.contains(':') {
            return usage("--user: a name for basic authentication can't contain a colon");
        }
        let password = match (&self.password_file, std::env::var("RINGMAIN_PASSWORD")) {
            (Some(file), _) => secret_of(file, "--password-file")?,
            (None, Ok(password)) => password,
            (None, Err(_)) => return usage("--user needs --password-file or RINGMAIN_PASSWORD"),
        };
        let both = BASE64.encode(format!("{user}:{password}"));
        Ok(Some(format!("Basic {both}")))
    }

    fn tls(&self) -> Result<TlsConfig, CtlError> {
        let mut builder = TlsConfig::builder().disable_verification(self.insecure);
        if let Some(file) = &self.ca {
            let (certificates, _) = pem(file, "--ca")?;
            if certificates.is_empty() {
                let file = file.display();
                return usage(&format!("--ca {file} has no certificate in PEM"));
            }
            builder = builder.root_certs(RootCerts::Specific(Arc::new(certificates)));
        }
        let Some(file) = &self.cert else {
            if self.key.is_some() {
                return usage("--key needs --cert");
            }
            return Ok(builder.build());
        };
        let (chain, same_file) = pem(file, "--cert")?;
        let key = match &self.key {
            Some(file) => pem(file, "--key")?.1,
            None => same_file,
        };
        match key.filter(|_| !chain.is_empty()) {
            Some(key) => {
                let own = ClientCert::new_with_certs(&chain, key);
                Ok(builder.client_cert(Some(own)).build())
            }
            None => {
                usage("--cert and --key need a certificate chain and an unencrypted key in PEM")
            }
        }
    }
}

fn usage<T>(text: &str) -> Result<T, CtlError> {
    Err(CtlError::Usage(text.to_owned()))
}

/// Checks an address; `http://` may be left out.
fn address(text: &str) -> Result<String, CtlError> {
    let with_scheme = if text.contains("://") {
        text.to_owned()
    } else {
        format!("http://{text}")
    };
    let wrong = |why: &str| CtlError::Usage(format!("--url: {why}"));
    let uri: Uri = with_scheme
        .parse()
        .map_err(|error| wrong(&format!("'{text}' is no address: {error}")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("an address begins with http:// or https://"));
    }
    let authority = uri.authority().map(ToString::to_string);
    if authority.is_some_and(|authority| authority.contains('@')) {
        // Without the address itself, which holds the password.
        return Err(wrong(
            "an address with a user in it shows the password to whoever sees the command; use --user and --password-file",
        ));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong(&format!("'{text}' names no host")));
    }
    if uri.query().is_some() || with_scheme.contains('#') {
        return Err(wrong(&format!(
            "'{text}' has more than an address and a path"
        )));
    }
    Ok(with_scheme.trim_end_matches('/').to_owned())
}

/// Plain HTTP to another machine.
fn is_readable_on_the_way(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = bare == "localhost"
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    uri.scheme_str() == Some("http") && !is_loopback
}

/// The first line of a file.
fn secret_of(file: &Path, option: &str) -> Result<String, CtlError> {
    let text = read(file, option)?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() || line.chars().any(char::is_control) {
        let file = file.display();
        return usage(&format!(
            "{option} {file}: the first line should be the secret, and nothing else"
        ));
    }
    Ok(line.to_owned())
}

fn read(file: &Path, option: &str) -> Result<String, CtlError> {
    use std::io::Read;
    let mut text = String::new();
    let read =
        fs::File::open(file).and_then(|opened| opened.take(SECRET_MAX).read_to_string(&mut text));
    let shown = file.display();
    read.map_err(|error| CtlError::Usage(format!("{option} {shown}: {error}")))?;
    Ok(text)
}

type Pem = (Vec<Certificate<'static>>, Option<PrivateKey<'static>>);

fn pem(file: &Path, option: &str) -> Result<Pem, CtlError> {
    let shown = file.display();
    let bytes = fs::read(file).map_err(|e| CtlError::Usage(format!("{option} {shown}: {e}")))?;
    let (mut certificates, mut key) = (Vec::new(), None);
    for item in parse_pem(&bytes) {
        match item.map_err(|e| CtlError::Usage(format!("{option} {shown} is no PEM: {e}")))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            PemItem::PrivateKey(found) => key = key.or(Some(found)),
            _ => {}
        }
    }
    Ok((certificates, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> ConnectionArgs {
        ConnectionArgs {
            timeout: 1,
            ..ConnectionArgs::default()
        }
    }

    #[test]
    fn addresses_are_brought_to_one_form() {
        for (text, url) in [
            ("localhost:8083", "http://localhost:8083"),
            ("http://a:1/", "http://a:1"),
            ("https://proxy/connect/", "https://proxy/connect"),
            ("http://[::1]:8083", "http://[::1]:8083"),
        ] {
            assert_eq!(address(text).unwrap(), url);
        }
        assert_eq!(args().connection().unwrap().urls, [DEFAULT_URL]);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "ftp://a",
            "http://",
            "http://a/?x=1",
            "http://a b",
            "http://a/#x",
        ] {
            assert!(matches!(address(text), Err(CtlError::Usage(_))), "{text}");
        }
        let error = address("http://me:hunter2@host:1").unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn credentials_come_from_the_first_line_of_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        fs::write(&file, "open sesame\n").unwrap();
        let mut basic = args();
        basic.set("user", "ali");
        basic.set("password-file", file.to_str().unwrap());
        let connection = basic.connection().unwrap();
        assert_eq!(
            connection.authorization.as_deref(),
            Some("Basic YWxpOm9wZW4gc2VzYW1l")
        );
        assert!(!format!("{connection:?}").contains("YWxp"));
        let mut bearer = args();
        bearer.set("token-file", file.to_str().unwrap());
        let token = bearer.connection().unwrap().authorization;
        assert_eq!(token.as_deref(), Some("Bearer open sesame"));
        basic.set("token-file", file.to_str().unwrap());
        assert!(matches!(basic.connection(), Err(CtlError::Usage(_))));
    }

    #[test]
    fn half_of_a_pair_and_missing_files_are_named() {
        for (option, part) in [
            ("password-file", "--user"),
            ("key", "--cert"),
            ("ca", "/nowhere"),
            ("token-file", "/nowhere"),
        ] {
            let mut args = args();
            args.set(option, "/nowhere");
            let error = args.connection().unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn plain_http_with_credentials_is_warned_about_beyond_this_machine() {
        assert!(is_readable_on_the_way("http://connect:8083"));
        for url in [
            "https://connect:8083",
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "http://localhost",
        ] {
            assert!(!is_readable_on_the_way(url), "{url}");
        }
    }
}
