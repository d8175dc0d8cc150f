//! Stores that `keytool` and `openssl` made (`samples/make.sh`), and handshakes with what is in them.

use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::api::ConfigMap;

/// Path of a sample.
fn sample(name: &str) -> String {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tls/samples");
    samples.join(name).display().to_string()
}

fn text(name: &str) -> String {
    std::fs::read_to_string(sample(name)).unwrap()
}

fn settings(pairs: &[(&str, &str)]) -> Settings {
    Settings::parse(&config(pairs)).unwrap()
}

fn config(pairs: &[(&str, &str)]) -> ConfigMap {
    pairs
        .iter()
        .map(|(key, value)| (format!("ssl.{key}"), Some((*value).to_owned())))
        .collect()
}

/// Keys without `ssl.`, and values.
type Pairs = Vec<(&'static str, String)>;

/// Settings of an own key, one for each way to keep it.
fn identities() -> Vec<(&'static str, Pairs)> {
    let store = |name: &str, kind: &str| {
        vec![
            ("keystore.type", kind.to_owned()),
            ("keystore.location", sample(name)),
            ("keystore.password", "changeit".to_owned()),
        ]
    };
    let pem = |name: &str| {
        vec![
            ("keystore.type", "PEM".to_owned()),
            ("keystore.location", sample(name)),
            ("key.password", "keypass".to_owned()),
        ]
    };
    let mut jks = store("own.jks", "JKS");
    jks.push(("key.password", "keypass".to_owned()));
    vec![
        ("keytool's PKCS12", store("own.keytool.p12", "PKCS12")),
        ("keytool's old PKCS12", store("own.legacy.p12", "PKCS12")),
        (
            "OpenSSL's PKCS12, called JKS",
            store("own.openssl.p12", "JKS"),
        ),
        ("JKS with a key password", jks),
        ("PEM", pem("own.pem")),
        ("PEM encrypted with AES", pem("own.aes.pem")),
        ("PEM encrypted with triple DES", pem("own.3des.pem")),
        (
            "PEM in the settings",
            vec![
                ("keystore.type", "PEM".to_owned()),
                (
                    "keystore.key",
                    text("own.pem")
                        .split("-----BEGIN CERT")
                        .next()
                        .unwrap()
                        .to_owned(),
                ),
                ("keystore.certificate.chain", text("own.crt.pem")),
            ],
        ),
    ]
}

fn trusts() -> Vec<(&'static str, Pairs)> {
    let store = |name: &str, kind: &str, password: Option<&str>| {
        let mut pairs = vec![
            ("truststore.type", kind.to_owned()),
            ("truststore.location", sample(name)),
        ];
        pairs.extend(password.map(|password| ("truststore.password", password.to_owned())));
        pairs
    };
    vec![
        ("PKCS12", store("ca.p12", "PKCS12", Some("changeit"))),
        ("JKS", store("ca.jks", "JKS", Some("changeit"))),
        ("JKS without a password", store("ca.jks", "JKS", None)),
        ("PEM", store("ca.pem", "PEM", None)),
        (
            "the peer's own certificate",
            store("own.crt.pem", "PEM", None),
        ),
        (
            "a key store with the peer's key",
            store("own.jks", "JKS", Some("changeit")),
        ),
        (
            "PEM on one line",
            vec![
                ("truststore.type", "PEM".to_owned()),
                ("truststore.certificates", text("ca.pem").replace('\n', " ")),
            ],
        ),
    ]
}

fn parsed(pairs: &[(&'static str, String)]) -> Settings {
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(key, value)| (*key, value.as_str()))
        .collect();
    settings(&pairs)
}

/// Shakes hands and sends a word each way; the error is that of the client, else of the server.
fn shake(client: &Settings, server: &Settings, host: &str) -> Result<(), String> {
    let client_config = client_config(client).map_err(|error| error.to_string())?;
    let server_config = server_config(server).map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let mut ours = ClientConnection::new(client_config, name).unwrap();
    let mut theirs = ServerConnection::new(server_config).unwrap();
    let mut refused = None;
    for _ in 0..8 {
        let mut wire = Vec::new();
        while ours.wants_write() {
            ours.write_tls(&mut wire).unwrap();
        }
        theirs.read_tls(&mut wire.as_slice()).unwrap();
        if let Err(error) = theirs.process_new_packets() {
            refused.get_or_insert(format!("server: {error}"));
        }
        let mut wire = Vec::new();
        while theirs.wants_write() {
            theirs.write_tls(&mut wire).unwrap();
        }
        ours.read_tls(&mut wire.as_slice()).unwrap();
        ours.process_new_packets()
            .map_err(|error| explain(&error, client, host))?;
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    ours.writer().write_all(b"word").unwrap();
    let mut wire = Vec::new();
    ours.write_tls(&mut wire).unwrap();
    theirs.read_tls(&mut wire.as_slice()).unwrap();
    theirs.process_new_packets().unwrap();
    let mut word = [0; 4];
    theirs.reader().read_exact(&mut word).unwrap();
    assert_eq!(&word, b"word");
    Ok(())
}

/// Each way to keep a key with plain trust, and each way to trust with a plain key: opening a store takes a
/// while without optimisation.
fn pairs() -> Vec<(String, Pairs, Pairs)> {
    let (plain_key, plain_trust) = (identities().remove(4).1, trusts().remove(3).1);
    let kept = identities()
        .into_iter()
        .map(|(own, identity)| (own.to_owned(), identity, plain_trust.clone()));
    let trusted = trusts()
        .into_iter()
        .map(|(trusting, trust)| (trusting.to_owned(), plain_key.clone(), trust));
    kept.chain(trusted).collect()
}

#[test]
fn keys_from_every_kind_of_store_serve_clients_that_trust_in_every_way() {
    for (name, identity, trust) in pairs() {
        let shaken = shake(&parsed(&trust), &parsed(&identity), "localhost");
        assert_eq!(shaken, Ok(()), "{name}");
    }
}

#[test]
fn client_certificates_are_shown_checked_and_required() {
    for (name, identity, trust) in pairs() {
        let mut both = identity;
        both.extend(trust);
        let client = parsed(&both);
        both.push(("client.auth", "required".to_owned()));
        assert_eq!(
            shake(&client, &parsed(&both), "localhost"),
            Ok(()),
            "{name}"
        );
    }
    let trust = &trusts()[3].1;
    for (client_auth, fails) in [("none", false), ("requested", false), ("Required", true)] {
        let mut server = identities()[4].1.clone();
        server.extend(trust.clone());
        server.push(("client.auth", client_auth.to_owned()));
        let shaken = shake(&parsed(trust), &parsed(&server), "localhost");
        assert_eq!(shaken.is_err(), fails, "{client_auth}: {shaken:?}");
    }
}

#[test]
fn old_and_new_versions_and_single_cipher_suites_are_spoken() {
    let server = parsed(&identities()[4].1);
    let ca = sample("ca.pem");
    let client = |key: &str, value: &str| {
        settings(&[
            ("truststore.type", "PEM"),
            ("truststore.location", &ca),
            (key, value),
        ])
    };
    for (key, value) in [
        ("enabled.protocols", "TLSv1.2"),
        ("enabled.protocols", "TLSv1.3"),
        ("enabled.protocols", "TLSv1.2,TLSv1.1,TLSv1"),
        ("cipher.suites", "TLS_CHACHA20_POLY1305_SHA256"),
        (
            "cipher.suites",
            "TLS_RSA_WITH_AES_128_CBC_SHA,TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        ),
    ] {
        assert_eq!(
            shake(&client(key, value), &server, "localhost"),
            Ok(()),
            "{key}={value}"
        );
    }
    let none = shake(
        &client("cipher.suites", "TLS_RSA_WITH_NULL_MD5"),
        &server,
        "localhost",
    );
    let none = none.unwrap_err();
    assert!(
        none.contains("ssl.cipher.suites") && none.contains("TLS_AES_128_GCM_SHA256"),
        "{none}"
    );
    let only_13 = client("enabled.protocols", "TLSv1.3");
    let mut only_12 = identities()[4].1.clone();
    only_12.push(("enabled.protocols", "TLSv1.2".to_owned()));
    let differ = shake(&only_13, &parsed(&only_12), "localhost").unwrap_err();
    assert!(differ.contains("ssl.enabled.protocols"), "{differ}");
}

#[test]
fn a_certificate_is_for_its_names_unless_names_do_not_matter() {
    let server = parsed(&identities()[4].1);
    let mut trust = trusts()[3].1.clone();
    assert_eq!(shake(&parsed(&trust), &server, "sample.example"), Ok(()));
    let error = shake(&parsed(&trust), &server, "other.example").unwrap_err();
    for part in [
        "other.example",
        "sample.example",
        "ssl.endpoint.identification.algorithm",
    ] {
        assert!(error.contains(part), "{error}");
    }
    trust.push(("endpoint.identification.algorithm", String::new()));
    assert_eq!(shake(&parsed(&trust), &server, "other.example"), Ok(()));
    let nobody = shake(&Settings::default(), &server, "localhost").unwrap_err();
    assert!(
        nobody.contains("ssl.truststore.location is not set"),
        "{nobody}"
    );
}

/// `key=value key=value`; a value that begins with `@` is the path of a sample.
fn written(text: &str) -> Pairs {
    let words = text
        .split_whitespace()
        .map(|word| word.split_once('=').unwrap());
    words
        .map(|(key, value)| {
            let value = value.strip_prefix('@').map_or(value.to_owned(), sample);
            let key: &'static str = String::leak(key.to_owned());
            (key, value)
        })
        .collect()
}

/// Settings, and what the error says of the file and the remedy.
const UNUSABLE: &[(&str, &str, &str)] = &[
    (
        "keystore.location=@own.keytool.p12 keystore.password=x",
        "own.keytool.p12",
        "does not open it",
    ),
    (
        "keystore.location=@own.jks keystore.password=x",
        "own.jks",
        "does not open it",
    ),
    // The key has another password than the store.
    (
        "keystore.location=@own.jks keystore.password=changeit",
        "own.jks",
        "ssl.key.password",
    ),
    (
        "keystore.location=@ca.jks keystore.password=changeit",
        "ca.jks",
        "no private key",
    ),
    (
        "keystore.location=@own.pem keystore.password=changeit",
        "own.pem",
        "ssl.keystore.type=PEM",
    ),
    (
        "keystore.type=PEM keystore.location=@own.jks",
        "own.jks",
        "ssl.keystore.type=JKS",
    ),
    (
        "keystore.type=PEM keystore.location=@own.aes.pem",
        "own.aes.pem",
        "ssl.key.password is needed",
    ),
    (
        "keystore.type=PEM keystore.location=@own.3des.pem key.password=x",
        "own.3des.pem",
        "does not open",
    ),
    (
        "keystore.location=@make.sh keystore.password=changeit",
        "make.sh",
        "neither JKS nor PKCS12 nor PEM",
    ),
    ("truststore.location=/nowhere", "/nowhere", "cannot be read"),
    (
        "truststore.location=@ca.p12",
        "ca.p12",
        "ssl.truststore.password",
    ),
    (
        "truststore.location=@ca.unmarked.p12 truststore.password=changeit",
        "ca.unmarked.p12",
        "keytool -importcert",
    ),
];

#[test]
fn a_store_that_cannot_be_used_is_named_with_what_to_do() {
    for (text, file, says) in UNUSABLE {
        let error = client_config(&parsed(&written(text)))
            .unwrap_err()
            .to_string();
        let store = text.split_once("store").unwrap().0;
        let store = store.rsplit(' ').next().unwrap();
        let key = format!("ssl.{store}store.location");
        for part in [key.as_str(), *file, *says] {
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(!error.contains("changeit"), "{error}");
    }
    let error = server_config(&Settings::default()).unwrap_err();
    assert!(
        error.to_string().contains("ssl.keystore.location"),
        "{error}"
    );
}

/// Settings, the key that is at fault, and what is said of it.
const CONTRADICTIONS: &[(&str, &str, &str)] = &[
    (
        "keystore.location=/k",
        "keystore.password",
        "is not specified",
    ),
    (
        "keystore.password=hunter2",
        "keystore.location",
        "is not specified",
    ),
    (
        "truststore.password=hunter2",
        "truststore.location",
        "is not specified",
    ),
    (
        "keystore.key=hunter2",
        "keystore.certificate.chain",
        "chain is not specified",
    ),
    (
        "keystore.certificate.chain=x",
        "keystore.key",
        "private key is not specified",
    ),
    (
        "keystore.key=hunter2 keystore.certificate.chain=x",
        "keystore.type",
        "only for PEM",
    ),
    (
        "keystore.type=PEM keystore.location=/k keystore.password=hunter2",
        "keystore.password",
        "cannot be specified with PEM",
    ),
    (
        "truststore.certificates=x",
        "truststore.type",
        "only for PEM",
    ),
    (
        "truststore.type=PEM truststore.certificates=x truststore.location=/t",
        "truststore.location",
        "Both",
    ),
    (
        "truststore.type=BCFKS",
        "truststore.type",
        "JKS, PKCS12 and PEM",
    ),
    ("enabled.protocols=TLSv1.1", "enabled.protocols", "TLSv1.3"),
    ("enabled.protocols=TLS9", "enabled.protocols", "TLSv1.3"),
    ("protocol=DTLS", "protocol", "TLSv1.3"),
    (
        "endpoint.identification.algorithm=ldaps",
        "endpoint.identification.algorithm",
        "https",
    ),
    (
        "engine.factory.class=com.x.Own",
        "engine.factory.class",
        "Java classes",
    ),
];

#[test]
fn settings_that_contradict_each_other_are_refused_in_kafkas_words() {
    for (text, key, part) in CONTRADICTIONS {
        let pairs = written(text);
        let pairs: Vec<(&str, &str)> = pairs
            .iter()
            .map(|(key, value)| (*key, value.as_str()))
            .collect();
        let problem = Settings::parse(&config(&pairs)).unwrap_err();
        assert_eq!(problem.key, format!("ssl.{key}"), "{text}");
        assert!(problem.message.contains(part), "{problem}");
        assert!(!problem.message.contains("hunter2"), "{problem}");
    }
}

#[test]
fn nothing_of_a_secret_is_shown() {
    let (_, pairs) = identities().remove(7);
    let shown = format!("{:?}", parsed(&pairs));
    assert!(
        !shown.contains("PRIVATE") && !shown.contains("CERT"),
        "{shown}"
    );
}

#[test]
fn keys_of_keytool_are_those_of_openssl() {
    let keys: Vec<Arc<[u8]>> = identities()
        .iter()
        .map(|(_, pairs)| {
            let own = stores::identity(&parsed(pairs)).unwrap().unwrap();
            own.key.secret_der().into()
        })
        .collect();
    for key in &keys {
        assert_eq!(key, &keys[0]);
    }
}

/// Answers one request over TLS, if the caller gets that far.
fn serve_once(server: &Settings) -> (u16, std::thread::JoinHandle<()>) {
    let config = server_config(server).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(config).unwrap();
        let mut stream = rustls::Stream::new(&mut connection, &mut tcp);
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => request.push(byte[0]),
                _ => return,
            }
        }
        let answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).unwrap();
    });
    (port, thread)
}

/// The status of an answer to a client with these settings.
fn ask(client: &Settings, server: &Settings) -> Result<u16, String> {
    let (port, thread) = serve_once(server);
    let agent = ureq::Agent::config_builder()
        .tls_config(http_config(client).unwrap())
        .timeout_global(Some(std::time::Duration::from_secs(20)))
        .build()
        .new_agent();
    let answer = agent.get(format!("https://localhost:{port}/")).call();
    drop(agent);
    thread.join().unwrap();
    answer
        .map(|answer| answer.status().as_u16())
        .map_err(|error| error.to_string())
}

#[test]
fn http_requests_trust_and_show_what_is_in_every_kind_of_store() {
    let plain_trust = &trusts()[3].1;
    let mut server = identities()[4].1.clone();
    server.extend(plain_trust.clone());
    server.push(("client.auth", "required".to_owned()));
    let server = parsed(&server);
    let plain_key = &identities()[4].1;
    let keys = [0, 3, 5, 7].map(|at| (identities()[at].1.clone(), plain_trust.clone()));
    let trusted = [0, 1, 6].map(|at| (plain_key.clone(), trusts()[at].1.clone()));
    for (identity, trust) in keys.into_iter().chain(trusted) {
        let both = [identity, trust].concat();
        assert_eq!(ask(&parsed(&both), &server), Ok(204), "{both:?}");
    }
    for (what, client) in [("no key", plain_trust), ("no trust", plain_key)] {
        assert!(ask(&parsed(client), &server).is_err(), "{what}");
    }
}
