//! Input: record *i* is a function of *i* and of the size, the same on every run and for every system.
//!
//! Each record carries its number plus [`FIRST`] as its first ten digits, in every form that it takes on
//! its way, so that a single record that arrives can be checked for itself (see `verify`).

use std::io::{self, BufWriter, Write};
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Number in record 0: ten digits without a leading zero, as JSON wants them.
pub(crate) const FIRST: u64 = 1_000_000_000;

/// Places at which a record's filler may begin.
const PLACES: usize = 64 << 10;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Data {
    /// A number and words.
    Text,
    /// A flat JSON object.
    Json,
}

/// How a record is written where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it was made: a line of a file, or the bytes of a value.
    Plain,
    /// A JSON string, as JsonConverter makes of a line.
    JsonString,
    /// The same in JsonConverter's envelope with a schema.
    JsonEnvelope,
    /// A Java map's text, as FileStreamSink prints a JSON object.
    JavaMap,
}

/// Makes records.
#[derive(Debug)]
pub(crate) struct Generator {
    data: Data,
    size: usize,
    filler: Vec<u8>,
}

const WORDS: &[&str] = &[
    "alder", "birch", "cedar", "dogwood", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper",
    "kauri", "larch", "maple", "nutmeg", "oak", "pine", "quince", "rowan", "spruce", "teak",
    "ulmo", "viburnum", "willow", "yew", "zelkova", "aspen", "beech", "chestnut", "ebony",
    "hickory",
];

impl Generator {
    /// Records of exactly `size` bytes; JSON objects and text have a least size, see
    /// [`Generator::least`].
    pub(crate) fn new(data: Data, size: usize) -> Self {
        let mut filler = Vec::with_capacity(PLACES + size + 16);
        let mut state = 42_u64;
        while filler.len() < PLACES + size {
            state = mix(state);
            let word = usize::try_from(state % WORDS.len() as u64).unwrap_or(0);
            filler.extend_from_slice(WORDS[word].as_bytes());
            filler.push(b' ');
        }
        Self { data, size, filler }
    }

    /// The least size of a record.
    pub(crate) fn least(data: Data) -> usize {
        match data {
            Data::Text => 12,
            Data::Json => 84,
        }
    }

    /// Appends record `index` in `form`.
    pub(crate) fn append(&self, index: u64, form: Form, out: &mut Vec<u8>) {
        match form {
            Form::Plain => self.plain(index, out),
            Form::JavaMap => self.java_map(index, out),
            Form::JsonString => self.quoted(index, out),
            Form::JsonEnvelope => {
                out.extend_from_slice(
                    br#"{"schema":{"type":"string","optional":false},"payload":"#,
                );
                self.quoted(index, out);
                out.push(b'}');
            }
        }
    }

    /// Bytes of a record in `form`: all records have the same.
    pub(crate) fn length(&self, form: Form) -> usize {
        let mut record = Vec::new();
        self.append(0, form, &mut record);
        record.len()
    }

    fn plain(&self, index: u64, out: &mut Vec<u8>) {
        let start = out.len();
        let number = FIRST + index;
        match self.data {
            Data::Text => {
                append_digits(number, out);
                out.push(b' ');
                self.fill(index, self.size - (out.len() - start), out);
            }
            Data::Json => {
                let fields = Fields::of(index);
                out.extend_from_slice(b"{\"id\":");
                append_digits(number, out);
                out.extend_from_slice(b",\"name\":\"user-");
                append_digits(fields.user, out);
                out.extend_from_slice(b"\",\"amount\":");
                fields.append_amount(out);
                out.extend_from_slice(b",\"active\":true,\"note\":\"");
                self.fill(index, self.size - (out.len() - start) - 2, out);
                out.extend_from_slice(b"\"}");
            }
        }
    }

    /// The object's members in the order of a `java.util.HashMap`.
    fn java_map(&self, index: u64, out: &mut Vec<u8>) {
        let fields = Fields::of(index);
        let mut plain = Vec::with_capacity(self.size);
        self.plain(index, &mut plain);
        let note = plain.windows(8).position(|w| w == b"\"note\":\"");
        let note = note.map_or(&[][..], |at| &plain[at + 8..plain.len() - 2]);
        for (index_of_key, key) in java_order(&["id", "name", "amount", "active", "note"])
            .iter()
            .enumerate()
        {
            out.extend_from_slice(if index_of_key == 0 { b"{" } else { b", " });
            out.extend_from_slice(key.as_bytes());
            out.push(b'=');
            match *key {
                "id" => append_digits(FIRST + index, out),
                "name" => {
                    out.extend_from_slice(b"user-");
                    append_digits(fields.user, out);
                }
                "amount" => fields.append_amount(out),
                "active" => out.extend_from_slice(b"true"),
                _ => out.extend_from_slice(note),
            }
        }
        out.push(b'}');
    }

    fn quoted(&self, index: u64, out: &mut Vec<u8>) {
        let mut plain = Vec::with_capacity(self.size);
        self.plain(index, &mut plain);
        out.push(b'"');
        for byte in plain {
            if byte == b'"' {
                out.push(b'\\');
            }
            out.push(byte);
        }
        out.push(b'"');
    }

    fn fill(&self, index: u64, count: usize, out: &mut Vec<u8>) {
        let place = usize::try_from(mix(index) % PLACES as u64).unwrap_or(0);
        out.extend_from_slice(&self.filler[place..place + count]);
    }

    /// Writes `records` as lines.
    pub(crate) fn write_lines(&self, records: Range<u64>, out: impl Write) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 20, out);
        let mut block = Vec::with_capacity(1 << 16);
        for index in records {
            self.plain(index, &mut block);
            block.push(b'\n');
            if block.len() >= 1 << 15 {
                out.write_all(&block)?;
                block.clear();
            }
        }
        out.write_all(&block)?;
        out.flush()
    }
}

/// What varies in an object beside its number; fixed widths all.
struct Fields {
    user: u64,
    whole: u64,
    cents: u64,
}

impl Fields {
    fn of(index: u64) -> Self {
        Self {
            user: 100_000 + index % 899_999,
            whole: 10_000 + index % 89_999,
            // No final zero: Java would not print it.
            cents: 10 * (index % 9) + 1 + index % 8,
        }
    }

    fn append_amount(&self, out: &mut Vec<u8>) {
        append_digits(self.whole, out);
        out.push(b'.');
        out.push(digit(self.cents / 10));
        out.push(digit(self.cents));
    }
}

fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number % 10).unwrap_or(0)
}

fn append_digits(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    while at == digits.len() || number > 0 {
        at -= 1;
        digits[at] = digit(number);
        number /= 10;
    }
    out.extend_from_slice(&digits[at..]);
}

/// Keys in the order in which a `java.util.HashMap` with 16 places gives them.
fn java_order<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let place = |key: &str| {
        let hash = key.chars().fold(0_u32, |hash, letter| {
            hash.wrapping_mul(31).wrapping_add(u32::from(letter))
        });
        (hash ^ (hash >> 16)) & 15
    };
    let mut keys = keys.to_vec();
    keys.sort_by_key(|key| place(key));
    keys
}

/// SplitMix64's finish: neighbouring numbers become unrelated ones.
fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The number in any form of a record: its first ten digits in a row.
pub(crate) fn index_of(record: &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    let mut digits = 0;
    for byte in record {
        if byte.is_ascii_digit() {
            number = number * 10 + u64::from(byte - b'0');
            digits += 1;
            if digits == 10 {
                return number.checked_sub(FIRST);
            }
        } else {
            number = 0;
            digits = 0;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_their_size_and_number_in_every_form() {
        let forms = [
            Form::Plain,
            Form::JsonString,
            Form::JsonEnvelope,
            Form::JavaMap,
        ];
        for (data, size) in [
            (Data::Text, 16),
            (Data::Text, 1_000_000),
            (Data::Json, 100),
            (Data::Json, 84),
        ] {
            let generator = Generator::new(data, size);
            for form in forms {
                if form == Form::JavaMap && data == Data::Text {
                    continue;
                }
                for index in [0, 1, 9, 123_456_789] {
                    let mut record = Vec::new();
                    generator.append(index, form, &mut record);
                    assert_eq!(index_of(&record), Some(index), "{form:?}");
                    assert_eq!(record.len(), generator.length(form), "{form:?}");
                    if form == Form::Plain {
                        assert_eq!(record.len(), size);
                    }
                }
            }
        }
    }

    #[test]
    fn json_is_json_and_its_strings_mean_the_record() {
        let generator = Generator::new(Data::Json, 100);
        for index in [0, 7, 99, 1_000_000] {
            let mut plain = Vec::new();
            generator.append(index, Form::Plain, &mut plain);
            let object: serde_json::Value = serde_json::from_slice(&plain).unwrap();
            assert_eq!(object["id"], FIRST + index);
            let mut quoted = Vec::new();
            generator.append(index, Form::JsonString, &mut quoted);
            let text: String = serde_json::from_slice(&quoted).unwrap();
            assert_eq!(text.as_bytes(), plain);
            let mut envelope = Vec::new();
            generator.append(index, Form::JsonEnvelope, &mut envelope);
            let envelope: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
            assert_eq!(envelope["payload"], text.as_str());
        }
    }

    #[test]
    fn least_sizes_are_possible() {
        for data in [Data::Text, Data::Json] {
            let size = Generator::least(data);
            assert_eq!(Generator::new(data, size).length(Form::Plain), size);
        }
    }

    #[test]
    fn lines_are_the_records() {
        let generator = Generator::new(Data::Text, 100);
        let mut lines = Vec::new();
        generator.write_lines(0..1000, &mut lines).unwrap();
        assert_eq!(lines.len(), 101_000);
        let last = lines.split(|&b| b == b'\n').nth(999).unwrap();
        assert_eq!(index_of(last), Some(999));
    }
}
