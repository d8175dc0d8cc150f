//! What client and broker do not agree on: the task fails within seconds, once, and its trace says why.

use std::time::{Duration, Instant};

use super::{PASSWORD, PLAIN, RUNTIMES, SCRAM, STORE_PASSWORD, Secured, Stores, merged, secured};
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{Properties, Standalone, kafka};

/// From the start of the worker to the failed task.
const LIMIT: Duration = Duration::from_secs(30);

/// A producer's settings that can't work, and what the trace says.
struct Case {
    name: &'static str,
    bootstrap: String,
    settings: Properties,
    says: &'static [&'static str],
}

fn case(
    name: &'static str,
    bootstrap: String,
    settings: Properties,
    says: &'static [&'static str],
) -> Case {
    Case {
        name,
        bootstrap,
        settings,
        says,
    }
}

/// Certificates that are not accepted.
fn certificate_cases(secured: &Secured) -> Vec<Case> {
    let at = |listener: &str| secured.cluster.listener(listener);
    let certificates = &secured.certificates;
    let ssl = || Properties::new().set("security.protocol", "SSL");
    let trusting = || merged(ssl(), &certificates.trust(Stores::Pem, ""));
    let stranger = certificates.path("stranger.p12").display().to_string();
    vec![
        case(
            "unknown-authority",
            at("TLS"),
            ssl()
                .set("ssl.truststore.type", "PKCS12")
                .set("ssl.truststore.location", &stranger)
                .set("ssl.truststore.password", STORE_PASSWORD),
            &["not signed by anybody that is trusted", "stranger.p12"],
        ),
        case(
            "public-roots",
            at("TLS"),
            ssl(),
            &[
                "not signed by anybody that is trusted",
                "ssl.truststore.location is not set",
            ],
        ),
        case(
            "other-host",
            at("ELSEWHERE"),
            trusting(),
            &[
                "not made out to the host name localhost",
                "elsewhere.example",
            ],
        ),
        case(
            "expired",
            at("EXPIRED"),
            trusting(),
            &["its certificate has expired"],
        ),
        case(
            "no-certificate",
            at("MUTUAL"),
            trusting(),
            &["client certificate"],
        ),
    ]
}

/// Stores that can't be opened, and ports that speak something else.
fn store_and_port_cases(secured: &Secured) -> Vec<Case> {
    let certificates = &secured.certificates;
    let ssl = || Properties::new().set("security.protocol", "SSL");
    let trusting = || merged(ssl(), &certificates.trust(Stores::Pem, ""));
    let at = |listener: &str| secured.cluster.listener(listener);
    vec![
        case(
            "wrong-store-password",
            at("MUTUAL"),
            trusting()
                .set(
                    "ssl.keystore.location",
                    certificates.path("client.jks").display(),
                )
                .set("ssl.keystore.password", "wrong-secret"),
            &["ssl.keystore.location", "client.jks", "does not open it"],
        ),
        case(
            "missing-store",
            at("TLS"),
            ssl().set("ssl.truststore.location", "/nowhere/trust.jks"),
            &[
                "ssl.truststore.location",
                "/nowhere/trust.jks",
                "cannot be read",
            ],
        ),
        case(
            "tls-to-plain-text",
            secured.cluster.bootstrap(),
            trusting(),
            &["speaks plain text on this port", "security.protocol"],
        ),
        case(
            "plain-text-to-tls",
            at("TLS"),
            Properties::new(),
            &["speaks TLS on this port", "security.protocol"],
        ),
    ]
}

fn sasl_cases(secured: &Secured) -> Vec<Case> {
    let at = |listener: &str| secured.cluster.listener(listener);
    let with_password = |mechanism: &str, module: &str, password: &str| {
        secured.sasl(mechanism, false, "").set(
            "sasl.jaas.config",
            format!("{module} required username=\"alice\" password=\"{password}\";"),
        )
    };
    vec![
        case(
            "wrong-plain-password",
            at("SASL"),
            with_password("PLAIN", PLAIN, "wrong-secret"),
            &[
                "SASL PLAIN",
                "Invalid username or password",
                "SASL_AUTHENTICATION_FAILED",
            ],
        ),
        case(
            "wrong-scram-password",
            at("SASL"),
            with_password("SCRAM-SHA-512", SCRAM, "wrong-secret"),
            &[
                "SASL SCRAM-SHA-512",
                "invalid credentials",
                "SASL_AUTHENTICATION_FAILED",
            ],
        ),
        case(
            "unknown-mechanism",
            at("SCRAMONLY"),
            with_password("PLAIN", PLAIN, PASSWORD),
            &[
                "has not enabled this mechanism",
                "SCRAM-SHA-512",
                "UNSUPPORTED_SASL_MECHANISM",
            ],
        ),
        case(
            "no-sasl-there",
            secured.cluster.bootstrap(),
            with_password("PLAIN", PLAIN, PASSWORD),
            &["takes no SASL", "security.protocol"],
        ),
    ]
}

/// All cases at once, each a source of one worker.
fn fail_all(runtime: &str, secured: &Secured, cases: &[Case]) {
    let worker = pipeline::worker(&secured.cluster.bootstrap())
        .set("shard.runtime", runtime)
        .set("shard.count", 1);
    let files = Standalone::new(&worker, &[]);
    let input = files.dir().join("in.txt");
    std::fs::write(&input, "a line\n").unwrap();
    let connector = |case: &Case| {
        let topic = format!("refused-{}", case.name);
        let source = file_source(case.name, &input, &topic)
            .set("producer.override.bootstrap.servers", &case.bootstrap);
        case.settings.iter().fold(source, |all, (key, value)| {
            all.set(&format!("producer.override.{key}"), value)
        })
    };
    let connectors: Vec<Properties> = cases.iter().map(connector).collect();
    let files = files.with_connectors(&connectors);
    let started = Instant::now();
    let ringmain = files.launch();
    for case in cases {
        let trace = ringmain.wait_until_failed(case.name);
        for part in case.says {
            assert!(
                trace.contains(part),
                "{} on {runtime}: {part} is not in\n{trace}",
                case.name
            );
        }
        for secret in ["wrong-secret", PASSWORD, STORE_PASSWORD] {
            assert!(
                !trace.contains(secret),
                "{}: the trace shows a secret",
                case.name
            );
        }
    }
    assert!(
        started.elapsed() < LIMIT,
        "{:?} until all had failed",
        started.elapsed()
    );
    ringmain.stop_cleanly();
    let log = ringmain.process().output();
    assert!(!log.contains("wrong-secret"), "the log shows a secret");
}

#[test]
fn what_tls_does_not_accept_fails_the_task_with_the_reason() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    for runtime in RUNTIMES {
        let mut cases = certificate_cases(secured);
        cases.extend(store_and_port_cases(secured));
        fail_all(runtime, secured, &cases);
    }
}

#[test]
fn what_sasl_does_not_accept_fails_the_task_with_the_reason() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    for runtime in RUNTIMES {
        fail_all(runtime, secured, &sasl_cases(secured));
    }
}

#[test]
fn a_sink_whose_consumer_is_refused_fails_with_the_reason() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    let worker = pipeline::worker(&secured.cluster.bootstrap()).set("shard.count", 1);
    let files = Standalone::new(&worker, &[]);
    let output = files.dir().join("out.txt");
    let settings = secured
        .sasl("SCRAM-SHA-256", false, "consumer.override.")
        .set(
            "consumer.override.sasl.jaas.config",
            format!("{SCRAM} required username=\"alice\" password=\"wrong-secret\";"),
        );
    let sink = file_sink("refused-sink", &output, "refused-sink").set(
        "consumer.override.bootstrap.servers",
        secured.cluster.listener("SASL"),
    );
    let files = files.with_connectors(&[merged(sink, &settings)]);
    let ringmain = files.launch();
    let trace = ringmain.wait_until_failed("refused-sink");
    assert!(trace.contains("SASL_AUTHENTICATION_FAILED"), "{trace}");
    assert!(!trace.contains("wrong-secret"), "{trace}");
    ringmain.stop_cleanly();
}

#[test]
fn kerberos_is_refused_with_what_there_is_instead() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    let worker = pipeline::worker(&secured.cluster.bootstrap())
        .set("producer.security.protocol", "SASL_SSL");
    let files = Standalone::new(&worker, &[]);
    let ringmain = files.launch();
    let status = ringmain.process().wait(LIMIT);
    assert!(!status.success());
    let output = ringmain.process().output();
    for part in ["producer.sasl.mechanism", "Kerberos", "SCRAM-SHA-512"] {
        assert!(output.contains(part), "{part} is not in\n{output}");
    }
}
