use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Instant;

use super::*;
use crate::distributed::signature::{RequestSignature, Verification};

const LIMIT: Duration = Duration::from_secs(20);

fn peers() -> Peers {
    Peers::new(HttpsConfig::of_peers(&ConfigMap::new()).unwrap())
}

/// A worker that takes one request and gives `answer`, after the head that it got and the body.
fn worker(answer: impl Into<String>) -> (String, JoinHandle<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = answer.into();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut text = String::new();
        let mut chunk = [0; 1024];
        loop {
            let count = stream.read(&mut chunk).unwrap();
            text.push_str(std::str::from_utf8(&chunk[..count]).unwrap());
            let Some((head, body)) = text.split_once("\r\n\r\n") else {
                continue;
            };
            let head = head.to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if count == 0 || body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                break;
            }
        }
        stream.write_all(answer.as_bytes()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    });
    (url, thread)
}

/// An answer with this status and body.
fn with(status: u16, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn ask(answer: impl Into<String>) -> Result<PeerAnswer, PeerError> {
    let (url, worker) = worker(answer);
    let done = peers().send(&PeerRequest {
        method: "PUT",
        worker_url: &url,
        target: "/x",
        limit: LIMIT,
        ..PeerRequest::default()
    });
    worker.join().unwrap();
    done
}

#[test]
fn task_configurations_go_to_the_leader_with_a_signature_that_holds() {
    let key = SessionKey {
        key: b"secret".to_vec(),
        algorithm: "HmacSHA256".to_owned(),
        creation_timestamp: 0,
    };
    let signing = Signing {
        key: &key,
        algorithm: MacAlgorithm::HmacSha256,
    };
    let (url, worker) = worker("HTTP/1.1 204 No Content\r\n\r\n");
    let config = ConfigMap::from_iter([
        ("task.class".to_owned(), Some("x.Y".to_owned())),
        ("ü".to_owned(), None),
    ]);
    let done = peers().put_task_configs(&url, "a/b c%;ü", &[config], Some(signing), LIMIT);
    assert_eq!(done, Ok(()));
    let (head, body) = worker.join().unwrap();
    let lines: Vec<&str> = head.lines().collect();
    assert_eq!(
        lines[0],
        "POST /connectors/a%2Fb%20c%25%3B%C3%BC/tasks HTTP/1.1"
    );
    let field = |name: &str| {
        let found = lines.iter().find_map(|line| {
            let (known, value) = line.split_once(": ")?;
            known.eq_ignore_ascii_case(name).then_some(value)
        });
        found.map(str::to_owned)
    };
    assert_eq!(field("user-agent").as_deref(), Some("kafka-connect"));
    assert_eq!(field("accept").as_deref(), Some("application/json"));
    assert_eq!(field("content-type").as_deref(), Some("application/json"));
    assert_eq!(body, r#"[{"task.class":"x.Y","ü":null}]"#);
    let (algorithm, signature) = (field(SIGNATURE_ALGORITHM_HEADER), field(SIGNATURE_HEADER));
    let signature =
        RequestSignature::from_headers(algorithm.as_deref(), signature.as_deref(), body.as_bytes());
    let verification = Verification {
        sessioned: true,
        key: Some(&key),
        algorithms: &["HmacSHA256".to_owned()],
    };
    assert_eq!(verification.check(signature.unwrap().as_ref()), Ok(()));
}

#[test]
fn a_fence_has_no_body_and_without_a_key_no_signature() {
    let (url, worker) = worker("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(peers().fence(&url, "c", None, LIMIT), Ok(()));
    let (head, body) = worker.join().unwrap();
    assert!(
        head.starts_with("PUT /connectors/c/fence HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    assert!(
        !head.contains("x-connect") && !head.contains("content-type"),
        "{head}"
    );
    assert_eq!(body, "");
}

#[test]
fn answers_are_judged_as_apache_judges_them() {
    let body = r#"{"error_code":40901,"message":"no \u00fc"}"#;
    let whole = with(503, body);
    // A body that is cut off is none.
    let cut = ask(&whole[..whole.len() - 1]);
    assert!(matches!(cut, Err(PeerError::Io { .. })), "{cut:?}");
    let refused = ask(whole);
    let error = refused.unwrap_err();
    assert_eq!(
        (error.status(), error.code(), &*error.to_string()),
        (503, 40901, "no ü")
    );
    let moved = ask("HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    let error = moved.unwrap_err();
    assert_eq!((error.status(), error.code()), (500, 500));
    let text = "Unexpected status code when handling forwarded request: 302";
    assert_eq!(error.to_string(), text);
    let done = ask(with(201, "{}")).unwrap();
    assert_eq!((done.status, &*done.body), (201, &b"{}"[..]));
    let none = ask("HTTP/1.1 204 X\r\n\r\n").unwrap();
    assert_eq!((none.status, none.body.len()), (204, 0));
}

#[test]
fn what_is_no_answer_of_a_worker_is_an_io_error_that_shows_its_beginning() {
    for (answer, part) in [
        (
            with(401, "no \x1b[31m  x"),
            "answered 401 with no error of a Connect worker: 'no [31m x'",
        ),
        (
            with(502, ""),
            "answered 502 with no error of a Connect worker: nothing",
        ),
        (
            with(200, "<html>"),
            "answered 200 with what is no JSON: '<html>'",
        ),
        (String::new(), ": "),
        ("\x15\x03\x01".to_owned(), ": "),
    ] {
        let error = ask(answer).unwrap_err();
        let text = error.to_string();
        let begin = "IO Error trying to forward REST request: http://127.0.0.1:";
        assert!(text.starts_with(begin) && text.contains(part), "{text}");
        assert_eq!(error.status(), 500);
    }
}

#[test]
fn nobody_silence_and_an_endless_answer_end_in_time() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = format!("http://{}", taken.local_addr().unwrap());
    let request = PeerRequest {
        method: "POST",
        worker_url: &free,
        target: "/x",
        limit: Duration::from_millis(300),
        ..PeerRequest::default()
    };
    let begun = Instant::now();
    let late = peers().send(&request).unwrap_err().to_string();
    assert!(late.ends_with("no answer in time"), "{late}");
    drop(taken);
    let refused = peers().send(&request).unwrap_err().to_string();
    assert!(refused.contains("refused"), "{refused}");
    assert!(begun.elapsed() < LIMIT);
    let endless = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", endless.local_addr().unwrap());
    let writer = std::thread::spawn(move || {
        let (mut stream, _) = endless.accept().unwrap();
        let head = "HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        stream.write_all(head.as_bytes()).unwrap();
        let mut written = 0;
        while stream.write_all(chunk.as_bytes()).is_ok() {
            written += chunk.len();
        }
        written
    });
    let error = peers().send(&PeerRequest {
        worker_url: &url,
        limit: LIMIT,
        ..request
    });
    let text = error.unwrap_err().to_string();
    assert!(text.contains("more than 16777216 bytes"), "{text}");
    assert!(writer.join().unwrap() < 64 << 20);
}

#[test]
fn urls_that_are_none_are_told() {
    for url in ["", "host:8083", "ftp://host/", "http://ho st/", "http://"] {
        let error = peers().fence(url, "c", None, LIMIT).unwrap_err();
        assert!(
            matches!(error, PeerError::Setup { .. } | PeerError::Io { .. }),
            "{error}"
        );
        assert_eq!(error.status(), 500);
    }
}

#[test]
fn a_store_that_is_missing_is_named_with_its_key() {
    let config = ConfigMap::from_iter([(
        "listeners.https.ssl.truststore.location".to_owned(),
        Some("/nowhere/t.p12".to_owned()),
    )]);
    let peers = Peers::new(HttpsConfig::of_peers(&config).unwrap());
    let error = peers
        .fence("https://127.0.0.1:1/", "c", None, LIMIT)
        .unwrap_err();
    let text = error.to_string();
    let key = "listeners.https.ssl.truststore.location=/nowhere/t.p12";
    assert!(text.contains(key), "{text}");
}
