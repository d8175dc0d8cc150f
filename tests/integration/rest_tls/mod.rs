//! HTTPS listeners: stores in every format, client certificates, and clients that attack the handshake.

mod certificates;
pub(crate) mod guarded;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use self::certificates::Certificates;
use crate::common::ringmain::Standalone;
use crate::common::{PATIENCE, Properties, Ringmain, free_port, kafka, scratch_dir, wait_until};

/// A client that trusts the authority, and shows the certificate of this name.
fn client(made: &Certificates, own: Option<&str>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let trusted = CertificateDer::from_pem_file(made.path("ca.crt")).unwrap();
    roots.add(trusted).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(name) => {
            let chain = CertificateDer::from_pem_file(made.path(&format!("{name}.crt"))).unwrap();
            let key = PrivateKeyDer::from_pem_file(made.path(&format!("{name}.key"))).unwrap();
            builder.with_client_auth_cert(vec![chain], key).unwrap()
        }
    };
    Arc::new(config)
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    Ok(stream)
}

/// One request over TLS: the whole answer.
fn ask(address: SocketAddr, config: &Arc<ClientConfig>, path: &str) -> io::Result<String> {
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, connect(address)?);
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A worker without brokers that listens on `listeners` addresses.
struct Worker {
    ringmain: Ringmain,
    /// Of the HTTPS listener.
    address: SocketAddr,
    _dir: tempfile::TempDir,
    _files: Standalone,
}

impl Worker {
    fn start(settings: &Properties) -> Self {
        let dir = scratch_dir("rest-tls");
        let string = "org.apache.kafka.connect.storage.StringConverter";
        let port = free_port();
        let log = dir.path().join("log");
        let mut worker = Properties::new()
            .set("bootstrap.servers", format!("embedded:{}", log.display()))
            .set("key.converter", string)
            .set("value.converter", string)
            .set("listeners", format!("https://localhost:{port}"));
        for (key, value) in settings.iter() {
            worker = worker.set(key, value.replace("PORT", &port.to_string()));
        }
        let files = Standalone::new(&worker, &[]);
        let ringmain = files.launch();
        ringmain.wait_for_line("Kafka Connect started");
        Self {
            ringmain,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            _dir: dir,
            _files: files,
        }
    }
}

fn all(parts: &[&Properties]) -> Properties {
    let pairs = parts.iter().flat_map(|part| part.iter());
    pairs.fold(Properties::new(), |all, (key, value)| all.set(key, value))
}

#[test]
fn every_format_of_key_store_serves_https() {
    // Stores of Java are made with its keytool.
    if kafka().is_none() {
        return;
    }
    let made = Certificates::make();
    let trusting = client(&made, None);
    for (prefix, kind) in [
        ("listeners.https.", "PEM"),
        ("listeners.https.", "PKCS12"),
        ("", "JKS"),
    ] {
        let worker = Worker::start(&made.key_store(prefix, kind));
        let answer = ask(worker.address, &trusting, "/connectors").unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("[]"),
            "{kind}: {answer}"
        );
        // A client that knows no such authority, and one that speaks no TLS.
        let stranger = made.path("stranger.crt");
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(stranger).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let suspicious = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        assert!(ask(worker.address, &Arc::new(suspicious), "/").is_err());
        let mut plain = connect(worker.address).unwrap();
        plain
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        drop(plain.read_to_end(&mut answer));
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        worker.ringmain.stop_cleanly();
    }
}

#[test]
fn prefixed_settings_replace_all_others_and_what_is_missing_is_named() {
    if kafka().is_none() {
        return;
    }
    let made = Certificates::make();
    // The worker's own store would do, but one prefixed key makes all others count for nothing.
    let settings = all(&[
        &made.key_store("", "PEM"),
        &Properties::new().set("listeners.https.ssl.protocol", "TLSv1.3"),
    ]);
    let dir = scratch_dir("rest-tls-missing");
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let mut worker = Properties::new()
        .set(
            "bootstrap.servers",
            format!("embedded:{}", dir.path().display()),
        )
        .set("key.converter", string)
        .set("value.converter", string)
        .set("listeners", "https://localhost:0");
    for (key, value) in settings.iter() {
        worker = worker.set(key, value);
    }
    let ended = |worker: &Properties| {
        let ringmain = Standalone::new(worker, &[]).launch();
        let code = ringmain.process().wait(PATIENCE).code();
        (code, ringmain.process().output())
    };
    let (code, output) = ended(&worker);
    assert_eq!(code, Some(1), "{output}");
    let named = "listeners.https.ssl.keystore.location";
    assert!(
        output.contains(named) && output.contains("https://localhost:0"),
        "{output}"
    );
    let worker = worker
        .set("listeners.https.ssl.keystore.type", "PKCS12")
        .set(
            "listeners.https.ssl.keystore.location",
            made.path("server.p12").display(),
        )
        .set("listeners.https.ssl.keystore.password", "hunter2");
    let (code, output) = ended(&worker);
    assert_eq!(code, Some(1), "{output}");
    assert!(
        output.contains("listeners.https.ssl.keystore.") && output.contains("server.p12"),
        "{output}"
    );
    assert!(!output.contains("hunter2"), "{output}");
}

#[test]
fn client_certificates_are_asked_for_as_configured() {
    if kafka().is_none() {
        return;
    }
    let made = Certificates::make();
    let trust = Properties::new()
        .set("listeners.https.ssl.truststore.type", "PEM")
        .set(
            "listeners.https.ssl.truststore.location",
            made.path("ca.crt").display(),
        );
    let key = made.key_store("listeners.https.", "PEM");
    let (none, right, wrong) = (
        client(&made, None),
        client(&made, Some("client")),
        client(&made, Some("imposter")),
    );
    for (auth, expected) in [
        ("required", [false, true, false]),
        ("requested", [true, true, false]),
    ] {
        let settings = all(&[
            &key,
            &trust,
            &Properties::new().set("listeners.https.ssl.client.auth", auth),
        ]);
        let worker = Worker::start(&settings);
        for (config, served) in [&none, &right, &wrong].into_iter().zip(expected) {
            let answer = ask(worker.address, config, "/connectors");
            let is_served = answer.as_ref().is_ok_and(|answer| answer.ends_with("[]"));
            assert_eq!(is_served, served, "{auth}: {answer:?}");
            if let Err(error) = answer {
                // It is told, not only cut off.
                assert!(
                    error.to_string().contains("received fatal alert"),
                    "{auth}: {error}"
                );
            }
        }
        worker.ringmain.stop_cleanly();
    }
}

#[test]
fn plain_and_https_listeners_and_those_of_the_admin_api_stand_side_by_side() {
    if kafka().is_none() {
        return;
    }
    let made = Certificates::make();
    let [plain, admin, second] = [free_port(), free_port(), free_port()];
    let settings = all(&[
        &made.key_store("", "PEM"),
        &made.key_store("admin.listeners.https.", "PKCS12"),
        &Properties::new()
            .set(
                "listeners",
                format!("https://localhost:PORT,http://127.0.0.1:{plain},https://[::1]:{second}"),
            )
            .set("admin.listeners", format!("https://127.0.0.1:{admin}"))
            .set("rest.advertised.listener", "https"),
    ]);
    let worker = Worker::start(&settings);
    let trusting = client(&made, None);
    let address = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    assert!(
        ask(worker.address, &trusting, "/connectors")
            .unwrap()
            .ends_with("[]")
    );
    let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, second));
    assert!(ask(v6, &trusting, "/connectors").unwrap().ends_with("[]"));
    assert!(
        ask(address(admin), &trusting, "/connectors")
            .unwrap()
            .starts_with("HTTP/1.1 404 ")
    );
    let url = format!("http://127.0.0.1:{plain}/connectors");
    let made_up = serde_json::json!({"name": "c", "config": {
        "connector.class": "FileStreamSource", "topic": "t", "file": "/nowhere/x",
    }});
    let created = crate::common::http::request("POST", &url, Some(&made_up));
    let expected = format!("https://localhost:{}/connectors/c", worker.address.port());
    assert_eq!(
        created.header("location"),
        Some(expected.as_str()),
        "{created:?}"
    );
}

/// The first bytes of a handshake as a client sends them.
fn hello(config: &Arc<ClientConfig>) -> Vec<u8> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    let mut bytes = Vec::new();
    connection.write_tls(&mut bytes).unwrap();
    bytes
}

#[test]
fn half_open_handshakes_and_tls_garbage_hold_nobody_up() {
    if kafka().is_none() {
        return;
    }
    let made = Certificates::make();
    let worker = Worker::start(&made.key_store("listeners.https.", "PEM"));
    let trusting = client(&made, None);
    let hello = hello(&trusting);
    let mut broken = hello.clone();
    broken[50] ^= 0xff;
    broken[3] = 0x3f;
    let before = worker.ringmain.process().resident_bytes();
    let deadline = Instant::now() + Duration::from_secs(5);
    let waits = std::thread::scope(|scope| {
        for thread in 0..6 {
            let (hello, broken, worker) = (&hello, &broken, &worker);
            scope.spawn(move || {
                let mut held: Vec<TcpStream> = Vec::new();
                while Instant::now() < deadline {
                    // Some 1,000 connections a second of all threads; they share the worker's CPUs.
                    std::thread::sleep(Duration::from_millis(5));
                    let Ok(mut stream) = connect(worker.address) else {
                        continue;
                    };
                    let sent = match thread % 6 {
                        // Nothing, a part, all of a hello and then silence; what is broken, what is garbage.
                        0 => &[][..],
                        1 => &hello[..20],
                        2 => &hello[..],
                        3 => &broken[..],
                        4 => &[0x16, 3, 3, 0xff, 0xff, 0, 0, 0][..],
                        _ => &[0x80; 1000][..],
                    };
                    drop(stream.write_all(sent));
                    held.push(stream);
                    if held.len() > 200 {
                        held.drain(..100);
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            });
        }
        let mut waits = Vec::new();
        while Instant::now() < deadline {
            let begun = Instant::now();
            let answer = ask(worker.address, &trusting, "/connectors").unwrap();
            assert!(answer.ends_with("[]"), "{answer}");
            waits.push(begun.elapsed());
            std::thread::sleep(Duration::from_millis(50));
        }
        waits
    });
    let worst = waits.iter().max().copied().unwrap_or_default();
    let added = worker
        .ringmain
        .process()
        .peak_resident_bytes()
        .saturating_sub(before)
        >> 20;
    eprintln!(
        "{} good requests, the slowest {worst:?}; {added} MiB more memory",
        waits.len()
    );
    assert!(
        waits.len() > 3 && worst <= Duration::from_secs(1),
        "{waits:?}"
    );
    assert!(added <= 64, "{added} MiB more");
    wait_until("an answer afterwards", Duration::from_secs(1), || {
        ask(worker.address, &trusting, "/connectors").is_ok_and(|answer| answer.ends_with("[]"))
    });
    worker.ringmain.stop_cleanly();
}
