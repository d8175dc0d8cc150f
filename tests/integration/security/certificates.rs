//! A small authority and what it signed, made with `openssl` and `keytool` as users make theirs.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::common::{Properties, scratch_dir};

/// Password of every store.
pub(crate) const STORE_PASSWORD: &str = "store-secret";
/// Password of the encrypted key.
pub(crate) const KEY_PASSWORD: &str = "key-secret";

/// Keys, certificates and stores in one directory.
#[derive(Debug)]
pub(crate) struct Certificates {
    dir: TempDir,
}

/// How a client names its stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stores {
    /// Files in PEM.
    Pem,
    /// PEM in the settings, the key encrypted.
    InlinePem,
    /// As keytool writes them.
    Pkcs12,
    /// Java's old kind.
    Jks,
}

impl Certificates {
    pub(crate) fn make() -> Self {
        let made = Self {
            dir: scratch_dir("certificates"),
        };
        made.authority("ca");
        made.authority("stranger");
        made.signed("broker", "DNS:localhost,IP:127.0.0.1", "30");
        made.signed("expired", "DNS:localhost,IP:127.0.0.1", "-1");
        made.signed("elsewhere", "DNS:elsewhere.example", "30");
        made.signed("client", "DNS:client", "30");
        made.openssl(&[
            "pkcs8",
            "-topk8",
            "-v2",
            "aes-256-cbc",
            "-in",
            "client.key",
            "-out",
            "client.key.enc",
            "-passout",
            &format!("pass:{KEY_PASSWORD}"),
        ]);
        made.join(&["client.key", "client.crt", "ca.crt"], "client.pem");
        made.java_stores();
        made
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn authority(&self, name: &str) {
        let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
        let subject = format!("/CN=test-{name}");
        self.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &crt,
            "-subj",
            &subject,
            "-days",
            "30",
        ]);
    }

    /// A key with a certificate of the authority `ca`, and a PKCS12 store of both.
    fn signed(&self, name: &str, names: &str, days: &str) {
        let file = |ending: &str| format!("{name}.{ending}");
        self.openssl(&[
            "req",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            &file("key"),
            "-out",
            &file("csr"),
            "-subj",
            &format!("/CN={name}"),
        ]);
        fs::write(
            self.path(&file("ext")),
            format!("basicConstraints=CA:FALSE\nsubjectAltName={names}\n"),
        )
        .unwrap();
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &file("csr"),
            "-CA",
            "ca.crt",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-out",
            &file("crt"),
            "-days",
            days,
            "-extfile",
            &file("ext"),
        ]);
        self.openssl(&[
            "pkcs12",
            "-export",
            "-inkey",
            &file("key"),
            "-in",
            &file("crt"),
            "-certfile",
            "ca.crt",
            "-name",
            name,
            "-out",
            &file("openssl.p12"),
            "-passout",
            &format!("pass:{STORE_PASSWORD}"),
        ]);
    }

    fn java_stores(&self) {
        for (kind, ending) in [("PKCS12", "p12"), ("JKS", "jks")] {
            self.keytool(&[
                "-importkeystore",
                "-srckeystore",
                "client.openssl.p12",
                "-srcstoretype",
                "PKCS12",
                "-srcstorepass",
                STORE_PASSWORD,
                "-destkeystore",
                &format!("client.{ending}"),
                "-deststoretype",
                kind,
                "-deststorepass",
                STORE_PASSWORD,
                "-noprompt",
            ]);
            for authority in ["ca", "stranger"] {
                self.keytool(&[
                    "-importcert",
                    "-noprompt",
                    "-alias",
                    authority,
                    "-file",
                    &format!("{authority}.crt"),
                    "-keystore",
                    &format!("{authority}.{ending}"),
                    "-storetype",
                    kind,
                    "-storepass",
                    STORE_PASSWORD,
                ]);
            }
        }
    }

    fn join(&self, parts: &[&str], name: &str) {
        let text: Vec<u8> = parts
            .iter()
            .flat_map(|part| fs::read(self.path(part)).unwrap())
            .collect();
        fs::write(self.path(name), text).unwrap();
    }

    fn openssl(&self, args: &[&str]) {
        run(self.dir.path(), "openssl", args);
    }

    fn keytool(&self, args: &[&str]) {
        run(self.dir.path(), "keytool", args);
    }

    /// `ssl.*` keys of a client that trusts `ca`, under `prefix`.
    pub(crate) fn trust(&self, stores: Stores, prefix: &str) -> Properties {
        let key = |name: &str| format!("{prefix}ssl.truststore.{name}");
        let file = |name: &str| self.path(name).display().to_string();
        match stores {
            Stores::Pem => Properties::new()
                .set(&key("type"), "PEM")
                .set(&key("location"), file("ca.crt")),
            Stores::InlinePem => Properties::new()
                .set(&key("type"), "PEM")
                .set(&key("certificates"), self.inline("ca.crt")),
            Stores::Pkcs12 => Properties::new()
                .set(&key("type"), "PKCS12")
                .set(&key("location"), file("ca.p12"))
                .set(&key("password"), STORE_PASSWORD),
            Stores::Jks => Properties::new()
                .set(&key("location"), file("ca.jks"))
                .set(&key("password"), STORE_PASSWORD),
        }
    }

    /// `ssl.*` keys of a client that shows a certificate, under `prefix`.
    pub(crate) fn identity(&self, stores: Stores, prefix: &str) -> Properties {
        let key = |name: &str| format!("{prefix}ssl.keystore.{name}");
        let file = |name: &str| self.path(name).display().to_string();
        match stores {
            Stores::Pem => Properties::new()
                .set(&key("type"), "PEM")
                .set(&key("location"), file("client.pem")),
            Stores::InlinePem => Properties::new()
                .set(&key("type"), "PEM")
                .set(&key("key"), self.inline("client.key.enc"))
                .set(&key("certificate.chain"), self.inline("client.crt"))
                .set(&format!("{prefix}ssl.key.password"), KEY_PASSWORD),
            Stores::Pkcs12 => Properties::new()
                .set(&key("type"), "PKCS12")
                .set(&key("location"), file("client.p12"))
                .set(&key("password"), STORE_PASSWORD),
            Stores::Jks => Properties::new()
                .set(&key("location"), file("client.jks"))
                .set(&key("password"), STORE_PASSWORD),
        }
    }

    /// A file as one line of a properties file.
    fn inline(&self, name: &str) -> String {
        let text = fs::read_to_string(self.path(name)).unwrap();
        text.trim_end().replace('\n', "\\n")
    }
}

fn run<S: AsRef<OsStr>>(dir: &Path, program: &str, args: &[S]) {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{program}: {errors}{out}");
}
