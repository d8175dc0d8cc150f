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
    /// A JSON object in JsonConverter's envelope with the schema of a struct.
    StructEnvelope,
    /// A Java map's text, as FileStreamSink prints a JSON object.
    JavaMap,
    /// The same of an object that went through the transforms of the scenarios, see [`TRANSFORMED`].
    TransformedMap,
    /// A struct's text after the same transforms.
    TransformedStruct,
}

/// What those transforms do: InsertField puts `origin`, ReplaceField leaves `active` out and calls `name`
/// `user`, Cast makes a whole number of `amount` and a text of `id`. Names after and before, in the order
/// of a struct's fields.
const TRANSFORMED: [(&str, &str); 5] = [
    ("id", "id"),
    ("user", "name"),
    ("amount", "whole"),
    ("note", "note"),
    ("origin", "origin"),
];

/// The schema of an object, as JsonConverter writes it.
const SCHEMA: &[u8] = br#"{"type":"struct","fields":[{"type":"int64","optional":false,"field":"id"},{"type":"string","optional":false,"field":"name"},{"type":"double","optional":false,"field":"amount"},{"type":"boolean","optional":false,"field":"active"},{"type":"string","optional":false,"field":"note"}],"optional":false}"#;

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
            Form::JavaMap => {
                let keys = java_order(&["id", "name", "amount", "active", "note"], 16);
                self.java_map(index, keys.iter().map(|key| (*key, *key)), out);
            }
            Form::TransformedMap => self.java_map(index, transformed_order(), out),
            Form::TransformedStruct => self.structure(index, out),
            Form::StructEnvelope => {
                out.extend_from_slice(br#"{"schema":"#);
                out.extend_from_slice(SCHEMA);
                out.extend_from_slice(br#","payload":"#);
                self.plain(index, out);
                out.push(b'}');
            }
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

    /// The object's members as a Java map prints them: names that it prints, and those of the object.
    fn java_map(
        &self,
        index: u64,
        members: impl IntoIterator<Item = (&'static str, &'static str)>,
        out: &mut Vec<u8>,
    ) {
        for (at, (name, member)) in members.into_iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"{" } else { b", " });
            self.member(index, name, member, out);
        }
        out.push(b'}');
    }

    /// As a Connect struct prints itself.
    fn structure(&self, index: u64, out: &mut Vec<u8>) {
        for (at, (name, member)) in TRANSFORMED.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"Struct{" } else { b"," });
            self.member(index, name, member, out);
        }
        out.push(b'}');
    }

    fn member(&self, index: u64, name: &str, member: &str, out: &mut Vec<u8>) {
        let fields = Fields::of(index);
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        match member {
            "id" => append_digits(FIRST + index, out),
            "name" => {
                out.extend_from_slice(b"user-");
                append_digits(fields.user, out);
            }
            "amount" => fields.append_amount(out),
            "whole" => append_digits(fields.whole, out),
            "active" => out.extend_from_slice(b"true"),
            "origin" => out.extend_from_slice(b"perf"),
            _ => self.note(index, out),
        }
    }

    fn note(&self, index: u64, out: &mut Vec<u8>) {
        let mut plain = Vec::with_capacity(self.size);
        self.plain(index, &mut plain);
        let note = plain.windows(8).position(|w| w == b"\"note\":\"");
        let note = note.map_or(&[][..], |at| &plain[at + 8..plain.len() - 2]);
        out.extend_from_slice(note);
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

/// Keys, given as they were put, in the order in which a `java.util.HashMap` with so many places gives
/// them.
fn java_order<'a>(keys: &[&'a str], places: u32) -> Vec<&'a str> {
    let place = |key: &str| {
        let hash = key.chars().fold(0_u32, |hash, letter| {
            hash.wrapping_mul(31).wrapping_add(u32::from(letter))
        });
        (hash ^ (hash >> 16)) & (places - 1)
    };
    let mut keys = keys.to_vec();
    keys.sort_by_key(|key| place(key));
    keys
}

/// Order after the transforms, each of which copies what the one before made into a map of 8 places.
fn transformed_order() -> Vec<(&'static str, &'static str)> {
    let mut keys = java_order(&["id", "name", "amount", "active", "note"], 16);
    keys.push("origin");
    let inserted = java_order(&keys, 8);
    let kept = inserted.iter().filter(|key| **key != "active");
    let renamed: Vec<_> = kept
        .map(|key| if *key == "name" { "user" } else { *key })
        .collect();
    let before = |name: &&str| TRANSFORMED.iter().find(|(after, _)| after == name).copied();
    java_order(&renamed, 8).iter().filter_map(before).collect()
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
            Form::StructEnvelope,
            Form::JavaMap,
            Form::TransformedMap,
            Form::TransformedStruct,
        ];
        for (data, size) in [
            (Data::Text, 16),
            (Data::Text, 1_000_000),
            (Data::Json, 100),
            (Data::Json, 84),
        ] {
            let generator = Generator::new(data, size);
            for form in forms {
                let of_objects = [
                    Form::StructEnvelope,
                    Form::JavaMap,
                    Form::TransformedMap,
                    Form::TransformedStruct,
                ];
                if data == Data::Text && of_objects.contains(&form) {
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
    fn transformed_objects_are_what_the_transforms_make() {
        let generator = Generator::new(Data::Json, 84);
        let text = |form| {
            let mut out = Vec::new();
            generator.append(3, form, &mut out);
            String::from_utf8(out).unwrap()
        };
        let map = text(Form::TransformedMap);
        for member in [
            "id=1000000003",
            "user=user-100003",
            "amount=10003",
            "origin=perf",
        ] {
            assert!(map.contains(member), "{map}");
        }
        assert!(!map.contains("active") && !map.contains("name="), "{map}");
        let structure = text(Form::TransformedStruct);
        let start = "Struct{id=1000000003,user=user-100003,amount=10003,note=";
        assert!(structure.starts_with(start), "{structure}");
        assert!(structure.ends_with(",origin=perf}"), "{structure}");
        let envelope: serde_json::Value =
            serde_json::from_str(&text(Form::StructEnvelope)).unwrap();
        assert_eq!(envelope["payload"]["name"], "user-100003");
        let fields = envelope["schema"]["fields"].as_array().unwrap();
        assert_eq!(fields.len(), 5);
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
