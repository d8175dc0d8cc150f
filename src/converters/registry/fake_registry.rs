//! A server that answers as a registry would, or as it should not: for tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Status and body for a request of method, path with query, and body.
pub(super) type Answer = dyn Fn(&str, &str, &str) -> (u16, String) + Send + Sync;

/// A running server; its thread ends with the test process.
pub(super) struct FakeRegistry {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl FakeRegistry {
    /// Serves `answer` on a free loopback port.
    pub(super) fn serve(
        answer: impl Fn(&str, &str, &str) -> (u16, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (theirs, answer): (_, Arc<Answer>) = (Arc::clone(&asked), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (asked, answer) = (Arc::clone(&theirs), Arc::clone(&answer));
                std::thread::spawn(move || while serve_one(&stream, &asked, &*answer).is_some() {});
            }
        });
        Self { url, asked }
    }

    /// A registry of one schema with this id, whatever the subject.
    pub(super) fn of_schema(id: i32, schema_type: &'static str, schema: &str) -> Self {
        let schema = schema.to_owned();
        Self::serve(move |method, path, _| {
            if method == "GET" && !path.starts_with(&format!("/schemas/ids/{id}?")) {
                let body = r#"{"error_code":40403,"message":"Schema not found"}"#;
                return (404, body.to_owned());
            }
            let answer = serde_json::json!({
                "id": id, "version": 1, "schema": schema, "schemaType": schema_type,
            });
            (200, answer.to_string())
        })
    }

    /// Method, path and body of each request so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve_one(stream: &TcpStream, asked: &Mutex<Vec<String>>, answer: &Answer) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader
        .read_line(&mut first)
        .ok()
        .filter(|count| *count > 0)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    asked
        .lock()
        .unwrap()
        .push(format!("{method} {path} {body}"));
    let (status, body) = answer(method, path, &body);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = stream;
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(body.as_bytes()).ok()
}
