//! BasicAuth against property files (Kafka: `JaasBasicAuthFilter`, `PropertyFileLoginModule`).

use std::fmt;
use std::path::{Path, PathBuf};

use subtle::{Choice, ConstantTimeEq};

use super::jaas;
use crate::config::properties;
use crate::distributed::java_base64;
use crate::rest::error::RestError;

/// The keys that messages name.
const EXTENSION: &str = "rest.extension.classes";
const JAAS_FILE: &str = "rest.basic.auth.jaas.file";
/// Java's property for the same, in `KAFKA_OPTS`.
const JAVA_PROPERTY: &str = "java.security.auth.login.config";

/// A user's name and password.
pub(super) struct Credentials {
    user: String,
    password: String,
}

/// Reads an `Authorization` header; `None` where it names no user by BasicAuth.
///
/// # Errors
/// The base64 is none; Java's text.
pub(super) fn credentials(header: Option<&str>) -> Result<Option<Credentials>, String> {
    let Some((scheme, encoded)) = header.and_then(|header| header.split_once(' ')) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = java_base64::decode(encoded)?;
    let text = String::from_utf8_lossy(&decoded);
    let parts = text.split_once(':').filter(|(user, _)| !user.is_empty());
    Ok(parts.map(|(user, password)| Credentials {
        user: user.to_owned(),
        password: password.to_owned(),
    }))
}

/// The users of every login module of the JAAS file's entry. Whoever one of them knows is let in, whatever
/// its flag says: Apache's module passes over credentials that it does not know and never fails.
pub(super) struct BasicAuth(Vec<Users>);

impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.0.iter().map(|users| &users.file);
        f.debug_list().entries(files).finish()
    }
}

impl BasicAuth {
    /// Reads the JAAS file that the worker's key names, else the one of `kafka_opts`, and the files that it
    /// names.
    ///
    /// # Errors
    /// None is named; one can't be read; another login module is asked for.
    pub(super) fn load(
        jaas_file: Option<&Path>,
        kafka_opts: Option<&str>,
    ) -> Result<Self, RestError> {
        let from_options = || jaas::file_of_options(kafka_opts.unwrap_or_default());
        let (key, file) = match (jaas_file.map(Path::to_owned), from_options()) {
            (Some(file), _) => (JAAS_FILE, file),
            (None, Some(file)) => (JAVA_PROPERTY, file),
            (None, None) => {
                let reason = format!(
                    "BasicAuth needs a JAAS file: set {JAAS_FILE}, or \
                     KAFKA_OPTS=-D{JAVA_PROPERTY}=FILE in the environment"
                );
                return Err(RestError::auth(EXTENSION, reason));
            }
        };
        let bad = |reason: String| RestError::auth(key, format!("{}: {reason}", file.display()));
        let text = std::fs::read_to_string(&file).map_err(|error| bad(error.to_string()))?;
        let files = jaas::credential_files(&text).map_err(bad)?;
        let users = files.into_iter().map(Users::load);
        let users: Result<Vec<_>, String> = users.collect();
        Ok(Self(users.map_err(bad)?))
    }

    /// Whether one of the files has these credentials, or has none at all.
    pub(super) fn admits(&self, credentials: Option<&Credentials>) -> bool {
        let mut admitted = Choice::from(0);
        for users in &self.0 {
            admitted |= users.admit(credentials);
        }
        admitted.into()
    }
}

/// A file with lines `user=password`.
struct Users {
    file: PathBuf,
    known: Vec<Credentials>,
}

impl Users {
    fn load(file: PathBuf) -> Result<Self, String> {
        let lines = properties::load(&file).map_err(|error| error.to_string())?;
        let known = lines.into_iter().map(|(user, password)| Credentials {
            user,
            password: password.unwrap_or_default(),
        });
        let known: Vec<_> = known.collect();
        if known.is_empty() {
            tracing::warn!(
                "Credential properties file '{}' is empty; all requests will be permitted",
                file.display()
            );
        }
        Ok(Self { file, known })
    }

    /// Looks at every user, so that the time does not tell which of them exists.
    fn admit(&self, credentials: Option<&Credentials>) -> Choice {
        let mut admitted = Choice::from(u8::from(self.known.is_empty()));
        if let Some(given) = credentials {
            for known in &self.known {
                let user = known.user.as_bytes().ct_eq(given.user.as_bytes());
                let password = known.password.as_bytes().ct_eq(given.password.as_bytes());
                admitted |= user & password;
            }
        }
        admitted
    }
}
