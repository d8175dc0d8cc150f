//! Many connections, many requests, many bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Target, for_some_time, raise_open_files};

/// How a slow client is slow.
#[derive(Clone, Copy)]
enum Slow {
    /// It says nothing.
    Silent,
    /// A head that never ends.
    Head,
    /// A body that never ends.
    Body,
    /// It asks again and again and reads no answer.
    Reader,
}

const KINDS: [Slow; 4] = [Slow::Silent, Slow::Head, Slow::Body, Slow::Reader];

impl Slow {
    fn opening(self) -> Vec<u8> {
        match self {
            Self::Silent => Vec::new(),
            Self::Head => b"GET /connectors HTTP/1.1\r\nHost: a\r\nX: ".to_vec(),
            Self::Body => {
                let head = "POST /connectors HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                            Content-Length: 4000000\r\n\r\n{";
                head.as_bytes().to_vec()
            }
            Self::Reader => b"GET /connector-plugins HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20),
        }
    }

    fn more(self) -> &'static [u8] {
        match self {
            Self::Silent => b"",
            Self::Head | Self::Body => b"x",
            Self::Reader => b"GET /connector-plugins HTTP/1.1\r\nHost: a\r\n\r\n",
        }
    }
}

/// A slow client that comes back whenever it is shown the door.
struct SlowClient {
    kind: Slow,
    stream: Option<TcpStream>,
}

impl SlowClient {
    fn trickle(&mut self, target: &Target) {
        if let Some(stream) = &mut self.stream
            && stream.write_all(self.kind.more()).is_ok()
        {
            return;
        }
        self.stream = target.connect().ok();
        if let Some(stream) = &mut self.stream {
            // The kernel takes what fits; nobody waits for a reader that does not read.
            stream.set_nonblocking(true).unwrap();
            drop(stream.write(&self.kind.opening()));
        }
    }
}

#[test]
fn a_thousand_slow_connections_hold_nobody_up() {
    raise_open_files();
    let target = Target::start();
    target.endures("1,000 slow connections", || {
        let deadline = Instant::now() + Duration::from_secs(5);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let target = &target;
                scope.spawn(move || {
                    let mut clients: Vec<SlowClient> = (0..250)
                        .map(|client| SlowClient {
                            kind: KINDS[(thread + client) % KINDS.len()],
                            stream: None,
                        })
                        .collect();
                    while Instant::now() < deadline {
                        for client in &mut clients {
                            client.trickle(target);
                        }
                        std::thread::sleep(Duration::from_millis(100));
                    }
                });
            }
        });
    });
}

#[test]
fn many_requests_per_second_leave_room_for_a_newcomer() {
    let target = Target::start();
    let answered = AtomicUsize::new(0);
    let time = Duration::from_secs(4);
    let request = b"GET /connectors HTTP/1.1\r\nHost: a\r\n\r\n";
    let batch = request.repeat(20);
    target.endures("many requests per second", || {
        for_some_time(64, time, |_| {
            let Ok(mut stream) = target.connect() else {
                return;
            };
            let mut chunk = [0; 16 << 10];
            let deadline = Instant::now() + time;
            // On one connection for as long as it lasts.
            while Instant::now() < deadline && stream.write_all(&batch).is_ok() {
                let mut left = 20;
                while left > 0 {
                    let Ok(count @ 1..) = stream.read(&mut chunk) else {
                        return;
                    };
                    let ends = chunk[..count].windows(4).filter(|end| end == b"\r\n\r\n");
                    let ends = ends.count();
                    answered.fetch_add(ends, Ordering::Relaxed);
                    left -= ends.min(left);
                }
            }
        });
    });
    let rate = answered.load(Ordering::Relaxed) as f64 / time.as_secs_f64();
    eprintln!("{rate:.0} requests per second were answered");
    assert!(rate > 500.0, "{rate} requests per second");
}

#[test]
fn connections_that_come_and_go_are_no_burden() {
    let target = Target::start();
    let tried = AtomicUsize::new(0);
    target.endures("connections that come and go", || {
        // Up to 2,000 a second: attackers here share the CPUs with the worker, and no server answers within a
        // second when the kernel's queue of connections is full, since clients try again after one.
        for_some_time(4, Duration::from_secs(4), |thread| {
            tried.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(2));
            let Ok(mut stream) = target.connect() else {
                return;
            };
            match thread % 4 {
                // At once, or in the middle of a request, or after it without waiting for the answer.
                0 => {}
                1 => drop(stream.write_all(b"GET /conn")),
                2 => drop(stream.write_all(b"GET /connectors HTTP/1.1\r\nHost: a\r\n\r\n")),
                _ => drop(stream.shutdown(Shutdown::Write)),
            }
        });
    });
    eprintln!("{} connections", tried.load(Ordering::Relaxed));
}

/// Sends `piece` until the server has enough, 200 MB at most; gives the bytes that it took.
fn pour(target: &Target, start: &[u8], piece: &[u8]) -> usize {
    let mut stream = target.connect().unwrap();
    stream.write_all(start).unwrap();
    let mut poured = 0;
    while poured < 200_000_000 {
        match stream.write(piece) {
            Ok(count) => poured += count,
            Err(_) => break,
        }
    }
    poured
}

#[test]
fn a_head_of_200_megabytes_is_cut_off_early() {
    let target = Target::start();
    let long = [b'x'; 64 << 10];
    let lines = b"X-Name: value\r\n".repeat(4000);
    target.endures("heads of 200 MB", || {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(3) {
            for (start, piece) in [
                (&b"GET / HTTP/1.1\r\nHost: a\r\nX: "[..], &long[..]),
                (b"GET / HTTP/1.1\r\nHost: a\r\n", &lines),
                (b"GET /", &long),
                (b"", &long),
                (b"GET / HTTP/1.1\r\n", b"\r\n"),
                (b"", b"\r\n\r\n\r\n\r\n\r\n\r\n"),
            ] {
                let poured = pour(&target, start, piece);
                // Most of it is in the buffers of the two sockets.
                assert!(poured < 20_000_000, "{poured} bytes were taken");
            }
        }
    });
}

#[test]
fn bodies_are_cut_off_at_their_limit_and_large_ones_share_theirs() {
    let target = Target::start();
    let head = |fields: &str| {
        format!(
            "POST /connectors HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{fields}\r\n\r\n"
        )
    };
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let small_chunks = "1\r\nx\r\n".repeat(10_000);
    let large = "x".repeat(3_900_000);
    let announced = head("Content-Length: 3900001");
    target.endures("large bodies", || {
        for_some_time(12, Duration::from_secs(4), |thread| match thread % 4 {
            0 => {
                let poured = pour(
                    &target,
                    head("Transfer-Encoding: chunked").as_bytes(),
                    chunk.as_bytes(),
                );
                assert!(poured < 20_000_000, "{poured} bytes were taken");
            }
            1 => {
                let chunked = head("Transfer-Encoding: chunked");
                let poured = pour(&target, chunked.as_bytes(), small_chunks.as_bytes());
                assert!(poured < 60_000_000, "{poured} bytes were taken");
            }
            // All but the last byte of it.
            _ => {
                if let Ok(mut stream) = target.connect() {
                    drop(stream.write_all(announced.as_bytes()));
                    drop(stream.write_all(large.as_bytes()));
                    std::thread::sleep(Duration::from_millis(500));
                }
            }
        });
    });
}

#[test]
fn garbage_and_tls_on_a_plain_port_are_turned_away() {
    let target = Target::start();
    // The start of a ClientHello.
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let mut seed = 1_u64;
    let mut garbage = vec![0_u8; 100_000];
    for byte in &mut garbage {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        *byte = (seed >> 56) as u8;
    }
    target.endures("garbage", || {
        for_some_time(8, Duration::from_secs(3), |thread| {
            let answer = match thread % 4 {
                0 => target.say(&garbage),
                1 => target.say(&garbage[thread * 1000..][..200]),
                2 => target.say(hello),
                _ => target.say(&[0; 1000]),
            };
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
                "{answer}"
            );
        });
    });
}
