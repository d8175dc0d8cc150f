//! Requests that two servers could read differently. A proxy before us that sees one request where we see
//! two would let the second past whatever it guards.

use super::Target;

/// What would be answered with 404 and this path in the log of nobody, if it were taken for a request.
const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// Head lines of requests that are refused with 400, the connection closed, and nothing behind them read.
const REFUSED: &[&str] = &[
    // Two lengths, or none that is clear.
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1e1\r\n\r\n",
    // Encodings that are not plainly chunked.
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \x0bchunked\r\n\r\n",
    "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    // Names and lines.
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length\x00: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\n Content-Length: 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\n Host: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\n: a\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
    "POST / HTTP/1.1\nHost: a\n\n",
    "POST / HTTP/1.1\r\nHost: a\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\n\n",
    "POST / HTTP/1.1\r\nHost: a\r\nX: a\rTransfer-Encoding: chunked\r\n\r\n",
    "\nPOST / HTTP/1.1\r\nHost: a\r\n\r\n",
    // Request lines and hosts.
    "POST  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1 \r\nHost: a\r\n\r\n",
    "POST /\r\nHost: a\r\n\r\n",
    "POST connectors HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "PO(T / HTTP/1.1\r\nHost: a\r\n\r\n",
    // Chunks.
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n 0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0 \r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000000\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x\ny\r\na\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\n",
];

#[test]
fn ambiguous_requests_are_refused_and_what_follows_is_not_looked_at() {
    let target = Target::start();
    for request in REFUSED {
        let answer = target.say(format!("{request}{SMUGGLED}").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
        assert!(
            answer.contains("\r\nConnection: close\r\n"),
            "{request:?}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{request:?}: {answer}"
        );
    }
    for (request, status) in [
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "413",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4194305\r\n\r\n",
            "413",
        ),
        ("POST / HTTP/2.0\r\nHost: a\r\n\r\n", "505"),
        ("POST /a b HTTP/1.1\r\nHost: a\r\n\r\n", "505"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"),
        ("POST / HTTP/1.1\r\nHost: a\r\nExpect: a\r\n\r\n", "417"),
    ] {
        let answer = target.say(format!("{request}{SMUGGLED}").as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:?}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{request:?}: {answer}"
        );
    }
    assert!(target.good_request().is_ok());
}

#[test]
fn what_is_clear_is_one_request_and_the_next_one_follows() {
    let target = Target::start();
    let last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (request, status) in [
        // As a proxy gets it; the host in it counts for nothing.
        (
            "GET http://other:1/connectors HTTP/1.1\r\nHost: a\r\n\r\n",
            "200",
        ),
        ("GET HTTP://other HTTP/1.1\r\nHost: a\r\n\r\n", "200"),
        ("\r\nGET /connectors HTTP/1.1\r\nhOST:a\r\n\r\n", "200"),
        (
            "GET /connectors HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            "200",
        ),
        (
            "GET /connectors HTTP/1.1\r\nHost: a\r\nContent-Length: \t0 \r\n\r\n",
            "200",
        ),
        (
            "GET /connectors HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
            "200",
        ),
        (
            "GET /connectors HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n000;a=b\r\nX: y\r\n\r\n",
            "200",
        ),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("GET /../connectors HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("GET /connectors/%00 HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
        ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
        (
            "POST /connectors HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{}",
            "500",
        ),
    ] {
        let answer = target.say(format!("{request}{last}").as_bytes());
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{request:?}: {answer}"
        );
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            2,
            "{request:?}: {answer}"
        );
        assert!(
            answer.contains("HTTP/1.1 404 Not Found"),
            "{request:?}: {answer}"
        );
    }
}
