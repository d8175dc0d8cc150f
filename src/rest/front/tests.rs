//! Clients that mean ill, or well and slowly.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;
use crate::rest::tests::{Fixture, answer};

/// Long where a test must not wait, short where it must.
fn settings() -> FrontSettings {
    FrontSettings {
        body_max: 100_000,
        large_bodies_max: 1,
        body_free: 1000,
        ..FrontSettings::default()
    }
}

fn start(settings: FrontSettings) -> Fixture {
    Fixture::start_with(settings, "")
}

/// Everything the server says until it closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => text.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&text)),
        }
    }
    String::from_utf8(text).unwrap()
}

fn say(fixture: &Fixture, text: &str) -> String {
    let mut stream = fixture.connect();
    stream.write_all(text.as_bytes()).unwrap();
    rest(&mut stream)
}

#[test]
fn what_two_servers_could_read_differently_is_refused_and_the_rest_is_not_looked_at() {
    let fixture = start(settings());
    let smuggled = "0\r\n\r\nGET /connectors HTTP/1.1\r\nHost: a\r\n\r\n";
    for fields in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Content-Length: 5\r\nContent-Length: 5",
        "Transfer-Encoding: chunked, identity",
        "Content-Length: -1",
    ] {
        let text = say(
            &fixture,
            &format!("POST /connectors HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n{smuggled}"),
        );
        assert_eq!(answer(&text).status, 400, "{fields}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
        assert!(text.contains("Connection: close"), "{text}");
    }
    let garbage = say(&fixture, "\u{16}\u{3}\u{1}garbage\r\n\r\n");
    assert_eq!(answer(&garbage).status, 400);
}

#[test]
fn heads_and_bodies_have_bounds() {
    let fixture = start(settings());
    let long = "x".repeat(20 << 10);
    let head = say(&fixture, &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}"));
    assert_eq!(answer(&head).status, 431);
    let whole = say(
        &fixture,
        &format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n"),
    );
    assert_eq!(answer(&whole).status, 431);
    let body = say(
        &fixture,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\nx",
    );
    assert_eq!(answer(&body).status, 413);
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("c350\r\n{}\r\n", "y".repeat(50_000));
    let text = say(&fixture, &format!("{chunked}{chunk}{chunk}1\r\n"));
    assert_eq!(answer(&text).status, 413);
    let endless = format!("1;{}", "x".repeat(300));
    for bad in [
        "x\r\n",
        "-1\r\n",
        "0x1\r\n",
        " 1\r\n",
        "1 \r\n",
        "1\r\nab\r\n",
        "1\r\na\n0\r\n\r\n",
        "1;a\nb\r\na\r\n0\r\n\r\n",
        "0\r\nTrailer: a\n\nGET / HTTP/1.1\r\n\r\n",
        "fffffffff\r\n",
        "\r\n",
        &endless,
    ] {
        let text = say(&fixture, &format!("{chunked}{bad}"));
        let status = answer(&text).status;
        assert!(matches!(status, 400 | 413), "{bad:?}: {text}");
    }
}

#[test]
fn large_bodies_of_many_clients_share_a_bound() {
    let fixture = start(settings());
    let announced = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
    let almost = format!("{announced}{}", "x".repeat(99_999));
    let mut first = fixture.connect();
    first.write_all(almost.as_bytes()).unwrap();
    let shared = &fixture.server().front.shared;
    while shared.large.left() > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    // What is only announced takes nothing, and what is small goes on.
    let mut announcing = fixture.connect();
    announcing.write_all(announced.as_bytes()).unwrap();
    let small = fixture.call("POST", "/connectors", "{}");
    assert_eq!(small.status, 500, "{small:?}");
    let second = say(&fixture, &format!("{almost}x"));
    assert_eq!(answer(&second).status, 503);
    drop(first);
    while shared.large.left() == 0 {
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_head_that_trickles_in_and_a_body_that_never_comes_are_timed_out() {
    let fixture = start(FrontSettings {
        head_timeout: Duration::from_millis(200),
        body_timeout: Duration::from_millis(200),
        ..settings()
    });
    let head = say(&fixture, "GET / HTTP/1.1\r\nHost:");
    assert_eq!(answer(&head).status, 408);
    let body = say(
        &fixture,
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx",
    );
    assert_eq!(answer(&body).status, 408);
    // Each byte in time, and still too slow as a whole.
    let mut slow = fixture.connect();
    for _ in 0..100 {
        if slow.write_all(b"G").is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let text = rest(&mut slow);
    assert!(text.is_empty() || answer(&text).status == 408, "{text}");
}

#[test]
fn a_silent_connection_is_closed_without_a_word() {
    let fixture = start(FrontSettings {
        idle_timeout: Duration::from_millis(100),
        ..settings()
    });
    assert_eq!(say(&fixture, ""), "");
    let text = say(&fixture, "GET /connectors HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(answer(&text).body, "[]");
}

#[test]
fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let fixture = start(settings());
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let close = "GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let all = format!("{}\r\n{}{close}", get("/connectors"), get("/2"));
    let text = say(&fixture, &all);
    assert_eq!(text.matches("HTTP/1.1 ").count(), 3, "{text}");
    let first = text.find("\r\n\r\n[]HTTP/1.1 404").expect(&text);
    assert!(text[first..].contains("Connection: close"), "{text}");
}

#[test]
fn a_chunked_body_is_put_together_and_asked_for() {
    let fixture = start(settings());
    let mut stream = fixture.connect();
    let head = "PUT /connectors/a/config HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                Expect: 100-continue\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut go = [0; 25];
    stream.read_exact(&mut go).unwrap();
    assert_eq!(&go, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"4;x=y\r\n{\"na\r\n").unwrap();
    stream
        .write_all(b"9\r\nme\":\"b\"}\n\r\n0\r\nTrailer: z\r\n\r\n")
        .unwrap();
    let text = rest(&mut stream);
    assert!(text.contains("Connector name configuration (b)"), "{text}");
}

#[test]
fn a_thousand_connections_take_bounded_room_and_a_new_client_is_served() {
    let fixture = start(FrontSettings {
        connections_max: 16,
        ..settings()
    });
    let shared = &fixture.server().front.shared;
    let mut held = Vec::new();
    for _ in 0..1000 {
        let mut stream = fixture.connect();
        // A place may have been lost already.
        drop(stream.write_all(b"GET / HT"));
        held.push(stream);
        if held.len() > 100 {
            held.remove(0);
        }
        assert!(shared.places.taken() <= 16);
    }
    let answer = fixture.call("GET", "/connectors", "");
    assert_eq!(answer.body, "[]");
}

#[test]
fn clients_that_send_bodies_slowly_or_do_not_read_give_way() {
    let fixture = start(FrontSettings {
        connections_max: 4,
        ..settings()
    });
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = fixture.connect();
        let head = "POST /connectors HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{";
        stream.write_all(head.as_bytes()).unwrap();
        held.push(stream);
    }
    let begun = Instant::now();
    assert_eq!(fixture.call("GET", "/connectors", "").body, "[]");
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_newcomer_gets_the_place_of_a_client_that_never_pauses() {
    let fixture = start(FrontSettings {
        connections_max: 2,
        ..settings()
    });
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Acquire) {
                    let mut stream = fixture.connect();
                    let mut chunk = [0; 4096];
                    // One connection for as long as it lasts.
                    while !stop.load(Ordering::Acquire)
                        && stream
                            .write_all(b"GET /connectors HTTP/1.1\r\nHost: a\r\n\r\n")
                            .is_ok()
                    {
                        if !stream.read(&mut chunk).is_ok_and(|count| count > 0) {
                            break;
                        }
                    }
                }
            });
        }
        for _ in 0..20 {
            let begun = Instant::now();
            assert_eq!(fixture.call("GET", "/connectors", "").body, "[]");
            assert!(
                begun.elapsed() < Duration::from_secs(3),
                "{:?}",
                begun.elapsed()
            );
        }
        stop.store(true, Ordering::Release);
    });
}

#[test]
fn a_head_that_comes_byte_by_byte_is_read_once_it_is_whole() {
    let fixture = start(settings());
    let mut stream = fixture.connect();
    let request = "\r\n\r\nGET /connectors HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for byte in request.as_bytes() {
        stream.write_all(&[*byte]).unwrap();
        stream.flush().unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(answer(&rest(&mut stream)).body, "[]");
    // Empty lines alone are no request.
    let text = say(&fixture, &"\r\n".repeat(20));
    assert_eq!(answer(&text).status, 400);
}

#[test]
fn a_stop_does_not_wait_for_idle_clients() {
    let mut fixture = start(settings());
    let mut idle = fixture.connect();
    idle.write_all(b"GET /connectors HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    let mut byte = [0];
    idle.read_exact(&mut byte).unwrap();
    let address = fixture.server().addresses()[0];
    let begun = Instant::now();
    fixture.server.take().unwrap().stop();
    assert!(begun.elapsed() < FrontSettings::default().stop_timeout);
    rest(&mut idle);
    assert!(TcpStream::connect(address).is_err());
}
