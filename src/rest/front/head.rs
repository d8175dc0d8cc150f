//! The head of a request: what is read strictly, so that no two readers can disagree about it.

use crate::distributed::signature::{SIGNATURE_ALGORITHM_HEADER, SIGNATURE_HEADER};
use crate::rest::auth::Authorization;
use crate::rest::response::Failure;
use crate::rest::router::Signed;

/// Most header lines of a request.
const HEADERS_MAX: usize = 64;

/// How the body's end is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyLength {
    Fixed(usize),
    Chunked,
}

/// A checked head.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) content_type: Option<String>,
    pub(super) accept: Option<String>,
    pub(super) origin: Option<String>,
    pub(super) authorization: Option<Authorization>,
    pub(super) signed: Signed,
    pub(super) preflight: bool,
    pub(super) cross_site: bool,
    pub(super) body: BodyLength,
    pub(super) keep_alive: bool,
    pub(super) expects_continue: bool,
    /// Bytes of the head.
    pub(super) size: usize,
}

fn refuse(status: u16, why: &str) -> Failure {
    let plain = Failure::http(status).message;
    Failure::new(status, format!("{plain}: {why}"))
}

/// A head that comes in pieces. It is read when its end has come, and otherwise whenever it has doubled, so
/// that what is wrong is said early and a head that trickles in costs no more than one at once.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// Bytes in which no end was found.
    looked: usize,
    /// Bytes that were read last.
    parsed: usize,
}

impl Search {
    /// Whether nothing of a head has been seen yet.
    pub(super) fn is_new(&self) -> bool {
        self.parsed == 0
    }

    /// As [`parse`], of all bytes that have come so far.
    pub(super) fn parse(&mut self, bytes: &[u8], body_max: usize) -> Result<Option<Head>, Failure> {
        let tail = &bytes[self.looked.saturating_sub(2)..];
        // Also ends that are refused.
        let ended = ["\n\r\n", "\n\n"]
            .iter()
            .any(|end| memchr::memmem::find(tail, end.as_bytes()).is_some());
        self.looked = bytes.len();
        if !ended && bytes.len() < 2 * self.parsed {
            return Ok(None);
        }
        self.parsed = bytes.len();
        parse(bytes, body_max)
    }
}

/// Lines end with CR and LF, both: others read a lone one as an end or as a blank.
fn check_line_ends(head: &[u8], is_complete: bool) -> Result<(), Failure> {
    let mut before = None;
    for byte in head {
        if (*byte == b'\n') != (before == Some(b'\r')) {
            return Err(refuse(400, "a line does not end with CR and LF"));
        }
        before = Some(*byte);
    }
    match before {
        Some(b'\r') if is_complete => Err(refuse(400, "a line does not end with CR and LF")),
        _ => Ok(()),
    }
}

/// Reads a head; `None` while it is not complete.
pub(super) fn parse(bytes: &[u8], body_max: usize) -> Result<Option<Head>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let size = match request.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => {
            check_line_ends(bytes, false)?;
            return Ok(None);
        }
        Err(httparse::Error::TooManyHeaders) => return Err(refuse(431, "too many headers")),
        Err(httparse::Error::Version) => return Err(Failure::http(505)),
        Err(error) => return Err(refuse(400, &error.to_string())),
    };
    check_line_ends(&bytes[..size], true)?;
    let is_1_1 = request.version == Some(1);
    let fields = Fields(request.headers);
    check_host(&fields, is_1_1)?;
    let body = body_length(&fields, is_1_1, body_max)?;
    let expects_continue = match fields.one("expect")? {
        None => false,
        Some(text) if text.eq_ignore_ascii_case("100-continue") => is_1_1,
        Some(_) => return Err(Failure::http(417)),
    };
    let connection = fields
        .all("connection")
        .collect::<Result<Vec<_>, _>>()?
        .join(",");
    let says = |token: &str| {
        let mut tokens = connection.split(',').map(str::trim);
        tokens.any(|known| known.eq_ignore_ascii_case(token))
    };
    let owned = |text: Option<&str>| text.map(str::to_owned);
    Ok(Some(Head {
        method: request.method.unwrap_or_default().to_owned(),
        target: target(request.path.unwrap_or_default())?,
        content_type: owned(fields.one("content-type")?),
        accept: joined(&fields, "accept")?,
        origin: owned(fields.one("origin")?),
        authorization: fields
            .one("authorization")?
            .map(|value| Authorization::new(value.to_owned())),
        signed: Signed {
            algorithm: owned(fields.one(SIGNATURE_ALGORITHM_HEADER)?),
            signature: owned(fields.one(SIGNATURE_HEADER)?),
        },
        preflight: fields.one("access-control-request-method")?.is_some(),
        cross_site: fields.one("sec-fetch-site")? == Some("cross-site"),
        body,
        keep_alive: if is_1_1 {
            !says("close")
        } else {
            says("keep-alive")
        },
        expects_continue,
        size,
    }))
}

struct Fields<'a>(&'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    fn all(&self, name: &str) -> impl Iterator<Item = Result<&'a str, Failure>> {
        let named = self
            .0
            .iter()
            .filter(move |field| field.name.eq_ignore_ascii_case(name));
        named.map(|field| {
            let text = std::str::from_utf8(field.value)
                .ok()
                .filter(|text| text.is_ascii());
            text.map(str::trim)
                .ok_or_else(|| refuse(400, "a header is not ASCII"))
        })
    }

    fn one(&self, name: &str) -> Result<Option<&'a str>, Failure> {
        let mut all = self.all(name);
        let first = all.next().transpose()?;
        if all.next().is_some() {
            return Err(refuse(400, &format!("more than one {name} header")));
        }
        Ok(first)
    }
}

fn joined(fields: &Fields<'_>, name: &str) -> Result<Option<String>, Failure> {
    let all = fields.all(name).collect::<Result<Vec<_>, _>>()?;
    Ok((!all.is_empty()).then(|| all.join(",")))
}

fn check_host(fields: &Fields<'_>, is_1_1: bool) -> Result<(), Failure> {
    match fields.one("host")? {
        None if is_1_1 => Err(refuse(400, "no Host header")),
        _ => Ok(()),
    }
}

fn body_length(fields: &Fields<'_>, is_1_1: bool, body_max: usize) -> Result<BodyLength, Failure> {
    let length = fields.one("content-length")?;
    let encoding = fields.one("transfer-encoding")?;
    match (length, encoding) {
        (None, None) => Ok(BodyLength::Fixed(0)),
        (Some(_), Some(_)) => Err(refuse(400, "both Content-Length and Transfer-Encoding")),
        (None, Some(encoding)) if is_1_1 && encoding.eq_ignore_ascii_case("chunked") => {
            Ok(BodyLength::Chunked)
        }
        (None, Some(_)) => Err(refuse(400, "a Transfer-Encoding other than chunked")),
        (Some(length), None) => {
            if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(refuse(400, "Content-Length is not a number"));
            }
            let parsed = length.parse().ok().filter(|length| *length <= body_max);
            parsed
                .map(BodyLength::Fixed)
                .ok_or_else(|| Failure::http(413))
        }
    }
}

/// Path and query; the form with scheme and host loses them.
fn target(target: &str) -> Result<String, Failure> {
    let bad = || refuse(400, "a bad request target");
    if !target.is_ascii() || target.contains('#') {
        return Err(bad());
    }
    let lower = target.get(..8).unwrap_or(target).to_ascii_lowercase();
    let absolute = ["http://", "https://"]
        .iter()
        .find(|scheme| lower.starts_with(**scheme));
    if let Some(scheme) = absolute {
        let rest = &target[scheme.len()..];
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (_, path) = rest.split_at(at);
        return Ok(if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        });
    }
    if target == "*" || target.starts_with('/') {
        return Ok(target.to_owned());
    }
    Err(bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<Option<Head>, u16> {
        let text = lines.replace('\n', "\r\n") + "\r\n\r\n";
        parse(text.as_bytes(), 1000).map_err(|failure| failure.status)
    }

    fn refused(lines: &str) -> u16 {
        read(lines).expect_err(lines)
    }

    #[test]
    fn ambiguous_lengths_are_refused() {
        let with = |fields: &str| refused(&format!("POST / HTTP/1.1\nHost: a\n{fields}"));
        for fields in [
            "Content-Length: 1\nContent-Length: 1",
            "Content-Length: 1, 1",
            "Content-Length: -1",
            "Content-Length: +1",
            "Content-Length: 0x1",
            "Content-Length:",
            "Content-Length: 1\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\nTransfer-Encoding: chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding : chunked",
        ] {
            assert_eq!(with(fields), 400, "{fields}");
        }
        assert_eq!(with("Content-Length: 1001"), 413);
        assert_eq!(with("Content-Length: 99999999999999999999999"), 413);
        assert_eq!(with("Expect: miracles"), 417);
        assert_eq!(refused("POST / HTTP/1.0\nTransfer-Encoding: chunked"), 400);
        let chunked = read("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked");
        assert_eq!(chunked.unwrap().unwrap().body, BodyLength::Chunked);
    }

    #[test]
    fn lines_end_with_both_characters() {
        for text in [
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n",
        ] {
            let failure = parse(text.as_bytes(), 10).unwrap_err();
            assert_eq!(failure.status, 400, "{text:?}");
        }
        let followed = b"GET / HTTP/1.1\r\nHost: a\r\n\r\na\nb";
        assert_eq!(parse(followed, 10).unwrap().unwrap().size, 27);
    }

    #[test]
    fn a_head_in_pieces_is_what_it_is_at_once() {
        let whole = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
        let mut search = Search::default();
        for length in 1..whole.len() {
            let piece = &whole.as_bytes()[..length];
            assert!(search.parse(piece, 10).unwrap().is_none(), "{length}");
        }
        let found = search.parse(whole.as_bytes(), 10).unwrap();
        assert_eq!(found, parse(whole.as_bytes(), 10).unwrap());
        assert_eq!(found.unwrap().size, whole.len());
        let mut search = Search::default();
        assert!(
            search
                .parse(b"GET / HTTP/1.1\r\nHost: a", 10)
                .unwrap()
                .is_none()
        );
        assert!(search.parse(b"GET / HTTP/1.1\r\nHost: a\n\n", 10).is_err());
    }

    #[test]
    fn a_host_is_needed_once_and_only_in_1_1() {
        assert_eq!(refused("GET / HTTP/1.1"), 400);
        assert_eq!(refused("GET / HTTP/1.1\nHost: a\nHost: a"), 400);
        assert!(read("GET / HTTP/1.0").unwrap().is_some());
        assert_eq!(refused("PRI * HTTP/2.0"), 505);
        assert_eq!(refused("GET / HTTP/1.1\nHost: a\n folded: b"), 400);
        assert_eq!(refused("\u{1}garbage"), 400);
        let many = "\nX: y".repeat(80);
        assert_eq!(refused(&format!("GET / HTTP/1.1\nHost: a{many}")), 431);
    }

    #[test]
    fn targets_lose_scheme_and_host() {
        let path = |target: &str| {
            let head = read(&format!("GET {target} HTTP/1.1\nHost: a"));
            head.map(|head| head.unwrap().target)
        };
        assert_eq!(path("/a?b=c").unwrap(), "/a?b=c");
        assert_eq!(path("http://h:1/a?b").unwrap(), "/a?b");
        assert_eq!(path("HTTP://h?b").unwrap(), "/?b");
        assert_eq!(path("a/b"), Err(400));
        assert_eq!(path("/a#b"), Err(400));
    }

    #[test]
    fn connections_stay_unless_somebody_says_otherwise() {
        let stays = |lines: &str| read(lines).unwrap().unwrap().keep_alive;
        assert!(stays("GET / HTTP/1.1\nHost: a"));
        assert!(!stays("GET / HTTP/1.1\nHost: a\nConnection: x, Close"));
        assert!(!stays("GET / HTTP/1.0"));
        assert!(stays("GET / HTTP/1.0\nConnection: keep-alive"));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            drop(parse(&bytes, 10));
        }
    }
}
