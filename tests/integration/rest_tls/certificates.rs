//! A small authority, a server and a client, made with `openssl` and `keytool` as users make theirs.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::{Properties, scratch_dir};

/// Password of every store and of every encrypted key.
pub(crate) const PASSWORD: &str = "store-secret";

/// Keys, certificates and stores in one directory.
#[derive(Debug)]
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn make() -> Self {
        let made = Self(scratch_dir("rest-certificates"));
        made.authority("ca");
        made.authority("stranger");
        made.signed("server", "ca", "DNS:localhost,IP:127.0.0.1,IP:::1");
        made.signed("client", "ca", "DNS:client");
        made.signed("imposter", "stranger", "DNS:client");
        made.stores();
        made
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Settings of the server's key store in one of the formats, below `prefix`.
    pub(crate) fn key_store(&self, prefix: &str, kind: &str) -> Properties {
        let file = match kind {
            "PEM" => "server.pem",
            "PKCS12" => "server.p12",
            _ => "server.jks",
        };
        let settings = Properties::new()
            .set(&format!("{prefix}ssl.keystore.type"), kind)
            .set(
                &format!("{prefix}ssl.keystore.location"),
                self.path(file).display(),
            );
        match kind {
            "PEM" => settings,
            _ => settings.set(&format!("{prefix}ssl.keystore.password"), PASSWORD),
        }
    }

    fn authority(&self, name: &str) {
        self.run(
            "openssl",
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.crt \
                 -subj /CN=test-{name} -days 30"
            ),
        );
    }

    /// A key with a certificate of `authority`.
    fn signed(&self, name: &str, authority: &str, names: &str) {
        self.run(
            "openssl",
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {name}.key -out {name}.csr \
                 -subj /CN={name}"
            ),
        );
        let extensions = format!("basicConstraints=CA:FALSE\nsubjectAltName={names}\n");
        fs::write(self.path(&format!("{name}.ext")), extensions).unwrap();
        self.run(
            "openssl",
            &format!(
                "x509 -req -in {name}.csr -CA {authority}.crt -CAkey {authority}.key -CAcreateserial \
                 -out {name}.crt -days 30 -extfile {name}.ext"
            ),
        );
    }

    fn stores(&self) {
        let parts =
            ["server.key", "server.crt", "ca.crt"].map(|name| fs::read(self.path(name)).unwrap());
        fs::write(self.path("server.pem"), parts.concat()).unwrap();
        self.run(
            "openssl",
            &format!(
                "pkcs12 -export -inkey server.key -in server.crt -certfile ca.crt -name server -out server.p12 \
                 -passout pass:{PASSWORD}"
            ),
        );
        self.run(
            "keytool",
            &format!(
                "-importkeystore -srckeystore server.p12 -srcstoretype PKCS12 -srcstorepass {PASSWORD} \
                 -destkeystore server.jks -deststoretype JKS -deststorepass {PASSWORD} -noprompt"
            ),
        );
    }

    /// A store for Java of whom to trust.
    pub(crate) fn trust_store(&self) -> PathBuf {
        self.run(
            "keytool",
            &format!(
                "-importcert -alias ca -file ca.crt -keystore trust.jks -storetype JKS -storepass {PASSWORD} -noprompt"
            ),
        );
        self.path("trust.jks")
    }

    fn run(&self, program: &str, arguments: &str) {
        let output = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|e| panic!("{program} is needed: {e}"));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments}: {text}");
    }
}
