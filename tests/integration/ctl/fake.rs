//! A server that answers what a test says, whatever it is asked, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked: the request line, the head, the body.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) head: String,
    pub(super) body: String,
}

/// Listens until the test process ends.
#[derive(Debug)]
pub(super) struct Fake {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    /// `answer` makes the bytes of an answer from a request and how many came before it.
    pub(super) fn start(answer: impl Fn(&Asked, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serve(move |stream, asked| {
            let Some(request) = read(stream) else { return };
            let number = {
                let mut asked = asked.lock().unwrap();
                asked.push(request.clone());
                asked.len() - 1
            };
            let bytes = answer(&request, number);
            // The client may have seen enough.
            stream.write_all(&bytes).unwrap_or(());
        })
    }

    /// Takes connections and never answers.
    pub(super) fn silent() -> Self {
        Self::serve(|stream, asked| {
            let Some(request) = read(stream) else { return };
            asked.lock().unwrap().push(request);
            std::thread::sleep(Duration::from_secs(60));
        })
    }

    /// Sends the head of an answer and then a byte now and then.
    pub(super) fn dripping() -> Self {
        Self::serve(|stream, _| {
            if read(stream).is_none() {
                return;
            }
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n[";
            let mut sent = stream.write_all(head);
            while sent.is_ok() {
                std::thread::sleep(Duration::from_millis(200));
                sent = stream.write_all(b" ");
            }
        })
    }

    fn serve(work: impl Fn(&mut TcpStream, &Mutex<Vec<Asked>>) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (shared, work) = (Arc::clone(&asked), Arc::new(work));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), work, asked) =
                    (stream, Arc::clone(&work), Arc::clone(&shared))
                else {
                    continue;
                };
                std::thread::spawn(move || work(&mut stream, &asked));
            }
        });
        Self { url, asked }
    }

    /// Everything that was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .ok()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut head, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut line).ok()?;
    loop {
        let mut next = String::new();
        reader.read_line(&mut next).ok()?;
        if next.trim().is_empty() {
            break;
        }
        let lower = next.to_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        head.push_str(&next);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked {
        line: line.trim().to_owned(),
        head,
        body: String::from_utf8(body).ok()?,
    })
}

/// An answer that closes the connection.
pub(super) fn http(status: &str, content_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
    .into_bytes()
}

/// An answer as a worker gives it.
pub(super) fn json(status: &str, body: &str) -> Vec<u8> {
    http(status, "application/json", body)
}
