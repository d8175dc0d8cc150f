//! Brokers with TLS, client certificates and SASL: files move through each, Apache's own client reads what
//! was written, and what does not fit fails at once, in words that name the reason and no secret.

mod certificates;
mod failures;
mod oauth;
mod sessions;

use std::fs;
use std::sync::OnceLock;

use self::certificates::{Certificates, STORE_PASSWORD, Stores};
use crate::common::lines::append_lines;
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{
    ClusterOptions, Kafka, KafkaCluster, PATIENCE, Properties, Standalone, kafka, scratch_dir,
    wait_until,
};

const RUNTIMES: [&str; 2] = ["epoll", "io_uring"];
const PASSWORD: &str = "alice-secret";
const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";
const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";

/// A broker with every kind of listener.
struct Secured {
    cluster: KafkaCluster,
    certificates: Certificates,
}

/// The one of all tests here.
fn secured(kafka: &Kafka) -> &'static Secured {
    static SECURED: OnceLock<Secured> = OnceLock::new();
    SECURED.get_or_init(|| Secured::start(kafka))
}

/// What the broker has for its listeners.
fn broker_settings(certificates: &Certificates) -> Properties {
    let store = |name: &str| {
        certificates
            .path(&format!("{name}.openssl.p12"))
            .display()
            .to_string()
    };
    let mut settings = Properties::new()
        .set("ssl.keystore.type", "PKCS12")
        .set("ssl.keystore.password", STORE_PASSWORD)
        .set("ssl.keystore.location", store("broker"))
        .set("ssl.truststore.type", "PEM")
        .set(
            "ssl.truststore.location",
            certificates.path("ca.crt").display(),
        )
        .set("listener.name.mutual.ssl.client.auth", "required")
        .set(
            "listener.name.expired.ssl.keystore.location",
            store("expired"),
        )
        .set(
            "listener.name.elsewhere.ssl.keystore.location",
            store("elsewhere"),
        )
        .set(
            "sasl.enabled.mechanisms",
            "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        )
        .set(
            "listener.name.scramonly.sasl.enabled.mechanisms",
            "SCRAM-SHA-512",
        )
        .set("listener.name.brief.connections.max.reauth.ms", 2500);
    for listener in ["sasl", "sasltls", "brief", "scramonly"] {
        let jaas =
            |mechanism: &str| format!("listener.name.{listener}.{mechanism}.sasl.jaas.config");
        settings = settings
            .set(
                &jaas("plain"),
                format!("{PLAIN} required user_alice=\"{PASSWORD}\";"),
            )
            .set(&jaas("scram-sha-256"), format!("{SCRAM} required;"))
            .set(&jaas("scram-sha-512"), format!("{SCRAM} required;"));
    }
    // Any token that says a name and has not run out is taken: Kafka's handler for tests.
    let tokens = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;";
    settings
        .set("listener.name.oauth.sasl.enabled.mechanisms", "OAUTHBEARER")
        .set("listener.name.oauth.oauthbearer.sasl.jaas.config", tokens)
}

impl Secured {
    fn start(kafka: &Kafka) -> Self {
        let certificates = Certificates::make();
        let cluster = KafkaCluster::start(
            kafka,
            &ClusterOptions {
                settings: broker_settings(&certificates),
                listeners: vec![
                    ("TLS", "SSL"),
                    ("MUTUAL", "SSL"),
                    ("EXPIRED", "SSL"),
                    ("ELSEWHERE", "SSL"),
                    ("SASL", "SASL_PLAINTEXT"),
                    ("SCRAMONLY", "SASL_PLAINTEXT"),
                    ("BRIEF", "SASL_PLAINTEXT"),
                    ("SASLTLS", "SASL_SSL"),
                    ("OAUTH", "SASL_PLAINTEXT"),
                ],
                ..ClusterOptions::default()
            },
        );
        kafka.set_scram_password(&cluster.bootstrap(), "alice", PASSWORD);
        Self {
            cluster,
            certificates,
        }
    }

    /// Settings of any client over a listener, under `prefix`.
    fn sasl(&self, mechanism: &str, tls: bool, prefix: &str) -> Properties {
        let key = |name: &str| format!("{prefix}{name}");
        let module = if mechanism == "PLAIN" { PLAIN } else { SCRAM };
        let protocol = if tls { "SASL_SSL" } else { "SASL_PLAINTEXT" };
        let settings = Properties::new()
            .set(&key("security.protocol"), protocol)
            .set(&key("sasl.mechanism"), mechanism)
            .set(
                &key("sasl.jaas.config"),
                format!("{module} required username=\"alice\" password=\"{PASSWORD}\";"),
            );
        match tls {
            true => merged(settings, &self.certificates.trust(Stores::Pem, prefix)),
            false => settings,
        }
    }

    fn mutual(&self, stores: Stores, prefix: &str) -> Properties {
        let protocol = format!("{prefix}security.protocol");
        let settings = Properties::new().set(&protocol, "SSL");
        let settings = merged(settings, &self.certificates.trust(stores, prefix));
        merged(settings, &self.certificates.identity(stores, prefix))
    }
}

fn merged(settings: Properties, more: &Properties) -> Properties {
    more.iter()
        .fold(settings, |all, (key, value)| all.set(key, value))
}

/// A worker whose own clients, producers and consumers all take `security`, which is asked with the prefix
/// of each.
fn worker(bootstrap: &str, runtime: &str, security: impl Fn(&str) -> Properties) -> Properties {
    let worker = pipeline::worker(bootstrap)
        .set("shard.runtime", runtime)
        .set("shard.count", 1);
    ["", "producer.", "consumer."]
        .iter()
        .fold(worker, |all, prefix| merged(all, &security(prefix)))
}

/// A file goes into `topic` and comes out again, through brokers at `bootstrap`.
fn move_file(
    bootstrap: &str,
    runtime: &str,
    topic: &str,
    lines: u64,
    security: impl Fn(&str) -> Properties,
) {
    let files = Standalone::new(&worker(bootstrap, runtime, security), &[]);
    let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
    append_lines(&input, 0..lines);
    let expected = fs::read(&input).unwrap();
    let files = files.with_connectors(&[
        file_source(&format!("{topic}-source"), &input, topic),
        file_sink(&format!("{topic}-sink"), &output, topic),
    ]);
    let ringmain = files.launch();
    wait_until(&format!("the output of {topic}"), PATIENCE, || {
        assert!(ringmain.process().try_wait().is_none(), "ringmain ended");
        files.read("out.txt").len() >= expected.len()
    });
    assert!(
        files.read("out.txt") == expected,
        "{topic}: the output differs from the input"
    );
    let log = ringmain.process().output();
    for secret in [
        PASSWORD,
        STORE_PASSWORD,
        certificates::KEY_PASSWORD,
        "PRIVATE KEY",
    ] {
        assert!(!log.contains(secret), "{topic}: the log shows a secret");
    }
    ringmain.stop_cleanly();
}

#[test]
fn files_move_with_client_certificates_from_every_kind_of_store() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    let bootstrap = secured.cluster.listener("MUTUAL");
    for runtime in RUNTIMES {
        for (stores, name) in [
            (Stores::Pem, "pem"),
            (Stores::InlinePem, "inline"),
            (Stores::Pkcs12, "pkcs12"),
            (Stores::Jks, "jks"),
        ] {
            let topic = format!("mutual-{runtime}-{name}");
            move_file(&bootstrap, runtime, &topic, 20_000, |prefix| {
                secured.mutual(stores, prefix)
            });
        }
    }
}

#[test]
fn files_move_by_every_sasl_mechanism_with_and_without_tls() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    for runtime in RUNTIMES {
        for (mechanism, listener, tls) in [
            ("PLAIN", "SASL", false),
            ("PLAIN", "SASLTLS", true),
            ("SCRAM-SHA-256", "SASLTLS", true),
            ("SCRAM-SHA-512", "SASL", false),
            ("SCRAM-SHA-512", "SASLTLS", true),
        ] {
            let topic = format!("sasl-{runtime}-{mechanism}-{listener}").to_lowercase();
            let bootstrap = secured.cluster.listener(listener);
            move_file(&bootstrap, runtime, &topic, 20_000, |prefix| {
                secured.sasl(mechanism, tls, prefix)
            });
        }
    }
}

#[test]
fn apaches_consumer_reads_over_sasl_and_tls_what_was_written_so() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    let bootstrap = secured.cluster.listener("SASLTLS");
    let security = |prefix: &str| secured.sasl("SCRAM-SHA-512", true, prefix);
    move_file(&bootstrap, "epoll", "secured-for-apache", 1000, security);
    let dir = scratch_dir("client");
    let client = security("").write(&dir.path().join("client.properties"));
    let options = ["--command-config", client.to_str().unwrap()];
    let read = kafka.console_consume(&bootstrap, "secured-for-apache", 1000, &options);
    assert_eq!(read.lines().count(), 1000);
    let written = dir.path().join("lines.txt");
    append_lines(&written, 0..1000);
    assert_eq!(read, fs::read_to_string(written).unwrap());
}

#[test]
fn a_broker_whose_certificate_is_trusted_by_itself_needs_no_authority_and_no_name() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    // What Java trusts: the certificate stands in the trust store, whoever signed it.
    let pinned = secured
        .certificates
        .path("elsewhere.crt")
        .display()
        .to_string();
    let bootstrap = secured.cluster.listener("ELSEWHERE");
    move_file(&bootstrap, "epoll", "pinned", 1000, |prefix| {
        let key = |name: &str| format!("{prefix}{name}");
        Properties::new()
            .set(&key("security.protocol"), "SSL")
            .set(&key("ssl.truststore.type"), "PEM")
            .set(&key("ssl.truststore.location"), &pinned)
            .set(&key("ssl.endpoint.identification.algorithm"), "")
    });
}
