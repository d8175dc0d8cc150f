//! Damaged login configurations and `Authorization` headers.

use proptest::prelude::*;

use super::{basic, bearer, jaas};
use crate::fuzz::{bounded, mutated, samples, search};

const CONFIGURATIONS: &[&str] = &[
    "KafkaConnect {\n  org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule required\n  \
     file=\"/etc/users.properties\";\n};\n",
    "/* a */ \"other\" { x.Y optional a=\"b\\\"c\" d = e; x.Z REQUISITE; }; // f\nA{b sufficient c=\"${/}\";};",
];

const HEADERS: &[&str] = &[
    "Basic dXNlcjpzZWNyZXQ=",
    "Basic YQ",
    "Bearer 0123456789abcdef-one",
];

#[test]
fn a_damaged_login_configuration_names_files_or_says_what_is_wrong() {
    search(
        2000,
        || mutated(samples(CONFIGURATIONS)),
        |bytes| {
            let text = String::from_utf8_lossy(&bytes);
            if let Err(error) = bounded(bytes.len(), || jaas::credential_files(&text))? {
                prop_assert!(!error.is_empty() && error.len() < 1024 + 8 * bytes.len());
            }
            Ok(())
        },
    );
}

#[test]
fn a_damaged_authorization_is_read_or_refused() {
    search(
        2000,
        || mutated(samples(HEADERS)),
        |bytes| {
            let text = String::from_utf8_lossy(&bytes);
            bounded(bytes.len(), || bearer::token(&text).map(str::len))?;
            if let Err(error) = bounded(bytes.len(), || basic::credentials(Some(&text)).map(drop))?
            {
                prop_assert!(!error.is_empty());
            }
            Ok(())
        },
    );
}
