//! OAUTHBEARER: tokens of an identity provider that lives in this test, replaced while the worker runs.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{RUNTIMES, secured, worker};
use crate::common::lines::append_lines;
use crate::common::pipeline::{self, file_sink, file_source};
use crate::common::{PATIENCE, Properties, Standalone, kafka, wait_until};

const MODULE: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule";
const HANDLER: &str =
    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler";
const SECRET: &str = "client-secret";
const LIFETIME: Duration = Duration::from_secs(6);
const LONG: Duration = Duration::from_secs(13);

/// Gives tokens without a signature, which the broker of these tests takes.
struct Provider {
    url: String,
    given: Arc<AtomicUsize>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let given = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&given);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if answer(stream) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { url, given }
    }

    fn settings(&self, prefix: &str, secret: &str) -> Properties {
        let key = |name: &str| format!("{prefix}{name}");
        Properties::new()
            .set(&key("security.protocol"), "SASL_PLAINTEXT")
            .set(&key("sasl.mechanism"), "OAUTHBEARER")
            .set(&key("sasl.login.callback.handler.class"), HANDLER)
            .set(&key("sasl.oauthbearer.token.endpoint.url"), &self.url)
            .set(
                &key("sasl.jaas.config"),
                format!(
                    "{MODULE} required clientId=\"worker\" clientSecret=\"{secret}\" scope=\"all\" \
                     extension_traceId=\"t-1\";"
                ),
            )
    }

    /// What the operator sets so that the URL may be asked.
    fn allowed(&self) -> String {
        format!(
            "-Xmx1G -Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={}",
            self.url
        )
    }
}

/// Whether a token was given.
fn answer(stream: TcpStream) -> bool {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return false;
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head
        .split("content-length:")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap();
    let mut body = vec![0; length.trim().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let wanted = format!(
        "authorization: basic {}",
        STANDARD.encode(format!("worker:{SECRET}"))
    );
    let right = head.contains(&wanted.to_ascii_lowercase());
    let (status, text) = match right && body == b"grant_type=client_credentials&scope=all" {
        true => ("200 OK", format!("{{\"access_token\":\"{}\"}}", token())),
        false => (
            "401 Unauthorized",
            "{\"error\":\"invalid_client\",\"error_description\":\"who are you\"}".to_owned(),
        ),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    right
}

fn token() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = (now + LIFETIME).as_secs();
    let claims = format!(
        "{{\"sub\":\"worker\",\"iat\":{},\"exp\":{until}}}",
        now.as_secs()
    );
    format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"),
        URL_SAFE_NO_PAD.encode(claims)
    )
}

#[test]
fn tokens_are_fetched_and_replaced_while_lines_move() {
    let Some(kafka) = kafka() else { return };
    let bootstrap = secured(kafka).cluster.listener("OAUTH");
    for runtime in RUNTIMES {
        let provider = Provider::start();
        let topic = format!("oauth-{runtime}");
        let worker = worker(&bootstrap, runtime, |prefix| {
            provider.settings(prefix, SECRET)
        });
        let files = Standalone::new(&worker, &[]);
        let (input, output) = (files.dir().join("in.txt"), files.dir().join("out.txt"));
        append_lines(&input, 0..100);
        let files = files.with_connectors(&[
            file_source(&format!("{topic}-source"), &input, &topic),
            file_sink(&format!("{topic}-sink"), &output, &topic),
        ]);
        let ringmain = files.launch_with(|command| command.env("KAFKA_OPTS", provider.allowed()));
        let start = Instant::now();
        let mut lines = 100;
        while start.elapsed() < LONG {
            append_lines(&input, lines..lines + 50);
            lines += 50;
            std::thread::sleep(Duration::from_millis(100));
        }
        let expected = fs::read(&input).unwrap();
        wait_until("all lines", PATIENCE, || {
            files.read("out.txt").len() >= expected.len()
        });
        assert!(
            files.read("out.txt") == expected,
            "{runtime}: the output differs"
        );
        ringmain.stop_cleanly();
        // Producer, consumer and the worker's own client, two of them more than once.
        let given = provider.given.load(Ordering::Relaxed);
        assert!(given >= 5, "{runtime}: {given} tokens");
        let log = ringmain.process().output();
        assert!(
            !log.contains(SECRET) && !log.contains(".eyJ"),
            "the log shows a secret"
        );
    }
}

#[test]
fn kafkas_unsecured_tokens_work_as_well() {
    let Some(kafka) = kafka() else { return };
    let bootstrap = secured(kafka).cluster.listener("OAUTH");
    super::move_file(&bootstrap, "epoll", "oauth-unsecured", 1000, |prefix| {
        let key = |name: &str| format!("{prefix}{name}");
        Properties::new()
            .set(&key("security.protocol"), "SASL_PLAINTEXT")
            .set(&key("sasl.mechanism"), "OAUTHBEARER")
            .set(
                &key("sasl.jaas.config"),
                format!("{MODULE} required unsecuredLoginStringClaim_sub=\"alice\";"),
            )
    });
}

#[test]
fn a_provider_that_refuses_and_one_that_is_not_allowed_are_named() {
    let Some(kafka) = kafka() else { return };
    let secured = secured(kafka);
    let provider = Provider::start();
    let worker = pipeline::worker(&secured.cluster.bootstrap()).set("shard.count", 1);
    let files = Standalone::new(&worker, &[]);
    let input = files.dir().join("in.txt");
    fs::write(&input, "a line\n").unwrap();
    let source = file_source("refused", &input, "oauth-refused").set(
        "producer.override.bootstrap.servers",
        secured.cluster.listener("OAUTH"),
    );
    let source = super::merged(
        source,
        &provider.settings("producer.override.", "wrong-secret"),
    );
    let files = files.with_connectors(&[source]);
    let ringmain = files.launch_with(|command| command.env("KAFKA_OPTS", provider.allowed()));
    let trace = ringmain.wait_until_failed("refused");
    for part in [
        "OAUTHBEARER",
        &provider.url,
        "invalid_client",
        "who are you",
    ] {
        assert!(trace.contains(part), "{part} is not in\n{trace}");
    }
    assert!(!trace.contains("wrong-secret"), "{trace}");
    ringmain.stop_cleanly();
    let ringmain = files.launch();
    let status = ringmain.process().wait(PATIENCE);
    assert!(!status.success(), "a URL that nobody allowed was taken");
    let output = ringmain.process().output();
    assert!(output.contains("allowed.urls"), "{output}");
}
