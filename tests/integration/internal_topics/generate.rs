//! Random choices, and the texts that all three topics have in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value as Json, json};

/// Names of connectors. Few, so that records meet; one is never written by the worker that is asked.
pub(super) const NAMES: [&str; 6] = ["a", "b", "c-1", "", "ü-", "x/~y"];

/// Values that are wrong for any record.
const GARBAGE: [&str; 16] = [
    "{",
    "",
    " ",
    "null",
    "[]",
    "[{}]",
    "17",
    "1.5",
    "\"x\"",
    "true",
    "{}",
    "{} x",
    "{\"a\":1,\"a\":2}",
    "{'a':1}",
    "nul",
    "\u{feff}{}",
];

const TEXTS: [&str; 14] = [
    "",
    "1",
    "text",
    "org.apache.kafka.connect.file.FileStreamSourceConnector",
    "${file:/x:k}",
    "\"quoted\"\\",
    "line\nbreak\t\u{1}\u{7f}",
    "é",
    "😀",
    "\u{2028}",
    "</script>",
    "null",
    "日本",
    "a=b,c",
];

/// A source of random choices.
#[derive(Debug)]
pub(super) struct Random(fastrand::Rng);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0.usize(0..n)
    }

    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(super) fn name(&mut self) -> &'static str {
        // Mostly the same two, so that their records build on each other.
        let names = if self.one_in(5) {
            &NAMES[..]
        } else {
            &NAMES[..2]
        };
        self.pick(names)
    }

    pub(super) fn text(&mut self) -> &'static str {
        self.pick(&TEXTS)
    }

    /// A value that says nothing.
    pub(super) fn garbage(&mut self) -> Vec<u8> {
        if self.one_in(10) {
            return b"{\"\xff\xed\xa0\x80\":\"\xc3\"}".to_vec();
        }
        self.pick(&GARBAGE).as_bytes().to_vec()
    }
}

pub(super) fn base64(bytes: &[u8]) -> Json {
    BASE64.encode(bytes).into()
}

pub(super) fn optional_base64(bytes: Option<&[u8]>) -> Json {
    bytes.map_or(Json::Null, base64)
}

/// Records that are written, in order.
pub(super) fn sent<'a>(
    records: impl IntoIterator<Item = &'a ringmain::distributed::TopicRecord>,
) -> Json {
    let pair = |record: &ringmain::distributed::TopicRecord| {
        json!([
            base64(&record.key),
            optional_base64(record.value.as_deref())
        ])
    };
    records.into_iter().map(pair).collect()
}
